//! Only the text of a turn's last message, when the turn has ended well.

use super::output::Pieces;
use super::text::Cleaner;
use super::{Format, Printer};
use crate::llm::Message;
use crate::protocol::{ContentPart, Event, Outcome, StopReason};

/// Keeps the text of the current step.
pub(super) struct LastMessage {
    format: Format,
    cleaner: Cleaner,
    text: String,
}

impl LastMessage {
    /// `clean` frees the text form of what a terminal would act on.
    pub fn new(format: Format, clean: bool) -> Self {
        Self { format, cleaner: Cleaner(clean), text: String::new() }
    }
}

impl Printer for LastMessage {
    fn event(&mut self, event: &Event, _to: &mut Pieces) {
        match event {
            Event::TurnBegin { .. }
            | Event::StepBegin { .. }
            | Event::StepInterrupted {}
            | Event::StepRetry { .. } => self.text.clear(),
            Event::ContentPart(ContentPart::Text { text }) => self.text.push_str(text),
            _ => {}
        }
    }

    fn ended(&mut self, outcome: &Outcome, to: &mut Pieces) {
        let text = std::mem::take(&mut self.text);
        let well = matches!(
            outcome,
            Outcome::Finished { stop: StopReason::NoToolCalls | StopReason::Command }
        );
        if !well || text.is_empty() {
            return;
        }
        match self.format {
            Format::Text => to.out(&format!("{}\n", self.cleaner.clean(&text))),
            Format::StreamJson => {
                to.record(&Message::assistant(vec![ContentPart::text(text)], Vec::new()));
            }
        }
    }
}
