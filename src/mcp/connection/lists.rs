//! What a server has: its tools, prompts and resources, page by page; one prompt, one resource.

use std::time::Duration;

use rmcp::model::{
    ClientRequest, ErrorCode, GetPromptRequest, GetPromptRequestParams, ListPromptsRequest,
    ListResourcesRequest, ListToolsRequest, PaginatedRequestParams, ReadResourceRequest,
    ReadResourceRequestParams,
};
use rmcp::service::ServiceError;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{CallError, Connection};

/// Pages of a list.
const MOST_PAGES: usize = 200;
/// Tools of one server.
const MOST_TOOLS: usize = 10_000;
/// Prompts of one server: nobody looks through more in a menu.
const MOST_PROMPTS: usize = 1_000;
/// Resources of one server that are offered; others can be named all the same.
const MOST_RESOURCES: usize = 1_000;

impl Connection {
    /// All tools, as the server describes them. The error is half a sentence.
    pub async fn tools(&self) -> Result<Vec<Value>, String> {
        let request = |params| {
            ClientRequest::ListToolsRequest(ListToolsRequest {
                method: Default::default(),
                params,
                extensions: Default::default(),
            })
        };
        self.pages("tools", MOST_TOOLS, request).await
    }

    /// Its prompts, as the server describes them. The error is half a sentence.
    pub async fn prompts(&self) -> Result<Vec<Value>, String> {
        if self.peer.peer_info().is_none_or(|info| info.capabilities.prompts.is_none()) {
            return Ok(Vec::new());
        }
        let request = |params| {
            ClientRequest::ListPromptsRequest(ListPromptsRequest {
                method: Default::default(),
                params,
                extensions: Default::default(),
            })
        };
        self.pages("prompts", MOST_PROMPTS, request).await
    }

    /// Its resources, as the server describes them. The error is half a sentence.
    pub async fn resources(&self) -> Result<Vec<Value>, String> {
        if self.peer.peer_info().is_none_or(|info| info.capabilities.resources.is_none()) {
            return Ok(Vec::new());
        }
        let request = |params| {
            ClientRequest::ListResourcesRequest(ListResourcesRequest {
                method: Default::default(),
                params,
                extensions: Default::default(),
            })
        };
        self.pages("resources", MOST_RESOURCES, request).await
    }

    /// The contents of a resource.
    pub async fn read(
        &self,
        uri: &str,
        timeout: Duration,
        cancel: &CancellationToken,
    ) -> Result<Value, CallError> {
        let params = ReadResourceRequestParams::new(uri);
        let request = ClientRequest::ReadResourceRequest(ReadResourceRequest::new(params));
        self.exchange(request, timeout, cancel, None).await
    }

    /// A prompt with its arguments filled in.
    pub async fn prompt(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        timeout: Duration,
        cancel: &CancellationToken,
    ) -> Result<Value, CallError> {
        let params = GetPromptRequestParams::new(name).with_arguments(arguments);
        let request = ClientRequest::GetPromptRequest(GetPromptRequest::new(params));
        self.exchange(request, timeout, cancel, None).await
    }

    /// The first `most` entries of a list that comes in pages. `what` is the list's name in them.
    async fn pages(
        &self,
        what: &str,
        most: usize,
        request: impl Fn(Option<PaginatedRequestParams>) -> ClientRequest,
    ) -> Result<Vec<Value>, String> {
        let mut entries = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor.clone());
            let page = match self.peer.send_request(request(Some(params))).await {
                Ok(page) => serde_json::to_value(page).unwrap_or_default(),
                // A server that brings something else, and says so.
                Err(ServiceError::McpError(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                    return Ok(entries);
                }
                Err(ServiceError::McpError(error)) => {
                    return Err(format!("it does not list its {what}: {}", error.message));
                }
                Err(error) => return Err(self.gone(&error)),
            };
            let Some(Value::Array(found)) = page.get(what) else {
                return Err(format!("its list of {what} is none"));
            };
            entries.extend(found.iter().take(most - entries.len()).cloned());
            let next = page.get("nextCursor").and_then(Value::as_str);
            // A cursor that comes again would go round for ever.
            if next.is_none_or(str::is_empty) || next == cursor.as_deref() || entries.len() == most
            {
                break;
            }
            cursor = next.map(str::to_owned);
        }
        Ok(entries)
    }
}
