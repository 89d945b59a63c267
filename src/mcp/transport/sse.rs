//! Servers of the older kind (protocol 2024-11-05): one stream of events from the server, whose first
//! event names the address that takes our messages.

use std::future::Future;
use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response};
use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::access::Access;
use super::http::HttpError;
use super::last_words::LastWords;
use super::lines::{MAX_LINE, answered};
use super::quiet::Comments;
use super::{messages, refusal};
use crate::llm::sse::{Event, Parser};

/// Messages that wait to be taken; the stream is read no further then.
const WAITING: usize = 64;
/// For one message to be taken by the server.
const POST_TIMEOUT: Duration = Duration::from_secs(60);

/// The transport. Dropping it closes the stream.
pub(in crate::mcp) struct Sse {
    client: Client,
    headers: HeaderMap,
    access: Access,
    endpoint: Url,
    messages: mpsc::Receiver<RxJsonRpcMessage<RoleClient>>,
    reader: Option<AbortOnDropHandle<()>>,
}

impl Sse {
    /// Opens the stream and waits for the address.
    pub async fn connect(
        client: Client,
        url: Url,
        headers: HeaderMap,
        access: Access,
        last_words: LastWords,
    ) -> Result<Self, HttpError> {
        let request =
            client.get(url.clone()).headers(headers.clone()).header(ACCEPT, "text/event-stream");
        let response = access.send(request).await?;
        if !response.status().is_success() {
            return Err(HttpError::of_status(response.status()));
        }
        let kind = response.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_vec());
        if !kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
            return Err(HttpError::Other("it answered with no stream of events".to_owned()));
        }
        let (sender, messages) = mpsc::channel(WAITING);
        let (found, endpoint) = oneshot::channel();
        let reader = tokio::spawn(read(response, found, sender, last_words));
        let reader = AbortOnDropHandle::new(reader);
        let endpoint = endpoint
            .await
            .map_err(|_| HttpError::Other("its stream of events names no address".to_owned()))?;
        let endpoint = url
            .join(endpoint.trim())
            .ok()
            // The headers go there: not to another host.
            .filter(|endpoint| endpoint.origin() == url.origin())
            .ok_or_else(|| HttpError::Other("it names an address of another host".to_owned()))?;
        Ok(Self { client, headers, access, endpoint, messages, reader: Some(reader) })
    }
}

/// Reads the stream to its end.
async fn read(
    response: Response,
    found: oneshot::Sender<String>,
    sender: mpsc::Sender<RxJsonRpcMessage<RoleClient>>,
    last_words: LastWords,
) {
    let mut comments = Comments::default();
    let mut found = Some(found);
    let mut parser = Parser::new(MAX_LINE);
    let mut stream = response.bytes_stream();
    let mut events = Vec::new();
    while let Some(Ok(bytes)) = stream.next().await {
        let parsed = parser.push(&bytes, |event| events.push(event));
        if comments.are_too_many(&bytes) {
            last_words.ended("it sends nothing but comments".to_owned());
            return;
        }
        for event in events.drain(..) {
            comments.end();
            if let Some(found) = found.take_if(|_| event.name.as_deref() == Some("endpoint")) {
                let _ = found.send(event.data);
                continue;
            }
            for message in taken(&event) {
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        }
        if parsed.is_err() {
            // What comes next cannot be told from the rest of it.
            return;
        }
    }
}

fn taken(event: &Event) -> Vec<RxJsonRpcMessage<RoleClient>> {
    if event.name.as_deref().is_some_and(|name| name != "message") {
        return Vec::new();
    }
    let text = event.data.as_bytes();
    messages(text).unwrap_or_else(|error| {
        let why = format!("the server's answer is no valid JSON: {error}");
        answered(text, text).and_then(|id| refusal(id, &why)).into_iter().collect()
    })
}

impl Transport<RoleClient> for Sse {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let request = self
            .client
            .post(self.endpoint.clone())
            .headers(self.headers.clone())
            .timeout(POST_TIMEOUT)
            .json(&message);
        let access = self.access.clone();
        async move {
            let response = access.send(request).await.map_err(io::Error::other)?;
            if response.status().is_success() {
                return Ok(());
            }
            Err(io::Error::other(HttpError::of_status(response.status())))
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        self.messages.recv().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.reader = None;
        self.messages.close();
        Ok(())
    }
}
