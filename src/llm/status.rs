//! What an answer with an error status says, in one line.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::LlmError;
use super::http::place;
use super::oneline::{EXCERPT, one_line};

/// Bytes of an error answer that are looked at.
const BODY: usize = 64 * 1024;
/// How long an error answer's body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// The error that an answer with an error status stands for. `now` is what a `Retry-After` date is
/// compared with.
pub(super) async fn status_error(url: &Url, mut response: Response, now: SystemTime) -> LlmError {
    let status = response.status();
    let request_id = request_id(response.headers());
    let retry_after = retry_after(response.headers(), now);
    let html = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let mut body = Vec::new();
    let read = async {
        while body.len() < BODY
            && let Ok(Some(bytes)) = response.chunk().await
        {
            body.extend_from_slice(&bytes[..bytes.len().min(BODY - body.len())]);
        }
    };
    // What came until then is enough.
    let _ = tokio::time::timeout(BODY_TIME, read).await;
    let text = String::from_utf8_lossy(&body);
    let told = if html || looks_like_html(&text) { None } else { told(&text) };
    let message = told.unwrap_or_else(|| fallback(url, status, html_title(&text)));
    if serde_json::from_str(&text).is_ok_and(|body| is_quota(&body)) {
        return LlmError::Quota { code: status.as_u16(), message, request_id };
    }
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

/// Whether an error object says that the account has nothing left: `insufficient_quota` (OpenAI),
/// `exceeded_current_quota_error` (Moonshot), as its type or its code.
pub(super) fn is_quota(value: &Value) -> bool {
    let error = value.get("error").filter(|error| error.is_object()).unwrap_or(value);
    ["type", "code"].iter().any(|key| {
        matches!(error[*key].as_str(), Some("insufficient_quota" | "exceeded_current_quota_error"))
    })
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
}
