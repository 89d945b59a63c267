//! Shortening JSON lists by whole entries.
//!
//! The text of an entry is never read into values and written again: numbers and escapes stay as the
//! server wrote them. Only blanks between tokens go, which often makes room enough.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Bounded, rest_of_notice};

/// Objects around the list: `{"data": {"issues": {"nodes": […]}}}`.
const MAX_WRAPPERS: usize = 4;
/// The largest text that is parsed, in bytes.
const MAX_TEXT: usize = 64 << 20;
/// Characters of a field's name in the notice.
const MAX_NAME: usize = 40;

/// A shortened value and what was left out of it.
struct Short {
    text: String,
    /// Where the list is: `data.items`; empty for the outermost value.
    path: String,
    shown: usize,
    total: usize,
}

/// The text with the last entries of its list left out, so that it has at most `limit` characters.
/// Nothing when it is no JSON, has no list that makes up most of it, or when not one entry fits.
pub fn shortened(text: &str, limit: usize, whole_at: Option<&str>) -> Option<Bounded> {
    if text.len() > MAX_TEXT || !text.trim_start().starts_with(['[', '{']) {
        return None;
    }
    let root: &RawValue = serde_json::from_str(text.trim()).ok()?;
    let notice = |short: &Short, rest: &str| {
        let place =
            if short.path.is_empty() { String::new() } else { format!(" of `{}`", short.path) };
        format!(
            "\n\n[The first {} of {} entries{place} are shown.{rest}]",
            short.shown, short.total
        )
    };
    // Maybe only the blanks are too many.
    let whole = short(root.get(), limit, String::new(), 0)?;
    if whole.shown == whole.total {
        return Some(Bounded { text: whole.text, cut: false });
    }
    // The notice gets no longer than with all of them.
    let most = Short { shown: whole.total, ..whole };
    let room = |rest: &str| limit.saturating_sub(notice(&most, rest).chars().count());
    let rest = rest_of_notice(whole_at, |rest| room(rest) >= limit / 2);
    let short = short(root.get(), room(&rest), String::new(), 0)?;
    Some(Bounded { text: format!("{}{}", short.text, notice(&short, &rest)), cut: true })
}

fn short(raw: &str, room: usize, path: String, depth: usize) -> Option<Short> {
    if raw.starts_with('[') {
        list(raw, room, path)
    } else if raw.starts_with('{') && depth < MAX_WRAPPERS {
        wrapper(raw, room, &path, depth)
    } else {
        None
    }
}

fn list(raw: &str, room: usize, path: String) -> Option<Short> {
    let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
    let mut text = "[".to_owned();
    // The brackets.
    let mut room = room.checked_sub(2)?;
    let mut shown = 0;
    for item in &items {
        let item = compact(item.get());
        let Some(rest) = room.checked_sub(item.chars().count() + usize::from(shown > 0)) else {
            break;
        };
        room = rest;
        if shown > 0 {
            text.push(',');
        }
        text.push_str(&item);
        shown += 1;
    }
    text.push(']');
    (shown > 0).then_some(Short { text, path, shown, total: items.len() })
}

/// An object of which one field makes up most: the others stay whole, they tell of totals and of the
/// next page.
fn wrapper(raw: &str, room: usize, path: &str, depth: usize) -> Option<Short> {
    let Fields(fields) = serde_json::from_str(raw).ok()?;
    let largest = (0..fields.len()).max_by_key(|&at| fields[at].1.get().len())?;
    if fields[largest].1.get().len() < raw.len() / 2 {
        return None;
    }
    let name = |at: usize| serde_json::to_string(&fields[at].0).unwrap_or_default();
    let mut parts: Vec<String> = (0..fields.len())
        .map(|at| {
            let value = if at == largest { String::new() } else { compact(fields[at].1.get()) };
            format!("{}:{value}", name(at))
        })
        .collect();
    // All parts, the commas between them and the braces.
    let around: usize = parts.iter().map(|part| part.chars().count() + 1).sum::<usize>() + 1;
    let left = room.checked_sub(around).filter(|left| *left >= room / 3)?;
    let key: String =
        fields[largest].0.chars().filter(|ch| !ch.is_control()).take(MAX_NAME).collect();
    let path = if path.is_empty() { key } else { format!("{path}.{key}") };
    let inner = short(fields[largest].1.get(), left, path, depth + 1)?;
    parts[largest].push_str(&inner.text);
    Some(Short { text: format!("{{{}}}", parts.join(",")), ..inner })
}

/// JSON text without the blanks between its tokens.
fn compact(raw: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let is_kept = |ch: &char| {
        let blank = !in_string && ch.is_ascii_whitespace();
        if escaped {
            escaped = false;
        } else if in_string && *ch == '\\' {
            escaped = true;
        } else if *ch == '"' {
            in_string = !in_string;
        }
        !blank
    };
    raw.chars().filter(is_kept).collect()
}

/// The fields of an object in their order, doubles included, their values as they were written.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
