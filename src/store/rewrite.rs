//! Changing a file that other processes change too, so that nobody's change is lost.

use std::fs::{OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::atomic::Prepared;
use super::lines::read_regular;
use super::lock::Held;

/// How often, and how long between, another process is waited for before going on without a lock.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// How often a file is begun anew that changes while it is being changed.
const REWRITE_TRIES: u32 = 20;

/// Why a file was not changed.
#[derive(Debug)]
pub enum RewriteError<E> {
    Read(io::Error),
    Write(io::Error),
    /// What `change` said.
    Change(E),
}

/// Replaces a file of at most `max` bytes by what `change` makes of it as it is now; `None` stands for
/// no file on the way in and for "leave it" on the way out.
///
/// Processes of ours wait for each other on a lock beside the file. Others know no lock: the file is
/// looked at again right before it is replaced, and `change` is called once more when it is not what
/// it was.
pub fn rewrite<E>(
    path: &Path,
    max: u64,
    mode: u32,
    mut change: impl FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>, E>,
) -> Result<(), RewriteError<E>> {
    let read = || read_regular(path, max).map_err(RewriteError::Read);
    let _lock = lock(path);
    for _ in 0..REWRITE_TRIES {
        let before = read()?;
        let Some(after) = change(before.as_deref()).map_err(RewriteError::Change)? else {
            return Ok(());
        };
        let prepared = Prepared::new(path, &after, mode).map_err(RewriteError::Write)?;
        if read()? != before {
            continue;
        }
        let written = match before {
            Some(_) => prepared.replace().map(|()| true),
            None => prepared.place(),
        };
        if written.map_err(RewriteError::Write)? {
            return Ok(());
        }
    }
    let problem = "other programs keep changing it";
    Err(RewriteError::Write(io::Error::new(io::ErrorKind::ResourceBusy, problem)))
}

/// The lock beside a file, held until it is dropped. `None` after a second or where there is no
/// locking: going on is better than not starting.
pub(super) fn lock(path: &Path) -> Option<Held> {
    let mut name = path.file_name()?.to_owned();
    name.push(".lock");
    let beside = path.with_file_name(name);
    std::fs::create_dir_all(beside.parent()?).ok()?;
    let mut file = OpenOptions::new().create(true).append(true).open(beside).ok()?;
    for _ in 0..LOCK_TRIES {
        match Held::take(file) {
            Ok(held) => return Some(held),
            Err((_, TryLockError::Error(_))) => return None,
            Err((busy, TryLockError::WouldBlock)) => file = busy,
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::fs;

    fn append(path: &Path, line: &str) {
        rewrite(path, 1 << 20, 0o600, |before| {
            let mut text = before.unwrap_or_default().to_vec();
            text.extend_from_slice(line.as_bytes());
            Ok::<_, Infallible>(Some(text))
        })
        .unwrap();
    }

    #[test]
    fn no_writer_loses_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..5 {
                        append(path, &format!("{writer} {n}\n"));
                    }
                });
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 20, "{text}");
    }

    #[test]
    fn what_others_write_meanwhile_is_taken_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "old ").unwrap();
        let mut calls = 0;
        rewrite(&path, 100, 0o600, |before| {
            calls += 1;
            let before = before.unwrap().to_vec();
            if calls == 1 {
                // Somebody who knows no lock.
                fs::write(&path, "theirs ").unwrap();
            }
            Ok::<_, Infallible>(Some([&before[..], b"ours"].concat()))
        })
        .unwrap();
        assert_eq!((calls, fs::read_to_string(&path).unwrap().as_str()), (2, "theirs ours"));
    }

    #[test]
    fn a_file_that_appears_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut seen = Vec::new();
        rewrite(&path, 100, 0o600, |before| {
            seen.push(before.map(<[u8]>::to_vec));
            if before.is_none() {
                fs::write(&path, "theirs").unwrap();
            }
            Ok::<_, Infallible>(before.is_none().then(|| b"ours".to_vec()))
        })
        .unwrap();
        assert_eq!(seen, [None, Some(b"theirs".to_vec())]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &path).unwrap();
        append(&path, "one\n");
        append(&path, "two\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_file_that_never_rests_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut n = 0;
        let error = rewrite(&path, 100, 0o600, |_| {
            n += 1;
            fs::write(&path, n.to_string()).unwrap();
            Ok::<_, Infallible>(Some(Vec::new()))
        })
        .unwrap_err();
        assert!(
            matches!(error, RewriteError::Write(error) if error.to_string().contains("other programs"))
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), n.to_string());
    }
}
