//! What a hook says by its end and its outputs.

use std::io;

use serde_json::Value;

use crate::platform::process::{Captured, End};

/// The exit status that forbids.
const BLOCK: i32 = 2;
/// Most characters of a reason, and of a text for the model.
const MAX_TEXT: usize = 10_000;

/// What a hook has to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// It forbids, for this reason, which may be empty.
    pub block: Option<String>,
    /// It said in so many words that it allows.
    pub allow: bool,
    /// A text for the model.
    pub context: Option<String>,
    /// Why it has nothing to say although it should have, for a person.
    pub fault: Option<String>,
}

impl Answer {
    fn fault(fault: impl Into<String>) -> Self {
        Self { fault: Some(fault.into()), ..Self::default() }
    }

    /// A fault forbids when the hook fails closed.
    pub fn closed(mut self, fail_closed: bool) -> Self {
        if let (true, None, Some(fault)) = (fail_closed, &self.block, &self.fault) {
            self.block = Some(format!("The hook that guards this did not answer: {fault}"));
            self.allow = false;
        }
        self
    }

    /// How it ended, in a few words.
    pub fn told(&self) -> String {
        match (&self.block, &self.fault) {
            (Some(reason), _) if reason.is_empty() => "blocked".to_owned(),
            (Some(reason), _) => format!("blocked: {reason}"),
            (None, Some(fault)) => fault.clone(),
            (None, None) => "allowed".to_owned(),
        }
    }
}

/// Reads the end of a command: status 2 forbids with what it wrote to standard error; status 0 may
/// forbid by JSON on standard output; everything else says nothing.
pub(super) fn read(ran: io::Result<Captured>, timeout: u64) -> Answer {
    let captured = match ran {
        Ok(captured) => captured,
        Err(error) => return Answer::fault(format!("it could not be started: {error}")),
    };
    let status = match captured.end {
        End::Exited(status) => status,
        End::TimedOut | End::Cancelled | End::LetGo => {
            return Answer::fault(format!("it was killed by its timeout ({timeout}s)"));
        }
    };
    match status.code() {
        Some(BLOCK) => {
            Answer { block: Some(bounded(&captured.stderr.text())), ..Answer::default() }
        }
        Some(0) => json(&captured.stdout.text()),
        Some(code) => Answer::fault(format!("it ended with status {code}")),
        None => Answer::fault(format!("it was ended by a signal ({status})")),
    }
}

/// Reads what a hook that went well wrote to standard output. What does not even begin like an object
/// is talk: the status alone counts. An object that cannot be read, or whose fields have other types
/// than they should, says nothing, and the hook counts as failed.
fn json(text: &str) -> Answer {
    let text = text.trim();
    if !text.starts_with('{') {
        return Answer::default();
    }
    let Ok(Value::Object(said)) = serde_json::from_str::<Value>(text) else {
        return Answer::fault("it wrote what is no answer");
    };
    let mut answer = Answer::default();
    match said.get("hookSpecificOutput") {
        None | Some(Value::Null) => {}
        Some(Value::Object(output)) => {
            match output.get("permissionDecision") {
                None | Some(Value::Null) => {}
                Some(Value::String(word)) => match word.as_str() {
                    "deny" => {
                        answer.block = Some(text_of(output.get("permissionDecisionReason")));
                    }
                    "allow" => answer.allow = true,
                    "ask" | "defer" => {}
                    _ => answer.fault = Some("it decided on what is no decision".to_owned()),
                },
                Some(_) => answer.fault = Some("it decided on what is no decision".to_owned()),
            }
            match output.get("additionalContext") {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => answer.context = Some(bounded(text)),
                Some(_) => answer.fault = Some("its additionalContext is no text".to_owned()),
            }
        }
        Some(_) => answer.fault = Some("its hookSpecificOutput is no object".to_owned()),
    }
    // Spelled as hooks of other programs do.
    let blocks = said.get("decision").and_then(Value::as_str) == Some("block");
    if answer.block.is_none() && blocks {
        answer.block = Some(text_of(said.get("reason")));
    }
    if answer.block.is_none() && said.get("continue") == Some(&Value::Bool(false)) {
        answer.block = Some(text_of(said.get("stopReason")));
    }
    answer.allow &= answer.block.is_none() && answer.fault.is_none();
    answer.context = answer.context.filter(|context| !context.is_empty());
    answer
}

fn text_of(value: Option<&Value>) -> String {
    bounded(value.and_then(Value::as_str).unwrap_or_default())
}

/// What the model, a person and clients may see: without control characters, which a hook may have
/// written by mistake, and not without end.
fn bounded(text: &str) -> String {
    let drop = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let text: String = text.chars().filter(drop).collect();
    let text = text.trim();
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str) -> Option<String> {
        json(text).block
    }

    #[test]
    fn a_denial_is_read() {
        let deny = |more: &str| {
            blocks(&format!(r#"{{"hookSpecificOutput":{{"permissionDecision":"deny"{more}}}}}"#))
        };
        assert_eq!(deny(r#","permissionDecisionReason":" no ""#), Some("no".into()));
        assert_eq!(deny(""), Some(String::new()));
        // A reason that is no text takes nothing from the denial.
        assert_eq!(deny(r#","permissionDecisionReason":{"x":[]}"#), Some(String::new()));
        assert_eq!(deny(r#","additionalContext":7"#), Some(String::new()));
        assert_eq!(blocks(r#"{"decision":"block","reason":"r"}"#), Some("r".into()));
        assert_eq!(blocks(r#"{"continue":false,"stopReason":"s"}"#), Some("s".into()));
        // Whatever else stands beside it.
        let both = r#"{"hookSpecificOutput":"deny","decision":"block","reason":"r"}"#;
        assert_eq!(blocks(both), Some("r".into()));
    }

    #[test]
    fn what_is_no_answer_allows_and_is_a_fault() {
        for text in [
            "{",
            "{} {}",
            r#"{"hookSpecificOutput":{"permissionDecision":"deny"}"#,
            r#"{"hookSpecificOutput":"deny"}"#,
            r#"{"hookSpecificOutput":["deny"]}"#,
            r#"{"hookSpecificOutput":{"permissionDecision":{"a":1}}}"#,
            r#"{"hookSpecificOutput":{"permissionDecision":"DENY"}}"#,
            r#"{"hookSpecificOutput":{"permissionDecision":"allow","additionalContext":{}}}"#,
            &format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        ] {
            let answer = json(text);
            assert!(answer.block.is_none() && !answer.allow, "{text:.60}");
            assert!(answer.fault.is_some(), "{text:.60}");
            assert!(answer.clone().closed(false).block.is_none());
            assert!(answer.closed(true).block.unwrap().contains("did not answer"), "{text:.60}");
        }
        for text in [
            "",
            " \n",
            "ok",
            "[]",
            "null",
            "\"deny\"",
            "{}",
            r#"{"hookSpecificOutput":null}"#,
            r#"{"x":1}"#,
        ] {
            assert_eq!(json(text), Answer::default(), "{text}");
        }
    }

    #[test]
    fn a_text_for_the_model_is_read_and_bounded() {
        let said = |text: &str| {
            json(&format!(r#"{{"hookSpecificOutput":{{"additionalContext":"{text}"}}}}"#)).context
        };
        assert_eq!(said(" mind this "), Some("mind this".into()));
        assert_eq!(said("  "), None);
        assert_eq!(said(r"\u0000 a\tb\nc\u001b[2J\u0000"), Some("a\tb\nc[2J".into()));
        assert_eq!(said(&"é".repeat(20_000)).unwrap().chars().count(), MAX_TEXT + 1);
    }

    #[test]
    fn an_answer_is_told_in_a_line() {
        let answer = |text: &str| json(text).told();
        assert_eq!(answer(""), "allowed");
        assert_eq!(answer(r#"{"decision":"block","reason":"r"}"#), "blocked: r");
        assert_eq!(answer("{x"), "it wrote what is no answer");
    }
}
