//! From files and options to the servers of a run.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{BadServer, ServerConfig, Source};

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The servers of a run, in the order in which they were first named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    pub servers: Vec<ServerConfig>,
    /// Entries that cannot be used; none has the name of a server.
    pub bad: Vec<BadServer>,
    /// What is wrong with a whole file, one line each.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// Lays a source over what is there: the same name replaces the entry as a whole, also when the
    /// new one is bad, so that nothing runs that was meant to be replaced.
    pub fn add(&mut self, source: Source) {
        for server in source.servers {
            self.bad.retain(|bad| bad.name != server.name);
            match self.servers.iter_mut().find(|known| known.name == server.name) {
                Some(known) => *known = server,
                None => self.servers.push(server),
            }
        }
        for bad in source.bad {
            self.servers.retain(|server| server.name != bad.name);
            self.bad.retain(|known| known.name != bad.name);
            self.bad.push(bad);
        }
    }

    /// Lays a file over what is there. A missing file is nothing; a broken one is a warning: the
    /// program is of use without it.
    pub fn add_file(&mut self, path: &Path) {
        let source = read_file(path).and_then(|file| match file {
            Some(object) => Source::read(&object).map(Some),
            None => Ok(None),
        });
        match source {
            Ok(Some(source)) => self.add(source),
            Ok(None) => {}
            Err(reason) => self
                .warnings
                .push(format!("No MCP server of {} is used: {reason}.", path.display())),
        }
    }

    /// Whether nothing at all is configured.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.bad.is_empty()
    }
}

/// The object in a file, `None` without a file. An empty file counts as an empty object. The error
/// is half a sentence.
pub fn read_file(path: &Path) -> Result<Option<Map<String, Value>>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    // A pipe in its place could keep us waiting for ever.
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err("it is no ordinary file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is larger than {} MiB", MAX_FILE >> 20));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if text.trim_ascii().is_empty() {
        return Ok(Some(Map::new()));
    }
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err("it holds no JSON object".to_owned()),
        // Not the parser's own words: they may quote a secret.
        Err(error) => {
            Err(format!("invalid JSON at line {}, column {}", error.line(), error.column()))
        }
    }
}

/// The files of a project that may name servers, in the order in which they are laid over each
/// other. They start programs: nothing is read from them before the directory is trusted.
pub fn project_files(work_dir: &Path) -> [PathBuf; 2] {
    [work_dir.join(".mcp.json"), work_dir.join(".kimi").join("mcp.json")]
}
