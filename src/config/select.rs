//! Which model to talk to, from the configuration, the command line and the environment.

use std::collections::BTreeMap;
use std::fmt;

use super::parse::CAPABILITIES;
use super::schema::{ModelConfig, OauthRef, ProviderConfig};
use super::{Config, env_model};
use crate::platform::env::Env;
use crate::protocol::Prices;

/// The model that `KIMI_API_KEY` alone stands for.
pub const DEFAULT_KIMI_MODEL: &str = "kimi-k2-turbo-preview";

pub(super) const KIMI_BASE_URL: &str = "https://api.moonshot.ai/v1";
pub(super) const OPENAI_BASE_URL: &str = "https://api.openai.com/v1";
/// Tokens of context of the current Kimi models.
pub(super) const KIMI_CONTEXT: u64 = 262_144;
/// Tokens of context of a model nothing is known about.
const UNKNOWN_CONTEXT: u64 = 100_000;

/// Everything a provider needs to talk to the chosen model.
#[derive(Clone, PartialEq)]
pub struct ModelChoice {
    /// The configured name, or the API's for a model that only the environment names.
    pub name: String,
    /// What to call it on the screen.
    pub display_name: String,
    /// The provider's key in the configuration; empty when the environment defines it.
    pub provider_name: String,
    /// `kimi`, `openai_legacy`, ... as in the configuration.
    pub provider_type: String,
    pub base_url: String,
    /// May be empty: local servers need none, and a token may stand in.
    pub api_key: String,
    /// The name the API knows.
    pub model: String,
    /// Tokens, never 0.
    pub max_context: u64,
    /// Configured and implied ones, each once.
    pub capabilities: Vec<String>,
    pub prices: Option<Prices>,
    pub custom_headers: BTreeMap<String, String>,
    /// See [`ProviderConfig::reasoning_key`].
    pub reasoning_key: Option<String>,
    pub env: BTreeMap<String, String>,
    /// The token of a sign-in that is used before `api_key`.
    pub oauth: Option<OauthRef>,
    /// What a person should be told about the environment.
    pub warnings: Vec<String>,
}

impl fmt::Debug for ModelChoice {
    /// Secrets are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelChoice")
            .field("name", &self.name)
            .field("provider_type", &self.provider_type)
            .field("base_url", &self.base_url)
            .field("model", &self.model)
            .field("max_context", &self.max_context)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

impl ModelChoice {
    /// Whether the model has a capability.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|name| name == capability)
    }
}

/// Why no model could be chosen although one was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No model of this name.
    #[error("Unknown model {name:?}. {hint}")]
    Unknown { name: String, hint: String },
    /// The model's provider lacks what it needs.
    #[error("Model {name:?} cannot be used: {key} is empty. Set it in the configuration file.")]
    Incomplete { name: String, key: String },
    /// The provider wants a stored token, and there is no key in its place.
    #[error(
        "Model {name:?} cannot be used: nobody is signed in to its provider {provider:?}. Run: kimi login"
    )]
    SignIn { name: String, provider: String },
    /// The environment describes a model in a way that makes no sense.
    #[error("{variable}={value:?} {why}")]
    Environment { variable: &'static str, value: String, why: &'static str },
}

/// Chooses the model: `model_flag` (a key of `models`), else `default_model`, else what the
/// environment alone describes. `None` when there is no model at all.
///
/// The environment wins over the configuration. For providers of type `kimi`: `KIMI_BASE_URL`,
/// `KIMI_API_KEY`, `KIMI_MODEL_NAME`, `KIMI_MODEL_MAX_CONTEXT_SIZE`, `KIMI_MODEL_CAPABILITIES`; for
/// `openai_legacy` and `openai_responses`: `OPENAI_BASE_URL`, `OPENAI_API_KEY`.
///
/// Without a configured model, `KIMI_API_KEY` alone is enough ([`DEFAULT_KIMI_MODEL`] at Moonshot),
/// or `KIMI_BASE_URL` with `KIMI_MODEL_NAME`; else `OPENAI_API_KEY` with `OPENAI_MODEL` or
/// `KIMI_MODEL_NAME`. A `model_flag` then names the model to the API.
///
/// With `KIMI_MODEL_API_KEY` or `KIMI_MODEL_BASE_URL` the environment describes a whole model, see
/// [`env_model`]; only a `model_flag` comes before it.
pub fn select(
    config: &Config,
    model_flag: Option<&str>,
    env: &Env,
) -> Result<Option<ModelChoice>, SelectError> {
    let flag = model_flag.filter(|name| !name.is_empty());
    let whole = env_model::choice(env)?;
    if let (None, Some(choice)) = (flag, whole) {
        return Ok(Some(finish(choice)));
    }
    let wanted = flag.or(Some(config.default_model.as_str())).filter(|name| !name.is_empty());
    let wanted = wanted.map(|name| config.full_model_name(name));
    if let Some(name) = wanted.as_deref()
        && let Some(model) = config.models.get(name)
        && let Some(provider) = config.providers.get(&model.provider)
    {
        return configured(name, model, provider, env).map(Some);
    }
    // A flag may name a model to the API only where it cannot be a misspelt configured one.
    let free_name = flag.filter(|_| config.models.is_empty());
    let choice = from_env(free_name, env);
    match (flag, choice) {
        (Some(name), choice)
            if free_name.is_none() && env.var("KIMI_MODEL_NAME").is_none() || choice.is_none() =>
        {
            Err(unknown(config, name))
        }
        (_, choice) => Ok(choice),
    }
}

impl Config {
    /// The configured name of a model: signing in names models `kimi-code/NAME`, and programs leave
    /// out what is before the stroke.
    fn full_model_name(&self, name: &str) -> String {
        let full = format!("kimi-code/{name}");
        match !self.models.contains_key(name) && self.models.contains_key(&full) {
            true => full,
            false => name.to_owned(),
        }
    }
}

/// Whether the model is asked to think: always if it cannot help it; else as the flag or, without
/// one, the configuration says, provided it can.
pub fn resolve_thinking(config: &Config, flag: Option<bool>, model: &ModelChoice) -> bool {
    model.can("always_thinking")
        || (flag.unwrap_or(config.default_thinking) && model.can("thinking"))
}

fn configured(
    name: &str,
    model: &ModelConfig,
    provider: &ProviderConfig,
    env: &Env,
) -> Result<ModelChoice, SelectError> {
    let mut choice = ModelChoice {
        name: name.to_owned(),
        display_name: model.display_name.clone().unwrap_or_else(|| name.to_owned()),
        provider_name: model.provider.clone(),
        provider_type: provider.kind.clone(),
        base_url: provider.base_url.clone(),
        api_key: provider.api_key.clone(),
        model: model.model.clone(),
        max_context: model.max_context_size,
        capabilities: model.capabilities.clone(),
        prices: model.prices,
        custom_headers: provider.custom_headers.clone(),
        reasoning_key: provider.reasoning_key.clone(),
        env: provider.env.clone(),
        oauth: provider.oauth.clone(),
        warnings: Vec::new(),
    };
    overlay(&mut choice, env);
    let is_test_double = choice.provider_type.starts_with('_');
    if choice.base_url.is_empty() && !is_test_double {
        let key = format!("providers.{}.base_url", model.provider);
        return Err(SelectError::Incomplete { name: name.to_owned(), key });
    }
    if choice.model.is_empty() && !is_test_double {
        let key = format!("models.{name}.model");
        return Err(SelectError::Incomplete { name: name.to_owned(), key });
    }
    // What a person writes into every request comes before a token.
    let mut headers = choice.custom_headers.keys();
    if headers.any(|header| header.eq_ignore_ascii_case("authorization")) {
        choice.oauth = None;
    }
    Ok(finish(choice))
}

/// A model that only the environment describes.
fn from_env(name: Option<&str>, env: &Env) -> Option<ModelChoice> {
    let kimi_name = env.var("KIMI_MODEL_NAME").or(name);
    let (kind, base_url, model) = if env.var("KIMI_API_KEY").is_some() {
        let default = || default_model_at(env.var("KIMI_BASE_URL").unwrap_or(KIMI_BASE_URL));
        ("kimi", KIMI_BASE_URL, kimi_name.or_else(default)?)
    } else if env.var("KIMI_BASE_URL").is_some() && kimi_name.is_some() {
        ("kimi", KIMI_BASE_URL, kimi_name?)
    } else if env.var("OPENAI_API_KEY").is_some() || env.var("OPENAI_BASE_URL").is_some() {
        let model = name.or(env.var("OPENAI_MODEL")).or(env.var("KIMI_MODEL_NAME"))?;
        ("openai_legacy", OPENAI_BASE_URL, model)
    } else {
        return None;
    };
    let mut choice = ModelChoice {
        name: model.to_owned(),
        display_name: model.to_owned(),
        provider_name: String::new(),
        provider_type: kind.to_owned(),
        base_url: base_url.to_owned(),
        api_key: String::new(),
        model: model.to_owned(),
        max_context: 0,
        capabilities: Vec::new(),
        prices: None,
        custom_headers: BTreeMap::new(),
        reasoning_key: None,
        env: BTreeMap::new(),
        oauth: None,
        warnings: Vec::new(),
    };
    overlay(&mut choice, env);
    Some(finish(choice))
}

/// The model to use at an address when none is named; at unknown addresses there is no telling.
fn default_model_at(base_url: &str) -> Option<&'static str> {
    if base_url.starts_with("https://api.moonshot.") {
        Some(DEFAULT_KIMI_MODEL)
    } else if base_url.starts_with("https://api.kimi.com/coding/") {
        Some("kimi-for-coding")
    } else {
        None
    }
}

/// Lays the environment over the configuration. A key that a person has given for this run comes before
/// the token of a sign-in.
fn overlay(choice: &mut ModelChoice, env: &Env) {
    let set = |field: &mut String, name: &str| {
        if let Some(value) = env.var(name) {
            value.clone_into(field);
        }
    };
    let set_key = |choice: &mut ModelChoice, name: &str| {
        if let Some(key) = env.var(name) {
            key.clone_into(&mut choice.api_key);
            choice.oauth = None;
        }
    };
    match choice.provider_type.as_str() {
        "kimi" => {
            set(&mut choice.base_url, "KIMI_BASE_URL");
            set_key(choice, "KIMI_API_KEY");
            // The others are then about a model of its own.
            if env_model::is_whole(env) {
                return;
            }
            if let Some(name) = env.var("KIMI_MODEL_NAME")
                && name != choice.model
            {
                name.clone_into(&mut choice.model);
                name.clone_into(&mut choice.display_name);
            }
            if let Some(text) = env.var("KIMI_MODEL_MAX_CONTEXT_SIZE") {
                match text.trim().parse::<u64>() {
                    Ok(size) if size > 0 => choice.max_context = size,
                    _ => choice.warnings.push(format!(
                        "KIMI_MODEL_MAX_CONTEXT_SIZE={text:?} is not a positive whole number and \
                         is ignored."
                    )),
                }
            }
            if let Some(text) = env.var("KIMI_MODEL_CAPABILITIES") {
                choice.capabilities = text
                    .split(',')
                    .map(|name| name.trim().to_ascii_lowercase())
                    .filter(|name| CAPABILITIES.contains(&name.as_str()))
                    .collect();
            }
        }
        "openai_legacy" | "openai_responses" => {
            set(&mut choice.base_url, "OPENAI_BASE_URL");
            set_key(choice, "OPENAI_API_KEY");
        }
        _ => {}
    }
}

/// Adds what the model's name implies.
fn finish(mut choice: ModelChoice) -> ModelChoice {
    let id = choice.model.to_ascii_lowercase();
    let is_coding_model = matches!(id.as_str(), "kimi-for-coding" | "kimi-code");
    if choice.max_context == 0 {
        let is_kimi = is_coding_model || id.starts_with("kimi-k");
        choice.max_context = if is_kimi { KIMI_CONTEXT } else { UNKNOWN_CONTEXT };
    }
    let implied: &[&str] = if id.contains("thinking") || id.contains("reason") {
        &["thinking", "always_thinking"]
    } else if is_coding_model {
        &["thinking", "image_in", "video_in"]
    } else if choice.can("always_thinking") {
        &["thinking"]
    } else {
        &[]
    };
    choice.capabilities.extend(implied.iter().map(|name| (*name).to_owned()));
    choice.capabilities.sort_unstable();
    choice.capabilities.dedup();
    choice
}

fn unknown(config: &Config, name: &str) -> SelectError {
    let names: Vec<&str> = config.models.keys().map(String::as_str).collect();
    let likeness = |other: &str| strsim::normalized_damerau_levenshtein(name, other);
    let nearest = names
        .iter()
        .map(|other| (likeness(other), *other))
        .filter(|(alike, _)| *alike >= 0.5)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let shown = names.iter().take(20).copied().collect::<Vec<_>>().join(", ");
    let hint = match (nearest, names.is_empty()) {
        (_, true) => {
            "No models are configured: set KIMI_API_KEY or add one to the configuration file."
                .to_owned()
        }
        (Some((_, nearest)), _) => format!("Did you mean {nearest:?}? Configured: {shown}."),
        (None, _) => format!("Configured: {shown}."),
    };
    SelectError::Unknown { name: name.to_owned(), hint }
}

#[cfg(test)]
mod tests;
