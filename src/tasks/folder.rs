//! The directory of a task.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::log;
use super::record::{Conclusion, Consumer, Control, Kind, Runtime, Spec};
use crate::platform::{Env, process};
use crate::store::{Held, read_regular, write_atomic, write_volatile};

/// A record is a few hundred bytes; a prompt or a command may make it long.
const MAX_RECORD: u64 = 4 << 20;
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Carried by what a command's worker starts, with the task's id.
pub(super) const MARK: &str = "KIMI_TASK_ID";

/// Whether a text can be the id of a task, which is the name of a directory: small letters, digits
/// and hyphens, 2 to 25 of them, no hyphen in front.
pub fn is_task_id(text: &str) -> bool {
    (2..=25).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A fresh id.
fn new_id(kind: Kind, env: &Env) -> String {
    let digits = env.ids.uuid().replace('-', "");
    let mut number = u128::from_str_radix(&digits, 16).unwrap_or_default();
    let mut id = format!("{}-", kind.word());
    for _ in 0..8 {
        id.push(char::from(ALPHABET[(number % 36) as usize]));
        number /= 36;
    }
    id
}

/// The end of a task's output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    pub text: String,
    /// Of the whole log, in bytes.
    pub size: u64,
    /// The text is not all of it.
    pub truncated: bool,
    /// The log is not all that was written: of a long output its middle is gone.
    pub cut: bool,
}

/// The directory of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// One that is there already, wherever it is.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// The directory of the task with that id; `None` for what is no id.
    pub fn of(tasks: &Path, id: &str) -> Option<Self> {
        is_task_id(id).then(|| Self { path: tasks.join(id) })
    }

    /// Makes the directory of a new task, with an id that no other has.
    pub fn create(tasks: &Path, kind: Kind, env: &Env) -> io::Result<(String, Self)> {
        private().recursive(true).create(tasks)?;
        for _ in 0..100 {
            let id = new_id(kind, env);
            let path = tasks.join(&id);
            match private().create(&path) {
                Ok(()) => return Ok((id, Self { path })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "no id is free"))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn output(&self) -> PathBuf {
        self.path.join("output.log")
    }

    /// What was asked for; `None` when it cannot be read or belongs elsewhere.
    pub fn spec(&self) -> Option<Spec> {
        let spec: Spec = self.read("spec.json")?;
        let named = self.path.file_name().is_some_and(|name| name == spec.id.as_str());
        named.then_some(spec)
    }

    pub fn runtime(&self) -> Runtime {
        self.read("runtime.json").unwrap_or_default()
    }

    pub fn control(&self) -> Control {
        self.read("control.json").unwrap_or_default()
    }

    pub fn write_spec(&self, spec: &Spec) -> io::Result<()> {
        write_atomic(&self.path.join("spec.json"), &json(spec)?, 0o600)
    }

    /// For its runner alone. What a task has come to is flushed, what it is doing is not.
    pub fn write_runtime(&self, runtime: &Runtime) -> io::Result<()> {
        let path = self.path.join("runtime.json");
        let bytes = json(runtime)?;
        if runtime.status.is_over() {
            write_atomic(&path, &bytes, 0o600)
        } else {
            write_volatile(&path, &bytes, 0o600)
        }
    }

    pub fn write_control(&self, control: &Control) -> io::Result<()> {
        write_atomic(&self.path.join("control.json"), &json(control)?, 0o600)
    }

    pub fn write_consumer(&self, consumer: &Consumer) -> io::Result<()> {
        write_volatile(&self.path.join("consumer.json"), &json(consumer)?, 0o600)
    }

    /// The right to run the task and to write where it stands; `None` when somebody else has it.
    /// Held until it is dropped.
    pub fn lock(&self) -> io::Result<Option<Held>> {
        match Held::take(File::open(&self.path)?) {
            Ok(held) => Ok(Some(held)),
            Err((_, fs::TryLockError::WouldBlock)) => Ok(None),
            Err((_, fs::TryLockError::Error(error))) => Err(error),
        }
    }

    /// The end of the output.
    pub fn tail(&self, most: u64) -> io::Result<Tail> {
        let (text, size, truncated) = log::tail(&self.output(), most)?;
        Ok(Tail { text, size, truncated, cut: truncated && log::is_cut(&self.output()) })
    }

    /// Where the task stands. One whose runner is gone is written down as lost, or as killed if that
    /// was asked for. `stale_s`: seconds without a sign after which a runner counts as gone, where
    /// that cannot be seen.
    pub fn settled(&self, spec: &Spec, now: f64, stale_s: f64) -> Runtime {
        let runtime = self.runtime();
        if runtime.status.is_over() {
            return runtime;
        }
        let Ok(Some(_lock)) = self.lock() else { return runtime };
        // It may have ended in between.
        let mut runtime = self.runtime();
        let seen_gone = runtime.worker_pid.is_some_and(|pid| !process::is_alive(pid));
        let silent = now - runtime.last_sign(spec) > stale_s;
        if runtime.status.is_over() || !(seen_gone || silent) {
            return runtime;
        }
        let control = self.control();
        let end = match control.kill_requested_at {
            Some(_) => Conclusion::killed(control.kill_reason.unwrap_or_default()),
            None => Conclusion::lost("The process that ran it is gone"),
        };
        if let Some(leader) = runtime.child_pgid.filter(|_| spec.kind == Kind::Bash) {
            let mut marks = vec![format!("{MARK}={}", spec.id)];
            let parent = |pid| format!("{}={pid}", crate::platform::env::PARENT_VARIABLE);
            marks.extend(runtime.worker_pid.map(parent));
            process::kill_orphan(leader, &marks);
        }
        runtime.conclude(end, now);
        if let Err(error) = self.write_runtime(&runtime) {
            tracing::warn!(%error, "a lost task cannot be written down");
        }
        runtime
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.path.join(name);
        let bytes = read_regular(&path, MAX_RECORD)
            .inspect_err(|error| tracing::warn!(%error, "{} cannot be read", path.display()))
            .ok()??;
        serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%error, "{} is damaged", path.display()))
            .ok()
    }
}

/// The tasks that have a directory there and a spec that can be read.
pub(super) fn all(tasks: &Path) -> Vec<(Folder, Spec)> {
    let Ok(entries) = fs::read_dir(tasks) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| Folder::of(tasks, entry.file_name().to_str()?))
        .filter_map(|folder| folder.spec().map(|spec| (folder, spec)))
        .collect()
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests;
