//! What a server says beside its 401 (RFC 6750 section 3, RFC 9728 section 5.1).

use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, WWW_AUTHENTICATE};
use serde_json::json;
use url::Url;

use super::OauthError;
use crate::mcp::config::RemoteWire;
use crate::mcp::transport::{http_client, innermost};

/// For the head of an answer; the body is not waited for.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);

/// The parts of a challenge that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Where the server's metadata is.
    pub resource_metadata: Option<String>,
    /// What a token has to be good for.
    pub scope: Option<String>,
}

impl Challenge {
    /// Greets the server as nobody, with the headers of its entry, and hears what it wants.
    pub async fn ask(url: &Url, wire: RemoteWire, headers: HeaderMap) -> Result<Self, OauthError> {
        let failed = |why: String| OauthError::failed(format!("it cannot be reached: {why}"));
        let client = http_client(url.as_str()).await;
        let (client, url) = client.map_err(|error| failed(error.to_string()))?;
        let request = match wire {
            RemoteWire::Http => client.post(url).json(&json!({
                "jsonrpc": "2.0", "id": 0, "method": "initialize",
                "params": {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "clientInfo": {"name": "kimi", "version": env!("CARGO_PKG_VERSION")},
                },
            })),
            RemoteWire::Sse => client.get(url),
        };
        let request = request.header(ACCEPT, "application/json, text/event-stream");
        let sent = request.headers(headers).timeout(ASK_TIMEOUT).send().await;
        sent.map(|answer| Self::of(answer.headers())).map_err(|error| failed(innermost(&error)))
    }

    /// The challenge in an answer's headers; an empty one when there is none.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut challenge = Self::default();
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let Ok(text) = value.to_str() else { continue };
            for (name, value) in parameters(text) {
                match name.to_ascii_lowercase().as_str() {
                    "resource_metadata" => challenge.resource_metadata.get_or_insert(value),
                    "scope" => challenge.scope.get_or_insert(value),
                    _ => continue,
                };
            }
        }
        challenge
    }
}

/// The `name=value` pairs of a header, of whatever scheme they are.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        let name = before.rsplit([' ', ',', '\t']).next().unwrap_or_default();
        let after = after.trim_start();
        let value = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, left) = unquoted(quoted);
                rest = left;
                value
            }
            None => {
                let end = after.find([',', ' ', '\t']).unwrap_or(after.len());
                let (value, left) = after.split_at(end);
                rest = left;
                value.to_owned()
            }
        };
        if !name.is_empty() && !value.is_empty() {
            found.push((name.to_owned(), value));
        }
    }
    found
}

/// A quoted text up to its end, and what comes after.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(values: &[&'static str]) -> (Option<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        let Challenge { resource_metadata, scope } = Challenge::of(&headers);
        (resource_metadata, scope)
    }

    #[test]
    fn the_parts_are_found_however_they_are_written() {
        let (url, scope) = (Some("https://h/m?a=b".to_owned()), Some("a b".to_owned()));
        for values in [
            &[r#"Bearer resource_metadata="https://h/m?a=b", scope="a b""#][..],
            &[r#"bearer realm="x, scope=none", Scope="a \b" ,RESOURCE_METADATA="https://h/m?a=b""#],
            &["Basic realm=x", r#"Bearer scope="a b",resource_metadata=https://h/m?a=b"#],
        ] {
            assert_eq!(challenge(values), (url.clone(), scope.clone()), "{values:?}");
        }
    }

    #[test]
    fn garbage_is_no_challenge() {
        for text in
            ["", "Bearer", "=", "===\"", "scope=", "scope=\"", "Bearer realm=\"\\", "\"=\"=\""]
        {
            assert_eq!(challenge(&[text]), (None, None), "{text}");
        }
    }
}
