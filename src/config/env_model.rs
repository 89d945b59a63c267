//! A whole model from the environment, as kimi-code has it: `KIMI_MODEL_NAME` and
//! `KIMI_MODEL_API_KEY`, with `KIMI_MODEL_PROVIDER_TYPE`, `KIMI_MODEL_BASE_URL`,
//! `KIMI_MODEL_MAX_CONTEXT_SIZE`, `KIMI_MODEL_CAPABILITIES`, `KIMI_MODEL_DISPLAY_NAME` and
//! `KIMI_MODEL_REASONING_KEY`. It needs nothing in the configuration and comes before what is there.
//!
//! Without a key and an address of its own, `KIMI_MODEL_NAME` means what it means in kimi-cli: another
//! model of the configured provider.

use std::collections::BTreeMap;

use super::parse::CAPABILITIES;
use super::select::{KIMI_BASE_URL, KIMI_CONTEXT, ModelChoice, OPENAI_BASE_URL, SelectError};
use crate::platform::env::Env;

const NAME: &str = "KIMI_MODEL_NAME";
const API_KEY: &str = "KIMI_MODEL_API_KEY";
const BASE_URL: &str = "KIMI_MODEL_BASE_URL";
const PROVIDER_TYPE: &str = "KIMI_MODEL_PROVIDER_TYPE";
const CONTEXT: &str = "KIMI_MODEL_MAX_CONTEXT_SIZE";

/// Whether the environment describes a whole model.
pub(super) fn is_whole(env: &Env) -> bool {
    told(env, NAME).is_some() && (told(env, API_KEY).is_some() || told(env, BASE_URL).is_some())
}

/// That model, if there is one.
pub(super) fn choice(env: &Env) -> Result<Option<ModelChoice>, SelectError> {
    let Some(name) = told(env, NAME).filter(|_| is_whole(env)) else { return Ok(None) };
    let wrong = |variable, value: &str, why| SelectError::Environment {
        variable,
        value: value.to_owned(),
        why,
    };
    let kind = told(env, PROVIDER_TYPE).unwrap_or("kimi");
    let (kind, base_url) = match kind.to_ascii_lowercase().as_str() {
        "kimi" => ("kimi", KIMI_BASE_URL),
        "openai" => ("openai_legacy", OPENAI_BASE_URL),
        "anthropic" => ("anthropic", ""),
        _ => return Err(wrong(PROVIDER_TYPE, kind, "is not one of kimi, openai, anthropic.")),
    };
    let max_context = match told(env, CONTEXT) {
        None => KIMI_CONTEXT,
        Some(text) => match text.parse() {
            Ok(size) if size > 0 => size,
            _ => return Err(wrong(CONTEXT, text, "is not a positive whole number.")),
        },
    };
    let listed = told(env, "KIMI_MODEL_CAPABILITIES").unwrap_or("image_in,thinking");
    let capabilities = listed
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| CAPABILITIES.contains(&name.as_str()))
        .collect();
    Ok(Some(ModelChoice {
        name: name.to_owned(),
        display_name: told(env, "KIMI_MODEL_DISPLAY_NAME").unwrap_or(name).to_owned(),
        provider_name: String::new(),
        provider_type: kind.to_owned(),
        base_url: told(env, BASE_URL).unwrap_or(base_url).to_owned(),
        api_key: told(env, API_KEY).unwrap_or_default().to_owned(),
        model: name.to_owned(),
        max_context,
        capabilities,
        prices: None,
        custom_headers: BTreeMap::new(),
        reasoning_key: told(env, "KIMI_MODEL_REASONING_KEY").map(str::to_owned),
        env: BTreeMap::new(),
        oauth: None,
        warnings: Vec::new(),
    }))
}

fn told<'e>(env: &'e Env, name: &str) -> Option<&'e str> {
    env.var(name).map(str::trim).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigSource, select};
    use crate::platform::env::fixed;

    const CONFIG: &str = "default_model = \"m\"\n[models.m]\nprovider = \"p\"\nmodel = \"mm\"\n\
        max_context_size = 1000\n[providers.p]\ntype = \"kimi\"\nbase_url = \"http://c/v1\"\n\
        api_key = \"k\"\n";

    fn chosen(vars: &[(&str, &str)], flag: Option<&str>) -> Result<ModelChoice, SelectError> {
        let env = fixed::env("/h", vars);
        let config = Config::load(&ConfigSource::Text(CONFIG.to_owned()), &env).unwrap().config;
        select(&config, flag, &env).map(Option::unwrap)
    }

    #[test]
    fn a_whole_model_needs_no_configuration_and_comes_before_it() {
        let vars = [(NAME, " kimi-x "), (API_KEY, "sk")];
        let model = chosen(&vars, None).unwrap();
        assert_eq!((model.model.as_str(), model.api_key.as_str()), ("kimi-x", "sk"));
        assert_eq!((model.base_url.as_str(), model.max_context), (KIMI_BASE_URL, KIMI_CONTEXT));
        assert!(model.can("thinking") && model.can("image_in") && !model.can("video_in"));
        let more = [
            (NAME, "g"),
            (BASE_URL, "http://x/v1"),
            (PROVIDER_TYPE, "OpenAI"),
            (CONTEXT, "5000"),
            ("KIMI_MODEL_CAPABILITIES", "video_in, nonsense"),
            ("KIMI_MODEL_DISPLAY_NAME", "G"),
        ];
        let model = chosen(&more, None).unwrap();
        assert_eq!(model.provider_type, "openai_legacy");
        assert_eq!((model.base_url.as_str(), model.max_context), ("http://x/v1", 5000));
        assert_eq!(
            (model.display_name.as_str(), model.capabilities),
            ("G", vec!["video_in".into()])
        );
        // A model that is asked for by its configured name is that one.
        let model = chosen(&vars, Some("m")).unwrap();
        assert_eq!((model.model.as_str(), model.base_url.as_str()), ("mm", "http://c/v1"));
    }

    #[test]
    fn a_name_alone_is_another_model_of_the_provider() {
        let model = chosen(&[(NAME, "other")], None).unwrap();
        assert_eq!((model.model.as_str(), model.base_url.as_str()), ("other", "http://c/v1"));
    }

    #[test]
    fn nonsense_is_told() {
        for (name, value) in [(PROVIDER_TYPE, "gemini"), (CONTEXT, "0"), (CONTEXT, "many")] {
            let error = chosen(&[(NAME, "x"), (API_KEY, "k"), (name, value)], None).unwrap_err();
            let line = error.to_string();
            assert!(line.starts_with(&format!("{name}={value:?} is not")), "{line}");
        }
    }

    #[test]
    fn a_short_name_is_found_behind_the_stroke() {
        let text = CONFIG
            .replace("models.m]", "models.\"kimi-code/k2\"]")
            .replace("\"m\"", "\"kimi-code/k2\"");
        let env = fixed::env("/h", &[]);
        let config = Config::load(&ConfigSource::Text(text), &env).unwrap().config;
        assert_eq!(select(&config, Some("k2"), &env).unwrap().unwrap().name, "kimi-code/k2");
        assert!(select(&config, Some("k3"), &env).is_err());
    }
}
