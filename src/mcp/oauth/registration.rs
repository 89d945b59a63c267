//! Making ourselves known to an authority (RFC 7591).

use serde_json::json;

use super::OauthError;
use super::endpoint::post_json;
use super::metadata::Authority;
use super::store::{ClientAuth, ClientId};
use crate::auth::refusal;
use crate::mcp::config::OauthClient;

/// The client that a person has registered.
pub(super) fn known(client: &OauthClient, authority: &Authority) -> Option<ClientId> {
    let auth = match (&client.secret, method(authority.auth_methods.as_deref())) {
        (None, _) => ClientAuth::None,
        // A secret is there to be shown.
        (Some(_), ClientAuth::None) => ClientAuth::Post,
        (Some(_), way) => way,
    };
    Some(ClientId { id: client.id.clone()?, secret: client.secret.clone(), auth })
}

/// Registers a client that comes back to this address.
pub(super) async fn register(
    authority: &Authority,
    redirect: &str,
    scope: Option<&str>,
) -> Result<ClientId, OauthError> {
    let Some(endpoint) = &authority.registration else {
        return Err(OauthError::failed(
            "its authorization server takes no new clients by itself (no registration endpoint); \
             register kimi there by hand and put \"oauth\": {\"clientId\": ...} in mcp.json, or give \
             the server a token with \"bearerTokenEnvVar\"",
        ));
    };
    let wanted = method(authority.auth_methods.as_deref());
    let mut about = json!({
        "client_name": "Kimi",
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": wanted.word(),
        "application_type": "native",
    });
    if let Some(scope) = scope {
        about["scope"] = scope.into();
    }
    let answer = post_json(endpoint, &about).await?;
    let id = answer.text("client_id").filter(|_| answer.status.is_success());
    let Some(id) = id else {
        return Err(OauthError::failed(format!(
            "its authorization server does not register us: {}",
            refusal(&answer)
        )));
    };
    let secret = answer.text("client_secret").map(str::to_owned);
    let auth = match answer.text("token_endpoint_auth_method") {
        // Without a secret there is nothing to show.
        _ if secret.is_none() => ClientAuth::None,
        Some(word) => ClientAuth::of_word(word).ok_or_else(|| {
            OauthError::failed("its authorization server wants a proof of us that kimi cannot give")
        })?,
        None => wanted,
    };
    Ok(ClientId { id: id.to_owned(), secret, auth })
}

/// The first way that both know. A program that anybody can read keeps no secret: none is best.
fn method(known: Option<&[String]>) -> ClientAuth {
    let Some(known) = known else { return ClientAuth::None };
    let ways = [ClientAuth::None, ClientAuth::Post, ClientAuth::Basic];
    let fits = |way: &ClientAuth| known.iter().any(|word| word == way.word());
    ways.into_iter().find(fits).unwrap_or(ClientAuth::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_one_that_the_authority_knows() {
        let words =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(method(None), ClientAuth::None);
        assert_eq!(method(Some(&words(&["client_secret_basic", "none"]))), ClientAuth::None);
        assert_eq!(
            method(Some(&words(&["private_key_jwt", "client_secret_basic"]))),
            ClientAuth::Basic
        );
        assert_eq!(method(Some(&words(&["client_secret_post"]))), ClientAuth::Post);
        assert_eq!(method(Some(&[])), ClientAuth::None);
    }
}
