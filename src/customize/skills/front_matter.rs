//! The head of a skill's file: YAML between two lines of `---`.

use crate::customize::front_matter::{fields, split};
use crate::customize::yaml::Yaml;

/// Characters of a description that is taken from the body.
const SUMMARY: usize = 240;
/// Characters of a name and of a description that are kept: they stand in every request.
const NAME: usize = 64;
const DESCRIPTION: usize = 1024;

/// What a skill's file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub name: Option<String>,
    pub description: String,
    pub flow: bool,
}

/// Reads a file's head. The error is half a sentence.
pub(super) fn read(text: &str) -> Result<Head, String> {
    let (head, body) = split(text);
    let mut read = Head { name: None, description: String::new(), flow: false };
    if let Some(head) = head {
        for (key, value) in fields(head)? {
            match key.as_str() {
                "name" => read.name = line(&key, value)?.map(|name| cut(&name, NAME)),
                "description" => {
                    let text = line(&key, value)?.unwrap_or_default();
                    read.description = cut(&text, DESCRIPTION);
                }
                "type" => match line(&key, value)?.as_deref() {
                    None | Some("standard") => {}
                    Some("flow") => read.flow = true,
                    Some(other) => {
                        return Err(format!("its type is \"{other}\" instead of standard or flow"));
                    }
                },
                _ => {}
            }
        }
    }
    if read.description.is_empty() {
        read.description = summary(body);
    }
    Ok(read)
}

/// Text on one line; `None` for nothing.
fn line(key: &str, value: Yaml) -> Result<Option<String>, String> {
    let text = match value {
        Yaml::Null => return Ok(None),
        Yaml::Text(text) | Yaml::Number(text) => text,
        Yaml::Bool(value) => value.to_string(),
        other => return Err(format!("its {key} is {} instead of text", other.kind())),
    };
    let text = one_line(&text);
    Ok((!text.is_empty()).then_some(text))
}

/// Control characters and runs of blanks become one blank.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The first line that says something.
fn summary(body: &str) -> String {
    let mut lines = body.lines().map(one_line);
    let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
    if first.is_empty() { "(no description)".to_owned() } else { cut(&first, SUMMARY) }
}

/// At most so many characters; the last one is an ellipsis when something is left out.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let end = text.char_indices().nth(most - 1).map_or(text.len(), |(at, _)| at);
            format!("{}…", text[..end].trim_end())
        }
    }
}
