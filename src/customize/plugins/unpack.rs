//! Bringing the files of a plugin into a directory of ours: only files and directories, only inside,
//! only so many of them.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use zip::ZipArchive;

/// What a plugin may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub bytes: u64,
    pub files: usize,
}

/// Bounds that no plugin should need, and that no disk minds.
pub(super) const BOUNDS: Bounds = Bounds { bytes: 200 << 20, files: 10_000 };

/// Why the files could not be brought in.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("the archive cannot be read: {0}")]
    Archive(#[from] zip::result::ZipError),
    #[error("{0:?} would be outside of the plugin")]
    Outside(String),
    #[error("{0:?} is a link that leads out of the plugin, or no file at all")]
    Link(String),
    #[error("it is larger than {} MB", .0 >> 20)]
    Bytes(u64),
    #[error("it has more than {0} files")]
    Files(usize),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is left of the bounds.
struct Left {
    of: Bounds,
    bytes: u64,
    files: usize,
}

impl Left {
    fn new(of: Bounds) -> Self {
        Self { of, bytes: of.bytes, files: of.files }
    }

    fn file(&mut self) -> Result<(), UnpackError> {
        self.files = self.files.checked_sub(1).ok_or(UnpackError::Files(self.of.files))?;
        Ok(())
    }

    /// Copies a whole file. What it claims to be long is not believed.
    fn copy(&mut self, from: &mut impl Read, to: &mut impl Write) -> Result<(), UnpackError> {
        let copied = io::copy(&mut from.take(self.bytes + 1), to)?;
        self.bytes = self.bytes.checked_sub(copied).ok_or(UnpackError::Bytes(self.of.bytes))?;
        Ok(())
    }
}

/// Unpacks an archive. Links in it are refused.
pub(super) fn unzip(
    archive: impl Read + Seek,
    to: &Path,
    bounds: Bounds,
) -> Result<(), UnpackError> {
    let mut archive = ZipArchive::new(archive)?;
    let mut left = Left::new(bounds);
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at)?;
        let name = entry.name().to_owned();
        let path = inside(&name).ok_or_else(|| UnpackError::Outside(name.clone()))?;
        let mode = entry.unix_mode();
        // The kind of file is in the upper bits, where an archive has them at all.
        let kind = mode.map_or(0, |mode| mode & 0o170_000);
        if !matches!(kind, 0 | 0o100_000 | 0o040_000) {
            return Err(UnpackError::Link(name));
        }
        left.file()?;
        let target = to.join(path);
        if entry.is_dir() {
            fs::create_dir_all(&target)?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        // Two entries of one name would let the second be another than the one that was looked at.
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&target)?;
        left.copy(&mut entry, &mut file)?;
        let executable = mode.is_some_and(|mode| mode & 0o111 != 0);
        file.set_permissions(fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
    }
    Ok(())
}

/// A name in an archive as a relative path that stays inside.
fn inside(name: &str) -> Option<PathBuf> {
    if name.contains(['\0', '\\']) {
        return None;
    }
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!path.as_os_str().is_empty()).then_some(path)
}

/// Copies a directory without its `.git`. A link stays one when it leads to something inside.
pub(super) fn copy_tree(from: &Path, to: &Path, bounds: Bounds) -> Result<(), UnpackError> {
    let root = fs::canonicalize(from)?;
    copy_dir(&root, &root, to, &mut Left::new(bounds))
}

fn copy_dir(root: &Path, from: &Path, to: &Path, left: &mut Left) -> Result<(), UnpackError> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        left.file()?;
        if kind.is_dir() {
            if entry.file_name() != ".git" {
                copy_dir(root, &source, &target, left)?;
            }
        } else if kind.is_file() {
            let mut file = fs::File::open(&source)?;
            let mode = file.metadata()?.permissions().mode() & 0o755 | 0o600;
            let mut copy = fs::OpenOptions::new().write(true).create_new(true).open(&target)?;
            left.copy(&mut file, &mut copy)?;
            copy.set_permissions(fs::Permissions::from_mode(mode))?;
        } else if kind.is_symlink() && stays_inside(root, &source) {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else {
            return Err(UnpackError::Link(source.display().to_string()));
        }
    }
    Ok(())
}

/// Whether a link is relative and what it leads to is in the tree.
fn stays_inside(root: &Path, link: &Path) -> bool {
    fs::read_link(link).is_ok_and(|target| target.is_relative())
        && fs::canonicalize(link).is_ok_and(|target| target.starts_with(root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn archive(entries: &[(&str, &[u8])]) -> Cursor<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap()
    }

    fn unpacked(
        archive: Cursor<Vec<u8>>,
        bounds: Bounds,
    ) -> Result<tempfile::TempDir, UnpackError> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        unzip(archive, &dir.path().join("in"), bounds).map(|()| dir)
    }

    #[test]
    fn files_keep_their_places_and_whether_they_run() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_directory("empty/", SimpleFileOptions::default()).unwrap();
        let run = SimpleFileOptions::default().unix_permissions(0o4777);
        writer.start_file("bin/run", run).unwrap();
        writer.write_all(b"#!/bin/sh\n").unwrap();
        writer.start_file("./plugin.json", SimpleFileOptions::default()).unwrap();
        let dir = unpacked(writer.finish().unwrap(), BOUNDS).unwrap();
        let mode = |name: &str| {
            fs::metadata(dir.path().join("in").join(name)).unwrap().permissions().mode() & 0o7777
        };
        assert_eq!((mode("bin/run"), mode("plugin.json")), (0o755, 0o644));
        assert!(dir.path().join("in/empty").is_dir());
    }

    #[test]
    fn nothing_leaves_the_directory() {
        for name in ["../out", "a/../../out", "/tmp/kimi-out", "..\\out", "a/..", ".."] {
            let error = unpacked(archive(&[("ok", b"x"), (name, b"x")]), BOUNDS).unwrap_err();
            assert!(matches!(error, UnpackError::Outside(_)), "{name}: {error}");
        }
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("link", "/etc", SimpleFileOptions::default()).unwrap();
        writer.start_file("link/passwd", SimpleFileOptions::default()).unwrap();
        let error = unpacked(writer.finish().unwrap(), BOUNDS).unwrap_err();
        assert!(matches!(error, UnpackError::Link(_)), "{error}");
    }

    #[test]
    fn bombs_are_stopped_by_what_they_unpack_to() {
        let bounds = Bounds { bytes: 1 << 20, files: 20 };
        let bomb = archive(&[("a", &vec![0; 700_000]), ("b", &vec![0; 700_000])]);
        assert!(bomb.get_ref().len() < 10_000);
        let error = unpacked(bomb, bounds).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1 MB");
        let names: Vec<String> = (0..21).map(|n| format!("f{n}")).collect();
        let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        let error = unpacked(archive(&many), bounds).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 20 files");
        unpacked(archive(&many[..20]), bounds).unwrap();
    }

    #[test]
    fn torn_archives_are_errors() {
        let whole = archive(&[("plugin.json", b"{\"name\": \"a\"}")]).into_inner();
        for end in 0..whole.len() {
            unpacked(Cursor::new(whole[..end].to_vec()), BOUNDS).unwrap_err();
        }
        for at in 0..whole.len() {
            // Whatever comes of it: no panic, and nothing outside.
            let mut bent = whole.clone();
            bent[at] ^= 0xff;
            drop(unpacked(Cursor::new(bent), BOUNDS));
        }
    }

    #[test]
    fn a_tree_is_copied_with_links_that_stay_inside() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::create_dir_all(from.join("a/.git")).unwrap();
        fs::write(from.join("a/file"), "x").unwrap();
        fs::write(from.join("a/.git/config"), "x").unwrap();
        symlink("a/file", from.join("link")).unwrap();
        copy_tree(&from, &dir.path().join("to"), BOUNDS).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("to/link")).unwrap(), "x");
        assert!(!dir.path().join("to/a/.git").exists());
        for target in ["/etc/hostname", "../outside", "nowhere"] {
            fs::write(dir.path().join("outside"), "x").unwrap();
            let link = from.join("bad");
            symlink(target, &link).unwrap();
            let to = dir.path().join(format!("to-{}", target.replace('/', "_")));
            assert!(matches!(copy_tree(&from, &to, BOUNDS), Err(UnpackError::Link(_))), "{target}");
            fs::remove_file(link).unwrap();
        }
    }
}
