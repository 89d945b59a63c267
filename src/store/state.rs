//! `state.json`: what a session remembers besides the conversation.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::lines::{read_regular, set_aside};
use super::{StoreError, write_atomic};
use crate::protocol::TodoItem;

/// A larger file is taken for damaged.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What may be done without asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approval {
    /// Everything.
    pub yolo: bool,
    /// Everything, and nobody is there to answer questions either.
    pub afk: bool,
    /// Actions that were approved for the session: `run command`, `edit file`, ...
    pub auto_approve_actions: Vec<String>,
}

/// The state of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionState {
    pub approval: Approval,
    /// Directories beside the work directory, absolute.
    pub additional_dirs: Vec<String>,
    pub custom_title: Option<String>,
    /// The title is final: given by a person or made by a model.
    pub title_generated: bool,
    pub title_generate_attempts: u64,
    pub plan_mode: bool,
    pub plan_session_id: Option<String>,
    pub plan_slug: Option<String>,
    pub wire_mtime: Option<f64>,
    pub archived: bool,
    /// Unix seconds.
    pub archived_at: Option<f64>,
    pub auto_archive_exempt: bool,
    pub todos: Vec<TodoItem>,
    /// Keys of other versions.
    extra: Map<String, Value>,
}

/// The state together with its file.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Change it and call [`StateFile::save`].
    pub state: SessionState,
    /// As last read from or written to the file.
    synced: SessionState,
}

impl StateFile {
    /// Reads the state of the session in `session_dir`. A missing file is a fresh state; a damaged
    /// one is set aside. A `metadata.json` of old versions is merged in and removed with the next
    /// save. Also returns what a person should be told.
    pub fn open(session_dir: &Path) -> (Self, Vec<String>) {
        let path = session_dir.join("state.json");
        let mut warnings = Vec::new();
        let found = match read_object(&path) {
            Ok(found) => found,
            Err(error) => {
                let kept = match set_aside(&path) {
                    Ok(aside) => format!("the old file is {}", aside.display()),
                    Err(_) => "it could not be set aside".to_owned(),
                };
                warnings.push(format!(
                    "{} cannot be read ({error}), so approvals and todos of this session start \
                     fresh; {kept}.",
                    path.display()
                ));
                None
            }
        };
        let mut state = SessionState::default();
        if let Some(map) = found {
            let bad = state.take(map);
            if !bad.is_empty() {
                warnings.push(format!(
                    "{}: {} could not be understood and got default values.",
                    path.display(),
                    bad.join(", ")
                ));
            }
        }
        state.merge_legacy(session_dir);
        (Self { path, synced: state.clone(), state }, warnings)
    }

    /// The state as it is on disk, defaults for whatever cannot be read.
    pub(super) fn peek(session_dir: &Path) -> SessionState {
        let mut state = SessionState::default();
        if let Ok(Some(map)) = read_object(&session_dir.join("state.json")) {
            state.take(map);
        }
        state.merge_legacy(session_dir);
        state
    }

    /// Writes the state. Title and archive fields that another program changed meanwhile, and that
    /// were not changed here, are taken over; keys of other versions stay.
    pub fn save(&mut self) -> Result<(), StoreError> {
        if let Ok(Some(map)) = read_object(&self.path) {
            let mut disk = SessionState::default();
            disk.take(map);
            self.state.adopt(disk, &self.synced);
        }
        serde_json::to_vec_pretty(&self.state.to_value())
            .map_err(io::Error::from)
            .and_then(|bytes| write_atomic(&self.path, &bytes, 0o600))
            .map_err(StoreError::io("write", &self.path))?;
        let legacy = self.path.with_file_name("metadata.json");
        // Its content is in the state now; if it stays it is merged again, which changes nothing.
        let _ = fs::remove_file(legacy);
        self.synced = self.state.clone();
        Ok(())
    }
}

/// A JSON object; `None` when there is no file.
fn read_object(path: &Path) -> io::Result<Option<Map<String, Value>>> {
    let Some(bytes) = read_regular(path, MAX_BYTES)? else { return Ok(None) };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(map)) => Ok(Some(map)),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a JSON object")),
        Err(error) => Err(error.into()),
    }
}

/// Reads a key into a field; `false` when its value is of another kind.
fn take<T: DeserializeOwned>(map: &mut Map<String, Value>, key: &str, field: &mut T) -> bool {
    match map.shift_remove(key).map(serde_json::from_value) {
        Some(Ok(value)) => {
            *field = value;
            true
        }
        Some(Err(_)) => false,
        None => true,
    }
}

impl SessionState {
    /// Takes over every key that can be read; returns the names of the others.
    fn take(&mut self, mut map: Map<String, Value>) -> Vec<&'static str> {
        let mut bad = Vec::new();
        let mut check = |name, good: bool| {
            if !good {
                bad.push(name);
            }
        };
        let mut approval = Map::new();
        check("approval", take(&mut map, "approval", &mut approval));
        check("approval.yolo", take(&mut approval, "yolo", &mut self.approval.yolo));
        check("approval.afk", take(&mut approval, "afk", &mut self.approval.afk));
        let actions = &mut self.approval.auto_approve_actions;
        check(
            "approval.auto_approve_actions",
            take(&mut approval, "auto_approve_actions", actions),
        );
        if !approval.is_empty() {
            map.insert("approval".to_owned(), Value::Object(approval));
        }
        check("additional_dirs", take(&mut map, "additional_dirs", &mut self.additional_dirs));
        check("plan_mode", take(&mut map, "plan_mode", &mut self.plan_mode));
        check("plan_session_id", take(&mut map, "plan_session_id", &mut self.plan_session_id));
        check("plan_slug", take(&mut map, "plan_slug", &mut self.plan_slug));
        let mut todos: Vec<Value> = Vec::new();
        let listed = take(&mut map, "todos", &mut todos);
        let count = todos.len();
        self.todos =
            todos.into_iter().filter_map(|todo| serde_json::from_value(todo).ok()).collect();
        check("todos", listed && self.todos.len() == count);
        for name in self.take_title(&mut map) {
            check(name, false);
        }
        map.shift_remove("version");
        // kimi-code's word for the same; programs around it look for it and leave it there.
        if let (Some(Value::Bool(true)), Some(Value::String(title))) =
            (map.get("isCustomTitle"), map.get("title"))
        {
            self.custom_title = Some(title.clone());
        }
        self.extra = map;
        bad
    }

    /// The fields that old versions kept in `metadata.json`.
    fn take_title(&mut self, map: &mut Map<String, Value>) -> Vec<&'static str> {
        [
            ("custom_title", take(map, "custom_title", &mut self.custom_title)),
            ("title_generated", take(map, "title_generated", &mut self.title_generated)),
            (
                "title_generate_attempts",
                take(map, "title_generate_attempts", &mut self.title_generate_attempts),
            ),
            ("wire_mtime", take(map, "wire_mtime", &mut self.wire_mtime)),
            ("archived", take(map, "archived", &mut self.archived)),
            ("archived_at", take(map, "archived_at", &mut self.archived_at)),
            (
                "auto_archive_exempt",
                take(map, "auto_archive_exempt", &mut self.auto_archive_exempt),
            ),
        ]
        .into_iter()
        .filter_map(|(name, good)| (!good).then_some(name))
        .collect()
    }

    /// Fills what is still at its default from an old `metadata.json`.
    fn merge_legacy(&mut self, session_dir: &Path) {
        let Ok(Some(mut map)) = read_object(&session_dir.join("metadata.json")) else { return };
        if let Some(title) = map.shift_remove("title") {
            map.insert("custom_title".to_owned(), title);
        }
        let mut old = Self::default();
        old.take_title(&mut map);
        let defaults = Self::default();
        self.adopt_title(old, &defaults);
    }

    /// For title and archive fields that are as in `base`, takes the value of `other`.
    fn adopt_title(&mut self, other: Self, base: &Self) {
        fn adopt<T: PartialEq>(ours: &mut T, other: T, base: &T) {
            if ours == base {
                *ours = other;
            }
        }
        adopt(&mut self.custom_title, other.custom_title, &base.custom_title);
        adopt(&mut self.title_generated, other.title_generated, &base.title_generated);
        adopt(
            &mut self.title_generate_attempts,
            other.title_generate_attempts,
            &base.title_generate_attempts,
        );
        adopt(&mut self.wire_mtime, other.wire_mtime, &base.wire_mtime);
        adopt(&mut self.archived, other.archived, &base.archived);
        adopt(&mut self.archived_at, other.archived_at, &base.archived_at);
        adopt(&mut self.auto_archive_exempt, other.auto_archive_exempt, &base.auto_archive_exempt);
    }

    fn adopt(&mut self, mut disk: Self, synced: &Self) {
        self.extra = std::mem::take(&mut disk.extra);
        self.adopt_title(disk, synced);
    }

    /// Whether a program has given the title that knows it by kimi-code's key.
    fn is_titled_elsewhere(&self) -> bool {
        self.custom_title.is_some() && self.extra.get("isCustomTitle") == Some(&json!(true))
    }

    /// The file's content.
    fn to_value(&self) -> Value {
        let mut root = json!({
            "version": 1,
            "approval": {
                "yolo": self.approval.yolo,
                "afk": self.approval.afk,
                "auto_approve_actions": self.approval.auto_approve_actions,
            },
            "additional_dirs": self.additional_dirs,
            "custom_title": self.custom_title,
            "title_generated": self.title_generated,
            "title_generate_attempts": self.title_generate_attempts,
            "plan_mode": self.plan_mode,
            "plan_session_id": self.plan_session_id,
            "plan_slug": self.plan_slug,
            "wire_mtime": self.wire_mtime,
            "archived": self.archived,
            "archived_at": self.archived_at,
            "auto_archive_exempt": self.auto_archive_exempt,
            "todos": self.todos,
        });
        if let Value::Object(map) = &mut root {
            for (key, value) in &self.extra {
                match (map.get_mut(key), value) {
                    (Some(Value::Object(ours)), Value::Object(extra)) => {
                        ours.extend(extra.iter().map(|(key, value)| (key.clone(), value.clone())));
                    }
                    (Some(_), _) => {}
                    (None, Value::String(_)) if key == "title" && self.is_titled_elsewhere() => {
                        map.insert(key.clone(), json!(self.custom_title));
                    }
                    (None, value) => {
                        map.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        root
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::TodoStatus;

    fn read(dir: &Path) -> Value {
        serde_json::from_slice(&fs::read(dir.join("state.json")).unwrap()).unwrap()
    }

    #[test]
    fn written_as_kimi_cli_writes_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, warnings) = StateFile::open(dir.path());
        assert!(warnings.is_empty() && !dir.path().join("state.json").exists());
        file.state.custom_title = Some("do plan".into());
        file.state.todos = vec![TodoItem { title: "x".into(), status: TodoStatus::InProgress }];
        file.save().unwrap();
        let text = fs::read_to_string(dir.path().join("state.json")).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
          "version": 1,
          "approval": {
            "yolo": false,
            "afk": false,
            "auto_approve_actions": []
          },
          "additional_dirs": [],
          "custom_title": "do plan",
          "title_generated": false,
          "title_generate_attempts": 0,
          "plan_mode": false,
          "plan_session_id": null,
          "plan_slug": null,
          "wire_mtime": null,
          "archived": false,
          "archived_at": null,
          "auto_archive_exempt": false,
          "todos": [
            {
              "title": "x",
              "status": "in_progress"
            }
          ]
        }
        "#);
        assert_eq!(StateFile::open(dir.path()).0.state, file.state);
    }

    #[test]
    fn foreign_keys_stay_and_foreign_titles_win() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        fs::write(&path, r#"{"new_key":[1],"approval":{"yolo":true,"level":3}}"#).unwrap();
        let (mut file, _) = StateFile::open(dir.path());
        assert!(file.state.approval.yolo);
        fs::write(
            &path,
            r#"{"new_key":[2],"approval":{"level":4},"custom_title":"web","archived":true}"#,
        )
        .unwrap();
        file.state.approval.afk = true;
        file.save().unwrap();
        let now = read(dir.path());
        assert_eq!(now["new_key"], json!([2]));
        assert_eq!(
            now["approval"],
            json!({"yolo":true,"afk":true,"auto_approve_actions":[],"level":4})
        );
        assert_eq!((&now["custom_title"], &now["archived"]), (&json!("web"), &json!(true)));
        file.state.custom_title = Some("mine".into());
        file.save().unwrap();
        assert_eq!(read(dir.path())["custom_title"], json!("mine"));
    }

    #[test]
    fn a_title_by_kimi_code_s_key_is_the_title() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        fs::write(&path, r#"{"custom_title":"first words","title":"x","isCustomTitle":false}"#)
            .unwrap();
        assert_eq!(StateFile::peek(dir.path()).custom_title.as_deref(), Some("first words"));
        let (mut file, _) = StateFile::open(dir.path());
        let titled = r#"{"custom_title":"first words","title":"Kimi Ask: x","isCustomTitle":true}"#;
        fs::write(&path, titled).unwrap();
        assert_eq!(StateFile::peek(dir.path()).custom_title.as_deref(), Some("Kimi Ask: x"));
        file.state.plan_mode = true;
        file.save().unwrap();
        let now = read(dir.path());
        assert_eq!((&now["title"], &now["isCustomTitle"]), (&json!("Kimi Ask: x"), &json!(true)));
        assert_eq!(now["custom_title"], "Kimi Ask: x");
        file.state.custom_title = Some("mine".into());
        file.save().unwrap();
        assert_eq!(read(dir.path())["title"], "mine");
        assert_eq!(StateFile::peek(dir.path()).custom_title.as_deref(), Some("mine"));
    }

    #[test]
    fn one_bad_value_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("state.json"),
            r#"{"approval":{"yolo":"maybe","afk":true},"todos":[{"title":"a","status":"done"},7],"plan_mode":true}"#,
        )
        .unwrap();
        let (file, warnings) = StateFile::open(dir.path());
        assert!(file.state.approval.afk && !file.state.approval.yolo && file.state.plan_mode);
        assert_eq!(file.state.todos.len(), 1);
        assert!(warnings[0].contains("approval.yolo, todos"), "{warnings:?}");
    }

    #[test]
    fn damage_is_set_aside() {
        for damage in [&b"{\"version\": 1, \"appr"[..], b"", b"\xff", b"[]"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("state.json"), damage).unwrap();
            let (mut file, warnings) = StateFile::open(dir.path());
            assert!(warnings[0].contains("state.json.corrupt-1"), "{warnings:?}");
            assert_eq!(fs::read(dir.path().join("state.json.corrupt-1")).unwrap(), damage);
            file.save().unwrap();
            assert_eq!(read(dir.path())["version"], json!(1));
        }
    }

    #[test]
    fn the_old_metadata_file_moves_in() {
        let dir = tempfile::tempdir().unwrap();
        let legacy = dir.path().join("metadata.json");
        fs::write(&legacy, r#"{"title":"old","archived":true,"session_id":"x"}"#).unwrap();
        assert_eq!(StateFile::peek(dir.path()).custom_title.as_deref(), Some("old"));
        let (mut file, _) = StateFile::open(dir.path());
        assert_eq!(file.state.custom_title.as_deref(), Some("old"));
        file.save().unwrap();
        assert!(!legacy.exists());
        assert_eq!(read(dir.path())["custom_title"], json!("old"));
    }
}
