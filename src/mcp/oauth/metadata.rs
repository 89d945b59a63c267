//! Who gives out tokens for a server, and where: the server's own metadata (RFC 9728), then those of
//! the authority that it names (RFC 8414, or OpenID discovery).

use serde_json::{Map, Value};
use url::Url;

use super::OauthError;
use super::challenge::Challenge;
use super::endpoint::{get, named_address, text, texts};
use crate::mcp::tidy::one_line;

/// Authorities of one server that are looked at.
const MOST_AUTHORITIES: usize = 4;
/// Characters of a foreign text in an error.
const MAX_QUOTE: usize = 120;

/// What a login has to know.
#[derive(Debug, Clone)]
pub(super) struct Discovered {
    pub authority: Authority,
    /// What the tokens are for (RFC 8707).
    pub resource: String,
    /// What they have to be good for, blanks between.
    pub scope: Option<String>,
}

/// An authorization server, with addresses that may be used.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    pub issuer: String,
    pub authorization: Url,
    pub token: Url,
    pub registration: Option<Url>,
    /// How clients may show who they are at the token endpoint; `None` when it does not say.
    pub auth_methods: Option<Vec<String>>,
    /// Its answers in the browser say who they are from (RFC 9207).
    pub signs_answers: bool,
    offers_offline: bool,
}

/// Finds out.
pub(super) async fn discover(
    server: &Url,
    challenge: &Challenge,
) -> Result<Discovered, OauthError> {
    let Some(resource) = resource(server, challenge).await? else {
        // Before 2025-06-18 the server was its own authority, at the root of its origin.
        let mut root = server.clone();
        root.set_path("/");
        root.set_query(None);
        let authority = authority(&root, server, false).await?.ok_or_else(|| {
            OauthError::failed("it does not say who gives out tokens for it (no OAuth metadata)")
        })?;
        let scope = scope(challenge.scope.clone(), None, &authority);
        return Ok(Discovered { authority, resource: canonical(server), scope });
    };
    let mut failure = None;
    for issuer in resource.authorities.iter().take(MOST_AUTHORITIES) {
        let found = match named_address(issuer, "authorization server", server) {
            Ok(url) => authority(&url, server, true).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(Some(authority)) => {
                let scope = scope(challenge.scope.clone(), resource.scopes, &authority);
                return Ok(Discovered { authority, resource: resource.id, scope });
            }
            Ok(None) => {
                let issuer = one_line(issuer, MAX_QUOTE);
                let why = format!("its authorization server {issuer} has no OAuth metadata");
                failure.get_or_insert(OauthError::Failed(why));
            }
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    Err(failure.unwrap_or_else(|| OauthError::failed("its metadata name no authorization server")))
}

/// The server's own metadata.
struct Resource {
    id: String,
    authorities: Vec<String>,
    scopes: Option<Vec<String>>,
}

async fn resource(server: &Url, challenge: &Challenge) -> Result<Option<Resource>, OauthError> {
    let candidates = match &challenge.resource_metadata {
        Some(named) => {
            // Joined: some servers name only a path.
            let named = server.join(named).map_err(|error| {
                OauthError::failed(format!("its resource metadata are at no address: {error}"))
            })?;
            if named.origin() != server.origin() {
                let host = named.host_str().unwrap_or_default();
                return Err(OauthError::failed(format!(
                    "its resource metadata are at another origin ({}); those of {} alone count",
                    one_line(host, MAX_QUOTE),
                    server.host_str().unwrap_or_default()
                )));
            }
            vec![named]
        }
        None => well_known(server, "oauth-protected-resource"),
    };
    for candidate in candidates {
        if let Some(fields) = get(&candidate).await? {
            return read_resource(&fields, server).map(Some);
        }
    }
    Ok(None)
}

fn read_resource(fields: &Map<String, Value>, server: &Url) -> Result<Resource, OauthError> {
    let id = text(fields, "resource").map_or_else(|| canonical(server), str::to_owned);
    if !covers(&id, server) {
        return Err(OauthError::failed(format!(
            "its metadata are those of another server, {}",
            one_line(&id, MAX_QUOTE)
        )));
    }
    let authorities = texts(fields, "authorization_servers").unwrap_or_default();
    Ok(Resource { id, authorities, scopes: texts(fields, "scopes_supported") })
}

/// Whether a token for the resource is one for the server: the same origin, and the same path or
/// one above it.
fn covers(resource: &str, server: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    let above = resource.path().trim_end_matches('/');
    let below = server.path().trim_end_matches('/').strip_prefix(above);
    resource.origin() == server.origin()
        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The server as a resource: its address, without what a token could not be bound to.
fn canonical(server: &Url) -> String {
    let mut url = server.clone();
    url.set_fragment(None);
    let text = url.as_str();
    if url.path() == "/" && url.query().is_none() { text.trim_end_matches('/') } else { text }
        .to_owned()
}

/// An authority's metadata; `None` when there are none.
async fn authority(
    issuer: &Url,
    server: &Url,
    named: bool,
) -> Result<Option<Authority>, OauthError> {
    let mut candidates = well_known(issuer, "oauth-authorization-server");
    if !is_root(issuer) {
        // At its root would be that of another issuer.
        candidates.truncate(1);
        candidates.extend(well_known(issuer, "openid-configuration").into_iter().take(1));
    }
    candidates.push(appended(issuer, "openid-configuration"));
    for candidate in candidates {
        if let Some(fields) = get(&candidate).await? {
            return read_authority(&fields, issuer, server, named).map(Some);
        }
    }
    Ok(None)
}

fn read_authority(
    fields: &Map<String, Value>,
    asked: &Url,
    server: &Url,
    named: bool,
) -> Result<Authority, OauthError> {
    let plain = |issuer: &str| issuer.trim_end_matches('/').to_owned();
    let issuer = text(fields, "issuer").unwrap_or(asked.as_str());
    // Whoever can put a document there must not speak for somebody else (RFC 8414 section 3.3). A
    // server that is its own authority may hand on the metadata of another one.
    if named && plain(issuer) != plain(asked.as_str()) {
        return Err(OauthError::failed(format!(
            "the metadata of its authorization server are those of another one, {}",
            one_line(issuer, MAX_QUOTE)
        )));
    }
    if texts(fields, "code_challenge_methods_supported")
        .is_some_and(|methods| !methods.iter().any(|method| method == "S256"))
    {
        return Err(OauthError::failed(
            "its authorization server does not know PKCE with S256, without which a code can be stolen",
        ));
    }
    let address = |name: &str, what: &str| match text(fields, name) {
        Some(text) => named_address(text, what, server).map(Some),
        None => Ok(None),
    };
    let needed = |found: Option<Url>, what: &str| {
        let missing = || OauthError::failed(format!("its authorization server names no {what}"));
        found.ok_or_else(missing)
    };
    let scopes = texts(fields, "scopes_supported").unwrap_or_default();
    Ok(Authority {
        issuer: issuer.to_owned(),
        authorization: needed(
            address("authorization_endpoint", "authorization endpoint")?,
            "authorization endpoint",
        )?,
        token: needed(address("token_endpoint", "token endpoint")?, "token endpoint")?,
        registration: address("registration_endpoint", "registration endpoint")?,
        auth_methods: texts(fields, "token_endpoint_auth_methods_supported"),
        signs_answers: fields.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
        offers_offline: scopes.iter().any(|scope| scope == OFFLINE),
    })
}

/// What a refresh token is asked for with, where that has to be asked.
const OFFLINE: &str = "offline_access";

/// What to ask for: what the server wants now, else all that it knows.
fn scope(
    wanted: Option<String>,
    known: Option<Vec<String>>,
    authority: &Authority,
) -> Option<String> {
    let mut scope = wanted.or_else(|| Some(known?.join(" "))).filter(|scope| !scope.is_empty())?;
    if authority.offers_offline && !scope.split(' ').any(|one| one == OFFLINE) {
        scope.push(' ');
        scope.push_str(OFFLINE);
    }
    Some(scope)
}

fn is_root(url: &Url) -> bool {
    url.path().trim_end_matches('/').is_empty()
}

/// `/.well-known/NAME` put before the path, then at the root.
fn well_known(url: &Url, name: &str) -> Vec<Url> {
    let path = url.path().trim_end_matches('/');
    let mut at = vec![with_path(url, &format!("/.well-known/{name}{path}"))];
    if !path.is_empty() {
        at.push(with_path(url, &format!("/.well-known/{name}")));
    }
    at
}

/// `/.well-known/NAME` put after the path, as OpenID has it.
fn appended(url: &Url, name: &str) -> Url {
    let path = url.path().trim_end_matches('/');
    with_path(url, &format!("{path}/.well-known/{name}"))
}

fn with_path(url: &Url, path: &str) -> Url {
    let mut url = url.clone();
    url.set_path(path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_places_are_those_of_the_rfcs() {
        let texts = |urls: Vec<Url>| urls.into_iter().map(String::from).collect::<Vec<_>>();
        assert_eq!(
            texts(well_known(&url("https://h/a/mcp/?x=1#y"), "oauth-protected-resource")),
            [
                "https://h/.well-known/oauth-protected-resource/a/mcp",
                "https://h/.well-known/oauth-protected-resource"
            ]
        );
        assert_eq!(
            texts(well_known(&url("https://h"), "oauth-authorization-server")),
            ["https://h/.well-known/oauth-authorization-server"]
        );
        assert_eq!(
            appended(&url("https://h/t"), "openid-configuration").as_str(),
            "https://h/t/.well-known/openid-configuration"
        );
    }

    #[test]
    fn a_resource_covers_what_is_below_it() {
        let server = url("https://h/a/mcp");
        for yes in ["https://h", "https://h/", "https://h/a", "https://h/a/", "https://h:443/a/mcp"]
        {
            assert!(covers(yes, &server), "{yes}");
        }
        for no in
            ["https://x/a/mcp", "http://h/a/mcp", "https://h/b", "https://h/a/mc", "https://h:1/"]
        {
            assert!(!covers(no, &server), "{no}");
        }
        assert_eq!(canonical(&url("https://H/")), "https://h");
        assert_eq!(canonical(&url("https://h/a/?b#c")), "https://h/a/?b");
    }

    fn read(change: Value, named: bool) -> Result<Authority, String> {
        let mut fields = json!({
            "issuer": "https://auth.h/t",
            "authorization_endpoint": "https://auth.h/authorize",
            "token_endpoint": "https://auth.h/token",
            "registration_endpoint": "https://auth.h/register",
            "code_challenge_methods_supported": ["plain", "S256"],
        });
        let object = fields.as_object_mut().unwrap();
        object.extend(change.as_object().unwrap().clone());
        read_authority(object, &url("https://auth.h/t/"), &url("https://h/mcp"), named)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_authority_speaks_for_itself_and_knows_s256() {
        assert!(read(json!({}), true).is_ok());
        assert!(read(json!({"code_challenge_methods_supported": null}), true).is_ok());
        for (change, why) in [
            (
                json!({"issuer": "https://evil.example"}),
                "those of another one, https://evil.example",
            ),
            (json!({"code_challenge_methods_supported": ["plain"]}), "PKCE"),
            (json!({"code_challenge_methods_supported": []}), "PKCE"),
            (json!({"token_endpoint": null}), "names no token endpoint"),
            (json!({"token_endpoint": "http://auth.h/token"}), "not one of https"),
            (json!({"token_endpoint": "https://127.0.0.1/token"}), "on this machine"),
            (json!({"authorization_endpoint": "javascript:alert(1)"}), "authorization endpoint"),
            (json!({"registration_endpoint": "file:///x"}), "registration endpoint"),
        ] {
            let said = read(change.clone(), true).unwrap_err();
            assert!(said.contains(why), "{change}: {said}");
        }
        // A server that is its own authority may hand on the metadata of another one.
        assert!(read(json!({"issuer": "https://elsewhere.example"}), false).is_ok());
    }

    #[test]
    fn metadata_of_another_server_are_refused() {
        let server = url("https://h/mcp");
        let read = |fields: Value| read_resource(fields.as_object().unwrap(), &server);
        assert_eq!(read(json!({"authorization_servers": ["a", 1]})).unwrap().authorities, ["a"]);
        assert!(read(json!({"resource": "https://evil.example/mcp"})).is_err());
    }

    #[test]
    fn what_is_wanted_now_comes_before_what_is_known() {
        let mut authority = read(json!({}), true).unwrap();
        let known = || Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(scope(Some("x".into()), known(), &authority).unwrap(), "x");
        assert_eq!(scope(None, known(), &authority).unwrap(), "a b");
        assert_eq!(scope(None, None, &authority), None);
        authority.offers_offline = true;
        assert_eq!(scope(None, known(), &authority).unwrap(), "a b offline_access");
        assert_eq!(
            scope(Some("offline_access".into()), None, &authority).unwrap(),
            "offline_access"
        );
    }
}
