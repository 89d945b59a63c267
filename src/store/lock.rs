//! Who has a session open. Several processes may: the lock only tells them of each other.

use std::fs::File;
use std::io;

use super::{Session, StoreError};

/// Held while a session is open; dropping it lets go.
///
/// It lies on the session's directory itself, so that nothing is left behind by a process that was
/// killed.
#[derive(Debug)]
pub struct SessionLock {
    directory: File,
}

impl Drop for SessionLock {
    /// Lets go even where a child process has a copy of the file, as each has between its fork and its
    /// start.
    fn drop(&mut self) {
        // One that cannot be let go ends with the process.
        let _ = self.directory.unlock();
    }
}

impl SessionLock {
    /// Takes the lock. `None` when another process has the session open, or where directories
    /// cannot be locked.
    pub fn take(session: &Session) -> Result<Option<Self>, StoreError> {
        let opened = File::open(&session.dir);
        let directory = match opened {
            Ok(directory) => directory,
            // Some systems do not open directories.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
            Err(error) => return Err(StoreError::io("open", &session.dir)(error)),
        };
        Ok(directory.try_lock().is_ok().then_some(Self { directory }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_and_the_next_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let session = Session {
            id: "s".into(),
            dir: dir.path().to_path_buf(),
            work_dir: dir.path().to_path_buf(),
        };
        let first = SessionLock::take(&session).unwrap();
        assert!(first.is_some());
        assert!(SessionLock::take(&session).unwrap().is_none());
        drop(first);
        assert!(SessionLock::take(&session).unwrap().is_some());
    }
}
