//! A terminal that has gone away.
//!
//! crossterm reads a hung-up terminal for ever: each read gives nothing, at once, and it tries again. So
//! it is asked for events only while the terminal is there. Should the terminal go in the very moment
//! between, and the main thread be caught in there, the [watch](watch) ends the process.

use std::io;
use std::time::Duration;

use super::Tty;

/// How long the program may take to leave by itself: a session with a running turn closes it first, and the
/// renewal of a sign-in is waited for (at most 10 s).
const GRACE: Duration = Duration::from_secs(15);

/// Starts to watch the terminal. The thread sleeps until the terminal goes, and ends the process if
/// that is still there after a while. The records are on the disk by then, as always.
#[cfg(unix)]
pub(super) fn watch(tty: &Tty) -> io::Result<()> {
    let tty = tty.try_clone()?;
    std::thread::Builder::new().name("hangup".to_owned()).stack_size(64 * 1024).spawn(
        move || {
            if wait(&tty) {
                std::thread::sleep(GRACE);
                tracing::warn!("the terminal is gone and the program does not leave");
                // As the shell says of a process that SIGHUP has ended.
                std::process::exit(129);
            }
        },
    )?;
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn watch(_tty: &Tty) -> io::Result<()> {
    Ok(())
}

/// Waits until the terminal is gone; false when that cannot be told.
#[cfg(unix)]
fn wait(tty: &Tty) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    loop {
        // Without a wish only what always counts is told: that it hung up, or is no terminal.
        let mut ends = [PollFd::new(tty.file(), PollFlags::empty())];
        match poll(&mut ends, None) {
            Err(Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) => {
                let [end] = ends;
                return end.revents().contains(PollFlags::HUP);
            }
        }
    }
}
