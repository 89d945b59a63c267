//! The servers that a project brings along, in files that came with somebody's work: they name
//! programs to run. Nothing of such a file is used before the user has agreed to what is in it.

use std::path::{Path, PathBuf};

use super::config::{Reach, ServerConfig, Source, parse, read_bytes};
use crate::platform::git::project_root;
use crate::platform::shell::{in_a_line, quoted};
use crate::store::{ShareDir, StoreError, TrustStore, Verdict};

/// The largest file of a project that is read, in bytes. A person has to read it, too.
const MAX_FILE: u64 = 1 << 20;
/// The files below the root of a project, the one that wins over the other first.
const NAMES: [&str; 2] = [".kimi/mcp.json", ".mcp.json"];

/// Where to look, and who remembers.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
    /// A file of the user's own, which no project can be the owner of.
    own: PathBuf,
    trust: TrustStore,
}

/// A file that names servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// Where it is, with no link on the way.
    pub path: PathBuf,
    /// Of the bytes that `source` was read from.
    pub digest: String,
    /// The servers run in the root of the project, unless they say otherwise.
    pub source: Source,
}

/// What a project has.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The file that wins first.
    pub files: Vec<(ProjectFile, Option<Verdict>)>,
    /// What cannot be used, a line each.
    pub warnings: Vec<String>,
}

impl ProjectFile {
    /// What is told where nobody can be asked.
    pub fn unasked_line(&self) -> String {
        let count = self.source.servers.len();
        let (servers, them) = match count {
            1 => ("1 MCP server".to_owned(), "it"),
            _ => (format!("{count} MCP servers"), "them"),
        };
        format!(
            "{servers} of {} not started: nobody has agreed to {them}. `kimi mcp trust` shows \
             {them} and agrees.",
            self.path.display()
        )
    }
}

impl Project {
    /// The project around a work directory.
    pub fn around(work_dir: &Path, share: &ShareDir) -> Self {
        Self {
            root: project_root(work_dir).to_path_buf(),
            own: share.mcp_json(),
            trust: TrustStore::new(share),
        }
    }

    /// Reads the files and what was said of them. One without servers counts as none.
    pub fn find(&self) -> Found {
        let mut found = Found::default();
        let Ok(root) = std::fs::canonicalize(&self.root) else { return found };
        let own = std::fs::canonicalize(&self.own).ok();
        let mut files = Vec::new();
        for name in NAMES {
            let path = root.join(name);
            match file(&root, &path, own.as_deref()) {
                Ok(Some(file)) => files.push(file),
                Ok(None) => {}
                Err(why) => found
                    .warnings
                    .push(format!("No MCP server of {} is used: {why}.", path.display())),
            }
        }
        // Who has no such file never needs the store.
        if files.is_empty() {
            return found;
        }
        let asked = files.iter().map(|file| (file.path.as_path(), file.digest.as_str()));
        let verdicts = self.trust.verdicts(asked).unwrap_or_else(|problem| {
            found.warnings.push(problem);
            vec![None; files.len()]
        });
        found.files = files.into_iter().zip(verdicts).collect();
        found
    }

    /// Keeps what the user said of a file; `None` forgets it.
    pub fn remember(&self, file: &ProjectFile, verdict: Option<Verdict>) -> Result<(), StoreError> {
        self.trust.set(&file.path, &file.digest, verdict)
    }
}

/// Reads one file; `None` when there is nothing in it. The error is half a sentence.
fn file(root: &Path, path: &Path, own: Option<&Path>) -> Result<Option<ProjectFile>, String> {
    let real = match std::fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if Some(real.as_path()) == own {
        return Ok(None);
    }
    // What was agreed to for one project would run in another.
    if !real.starts_with(root) {
        return Err("it leads out of the project".to_owned());
    }
    let Some(bytes) = read_bytes(&real, MAX_FILE)? else { return Ok(None) };
    let mut source = Source::read(&parse(&bytes)?)?;
    if source.servers.is_empty() && source.bad.is_empty() {
        return Ok(None);
    }
    for server in &mut source.servers {
        // What was agreed to means the same wherever in the project somebody starts.
        if let Reach::Stdio { cwd, .. } = &mut server.reach {
            *cwd = Some(cwd.as_ref().map_or(root.to_path_buf(), |dir| root.join(dir)));
        }
    }
    Ok(Some(ProjectFile { path: real, digest: TrustStore::digest(&bytes), source }))
}

/// What a server does, for somebody who has to agree to it: a line each, nothing cut, nothing
/// cleaned, variables by their names. Values of headers are left out: they hold secrets.
pub fn told(server: &ServerConfig) -> Vec<String> {
    let mut lines = Vec::new();
    match &server.reach {
        Reach::Stdio { command, args, env, cwd } => {
            let words: Vec<String> =
                std::iter::once(command).chain(args).map(|word| quoted(word)).collect();
            lines.push(format!("runs {}", words.join(" ")));
            if let Some(dir) = cwd {
                lines.push(format!("in {}", in_a_line(&dir.display().to_string())));
            }
            if !env.is_empty() {
                let pairs: Vec<String> = env
                    .iter()
                    .map(|(name, value)| format!("{}={}", in_a_line(name), quoted(value)))
                    .collect();
                lines.push(format!("with {}", pairs.join(" ")));
            }
        }
        Reach::Remote { url, headers, .. } => {
            lines.push(format!("contacts {}", in_a_line(url)));
            if !headers.is_empty() {
                let names: Vec<String> = headers.keys().map(|name| in_a_line(name)).collect();
                lines.push(format!("with the headers {}", names.join(", ")));
            }
        }
    }
    let variables = server.variables();
    if !variables.is_empty() {
        lines.push(format!("gets your environment's {}", variables.join(", ")));
    }
    if !server.enabled {
        lines.push("switched off".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests;
