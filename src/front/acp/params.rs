//! What the methods take.

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::rpc::{Id, RpcError};

/// The parameters of `initialize`. The version decides nothing: there is one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Initialize {
    #[serde(rename = "protocolVersion")]
    _protocol_version: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub client_capabilities: ClientCapabilities,
    client_info: Option<ClientInfo>,
}

#[derive(Debug, Deserialize)]
struct ClientInfo {
    name: String,
    version: Option<String>,
}

/// What a client can do for us.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct ClientCapabilities {
    #[serde(deserialize_with = "or_default")]
    pub fs: FileSystem,
    #[serde(deserialize_with = "or_default")]
    pub elicitation: Elicitation,
}

/// What a client can ask its user.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Elicitation {
    /// It shows forms.
    #[serde(deserialize_with = "is_given")]
    pub form: bool,
}

/// Files that a client reads and writes, also unsaved ones.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FileSystem {
    #[serde(deserialize_with = "or_default")]
    pub read_text_file: bool,
    #[serde(deserialize_with = "or_default")]
    pub write_text_file: bool,
}

impl Initialize {
    /// Name and version of the client.
    pub fn name(&self) -> Option<String> {
        let ClientInfo { name, version } = self.client_info.as_ref()?;
        Some(match version {
            Some(version) if !version.is_empty() => format!("{name} {version}"),
            _ => name.clone(),
        })
    }
}

/// The parameters of `authenticate`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authenticate {
    pub method_id: String,
}

/// The parameters of `session/new`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct New {
    pub cwd: PathBuf,
    /// Absent: those that there are.
    pub mcp_servers: Option<Vec<Value>>,
}

/// The parameters of `session/load` and `session/resume`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Past {
    pub session_id: String,
    #[serde(flatten)]
    pub place: New,
}

/// The parameters of `session/list`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct List {
    pub cwd: Option<PathBuf>,
    /// The id of the last session of the page before.
    pub cursor: Option<String>,
}

/// The parameters of a method of an open session.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfSession<T> {
    pub session_id: String,
    #[serde(flatten)]
    pub more: T,
}

/// Nothing else.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// What else `session/prompt` takes.
#[derive(Debug, Deserialize)]
pub(super) struct Prompt {
    /// Content blocks.
    pub prompt: Vec<Map<String, Value>>,
}

/// What else `session/set_mode` takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetMode {
    pub mode_id: String,
}

/// What else `session/set_model` takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetModel {
    pub model_id: String,
}

/// What else `session/set_config_option` takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetOption {
    pub config_id: String,
    pub value: String,
}

/// The parameters of `$/cancel_request`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelRequest {
    pub request_id: Id,
}

/// Reads the parameters of a method.
pub(super) fn parse<T: DeserializeOwned>(params: Value) -> Result<T, RpcError> {
    let params = match params {
        // Left out.
        Value::Null => Value::Object(Map::new()),
        // A sequence would be taken for the fields in their order.
        Value::Object(_) => params,
        _ => return Err(RpcError::params("expected an object")),
    };
    serde_json::from_value(params).map_err(|error| RpcError::params(error.to_string()))
}

/// Whether there is anything but null.
fn is_given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<serde::de::IgnoredAny>::deserialize(deserializer)?.is_some())
}

/// Null counts as absent.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_and_null_are_the_same() {
        for params in [
            json!({"protocolVersion": 1}),
            json!({"protocolVersion": 99, "clientCapabilities": null, "clientInfo": null, "_meta": 1}),
            json!({"protocolVersion": 0, "clientCapabilities": {"fs": null, "terminal": true}}),
            json!({"protocolVersion": 1, "clientCapabilities": {"fs": {"readTextFile": null}}}),
        ] {
            let read: Initialize = parse(params).unwrap();
            assert_eq!(read.name(), None);
            let FileSystem { read_text_file, write_text_file } = read.client_capabilities.fs;
            assert!(!read_text_file && !write_text_file);
        }
        let whole: Initialize = parse(json!({
            "protocolVersion": 1,
            "clientInfo": {"name": "ed", "title": "Ed", "version": "2"},
            "clientCapabilities": {"fs": {"readTextFile": true, "writeTextFile": true}},
        }))
        .unwrap();
        assert_eq!(whole.name().as_deref(), Some("ed 2"));
        assert!(whole.client_capabilities.fs.write_text_file);
        let new: New = parse(json!({"cwd": "/x", "mcpServers": null})).unwrap();
        assert!(new.mcp_servers.is_none());
        let list: List = parse(Value::Null).unwrap();
        assert!(list.cwd.is_none() && list.cursor.is_none());
    }

    #[test]
    fn wrong_parameters_are_told() {
        let code = |error: RpcError| error.code;
        for params in
            [json!(null), json!([]), json!("x"), json!({}), json!({"protocolVersion": "1"})]
        {
            assert_eq!(parse::<Initialize>(params.clone()).map_err(code).unwrap_err(), -32602);
        }
        for params in [
            json!({}),
            json!({"sessionId": 1, "prompt": []}),
            json!({"sessionId": "a"}),
            json!({"sessionId": "a", "prompt": "text"}),
            json!({"sessionId": "a", "prompt": [1]}),
            json!({"sessionId": "a", "prompt": {"type": "text"}}),
        ] {
            assert!(parse::<OfSession<Prompt>>(params.clone()).is_err(), "{params}");
        }
        for params in [json!({}), json!({"cwd": 7}), json!({"cwd": "/", "mcpServers": {}})] {
            assert!(parse::<New>(params.clone()).is_err(), "{params}");
        }
    }
}
