//! The token of a connection: fetched from its file, renewed before it expires and when the server
//! does not take it any more.
//!
//! An authority may give a new refresh token with every renewal and take the old one for stolen when
//! it comes again. So only one process renews at a time, looks first whether another has done so, and
//! a renewal that has begun goes on when nobody waits for it any more.

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use url::Url;

use super::OauthError;
use super::endpoint::{named_address, server_address};
use super::store::{ClientId, Grant, TokenFile};
use super::token::{self, NoTokens, Tokens};
use crate::platform::Env;
use crate::platform::underway::UNDERWAY;
use crate::store::ShareDir;

/// A token is renewed this long before it expires, in seconds, or a quarter of its life before if
/// that is less.
const MARGIN: f64 = 60.0;

/// The token.
pub(in crate::mcp) struct Bearer {
    renewal: Renewal,
    grant: Mutex<Grant>,
}

impl Bearer {
    /// The token that a login has left for the server at this address.
    pub async fn load(url: &str, env: &Env) -> Result<Self, OauthError> {
        let server = server_address(url)?;
        let file = TokenFile::of(&ShareDir::from_env(env), url);
        let renewal = Renewal { file, server, env: env.clone() };
        let grant = renewal.read().await.ok_or(OauthError::LoginNeeded)?;
        Ok(Self { renewal, grant: Mutex::new(grant) })
    }

    /// The token, a new one when it is time for that.
    pub async fn token(&self) -> Result<String, OauthError> {
        let mut grant = self.grant.lock().await;
        if grant.refresh_token.is_some() && self.renewal.is_due(&grant) {
            match self.renewal.run(&grant.access_token).await {
                Ok(new) => *grant = new,
                // As long as it lives it may be used, whatever ails its authority.
                Err(OauthError::Failed(why)) if !self.renewal.is_over(&grant) => {
                    warn!("an OAuth token is not renewed yet: {why}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(grant.access_token.clone())
    }

    /// Another token, after the server has not taken this one.
    pub async fn after(&self, rejected: &str) -> Result<String, OauthError> {
        let mut grant = self.grant.lock().await;
        if grant.access_token == rejected {
            *grant = self.renewal.run(rejected).await?;
        }
        Ok(grant.access_token.clone())
    }
}

/// What a renewal needs.
#[derive(Clone)]
struct Renewal {
    file: TokenFile,
    server: Url,
    env: Env,
}

impl Renewal {
    fn is_due(&self, grant: &Grant) -> bool {
        grant.renew_at.is_some_and(|at| self.env.unix_now() >= at)
    }

    fn is_over(&self, grant: &Grant) -> bool {
        grant.expires_at.is_some_and(|at| self.env.unix_now() >= at)
    }

    async fn read(&self) -> Option<Grant> {
        let file = self.file.clone();
        spawn_blocking(move || file.read()).await.ok().flatten()
    }

    /// Tokens in place of `stale`. Dropped, it goes on by itself: what the authority has given by
    /// then must get into the file.
    async fn run(&self, stale: &str) -> Result<Grant, OauthError> {
        let (renewal, stale) = (self.clone(), stale.to_owned());
        let done = tokio::spawn(async move { renewal.renew(&stale).await }).await;
        done.unwrap_or_else(|error| Err(OauthError::failed(error.to_string())))
    }

    async fn renew(&self, stale: &str) -> Result<Grant, OauthError> {
        let lock = self.file.lock().await?;
        let grant = self.read().await.ok_or(OauthError::LoginNeeded)?;
        if grant.access_token != stale && !self.is_due(&grant) {
            // Somebody was faster.
            return Ok(grant);
        }
        let refresh = grant.refresh_token.as_deref().ok_or(OauthError::LoginNeeded)?;
        // A file is changed easily: what is in it is looked at like what came over the wire.
        let endpoint = named_address(&grant.token_endpoint, "token endpoint", &self.server)?;
        // Without a scope: what was granted stays granted.
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("resource", &grant.resource),
        ];
        // From here until the new tokens are in the file the process does not end.
        let _begun = UNDERWAY.begin().await;
        match token::request(&endpoint, &grant.client, &fields).await {
            Ok(tokens) => {
                let new = Grant {
                    refresh_token: tokens.refresh.clone().or(grant.refresh_token),
                    scope: tokens.scope.clone().or(grant.scope),
                    ..granted(
                        tokens,
                        &self.env,
                        (grant.url, grant.resource, grant.token_endpoint, grant.client),
                    )
                };
                let (file, kept) = (self.file.clone(), new.clone());
                let written = spawn_blocking(move || file.write(&kept, &lock)).await;
                let written =
                    written.unwrap_or_else(|error| Err(OauthError::failed(error.to_string())));
                if let Err(error) = written {
                    // Of use as long as we run, at least.
                    warn!("an OAuth token is renewed, but not kept: {error}");
                }
                info!(host = self.server.host_str(), "an OAuth token is renewed");
                Ok(new)
            }
            Err(NoTokens::Refused(why)) => {
                warn!(host = self.server.host_str(), "an OAuth token is not renewed: {why}");
                self.file.remove(&lock)?;
                Err(OauthError::LoginNeeded)
            }
            Err(NoTokens::Failed(why)) => {
                Err(OauthError::Failed(format!("its token cannot be renewed: {why}")))
            }
        }
    }
}

/// What the tokens make of (address of the server, resource, token endpoint, client).
pub(super) fn granted(
    tokens: Tokens,
    env: &Env,
    (url, resource, token_endpoint, client): (String, String, String, ClientId),
) -> Grant {
    let now = env.unix_now();
    let until = |lifetime: f64| now + lifetime - MARGIN.min(lifetime / 4.0);
    Grant {
        url,
        access_token: tokens.access,
        refresh_token: tokens.refresh,
        expires_at: tokens.lifetime.map(|lifetime| now + lifetime),
        renew_at: tokens.lifetime.map(until),
        scope: tokens.scope,
        resource,
        token_endpoint,
        client,
    }
}
