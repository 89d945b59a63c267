//! Changing files safely: whole or not at all, one at a time, never over someone else's change.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::path_guard::{GuardedPath, real_path};
use super::{ApprovalAsk, ApprovalVerdict, CallContext, ToolReturn, diff_blocks::diff_blocks};
use crate::protocol::{DisplayBlock, ToolReturnValue};

/// What the file tools of a session share.
#[derive(Default)]
pub struct FileAccess {
    locks: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
    seen: Mutex<HashMap<PathBuf, Stamp>>,
}

/// Tells two states of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// A change that a person may still refuse.
pub struct Change {
    pub target: GuardedPath,
    /// What is there now; `None` when there is no file.
    pub before: Option<Vec<u8>>,
    pub after: Vec<u8>,
}

impl FileAccess {
    /// Remembers the state in which the session knows a file.
    pub fn note_seen(&self, real: &Path) {
        if let (Ok(mut seen), Ok(metadata)) = (self.seen.lock(), std::fs::metadata(real)) {
            seen.insert(real.to_path_buf(), Stamp::of(&metadata));
        }
    }

    /// Whether the file is another one than the session has read. False for files it never read.
    pub fn changed_since_seen(&self, real: &Path) -> bool {
        let known = self.seen.lock().ok().and_then(|seen| seen.get(real).copied());
        let now = std::fs::metadata(real).ok().map(|metadata| Stamp::of(&metadata));
        known.is_some() && known != now
    }

    fn lock_of(&self, real: &Path) -> Arc<tokio::sync::Mutex<()>> {
        match self.locks.lock() {
            Ok(mut locks) => Arc::clone(locks.entry(real.to_path_buf()).or_default()),
            Err(_) => Arc::default(),
        }
    }

    /// Asks for approval and makes the change. What the person has approved is what happens: when
    /// the file changed while they decided, nothing is written. `message` gets the new size.
    pub async fn apply(
        &self,
        cx: &CallContext,
        sender: &'static str,
        verb: &str,
        change: Change,
        message: impl FnOnce(usize) -> String,
    ) -> ToolReturn {
        let Change { target, before, after } = change;
        let (shown, old, new) = (target.path.clone(), before.clone(), after.clone());
        let display = tokio::task::spawn_blocking(move || {
            let old = String::from_utf8_lossy(old.as_deref().unwrap_or_default());
            diff_blocks(&shown, &old, &String::from_utf8_lossy(&new))
        })
        .await
        .unwrap_or_default();
        match self.ask(cx, sender, verb, &target, &display).await {
            Some(ApprovalVerdict::Approved) => {}
            Some(ApprovalVerdict::Rejected { feedback }) => {
                return ToolReturn::rejected(feedback.as_deref());
            }
            None => return cancelled().into(),
        }
        let lock = self.lock_of(&target.real);
        let _held = lock.lock().await;
        let size = after.len();
        let GuardedPath { path, real, inside } = target.clone();
        let written = tokio::task::spawn_blocking(move || {
            // A link that was turned while the person decided would lead elsewhere.
            if real_path(&path).as_ref() != Some(&real) {
                return Err(io::Error::other(
                    "its path leads elsewhere than when it was approved, so nothing was written. Try again",
                ));
            }
            if read_if_exists(&real)? != before {
                return Err(io::Error::other(
                    "the file was changed by someone else meanwhile, so nothing was written. Read it again and repeat the change",
                ));
            }
            write_atomically(&real, &after, inside)
        })
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = written {
            let brief = match verb {
                "Write" => "Failed to write file",
                _ => "Failed to edit file",
            };
            return ToolReturnValue::error(
                format!("{brief} `{}`: {error}.", target.path.display()),
                brief,
            )
            .into();
        }
        self.note_seen(&target.real);
        ToolReturnValue { display, ..ToolReturnValue::ok("", message(size)) }.into()
    }

    async fn ask(
        &self,
        cx: &CallContext,
        sender: &'static str,
        verb: &str,
        target: &GuardedPath,
        display: &[DisplayBlock],
    ) -> Option<ApprovalVerdict> {
        let mut description = format!("{verb} file `{}`", target.path.display());
        // The work directory itself may lie behind a link; only a surprise is worth telling.
        if !target.inside && target.path != target.real {
            description.push_str(&format!(", a link to `{}`", target.real.display()));
        }
        let action =
            if target.inside { "edit file" } else { "edit file outside of working directory" };
        let ask = ApprovalAsk {
            call_id: cx.call_id.clone(),
            sender: sender.to_owned(),
            action: action.to_owned(),
            description,
            display: display.to_vec(),
        };
        tokio::select! {
            verdict = cx.desk.approve(ask) => Some(verdict),
            () = cx.cancel.cancelled() => None,
        }
    }
}

/// The result of a call that was cancelled before it did anything.
pub fn cancelled() -> ToolReturnValue {
    ToolReturnValue::error("The call was cancelled before it did anything.", "Cancelled")
}

/// A file's bytes; `None` when there is none.
pub fn read_if_exists(real: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(real) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file so that it is never seen half written, keeping its permissions. `real` has no
/// links left. `make_parents` creates missing directories.
fn write_atomically(real: &Path, bytes: &[u8], make_parents: bool) -> io::Result<()> {
    let parent = real.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
    if make_parents {
        std::fs::create_dir_all(parent)?;
    }
    let existing = std::fs::metadata(real).ok();
    // Replacing one name of a file with several would tear them apart.
    if existing.as_ref().is_some_and(has_more_names) {
        return write_in_place(real, bytes);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kimi-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Narrowed by the umask, as for any new file.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = match builder.tempfile_in(parent) {
        Ok(temporary) => temporary,
        // A writable file in a directory that is not.
        Err(_) if existing.is_some() => return write_in_place(real, bytes),
        Err(error) => return Err(error),
    };
    if let Some(metadata) = &existing {
        if metadata.permissions().readonly() {
            return Err(io::Error::other("it is read-only"));
        }
        temporary.as_file().set_permissions(metadata.permissions())?;
    }
    temporary.write_all(bytes)?;
    temporary.as_file().sync_data()?;
    temporary.persist(real).map_err(|error| error.error)?;
    Ok(())
}

fn write_in_place(real: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).truncate(true).open(real)?;
    file.write_all(bytes)?;
    file.sync_data()
}

#[cfg(unix)]
fn has_more_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_more_names(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests;
