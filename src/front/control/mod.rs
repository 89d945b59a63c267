//! The side door of a running instance: what it says of itself to other programs, and what they may
//! ask of it. No front end of its own, but a part that each may have.
//!
//! The front end [publishes](Control::publish) its [`Status`] whenever it has changed and, on the
//! screen, after the change can be seen. Commands that only it can carry out come back to it as
//! [`Asked`].
//!
//! | file | subject |
//! |---|---|
//! | `portrait` | what an instance says of itself, counted |
//! | `publisher` | the state as files |
//! | `tmux` | the state as a pane option, the ends of turns as signals |
//! | `server` | the socket: connections and lines |
//! | `commands` | what is answered without the front end |
//! | `peer` | who asks, and what they may |
//!
//! The socket is ahead of the files and these are ahead of tmux by the time a write takes.

mod commands;
mod peer;
mod portrait;
mod publisher;
mod server;
mod tmux;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

pub use commands::hex_sha256;

use crate::platform::Env;
use crate::protocol::control::{
    Answer, Command, Instance, LastTurn, Mode, OpenAsk, Receipt, State,
};
use crate::store::ShareDir;
use commands::States;
use portrait::{Facts, Portrait};
use publisher::Publisher;
use server::serve;
use tmux::Pane;

/// How long the end may take.
const PARTING: Duration = Duration::from_millis(250);

/// How long it may take to tell that the process is stopped, before it is.
const PAUSING: Duration = Duration::from_millis(500);

/// What a front end knows of itself; the rest of [`Instance`](crate::protocol::control::Instance) is
/// filled in here.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub state: State,
    pub turn: u64,
    pub phase: Option<String>,
    pub session: String,
    pub session_dir: String,
    pub cwd: String,
    pub model: Option<String>,
    /// 0 to 1.
    pub context: f64,
    pub queued: usize,
    pub input: Option<Receipt>,
    pub ask: Option<OpenAsk>,
    pub last: Option<LastTurn>,
}

/// A command for the front end: `send`, `answer` or `interrupt`. Every one has to be replied to.
#[derive(Debug)]
pub struct Asked {
    pub command: Command,
    pub reply: oneshot::Sender<Answer>,
}

/// The side door of this process.
pub struct Control {
    env: Env,
    facts: Facts,
    states: Arc<watch::Sender<Portrait>>,
    /// Everything that has to end before the process does.
    parts: TaskTracker,
    /// The newest state that is in the files.
    written: watch::Receiver<Option<Arc<Instance>>>,
    /// The `seq` of the newest state that tmux shows; closed when nobody tells it.
    told: watch::Receiver<u64>,
    /// Kills a tmux that hangs.
    _tmux: Option<AbortOnDropHandle<()>>,
    /// Without a socket nobody else would hold the front end's queue open.
    _asked: UnboundedSender<Asked>,
}

impl Control {
    /// Opens it, in a thread of its own: this returns at once. What cannot be had (a directory that
    /// is not ours, no room for a socket) is logged and left out: the program works without.
    /// Outside a runtime there is no door.
    pub fn start(mode: Mode, env: &Env, share: &ShareDir) -> (Self, UnboundedReceiver<Asked>) {
        let (asked, receiver) = unbounded_channel();
        let (states, seen) = watch::channel(Portrait::default());
        let states = Arc::new(states);
        let parts = TaskTracker::new();
        let mut tmux = None;
        let (written, shown) = watch::channel(None);
        let (tell, told) = watch::channel(0);
        if let Ok(runtime) = Handle::try_current() {
            // A one-shot run inside a tool would speak for the pane of the instance it runs in.
            if mode == Mode::Tui
                && let Some(pane) = Pane::of(env)
            {
                let task = parts.spawn_on(pane.follow(shown.clone(), tell), &runtime);
                tmux = Some(AbortOnDropHandle::new(task));
            }
            let publisher = Publisher::new(env, share);
            let (token, parts) = (parts.token(), parts.clone());
            let (states, asked) = (Arc::clone(&states), asked.clone());
            let work = move || {
                let _token = token;
                publish(publisher, &runtime, &states, seen, asked, &written, &parts);
            };
            if let Err(error) = std::thread::Builder::new().name("control".to_owned()).spawn(work) {
                tracing::warn!(%error, "the state is not shown to other programs");
            }
        }
        let (env, facts) = (env.clone(), Facts::new(mode, env));
        let door =
            Self { env, facts, states, parts, written: shown, told, _tmux: tmux, _asked: asked };
        (door, receiver)
    }

    /// Tells the world. Returns at once; does nothing when nothing has changed.
    pub fn publish(&self, status: &Status) {
        let now = self.env.unix_now();
        self.states.send_if_modified(|portrait| portrait.update(status, &self.facts, now));
    }

    /// Says that the process is about to be stopped, in the files and to tmux, and returns when that
    /// is there. Blocks the thread, bounded in time.
    pub fn pause(&self) {
        let now = self.env.unix_now();
        self.states.send_if_modified(|portrait| portrait.pause(now));
        let Some(seq) = self.states.borrow().instance.as_ref().map(|instance| instance.seq) else {
            return;
        };
        let in_files = || {
            self.written.has_changed().is_err()
                || self.written.borrow().as_ref().is_some_and(|written| written.seq >= seq)
        };
        let in_tmux = || self.told.has_changed().is_err() || *self.told.borrow() >= seq;
        let end = self.env.clock.instant() + PAUSING;
        while !(in_files() && in_tmux()) && self.env.clock.instant() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Says that the process goes on with what it did. Does nothing when it was not stopped.
    pub fn resume(&self) {
        let now = self.env.unix_now();
        self.states.send_if_modified(|portrait| portrait.resume(now));
    }

    /// Says that the process ends and takes away what it has put down. Bounded in time.
    pub async fn stop(self) {
        self.leave();
        self.parts.close();
        if tokio::time::timeout(PARTING, self.parts.wait()).await.is_err() {
            tracing::warn!("not everything that shows the state has ended in time");
        }
    }

    fn leave(&self) {
        let now = self.env.unix_now();
        self.states.send_if_modified(|portrait| portrait.leave(now));
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.leave();
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("states", &*self.states.borrow()).finish_non_exhaustive()
    }
}

/// The thread: opens the socket, then writes every state.
fn publish(
    mut publisher: Publisher,
    runtime: &Handle,
    states: &watch::Sender<Portrait>,
    seen: watch::Receiver<Portrait>,
    asked: UnboundedSender<Asked>,
    written: &watch::Sender<Option<Arc<Instance>>>,
    parts: &TaskTracker,
) {
    if let Some((listener, path)) = publisher.open_socket() {
        let _inside = runtime.enter();
        match UnixListener::from_std(listener) {
            Ok(listener) => {
                parts.spawn_on(serve(listener, States(seen.clone()), asked), runtime);
                let path = path.to_string_lossy().into_owned();
                states.send_modify(|portrait| portrait.opened(path));
            }
            Err(error) => tracing::warn!(%error, "the socket cannot be served"),
        }
    }
    publisher.run(runtime, seen, written);
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
