//! Who is at the other end of a connection.
//!
//! Only this user is let in. Of those, a process that this instance has started may look but not
//! touch: a model must not approve its own commands through its shell. That is a seat belt, not a
//! wall: the user's processes can reach each other in many ways, and a program that sets out to hide
//! where it comes from can.

use std::fs;
use std::io;

use tokio::net::UnixStream;

use crate::platform::env::PARENT_VARIABLE;
use crate::platform::process::carries;

/// No family of processes is deeper than this.
const MAX_GENERATIONS: usize = 1000;

/// The other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// Of the process that connected; none when it lives where its number cannot be seen.
    pid: Option<u32>,
}

/// What a process is to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kin {
    Stranger,
    /// A child, or a child's child.
    Descendant,
    /// It is gone, and whoever has its connection now cannot be asked.
    Unknown,
}

impl Peer {
    /// The one behind a connection, if it belongs to this user.
    pub fn of(stream: &UnixStream) -> io::Result<Option<Self>> {
        let peer = stream.peer_cred()?;
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
        Ok((peer.uid() == rustix::process::geteuid().as_raw()).then_some(Self { pid }))
    }

    /// Why it may not send, answer or interrupt; `None` when it may.
    pub fn objection(self) -> Option<&'static str> {
        match kin(self.pid?, std::process::id()) {
            Kin::Stranger => None,
            Kin::Descendant => Some(
                "This command runs inside the instance it is meant for. From there it can ask for \
                 the state and the last answer, but not send, answer or interrupt.",
            ),
            Kin::Unknown => Some("The process that connected is gone; who asks cannot be told."),
        }
    }
}

/// Follows the parents of `pid`. One whose parent has ended is known by a variable that children
/// inherit. Where there is no `/proc` everybody is a stranger.
fn kin(pid: u32, own: u32) -> Kin {
    if pid == own || parent(own).is_none() {
        return Kin::Stranger;
    }
    let mut ancestor = pid;
    for _ in 0..MAX_GENERATIONS {
        if has_mark(ancestor, own) {
            return Kin::Descendant;
        }
        match parent(ancestor) {
            Some(parent) if parent == own => return Kin::Descendant,
            Some(0 | 1) => return Kin::Stranger,
            Some(parent) => ancestor = parent,
            None if ancestor == pid => return Kin::Unknown,
            // An ancestor ended meanwhile: its children have a new parent.
            None => ancestor = pid,
        }
    }
    Kin::Unknown
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // "<pid> (<name>) <state> <parent> ..."; the name may have anything in it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether the process was started with the mark of this instance's children.
fn has_mark(pid: u32, own: u32) -> bool {
    carries(pid, &[format!("{PARENT_VARIABLE}={own}")])
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// Kills what a test has started.
    struct Running(Child, u32);

    impl Drop for Running {
        fn drop(&mut self) {
            for pid in [self.0.id(), self.1] {
                let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            let _ = self.0.wait();
        }
    }

    /// Starts a shell that starts `sleep` and tells its number.
    fn family(line: &str, vars: &[(&str, String)]) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", line]).stdout(Stdio::piped()).envs(vars.iter().cloned());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        Running(child, said.trim().parse().unwrap())
    }

    #[test]
    fn children_and_their_children_are_kin() {
        let own = std::process::id();
        let running = family("sleep 300 & echo $!; wait", &[]);
        assert_eq!(kin(running.0.id(), own), Kin::Descendant);
        assert_eq!(kin(running.1, own), Kin::Descendant);
        assert_eq!(kin(running.1, running.0.id()), Kin::Descendant);
        // Seen from the child, its parent is none of its children.
        assert_eq!(kin(own, running.0.id()), Kin::Stranger);
        assert_eq!(kin(own, own), Kin::Stranger);
    }

    #[test]
    fn an_orphan_is_known_by_its_mark() {
        let own = std::process::id();
        let orphan = |mark: u32| {
            let vars = [(PARENT_VARIABLE, mark.to_string())];
            let mut running = family("setsid sleep 300 >/dev/null & echo $!", &vars);
            running.0.wait().unwrap();
            running
        };
        let (ours, other) = (orphan(own), orphan(own + 1));
        // While it becomes another program it has no environment to be seen.
        let start = Instant::now();
        while kin(ours.1, own) != Kin::Descendant {
            assert!(start.elapsed() < Duration::from_secs(30), "it does not count as ours");
            std::thread::yield_now();
        }
        // A reaper between may be an ancestor of ours too, but never our child.
        assert_eq!(kin(other.1, own), Kin::Stranger);
    }

    #[test]
    fn the_dead_are_unknown() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(kin(child.id(), std::process::id()), Kin::Unknown);
    }
}
