//! Prompts from stdin.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::text::clean_line;
use crate::front::lines::{RawLine, read_line};
use crate::protocol::UserInput;

/// The longest line and the longest prompt that is read, in bytes.
pub(super) const MAX_INPUT: usize = 16 * 1024 * 1024;

/// At most so many bad lines are told of.
const MAX_COMPLAINTS: u32 = 10;

/// Why stdin gives no prompt.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("The prompt on standard input is longer than 16 MB: put it into a file and name that.")]
    TooLong,
    #[error("Standard input cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// All of stdin as one prompt, surrounding blanks removed. Broken UTF-8 is replaced.
pub(super) async fn whole(stdin: impl AsyncBufRead) -> Result<String, InputError> {
    tokio::pin!(stdin);
    let mut bytes = Vec::new();
    loop {
        let chunk = stdin.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(String::from_utf8_lossy(&bytes).trim().to_owned());
        }
        if bytes.len() + chunk.len() > MAX_INPUT {
            return Err(InputError::TooLong);
        }
        bytes.extend_from_slice(chunk);
        let taken = chunk.len();
        stdin.as_mut().consume(taken);
    }
}

/// Reads the lines of `stream-json` input.
#[derive(Debug, Default)]
pub(super) struct Lines {
    number: u64,
    complaints: u32,
}

/// What the next line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Prompt(String),
    /// Not to be run; the sentence is for stderr, unless enough was said.
    Bad(Option<String>),
}

impl Lines {
    /// The next line that is worth a word; `None` at the end of the input.
    pub async fn next(
        &mut self,
        stdin: &mut (impl AsyncBufRead + Unpin),
    ) -> Result<Option<Line>, InputError> {
        loop {
            let said = match read_line(stdin, MAX_INPUT).await? {
                RawLine::End => return Ok(None),
                RawLine::TooLong => Err("longer than 16 MB".to_owned()),
                RawLine::Whole(line) => user_text(&line),
            };
            self.number += 1;
            match said {
                Ok(text) if text.is_empty() => {}
                Ok(text) => return Ok(Some(Line::Prompt(text))),
                Err(why) => return Ok(Some(Line::Bad(self.complaint(&why)))),
            }
        }
    }

    fn complaint(&mut self, why: &str) -> Option<String> {
        self.complaints += 1;
        let more = match self.complaints.cmp(&MAX_COMPLAINTS) {
            std::cmp::Ordering::Less => "",
            std::cmp::Ordering::Equal => " (no more is said about lines like this)",
            std::cmp::Ordering::Greater => return None,
        };
        let why = clean_line(why);
        Some(format!("kimi: line {} of standard input is skipped: {why}{more}\n", self.number))
    }
}

/// The text of a user message; empty when there is nothing to run. The error is a reason.
fn user_text(line: &[u8]) -> Result<String, String> {
    #[derive(serde::Deserialize)]
    struct Said {
        role: String,
        content: Option<UserInput>,
    }
    let text = std::str::from_utf8(line).map_err(|_| "not valid UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("not JSON ({error})"))?;
    // A list would be read as the fields in their order.
    let said = Some(value).filter(serde_json::Value::is_object).map(serde_json::from_value::<Said>);
    let Some(Ok(said)) = said else {
        return Err("not a message with a role and a content".to_owned());
    };
    if said.role != "user" {
        return Err(format!("the role is '{}', only messages of the user are run", said.role));
    }
    Ok(said.content.map(|content| content.text().trim().to_owned()).unwrap_or_default())
}

/// A line of `stream-json` input is a prompt, or there is a reason why not, by the rules as they are
/// written (print-mode.md).
#[cfg(any(test, fuzzing))]
pub fn check_line(line: &[u8]) -> Result<(), String> {
    let read = user_text(line);
    let told = match &read {
        Ok(text) if text.trim() != text => return Err(format!("blanks around {text:?}")),
        Ok(_) => None,
        Err(why) => Lines::default().complaint(why),
    };
    if told.is_some_and(|told| told.matches('\n').count() != 1 || told.contains('\u{1b}')) {
        return Err(format!("the complaint is not one line: {read:?}"));
    }
    let utf8 = std::str::from_utf8(line).map(|text| text.trim_start_matches('\u{feff}'));
    let value = utf8.map(serde_json::from_str::<serde_json::Value>);
    let due = match &value {
        Err(_) => "not valid UTF-8",
        Ok(_) if utf8.is_ok_and(|text| text.trim().is_empty()) => "",
        Ok(Err(_)) => "not JSON",
        Ok(Ok(said)) => match said["role"].as_str() {
            Some(role) if said["content"].is_string() || said["content"].is_null() => {
                if role == "user" { "" } else { "the role is" }
            }
            // The parts of a content are read by the protocol's own types.
            Some("user") if read.is_ok() => "",
            Some(role) if role != "user" && said["content"].is_array() => return Ok(()),
            _ => "not a message",
        },
    };
    match &read {
        Ok(_) if due.is_empty() => Ok(()),
        Err(why) if !due.is_empty() && why.starts_with(due) => Ok(()),
        _ => Err(format!("{due:?} was due: {read:?}")),
    }
}
