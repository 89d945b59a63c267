//! Slow work on other threads, and what comes back from it.

use std::path::PathBuf;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{App, TuiError};
use crate::front::host::Which;
use crate::front::tui::cells::Severity;
use crate::front::tui::composer;
use crate::platform::{Env, clipboard, git};
use crate::store;

/// What a job has found.
pub(super) enum Done {
    /// The file index has answers for the open menu.
    FilesFound,
    History(Vec<String>),
    Branch(Option<String>),
    /// The text is on the clipboard; the bytes, if any, are for the terminal.
    Copied(Result<Vec<u8>, String>),
    Pasted(Result<String, String>),
    /// Put another session in place of this one.
    Switch(Which),
}

/// Starts jobs and reports their ends.
#[derive(Clone)]
pub(super) struct Jobs {
    done: UnboundedSender<Done>,
}

impl Jobs {
    pub fn new() -> (Self, UnboundedReceiver<Done>) {
        let (done, receiver) = unbounded_channel();
        (Self { done }, receiver)
    }

    /// Reports something as done. After the end of the app nobody listens, which is fine.
    pub fn report(&self, done: Done) {
        let _ = self.done.send(done);
    }

    fn start(&self, work: impl FnOnce() -> Done + Send + 'static) {
        let done = self.done.clone();
        tokio::task::spawn_blocking(move || {
            let _ = done.send(work());
        });
    }

    pub fn load_history(&self, path: PathBuf) {
        self.start(move || {
            let (_, entries) = store::History::load(&path);
            Done::History(entries)
        });
    }

    pub fn append_history(&self, path: PathBuf, text: String) {
        tokio::task::spawn_blocking(move || {
            let (mut history, _) = store::History::load(&path);
            if let Err(error) = history.append(&text) {
                tracing::warn!(%error, "the message is not in the history");
            }
        });
    }

    pub fn find_branch(&self, work_dir: PathBuf) {
        self.start(move || Done::Branch(git::branch(&work_dir)));
    }

    pub fn copy(&self, text: String, env: Env) {
        self.start(move || {
            Done::Copied(clipboard::copy(&text, &env).map_err(|error| error.to_string()))
        });
    }

    pub fn paste(&self, env: Env) {
        self.start(move || Done::Pasted(clipboard::paste(&env).map_err(|error| error.to_string())));
    }

    pub fn switch(&self, which: Which) {
        self.report(Done::Switch(which));
    }
}

impl App {
    pub(super) fn on_job(&mut self, done: Done) -> Result<(), TuiError> {
        match done {
            Done::FilesFound => self.dirty |= self.composer.menu_open(),
            Done::History(entries) => self.composer.set_history(composer::History::new(entries)),
            Done::Branch(branch) => {
                self.dirty |= branch != self.branch;
                self.branch = branch;
            }
            Done::Copied(Ok(bytes)) => {
                self.screen.write_control(&bytes)?;
                self.toast("copy", "copied the last answer");
            }
            Done::Copied(Err(error)) => self.say(Severity::Warning, &error, ""),
            Done::Pasted(Ok(text)) => self.on_paste(&text)?,
            Done::Pasted(Err(error)) => self.toast("paste", &error),
            Done::Switch(which) => self.pending_switch = Some(which),
        }
        Ok(())
    }
}
