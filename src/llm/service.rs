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
/// For the beginning of the answer, and for more of it.
const READ: Duration = Duration::from_secs(90);

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
            timeouts: Timeouts { headers: READ, idle: READ, ..Timeouts::default() },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const LONG: Duration = Duration::from_secs(60);

    /// What comes of a request to a server that answers with this and then keeps still.
    async fn asked(answer: &'static [u8]) -> Result<Answer, LlmError> {
        asked_within(LONG, LONG, answer).await
    }

    async fn asked_within(
        headers: Duration,
        idle: Duration,
        answer: &'static [u8],
    ) -> Result<Answer, LlmError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let clock = fixed::env("/h", &[]).clock;
        let mut service = Service::new(&url, &"k".into(), &[], None, clock).unwrap();
        service.timeouts = Timeouts { headers, idle, ..service.timeouts };
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 8192]).await;
            socket.write_all(answer).await.unwrap();
            std::future::pending::<()>().await
        };
        let request = json!({});
        tokio::select! {
            answered = service.post("c", "application/json", &request, 100) => answered,
            () = server => unreachable!(),
        }
    }

    #[tokio::test]
    async fn a_service_that_keeps_still_is_not_waited_for() {
        let short = Duration::from_millis(50);
        let half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
        for (headers, idle, answer, said) in [
            (short, LONG, &b""[..], "did not begin to answer within 0.1 s"),
            (LONG, short, half, "sent nothing for 0.1 s"),
        ] {
            let error = asked_within(headers, idle, answer).await.unwrap_err();
            assert!(matches!(&error, LlmError::Timeout(why) if why.contains(said)), "{error:?}");
        }
    }

    #[tokio::test]
    async fn of_an_answer_no_more_is_kept_than_is_wanted() {
        let whole = asked(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await.unwrap();
        assert_eq!(whole, Answer { body: b"done".to_vec(), whole: true });
        const MORE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 120\r\n\r\n\
            0123456789012345678901234567890123456789012345678901234567890123456789\
            01234567890123456789012345678901234567890123456789";
        let cut = asked(MORE).await.unwrap();
        assert_eq!((cut.body.len(), cut.whole), (100, false));
    }

    #[tokio::test]
    async fn every_status_but_a_good_one_is_an_error_with_the_servers_words() {
        for (answer, code) in [
            (&b"HTTP/1.1 400 X\r\nContent-Length: 4\r\n\r\noops"[..], 400),
            (b"HTTP/1.1 404 X\r\nContent-Length: 4\r\n\r\noops", 404),
            (b"HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\noops", 500),
            (b"HTTP/1.1 304 X\r\n\r\n", 304),
        ] {
            assert_eq!(asked(answer).await.unwrap_err().status(), Some(code));
        }
    }

    #[test]
    fn the_times_are_those_of_the_contract() {
        let clock = fixed::env("/h", &[]).clock;
        let service = Service::new("http://h/", &"k".into(), &[], None, clock).unwrap();
        let times = [TOTAL, service.timeouts.headers, service.timeouts.idle];
        assert_eq!(times.map(|time| time.as_secs()), [180, 90, 90]);
    }
}
