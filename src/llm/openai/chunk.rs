//! From the chunks of an answer to deltas.

use serde_json::Value;

use crate::llm::oneline::{EXCERPT, one_line};
use crate::llm::status::{error_message, is_quota};
use crate::llm::{Delta, FinishReason, LlmError};
use crate::protocol::TokenUsage;

/// Tool calls of one answer; more is a server gone mad.
const MOST_CALLS: usize = 512;

/// Reads the chunks of one answer in order.
#[derive(Debug)]
pub(super) struct ChunkReader {
    /// The field that carries thinking, and whether other usual names are looked at too.
    reasoning: Option<(String, bool)>,
    /// Whether an empty thought counts.
    keeps_empty_thought: bool,
    message_id: Option<String>,
    has_thought: bool,
    has_text: bool,
    calls: Vec<Call>,
    pub finished: bool,
}

/// What is known of a call that streams in.
#[derive(Debug)]
struct Call {
    /// The server's index, which some leave out.
    index: Option<u64>,
    id: Option<String>,
    named: bool,
}

impl ChunkReader {
    /// `reasoning` is the field for thinking and whether `reasoning` may stand in for it.
    pub(super) fn new(reasoning: Option<(String, bool)>, keeps_empty_thought: bool) -> Self {
        Self {
            reasoning,
            keeps_empty_thought,
            message_id: None,
            has_thought: false,
            has_text: false,
            calls: Vec::new(),
            finished: false,
        }
    }

    /// Adds the deltas of a chunk, or of a whole answer, to `out`.
    pub(super) fn read(
        &mut self,
        chunk: &Value,
        out: &mut impl Extend<Delta>,
    ) -> Result<(), LlmError> {
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return Err(stream_error(error));
        }
        let mut push = |delta| out.extend([delta]);
        if let Some(id) = chunk["id"].as_str().filter(|id| !id.is_empty())
            && self.message_id.as_deref() != Some(id)
        {
            self.message_id = Some(id.to_owned());
            push(Delta::MessageId(id.to_owned()));
        }
        let choice = &chunk["choices"][0];
        // `message` in an answer that came whole.
        let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        if let Some(thought) = self.thought(delta) {
            push(Delta::Think(thought));
        }
        if let Some(text) = text_of(&delta["content"]) {
            self.has_text = true;
            push(Delta::Text(text));
        }
        if let Some(text) = delta["refusal"].as_str().filter(|text| !text.is_empty()) {
            self.has_text = true;
            push(Delta::Text(text.to_owned()));
        }
        for entry in delta["tool_calls"].as_array().into_iter().flatten() {
            if let Some(delta) = self.call(entry)? {
                push(delta);
            }
        }
        if let Some(usage) = usage(&chunk["usage"]).or_else(|| usage(&choice["usage"])) {
            push(Delta::Usage(usage));
        }
        if let Some(reason) = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty()) {
            self.finished = true;
            push(Delta::Finish(finish_reason(reason)));
        }
        Ok(())
    }

    fn thought(&mut self, delta: &Value) -> Option<String> {
        let (field, others) = self.reasoning.as_ref()?;
        let thought = match delta[field.as_str()].as_str() {
            None if *others => delta["reasoning"].as_str(),
            thought => thought,
        }?;
        // An empty thought means something only as the first thing said.
        if thought.is_empty() && (!self.keeps_empty_thought || self.has_thought || self.has_text) {
            return None;
        }
        self.has_thought = true;
        Some(thought.to_owned())
    }

    /// The delta of one entry of `tool_calls`; None for a fragment that belongs to no call.
    fn call(&mut self, entry: &Value) -> Result<Option<Delta>, LlmError> {
        let function = &entry["function"];
        let index = entry["index"].as_u64();
        let id = entry["id"].as_str().filter(|id| !id.is_empty());
        let name = function["name"].as_str().filter(|name| !name.is_empty());
        let arguments = match &function["arguments"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            // Some servers send the parsed object.
            value => value.to_string(),
        };
        let known = match index {
            // Some servers give every parallel call the index 0; a new id with a name tells.
            Some(_) => self.calls.iter().rposition(|call| call.index == index).filter(|at| {
                let call = &self.calls[*at];
                !(call.named && name.is_some() && id.is_some() && call.id.as_deref() != id)
            }),
            None if name.is_some() || id.is_some() => {
                id.and_then(|_| self.calls.iter().rposition(|call| call.id.as_deref() == id))
            }
            None => self.calls.len().checked_sub(1),
        };
        let at = match known {
            Some(at) => at,
            None if index.is_none() && name.is_none() => return Ok(None),
            None if self.calls.len() >= MOST_CALLS => {
                return Err(LlmError::Other(format!(
                    "the model asked for more than {MOST_CALLS} tool calls at once"
                )));
            }
            None => {
                self.calls.push(Call { index, id: None, named: false });
                self.calls.len() - 1
            }
        };
        let Some(call) = self.calls.get_mut(at) else { return Ok(None) };
        let new_id = id.filter(|_| call.id.is_none()).map(str::to_owned);
        if new_id.is_some() {
            call.id.clone_from(&new_id);
        }
        // Some servers repeat the name with every piece.
        let new_name = name.filter(|_| !call.named).map(str::to_owned);
        call.named |= new_name.is_some();
        Ok(Some(Delta::ToolCall { index: at, id: new_id, name: new_name, arguments }))
    }
}

/// Text of a `content` field: a string, or a list of parts.
fn text_of(content: &Value) -> Option<String> {
    let text = match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

fn usage(usage: &Value) -> Option<TokenUsage> {
    let prompt = usage.as_object()?.get("prompt_tokens")?.as_u64()?;
    let cached = usage["cached_tokens"]
        .as_u64()
        .or_else(|| usage["prompt_tokens_details"]["cached_tokens"].as_u64())
        .unwrap_or(0)
        .min(prompt);
    Some(TokenUsage {
        input_other: prompt - cached,
        output: usage["completion_tokens"].as_u64().unwrap_or(0),
        input_cache_read: cached,
        input_cache_creation: 0,
    })
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "stop" => FinishReason::Stop,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "length" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        other => FinishReason::Other(one_line(other, 60)),
    }
}

/// An error object inside a stream that began well.
pub(super) fn stream_error(error: &Value) -> LlmError {
    let message = error_message(error)
        .map(|message| one_line(&message, EXCERPT))
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| "the server broke the answer off with an error".to_owned());
    let number = |key: &str| {
        let value = &error[key];
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    let code = ["status", "status_code", "http_code", "code"]
        .iter()
        .find_map(|key| number(key))
        .filter(|code| (400..600).contains(code))
        .or_else(|| ["type", "code"].iter().find_map(|key| code_of_kind(error[*key].as_str()?)));
    match code.and_then(|code| u16::try_from(code).ok()) {
        Some(code) if is_quota(error) => LlmError::Quota { code, message, request_id: None },
        Some(code) => LlmError::Status { code, message, request_id: None, retry_after: None },
        None => LlmError::Other(message),
    }
}

/// The status that an error's kind stands for.
fn code_of_kind(kind: &str) -> Option<u64> {
    let has = |part: &str| kind.contains(part);
    Some(match kind {
        _ if has("rate_limit") || has("quota") => 429,
        _ if has("overloaded") => 529,
        _ if has("authentication") || has("invalid_api_key") => 401,
        _ if has("permission") => 403,
        _ if has("not_found") => 404,
        _ if has("timeout") => 504,
        _ if has("unavailable") => 503,
        _ if has("context_length") || has("invalid_request") => 400,
        _ if has("server_error") || has("internal") => 500,
        _ => return None,
    })
}
