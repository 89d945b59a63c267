//! The terminal as one thing: what is written, what is read, signals, title, notifications.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::text::Line;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::input::{Events, Input};
use super::{Alternate, Capability, Docked, Return, Session, Size, Tty, hangup};
use crate::front::tui::status::notify::Channel;
use crate::front::tui::status::progress::Progress;
use crate::front::tui::status::title::{State, Title};
use crate::platform::Env;

/// How long a Ctrl-C that was typed to another program may take to reach us as a signal.
const DEAF: Duration = Duration::from_millis(300);

/// A signal that the event loop answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Terminate,
    Interrupt,
    Hangup,
}

/// What happens at the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    Input(Input),
    Signal(Signal),
    /// There is no terminal any more.
    Gone,
}

/// The user's terminal while the program runs. Dropping it gives the terminal back.
pub struct Screen {
    env: Env,
    capability: Capability,
    docked: Docked<Tty>,
    overlay: Option<Alternate<Tty>>,
    tty: Tty,
    /// `None` while another program has the terminal: two readers would steal each other's keys.
    events: Option<Events>,
    /// Events that were read together and not yet taken.
    waiting: std::collections::VecDeque<Input>,
    signals: UnboundedReceiver<Signal>,
    title: Title,
    progress: Progress,
    channel: Channel,
    /// Whether the terminal has told that nobody looks at it.
    unfocused: bool,
    /// An interrupt that is heard of before then was meant for the program that had the terminal.
    deaf_until: Option<Instant>,
    session: Session,
}

impl Screen {
    /// Takes the terminal. Needs a tokio runtime. `marks`: whether it may be told where turns begin
    /// and end, and that one runs.
    pub fn enter(env: &Env, marks: bool) -> io::Result<Self> {
        let tty = Tty::open()?;
        let mut capability = Capability::detect(env);
        capability.marks &= marks;
        capability.progress &= marks;
        let session = Session::start(&tty, capability).map_err(io::Error::other)?;
        let mut docked = Docked::with_capability(tty.try_clone()?, tty.size(), capability);
        docked.enter()?;
        if let Err(error) = hangup::watch(&tty) {
            tracing::warn!(%error, "nobody watches whether the terminal goes away");
        }
        Ok(Self {
            capability,
            docked,
            overlay: None,
            tty,
            events: Some(Events::new(Arc::clone(&env.clock))),
            waiting: std::collections::VecDeque::new(),
            signals: listen()?,
            title: Title::default(),
            progress: Progress::default(),
            channel: Channel::detect(env),
            unfocused: false,
            deaf_until: None,
            session,
            env: env.clone(),
        })
    }

    /// The docked screen.
    pub fn docked(&mut self) -> &mut Docked<Tty> {
        &mut self.docked
    }

    /// The next thing that happens at the terminal. Safe to drop and call again.
    pub async fn next(&mut self) -> Happening {
        loop {
            if let Some(input) = self.waiting.pop_front() {
                return Happening::Input(input);
            }
            let read = async {
                match &mut self.events {
                    Some(events) => events.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(signal) = self.signals.recv() => {
                    let now = self.env.clock.instant();
                    let deaf = self.deaf_until.is_some_and(|until| now < until);
                    if !(deaf && signal == Signal::Interrupt) {
                        return Happening::Signal(signal);
                    }
                }
                read = read => match read {
                    Some(inputs) => self.waiting.extend(inputs),
                    None => return Happening::Gone,
                },
            }
        }
    }

    /// Looks whether the window has another size by now. News of it can come late, and rows written
    /// for the old size would destroy others.
    pub fn check_size(&mut self) {
        let size = self.tty.size();
        if size != self.docked.size() {
            self.resized(size);
        }
    }

    /// Whether the terminal may have another size for a while before it says so: tmux tells of sizes
    /// no more often than every 250 ms, but has moved the rows at once.
    pub fn tells_sizes_late(&self) -> bool {
        self.capability.tmux
    }

    /// The window has a new size.
    pub fn resized(&mut self, size: Size) {
        self.docked.resize(size);
        if let Some(overlay) = &mut self.overlay {
            overlay.resize(size);
        }
    }

    /// The window got or lost the keyboard.
    pub fn set_focused(&mut self, focused: bool) {
        self.unfocused = !focused;
    }

    /// Brings up the alternate screen for an overlay.
    pub fn cover(&mut self) -> io::Result<()> {
        if self.overlay.is_some() {
            return Ok(());
        }
        let size = self.docked.size();
        let mut overlay = Alternate::new(self.tty.try_clone()?, size, self.capability.synchronized);
        self.docked.cover();
        self.session.set_overlay(true);
        overlay.enter()?;
        self.overlay = Some(overlay);
        Ok(())
    }

    /// Takes the overlay away; the docked screen is underneath as it was.
    pub fn uncover(&mut self) -> io::Result<()> {
        if let Some(mut overlay) = self.overlay.take() {
            overlay.leave()?;
            self.session.set_overlay(false);
            self.docked.uncover();
        }
        Ok(())
    }

    /// Draws the overlay.
    pub fn draw_overlay(&mut self, rows: &[Line<'static>]) -> io::Result<()> {
        if let Some(overlay) = &mut self.overlay {
            overlay.frame(rows, None)?;
        }
        Ok(())
    }

    /// Tells window title and progress mark of the state, as far as they changed.
    pub fn set_state(&mut self, state: State, title: &str, directory: &str) -> io::Result<()> {
        let mut bytes = self.title.set(state, title, directory);
        if self.capability.progress {
            bytes.extend_from_slice(self.progress.set(state));
        }
        self.write_control(&bytes)
    }

    /// Tells a user who looks elsewhere.
    pub fn attract(&mut self, text: &str) {
        if self.unfocused || !self.capability.focus {
            let bytes = self.channel.bytes(text);
            if let Err(error) = self.write_control(&bytes) {
                tracing::warn!(%error, "no notification");
            }
        }
    }

    /// Writes a sequence that draws nothing, such as one for the clipboard.
    pub fn write_control(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.tty.write_all(bytes)?;
        self.tty.flush()
    }

    /// Gives the terminal to another program that is run in the foreground.
    pub fn give_away(&mut self) -> io::Result<()> {
        self.events = None;
        self.docked.suspend()?;
        self.session.suspend();
        Ok(())
    }

    /// Takes the terminal back from it.
    pub fn take_back(&mut self) -> io::Result<()> {
        self.session.resume()?;
        self.come_back(Return::Untouched)
    }

    /// Stops the program as Ctrl-Z does in a shell; returns when it goes on.
    pub fn stop(&mut self) -> io::Result<()> {
        self.events = None;
        self.docked.suspend()?;
        #[cfg(unix)]
        self.session.stop()?;
        self.come_back(Return::Written)
    }

    fn come_back(&mut self, how: Return) -> io::Result<()> {
        self.docked.resize(self.tty.size());
        self.docked.resume(how)?;
        self.progress.cleared();
        self.events = Some(Events::new(Arc::clone(&self.env.clock)));
        self.deaf_until = Some(self.env.clock.instant() + DEAF);
        Ok(())
    }

    /// Gives the terminal back for good.
    pub fn leave(&mut self) -> io::Result<()> {
        self.uncover()?;
        self.events = None;
        self.docked.leave()?;
        let title = self.title.restore();
        self.write_control(&title)?;
        super::restore();
        Ok(())
    }
}

/// Listens for the signals that end the program.
fn listen() -> io::Result<UnboundedReceiver<Signal>> {
    let (sender, receiver) = unbounded_channel();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let wanted = [
            (SignalKind::terminate(), Signal::Terminate),
            (SignalKind::interrupt(), Signal::Interrupt),
            (SignalKind::hangup(), Signal::Hangup),
        ];
        for (kind, meaning) in wanted {
            let mut stream = signal(kind)?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() && sender.send(meaning).is_ok() {}
            });
        }
    }
    #[cfg(not(unix))]
    drop(sender);
    Ok(receiver)
}
