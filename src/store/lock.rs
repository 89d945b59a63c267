//! Who has a session open. Several processes may: the lock only tells them of each other. And what a
//! lock that is held is, for all that lock files.

use std::fs::{File, TryLockError};
use std::io;

use super::{Session, StoreError};

/// Held while a session is open; dropping it lets go.
///
/// It lies on the session's directory itself, so that nothing is left behind by a process that was
/// killed.
#[derive(Debug)]
pub struct SessionLock {
    _held: Held,
}

/// A file with a lock that is held; dropping it lets go.
#[derive(Debug)]
pub struct Held(File);

impl Held {
    /// Takes the lock, if nobody has it.
    pub fn take(file: File) -> Result<Self, (File, TryLockError)> {
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(error) => Err((file, error)),
        }
    }
}

impl Drop for Held {
    /// Lets go even where a child process has a copy of the file, as each has between its fork and its
    /// start.
    fn drop(&mut self) {
        // One that cannot be let go ends with the process.
        let _ = self.0.unlock();
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
        Ok(Held::take(directory).ok().map(|held| Self { _held: held }))
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
