//! Foreign text is made harmless here before it gets near the screen.

/// Foreign text without escape sequences, control characters and bidirectional overrides.
/// Newlines stay, tabs become four blanks.
pub fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' => Some('\n'),
            '\t' => Some(' '),
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect()
}

/// [`clean`], on one line.
pub fn clean_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}
