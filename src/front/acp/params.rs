//! What the methods take.

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::rpc::{Id, RpcError};

/// The parameters of `initialize`. The version decides nothing: there is one. What a client says of itself
/// beyond it is taken as far as it is understood, and never refused.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Initialize {
    #[serde(rename = "protocolVersion")]
    _protocol_version: u64,
    #[serde(default)]
    pub client_capabilities: ClientCapabilities,
    #[serde(default)]
    client_info: Value,
}

/// What a client can do for us. Read from any JSON: what has another shape than the protocol's is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub(super) struct ClientCapabilities {
    pub fs: FileSystem,
    /// It runs commands in terminals of its own.
    pub terminal: bool,
    pub elicitation: Elicitation,
}

/// What a client can ask its user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Elicitation {
    /// It shows forms.
    pub form: bool,
}

/// Files that a client reads and writes, also unsaved ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FileSystem {
    pub read_text_file: bool,
    pub write_text_file: bool,
}

impl From<Value> for ClientCapabilities {
    fn from(said: Value) -> Self {
        let offers = |group: &str, name: &str| match &said[group] {
            // All of it.
            Value::Bool(all) => *all,
            group => matches!(group[name], Value::Bool(true) | Value::Object(_)),
        };
        Self {
            terminal: matches!(said["terminal"], Value::Bool(true) | Value::Object(_)),
            fs: FileSystem {
                read_text_file: offers("fs", "readTextFile"),
                write_text_file: offers("fs", "writeTextFile"),
            },
            elicitation: Elicitation { form: offers("elicitation", "form") },
        }
    }
}

impl Initialize {
    /// Name and version of the client.
    pub fn name(&self) -> Option<String> {
        let word = |key: &str| self.client_info[key].as_str().filter(|word| !word.is_empty());
        let name = word("name")?;
        Some(match word("version") {
            Some(version) => format!("{name} {version}"),
            None => name.to_owned(),
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
    fn capabilities_of_any_shape_are_there_or_not() {
        let read = |said: &Value| {
            let params = json!({"protocolVersion": 1, "clientCapabilities": said});
            parse::<Initialize>(params).unwrap().client_capabilities
        };
        let forms = ClientCapabilities {
            elicitation: Elicitation { form: true },
            ..ClientCapabilities::default()
        };
        for there in [json!(true), json!({"form": true}), json!({"form": {"x": 1}, "url": 7})] {
            assert_eq!(read(&json!({"elicitation": there})), forms, "{there}");
        }
        let not = [json!(false), json!(1), json!("form"), json!(["form"]), json!({}), json!(null)];
        for not in &not {
            for said in [
                json!({"elicitation": not}),
                json!({"fs": not}),
                json!({"fs": {"readTextFile": "yes", "writeTextFile": 1}, "elicitation": not}),
                not.clone(),
            ] {
                assert_eq!(read(&said), ClientCapabilities::default(), "{said}");
            }
        }
        assert_eq!(read(&json!({"elicitation": {"form": false}})), ClientCapabilities::default());
        let all = FileSystem { read_text_file: true, write_text_file: true };
        assert_eq!(read(&json!({"fs": true})).fs, all);
        for info in [json!(7), json!("ed"), json!({"name": 7}), json!({"version": "1"}), json!([])]
        {
            let params = json!({"protocolVersion": 1, "clientInfo": info});
            assert_eq!(parse::<Initialize>(params).unwrap().name(), None, "{info}");
        }
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
