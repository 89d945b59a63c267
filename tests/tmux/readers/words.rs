//! The shapes that readers look for in a row of text.

/// The ten frames of the spinner.
pub const FRAMES: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/// A mark that stands at the end of a prompt.
pub fn is_mark(c: char) -> bool {
    matches!(c, '✨' | '💫')
}

/// The eight moons that a spinner may consist of.
pub fn is_moon(c: char) -> bool {
    matches!(c, '\u{1f311}'..='\u{1f318}')
}

/// Any glyph of braille with a dot in it.
pub fn is_braille(c: char) -> bool {
    matches!(c, '\u{2801}'..='\u{28ff}')
}

/// Whether the row ends in `user@dir💫`.
pub fn ends_in_full_prompt(row: &str) -> bool {
    let row = row.trim_end();
    let Some(name) = row.strip_suffix(is_mark) else { return false };
    let Some((user, directory)) = name.rsplit_once('@') else { return false };
    let word = |c: char| c.is_alphanumeric() || c == '_';
    user.ends_with(word)
        && !directory.is_empty()
        && directory.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

/// Whether the row ends in a mark, whatever stands before it.
pub fn ends_in_mark(row: &str) -> bool {
    row.trim_end().ends_with(is_mark)
}

/// Whether a mark, a blank and more text stand in the row: an echo of a message.
pub fn is_echo(row: &str) -> bool {
    let mut rest = row;
    while let Some(at) = rest.find(is_mark) {
        rest = rest[at..].trim_start_matches(is_mark);
        if rest.starts_with(char::is_whitespace) && !rest.trim().is_empty() {
            return true;
        }
    }
    false
}

/// Whether the status bar is in the row: `agent (…●`, or `context:` with a percentage.
pub fn is_footer(row: &str) -> bool {
    has_agent(row) || has_context(row)
}

fn has_agent(row: &str) -> bool {
    row.match_indices("agent").any(|(at, word)| {
        let rest = row[at + word.len()..].trim_start();
        rest.starts_with('(') && rest.contains('●')
    })
}

fn has_context(row: &str) -> bool {
    row.match_indices("context:").any(|(at, word)| {
        let rest = row[at + word.len()..].trim_start();
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        number.len() < rest.len() && number.starts_with('%')
    })
}

/// Whether the row has a time and, behind it, `agent (` or `shell (`: the status bar's left half.
pub fn is_clock_footer(row: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    row.match_indices(':').any(|(at, _)| {
        let after = &row[at + 1..];
        let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        digit(row[..at].chars().next_back())
            && rest.len() < after.len()
            && rest.starts_with(char::is_whitespace)
            && ["agent", "shell"].iter().any(|word| {
                rest.match_indices(word)
                    .any(|(at, word)| rest[at + word.len()..].trim_start().starts_with('('))
            })
    })
}

/// Whether the row is the rule above the composer.
pub fn is_input_rule(row: &str) -> bool {
    row.trim_start().starts_with("── input ──")
}

/// Whether a program's dying words begin at column 0.
pub fn is_error(row: &str) -> bool {
    const STARTS: [&str; 5] =
        ["Error:", "ERROR:", "Traceback (most recent call last):", "ConnectionError:", "APIError:"];
    STARTS.iter().any(|start| row.starts_with(start))
}

/// Whether servers are still being connected, as a first screen says it.
pub fn is_boot(row: &str) -> bool {
    let row = row.trim();
    row.to_lowercase().contains("connecting to mcp servers")
        || row.starts_with(is_braille) && row.ends_with("(connecting)")
}

/// Whether braille or a moon is anywhere in the row.
pub fn has_spinner_glyph(row: &str) -> bool {
    row.contains(|c| is_braille(c) || is_moon(c))
}

/// Whether the row begins with a spinner frame, or is a moon by itself.
pub fn begins_with_spinner(row: &str) -> bool {
    let row = row.trim();
    row.starts_with(|c| FRAMES.contains(c)) || row.chars().count() == 1 && row.starts_with(is_moon)
}

/// Whether the row begins with a bullet, blanks aside.
pub fn is_bullet(row: &str) -> bool {
    row.trim_start().starts_with('•')
}

/// Whether the row is a full edge of a box, without a word in it.
pub fn is_box_edge(row: &str) -> bool {
    let row = row.trim();
    let inner = row.strip_prefix(['╭', '╰']).and_then(|row| row.strip_suffix(['╮', '╯']));
    inner.is_some_and(|inner| !inner.is_empty() && inner.chars().all(|c| c == '─'))
}

/// Whether the row is a rule from end to end.
pub fn is_rule(row: &str) -> bool {
    let row = row.trim();
    row.chars().count() >= 3 && row.chars().all(|c| matches!(c, '─' | '━' | '═'))
}
