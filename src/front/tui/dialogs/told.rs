//! Choices that another program makes.

use crate::front::text::{clean_line, truncate};
use crate::protocol::control::{AskOption, Choice};

/// Widest quote of what was asked for, in columns.
const QUOTE: usize = 60;

/// Why a choice does not fit a question, and what would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}. Valid: {valid}.")]
pub struct Unfit {
    problem: String,
    valid: String,
}

impl Unfit {
    /// A problem in words, without a full stop.
    pub(super) fn new(problem: impl Into<String>, options: &[AskOption]) -> Self {
        let valid: Vec<String> = options
            .iter()
            .map(|option| {
                let words = if option.takes_text { " (with words)" } else { "" };
                format!("{} {}{words}", option.n, truncate(&clean_line(&option.name), QUOTE))
            })
            .collect();
        Self { problem: problem.into(), valid: valid.join(", ") }
    }

    /// The same, told of one of several questions, counted from 1.
    pub(super) fn of_question(mut self, n: usize) -> Self {
        self.problem = format!("Question {n}: {}", self.problem);
        self
    }
}

/// The places of the chosen options, in order, each once. Of several with one name it is the first.
pub(super) fn choose(choice: &Choice, options: &[AskOption]) -> Result<Vec<usize>, Unfit> {
    let mut chosen = Vec::new();
    for number in &choice.numbers {
        let at = options.iter().position(|option| option.n == *number);
        chosen.push(at.ok_or_else(|| Unfit::new(format!("There is no option {number}"), options))?);
    }
    for name in &choice.names {
        let exact = |option: &AskOption| option.name == *name || option.label == *name;
        let near = |option: &AskOption| {
            let same = |known: &str| known.trim().eq_ignore_ascii_case(name.trim());
            same(&option.name) || same(&option.label)
        };
        let at = options.iter().position(exact).or_else(|| options.iter().position(near));
        chosen.push(at.ok_or_else(|| {
            let name = truncate(&clean_line(name), QUOTE);
            Unfit::new(format!("There is no option \"{name}\""), options)
        })?);
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}
