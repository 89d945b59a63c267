//! What is configured: which servers there are, how each is reached, what it may offer.
//!
//! A source is one JSON object, `{"mcpServers": {name: server}}` or the map of servers by itself.
//! Several sources are laid over each other: the same name later replaces the server as a whole.
//! Texts may hold `${VAR}` and `${VAR:-default}` (see [`ServerConfig::expanded`]).
//!
//! One entry that makes no sense spoils only itself: it is reported as a [`BadServer`].

mod expand;
mod load;
mod save;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

pub use load::{Loaded, read_file};
pub(in crate::mcp) use load::{parse, read_bytes};
pub use save::set_enabled;

/// How long a server may take to start, connect and list its tools, if it says nothing else.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest timeout that is taken from a file.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// The longest name of a server, in characters.
const MAX_NAME: usize = 128;

/// One configured server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The key in `mcpServers`, as it was written.
    pub name: String,
    pub reach: Reach,
    /// What it is for, in the user's words; goes before what the server says of itself.
    pub description: Option<String>,
    /// False keeps it in the lists without ever starting it.
    pub enabled: bool,
    /// For start, connection and the first list of tools together.
    pub startup_timeout: Duration,
    /// For one call; `None` leaves it to `mcp.client.tool_call_timeout_ms`.
    pub tool_timeout: Option<Duration>,
    pub tools: ToolFilter,
    /// A program has brought it for a session: it is in no file of ours, and `${VAR}` in its texts is no
    /// variable.
    pub literal: bool,
}

impl ServerConfig {
    /// Where a person changes it, as the end of a sentence.
    pub fn place(&self) -> &'static str {
        if self.literal { "in the settings of your editor, which brings it" } else { "in mcp.json" }
    }
}

/// How a server is reached.
#[derive(Clone, PartialEq, Eq)]
pub enum Reach {
    /// A child process that speaks over its standard streams.
    Stdio {
        command: String,
        args: Vec<String>,
        /// Laid over the few variables that a server inherits.
        env: BTreeMap<String, String>,
        /// Where it runs; the work directory when absent.
        cwd: Option<PathBuf>,
    },
    /// An address.
    Remote { url: String, wire: RemoteWire, headers: BTreeMap<String, String>, auth: Auth },
}

/// The two ways of MCP over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteWire {
    /// Streamable HTTP, since protocol 2025-03-26.
    Http,
    /// The older HTTP with server-sent events, two endpoints.
    Sse,
}

/// How a remote server knows us.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    None,
    /// OAuth, with tokens from `kimi mcp auth`.
    Oauth(OauthClient),
    /// A bearer token.
    Bearer(String),
    /// A bearer token in an environment variable of this name.
    BearerFrom(String),
}

/// Who we are to the authority of a server. Without an id we make ourselves known to it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OauthClient {
    pub id: Option<String>,
    pub secret: Option<String>,
    /// The port that the browser comes back to, where the authority takes no other.
    pub port: Option<u16>,
    /// What to ask for, blanks between, in place of what the server wants.
    pub scopes: Option<String>,
}

/// Which tools of a server are offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolFilter {
    /// Only these, when given.
    pub enabled: Option<Vec<String>>,
    /// Not these.
    pub disabled: Vec<String>,
}

impl ToolFilter {
    /// Whether the tool of this (unqualified) name is offered.
    pub fn admits(&self, tool: &str) -> bool {
        let named = |list: &Vec<String>| list.iter().any(|name| name == tool);
        self.enabled.as_ref().is_none_or(named) && !named(&self.disabled)
    }
}

/// An entry that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadServer {
    pub name: String,
    /// One line, without secrets.
    pub reason: String,
}

/// The entries of one source, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    pub servers: Vec<ServerConfig>,
    pub bad: Vec<BadServer>,
}

impl Source {
    /// Reads a source. The error is one line: the object is no map of servers at all.
    pub fn read(object: &Map<String, Value>) -> Result<Self, String> {
        let mut source = Self::default();
        for (name, entry) in servers_of(object)? {
            match server(name, entry) {
                Ok(server) => source.servers.push(server),
                Err(reason) => source.bad.push(BadServer { name: name.clone(), reason }),
            }
        }
        Ok(source)
    }

    /// The same from a program, which has put everything in its place already.
    #[must_use]
    pub fn literal(mut self) -> Self {
        self.servers.iter_mut().for_each(|server| server.literal = true);
        self
    }

    /// Whether there is an entry of that name, good or bad.
    pub fn names(&self, name: &str) -> bool {
        self.servers.iter().any(|server| server.name == name)
            || self.bad.iter().any(|bad| bad.name == name)
    }
}

/// The map of servers in a source: wrapped, bare, or none.
pub fn servers_of(object: &Map<String, Value>) -> Result<&Map<String, Value>, String> {
    match object.get("mcpServers") {
        Some(Value::Object(servers)) => Ok(servers),
        Some(_) => Err("mcpServers: expected an object of servers".to_owned()),
        None if object.values().all(is_entry) => Ok(object),
        None => Err("expected {\"mcpServers\": {NAME: {\"command\" or \"url\": ...}}}".to_owned()),
    }
}

fn is_entry(value: &Value) -> bool {
    value.get("command").is_some() || value.get("url").is_some()
}

fn server(name: &str, entry: &Value) -> Result<ServerConfig, String> {
    if name.trim().is_empty() || name.len() > MAX_NAME || name.contains(char::is_control) {
        return Err(format!(
            "a server's name is 1 to {MAX_NAME} bytes of text without control characters"
        ));
    }
    let Value::Object(map) = entry else { return Err("expected an object".to_owned()) };
    let entry = Entry(map);
    let reach = match (entry.text(&["command"])?, entry.text(&["url"])?) {
        (Some(command), None) => stdio(&entry, command)?,
        (None, Some(url)) => remote(&entry, url)?,
        (Some(_), Some(_)) => return Err("has both \"command\" and \"url\"".to_owned()),
        (None, None) => return Err("has neither \"command\" nor \"url\"".to_owned()),
    };
    Ok(ServerConfig {
        name: name.to_owned(),
        reach,
        description: entry.text(&["description"])?.filter(|text| !text.trim().is_empty()),
        enabled: entry.flag("enabled")?.unwrap_or(true)
            && !entry.flag("disabled")?.unwrap_or(false),
        startup_timeout: entry
            .millis(&["startupTimeoutMs", "startup_timeout_ms"])?
            .unwrap_or(STARTUP_TIMEOUT),
        tool_timeout: entry.millis(&["toolTimeoutMs", "tool_timeout_ms", "timeout"])?,
        tools: ToolFilter {
            enabled: entry.texts(&["enabledTools", "enabled_tools"])?,
            disabled: entry.texts(&["disabledTools", "disabled_tools"])?.unwrap_or_default(),
        },
        literal: false,
    })
}

fn stdio(entry: &Entry<'_>, command: String) -> Result<Reach, String> {
    match entry.text(&["transport", "type"])?.as_deref() {
        None | Some("stdio") => {}
        Some(other) => return Err(format!("transport {other:?} needs a \"url\"")),
    }
    if command.trim().is_empty() {
        return Err("command is empty".to_owned());
    }
    Ok(Reach::Stdio {
        command,
        args: entry.texts(&["args"])?.unwrap_or_default(),
        env: entry.text_map("env")?,
        cwd: entry.text(&["cwd"])?.map(PathBuf::from),
    })
}

fn remote(entry: &Entry<'_>, url: String) -> Result<Reach, String> {
    let wire = match entry.text(&["transport", "type"])?.as_deref() {
        Some("http" | "streamable-http" | "streamable_http" | "streamableHttp") => RemoteWire::Http,
        Some("sse") => RemoteWire::Sse,
        None if has_sse_segment(&url) => RemoteWire::Sse,
        None => RemoteWire::Http,
        Some(other) => return Err(format!("transport {other:?} is not one of http, sse")),
    };
    let variable = entry.text(&["bearerTokenEnvVar", "bearer_token_env_var"])?;
    let auth = match (entry.text(&["auth"])?, variable) {
        (Some(kind), _) if kind == "oauth" => Auth::Oauth(entry.oauth_client()?),
        (Some(token), _) if !token.is_empty() => Auth::Bearer(token),
        (_, Some(variable)) => Auth::BearerFrom(variable),
        (_, None) => Auth::None,
    };
    Ok(Reach::Remote { url, wire, headers: entry.text_map("headers")?, auth })
}

/// Whether the address's path has a segment `sse`, which is where servers of the older kind live.
fn has_sse_segment(url: &str) -> bool {
    let path = match Url::parse(url) {
        Ok(url) => url.path().to_owned(),
        Err(_) => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
    };
    path.split('/').any(|segment| segment == "sse")
}

/// The fields of an entry. Several names for one field are looked for in their order; null counts
/// as absent.
struct Entry<'a>(&'a Map<String, Value>);

impl Entry<'_> {
    fn get(&self, names: &[&'static str]) -> Option<(&'static str, &Value)> {
        names.iter().find_map(|name| {
            let value = self.0.get(*name)?;
            (!value.is_null()).then_some((*name, value))
        })
    }

    fn text(&self, names: &[&'static str]) -> Result<Option<String>, String> {
        match self.get(names) {
            None => Ok(None),
            Some((_, Value::String(text))) => Ok(Some(text.clone())),
            Some((name, _)) => Err(format!("{name}: expected a string")),
        }
    }

    fn flag(&self, name: &'static str) -> Result<Option<bool>, String> {
        match self.get(&[name]) {
            None => Ok(None),
            Some((_, Value::Bool(flag))) => Ok(Some(*flag)),
            Some(_) => Err(format!("{name}: expected true or false")),
        }
    }

    fn millis(&self, names: &[&'static str]) -> Result<Option<Duration>, String> {
        match self.get(names) {
            None => Ok(None),
            Some((name, value)) => match value.as_f64() {
                Some(0.0) => Ok(None),
                Some(millis) if millis >= 1.0 => {
                    Ok(Some(Duration::from_millis(millis as u64).min(MAX_TIMEOUT)))
                }
                _ => Err(format!("{name}: expected milliseconds")),
            },
        }
    }

    fn texts(&self, names: &[&'static str]) -> Result<Option<Vec<String>>, String> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let list = value.as_array().into_iter().flatten();
        let texts: Option<Vec<String>> = match value {
            Value::Array(_) => list.map(plain_text).collect(),
            _ => None,
        };
        texts.map(Some).ok_or_else(|| format!("{name}: expected a list of strings"))
    }

    fn oauth_client(&self) -> Result<OauthClient, String> {
        let fields = match self.get(&["oauth"]) {
            None => return Ok(OauthClient::default()),
            Some((_, Value::Object(fields))) => Entry(fields),
            Some(_) => return Err("oauth: expected an object".to_owned()),
        };
        let port = match fields.get(&["callbackPort", "callback_port"]) {
            None => None,
            Some((name, port)) => {
                let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
                Some(port.ok_or_else(|| format!("{name}: expected the number of a port"))?)
            }
        };
        Ok(OauthClient {
            id: fields.text(&["clientId", "client_id"])?,
            secret: fields.text(&["clientSecret", "client_secret"])?,
            port,
            scopes: fields.text(&["scopes", "scope"])?,
        })
    }

    fn text_map(&self, name: &'static str) -> Result<BTreeMap<String, String>, String> {
        let texts = match self.get(&[name]) {
            None => return Ok(BTreeMap::new()),
            Some((_, Value::Object(map))) => map
                .iter()
                .map(|(key, value)| Some((key.clone(), plain_text(value)?)))
                .collect::<Option<_>>(),
            Some(_) => None,
        };
        texts.ok_or_else(|| format!("{name}: expected an object of strings"))
    }
}

/// Text; numbers and flags are taken as they are written.
fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

impl fmt::Debug for Reach {
    /// Values of variables and headers are left out: they hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdio { command, args, env, cwd } => f
                .debug_struct("Stdio")
                .field("command", command)
                .field("args", &args.len())
                .field("env", &env.keys())
                .field("cwd", cwd)
                .finish(),
            Self::Remote { url, wire, headers, auth } => f
                .debug_struct("Remote")
                .field("url", url)
                .field("wire", wire)
                .field("headers", &headers.keys())
                .field("auth", auth)
                .finish(),
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Oauth(_) => "Oauth",
            Self::Bearer(_) => "Bearer",
            Self::BearerFrom(_) => "BearerFrom",
        })
    }
}

#[cfg(test)]
mod tests;
