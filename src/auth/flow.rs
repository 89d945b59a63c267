//! Signing in and out, from start to end.

use super::authority::Authority;
use super::credentials::Credentials;
use super::{AuthError, KEY, device, models, setup};
use crate::config::{Config, ConfigSource};
use crate::platform::{Env, browser};
use crate::store::ShareDir;

/// What is told of a sign-in while it goes on. Texts are one line without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    Info(String),
    /// The page for the browser, and the code that it shows.
    Address {
        page: String,
        user_code: String,
    },
    /// The person has not agreed yet: the authority's words for that.
    Waiting {
        error: String,
        description: String,
    },
}

/// Signs in to a Kimi account: a person agrees in the browser, the token is kept, and the account's
/// models are configured. `told` hears what is to be shown, and returns false when nobody listens any
/// more. Dropped, it stops before anything is half written.
pub async fn sign_in(
    env: &Env,
    mut told: impl FnMut(News) -> bool + Send,
) -> Result<(), AuthError> {
    // What would fail in the end is found before a person has been bothered.
    let config = config_file(env)?;
    let base_url = models::base_url(env).map_err(AuthError::Failed)?;
    let authority = Authority::of_env(env)?;
    let file = Credentials::own(KEY, env).ok_or(AuthError::SignedOut)?;
    let mut told = |news| {
        if let News::Address { page, .. } = &news {
            browser::open(page, env);
        }
        told(news)
    };
    let token = device::run(&authority, &mut told).await?;
    let lock = file.lock().await?;
    file.write(&token, &lock)?;
    drop(lock);
    let models = models::list(&base_url, &token, env).await;
    let models = models.map_err(|why| {
        AuthError::Failed(format!("you are signed in, but the models cannot be listed: {why}"))
    })?;
    setup::add(&config, &base_url, &models).map_err(|error| AuthError::Failed(error.to_string()))
}

/// Signs out: the token is forgotten, and what a sign-in has configured is taken away. Also right when
/// nobody was signed in.
pub async fn sign_out(env: &Env) -> Result<(), AuthError> {
    let config = config_file(env)?;
    if let Some(file) = Credentials::own(KEY, env) {
        file.clear().await?;
    }
    setup::remove(&config).map_err(|error| AuthError::Failed(error.to_string()))
}

/// The file that is changed: always the user's own. It has to be good as it is.
fn config_file(env: &Env) -> Result<std::path::PathBuf, AuthError> {
    Config::load(&ConfigSource::Default, env)
        .map_err(|error| AuthError::Failed(error.to_string()))?;
    Ok(ShareDir::from_env(env).config_toml())
}
