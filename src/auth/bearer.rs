//! The token of requests: read from its file, renewed before it expires and when a server does not
//! take it any more.
//!
//! A refresh token is good for one renewal. So only one process renews at a time, looks first whether
//! another has done so, and a renewal that has begun goes on when nobody waits for it any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tracing::{info, warn};

use super::AuthError;
use super::authority::Authority;
use super::credentials::Credentials;
use super::token::Token;

use crate::llm::{LlmError, Secret, TokenSource};
use crate::platform::Env;
use crate::platform::address::checked;
use crate::platform::underway::UNDERWAY;

/// How long a request waits for a new token while the old one still lives.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(5);
/// Seconds that a refresh token is left alone for once the authority has refused it.
const REFUSAL_REST: f64 = 300.0;
/// How long a program that knows no lock may take to write down what it has renewed.
const OTHERS_PAUSE: Duration = Duration::from_secs(1);

/// The token of a sign-in, with a key in its place when there is none.
#[derive(Clone)]
pub struct Bearer {
    file: Credentials,
    env: Env,
    /// The provider's own key; may be empty.
    key: Secret,
    known: Arc<Mutex<Known>>,
}

/// What this process knows beside a file, whatever the connection that has found it out.
#[derive(Default)]
struct Known {
    /// A refresh token that the authority has refused, when (Unix time), and its words.
    refused: Option<(String, f64, String)>,
    /// A token that could not be written, and the refresh token it was given for.
    unwritten: Option<(String, Token)>,
}

impl Known {
    /// What is known beside this file. Files are few, and what is known of one is kept to the end.
    fn of(file: &Credentials) -> Arc<Mutex<Self>> {
        static ALL: Mutex<BTreeMap<Credentials, Arc<Mutex<Known>>>> = Mutex::new(BTreeMap::new());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(file.clone()).or_default())
    }
}

/// An address that the token of a sign-in is not sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its base_url {0}, so that the sign-in cannot be used there")]
pub struct UnsafeAddress(String);

#[async_trait]
impl TokenSource for Bearer {
    async fn token(&self) -> Result<Secret, LlmError> {
        match self.current().await {
            Ok(token) => Ok(Secret::new(token.access)),
            Err(error) => self.instead(error),
        }
    }

    async fn after(&self, refused: &Secret) -> Result<Secret, LlmError> {
        if *refused == self.key {
            return Err(LlmError::SignIn("nobody is signed in, and the key is refused".to_owned()));
        }
        match self.renewal(refused.expose(), true).await {
            Ok(token) => Ok(Secret::new(token.access)),
            Err(error) => self.instead(error),
        }
    }
}

impl Bearer {
    /// The token that is kept under a key of the configuration (`oauth/kimi-code`), with `instead` in its
    /// place where there is none, for requests to this address. `None` where only `instead` may go there;
    /// were that empty, it is an error.
    pub fn of(
        key: &str,
        base_url: &str,
        instead: Secret,
        env: &Env,
    ) -> Result<Option<Self>, UnsafeAddress> {
        let Some(file) = Credentials::of(key, env) else { return Ok(None) };
        let has_key = !instead.is_empty();
        match Self::new(base_url, file, instead, env) {
            Err(why) if has_key => {
                warn!("a key is used where somebody is signed in: {why}");
                Ok(None)
            }
            made => made.map(Some),
        }
    }

    /// The token of this file, or `key` where there is none, for requests to this address. The error says
    /// why no token is sent there.
    pub fn new(
        base_url: &str,
        file: Credentials,
        key: Secret,
        env: &Env,
    ) -> Result<Self, UnsafeAddress> {
        checked(base_url, true).map_err(UnsafeAddress)?;
        let known = Known::of(&file);
        Ok(Self { file, env: env.clone(), key, known })
    }

    /// What requests are sent with when there is no token.
    fn instead(&self, error: AuthError) -> Result<Secret, LlmError> {
        match error {
            AuthError::Failed(why) => {
                Err(LlmError::Connection(format!("the sign-in cannot be renewed: {why}")))
            }
            AuthError::SignedOut | AuthError::Refused(_) if !self.key.is_empty() => {
                Ok(self.key.clone())
            }
            AuthError::SignedOut | AuthError::Refused(_) => {
                Err(LlmError::SignIn(error.to_string()))
            }
        }
    }

    /// The token, a new one when it is time for that. As long as the old one lives, whatever ails the
    /// authority is no reason to wait long or to fail.
    async fn current(&self) -> Result<Token, AuthError> {
        let token = self.read().await?;
        let now = self.env.unix_now();
        if !token.is_due(now) {
            return match token.is_alive(now) {
                true => Ok(token),
                false => Err(AuthError::Refused("it cannot be renewed".to_owned())),
            };
        }
        let renewal = self.renewal(&token.access, false);
        if !token.is_alive(now) {
            return renewal.await;
        }
        match tokio::time::timeout(RENEWAL_PATIENCE, renewal).await {
            Ok(Ok(new)) => Ok(new),
            Ok(Err(AuthError::SignedOut)) => Err(AuthError::SignedOut),
            Ok(Err(error)) => {
                warn!("the sign-in is not renewed yet: {error}");
                Ok(token)
            }
            Err(_) => Ok(token),
        }
    }

    /// The token as it is now.
    async fn read(&self) -> Result<Token, AuthError> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || file.read()).await.ok().flatten();
        let token = read.ok_or(AuthError::SignedOut)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match &known.unwritten {
            Some((from, newer)) if *from == token.refresh => newer.clone(),
            _ => token,
        })
    }

    /// A token in place of the one with this access token. Dropped, it goes on by itself: what the
    /// authority has given by then must get into the file. `forced`: a server has refused the old one.
    async fn renewal(&self, stale: &str, forced: bool) -> Result<Token, AuthError> {
        let (bearer, stale) = (self.clone(), stale.to_owned());
        let done = tokio::spawn(async move { bearer.renew(&stale, forced).await }).await;
        done.unwrap_or_else(|error| Err(AuthError::Failed(error.to_string())))
    }

    async fn renew(&self, stale: &str, forced: bool) -> Result<Token, AuthError> {
        // First of all: a token that cannot be written down is not asked for.
        let lock = Arc::new(self.file.lock().await?);
        let token = self.read().await?;
        let now = self.env.unix_now();
        if token.access != stale && (forced || !token.is_due(now)) {
            // Somebody was faster.
            return Ok(token);
        }
        if token.refresh.is_empty() {
            return Err(AuthError::Refused("it cannot be renewed".to_owned()));
        }
        if let Some(why) = self.refused(&token.refresh, now) {
            return Err(AuthError::Refused(why));
        }
        // From here until the new token is in the file the process does not end.
        let _begun = UNDERWAY.begin().await;
        match Authority::of_env(&self.env)?.renew(&token.refresh).await {
            Ok(new) => {
                let written = self.file.write(&new, &lock).await;
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.unwritten = written.err().map(|error| {
                    // Of use as long as we run, at least.
                    warn!("the sign-in is renewed, but not kept: {error}");
                    (token.refresh, new.clone())
                });
                info!("the sign-in is renewed");
                Ok(new)
            }
            Err(AuthError::Refused(why)) => {
                tokio::time::sleep(OTHERS_PAUSE).await;
                let latest = self.read().await?;
                if latest.refresh != token.refresh {
                    return Ok(latest);
                }
                warn!("the sign-in is not renewed: {why}");
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.refused = Some((token.refresh, self.env.unix_now(), why.clone()));
                Err(AuthError::Refused(why))
            }
            Err(error) => Err(error),
        }
    }

    /// Why this refresh token need not be tried now.
    fn refused(&self, refresh: &str, now: f64) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, at, why) = known.refused.as_ref()?;
        (token == refresh && now < at + REFUSAL_REST).then(|| why.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use std::fs;

    /// The token in this directory, for requests to an address.
    fn bearer(dir: &std::path::Path, base_url: &str) -> Result<Bearer, UnsafeAddress> {
        let env = fixed::env(dir, &[]);
        let file = Credentials::of("oauth/kimi-code", &env).unwrap();
        Bearer::new(base_url, file, Secret::default(), &env)
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_known_to_every_connection() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&dir, &other] {
            let place = dir.path().join(".kimi/credentials");
            fs::create_dir_all(&place).unwrap();
            let spent = r#"{"access_token": "old", "refresh_token": "spent"}"#;
            fs::write(place.join("kimi-code.json"), spent).unwrap();
        }
        let one = bearer(dir.path(), "https://h/v1").unwrap();
        let two = bearer(dir.path(), "https://h/search").unwrap();
        let newer = Token::of_file(br#"{"access_token": "new", "refresh_token": "r"}"#).unwrap();
        one.known.lock().unwrap().unwritten = Some(("spent".to_owned(), newer));
        one.known.lock().unwrap().refused = Some(("r".to_owned(), 1000.0, "used".to_owned()));
        assert_eq!(two.token().await.unwrap().expose(), "new");
        assert_eq!(two.refused("r", 1299.0).as_deref(), Some("used"));
        assert_eq!(two.refused("r", 1300.0), None);
        // Another account is another matter.
        let stranger = bearer(other.path(), "https://h/v1").unwrap();
        assert_eq!(stranger.token().await.unwrap().expose(), "old");
        assert_eq!(stranger.refused("r", 1000.0), None);
    }

    #[test]
    fn a_token_goes_over_tls_or_stays_on_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        for good in ["https://h/v1", "http://127.0.0.1:8080/v1", "http://localhost/v1"] {
            assert!(bearer(dir.path(), good).is_ok(), "{good}");
        }
        for bad in ["http://h/v1", "http://x.localhost/v1", "ftp://h", "", "h"] {
            let said = bearer(dir.path(), bad).map(drop).unwrap_err().to_string();
            assert!(said.starts_with("its base_url is no"), "{said}");
        }
    }
}
