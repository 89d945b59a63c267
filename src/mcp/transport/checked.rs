//! What holds for everything that a server may write.

use super::lines::{Line, Lines, answered};
use super::messages;

/// The longest line, in bytes, small enough for inputs to be longer.
const LIMIT: usize = 700;

/// What a server writes comes apart into its lines, each whole or known to be too long.
pub fn check_stream(bytes: &[u8]) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut wanted = bytes.split(|byte| *byte == b'\n').filter(|line| {
        // Blanks at the end are no part of a line, and one of blanks alone is none.
        line.len() > LIMIT || !line.trim_ascii_end().is_empty()
    });
    runtime.block_on(async {
        let mut lines = Lines::new(bytes, LIMIT);
        while let Some(line) = lines.next().await.map_err(|error| error.to_string())? {
            let wanted = wanted.next().ok_or_else(|| format!("{line:?} is not there"))?;
            match line {
                Line::Whole(line) => {
                    if line != wanted.trim_ascii_end() || wanted.len() > LIMIT {
                        return Err(format!("{line:?} in place of {wanted:?}"));
                    }
                    // Whatever it is, it is a message or none.
                    let _ = messages(&line);
                }
                Line::TooLong { head, tail } => {
                    let ends = wanted.starts_with(&head) && wanted.ends_with(&tail);
                    if !ends || wanted.len() <= LIMIT {
                        return Err(format!("the ends of {wanted:?} are others"));
                    }
                    answered(&head, &tail);
                }
            }
        }
        match wanted.next() {
            Some(left) => Err(format!("{left:?} is lost")),
            None => Ok(()),
        }
    })
}
