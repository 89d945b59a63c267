//! `/context`: what fills the context window, by kind.

use std::fmt::Write as _;

use super::budget::Usage;
use super::notifications::is_notification;
use crate::llm::{Message, Role, ToolSpec, estimate};
use crate::protocol::ContentPart;

/// What is in the window. Tokens by our own estimate, except `counted`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filling {
    pub system: u64,
    pub tools: u64,
    /// Of `tools` and `system`: what the MCP servers bring.
    pub servers: u64,
    pub user: u64,
    pub reminders: u64,
    pub answers: u64,
    pub thinking: u64,
    pub calls: u64,
    pub results: u64,
    pub media: u64,
    /// The names of tools whose results take the most, with their tokens; all of them together are
    /// `results`.
    pub by_tool: Vec<(String, u64)>,
}

/// How many tools are named.
const NAMED_TOOLS: usize = 5;

impl Filling {
    /// Measures a conversation. `own_tools` are the session's, `more_tools` and `index` those of the
    /// MCP servers.
    pub fn of(
        system: &str,
        index: &str,
        own_tools: &[ToolSpec],
        more_tools: &[ToolSpec],
        messages: &[Message],
    ) -> Self {
        let mut filling = Self {
            system: estimate::text_tokens(system),
            tools: tool_tokens(own_tools),
            servers: tool_tokens(more_tools) + estimate::text_tokens(index),
            ..Self::default()
        };
        let mut names: Vec<(&str, &str)> = Vec::new();
        for message in messages {
            for call in &message.tool_calls {
                names.push((call.id.as_str(), call.function.name.as_str()));
                filling.calls += estimate::text_tokens(&call.function.name)
                    + estimate::text_tokens(call.arguments());
            }
            let results = filling.results;
            for part in &message.content {
                filling.add(message, part);
            }
            if message.role == Role::Tool {
                let id = message.tool_call_id.as_deref().unwrap_or_default();
                let name = names.iter().rev().find(|(known, _)| *known == id);
                let name = name.map_or("", |(_, name)| name);
                filling.add_result(name, filling.results - results);
            }
        }
        filling.by_tool.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        filling
    }

    fn add(&mut self, message: &Message, part: &ContentPart) {
        let field = match (message.role, part) {
            (_, ContentPart::Think { think, .. }) => {
                self.thinking += estimate::text_tokens(think);
                return;
            }
            (_, ContentPart::Text { text }) => {
                let tokens = estimate::text_tokens(text);
                let field = match message.role {
                    Role::Assistant => &mut self.answers,
                    Role::Tool => &mut self.results,
                    _ if is_notification(message) => &mut self.reminders,
                    _ if text.trim_start().starts_with("<system") => &mut self.reminders,
                    _ => &mut self.user,
                };
                *field += tokens;
                return;
            }
            _ => &mut self.media,
        };
        *field += estimate::MEDIA_TOKENS;
    }

    fn add_result(&mut self, name: &str, tokens: u64) {
        match self.by_tool.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum += tokens,
            None => self.by_tool.push((name.to_owned(), tokens)),
        }
    }

    fn sum(&self) -> u64 {
        [
            self.system,
            self.tools,
            self.servers,
            self.user,
            self.reminders,
            self.answers,
            self.thinking,
            self.calls,
            self.results,
            self.media,
        ]
        .iter()
        .sum()
    }
}

/// The window the filling is in.
pub(super) struct Window<'a> {
    pub model: &'a str,
    /// Tokens; 0 when unknown.
    pub max: u64,
    /// What the provider counted last, plus our estimate of what came since.
    pub counted: u64,
    /// Tokens at which the conversation is compacted.
    pub compacts_at: u64,
    pub used: Usage,
}

impl Window<'_> {
    /// The report, as Markdown.
    pub fn report(&self, filling: &Filling) -> String {
        let sum = filling.sum();
        let now = if self.counted > 0 { self.counted } else { sum };
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = match self.max {
            0 => writeln!(text, "**{}**: {} tokens in the context\n", self.model, grouped(now)),
            max => writeln!(
                text,
                "**{}**: {} of {} tokens in the context ({})\n",
                self.model,
                grouped(now),
                grouped(max),
                percent(now, max)
            ),
        };
        text.push_str("| kind | tokens | share |\n|---|---:|---:|\n");
        let rows = [
            ("system prompt", filling.system),
            ("tools", filling.tools),
            ("MCP tools and index", filling.servers),
            ("your messages", filling.user),
            ("reminders and summaries", filling.reminders),
            ("answers", filling.answers),
            ("thinking", filling.thinking),
            ("tool calls", filling.calls),
            ("tool results", filling.results),
            ("images and films", filling.media),
        ];
        for (kind, tokens) in rows.into_iter().filter(|(_, tokens)| *tokens > 0) {
            let _ = writeln!(text, "| {kind} | {} | {} |", grouped(tokens), percent(tokens, sum));
        }
        let _ = writeln!(text, "| all, by our estimate | {} | |", grouped(sum));
        let tools: Vec<String> = filling
            .by_tool
            .iter()
            .filter(|(name, _)| !name.is_empty())
            .take(NAMED_TOOLS)
            .map(|(name, tokens)| format!("{name} {}", grouped(*tokens)))
            .collect();
        if !tools.is_empty() {
            let _ = writeln!(text, "\nTool results by tool: {}.", tools.join(", "));
        }
        if self.max > 0 {
            let room = self.compacts_at.saturating_sub(now);
            let _ = writeln!(
                text,
                "\nCompacted at {} tokens: {} to go. `/compact` does it now.",
                grouped(self.compacts_at),
                grouped(room)
            );
        }
        let _ = write!(text, "\nUsed since the start: {} tokens", grouped(self.used.tokens));
        if let Some(usd) = self.used.usd {
            let _ = write!(text, ", ${usd:.4}");
        }
        text.push('.');
        text
    }
}

fn tool_tokens(tools: &[ToolSpec]) -> u64 {
    tools.iter().map(estimate::tool_tokens).sum()
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        "0 %".to_owned()
    } else {
        format!("{:.1} %", part as f64 * 100.0 / whole as f64)
    }
}

/// `12345` as `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MediaUrl, ToolCall, ToolReturnValue};

    fn filling() -> Filling {
        let image = MediaUrl { url: "data:image/png;base64,AAAA".to_owned(), id: None };
        let messages = [
            Message::user_text("a".repeat(400)),
            Message::user_text("<system-reminder>b</system-reminder>"),
            Message::assistant(
                vec![ContentPart::think("c".repeat(80)), ContentPart::text("d".repeat(40))],
                vec![ToolCall::new("1", "Grep", "{\"pattern\":\"x\"}")],
            ),
            Message::tool_result("1", &ToolReturnValue::ok("e".repeat(4_000), "")),
            Message::user(vec![ContentPart::ImageUrl { image_url: image }]),
            // Nobody has written it.
            Message::user_text(format!("<notification id=\"n1\">{}", "f".repeat(378))),
        ];
        Filling::of(&"s".repeat(800), "index", &[], &[], &messages)
    }

    #[test]
    fn every_kind_is_counted_once() {
        let filling = filling();
        assert_eq!(
            (filling.system, filling.user, filling.answers, filling.thinking),
            (200, 100, 10, 20)
        );
        assert_eq!((filling.results, filling.media, filling.reminders), (1_000, 2_000, 109));
        assert_eq!(filling.by_tool, [("Grep".to_owned(), filling.results)]);
    }

    #[test]
    fn the_report_is_a_table() {
        let window = Window {
            model: "k2",
            max: 262_144,
            counted: 12_345,
            compacts_at: 212_144,
            used: Usage { tokens: 50_000, usd: Some(0.25) },
        };
        insta::assert_snapshot!(window.report(&filling()));
    }

    #[test]
    fn numbers_have_groups() {
        let all = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "1,234,567"]);
    }
}
