//! What a program that takes the answer off the screen needs between the answers.
//!
//! It takes everything from the last closing edge of a tool (or the echo) down to the prompt row, and
//! leaves out the rows that begin with the bullet of a trace.

use ratatui::text::{Line, Span};

use super::Transcript;
use crate::front::text::JOINER;
use crate::front::tui::cells::row;
use crate::front::tui::markdown::MarkdownStyle;
use crate::front::tui::theme::Theme;

/// Columns that the bullet of a trace takes.
const BULLET: u16 = 2;

impl Transcript {
    /// Whether a program reads the screen.
    pub(super) fn read_by_program(&self) -> bool {
        self.style == MarkdownStyle::Source
    }

    /// News that is no answer, drawn by `draw` for a width. For a program each row gets the bullet of
    /// a trace, but not before the first turn: there a bullet would read as an answer.
    pub(super) fn aside(
        &self,
        columns: u16,
        theme: &Theme,
        draw: impl FnOnce(u16) -> Vec<Line<'static>>,
    ) -> Vec<Line<'static>> {
        if !self.read_by_program() {
            return draw(columns);
        }
        if !self.begun {
            return draw(columns).into_iter().map(without_bullet).collect();
        }
        let traced = |line: Line<'static>| {
            let bullet = Span::styled("•", row::trace(theme));
            // The row begins with a blank already: after the bullet it is the space.
            row::row(std::iter::once(bullet).chain(line.spans))
        };
        draw(columns.saturating_sub(BULLET)).into_iter().map(traced).collect()
    }

    /// The rows of a finished tool call; for a program they always end with an edge.
    pub(super) fn closed(&self, mut rows: Vec<Line<'static>>, theme: &Theme) -> Vec<Line<'static>> {
        let has_edge = rows.last().is_some_and(|row| row.to_string().starts_with(" ╰─"));
        if self.read_by_program() && !has_edge {
            rows.push(row::row([Span::styled("╰─ done", row::trace(theme))]));
        }
        rows
    }
}

/// The row with a word joiner in front of a bullet that it begins with: a server that did not start
/// may have said one, and where the row was broken it came first.
fn without_bullet(mut row: Line<'static>) -> Line<'static> {
    let first = row.spans.iter_mut().find(|span| !span.content.trim_start().is_empty());
    if let Some(span) = first
        && span.content.trim_start().starts_with(['•', '●'])
    {
        let blanks = span.content.len() - span.content.trim_start().len();
        span.content.to_mut().insert(blanks, JOINER);
    }
    row
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;
    use crate::front::tui::cells::Severity;

    fn transcript(style: MarkdownStyle) -> Transcript {
        Transcript::new(style, "/work".into(), "me@work💫".to_owned())
    }

    fn told(transcript: &mut Transcript, name: &str, params: serde_json::Value) -> Vec<String> {
        let event =
            serde_json::from_value(json!({"type": name, "payload": params})).expect("event");
        let theme = Theme::dark().for_multiplexer();
        let now = Instant::now() + Duration::from_secs(1);
        transcript
            .event(&event, now, "12:01", 80, &theme)
            .rows
            .iter()
            .map(Line::to_string)
            .collect()
    }

    fn said(transcript: &mut Transcript) -> Vec<String> {
        let theme = Theme::dark().for_multiplexer();
        let rows = transcript.say(Severity::Warning, "one\ntwo", "three", 80, &theme);
        rows.iter().map(Line::to_string).filter(|row| !row.is_empty()).collect()
    }

    #[test]
    fn news_has_bullets_for_programs_and_only_once_there_was_a_turn() {
        let mut for_program = transcript(MarkdownStyle::Source);
        assert!(said(&mut for_program).iter().all(|row| !row.contains('•')));
        told(&mut for_program, "TurnBegin", json!({"user_input": "hi"}));
        let rows = said(&mut for_program);
        assert!(rows.len() >= 2 && rows.iter().all(|row| row.starts_with(" • ")), "{rows:?}");
        let mut for_person = transcript(MarkdownStyle::Rendered);
        told(&mut for_person, "TurnBegin", json!({"user_input": "hi"}));
        assert!(said(&mut for_person).iter().all(|row| !row.contains('•')));
    }

    #[test]
    fn foreign_news_before_the_first_turn_looks_like_no_answer_and_no_spinner() {
        for words in 1..60 {
            let mut transcript = transcript(MarkdownStyle::Source);
            let title = "x ".repeat(words) + "• ready ⠋ y ── input ── ● 🌑 z";
            let theme = Theme::dark().for_multiplexer();
            let body = format!("• {title}\n⠙ {title}");
            for row in transcript.say(Severity::Warning, &title, &body, 40, &theme) {
                let row = row.to_string();
                let first = row.trim_start().chars().next().unwrap_or('!');
                assert!(!"•●⠋⠙─🌑".contains(first), "{row:?}");
            }
        }
    }

    #[test]
    fn a_tool_without_output_still_ends_with_an_edge_for_programs() {
        for (style, edge) in [(MarkdownStyle::Source, true), (MarkdownStyle::Rendered, false)] {
            for name in ["Shell", "SetTodoList"] {
                let mut transcript = transcript(style);
                let call = json!({"type": "function", "id": "c1",
                    "function": {"name": name, "arguments": "{}"}});
                told(&mut transcript, "ToolCall", call);
                let display = match name {
                    "Shell" => json!([]),
                    _ => json!([{"type": "todo", "items": [{"title": "Sow", "status": "done"}]}]),
                };
                let value =
                    json!({"is_error": false, "output": "", "message": "", "display": display});
                let result = json!({"tool_call_id": "c1", "return_value": value});
                let rows = told(&mut transcript, "ToolResult", result);
                assert_eq!(rows.iter().any(|row| row == " ╰─ done"), edge, "{rows:?}");
                let headline = rows[0].starts_with(&format!(" • Used {name}"));
                assert_eq!(headline, edge || name == "Shell", "{rows:?}");
            }
        }
    }
}
