//! A medium inside a message, between two texts that name its file: `<image path="…">`, the medium,
//! `</image>` (tools.md section 3). So the model knows where it is, and a screen what to call it.

use super::ContentPart;

/// The medium with its tag around it. `attributes` in their order; one without a value is left out.
pub fn tagged(tag: &str, attributes: &[(&str, &str)], medium: ContentPart) -> [ContentPart; 3] {
    let attributes = attributes
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!(" {name}=\"{}\"", escaped(value)))
        .collect::<String>();
    [
        ContentPart::text(format!("<{tag}{attributes}>")),
        medium,
        ContentPart::text(format!("</{tag}>")),
    ]
}

/// What to call the tagged medium that these parts begin with, `[image:shot.png]`; `None` when they
/// begin otherwise.
pub(super) fn label(parts: &[ContentPart]) -> Option<String> {
    let [open, medium, close, ..] = parts else { return None };
    let tag = match medium {
        ContentPart::ImageUrl { .. } => "image",
        ContentPart::VideoUrl { .. } => "video",
        _ => return None,
    };
    if close.as_text()? != format!("</{tag}>") {
        return None;
    }
    let attributes = open.as_text()?.strip_prefix('<')?.strip_prefix(tag)?.strip_suffix('>')?;
    let path = attributes.strip_prefix(" path=\"")?.split('"').next()?;
    let path = unescaped(path);
    let name = path.rsplit(['/', '\\']).next().filter(|name| !name.is_empty())?;
    Some(format!("[{tag}:{name}]"))
}

const ESCAPES: [(char, &str); 5] =
    [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#x27;")];

fn escaped(text: &str) -> String {
    ESCAPES.iter().fold(text.to_owned(), |text, (c, escape)| text.replace(*c, escape))
}

fn unescaped(text: &str) -> String {
    // The ampersand last: it may be the beginning of what looks like another.
    ESCAPES
        .iter()
        .rev()
        .fold(text.to_owned(), |text, (c, escape)| text.replace(escape, c.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MediaUrl, UserInput};

    fn image() -> ContentPart {
        ContentPart::ImageUrl { image_url: MediaUrl { url: "data:,".into(), id: None } }
    }

    #[test]
    fn a_tagged_picture_is_told_by_its_name() {
        let path = "/a/\"x\" & <y>'.png";
        let parts = tagged("image", &[("path", path), ("source", "")], image());
        assert_eq!(
            parts[0].as_text(),
            Some("<image path=\"/a/&quot;x&quot; &amp; &lt;y&gt;&#x27;.png\">")
        );
        assert_eq!(label(&parts).as_deref(), Some("[image:\"x\" & <y>'.png]"));
        let input = UserInput::Parts(
            [ContentPart::text("look at ")]
                .into_iter()
                .chain(parts)
                .chain([ContentPart::text(", then "), ContentPart::text("go on")])
                .collect(),
        );
        assert_eq!(input.text(), "look at [image:\"x\" & <y>'.png], then \ngo on");
    }

    #[test]
    fn what_is_no_tag_stays_what_it_is() {
        for parts in [
            vec![image()],
            vec![ContentPart::text("<image path=\"/a\">"), image()],
            vec![ContentPart::text("<image>"), image(), ContentPart::text("</image>")],
            vec![ContentPart::text("<video path=\"/a\">"), image(), ContentPart::text("</video>")],
            vec![ContentPart::text("<image path=\"/\">"), image(), ContentPart::text("</image>")],
        ] {
            assert_eq!(label(&parts), None, "{parts:?}");
        }
    }
}
