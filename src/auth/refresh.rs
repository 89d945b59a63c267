//! The list of an account's models, asked for anew when a front end that stays starts (config.md section 6).
//!
//! Only where the user's own configuration has a Kimi account and somebody is signed in; what is different is
//! written there, for the next start and for `/reload`. Nobody waits for it and nobody hears of it.
//!
//! A print run does not ask at all (its caller decides that), and no run that is over within a second: they
//! would have to wait for what they have no use for. The next longer one does.

use std::time::Duration;

use tracing::{debug, info};

use super::bearer::Bearer;
use super::credentials::Credentials;
use super::models::{self, ListError};
use super::{AuthError, KEY, PROVIDER, aside, setup};
use crate::config::{Config, ConfigSource};
use crate::llm::{Secret, TokenSource};
use crate::platform::Env;
use crate::store::ShareDir;

/// How long the start itself has the machine for itself, and how short a run asks for nothing.
const AFTER_THE_START: Duration = Duration::from_secs(1);

/// Refreshes the models in the background, soon. To be called on a runtime; whatever is not done when that
/// ends is left undone, and nothing is half written.
pub fn refresh_soon(env: &Env) {
    let env = env.clone();
    tokio::spawn(async move {
        tokio::time::sleep(AFTER_THE_START).await;
        match refresh(&env).await {
            Ok(true) => info!("the account's models are up to date"),
            Ok(false) => {}
            Err(error) => info!("the account's models are not brought up to date: {error}"),
        }
    });
}

/// False when there is no account to ask for.
async fn refresh(env: &Env) -> Result<bool, AuthError> {
    let asked = {
        let env = env.clone();
        aside(move || account(&env).map_err(AuthError::Failed))
    };
    let Some((base_url, bearer)) = asked.await? else { return Ok(false) };
    let wrong = |error: crate::llm::LlmError| AuthError::Failed(error.to_string());
    let token = bearer.token().await.map_err(wrong)?;
    let listed = match models::list(&base_url, &token, env).await {
        Err(ListError::Refused) => {
            debug!("the token is refused: another one is asked for");
            let token = bearer.after(&token).await.map_err(wrong)?;
            models::list(&base_url, &token, env).await
        }
        listed => listed,
    };
    let listed = listed.map_err(|error| AuthError::Failed(error.to_string()))?;
    let config = ShareDir::from_env(env).config_toml();
    let update = move || setup::update(&config, &listed);
    aside(move || update().map_err(|error| AuthError::Failed(error.to_string()))).await?;
    Ok(true)
}

/// The address of the account's models, and the token for it; `None` when there is no account or nobody is
/// signed in. Reads files.
fn account(env: &Env) -> Result<Option<(String, Bearer)>, String> {
    let loaded = Config::load(&ConfigSource::Default, env).map_err(|error| error.to_string())?;
    let Some(provider) = loaded.config.providers.get(PROVIDER) else { return Ok(None) };
    if provider.oauth.as_ref().is_none_or(|oauth| oauth.key != KEY) {
        return Ok(None);
    }
    let Some(file) = Credentials::of(KEY, env).filter(Credentials::is_there) else {
        return Ok(None);
    };
    let base_url = provider.base_url.trim_end_matches('/');
    let bearer = Bearer::new(base_url, file, Secret::new(""), env);
    Ok(Some((base_url.to_owned(), bearer.map_err(|why| why.to_string())?)))
}
