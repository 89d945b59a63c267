//! What a subagent does, line by line, for people and for the log of its task (sessions.md
//! section 7): `[stage] started`, `[tool] Shell`, `[tool_result] success: ...`, its text,
//! `[summary]`, `[error] ...`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::{ContentPart, DisplayBlock, Event, ToolReturnValue};
use crate::tasks::Output;

/// Bytes after which nothing more is written.
const MAX_BYTES: u64 = 8 << 20;
/// Characters of what a result says of itself.
const MAX_BRIEF: usize = 200;

/// The report of one agent, shared by whoever adds to it.
#[derive(Clone)]
pub struct Report(Arc<Mutex<Inner>>);

struct Inner {
    /// `None` when it cannot be written (any more).
    file: Option<File>,
    left: u64,
    task: Option<Output>,
}

impl Report {
    /// Goes on with the report in this file. One that cannot be written is done without.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        let file = file
            .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "no report"))
            .ok();
        let written = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |it| it.len());
        Self(Arc::new(Mutex::new(Inner {
            file,
            left: MAX_BYTES.saturating_sub(written),
            task: None,
        })))
    }

    /// The task's log gets it too from now on.
    pub fn also_to(&self, task: Output) {
        self.lock().task = Some(task);
    }

    /// Adds a stage of the work.
    pub fn stage(&self, what: &str) {
        self.line(&format!("[stage] {what}"));
    }

    /// Adds how the work has ended.
    pub fn summary(&self, text: &str) {
        self.line(&format!("[summary]\n{text}"));
    }

    /// Adds why the work has failed.
    pub fn error(&self, text: &str) {
        self.line(&format!("[error] {text}"));
    }

    /// Adds what happened, if it is worth a line.
    pub fn event(&self, event: &Event) {
        match event {
            Event::ToolCall(call) => self.line(&format!("[tool] {}", call.function.name)),
            Event::ToolResult { return_value, .. } => self.line(&result(return_value)),
            Event::ContentPart(ContentPart::Text { text }) => self.line(text.trim_end()),
            Event::StepRetry { error_type, .. } => self.stage(&format!("retry after {error_type}")),
            Event::CompactionBegin {} => self.stage("compaction"),
            _ => {}
        }
    }

    fn line(&self, text: &str) {
        let mut line = harmless(text);
        line.push('\n');
        let mut inner = self.lock();
        if let Some(task) = &inner.task {
            task.write(&line);
        }
        let length = line.len() as u64;
        if length > inner.left {
            // What came first is kept; the whole is in the agent's wire record.
            inner.file = None;
        }
        inner.left = inner.left.saturating_sub(length);
        if let Some(file) = &mut inner.file
            && let Err(error) = file.write_all(line.as_bytes())
        {
            tracing::warn!(%error, "the report of a subagent ends here");
            inner.file = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn result(value: &ToolReturnValue) -> String {
    let word = if value.is_error { "error" } else { "success" };
    let brief = value.display.iter().find_map(|block| match block {
        DisplayBlock::Brief { text } => text.lines().next(),
        _ => None,
    });
    let brief = brief.or_else(|| value.message.lines().next()).unwrap_or_default();
    let brief: String = brief.chars().take(MAX_BRIEF).collect();
    match brief.is_empty() {
        true => format!("[tool_result] {word}"),
        false => format!("[tool_result] {word}: {brief}"),
    }
}

/// Without what a terminal would carry out: people read the file with whatever is at hand.
fn harmless(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToolCall;

    #[test]
    fn lines_tell_what_happened_and_nothing_is_carried_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output");
        let report = Report::open(&path);
        report.stage("started");
        report.event(&Event::ToolCall(ToolCall::new("c", "Shell", "{}")));
        let value = ToolReturnValue::error("no", "Failed\nmore");
        report.event(&Event::ToolResult { tool_call_id: "c".into(), return_value: value });
        let value = ToolReturnValue::ok("out", "");
        report.event(&Event::ToolResult { tool_call_id: "c".into(), return_value: value });
        report.event(&Event::ContentPart(ContentPart::text("a\u{1b}]0;x\u{7}b\n")));
        report.event(&Event::TurnEnd {});
        Report::open(&path).summary("done");
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "[stage] started\n[tool] Shell\n[tool_result] error: Failed\n[tool_result] success\n\
             a\u{fffd}]0;x\u{fffd}b\n[summary]\ndone\n"
        );
    }

    #[test]
    fn a_flood_ends_and_a_missing_directory_is_no_fault() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output");
        let report = Report::open(&path);
        for _ in 0..40 {
            report.stage(&"x".repeat(1 << 20));
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= MAX_BYTES);
        Report::open(&dir.path().join("none/output")).stage("lost");
    }
}
