//! An authorization server, in front of an MCP server of these tests: it registers clients, gives
//! codes to whoever asks, and tokens for codes. A refresh token is good once: when it comes again,
//! everything is withdrawn, as authorities do that take it for stolen.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

/// Status, headers, body.
pub type Answer = (String, String, String);

/// The server. Its rules, all of them optional:
///
/// * `metadata`, `resource`: put over the metadata of the authority, of the MCP server
/// * `challenge`: in place of the usual `www-authenticate`
/// * `old`: the MCP server has no metadata and is its own authority
/// * `deny`: nobody is let in
/// * `lifetime`: of an access token, in seconds
/// * `refresh`: `no` or `busy`
/// * `repeat`: whoever asks for a token is refused in the words of the request
/// * `moved`: where the token endpoint sends everybody
pub struct Authority {
    rules: Mutex<Value>,
    state: Mutex<State>,
    held: Mutex<HashMap<Held, Receiver<()>>>,
}

/// What can be held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Held {
    /// The answer to a renewal, when the old refresh token is already spent.
    Renewal,
    /// The first word of the MCP server to somebody with a good token.
    Entry,
}

#[derive(Default)]
struct State {
    /// What belongs to a code: challenge, address to come back to, resource.
    codes: HashMap<String, [String; 3]>,
    clients: HashSet<String>,
    access: HashSet<String>,
    refresh: Option<String>,
    issued: usize,
    refreshes: usize,
    registered: Vec<Value>,
}

impl Authority {
    pub fn new(rules: Value) -> Arc<Self> {
        let clients = HashSet::from(["by-hand".to_owned()]);
        let state = Mutex::new(State { clients, ..State::default() });
        Arc::new(Self { rules: Mutex::new(rules), state, held: Mutex::default() })
    }

    /// Holds the next of these back until what is returned is dropped.
    pub fn hold(&self, what: Held) -> Sender<()> {
        let (held, wait) = channel();
        self.held.lock().unwrap().insert(what, wait);
        held
    }

    fn held_back(&self, what: Held) {
        let wait = self.held.lock().unwrap().remove(&what);
        if let Some(wait) = wait {
            let _ = wait.recv();
        }
    }

    /// Changes a rule.
    pub fn rule(&self, name: &str, value: Value) {
        self.rules.lock().unwrap()[name] = value;
    }

    /// Access tokens are of no use any more; the refresh token is.
    pub fn expire(&self) {
        self.state.lock().unwrap().access.clear();
    }

    /// How often the refresh token was used well.
    pub fn refreshes(&self) -> usize {
        self.state.lock().unwrap().refreshes
    }

    /// What clients have said of themselves.
    pub fn registered(&self) -> Vec<Value> {
        self.state.lock().unwrap().registered.clone()
    }

    /// The answer to a request, `None` when it is for the MCP server and has a token.
    pub fn answer(&self, head: &str, body: &str) -> Option<Answer> {
        let rules = self.rules.lock().unwrap().clone();
        let mut state = self.state.lock().unwrap();
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let base = format!("http://{}", header("host").unwrap_or_default());
        let target = head.split(' ').nth(1).unwrap_or_default();
        let url = Url::parse(&format!("{base}{target}")).unwrap();
        let old = rules["old"] == json!(true);
        let issuer = if old { base.clone() } else { format!("{base}/as") };
        let metadata_path = Url::parse(&issuer).unwrap().path().trim_end_matches('/').to_owned();
        if url.path() == format!("/.well-known/oauth-authorization-server{metadata_path}") {
            let metadata = json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{base}/as/authorize?from=metadata"),
                "token_endpoint": format!("{base}/as/token"),
                "registration_endpoint": format!("{base}/as/register"),
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": true,
            });
            return Some(ok(&over(metadata, &rules["metadata"])));
        }
        if let Some(of) = url.path().strip_prefix("/.well-known/oauth-protected-resource")
            && !old
        {
            let metadata = json!({
                "resource": format!("{base}{of}"),
                "authorization_servers": [issuer],
                "scopes_supported": ["read", "write"],
            });
            return Some(ok(&over(metadata, &rules["resource"])));
        }
        match url.path() {
            "/as/register" => {
                let about: Value = serde_json::from_str(body).unwrap();
                let id = format!("client-{}", state.registered.len());
                state.registered.push(about);
                state.clients.insert(id.clone());
                let answer = json!({"client_id": id, "token_endpoint_auth_method": "none"});
                Some(("201 Created".to_owned(), JSON.to_owned(), answer.to_string()))
            }
            "/as/authorize" => Some(authorize(&mut state, &url, &issuer, &rules)),
            "/as/token" => {
                if let Some(to) = rules["moved"].as_str() {
                    let headers = format!("location: {to}\r\n");
                    return Some(("307 Temporary Redirect".to_owned(), headers, String::new()));
                }
                let form: HashMap<_, _> =
                    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
                // The time in which a second one could come.
                if rules["slow"] == json!(true) {
                    std::thread::sleep(Duration::from_millis(200));
                }
                if rules["repeat"] == json!(true) {
                    return Some(no("invalid_grant", body));
                }
                let answer = token(&mut state, &form, &rules);
                drop(state);
                if form.contains_key("refresh_token") {
                    self.held_back(Held::Renewal);
                }
                Some(answer)
            }
            path if path.starts_with("/.well-known/") => {
                Some(("404 Not Found".to_owned(), String::new(), String::new()))
            }
            path => {
                let token = header("authorization").unwrap_or_default();
                let token = token.strip_prefix("Bearer ").unwrap_or_default();
                if state.access.contains(token) {
                    drop(state);
                    self.held_back(Held::Entry);
                    return None;
                }
                let usual = format!(
                    "www-authenticate: Bearer error=\"invalid_token\", \
                     resource_metadata=\"{base}/.well-known/oauth-protected-resource{path}\"\r\n"
                );
                let challenge = rules["challenge"].as_str().map_or(usual, str::to_owned);
                let headers = if old { String::new() } else { challenge };
                Some(("401 Unauthorized".to_owned(), headers, String::new()))
            }
        }
    }
}

const JSON: &str = "content-type: application/json\r\n";

fn ok(body: &Value) -> Answer {
    ("200 OK".to_owned(), JSON.to_owned(), body.to_string())
}

fn no(error: &str, why: &str) -> Answer {
    let body = json!({"error": error, "error_description": why});
    ("400 Bad Request".to_owned(), JSON.to_owned(), body.to_string())
}

fn over(mut below: Value, above: &Value) -> Value {
    for (name, value) in above.as_object().into_iter().flatten() {
        below[name] = value.clone();
    }
    below
}

/// What a person sees in the browser, who says yes at once.
fn authorize(state: &mut State, url: &Url, issuer: &str, rules: &Value) -> Answer {
    let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
    let get = |name: &str| query.get(name).cloned().unwrap_or_default();
    let known = state.clients.contains(&get("client_id"))
        && get("response_type") == "code"
        && get("code_challenge_method") == "S256"
        && get("from") == "metadata";
    if !known {
        return no("invalid_request", &format!("{query:?}"));
    }
    let mut back = Url::parse(&get("redirect_uri")).unwrap();
    if rules["deny"] == json!(true) {
        back.query_pairs_mut()
            .append_pair("error", "access_denied")
            .append_pair("error_description", "Not today.");
    } else {
        let code = format!("code-{}", state.codes.len());
        let about = [get("code_challenge"), get("redirect_uri"), get("resource")];
        back.query_pairs_mut().append_pair("code", &code);
        state.codes.insert(code, about);
    }
    back.query_pairs_mut().append_pair("state", &get("state")).append_pair("iss", issuer);
    ("302 Found".to_owned(), format!("location: {back}\r\n"), String::new())
}

fn token(state: &mut State, form: &HashMap<String, String>, rules: &Value) -> Answer {
    let get = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if !state.clients.contains(get("client_id")) {
        return no("invalid_client", "nobody knows you");
    }
    match get("grant_type") {
        "authorization_code" => {
            let Some([challenge, redirect, resource]) = state.codes.remove(get("code")) else {
                return no("invalid_grant", "no such code");
            };
            let hash = Sha256::digest(get("code_verifier").as_bytes());
            let proven = URL_SAFE_NO_PAD.encode(hash) == challenge;
            if !proven || get("redirect_uri") != redirect || get("resource") != resource {
                return no("invalid_grant", "not the one who asked");
            }
        }
        "refresh_token" => {
            if rules["refresh"] == json!("busy") {
                return ("503 Service Unavailable".to_owned(), String::new(), String::new());
            }
            let good = state.refresh.as_deref() == Some(get("refresh_token"));
            if !good || rules["refresh"] == json!("no") {
                state.access.clear();
                state.refresh = None;
                return no("invalid_grant", "used before");
            }
            state.refreshes += 1;
        }
        _ => return no("unsupported_grant_type", ""),
    }
    state.issued += 1;
    let (access, refresh) =
        (format!("hunter2-a{}", state.issued), format!("hunter2-r{}", state.issued));
    state.access.insert(access.clone());
    state.refresh = Some(refresh.clone());
    ok(&json!({
        "access_token": access,
        "refresh_token": refresh,
        "token_type": "Bearer",
        "expires_in": rules["lifetime"].as_u64().unwrap_or(3600),
    }))
}

/// A page in a browser that follows nothing by itself: status, where it is sent, what it shows.
pub fn browse(address: &str) -> (u16, Option<String>, String) {
    let url = Url::parse(address).unwrap();
    assert!(matches!(url.host_str(), Some("127.0.0.1" | "localhost")), "{address}");
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let said = talk(
        url.port().unwrap(),
        &format!(
            "GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n",
            &url[url::Position::BeforeHost..url::Position::AfterPort]
        ),
    );
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    let location = head.lines().find_map(|line| line.strip_prefix("location: "));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, location.map(str::to_owned), body.to_owned())
}

/// What a port on this machine answers to these bytes.
pub fn talk(port: u16, bytes: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut said = Vec::new();
    // What is sent to whoever does not listen may come back as a reset.
    let _ = stream.write_all(bytes.as_bytes());
    let _ = stream.read_to_end(&mut said);
    String::from_utf8(said).unwrap()
}

/// Logs in at the address that the program has told, as a person would; returns what the last page
/// shows.
pub fn say_yes(address: &str) -> String {
    let (status, back, said) = browse(address);
    assert_eq!(status, 302, "{said}");
    let (status, _, said) = browse(&back.unwrap());
    assert_eq!(status, 200, "{said}");
    said
}
