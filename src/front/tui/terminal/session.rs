//! The state of the real terminal: what is switched on at start is switched off again, whatever ends
//! the program.
//!
//! There is one terminal, so the way back is kept in one place: [`restore`] can be called from the
//! guard and the panic hook, and only the first call does anything.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

use super::{Capability, Tty};

/// Why the terminal could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("the interactive screen needs a terminal ({0}); use --print to run without one")]
    NoTerminal(io::Error),
    #[error("the terminal cannot be switched to raw mode ({0}); try another terminal, or --print")]
    Raw(io::Error),
}

/// What has to be undone.
struct Taken {
    tty: Tty,
    capability: Capability,
    raw: bool,
    overlay: bool,
    /// The process group that had the terminal before us.
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
}

static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);
static HOOKS: Once = Once::new();

/// The terminal in raw mode, with us as its foreground process group. Dropping it gives the terminal
/// back.
#[derive(Debug)]
pub struct Session {
    _private: (),
}

impl Session {
    /// Takes the terminal and installs the panic hook. Signals are the event loop's.
    ///
    /// Bracketed paste belongs to [`Docked`](super::Docked), which switches it on with its first
    /// bytes.
    pub fn start(tty: &Tty, capability: Capability) -> Result<Self, SessionError> {
        let tty = tty.try_clone().map_err(SessionError::NoTerminal)?;
        install_hooks();
        let mut taken = Taken {
            #[cfg(unix)]
            group: group::take(&tty),
            tty,
            capability,
            raw: false,
            overlay: false,
        };
        let outcome = taken.on();
        let mut slot = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(taken);
        drop(slot);
        match outcome {
            Ok(()) => Ok(Self { _private: () }),
            Err(error) => {
                restore();
                Err(SessionError::Raw(error))
            }
        }
    }

    /// Notes that an overlay is on the alternate screen, which then is left as well.
    pub fn set_overlay(&self, on: bool) {
        with_taken(|taken| taken.overlay = on);
    }

    /// Switches everything off for another program that runs in the foreground, such as an editor.
    /// [`Docked::suspend`](super::Docked::suspend) comes first.
    pub fn suspend(&self) {
        with_taken(Taken::off);
    }

    /// Switches everything on again after [`Session::suspend`].
    pub fn resume(&self) -> io::Result<()> {
        with_taken(Taken::on).unwrap_or(Ok(()))
    }

    /// Stops the whole job, as Ctrl-Z does, and returns when it is continued; the terminal is then
    /// ours again. Returns at once where nobody could continue the job. Blocks the thread.
    #[cfg(unix)]
    pub fn stop(&self) -> io::Result<()> {
        with_taken(|taken| {
            taken.off();
            if let Some(group) = taken.group.take() {
                group::give(&taken.tty, group);
            }
        });
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        // The signal may hit another thread first; this one must not go on before that.
        std::thread::sleep(std::time::Duration::from_millis(20));
        with_taken(|taken| {
            taken.group = group::take(&taken.tty);
            taken.on()
        })
        .unwrap_or(Ok(()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was found. Only the first call after a start does anything.
pub fn restore() {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(mut taken) = taken {
        taken.off();
        #[cfg(unix)]
        if let Some(group) = taken.group {
            group::give(&taken.tty, group);
        }
    }
}

fn with_taken<T>(act: impl FnOnce(&mut Taken) -> T) -> Option<T> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
}

impl Taken {
    fn on(&mut self) -> io::Result<()> {
        crossterm::terminal::enable_raw_mode()?;
        self.raw = true;
        self.tty.write_all(modes_on(self.capability).as_bytes())?;
        self.tty.flush()
    }

    /// Errors are passed over: the terminal may be gone, and every step is worth a try.
    fn off(&mut self) {
        if !std::mem::take(&mut self.raw) {
            return;
        }
        let bytes = modes_off(self.capability, std::mem::take(&mut self.overlay));
        let _ = self.tty.write_all(bytes.as_bytes());
        let _ = self.tty.flush();
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

fn modes_on(capability: Capability) -> String {
    let mut text = String::new();
    if capability.focus {
        text.push_str("\x1b[?1004h");
    }
    if capability.keyboard {
        text.push_str("\x1b[>1u");
    }
    text
}

/// In reverse order; what the writers switch on is switched off here once more, in case they could not.
fn modes_off(capability: Capability, overlay: bool) -> String {
    let mut text = String::new();
    if capability.progress {
        text.push_str("\x1b]9;4;0\x1b\\");
    }
    if overlay {
        text.push_str("\x1b[?1049l");
    }
    if capability.keyboard {
        text.push_str("\x1b[<1u");
    }
    if capability.focus {
        text.push_str("\x1b[?1004l");
    }
    text.push_str("\x1b[?2004l\x1b[0m\x1b[?25h");
    text
}

fn install_hooks() {
    HOOKS.call_once(|| {
        let before = std::panic::take_hook();
        let screen = std::thread::current().id();
        std::panic::set_hook(Box::new(move |info| {
            // A fault in a task on another thread, such as a tool, ends that task alone: whoever
            // waits for it tells of it, and the screen goes on.
            let mut taken = false;
            with_taken(|_| taken = true);
            if taken && std::thread::current().id() != screen {
                tracing::error!("{info}");
                return;
            }
            emergency();
            before(info);
        }));
    });
}

/// [`restore`] where nobody can erase the live region any more: the cursor goes below it.
fn emergency() {
    with_taken(|taken| {
        if taken.raw {
            if std::mem::take(&mut taken.overlay) {
                let _ = taken.tty.write_all(b"\x1b[?1049l");
            }
            let text = format!("\x1b[?2026l\x1b[r\x1b[{};1H\r\n", taken.tty.size().rows);
            let _ = taken.tty.write_all(text.as_bytes());
        }
    });
    restore();
}

/// The foreground process group. A multiplexer shows the name of its leader, and started through
/// `sh -c` that would be the shell; programs that drive us then believe they talk to one.
#[cfg(unix)]
mod group {
    use rustix::process::{Pid, getpgrp, getpid, setpgid};
    use rustix::termios::{tcgetpgrp, tcsetpgrp};

    use super::Tty;

    /// Makes this process a group of its own in the foreground. Returns the group that was there
    /// before; `None` when nothing was changed.
    pub fn take(tty: &Tty) -> Option<Pid> {
        let before = tcgetpgrp(tty.file()).ok()?;
        let own = getpid();
        if before != getpgrp() || before == own {
            return None;
        }
        setpgid(None, None).ok()?;
        let moved = without_stop(|| tcsetpgrp(tty.file(), own));
        if moved.is_err() {
            let _ = setpgid(None, Some(before));
            return None;
        }
        Some(before)
    }

    /// Goes back into the group `before` and puts it into the foreground.
    pub fn give(tty: &Tty, before: Pid) {
        let _ = without_stop(|| tcsetpgrp(tty.file(), before));
        let _ = setpgid(None, Some(before));
    }

    /// Runs `act` with SIGTTOU ignored: a group in the background that moves the foreground is
    /// stopped by it otherwise.
    fn without_stop<T>(act: impl FnOnce() -> T) -> T {
        // SAFETY: `signal` with SIG_IGN runs no code of ours, and the old disposition is put back.
        let old = unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
        let result = act();
        if old != libc::SIG_ERR {
            // SAFETY: as above; `old` is what the system returned.
            unsafe { libc::signal(libc::SIGTTOU, old) };
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_switched_on_inside_tmux_and_all_is_undone_in_reverse() {
        assert_eq!(modes_on(Capability::default()), "");
        let plain = Capability { progress: false, ..Capability::default() };
        assert_eq!(modes_off(plain, false), "\x1b[?2004l\x1b[0m\x1b[?25h");
        let rich = Capability { tmux: false, keyboard: true, focus: true, ..Capability::default() };
        assert_eq!(modes_on(rich), "\x1b[?1004h\x1b[>1u");
        assert_eq!(
            modes_off(rich, true),
            "\x1b]9;4;0\x1b\\\x1b[?1049l\x1b[<1u\x1b[?1004l\x1b[?2004l\x1b[0m\x1b[?25h"
        );
    }

    #[test]
    fn restoring_without_a_session_does_nothing() {
        restore();
        restore();
        assert!(with_taken(|_| ()).is_none());
    }
}
