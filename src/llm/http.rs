//! One HTTP request to a model server, and the bytes of its answer.
//!
//! The clients are built at the first request and shared by the process. Redirects are followed
//! only to the same origin: neither the key nor the conversation goes to another host.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Client, Response, StatusCode, redirect};
use url::Url;

use super::LlmError;
use super::oneline::{EXCERPT, one_line};
use super::status::{request_id, status_error};
use crate::platform::address::is_loopback;
use crate::platform::exchange;

/// Redirects within the origin.
const MOST_REDIRECTS: usize = 4;

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// For the headers of the answer, from sending on. Servers that queue requests answer late.
    pub headers: Duration,
    /// For the next byte of a streaming answer.
    pub idle: Duration,
    /// For the next event with data in it. Servers that queue requests send comments meanwhile, but
    /// not for ever.
    pub data: Duration,
    /// For the usage and the end mark after the model has finished, in all; passing it is no error.
    pub trailer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(600),
            idle: Duration::from_secs(120),
            data: Duration::from_secs(600),
            trailer: Duration::from_secs(5),
        }
    }
}

/// Posts the body; returns an answer with a success status.
pub(super) async fn post(
    url: &Url,
    headers: &HeaderMap,
    body: Bytes,
    timeouts: &Timeouts,
    now: SystemTime,
) -> Result<Response, LlmError> {
    let client = client_for(url, timeouts.connect).await?;
    let mut target = url.clone();
    for _ in 0..=MOST_REDIRECTS {
        let request = client.post(target.clone()).headers(headers.clone()).body(body.clone());
        let response = match tokio::time::timeout(timeouts.headers, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(transport_error(&target, &error, timeouts)),
            Err(_) => {
                return Err(LlmError::Timeout(format!(
                    "{} did not begin to answer within {} s",
                    place(&target),
                    seconds(timeouts.headers)
                )));
            }
        };
        if response.status().is_success() {
            return Ok(response);
        }
        match redirected(&target, &response) {
            None => return Err(status_error(&target, response, now).await),
            Some(Ok(next)) => target = next,
            Some(Err(message)) => {
                return Err(LlmError::Status {
                    code: response.status().as_u16(),
                    message,
                    request_id: request_id(response.headers()),
                    retry_after: None,
                });
            }
        }
    }
    Err(LlmError::Other(format!("{} redirects in a circle; check base_url", place(url))))
}

/// The body of an answer up to `most` bytes, and whether that is all of it.
pub(super) async fn body(
    url: &Url,
    mut response: Response,
    most: usize,
    timeouts: &Timeouts,
) -> Result<(Vec<u8>, bool), LlmError> {
    let mut body = Vec::new();
    loop {
        let chunk = match tokio::time::timeout(timeouts.idle, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok((body, true)),
            Ok(Err(error)) => return Err(transport_error(url, &error, timeouts)),
            Err(_) => {
                let waited = seconds(timeouts.idle);
                let message = format!("{} sent nothing for {waited} s", place(url));
                return Err(LlmError::Timeout(message));
            }
        };
        let room = most - body.len();
        body.extend_from_slice(chunk.get(..chunk.len().min(room)).unwrap_or_default());
        if chunk.len() > room {
            return Ok((body, false));
        }
    }
}

/// Where a redirect leads, if it may be followed.
fn redirected(from: &Url, response: &Response) -> Option<Result<Url, String>> {
    let moved = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(LOCATION).filter(|_| moved)?;
    let to = std::str::from_utf8(location.as_bytes()).ok().and_then(|to| from.join(to).ok());
    Some(match to {
        Some(to) if to.origin() == from.origin() => Ok(to),
        Some(to) => Err(format!(
            "{} redirects to {}, where your key was not sent; set base_url to it if you trust it",
            place(from),
            one_line(&to.origin().ascii_serialization(), EXCERPT)
        )),
        None => Err(format!("{} redirects to an address that is none", place(from))),
    })
}

/// The client for requests to an address.
pub(crate) async fn client_for(url: &Url, connect: Duration) -> Result<Client, LlmError> {
    static LOCAL: OnceLock<Client> = OnceLock::new();
    static REMOTE: OnceLock<Client> = OnceLock::new();
    // A server on this machine over plain HTTP needs no certificates, and no proxy could reach it.
    let local = url.scheme() == "http" && is_loopback(url);
    let shared = if local { &LOCAL } else { &REMOTE };
    let standard = connect == Timeouts::default().connect;
    if standard && let Some(client) = shared.get() {
        return Ok(client.clone());
    }
    let built = if local {
        build(true, connect)
    } else {
        // Reading the system's certificates takes a few milliseconds of disk.
        tokio::task::spawn_blocking(move || build(false, connect))
            .await
            .map_err(|_| LlmError::Other("the HTTP client could not be set up".to_owned()))?
    };
    let client = built.map_err(|error| {
        LlmError::Other(format!(
            "the HTTP client could not be set up: {}; are CA certificates and a valid proxy \
             setting there?",
            innermost(&error)
        ))
    })?;
    Ok(if standard { shared.get_or_init(|| client).clone() } else { client })
}

fn build(local: bool, connect: Duration) -> reqwest::Result<Client> {
    // An error means that a provider is already installed, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(connect)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30));
    if local { builder.no_proxy().tls_certs_only([]).build() } else { builder.build() }
}

/// Host and port, for messages; never the user name or the query.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the server");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

/// The cause at the bottom of an error, which is the one that says something.
fn innermost(error: &reqwest::Error) -> String {
    one_line(&exchange::innermost(error), EXCERPT)
}

/// An error before the answer's headers, or inside its body.
pub(super) fn transport_error(url: &Url, error: &reqwest::Error, timeouts: &Timeouts) -> LlmError {
    let place = place(url);
    if error.is_connect() && error.is_timeout() {
        let limit = seconds(timeouts.connect);
        return LlmError::Timeout(format!(
            "no connection to {place} within {limit} s; check the network and base_url"
        ));
    }
    if error.is_timeout() {
        return LlmError::Timeout(format!("{place} took too long to answer"));
    }
    let cause = innermost(error);
    if error.is_connect() {
        return LlmError::Connection(format!(
            "cannot connect to {place}: {cause}; check the network and base_url"
        ));
    }
    if error.is_builder() {
        return LlmError::Other(format!("the request to {place} could not be made: {cause}"));
    }
    LlmError::Connection(format!("the connection to {place} broke: {cause}"))
}
