//! Which files of projects a person has agreed to: `mcp-trust.json` in the data directory.
//!
//! An answer goes with the place of a file and with the digest of what was in it: what has changed
//! since is asked about again. Whatever cannot be read counts as never answered.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::lines::{read_regular, set_aside};
use super::rewrite::{RewriteError, rewrite};
use super::{ShareDir, StoreError};

/// The largest store that is read, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// What a person said of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, as long as it stays as it is.
    Trusted,
    /// No, and do not ask again, whatever becomes of it.
    Never,
}

/// The answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustStore {
    path: PathBuf,
}

impl TrustStore {
    /// The answers in this data directory. Nothing is read yet.
    pub fn new(share: &ShareDir) -> Self {
        Self { path: share.mcp_trust_json() }
    }

    /// The digest that stands for the content of a file.
    pub fn digest(bytes: &[u8]) -> String {
        format!("{:x}", Sha256::digest(bytes))
    }

    /// What was said of each of these files (its real path, its digest); `None` for what has to be
    /// asked. The error is one line: nothing is trusted then.
    pub fn verdicts<'a>(
        &self,
        files: impl IntoIterator<Item = (&'a Path, &'a str)>,
    ) -> Result<Vec<Option<Verdict>>, String> {
        let problem = |why: &str| {
            format!("No project is trusted: {} cannot be used: {why}.", self.path.display())
        };
        let bytes = match read_regular(&self.path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => return Err(problem(&error.to_string())),
        };
        let known = entries(bytes.as_deref()).map_err(|Damaged| problem("it is damaged"))?;
        Ok(files.into_iter().map(|(path, digest)| verdict(&known, path, digest)).collect())
    }

    /// Keeps what was said of a file; `None` forgets it. A damaged store is set aside.
    pub fn set(
        &self,
        path: &Path,
        digest: &str,
        verdict: Option<Verdict>,
    ) -> Result<(), StoreError> {
        let change = |bytes: Option<&[u8]>| {
            let mut known = entries(bytes)?;
            let key = path.to_string_lossy().into_owned();
            match verdict {
                None => drop(known.shift_remove(&key)),
                Some(verdict) => {
                    let word = match verdict {
                        Verdict::Trusted => "trusted",
                        Verdict::Never => "never",
                    };
                    known.insert(key, json!({"verdict": word, "sha256": digest}));
                }
            }
            let mut text =
                serde_json::to_string_pretty(&json!({"files": known})).unwrap_or_default();
            text.push('\n');
            Ok(Some(text.into_bytes()))
        };
        let written = match rewrite(&self.path, MAX_BYTES, 0o600, change) {
            Err(RewriteError::Change(Damaged)) => self.aside(change),
            Err(RewriteError::Read(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                self.aside(change)
            }
            written => written,
        };
        written.map_err(|error| {
            let (what, error) = match error {
                RewriteError::Read(error) => ("read", error),
                RewriteError::Write(error) => ("write", error),
                RewriteError::Change(Damaged) => ("write", io::ErrorKind::InvalidData.into()),
            };
            StoreError::io(what, &self.path)(error)
        })
    }

    fn aside(
        &self,
        change: impl FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>, Damaged>,
    ) -> Result<(), RewriteError<Damaged>> {
        set_aside(&self.path).map_err(RewriteError::Write)?;
        rewrite(&self.path, MAX_BYTES, 0o600, change)
    }
}

/// The store is none.
struct Damaged;

fn entries(bytes: Option<&[u8]>) -> Result<Map<String, Value>, Damaged> {
    let Some(bytes) = bytes else { return Ok(Map::new()) };
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(mut root)) => match root.shift_remove("files") {
            Some(Value::Object(files)) => Ok(files),
            None if root.is_empty() => Ok(Map::new()),
            _ => Err(Damaged),
        },
        _ => Err(Damaged),
    }
}

fn verdict(known: &Map<String, Value>, path: &Path, digest: &str) -> Option<Verdict> {
    // A path that is no text could be taken for another one.
    let entry = known.get(path.to_str()?)?;
    match entry.get("verdict")?.as_str()? {
        "never" => Some(Verdict::Never),
        "trusted" if entry.get("sha256")?.as_str()? == digest => Some(Verdict::Trusted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn store(dir: &Path) -> TrustStore {
        TrustStore::new(&ShareDir::new(dir))
    }

    fn ask(store: &TrustStore, path: &str, digest: &str) -> Option<Verdict> {
        store.verdicts([(Path::new(path), digest)]).unwrap()[0]
    }

    #[test]
    fn an_answer_goes_with_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        assert_eq!(ask(&store, "/p/a", "1"), None);
        store.set(Path::new("/p/a"), "1", Some(Verdict::Trusted)).unwrap();
        store.set(Path::new("/p/b"), "1", Some(Verdict::Never)).unwrap();
        assert_eq!(ask(&store, "/p/a", "1"), Some(Verdict::Trusted));
        assert_eq!(ask(&store, "/p/a", "2"), None);
        assert_eq!(ask(&store, "/p/b", "2"), Some(Verdict::Never));
        assert_eq!(ask(&store, "/p/c", "1"), None);
        store.set(Path::new("/p/a"), "1", None).unwrap();
        assert_eq!(ask(&store, "/p/a", "1"), None);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join("mcp-trust.json")).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_store_trusts_nothing_and_is_set_aside() {
        for damage in
            ["{\"files\": {\"/p/a\": {\"verdict\": \"trusted\"", "[]", "{\"files\": 1}", ""]
        {
            let dir = tempfile::tempdir().unwrap();
            let store = store(dir.path());
            fs::write(dir.path().join("mcp-trust.json"), damage).unwrap();
            let told = store.verdicts([(Path::new("/p/a"), "1")]).unwrap_err();
            assert!(told.contains("it is damaged"), "{told}");
            store.set(Path::new("/p/a"), "1", Some(Verdict::Trusted)).unwrap();
            assert_eq!(ask(&store, "/p/a", "1"), Some(Verdict::Trusted));
            let kept = fs::read_to_string(dir.path().join("mcp-trust.json.corrupt-1")).unwrap();
            assert_eq!(kept, damage);
        }
    }

    #[test]
    fn an_odd_entry_is_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        for entry in ["1", "{}", "{\"verdict\": 1}", "{\"verdict\": \"trusted\"}"] {
            let text = format!("{{\"files\": {{\"/p/a\": {entry}}}}}");
            fs::write(dir.path().join("mcp-trust.json"), text).unwrap();
            assert_eq!(ask(&store, "/p/a", "1"), None);
        }
    }
}
