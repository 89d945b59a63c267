//! How many tokens a text will take, guessed without a tokenizer (agent-loop.md section 16): four
//! ASCII characters are one token, any other character is one, a medium is two thousand.

use std::io;

use super::{ChatRequest, Message, Role, ToolSpec};
use crate::protocol::ContentPart;

/// Tokens of one image, sound or video.
pub const MEDIA_TOKENS: u64 = 2000;

/// A running count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    ascii: u64,
    other: u64,
    media: u64,
}

impl Count {
    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Counts UTF-8; a character counts at its first byte, so text may come in pieces.
    fn bytes(&mut self, bytes: &[u8]) {
        let ascii = bytes.iter().filter(|byte| byte.is_ascii()).count();
        let continuing = bytes.iter().filter(|byte| **byte & 0xc0 == 0x80).count();
        self.ascii += ascii as u64;
        self.other += (bytes.len() - ascii - continuing) as u64;
    }

    fn message(&mut self, message: &Message) {
        self.text(match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        });
        for text in [&message.name, &message.tool_call_id].into_iter().flatten() {
            self.text(text);
        }
        for part in &message.content {
            match part {
                ContentPart::Text { text } => self.text(text),
                ContentPart::Think { think, .. } => self.text(think),
                ContentPart::ImageUrl { .. }
                | ContentPart::AudioUrl { .. }
                | ContentPart::VideoUrl { .. } => self.media += 1,
            }
        }
        for call in &message.tool_calls {
            self.text(&call.id);
            self.text(&call.function.name);
            self.text(call.arguments());
        }
    }

    fn tool(&mut self, tool: &ToolSpec) {
        self.text(&tool.name);
        self.text(&tool.description);
        // Counting never fails, and neither does writing a `Value`.
        let _ = serde_json::to_writer(self, &tool.parameters);
    }

    fn tokens(self) -> u64 {
        self.ascii.div_ceil(4) + self.other + self.media * MEDIA_TOKENS
    }
}

impl io::Write for &mut Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tokens of a text.
pub fn text_tokens(text: &str) -> u64 {
    let mut count = Count::default();
    count.text(text);
    count.tokens()
}

/// Tokens of a tool's description.
pub fn tool_tokens(tool: &ToolSpec) -> u64 {
    let mut count = Count::default();
    count.tool(tool);
    count.tokens()
}

/// Tokens of one message.
pub fn message_tokens(message: &Message) -> u64 {
    let mut count = Count::default();
    count.message(message);
    count.tokens()
}

/// Tokens of a conversation.
pub fn messages_tokens<'a>(messages: impl IntoIterator<Item = &'a Message>) -> u64 {
    let mut count = Count::default();
    messages.into_iter().for_each(|message| count.message(message));
    count.tokens()
}

/// Tokens of a whole request: system prompt, tools and messages.
pub fn request_tokens(request: &ChatRequest<'_>) -> u64 {
    let mut count = Count::default();
    count.text(request.system);
    request.tools.iter().for_each(|tool| count.tool(tool));
    request.messages.iter().for_each(|message| count.message(message));
    count.tokens()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MediaUrl, ToolCall};
    use serde_json::json;

    #[test]
    fn ascii_by_four_and_others_by_one() {
        assert_eq!(text_tokens(""), 0);
        assert_eq!(text_tokens("abcde"), 2);
        assert_eq!(text_tokens("abcd我们🙂"), 4);
    }

    #[test]
    fn a_request_counts_all_its_parts() {
        let image = MediaUrl { url: "data:image/png;base64,AAAA".repeat(1000), id: None };
        let messages = [
            Message::user(vec![ContentPart::ImageUrl { image_url: image }]),
            Message::assistant(
                vec![ContentPart::think("abc")],
                vec![ToolCall::new("c1", "Glob", "{}")],
            ),
        ];
        let tools = [ToolSpec {
            name: "Glob".into(),
            description: "finds".into(),
            parameters: json!({"type": "object"}),
        }];
        let request =
            ChatRequest { system: "sys", tools: &tools, messages: &messages, context_tokens: 0 };
        // user 4 + assistant 9 + abc 3 + c1 2 + Glob 4 + {} 2 = 24; sys 3 + Glob 4 + finds 5 + 17.
        assert_eq!(messages_tokens(&messages), 2000 + 6);
        assert_eq!(request_tokens(&request), 2000 + (24_u64 + 29).div_ceil(4));
    }
}
