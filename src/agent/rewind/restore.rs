//! Putting files back: never through a link, never outside the workspace, each by itself.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::copies::observe;
use crate::store::snapshots::{Content, PathState, Put, decode_path};
use crate::tools::path_guard::real_path;
use crate::tools::{give_to_owner, keeps_its_place};

/// Where bytes come from.
pub(super) type Fetch<'a> = &'a dyn Fn(&Content) -> io::Result<Vec<u8>>;

/// A path that was not put back, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    pub path: PathBuf,
    pub why: String,
}

/// Puts everything back that can be: what has to go first goes, then what has to come comes. What is
/// there already counts as put back, so that it can be done again after it was cut off.
pub(super) fn put_back(puts: &[Put], roots: &[PathBuf], fetch: Fetch<'_>) -> Vec<Failed> {
    let roots: Vec<PathBuf> = roots.iter().filter_map(|root| real_path(root)).collect();
    let mut order: Vec<(&Put, PathBuf)> =
        puts.iter().map(|put| (put, decode_path(&put.path))).collect();
    // Children before their directory, so that it is empty when its turn comes.
    order.sort_by(|a, b| b.1.cmp(&a.1));
    let (leaves, comes): (Vec<_>, Vec<_>) =
        order.into_iter().partition(|(put, _)| matches!(put.to, PathState::Absent));
    let mut failed = Vec::new();
    for (put, path) in leaves.into_iter().chain(comes.into_iter().rev()) {
        let result = guard(&path, &roots).and_then(|()| put_one(put, &path, fetch));
        if let Err(error) = result {
            failed.push(Failed { path, why: in_words(&error) });
        }
    }
    for put in puts.iter().rev() {
        if let PathState::Directory { mode } = put.to {
            let path = decode_path(&put.path);
            let ours = !failed.iter().any(|failed: &Failed| failed.path == path);
            if ours && let Err(error) = set_mode(&path, mode) {
                failed.push(Failed { path, why: in_words(&error) });
            }
        }
    }
    failed
}

/// An error as a person reads it.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => error.to_string(),
    }
}

/// The directory must be where it was: a link on the way would lead elsewhere.
fn guard(path: &Path, roots: &[PathBuf]) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
    if real_path(dir).as_deref() != Some(dir) {
        return Err(io::Error::other("its path leads through a link now"));
    }
    if !roots.iter().any(|root| path.starts_with(root) && path != root) {
        return Err(io::Error::other("it is outside the workspace"));
    }
    Ok(())
}

fn put_one(put: &Put, path: &Path, fetch: Fetch<'_>) -> io::Result<()> {
    let now = observe(path);
    if same(&now, &put.to, fetch) {
        return Ok(());
    }
    if !same(&now, &put.from, fetch) {
        return Err(io::Error::other("it was changed meanwhile and is left as it is"));
    }
    match &put.to {
        PathState::Absent => match now {
            PathState::Directory { .. } => fs::remove_dir(path).map_err(|error| {
                if error.kind() == io::ErrorKind::DirectoryNotEmpty {
                    return io::Error::other("the directory has other files in it");
                }
                error
            }),
            _ => fs::remove_file(path),
        },
        PathState::File { mode, content, .. } => {
            // Before anything is removed for it.
            let bytes = fetch(content)?;
            make_room(&now, path)?;
            write_file(path, &bytes, *mode)
        }
        PathState::Link { target } => {
            make_room(&now, path)?;
            place_link(path, &decode_path(target))
        }
        PathState::Directory { mode } => {
            if !matches!(now, PathState::Directory { .. } | PathState::Absent) {
                fs::remove_file(path)?;
            }
            if !path.is_dir() {
                fs::create_dir_all(path)?;
            }
            // What goes into it comes after it; its own mode comes last.
            set_mode(path, *mode | 0o700)
        }
        PathState::Other => Err(io::Error::other("it was neither a file nor a directory")),
    }
}

/// Whether two states are one, wherever their contents are kept.
pub(super) fn same(a: &PathState, b: &PathState, fetch: Fetch<'_>) -> bool {
    match (a, b) {
        (
            PathState::File { mode, size, content },
            PathState::File { mode: other_mode, size: other_size, content: other },
        ) => {
            if (mode, size) != (other_mode, other_size) {
                return false;
            }
            match (content, other) {
                (Content::Lost(_), _) | (_, Content::Lost(_)) => false,
                (Content::Blob(_), Content::Git(_)) | (Content::Git(_), Content::Blob(_)) => {
                    let digest = |content: &Content| match content {
                        Content::Blob(id) => Some(id.clone()),
                        other => fetch(other)
                            .ok()
                            .map(|bytes| crate::store::snapshots::Blobs::id(&bytes)),
                    };
                    digest(content).is_some_and(|id| Some(id) == digest(other))
                }
                _ => content == other,
            }
        }
        _ => a == b,
    }
}

/// An empty directory in a file's place goes; what is in a full one is worth more than the file.
fn make_room(now: &PathState, path: &Path) -> io::Result<()> {
    if matches!(now, PathState::Directory { .. }) {
        return fs::remove_dir(path)
            .map_err(|_| io::Error::other("a directory with files is in its place"));
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let there = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file);
    if there.as_ref().is_some_and(|metadata| keeps_its_place(path, metadata)) {
        let mut file = File::options().write(true).truncate(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        return set_mode(path, mode);
    }
    let dir = path.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
    let mut fresh = tempfile::Builder::new().prefix(".kimi-").suffix(".tmp").tempfile_in(dir)?;
    fresh.write_all(bytes)?;
    if let Some(metadata) = &there {
        give_to_owner(fresh.as_file(), metadata)?;
    }
    // After the owner: changing that takes special permissions away.
    set_mode(fresh.path(), mode)?;
    fresh.as_file().sync_data()?;
    fresh.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(unix)]
fn place_link(path: &Path, target: &Path) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
    let link = |temporary: &Path| std::os::unix::fs::symlink(target, temporary);
    let fresh = tempfile::Builder::new().prefix(".kimi-").suffix(".tmp").make_in(dir, link)?;
    fresh.persist(path).map_err(|error| error.error)
}

#[cfg(not(unix))]
fn place_link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::other("links cannot be made here"))
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
