//! Keeps records below the length that readers take: a line of more than 1,048,576 bytes is thrown
//! away by those in the field.

use std::borrow::Cow;

use serde_json::Value;

/// Bytes that the texts of a record may take in JSON; the rest of the line is small.
pub(super) const MAX_RECORD: usize = 1_000_000;

/// Texts in arguments that are shortened keep at least so many bytes.
const MIN_TEXT: usize = 256;

/// Bytes that a text takes in JSON.
pub(super) fn cost(text: &str) -> usize {
    text.chars().map(cost_of).sum()
}

fn cost_of(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    }
}

/// As much of the text as takes at most `most` bytes in JSON, and the rest.
pub(super) fn split(text: &str, most: usize) -> (&str, &str) {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, c)| {
        taken += cost_of(*c);
        taken > most
    });
    text.split_at(end.map_or(text.len(), |(at, _)| at))
}

/// The text if it takes at most `most` bytes in JSON, else its head and a word about the rest.
pub(super) fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    let (head, tail) = split(text, most);
    if tail.is_empty() {
        return text.into();
    }
    let (head, _) = split(head, most.saturating_sub(64));
    format!("{head}\n[{} more bytes are left out]", text.len() - head.len()).into()
}

/// The arguments of a call, which stay JSON: the texts in them are shortened where it takes that.
pub(super) fn arguments(written: &str, most: usize) -> String {
    if cost(written) <= most {
        return written.to_owned();
    }
    let Ok(mut value) = serde_json::from_str::<Value>(written) else {
        return shortened(written, most).into_owned();
    };
    // JSON in JSON: a character may take many times its bytes.
    let mut longest = most / 2;
    while longest >= MIN_TEXT {
        shorten_texts(&mut value, longest);
        let text = value.to_string();
        if cost(&text) <= most {
            return text;
        }
        longest /= 4;
    }
    "{}".to_owned()
}

fn shorten_texts(value: &mut Value, longest: usize) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(shorter) = shortened(text, longest) {
                *text = shorter;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| shorten_texts(value, longest)),
        Value::Object(map) => map.values_mut().for_each(|value| shorten_texts(value, longest)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_cost_is_that_of_the_json(text in any::<String>()) {
            prop_assert_eq!(cost(&text), serde_json::to_string(&text).unwrap().len() - 2);
        }

        #[test]
        fn a_text_is_split_without_loss(text in any::<String>(), most in 6usize..40) {
            let (mut rest, mut whole) = (text.as_str(), String::new());
            while !rest.is_empty() {
                let (head, tail) = split(rest, most);
                prop_assert!(!head.is_empty() && cost(head) <= most);
                whole.push_str(head);
                rest = tail;
            }
            prop_assert_eq!(whole, text);
        }

        #[test]
        fn shortened_texts_fit(text in any::<String>(), most in 100usize..400) {
            let short = shortened(&text, most);
            prop_assert!(cost(&short) <= most);
            prop_assert!(cost(&text) > most || short == text);
        }
    }

    #[test]
    fn long_arguments_stay_json() {
        let long = serde_json::json!({
            "path": "/a", "content": "\"\n\u{1}".repeat(100_000), "edits": ["x".repeat(90_000)]
        });
        let short = arguments(&long.to_string(), 10_000);
        assert!(cost(&short) <= 10_000);
        let value: Value = serde_json::from_str(&short).unwrap();
        assert_eq!(value["path"], "/a");
        assert!(value["content"].as_str().unwrap().ends_with("more bytes are left out]"));
        let numbers = Value::from(vec![1234; 10_000]).to_string();
        assert_eq!(arguments(&numbers, 10_000), "{}");
        assert!(cost(&arguments(&"x".repeat(20_000), 10_000)) <= 10_000);
        assert_eq!(arguments("{torn", 100), "{torn");
    }
}
