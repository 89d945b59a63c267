//! The models of an account (config.md section 6).

use reqwest::StatusCode;
use serde_json::{Map, Value};
use url::Url;

use super::authority::{client, headers};
use crate::llm::Secret;
use crate::platform::Env;
use crate::platform::address::checked;
use crate::platform::exchange::{exchange, number, text};

/// Kimi Code's address, unless the environment names another one.
const DEFAULT_BASE: &str = "https://api.kimi.com/coding/v1";
/// More models than this are no list.
const MAX_MODELS: usize = 500;

/// A model that the account may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Model {
    /// The API's name.
    pub id: String,
    /// Tokens; 0 when it does not say.
    pub max_context: i64,
    pub capabilities: Vec<&'static str>,
    pub display_name: Option<String>,
}

impl Model {
    /// Whether it can think.
    pub fn thinks(&self) -> bool {
        self.capabilities.contains(&"thinking")
    }

    fn read(fields: &Map<String, Value>) -> Option<Self> {
        let id = text(fields, "id")?.to_owned();
        // What is cleaned away before it is shown makes one name look like another.
        if id.len() > 200 || crate::llm::one_line(&id, usize::MAX) != id {
            return None;
        }
        let has = |name: &str| fields.get(name).and_then(Value::as_bool).unwrap_or(false);
        let lower = id.to_lowercase();
        let always = lower.contains("thinking");
        let k2 = lower.starts_with("kimi-k2");
        let capabilities = [
            (has("supports_reasoning") || always || k2, "thinking"),
            (always, "always_thinking"),
            (has("supports_image_in") || k2, "image_in"),
            (has("supports_video_in") || k2, "video_in"),
        ];
        let capabilities = capabilities.into_iter().filter(|(has, _)| *has).map(|(_, name)| name);
        let length = number(fields, "context_length").unwrap_or(0.0).clamp(0.0, 1e12);
        Some(Self {
            id,
            max_context: length as i64,
            capabilities: capabilities.collect(),
            display_name: text(fields, "display_name").map(|name| crate::llm::one_line(name, 100)),
        })
    }
}

/// The address of Kimi Code: `$KIMI_CODE_BASE_URL`, else Kimi's own. The error is half a sentence.
pub(super) fn base_url(env: &Env) -> Result<String, String> {
    let text = env.var("KIMI_CODE_BASE_URL").map(str::trim).filter(|text| !text.is_empty());
    let text = text.unwrap_or(DEFAULT_BASE);
    checked(text, true).map_err(|why| format!("KIMI_CODE_BASE_URL {why}"))?;
    Ok(text.trim_end_matches('/').to_owned())
}

/// Why there is no list of models.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListError {
    /// The token is not taken.
    #[error("HTTP 401 Unauthorized")]
    Refused,
    /// Half a sentence.
    #[error("{0}")]
    Failed(String),
}

impl From<String> for ListError {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Asks for the models. There is at least one.
pub(super) async fn list(
    base_url: &str,
    token: &Secret,
    env: &Env,
) -> Result<Vec<Model>, ListError> {
    let url = Url::parse(&format!("{base_url}/models")).map_err(|error| error.to_string())?;
    let client = client(&url).await?;
    let request = client.get(url).headers(headers(env).await).bearer_auth(token.expose());
    let answer = exchange(&client, request).await?;
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(ListError::Refused);
    }
    if !answer.status.is_success() {
        return Err(format!("HTTP {}", answer.status).into());
    }
    let listed = answer.fields.get("data").and_then(Value::as_array);
    let listed = listed.ok_or_else(|| "the answer is no list of models".to_owned())?;
    let models: Vec<_> =
        listed.iter().take(MAX_MODELS).filter_map(|one| Model::read(one.as_object()?)).collect();
    if models.is_empty() {
        return Err("there are none for this account".to_owned().into());
    }
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_flags_tell_capabilities() {
        let read = |fields: Value| Model::read(fields.as_object().unwrap());
        let plain = read(
            json!({"id": "kimi-for-coding", "context_length": 262144, "supports_reasoning": true}),
        );
        let plain = plain.unwrap();
        assert_eq!(
            (plain.max_context, plain.capabilities.as_slice()),
            (262_144, &["thinking"][..])
        );
        let k2 = read(json!({"id": "Kimi-K2-Thinking", "context_length": "x"})).unwrap();
        assert_eq!(k2.capabilities, ["thinking", "always_thinking", "image_in", "video_in"]);
        assert_eq!(k2.max_context, 0);
        for bad in [
            json!({}),
            json!({"id": ""}),
            json!({"id": 5}),
            json!({"id": "a\u{1b}b"}),
            json!({"id": "kimi\u{202e}x"}),
            json!({"id": "kimi\u{200b}"}),
            json!({"id": "a\u{a0}b"}),
        ] {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
    }
}
