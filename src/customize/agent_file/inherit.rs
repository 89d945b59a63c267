//! A file with all its bases.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{self, Builtin, PromptFile};
use super::markdown;
use super::spec::{Field, Spec, SubagentEntry};
use super::template::{Template, VARIABLES};
use super::tool_names::{ToolName, resolve};
use super::{Agent, AgentError, PluginTools, Subagent};

/// Bases of bases that are followed.
const MAX_BASES: usize = 32;

/// Tells the names of the tools that plugins bring.
type Brought<'a> = &'a dyn Fn() -> Vec<String>;

/// One of the files of an agent.
#[derive(Debug, Clone)]
enum Source {
    Builtin(Builtin),
    /// Absolute.
    Disk(PathBuf),
}

impl Source {
    fn path(&self) -> PathBuf {
        match self {
            Self::Builtin(which) => which.path().to_path_buf(),
            Self::Disk(path) => path.clone(),
        }
    }

    fn error(&self, problem: impl Into<String>) -> AgentError {
        AgentError::agent(self.path(), problem)
    }

    fn read(&self) -> Result<Spec, AgentError> {
        let spec = match self {
            Self::Builtin(which) => Spec::read(which.yaml()),
            Self::Disk(path) => files::read(path)
                .and_then(|text| markdown::read(path, &text).unwrap_or_else(|| Spec::read(&text))),
        };
        spec.map_err(|problem| self.error(problem))
    }

    /// What `extend` in this file leads to.
    fn base(&self, extend: &str) -> Self {
        match (Builtin::named(extend), self) {
            (Some(which), _) => Self::Builtin(which),
            (None, Self::Disk(path)) => Self::Disk(files::beside(path, extend)),
            (None, Self::Builtin(_)) => Self::Disk(PathBuf::from(extend)),
        }
    }

    /// Where the file of a subagent is.
    fn subagent(&self, written: &Path) -> Self {
        match (self, Builtin::beside(written)) {
            (Self::Disk(path), _) => Self::Disk(files::beside(path, written)),
            (Self::Builtin(_), Some(which)) => Self::Builtin(which),
            (Self::Builtin(_), None) => Self::Disk(written.to_path_buf()),
        }
    }

    fn prompt(&self, written: &str) -> PromptFile {
        match self {
            Self::Builtin(_) => PromptFile::Builtin(written.to_owned()),
            Self::Disk(path) => PromptFile::Disk(files::beside(path, written)),
        }
    }

    /// Equal for the same file under different names.
    fn identity(&self) -> PathBuf {
        match self {
            Self::Builtin(which) => which.path().to_path_buf(),
            Self::Disk(path) => fs::canonicalize(path).unwrap_or_else(|_| path.clone()),
        }
    }
}

pub(super) fn builtin(which: Builtin) -> Result<Agent, AgentError> {
    whole(Source::Builtin(which), &Vec::new)
}

pub(super) fn file(path: &Path, brought: Brought<'_>) -> Result<Agent, AgentError> {
    whole(Source::Disk(path.to_path_buf()), brought)
}

/// The agent and those it may call.
fn whole(source: Source, brought: Brought<'_>) -> Result<Agent, AgentError> {
    // They are read once, and only if a name is none of ours.
    let read = OnceCell::new();
    let brought: Brought<'_> = &|| read.get_or_init(brought).clone();
    let (mut agent, entries) = alone(&source, brought)?;
    for (entry, source) in entries {
        let by = &entry.name;
        let (subagent, _) = alone(&source, brought).map_err(|error| AgentError {
            problem: format!("{} It is the subagent `{by}`.", error.problem),
            ..error
        })?;
        for warning in &subagent.warnings {
            if !agent.warnings.contains(warning) {
                agent.warnings.push(warning.clone());
            }
        }
        let SubagentEntry { name, description, .. } = entry;
        agent.subagents.push(Subagent { name, description, agent: subagent });
    }
    Ok(agent)
}

/// The agent, and which ones it may call.
fn alone(
    source: &Source,
    brought: Brought<'_>,
) -> Result<(Agent, Vec<(SubagentEntry, Source)>), AgentError> {
    let mut gathered = Gathered::default();
    for (source, spec) in chain(source)?.into_iter().rev() {
        gathered.lay_over(&source, spec);
    }
    gathered.finish(source, brought)
}

/// The file and its bases, from itself to the last one.
fn chain(first: &Source) -> Result<Vec<(Source, Spec)>, AgentError> {
    let mut chain: Vec<(Source, Spec)> = Vec::new();
    let mut seen = Vec::new();
    let mut next = Some(first.clone());
    while let Some(source) = next {
        let identity = source.identity();
        let by = chain.last().map_or_else(|| first.path(), |(by, _)| by.path());
        if seen.contains(&identity) {
            let problem = format!(
                "`extend` leads in a circle, back to {}. Take it out of one of the files.",
                source.path().display()
            );
            return Err(AgentError::agent(by, problem));
        }
        if seen.len() >= MAX_BASES {
            return Err(AgentError::agent(by, format!("it has more than {MAX_BASES} bases.")));
        }
        seen.push(identity);
        let spec = source.read().map_err(|error| match chain.last() {
            Some((by, _)) => AgentError {
                problem: format!("{} It is what {} extends.", error.problem, by.path().display()),
                ..error
            },
            None => error,
        })?;
        next = spec.extend.as_deref().map(|extend| source.base(extend));
        chain.push((source, spec));
    }
    Ok(chain)
}

/// Where a prompt is.
enum Prompt {
    File(PromptFile),
    /// In the agent file itself.
    Text(String),
}

/// Names of tools, and where they stand.
struct Listed {
    names: Vec<String>,
    file: PathBuf,
    in_markdown: bool,
}

/// Names of tools, sorted.
#[derive(Default)]
struct Sorted {
    /// Kimi's.
    own: Vec<&'static str>,
    plugins: Vec<String>,
    /// Nobody's, in quotes.
    unknown: Vec<String>,
}

/// What the files looked at so far say.
#[derive(Default)]
struct Gathered {
    name: Option<String>,
    prompt: Option<Prompt>,
    args: Vec<(String, String)>,
    model: Option<String>,
    when_to_use: Option<String>,
    reads_only: Option<bool>,
    tools: Option<Listed>,
    allowed: Option<Listed>,
    excluded: Vec<String>,
    subagents: Vec<(SubagentEntry, Source)>,
    warnings: Vec<String>,
}

impl Gathered {
    /// Lays a file over its bases. What it does not say stays; an explicit null is an empty list, but
    /// of texts it means nothing; arguments are merged key by key.
    fn lay_over(&mut self, source: &Source, spec: Spec) {
        let file = source.path().display().to_string();
        if !spec.unknown_keys.is_empty() {
            let keys = spec.unknown_keys.join(", ");
            self.warnings.push(format!("Agent file {file}: these keys mean nothing: {keys}"));
        }
        self.name = spec.name.or(self.name.take());
        if let Some(written) = spec.system_prompt_path {
            self.prompt = Some(Prompt::File(source.prompt(&written)));
        }
        if let Some(text) = spec.prompt {
            self.prompt = Some(Prompt::Text(text));
        }
        for (name, value) in spec.system_prompt_args {
            match self.args.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => self.args.push((name, value)),
            }
        }
        self.model = spec.model.or(self.model.take());
        self.when_to_use = spec.when_to_use.or(self.when_to_use.take());
        self.reads_only = spec.reads_only.or(self.reads_only);
        let in_markdown = spec.is_markdown;
        let listed = |names| Listed { names, file: source.path(), in_markdown };
        match spec.tools {
            Field::Inherited => {}
            Field::Null => self.tools = Some(listed(Vec::new())),
            Field::Given(tools) => self.tools = Some(listed(tools)),
        }
        match spec.allowed_tools {
            Field::Inherited => {}
            // Not an empty list: nothing is said about what is allowed.
            Field::Null => self.allowed = None,
            Field::Given(tools) => self.allowed = Some(listed(tools)),
        }
        match spec.exclude_tools {
            Field::Inherited => {}
            excluded => self.excluded = excluded.given().unwrap_or_default(),
        }
        match spec.subagents {
            Field::Inherited => {}
            subagents => {
                let entries = subagents.given().unwrap_or_default().into_iter();
                self.subagents = entries
                    .map(|entry| {
                        let file = source.subagent(&entry.path);
                        (entry, file)
                    })
                    .collect();
            }
        }
    }

    fn finish(
        mut self,
        source: &Source,
        brought: Brought<'_>,
    ) -> Result<(Agent, Vec<(SubagentEntry, Source)>), AgentError> {
        let missing = |key: &str| {
            source.error(format!("agent.{key} is missing. Add it, or `extend: default`."))
        };
        let name = self.name.take().ok_or_else(|| missing("name"))?;
        let prompt = self.prompt.take().ok_or_else(|| missing("system_prompt_path"))?;
        let restricted = self.allowed.is_some();
        let listed = self.allowed.take().or(self.tools.take()).ok_or_else(|| missing("tools"))?;
        let chosen = sorted(&listed.names, brought);
        if !chosen.unknown.is_empty() && !listed.in_markdown {
            let (s, them) = if chosen.unknown.len() == 1 { ("", "it") } else { ("s", "them") };
            let unknown = chosen.unknown.join(", ");
            let problem = format!(
                "there is no tool named {unknown}. Correct the name{s}, or take {them} out."
            );
            return Err(AgentError::agent(listed.file, problem));
        }
        self.tell_unknown(&listed.file, &chosen);
        let (servers, excluded): (Vec<String>, Vec<String>) =
            std::mem::take(&mut self.excluded).into_iter().partition(|name| is_mcp(name));
        let excluded = sorted(&excluded, brought);
        self.tell_unknown(&source.path(), &excluded);
        let mut tools: Vec<String> = Vec::new();
        for tool in chosen.own {
            if !excluded.own.contains(&tool) && !tools.iter().any(|known| known == tool) {
                tools.push(tool.to_owned());
            }
        }
        let args = self.args.iter().map(|(name, _)| name.as_str());
        let defined: Vec<&str> = VARIABLES.into_iter().chain(args).collect();
        let prompt = match prompt {
            Prompt::File(file) => Template::load(&file, &defined)?,
            Prompt::Text(text) => Template::plain(&text, &defined),
        };
        let agent = Agent {
            name,
            prompt,
            args: self.args,
            model: self.model,
            when_to_use: self.when_to_use,
            reads_only: self.reads_only.unwrap_or(false),
            tools,
            plugins: PluginTools {
                listed: chosen.plugins,
                only_listed: listed.in_markdown,
                without: excluded.plugins,
            },
            restricted,
            mcp: servers.is_empty(),
            subagents: Vec::new(),
            warnings: self.warnings,
        };
        Ok((agent, self.subagents))
    }

    fn tell_unknown(&mut self, file: &Path, names: &Sorted) {
        if !names.unknown.is_empty() {
            self.warnings.push(format!(
                "Agent file {}: there is no tool named {}",
                file.display(),
                names.unknown.join(", ")
            ));
        }
    }
}

/// Sorts names as an agent file has them. Tools of MCP servers are not the agent file's to list: which
/// there are is known when the servers are connected.
fn sorted(written: &[String], brought: Brought<'_>) -> Sorted {
    let mut sorted = Sorted::default();
    let mut plugins = None;
    for name in written {
        let trimmed = name.trim();
        if let ToolName::Known(tool) = resolve(trimmed) {
            sorted.own.push(tool);
        } else if plugins.get_or_insert_with(brought).iter().any(|tool| tool == trimmed) {
            sorted.plugins.push(trimmed.to_owned());
        } else if !trimmed.starts_with("mcp__") {
            sorted.unknown.push(format!("`{name}`"));
        }
    }
    sorted
}

/// Whether a name in `exclude_tools` stands for all tools of MCP servers.
fn is_mcp(name: &str) -> bool {
    matches!(name.trim(), "mcp_search" | "mcp_call" | "mcp__*")
}
