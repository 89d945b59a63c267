//! A prompt that its server has filled in, as parts of the person's message.

use serde_json::Value;

use crate::mcp::bound::bound_parts;
use crate::mcp::content::Content;
use crate::protocol::ContentPart;

/// Messages of one prompt.
const MOST_MESSAGES: usize = 200;

/// The messages of a result of `prompts/get`, in order, of at most `limit` characters of text. What
/// the prompt lets the assistant say is labelled: it was not said. Nothing when there are none.
pub fn message_parts(result: &Value, limit: usize) -> Vec<ContentPart> {
    let mut blocks = Vec::new();
    let messages = result.get("messages").and_then(Value::as_array);
    for message in messages.into_iter().flatten().take(MOST_MESSAGES) {
        let label = |text: &str| serde_json::json!({"type": "text", "text": text});
        let content = match message.get("content") {
            Some(Value::Array(blocks)) => blocks.clone(),
            Some(block) => vec![block.clone()],
            None => continue,
        };
        let by_assistant = message.get("role").and_then(Value::as_str) == Some("assistant");
        if by_assistant {
            blocks.push(label("<assistant-message note=\"from the prompt, not said by you\">"));
        }
        blocks.extend(content);
        if by_assistant {
            blocks.push(label("</assistant-message>"));
        }
    }
    let mut parts = Content::of_blocks(&blocks).parts;
    parts.retain(|part| part.as_text().is_none_or(|text| !text.trim().is_empty()));
    bound_parts(&mut parts, limit, None);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parts(messages: Value) -> Vec<ContentPart> {
        message_parts(&json!({"messages": messages}), 1_000)
    }

    #[test]
    fn messages_become_parts_in_order() {
        let found = parts(json!([
            {"role": "user", "content": {"type": "text", "text": "one"}},
            {"role": "assistant", "content": {"type": "text", "text": "two"}},
            {"role": "user", "content": [
                {"type": "image", "data": "iVBORw==", "mimeType": "image/png"},
                {"type": "resource", "resource": {"uri": "f:///x", "text": "three"}},
            ]},
        ]));
        let text = found[0].as_text().unwrap();
        assert!(text.starts_with("one\n<assistant-message"), "{text}");
        assert!(text.ends_with(">\ntwo\n</assistant-message>"), "{text}");
        assert!(matches!(found[1], ContentPart::ImageUrl { .. }));
        assert!(found[2].as_text().unwrap().contains("three"));
    }

    #[test]
    fn nothing_is_nothing_and_much_is_cut_in_the_middle() {
        for none in [
            json!([]),
            json!("x"),
            json!([{}, 5]),
            json!([{"role": "user", "content": {"type": "text", "text": " "}}]),
        ] {
            assert_eq!(parts(none), []);
        }
        let huge = format!("BEGIN {} END", "x".repeat(1 << 20));
        let found = parts(json!([{"role": "user", "content": {"type": "text", "text": huge}}]));
        let text = found[0].as_text().unwrap();
        assert!(text.starts_with("BEGIN") && text.ends_with("END") && text.len() < 1_100);
    }
}
