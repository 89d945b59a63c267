//! What is known of a server that does not answer any more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::mcp::tidy::{one_line, without_spinner};

/// Lines of error output that are remembered, and characters of each.
const LINES: usize = 8;
pub(super) const LINE: usize = 400;

/// How it ended, what it said last.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct LastWords(Arc<Mutex<Words>>);

#[derive(Debug, Default)]
struct Words {
    end: Option<String>,
    /// The last lines of its error output.
    error_lines: VecDeque<String>,
    /// The first line on its output that was no message.
    noise: Option<String>,
}

impl Words {
    /// The line that says why: a stack of calls often comes after it.
    fn reason(&self) -> Option<&String> {
        let says_error = |line: &&String| line.to_ascii_lowercase().contains("error");
        self.error_lines.iter().rev().find(says_error).or(self.error_lines.back())
    }
}

impl LastWords {
    fn with<T>(&self, look: impl FnOnce(&mut Words) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes how the process ended.
    pub(super) fn ended(&self, how: String) {
        self.with(|words| words.end = Some(how));
    }

    /// Notes a line of its error output.
    pub(super) fn said(&self, line: &str) {
        let line = one_line(&without_spinner(line), LINE);
        if !line.is_empty() {
            self.with(|words| {
                words.error_lines.push_back(line);
                if words.error_lines.len() > LINES {
                    words.error_lines.pop_front();
                }
            });
        }
    }

    /// The last lines of its error output, clean, the oldest first.
    pub fn error_lines(&self) -> Vec<String> {
        self.with(|words| words.error_lines.iter().cloned().collect())
    }

    /// Notes a line on its output that is no message.
    pub(super) fn made_noise(&self, line: &str) {
        self.with(|words| {
            words.noise.get_or_insert_with(|| one_line(line, LINE));
        });
    }

    /// All of it as half a sentence for a person, if there is any.
    pub fn told(&self) -> Option<String> {
        self.with(|words| {
            let mut told = words.end.clone().unwrap_or_default();
            let said = match (words.reason(), &words.noise) {
                (Some(line), _) => format!("it said: {line}"),
                (None, Some(line)) => format!("its output is no MCP: {line}"),
                (None, None) => String::new(),
            };
            if !said.is_empty() {
                if !told.is_empty() {
                    told.push_str("; ");
                }
                told.push_str(&said);
            }
            (!told.is_empty()).then_some(told)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_among_the_last_lines() {
        let words = LastWords::default();
        for n in 0..20 {
            words.said(&format!("\u{1b}[31mline {n}\u{1b}[0m"));
        }
        assert_eq!(words.told().unwrap(), "it said: line 19");
        assert_eq!(words.error_lines().len(), LINES);
        words.said("  Error: no such module ");
        words.said(" at x.js:1");
        words.said("\u{1b}[0m");
        words.ended("it ended with status 1".to_owned());
        assert_eq!(words.told().unwrap(), "it ended with status 1; it said: Error: no such module");
        assert_eq!(words.error_lines().last().unwrap(), "at x.js:1");
    }
}
