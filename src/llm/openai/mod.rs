//! OpenAI chat completions, in Kimi's dialect and in the common one.

mod body;
mod chunk;
mod files;
mod headers;
mod schema;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use url::Url;

use super::access::Access;
use super::{
    ChatRequest, DeltaStream, DeviceId, LlmError, Provider, Timeouts, TokenSource, UploadedFile,
    http,
};
use crate::platform::Clock;

pub use body::Knobs;
pub use headers::HeaderError;
pub use headers::machine_headers;
pub(super) use headers::{RequestHeaders, static_headers};

/// Which additions to chat completions are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Prompt cache key, completion cap, `thinking` object, built-in functions.
    Kimi,
    /// `reasoning_effort`, pictures in user messages only.
    Legacy,
}

/// Everything that stays the same from request to request.
pub(super) struct Settings {
    pub dialect: Dialect,
    /// The whole address, with `/chat/completions`.
    pub url: Url,
    pub model: String,
    pub session_id: String,
    pub thinking: bool,
    /// Tokens; 0 when unknown.
    pub max_context: u64,
    /// As configured; see [`Settings::reasoning_field`].
    pub reasoning_key: Option<String>,
    pub knobs: Knobs,
    pub timeouts: Timeouts,
}

impl Settings {
    /// The message field that carries thinking, if any.
    fn reasoning_field(&self) -> Option<&str> {
        match (self.dialect, self.reasoning_key.as_deref()) {
            (Dialect::Legacy, Some(key)) => Some(key).filter(|key| !key.is_empty()),
            _ => Some("reasoning_content"),
        }
    }
}

/// A model behind a chat completions API.
pub(super) struct ChatCompletions {
    settings: Arc<Settings>,
    access: Access,
    clock: Arc<dyn Clock>,
}

impl ChatCompletions {
    pub(super) fn new(
        settings: Settings,
        headers: HeaderMap,
        device: Option<DeviceId>,
        tokens: Option<Arc<dyn TokenSource>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let headers = match settings.dialect {
            Dialect::Kimi => RequestHeaders::of_machine(headers, device),
            Dialect::Legacy => RequestHeaders::plain(headers),
        };
        Self { settings: Arc::new(settings), access: Access::new(headers, tokens), clock }
    }
}

#[async_trait]
impl Provider for ChatCompletions {
    async fn stream(&self, request: ChatRequest<'_>) -> Result<DeltaStream, LlmError> {
        let body = Bytes::from(body::serialize(&self.settings, &request)?);
        let Settings { url, timeouts, .. } = &*self.settings;
        let post = |headers| {
            let body = body.clone();
            async move { http::post(url, &headers, body, timeouts, self.clock.now()).await }
        };
        let (response, sent) = self.access.send(post).await?;
        Ok(stream::deltas(response, sent, Arc::clone(&self.settings)))
    }

    async fn upload_video(&self, file: &UploadedFile) -> Option<Result<String, LlmError>> {
        if self.settings.dialect != Dialect::Kimi {
            return None;
        }
        let upload = |headers| files::upload(&self.settings, headers, file, &*self.clock);
        Some(self.access.send(upload).await.map(|(address, _)| address))
    }
}
