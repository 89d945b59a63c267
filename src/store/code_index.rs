//! `session_index.jsonl`: where kimi-code's sessions are. Programs around it look there for the
//! session that a run has named, to give it a title.

use std::io::Write;

use serde_json::json;

use super::lines::{is_torn, open_log};
use super::{Session, ShareDir, StoreError};

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
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(tell_session(&share, &session("session_3")).is_err());
    }
}
