//! The background tasks on the screen: how many run, the browser, and the turn that begins by itself
//! when one has ended.

use std::time::{Duration, Instant};

use super::jobs::Done;
use super::panes::Pane;
use super::turns::Queued;
use super::{App, TuiError};
use crate::agent::{ANNOUNCED, TASKS_HAVE_ENDED};
use crate::front::text::clean_line;
use crate::front::tui::cells::Severity;
use crate::front::tui::composer::Draft;
use crate::front::tui::overlays::{TaskBrowser, TaskItem};
use crate::protocol::Op;
use crate::tasks::{self, View};

/// Nothing begins by itself so shortly after a key.
const QUIET: Duration = Duration::from_millis(750);
/// After so many failures in a row nothing begins by itself any more.
const MOST_FAILURES: u32 = 3;
/// How often the open browser looks again.
const REFRESH: Duration = Duration::from_secs(1);

/// Turns that begin because a task has ended, and the browser's clock.
#[derive(Debug, Default)]
pub(super) struct TaskNews {
    /// Failed since one went well.
    pub failures: u32,
    /// The counts that are on the screen.
    shown: tasks::Counts,
    /// When the browser was last filled.
    filled: Option<Instant>,
}

impl App {
    /// Hears of the tasks of the open session from now on.
    pub(super) fn watch_tasks(&self) {
        let (jobs, mut changes) = (self.jobs.clone(), self.session.tasks().changes());
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                jobs.report(Done::TasksChanged);
            }
        });
    }

    pub(super) fn on_tasks_changed(&mut self) -> Result<(), TuiError> {
        let counts = self.session.tasks().counts();
        self.dirty |= counts != self.task_news.shown;
        self.task_news.shown = counts;
        self.fill_browser()
    }

    /// When a turn begins by itself, as far as can be said now.
    fn news_due(&self) -> Option<Instant> {
        let idle = self.turn.is_none()
            && !self.leaving
            && self.pane.is_none()
            && self.dialogs.is_empty()
            && self.queue.is_empty()
            && self.composer.is_empty();
        // Whoever has only just come back to a session is not met by a turn they did not ask for.
        let wanted = self.books.turn() > 0 && self.task_news.failures < MOST_FAILURES;
        if !idle || !wanted || self.session.pending_notifications() == 0 {
            return None;
        }
        // It is a person's to say that it goes on: the model hears of the tasks with their message.
        if self.session.spent().is_some() {
            return None;
        }
        Some(self.last_key.map_or_else(|| self.now(), |at| at + QUIET))
    }

    /// Lets the model see to tasks that have ended, when nobody is in the middle of something.
    pub(super) fn take_up_news(&mut self) -> Result<(), TuiError> {
        if self.news_due().is_none_or(|at| at > self.now()) {
            return Ok(());
        }
        // It is no message that anybody has sent, so it has no number.
        let queued = Queued {
            n: 0,
            input: TASKS_HAVE_ENDED.into(),
            shown: ANNOUNCED.to_owned(),
            draft: Draft::default(),
            command: None,
            by_program: false,
        };
        self.start_with(queued, |id, _| Op::SeeToTasks { id })?;
        if let Some(turn) = &mut self.turn {
            turn.by_itself = true;
        }
        Ok(())
    }

    /// When the loop has to wake because of tasks.
    pub(super) fn tasks_wake(&self) -> Option<Instant> {
        let browser = match &self.pane {
            Some(Pane::Tasks(_)) => self.task_news.filled.map(|at| at + REFRESH),
            _ => None,
        };
        [self.news_due(), browser].into_iter().flatten().min()
    }

    pub(super) fn tick_browser(&mut self) -> Result<(), TuiError> {
        let due = self.task_news.filled.is_some_and(|at| at + REFRESH <= self.now());
        if let Some(Pane::Tasks(browser)) = &mut self.pane
            && due
        {
            browser.tick();
            return self.fill_browser();
        }
        Ok(())
    }

    /// `/task [id]`, `/task stop id`.
    pub(super) fn task_command(&mut self, arguments: &str) -> Result<(), TuiError> {
        let (verb, rest) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
        let wanted = if verb == "stop" { rest.trim() } else { arguments };
        let known = self.session.tasks().list();
        let found = known.iter().find(|view| view.spec.id == wanted);
        if !wanted.is_empty() && found.is_none() {
            let title = format!("There is no background task \"{}\".", clean_line(wanted));
            self.say(Severity::Warning, &title, "/task shows all of them.");
            return Ok(());
        }
        if verb == "stop" {
            match found {
                Some(view) if view.is_active() => {
                    let title = format!("Stopping {}.", view.spec.id);
                    self.stop_task(wanted);
                    self.say(Severity::Info, &title, "");
                }
                Some(view) => {
                    let title = format!("{} is over already.", view.spec.id);
                    self.say(Severity::Info, &title, "");
                }
                None => {
                    self.say(Severity::Warning, "Say which task to stop: /task stop ID.", "");
                }
            }
            return Ok(());
        }
        let marked = found.map(|view| view.spec.id.clone());
        let browser = TaskBrowser::new(self.task_items(), marked);
        self.open_pane(Pane::Tasks(browser))?;
        self.fill_browser()
    }

    pub(super) fn stop_task(&self, id: &str) {
        let (tasks, id) = (self.session.tasks(), id.to_owned());
        tokio::spawn(async move {
            if let Err(error) = tasks.stop(&id, "Stopped by the user").await {
                tracing::warn!(%error, "a task cannot be stopped");
            }
        });
    }

    /// Brings the open browser up to date; its output comes when it has been read.
    pub(super) fn fill_browser(&mut self) -> Result<(), TuiError> {
        let items = self.task_items();
        let now = self.now();
        let Some(Pane::Tasks(browser)) = &mut self.pane else { return Ok(()) };
        browser.set_items(items);
        self.task_news.filled = Some(now);
        if let Some(id) = browser.marked() {
            let id = id.to_owned();
            self.look_at_task(id);
        }
        self.redraw_pane()
    }

    pub(super) fn look_at_task(&self, id: String) {
        let (tasks, jobs) = (self.session.tasks(), self.jobs.clone());
        let most = self.host.config().background.read_max_bytes;
        tokio::spawn(async move {
            let text = match tasks.tail(&id, most).await {
                Ok(tail) if tail.truncated => format!(
                    "[the beginning is not shown: {}]\n{}",
                    tasks.output_path(&id).display(),
                    tail.text
                ),
                Ok(tail) => tail.text,
                Err(error) => format!("The output cannot be read: {error}."),
            };
            jobs.report(Done::TaskOutput { id, text });
        });
    }

    pub(super) fn on_task_output(&mut self, id: &str, text: &str) -> Result<(), TuiError> {
        if let Some(Pane::Tasks(browser)) = &mut self.pane {
            browser.set_output(id, text);
            return self.redraw_pane();
        }
        Ok(())
    }

    fn task_items(&self) -> Vec<TaskItem> {
        let now = self.env.unix_now();
        self.session.tasks().list().iter().map(|view| item(view, now)).collect()
    }

    /// Ctrl-B: what runs in the foreground goes on in the background, and what cannot is named. False
    /// when nothing runs, or only what cannot while there is a text to move in.
    pub(super) fn send_to_background(&mut self) -> bool {
        if !self.busy() || !self.dialogs.is_empty() {
            return false;
        }
        let can = self.transcript.runs_command();
        let stay = self.transcript.stay_in_foreground().join(", ");
        let told = match (can, stay.is_empty()) {
            (true, true) => "sent to the background · /task shows it".to_owned(),
            (true, false) => format!("sent to the background, but not {stay}"),
            (false, false) if self.composer.is_empty() => {
                format!("{stay} cannot go to the background")
            }
            (false, _) => return false,
        };
        if can {
            self.session.submit(Op::ToBackground);
        }
        self.toast("background", &told);
        true
    }
}

fn item(view: &View, now: f64) -> TaskItem {
    let View { spec, runtime } = view;
    let took = tasks::duration(view.seconds(now));
    let mut facts = vec![
        ("task", spec.id.clone()),
        ("status", format!("{} · {took}", runtime.status.word())),
        ("what", spec.description.clone()),
    ];
    facts.extend(spec.command.clone().map(|command| ("command", command)));
    facts.extend(
        spec.agent().map(|agent| ("agent", format!("{} {}", agent.subagent_type, agent.agent_id))),
    );
    facts.extend(runtime.exit_code.map(|code| ("exit", code.to_string())));
    facts.extend(runtime.failure_reason.clone().map(|why| ("why", why)));
    TaskItem {
        id: spec.id.clone(),
        active: view.is_active(),
        status: format!("{} {took}", runtime.status.word()),
        description: spec.description.clone(),
        facts,
    }
}
