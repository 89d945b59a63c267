//! Signing in and out, from start to end.

use std::path::PathBuf;
use std::sync::Arc;

use super::authority::Authority;
use super::credentials::Credentials;
use super::{AuthError, KEY, aside, device, models, setup};
use crate::config::{Config, ConfigSource};
use crate::llm::Secret;
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
    /// The person has not agreed yet, told at each question: the authority's words for that.
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
    let config = config_file(env).await?;
    let base_url = models::base_url(env).map_err(AuthError::Failed)?;
    let authority = Authority::of_env(env)?;
    let file = Credentials::own(KEY, env).ok_or(AuthError::SignedOut)?;
    file.check().await?;
    let mut told = |news| {
        if let News::Address { page, .. } = &news {
            browser::open(page, env);
        }
        told(news)
    };
    let token = device::run(&authority, &mut told).await?;
    let lock = Arc::new(file.lock().await?);
    file.write(&token, &lock).await?;
    drop(lock);
    let models = models::list(&base_url, &Secret::new(token.access), env).await;
    let models = models.map_err(|why| {
        AuthError::Failed(format!("you are signed in, but the models cannot be listed: {why}"))
    })?;
    aside(move || {
        let added = setup::add(&config, &base_url, &models);
        added.map_err(|error| AuthError::Failed(error.to_string()))
    })
    .await
}

/// Signs out: the token that is in use is forgotten, and what a sign-in has configured is taken away. Also
/// right when nobody was signed in. A configuration that is not good keeps no token. Returns a line on the
/// sign-in of another program that is used from now on, if there is one.
pub async fn sign_out(env: &Env) -> Result<Option<String>, AuthError> {
    if let Some(file) = Credentials::of(KEY, env) {
        file.clear().await?;
    }
    let forgotten = |error| {
        AuthError::Failed(format!(
            "the token is forgotten, but the account stays in the configuration: {error}"
        ))
    };
    let config = config_file(env).await.map_err(forgotten)?;
    let env = env.clone();
    aside(move || {
        setup::remove(&config).map_err(|error| forgotten(AuthError::Failed(error.to_string())))?;
        let left = Credentials::of(KEY, &env).filter(Credentials::is_there);
        Ok(left.map(|file| {
            format!(
                "Another sign-in is left and is used from now on: {}. Sign out once more to forget it \
                 too.",
                file.place()
            )
        }))
    })
    .await
}

/// The file that is changed: always the user's own. It has to be good as it is.
async fn config_file(env: &Env) -> Result<PathBuf, AuthError> {
    let env = env.clone();
    aside(move || {
        Config::load(&ConfigSource::Default, &env)
            .map_err(|error| AuthError::Failed(error.to_string()))?;
        Ok(ShareDir::from_env(&env).config_toml())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use std::fs;

    const FILE: &str = r#"{"access_token": "a", "refresh_token": "r"}"#;

    #[tokio::test]
    async fn a_sign_in_that_is_left_is_told_of_until_it_is_the_one_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let places = [".kimi", ".kimi-code"].map(|name| dir.path().join(name).join("credentials"));
        let files = places.each_ref().map(|place| {
            fs::create_dir_all(place).unwrap();
            let file = place.join("kimi-code.json");
            fs::write(&file, FILE).unwrap();
            file
        });
        let env = fixed::env(dir.path(), &[]);
        let note = sign_out(&env).await.unwrap().unwrap();
        assert!(note.contains(".kimi-code/credentials/kimi-code.json"), "{note}");
        assert_eq!(files.each_ref().map(|file| file.exists()), [false, true]);
        assert_eq!(sign_out(&env).await, Ok(None));
        assert_eq!(files.each_ref().map(|file| file.exists()), [false, false]);
        assert_eq!(sign_out(&env).await, Ok(None));
    }

    #[tokio::test]
    async fn a_configuration_that_is_busy_holds_up_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let share = dir.path().join(".kimi");
        fs::create_dir(&share).unwrap();
        fs::write(share.join("config.toml"), "").unwrap();
        let lock = fs::File::create(share.join("config.toml.lock")).unwrap();
        lock.lock().unwrap();
        let env = fixed::env(dir.path(), &[]);
        // The only thread there is: was it held up, nobody would let go of the lock.
        let let_go = tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            lock.unlock().unwrap();
        });
        assert_eq!(sign_out(&env).await, Ok(None));
        assert!(let_go.is_finished());
    }

    #[tokio::test]
    async fn a_configuration_that_is_not_good_keeps_no_token() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join(".kimi/credentials");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("kimi-code.json"), FILE).unwrap();
        fs::write(dir.path().join(".kimi/config.toml"), "[[[bad").unwrap();
        let error = sign_out(&fixed::env(dir.path(), &[])).await.unwrap_err().to_string();
        assert!(error.starts_with("the token is forgotten, but the account stays"), "{error}");
        assert!(!place.join("kimi-code.json").exists());
    }
}
