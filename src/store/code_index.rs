//! `session_index.jsonl`: where kimi-code's sessions are. Programs around it look there for the
//! session that a run has named, to give it a title.

use std::io::Write;

use serde_json::json;

use super::lines::{is_torn, open_log, read_regular};
use super::{Session, ShareDir, StoreError};

/// A longer index is nobody's.
const MAX_BYTES: u64 = 16 << 20;

/// Adds a session. One line, one write: others add theirs at the same time.
pub fn tell_session(share: &ShareDir, session: &Session) -> Result<(), StoreError> {
    let path = share.session_index();
    let line = json!({
        "sessionId": session.id,
        "sessionDir": session.dir.to_string_lossy(),
        "workDir": session.work_dir.to_string_lossy(),
    });
    let add = || {
        let mut file = open_log(&path)?;
        let before = if is_torn(&mut file)? { "\n" } else { "" };
        file.write_all(format!("{before}{line}\n").as_bytes())
    };
    add().map_err(StoreError::io("write", &path))
}

/// Whether the index of a data directory has a session of this id.
pub fn knows_session(share: &ShareDir, id: &str) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        session_id: String,
        #[serde(default)]
        deleted: bool,
    }
    let bytes = read_regular(&share.session_index(), MAX_BYTES).ok().flatten().unwrap_or_default();
    let mut entries = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        serde_json::from_slice::<Entry>(line).ok().filter(|entry| entry.session_id == id)
    });
    // The newest word counts.
    entries.next_back().is_some_and(|entry| !entry.deleted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn every_session_is_a_line_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let share = ShareDir::new(dir.path().join("home"));
        let session = |id: &str| Session {
            id: id.to_owned(),
            dir: share.sessions_dir().join("x").join(id),
            work_dir: "/w \"q\"".into(),
        };
        tell_session(&share, &session("session_1")).unwrap();
        let path = share.session_index();
        let mut text = fs::read_to_string(&path).unwrap();
        let dir = session("session_1").dir;
        assert_eq!(
            text,
            format!(
                "{{\"sessionId\":\"session_1\",\"sessionDir\":{},\"workDir\":\"/w \\\"q\\\"\"}}\n",
                json!(dir)
            )
        );
        text.push_str("{\"sessionId\":\"tor");
        fs::write(&path, &text).unwrap();
        tell_session(&share, &session("session_2")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().last().unwrap().contains("session_2"));
        assert!(knows_session(&share, "session_1") && knows_session(&share, "session_2"));
        assert!(!knows_session(&share, "session_3"));
        let gone = format!("{text}{{\"sessionId\":\"session_1\",\"deleted\":true}}\n");
        fs::write(&path, gone).unwrap();
        assert!(!knows_session(&share, "session_1") && knows_session(&share, "session_2"));
        fs::remove_file(&path).unwrap();
        assert!(!knows_session(&share, "session_2"));
        fs::create_dir(&path).unwrap();
        assert!(tell_session(&share, &session("session_3")).is_err());
    }
}
