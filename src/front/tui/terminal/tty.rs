//! The terminal device as a byte sink.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};

use super::Size;

/// The terminal that frames are written to: standard output, or the controlling terminal when
/// standard output is something else. Never set to non-blocking: standard input, standard output
/// and the shell share one open file.
#[derive(Debug)]
pub struct Tty {
    file: File,
}

impl Tty {
    /// Opens the terminal. Fails when there is none.
    pub fn open() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            let stdout = io::stdout();
            if stdout.is_terminal() {
                return Ok(Self { file: File::from(stdout.as_fd().try_clone_to_owned()?) });
            }
        }
        let path = if cfg!(windows) { "CONOUT$" } else { "/dev/tty" };
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if !file.is_terminal() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no terminal"));
        }
        Ok(Self { file })
    }

    /// A second handle on the same terminal.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()? })
    }

    /// The size of the terminal as the kernel has it; 80 by 24 when it does not know.
    pub fn size(&self) -> Size {
        #[cfg(unix)]
        if let Ok(size) = rustix::termios::tcgetwinsize(&self.file)
            && size.ws_col > 0
            && size.ws_row > 0
        {
            return Size::new(size.ws_col, size.ws_row);
        }
        #[cfg(not(unix))]
        if let Ok((columns, rows)) = crossterm::terminal::size() {
            return Size::new(columns, rows);
        }
        Size::new(80, 24)
    }

    /// Makes the terminal tell once more of input that was left unread, if there is any.
    ///
    /// crossterm reads 1 KB at a time and then waits for the terminal to become readable, which it
    /// is already: the rest of a longer burst would lie there until the next key. A terminal whose
    /// attributes are set, to what they are, wakes whoever waits for it.
    pub fn tell_again(&self) {
        #[cfg(unix)]
        if rustix::io::ioctl_fionread(&self.file).is_ok_and(|unread| unread > 0)
            && let Ok(attributes) = rustix::termios::tcgetattr(&self.file)
        {
            let now = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(&self.file, now, &attributes);
        }
    }

    /// Whether the other side has gone: nothing will ever come from it, and nothing reaches it.
    pub fn is_gone(&self) -> bool {
        #[cfg(unix)]
        {
            crate::platform::ends::reports(&self.file, rustix::event::PollFlags::HUP)
        }
        #[cfg(not(unix))]
        false
    }

    #[cfg(unix)]
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Write for Tty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                // Another program that shares the open file has made it non-blocking.
                #[cfg(unix)]
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    use rustix::event::{PollFd, PollFlags, poll};
                    poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None)?;
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
