//! `/debug`: the conversation as it is on disk and as the model gets it, message by message.

use ratatui::text::{Line, Span};

use super::jobs::Done;
use super::panes::Pane;
use super::{App, TuiError};
use crate::front::text::wrap_line;
use crate::front::tui::cells::{Severity, count, row};
use crate::front::tui::overlays::Pager;
use crate::llm::{Message, Role, estimate};
use crate::protocol::ContentPart;
use crate::store::{ContextLog, LoadedContext};

/// Characters of a part that are shown; the file has the rest.
const SHOWN: usize = 2_000;

/// A message with its headline and its parts, a line each.
#[derive(Debug, PartialEq)]
pub(super) struct Dumped {
    headline: String,
    lines: Vec<String>,
}

impl App {
    pub(super) fn dump_context(&self) {
        let path = self.session.session().context_path();
        self.jobs.start(move || {
            let loaded = ContextLog::open_shared(&path).map(|(_, loaded)| dump(&loaded));
            Done::Dumped(loaded.map_err(|error| error.to_string()))
        });
    }

    pub(super) fn on_dumped(
        &mut self,
        dumped: Result<Vec<Dumped>, String>,
    ) -> Result<(), TuiError> {
        let dumped = match dumped {
            Ok(dumped) => dumped,
            Err(error) => {
                self.say(Severity::Warning, &error, "");
                return Ok(());
            }
        };
        // It comes when it is ready, and something else may be open by then.
        if self.pane.is_some() {
            return Ok(());
        }
        let columns = usize::from(self.columns());
        let mut lines = Vec::new();
        for message in &dumped {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.push(self.heading(&message.headline));
            for line in &message.lines {
                let line = Line::from(Span::raw(format!("  {}", row::foreign_line(line))));
                lines.extend(wrap_line(&line, columns, 2.min(columns / 2)));
            }
        }
        self.open_pane(Pane::other(Pager::new("Context", lines)))
    }
}

/// What the pager shows: a summary, then every message.
fn dump(loaded: &LoadedContext) -> Vec<Dumped> {
    let system = loaded.system_prompt.as_deref().unwrap_or_default();
    let tokens = loaded.token_count.saturating_add(loaded.pending_text_tokens);
    let mut summary = vec![
        format!("{} messages", loaded.messages.len()),
        format!(
            "{} tokens: {} counted by the provider, about {} since",
            count(tokens),
            count(loaded.token_count),
            count(loaded.pending_text_tokens)
        ),
        format!("{} checkpoints", loaded.next_checkpoint),
    ];
    summary.extend(loaded.warnings.iter().map(|warning| format!("! {warning}")));
    let mut all = vec![Dumped { headline: "Conversation".to_owned(), lines: summary }];
    all.push(Dumped {
        headline: format!("system prompt · about {} tokens", count(estimate::text_tokens(system))),
        lines: cut(system),
    });
    all.extend(loaded.messages.iter().enumerate().map(|(n, message)| dumped(n + 1, message)));
    all
}

fn dumped(number: usize, message: &Message) -> Dumped {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let tokens = count(estimate::message_tokens(message));
    let of = message.tool_call_id.as_ref().map(|id| format!(" · {id}")).unwrap_or_default();
    let mut lines = Vec::new();
    for part in &message.content {
        match part {
            ContentPart::Text { text } => lines.extend(cut(text)),
            ContentPart::Think { think, .. } => {
                lines.extend(cut(&format!("(thinking) {think}")));
            }
            ContentPart::ImageUrl { .. } => lines.push("(image)".to_owned()),
            ContentPart::AudioUrl { .. } => lines.push("(audio)".to_owned()),
            ContentPart::VideoUrl { .. } => lines.push("(video)".to_owned()),
        }
    }
    for call in &message.tool_calls {
        let line = format!("(call {}) {} {}", call.id, call.function.name, call.arguments());
        lines.extend(cut(&line));
    }
    Dumped { headline: format!("{number} {role}{of} · about {tokens} tokens"), lines }
}

fn cut(text: &str) -> Vec<String> {
    let mut shown: String = text.chars().take(SHOWN).collect();
    let left = text.chars().skip(SHOWN).count();
    if left > 0 {
        shown.push_str(&format!("\n… {left} more characters"));
    }
    shown.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToolCall;

    #[test]
    fn every_message_is_told_and_none_is_endless() {
        let loaded = LoadedContext {
            system_prompt: Some("You are.".into()),
            messages: vec![
                Message::user_text("x".repeat(SHOWN + 5)),
                Message::assistant(
                    vec![ContentPart::think("hm")],
                    vec![ToolCall::new("c1", "Shell", "{}")],
                ),
            ],
            token_count: 100,
            pending_text_tokens: 7,
            next_checkpoint: 3,
            warnings: vec!["line 2 is broken".into()],
        };
        let all = dump(&loaded);
        assert_eq!(all[0].lines[0], "2 messages");
        assert_eq!(all[0].lines[1], "107 tokens: 100 counted by the provider, about 7 since");
        assert_eq!(all[0].lines[2..], ["3 checkpoints", "! line 2 is broken"]);
        assert_eq!(all[2].lines[1], "… 5 more characters");
        assert_eq!(all[3].lines, ["(thinking) hm", "(call c1) Shell {}"]);
        assert!(all[3].headline.starts_with("2 assistant · about "));
    }
}
