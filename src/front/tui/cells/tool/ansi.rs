//! Coloured output of tools as styled lines; everything but the colours is removed.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::front::text::{Tabs, print};
use crate::front::tui::theme::{indexed, rgb};

/// What is taken of one output; a preview never shows more.
pub const MAX_ANSI_BYTES: usize = 256 * 1024;

/// The lines of a tool's output, its SGR colours as styles over `base`, everything else as
/// [`clean`](crate::front::text::clean) leaves it. Text after [`MAX_ANSI_BYTES`] is dropped; an empty last line
/// is no line.
///
/// The colours are those the tool asked for: pass the styles through
/// [`Theme::adapt`](crate::front::tui::theme::Theme::adapt) before they are drawn.
pub fn ansi_lines(text: &str, base: Style) -> Vec<Line<'static>> {
    let mut end = text.len().min(MAX_ANSI_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut lines = Vec::new();
    print(
        text.get(..end).unwrap_or_default(),
        Tabs::Blanks,
        base,
        |style, params, last| if last == 'm' { sgr(style, base, params) } else { style },
        |runs| {
            lines.push(Line::from(
                runs.into_iter()
                    .filter(|(run, _)| !run.is_empty())
                    .map(|(run, style)| Span::styled(run, style))
                    .collect::<Vec<_>>(),
            ));
        },
    );
    if lines.last().is_some_and(|line| line.spans.is_empty()) {
        lines.pop();
    }
    lines
}

/// The style after `CSI params m`. Blinking and concealed text stay plain: nothing may hide.
fn sgr(mut style: Style, base: Style, params: &str) -> Style {
    if params.starts_with(['<', '=', '>', '?']) {
        return style;
    }
    let mut codes = params.split([';', ':']).map(|code| code.parse::<u16>().unwrap_or(0));
    while let Some(code) = codes.next() {
        style = match code {
            0 => base,
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 | 21 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
            23 => style.remove_modifier(Modifier::ITALIC),
            24 => style.remove_modifier(Modifier::UNDERLINED),
            27 => style.remove_modifier(Modifier::REVERSED),
            29 => style.remove_modifier(Modifier::CROSSED_OUT),
            30..=37 => style.fg(basic(code - 30)),
            90..=97 => style.fg(basic(code - 82)),
            40..=47 => style.bg(basic(code - 40)),
            100..=107 => style.bg(basic(code - 92)),
            38 | 48 => {
                let Some(colour) = extended(&mut codes) else { return style };
                if code == 38 { style.fg(colour) } else { style.bg(colour) }
            }
            39 => Style { fg: base.fg, ..style },
            49 => Style { bg: base.bg, ..style },
            _ => style,
        };
    }
    style
}

/// One of the sixteen colours, 0 to 15.
fn basic(index: u16) -> Color {
    indexed(u8::try_from(index).unwrap_or(7))
}

/// The colour after `38` or `48`: `5;n` or `2;r;g;b`.
fn extended(codes: &mut impl Iterator<Item = u16>) -> Option<Color> {
    let mut byte = || codes.next().map(|code| u8::try_from(code).unwrap_or(u8::MAX));
    match byte()? {
        5 => byte().map(indexed),
        2 => Some(rgb(byte()?, byte()?, byte()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn coloured_output_becomes_styles() {
        let lines = ansi_lines(
            "\x1b[1;31mred\x1b[0m no\x1b[38;5;200mx\x1b[38;2;1;2;3my\x1b[8mz\n",
            Style::new(),
        );
        assert_eq!(lines.len(), 1);
        let spans = &lines[0].spans;
        assert_eq!(
            spans[0],
            Span::styled("red", Style::new().fg(indexed(1)).add_modifier(Modifier::BOLD))
        );
        assert_eq!(spans[1], Span::raw(" no"));
        assert_eq!(spans[2], Span::styled("x", Style::new().fg(indexed(200))));
        assert_eq!(spans[3], Span::styled("yz", Style::new().fg(rgb(1, 2, 3))));
    }

    #[test]
    fn coloured_output_resolves_carriage_returns_and_is_capped() {
        let lines = ansi_lines("old text\r\x1b[32mnew\x1b[K\x1b[0m\nb", Style::new());
        assert_eq!(lines[0].spans, [Span::styled("new", Style::new().fg(indexed(2)))]);
        assert_eq!(lines[1].to_string(), "b");
        let huge = "é".repeat(MAX_ANSI_BYTES);
        assert_eq!(ansi_lines(&huge, Style::new())[0].to_string().len(), MAX_ANSI_BYTES);
    }

    proptest! {
        #[test]
        fn no_control_character_is_left(text in "[a-c\\r\\n\\t\\x08\\x1b\\[\\]\\x07\\x{9b}\\x{202e}31mK;]{0,60}") {
            let all: String = ansi_lines(&text, Style::new()).iter().map(ToString::to_string).collect();
            prop_assert!(all.chars().all(|c| !c.is_control()), "{all:?}");
        }
    }
}
