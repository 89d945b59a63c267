//! What a tool of a server returned, as the model gets it (mcp.md section 4).
//!
//! Nothing vanishes: what the model cannot take is named in its place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::tidy::one_line;
use crate::protocol::{ContentPart, MediaUrl};

/// Base64 of all media of one result, in bytes. Pictures of a whole screen fit; a film does not.
const MAX_MEDIA: usize = 6 << 20;
/// Characters of a name or an address in the line that stands for media which the model does not get.
const MAX_SHOWN: usize = 200;
/// Pictures that model servers take. Another one would spoil every later request.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// A result.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// In the server's order; adjacent texts are one part.
    pub parts: Vec<ContentPart>,
    /// The tool says that it failed.
    pub is_error: bool,
}

impl Content {
    /// Reads the result of `tools/call`. The error is half a sentence about what has not the shape of
    /// one. A result without any of its fields is an empty one; other fields are told as they are.
    pub fn read(result: &Value) -> Result<Self, String> {
        let Some(fields) = result.as_object() else {
            return Err(format!("it is no object but {}", shown(result)));
        };
        let given = |key: &str| fields.get(key).filter(|value| !value.is_null());
        let mut content = match given("content") {
            Some(Value::Array(blocks)) => Self::of_blocks(blocks),
            Some(other) => return Err(format!("its content is no list but {}", shown(other))),
            None => Self::of_blocks(&[]),
        };
        content.is_error = match given("isError") {
            Some(Value::Bool(is_error)) => *is_error,
            Some(other) => {
                return Err(format!("its isError is no yes or no but {}", shown(other)));
            }
            None => false,
        };
        if content.is_blank() {
            // `toolResult` is what the first version of the protocol called it.
            let is_foreign = given("content").is_none()
                && fields.keys().any(|key| !["_meta", "content", "isError"].contains(&&**key));
            let structured = ["structuredContent", "toolResult"]
                .into_iter()
                .find_map(given)
                .or_else(|| is_foreign.then_some(result));
            if let Some(value) = structured {
                content.parts.clear();
                content.push(ContentPart::text(value.to_string()));
            }
        }
        Ok(content)
    }

    /// Reads content blocks, those of a result or of a prompt's messages.
    pub fn of_blocks(blocks: &[Value]) -> Self {
        let mut content = Self { parts: Vec::new(), is_error: false };
        let mut room = MAX_MEDIA;
        for block in blocks {
            content.push(block_part(block, &mut room));
        }
        content
    }

    /// The texts of it in one.
    pub fn text(&self) -> String {
        self.parts.iter().filter_map(ContentPart::as_text).collect::<Vec<_>>().join("\n")
    }

    fn is_blank(&self) -> bool {
        self.parts.iter().all(|part| part.as_text().is_some_and(|text| text.trim().is_empty()))
    }

    fn push(&mut self, part: ContentPart) {
        match (self.parts.last_mut(), part) {
            (Some(ContentPart::Text { text }), ContentPart::Text { text: more }) => {
                text.push('\n');
                text.push_str(&more);
            }
            (_, part) => self.parts.push(part),
        }
    }
}

/// The beginning of a value that is not what it should be.
fn shown(value: &Value) -> String {
    one_line(&value.to_string(), MAX_SHOWN)
}

fn block_part(block: &Value, room: &mut usize) -> ContentPart {
    let text = |key: &str| block.get(key).and_then(Value::as_str);
    match text("type") {
        Some("text") => match text("text") {
            Some(text) => ContentPart::text(text),
            None => left_out("text", "it is no text"),
        },
        Some("image" | "audio") => {
            let (data, mime) = (text("data").unwrap_or_default(), text("mimeType"));
            inline(data, mime.unwrap_or_default(), room)
                .unwrap_or_else(|why| left_out(mime.unwrap_or("medium"), &why))
        }
        Some("resource") => resource(block.get("resource").unwrap_or(&Value::Null), room),
        Some("resource_link") => link(block),
        Some(other) => left_out(other, "it is of a kind that is not known"),
        None => left_out("part", "it does not say what it is"),
    }
}

fn resource(resource: &Value, room: &mut usize) -> ContentPart {
    let text = |key: &str| resource.get(key).and_then(Value::as_str);
    if let Some(text) = text("text") {
        return ContentPart::text(text);
    }
    let (uri, mime) = (text("uri").unwrap_or_default(), text("mimeType").unwrap_or_default());
    let Some(data) = text("blob") else {
        return left_out(&format!("resource {uri}"), "it is empty");
    };
    inline(data, mime, room).unwrap_or_else(|why| left_out(&format!("resource {uri}"), &why))
}

/// A link. A medium is handed on as its address when a model server could fetch it.
fn link(link: &Value) -> ContentPart {
    let text = |key: &str| link.get(key).and_then(Value::as_str).unwrap_or_default();
    let (uri, mime) = (text("uri"), text("mimeType"));
    let fetchable = uri.starts_with("https://") || uri.starts_with("http://");
    if fetchable && let Some(part) = medium(mime, uri.to_owned()) {
        return part;
    }
    let about = [text("title"), text("name"), text("description")];
    let about: Vec<&str> = about.into_iter().filter(|text| !text.is_empty()).collect();
    ContentPart::text(format!(
        "[Resource link: {}{}{}]",
        one_line(uri, MAX_SHOWN),
        if mime.is_empty() { String::new() } else { format!(" ({})", one_line(mime, MAX_SHOWN)) },
        match about.first() {
            Some(about) => format!(" {}", one_line(about, MAX_SHOWN)),
            None => String::new(),
        }
    ))
}

/// A medium whose bytes came along. The error says why it is left out.
fn inline(data: &str, mime: &str, room: &mut usize) -> Result<ContentPart, String> {
    let mime = mime.trim().to_ascii_lowercase();
    if data.len() > *room {
        return Err(format!("it is too large ({} KB)", data.len() / 1024 * 3 / 4));
    }
    // The whitespace that some encoders put in is refused by model servers.
    let data: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    if data.is_empty() || STANDARD.decode(&data).is_err() {
        return Err("its data is no base64".to_owned());
    }
    let part = medium(&mime, format!("data:{mime};base64,{data}"))
        .ok_or_else(|| format!("{} cannot be shown to a model", kind(&mime)))?;
    *room -= data.len().min(*room);
    Ok(part)
}

fn medium(mime: &str, url: String) -> Option<ContentPart> {
    let url = MediaUrl { url, id: None };
    let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/+.-".contains(c);
    match essence.split_once('/')? {
        _ if !essence.chars().all(plain) => None,
        ("image", _) if IMAGES.contains(&essence.as_str()) => {
            Some(ContentPart::ImageUrl { image_url: url })
        }
        ("audio", _) => Some(ContentPart::AudioUrl { audio_url: url }),
        ("video", _) => Some(ContentPart::VideoUrl { video_url: url }),
        _ => None,
    }
}

fn kind(mime: &str) -> String {
    if mime.is_empty() { "data of no kind".to_owned() } else { one_line(mime, MAX_SHOWN) }
}

fn left_out(what: &str, why: &str) -> ContentPart {
    ContentPart::text(format!(
        "[Unsupported content: {} left out, {why}]",
        one_line(what, MAX_SHOWN)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parts(content: Value) -> Vec<ContentPart> {
        Content::read(&json!({"content": content})).unwrap().parts
    }

    fn text(content: Value) -> String {
        Content::read(&json!({"content": content})).unwrap().text()
    }

    #[test]
    fn texts_come_in_order_and_media_between_them() {
        let png = json!({"type": "image", "data": "iVBO\nRw==", "mimeType": "image/PNG"});
        let found = parts(json!([
            {"type": "text", "text": "a"},
            {"type": "resource", "resource": {"uri": "f:///x", "mimeType": "text/x", "text": "b"}},
            png,
            {"type": "text", "text": "c"},
        ]));
        let url = MediaUrl { url: "data:image/png;base64,iVBORw==".to_owned(), id: None };
        assert_eq!(
            found,
            [
                ContentPart::text("a\nb"),
                ContentPart::ImageUrl { image_url: url },
                ContentPart::text("c")
            ]
        );
    }

    #[test]
    fn what_a_model_cannot_take_is_named() {
        for (block, told) in [
            (json!({"type": "image", "data": "%%%", "mimeType": "image/png"}), "no base64"),
            (json!({"type": "image", "data": "", "mimeType": "image/png"}), "no base64"),
            (
                json!({"type": "image", "data": "AAAA", "mimeType": "image/svg+xml"}),
                "cannot be shown",
            ),
            (
                json!({"type": "image", "data": "AAAA", "mimeType": "image/png\",x"}),
                "cannot be shown",
            ),
            (
                json!({"type": "image", "data": "A".repeat(MAX_MEDIA + 4), "mimeType": "image/png"}),
                "too large",
            ),
            (
                json!({"type": "resource", "resource": {"uri": "f:///x", "blob": "AAAA", "mimeType": "application/pdf"}}),
                "application/pdf",
            ),
            (json!({"type": "hologram"}), "hologram"),
            (json!({"type": "text", "text": 5}), "text left out, it is no text"),
            (json!({"type": "text"}), "text left out, it is no text"),
            (json!({}), "part left out"),
            (json!(7), "part left out"),
        ] {
            let said = text(json!([block]));
            assert!(said.contains(told) && said.len() < 500, "{said}");
        }
    }

    #[test]
    fn links_to_media_are_addresses_and_others_are_told() {
        let link = |uri: &str, mime: &str| {
            parts(json!([{"type": "resource_link", "uri": uri, "name": "n", "mimeType": mime}]))
        };
        assert!(matches!(link("https://h/a.png", "image/png")[..], [ContentPart::ImageUrl { .. }]));
        assert_eq!(
            link("file:///a.png", "image/png"),
            [ContentPart::text("[Resource link: file:///a.png (image/png) n]")]
        );
    }

    #[test]
    fn structured_content_stands_in_for_none() {
        let read = |result: Value| Content::read(&result).unwrap().text();
        assert_eq!(read(json!({"structuredContent": {"a": 1}})), "{\"a\":1}");
        assert_eq!(read(json!({"content": [], "structuredContent": [1]})), "[1]");
        assert_eq!(
            read(json!({"content": [{"type": "text", "text": "x"}], "structuredContent": 1})),
            "x"
        );
        assert_eq!(read(json!({"toolResult": "old"})), "\"old\"");
        assert_eq!(read(json!({})), "");
        assert_eq!(read(json!({"_meta": {"a": 1}, "content": null})), "");
        assert_eq!(read(json!({"answer": 42})), "{\"answer\":42}");
        assert!(Content::read(&json!({"isError": true})).unwrap().is_error);
    }

    #[test]
    fn what_is_no_result_is_told() {
        for (result, told) in [
            (json!("done"), "it is no object but \"done\""),
            (json!([1]), "it is no object but [1]"),
            (json!({"content": "done"}), "its content is no list but \"done\""),
            (
                json!({"content": {"type": "text"}}),
                "its content is no list but {\"type\":\"text\"}",
            ),
            (json!({"content": [], "isError": "no"}), "its isError is no yes or no but \"no\""),
        ] {
            assert_eq!(Content::read(&result).unwrap_err(), told);
        }
        let long = Content::read(&json!({"content": "x\u{1b}".repeat(1 << 20)})).unwrap_err();
        assert!(long.len() < 500 && !long.contains('\u{1b}'), "{long}");
    }
}
