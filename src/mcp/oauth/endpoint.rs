//! Which addresses may hear a secret, and requests to them with answers of bounded size.

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use super::OauthError;
use crate::mcp::transport::{http_client, is_loopback};
use crate::platform::exchange;
pub(super) use crate::platform::exchange::{Answer, text};

/// A field that is a list of texts; `None` when it is not there.
pub(super) fn texts(fields: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let list = fields.get(name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The address of the server itself: secrets go there only over TLS, or within this machine.
pub(super) fn server_address(url: &str) -> Result<Url, OauthError> {
    let url = Url::parse(url)
        .map_err(|error| OauthError::failed(format!("its url is no address: {error}")))?;
    checked(url, true, "its url")
}

/// An address that the server named as its `what`. Only a server on this machine may name another
/// one on it: a stranger has no business with what listens here.
pub(super) fn named_address(text: &str, what: &str, server: &Url) -> Result<Url, OauthError> {
    let what = format!("its {what}");
    let url = Url::parse(text)
        .map_err(|error| OauthError::failed(format!("{what} is no address: {error}")))?;
    checked(url, is_loopback(server), &what)
}

fn checked(url: Url, local: bool, what: &str) -> Result<Url, OauthError> {
    let wrong = |why: &str| Err(OauthError::failed(format!("{what} {why}")));
    let here = is_loopback(&url);
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return wrong("is not one of https");
    }
    if here && !local {
        return wrong("is on this machine, which is not where the server is");
    }
    if url.scheme() == "http" && !here {
        return wrong("is not one of https: tokens are not sent there");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("has a user name in it");
    }
    Ok(url)
}

/// A JSON document; `None` when it is not there.
pub(super) async fn get(url: &Url) -> Result<Option<Map<String, Value>>, OauthError> {
    let (client, url) = client(url).await?;
    let answer = exchange(&client, client.get(url)).await?;
    Ok((answer.status == StatusCode::OK && !answer.fields.is_empty()).then_some(answer.fields))
}

/// Sends a JSON document.
pub(super) async fn post_json(url: &Url, body: &Value) -> Result<Answer, OauthError> {
    let (client, url) = client(url).await?;
    exchange(&client, client.post(url).json(body)).await
}

/// Sends a form; `change` puts headers to it.
pub(super) async fn post_form(
    url: &Url,
    form: &[(&str, &str)],
    change: impl FnOnce(RequestBuilder) -> RequestBuilder,
) -> Result<Answer, OauthError> {
    let (client, url) = client(url).await?;
    let body = exchange::form(form);
    let request = client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    exchange(&client, change(request.body(body))).await
}

/// The client of the connections: it stays at the origin when an address moves.
async fn client(url: &Url) -> Result<(reqwest::Client, Url), OauthError> {
    http_client(url.as_str()).await.map_err(|error| OauthError::failed(error.to_string()))
}

async fn exchange(client: &reqwest::Client, request: RequestBuilder) -> Result<Answer, OauthError> {
    exchange::exchange(client, request).await.map_err(OauthError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_the_machine() {
        for good in
            ["https://h/mcp", "http://127.0.0.1:1/mcp", "http://localhost:1", "http://[::1]:1/"]
        {
            assert!(server_address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://h/mcp",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "https://user:pw@h/",
            "ftp://h/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "h",
        ] {
            assert!(server_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stranger_names_nothing_on_this_machine() {
        let remote = Url::parse("https://h/mcp").unwrap();
        let local = Url::parse("http://127.0.0.1:1/mcp").unwrap();
        let named = |text, server| named_address(text, "token endpoint", server);
        assert!(named("https://auth.h/token", &remote).is_ok());
        assert!(named("http://127.0.0.1:2/token", &local).is_ok());
        for bad in ["http://127.0.0.1:2/token", "https://localhost/", "http://auth.h/", "data:,x"] {
            let said = named(bad, &remote).unwrap_err().to_string();
            assert!(said.starts_with("its token endpoint is"), "{said}");
        }
    }
}
