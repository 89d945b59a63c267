//! Who says a message of role `user`: the user, or the program in their name.

use crate::agent::compaction::{DROPPED_PREFACE, SUMMARY_PREFACE};
use crate::llm::{Message, Role};
use crate::protocol::ContentPart;

/// A message of the conversation as a person understands it.
#[derive(Debug, PartialEq)]
pub(super) enum Said<'a> {
    /// What the user wrote, without what the program has added to it.
    User(Vec<&'a ContentPart>),
    /// What the program tells the model of something the user did; the word says what.
    Note(&'static str, Vec<&'a ContentPart>),
    /// Reminders and marks that mean nothing to a person.
    Nothing,
    Assistant(&'a Message),
    Tool(&'a Message),
}

impl<'a> Said<'a> {
    pub fn of(message: &'a Message) -> Self {
        match message.role {
            Role::Assistant => return Self::Assistant(message),
            Role::Tool => return Self::Tool(message),
            Role::System => return Self::Nothing,
            Role::User => {}
        }
        let parts: Vec<_> = message.content.iter().filter(|part| !is_hidden(part)).collect();
        let Some(first) = parts.first() else { return Self::Nothing };
        match first.as_text().and_then(note) {
            Some(what) => Self::Note(what, parts),
            None => Self::User(parts),
        }
    }
}

/// Whether a part is for the model alone.
fn is_hidden(part: &ContentPart) -> bool {
    part.as_text().is_some_and(|text| {
        let text = text.trim_start();
        text.is_empty()
            || ["<system-reminder>", "<notification ", "<system>CHECKPOINT "]
                .iter()
                .any(|mark| text.starts_with(mark))
    })
}

/// What a text of the program tells the model of.
fn note(text: &str) -> Option<&'static str> {
    if text == SUMMARY_PREFACE || text == DROPPED_PREFACE {
        return Some("Summary of what came before");
    }
    let words = text.strip_prefix("<system>")?;
    Some(match words {
        _ if words.starts_with("The user ran a shell command") => "Command of the user",
        _ if words.starts_with("The user has imported context") => "Imported context",
        // kimi-cli's words for the same as ours above.
        _ if words.starts_with("Previous context has been compacted") => {
            "Summary of what came before"
        }
        _ => "Note to the model",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToolReturnValue;

    fn said(parts: &[&str]) -> String {
        let parts = parts.iter().copied().map(ContentPart::text).collect();
        match Said::of(&Message::user(parts)) {
            Said::User(parts) => format!("user {}", parts.len()),
            Said::Note(what, parts) => format!("{what} {}", parts.len()),
            Said::Nothing => "nothing".to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_program_is_told_from_the_user() {
        assert_eq!(said(&["hello"]), "user 1");
        assert_eq!(said(&["hello", "<system-reminder>x</system-reminder>"]), "user 1");
        assert_eq!(said(&["<system-reminder>x</system-reminder>"]), "nothing");
        assert_eq!(said(&["<system>CHECKPOINT 3</system>"]), "nothing");
        assert_eq!(said(&["<notification id=\"n1\">x</notification>"]), "nothing");
        assert_eq!(said(&[]), "nothing");
        assert_eq!(said(&[SUMMARY_PREFACE, "words"]), "Summary of what came before 2");
        assert_eq!(
            said(&["<system>The user ran a shell command ...</system>\nx"]),
            "Command of the user 1"
        );
        assert_eq!(said(&["<system>A letter</system>"]), "Note to the model 1");
        let result = Message::tool_result("c", &ToolReturnValue::ok("", ""));
        assert!(matches!(Said::of(&result), Said::Tool(_)));
    }
}
