//! A place in the text of a chart, and the smallest words at it.

use crate::customize::flow::FlowError;

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    pub fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Goes `bytes` on, which end at a character.
    pub fn advance(&mut self, bytes: usize) -> &'a str {
        let (read, rest) = self.rest.split_at(bytes);
        self.line += read.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        read
    }

    pub fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.advance(c.len_utf8());
        Some(c)
    }

    pub fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        let found = self.peek().is_some_and(wanted);
        if found {
            self.next();
        }
        found
    }

    /// Reads `word` if it is here.
    pub fn take(&mut self, word: &str) -> bool {
        let found = self.rest.starts_with(word);
        if found {
            self.advance(word.len());
        }
        found
    }

    /// Passes over blanks within a line.
    pub fn blanks(&mut self) {
        while self.next_if(|c| c != '\n' && c.is_whitespace()) {}
    }

    /// Passes over all that may stand between two statements.
    pub fn blanks_and_ends(&mut self) {
        while self.next_if(|c| c == ';' || c.is_whitespace()) {}
    }

    /// Whether a statement may end here: the text, the line, a semicolon or a comment.
    pub fn ends_statement(&self) -> bool {
        self.rest.is_empty() || self.rest.starts_with(['\n', ';']) || self.rest.starts_with("%%")
    }

    /// The rest of the line.
    pub fn statement(&self) -> &'a str {
        &self.rest[..self.rest.find('\n').unwrap_or(self.rest.len())]
    }

    /// Passes over the rest of the line.
    pub fn skip_statement(&mut self) {
        self.advance(self.statement().len());
    }

    /// An id: letters, digits, `_`, and `-` between two of them, so that an arrow needs no blank before
    /// it.
    pub fn id(&mut self) -> &'a str {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let mut end = 0;
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let inner = c == '-' && end > 0 && chars.peek().is_some_and(|(_, next)| word(*next));
            if !word(c) && !inner {
                break;
            }
            end = at + c.len_utf8();
        }
        self.advance(end)
    }

    /// An error that says what should be here and what is.
    pub fn expected(&self, what: &str) -> FlowError {
        let found: String = self.statement().trim().chars().take(20).collect();
        let found = if found.is_empty() {
            "the end of the line".to_owned()
        } else {
            format!("\"{found}\"")
        };
        FlowError::new(self.line, format!("expected {what}, found {found}"))
    }
}
