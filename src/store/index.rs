//! `kimi.json`: which work directories there are and the last session of each.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::lines::{read_regular, set_aside};
use super::rewrite::{RewriteError, lock, rewrite};
use super::{ShareDir, StoreError};

/// A larger index is taken for damaged.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// A damaged index is set aside once; what takes its place may be damaged again.
const REPAIRS: u32 = 3;

/// The index file. Nothing is cached: other processes write it too.
#[derive(Debug, Clone)]
pub struct WorkDirIndex {
    path: PathBuf,
}

impl WorkDirIndex {
    /// The index of a data directory.
    pub fn new(share: &ShareDir) -> Self {
        Self { path: share.kimi_json() }
    }

    /// The registered work directories. Empty when the file is missing or damaged.
    pub fn work_dirs(&self) -> Vec<PathBuf> {
        let entries = self.read().ok().flatten().and_then(|root| root.ok());
        entries
            .as_ref()
            .and_then(|root| root.get("work_dirs"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|entry| is_local(entry))
            .filter_map(|entry| entry.get("path").and_then(Value::as_str))
            .map(PathBuf::from)
            .collect()
    }

    /// Whether the index can be read; a missing one can.
    pub fn check(&self) -> io::Result<()> {
        match self.read()? {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(())) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged")),
        }
    }

    /// The last session that ended well in a work directory.
    pub fn last_session_id(&self, work_dir: &Path) -> Option<String> {
        let root = self.read().ok()??.ok()?;
        let entries = root.get("work_dirs")?.as_array()?;
        let entry = entries.iter().find(|entry| is_entry_of(entry, work_dir))?;
        Some(entry.get("last_session_id")?.as_str()?.to_owned())
    }

    /// Makes a work directory known. Returns what a person should be told.
    pub fn register(&self, work_dir: &Path) -> Result<Vec<String>, StoreError> {
        self.update(work_dir, |_| false)
    }

    /// Sets the last session of a work directory, registering it when needed.
    pub fn set_last_session(&self, work_dir: &Path, id: &str) -> Result<Vec<String>, StoreError> {
        self.update(work_dir, |entry| put(entry, json!(id)))
    }

    /// Forgets the last session of a work directory if it is this one.
    pub fn forget_session(&self, work_dir: &Path, id: &str) -> Result<Vec<String>, StoreError> {
        self.update(work_dir, |entry| {
            entry.get("last_session_id").and_then(Value::as_str) == Some(id)
                && put(entry, Value::Null)
        })
    }

    /// `None`: no file. Inner error: damaged.
    fn read(&self) -> io::Result<Option<Result<Map<String, Value>, ()>>> {
        let bytes = match read_regular(&self.path, MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(Some(Err(()))),
            bytes => bytes?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        Ok(Some(match serde_json::from_slice(&bytes) {
            Ok(Value::Object(root)) if root.get("work_dirs").is_none_or(Value::is_array) => {
                Ok(root)
            }
            _ => Err(()),
        }))
    }

    /// Lets `change` edit the entry of `work_dir` (made when missing) and writes when anything
    /// changed, so that of two processes none loses its change.
    fn update(
        &self,
        work_dir: &Path,
        change: impl Fn(&mut Map<String, Value>) -> bool,
    ) -> Result<Vec<String>, StoreError> {
        let mut warnings = Vec::new();
        for _ in 0..REPAIRS {
            let error = match rewrite(&self.path, MAX_BYTES, 0o600, |bytes| {
                edited(bytes, work_dir, &change)
            }) {
                Ok(()) => return Ok(warnings),
                Err(error) => error,
            };
            match error {
                RewriteError::Read(error) if error.kind() != io::ErrorKind::FileTooLarge => {
                    return Err(StoreError::io("read", &self.path)(error));
                }
                RewriteError::Write(error) => {
                    return Err(StoreError::io("write", &self.path)(error));
                }
                RewriteError::Read(_) | RewriteError::Change(Damaged) => {
                    warnings.extend(self.set_aside()?);
                }
            }
        }
        let error = io::Error::new(io::ErrorKind::InvalidData, "it is damaged again and again");
        Err(StoreError::io("write", &self.path)(error))
    }

    /// Moves a damaged index away. Returns what a person should be told, unless another process was
    /// faster.
    fn set_aside(&self) -> Result<Option<String>, StoreError> {
        let _lock = lock(&self.path);
        if !matches!(self.read(), Ok(Some(Err(())))) {
            return Ok(None);
        }
        let aside = set_aside(&self.path).map_err(StoreError::io("set aside", &self.path))?;
        Ok(Some(format!(
            "{} was damaged and has been rebuilt; the old file is {}.",
            self.path.display(),
            aside.display()
        )))
    }
}

/// The index is no index.
struct Damaged;

/// The index with the entry of `work_dir` changed; `None` when nothing changes.
fn edited(
    bytes: Option<&[u8]>,
    work_dir: &Path,
    change: &impl Fn(&mut Map<String, Value>) -> bool,
) -> Result<Option<Vec<u8>>, Damaged> {
    let mut root = match bytes.map(serde_json::from_slice) {
        None => Map::new(),
        Some(Ok(Value::Object(root))) => root,
        Some(_) => return Err(Damaged),
    };
    let entries = root.entry("work_dirs").or_insert_with(|| json!([]));
    let Value::Array(entries) = entries else { return Err(Damaged) };
    let mut changed = false;
    let at = match entries.iter().position(|entry| is_entry_of(entry, work_dir)) {
        Some(at) => at,
        None => {
            entries.push(json!({
                "path": work_dir.to_string_lossy(), "kaos": "local", "last_session_id": null
            }));
            changed = true;
            entries.len() - 1
        }
    };
    if let Some(Value::Object(entry)) = entries.get_mut(at) {
        changed |= change(entry);
    }
    if !changed {
        return Ok(None);
    }
    serde_json::to_vec_pretty(&root).map(Some).map_err(|_| Damaged)
}

fn put(entry: &mut Map<String, Value>, id: Value) -> bool {
    entry.insert("last_session_id".to_owned(), id.clone()) != Some(id)
}

/// Directories of other backends live under other names.
fn is_local(entry: &Value) -> bool {
    matches!(entry.get("kaos").map(Value::as_str), None | Some(Some("local")))
}

fn is_entry_of(entry: &Value, work_dir: &Path) -> bool {
    is_local(entry)
        && entry
            .get("path")
            .and_then(Value::as_str)
            .is_some_and(|path| path == work_dir.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn index(dir: &Path) -> WorkDirIndex {
        WorkDirIndex::new(&ShareDir::new(dir))
    }

    #[test]
    fn written_as_kimi_cli_writes_it() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(&dir.path().join("share"));
        assert!(index.register(Path::new("/w")).unwrap().is_empty());
        index.register(Path::new("/w")).unwrap();
        index.set_last_session(Path::new("/w"), "s1").unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("share/kimi.json")).unwrap(),
            "{\n  \"work_dirs\": [\n    {\n      \"path\": \"/w\",\n      \"kaos\": \"local\",\n      \"last_session_id\": \"s1\"\n    }\n  ]\n}"
        );
        index.forget_session(Path::new("/w"), "other").unwrap();
        assert_eq!(index.last_session_id(Path::new("/w")).as_deref(), Some("s1"));
        index.forget_session(Path::new("/w"), "s1").unwrap();
        assert_eq!(index.last_session_id(Path::new("/w")), None);
        assert_eq!(index.work_dirs(), [PathBuf::from("/w")]);
    }

    #[test]
    fn foreign_keys_and_entries_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kimi.json");
        let foreign = json!({"thinking": true, "work_dirs": [
            7, {"path": "/w", "kaos": "ssh"}, {"path": "/w", "x": 1}]});
        fs::write(&path, foreign.to_string()).unwrap();
        index(dir.path()).set_last_session(Path::new("/w"), "s").unwrap();
        let now: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            now,
            json!({"thinking": true, "work_dirs": [
                7, {"path": "/w", "kaos": "ssh"}, {"path": "/w", "x": 1, "last_session_id": "s"}]})
        );
    }

    #[test]
    fn a_damaged_index_is_set_aside() {
        for damage in [&b"{\"work_dirs\": [{\"pa"[..], b"", b"\xff\0", b"[]", b"{\"work_dirs\": 1}"]
        {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("kimi.json"), damage).unwrap();
            fs::write(dir.path().join("kimi.json.corrupt-1"), "older").unwrap();
            let index = index(dir.path());
            assert_eq!(index.last_session_id(Path::new("/w")), None);
            assert!(index.work_dirs().is_empty());
            let warnings = index.register(Path::new("/w")).unwrap();
            assert!(warnings[0].contains("kimi.json.corrupt-2"), "{warnings:?}");
            assert_eq!(fs::read(dir.path().join("kimi.json.corrupt-2")).unwrap(), damage);
            assert_eq!(index.work_dirs(), [PathBuf::from("/w")]);
        }
    }

    #[test]
    fn many_writers_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path());
        std::thread::scope(|scope| {
            for n in 0..4 {
                let index = &index;
                scope.spawn(move || {
                    for m in 0..5 {
                        index.register(Path::new(&format!("/w{n}/{m}"))).unwrap();
                    }
                });
            }
        });
        assert_eq!(index.work_dirs().len(), 20);
    }

    #[test]
    fn a_lock_that_is_never_released_does_not_stop_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path());
        let _held = lock(&dir.path().join("kimi.json")).unwrap();
        index.register(Path::new("/w")).unwrap();
        assert_eq!(index.work_dirs().len(), 1);
    }

    #[test]
    fn a_directory_in_its_place_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("kimi.json")).unwrap();
        assert_eq!(index(dir.path()).last_session_id(Path::new("/w")), None);
        assert!(index(dir.path()).register(Path::new("/w")).is_err());
    }
}
