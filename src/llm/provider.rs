//! The seam between the agent and a wire format.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::Stream;
use serde_json::Value;

use super::{LlmError, Message};
use crate::protocol::{ContentPart, Prices, TokenUsage};

/// A tool as the model is told of it. `parameters` is a JSON schema.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    pub name: String,
    pub description: String,
    pub parameters: Value,
}

/// One request to a model.
#[derive(Clone, Copy)]
pub struct ChatRequest<'a> {
    pub system: &'a str,
    pub tools: &'a [ToolSpec],
    pub messages: &'a [Message],
    /// Tokens of context this request is believed to use; 0 when nothing is known yet. Providers
    /// that cap the completion take the larger of this and their own estimate.
    pub context_tokens: u64,
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// The provider's id of this message; the last one wins.
    MessageId(String),
    Text(String),
    /// Thinking; may be empty, which still tells "reasoned but said nothing".
    Think(String),
    /// A whole non-text part, or a think part with its signature.
    Part(ContentPart),
    /// A piece of the tool call at `index`. `id` and `name` come with its first piece, `arguments`
    /// is the next piece of its JSON text. Calls may interleave.
    ToolCall {
        index: usize,
        id: Option<String>,
        name: Option<String>,
        arguments: String,
    },
    /// Token counts; the last one wins.
    Usage(TokenUsage),
    Finish(FinishReason),
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    Stop,
    ToolCalls,
    /// The answer was cut at the completion limit.
    Length,
    /// The provider's filter stopped it.
    ContentFilter,
    Other(String),
}

/// A streamed answer. It ends after the last delta, or with one error.
pub type DeltaStream = Pin<Box<dyn Stream<Item = Result<Delta, LlmError>> + Send>>;

/// A model behind some wire format. One call is one attempt: retrying is the agent's business.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Sends the request; the answer streams. Dropping the future or the stream cancels it.
    async fn stream(&self, request: ChatRequest<'_>) -> Result<DeltaStream, LlmError>;

    /// Hands a film to the provider and returns the address under which messages can show it.
    /// `None` when the provider keeps no files.
    async fn upload_video(&self, _: &UploadedFile) -> Option<Result<String, LlmError>> {
        None
    }
}

/// A file on its way to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    pub name: String,
    /// Such as `video/mp4`.
    pub mime: &'static str,
    pub bytes: Vec<u8>,
}

/// What a model can take and do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub thinking: bool,
    pub always_thinking: bool,
    pub image_in: bool,
    pub video_in: bool,
}

/// Whether the model is asked to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    On,
    Off,
}

/// A model that is ready to be asked.
#[derive(Clone)]
pub struct Llm {
    pub provider: Arc<dyn Provider>,
    /// The configured name (a key of `[models]`), or the API's id when it came from the environment.
    pub name: String,
    /// What the provider calls it.
    pub model: String,
    /// What to call it on the screen.
    pub display_name: String,
    /// Context window in tokens; 0 when unknown.
    pub max_context: u64,
    pub capabilities: Capabilities,
    pub thinking: Thinking,
    /// `None` when the configuration has none.
    pub prices: Option<Prices>,
    /// True for the built-in scripted model of the tour.
    pub is_tour: bool,
}
