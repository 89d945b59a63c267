//! Print mode against sessions that play a script.

mod door;
mod ends;
mod input;
mod records;
mod text;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::protocol::{ContentPart, Event, StopReason, ToolCall, ToolReturnValue, UserInput};

/// What a run left behind.
pub(in crate::front::print) struct Ran {
    pub code: ExitCode,
    pub out: String,
    pub err: String,
    ops: Vec<Op>,
}

impl Ran {
    pub fn prompts(&self) -> Vec<String> {
        let text = |op: &Op| match op {
            Op::Prompt { input, .. } => Some(input.text()),
            _ => None,
        };
        self.ops.iter().filter_map(text).collect()
    }

    pub fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }
}

/// Bytes that a test can look at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How the scripted session goes on after a prompt.
pub(in crate::front::print) enum Step {
    Say(Arc<Message>),
    /// Ends the prompt.
    End(Outcome),
    /// Waits for a cancel, which ends the prompt.
    UntilCancelled,
    /// Does as if a signal had come.
    Raise(Signal),
    /// The session dies.
    Die,
}

pub(in crate::front::print) fn event(event: Event) -> Step {
    Step::Say(Arc::new(Message::Event(event)))
}

pub(in crate::front::print) fn text(text: &str) -> Step {
    event(Event::ContentPart(ContentPart::text(text)))
}

pub(in crate::front::print) fn think(think: &str) -> Step {
    event(Event::ContentPart(ContentPart::think(think)))
}

pub(in crate::front::print) fn call(id: &str, name: &str, arguments: &str) -> Step {
    event(Event::ToolCall(ToolCall::new(id, name, arguments)))
}

pub(in crate::front::print) fn more_arguments(more: &str) -> Step {
    event(Event::ToolCallPart { arguments_part: Some(more.to_owned()) })
}

pub(in crate::front::print) fn result(id: &str, return_value: ToolReturnValue) -> Step {
    event(Event::ToolResult { tool_call_id: id.to_owned(), return_value })
}

pub(in crate::front::print) fn begin() -> Step {
    event(Event::TurnBegin { user_input: UserInput::from("hi") })
}

pub(in crate::front::print) fn step(n: u32) -> Step {
    event(Event::StepBegin { n })
}

pub(in crate::front::print) fn retry() -> Step {
    event(Event::StepRetry {
        n: 1,
        next_attempt: 2,
        max_attempts: 3,
        wait_s: 0.0,
        error_type: "APIConnectionError".to_owned(),
        status_code: None,
    })
}

pub(in crate::front::print) fn turn_end() -> Step {
    event(Event::TurnEnd {})
}

pub(in crate::front::print) fn well() -> Step {
    Step::End(Outcome::Finished { stop: StopReason::NoToolCalls })
}

pub(in crate::front::print) fn prompt(text: &str) -> PrintOptions {
    PrintOptions {
        prompt: Some(text.to_owned()),
        session_id: "s-1".to_owned(),
        ..PrintOptions::default()
    }
}

pub(in crate::front::print) fn json(text: &str) -> PrintOptions {
    PrintOptions { output_format: Format::StreamJson, ..prompt(text) }
}

/// Runs with the given stdin; each prompt plays the next of the scripts.
pub(in crate::front::print) async fn play(
    options: PrintOptions,
    stdin: &[u8],
    scripts: Vec<Vec<Step>>,
) -> Ran {
    let (out, err) = (Shared::default(), Shared::default());
    let (code, ops) = play_to(options, stdin, scripts, out.clone(), err.clone()).await;
    Ran { code, out: out.text(), err: err.text(), ops }
}

async fn play_to(
    options: PrintOptions,
    stdin: &[u8],
    scripts: Vec<Vec<Step>>,
    stdout: impl Write + Send + 'static,
    stderr: impl Write + Send + 'static,
) -> (ExitCode, Vec<Op>) {
    let (ops, mut asked) = unbounded_channel::<Op>();
    let (answers, messages) = unbounded_channel();
    let (raise, signals) = unbounded_channel();
    let session = async move {
        let mut seen = Vec::new();
        let mut scripts = scripts.into_iter();
        'session: while let Some(op) = asked.recv().await {
            seen.push(op.clone());
            match op {
                Op::Prompt { id, .. } => {
                    let end = |outcome| Arc::new(Message::Outcome { op_id: id.clone(), outcome });
                    for step in scripts.next().expect("a script for each prompt") {
                        let message = match step {
                            Step::Say(message) => message,
                            Step::End(outcome) => end(outcome),
                            Step::UntilCancelled => {
                                loop {
                                    let op = asked.recv().await.expect("a cancel");
                                    seen.push(op.clone());
                                    if op == Op::Cancel {
                                        break;
                                    }
                                }
                                end(Outcome::Cancelled)
                            }
                            Step::Raise(signal) => {
                                raise.send(signal).unwrap();
                                continue;
                            }
                            Step::Die => break 'session,
                        };
                        if answers.send(message).is_err() {
                            break;
                        }
                    }
                }
                Op::Shutdown => break,
                _ => {}
            }
        }
        drop(answers);
        while let Ok(op) = asked.try_recv() {
            seen.push(op);
        }
        (seen, raise)
    };
    let link = Link { ops, messages, background: None };
    let streams = Streams { stdin, stdout, stderr };
    let run = super::run(options, link, None, streams, signals);
    let (code, (seen, _raise)) = tokio::join!(run, session);
    (code, seen)
}
