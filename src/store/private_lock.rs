//! A lock beside a file with secrets, waited for without blocking.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock::Held;

/// Time between two looks at the lock.
const PACE: Duration = Duration::from_millis(25);

/// Held while a file is being changed that several processes change; dropping it lets go. It is
/// `flock`'s, which other programs of the family take on the same file.
#[derive(Debug)]
pub struct PrivateLock {
    _held: Held,
}

impl PrivateLock {
    /// Takes the lock, a file that only the user may read in a directory that only the user may look
    /// into; both are made. `None` when somebody else holds it all the time.
    pub async fn take(path: PathBuf, patience: Duration) -> io::Result<Option<Self>> {
        let opened = tokio::task::spawn_blocking(move || open(&path)).await;
        let mut file = opened.map_err(io::Error::other)??;
        let held = async {
            loop {
                match Held::take(file) {
                    Ok(held) => return Ok(held),
                    Err((free, TryLockError::WouldBlock)) => file = free,
                    Err((_, TryLockError::Error(error))) => return Err(error),
                }
                tokio::time::sleep(PACE).await;
            }
        };
        match tokio::time::timeout(patience, held).await {
            Ok(held) => held.map(|held| Some(Self { _held: held })),
            Err(_) => Ok(None),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).append(true).create(true);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
            options.mode(0o600);
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        }
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_waits_until_the_first_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets/file.lock");
        let take = |patience| PrivateLock::take(path.clone(), patience);
        let first = take(Duration::ZERO).await.unwrap().expect("nobody has it");
        assert!(take(Duration::from_millis(60)).await.unwrap().is_none());
        let second = tokio::spawn(PrivateLock::take(path.clone(), Duration::from_secs(30)));
        drop(first);
        assert!(second.await.unwrap().unwrap().is_some());
    }
}
