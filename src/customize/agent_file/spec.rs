//! What stands in one agent file, before anything is inherited.

use std::path::PathBuf;

use crate::customize::yaml::{self, Yaml};

/// The only version of the format.
const VERSION: &str = "1";
const KEYS: [&str; 11] = [
    "extend",
    "name",
    "system_prompt_path",
    "system_prompt_args",
    "model",
    "when_to_use",
    "reads_only",
    "tools",
    "allowed_tools",
    "exclude_tools",
    "subagents",
];

/// A field that a base may provide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Field<T> {
    /// Not in the file.
    #[default]
    Inherited,
    /// There, and explicitly nothing.
    Null,
    Given(T),
}

impl<T> Field<T> {
    /// The value, where nothing and absence mean the same.
    pub fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Inherited | Self::Null => None,
        }
    }
}

/// What a file says of an agent that may be called by this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubagentEntry {
    pub name: String,
    /// Its agent file.
    pub path: PathBuf,
    /// For the agent that may call it.
    pub description: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spec {
    pub extend: Option<String>,
    pub name: Option<String>,
    /// As written: relative to the file.
    pub system_prompt_path: Option<String>,
    /// The prompt itself, where it stands in the same file: Markdown.
    pub prompt: Option<String>,
    pub is_markdown: bool,
    pub system_prompt_args: Vec<(String, String)>,
    pub model: Option<String>,
    pub when_to_use: Option<String>,
    /// An addition of ours to the format.
    pub reads_only: Option<bool>,
    pub tools: Field<Vec<String>>,
    pub allowed_tools: Field<Vec<String>>,
    pub exclude_tools: Field<Vec<String>>,
    /// Paths as written.
    pub subagents: Field<Vec<SubagentEntry>>,
    /// Keys that mean nothing, with the table they stand in.
    pub unknown_keys: Vec<String>,
}

impl Spec {
    /// Reads the text of a file. The error is one or two sentences about it.
    pub fn read(text: &str) -> Result<Self, String> {
        let document = yaml::parse(text.trim_start_matches('\u{feff}'))
            .map_err(|problem| format!("it is not the YAML of an agent: {problem}."))?;
        let root = match document {
            Yaml::Map(root) => root,
            Yaml::Null => return Err("it is empty. It needs a table `agent:`.".to_owned()),
            other => return Err(format!("it holds {} instead of `agent:`.", other.kind())),
        };
        let mut unknown_keys = Vec::new();
        let mut agent = None;
        for (key, value) in root {
            match key.as_str() {
                "version" => check_version(&value)?,
                "agent" => agent = Some(value),
                _ => unknown_keys.push(key),
            }
        }
        let mut fields = match agent {
            Some(Yaml::Map(fields)) => Fields(fields),
            None | Some(Yaml::Null) => return Err("the table `agent:` is missing.".to_owned()),
            Some(other) => return Err(format!("agent: expected a table, got {}.", other.kind())),
        };
        let spec = Self {
            extend: fields.text("extend")?,
            name: fields.text("name")?,
            system_prompt_path: fields.text("system_prompt_path")?,
            prompt: None,
            is_markdown: false,
            system_prompt_args: fields.args()?,
            model: fields.text("model")?,
            when_to_use: fields.text("when_to_use")?,
            reads_only: fields.flag("reads_only")?,
            tools: fields.texts("tools")?,
            allowed_tools: fields.texts("allowed_tools")?,
            exclude_tools: fields.texts("exclude_tools")?,
            subagents: fields.subagents(&mut unknown_keys)?,
            unknown_keys: Vec::new(),
        };
        unknown_keys.extend(fields.0.into_iter().map(|(key, _)| format!("agent.{key}")));
        Ok(Self { unknown_keys, ..spec })
    }
}

fn check_version(value: &Yaml) -> Result<(), String> {
    let version = match value {
        Yaml::Null => return Ok(()),
        Yaml::Number(version) | Yaml::Text(version) => version.as_str(),
        other => return Err(format!("version: expected {VERSION}, got {}.", other.kind())),
    };
    if version == VERSION {
        return Ok(());
    }
    Err(format!("version {version} is not supported. Write `version: {VERSION}`."))
}

/// The table `agent:`; what is taken out was understood.
struct Fields(Vec<(String, Yaml)>);

impl Fields {
    fn take(&mut self, key: &str) -> Option<Yaml> {
        debug_assert!(KEYS.contains(&key));
        let at = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(at).1)
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.take(key) {
            None | Some(Yaml::Null) => Ok(None),
            Some(value) => text(&format!("agent.{key}"), value).map(Some),
        }
    }

    fn flag(&mut self, key: &str) -> Result<Option<bool>, String> {
        self.take(key).map_or(Ok(None), |value| flag(&format!("agent.{key}"), value))
    }

    fn texts(&mut self, key: &str) -> Result<Field<Vec<String>>, String> {
        let at = format!("agent.{key}");
        match self.take(key) {
            None => Ok(Field::Inherited),
            Some(Yaml::Null) => Ok(Field::Null),
            Some(Yaml::List(list)) => {
                let texts = list.into_iter().map(|item| text(&at, item));
                texts.collect::<Result<_, _>>().map(Field::Given)
            }
            Some(other) => Err(format!("{at}: expected a list of names, got {}.", other.kind())),
        }
    }

    fn args(&mut self) -> Result<Vec<(String, String)>, String> {
        let at = "agent.system_prompt_args";
        match self.take("system_prompt_args") {
            None | Some(Yaml::Null) => Ok(Vec::new()),
            Some(Yaml::Map(args)) => args
                .into_iter()
                .map(|(name, value)| {
                    let value = text(&format!("{at}.{name}"), value)?;
                    Ok((name, value))
                })
                .collect(),
            Some(other) => Err(format!("{at}: expected a table of texts, got {}.", other.kind())),
        }
    }

    fn subagents(
        &mut self,
        unknown: &mut Vec<String>,
    ) -> Result<Field<Vec<SubagentEntry>>, String> {
        let at = "agent.subagents";
        let map = match self.take("subagents") {
            None => return Ok(Field::Inherited),
            Some(Yaml::Null) => return Ok(Field::Null),
            Some(Yaml::Map(map)) => map,
            Some(other) => return Err(format!("{at}: expected a table, got {}.", other.kind())),
        };
        let mut subagents = Vec::new();
        for (name, entry) in map {
            let at = format!("{at}.{name}");
            let Yaml::Map(entry) = entry else {
                return Err(format!("{at}: expected a table, got {}.", entry.kind()));
            };
            let (mut path, mut description) = (None, None);
            for (key, value) in entry {
                match key.as_str() {
                    "path" => path = Some(text(&format!("{at}.path"), value)?),
                    "description" => description = Some(text(&format!("{at}.description"), value)?),
                    _ => unknown.push(format!("{at}.{key}")),
                }
            }
            let path = path.ok_or_else(|| format!("{at}.path is missing."))?.into();
            let description = description.ok_or_else(|| format!("{at}.description is missing."))?;
            subagents.push(SubagentEntry { name, path, description });
        }
        Ok(Field::Given(subagents))
    }
}

fn text(at: &str, value: Yaml) -> Result<String, String> {
    match value {
        Yaml::Text(text) => Ok(text),
        Yaml::Number(_) | Yaml::Bool(_) => {
            let kind = value.kind();
            Err(format!("{at}: expected text, got {kind}. Put it into quotes."))
        }
        other => Err(format!("{at}: expected text, got {}.", other.kind())),
    }
}

/// `true` or `false`; `None` for nothing.
pub(super) fn flag(key: &str, value: Yaml) -> Result<Option<bool>, String> {
    match value {
        Yaml::Null => Ok(None),
        Yaml::Bool(flag) => Ok(Some(flag)),
        other => Err(format!("{key}: expected true or false, got {}.", other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file() {
        let spec = Spec::read(
            "version: 1\nagent:\n  extend: default\n  name: a\n  system_prompt_path: ./s.md\n  \
             system_prompt_args: {TEAM: core}\n  model: fast\n  when_to_use: often\n  reads_only: true\n  tools: [Shell]\n  \
             allowed_tools: []\n  exclude_tools: ~\n  subagents:\n    \
             r: {path: ./r.yaml, description: reviews, color: red}\n  mood: good\nextra: 1\n",
        )
        .unwrap();
        let reviewer = SubagentEntry {
            name: "r".into(),
            path: "./r.yaml".into(),
            description: "reviews".into(),
        };
        assert_eq!(
            spec,
            Spec {
                extend: Some("default".into()),
                name: Some("a".into()),
                system_prompt_path: Some("./s.md".into()),
                prompt: None,
                is_markdown: false,
                system_prompt_args: vec![("TEAM".into(), "core".into())],
                model: Some("fast".into()),
                when_to_use: Some("often".into()),
                reads_only: Some(true),
                tools: Field::Given(vec!["Shell".into()]),
                allowed_tools: Field::Given(Vec::new()),
                exclude_tools: Field::Null,
                subagents: Field::Given(vec![reviewer]),
                unknown_keys: ["extra", "agent.subagents.r.color", "agent.mood"]
                    .map(str::to_owned)
                    .to_vec(),
            }
        );
    }

    #[test]
    fn the_version_is_one() {
        for version in ["version: 1", "version: '1'", "version: ~", "# none"] {
            assert!(Spec::read(&format!("{version}\nagent: {{}}\n")).is_ok(), "{version}");
        }
        for version in ["2", "'1.1'", "v1", "[1]", "true"] {
            let error = Spec::read(&format!("version: {version}\nagent: {{}}\n")).unwrap_err();
            assert!(error.contains("ersion") && error.contains('1'), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (yaml, told) in [
            ("", "it is empty. It needs a table `agent:`."),
            ("- a\n", "it holds a list instead of `agent:`."),
            ("version: 1\n", "the table `agent:` is missing."),
            ("agent: x\n", "agent: expected a table, got text."),
            ("agent: {tools: Shell}\n", "agent.tools: expected a list of names, got text."),
            ("agent: {tools: [[a]]}\n", "agent.tools: expected text, got a list."),
            (
                "agent: {system_prompt_args: {A: 1}}\n",
                "agent.system_prompt_args.A: expected text, got a number. Put it into quotes.",
            ),
            ("agent: {subagents: {r: {path: a}}}\n", "agent.subagents.r.description is missing."),
            ("agent: {subagents: [r]}\n", "agent.subagents: expected a table, got a list."),
            ("agent:\n  name: [\n", "it is not the YAML of an agent: "),
        ] {
            let error = Spec::read(yaml).unwrap_err();
            assert!(error.starts_with(told), "{yaml}: {error}");
        }
    }
}
