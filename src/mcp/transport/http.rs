//! Servers at an address: the HTTP client they share, and the transport of streamable HTTP.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, redirect};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use url::Url;

use super::access::Access;
use super::known::Known;
use super::lines::MAX_LINE;
use crate::platform::address::is_loopback;
pub(in crate::mcp) use crate::platform::exchange::innermost;
use crate::platform::tls::install_tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A stream may be silent for as long as the server likes; that its machine is gone shows like this.
/// Calls have limits of their own.
const KEEPALIVE: Duration = Duration::from_secs(30);
const MOST_REDIRECTS: usize = 5;

/// Why a server at an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::mcp) enum HttpError {
    /// 401, or 403 with a challenge: it wants to know who we are.
    #[error("it asks for authorization")]
    Unauthorized,
    /// Half a sentence for a person.
    #[error("{0}")]
    Other(String),
}

impl HttpError {
    pub(super) fn of_status(status: StatusCode) -> Self {
        if status == StatusCode::UNAUTHORIZED {
            Self::Unauthorized
        } else {
            Self::Other(format!("it answered with HTTP {status}"))
        }
    }
}

/// The address, if it is one of HTTP.
fn address(url: &str) -> Result<Url, HttpError> {
    let wrong = |why: String| HttpError::Other(format!("its url is no address: {why}"));
    let url = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(wrong(format!("{scheme} is not http or https"))),
    }
}

/// A client for the address; all servers share two. Making one reads certificates from the disk,
/// in a thread for that.
pub(in crate::mcp) async fn client(url: &str) -> Result<(Client, Url), HttpError> {
    let url = address(url)?;
    static LOCAL: OnceLock<Client> = OnceLock::new();
    static REMOTE: OnceLock<Client> = OnceLock::new();
    let local = url.scheme() == "http" && is_loopback(&url);
    let shared = if local { &LOCAL } else { &REMOTE };
    if let Some(client) = shared.get() {
        return Ok((client.clone(), url));
    }
    let built = tokio::task::spawn_blocking(move || build(local)).await;
    match built {
        Ok(Ok(client)) => Ok((shared.get_or_init(|| client).clone(), url)),
        Ok(Err(error)) => Err(HttpError::Other(format!("no HTTP client: {}", innermost(&error)))),
        Err(error) => Err(HttpError::Other(format!("no HTTP client: {error}"))),
    }
}

fn build(local: bool) -> reqwest::Result<Client> {
    install_tls();
    // Only what keeps the method and stays at the origin: headers of the user are secrets.
    let policy = redirect::Policy::custom(|attempt| {
        let keeps_body = matches!(
            attempt.status(),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        let first = attempt.previous().first();
        let stays = first.is_some_and(|first| first.origin() == attempt.url().origin());
        if keeps_body && stays && attempt.previous().len() <= MOST_REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    });
    let builder = Client::builder()
        .redirect(policy)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(KEEPALIVE)
        .tcp_nodelay(true)
        // A connection whose answer was not read to its end stalls the next request.
        .pool_max_idle_per_host(0);
    if local { builder.no_proxy().tls_certs_only([]).build() } else { builder.build() }
}

/// The configured headers, with the token as one of them.
pub(in crate::mcp) fn headers(
    configured: &BTreeMap<String, String>,
    token: Option<&str>,
) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    for (name, value) in configured {
        let wrong = || HttpError::Other(format!("its header {name:?} is no HTTP header"));
        let key: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    if let Some(token) = token {
        let wrong = |_| HttpError::Other("its token cannot be sent in a header".to_owned());
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(wrong)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// The transport of streamable HTTP. It starts a task: call it inside the runtime.
pub(in crate::mcp) fn streamable(
    client: Client,
    url: &Url,
    headers: &HeaderMap,
    access: Access,
) -> StreamableHttpClientTransport<Known> {
    let custom: HashMap<HeaderName, HeaderValue> =
        headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
    config.custom_headers = custom;
    config.max_sse_event_size = MAX_LINE;
    StreamableHttpClientTransport::with_client(Known::new(client, access), config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_http() {
        assert!(address("https://h/mcp").is_ok());
        for bad in ["h/mcp", "file:///etc/passwd", "", "https://"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_checked_and_hidden() {
        let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let made = headers(&map("X-Key", " v "), Some("tok")).unwrap();
        assert_eq!(
            (made["x-key"].as_bytes(), made["authorization"].as_bytes()),
            (&b"v"[..], &b"Bearer tok"[..])
        );
        assert!(!format!("{made:?}").contains("tok"));
        assert!(headers(&map("a b", "v"), None).is_err());
        assert!(headers(&map("a", "x\r\ny: z"), None).is_err());
        assert!(headers(&BTreeMap::new(), Some("a\nb")).is_err());
    }
}
