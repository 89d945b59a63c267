//! What an authority says when it says no: in its words, and without the secrets that it repeats.

use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use crate::llm::Sent;
use crate::mcp::tidy::one_line;
use crate::platform::exchange::Answer;

/// Characters of what an authority says.
const MAX_WORDS: usize = 200;

/// Why an authority says no, in its words, on one line.
pub(crate) fn refusal(answer: &Answer) -> String {
    let told = match (answer.text("error"), answer.text("error_description")) {
        (Some(code), Some(why)) => format!("{code}, {why}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => format!("HTTP {}", answer.status),
    };
    words(told.trim_end_matches('.'))
}

/// Its words on one line of bounded length.
pub(super) fn words(text: &str) -> String {
    one_line(text, MAX_WORDS)
}

/// Some repeat what they were sent: no secret of ours is shown because of that. Secrets are the fields of
/// the form with these names, and `more`, which went along in headers; each as it is and as a form has it.
pub(crate) fn forget_sent(
    answer: &mut Answer,
    form: &[(&str, &str)],
    secret_fields: &[&str],
    more: &[&str],
) {
    let fields = form.iter().filter(|(name, _)| secret_fields.contains(name));
    let secrets = fields.map(|(_, value)| *value).chain(more.iter().copied());
    let both = |secret: &str| [secret.to_owned(), byte_serialize(secret.as_bytes()).collect()];
    let sent = Sent::these(secrets.flat_map(both));
    for name in ["error", "error_description"] {
        if let Some(Value::String(text)) = answer.fields.get_mut(name) {
            *text = sent.hide(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;
    use serde_json::json;

    #[test]
    fn a_secret_that_is_repeated_is_not_told() {
        let form = [("client_id", "kimi-client"), ("refresh_token", "refresh/secret=1")];
        for (said, expected) in [
            ("refresh/secret=1 of kimi-client was used", "*** of kimi-client was used"),
            ("refresh_token=refresh%2Fsecret%3D1.", "refresh_token=***"),
            ("basic-secret\u{1b}[31m is wrong", "*** is wrong"),
        ] {
            let fields = json!({"error": "invalid_grant", "error_description": said});
            let Value::Object(fields) = fields else { unreachable!() };
            let mut no = Answer { status: StatusCode::BAD_REQUEST, fields };
            forget_sent(&mut no, &form, &["refresh_token"], &["basic-secret"]);
            assert_eq!(refusal(&no), format!("invalid_grant, {expected}"));
        }
    }
}
