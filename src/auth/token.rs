//! A token, as it is answered and as it is kept.

use std::fmt;

use serde_json::{Map, Value};

use crate::platform::exchange::{number, text};

/// No token is longer, in bytes.
const MAX_TOKEN: usize = 64 << 10;
/// Seconds that a token lives when its authority does not say.
const USUAL_LIFE: f64 = 900.0;
/// Seconds before its end that a token is renewed when nothing is known of its length.
const MARGIN: f64 = 300.0;

/// A token of an account with what renews it.
#[derive(Clone, PartialEq)]
pub(super) struct Token {
    /// What requests carry.
    pub access: String,
    /// What the next one is asked for with; it changes with each renewal. May be empty.
    pub refresh: String,
    /// Unix time in seconds; 0 when unknown.
    expires_at: f64,
    /// Seconds that it lives in all; 0 when unknown.
    expires_in: f64,
    /// Everything as it is in the file, also what we do not know.
    fields: Map<String, Value>,
}

impl fmt::Debug for Token {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Token {
    /// Reads what an authority has answered at this time. The error is half a sentence.
    pub fn of_answer(answer: &Map<String, Value>, now: f64) -> Result<Self, &'static str> {
        let access = text(answer, "access_token").ok_or("it has no access_token")?;
        let refresh = text(answer, "refresh_token").ok_or("it has no refresh_token")?;
        if !is_sendable(access) || !is_sendable(refresh) {
            return Err("it has a token that cannot be sent");
        }
        let kind = text(answer, "token_type").unwrap_or("Bearer");
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err("its token is of another kind than Bearer");
        }
        let life = number(answer, "expires_in").filter(|seconds| *seconds > 0.0);
        let life = life.unwrap_or(USUAL_LIFE);
        let scope = text(answer, "scope").unwrap_or_default();
        let mut fields = Map::new();
        for (name, value) in [
            ("access_token", Value::from(access)),
            ("refresh_token", Value::from(refresh)),
            ("expires_at", Value::from(now + life)),
            ("scope", Value::from(scope)),
            ("token_type", Value::from(kind)),
            ("expires_in", Value::from(life)),
        ] {
            fields.insert(name.to_owned(), value);
        }
        Ok(Self {
            access: access.to_owned(),
            refresh: refresh.to_owned(),
            expires_at: now + life,
            expires_in: life,
            fields,
        })
    }

    /// Reads a file's contents. `None` when there is no token in it that could be used.
    pub fn of_file(bytes: &[u8]) -> Option<Self> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else { return None };
        let access = text(&fields, "access_token")?.to_owned();
        let refresh = text(&fields, "refresh_token").unwrap_or_default().to_owned();
        if !is_sendable(&access) || !is_sendable(&refresh) {
            return None;
        }
        let seconds = |name| number(&fields, name).filter(|seconds| *seconds > 0.0).unwrap_or(0.0);
        let (expires_at, expires_in) = (seconds("expires_at"), seconds("expires_in"));
        Some(Self { access, refresh, expires_at, expires_in, fields })
    }

    /// The contents of its file. What another program has written beside the token it replaces stays.
    pub fn to_file(&self, replaced: Option<&Self>) -> Vec<u8> {
        let mut fields = replaced.map(|old| old.fields.clone()).unwrap_or_default();
        fields.extend(self.fields.clone());
        Value::Object(fields).to_string().into_bytes()
    }

    /// Whether it is time for another one: half of its life is over.
    pub fn is_due(&self, now: f64) -> bool {
        let margin = if self.expires_in > 0.0 { self.expires_in / 2.0 } else { MARGIN };
        !self.refresh.is_empty() && self.expires_at - now < margin
    }

    /// Whether servers may still take it.
    pub fn is_alive(&self, now: f64) -> bool {
        self.expires_at == 0.0 || self.expires_at > now
    }
}

fn is_sendable(token: &str) -> bool {
    token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answered(fields: Value) -> Result<Token, &'static str> {
        Token::of_answer(fields.as_object().unwrap(), 1000.0)
    }

    #[test]
    fn the_file_is_kimi_clis() {
        let token = answered(json!({
            "access_token": "a", "refresh_token": "r", "expires_in": 900, "scope": "s",
            "token_type": "Bearer",
        }));
        let written = token.unwrap().to_file(None);
        let value: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(
            value,
            json!({"access_token": "a", "refresh_token": "r", "expires_at": 1900.0, "scope": "s",
                "token_type": "Bearer", "expires_in": 900.0})
        );
        let read = Token::of_file(&written).unwrap();
        assert!(!read.is_due(1000.0) && !read.is_due(1450.0) && read.is_due(1451.0));
        assert!(read.is_alive(1899.0) && !read.is_alive(1900.0));
    }

    #[test]
    fn what_others_keep_beside_it_stays() {
        let old = Token::of_file(br#"{"access_token": "o", "theirs": [1]}"#).unwrap();
        assert!(!old.is_due(1.0) && old.is_alive(1e12), "nothing is known, nothing can be asked");
        let new = answered(json!({"access_token": "n", "refresh_token": "r"})).unwrap();
        let value: Value = serde_json::from_slice(&new.to_file(Some(&old))).unwrap();
        assert_eq!((&value["access_token"], &value["theirs"]), (&json!("n"), &json!([1])));
    }

    #[test]
    fn what_is_no_token_is_not_taken() {
        let long = "a".repeat(MAX_TOKEN + 1);
        for (access, refresh, kind) in [
            (json!(null), json!("r"), "bearer"),
            (json!(5), json!("r"), "bearer"),
            (json!(" "), json!("r"), "bearer"),
            (json!("a"), json!(""), "bearer"),
            (json!("a\r\nX: y"), json!("r"), "bearer"),
            (json!(long), json!("r"), "bearer"),
            (json!("a"), json!("r r"), "bearer"),
            (json!("a"), json!("r"), "mac"),
        ] {
            let fields =
                json!({"access_token": access, "refresh_token": refresh, "token_type": kind});
            assert!(answered(fields.clone()).is_err(), "{fields}");
        }
        for life in [json!(-5), json!("soon"), json!("1e400"), json!([])] {
            let fields = json!({"access_token": "a", "refresh_token": "r", "expires_in": life});
            assert!(answered(fields).unwrap().is_alive(1000.0 + USUAL_LIFE - 1.0));
        }
        for text in ["", "{", "[]", "null", "{}", r#"{"access_token": "a b"}"#, "\u{0}"] {
            assert!(Token::of_file(text.as_bytes()).is_none(), "{text}");
        }
        assert!(
            !format!(
                "{:?}",
                answered(json!({"access_token": "hunter2", "refresh_token": "hunter2"}))
            )
            .contains("hunter2")
        );
    }
}
