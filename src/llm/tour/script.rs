//! The tour's texts.

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::llm::LlmError;

/// `assets/tour/tour.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    pub look: Said,
    pub read: Said,
    pub plan: Plan,
    pub ask: Ask,
    pub write: Write,
    pub edit: Edit,
    pub wrap: Said,
    pub closing: Closing,
    pub later: Said,
    pub side: Said,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    #[serde(default)]
    pub think: String,
    pub text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub text_after_read: String,
    pub text_without_readme: String,
    pub text_after_failure: String,
    pub todos: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    pub text: String,
    pub question: String,
    pub header: String,
    pub options: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    pub label: String,
    pub description: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Write {
    pub think: String,
    pub text: String,
    pub file: String,
    pub content: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    pub text: String,
    pub old: String,
    pub new: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Closing {
    pub after_everything: String,
    pub after_answers: String,
    pub after_dismissal: String,
    pub after_rejection: String,
    pub after_failure: String,
    pub after_no_scratch: String,
    pub text: String,
}

impl Script {
    /// The arguments of `SetTodoList` with the first `done` rows done and the next one begun.
    pub(super) fn todos(&self, done: usize) -> Value {
        let rows = self.plan.todos.iter().enumerate().map(|(at, title)| {
            let status = match at.cmp(&done) {
                std::cmp::Ordering::Less => "done",
                std::cmp::Ordering::Equal => "in_progress",
                std::cmp::Ordering::Greater => "pending",
            };
            json!({"title": title, "status": status})
        });
        json!({"todos": rows.collect::<Vec<_>>()})
    }

    /// The arguments of `AskUserQuestion`.
    pub(super) fn question(&self) -> Value {
        let options = self
            .ask
            .options
            .iter()
            .map(|choice| json!({"label": choice.label, "description": choice.description}));
        json!({"questions": [{
            "question": self.ask.question,
            "header": self.ask.header,
            "options": options.collect::<Vec<_>>(),
        }]})
    }
}

/// The script, read at its first use.
pub(super) fn script() -> Result<&'static Script, LlmError> {
    static SCRIPT: OnceLock<Result<Script, String>> = OnceLock::new();
    let read = || {
        toml::from_str(include_str!("../../../assets/tour/tour.toml"))
            .map_err(|error: toml::de::Error| error.message().to_owned())
    };
    SCRIPT.get_or_init(read).as_ref().map_err(|why| {
        LlmError::Other(format!("the tour's script is broken: {why}; please report this"))
    })
}
