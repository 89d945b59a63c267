//! The configuration, the model, and the server behind it.

use std::time::Duration;

use tokio::time::timeout;

use super::Finding;
use crate::auth::{Bearer, UnsafeAddress};
use crate::config::{self, Config, ConfigSource, ModelChoice};
use crate::llm::{LlmError, Secret, TokenSource};
use crate::platform::exchange::innermost;
use crate::platform::{Env, tls};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the configuration can be read, and a model be chosen from it.
pub(super) fn configured(env: &Env, source: &ConfigSource, name: Option<&str>) -> Vec<Finding> {
    let loaded = match Config::load(source, env) {
        Ok(loaded) => loaded,
        Err(error) => {
            let advice = "correct the file; kimi does not start with it as it is";
            return vec![Finding::fault("config", error.to_string(), advice)];
        }
    };
    let place = match &loaded.path {
        None => "given on the command line".to_owned(),
        Some(path) if path.is_file() => path.display().to_string(),
        Some(path) => format!("{} is not there, all defaults", path.display()),
    };
    let config = match loaded.warnings.first() {
        None => Finding::ok("config", place),
        Some(first) => {
            let advice = format!("correct {place}");
            Finding::warning(
                "config",
                format!("{first} ({} in all)", loaded.warnings.len()),
                advice,
            )
        }
    };
    vec![config, model(&loaded.config, name, env)]
}

fn model(config: &Config, name: Option<&str>, env: &Env) -> Finding {
    match config::select(config, name, env) {
        Err(error) => Finding::fault("model", error.to_string(), "choose another with --model"),
        Ok(None) => Finding::warning(
            "model",
            "none is configured, so the tour answers",
            "set KIMI_API_KEY, or add a provider and a model to config.toml",
        ),
        Ok(Some(choice)) => {
            let told = format!("{} ({} at {})", choice.name, choice.model, host(&choice));
            match choice.warnings.first() {
                None => Finding::ok("model", told),
                Some(warning) => {
                    Finding::warning("model", format!("{told}: {warning}"), "correct the variable")
                }
            }
        }
    }
}

/// The server without what may be secret in its address.
fn host(choice: &ModelChoice) -> String {
    let url = reqwest::Url::parse(&choice.base_url).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or("no host").to_owned();
    match url.and_then(|url| url.port()) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// Asks the server of the model for its models: whether it is there, and takes the key.
pub async fn reach(env: &Env, source: &ConfigSource) -> Finding {
    const NAME: &str = "provider";
    let choice = Config::load(source, env)
        .ok()
        .and_then(|loaded| config::select(&loaded.config, None, env).ok().flatten());
    let Some(choice) = choice else {
        return Finding::warning(NAME, "there is no model to ask", "configure one first");
    };
    if choice.provider_type.starts_with('_') {
        return Finding::ok(NAME, format!("{} needs no server", choice.name));
    }
    let host = host(&choice);
    let unreachable = |why: String| {
        let told = format!("{host} does not answer: {why}");
        Finding::fault(NAME, told, "check the network, the proxy variables and base_url")
    };
    tls::install_tls();
    let client = reqwest::Client::builder().timeout(PATIENCE).build();
    let address = format!("{}/models", choice.base_url.trim_end_matches('/'));
    let mut request = match client {
        Ok(client) => client.get(address),
        Err(error) => return unreachable(error.to_string()),
    };
    let not_asked = |why: String, advice: &str| {
        Finding::fault(NAME, format!("{host} is not asked: {why}"), advice)
    };
    let source = match token_source(&choice, env) {
        Ok(source) => source,
        Err(why) => return not_asked(why.to_string(), "correct base_url, or set a key"),
    };
    let key = match timeout(PATIENCE, key(&choice, source)).await {
        Ok(Ok(key)) => key,
        Ok(Err(LlmError::SignIn(why))) => {
            return Finding::fault(NAME, format!("{host} wants a sign-in: {why}"), "kimi login");
        }
        Ok(Err(error)) => {
            return not_asked(error.to_string(), "check the network and the proxy variables");
        }
        Err(_) => {
            let why = format!("the sign-in was not renewed within {} s", PATIENCE.as_secs());
            return not_asked(why, "check the network and the proxy variables");
        }
    };
    let is_token = choice.oauth.is_some() && key.expose() != choice.api_key;
    if !key.is_empty() {
        request = request.bearer_auth(key.expose());
    }
    for (name, value) in &choice.custom_headers {
        request = request.header(name, value);
    }
    match request.send().await.map(|response| response.status().as_u16()) {
        Ok(200..=299) => Finding::ok(NAME, format!("{host} answers and takes the key")),
        Ok(status @ (401 | 403)) if is_token => {
            let told = format!("{host} refuses the sign-in (status {status})");
            Finding::fault(NAME, told, "kimi login")
        }
        Ok(status @ (401 | 403)) => Finding::fault(
            NAME,
            format!("{host} refuses the key (status {status})"),
            format!("set another key for provider {:?}", choice.provider_name),
        ),
        // Some servers do not list their models.
        Ok(status @ (404 | 405)) => {
            Finding::ok(NAME, format!("{host} answers (status {status} to a list of models)"))
        }
        Ok(status) => Finding::warning(
            NAME,
            format!("{host} answers with status {status}"),
            "try again later; the server has trouble",
        ),
        Err(error) => unreachable(cause(&error)),
    }
}

/// The token of a sign-in, if the model is asked with one.
fn token_source(choice: &ModelChoice, env: &Env) -> Result<Option<Bearer>, UnsafeAddress> {
    let Some(oauth) = &choice.oauth else { return Ok(None) };
    Bearer::of(&oauth.key, &choice.base_url, Secret::new(choice.api_key.clone()), env)
}

/// What requests are sent with: the token of a sign-in, or the key.
async fn key(choice: &ModelChoice, source: Option<Bearer>) -> Result<Secret, LlmError> {
    match source {
        Some(bearer) => bearer.token().await,
        None => Ok(Secret::new(choice.api_key.clone())),
    }
}

/// The cause of all: the outer errors repeat the address.
fn cause(error: &reqwest::Error) -> String {
    match error.is_timeout() {
        true => format!("nothing came in {} s", PATIENCE.as_secs()),
        false => innermost(error),
    }
}
