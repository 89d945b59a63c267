//! Kills what we have started when we are killed ourselves: MCP servers, and commands that somebody
//! waits for.
//!
//! On Linux a server has a guard that dies with us ([`super::guard`]); commands have none, and elsewhere
//! nothing dies with us at all. So a shell reads from a pipe which process groups there are. The end of
//! the pipe is our end, whatever it was, and then the shell kills those that are left.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Pid, setsid};

/// Lines of `+` or `-` and the number of a group.
const SCRIPT: &str = r#"trap '' HUP INT TERM
groups=' '
while read -r mark group; do
    case $mark in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;; esac ;;
    esac
done
for group in $groups; do kill -9 "-$group"; done"#;

static WATCH: OnceLock<Mutex<Option<ChildStdin>>> = OnceLock::new();

/// Starts the shell that watches, if it does not run yet.
pub fn ready() {
    WATCH.get_or_init(|| Mutex::new(start().ok()));
}

/// A process was started, the leader of a group.
pub fn began(leader: Pid) {
    tell('+', leader);
}

/// Its group is gone.
pub fn ended(leader: Pid) {
    tell('-', leader);
}

fn tell(mark: char, leader: Pid) {
    let watch = WATCH.get_or_init(|| Mutex::new(start().ok()));
    let mut pipe = watch.lock().unwrap_or_else(PoisonError::into_inner);
    let line = format!("{mark} {}\n", leader.as_raw_nonzero());
    // Without a shell, or when somebody has killed it, all ends as well as it does by itself.
    if pipe.as_mut().is_some_and(|pipe| pipe.write_all(line.as_bytes()).is_err()) {
        *pipe = None;
    }
}

fn start() -> io::Result<ChildStdin> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", SCRIPT]);
    shell.env_clear().current_dir("/");
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: setsid is async-signal-safe and touches no memory of the parent.
    unsafe {
        // What ends our group must not end it.
        shell.pre_exec(|| Ok(setsid().map(drop)?));
    }
    let pipe = shell.spawn()?.stdin.take();
    pipe.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Read};
    use std::path::Path;
    use std::process::Child;

    use rustix::process::{Signal, kill_process_group, test_kill_process};

    use super::*;

    /// A leader of a group and one that it has started; both hold the other end of what is returned.
    fn group(dir: &Path, name: &str) -> (Child, Pid, BufReader<File>) {
        let fifo = dir.join(name);
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let mut shell = Command::new("/bin/sh");
        let line = format!("exec 9>'{}'; echo up >&9; sleep 300 & sleep 300", fifo.display());
        shell.args(["-c", &line]);
        super::super::in_own_session(&mut shell);
        let child = shell.spawn().unwrap();
        let leader = Pid::from_raw(child.id().cast_signed()).unwrap();
        let mut heard = BufReader::new(File::open(fifo).unwrap());
        let mut line = String::new();
        heard.read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        (child, leader, heard)
    }

    #[test]
    fn the_end_of_the_pipe_is_the_end_of_the_groups_that_are_left() {
        let dir = tempfile::tempdir().unwrap();
        let (mut bound, leader, mut heard) = group(dir.path(), "bound");
        let (mut free, stranger, _kept) = group(dir.path(), "free");
        let mut pipe = start().unwrap();
        for (mark, pid) in [('+', stranger), ('+', leader), ('-', stranger)] {
            writeln!(pipe, "{mark} {}", pid.as_raw_nonzero()).unwrap();
        }
        drop(pipe);
        let mut rest = String::new();
        heard.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert!(!bound.wait().unwrap().success());
        test_kill_process(stranger).unwrap();
        kill_process_group(stranger, Signal::KILL).unwrap();
        free.wait().unwrap();
    }
}
