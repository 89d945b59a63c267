//! Kills what a server leaves behind when we are killed ourselves.
//!
//! On Linux a server is told to die with us, but not the processes that it has started, and launchers
//! of packages start the real server like that; elsewhere nothing dies with us at all. So a shell
//! reads from a pipe which process groups there are. The end of the pipe is our end, whatever it
//! was, and then the shell kills those that are left.

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

/// A server was started, the leader of a group.
pub(super) fn began(leader: Pid) {
    tell('+', leader);
}

/// Its group is gone.
pub(super) fn ended(leader: Pid) {
    tell('-', leader);
}

fn tell(mark: char, leader: Pid) {
    static WATCH: OnceLock<Mutex<Option<ChildStdin>>> = OnceLock::new();
    let watch = WATCH.get_or_init(|| Mutex::new(start().ok()));
    let mut pipe = watch.lock().unwrap_or_else(PoisonError::into_inner);
    let line = format!("{mark} {}\n", leader.as_raw_nonzero());
    // Without a shell, or when somebody has killed it, servers end as well as they do by themselves.
    if pipe.as_mut().is_some_and(|pipe| pipe.write_all(line.as_bytes()).is_err()) {
        *pipe = None;
    }
}

fn start() -> io::Result<ChildStdin> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", SCRIPT]).env_clear().current_dir("/");
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: setsid is async-signal-safe and touches no memory of the parent.
    unsafe {
        // What ends our group must not end it.
        shell.pre_exec(|| Ok(setsid().map(drop)?));
    }
    let pipe = shell.spawn()?.stdin.take();
    pipe.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))
}
