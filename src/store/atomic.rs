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
    replace(path, bytes, mode, fs::File::sync_all)
}

/// [`write_atomic`] for what means nothing after a crash of the machine: readers never see half of
/// it, but nobody waits for the disk.
pub fn write_volatile(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace(path, bytes, mode, |_| Ok(()))
}

fn replace(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    flush: impl FnOnce(&fs::File) -> io::Result<()>,
) -> io::Result<()> {
    let target = follow(path);
    let dir = match target.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    fs::create_dir_all(dir)?;
    let mut file = tempfile::Builder::new().prefix("tmp").suffix(".tmp").tempfile_in(dir)?;
    file.write_all(bytes)?;
    set_mode(file.as_file(), mode)?;
    flush(file.as_file())?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// The file behind a symbolic link; a link to nowhere or in a circle is replaced itself.
fn follow(path: &Path) -> PathBuf {
    let is_link = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_symlink());
    if is_link && let Ok(target) = fs::canonicalize(path) {
        return target;
    }
    path.to_path_buf()
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
