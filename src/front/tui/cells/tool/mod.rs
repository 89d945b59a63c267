//! A tool call: a headline that runs, then a headline, a preview of the result and a closing edge.

mod agents;
mod ansi;
mod body;
mod chip;
mod items;
mod live;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ratatui::text::{Line, Span};

use self::agents::Agents;
use self::body::body_rows;
use self::chip::{Kind, chip, failure_reason};
use self::live::LiveOutput;
use super::format::elapsed;
use super::row;
use crate::front::text::{truncate, truncate_middle, width};
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::{DisplayBlock, Event, ToolReturnValue};

/// How the message to the model begins about a call that was not started.
const NOT_RUN: &str = "Not run:";

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Done,
    Failed,
    /// A person said no.
    Rejected,
    /// It was never started: a person refused an earlier call, or stopped the turn before.
    NotRun,
    /// A person stopped the turn.
    Interrupted,
}

/// A tool call on the screen.
#[derive(Debug, Clone)]
pub struct ToolCard {
    name: String,
    key: Option<String>,
    kind: Kind,
    work_dir: Option<PathBuf>,
    live: LiveOutput,
    agents: Agents,
    finished: Option<Finished>,
}

#[derive(Debug, Clone)]
struct Finished {
    ending: Ending,
    value: ToolReturnValue,
    chip: Option<String>,
    took: Option<Duration>,
}

impl ToolCard {
    /// A call that begins. `name` is what the model called; `key` the argument worth a headline.
    pub fn new(name: &str, key: Option<&str>) -> Self {
        Self {
            name: row::shown_line(name),
            key: key.map(row::shown_line),
            kind: Kind::of(name),
            work_dir: None,
            live: LiveOutput::default(),
            agents: Agents::default(),
            finished: None,
        }
    }

    /// The same with the directory that paths are shown relative to.
    #[must_use]
    pub fn in_dir(mut self, work_dir: &Path) -> Self {
        self.work_dir = Some(work_dir.to_owned());
        self
    }

    /// The key argument as far as it has streamed.
    pub fn set_key(&mut self, key: Option<&str>) {
        self.key = key.map(row::shown_line);
    }

    /// What the running tool has printed, piece by piece.
    pub fn push_output(&mut self, text: &str) {
        self.live.push(text);
    }

    /// The call with these arguments starts agents, the first of which is about to tell of itself.
    pub fn starts_agents(&mut self, arguments: &str) {
        if self.agents.is_empty() && self.name == "AgentSwarm" {
            self.agents = Agents::for_items(arguments);
        }
    }

    /// What a subagent of the call has told of itself.
    pub fn agent_event(&mut self, id: &str, kind: &str, event: &Event, now: Instant) {
        let work_dir = self.work_dir.as_deref().unwrap_or(Path::new(""));
        self.agents.event(id, kind, event, work_dir, now);
    }

    /// The rows of the subagents that the call has started, for the live region.
    pub fn agent_rows(
        &self,
        now: Instant,
        columns: u16,
        max_rows: usize,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        if self.agents.is_empty() {
            return Vec::new();
        }
        let room = usize::from(columns).saturating_sub(3).max(1);
        let rows = self.agents.rows(now, room, max_rows, row::trace(theme));
        rows.into_iter().map(|line| barred(line, theme)).collect()
    }

    /// The same in one line, without anything before it.
    pub fn agent_line(&self, now: Instant) -> Option<String> {
        self.agents.one_line(now)
    }

    /// The result. `rejected` when a person refused the call; `took` when it is known.
    pub fn finish(&mut self, value: ToolReturnValue, rejected: bool, took: Option<Duration>) {
        let ending = match (rejected, value.is_error) {
            (_, true) if value.message.starts_with(NOT_RUN) => Ending::NotRun,
            (true, _) => Ending::Rejected,
            (false, true) => Ending::Failed,
            (false, false) => Ending::Done,
        };
        let chip = (ending == Ending::Done)
            .then(|| self.agents.total().or_else(|| chip(self.kind, &value)))
            .flatten();
        self.finished = Some(Finished { ending, value, chip, took });
    }

    /// The turn was stopped while the call ran.
    pub fn interrupt(&mut self) {
        if self.finished.is_none() {
            self.finished = Some(Finished {
                ending: Ending::Interrupted,
                value: ToolReturnValue::default(),
                chip: None,
                took: None,
            });
        }
    }

    /// How the call ended; `None` while it runs.
    pub fn ending(&self) -> Option<Ending> {
        self.finished.as_ref().map(|finished| finished.ending)
    }

    /// `Using Shell (cargo test)` without anything before it, to stand after the spinner. At most
    /// `columns` wide.
    pub fn running_headline(&self, columns: u16, theme: &Theme) -> Line<'static> {
        self.headline("Using ", columns.into(), theme).into()
    }

    /// The last rows that the running tool printed, for the live region.
    pub fn live_rows(&self, columns: u16, max_rows: usize, theme: &Theme) -> Vec<Line<'static>> {
        let room = usize::from(columns).saturating_sub(3).max(1);
        let (rows, _) = self.live.tail_rows(row::trace(theme), room, max_rows);
        rows.into_iter().map(|line| barred(line, theme)).collect()
    }

    /// The final rows. Empty while the call runs.
    pub fn rows(&self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        let Some(finished) = &self.finished else { return Vec::new() };
        let columns = usize::from(columns);
        let trace = row::trace(theme);
        let (chip, tone) = finished.headline_chip();
        let chip = truncate(&chip, columns.saturating_sub(12));

        let mut spans = vec![Span::styled("• ", trace)];
        let room = columns.saturating_sub(3 + width(&chip));
        let verb = if finished.ending == Ending::NotRun { "" } else { "Used " };
        spans.extend(self.headline(verb, room, theme));
        spans.push(Span::styled(chip, theme.style(tone)));
        let mut rows = vec![row::row(spans)];

        let body = body_rows(
            self.kind,
            finished.ending,
            &finished.value,
            &self.live,
            self.work_dir.as_deref(),
            columns,
            theme,
        );
        let edge = self.closing_edge(finished);
        if finished.ending == Ending::NotRun || body.is_empty() && finished.ending == Ending::Done {
            return rows;
        }
        rows.extend(body.into_iter().map(|line| barred(line, theme)));
        let edge = truncate(&format!("╰─ {edge}"), columns.saturating_sub(1));
        rows.push(row::row([Span::styled(edge, trace)]));
        rows
    }

    /// Name, key argument and the whole output as text, for copying and for the pager.
    pub fn plain(&self) -> String {
        let mut out = self.name.clone();
        if let Some(key) = &self.key {
            out.push_str(&format!(" ({key})"));
        }
        out.push('\n');
        out.push_str(&self.agents.plain());
        match &self.finished {
            Some(finished) if finished.ending != Ending::Interrupted => {
                let output = finished.value.output.text();
                out.push_str(if output.is_empty() { &finished.value.message } else { &output });
            }
            _ => out.push_str(&self.live.text()),
        }
        out
    }

    /// The display blocks of the result, for a full view of a diff.
    pub fn display(&self) -> &[DisplayBlock] {
        self.finished.as_ref().map_or(&[], |finished| &finished.value.display)
    }

    fn headline(&self, verb: &'static str, columns: usize, theme: &Theme) -> Vec<Span<'static>> {
        let trace = row::trace(theme);
        let name = truncate(&self.name, columns.saturating_sub(verb.len()));
        let room = columns.saturating_sub(verb.len() + width(&name) + 3);
        let mut spans = vec![Span::styled(verb, trace)];
        spans.push(Span::styled(name, theme.style(Tone::ToolName)));
        if let Some(key) = self.key.as_deref().filter(|key| !key.is_empty() && room >= 4) {
            spans.push(Span::styled(format!(" ({})", truncate_middle(key, room)), trace));
        }
        spans
    }

    fn closing_edge(&self, finished: &Finished) -> String {
        match finished.ending {
            Ending::Done => "done".to_owned(),
            Ending::Failed => format!("failed: {}", failure_reason(&finished.value)),
            Ending::Rejected => "rejected".to_owned(),
            Ending::NotRun => "not run".to_owned(),
            Ending::Interrupted => "interrupted".to_owned(),
        }
    }
}

impl Finished {
    /// What stands behind the headline, and how it looks.
    fn headline_chip(&self) -> (String, Tone) {
        let took = self.took.filter(|took| *took >= Duration::from_secs(1)).map(elapsed);
        let (word, tone) = match self.ending {
            Ending::Done => (self.chip.clone(), Tone::Dim),
            Ending::Failed => (Some("failed".to_owned()), Tone::Error),
            Ending::Rejected => (Some("rejected".to_owned()), Tone::Warning),
            Ending::NotRun => (Some("not run".to_owned()), Tone::Warning),
            Ending::Interrupted => (Some("interrupted".to_owned()), Tone::Warning),
        };
        let parts = [word, took].into_iter().flatten();
        (parts.fold(String::new(), |out, part| format!("{out} · {part}")), tone)
    }
}

fn barred(line: Line<'static>, theme: &Theme) -> Line<'static> {
    row::row(row::prefixed(Span::styled("│ ", row::trace(theme)), line).spans)
}
