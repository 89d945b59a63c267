//! From files and options to the servers of a run.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Map, Value};

use super::{BadServer, ServerConfig, Source};
use crate::store::read_regular;

/// The longest file that is read, in bytes.
pub(super) const MAX_FILE: u64 = 16 << 20;

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

    /// Lays a source under what is there: a name that is taken stays what it is, and that is told.
    pub fn add_below(&mut self, mut source: Source, path: &Path) {
        let taken = |name: &str| {
            self.servers.iter().any(|server| server.name == name)
                || self.bad.iter().any(|bad| bad.name == name)
        };
        let names =
            source.servers.iter().map(|it| &it.name).chain(source.bad.iter().map(|it| &it.name));
        let hidden: Vec<String> = names.filter(|name| taken(name)).cloned().collect();
        for name in &hidden {
            self.warnings.push(format!(
                "MCP server {name} of {} is not used: another one has that name.",
                path.display()
            ));
        }
        source.servers.retain(|server| !hidden.contains(&server.name));
        source.bad.retain(|bad| !hidden.contains(&bad.name));
        self.add(source);
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
}

/// The object in a file, `None` without a file. An empty file counts as an empty object. The error
/// is half a sentence.
pub fn read_file(path: &Path) -> Result<Option<Map<String, Value>>, String> {
    read_bytes(path, MAX_FILE)?.map(|bytes| parse(&bytes)).transpose()
}

/// What is in a file of at most `max` bytes, `None` without a file. The error is half a sentence.
pub(in crate::mcp) fn read_bytes(path: &Path, max: u64) -> Result<Option<Vec<u8>>, String> {
    read_regular(path, max).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => format!("it is larger than {} MiB", max >> 20),
        // A pipe in its place could keep us waiting for ever.
        ErrorKind::InvalidInput => "it is no ordinary file".to_owned(),
        _ => error.to_string(),
    })
}

/// The object that a file's bytes are. The error is half a sentence.
pub(in crate::mcp) fn parse(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("it holds no JSON object".to_owned()),
        // Not the parser's own words: they may quote a secret.
        Err(error) => {
            Err(format!("invalid JSON at line {}, column {}", error.line(), error.column()))
        }
    }
}
