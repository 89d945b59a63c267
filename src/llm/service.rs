//! Kimi's web services beside the model: search and fetch (config.md section 5).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::access::Access;
use super::connect::web_address;
use super::openai::{Dialect, RequestHeaders, static_headers};
use super::{ConnectError, DeviceId, LlmError, Secret, Timeouts, TokenSource, http};
use crate::platform::Clock;

/// For the whole of a request, the body included.
const TOTAL: Duration = Duration::from_secs(180);
/// For the beginning of the answer.
const HEADERS: Duration = Duration::from_secs(90);

/// A service that takes JSON and answers with a text.
pub struct Service {
    url: Url,
    access: Access,
    timeouts: Timeouts,
    clock: Arc<dyn Clock>,
}

/// What a service answered with a success status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub body: Vec<u8>,
    /// False when the body was longer than the caller wanted.
    pub whole: bool,
}

impl Service {
    /// The service at an address. Does no I/O.
    pub fn new(
        url: &str,
        key: &Secret,
        custom_headers: &[(String, String)],
        device: Option<DeviceId>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConnectError> {
        let headers = static_headers(Dialect::Kimi, key, None, custom_headers)?;
        Ok(Self {
            url: web_address(url)?,
            access: Access::new(RequestHeaders::of_machine(headers, device), None),
            timeouts: Timeouts { headers: HEADERS, ..Timeouts::default() },
            clock,
        })
    }

    /// The same with the tokens of a sign-in in the place of the key.
    pub fn with_tokens(mut self, tokens: Option<Arc<dyn TokenSource>>) -> Self {
        self.access = self.access.with_tokens(tokens);
        self
    }

    /// Posts `body`. `call_id` names the tool call it is for; of the answer no more than `most`
    /// bytes are kept.
    pub async fn post(
        &self,
        call_id: &str,
        accept: &'static str,
        body: &Value,
        most: usize,
    ) -> Result<Answer, LlmError> {
        let body = Bytes::from(body.to_string());
        let request = self.access.send(|mut headers| {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            if let Ok(id) = HeaderValue::from_str(call_id) {
                headers.insert(HeaderName::from_static("x-msh-tool-call-id"), id);
            }
            let (body, now) = (body.clone(), self.clock.now());
            async move {
                let response = http::post(&self.url, &headers, body, &self.timeouts, now).await?;
                http::body(&self.url, response, most, &self.timeouts).await
            }
        });
        match tokio::time::timeout(TOTAL, request).await {
            Ok(answered) => answered.map(|((body, whole), _)| Answer { body, whole }),
            Err(_) => Err(LlmError::Timeout(format!(
                "{} did not answer within {} s",
                http::place(&self.url),
                TOTAL.as_secs()
            ))),
        }
    }
}
