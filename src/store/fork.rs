//! A session with the past of another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{GoalLog, GoalRecord, Session, SessionStore, StateFile, StoreError};
use crate::platform::Env;

/// Bytes that are looked at together for the last end of a line.
const PIECE: u64 = 64 * 1024;

/// Characters of a title.
const MAX_TITLE: usize = 200;

/// Directories of a session that its past needs: the subagents that the model may call again, what
/// `/undo` goes back with, and films that messages name. In the second, contents come after what
/// refers to them, which may grow meanwhile.
const DIRECTORIES: [&str; 3] = ["subagents", "snapshots", "uploads"];

/// What is promised in a session is not promised in its copy; see `agent::rewind`.
const LEFT_OUT: &str = "restore.json";

impl SessionStore {
    /// Makes a session of the same work directory that has the whole past of `from`, which stays as it
    /// is. Approvals, todos, plans, goals and background tasks are not taken along; added
    /// directories are (sessions.md section 11).
    ///
    /// The copy is a session only when all of it is there: its conversation comes last.
    pub fn fork(
        &self,
        from: &Session,
        title: Option<&str>,
        env: &Env,
    ) -> Result<(Session, Vec<String>), StoreError> {
        let id = env.ids.uuid();
        let dir = self.share().sessions_of(&from.work_dir).join(&id);
        let fork = Session { id, dir, work_dir: from.work_dir.clone() };
        let title = title.map_or_else(|| format!("Fork: {}", self.title(from)), str::to_owned);
        fs::create_dir(&fork.dir).map_err(StoreError::io("create", &fork.dir))?;
        let done = copy(from, &fork, &title);
        if done.is_err() {
            // Half a copy is of no use; what cannot be removed is no session either.
            let _ = fs::remove_dir_all(&fork.dir);
        }
        done?;
        let warnings = match self.index().register(&fork.work_dir) {
            Ok(warnings) => warnings,
            Err(error) => vec![error.to_string()],
        };
        Ok((fork, warnings))
    }
}

fn copy(from: &Session, to: &Session, title: &str) -> Result<(), StoreError> {
    for name in kept_contexts(&from.dir).map_err(failed(&from.dir))? {
        let path = from.dir.join(&name);
        copy_file(&path, &to.dir.join(name)).map_err(failed(&path))?;
    }
    for name in DIRECTORIES {
        let path = from.dir.join(name);
        copy_directory(&path, &to.dir.join(name)).map_err(failed(&path))?;
    }
    copy_lines(&from.wire_path(), &to.wire_path()).map_err(failed(&from.wire_path()))?;
    write_state(from, to, title)?;
    leave_goal(from, to).map_err(StoreError::io("write", &to.dir))?;
    let unfinished = to.dir.join("context.tmp");
    copy_lines(&from.context_path(), &unfinished)
        .and_then(|()| fs::rename(&unfinished, to.context_path()))
        .map_err(failed(&from.context_path()))
}

fn write_state(from: &Session, to: &Session, title: &str) -> Result<(), StoreError> {
    let (mut file, _) = StateFile::open(&to.dir);
    file.state.custom_title = Some(title.chars().take(MAX_TITLE).collect());
    file.state.title_generated = true;
    file.state.additional_dirs = StateFile::peek(&from.dir).additional_dirs;
    let changed = fs::metadata(to.wire_path()).and_then(|meta| meta.modified()).ok();
    file.state.wire_mtime = changed
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map(|time| time.as_secs_f64());
    file.save()
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io("copy", path)
}

/// A goal stays where it was set. That there is none any more has to be known: the conversation speaks
/// of it.
fn leave_goal(from: &Session, to: &Session) -> io::Result<()> {
    match GoalLog::new(&from.dir).records() {
        Ok((records, _)) if !records.is_empty() => {
            GoalLog::new(&to.dir).append(&GoalRecord::Clear {})
        }
        // What nobody can read sets no goal.
        _ => Ok(()),
    }
}

/// The conversations that were replaced: `/undo` may go back into one.
fn kept_contexts(dir: &Path) -> io::Result<Vec<String>> {
    let names =
        fs::read_dir(dir)?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let numbered = |name: &String| {
        let number = name.strip_prefix("context_").and_then(|rest| rest.strip_suffix(".jsonl"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    Ok(names.filter(numbered).collect())
}

/// Copies the regular files below a directory. Links are not followed: they may lead anywhere.
fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    let mut entries = match fs::read_dir(from) {
        Ok(entries) => entries.flatten().collect::<Vec<_>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // `points.jsonl` and `tree.json` name what is in `blobs.pack`.
    entries.sort_by_key(|entry| (entry.file_name() == "blobs.pack", entry.file_name()));
    fs::create_dir_all(to)?;
    for entry in entries {
        let kind = entry.file_type()?;
        let to = to.join(entry.file_name());
        if kind.is_dir() {
            copy_directory(&entry.path(), &to)?;
        } else if kind.is_file() && entry.file_name() != LEFT_OUT {
            copy_file(&entry.path(), &to)?;
        }
    }
    Ok(())
}

/// Copies a regular file. One that has gone meanwhile, a temporary one, is not missed.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(from) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match fs::copy(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        copied => copied.map(drop),
    }
}

/// Copies the whole lines of a log. A missing one has none. The bytes stay the same: what refers to
/// places in the log holds for the copy.
fn copy_lines(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut copy = options.open(to)?;
    if let Some(mut log) = super::lines::open_regular(from)? {
        io::copy(&mut log, &mut copy)?;
    }
    let whole = whole_lines(&mut copy)?;
    copy.set_len(whole)?;
    copy.sync_data()
}

/// Bytes up to the last end of a line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        file.seek(SeekFrom::Start(start))?;
        let mut piece = Vec::new();
        file.by_ref().take(end - start).read_to_end(&mut piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use crate::store::ShareDir;

    fn store(dir: &Path) -> (SessionStore, Session, Env) {
        let env = fixed::env(dir, &[]);
        let store = SessionStore::new(ShareDir::new(dir.join("share")));
        let (session, _) = store.create(Path::new("/w"), Some("old"), &env).unwrap();
        fs::write(
            session.context_path(),
            "{\"role\":\"user\",\"content\":\"hi\"}\nnot json\n{\"role\":\"user\",\"con",
        )
        .unwrap();
        fs::write(session.wire_path(), "{\"type\": \"metadata\"}\n{\"timest").unwrap();
        (store, session, env)
    }

    #[test]
    fn the_past_is_copied_and_the_rest_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (store, old, env) = store(dir.path());
        fs::write(
            old.dir.join("state.json"),
            r#"{"custom_title":"the task","additional_dirs":["/more"],"approval":{"yolo":true},"todos":[{"title":"a","status":"done"}]}"#,
        )
        .unwrap();
        for name in [
            "snapshots/points.jsonl",
            "snapshots/restore.json",
            "subagents/a1/meta.json",
            "tasks/t/spec.json",
            "goal.jsonl",
        ] {
            let path = old.dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        fs::write(old.dir.join("context_1.jsonl"), "older\n").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", old.dir.join("snapshots/link")).unwrap();
        let (fork, warnings) = store.fork(&old, None, &env).unwrap();
        assert!(warnings.is_empty());
        let read = |name: &str| fs::read_to_string(fork.dir.join(name)).ok();
        // Whole lines, byte for byte.
        assert_eq!(
            read("context.jsonl").unwrap(),
            "{\"role\":\"user\",\"content\":\"hi\"}\nnot json\n"
        );
        assert_eq!(read("wire.jsonl").unwrap(), "{\"type\": \"metadata\"}\n");
        for name in ["snapshots/points.jsonl", "subagents/a1/meta.json"] {
            assert_eq!(read(name).as_deref(), Some(name));
        }
        assert_eq!(read("context_1.jsonl").as_deref(), Some("older\n"));
        for name in [
            "snapshots/restore.json",
            "snapshots/link",
            "tasks/t/spec.json",
            "goal.jsonl",
            "context.tmp",
        ] {
            assert_eq!(read(name), None, "{name}");
        }
        let state = StateFile::open(&fork.dir).0.state;
        assert_eq!(state.custom_title.as_deref(), Some("Fork: the task"));
        assert_eq!(state.additional_dirs, ["/more"]);
        assert!(state.title_generated && state.todos.is_empty() && !state.approval.yolo);
        // The other one is as it was, torn line and all.
        assert!(fs::read_to_string(old.context_path()).unwrap().ends_with("\"con"));
        assert_eq!(store.list(Path::new("/w")).len(), 2);
    }

    #[test]
    fn a_title_can_be_given_and_a_copy_that_fails_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (store, old, env) = store(dir.path());
        let (fork, _) = store.fork(&old, Some(&"x".repeat(300)), &env).unwrap();
        assert_eq!(StateFile::peek(&fork.dir).custom_title.unwrap().len(), MAX_TITLE);
        fs::remove_dir_all(&fork.dir).unwrap();
        fs::remove_file(old.wire_path()).unwrap();
        fs::create_dir(old.wire_path()).unwrap();
        let error = store.fork(&old, None, &env).unwrap_err().to_string();
        assert!(error.contains("wire.jsonl"), "{error}");
        let left = fs::read_dir(store.share().sessions_of(Path::new("/w"))).unwrap();
        assert_eq!(left.count(), 1, "the old one alone");
    }

    #[test]
    fn a_goal_is_not_inherited() {
        let dir = tempfile::tempdir().unwrap();
        let (store, old, env) = store(dir.path());
        let (fork, _) = store.fork(&old, None, &env).unwrap();
        assert!(!fork.dir.join("goal.jsonl").exists());
        let goal = GoalRecord::Create {
            goal_id: "g".into(),
            objective: "tidy".into(),
            completion_criterion: None,
        };
        GoalLog::new(&old.dir).append(&goal).unwrap();
        let (fork, _) = store.fork(&old, None, &env).unwrap();
        assert_eq!(GoalLog::new(&fork.dir).records().unwrap().0, [GoalRecord::Clear {}]);
        assert_eq!(GoalLog::new(&old.dir).records().unwrap().0, [goal]);
    }

    #[test]
    fn an_endless_last_line_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&from, format!("whole\n{}", "x".repeat(PIECE as usize * 2 + 7))).unwrap();
        copy_lines(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"whole\n");
        fs::write(&from, "torn").unwrap();
        fs::remove_file(&to).unwrap();
        copy_lines(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"");
    }
}
