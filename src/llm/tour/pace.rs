//! Streams a finished answer at the pace of a model.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream;

use super::Answer;
use crate::llm::{Delta, DeltaStream, FinishReason};
use crate::protocol::TokenUsage;

/// Characters of one token.
const TOKEN: usize = 4;

/// The deltas of an answer, each after the time of its tokens. `input` is the token count of the
/// request.
pub(super) fn stream(answer: Answer, id: String, input: u64, token: Duration) -> DeltaStream {
    let deltas = deltas(answer, id, input);
    Box::pin(stream::unfold(deltas, move |mut deltas| async move {
        let (delta, tokens) = deltas.pop_front()?;
        // Even at no pace, others get their turn.
        tokio::task::yield_now().await;
        let wait = token.saturating_mul(tokens);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Some((Ok(delta), deltas))
    }))
}

pub(super) fn deltas(answer: Answer, id: String, input: u64) -> VecDeque<(Delta, u32)> {
    let mut deltas = VecDeque::new();
    for (text, delta) in [
        (answer.think.trim(), Delta::Think as fn(String) -> Delta),
        (answer.text.trim(), Delta::Text as fn(String) -> Delta),
    ] {
        deltas.extend(pieces(text).map(|(piece, tokens)| (delta(piece.to_owned()), tokens)));
    }
    let mut finish = FinishReason::Stop;
    if let Some((name, arguments)) = answer.call {
        finish = FinishReason::ToolCalls;
        let head = Delta::ToolCall {
            index: 0,
            id: Some(id),
            name: Some(name.to_owned()),
            arguments: String::new(),
        };
        deltas.push_back((head, 1));
        let arguments = arguments.to_string();
        deltas.extend(pieces(&arguments).map(|(piece, tokens)| {
            let arguments = piece.to_owned();
            (Delta::ToolCall { index: 0, id: None, name: None, arguments }, tokens)
        }));
    }
    let output = deltas.iter().map(|(_, tokens)| u64::from(*tokens)).sum();
    let usage = TokenUsage { input_other: input, output, ..TokenUsage::default() };
    deltas.push_back((Delta::Usage(usage), 0));
    deltas.push_back((Delta::Finish(finish), 0));
    deltas
}

/// Words with the blanks after them, and about how many tokens each is.
fn pieces(text: &str) -> impl Iterator<Item = (&str, u32)> {
    text.split_inclusive([' ', '\n']).map(|piece| {
        let tokens = piece.chars().count().div_ceil(TOKEN);
        (piece, u32::try_from(tokens).unwrap_or(u32::MAX))
    })
}
