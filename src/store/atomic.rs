//! Replacing a file as a whole, so that a reader sees the old or the new one and nothing between.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Replaces `path` by a file with these bytes and this Unix mode (`0o600` for everything that may
/// hold secrets), creating missing parent directories.
///
/// Written beside the target, flushed to the disk and renamed over it. A killed writer leaves a
/// `tmp*.tmp` that nobody reads. When `path` is a symbolic link, the file it points to is replaced
/// and the link stays.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    Prepared::new(path, bytes, mode)?.replace()
}

/// [`write_atomic`] for what means nothing after a crash of the machine: readers never see half of
/// it, but nobody waits for the disk.
pub fn write_volatile(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    Prepared::unflushed(path, bytes, mode)?.replace()
}

/// The same where nothing is yet. Returns whether it was written: what is there already stays, also
/// when another process puts it there in this moment.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<bool> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(false);
    }
    Prepared::new(path, bytes, mode)?.place()
}

/// A file beside its target, whole, that only needs its name.
pub(super) struct Prepared {
    file: tempfile::NamedTempFile,
    target: PathBuf,
}

impl Prepared {
    /// Also on the disk when this returns.
    pub fn new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<Self> {
        let prepared = Self::unflushed(path, bytes, mode)?;
        prepared.file.as_file().sync_all()?;
        Ok(prepared)
    }

    fn unflushed(path: &Path, bytes: &[u8], mode: u32) -> io::Result<Self> {
        let target = follow(path);
        let dir = match target.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new().prefix("tmp").suffix(".tmp").tempfile_in(dir)?;
        file.write_all(bytes)?;
        set_mode(file.as_file(), mode)?;
        Ok(Self { file, target })
    }

    /// Takes the place of whatever is there.
    pub fn replace(self) -> io::Result<()> {
        self.file.persist(&self.target).map(drop).map_err(|error| error.error)
    }

    /// Takes its place if that is free; returns whether it was. A link to nowhere is free.
    pub fn place(self) -> io::Result<bool> {
        if is_link(&self.target) {
            return self.replace().map(|()| true);
        }
        match self.file.persist_noclobber(&self.target) {
            Ok(_) => Ok(true),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }
}

/// The file behind a symbolic link; a link to nowhere or in a circle is replaced itself.
fn follow(path: &Path) -> PathBuf {
    if is_link(path)
        && let Ok(target) = fs::canonicalize(path)
    {
        return target;
    }
    path.to_path_buf()
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_symlink())
}

#[cfg(unix)]
fn set_mode(file: &fs::File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &fs::File, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn replaces_with_the_mode_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        write_atomic(&path, b"one", 0o600).unwrap();
        write_atomic(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn of_many_first_writers_one_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/file");
        let write = |n: usize| write_new(&path, n.to_string().as_bytes(), 0o600).unwrap();
        let won: Vec<usize> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8).map(|n| (n, scope.spawn(move || write(n)))).collect();
            writers.into_iter().filter_map(|(n, one)| one.join().unwrap().then_some(n)).collect()
        });
        assert_eq!(won.len(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), won[0].to_string());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // A link to nowhere is something, too.
        let link = dir.path().join("link");
        symlink(dir.path().join("nowhere"), &link).unwrap();
        assert!(!write_new(&link, b"x", 0o600).unwrap());
    }

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, "old").unwrap();
        symlink(&real, &link).unwrap();
        write_atomic(&link, b"new", 0o600).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }

    #[test]
    fn a_circle_of_links_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        symlink(&a, &b).unwrap();
        symlink(&b, &a).unwrap();
        write_atomic(&a, b"x", 0o600).unwrap();
        assert_eq!(fs::read(&a).unwrap(), b"x");
    }

    #[test]
    fn a_directory_in_the_way_is_an_error_and_leaves_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "x").unwrap();
        assert!(write_atomic(&path, b"x", 0o600).is_err());
        assert!(path.join("kept").exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
