//! Processes that are known by a variable of their environment.
//!
//! What a server has started inherits its environment, also into a session of its own and when its
//! parent is gone. Only where the environment of a process can be read, which is on Linux; elsewhere
//! nobody is found.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, getpid, kill_process};

/// Looks for more of them: one that is killed may just have started another.
const ROUNDS: usize = 3;

/// Marks that nobody has looked for yet.
static WANTED: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Held by who looks.
static LOOKING: Mutex<()> = Mutex::new(());

/// Kills every process that carries this variable (`NAME=value`). Blocks, as it reads what there is of
/// every process; of many that are looked for at once all are found in one look.
pub fn kill_all(mark: String) {
    lock(&WANTED).push(mark);
    let looking = lock(&LOOKING);
    // Who looked before may have taken ours along.
    let marks = std::mem::take(&mut *lock(&WANTED));
    if !marks.is_empty() {
        for _ in 0..ROUNDS {
            if !kill_marked(&marks) {
                break;
            }
        }
    }
    drop(looking);
}

/// Whether anybody was there to be killed.
fn kill_marked(marks: &[String]) -> bool {
    let own = getpid();
    let mut any = false;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = pid.and_then(Pid::from_raw).filter(|pid| *pid != own) else { continue };
        // Of somebody else, or gone by now.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        let carries = environment
            .split(|byte| *byte == 0)
            .any(|variable| marks.iter().any(|mark| mark.as_bytes() == variable));
        any |= carries && kill_process(pid, Signal::KILL).is_ok();
    }
    any
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process in a session of its own that carries this mark, and what holds its output open.
    fn marked(mark: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo up; exec sleep 300"]).env("KIMI_TEST_MARK", mark);
        command.stdout(Stdio::piped());
        super::super::in_own_session(&mut command);
        let mut child = command.spawn().unwrap();
        let mut up = [0; 3];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut up).unwrap();
        child
    }

    #[test]
    fn who_carries_the_mark_is_killed_and_nobody_else() {
        let own = format!("{}", getpid().as_raw_nonzero());
        let (mut one, mut other) = (marked(&format!("{own}.1")), marked(&format!("{own}.11")));
        let looks: Vec<_> = (0..8)
            .map(|_| {
                let mark = format!("KIMI_TEST_MARK={own}.1");
                std::thread::spawn(move || kill_all(mark))
            })
            .collect();
        looks.into_iter().for_each(|look| look.join().unwrap());
        assert!(!one.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none(), "a longer number is another mark");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
