//! Asking the token endpoint: for the first tokens with a code, for the next ones with the last.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::OauthError;
use super::endpoint::{Answer, post_form};
use super::store::{ClientAuth, ClientId};
use crate::auth::refusal;
use crate::platform::exchange::number;

/// No token is longer, in bytes.
const MAX_TOKEN: usize = 64 << 10;

/// What the endpoint gives.
pub(super) struct Tokens {
    pub access: String,
    /// `None`: the last one stays good.
    pub refresh: Option<String>,
    /// Seconds from now; `None` when it does not say.
    pub lifetime: Option<f64>,
    pub scope: Option<String>,
}

/// Why it gives nothing.
#[derive(Debug)]
pub(super) enum NoTokens {
    /// It says no: asking the same again is of no use. Half a sentence.
    Refused(String),
    /// It may work later. Half a sentence.
    Failed(String),
}

impl From<NoTokens> for OauthError {
    fn from(why: NoTokens) -> Self {
        match why {
            NoTokens::Refused(why) | NoTokens::Failed(why) => Self::Failed(why),
        }
    }
}

/// Asks with these fields; who we are is added.
pub(super) async fn request(
    endpoint: &Url,
    client: &ClientId,
    fields: &[(&str, &str)],
) -> Result<Tokens, NoTokens> {
    let mut form = fields.to_vec();
    let secret = client.secret.as_deref().unwrap_or_default();
    let mut basic = None;
    match client.auth {
        ClientAuth::None => form.push(("client_id", &client.id)),
        ClientAuth::Post => {
            form.extend([("client_id", client.id.as_str()), ("client_secret", secret)])
        }
        ClientAuth::Basic => basic = basic_value(&client.id, secret),
    }
    let shown = basic.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let shown = shown.strip_prefix("Basic ").unwrap_or_default().to_owned();
    let secrets = [secret, &shown];
    let answer = post_form(endpoint, &form, &secrets, |request| match basic {
        Some(value) => request.header(AUTHORIZATION, value),
        None => request,
    });
    read(&answer.await.map_err(|error| NoTokens::Failed(error.to_string()))?)
}

/// `Basic`, with both parts as in a form (RFC 6749 section 2.3.1).
fn basic_value(id: &str, secret: &str) -> Option<HeaderValue> {
    let part = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let both = STANDARD.encode(format!("{}:{}", part(id), part(secret)));
    let mut value = HeaderValue::from_str(&format!("Basic {both}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn read(answer: &Answer) -> Result<Tokens, NoTokens> {
    // Some say no with a status of 200.
    if !answer.status.is_success() || answer.text("error").is_some() {
        let why = format!("the token endpoint says no: {}", refusal(answer));
        let later = answer.status.is_server_error() || answer.status.as_u16() == 429;
        return Err(if later { NoTokens::Failed(why) } else { NoTokens::Refused(why) });
    }
    let strange = |why: &str| NoTokens::Failed(format!("the token endpoint's answer {why}"));
    let access = answer.text("access_token").ok_or_else(|| strange("has no token"))?;
    let sendable =
        |token: &str| token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !sendable(access) {
        return Err(strange("has a token that cannot be sent"));
    }
    if answer.text("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(strange("has a token of another kind than Bearer"));
    }
    let lifetime = number(&answer.fields, "expires_in");
    Ok(Tokens {
        access: access.to_owned(),
        refresh: answer.text("refresh_token").map(str::to_owned),
        lifetime: lifetime.filter(|seconds| *seconds > 0.0),
        scope: answer.text("scope").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;
    use serde_json::{Value, json};

    fn answered(status: u16, fields: Value) -> Result<Tokens, NoTokens> {
        let Value::Object(fields) = fields else { panic!("no object") };
        read(&Answer { status: StatusCode::from_u16(status).unwrap(), fields })
    }

    #[test]
    fn tokens_are_read_with_care() {
        let tokens =
            answered(200, json!({"access_token": "a", "token_type": "bearer", "expires_in": "60"}));
        let tokens = tokens.unwrap_or_else(|_| panic!("good tokens"));
        assert_eq!((tokens.access.as_str(), tokens.lifetime), ("a", Some(60.0)));
        for fields in [
            json!({}),
            json!({"access_token": ""}),
            json!({"access_token": 5}),
            json!({"access_token": "a\r\nX: y"}),
            json!({"access_token": "a b"}),
            json!({"access_token": "a".repeat(MAX_TOKEN + 1)}),
            json!({"access_token": "a", "token_type": "mac"}),
        ] {
            assert!(matches!(answered(200, fields.clone()), Err(NoTokens::Failed(_))), "{fields}");
        }
        for seconds in [json!(-1), json!("soon"), json!(null)] {
            let tokens = answered(200, json!({"access_token": "a", "expires_in": seconds}));
            assert!(tokens.is_ok_and(|tokens| tokens.lifetime.is_none()), "{seconds}");
        }
    }

    #[test]
    fn a_no_for_ever_is_told_from_one_for_now() {
        let no = json!({"error": "invalid_grant", "error_description": "used\u{1b}[31m before."});
        for status in [200, 400, 401] {
            let Err(NoTokens::Refused(why)) = answered(status, no.clone()) else {
                panic!("{status}")
            };
            assert_eq!(why, "the token endpoint says no: invalid_grant, used before");
        }
        for status in [429, 500, 503] {
            assert!(matches!(answered(status, json!({})), Err(NoTokens::Failed(_))), "{status}");
        }
    }

    #[test]
    fn both_parts_of_basic_are_written_as_in_a_form() {
        let value = basic_value("a:b", "c d%").unwrap();
        let coded = value.to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
        assert_eq!(STANDARD.decode(coded).unwrap(), b"a%3Ab:c+d%25");
    }
}
