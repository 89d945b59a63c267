//! Markdown as it is, its marks styled.

use ratatui::style::Style;
use ratatui::text::Span;

use super::line::{is_heading, is_rule, marker};
use crate::front::tui::theme::{Theme, Tone};

/// The line that opens or closes a fence.
pub(super) fn fence_mark(line: &str, theme: &Theme) -> Vec<Span<'static>> {
    vec![Span::styled(line.to_owned(), theme.style(Tone::Dim))]
}

/// A line outside fences: every character of it, headings, markers, code and strong text styled.
pub(super) fn spans(line: &str, theme: &Theme) -> Vec<Span<'static>> {
    let content = line.trim_start_matches(' ');
    if is_heading(content) {
        return vec![Span::styled(line.to_owned(), theme.style(Tone::Heading))];
    }
    let blanks = line.len() - content.len();
    let (mark, tone) = match marker(content) {
        _ if is_rule(content) => (content.len(), Tone::Dim),
        Some(end) => (end, Tone::ListMarker),
        None if content.starts_with('>') => (1, Tone::Quote),
        None => (0, Tone::Text),
    };
    let mut spans = Vec::new();
    let (front, rest) = line.split_at_checked(blanks + mark).unwrap_or((line, ""));
    if !front.is_empty() {
        spans.push(Span::styled(front.to_owned(), theme.style(tone)));
    }
    inline(rest, theme, &mut spans);
    spans
}

/// Code spans and strong text; a mark without its partner is text.
fn inline(mut text: &str, theme: &Theme, spans: &mut Vec<Span<'static>>) {
    let mut plain = String::new();
    // A mark that found no partner has none further on either.
    let (mut code, mut strong) = (true, true);
    while let Some(at) = text.find(['`', '*']) {
        let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
        plain.push_str(before);
        let (mark, tone) = match rest {
            _ if code && rest.starts_with('`') => ("`", Tone::InlineCode),
            _ if strong && rest.starts_with("**") => ("**", Tone::Strong),
            _ => {
                let (one, after) = rest.split_at_checked(1).unwrap_or((rest, ""));
                plain.push_str(one);
                text = after;
                continue;
            }
        };
        let inner = rest.get(mark.len()..).unwrap_or_default();
        match inner.find(mark) {
            Some(end) => {
                if !plain.is_empty() {
                    spans.push(Span::styled(std::mem::take(&mut plain), Style::new()));
                }
                let length = end + 2 * mark.len();
                let (marked, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
                spans.push(Span::styled(marked.to_owned(), theme.style(tone)));
                text = after;
            }
            None => {
                if mark == "`" {
                    code = false;
                } else {
                    strong = false;
                }
                plain.push_str(mark);
                text = inner;
            }
        }
    }
    plain.push_str(text);
    if !plain.is_empty() {
        spans.push(Span::styled(plain, Style::new()));
    }
}
