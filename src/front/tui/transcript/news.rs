//! What is told of things outside the turn. An answer that streams is not torn apart by it: while an
//! attempt runs, which may be withdrawn, the news waits for a place of its own.

use std::time::Instant;

use ratatui::text::{Line, Span};

use super::{Call, Look, Transcript, Update};
use crate::agent::ANNOUNCED;
use crate::front::text::{clean_line, truncate};
use crate::front::tui::cells::{NOTICE, Severity, notice_of, report, row};
use crate::front::tui::theme::Theme;
use crate::protocol::Notification;

impl Call {
    fn could_go_on(&self) -> bool {
        matches!(self.name.as_str(), "Shell" | "Agent")
    }
}

/// Rows of what a rewind says: which files are not back is nowhere else to be read.
const REWIND_ROWS: usize = 24;

impl Transcript {
    /// Whether a command or an agent runs that could go on in the background.
    pub fn runs_command(&self) -> bool {
        self.calls.iter().any(Call::could_go_on)
    }

    /// The tools that run and could not go on in the background, each once.
    pub fn stay_in_foreground(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for call in self.calls.iter().filter(|call| !call.could_go_on()) {
            let name = clean_line(&call.name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The row at the beginning of a turn that nobody has asked for, in place of somebody's words.
    pub(super) fn announced(&mut self, look: Look<'_>) -> Line<'static> {
        self.past.note(ANNOUNCED);
        row::row([Span::styled(ANNOUNCED, row::trace(look.theme))])
    }

    /// A remark of the program itself, outside any turn.
    pub fn say(
        &mut self,
        severity: Severity,
        title: &str,
        body: &str,
        columns: u16,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        self.say_rows(severity, title, (body, NOTICE), columns, theme)
    }

    /// [`Self::say`] with at most so many rows of detail.
    fn say_rows(
        &mut self,
        severity: Severity,
        title: &str,
        body: (&str, usize),
        columns: u16,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        self.past.note(title);
        let mut rows =
            self.aside(columns, theme, |columns| notice_of(severity, title, body, columns, theme));
        rows.push(Line::default());
        rows
    }

    /// What somebody has asked the program for, outside any turn.
    pub fn report(
        &mut self,
        title: &str,
        body: &str,
        columns: u16,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        self.past.note(title);
        let mut rows = self.aside(columns, theme, |columns| report(title, body, columns, theme));
        rows.push(Line::default());
        rows
    }

    pub(super) fn notification(
        &mut self,
        news: &Notification,
        now: Instant,
        look: Look<'_>,
    ) -> Update {
        self.held_news.push(news.clone());
        if self.in_step {
            return Update::default();
        }
        let mut rows = self.close_open(now, look);
        rows.extend(self.tell_news(look));
        Update::of(rows)
    }

    /// The rows of what has waited.
    pub(super) fn tell_news(&mut self, look: Look<'_>) -> Vec<Line<'static>> {
        let held = std::mem::take(&mut self.held_news);
        held.iter().flat_map(|news| self.news_row(news, look)).collect()
    }

    /// Of a task one row.
    fn news_row(&mut self, news: &Notification, look: Look<'_>) -> Vec<Line<'static>> {
        let severity = Severity::of(&news.severity);
        let Look { columns, theme } = look;
        if matches!(news.kind.as_str(), "session.rewound" | "session.redone") {
            let body = (news.body.as_str(), REWIND_ROWS);
            return self.say_rows(severity, &news.title, body, columns, theme);
        }
        if news.category != "task" {
            return self.say(severity, &news.title, &news.body, columns, theme);
        }
        let exit = news.payload["exit_code"].as_i64().filter(|code| *code != 0);
        let exit = exit.map(|code| format!(", exit {code}")).unwrap_or_default();
        let tail = format!(" ({}{exit})", clean_line(&news.source_id));
        let room = usize::from(columns).saturating_sub(tail.len() + 16);
        let title = truncate(&clean_line(&news.title), room);
        self.say(severity, &format!("{title}{tail}"), "", columns, theme)
    }
}
