//! Foreign text is made harmless here before it gets near the screen.

use super::printer::{Tabs, print};

/// Foreign text without escape sequences, control characters and hidden characters.
///
/// Escape sequences vanish whole. Newlines stay; `\r\n` is one; a lone `\r` and a backspace
/// overwrite as they do in a terminal; tabs become blanks up to the next stop, four columns apart.
/// Bidirectional overrides and isolates are shown as `<U+202E>`. Joiners inside emoji and other
/// scripts stay. The result of cleaning is clean: a second time changes nothing.
pub fn clean(text: &str) -> String {
    cleaned(text, Tabs::Blanks)
}

/// [`clean`] for those who know what to do with tabs: they stay, but on lines that are overwritten.
pub fn clean_tabbed(text: &str) -> String {
    cleaned(text, Tabs::Kept)
}

fn cleaned(text: &str, tabs: Tabs) -> String {
    if text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut first = true;
    print(
        text,
        tabs,
        (),
        |(), _, _| (),
        |runs| {
            if !std::mem::take(&mut first) {
                out.push('\n');
            }
            out.extend(runs.into_iter().map(|(run, ())| run));
        },
    );
    out
}

/// [`clean`], on one line: newlines become blanks, those at the end vanish.
pub fn clean_line(text: &str) -> String {
    let mut out = clean(text);
    out.truncate(out.trim_end_matches('\n').len());
    if out.contains('\n') { out.replace('\n', " ") } else { out }
}
