//! What a message is made of.

use serde::{Deserialize, Serialize};

use super::media_tag;

/// One part of a message. Null fields inside a part are written out (`"encrypted":null`), as every
/// Kimi client expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentPart {
    /// Text that a person reads.
    Text { text: String },
    /// The model's thinking; `encrypted` is the provider's signature over it, opaque to us.
    Think {
        think: String,
        #[serde(default)]
        encrypted: Option<String>,
    },
    /// An image, by URL (`data:`, `http(s):` or the provider's own `ms://`).
    ImageUrl { image_url: MediaUrl },
    /// Audio, by URL.
    AudioUrl { audio_url: MediaUrl },
    /// Video, by URL.
    VideoUrl { video_url: MediaUrl },
}

/// Where a medium is; `id` is the provider's name for an uploaded one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaUrl {
    pub url: String,
    #[serde(default)]
    pub id: Option<String>,
}

impl ContentPart {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// An unsigned think part.
    pub fn think(think: impl Into<String>) -> Self {
        Self::Think { think: think.into(), encrypted: None }
    }

    /// The text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            _ => None,
        }
    }
}

/// What a user says: a plain string or a list of parts, written back in the form it came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UserInput {
    Text(String),
    Parts(Vec<ContentPart>),
}

impl UserInput {
    /// The text parts joined by newlines. Of media only those are told that have a tag around them,
    /// by their name and in their place: `[image:shot.png]`.
    pub fn text(&self) -> String {
        let parts = match self {
            Self::Text(text) => return text.clone(),
            Self::Parts(parts) => parts.as_slice(),
        };
        let mut out = String::new();
        // Text before and after a picture is one text.
        let mut goes_on = true;
        let mut at = 0;
        while let Some(part) = parts.get(at) {
            at += 1;
            if let Some(label) = media_tag::label(parts.get(at - 1..).unwrap_or_default()) {
                out.push_str(&label);
                at += 2;
                goes_on = true;
            } else if let Some(text) = part.as_text() {
                if !goes_on {
                    out.push('\n');
                }
                out.push_str(text);
                goes_on = false;
            }
        }
        out
    }

    /// The input as content parts.
    pub fn into_parts(self) -> Vec<ContentPart> {
        match self {
            Self::Text(text) => vec![ContentPart::text(text)],
            Self::Parts(parts) => parts,
        }
    }
}

impl From<&str> for UserInput {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for UserInput {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
