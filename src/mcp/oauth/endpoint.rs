//! Which addresses may hear a secret, and requests to them with answers of bounded size.

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use super::OauthError;
use crate::auth::forget_sent;
use crate::mcp::transport::http_client;
use crate::platform::address::{checked, is_loopback};
use crate::platform::exchange;
pub(super) use crate::platform::exchange::{Answer, text};

/// What we send in a form that nobody else may know.
const SECRET_FIELDS: [&str; 4] = ["refresh_token", "client_secret", "code", "code_verifier"];

/// A field that is a list of texts; `None` when it is not there.
pub(super) fn texts(fields: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let list = fields.get(name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The address of the server itself: secrets go there only over TLS, or within this machine.
pub(super) fn server_address(url: &str) -> Result<Url, OauthError> {
    checked(url, true).map_err(|why| OauthError::failed(format!("its url {why}")))
}

/// An address that the server named as its `what`. Only a server on this machine may name another
/// one on it: a stranger has no business with what listens here.
pub(super) fn named_address(text: &str, what: &str, server: &Url) -> Result<Url, OauthError> {
    let address = checked(text, is_loopback(server));
    address.map_err(|why| OauthError::failed(format!("its {what} {why}")))
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

/// Sends a form; `change` puts headers to it, with these secrets in them. No secret is in what the answer
/// says of an error.
pub(super) async fn post_form(
    url: &Url,
    form: &[(&str, &str)],
    secrets: &[&str],
    change: impl FnOnce(RequestBuilder) -> RequestBuilder,
) -> Result<Answer, OauthError> {
    let (client, url) = client(url).await?;
    let body = exchange::form(form);
    let request = client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let mut answer = exchange(&client, change(request.body(body))).await?;
    forget_sent(&mut answer, form, &SECRET_FIELDS, secrets);
    Ok(answer)
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
