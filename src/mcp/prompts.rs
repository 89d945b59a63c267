//! Prompts of servers: commands that a person gives, with what the server makes of them as the
//! message.
//!
//! A prompt is the command `/<server>:<prompt>`. What is neither letter nor digit becomes `_`;
//! where two come to one name, one of them ends in a hash. A server with the name of another family
//! of commands (`/skill:…`) is written `mcp-skill`. The long form `/mcp__<server>__<prompt>`, which
//! other programs use, means the same prompt.

mod arguments;
mod filled;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::names::{PREFIX, qualified, sanitized, unique};
use super::tidy::one_line;
use crate::platform::hidden::is_hidden;

pub use filled::message_parts;

/// Prompts of all servers together, and so rows of a menu.
const MOST_PROMPTS: usize = 2_000;
/// Arguments of one prompt.
const MOST_ARGUMENTS: usize = 32;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 200;
/// The longest name of a prompt or an argument, in bytes.
const MAX_NAME: usize = 512;
/// Characters of either half of a command's name.
const MAX_HALF: usize = 40;
/// First halves that belong to commands of other kinds.
const RESERVED: [&str; 4] = ["flow", "mcp", "plugin", "skill"];

/// A prompt as its server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub server: String,
    /// What the server calls it.
    pub name: String,
    /// One clean line; may be empty.
    pub description: String,
    pub arguments: Vec<Argument>,
}

/// An argument of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// What the server calls it.
    pub name: String,
    /// One clean line; may be empty.
    pub description: String,
    pub required: bool,
}

impl Prompt {
    /// Reads a list of prompts. What cannot be a prompt is left out.
    pub fn listed(server: &str, entries: &[Value]) -> Vec<Self> {
        let mut names = HashSet::new();
        let prompts = entries.iter().filter_map(|entry| Self::read(server, entry));
        prompts.filter(|prompt| names.insert(prompt.name.clone())).collect()
    }

    fn read(server: &str, entry: &Value) -> Option<Self> {
        let name = name(entry)?;
        let about = ["description", "title"].map(|key| line(entry, key));
        let arguments = entry.get("arguments").and_then(Value::as_array);
        let arguments = arguments.into_iter().flatten().filter_map(|argument| {
            Some(Argument {
                name: self::name(argument)?,
                description: line(argument, "description"),
                required: argument.get("required").and_then(Value::as_bool).unwrap_or(false),
            })
        });
        Some(Self {
            server: server.to_owned(),
            name,
            description: about.into_iter().find(|line| !line.is_empty()).unwrap_or_default(),
            arguments: arguments.take(MOST_ARGUMENTS).collect(),
        })
    }

    /// Its arguments as a line of usage: `<needed> [other]`.
    pub fn usage(&self) -> String {
        let written = self.arguments.iter().map(|argument| {
            let name = one_line(&argument.name, MAX_HALF);
            if argument.required { format!("<{name}>") } else { format!("[{name}]") }
        });
        written.collect::<Vec<_>>().join(" ")
    }
}

fn name(entry: &Value) -> Option<String> {
    let name = entry.get("name").and_then(Value::as_str)?;
    (!name.is_empty() && name.len() <= MAX_NAME).then(|| name.to_owned())
}

fn line(entry: &Value, key: &str) -> String {
    one_line(entry.get(key).and_then(Value::as_str).unwrap_or_default(), MAX_DESCRIPTION)
}

/// The prompts of all servers under their commands, which are unique.
#[derive(Debug, Default)]
pub struct Prompts {
    /// Command without its slash, and prompt; in the order of the servers.
    commands: Vec<(String, Arc<Prompt>)>,
    /// Both forms of a command to its place.
    places: HashMap<String, usize>,
}

impl Prompts {
    /// Names the prompts of these servers.
    pub fn new<'a>(prompts: impl IntoIterator<Item = &'a Prompt>) -> Self {
        let prompts: Vec<_> = prompts.into_iter().take(MOST_PROMPTS).collect();
        let pairs: Vec<_> =
            prompts.iter().map(|it| (it.server.as_str(), it.name.as_str())).collect();
        let mut all = Self::default();
        let plain: Vec<String> = prompts.iter().map(|prompt| plain_name(prompt)).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for name in &plain {
            *counts.entry(name).or_default() += 1;
        }
        for ((prompt, long), name) in prompts.iter().zip(unique(&pairs)).zip(&plain) {
            let shared = counts.get(name.as_str()).is_some_and(|count| *count > 1);
            let mut short = short_name(prompt, name.clone(), shared, &long);
            // Only a server named like a reserved word in its other spelling comes here.
            while all.places.contains_key(&short) {
                short.push('_');
            }
            let at = all.commands.len();
            all.places.insert(short.clone(), at);
            all.places.insert(long, at);
            all.commands.push((short, Arc::new((*prompt).clone())));
        }
        all
    }

    /// The prompt that a command without its slash means.
    pub fn get(&self, command: &str) -> Option<(&str, &Arc<Prompt>)> {
        let (name, prompt) = self.commands.get(*self.places.get(command)?)?;
        Some((name, prompt))
    }

    /// All commands without their slashes, with what they mean.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Prompt)> {
        self.commands.iter().map(|(name, prompt)| (name.as_str(), &**prompt))
    }
}

/// Whether a command without its slash could be one of a prompt of this server, which may not have
/// told its prompts yet.
pub fn may_belong(command: &str, server: &str) -> bool {
    match command.split_once(':') {
        Some((first, _)) => first == first_half(server),
        None => command.starts_with(&format!("{PREFIX}{}__", sanitized(server))),
    }
}

fn first_half(server: &str) -> String {
    let half = half(server);
    if RESERVED.contains(&half.as_str()) { format!("mcp-{half}") } else { half }
}

/// A half of a command's name: letters and digits of every script, the rest becomes `_`, runs of which
/// become one.
fn half(name: &str) -> String {
    let mut half = String::new();
    for ch in name.chars() {
        // Some letters are blanks to the eye.
        let plain = (ch.is_alphanumeric() && !is_hidden(ch)) || ch == '-';
        let ch = if plain { ch } else { '_' };
        if !(ch == '_' && half.ends_with('_')) {
            half.push(ch);
        }
        if half.chars().count() == MAX_HALF {
            break;
        }
    }
    if half.is_empty() { "_".to_owned() } else { half }
}

fn plain_name(prompt: &Prompt) -> String {
    format!("{}:{}", first_half(&prompt.server), half(&prompt.name))
}

/// The short form of a command, `name` being its plain one, which others may have too.
fn short_name(prompt: &Prompt, name: String, shared: bool, long: &str) -> String {
    let cut =
        sanitized(&prompt.server).len() > MAX_HALF || sanitized(&prompt.name).len() > MAX_HALF;
    let is_its_own = if name.is_ascii() {
        !cut && long == qualified(&prompt.server, &prompt.name)
            && long.len() < super::names::MAX_NAME
    } else {
        // The long name has nothing of such letters.
        !shared
    };
    if is_its_own {
        return name;
    }
    // The long one ends in a hash, or is as long as names get: its end tells it from the others.
    let hash = long.get(long.len().saturating_sub(8)..).unwrap_or_default();
    format!("{name}_{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prompts(server: &str, names: &[&str]) -> Vec<Prompt> {
        let entries: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        Prompt::listed(server, &entries)
    }

    fn commands(all: &[Prompt]) -> Vec<String> {
        Prompts::new(all).iter().map(|(command, _)| command.to_owned()).collect()
    }

    #[test]
    fn a_prompt_is_a_command_in_two_forms() {
        let all = prompts("git hub", &["review"]);
        let named = Prompts::new(&all);
        assert_eq!(named.get("git_hub:review").unwrap().1.name, "review");
        assert_eq!(named.get("mcp__git_hub__review").unwrap().0, "git_hub:review");
        assert!(named.get("review").is_none());
        assert!(may_belong("git_hub:x", "git hub") && may_belong("mcp__git_hub__x", "git hub"));
        assert!(!may_belong("git:x", "git hub") && !may_belong("compact", "git hub"));
    }

    #[test]
    fn letters_of_every_script_are_kept() {
        let mut all =
            prompts("图书", &["日本", "中国", "中 国", "中_国", "обзор кода", "\u{3164}"]);
        all.extend(prompts("b", &[&"長".repeat(60), "é1"]));
        let names = commands(&all);
        assert_eq!(names[..2], ["图书:日本", "图书:中国"]);
        assert!(names[2].starts_with("图书:中_国_") && names[3].starts_with("图书:中_国_"));
        assert_ne!(names[2], names[3]);
        assert_eq!(names[4..6], ["图书:обзор_кода", "图书:_"]);
        assert_eq!(names[6..], [format!("b:{}", "長".repeat(MAX_HALF)), "b:é1".to_owned()]);
        assert!(may_belong("图书:日本", "图书"));
    }

    #[test]
    fn no_two_have_one_command_and_none_takes_a_foreign_one() {
        let mut all = prompts("a", &["x y", "x_y", "x\u{1b}y", "日本", "中国"]);
        all.extend(prompts("skill", &["x"]));
        all.extend(prompts("mcp-skill", &["x"]));
        all.extend(prompts("s", &[&"n".repeat(100), &format!("{}m", "n".repeat(99))]));
        let names = commands(&all);
        let unique: HashSet<_> = names.iter().collect();
        assert_eq!(unique.len(), all.len(), "{names:?}");
        assert!(names.iter().any(|name| name == "a:x_y") && !names.contains(&"skill:x".to_owned()));
        for name in &names {
            assert!(
                name.split(':').all(|part| !part.is_empty()
                    && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')),
                "{name}"
            );
        }
    }

    #[test]
    fn strange_entries_are_left_out_and_text_is_cleaned() {
        let listed = Prompt::listed(
            "s",
            &[
                json!(7),
                json!({"name": ""}),
                json!({"name": 1}),
                json!({"name": "n".repeat(600)}),
                json!({"name": "ok", "description": "a\u{1b}[2J\nb", "arguments": [
                    {"name": "one", "required": true}, {"name": "two\u{202e}"}, {}, 5]}),
                json!({"name": "ok"}),
                json!({"name": "titled", "title": "T", "arguments": "none"}),
            ],
        );
        assert_eq!(listed.len(), 2);
        assert_eq!(
            (listed[0].description.as_str(), listed[0].usage().as_str()),
            ("a b", "<one> [two]")
        );
        assert_eq!((listed[1].description.as_str(), listed[1].arguments.len()), ("T", 0));
    }

    #[test]
    fn a_flood_is_bounded() {
        let names: Vec<String> = (0..10_000).map(|n| format!("p{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(commands(&prompts("s", &names)).len(), MOST_PROMPTS);
    }
}
