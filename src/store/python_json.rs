//! JSON as Python's `json.dumps` writes it, which is how kimi-cli writes its records.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

/// `", "` and `": "` between the parts of a one-line document.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        w.write_all(b": ")
    }
}

/// Appends `value` on one line with spaces after commas and colons, non-ASCII text kept.
pub(super) fn write_spaced<T: Serialize>(out: &mut Vec<u8>, value: &T) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Spaced);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// `value` as one line with its end.
pub fn to_spaced_json<T: Serialize>(value: &T) -> String {
    let mut line = Vec::new();
    // What is written to memory and has texts for keys cannot fail.
    let _ = write_spaced(&mut line, value);
    line.push(b'\n');
    String::from_utf8_lossy(&line).into_owned()
}

/// A JSON string in which everything outside printable ASCII is escaped.
pub(super) fn ascii_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8 + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c => {
                let mut units = [0u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn spaced_like_python() {
        let mut out = Vec::new();
        write_spaced(&mut out, &json!({"a": [1, "é,:", []], "b": {}, "c": 0.5, "d": null}))
            .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"a": [1, "é,:", []], "b": {}, "c": 0.5, "d": null}"#
        );
    }

    #[test]
    fn escaped_like_python() {
        assert_eq!(ascii_string("é😀\u{7f}\u{0}\n\"/"), r#""\u00e9\ud83d\ude00\u007f\u0000\n\"/""#);
    }

    proptest! {
        #[test]
        fn any_text_survives(text in ".*") {
            let escaped = ascii_string(&text);
            prop_assert!(escaped.is_ascii());
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
