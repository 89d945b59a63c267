//! One HTTP request to a model server, and the bytes of its answer.
//!
//! The clients are built at the first request and shared by the process. Redirects are followed
//! only to the same origin: neither the key nor the conversation goes to another host.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::Value;
use url::{Host, Url};

use super::LlmError;
use super::oneline::{EXCERPT, one_line};

/// Bytes of an error answer that are looked at.
const ERROR_BODY: usize = 64 * 1024;
/// How long an error answer's body may take.
const ERROR_BODY_TIME: Duration = Duration::from_secs(10);
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
    /// For the usage and the end mark after the model has finished; passing it is no error.
    pub trailer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(600),
            idle: Duration::from_secs(120),
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

async fn client_for(url: &Url, connect: Duration) -> Result<Client, LlmError> {
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

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
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
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    one_line(&cause.to_string(), EXCERPT)
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

async fn status_error(url: &Url, mut response: Response, now: SystemTime) -> LlmError {
    let status = response.status();
    let request_id = request_id(response.headers());
    let retry_after = retry_after(response.headers(), now);
    let html = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let mut body = Vec::new();
    let read = async {
        while body.len() < ERROR_BODY
            && let Ok(Some(bytes)) = response.chunk().await
        {
            body.extend_from_slice(&bytes[..bytes.len().min(ERROR_BODY - body.len())]);
        }
    };
    // What came until then is enough.
    let _ = tokio::time::timeout(ERROR_BODY_TIME, read).await;
    let text = String::from_utf8_lossy(&body);
    let told = if html || looks_like_html(&text) { None } else { told(&text) };
    let message = told.unwrap_or_else(|| fallback(url, status, html_title(&text)));
    LlmError::Status { code: status.as_u16(), message, request_id, retry_after }
}

/// What an error body says, whatever shape it has.
fn told(body: &str) -> Option<String> {
    let message = match serde_json::from_str::<Value>(body) {
        Ok(value) => error_message(&value)?,
        Err(_) => body.to_owned(),
    };
    Some(one_line(&message, EXCERPT)).filter(|message| !message.is_empty())
}

/// The message in an error object: `{"error":{"message"}}`, `{"error":"..."}`, `{"message"}`,
/// `{"detail"}`, or a list of such.
pub(super) fn error_message(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().take(8).find_map(error_message),
        Value::Object(fields) => ["error", "message", "detail", "msg", "errors"]
            .iter()
            .filter_map(|key| fields.get(*key))
            .find_map(error_message),
        _ => None,
    }
}

fn fallback(url: &Url, status: StatusCode, page: Option<String>) -> String {
    let place = place(url);
    let page = page.map(|title| format!(" with the page \"{title}\"")).unwrap_or_default();
    match status.as_u16() {
        401 => format!("{place} refused the API key{page}; check api_key"),
        403 => format!("{place} forbids this request{page}; check api_key and model"),
        404 => format!("{place} has nothing at {}{page}; check base_url and model", url.path()),
        429 => format!("{place} asks for fewer requests{page}; wait or check your quota"),
        code if code >= 500 => format!("{place} failed{page}; try again later"),
        _ => format!("{place} refused the request{page}"),
    }
}

pub(super) fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let start = start.get(..14).unwrap_or(start).to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head")
}

/// The title of an HTML page.
pub(super) fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower.get(start..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find("</title")?;
    Some(one_line(text.get(start..end)?, 120)).filter(|title| !title.is_empty())
}

/// The server's name for this request, for a person who writes to its operators.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-request-id", "x-trace-id", "request-id", "msh-request-id"]
        .iter()
        .find_map(|name| headers.get(*name))
        .map(|id| one_line(&String::from_utf8_lossy(id.as_bytes()), 120))
        .filter(|id| !id.is_empty())
}

/// `Retry-After`: seconds, or an HTTP date (RFC 9110 section 10.2.3); also OpenAI's
/// `retry-after-ms`.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|millis| millis.parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(SystemTime::from(date).duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;
    use std::time::UNIX_EPOCH;

    fn after(name: &'static str, value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        // 1994-11-06 08:49:37 UTC.
        retry_after(&headers, UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn retry_after_in_all_its_forms() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(after("retry-after", "7"), seconds(7));
        assert_eq!(after("retry-after", " 0.5 "), Some(Duration::from_millis(500)));
        assert_eq!(after("retry-after-ms", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(after("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), seconds(30));
        assert_eq!(after("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), seconds(0));
        for junk in ["", "-1", "NaN", "1e999", "soon"] {
            assert_eq!(after("retry-after", junk), None, "{junk}");
        }
    }

    #[test]
    fn error_bodies_of_many_servers() {
        for body in [
            r#"{"error":{"message":"no\n\u001b[31mway","type":"x"}}"#,
            r#"{"error":"no [31mway"}"#,
            r#"{"error":{"code":1},"message":"no [31mway"}"#,
            r#"{"detail":[{"loc":["body"],"msg":"no [31mway"}]}"#,
            "no\r\n[31mway",
        ] {
            assert_eq!(told(body).as_deref(), Some("no [31mway"), "{body}");
        }
        for body in ["", "{}", "[]", "null", r#"{"error":{}}"#, "\u{1b}"] {
            assert_eq!(told(body), None, "{body}");
        }
    }

    #[test]
    fn pages_are_told_by_their_title() {
        let page = "\n<!DOCTYPE html><html><TITLE lang=en>502 Bad\nGateway</TITLE><body>x";
        assert!(looks_like_html(page));
        assert_eq!(html_title(page).as_deref(), Some("502 Bad Gateway"));
        assert_eq!(html_title("<title"), None);
        assert!(!looks_like_html("<3"));
    }

    #[test]
    fn loopback_needs_no_proxy() {
        let loopback = |text: &str| is_loopback(&Url::parse(text).unwrap());
        assert!(loopback("http://127.0.0.1:1/") && loopback("http://[::1]/"));
        assert!(loopback("http://localhost/") && !loopback("http://localhost.example/"));
    }
}
