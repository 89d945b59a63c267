//! The data directory and the sessions in it.

use std::io;
use std::path::Path;

use super::Finding;
use crate::platform::Env;
use crate::store::{SessionStore, ShareDir};

/// Whether the data directory can be written to, or made.
pub(super) fn home(env: &Env) -> Finding {
    let share = ShareDir::from_env(env);
    let root = share.root();
    let shown = root.display();
    // One that is not there yet is made in the nearest directory that is.
    let there = root.ancestors().find(|dir| dir.symlink_metadata().is_ok()).unwrap_or(root);
    match can_write(there) {
        Ok(()) if there == root => Finding::ok("home", format!("{shown} is writable")),
        Ok(()) => Finding::ok("home", format!("{shown} is made when it is needed")),
        Err(error) => Finding::fault(
            "home",
            format!("nothing can be written to {}: {error}", there.display()),
            "make it writable for you, or set KIMI_SHARE_DIR to another directory",
        ),
    }
}

fn can_write(dir: &Path) -> io::Result<()> {
    if !dir.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"));
    }
    tempfile::Builder::new().prefix("tmp").suffix(".tmp").tempfile_in(dir).map(drop)
}

/// Whether the sessions can be read.
pub(super) fn sessions(env: &Env) -> Finding {
    let share = ShareDir::from_env(env);
    let store = SessionStore::new(share.clone());
    if let Err(error) = store.index().check() {
        return Finding::fault(
            "sessions",
            format!("{} cannot be read: {error}", share.kimi_json().display()),
            "move it away: a new one is made, and sessions are found again by their directory",
        );
    }
    let work_dirs = store.index().work_dirs();
    let closed = |dir: &Path| match std::fs::read_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Some(error),
        _ => None,
    };
    for dir in std::iter::once(share.sessions_dir())
        .chain(work_dirs.iter().map(|work_dir| share.sessions_of(work_dir)))
    {
        if let Some(error) = closed(&dir) {
            return Finding::fault(
                "sessions",
                format!("{} cannot be read: {error}", dir.display()),
                "make it readable for you",
            );
        }
    }
    let count = store.list_all().len();
    let directories = match work_dirs.len() {
        1 => "1 work directory".to_owned(),
        n => format!("{n} work directories"),
    };
    Finding::ok("sessions", format!("{count} in {directories}"))
}
