//! Lines that clients can take: none reads one of more than 16 MiB (clients.md section 1), and one that
//! cannot ends the session there.

use serde_json::Value;

/// Bytes of a line, its end included.
const MAX_LINE: usize = 16 * 1024 * 1024 - 1024;
/// How long texts in a line that is too long may be, in bytes: the first that suffices.
const CUTS: [usize; 4] = [1 << 20, 64 << 10, 4 << 10, 256];

/// Whether clients can take a line of this length.
pub(in crate::front) fn fits(line: &str) -> bool {
    line.len() <= MAX_LINE
}

/// The same line if it fits, else with its longest texts cut; `None` when that does not help.
pub(in crate::front) fn fitted(line: String) -> Option<String> {
    if fits(&line) {
        return Some(line);
    }
    tracing::warn!(bytes = line.len(), "a line is too long for clients and is cut");
    let mut message: Value = serde_json::from_str(&line).ok()?;
    drop(line);
    for most in CUTS {
        cut(&mut message, most);
        let mut line = message.to_string();
        line.push('\n');
        if fits(&line) {
            return Some(line);
        }
    }
    None
}

fn cut(value: &mut Value, most: usize) {
    match value {
        // Half a medium is none.
        Value::String(text) if text.len() > most && text.starts_with("data:") => {
            "data:,".clone_into(text);
        }
        Value::String(text) if text.len() > most => {
            let bytes = text.len();
            let end = (0..=most / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push_str(&format!("\n[cut: {bytes} bytes in all]"));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| cut(value, most)),
        Value::Object(fields) => fields.values_mut().for_each(|value| cut(value, most)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(value: &Value) -> String {
        format!("{value}\n")
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let plain = line(&json!({"a": "x".repeat(10 << 20), "b": "data:image/png;base64,AAAA"}));
        assert_eq!(fitted(plain.clone()), Some(plain));
    }

    #[test]
    fn what_does_not_fit_is_cut_where_it_is_long() {
        let media = format!("data:image/png;base64,{}", "A".repeat(9 << 20));
        let long = line(&json!({"id": "r", "text": "é".repeat(5 << 20), "list": [media, "short"]}));
        let cut: Value = serde_json::from_str(&fitted(long).unwrap()).unwrap();
        assert_eq!((&cut["id"], &cut["list"]), (&json!("r"), &json!(["data:,", "short"])));
        let text = cut["text"].as_str().unwrap();
        assert!(text.len() < 1 << 20 && text.ends_with("[cut: 10485760 bytes in all]"));
        let many = line(&json!(vec!["x".repeat(100_000); 300]));
        assert!(fits(&fitted(many).unwrap()));
        let hopeless = line(&json!(vec!["x".repeat(200); 90_000]));
        assert_eq!(fitted(hopeless), None);
    }
}
