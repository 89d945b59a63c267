//! The side door of a running instance: what it says of itself to other programs, and what they may
//! ask of it. No front end of its own, but a part that each may have.
//!
//! The front end [publishes](Control::publish) its [`Status`] whenever it has changed and, on the
//! screen, after the change can be seen. Commands that only it can carry out come back to it as
//! [`Asked`].

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use crate::platform::Env;
use crate::protocol::control::{Answer, Command, LastTurn, Mode, OpenAsk, Receipt, State};
use crate::store::ShareDir;

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
#[derive(Debug)]
pub struct Control {}

impl Control {
    /// Opens it. What cannot be had (a directory that is not ours, no room for a socket) is logged
    /// and left out: the program works without.
    pub fn start(_mode: Mode, _env: &Env, _share: &ShareDir) -> (Self, UnboundedReceiver<Asked>) {
        let (_asked, receiver) = unbounded_channel();
        (Self {}, receiver)
    }

    /// Tells the world. Returns at once; does nothing when nothing has changed.
    pub fn publish(&self, _status: &Status) {}

    /// Says that the process ends and takes away what it has put down. Bounded in time.
    pub async fn stop(self) {}
}
