//! Putting files back: never through a link, never outside the workspace, each by itself.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::NamedTempFile;

use super::copies::observe;
use crate::store::snapshots::{Content, PathState, Put, Stamp, decode_path};
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

/// What putting back came to.
#[derive(Debug, Default)]
pub(super) struct PutBack {
    pub failed: Vec<Failed>,
    /// Not begun when it was stopped: everything here is as it was.
    pub left: Vec<Put>,
}

/// Files that are written before the disk has to have them: each by itself would wait for the disk.
const BATCH: usize = 64;
/// The same in bytes.
const BATCH_BYTES: u64 = 32 << 20;

/// Puts everything back that can be: what has to go first goes, then what has to come comes. What is
/// there already counts as put back, so that it can be done again after it was cut off. `stopped` is
/// asked between the files, `through` counts the paths that are through.
pub(super) fn put_back(
    puts: &[Put],
    roots: &[PathBuf],
    fetch: Fetch<'_>,
    stopped: &dyn Fn() -> bool,
    through: &AtomicUsize,
) -> PutBack {
    let roots: Vec<PathBuf> = roots.iter().filter_map(|root| real_path(root)).collect();
    let mut order: Vec<(&Put, PathBuf)> =
        puts.iter().map(|put| (put, decode_path(&put.path))).collect();
    // Children before their directory, so that it is empty when its turn comes.
    order.sort_by(|a, b| b.1.cmp(&a.1));
    let (leaves, comes): (Vec<_>, Vec<_>) =
        order.into_iter().partition(|(put, _)| matches!(put.to, PathState::Absent));
    let mut done = PutBack::default();
    let (mut staged, mut bytes) = (Vec::new(), 0);
    for (put, path) in leaves.into_iter().chain(comes.into_iter().rev()) {
        if stopped() {
            done.left.push(put.clone());
            continue;
        }
        match guard(&path, &roots).and_then(|()| put_one(put, &path, fetch)) {
            Ok(Some(fresh)) => {
                bytes += fresh.size;
                staged.push((put, fresh));
            }
            Ok(None) => {
                through.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                through.fetch_add(1, Ordering::Relaxed);
                done.failed.push(Failed { path, why: in_words(&error) });
            }
        }
        if staged.len() >= BATCH || bytes >= BATCH_BYTES {
            place(&mut staged, &roots, &mut done, stopped, through);
            bytes = 0;
        }
    }
    place(&mut staged, &roots, &mut done, stopped, through);
    let unchanged: HashSet<PathBuf> = done
        .failed
        .iter()
        .map(|failed| failed.path.clone())
        .chain(done.left.iter().map(|put| decode_path(&put.path)))
        .collect();
    for put in puts.iter().rev() {
        if let PathState::Directory { mode } = put.to {
            let path = decode_path(&put.path);
            if !unchanged.contains(&path)
                && let Err(error) = set_mode(&path, mode)
            {
                done.failed.push(Failed { path, why: in_words(&error) });
            }
        }
    }
    done
}

/// Puts the written files in their places, once the disk has them.
fn place(
    staged: &mut Vec<(&Put, Fresh)>,
    roots: &[PathBuf],
    done: &mut PutBack,
    stopped: &dyn Fn() -> bool,
    through: &AtomicUsize,
) {
    // The first one that waits for the disk waits for nearly all of them.
    let synced: Vec<io::Result<()>> =
        staged.iter().map(|(_, fresh)| fresh.file.as_file().sync_data()).collect();
    for ((put, fresh), synced) in staged.drain(..).zip(synced) {
        if stopped() {
            done.left.push(put.clone());
            continue;
        }
        through.fetch_add(1, Ordering::Relaxed);
        let path = fresh.path.clone();
        let placed = synced.and_then(|()| guard(&path, roots)).and_then(|()| fresh.place());
        if let Err(error) = placed {
            done.failed.push(Failed { path, why: in_words(&error) });
        }
    }
}

/// Why a file is left alone that is not what it was when the rewind was planned.
pub(super) const CHANGED: &str = "it was changed meanwhile";

/// An error as a person reads it.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
        io::ErrorKind::AlreadyExists => "something else is in its place".to_owned(),
        io::ErrorKind::NotADirectory => "a file is where its directory was".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
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

/// Puts one path back, or writes the file that is to be placed there.
fn put_one(put: &Put, path: &Path, fetch: Fetch<'_>) -> io::Result<Option<Fresh>> {
    let stamp = stamp(path);
    let now = observe(path);
    if same(&now, &put.to, fetch) {
        return Ok(None);
    }
    if !same(&now, &put.from, fetch) {
        return Err(io::Error::other(CHANGED));
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
            return write_file(path, stamp, &bytes, *mode);
        }
        PathState::Link { target } => {
            make_room(path)?;
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
    .map(|()| None)
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
fn make_room(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return fs::remove_dir(path)
            .map_err(|_| io::Error::other("a directory with files is in its place"));
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    Ok(())
}

/// How the names of files begin that are written and not in their places.
const FRESH: &str = ".kimi-rewind-";

/// Removes what a killed process had written and not placed.
pub(super) fn sweep(puts: &[Put], roots: &[PathBuf]) {
    let dirs: BTreeSet<PathBuf> = puts
        .iter()
        .map(|put| decode_path(&put.path))
        .filter(|path| guard(path, roots).is_ok())
        .filter_map(|path| path.parent().map(Path::to_path_buf))
        .collect();
    for entry in dirs.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten() {
        let name = entry.file_name();
        let ours =
            name.to_str().is_some_and(|name| name.starts_with(FRESH) && name.ends_with(".tmp"));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A file that is written and has only to be placed.
struct Fresh {
    path: PathBuf,
    file: NamedTempFile,
    /// What was at the path when it was read.
    stamp: Option<Stamp>,
    size: u64,
}

impl Fresh {
    /// Somebody may have been there since it was read.
    fn place(self) -> io::Result<()> {
        if stamp(&self.path) != self.stamp {
            return Err(io::Error::other(CHANGED));
        }
        make_room(&self.path)?;
        self.file.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::symlink_metadata(path).ok().map(|metadata| Stamp::of(&metadata))
}

/// Writes the file beside its place; one that keeps its place is written there.
fn write_file(
    path: &Path,
    stamp: Option<Stamp>,
    bytes: &[u8],
    mode: u32,
) -> io::Result<Option<Fresh>> {
    let there = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file);
    if there.as_ref().is_some_and(|metadata| keeps_its_place(path, metadata)) {
        let mut file = File::options().write(true).truncate(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        return set_mode(path, mode).map(|()| None);
    }
    let dir = path.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
    fs::create_dir_all(dir)?;
    let mut file = tempfile::Builder::new().prefix(FRESH).suffix(".tmp").tempfile_in(dir)?;
    file.write_all(bytes)?;
    if let Some(metadata) = &there {
        give_to_owner(file.as_file(), metadata)?;
    }
    // After the owner: changing that takes special permissions away.
    set_mode(file.path(), mode)?;
    let (path, size) = (path.to_path_buf(), bytes.len() as u64);
    Ok(Some(Fresh { path, file, stamp, size }))
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
