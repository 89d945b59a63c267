//! Slow work on other threads, and what comes back from it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::account::AccountNews;
use super::debug::Dumped;
use super::logins::LoginNews;
use super::pictures::of_clipboard;
use super::{App, TuiError};
use crate::agent::{Plan, RewindPoints};
use crate::customize::skills::{Places, Skills};
use crate::doctor::Finding;
use crate::front::host::Which;
use crate::front::tui::cells::Severity;
use crate::front::tui::composer::{self, Picture};
use crate::mcp::servers::Servers;
use crate::platform::clipboard::{Clipboard, ClipboardError, Copied};
use crate::platform::{Env, git};
use crate::store::{self, PictureStore, Verdict};

/// What a job has found.
pub(super) enum Done {
    /// The file index has answers for the open menu.
    FilesFound,
    History(Vec<String>),
    Branch(Option<String>),
    /// The text is on the clipboard.
    Copied(Result<Copied, ClipboardError>),
    Pasted(Result<String, ClipboardError>),
    /// A picture was on the clipboard.
    PastedPicture(Result<Picture, String>),
    /// Nothing but a picture is on the clipboard, which the model does not take.
    UnseenPicture,
    /// What the files are that a pasted text names; `None` when one is not there.
    Dropped {
        pasted: String,
        pictures: Result<Option<Vec<Picture>>, String>,
    },
    /// The pictures of the message are loaded, but for these.
    PicturesLoaded(Vec<String>),
    /// The state of some MCP server is another.
    ServersChanged,
    /// A login to an MCP server goes on, or is over.
    Login {
        server: String,
        news: LoginNews,
    },
    /// Signing in to an account, or out, goes on or is over.
    Account(AccountNews),
    /// What the user said of a file was carried out; what is to be told, a line each.
    Decided(Vec<String>),
    /// A switch of an MCP server lasts, or why it does not.
    Kept(Result<(), String>),
    /// What can be undone, and which of them shall be marked.
    RewindPoints(Result<RewindPoints, String>, usize),
    /// The same after a look at the files.
    RewindLooked(Result<RewindPoints, String>),
    RewindPlan(Result<Plan, String>),
    /// Something has become of a background task.
    TasksChanged,
    /// The end of a background task's output.
    TaskOutput {
        id: String,
        text: String,
    },
    Skills(Skills),
    /// How everything is.
    Examined(Vec<Finding>),
    /// The conversation, message by message.
    Dumped(Result<Vec<Dumped>, String>),
    /// Put another session in place of this one.
    Switch(Which),
}

/// Starts jobs and reports their ends.
#[derive(Clone)]
pub(super) struct Jobs {
    done: UnboundedSender<Done>,
    /// Kept: the window system asks us for the text that was copied.
    clipboard: Arc<Mutex<Clipboard>>,
}

impl Jobs {
    pub fn new(env: Env) -> (Self, UnboundedReceiver<Done>) {
        let (done, receiver) = unbounded_channel();
        let clipboard = Arc::new(Mutex::new(Clipboard::new(env)));
        (Self { done, clipboard }, receiver)
    }

    /// Reports something as done. After the end of the app nobody listens, which is fine.
    pub fn report(&self, done: Done) {
        let _ = self.done.send(done);
    }

    pub fn start(&self, work: impl FnOnce() -> Done + Send + 'static) {
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

    pub fn find_skills(&self, places: Places) {
        self.start(move || Done::Skills(places.skills()));
    }

    pub fn copy(&self, text: String) {
        let clipboard = Arc::clone(&self.clipboard);
        self.start(move || Done::Copied(lock(&clipboard).copy(&text)));
    }

    /// Reads the clipboard: a picture, where those are taken, goes before text.
    pub fn paste(&self, store: PictureStore, takes_pictures: bool) {
        let clipboard = Arc::clone(&self.clipboard);
        self.start(move || {
            let mut clipboard = lock(&clipboard);
            if takes_pictures && let Some(bytes) = clipboard.read_picture() {
                return Done::PastedPicture(of_clipboard(bytes, &store));
            }
            match clipboard.read() {
                Err(_) if !takes_pictures && clipboard.read_picture().is_some() => {
                    Done::UnseenPicture
                }
                text => Done::Pasted(text),
            }
        });
    }

    /// Carries out what the user said of a project's file, and keeps it.
    pub fn decide(&self, servers: Arc<Servers>, path: PathBuf, verdict: Option<Verdict>) {
        self.start(move || Done::Decided(servers.decide(&path, verdict)));
    }

    /// Looks at the MCP servers again after a while.
    pub fn look_at_servers(&self, after: Duration) {
        let jobs = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            jobs.report(Done::ServersChanged);
        });
    }

    /// Keeps in the user's file whether a server is to be started.
    pub fn keep_enabled(&self, servers: Arc<Servers>, name: String, enabled: bool) {
        self.start(move || Done::Kept(servers.keep_enabled(&name, enabled)));
    }

    pub fn switch(&self, which: Which) {
        self.report(Done::Switch(which));
    }
}

impl App {
    pub(super) fn on_job(&mut self, done: Done) -> Result<(), TuiError> {
        match done {
            // Whether they open a menu is seen when they are looked at.
            Done::FilesFound => self.dirty = true,
            Done::History(entries) => {
                self.composer.set_history(composer::History::new(entries));
                self.dirty |= self.composer.searching();
            }
            Done::Branch(branch) => {
                self.dirty |= branch != self.branch;
                self.branch = branch;
            }
            Done::Copied(Ok(copied)) => {
                if let Some(bytes) = copied.terminal {
                    self.screen.write_control(&bytes)?;
                }
                self.toast("copy", "copied the last answer");
            }
            Done::Copied(Err(error)) => self.say(Severity::Warning, &error.to_string(), ""),
            Done::Pasted(Ok(text)) => {
                self.dirty = true;
                self.on_paste(&text)?;
            }
            Done::PastedPicture(picture) => self.on_pasted_picture(picture),
            Done::UnseenPicture => self.no_pictures("nothing was pasted"),
            Done::Dropped { pasted, pictures } => self.on_dropped(&pasted, pictures),
            Done::PicturesLoaded(gone) => self.on_pictures_loaded(&gone)?,
            Done::Pasted(Err(error)) => self.toast("paste", &error.to_string()),
            Done::ServersChanged => self.on_servers_changed()?,
            Done::Login { server, news } => self.on_login(&server, news),
            Done::Account(news) => self.on_account(news),
            Done::Decided(news) => {
                for line in news {
                    self.say(Severity::Warning, &line, "");
                }
                self.on_servers_changed()?;
            }
            Done::Kept(Ok(())) => self.toast("mcp", "kept in mcp.json"),
            Done::Kept(Err(why)) => self.say(Severity::Warning, &why, ""),
            Done::RewindPoints(points, nth) => self.on_rewind_points(points, nth)?,
            Done::RewindLooked(points) => self.on_rewind_looked(points)?,
            Done::RewindPlan(plan) => self.on_rewind_plan(plan)?,
            Done::TasksChanged => self.on_tasks_changed()?,
            Done::TaskOutput { id, text } => self.on_task_output(&id, &text)?,
            Done::Skills(skills) => self.on_skills(skills),
            Done::Examined(findings) => self.on_examined(&findings),
            Done::Dumped(dumped) => self.on_dumped(dumped)?,
            Done::Switch(which) => self.pending_switch = Some(which),
        }
        Ok(())
    }
}

fn lock(clipboard: &Mutex<Clipboard>) -> MutexGuard<'_, Clipboard> {
    clipboard.lock().unwrap_or_else(PoisonError::into_inner)
}
