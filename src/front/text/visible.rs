//! Text whose every character a person must see: nothing in it is carried out.

use super::width::width;
use crate::platform::hidden::is_hidden;

/// Columns between two tab stops.
const TAB: usize = 4;

/// Zero-width characters in a row that are kept: enough for the tags of a flag, too few to bury a
/// row under combining marks.
const MAX_ZERO_WIDTH: usize = 8;

/// Text that somebody consents to or that is somebody's content (a command, a file, an argument, a
/// question), with everything that a terminal would carry out or hide written out.
///
/// Control characters become `^[`, `^M`, `^?`; those above ASCII, overrides of the direction and
/// invisible characters become `<U+202E>`. Newlines stay; tabs become blanks up to the next stop,
/// four columns apart. Joiners inside emoji and other scripts stay.
pub fn visible(text: &str) -> String {
    render(text, Hidden::Shown)
}

/// [`visible`], on one line: newlines become blanks, those at the end vanish.
pub fn visible_line(text: &str) -> String {
    one_line(visible(text))
}

/// Whether [`visible`] writes out anything of a text.
pub fn hides(text: &str) -> bool {
    text.split(['\n', '\t']).any(|part| {
        !part.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && visible(part) != part
    })
}

/// Text of a model: a lone carriage return ends a line, other control characters are written out as
/// [`visible`] does, invisible characters are dropped one by one. No letter is ever lost.
pub fn prose(text: &str) -> String {
    let text = if text.contains(['\r', '\u{2028}', '\u{2029}']) {
        &text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n")
    } else {
        text
    };
    render(text, Hidden::Dropped)
}

/// [`prose`], on one line: newlines become blanks, those at the end vanish.
pub fn prose_line(text: &str) -> String {
    one_line(prose(text))
}

fn one_line(mut text: String) -> String {
    text.truncate(text.trim_end_matches('\n').len());
    if text.contains('\n') { text.replace('\n', " ") } else { text }
}

/// What becomes of invisible characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Shown,
    Dropped,
}

fn render(text: &str, hidden: Hidden) -> String {
    if text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let mut column = 0;
        for (index, part) in line.split('\t').enumerate() {
            if index > 0 {
                let blanks = TAB - column % TAB;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            let start = out.len();
            write_out(part, hidden, &mut out);
            column += width(out.get(start..).unwrap_or_default());
        }
    }
    out
}

/// A run without control characters, with what hides text dropped and what reorders it visible.
pub(super) fn without_hidden(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    write_out(text, Hidden::Dropped, &mut out);
    out
}

fn write_out(text: &str, hidden: Hidden, out: &mut String) {
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    let mut zero_width = 0;
    while let Some(c) = chars.next() {
        let keep = match c {
            '\0'..='\u{1f}' | '\u{7f}' => {
                out.push('^');
                out.push(char::from((c as u8) ^ 0x40));
                before = ' ';
                zero_width = 0;
                continue;
            }
            '\u{80}'..='\u{9f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{2028}'
            | '\u{2029}' => {
                code_point(c, out);
                before = '>';
                zero_width = 0;
                continue;
            }
            // The joiners and the zero-width blank mean something only inside other scripts.
            '\u{200b}'..='\u{200d}' => {
                !before.is_ascii() && chars.peek().is_some_and(|next| !is_written_out(*next))
            }
            // Directional marks, soft hyphen, byte order mark, annotations, invisible operators.
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2061}'..='\u{2065}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' => false,
            // Tags spell the regions of flags; anywhere else they carry hidden text.
            '\u{e0000}'..='\u{e007f}' => {
                before == '\u{1f3f4}' || ('\u{e0000}'..='\u{e007f}').contains(&before)
            }
            // One selector after a character, never a chain of them.
            c if is_selector(c) => {
                // After an ASCII character it makes a key cap, or hides.
                let bare = before.is_ascii() && chars.peek() != Some(&'\u{20e3}');
                !is_selector(before) && (hidden == Hidden::Dropped || !bare)
            }
            // The word joiner is ours where text is defused; fillers are letters without a shape.
            c => hidden == Hidden::Dropped || !is_hidden(c),
        };
        let is_zero = unicode_width::UnicodeWidthChar::width(c) == Some(0);
        if keep && !(is_zero && zero_width >= MAX_ZERO_WIDTH) {
            zero_width = if is_zero { zero_width + 1 } else { 0 };
            out.push(c);
            before = c;
        } else if hidden == Hidden::Shown {
            code_point(c, out);
            before = '>';
            zero_width = 0;
        }
    }
}

/// `<U+202E>`.
fn code_point(c: char, out: &mut String) {
    out.push_str(&format!("<U+{:04X}>", u32::from(c)));
}

/// ASCII, and what is never there as itself afterwards.
fn is_written_out(c: char) -> bool {
    matches!(c, '\0'..='\u{9f}' | '\u{200b}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}')
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}
