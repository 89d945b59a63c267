//! The user's own words, which a summary must not blur.

use crate::agent::notifications::is_notification;
use crate::agent::turn::is_interruption;
use crate::llm::{Message, Role};
use crate::protocol::ContentPart;

use super::{DROPPED_PREFACE, SUMMARY_PREFACE, push_cut};
use crate::agent::dmail::marked;

/// How a quotation begins, in the message that stands for what was compacted.
const QUOTED: &str = "<system>The user's last message, word for word:</system>\n";
/// Messages that are quoted at most: the one that the turn began with and those given to it later.
const MOST: usize = 4;

/// Where the messages are that the user has sent to the turn at the end, the oldest first. One that
/// stands for what was compacted counts, if it quotes any.
pub(in crate::agent) fn of_turn(messages: &[Message]) -> Vec<usize> {
    let mut found = Vec::new();
    for (n, message) in messages.iter().enumerate().rev() {
        let is_turn_end = message.role == Role::Assistant && message.tool_calls.is_empty();
        if !found.is_empty() && (is_turn_end || is_interruption(message)) {
            break;
        }
        if is_from_user(message) {
            found.push(n);
        }
    }
    found.reverse();
    found
}

/// The text of those that are before `at`; the oldest first. What an earlier compaction has quoted is
/// quoted again.
pub(super) fn before(messages: &[Message], at: usize) -> Vec<String> {
    let mut quoted = Vec::new();
    for message in of_turn(messages).into_iter().filter(|n| *n < at).filter_map(|n| messages.get(n))
    {
        match quotations(message) {
            Some(earlier) => quoted.extend(earlier),
            None => {
                let mut cut = String::new();
                push_cut(&mut cut, &message.text());
                quoted.extend(Some(cut).filter(|text| !text.trim().is_empty()));
            }
        }
    }
    if quoted.len() > MOST {
        // What the turn is about, and the newest.
        quoted.drain(1..=quoted.len() - MOST);
    }
    quoted
}

/// A quotation as it is put into the conversation.
pub(super) fn part(words: &str) -> ContentPart {
    ContentPart::text(format!("{QUOTED}{words}"))
}

/// Whether the user has written it, or it stands for what they have written.
fn is_from_user(message: &Message) -> bool {
    let is_theirs = || {
        message.role == Role::User
            && marked(message).is_none()
            && !is_notification(message)
            && !message.text().trim_start().starts_with("<system")
    };
    quotations(message).map_or_else(is_theirs, |quoted| !quoted.is_empty())
}

/// What a message quotes that stands for what was compacted; `None` for another one.
fn quotations(message: &Message) -> Option<Vec<String>> {
    let mut parts = message.content.iter().filter_map(ContentPart::as_text);
    let preface = parts.next().filter(|_| message.role == Role::User)?;
    (preface == SUMMARY_PREFACE || preface == DROPPED_PREFACE)
        .then(|| parts.filter_map(|part| part.strip_prefix(QUOTED)).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToolCall;

    fn user(text: &str) -> Message {
        Message::user_text(text)
    }

    fn answer() -> Message {
        Message::assistant(vec![ContentPart::text("done")], vec![])
    }

    fn calls() -> Message {
        Message::assistant(vec![], vec![ToolCall::new("c", "Shell", "{}")])
    }

    fn compacted(quoted: &[&str]) -> Message {
        let parts = [SUMMARY_PREFACE, "a summary"].map(ContentPart::text).into_iter();
        Message::user(parts.chain(quoted.iter().map(|words| part(words))).collect())
    }

    fn news() -> Message {
        user("<notification id=\"n1\" category=\"task\">over</notification>")
    }

    #[test]
    fn the_prompt_and_what_was_given_to_its_turn_are_quoted() {
        let messages = [user("old"), answer(), user("task"), calls(), user("steer"), calls()];
        assert_eq!(before(&messages, 5), ["task", "steer"]);
        assert_eq!(before(&messages, 4), ["task"], "the kept end has the other one");
        assert_eq!(before(&messages[..4], 2), [""; 0], "the kept end has it");
        assert_eq!(before(&[user("old"), answer()], 2), ["old"]);
    }

    #[test]
    fn nothing_that_the_program_says_is_taken_for_the_user() {
        let reminder = user("<system-reminder>hm</system-reminder>");
        let mark = user("<system>CHECKPOINT 3</system>");
        let messages = [user("task"), calls(), news(), reminder, mark, calls(), news()];
        assert_eq!(before(&messages, 6), ["task"]);
        assert_eq!(before(&messages, 5), ["task"]);
    }

    #[test]
    fn a_quotation_survives_every_further_compaction() {
        let long = "x".repeat(20_000);
        let first = before(&[user(&long), calls()], 1);
        let again = before(&[compacted(&[&first[0]]), calls(), calls()], 2);
        assert_eq!(again, first, "it is not cut twice");
        let steered = before(&[compacted(&["a", "b"]), calls(), user("c"), calls()], 3);
        assert_eq!(steered, ["a", "b", "c"]);
        let next = before(&[compacted(&["a"]), answer(), user("c"), calls()], 3);
        assert_eq!(next, ["c"], "that turn is over");
        let many: Vec<Message> = (0..7).map(|n| user(&n.to_string())).collect();
        assert_eq!(before(&many, 7), ["0", "4", "5", "6"]);
    }
}
