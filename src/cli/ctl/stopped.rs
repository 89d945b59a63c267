//! Instances that are stopped (Ctrl-Z, SIGSTOP): their sockets take words that nobody reads.

use std::path::Path;

use crate::protocol::control::{Instance, STOPPED, State};

/// Whether the system says so. It may also be read from what the instance has said of itself, but
/// not when it was stopped without a warning. False where the system does not tell.
pub fn is_stopped(instance: &Instance) -> bool {
    let stat = Path::new("/proc").join(instance.pid.to_string()).join("stat");
    std::fs::read_to_string(stat).is_ok_and(|stat| says_stopped(&stat))
}

/// Puts that into a state that was told before.
pub fn mark_stopped(instance: &mut Instance) {
    instance.state = State::Busy;
    instance.phase = Some(STOPPED.to_owned());
    instance.ask = None;
}

/// `<pid> (<name>) T ...`, see proc(5); the name of ours is part of the test, since the number may
/// be another process by now or belong to another container.
fn says_stopped(stat: &str) -> bool {
    let Some((name, rest)) = stat.rsplit_once(')') else { return false };
    let name = name.split_once('(').map_or("", |(_, name)| name);
    name.starts_with("kimi") && rest.trim_start().starts_with(['T', 't'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert!(says_stopped("12 (kimi) T 1 12 12 0"));
        assert!(says_stopped("12 (kimi) t 1 12 12 0"));
        assert!(!says_stopped("12 (kimi) S 1 12 12 0"));
        assert!(says_stopped("12 (kimi-1.60) T 1 12 12 0"));
        assert!(!says_stopped("12 (kimi) T 1) S 1"));
        assert!(!says_stopped("12 (sleep) T 1 12 12 0"));
        assert!(!says_stopped("") && !says_stopped("12 (kimi)"));
    }
}
