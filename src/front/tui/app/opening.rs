//! What a session shows when it is opened, at the start and in place of another.

use super::{App, SHORT_END, TuiError, clock_text};
use crate::front::ending::stopped_tasks;
use crate::front::host::{Opened, Which};
use crate::front::tui::cells::{Severity, Welcome, resume_separator};
use crate::front::tui::markdown::MarkdownStyle;
use crate::front::tui::status::prompt;
use crate::front::tui::transcript::{Transcript, replay};
use crate::platform::Env;
use crate::protocol::{Event, SessionInfo, TokenUsage};
use crate::store::{WireLog, WireRecord};

/// Turns of a resumed session that are shown again.
const REPLAYED_TURNS: usize = 5;

impl App {
    pub(super) fn welcome(&mut self) {
        let welcome = Welcome {
            directory: self.tilde(&self.info.work_dir),
            session: self.info.session_id.clone(),
            model: self.info.model_display.clone(),
            tour: self.tour,
            tip: Some("/help shows keys and commands, @ mentions a file".to_owned()),
        };
        let mut rows = welcome.rows(self.columns(), &self.theme);
        rows.push(Default::default());
        self.screen.docked().commit(rows);
    }

    /// Shows the last turns of a session that has a past.
    pub(super) async fn replay_past(&mut self) {
        self.context.0 = self.session.context_tokens().await;
        let path = self.session.session().wire_path();
        let tail = match WireLog::tail_turns(&path, REPLAYED_TURNS) {
            Ok(tail) => tail,
            Err(error) => {
                self.say(Severity::Warning, &error.to_string(), "");
                return;
            }
        };
        let events: Vec<_> = tail
            .records
            .iter()
            .filter_map(|(at, record)| match record {
                WireRecord::Event(event) => Some((event, clock_text(*at))),
                WireRecord::Request(_) => None,
            })
            .collect();
        if events.is_empty() {
            return;
        }
        let turns =
            events.iter().filter(|(event, _)| matches!(event, Event::TurnBegin { .. })).count();
        let (now, columns) = (self.now(), self.columns());
        let shown = replay(&mut self.transcript, events.into_iter(), now, columns, &self.theme);
        self.screen.docked().commit_marked(shown.rows, &shown.marks);
        let title = self.info.title.as_deref();
        let mut rows = Vec::from_iter(resume_separator(
            &self.info.session_id,
            title,
            turns,
            columns,
            &self.theme,
        ));
        rows.push(Default::default());
        self.screen.docked().commit(rows);
    }

    /// Puts another session in place of the open one. The old one stays when that fails.
    pub(super) async fn switch_session(&mut self, which: &Which) -> Result<(), TuiError> {
        // Opened once more it would stand beside itself, without its lock and without /undo.
        if matches!(which, Which::Id(id) if *id == self.info.session_id) {
            self.say(Severity::Info, "That session is open here: you are in it.", "");
            return Ok(());
        }
        let opened = match self.host.open(which) {
            Ok(opened) => opened,
            Err(error) => {
                self.say(Severity::Error, &error.to_string(), "");
                return Ok(());
            }
        };
        let Opened { handle, tour, .. } = opened;
        self.messages = handle.subscribe();
        self.books.turn_the_page();
        let old = std::mem::replace(&mut self.session, handle);
        let old_session = old.session().clone();
        let stopped = old.shutdown(Some(SHORT_END)).await;
        let kept = self.host.close(&old_session) && old_session.id != self.session.session().id;
        self.info = self.session.info();
        self.tour = tour;
        self.usage = TokenUsage::default();
        self.context.1 = self.info.max_context_tokens;
        self.transcript = new_transcript(&self.env, &self.host.options.work_dir, &self.info)
            .with_servers(self.host.options.mcp.clone())
            .with_thinking(self.host.config().show_thinking_stream);
        self.queue.clear();
        self.clear_dialogs();
        self.watch_tasks();
        if !stopped.is_empty() {
            self.say(Severity::Warning, stopped_tasks(&stopped).trim(), "");
        }
        self.side = None;
        if kept {
            let hint = format!("To resume the session before: kimi -r {}", old_session.id);
            self.say(Severity::Info, &hint, "");
        }
        self.welcome();
        self.replay_past().await;
        self.take_goal_of_session();
        for warning in self.session.warnings.clone() {
            self.say(Severity::Warning, &warning, "");
        }
        self.dirty = true;
        Ok(())
    }
}

pub(super) fn new_transcript(
    env: &Env,
    work_dir: &std::path::Path,
    info: &SessionInfo,
) -> Transcript {
    // A program that reads the answer off the screen gets the model's own marks.
    let style = if env.var("CAO_TERMINAL_ID").is_some() {
        MarkdownStyle::Source
    } else {
        MarkdownStyle::Rendered
    };
    Transcript::new(style, work_dir.to_path_buf(), prompt_mark(env, work_dir, info.thinking))
}

/// The idle mark of this user in this directory.
pub(super) fn prompt_mark(env: &Env, work_dir: &std::path::Path, thinking: bool) -> String {
    let user = env.var("USER").or_else(|| env.var("LOGNAME")).unwrap_or("user");
    prompt::mark(user, work_dir, thinking)
}
