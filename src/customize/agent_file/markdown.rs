//! Agent files in Markdown, as kimi-code and other programs have them: a head that says who the agent
//! is, and its prompt below.

use std::path::Path;

use super::spec::{Field, Spec, flag};
use crate::customize::front_matter;
use crate::customize::yaml::Yaml;

/// What a file without `extend` extends: such files say what is different, not everything.
const BASE: &str = "default";
/// Words for the model that the session has, and for all tools.
const INHERITED_MODEL: &str = "inherit";
const ALL_TOOLS: &str = "*";

/// Reads the text of a file, if it is Markdown rather than YAML. What it holds decides, and its name
/// only where that says nothing.
pub(super) fn read(file: &Path, text: &str) -> Option<Result<Spec, String>> {
    let named =
        file.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| {
            matches!(extension.to_ascii_lowercase().as_str(), "md" | "markdown")
        });
    let (head, body) = front_matter::split(text);
    match head {
        None if !named => None,
        None if body.lines().next().is_some_and(|first| first.trim_end() == "---") => {
            Some(Err("its front matter has no end. Add a line `---` after it.".to_owned()))
        }
        None => Some(spec(file, Vec::new(), body)),
        Some(head) => match front_matter::fields(head) {
            // A document of YAML may stand between such lines too.
            Ok(fields)
                if fields.iter().any(|(key, _)| key == "agent") && body.trim().is_empty() =>
            {
                Some(Spec::read(&format!("\n{head}")))
            }
            Ok(fields) => Some(spec(file, fields, body)),
            Err(problem) if problem.starts_with("its ") => Some(Err(format!("{problem}."))),
            Err(problem) => Some(Err(format!("its front matter cannot be read: {problem}."))),
        },
    }
}

fn spec(file: &Path, fields: Vec<(String, Yaml)>, body: &str) -> Result<Spec, String> {
    let body = body.trim();
    let mut spec = Spec {
        extend: Some(BASE.to_owned()),
        name: file.file_stem().map(|stem| stem.to_string_lossy().into_owned()),
        prompt: (!body.is_empty()).then(|| body.to_owned()),
        is_markdown: true,
        ..Spec::default()
    };
    for (key, value) in fields {
        match key.as_str() {
            "name" => spec.name = text(&key, value)?.or(spec.name),
            "extend" | "extends" => spec.extend = text(&key, value)?.or(spec.extend),
            "description" | "when_to_use" => {
                // The more exact one counts.
                let told = text(&key, value)?;
                spec.when_to_use = match key.as_str() {
                    "description" => spec.when_to_use.or(told),
                    _ => told.or(spec.when_to_use),
                };
            }
            "model" => {
                spec.model = text(&key, value)?.filter(|model| model != INHERITED_MODEL);
            }
            "reads_only" | "reads-only" => spec.reads_only = flag(&key, value)?,
            "tools" => match names(&key, value)? {
                Some(tools) if tools.iter().any(|tool| tool == ALL_TOOLS) => {}
                tools => spec.tools = given(tools),
            },
            "allowed_tools" | "allowed-tools" | "allowedTools" => {
                spec.allowed_tools = given(names(&key, value)?);
            }
            "exclude_tools" | "disallowed_tools" | "disallowed-tools" | "disallowedTools" => {
                spec.exclude_tools = given(names(&key, value)?);
            }
            _ => spec.unknown_keys.push(key),
        }
    }
    Ok(spec)
}

/// A key without a value says nothing.
fn given(names: Option<Vec<String>>) -> Field<Vec<String>> {
    names.map_or(Field::Inherited, Field::Given)
}

/// Text without the blanks around it; `None` for nothing.
fn text(key: &str, value: Yaml) -> Result<Option<String>, String> {
    match value {
        Yaml::Null => Ok(None),
        Yaml::Text(text) | Yaml::Number(text) => {
            let text = text.trim();
            Ok((!text.is_empty()).then(|| text.to_owned()))
        }
        other => Err(format!("{key}: expected text, got {}.", other.kind())),
    }
}

/// A list of names, or names with commas between them.
fn names(key: &str, value: Yaml) -> Result<Option<Vec<String>>, String> {
    let wrong = |other: &Yaml| format!("{key}: expected names of tools, got {}.", other.kind());
    match value {
        Yaml::Null => Ok(None),
        Yaml::Text(line) => {
            let names = line.split(',').map(str::trim).filter(|name| !name.is_empty());
            Ok(Some(names.map(str::to_owned).collect()))
        }
        Yaml::List(list) => list
            .into_iter()
            .map(|item| match item {
                Yaml::Text(name) => Ok(name.trim().to_owned()),
                other => Err(wrong(&other)),
            })
            .collect::<Result<_, _>>()
            .map(Some),
        other => Err(wrong(&other)),
    }
}
