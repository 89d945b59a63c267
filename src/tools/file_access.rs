//! Changing files safely: whole or not at all, one at a time, never over someone else's change.

mod disk;
mod editor;

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

pub use self::disk::{End, give_to_owner, keeps_its_place, read_if_exists};
pub use self::editor::{Editor, read_anywhere};
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
    pub deed: Deed,
}

/// What a change does to its file.
pub enum Deed {
    Replace {
        /// What is there now; `None` when there is no file.
        before: Option<Vec<u8>>,
        after: Vec<u8>,
    },
    /// Adds to a file, of which no more than the end is looked at.
    Append { to: End, content: Vec<u8> },
}

impl Deed {
    /// The file's size in bytes when it is done.
    fn size(&self) -> u64 {
        match self {
            Self::Replace { after, .. } => after.len() as u64,
            Self::Append { to, content } => to.length() + content.len() as u64,
        }
    }

    fn display(&self, path: &Path) -> Vec<DisplayBlock> {
        let text = |bytes| String::from_utf8_lossy(bytes);
        match self {
            Self::Replace { before, after } => {
                diff_blocks(path, &text(before.as_deref().unwrap_or_default()), &text(after))
            }
            Self::Append { to, content } => {
                let whole = [to.tail.as_slice(), content].concat();
                let mut blocks = diff_blocks(path, &text(&to.tail), &text(&whole));
                for block in &mut blocks {
                    if let DisplayBlock::Diff { old_start, new_start, .. } = block {
                        *old_start += to.lines_before;
                        *new_start += to.lines_before;
                    }
                }
                blocks
            }
        }
    }

    /// `target.inside`: missing directories are made.
    fn perform(&self, editor: Option<&dyn Editor>, target: &GuardedPath) -> io::Result<()> {
        let GuardedPath { path, real, inside } = target;
        let (before, after) = match self {
            Self::Replace { before, after } => (before, after),
            Self::Append { to, content } => return to.append(real, content),
        };
        if read_anywhere(editor, path, real)? != *before {
            return Err(disk::changed_meanwhile());
        }
        if let Some(editor) = editor {
            if *inside && let Some(parent) = real.parent() {
                std::fs::create_dir_all(parent)?;
            }
            if editor::write(editor, path, real, after)? {
                return Ok(());
            }
            // What the editor has and does not write must not be lost with it.
            if read_if_exists(real)? != *before {
                return Err(disk::changed_meanwhile());
            }
        }
        disk::write_atomically(real, after, *inside)
    }
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
        sender: &str,
        verb: &str,
        change: Change,
        message: impl FnOnce(u64) -> String,
    ) -> ToolReturn {
        let Change { target, deed } = change;
        let size = deed.size();
        let deed = Arc::new(deed);
        let (shown, shared) = (target.path.clone(), Arc::clone(&deed));
        let display = tokio::task::spawn_blocking(move || shared.display(&shown));
        let display = display.await.unwrap_or_default();
        let Some(verdict) = self.ask(cx, sender, verb, &target, &display).await else {
            return cancelled().into();
        };
        if let Some(refused) = verdict.refusal() {
            return refused;
        }
        let lock = self.lock_of(&target.real);
        let _held = lock.lock().await;
        let (changes, editor) = (Arc::clone(&cx.changes), cx.workspace.editor());
        let there = target.clone();
        let written = tokio::task::spawn_blocking(move || {
            let real = &there.real;
            // A link that was turned while the person decided would lead elsewhere.
            if real_path(&there.path).as_ref() != Some(real) {
                return Err(io::Error::other(
                    "its path leads elsewhere than when it was approved, so nothing was written. Try again",
                ));
            }
            changes.before(real);
            let written = deed.perform(editor.as_deref(), &there);
            changes.after(real);
            written
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
        sender: &str,
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

/// What is at a path that the model wants to read. The error is the result of the call.
pub fn metadata(shown: &Path, real: &Path) -> Result<Metadata, ToolReturnValue> {
    std::fs::metadata(real).map_err(|error| match error.kind() {
        // A file in the place of a directory: nothing can be behind it.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ToolReturnValue::error(
            format!("`{}` does not exist. Look for it with Glob.", shown.display()),
            "File not found",
        ),
        _ => unread(shown, &error),
    })
}

/// The result of a call that could not read its file.
pub fn unread(shown: &Path, error: &io::Error) -> ToolReturnValue {
    ToolReturnValue::error(
        format!("Failed to read file `{}`: {error}.", shown.display()),
        "Failed to read file",
    )
}

/// The result of a call that was cancelled before it did anything.
pub fn cancelled() -> ToolReturnValue {
    ToolReturnValue::error("The call was cancelled before it did anything.", "Cancelled")
}

#[cfg(test)]
mod tests;
