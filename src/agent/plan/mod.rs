//! Plan mode: only reading goes on until a person approves a plan.
//!
//! | file | subject |
//! |---|---|
//! | `mod` | whether it is on, and the file of the plan |
//! | `desk` | what the two tools and clients do with it |
//! | `restriction` | what a call would do, and whether that is let through |
//! | `git_settings`, `toolchain` | programs that the files of a project put in the place of others |
//! | `git_places`, `git_index` | the repositories that git goes into |
//! | `settings_file` | how these files are read |
//! | `reminder` | what the model is told of it |
//! | `command` | `/plan` |
//! | `words` | what plans are named by |

pub(super) mod command;
mod desk;
mod git_index;
mod git_places;
mod git_settings;
pub(super) mod reminder;
pub(super) mod restriction;
mod settings_file;
mod toolchain;
mod words;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};

use self::words::WORDS;
use super::core::Settings;
use crate::platform::Env;
use crate::store::{SessionState, read_regular};
use crate::tools::path_guard::real_path;

/// A longer plan is not shown to anybody.
const MAX_BYTES: u64 = 256 * 1024;
/// Names that are tried before the session's own id makes one that is free.
const TRIES: usize = 20;

/// How plan mode begins.
#[derive(Debug, Clone, Default)]
pub struct PlanStart {
    /// Where plans are kept.
    pub dir: PathBuf,
    /// Whether it is on whatever the session remembers.
    pub on: bool,
}

/// The plan mode of a session. Agents of one session share it, so that nobody can be sent to do what
/// the sender may not.
pub(super) struct Plan {
    env: Env,
    dir: PathBuf,
    settings: Arc<Settings>,
    /// It was switched, and nobody was told yet.
    switched: AtomicBool,
}

impl Plan {
    /// Plan mode as the session remembers it, or on.
    pub fn new(env: Env, start: PlanStart, settings: Arc<Settings>) -> Self {
        let new = Self { env, dir: start.dir, settings, switched: AtomicBool::new(false) };
        let on = new.settings.read(|state| state.plan_mode);
        if on || start.on {
            new.set(true);
        }
        new
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.settings.read(|state| state.plan_mode)
    }

    /// Switches it and remembers that. Returns whether it was otherwise. A plan has its name for as
    /// long as plan mode lasts; its file stays when it ends.
    pub fn set(&self, on: bool) -> bool {
        let state = self.settings.read(|state| (state.plan_mode, slug_of(state).is_some()));
        if state == (on, on) || (!on && !state.0) {
            return false;
        }
        let (id, slug) = if on { self.named() } else { Default::default() };
        self.settings.update(|state| {
            state.plan_mode = on;
            state.plan_session_id = Some(id).filter(|id| !id.is_empty());
            state.plan_slug = Some(slug).filter(|slug| !slug.is_empty());
        });
        state.0 != on
    }

    /// Switches it, to be told later.
    pub fn switch(&self, on: bool) {
        if self.set(on) {
            self.switched.store(true, Ordering::Release);
        }
    }

    /// Whether a switch is still to be told; it is told once.
    pub fn take_switched(&self) -> bool {
        self.switched.swap(false, Ordering::AcqRel)
    }

    /// The file of the plan, while it is on.
    pub fn file(&self) -> Option<PathBuf> {
        let slug = self.settings.read(|state| slug_of(state).filter(|_| state.plan_mode))?;
        Some(self.file_of(&slug))
    }

    fn file_of(&self, slug: &str) -> PathBuf {
        self.dir.join(format!("{slug}.md"))
    }

    /// Where the file of the plan really is. An error for a file that is not the plan's alone: a link
    /// would let somebody write elsewhere under its name.
    pub fn real_file(&self) -> Result<PathBuf, String> {
        let file = self.file().ok_or("plan mode is off")?;
        let (Some(parent), Some(folder), Some(name)) =
            (self.dir.parent(), self.dir.file_name(), file.file_name())
        else {
            return Err("there is no place for plans".to_owned());
        };
        let real = real_path(parent).ok_or("its path leads nowhere")?.join(folder).join(name);
        if real_path(&file).as_ref() != Some(&real) {
            return Err("the plan file is a link that leads elsewhere".to_owned());
        }
        match fs::symlink_metadata(&real) {
            Ok(found) if !found.is_file() => Err("the plan file is not a regular file".to_owned()),
            Ok(found) if shared(&found) => {
                Err("the plan file is a link to another file".to_owned())
            }
            Ok(_) => Ok(real),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(real),
            Err(error) => Err(format!("the plan file cannot be looked at: {error}")),
        }
    }

    /// The same, with a directory to write it in.
    pub fn writable_file(&self) -> Result<PathBuf, String> {
        let real = self.real_file()?;
        private_dir(&self.dir)
            .map_err(|error| format!("{} cannot be made: {error}", self.dir.display()))?;
        Ok(real)
    }

    /// The plan as it is written so far; `None` when there is no file.
    pub fn read(&self) -> Result<Option<String>, String> {
        let real = self.real_file()?;
        match read_regular(&real, MAX_BYTES) {
            Ok(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(format!("it is longer than {} KB, shorten it", MAX_BYTES / 1024))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Removes what is written. Returns whether there was anything.
    pub fn clear(&self) -> Result<bool, String> {
        match fs::remove_file(self.real_file()?) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// An id and a name that no other plan has.
    fn named(&self) -> (String, String) {
        let id = self.env.ids.uuid().replace('-', "");
        let free = |slug: &String| fs::symlink_metadata(self.file_of(slug)).is_err();
        let slug = (0..TRIES)
            .map(|_| three_words(&self.env.ids.uuid()))
            .find(free)
            .unwrap_or_else(|| format!("{}-{id}", three_words(&id)));
        (id, slug)
    }
}

/// The stored name of the plan. One that is no plain name is none: it would lead out of the directory
/// of plans.
fn slug_of(state: &SessionState) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    state
        .plan_slug
        .clone()
        .filter(|slug| (1..=120).contains(&slug.len()) && slug.chars().all(plain))
}

fn three_words(random: &str) -> String {
    let digest = Sha256::digest(random.as_bytes());
    let words: Vec<&str> = digest
        .iter()
        .take(3)
        .filter_map(|byte| WORDS.get(usize::from(*byte) / 2).copied())
        .collect();
    words.join("-")
}

/// Whether the file has another name too.
fn shared(found: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        found.nlink() > 1
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        false
    }
}

fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir)
}

#[cfg(test)]
mod tests;
