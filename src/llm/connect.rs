//! From a [`ModelSpec`] to a model that can be asked.

use std::sync::Arc;

use url::Url;

use super::openai::{ChatCompletions, Dialect, HeaderError, Knobs, Settings, static_headers};
use super::scripted::{Echo, ScriptedEcho};
use super::tour::Tour;
use super::{
    Llm, ModelSpec, Provider, ProviderKind, Thinking, Timeouts, TokenSource, derived_capabilities,
};
use crate::platform::Env;

/// Finds this machine's device id (32 hex digits); called once, at the first request, on a thread
/// that may block.
pub type DeviceId = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Why a model cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("no model is set; choose one in config.toml or set KIMI_MODEL_NAME")]
    NoModel,
    #[error("the provider has no base_url; set it in config.toml or set KIMI_BASE_URL")]
    NoBaseUrl,
    #[error("the base_url `{url}` is not usable: {why}; it looks like https://api.example.com/v1")]
    BadBaseUrl { url: String, why: String },
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// How to connect. `..Default::default()` fills in what does not matter.
#[derive(Clone, Default)]
pub struct Connection<'a> {
    /// Whether the model is asked to think, as far as it can.
    pub thinking: bool,
    /// The provider's cache keeps the requests of a session together.
    pub session_id: &'a str,
    /// Name and version of the program that drives us, for the user agent.
    pub user_agent_suffix: Option<&'a str>,
    pub device_id: Option<DeviceId>,
    /// The tokens of a sign-in, in the place of the key.
    pub tokens: Option<Arc<dyn TokenSource>>,
    pub timeouts: Timeouts,
}

/// A model that is ready to be asked, with the standard timeouts and without a device id.
/// Does no I/O.
pub fn connect(
    spec: &ModelSpec,
    thinking: bool,
    session_id: &str,
    user_agent_suffix: Option<&str>,
    env: &Env,
) -> Result<Llm, ConnectError> {
    let connection =
        Connection { thinking, session_id, user_agent_suffix, ..Connection::default() };
    connection.open(spec, env)
}

impl Connection<'_> {
    /// A model that is ready to be asked. Does no I/O. Clones of the result share one connection
    /// and, with a scripted model, one queue of scripts.
    pub fn open(&self, spec: &ModelSpec, env: &Env) -> Result<Llm, ConnectError> {
        let capabilities = derived_capabilities(&spec.model, spec.capabilities);
        let thinking = capabilities.always_thinking || (self.thinking && capabilities.thinking);
        let provider: Arc<dyn Provider> = match spec.kind {
            ProviderKind::Kimi => Arc::new(self.chat(spec, Dialect::Kimi, thinking, env)?),
            ProviderKind::OpenAiLegacy => {
                Arc::new(self.chat(spec, Dialect::Legacy, thinking, env)?)
            }
            ProviderKind::Echo => Arc::new(Echo),
            ProviderKind::ScriptedEcho => Arc::new(ScriptedEcho::new(spec, env)),
            ProviderKind::Tour => Arc::new(Tour::new(spec, env)),
        };
        let display_name = spec.display_name.clone().filter(|name| !name.trim().is_empty());
        Ok(Llm {
            provider,
            name: spec.name.clone(),
            model: spec.model.clone(),
            display_name: display_name.unwrap_or_else(|| spec.name.clone()),
            max_context: spec.max_context,
            capabilities,
            thinking: if thinking { Thinking::On } else { Thinking::Off },
            prices: spec.prices,
            is_tour: spec.kind == ProviderKind::Tour,
        })
    }

    fn chat(
        &self,
        spec: &ModelSpec,
        dialect: Dialect,
        thinking: bool,
        env: &Env,
    ) -> Result<ChatCompletions, ConnectError> {
        if spec.model.trim().is_empty() {
            return Err(ConnectError::NoModel);
        }
        let headers =
            static_headers(dialect, &spec.api_key, self.user_agent_suffix, &spec.custom_headers)?;
        let settings = Settings {
            dialect,
            url: endpoint(&spec.base_url)?,
            model: spec.model.clone(),
            session_id: self.session_id.to_owned(),
            thinking,
            max_context: spec.max_context,
            reasoning_key: spec.reasoning_key.clone(),
            knobs: Knobs::from_env(env),
            timeouts: self.timeouts,
        };
        let clock = Arc::clone(&env.clock);
        let (device, tokens) = (self.device_id.clone(), self.tokens.clone());
        Ok(ChatCompletions::new(settings, headers, device, tokens, clock))
    }
}

/// `{base_url}/chat/completions`; a query stays.
fn endpoint(base_url: &str) -> Result<Url, ConnectError> {
    let mut url = web_address(base_url)?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["chat", "completions"]);
    }
    Ok(url)
}

/// A configured address, without its fragment.
pub(super) fn web_address(base_url: &str) -> Result<Url, ConnectError> {
    let text = base_url.trim();
    if text.is_empty() {
        return Err(ConnectError::NoBaseUrl);
    }
    let bad = |why: &str| ConnectError::BadBaseUrl {
        url: super::oneline::one_line(text, 200),
        why: why.to_owned(),
    };
    let mut url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("its scheme is neither https nor http"));
    }
    if url.host_str().is_none() {
        return Err(bad("it names no host"));
    }
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (base, whole) in [
            ("https://api.example.com/v1", "https://api.example.com/v1/chat/completions"),
            (" https://api.example.com/v1/ ", "https://api.example.com/v1/chat/completions"),
            ("http://localhost:8000", "http://localhost:8000/chat/completions"),
            (
                "https://x.example/a?api-version=1",
                "https://x.example/a/chat/completions?api-version=1",
            ),
        ] {
            assert_eq!(endpoint(base).unwrap().as_str(), whole);
        }
        assert_eq!(endpoint(" "), Err(ConnectError::NoBaseUrl));
        for bad in ["api.example.com/v1", "ftp://x/", "http://", "localhost:80", "\u{1b}[0m"] {
            let Err(error @ ConnectError::BadBaseUrl { .. }) = endpoint(bad) else {
                panic!("{bad} was taken")
            };
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }
}
