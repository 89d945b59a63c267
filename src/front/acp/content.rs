//! Content blocks: what a prompt brings, and what messages look like.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::protocol::{ContentPart, MediaUrl, UserInput};
use crate::tools::read_media::{data_url, picture_of};

/// The blocks that a prompt may bring.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text { text: String },
    Image { data: String },
    ResourceLink { uri: String, name: String },
    Resource { resource: Resource },
}

/// A resource with what is in it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Resource {
    Text {
        uri: String,
        text: String,
    },
    Blob {
        uri: String,
        #[serde(rename = "mimeType")]
        mime: Option<String>,
        blob: String,
    },
}

/// The message that these blocks are. The error tells what is wrong with them. For a thread that may
/// block: a large picture takes seconds.
pub(super) fn message(blocks: Vec<Map<String, Value>>) -> Result<UserInput, String> {
    let parts = blocks
        .into_iter()
        .enumerate()
        .map(|(at, block)| part(block).map_err(|why| format!("prompt[{at}]: {why}")));
    let mut parts: Vec<ContentPart> = parts.collect::<Result<_, _>>()?;
    let blank = |part: &ContentPart| part.as_text().is_some_and(|text| text.trim().is_empty());
    if parts.iter().all(blank) {
        return Err("the prompt is empty".to_owned());
    }
    Ok(match parts.as_mut_slice() {
        [ContentPart::Text { text }] => UserInput::Text(std::mem::take(text)),
        _ => UserInput::Parts(parts),
    })
}

fn part(block: Map<String, Value>) -> Result<ContentPart, String> {
    if block.get("type").is_some_and(|kind| kind == "audio") {
        return Err("audio is not taken".to_owned());
    }
    let block = serde_json::from_value(Value::Object(block)).map_err(|error| error.to_string())?;
    Ok(match block {
        Block::Text { text } => ContentPart::text(text),
        Block::Image { data } => picture(&data)?,
        Block::ResourceLink { uri, name } => {
            let (uri, name) = (quoted(&uri), quoted(&name));
            ContentPart::text(format!("<resource_link uri={uri} name={name} />"))
        }
        Block::Resource { resource: Resource::Text { uri, text } } => {
            ContentPart::text(format!("<resource uri={}>\n{text}\n</resource>", quoted(&uri)))
        }
        Block::Resource { resource: Resource::Blob { uri, mime, blob } } => {
            let mime = mime.unwrap_or_default();
            if mime.starts_with("image/") {
                picture(&blob)?
            } else {
                let bytes = blob.len() / 4 * 3;
                let told = format!("[about {bytes} bytes that are no text: {mime}]");
                ContentPart::text(format!("<resource uri={}>\n{told}\n</resource>", quoted(&uri)))
            }
        }
    })
}

/// A picture, made fit to be sent to a model.
fn picture(base64: &str) -> Result<ContentPart, String> {
    let bytes =
        STANDARD.decode(base64).map_err(|error| format!("the data is no base64: {error}"))?;
    let picture = picture_of(bytes).map_err(|why| format!("the data {why}"))?;
    let url = data_url(picture.mime, &picture.bytes);
    Ok(ContentPart::ImageUrl { image_url: MediaUrl { url, id: None } })
}

/// An attribute's value. A quote within would end it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "&#39;").replace(['\n', '\r'], " "))
}

/// A block of text.
pub(super) fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// The block of a part of a message. Thinking is text like any other.
pub(super) fn block(part: &ContentPart) -> Value {
    let medium = |kind: &str, url: &str| match url.strip_prefix("data:") {
        Some(data) => match data.split_once(";base64,") {
            Some((mime, data)) if kind == "image" => {
                json!({"type": "image", "mimeType": mime, "data": data})
            }
            _ => text(&format!("[{kind}]")),
        },
        None => json!({"type": "resource_link", "uri": url, "name": kind}),
    };
    match part {
        ContentPart::Text { text: words } | ContentPart::Think { think: words, .. } => text(words),
        ContentPart::ImageUrl { image_url } => medium("image", &image_url.url),
        ContentPart::AudioUrl { audio_url } => medium("audio", &audio_url.url),
        ContentPart::VideoUrl { video_url } => medium("video", &video_url.url),
    }
}

/// Text as it is, in a client that draws Markdown: fenced by more backticks than it has in a row.
pub(super) fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}", text.trim_end_matches('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(blocks: Value) -> Result<UserInput, String> {
        message(serde_json::from_value(blocks).unwrap())
    }

    /// A picture of one pixel.
    fn pixel() -> String {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(1, 1).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        STANDARD.encode(bytes.into_inner())
    }

    #[test]
    fn blocks_become_parts() {
        assert_eq!(
            read(json!([{"type": "text", "text": "/plan on", "annotations": {"x": 1}}])),
            Ok(UserInput::Text("/plan on".into()))
        );
        let parts = read(json!([
            {"type": "text", "text": "see"},
            {"type": "resource_link", "uri": "file:///a'b", "name": "b\n"},
            {"type": "resource", "resource": {"uri": "file:///c", "text": "one\ntwo"}},
            {"type": "resource", "resource": {"uri": "x:d", "mimeType": "a/b", "blob": "AAAA"}},
            {"type": "image", "mimeType": "image/png", "data": pixel()},
        ]));
        let Ok(UserInput::Parts(parts)) = parts else { panic!("{parts:?}") };
        let texts: Vec<_> = parts.iter().filter_map(ContentPart::as_text).collect();
        assert_eq!(
            texts,
            [
                "see",
                "<resource_link uri='file:///a&#39;b' name='b ' />",
                "<resource uri='file:///c'>\none\ntwo\n</resource>",
                "<resource uri='x:d'>\n[about 3 bytes that are no text: a/b]\n</resource>",
            ]
        );
        let shown = block(&parts[4]);
        assert_eq!((&shown["type"], &shown["mimeType"]), (&json!("image"), &json!("image/png")));
        assert_eq!(
            read(json!([{"type": "image", "data": shown["data"], "mimeType": "x"}]))
                .map(|input| matches!(input, UserInput::Parts(parts) if parts.len() == 1)),
            Ok(true)
        );
    }

    #[test]
    fn what_cannot_be_taken_is_told() {
        for (blocks, told) in [
            (json!([]), "the prompt is empty"),
            (json!([{"type": "text", "text": " \n"}]), "the prompt is empty"),
            (
                json!([{"type": "audio", "data": "", "mimeType": "a"}]),
                "prompt[0]: audio is not taken",
            ),
            (json!([{"type": "text"}]), "prompt[0]: missing field `text`"),
            (json!([{"type": "mystery"}]), "prompt[0]: unknown variant `mystery`"),
            (json!([{}]), "prompt[0]: missing field `type`"),
            (
                json!([{"type": "image", "data": "?", "mimeType": "x"}]),
                "prompt[0]: the data is no base64",
            ),
            (json!([{"type": "image", "data": "AAAA", "mimeType": "x"}]), "prompt[0]: the data "),
            (
                json!([{"type": "resource", "resource": {"uri": "a"}}]),
                "prompt[0]: data did not match",
            ),
        ] {
            let error = read(blocks.clone()).unwrap_err();
            assert!(error.starts_with(told), "{blocks}: {error}");
        }
    }

    #[test]
    fn media_are_shown_as_far_as_clients_can() {
        let url = |url: &str| MediaUrl { url: url.into(), id: None };
        let image = |at| block(&ContentPart::ImageUrl { image_url: url(at) });
        assert_eq!(image("data:,"), text("[image]"));
        assert_eq!(image("https://a/b.png")["uri"], "https://a/b.png");
        let video = ContentPart::VideoUrl { video_url: url("data:video/mp4;base64,AA") };
        assert_eq!(block(&video), text("[video]"));
    }

    #[test]
    fn a_fence_is_longer_than_what_is_in_it() {
        assert_eq!(fenced("sh", "ls\n"), "```sh\nls\n```");
        assert_eq!(fenced("", "a\n```\nb\n````"), "`````\na\n```\nb\n````\n`````");
    }
}
