//! A process between us and a server, so that nothing that the server starts outlives it.
//!
//! Programs move what they start into sessions of its own, take its environment away and leave it
//! without a parent. On Linux the orphans of a process go to its nearest ancestor that has asked for
//! them (`PR_SET_CHILD_SUBREAPER` of prctl(2)), so this program runs once more as that ancestor:
//! whatever becomes of the server, all it has started are descendants of its guard. When the server
//! has ended, when the guard is asked to end, and when we are gone, however that happened, the guard
//! kills its children until it has none. They are children of its own that it has not waited for,
//! whose numbers nobody else can have.
//!
//! The guard has no environment: that of the server, which may hold secrets and libraries of its own,
//! comes to it in a file without a name.
//!
//! What a guard cannot do is survive `kill -9`: its server dies with it then, but what the server has
//! moved out of its session stays, as it cannot be told from anybody else's any more.
//!
//! Elsewhere there is no such thing, and servers are started without; so they are where this program
//! cannot be started once more, as without `/proc`.

use std::ffi::{OsStr, OsString};
#[cfg(target_os = "linux")]
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What [`abandon`] takes at most.
pub const ABANDON_TIME: Duration = Duration::from_millis(250);

/// The first argument of a guard; those that follow are the descriptor it reports on, the one it has the
/// environment of the server from, and the command.
const ROLE: &str = "__server-guard";
/// What a report takes at most, in bytes.
#[cfg(target_os = "linux")]
const REPORT: usize = 16;

/// The program that guards servers: this one, also when its file is another by now.
pub fn program() -> Option<PathBuf> {
    cfg!(target_os = "linux").then(|| PathBuf::from("/proc/self/exe"))
}

/// What a process with these arguments has to guard.
#[derive(Debug)]
pub struct Role {
    /// The descriptor for its report.
    report: i32,
    /// The descriptor of the server's environment.
    environment: i32,
    command: Command,
}

/// What a process with these arguments has to guard; `None` for one that is no guard.
pub fn role(argv: &[OsString]) -> Option<Role> {
    let [_, role, report, environment, program, args @ ..] = argv else { return None };
    if role != ROLE {
        return None;
    }
    let number = |word: &OsString| word.to_str()?.parse().ok();
    let mut command = Command::new(program);
    command.args(args).env_clear();
    Some(Role { report: number(report)?, environment: number(environment)?, command })
}

/// How a guard is told to run this command, but for its environment.
#[cfg(target_os = "linux")]
fn told(program: &std::path::Path, [report, environment]: [i32; 2], command: &Command) -> Command {
    use std::os::unix::process::CommandExt;
    let mut guard = Command::new(program);
    guard.arg0("kimi").arg(ROLE).args([report, environment].map(|fd| fd.to_string()));
    guard.arg(command.get_program()).args(command.get_args()).env_clear();
    if let Some(dir) = command.get_current_dir() {
        guard.current_dir(dir);
    }
    guard
}

/// The variables of a command, each ended by a zero byte. No more than a process can have is checked:
/// a zero byte inside would become another variable.
#[cfg(target_os = "linux")]
fn packed(command: &Command) -> io::Result<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    let mut packed = Vec::new();
    for (name, value) in command.get_envs() {
        let (name, Some(value)) = (name.as_bytes(), value.map(OsStr::as_bytes)) else { continue };
        if name.contains(&0) || value.contains(&0) {
            let why = "a variable of its environment has a zero byte";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        packed.extend([name, b"=", value, b"\0"].concat());
    }
    Ok(packed)
}

/// The variables that were [`packed`].
#[cfg(target_os = "linux")]
fn unpacked(packed: &[u8]) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    use std::os::unix::ffi::OsStrExt;
    packed.split(|byte| *byte == 0).filter_map(|variable| {
        let at = variable.iter().position(|byte| *byte == b'=')?;
        let (name, value) = variable.split_at_checked(at)?;
        Some((OsStr::from_bytes(name), OsStr::from_bytes(value.get(1..)?)))
    })
}

#[cfg(target_os = "linux")]
pub use linux::{Report, abandon, guarded, run};

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::{self, Read, Seek, Write};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Child, Command};
    use std::time::Duration;

    use rustix::fs::{MemfdFlags, memfd_create};
    use rustix::io::{Errno, FdFlags, fcntl_setfd};
    use rustix::process::{
        Pid, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process, set_child_subreaper,
        set_parent_process_death_signal, setsid, wait,
    };
    use tokio::io::AsyncReadExt;
    use tokio::net::unix::pipe::Receiver;
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
    use tokio::time::{Instant, timeout};

    use super::super::family::{children_of, kill_below};
    use super::super::signals;
    use super::{ABANDON_TIME, REPORT, Role, packed, told, unpacked};

    /// How long those that are killed may take to be gone.
    const PATIENCE: Duration = Duration::from_secs(5);
    /// When to look again for more of them: one that is killed may just have started another, and
    /// its children come to us only when it is gone.
    const LOOK_AGAIN: Duration = Duration::from_millis(20);
    /// The status of a guard whose server could not be started, as a shell has it.
    const NOT_STARTED: u8 = 127;

    /// What a guard says of its server.
    pub struct Report(Receiver);

    impl Report {
        /// The process of the server, which leads a session; the error is that of its start.
        pub async fn server(mut self) -> io::Result<Pid> {
            let mut said = [0; REPORT];
            let mut length = 0;
            while let Some(room) = said.get_mut(length..).filter(|room| !room.is_empty()) {
                match self.0.read(room).await? {
                    0 => break,
                    more => length += more,
                }
            }
            let said = said.get(..length).and_then(|said| std::str::from_utf8(said).ok());
            match said.and_then(|said| said.parse::<i32>().ok()) {
                Some(pid @ 1..) => Pid::from_raw(pid),
                Some(errno @ ..=-1) => return Err(io::Error::from_raw_os_error(-errno)),
                Some(0) | None => None,
            }
            .ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))
        }
    }

    /// How to start this command under a guard, which is asked to end by [`Signal::TERM`] and asks itself
    /// when the thread that started it is gone. Its standard streams are to be those of the server, its
    /// status is that of the command. What it reports on and what it reads belongs to the returned command,
    /// and is closed with it. To be called in a runtime.
    pub fn guarded(program: &Path, command: &Command) -> io::Result<(Command, Report)> {
        let (reader, writer) = io::pipe()?;
        let mut environment = File::from(memfd_create("environment", MemfdFlags::CLOEXEC)?);
        environment.write_all(&packed(command)?)?;
        environment.rewind()?;
        let ends = [OwnedFd::from(writer), OwnedFd::from(environment)];
        let mut command = told(program, ends.each_ref().map(AsRawFd::as_raw_fd), command);
        signals::fresh(&mut command);
        let us = getpid();
        // SAFETY: setsid, prctl, getppid and fcntl are async-signal-safe and touch no memory of the
        // parent; the descriptors are open as long as the command can be started, which owns them.
        unsafe {
            command.pre_exec(move || {
                setsid()?;
                die_with(us, Signal::TERM)?;
                for fd in &ends {
                    fcntl_setfd(fd, FdFlags::empty())?;
                }
                Ok(())
            });
        }
        let report = Report(Receiver::from_owned_fd(OwnedFd::from(reader))?);
        Ok((command, report))
    }

    /// Does the work of a guard that does not do it, whom somebody holds: kills all below it, and it.
    /// Takes no longer than [`ABANDON_TIME`].
    pub fn abandon(guard: Pid) {
        kill_below(guard, ABANDON_TIME);
    }

    /// Has this process get a signal when its parent is gone, which may be so by now.
    fn die_with(parent: Pid, by: Signal) -> io::Result<()> {
        set_parent_process_death_signal(Some(by))?;
        if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) }
    }

    /// What a guard does. Returns the status to end with.
    pub fn run(role: Role) -> u8 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let status = runtime.and_then(|runtime| runtime.block_on(keep(role)));
        match status {
            Ok(Some(status)) => match status.exit_status() {
                Some(code) => u8::try_from(code).unwrap_or(u8::MAX),
                None => {
                    // A signal has ended the server, and nobody cares which one.
                    let _ = kill_process(getpid(), Signal::KILL);
                    u8::MAX
                }
            },
            Ok(None) => 0,
            Err(_) => NOT_STARTED,
        }
    }

    /// Starts the server, waits for what ends it, and leaves nobody behind. Returns how the server
    /// ended, if it did by itself.
    async fn keep(role: Role) -> io::Result<Option<WaitStatus>> {
        set_child_subreaper(Some(getpid()))?;
        let mut asked = signal(SignalKind::terminate())?;
        let mut over = signal(SignalKind::child())?;
        let server = start(role)?;
        let mut status = None;
        while status.is_none() {
            tokio::select! {
                _ = asked.recv() => break,
                _ = over.recv() => { reap(server, &mut status); }
            }
        }
        clear(server, &mut status, &mut over).await;
        Ok(status)
    }

    fn start(role: Role) -> io::Result<Pid> {
        let Role { report, environment, command } = role;
        // SAFETY: the descriptors were made for this process alone, and nothing else has them.
        let (report, environment) =
            unsafe { (OwnedFd::from_raw_fd(report), OwnedFd::from_raw_fd(environment)) };
        fcntl_setfd(&report, FdFlags::CLOEXEC)?;
        fcntl_setfd(&environment, FdFlags::CLOEXEC)?;
        let mut report = File::from(report);
        let child = match spawned(environment, command) {
            Ok(child) => child,
            Err(error) => {
                write!(report, "{}", -error.raw_os_error().unwrap_or(Errno::IO.raw_os_error()))?;
                return Err(error);
            }
        };
        let server = child.id().cast_signed();
        // Who has asked may be gone, and says so by a signal.
        let _ = write!(report, "{server}");
        // Its streams are its own: their end shall be the end of it.
        let null = File::options().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        Pid::from_raw(server).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn spawned(environment: OwnedFd, mut command: Command) -> io::Result<Child> {
        let mut variables = Vec::new();
        File::from(environment).read_to_end(&mut variables)?;
        command.envs(unpacked(&variables));
        signals::fresh(&mut command);
        let us = getpid();
        // SAFETY: setsid, prctl and getppid are async-signal-safe and touch no memory of the parent.
        unsafe {
            command.pre_exec(move || {
                setsid()?;
                // Nobody would be left to end it.
                die_with(us, Signal::KILL)
            });
        }
        command.spawn()
    }

    /// Takes note of who has ended; returns whether there is anybody else.
    fn reap(server: Pid, status: &mut Option<WaitStatus>) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, how))) if pid == server => *status = Some(how),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Kills whoever is left, and whoever comes to us by that.
    async fn clear(server: Pid, status: &mut Option<WaitStatus>, over: &mut Stream) {
        let patience = Instant::now() + PATIENCE;
        while reap(server, status) && Instant::now() < patience {
            for child in children_of(getpid()) {
                let _ = kill_process(child, Signal::KILL);
            }
            let _ = timeout(LOOK_AGAIN, over.recv()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_known_by_its_first_argument() {
        let read = |words: &[&str]| role(&words.iter().map(OsString::from).collect::<Vec<_>>());
        let Role { report, environment, command } =
            read(&["kimi", ROLE, "5", "6", "npx", "-y", "__server-guard"]).unwrap();
        assert_eq!((report, environment, command.get_program()), (5, 6, OsStr::new("npx")));
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["-y", "__server-guard"]);
        for no in [
            &["kimi"][..],
            &["kimi", "-p", ROLE, "5", "6", "y"],
            &["kimi", ROLE, "5", "6"],
            &["kimi", ROLE, "x", "6", "y"],
            &["kimi", ROLE, "5", "x", "y"],
        ] {
            assert!(read(no).is_none(), "{no:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn variables_are_bytes_and_arrive_as_they_were() {
        use std::os::unix::ffi::OsStrExt;
        let mut command = Command::new("x");
        let mut all = [
            ("A", &b"b=c\nd"[..]),
            ("B", b""),
            ("LD_LIBRARY_PATH", b"/no"),
            ("a name", b"\xff\xfe"),
            ("\u{e9}", b"=="),
        ]
        .map(|(name, value)| (OsStr::new(name), OsStr::from_bytes(value)));
        all.sort_unstable();
        command.env_clear().envs(all);
        let bytes = packed(&command).unwrap();
        assert_eq!(unpacked(&bytes).collect::<Vec<_>>(), all);
        let guard = told("kimi".as_ref(), [5, 6], &command);
        assert_eq!(guard.get_envs().count(), 0);
        // Nobody brings in a variable by the value of another.
        command.env("C", "x\0LD_PRELOAD=y");
        assert!(packed(&command).is_err());
        assert_eq!(unpacked(b"").count() + unpacked(b"torn").count(), 0);
    }
}
