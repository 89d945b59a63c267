//! Who gives out tokens, and what is asked there (config.md section 8).

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use url::Url;

use super::AuthError;
use super::refusal::{forget_sent, refusal, words};
use super::token::Token;
use crate::llm::openai::machine_headers;
use crate::llm::{Timeouts, http};
use crate::platform::Env;
use crate::platform::address::{checked, is_loopback};
use crate::platform::exchange::{self, Answer, number, text};
use crate::store::{ShareDir, device_id};

/// Kimi's own authority, unless the environment names another one.
const DEFAULT_HOST: &str = "https://auth.kimi.com";
/// Who we are to it: the command line of Kimi Code. It is no secret.
const CLIENT_ID: &str = "17e5f671-d194-4dfb-9706-5516cb48c098";
/// Of RFC 8628 section 3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What we send in a form that nobody else may know.
const SECRET_FIELDS: [&str; 2] = ["device_code", "refresh_token"];
/// The longest code that a person is asked to compare.
const MAX_USER_CODE: usize = 40;
/// Seconds that a code lives when the authority does not say, and the longest it may.
const CODE_LIFE: (f64, f64) = (900.0, 3600.0);
/// Seconds between two questions when the authority does not say, and the most and least of them.
const INTERVAL: (f64, f64, f64) = (5.0, 1.0, 60.0);
/// How often a renewal is tried.
const RENEWAL_TRIES: u32 = 3;

/// The authority of Kimi accounts.
#[derive(Clone)]
pub(super) struct Authority {
    host: Url,
    env: Env,
    /// Looked up at the first question.
    headers: Arc<OnceCell<HeaderMap>>,
}

/// A sign-in that has begun: what the person is shown, and what we ask with.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct DeviceCode {
    /// The page for the browser, with the code in it where the authority can do that.
    pub page: Url,
    /// What the page shows for comparison.
    pub user_code: String,
    code: String,
    pub life: Duration,
    pub interval: Duration,
}

/// What the authority says while a person makes up their mind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    Granted(Token),
    /// Not yet: the error's code and its description.
    Pending(String, String),
    /// Not yet, and not so often.
    SlowDown,
    Expired,
    /// No, for good. Half a sentence.
    Denied(String),
    /// Nothing that we understand; it may be better next time. Half a sentence.
    Unclear(String),
}

impl Authority {
    /// The authority that `$KIMI_CODE_OAUTH_HOST` or `$KIMI_OAUTH_HOST` names, else Kimi's own. The error
    /// is half a sentence.
    pub fn of_env(env: &Env) -> Result<Self, AuthError> {
        let named = ["KIMI_CODE_OAUTH_HOST", "KIMI_OAUTH_HOST"];
        let told = named.iter().find_map(|name| Some((*name, env.var(name)?.trim())));
        let (source, text) =
            told.filter(|(_, text)| !text.is_empty()).unwrap_or(("", DEFAULT_HOST));
        let host =
            checked(text, true).map_err(|why| AuthError::Failed(format!("{source} {why}")))?;
        Ok(Self { host, env: env.clone(), headers: Arc::default() })
    }

    /// Begins a sign-in.
    pub async fn begin(&self) -> Result<DeviceCode, AuthError> {
        let fields = [("client_id", CLIENT_ID)];
        let answer = self.ask("device_authorization", &fields).await.map_err(AuthError::Failed)?;
        if !answer.status.is_success() {
            let why = format!("the authority says no: {}", refusal(&answer));
            return Err(AuthError::Failed(why));
        }
        let strange = |why| AuthError::Failed(format!("the authority's answer is strange: {why}"));
        DeviceCode::read(&answer.fields, is_loopback(&self.host)).map_err(strange)
    }

    /// Asks whether the person has agreed.
    pub async fn poll(&self, code: &DeviceCode) -> Verdict {
        let fields =
            [("client_id", CLIENT_ID), ("device_code", &code.code), ("grant_type", DEVICE_GRANT)];
        match self.ask("token", &fields).await {
            Ok(answer) => judge(&answer, self.env.unix_now()),
            Err(why) => Verdict::Unclear(why),
        }
    }

    /// Asks for the next token. A hiccup of the network is tried again.
    pub async fn renew(&self, refresh: &str) -> Result<Token, AuthError> {
        let fields =
            [("client_id", CLIENT_ID), ("grant_type", "refresh_token"), ("refresh_token", refresh)];
        let mut tried = 0;
        loop {
            tried += 1;
            let why = match self.ask("token", &fields).await {
                Ok(answer) => match renewed(&answer, self.env.unix_now()) {
                    Ok(token) => return Ok(token),
                    Err(AuthError::Failed(why)) if is_passing(answer.status.as_u16()) => why,
                    Err(error) => return Err(error),
                },
                Err(why) => why,
            };
            if tried >= RENEWAL_TRIES {
                return Err(AuthError::Failed(why));
            }
            tokio::time::sleep(Duration::from_secs(1 << (tried - 1))).await;
        }
    }

    async fn ask(&self, what: &str, fields: &[(&str, &str)]) -> Result<Answer, String> {
        let mut url = self.host.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "oauth", what]);
        }
        let headers = self.headers.get_or_init(|| headers(&self.env)).await;
        let client = client(&url).await?;
        let request = client.post(url).headers(headers.clone());
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut answer = exchange::exchange(&client, request.body(exchange::form(fields))).await?;
        forget_sent(&mut answer, fields, &SECRET_FIELDS, &[]);
        Ok(answer)
    }
}

impl DeviceCode {
    /// Reads an answer; `local`: of an authority on this machine.
    fn read(fields: &Map<String, Value>, local: bool) -> Result<Self, String> {
        let code = text(fields, "device_code").ok_or("it has no device_code")?;
        let user_code = text(fields, "user_code").ok_or("it has no user_code")?;
        if user_code.len() > MAX_USER_CODE
            || user_code.chars().any(|c| !c.is_ascii_graphic() && c != ' ')
        {
            return Err("its user_code cannot be shown".to_owned());
        }
        let page = text(fields, "verification_uri_complete").or(text(fields, "verification_uri"));
        let page = page.ok_or("it has no verification_uri")?;
        // What a browser is sent to is no file, no script, and nothing that listens here.
        let page = shown(page, local).map_err(|why| format!("its verification_uri {why}"))?;
        let life = number(fields, "expires_in").filter(|seconds| *seconds > 0.0);
        let interval = number(fields, "interval").filter(|seconds| *seconds > 0.0);
        Ok(Self {
            page,
            user_code: user_code.to_owned(),
            code: code.to_owned(),
            life: Duration::from_secs_f64(life.unwrap_or(CODE_LIFE.0).min(CODE_LIFE.1)),
            interval: Duration::from_secs_f64(
                interval.unwrap_or(INTERVAL.0).clamp(INTERVAL.1, INTERVAL.2),
            ),
        })
    }
}

/// The client for an address. The error is half a sentence.
pub(super) async fn client(url: &Url) -> Result<reqwest::Client, String> {
    let client = http::client_for(url, Timeouts::default().connect).await;
    client.map_err(|error| error.to_string())
}

/// What Kimi's services are told of this machine.
pub(super) async fn headers(env: &Env) -> HeaderMap {
    let env = env.clone();
    machine_headers(Arc::new(move || device_id(&ShareDir::from_env(&env), &env))).await
}

fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502..=504)
}

fn judge(answer: &Answer, now: f64) -> Verdict {
    let error = answer.text("error");
    let description = || words(answer.text("error_description").unwrap_or_default());
    match error {
        Some("authorization_pending") => {
            Verdict::Pending("authorization_pending".into(), description())
        }
        Some("slow_down") => Verdict::SlowDown,
        Some("expired_token") => Verdict::Expired,
        Some("access_denied") => Verdict::Denied("it was denied in the browser".to_owned()),
        _ if answer.status.as_u16() == 429 => Verdict::SlowDown,
        _ if answer.status.is_server_error() => Verdict::Unclear(refusal(answer)),
        Some(_) => Verdict::Denied(format!("the authority says no: {}", refusal(answer))),
        None if !answer.status.is_success() => Verdict::Unclear(refusal(answer)),
        None => match Token::of_answer(&answer.fields, now) {
            Ok(token) => Verdict::Granted(token),
            Err(why) => Verdict::Unclear(format!("the authority's answer is strange: {why}")),
        },
    }
}

fn renewed(answer: &Answer, now: f64) -> Result<Token, AuthError> {
    // Some say no with a status of 400 (RFC 6749 section 5.2), and some even with one of 200.
    let no = matches!(answer.status.as_u16(), 401 | 403)
        || answer.text("error") == Some("invalid_grant");
    if no {
        return Err(AuthError::Refused(refusal(answer)));
    }
    if !answer.status.is_success() || answer.text("error").is_some() {
        return Err(AuthError::Failed(format!("the authority says: {}", refusal(answer))));
    }
    let strange = |why| AuthError::Failed(format!("the authority's answer is strange: {why}"));
    Token::of_answer(&answer.fields, now).map_err(strange)
}

/// The address of a page that a browser may be sent to. The rules are those for secrets: what the person
/// types there is one. The words are about a page.
fn shown(text: &str, local: bool) -> Result<Url, String> {
    let http = |url: &Url| url.scheme() == "http" && !is_loopback(url);
    checked(text, local).map_err(|why| match Url::parse(text) {
        Ok(url) if http(&url) => "is not a page of https".to_owned(),
        _ => why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use reqwest::StatusCode;
    use serde_json::json;

    fn answer(status: u16, fields: Value) -> Answer {
        let Value::Object(fields) = fields else { panic!("no object") };
        Answer { status: StatusCode::from_u16(status).unwrap(), fields }
    }

    #[test]
    fn the_environment_names_the_authority() {
        let host = |vars: &[(&str, &str)]| {
            Authority::of_env(&fixed::env("/h", vars)).map(|it| it.host.to_string())
        };
        assert_eq!(host(&[]).unwrap(), "https://auth.kimi.com/");
        let both =
            [("KIMI_OAUTH_HOST", "https://b"), ("KIMI_CODE_OAUTH_HOST", "http://127.0.0.1:1")];
        assert_eq!(host(&both).unwrap(), "http://127.0.0.1:1/");
        assert_eq!(host(&both[..1]).unwrap(), "https://b/");
        for bad in
            ["http://b", "b", "file:///b", "https://me:pw@b", "http://127.0.0.1.evil.example"]
        {
            let error = host(&[("KIMI_OAUTH_HOST", bad)]).unwrap_err().to_string();
            assert!(error.starts_with("KIMI_OAUTH_HOST "), "{error}");
        }
    }

    #[test]
    fn a_strange_beginning_is_refused() {
        let good = json!({
            "device_code": "d", "user_code": "AB-CD", "verification_uri_complete": "https://k/?c=AB-CD",
            "expires_in": 1800, "interval": 0,
        });
        let read = |fields: &Value| DeviceCode::read(fields.as_object().unwrap(), false);
        let code = read(&good).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((code.interval, code.life), (Duration::from_secs(5), Duration::from_secs(1800)));
        for (field, value) in [
            ("device_code", json!(null)),
            ("user_code", json!("AB\u{1b}[2J")),
            ("user_code", json!("A".repeat(41))),
            ("verification_uri_complete", json!("javascript:alert(1)")),
            ("verification_uri_complete", json!("http://k/")),
            ("verification_uri_complete", json!("http://127.0.0.1:8080/delete?all")),
            ("verification_uri_complete", json!("https://localhost/")),
            ("verification_uri_complete", json!(7)),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            assert!(read(&bad).is_err(), "{bad}");
        }
        let mut plain = good.clone();
        plain["verification_uri_complete"] = json!("http://k/");
        assert_eq!(read(&plain).err().unwrap(), "its verification_uri is not a page of https");
        let mut here = good.clone();
        here["verification_uri_complete"] = json!("http://127.0.0.1:8080/");
        assert!(DeviceCode::read(here.as_object().unwrap(), true).is_ok(), "both are here");
        let mut odd = good.clone();
        odd["expires_in"] = json!("1e300");
        odd["interval"] = json!(-1);
        let code = read(&odd).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((code.interval, code.life), (Duration::from_secs(5), Duration::from_secs(3600)));
    }

    #[test]
    fn every_answer_to_a_poll_means_something() {
        let said = |status, fields| judge(&answer(status, fields), 0.0);
        let pending =
            json!({"error": "authorization_pending", "error_description": "wait\u{1b}[0m\n"});
        assert_eq!(
            said(400, pending),
            Verdict::Pending("authorization_pending".into(), "wait".into())
        );
        assert_eq!(said(400, json!({"error": "slow_down"})), Verdict::SlowDown);
        assert_eq!(said(429, json!({})), Verdict::SlowDown);
        assert_eq!(said(400, json!({"error": "expired_token"})), Verdict::Expired);
        assert!(matches!(said(403, json!({"error": "access_denied"})), Verdict::Denied(_)));
        assert!(matches!(said(400, json!({"error": "invalid_client"})), Verdict::Denied(_)));
        for (status, fields) in [
            (200, json!({})),
            (200, json!({"access_token": "a b", "refresh_token": "r"})),
            (404, json!({})),
            (500, json!({"error": "oops"})),
        ] {
            assert!(matches!(said(status, fields.clone()), Verdict::Unclear(_)), "{fields}");
        }
        let token = json!({"access_token": "a", "refresh_token": "r"});
        assert!(matches!(said(200, token), Verdict::Granted(_)));
    }

    #[test]
    fn a_no_for_ever_is_told_from_one_for_now() {
        for (status, fields) in
            [(401, json!({})), (403, json!({})), (400, json!({"error": "invalid_grant"}))]
        {
            assert!(matches!(renewed(&answer(status, fields), 0.0), Err(AuthError::Refused(_))));
        }
        for (status, fields) in
            [(400, json!({"error": "invalid_request"})), (500, json!({})), (200, json!({}))]
        {
            assert!(matches!(renewed(&answer(status, fields), 0.0), Err(AuthError::Failed(_))));
        }
    }
}
