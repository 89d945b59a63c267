//! The secrets that a request carried, and their removal from what the server says: some repeat a refused
//! key in their error, and that is shown, logged and exported.

use reqwest::header::{AUTHORIZATION, HeaderMap};

use super::LlmError;

/// What stands in the place of a secret.
const MASK: &str = "***";
/// Characters of the shortest secret that is looked for everywhere: a stand-in like `x` or `ollama` is
/// none, and would be found in the middle of words.
const SHORTEST: usize = 8;
/// Characters at the beginning of a secret that give it away where a text was cut in the middle of it.
const BEGINNING: usize = 4;
/// Parts of the names of headers that carry secrets. Others are the user's too, but no secrets.
const TELLING: [&str; 5] = ["auth", "cookie", "key", "secret", "token"];

/// The secrets of one request, the longest first.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    secrets: Vec<String>,
}

impl Sent {
    /// Those in the headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let is_telling = |name: &str| TELLING.iter().any(|part| name.contains(part));
        let telling = headers.iter().filter(|(name, _)| is_telling(name.as_str()));
        let mut secrets = Vec::new();
        for (name, value) in telling {
            let Ok(value) = value.to_str() else { continue };
            secrets.push(value.to_owned());
            // `Bearer x`: the secret is also to go where it stands alone.
            if name == AUTHORIZATION
                && let Some((_, bare)) = value.split_once(' ')
            {
                secrets.push(bare.to_owned());
            }
        }
        Self::these(secrets)
    }

    /// These, where they are long enough.
    pub fn these(secrets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let secrets = secrets.into_iter().map(|secret| secret.into().trim().to_owned());
        let mut secrets: Vec<String> = secrets.filter(|secret| secret.len() >= SHORTEST).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// The text without them, and without the beginnings of them that an ellipsis follows.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret) {
                text = text.replace(secret, MASK);
            }
        }
        let cut = |part: &str| {
            let longest = self.secrets.iter().filter_map(|secret| {
                let ends = secret.char_indices().map(|(at, _)| at).rev();
                ends.take_while(|end| *end >= BEGINNING).find(|end| part.ends_with(&secret[..*end]))
            });
            longest.max().map(|length| part.len() - length)
        };
        let parts = text.split('…').collect::<Vec<_>>();
        let Some((last, before)) = parts.split_last() else { return text };
        let before = before.iter().map(|part| match cut(part) {
            Some(at) => format!("{}{MASK}…", &part[..at]),
            None => format!("{part}…"),
        });
        before.chain([(*last).to_owned()]).collect()
    }

    /// The error without them.
    pub fn hide_in(&self, error: LlmError) -> LlmError {
        let hidden = |text: String| self.hide(&text);
        match error {
            LlmError::Connection(text) => LlmError::Connection(hidden(text)),
            LlmError::Timeout(text) => LlmError::Timeout(hidden(text)),
            LlmError::Status { code, message, request_id, retry_after } => LlmError::Status {
                code,
                message: hidden(message),
                request_id: request_id.map(hidden),
                retry_after,
            },
            LlmError::Quota { code, message, request_id } => LlmError::Quota {
                code,
                message: hidden(message),
                request_id: request_id.map(hidden),
            },
            LlmError::SignIn(text) => LlmError::SignIn(hidden(text)),
            LlmError::Empty(text) => LlmError::Empty(hidden(text)),
            LlmError::Malformed(text) => LlmError::Malformed(hidden(text)),
            LlmError::Other(text) => LlmError::Other(hidden(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::one_line;
    use reqwest::header::HeaderValue;

    fn sent(headers: &[(&'static str, &'static str)]) -> Sent {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        Sent::of(&headers.collect())
    }

    #[test]
    fn a_secret_goes_wherever_it_stands() {
        let sent = sent(&[
            ("authorization", "Bearer sk-very-secret"),
            ("x-api-key", "another-one"),
            ("x-team", "platform-crew"),
        ]);
        for (said, expected) in [
            ("bad key sk-very-secret.", "bad key ***."),
            ("'Bearer sk-very-secret' is unknown", "'***' is unknown"),
            ("sk-very-secretsk-very-secret", "******"),
            ("another-one of platform-crew", "*** of platform-crew"),
            ("no key", "no key"),
            ("", ""),
            ("a… b…", "a… b…"),
            // The server's own shortening is cut short all the same.
            ("key sk-very… \u{e4}sk-v…", "key ***… \u{e4}***…"),
        ] {
            assert_eq!(sent.hide(said), expected, "{said}");
        }
    }

    #[test]
    fn a_key_for_a_server_that_wants_none_is_no_secret() {
        let sent = sent(&[("authorization", "Bearer ollama")]);
        assert_eq!(sent.hide("ollama has no model x"), "ollama has no model x");
        assert_eq!(sent.hide("bad header: Bearer ollama"), "bad header: ***");
    }

    #[test]
    fn nothing_of_a_secret_survives_a_cut() {
        let secret = "0123456789abcdefghijklmnopqrstuvwxyz";
        let sent = Sent::these([secret]);
        for room in 0..80 {
            let said = one_line(&format!("your key {secret} is bad, is bad, is bad"), room);
            let hidden = sent.hide(&said);
            assert!(!hidden.contains("0123"), "{hidden}");
        }
    }

    #[test]
    fn every_part_of_an_error_is_looked_at() {
        let sent = Sent::these(["sk-very-secret"]);
        let text = || "sk-very-secret".to_owned();
        let request_id = Some(text());
        for error in [
            LlmError::Connection(text()),
            LlmError::Timeout(text()),
            LlmError::Status {
                code: 401,
                message: text(),
                request_id: request_id.clone(),
                retry_after: None,
            },
            LlmError::Quota { code: 429, message: text(), request_id },
            LlmError::SignIn(text()),
            LlmError::Empty(text()),
            LlmError::Malformed(text()),
            LlmError::Other(text()),
        ] {
            let hidden = format!("{:?}", sent.hide_in(error));
            assert!(hidden.contains("***") && !hidden.contains("secret"), "{hidden}");
        }
    }
}
