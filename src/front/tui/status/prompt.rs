//! The row above the composer. `── input ── user@dir💫` is the one mark of an idle program: it is on
//! the screen only while a message can be typed, and nothing stands behind its glyph then.

use std::path::Path;

use ratatui::text::{Line, Span};

use crate::front::text::{truncate, width};
use crate::front::tui::theme::{Theme, Tone};

/// Widest directory name in the prompt, in columns: working directories can be 64 digits long.
const DIRECTORY: usize = 24;

/// What the prompt row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Ready; the text of [`mark`].
    Idle(String),
    /// Ready, and a message is being written below: the mark is only there while there is none.
    Writing,
    /// A command for the shell is being written; whether it will wait for a turn.
    Shell { busy: bool },
    /// A turn runs, typed text is queued.
    Busy,
    /// A dialog waits for an answer.
    Dialog,
}

/// `user@dir💫`, with `✨` in place of `💫` when thinking is off.
///
/// Readers expect `\w+@[\w.-]+` in front of the glyph, so everything else becomes `_` or `-`.
pub fn mark(user: &str, directory: &Path, thinking: bool) -> String {
    let user: String =
        user.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
    let user = if user.is_empty() { "user".to_owned() } else { user };
    let name = directory.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let name: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '-' })
        .collect();
    let name = if name.is_empty() { ".".to_owned() } else { end_of(&name) };
    format!("{user}@{name}{}", if thinking { '💫' } else { '✨' })
}

/// The last columns of a name: its beginning is what siblings have in common.
fn end_of(name: &str) -> String {
    let mut rest = name;
    while width(rest) > DIRECTORY {
        let mut chars = rest.chars();
        chars.next();
        rest = chars.as_str();
    }
    rest.to_owned()
}

/// The row in at most `columns` columns.
pub fn line(prompt: &Prompt, columns: u16, theme: &Theme) -> Line<'static> {
    let rule = "── input ──";
    let (text, tone) = match prompt {
        Prompt::Idle(mark) => (mark.as_str(), Tone::Text),
        Prompt::Writing => ("", Tone::Dim),
        Prompt::Shell { busy: false } => ("$ (shell command)", Tone::Accent),
        Prompt::Shell { busy: true } => ("$ (next shell command)", Tone::Accent),
        Prompt::Busy => ("(next message)", Tone::Dim),
        Prompt::Dialog => ("(answer the question above)", Tone::Dim),
    };
    let room = usize::from(columns).saturating_sub(width(rule) + 1);
    let text = match prompt {
        // Cut in the user name: the glyph at the end is what says idle.
        Prompt::Idle(_) => {
            let mut rest = text;
            while width(rest) > room && !rest.is_empty() {
                let mut chars = rest.chars();
                chars.next();
                rest = chars.as_str();
            }
            rest.to_owned()
        }
        _ => truncate(text, room),
    };
    Line::from(vec![
        Span::styled(rule, theme.style(Tone::Border)),
        Span::styled(format!(" {text}"), theme.style(tone)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_has_the_form_that_readers_know() {
        assert_eq!(mark("root", Path::new("/tmp/aa59"), true), "root@aa59💫");
        assert_eq!(mark("a b\\c", Path::new("/x/My Files (1)"), false), "a_b_c@My-Files--1-✨");
        assert_eq!(mark("", Path::new("/"), true), "user@.💫");
        let long = mark("root", Path::new(&format!("/tmp/{}", "0123456789abcdef".repeat(4))), true);
        assert_eq!(long, "root@89abcdef0123456789abcdef💫");
        assert_eq!(mark("u", Path::new("/\x1b[2J💫 x"), true), "u@--2J--x💫");
    }

    #[test]
    fn a_row_for_each_state() {
        let text = |prompt, columns| -> String {
            let line = line(&prompt, columns, &Theme::dark());
            line.spans.iter().map(|span| span.content.as_ref()).collect()
        };
        assert_eq!(text(Prompt::Idle("root@a💫".into()), 80), "── input ── root@a💫");
        assert_eq!(text(Prompt::Busy, 80), "── input ── (next message)");
        assert_eq!(text(Prompt::Dialog, 80), "── input ── (answer the question above)");
        assert_eq!(text(Prompt::Idle("root@a💫".into()), 17), "── input ── t@a💫");
        assert_eq!(text(Prompt::Busy, 20), "── input ── (next m…");
    }
}
