//! What changes how the rest of a line is read and yet runs nothing that is not on it, or in a file.

use super::variables::Variables;
use super::{ANY, Word};

/// What a builtin that changes what the rest of the line means turns out to do.
pub(super) enum Settled {
    /// Nothing is known of it.
    No,
    /// What is in a file, or nothing that runs a program.
    Yes,
    /// It keeps a script for later.
    Script(String),
}

/// Reads `source file`, `hash -r` and `trap script signal`.
pub(super) fn builtin(words: &[Word]) -> Settled {
    let texts: Vec<Option<&str>> = words.iter().map(Word::literal).collect();
    match texts.as_slice() {
        [Some("source" | "."), Some("--"), ..] => Settled::No,
        [Some("source" | "."), _, arguments @ ..] => {
            let known = arguments.iter().all(Option::is_some);
            let file = words.get(1).is_some_and(is_file);
            if known && file { Settled::Yes } else { Settled::No }
        }
        [Some("hash"), Some("-r")] => Settled::Yes,
        [Some("trap"), rest @ ..] => trap(rest),
        _ => Settled::No,
    }
}

/// `trap script signal …`: `-` and nothing take back what was kept.
fn trap(words: &[Option<&str>]) -> Settled {
    let words = if words.first() == Some(&Some("--")) { &words[1..] } else { words };
    let is_signal = |word: &Option<&str>| {
        word.is_some_and(|text| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric()))
    };
    match words {
        [Some(script), signals @ ..] if !signals.is_empty() && signals.iter().all(is_signal) => {
            match *script {
                "" | "-" => Settled::Yes,
                text if text.starts_with('-') => Settled::No,
                text => Settled::Script(text.to_owned()),
            }
        }
        _ => Settled::No,
    }
}

/// Whether a word names a file that is where it says: known, or below the home directory.
fn is_file(word: &Word) -> bool {
    let below_home = || {
        let glob = word.glob.as_deref().filter(|_| word.is_one())?;
        glob.strip_prefix("~/").filter(|_| word.text.matches(ANY).count() == 1)
    };
    match word.literal() {
        Some(text) => {
            let is_input = |part: &str| matches!(part, "dev" | "fd" | "proc" | "stdin");
            !text.is_empty() && !text.starts_with('-') && !text.split('/').any(is_input)
        }
        None => below_home().is_some(),
    }
}

/// Makes known what `"$PWD/run.sh"` and `source "$HOME/x"` name, which holds if nothing sets the two.
/// `texts`: the words as they are written.
pub(super) fn find_homes(words: &mut [Word], texts: &[&str], variables: &mut Variables) {
    let mut below = |name: &'static str, text: &str| {
        Some(variables.leads_below(name, text, is_plain)?.to_owned())
    };
    if let [program, ..] = words
        && let Some(rest) = texts.first().and_then(|text| below("PWD", text))
    {
        *program = Word::known(&format!("./{rest}"));
    }
    if let [program, file, ..] = words
        && matches!(&*program.text, "source" | ".")
        && let Some(text) = texts.get(1)
    {
        if let Some(rest) = below("HOME", text) {
            *file = Word::below_home(&rest);
        } else if let Some(rest) = below("PWD", text) {
            *file = Word::known(&format!("./{rest}"));
        }
    }
}

/// Whether a text is a path and nothing else, however it is quoted.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    !text.is_empty() && text.chars().all(plain)
}
