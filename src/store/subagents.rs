//! The subagents of a session: `subagents/<id>/`, one directory for each (sessions.md section 7).
//!
//! `context.jsonl`, `wire.jsonl` and `state.json` are those of a session; here is what only a
//! subagent has: `meta.json`, and the names of the other files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lines::read_regular;
use super::{ContextMark, StoreError, write_atomic, write_volatile};

/// A larger `meta.json` is taken for damaged.
const MAX_BYTES: u64 = 1 << 20;
/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 8;
/// How many ids are tried for a new one.
const ID_TRIES: usize = 16;

/// Where a subagent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubagentStatus {
    /// It has done what it was told and can be told more.
    Idle,
    RunningForeground,
    RunningBackground,
    Completed,
    Failed,
    Killed,
}

/// `meta.json`. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubagentMeta {
    pub agent_id: String,
    pub subagent_type: String,
    pub status: SubagentStatus,
    pub description: String,
    pub created_at: f64,
    pub updated_at: f64,
    /// The background task it ran in last.
    #[serde(default)]
    pub last_task_id: Option<String>,
    pub launch_spec: LaunchSpec,
    /// What it was told, in order. Our addition: a turn that is undone takes back what it has told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignments: Vec<Assignment>,
}

/// One thing that a subagent was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The point before the session's turn that told it so, see [`super::snapshots::Point`].
    pub point: u64,
    /// Where its conversation ended before.
    pub before: ContextMark,
}

/// How a subagent was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchSpec {
    pub agent_id: String,
    pub subagent_type: String,
    /// The model that the caller asked for.
    #[serde(default)]
    pub model_override: Option<String>,
    /// The configured name of the model that it has.
    #[serde(default)]
    pub effective_model: Option<String>,
    pub created_at: f64,
}

/// The subagents of one session.
#[derive(Debug, Clone)]
pub struct SubagentStore {
    dir: PathBuf,
}

impl SubagentStore {
    /// Those of the session in this directory. Nothing is read yet.
    pub fn new(session_dir: &Path) -> Self {
        Self { dir: session_dir.join("subagents") }
    }

    /// The id that these random hexadecimal digits make.
    fn id_of(random: &str) -> String {
        let digits = random.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase());
        let all: Vec<char> = digits.collect();
        let last = all.get(all.len().saturating_sub(ID_DIGITS)..).unwrap_or(&all);
        format!("a{}", last.iter().collect::<String>())
    }

    /// Whether a text can be the id of a subagent; no other text becomes part of a path.
    pub fn is_id(text: &str) -> bool {
        text.strip_prefix('a').is_some_and(|digits| {
            digits.len() == ID_DIGITS
                && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    }

    /// The directory of a subagent. `id` is one, see [`is_id`](Self::is_id).
    pub fn dir(&self, id: &str) -> PathBuf {
        self.dir.join(id)
    }

    /// What it was told last.
    fn prompt_path(&self, id: &str) -> PathBuf {
        self.dir(id).join("prompt.txt")
    }

    /// What it has done, for people.
    pub fn output_path(&self, id: &str) -> PathBuf {
        self.dir(id).join("output")
    }

    /// Makes a new subagent's directory and returns its id, made of what `random` gives.
    pub fn create_new(&self, mut random: impl FnMut() -> String) -> Result<String, StoreError> {
        let mut id = String::new();
        for _ in 0..ID_TRIES {
            id = Self::id_of(&random());
            if Self::is_id(&id) && self.create(&id)? {
                return Ok(id);
            }
        }
        Err(StoreError::io("create", &self.dir(&id))(io::ErrorKind::AlreadyExists.into()))
    }

    /// Makes the directory of a subagent. `false` when the id is taken.
    fn create(&self, id: &str) -> Result<bool, StoreError> {
        fs::create_dir_all(&self.dir).map_err(StoreError::io("create", &self.dir))?;
        let dir = self.dir(id);
        match fs::create_dir(&dir) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::io("create", &dir)(error)),
        }
    }

    /// What is known of a subagent; `None` when there is no such one or its record is damaged.
    pub fn read(&self, id: &str) -> Option<SubagentMeta> {
        if !Self::is_id(id) {
            return None;
        }
        let bytes = read_regular(&self.dir(id).join("meta.json"), MAX_BYTES).ok()??;
        let meta: SubagentMeta = serde_json::from_slice(&bytes).ok()?;
        (meta.agent_id == id).then_some(meta)
    }

    /// Writes `meta.json`.
    pub fn write(&self, meta: &SubagentMeta) -> Result<(), StoreError> {
        let path = self.dir(&meta.agent_id).join("meta.json");
        serde_json::to_vec_pretty(meta)
            .map_err(io::Error::from)
            .and_then(|bytes| write_volatile(&path, &bytes, 0o600))
            .map_err(StoreError::io("write", &path))
    }

    /// Removes the subagent with all its files.
    pub fn remove(&self, id: &str) -> Result<(), StoreError> {
        let dir = self.dir(id);
        fs::remove_dir_all(&dir).map_err(StoreError::io("remove", &dir))
    }

    /// Writes what the subagent is told.
    pub fn write_prompt(&self, id: &str, prompt: &str) -> Result<(), StoreError> {
        let path = self.prompt_path(id);
        write_atomic(&path, prompt.as_bytes(), 0o600).map_err(StoreError::io("write", &path))
    }

    /// Marks those that still ran when their process ended as failed. Nobody else may have the
    /// session open.
    pub fn settle_stale(&self, now: f64) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(mut meta) = name.to_str().and_then(|id| self.read(id)) else { continue };
            if matches!(
                meta.status,
                SubagentStatus::RunningForeground | SubagentStatus::RunningBackground
            ) {
                meta.status = SubagentStatus::Failed;
                meta.updated_at = now;
                if let Err(error) = self.write(&meta) {
                    tracing::warn!(%error, "a subagent that has ended keeps its old state");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(id: &str, status: SubagentStatus) -> SubagentMeta {
        SubagentMeta {
            agent_id: id.to_owned(),
            subagent_type: "coder".to_owned(),
            status,
            description: "d".to_owned(),
            created_at: 1.0,
            updated_at: 1.0,
            last_task_id: None,
            assignments: Vec::new(),
            launch_spec: LaunchSpec {
                agent_id: id.to_owned(),
                subagent_type: "coder".to_owned(),
                model_override: None,
                effective_model: Some("m".to_owned()),
                created_at: 1.0,
            },
        }
    }

    #[test]
    fn ids_are_short_and_lead_nowhere_else() {
        assert_eq!(SubagentStore::id_of("0000-4000-8000-00000000000F"), "a0000000f");
        assert!(SubagentStore::is_id(&SubagentStore::id_of("12345678-9abc")));
        for bad in
            ["", "a", "a1234567", "a123456789", "b12345678", "a1234567G", "a../../x1", "a1234567F"]
        {
            assert!(!SubagentStore::is_id(bad), "{bad}");
        }
    }

    #[test]
    fn what_ran_when_the_process_ended_has_failed() {
        let dir = tempfile::tempdir().unwrap();
        let store = SubagentStore::new(dir.path());
        store.settle_stale(2.0);
        for (id, status) in [
            ("a00000001", SubagentStatus::RunningForeground),
            ("a00000002", SubagentStatus::RunningBackground),
            ("a00000003", SubagentStatus::Idle),
        ] {
            assert!(store.create(id).unwrap());
            assert!(!store.create(id).unwrap());
            store.write(&meta(id, status)).unwrap();
        }
        fs::create_dir(store.dir("a00000004")).unwrap();
        fs::write(store.dir("a00000004").join("meta.json"), "{").unwrap();
        store.settle_stale(2.0);
        let status = |id: &str| store.read(id).map(|meta| (meta.status, meta.updated_at));
        assert_eq!(status("a00000001"), Some((SubagentStatus::Failed, 2.0)));
        assert_eq!(status("a00000002"), Some((SubagentStatus::Failed, 2.0)));
        assert_eq!(status("a00000003"), Some((SubagentStatus::Idle, 1.0)));
        assert_eq!(status("a00000004"), None);
        assert_eq!(status("../a00000003"), None);
    }

    #[test]
    fn a_record_of_another_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let store = SubagentStore::new(dir.path());
        assert!(store.create("a00000001").unwrap());
        let mut other = meta("a00000001", SubagentStatus::Idle);
        store.write(&other).unwrap();
        assert_eq!(store.read("a00000001"), Some(other.clone()));
        other.agent_id = "a00000002".to_owned();
        let bytes = serde_json::to_vec(&other).unwrap();
        fs::write(store.dir("a00000001").join("meta.json"), bytes).unwrap();
        assert_eq!(store.read("a00000001"), None);
    }
}
