//! V2: the raw bytes flattened into lines. Most positioning becomes a line end, the rest vanishes.

use std::collections::VecDeque;

use super::rendered::Latch;
use super::words::{FRAMES, has_spinner_glyph, is_bullet, is_echo, is_footer};
use super::{State, Version};

/// A spinner among so many last lines means busy.
const TAIL: usize = 15;
/// Lines that the older rules look at when no status bar is in the stream.
const WINDOW: usize = 50;

/// The lines of a stream, as far back as the reader's buffer goes.
#[derive(Debug, Clone)]
pub struct Flat {
    /// The last so many bytes are looked at.
    window: usize,
    seen: usize,
    lines: VecDeque<Line>,
    sequence: Option<Vec<u8>>,
    partial: Vec<u8>,
    /// Whether a whole line began with a spinner frame, outside of code fences.
    evidence: bool,
    fenced: bool,
    /// Whether an echo of a message was ever seen.
    asked: bool,
}

#[derive(Debug, Clone, Default)]
struct Line {
    begins: usize,
    text: String,
}

impl Flat {
    /// An empty stream of which the last `window` bytes count.
    pub fn new(window: usize) -> Self {
        Self {
            window,
            seen: 0,
            lines: VecDeque::from([Line::default()]),
            sequence: None,
            partial: Vec::new(),
            evidence: false,
            fenced: false,
            asked: false,
        }
    }

    /// The reader's buffer is emptied: a message is about to be sent.
    pub fn clear(&mut self) {
        *self = Self { asked: self.asked, ..Self::new(self.window) };
    }

    /// The next bytes of the pane.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.seen += 1;
            self.take(byte);
        }
        let from = self.seen.saturating_sub(self.window);
        while self.lines.len() > 1 && self.lines[1].begins <= from {
            self.lines.pop_front();
        }
    }

    fn take(&mut self, byte: u8) {
        if let Some(sequence) = &mut self.sequence {
            sequence.push(byte);
            if is_whole(sequence) {
                let sequence = std::mem::take(sequence);
                self.sequence = None;
                self.positioned(&sequence);
            }
            return;
        }
        match byte {
            0x1b => self.sequence = Some(Vec::new()),
            b'\r' | b'\n' => self.end_line(),
            0..0x20 | 0x7f => {}
            _ => {
                self.partial.push(byte);
                if let Ok(text) = String::from_utf8(self.partial.clone()) {
                    self.last().text.push_str(&text);
                    self.partial.clear();
                } else if self.partial.len() >= 4 {
                    self.partial.clear();
                }
            }
        }
    }

    fn positioned(&mut self, sequence: &[u8]) {
        let Some((&end, body)) = sequence.strip_prefix(b"[").and_then(<[u8]>::split_last) else {
            return;
        };
        let body = String::from_utf8_lossy(body);
        match end {
            b'G' if body.is_empty() || body == "1" => self.end_line(),
            b'A' | b'E' if body.chars().all(|c| c.is_ascii_digit()) => self.end_line(),
            b'H' if body.ends_with(";1") => self.end_line(),
            b'G' | b'C' => self.last().text.push(' '),
            _ => {}
        }
    }

    fn last(&mut self) -> &mut Line {
        self.lines.back_mut().expect("there is always a last line")
    }

    fn end_line(&mut self) {
        let line = self.last().text.trim().to_owned();
        if line.starts_with("```") {
            self.fenced = !self.fenced;
        }
        self.asked |= is_echo(&line);
        self.evidence |= !self.fenced && line.starts_with(|c| FRAMES.contains(c));
        let begins = self.seen;
        self.lines.push_back(Line { begins, text: String::new() });
    }

    /// V4's proof that a message was taken: a whole spinner row since the buffer was emptied.
    pub fn has_evidence(&self) -> bool {
        self.evidence
    }

    /// The state, by the stream alone: neither by the pane nor by how long ago something was sent.
    pub fn state(&self) -> State {
        let texts = self.lines.iter().map(|line| line.text.as_str());
        if texts.clone().all(|text| text.trim().is_empty()) {
            return State::Unknown;
        }
        if !texts.clone().any(is_footer) {
            let skipped = self.lines.len().saturating_sub(WINDOW);
            return Latch::new(self.asked).judge(Version::V1, texts.skip(skipped));
        }
        let last = |found: fn(&str) -> bool| self.lines.iter().rposition(|line| found(&line.text));
        let (spinner, bullet) = (last(has_spinner_glyph), last(is_bullet));
        let turning = spinner.is_some_and(|at| {
            at + TAIL >= self.lines.len() || bullet.is_none_or(|bullet| at > bullet)
        });
        if turning {
            State::Busy
        } else if bullet.is_some() {
            State::Completed
        } else {
            State::Idle
        }
    }

    /// The lines, for messages of failed tests.
    pub fn tail(&self) -> String {
        let skipped = self.lines.len().saturating_sub(40);
        let lines: Vec<_> = self.lines.iter().skip(skipped).map(|l| l.text.as_str()).collect();
        lines.join("\n")
    }
}

/// Whether what follows an escape character is a whole sequence.
pub fn is_whole(sequence: &[u8]) -> bool {
    match sequence {
        [] => false,
        [b'['] => false,
        [b'[', .., end] => (0x40..=0x7e).contains(end),
        [b']' | b'P' | b'_' | b'^' | b'X', rest @ ..] => {
            rest.ends_with(b"\x07") || rest.ends_with(b"\x1b\\")
        }
        [b'(' | b')' | b'#' | b'%' | b' '] => false,
        _ => true,
    }
}
