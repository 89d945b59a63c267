//! Putting sessions away: they stay on disk and leave the ordinary lists.

use super::{Session, SessionStore, StateFile, StoreError};

impl SessionStore {
    /// Puts a session away at Unix time `now`, or takes it back. One that was taken back is not put
    /// away again by programs that do so with old ones (sessions.md section 2).
    pub fn set_archived(
        &self,
        session: &Session,
        archived: bool,
        now: f64,
    ) -> Result<(), StoreError> {
        let (mut file, _) = StateFile::open(&session.dir);
        file.state.archived = archived;
        file.state.archived_at = archived.then_some(now);
        file.state.auto_archive_exempt |= !archived;
        file.save()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use crate::store::ShareDir;
    use std::path::Path;

    #[test]
    fn a_session_goes_away_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let env = fixed::env(dir.path(), &[]);
        let store = SessionStore::new(ShareDir::new(dir.path()));
        let (session, _) = store.create(Path::new("/w"), Some("s"), &env).unwrap();
        // kimi-cli's server has named it, with a key that is not ours.
        let state = session.dir.join("state.json");
        std::fs::write(&state, r#"{"custom_title":"mine","theirs":7}"#).unwrap();
        store.set_archived(&session, true, 5.0).unwrap();
        let read = || {
            serde_json::from_slice::<serde_json::Value>(&std::fs::read(&state).unwrap()).unwrap()
        };
        assert_eq!(read()["archived"], true);
        assert_eq!(read()["archived_at"], 5.0);
        assert_eq!(read()["auto_archive_exempt"], false);
        assert!(store.list(Path::new("/w"))[0].archived && store.latest(Path::new("/w")).is_none());
        store.set_archived(&session, false, 6.0).unwrap();
        let now = read();
        assert_eq!(
            (&now["archived"], &now["archived_at"]),
            (&false.into(), &serde_json::Value::Null)
        );
        assert_eq!(now["auto_archive_exempt"], true);
        assert_eq!((&now["custom_title"], &now["theirs"]), (&"mine".into(), &7.into()));
        assert!(store.latest(Path::new("/w")).is_some());
    }
}
