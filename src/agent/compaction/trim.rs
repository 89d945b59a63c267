//! Takes the middle out of long tool results that are in the context already.

use std::path::Path;

use crate::llm::{Message, Role, estimate};
use crate::protocol::ContentPart;
use crate::store::write_new;

/// Characters from which on a result is long.
const LONG: usize = 6_000;
/// Characters of a long result that stay, at its two ends together.
const KEPT: usize = 2_000;

/// Results of calls with the same id that get a file of their own.
const MOST_NAMES: u32 = 10_000;

/// Which results may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those that the model has seen and answered.
    BeforeLastStep,
    All,
}

/// A conversation with shorter results.
#[derive(Debug)]
pub(super) struct Trimmed {
    pub messages: Vec<Message>,
    /// Tokens, by our estimate.
    pub saved: u64,
}

/// The conversation with the long results cut; `None` when there are none. The whole of a result is
/// kept in a file of `dir`, which the cut names.
pub(super) fn trim(messages: &[Message], reach: Reach, dir: &Path) -> Option<Trimmed> {
    let mut saved = 0;
    let mut out = messages.to_vec();
    for message in
        out.iter_mut().take(end(messages, reach)).filter(|message| message.role == Role::Tool)
    {
        let before = estimate::message_tokens(message);
        let id = message.tool_call_id.clone().unwrap_or_default();
        let count = message.content.len();
        for (n, part) in message.content.iter_mut().enumerate() {
            let name = if count == 1 { id.clone() } else { format!("{id}-{n}") };
            cut(part, dir, &name);
        }
        saved += before.saturating_sub(estimate::message_tokens(message));
    }
    (saved > 0).then_some(Trimmed { messages: out, saved })
}

/// About how many tokens [`trim`] would save, without cutting anything.
pub(super) fn saving(messages: &[Message], reach: Reach) -> u64 {
    let results = messages[..end(messages, reach)].iter().filter(|it| it.role == Role::Tool);
    let parts = results.flat_map(|message| &message.content);
    parts
        .map(|part| match part {
            ContentPart::Text { text } if is_long(text) => {
                let (tokens, chars) = (estimate::text_tokens(text), text.chars().count() as u64);
                tokens - tokens * KEPT as u64 / chars
            }
            ContentPart::Text { .. } | ContentPart::Think { .. } => 0,
            _ => estimate::MEDIA_TOKENS,
        })
        .sum()
}

/// Before which message results may be cut.
fn end(messages: &[Message], reach: Reach) -> usize {
    match reach {
        Reach::All => messages.len(),
        Reach::BeforeLastStep => {
            messages.iter().rposition(|message| message.role == Role::Assistant).unwrap_or(0)
        }
    }
}

fn is_long(text: &str) -> bool {
    text.len() > LONG && text.chars().count() > LONG
}

fn cut(part: &mut ContentPart, dir: &Path, name: &str) {
    let text = match part {
        ContentPart::Text { text } => text,
        ContentPart::Think { .. } => return,
        _ => {
            *part = ContentPart::text("[An image, sound or film was left out to free context.]");
            return;
        }
    };
    if !is_long(text) {
        return;
    }
    let Some((head, left_out, tail)) = ends(text, KEPT) else { return };
    let whole = keep(text, dir, name)
        .map_or_else(String::new, |path| format!("; the whole is in {path}, for ReadFile"));
    *part = ContentPart::text(format!(
        "{head}\n[... {left_out} characters left out to free context{whole} ...]\n{tail}"
    ));
}

/// Writes the whole of a result; `None` when it cannot be written, which must not keep the
/// conversation from going on.
fn keep(text: &str, dir: &Path, name: &str) -> Option<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let name: String = name.chars().take(80).map(plain).collect();
    // Models give the same id to calls of different steps: a name that is taken is no sign that
    // this text is there.
    for n in 1..=MOST_NAMES {
        let number = if n == 1 { String::new() } else { format!(".{n}") };
        let path = dir.join(format!("{name}-whole{number}.txt"));
        match write_new(&path, text.as_bytes(), 0o600) {
            Ok(false) if !holds(&path, text) => {}
            Ok(_) => return Some(path.display().to_string()),
            Err(error) => {
                tracing::warn!(%error, "a long result has no file");
                return None;
            }
        }
    }
    None
}

/// Whether that is all that is in the file, as after an attempt to compact that failed later.
fn holds(path: &Path, text: &str) -> bool {
    let same_size = path.metadata().is_ok_and(|found| found.len() == text.len() as u64);
    same_size && std::fs::read(path).is_ok_and(|found| found == text.as_bytes())
}

/// Both ends of a text, `keep` characters together, and how many are left out; `None` for one that is
/// not longer.
pub(super) fn ends(text: &str, keep: usize) -> Option<(&str, usize, &str)> {
    let count = text.chars().count();
    if count <= keep {
        return None;
    }
    let half = keep / 2;
    let head = text.char_indices().nth(half).map_or(text.len(), |(at, _)| at);
    let tail = text.char_indices().nth(count - half).map_or(text.len(), |(at, _)| at);
    Some((&text[..head], count - 2 * half, &text[tail..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ToolCall, ToolReturnValue};

    fn step(id: &str, output: &str) -> [Message; 2] {
        [
            Message::assistant(vec![], vec![ToolCall::new(id, "Shell", "{}")]),
            Message::tool_result(id, &ToolReturnValue::ok(output, "fine")),
        ]
    }

    #[test]
    fn long_results_keep_their_ends_and_have_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let long = format!("HEAD{}TAIL", "我".repeat(9_000));
        let messages = [step("../a", &long), step("b", "short"), step("c", &long)].concat();
        let trimmed = trim(&messages, Reach::BeforeLastStep, dir.path()).unwrap();
        let text = trimmed.messages[1].text();
        assert!(
            text.starts_with("<system>fine</system>\nHEAD") && text.ends_with("TAIL"),
            "{text}"
        );
        assert!(text.contains("7008 characters left out") && text.contains("___a-1-whole.txt"));
        let kept = std::fs::read_to_string(dir.path().join("___a-1-whole.txt")).unwrap();
        assert_eq!(kept, long);
        assert!(trimmed.saved > 6_000, "{}", trimmed.saved);
        assert_eq!(trimmed.messages[2..], messages[2..], "the last step is not touched");
        let all = trim(&messages, Reach::All, dir.path()).unwrap();
        assert!(all.messages[5].text().contains("left out"));
        assert!(trim(&trimmed.messages, Reach::BeforeLastStep, dir.path()).is_none(), "once");
    }

    #[test]
    fn what_is_saved_is_known_before_anything_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        for long in ["x".repeat(40_000), "我".repeat(9_000), "x".repeat(LONG)] {
            let messages = [step("a", &long), step("b", &long)].concat();
            for reach in [Reach::BeforeLastStep, Reach::All] {
                let saved = trim(&messages, reach, dir.path()).map_or(0, |it| it.saved);
                let foretold = saving(&messages, reach);
                assert!(foretold.abs_diff(saved) <= 120, "{foretold} {saved}");
                assert_eq!(foretold == 0, long.len() == LONG);
            }
        }
        assert_eq!(saving(&[Message::user_text("x".repeat(40_000))], Reach::All), 0);
    }

    #[test]
    fn results_of_calls_with_the_same_id_have_a_file_each() {
        let dir = tempfile::tempdir().unwrap();
        let long = |n: usize| format!("result {n} {}", "x".repeat(9_000));
        let messages: Vec<_> = (0..4).flat_map(|n| step("functions.Shell:0", &long(n))).collect();
        let named = |trimmed: &Trimmed| -> Vec<String> {
            let results = trimmed.messages.iter().filter(|message| message.role == Role::Tool);
            let path =
                |text: String| text.split("whole is in ").nth(1)?.split(", ").next()?.parse().ok();
            results.map(|result| path(result.text()).unwrap()).collect()
        };
        let files = named(&trim(&messages, Reach::All, dir.path()).unwrap());
        for (n, file) in files.iter().enumerate() {
            assert_eq!(std::fs::read_to_string(file).unwrap(), long(n));
        }
        let again = named(&trim(&messages, Reach::All, dir.path()).unwrap());
        assert_eq!(again, files, "what is there already is not written again");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_text_has_two_ends() {
        assert_eq!(ends("abcdef", 6), None);
        assert_eq!(ends("abcdef", 4), Some(("ab", 2, "ef")));
        assert_eq!(ends("äöüéèê", 2), Some(("ä", 4, "ê")));
    }
}
