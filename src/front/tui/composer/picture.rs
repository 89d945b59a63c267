//! Pictures in a message: a label in the text, `[image:shot-0123456789ab.png,640x480]`, that goes out as
//! the picture it names.
//!
//! The label alone brings the picture back, from the history or from before a rewind: its name is the
//! one it is kept under. What has come back so has to be loaded before it can be sent.

use std::sync::{Arc, OnceLock};

use super::fragment::{Fragment, Payload};
use crate::protocol::{ContentPart, MediaUrl, tagged};
use crate::store::PictureStore;

const OPEN: &str = "[image:";
/// Digits of a side in a label.
const MOST_DIGITS: usize = 6;

/// A picture of a message.
#[derive(Debug)]
pub struct Picture {
    /// The name it is kept under; see [`PictureStore`].
    pub name: String,
    /// The file it is from, if it is from one.
    source: String,
    label: String,
    loaded: OnceLock<Option<Loaded>>,
}

/// What is sent.
#[derive(Debug)]
pub struct Loaded {
    /// Where it is kept.
    pub path: String,
    /// As a `data:` URL.
    pub url: String,
}

impl Picture {
    /// A picture that can be sent, of so many pixels. `source` names the file it is from, if there is
    /// one.
    pub fn new(name: String, size: (u32, u32), source: String, loaded: Loaded) -> Self {
        let label = format!("{OPEN}{name},{}x{}]", size.0, size.1);
        Self { name, source, label, loaded: OnceLock::from(Some(loaded)) }
    }

    /// A picture that is known by its label only.
    fn named(name: &str, label: &str) -> Self {
        let (name, label) = (name.to_owned(), label.to_owned());
        Self { name, source: String::new(), label, loaded: OnceLock::new() }
    }

    /// Whether it is known by now what to send.
    pub fn is_settled(&self) -> bool {
        self.loaded.get().is_some()
    }

    /// Gives what is to be sent; `None` when it is not there any more: its label is sent as text then.
    pub fn settle(&self, loaded: Option<Loaded>) {
        let _ = self.loaded.set(loaded);
    }

    /// What is sent for it.
    pub(super) fn parts(&self) -> Vec<ContentPart> {
        let Some(Some(Loaded { path, url })) = self.loaded.get() else {
            return vec![ContentPart::text(self.label.as_str())];
        };
        let image = ContentPart::ImageUrl { image_url: MediaUrl { url: url.clone(), id: None } };
        tagged("image", &[("path", path), ("source", &self.source)], image).into()
    }
}

impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.label) == (&other.name, &other.label)
    }
}

impl Eq for Picture {}

/// The picture as a stretch of text.
pub(super) fn atom(picture: Picture) -> Fragment {
    Fragment::atom(picture.label.clone(), Payload::Picture(Arc::new(picture)))
}

/// Text in which labels of kept pictures are pictures again.
pub(super) fn with_pictures(text: String) -> Fragment {
    let mut out = Fragment::default();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(OPEN) {
        out.append(&Fragment::plain(before));
        match after.split_once(']').and_then(|(inside, after)| Some((name_in(inside)?, after))) {
            Some((name, left)) => {
                let label = &rest[before.len()..rest.len() - left.len()];
                out.append(&atom(Picture::named(name, label)));
                rest = left;
            }
            None => {
                out.append(&Fragment::plain(OPEN));
                rest = after;
            }
        }
    }
    if out.is_empty() {
        return Fragment::plain(text);
    }
    out.append(&Fragment::plain(rest));
    out
}

/// The name in what stands between the brackets, with or without a size behind it.
fn name_in(inside: &str) -> Option<&str> {
    let (name, size) = inside.split_once(',').unwrap_or((inside, "1x1"));
    let is_side = |side: &str| {
        side.len() <= MOST_DIGITS && !side.is_empty() && side.bytes().all(|c| c.is_ascii_digit())
    };
    let (width, height) = size.split_once('x')?;
    (is_side(width) && is_side(height) && PictureStore::is_name(name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_pictures_again_and_nothing_else_is() {
        let label = "[image:shot-0123456789ab.png,640x480]";
        let bare = "[image:shot-0123456789ab.png]";
        let text = format!("a [image: {label} and {bare} [image:x.png,1x1][image:");
        let fragment = with_pictures(text.clone());
        assert_eq!(fragment.text, text);
        let found: Vec<_> = fragment.atoms.iter().map(|it| &text[it.range.clone()]).collect();
        assert_eq!(found, [label, bare]);
        for hostile in [
            "[image:../../x-0123456789ab.png,1x1]",
            "[image:shot-0123456789ab.png,1x]",
            "[image:shot-0123456789ab.png,1x1,1]",
            "[image:shot-0123456789ab.png,9999999x1]",
            "[image:shot-0123456789ab.png",
        ] {
            assert!(with_pictures(hostile.to_owned()).atoms.is_empty(), "{hostile}");
        }
    }

    #[test]
    fn what_is_gone_is_sent_as_its_label() {
        let picture = Picture::named("a-0123456789ab.png", "[image:a-0123456789ab.png]");
        assert!(!picture.is_settled());
        picture.settle(None);
        assert_eq!(picture.parts(), [ContentPart::text("[image:a-0123456789ab.png]")]);
    }
}
