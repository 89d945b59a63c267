//! A login from its start to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use url::Url;

use super::OauthError;
use super::bearer::granted;
use super::callback::{self, Answer, Callback, Expected};
use super::challenge::Challenge;
use super::endpoint::server_address;
use super::metadata::{Discovered, discover};
use super::pkce::{Verifier, random};
use super::registration::{known, register};
use super::store::TokenFile;
use super::token;
use crate::mcp::config::{Auth, OauthClient, Reach, RemoteWire, ServerConfig};
use crate::mcp::transport::headers;
use crate::platform::{Env, browser};
use crate::store::ShareDir;

/// How long a person may take in the browser.
const LOGIN_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// A login that is wanted.
#[derive(Clone)]
pub struct Login {
    /// The address as it is configured, which is what its tokens are kept under.
    url: String,
    wire: RemoteWire,
    headers: BTreeMap<String, String>,
    client: OauthClient,
}

impl Login {
    /// The login for a server. The error is a whole sentence.
    pub fn of(server: &ServerConfig, env: &Env) -> Result<Self, String> {
        let name = &server.name;
        if let Reach::Remote { auth: Auth::None | Auth::Bearer(_) | Auth::BearerFrom(_), .. } =
            &server.reach
        {
            return Err(format!("MCP server '{name}' does not use OAuth. Add with --auth oauth."));
        }
        let Reach::Remote { url, wire, headers, auth: Auth::Oauth(client) } = remote(server, env)?
        else {
            return Err(format!("MCP server '{name}' is not a remote server."));
        };
        Ok(Self { url, wire, headers, client })
    }

    /// Where its tokens are.
    pub fn file(&self, env: &Env) -> TokenFile {
        TokenFile::of(&ShareDir::from_env(env), &self.url)
    }

    /// Logs in and keeps the tokens. `told` gets the address for the browser, which is opened as
    /// well if there is one. The address that the browser came back to may also come through
    /// `pasted`, when the browser is on another machine.
    pub async fn run(
        &self,
        env: &Env,
        told: impl FnOnce(&str),
        pasted: &mut mpsc::UnboundedReceiver<String>,
    ) -> Result<(), OauthError> {
        let server = server_address(&self.url)?;
        let headers = headers(&self.headers, None);
        let headers = headers.map_err(|error| OauthError::failed(error.to_string()))?;
        let challenge = Challenge::ask(&server, self.wire, headers).await?;
        let mut found = discover(&server, &challenge).await?;
        found.scope = self.client.scopes.clone().or(found.scope);
        let callback = Callback::open(self.client.port.unwrap_or(0)).await;
        let callback = callback
            .map_err(|error| OauthError::failed(format!("no port for the browser: {error}")))?;
        let redirect = callback.address();
        let client = match known(&self.client, &found.authority) {
            Some(client) => client,
            None => register(&found.authority, &redirect, found.scope.as_deref()).await?,
        };
        let verifier = Verifier::new(env);
        let expected = Expected {
            state: random(env),
            issuer: found.authority.issuer.clone(),
            signed: found.authority.signs_answers,
        };
        let address = address(&found, &client.id, &redirect, &expected.state, &verifier);
        told(address.as_str());
        browser::open(address.as_str(), env);
        let code = tokio::select! {
            code = callback.answer(&expected) => code,
            code = answer_in(pasted, &expected) => code,
            () = tokio::time::sleep(LOGIN_PATIENCE) => Err(OauthError::failed(format!(
                "nobody logged in within {} minutes", LOGIN_PATIENCE.as_secs() / 60
            ))),
        }?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &redirect),
            ("code_verifier", verifier.secret()),
            ("resource", &found.resource),
        ];
        let tokens = token::request(&found.authority.token, &client, &fields).await?;
        let file = self.file(env);
        let about =
            (file.key().to_owned(), found.resource, found.authority.token.to_string(), client);
        let mut grant = granted(tokens, env, about);
        grant.scope = grant.scope.or(found.scope);
        let lock = file.lock().await?;
        file.write(&grant, &lock)
    }
}

impl TokenFile {
    /// The file of a server, whether it uses OAuth now or not. The error is a whole sentence.
    pub fn of_server(server: &ServerConfig, env: &Env) -> Result<Self, String> {
        match remote(server, env)? {
            Reach::Remote { url, .. } => Ok(Self::of(&ShareDir::from_env(env), &url)),
            Reach::Stdio { .. } => {
                Err(format!("MCP server '{}' is not a remote server.", server.name))
            }
        }
    }
}

/// How the server is reached, its variables in place if it has an address.
fn remote(server: &ServerConfig, env: &Env) -> Result<Reach, String> {
    match &server.reach {
        Reach::Stdio { .. } => Ok(server.reach.clone()),
        Reach::Remote { .. } => {
            let expanded = server.expanded(env);
            Ok(expanded.map_err(|why| format!("MCP server '{}': {why}.", server.name))?.reach)
        }
    }
}

/// The page of the authority where a person logs in.
fn address(
    found: &Discovered,
    client: &str,
    redirect: &str,
    state: &str,
    verifier: &Verifier,
) -> Url {
    let mut url = found.authority.authorization.clone();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", client)
        .append_pair("redirect_uri", redirect)
        .append_pair("state", state)
        .append_pair("code_challenge", &verifier.challenge())
        .append_pair("code_challenge_method", "S256")
        .append_pair("resource", &found.resource);
    if let Some(scope) = &found.scope {
        query.append_pair("scope", scope);
    }
    drop(query);
    url
}

/// The first of the texts that is the answer.
async fn answer_in(pasted: &mut mpsc::UnboundedReceiver<String>, expected: &Expected) -> Answer {
    while let Some(text) = pasted.recv().await {
        if let Some(answer) = callback::read(&text, expected) {
            return answer;
        }
    }
    std::future::pending().await
}
