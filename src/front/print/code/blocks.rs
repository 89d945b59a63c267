//! The text form of kimi-code: each message a block that begins with a bullet, its further lines
//! indented, an empty line at its end. Answers are on stdout, thinking is on stderr, tools are not
//! told.

use unicode_width::UnicodeWidthChar;

use crate::front::print::Printer;
use crate::front::print::output::{Pieces, Target};
use crate::front::print::text::Cleaner;
use crate::protocol::{ContentPart, Event, Outcome};

const BULLET: &str = "• ";
const INDENT: &str = "  ";

/// Streams blocks.
pub(in crate::front::print) struct Blocks {
    answer: Block,
    thinking: Block,
    /// A hook has spoken in place of the model.
    forbidden: bool,
}

impl Blocks {
    /// Blocks on a terminal are freed of what it would act on, and wrapped where its width is known.
    pub fn new(terminals: (bool, bool), columns: Option<usize>) -> Self {
        let (out, err) = terminals;
        Self {
            answer: Block::new(Target::Out, out, columns),
            thinking: Block::new(Target::Err, err, columns),
            forbidden: false,
        }
    }

    fn finish(&mut self, to: &mut Pieces) {
        self.thinking.finish(to);
        self.answer.finish(to);
    }
}

impl Printer for Blocks {
    fn event(&mut self, event: &Event, to: &mut Pieces) {
        if let Some(said) = super::forbidden(event) {
            self.finish(to);
            self.answer.write(&said, to);
            self.answer.finish(to);
            self.forbidden = true;
            return;
        }
        match event {
            Event::TurnBegin { .. } => self.forbidden = false,
            Event::ContentPart(ContentPart::Text { text }) if !self.forbidden => {
                self.thinking.finish(to);
                self.answer.write(text, to);
            }
            Event::ContentPart(ContentPart::Think { think, .. }) => self.thinking.write(think, to),
            // What a failed attempt has said stands; the next one begins a block of its own.
            Event::StepBegin { .. }
            | Event::StepRetry { .. }
            | Event::StepInterrupted {}
            | Event::ToolResult { .. }
            | Event::TurnEnd {} => self.finish(to),
            _ => {}
        }
    }

    fn ended(&mut self, _outcome: &Outcome, to: &mut Pieces) {
        self.finish(to);
    }
}

/// A block that grows.
struct Block {
    target: Target,
    cleaner: Cleaner,
    columns: Option<usize>,
    open: bool,
    at_line_start: bool,
    column: usize,
}

impl Block {
    fn new(target: Target, is_terminal: bool, columns: Option<usize>) -> Self {
        let columns = columns.filter(|columns| is_terminal && *columns > INDENT.len() + 1);
        Self {
            target,
            cleaner: Cleaner(is_terminal),
            columns,
            open: false,
            at_line_start: false,
            column: 0,
        }
    }

    fn write(&mut self, text: &str, to: &mut Pieces) {
        if text.is_empty() {
            return;
        }
        let mut out = String::with_capacity(text.len() + BULLET.len());
        if !std::mem::replace(&mut self.open, true) {
            out.push_str(BULLET);
            (self.at_line_start, self.column) = (false, BULLET.chars().count());
        }
        for c in self.cleaner.clean(text).chars() {
            if c == '\n' {
                out.push(c);
                (self.at_line_start, self.column) = (true, 0);
                continue;
            }
            let width = if c == '\t' { 4 } else { c.width().unwrap_or(0) };
            let full = self.columns.is_some_and(|columns| self.column + width > columns);
            if full && !self.at_line_start {
                out.push('\n');
            }
            if full || self.at_line_start {
                out.push_str(INDENT);
                (self.at_line_start, self.column) = (false, INDENT.len());
            }
            out.push(c);
            self.column += width;
        }
        to.push(self.target, &out);
    }

    fn finish(&mut self, to: &mut Pieces) {
        if std::mem::take(&mut self.open) {
            to.push(self.target, if self.at_line_start { "\n" } else { "\n\n" });
        }
    }
}
