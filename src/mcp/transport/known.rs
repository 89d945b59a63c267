//! The client of streamable HTTP, with a token on every request that is renewed when it has to be.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, StatusCode};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, SseError, StreamableHttpClient, StreamableHttpError,
    StreamableHttpPostResponse,
};
use sse_stream::Sse;

use super::access::Access;
use super::http::HttpError;
use super::lines::MAX_LINE;
use super::mended;
use super::quiet::Paced;

type Fault = StreamableHttpError<reqwest::Error>;
type Headers = HashMap<HeaderName, HeaderValue>;
type Events = BoxStream<'static, Result<Sse, SseError>>;

/// The client.
#[derive(Clone)]
pub(in crate::mcp) struct Known {
    client: Client,
    access: Access,
}

impl Known {
    pub fn new(client: Client, access: Access) -> Self {
        Self { client, access }
    }

    /// Sends, and once more with another token when the first one is not taken. Whether a 401 then
    /// is the end of the connection, says `matters`.
    async fn send<T, F>(
        &self,
        matters: bool,
        send: impl Fn(Option<String>) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let token = self.access.token().await.map_err(fault)?;
        match send(token.clone()).await {
            Err(error) if is_unauthorized(&error) && (matters || token.is_some()) => {}
            sent => return sent,
        }
        let token = self.access.after(token.as_deref()).await.map_err(fault)?;
        match send(Some(token)).await {
            Err(error) if matters && is_unauthorized(&error) => {
                Err(fault(self.access.is_refused()))
            }
            sent => sent,
        }
    }
}

/// Some servers send no challenge with their 401, and each of those comes as another error.
fn is_unauthorized(error: &Fault) -> bool {
    match error {
        StreamableHttpError::AuthRequired(_) => true,
        StreamableHttpError::Client(error) => error.status() == Some(StatusCode::UNAUTHORIZED),
        StreamableHttpError::UnexpectedServerResponse(text) => text.starts_with("HTTP 401"),
        _ => false,
    }
}

fn fault(error: HttpError) -> Fault {
    match error {
        HttpError::Unauthorized => {
            StreamableHttpError::AuthRequired(AuthRequiredError::new("Bearer".to_owned()))
        }
        HttpError::Other(why) => StreamableHttpError::Io(io::Error::other(why)),
    }
}

/// The events of a stream as the protocol engine is to have them.
fn read(events: Events) -> Events {
    let events = events.map(|event| {
        let mut event = event?;
        if let Some(whole) = event.data.as_deref().and_then(mended) {
            event.data = Some(whole);
        }
        Ok(event)
    });
    Paced::new(events.boxed()).boxed()
}

impl StreamableHttpClient for Known {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Fault> {
        self.post_message_with_max_sse_event_size(uri, message, session, None, headers, MAX_LINE)
            .await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _: Option<String>,
        headers: Headers,
        max: usize,
    ) -> Result<StreamableHttpPostResponse, Fault> {
        self.send(true, |token| {
            self.client.post_message_with_max_sse_event_size(
                Arc::clone(&uri),
                message.clone(),
                session.clone(),
                token,
                headers.clone(),
                max,
            )
        })
        .await
        .map(|answer| match answer {
            StreamableHttpPostResponse::Sse(events, session) => {
                StreamableHttpPostResponse::Sse(read(events), session)
            }
            other => other,
        })
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _: Option<String>,
        headers: Headers,
    ) -> Result<(), Fault> {
        self.send(false, |token| {
            let session = Arc::clone(&session);
            self.client.delete_session(Arc::clone(&uri), session, token, headers.clone())
        })
        .await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        _: Option<String>,
        headers: Headers,
    ) -> Result<Events, Fault> {
        self.get_stream_with_max_sse_event_size(uri, session, last_event, None, headers, MAX_LINE)
            .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        _: Option<String>,
        headers: Headers,
        max: usize,
    ) -> Result<Events, Fault> {
        self.send(false, |token| {
            self.client.get_stream_with_max_sse_event_size(
                Arc::clone(&uri),
                session.clone(),
                last_event.clone(),
                token,
                headers.clone(),
                max,
            )
        })
        .await
        .map(read)
    }
}
