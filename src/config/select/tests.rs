//! Configuration, flag and environment against each other.

use super::*;
use crate::config::ConfigSource;
use crate::platform::env::fixed;

const CONFIG: &str = r#"
default_model = "k2"
default_thinking = true
[models.k2]
provider = "moonshot"
model = "kimi-k2-turbo-preview"
max_context_size = 1000
capabilities = ["image_in"]
display_name = "K2"
[models."gpt/5"]
provider = "openai"
model = "gpt-5"
max_context_size = 0
[models.nowhere]
provider = "empty"
model = "m"
[providers.moonshot]
type = "kimi"
base_url = "https://m/v1"
api_key = "file-key"
custom_headers = { X-A = "1" }
[providers.openai]
type = "openai_legacy"
base_url = "https://o/v1"
api_key = "o-key"
reasoning_key = ""
[providers.empty]
type = "kimi"
base_url = ""
"#;

fn run(
    text: &str,
    flag: Option<&str>,
    vars: &[(&str, &str)],
) -> Result<Option<ModelChoice>, SelectError> {
    let env = fixed::env("/home/u", vars);
    let source = ConfigSource::Text(text.to_owned());
    select(&Config::load(&source, &env).unwrap().config, flag, &env)
}

fn chosen(text: &str, flag: Option<&str>, vars: &[(&str, &str)]) -> ModelChoice {
    run(text, flag, vars).unwrap().unwrap()
}

#[test]
fn the_default_and_the_flag() {
    let k2 = chosen(CONFIG, None, &[]);
    assert_eq!((k2.name.as_str(), k2.display_name.as_str()), ("k2", "K2"));
    assert_eq!((k2.base_url.as_str(), k2.api_key.as_str()), ("https://m/v1", "file-key"));
    assert_eq!((k2.max_context, k2.custom_headers["X-A"].as_str()), (1000, "1"));
    assert_eq!(k2.capabilities, ["image_in"]);
    let gpt = chosen(CONFIG, Some("gpt/5"), &[("KIMI_API_KEY", "other")]);
    assert_eq!((gpt.api_key.as_str(), gpt.max_context), ("o-key", UNKNOWN_CONTEXT));
    assert_eq!(gpt.reasoning_key.as_deref(), Some(""));
}

#[test]
fn the_environment_wins_over_the_file() {
    let vars = [
        ("KIMI_BASE_URL", "http://local/v1"),
        ("KIMI_API_KEY", "env-key"),
        ("KIMI_MODEL_NAME", "other"),
        ("KIMI_MODEL_MAX_CONTEXT_SIZE", "5000"),
        ("KIMI_MODEL_CAPABILITIES", "Thinking, video_in,flying"),
        ("OPENAI_API_KEY", "env-openai"),
    ];
    let k2 = chosen(CONFIG, Some("k2"), &vars);
    assert_eq!((k2.name.as_str(), k2.model.as_str()), ("k2", "other"));
    assert_eq!((k2.base_url.as_str(), k2.api_key.as_str()), ("http://local/v1", "env-key"));
    assert_eq!((k2.max_context, k2.capabilities.join(",")), (5000, "thinking,video_in".into()));
    let gpt = chosen(CONFIG, Some("gpt/5"), &vars);
    assert_eq!((gpt.api_key.as_str(), gpt.model.as_str()), ("env-openai", "gpt-5"));
    // A flag nobody configured is fine when the environment names the model.
    assert_eq!(chosen(CONFIG, Some("what"), &vars).model, "other");
}

#[test]
fn a_key_alone_is_a_model() {
    let kimi = chosen("{}", None, &[("KIMI_API_KEY", "k")]);
    assert_eq!((kimi.provider_type.as_str(), kimi.model.as_str()), ("kimi", DEFAULT_KIMI_MODEL));
    assert_eq!((kimi.base_url.as_str(), kimi.max_context), (KIMI_BASE_URL, 262_144));
    assert_eq!(kimi.api_key, "k");
    for (url, model) in [
        ("https://api.moonshot.cn/v1", DEFAULT_KIMI_MODEL),
        ("https://api.kimi.com/coding/v1", "kimi-for-coding"),
    ] {
        let kimi = chosen("{}", None, &[("KIMI_API_KEY", "k"), ("KIMI_BASE_URL", url)]);
        assert_eq!((kimi.base_url.as_str(), kimi.model.as_str()), (url, model));
    }
    let kimi = chosen("{}", Some("kimi-k9"), &[("KIMI_API_KEY", "k")]);
    assert_eq!(kimi.model, "kimi-k9");
    let local = [("KIMI_BASE_URL", "http://l/v1"), ("KIMI_MODEL_NAME", "m")];
    let local = chosen("{}", None, &local);
    assert_eq!((local.base_url.as_str(), local.max_context), ("http://l/v1", UNKNOWN_CONTEXT));
    let openai = chosen("{}", None, &[("OPENAI_API_KEY", "o"), ("OPENAI_MODEL", "gpt-5")]);
    assert_eq!((openai.provider_type.as_str(), openai.model.as_str()), ("openai_legacy", "gpt-5"));
    assert_eq!((openai.base_url.as_str(), openai.api_key.as_str()), (OPENAI_BASE_URL, "o"));
    let openai = chosen("{}", None, &[("OPENAI_API_KEY", "o"), ("KIMI_MODEL_NAME", "x")]);
    assert_eq!(openai.model, "x");
}

#[test]
fn nothing_is_no_model() {
    for vars in [
        &[][..],
        &[("KIMI_MODEL_NAME", "m")],
        &[("KIMI_BASE_URL", "http://l")],
        &[("KIMI_BASE_URL", "http://l"), ("KIMI_API_KEY", "k")],
        &[("OPENAI_API_KEY", "o")],
        &[("KIMI_API_KEY", "")],
    ] {
        assert_eq!(run("{}", None, vars), Ok(None), "{vars:?}");
    }
}

#[test]
fn an_unknown_name_is_told_its_nearest() {
    let error = run(CONFIG, Some("gpt5"), &[("KIMI_API_KEY", "k")]).unwrap_err().to_string();
    assert_eq!(
        error,
        "Unknown model \"gpt5\". Did you mean \"gpt/5\"? Configured: gpt/5, k2, nowhere."
    );
    let error = run("{}", Some("x"), &[]).unwrap_err().to_string();
    assert!(error.contains("No models are configured"), "{error}");
    let error = run(CONFIG, Some("nowhere"), &[]).unwrap_err().to_string();
    assert!(error.contains("providers.empty.base_url is empty"), "{error}");
}

#[test]
fn junk_numbers_are_a_warning() {
    for junk in ["many", "-1", "0", "1e5", "99999999999999999999999"] {
        let choice = chosen(CONFIG, None, &[("KIMI_MODEL_MAX_CONTEXT_SIZE", junk)]);
        assert_eq!((choice.max_context, choice.warnings.len()), (1000, 1), "{junk}");
    }
}

#[test]
fn thinking_needs_a_model_that_can() {
    let env = fixed::env("/h", &[]);
    let config = Config::load(&ConfigSource::Text(CONFIG.into()), &env).unwrap().config;
    let mut model = chosen(CONFIG, None, &[]);
    assert!(!resolve_thinking(&config, Some(true), &model));
    model.capabilities = vec!["thinking".into()];
    assert!(resolve_thinking(&config, None, &model));
    assert!(!resolve_thinking(&config, Some(false), &model));
    assert!(!resolve_thinking(&Config::default(), None, &model));
    let always = chosen(CONFIG, None, &[("KIMI_MODEL_NAME", "kimi-k2-thinking")]);
    assert!(resolve_thinking(&config, Some(false), &always) && always.can("thinking"));
    let coding = chosen(CONFIG, None, &[("KIMI_MODEL_NAME", "kimi-for-coding")]);
    assert_eq!(coding.capabilities, ["image_in", "thinking", "video_in"]);
}

#[test]
fn secrets_stay_out_of_debug_output() {
    let env = fixed::env("/h", &[]);
    let config = Config::load(&ConfigSource::Text(CONFIG.into()), &env).unwrap();
    let shown = format!("{config:?} {:?}", chosen(CONFIG, None, &[]));
    assert!(!shown.contains("file-key") && !shown.contains("o-key"), "{shown}");
}

#[test]
fn a_key_of_the_environment_comes_before_a_token() {
    let oauth = "oauth = { storage = \"file\", key = \"oauth/kimi-code\" }";
    for (kind, variable, other) in [
        ("kimi", "KIMI_API_KEY", "OPENAI_API_KEY"),
        ("openai_legacy", "OPENAI_API_KEY", "KIMI_API_KEY"),
        ("openai_responses", "OPENAI_API_KEY", "KIMI_API_KEY"),
    ] {
        let config = format!(
            "default_model = \"m\"\n[models.m]\nprovider = \"p\"\nmodel = \"m\"\n\
             max_context_size = 1000\n[providers.p]\ntype = \"{kind}\"\n\
             base_url = \"https://p/v1\"\napi_key = \"file-key\"\n{oauth}\n"
        );
        let choice = chosen(&config, None, &[(variable, "for-now")]);
        assert_eq!((choice.oauth, choice.api_key.as_str()), (None, "for-now"), "{kind}");
        let choice = chosen(&config, None, &[(other, "for-now")]);
        assert_eq!(choice.api_key, "file-key", "{kind}");
        assert!(choice.oauth.is_some(), "{kind}");
    }
}
