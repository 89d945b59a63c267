//! The built-in scripted model: a tour of the program for someone who has no model yet.
//!
//! It looks at the conversation to find where the tour stands and streams the next piece, at the
//! pace of a model, with real tool calls. Everything it says is in `assets/tour/tour.toml`.

mod pace;
mod script;
mod state;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::{ChatRequest, DeltaStream, LlmError, ModelSpec, Provider, estimate};
use crate::platform::Env;
use script::Script;
use state::{Outcome, Place, Progress};

/// Names the directory the tour may write into; it must exist. Without it nothing is written.
pub const SCRATCH: &str = "KIMI_TOUR_SCRATCH";
/// Tokens per second; 0 for no pace at all.
pub const RATE: &str = "KIMI_TOUR_RATE";
/// A rate at which one can read along.
const STANDARD_RATE: f64 = 60.0;

/// One answer of the tour, before it is streamed.
#[derive(Debug, Clone, Default, PartialEq)]
struct Answer {
    think: String,
    text: String,
    /// Name and arguments.
    call: Option<(&'static str, serde_json::Value)>,
}

/// The scripted model.
pub(super) struct Tour {
    scratch: Option<PathBuf>,
    /// Time of one token.
    pace: Duration,
}

impl Tour {
    /// Settings come from the spec's environment, then from that of the process.
    pub(super) fn new(spec: &ModelSpec, env: &Env) -> Self {
        let var = |name| {
            let own = spec.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
            own.or_else(|| env.var(name)).filter(|value| !value.is_empty())
        };
        let rate = var(RATE)
            .and_then(|rate| rate.trim().parse().ok())
            .filter(|rate: &f64| rate.is_finite() && *rate >= 0.0)
            .unwrap_or(STANDARD_RATE);
        let pace = if rate > 0.0 {
            Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::from_secs(1))
        } else {
            Duration::ZERO
        };
        Self { scratch: var(SCRATCH).map(PathBuf::from), pace }
    }

    fn answer(&self, script: &Script, request: &ChatRequest<'_>) -> Answer {
        if request.tools.is_empty() {
            return Answer { text: script.side.text.clone(), ..Answer::default() };
        }
        let offered: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
        let progress = Progress::of(request.messages);
        let scratch = self.scratch.as_deref();
        let place = progress.place(&offered, scratch.is_some());
        match place {
            Place::Later => Answer {
                think: script.later.think.clone(),
                text: script.later.text.clone(),
                call: None,
            },
            Place::Look => Answer {
                think: script.look.think.clone(),
                text: script.look.text.clone(),
                call: Some(("Glob", json!({"pattern": "*"}))),
            },
            Place::Read { readme, count } => {
                let fill = |text: &str| {
                    text.replace("{entries}", &entries(count)).replace("{readme}", &readme)
                };
                Answer {
                    think: fill(&script.read.think),
                    text: fill(&script.read.text),
                    call: Some(("ReadFile", json!({"path": readme, "n_lines": 20}))),
                }
            }
            Place::Plan { count, read } => Answer {
                text: match (count, read) {
                    (None, _) => script.plan.text_after_failure.clone(),
                    (Some(_), true) => script.plan.text_after_read.clone(),
                    (Some(count), false) => {
                        script.plan.text_without_readme.replace("{entries}", &entries(count))
                    }
                },
                call: Some(("SetTodoList", script.todos(1))),
                ..Answer::default()
            },
            Place::Ask => Answer {
                text: script.ask.text.clone(),
                call: Some(("AskUserQuestion", script.question())),
                ..Answer::default()
            },
            Place::Write { choice } => Answer {
                think: script.write.think.clone(),
                text: script.write.text.replace("{choice}", &choice),
                call: Some((
                    "WriteFile",
                    json!({"path": self.file(script), "content": script.write.content}),
                )),
            },
            Place::Edit => Answer {
                text: script.edit.text.clone(),
                call: Some((
                    "StrReplaceFile",
                    json!({"path": self.file(script),
                        "edit": {"old": script.edit.old, "new": script.edit.new}}),
                )),
                ..Answer::default()
            },
            Place::Wrap => Answer {
                text: script.wrap.text.clone(),
                call: Some(("SetTodoList", script.todos(script.plan.todos.len()))),
                ..Answer::default()
            },
            Place::Closing(outcome) => {
                let closing = &script.closing;
                let outcome = match outcome {
                    Outcome::Everything => &closing.after_everything,
                    Outcome::AnswersOnly => &closing.after_answers,
                    Outcome::Dismissed => &closing.after_dismissal,
                    Outcome::Rejected => &closing.after_rejection,
                    Outcome::Failed => &closing.after_failure,
                    Outcome::NoScratch => &closing.after_no_scratch,
                };
                let text = closing.text.replace("{outcome}", outcome);
                Answer { text: text.replace("{path}", &self.file(script)), ..Answer::default() }
            }
        }
    }

    /// The file that the tour writes.
    fn file(&self, script: &Script) -> String {
        let scratch = self.scratch.clone().unwrap_or_default();
        scratch.join(&script.write.file).to_string_lossy().into_owned()
    }
}

fn entries(count: usize) -> String {
    match count {
        0 => "No entries".to_owned(),
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    }
}

#[async_trait]
impl Provider for Tour {
    async fn stream(&self, request: ChatRequest<'_>) -> Result<DeltaStream, LlmError> {
        let answer = self.answer(script::script()?, &request);
        // Ids count the calls of the whole conversation, so that they stay unique in it.
        let calls: usize = request.messages.iter().map(|message| message.tool_calls.len()).sum();
        let id = format!("tour-{}", calls + 1);
        Ok(pace::stream(answer, id, estimate::request_tokens(&request), self.pace))
    }
}
