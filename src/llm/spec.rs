//! Which model to ask, and how it is reached.

use std::fmt;

use super::Capabilities;
use crate::protocol::Prices;

/// A model with everything that is needed to ask it.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// The configured name, a key of `[models]`; the API's id when it came from the environment.
    pub name: String,
    pub display_name: Option<String>,
    pub kind: ProviderKind,
    /// The API's address, with `/v1` where the API has it.
    pub base_url: String,
    /// Empty for a server that wants none.
    pub api_key: Secret,
    /// The API's id of the model.
    pub model: String,
    /// Context window in tokens; 0 when unknown.
    pub max_context: u64,
    /// What the configuration claims; [`derived_capabilities`] adds what the id tells.
    pub capabilities: Capabilities,
    pub prices: Option<Prices>,
    /// Sent with each request, after and instead of our own of the same name.
    pub custom_headers: Vec<(String, String)>,
    /// `openai_legacy`: the message field that carries thinking; `Some("")` turns it off.
    pub reasoning_key: Option<String>,
    /// The provider's own environment; used by the scripted models.
    pub env: Vec<(String, String)>,
}

/// A wire format, or a model that lives in this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Chat completions with Kimi's additions.
    Kimi,
    /// Chat completions as OpenAI and its many look-alikes have it.
    OpenAiLegacy,
    /// Answers with what the last message scripts.
    Echo,
    /// Answers with one script of a file after another.
    ScriptedEcho,
    /// The built-in tour.
    Tour,
}

/// A provider type that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// A type of the Kimi world that this build does not implement.
    #[error("this build does not speak `{0}` yet; use a provider of type `kimi` or `openai`")]
    NotYet(String),
    /// No type that we ever heard of.
    #[error("unknown provider type `{0}`; known are `kimi` and `openai` (also `openai_legacy`)")]
    Unknown(String),
}

impl std::str::FromStr for ProviderKind {
    type Err = KindError;

    /// Reads a provider's `type` of the configuration (providers.md section 2).
    fn from_str(text: &str) -> Result<Self, KindError> {
        match text {
            "kimi" => Ok(Self::Kimi),
            "openai_legacy" | "openai" => Ok(Self::OpenAiLegacy),
            "_echo" => Ok(Self::Echo),
            "_scripted_echo" => Ok(Self::ScriptedEcho),
            "openai_responses" | "anthropic" | "gemini" | "google_genai" | "google-genai"
            | "vertexai" | "_chaos" => Err(KindError::NotYet(text.to_owned())),
            _ => Err(KindError::Unknown(super::oneline::one_line(text, 60))),
        }
    }
}

impl ProviderKind {
    /// The `type` of the configuration; the tour has none and cannot be configured.
    pub fn config_type(self) -> Option<&'static str> {
        match self {
            Self::Kimi => Some("kimi"),
            Self::OpenAiLegacy => Some("openai_legacy"),
            Self::Echo => Some("_echo"),
            Self::ScriptedEcho => Some("_scripted_echo"),
            Self::Tour => None,
        }
    }
}

/// A key or token. It shows itself to nobody but [`Secret::expose`]'s callers.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for Secret {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_empty() { "(none)" } else { "***" })
    }
}

/// What a model can do: what is configured, and what its id tells (providers.md section 2).
pub fn derived_capabilities(model_id: &str, configured: Capabilities) -> Capabilities {
    let mut capabilities = configured;
    let id = model_id.to_lowercase();
    if id.contains("thinking") || id.contains("reason") {
        capabilities.thinking = true;
        capabilities.always_thinking = true;
    } else if matches!(id.as_str(), "kimi-for-coding" | "kimi-code") {
        capabilities.thinking = true;
        capabilities.image_in = true;
        capabilities.video_in = true;
    }
    capabilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_the_configuration() {
        for kind in [
            ProviderKind::Kimi,
            ProviderKind::OpenAiLegacy,
            ProviderKind::Echo,
            ProviderKind::ScriptedEcho,
        ] {
            assert_eq!(kind.config_type().unwrap().parse(), Ok(kind));
        }
        assert_eq!("openai".parse(), Ok(ProviderKind::OpenAiLegacy));
        let error = "anthropic".parse::<ProviderKind>().unwrap_err();
        assert!(error.to_string().starts_with("this build does not speak `anthropic` yet"));
        let error = "a\u{1b}[0m\n".parse::<ProviderKind>().unwrap_err();
        assert_eq!(error, KindError::Unknown("a [0m".into()));
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::from("sk-123");
        assert_eq!(format!("{secret} {secret:?} {:?}", Secret::default()), "*** *** (none)");
    }

    #[test]
    fn ids_tell_capabilities() {
        let none = Capabilities::default();
        let thinking = derived_capabilities("Kimi-K2-Thinking", none);
        assert!(thinking.thinking && thinking.always_thinking && !thinking.image_in);
        let coding = derived_capabilities("kimi-for-coding", none);
        assert!(coding.thinking && coding.image_in && coding.video_in && !coding.always_thinking);
        let configured = Capabilities { image_in: true, ..none };
        assert_eq!(derived_capabilities("gpt-x", configured), configured);
    }
}
