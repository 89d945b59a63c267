//! A styled line as the bytes of one terminal row.
//!
//! Every row stands alone: it starts in default attributes and ends in them, so a reader that cuts
//! the screen into rows never needs the row before. Colours of the 256 palette are written
//! `38;5;n`; colon forms of SGR are printed as text by some readers and are never used.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use unicode_segmentation::UnicodeSegmentation;

use crate::front::text::width;

/// Appends `line` as one row of at most `columns` columns, without position, and returns its width.
///
/// What does not fit is cut at a grapheme cluster, so a row never wraps. The row ends with
/// `ESC[0m ESC[K`; a row that fills the width ends with `ESC[0m` alone, because erasing from the last
/// column takes the last character away in some terminals.
pub fn encode(line: &Line<'_>, columns: u16, out: &mut Vec<u8>) -> u16 {
    let limit = usize::from(columns);
    let mut used = 0;
    let mut now = Attributes::default();
    'row: for span in &line.spans {
        let want = Attributes::of(line.style.patch(span.style));
        let text = span.content.as_ref();
        if text.is_ascii() {
            let mut fits = text.bytes().filter(|b| !b.is_ascii_control()).peekable();
            if fits.peek().is_some() && used < limit {
                now.change_to(want, out);
            }
            for byte in fits {
                if used == limit {
                    break 'row;
                }
                out.push(byte);
                used += 1;
            }
            continue;
        }
        for cluster in text.graphemes(true) {
            let clean: String;
            let cluster = if cluster.chars().any(is_dropped) {
                clean = cluster.chars().filter(|c| !is_dropped(*c)).collect();
                clean.as_str()
            } else {
                cluster
            };
            if cluster.is_empty() {
                continue;
            }
            let columns = width(cluster);
            if used + columns > limit {
                break 'row;
            }
            now.change_to(want, out);
            out.extend_from_slice(cluster.as_bytes());
            used += columns;
        }
    }
    out.extend_from_slice(if used < limit { b"\x1b[0m\x1b[K" } else { b"\x1b[0m" });
    u16::try_from(used).unwrap_or(u16::MAX)
}

/// Columns that `line` takes when nothing is cut.
pub fn display_width(line: &Line<'_>) -> usize {
    let clean = |text: &str| text.chars().filter(|c| !is_dropped(*c)).collect::<String>();
    line.spans.iter().map(|span| width(&clean(&span.content))).sum()
}

/// Columns at which characters of two columns begin, in order.
pub(super) fn wide_starts(line: &Line<'_>) -> Vec<u16> {
    if line.spans.iter().all(|span| span.content.is_ascii()) {
        return Vec::new();
    }
    let mut column: usize = 0;
    let mut starts = Vec::new();
    for cluster in line.spans.iter().flat_map(|span| span.content.graphemes(true)) {
        let columns = if cluster.chars().any(is_dropped) { 0 } else { width(cluster) };
        if columns == 2 {
            starts.extend(u16::try_from(column));
        }
        column += columns;
    }
    starts
}

/// The last safety net: characters that steer a terminal are not written, whoever let them through.
fn is_dropped(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Attributes {
    fg: Color,
    bg: Color,
    modifiers: Modifier,
}

impl Default for Attributes {
    fn default() -> Self {
        Self { fg: Color::Reset, bg: Color::Reset, modifiers: Modifier::empty() }
    }
}

/// Modifier, the code that sets it, the code that takes it back.
const MODIFIERS: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

impl Attributes {
    fn of(style: Style) -> Self {
        Self {
            fg: style.fg.unwrap_or(Color::Reset),
            bg: style.bg.unwrap_or(Color::Reset),
            modifiers: style.add_modifier.difference(style.sub_modifier),
        }
    }

    /// Writes the one SGR sequence that leads from here to `want`.
    fn change_to(&mut self, want: Self, out: &mut Vec<u8>) {
        if *self == want {
            return;
        }
        out.extend_from_slice(b"\x1b[");
        let start = out.len();
        if want == Self::default() {
            code(0, start, out);
        } else {
            let gone = self.modifiers.difference(want.modifiers);
            let mut kept = self.modifiers.intersection(want.modifiers);
            for (modifier, _, off) in MODIFIERS {
                if gone.contains(modifier) {
                    code(off, start, out);
                    // One code takes both of a pair away.
                    for (other, _, other_off) in MODIFIERS {
                        if other_off == off {
                            kept.remove(other);
                        }
                    }
                }
            }
            for (modifier, on, _) in MODIFIERS {
                if want.modifiers.contains(modifier) && !kept.contains(modifier) {
                    code(on, start, out);
                }
            }
            if self.fg != want.fg {
                colour(want.fg, 30, start, out);
            }
            if self.bg != want.bg {
                colour(want.bg, 40, start, out);
            }
        }
        out.push(b'm');
        *self = want;
    }
}

fn code(number: u8, start: usize, out: &mut Vec<u8>) {
    if out.len() > start {
        out.push(b';');
    }
    out.extend_from_slice(number.to_string().as_bytes());
}

fn colour(colour: Color, base: u8, start: usize, out: &mut Vec<u8>) {
    let basic = match colour {
        Color::Reset => 9,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 60,
        Color::LightRed => 61,
        Color::LightGreen => 62,
        Color::LightYellow => 63,
        Color::LightBlue => 64,
        Color::LightMagenta => 65,
        Color::LightCyan => 66,
        Color::White => 67,
        Color::Indexed(index) => {
            for number in [base + 8, 5, index] {
                code(number, start, out);
            }
            return;
        }
        Color::Rgb(r, g, b) => {
            for number in [base + 8, 2, r, g, b] {
                code(number, start, out);
            }
            return;
        }
    };
    code(base + basic, start, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Stylize;
    use ratatui::text::Span;

    fn row(line: &Line<'_>, columns: u16) -> String {
        let mut out = Vec::new();
        encode(line, columns, &mut out);
        String::from_utf8(out).expect("UTF-8").replace('\x1b', "^")
    }

    #[test]
    fn plain_text_has_no_attributes_before_it() {
        assert_eq!(row(&Line::from("  hi"), 80), "  hi^[0m^[K");
        assert_eq!(row(&Line::default(), 80), "^[0m^[K");
    }

    #[test]
    fn only_what_changes_is_written() {
        let line = Line::from(vec![
            Span::raw(" "),
            Span::styled("a", Style::new().fg(Color::Indexed(244)).italic()),
            Span::styled("b", Style::new().fg(Color::Indexed(244)).bold().dim()),
            Span::styled("c", Style::new().fg(Color::Indexed(244)).dim()),
            Span::raw("d"),
        ]);
        assert_eq!(row(&line, 80), " ^[3;38;5;244ma^[23;1;2mb^[22;2mc^[0md^[0m^[K");
    }

    #[test]
    fn colours_in_every_form() {
        let line = Line::from(vec![
            Span::styled("a", Style::new().fg(Color::Red).bg(Color::White)),
            Span::styled("b", Style::new().fg(Color::Rgb(1, 2, 3))),
        ]);
        assert_eq!(row(&line, 80), "^[31;107ma^[38;2;1;2;3;49mb^[0m^[K");
    }

    #[test]
    fn the_style_of_the_line_is_under_that_of_the_span() {
        let line = Line::from(vec![Span::raw("a"), Span::raw("b").green()]).red();
        assert_eq!(row(&line, 80), "^[31ma^[32mb^[0m^[K");
    }

    #[test]
    fn what_steers_a_terminal_is_dropped() {
        let line = Line::from("a\x1b[2Jb\x07\r\n\t\u{9b}1mc\u{202e}d\u{7f}é\u{2028}");
        assert_eq!(row(&line, 80), "a[2Jb1mcdé^[0m^[K");
        assert_eq!(row(&Line::from("x\x1b]0;t\x07"), 80), "x]0;t^[0m^[K");
    }

    #[test]
    fn a_row_is_cut_at_a_cluster_and_never_wraps() {
        assert_eq!(row(&Line::from("abcdef"), 4), "abcd^[0m");
        assert_eq!(row(&Line::from("你好吗"), 5), "你好^[0m^[K");
        assert_eq!(row(&Line::from("e\u{301}e\u{301}e\u{301}"), 2), "e\u{301}e\u{301}^[0m");
        let mut out = Vec::new();
        assert_eq!(encode(&Line::from("你好吗"), 80, &mut out), 6);
        assert_eq!(display_width(&Line::from("你\x1b好")), 4);
    }
}
