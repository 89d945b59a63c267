use std::io::{Read, Write};
use std::sync::mpsc::RecvTimeoutError;

use futures_util::FutureExt;
use rustix::io::{FdFlags, fcntl_setfd};

use super::*;

const LONG: Duration = Duration::from_secs(30);

/// Keeps everybody waiting who is to be started from now on, until it is dropped.
#[cfg(target_os = "linux")]
fn hold_the_starter() -> Sender<()> {
    let (held, wait) = channel::<()>();
    let job: Job = Box::new(move || {
        let _ = wait.recv();
    });
    starter().unwrap().send(job).unwrap();
    held
}

/// Whether this process has the environment of a guard open that has this variable.
#[cfg(target_os = "linux")]
fn is_open(variable: &str) -> bool {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().flatten().map(|entry| entry.path());
    fds.into_iter().any(|fd| {
        let is_environment = std::fs::read_link(&fd)
            .is_ok_and(|file| file.to_string_lossy().starts_with("/memfd:environment"));
        let has =
            |bytes: Vec<u8>| bytes.split(|byte| *byte == 0).any(|it| it == variable.as_bytes());
        is_environment && std::fs::read(&fd).is_ok_and(has)
    })
}

/// Else their numbers could be those of other files when its turn comes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_start_that_is_given_up_keeps_its_descriptors_until_its_turn() {
    let dir = tempfile::tempdir().unwrap();
    let variable = format!("OF_THIS={}", dir.path().display());
    let mut command = Command::new("/bin/true");
    command.env("OF_THIS", dir.path());
    let held = hold_the_starter();
    let mut starting = Box::pin(Process::start(command, Some("/bin/false".as_ref())));
    assert!(starting.as_mut().now_or_never().is_none());
    assert!(is_open(&variable));
    drop(starting);
    assert!(is_open(&variable), "the start has not had its turn yet");
    drop(held);
    let closed = async {
        while is_open(&variable) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, closed).await.unwrap();
}

#[tokio::test]
async fn a_process_whose_start_is_given_up_while_it_is_under_way_is_killed() {
    use std::os::unix::process::CommandExt;
    let (mut forked, mut begun) = io::pipe().unwrap();
    let (mut wait, mut go_on) = io::pipe().unwrap();
    let (mut life, alive) = io::pipe().unwrap();
    let mut command = Command::new("sleep");
    command.arg("60");
    // SAFETY: write, read and fcntl are async-signal-safe; the descriptors belong to the command.
    unsafe {
        command.pre_exec(move || {
            begun.write_all(b"x")?;
            wait.read_exact(&mut [0])?;
            Ok(fcntl_setfd(&alive, FdFlags::empty())?)
        });
    }
    let mut starting = Box::pin(Process::start(command, None));
    assert!(starting.as_mut().now_or_never().is_none());
    forked.read_exact(&mut [0]).unwrap();
    drop(starting);
    go_on.write_all(b"x").unwrap();
    // The other end is closed when nobody is left who has it.
    let (said, over) = channel::<()>();
    std::thread::spawn(move || {
        let _ = life.read_to_end(&mut Vec::new());
        drop(said);
    });
    assert_eq!(over.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
}
