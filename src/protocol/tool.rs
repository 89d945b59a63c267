//! Tool calls and what they return.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ContentPart;

/// A call the model made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Always `function`.
    #[serde(rename = "type", default = "function_type")]
    pub kind: String,
    pub id: String,
    pub function: FunctionCall,
    /// Opaque provider data that has to travel back with the call.
    #[serde(default)]
    pub extras: Option<Value>,
}

/// Name and raw arguments of a call. `arguments` is the JSON text as the model wrote it; it may be
/// incomplete while streaming and may be invalid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCall {
    pub name: String,
    #[serde(default)]
    pub arguments: Option<String>,
}

fn function_type() -> String {
    "function".to_owned()
}

impl ToolCall {
    /// A function call without extras.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        Self {
            kind: function_type(),
            id: id.into(),
            function: FunctionCall { name: name.into(), arguments: Some(arguments.into()) },
            extras: None,
        }
    }

    /// The raw arguments, empty when the model gave none.
    pub fn arguments(&self) -> &str {
        self.function.arguments.as_deref().unwrap_or_default()
    }

    /// Appends the next part of the raw arguments.
    pub fn push_arguments(&mut self, part: &str) {
        self.function.arguments.get_or_insert_default().push_str(part);
    }
}

/// What a tool hands to the model: text or parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolOutput {
    Text(String),
    Parts(Vec<ContentPart>),
}

impl Default for ToolOutput {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl ToolOutput {
    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Parts(parts) => parts.is_empty(),
        }
    }

    /// The text of it, media left out.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => {
                parts.iter().filter_map(ContentPart::as_text).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// The result of one tool call, for the model (`output`, `message`) and for a person (`display`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolReturnValue {
    pub is_error: bool,
    #[serde(default)]
    pub output: ToolOutput,
    /// A remark for the model about the result; never empty when `is_error`.
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub display: Vec<DisplayBlock>,
    #[serde(default)]
    pub extras: Option<Value>,
}

impl ToolReturnValue {
    /// A success with output and a remark for the model.
    pub fn ok(output: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            is_error: false,
            output: ToolOutput::Text(output.into()),
            message: message.into(),
            ..Self::default()
        }
    }

    /// A failure: `message` for the model, `brief` for a person.
    pub fn error(message: impl Into<String>, brief: impl Into<String>) -> Self {
        Self {
            is_error: true,
            message: message.into(),
            display: vec![DisplayBlock::Brief { text: brief.into() }],
            ..Self::default()
        }
    }

    /// The same with output attached.
    #[must_use]
    pub fn with_output(mut self, output: impl Into<String>) -> Self {
        self.output = ToolOutput::Text(output.into());
        self
    }

    /// The same with one more display block.
    #[must_use]
    pub fn with_display(mut self, block: DisplayBlock) -> Self {
        self.display.push(block);
        self
    }
}

/// A part of a result or of a request that is drawn for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisplayBlock {
    /// A short sentence.
    Brief { text: String },
    /// One hunk of a file change. `path` is absolute; both texts carry the context lines and
    /// `old_start`/`new_start` are their 1-based first lines. With `is_summary` the texts are
    /// descriptions (`(12000 lines)`), not content.
    Diff {
        path: String,
        old_text: String,
        new_text: String,
        old_start: u64,
        new_start: u64,
        is_summary: bool,
    },
    /// A todo list.
    Todo { items: Vec<TodoItem> },
    /// A shell command.
    Shell { language: String, command: String },
    /// A task that runs in the background.
    BackgroundTask { task_id: String, kind: String, status: String, description: String },
    /// A kind this program does not know; kept as it came.
    Unknown { kind: String, data: Value },
}

/// One row of a todo list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TodoItem {
    pub title: String,
    pub status: TodoStatus,
}

/// Where a todo stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TodoStatus {
    Pending,
    InProgress,
    Done,
}

/// The kinds with typed fields, as they are on the wire.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum KnownBlock {
    Brief {
        text: String,
    },
    Diff {
        path: String,
        old_text: String,
        new_text: String,
        #[serde(default = "one")]
        old_start: u64,
        #[serde(default = "one")]
        new_start: u64,
        #[serde(default)]
        is_summary: bool,
    },
    Todo {
        items: Vec<TodoItem>,
    },
    Shell {
        language: String,
        command: String,
    },
    BackgroundTask {
        task_id: String,
        kind: String,
        status: String,
        description: String,
    },
}

fn one() -> u64 {
    1
}

impl Serialize for DisplayBlock {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = match self.clone() {
            Self::Brief { text } => KnownBlock::Brief { text },
            Self::Diff { path, old_text, new_text, old_start, new_start, is_summary } => {
                KnownBlock::Diff { path, old_text, new_text, old_start, new_start, is_summary }
            }
            Self::Todo { items } => KnownBlock::Todo { items },
            Self::Shell { language, command } => KnownBlock::Shell { language, command },
            Self::BackgroundTask { task_id, kind, status, description } => {
                KnownBlock::BackgroundTask { task_id, kind, status, description }
            }
            Self::Unknown { kind, data } => {
                return serde_json::json!({"type": kind, "data": data}).serialize(serializer);
            }
        };
        known.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DisplayBlock {
    /// An unknown kind, or a known one with other fields, becomes [`DisplayBlock::Unknown`] whose
    /// data is `data` if present, else all fields but `type`.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if let Ok(known) = KnownBlock::deserialize(&value) {
            return Ok(match known {
                KnownBlock::Brief { text } => Self::Brief { text },
                KnownBlock::Diff { path, old_text, new_text, old_start, new_start, is_summary } => {
                    Self::Diff { path, old_text, new_text, old_start, new_start, is_summary }
                }
                KnownBlock::Todo { items } => Self::Todo { items },
                KnownBlock::Shell { language, command } => Self::Shell { language, command },
                KnownBlock::BackgroundTask { task_id, kind, status, description } => {
                    Self::BackgroundTask { task_id, kind, status, description }
                }
            });
        }
        let Value::Object(mut fields) = value else {
            return Err(serde::de::Error::custom("a display block is an object"));
        };
        let Some(Value::String(kind)) = fields.shift_remove("type") else {
            return Err(serde::de::Error::custom("a display block has a type"));
        };
        let data = match fields.shift_remove("data") {
            Some(data) if fields.is_empty() => data,
            Some(data) => {
                fields.insert("data".to_owned(), data);
                Value::Object(fields)
            }
            None => Value::Object(fields),
        };
        Ok(Self::Unknown { kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_blocks_round_trip() {
        let value = json!({"type": "acp/hide_output", "data": {"a": 1}});
        let block: DisplayBlock = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&block).unwrap(), value);
    }

    #[test]
    fn every_block_has_its_fields_in_their_order_and_comes_back_as_it_was() {
        for text in [
            r#"{"type":"brief","text":"b"}"#,
            r#"{"type":"diff","path":"/a","old_text":"x","new_text":"y","old_start":3,"new_start":4,"is_summary":true}"#,
            r#"{"type":"todo","items":[{"title":"a","status":"pending"},{"title":"b","status":"in_progress"},{"title":"c","status":"done"}]}"#,
            r#"{"type":"shell","language":"bash","command":"ls"}"#,
            r#"{"type":"background_task","task_id":"bash-1","kind":"bash","status":"running","description":"d"}"#,
        ] {
            let block: DisplayBlock = serde_json::from_str(text).unwrap();
            assert!(!matches!(block, DisplayBlock::Unknown { .. }), "{text}");
            assert_eq!(serde_json::to_string(&block).unwrap(), text);
        }
    }

    /// What is not of a kind that we know is kept, also a known kind with other fields.
    #[test]
    fn what_is_no_block_of_ours_is_kept_whole() {
        for (came, goes) in [
            (
                json!({"type": "chart", "x": 1, "y": []}),
                json!({"type": "chart", "data": {"x": 1, "y": []}}),
            ),
            (json!({"type": "chart"}), json!({"type": "chart", "data": {}})),
            (json!({"type": "chart", "data": [1]}), json!({"type": "chart", "data": [1]})),
            (
                json!({"type": "chart", "data": 1, "x": 2}),
                json!({"type": "chart", "data": {"x": 2, "data": 1}}),
            ),
            (
                json!({"type": "brief", "words": "b"}),
                json!({"type": "brief", "data": {"words": "b"}}),
            ),
            (
                json!({"type": "todo", "items": [{"title": "a", "status": "completed"}]}),
                json!({"type": "todo", "data": {"items": [{"title": "a", "status": "completed"}]}}),
            ),
        ] {
            let block: DisplayBlock = serde_json::from_value(came).unwrap();
            assert_eq!(serde_json::to_value(&block).unwrap(), goes);
        }
        for none in [json!(1), json!({}), json!({"type": 1})] {
            assert!(serde_json::from_value::<DisplayBlock>(none).is_err());
        }
    }

    #[test]
    fn diff_defaults_follow_the_wire() {
        let block: DisplayBlock =
            serde_json::from_value(json!({"type":"diff","path":"/a","old_text":"","new_text":"x"}))
                .unwrap();
        assert_eq!(
            serde_json::to_value(&block).unwrap(),
            json!({"type":"diff","path":"/a","old_text":"","new_text":"x","old_start":1,"new_start":1,"is_summary":false})
        );
    }

    #[test]
    fn a_return_value_has_every_field_on_the_wire() {
        let value = ToolReturnValue::error("it failed", "Failed");
        assert_eq!(
            serde_json::to_string(&value).unwrap(),
            r#"{"is_error":true,"output":"","message":"it failed","display":[{"type":"brief","text":"Failed"}],"extras":null}"#
        );
    }
}
