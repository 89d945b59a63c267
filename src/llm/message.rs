//! A message of the conversation, in the form that is stored and that print mode writes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::protocol::{ContentPart, ToolCall, ToolReturnValue};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
    Tool,
}

/// One message.
///
/// Serialised as kimi-cli stores it: `content` is a plain string when it is exactly one text part,
/// else a list; absent fields of the message are dropped while nulls inside parts stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(
        default,
        serialize_with = "serialize_content",
        deserialize_with = "deserialize_content"
    )]
    pub content: Vec<ContentPart>,
    #[serde(
        default,
        skip_serializing_if = "no_calls",
        deserialize_with = "null_is_empty",
        serialize_with = "serialize_calls"
    )]
    pub tool_calls: Vec<ToolCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<bool>,
}

impl Message {
    fn new(role: Role, content: Vec<ContentPart>) -> Self {
        Self {
            role,
            name: None,
            content,
            tool_calls: Vec::new(),
            tool_call_id: None,
            partial: None,
        }
    }

    /// What the user says.
    pub fn user(content: Vec<ContentPart>) -> Self {
        Self::new(Role::User, content)
    }

    /// A user message of one text part.
    pub fn user_text(text: impl Into<String>) -> Self {
        Self::user(vec![ContentPart::text(text)])
    }

    /// What the model answers.
    pub fn assistant(content: Vec<ContentPart>, tool_calls: Vec<ToolCall>) -> Self {
        Self { tool_calls, ..Self::new(Role::Assistant, content) }
    }

    /// The message that tells the model what a call returned: the tool's remark in a `<system>`
    /// element, then its output (print-mode.md section 4, record 2).
    pub fn tool_result(call_id: &str, value: &ToolReturnValue) -> Self {
        let mut content = Vec::new();
        if value.is_error {
            content.push(ContentPart::text(format!("<system>ERROR: {}</system>", value.message)));
        } else if !value.message.is_empty() {
            content.push(ContentPart::text(format!("<system>{}</system>", value.message)));
        }
        match &value.output {
            crate::protocol::ToolOutput::Text(text) if text.is_empty() => {}
            crate::protocol::ToolOutput::Text(text) => content.push(ContentPart::text(text)),
            crate::protocol::ToolOutput::Parts(parts) => content.extend(parts.iter().cloned()),
        }
        if content.is_empty() {
            content.push(ContentPart::text("<system>Tool output is empty.</system>"));
        } else if content.iter().all(|part| part.as_text().is_none()) {
            content
                .insert(0, ContentPart::text("<system>Tool returned non-text content.</system>"));
        }
        Self { tool_call_id: Some(call_id.to_owned()), ..Self::new(Role::Tool, content) }
    }

    /// The text parts joined by newlines.
    pub fn text(&self) -> String {
        self.content.iter().filter_map(ContentPart::as_text).collect::<Vec<_>>().join("\n")
    }
}

fn no_calls(calls: &[ToolCall]) -> bool {
    calls.is_empty()
}

/// A call of a stored message drops its null fields, unlike a call on the wire.
fn serialize_calls<S: Serializer>(calls: &[ToolCall], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Function<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        arguments: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Call<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        id: &'a str,
        function: Function<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        extras: Option<&'a serde_json::Value>,
    }
    serializer.collect_seq(calls.iter().map(|call| Call {
        kind: &call.kind,
        id: &call.id,
        function: Function {
            name: &call.function.name,
            arguments: call.function.arguments.as_deref(),
        },
        extras: call.extras.as_ref(),
    }))
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ToolCall>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn serialize_content<S: Serializer>(
    content: &[ContentPart],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match content {
        [ContentPart::Text { text }] => serializer.serialize_str(text),
        parts => parts.serialize(serializer),
    }
}

fn deserialize_content<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ContentPart>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Content {
        Text(String),
        Parts(Vec<ContentPart>),
    }
    Ok(match Option::<Content>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![ContentPart::Text { text }],
        Some(Content::Parts(parts)) => parts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_part_is_a_string() {
        let message = Message::user_text("hello");
        assert_eq!(
            serde_json::to_string(&message).unwrap(),
            r#"{"role":"user","content":"hello"}"#
        );
    }

    #[test]
    fn parts_keep_their_nulls_and_calls_drop_theirs() {
        let message = Message::assistant(
            vec![ContentPart::think("a"), ContentPart::text("b")],
            vec![ToolCall::new("c1", "Shell", "{}")],
        );
        assert_eq!(
            serde_json::to_string(&message).unwrap(),
            r#"{"role":"assistant","content":[{"type":"think","think":"a","encrypted":null},{"type":"text","text":"b"}],"tool_calls":[{"type":"function","id":"c1","function":{"name":"Shell","arguments":"{}"}}]}"#
        );
    }

    #[test]
    fn only_calls_leave_an_empty_list() {
        let message = Message::assistant(vec![], vec![ToolCall::new("c", "T", "{}")]);
        assert!(serde_json::to_string(&message).unwrap().contains(r#""content":[]"#));
    }

    #[test]
    fn tool_results_are_told_as_kimi_tells_them() {
        let ok = Message::tool_result("c1", &ToolReturnValue::ok("hi\n", "Done."));
        assert_eq!(
            serde_json::to_string(&ok).unwrap(),
            r#"{"role":"tool","content":[{"type":"text","text":"<system>Done.</system>"},{"type":"text","text":"hi\n"}],"tool_call_id":"c1"}"#
        );
        let empty = Message::tool_result("c1", &ToolReturnValue::ok("", ""));
        assert_eq!(empty.text(), "<system>Tool output is empty.</system>");
        let failed = Message::tool_result("c1", &ToolReturnValue::error("no", "No"));
        assert_eq!(failed.text(), "<system>ERROR: no</system>");
        let partly = ToolReturnValue::error("no", "No").with_output("half");
        assert_eq!(Message::tool_result("c1", &partly).text(), "<system>ERROR: no</system>\nhalf");
        let said = Message::tool_result("c1", &ToolReturnValue::ok("", "Done."));
        assert_eq!(said.content, [ContentPart::text("<system>Done.</system>")]);
        let bare = Message::tool_result("c1", &ToolReturnValue::ok("hi", ""));
        assert_eq!(
            serde_json::to_string(&bare).unwrap(),
            r#"{"role":"tool","content":"hi","tool_call_id":"c1"}"#
        );
        let image = ContentPart::ImageUrl {
            image_url: crate::protocol::MediaUrl { url: "data:,".into(), id: None },
        };
        let parts = |message: &str, is_error| ToolReturnValue {
            is_error,
            message: message.to_owned(),
            output: crate::protocol::ToolOutput::Parts(vec![image.clone()]),
            ..ToolReturnValue::default()
        };
        for (value, first) in [
            (parts("Done.", false), "<system>Done.</system>"),
            (parts("no", true), "<system>ERROR: no</system>"),
        ] {
            let told = Message::tool_result("c1", &value);
            assert_eq!(told.content, [ContentPart::text(first), image.clone()]);
        }
        let mute = ToolReturnValue {
            output: crate::protocol::ToolOutput::Parts(vec![image.clone()]),
            ..ToolReturnValue::default()
        };
        let note = ContentPart::text("<system>Tool returned non-text content.</system>");
        assert_eq!(Message::tool_result("c1", &mute).content, [note, image]);
    }

    #[test]
    fn content_may_be_null_or_absent() {
        for text in
            [r#"{"role":"assistant","content":null,"tool_calls":null}"#, r#"{"role":"assistant"}"#]
        {
            let message: Message = serde_json::from_str(text).unwrap();
            assert!(message.content.is_empty() && message.tool_calls.is_empty());
        }
    }
}
