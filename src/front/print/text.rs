//! The text form: the answer on stdout as it arrives, what happens around it on stderr.

use std::borrow::Cow;

use serde_json::Value;

use super::Printer;
use super::output::Pieces;
use crate::protocol::{ContentPart, DisplayBlock, Event, Outcome, ToolCall, ToolReturnValue};

/// Characters of a line about a tool call.
const MAX_LINE: usize = 120;

const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Streams text; one value per run.
pub(super) struct Text {
    out_is_terminal: bool,
    err_is_terminal: bool,
    cleaner: Cleaner,
    /// What this step's attempt has put on stdout.
    printed: String,
    /// What failed attempts of this step left there, and how much of it the new attempt repeated.
    withdrawn: Option<Repetition>,
    /// Whether stdout stands in the middle of a line.
    mid_line: bool,
    /// Whether thinking is being shown.
    thinking: bool,
    /// The call whose arguments may still grow.
    call: Option<ToolCall>,
}

/// A new attempt measured against the text of the failed one.
struct Repetition {
    text: String,
    same: usize,
}

impl Text {
    /// Which streams are terminals decides on cleaning and on thinking.
    pub fn new(out_is_terminal: bool, err_is_terminal: bool) -> Self {
        Self {
            out_is_terminal,
            err_is_terminal,
            cleaner: Cleaner(out_is_terminal),
            printed: String::new(),
            withdrawn: None,
            mid_line: false,
            thinking: false,
            call: None,
        }
    }

    /// Text of the answer.
    fn answer(&mut self, text: &str, to: &mut Pieces) {
        let Some(repetition) = &mut self.withdrawn else {
            return self.put(text, to);
        };
        let before = repetition.text.get(repetition.same..).unwrap_or_default();
        let common = common_prefix(before, text);
        repetition.same += common;
        let rest = text.get(common..).unwrap_or_default();
        if repetition.same == repetition.text.len() {
            // The failed text is repeated whole: it stands, and the rest follows it.
            self.printed = self.withdrawn.take().map(|whole| whole.text).unwrap_or_default();
            self.put(rest, to);
        } else if !rest.is_empty() {
            self.withdraw(to);
            self.put(rest, to);
        }
    }

    /// Says that the failed text does not count, and repeats what the new attempt has said so far.
    fn withdraw(&mut self, to: &mut Pieces) {
        let Some(mut repetition) = self.withdrawn.take() else {
            return;
        };
        self.end_line(to);
        self.line("[retrying: the text above is withdrawn]", to);
        repetition.text.truncate(repetition.same);
        self.put(&repetition.text, to);
    }

    fn put(&mut self, text: &str, to: &mut Pieces) {
        if text.is_empty() {
            return;
        }
        self.end_thinking(to);
        to.out(&self.cleaner.clean(text));
        self.printed.push_str(text);
        self.mid_line = !text.ends_with('\n');
    }

    /// No more text comes before something else is shown.
    fn end_block(&mut self, to: &mut Pieces) {
        self.withdraw(to);
        self.end_thinking(to);
        self.end_line(to);
        self.end_call(to);
    }

    /// The message is whole and cannot be withdrawn any more.
    fn end_message(&mut self, to: &mut Pieces) {
        self.end_block(to);
        self.printed.clear();
    }

    fn end_line(&mut self, to: &mut Pieces) {
        if std::mem::take(&mut self.mid_line) {
            to.out("\n");
        }
    }

    fn think(&mut self, think: &str, to: &mut Pieces) {
        if !self.err_is_terminal || think.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.thinking, true) {
            if self.out_is_terminal {
                self.end_line(to);
            }
            to.err(DIM);
        }
        to.err(&Cleaner(true).clean(think));
    }

    fn end_thinking(&mut self, to: &mut Pieces) {
        if std::mem::take(&mut self.thinking) {
            to.err(PLAIN);
            to.err("\n");
        }
    }

    /// The line about a call, once its arguments are whole.
    fn end_call(&mut self, to: &mut Pieces) {
        if let Some(call) = self.call.take() {
            self.line(&describe(&call), to);
        }
    }

    /// A line of our own on stderr.
    fn line(&mut self, text: &str, to: &mut Pieces) {
        self.end_thinking(to);
        to.err(&format!("{}\n", clean_line(text)));
    }

    /// `why` is what the failed attempt failed with and how long the wait is.
    fn retry(&mut self, next_attempt: u32, max_attempts: u32, why: &str, to: &mut Pieces) {
        self.end_thinking(to);
        self.call = None;
        // An attempt that failed while it repeated an earlier one has put nothing new there.
        if self.withdrawn.is_none() && !self.printed.is_empty() {
            let text = std::mem::take(&mut self.printed);
            self.withdrawn = Some(Repetition { text, same: 0 });
        } else if let Some(repetition) = &mut self.withdrawn {
            repetition.same = 0;
        }
        if self.mid_line && self.out_is_terminal {
            to.err("\n");
        }
        self.line(&format!("[{why}, attempt {next_attempt} of {max_attempts}]"), to);
    }
}

/// Tenths below ten, whole ones from there on.
fn seconds(seconds: f64) -> f64 {
    if seconds < 10.0 { (seconds * 10.0).round() / 10.0 } else { seconds.round() }
}

impl Printer for Text {
    fn event(&mut self, event: &Event, to: &mut Pieces) {
        match event {
            Event::ContentPart(ContentPart::Text { text }) => self.answer(text, to),
            Event::ContentPart(ContentPart::Think { think, .. }) => self.think(think, to),
            Event::ToolCall(call) => {
                self.end_block(to);
                self.call = Some(call.clone());
            }
            Event::ToolCallPart { arguments_part: Some(more) } => {
                if let Some(call) = &mut self.call {
                    call.push_arguments(more);
                }
            }
            Event::ToolResult { return_value, .. } => {
                self.end_message(to);
                if return_value.is_error {
                    self.line(&format!("  failed: {}", brief(return_value)), to);
                }
            }
            Event::StatusUpdate(_) | Event::ToolOutput { .. } => self.end_call(to),
            Event::StepRetry {
                next_attempt,
                max_attempts,
                wait_s,
                error_type,
                status_code,
                ..
            } => {
                let error = match status_code {
                    Some(status) => format!("HTTP {status}"),
                    None => error_type.clone(),
                };
                let why = format!("{error}: trying again in {} s", seconds(*wait_s));
                self.retry(*next_attempt, *max_attempts, &why, to);
            }
            // The failed text stands: there is no other attempt that could replace it.
            Event::StepInterrupted {} => {
                self.withdrawn = None;
                self.call = None;
                self.end_message(to);
            }
            Event::StepBegin { .. } | Event::TurnEnd {} => self.end_message(to),
            Event::Notification(notification) => {
                if self.out_is_terminal {
                    self.end_line(to);
                }
                self.line(&format!("[{}]", notification.title), to);
            }
            Event::PlanDisplay { content, .. } => {
                self.end_message(to);
                self.put(content, to);
                self.end_message(to);
            }
            _ => {}
        }
    }

    fn ended(&mut self, outcome: &Outcome, to: &mut Pieces) {
        if !matches!(outcome, Outcome::Finished { .. }) {
            self.withdrawn = None;
            self.call = None;
        }
        self.end_message(to);
    }
}

/// Frees text of what a terminal would act on, if it is for one. Works on any cut of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cleaner(pub bool);

impl Cleaner {
    /// The text without control characters and changes of writing direction; tabs and line ends
    /// stay.
    pub fn clean(self, text: &str) -> Cow<'_, str> {
        if self.0 && text.chars().any(acts) {
            text.chars().filter(|c| !acts(*c)).collect::<String>().into()
        } else {
            text.into()
        }
    }
}

fn acts(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

/// Foreign text as one harmless line.
pub(super) fn clean_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).collect();
    Cleaner(true).clean(text.trim_end()).into_owned()
}

/// Bytes that both texts begin with, up to a character boundary.
fn common_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum()
}

/// `• Shell: cargo test`.
fn describe(call: &ToolCall) -> String {
    let arguments: Value = serde_json::from_str(call.arguments()).unwrap_or_default();
    let told = ["command", "path", "pattern", "query", "url", "description"]
        .iter()
        .find_map(|key| arguments.get(key)?.as_str())
        .or_else(|| arguments.as_object()?.values().find_map(Value::as_str));
    let line = match told {
        Some(told) => format!("• {}: {told}", call.function.name),
        None => format!("• {}", call.function.name),
    };
    shortened(&line)
}

/// Why a call failed, in a few words.
fn brief(value: &ToolReturnValue) -> String {
    let brief = value.display.iter().find_map(|block| match block {
        DisplayBlock::Brief { text } if !text.is_empty() => Some(text.as_str()),
        _ => None,
    });
    shortened(brief.unwrap_or(&value.message))
}

/// The first line, at most [`MAX_LINE`] characters of it.
fn shortened(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    match first.char_indices().nth(MAX_LINE) {
        Some((end, _)) => format!("{}...", first.get(..end).unwrap_or_default()),
        None if lines.next().is_some() => format!("{first} ..."),
        None => first.to_owned(),
    }
}
