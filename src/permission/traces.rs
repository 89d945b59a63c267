//! Files that hold something a script has put there, and the copies that it makes of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::files::{Access, Ground, Leads, Reach, touches, writes_of};
use super::made::{copies, is_fed, packs, patches};
use super::shell::{Part, Run, Word};

/// Copies of copies are followed so far.
const MAX_COPIES: usize = 4;

/// Files, as far as the words of a script tell which they are.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// Links resolved.
    files: Vec<(PathBuf, Reach)>,
    /// What those are called whose directory is not known.
    names: Vec<OsString>,
    /// Whether there are others.
    pub anywhere: bool,
}

impl Traces {
    /// Adds files. Returns whether there was one that it did not have.
    pub fn add(&mut self, to: Leads, reach: Reach) -> bool {
        match to {
            Leads::To(paths) => {
                let mut new = false;
                for path in paths {
                    if !self.has(&path, reach) {
                        self.files.push((path, reach));
                        new = true;
                    }
                }
                new
            }
            Leads::Anywhere(path) => {
                let name = path.as_deref().and_then(Path::file_name).map(OsString::from);
                let called = name.filter(|name| !self.names.contains(name));
                let new = called.is_some() || !self.anywhere;
                self.names.extend(called);
                self.anywhere = true;
                new
            }
        }
    }

    fn has(&self, file: &Path, reach: Reach) -> bool {
        self.files.iter().any(|(place, of)| match of {
            Reach::Anything => file.starts_with(place),
            _ => file == place && reach != Reach::Anything,
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.names.is_empty()
    }

    /// Whether one of these files, links resolved, may be among them.
    pub fn hold(&self, files: &[PathBuf]) -> bool {
        files.iter().any(|file| {
            let name = file.file_name();
            self.has(file, Reach::Itself)
                || self.names.iter().any(|it| Some(it.as_os_str()) == name)
        })
    }

    /// Whether a file may be among them of which the directory is not known.
    pub fn hold_called(&self, path: &Path) -> bool {
        let Some(name) = path.file_name() else { return !self.is_empty() };
        self.names.iter().any(|it| it == name)
            || self
                .files
                .iter()
                .any(|(file, reach)| *reach == Reach::Anything || file.file_name() == Some(name))
    }

    /// Whether one of them is called like a program, or like one that it starts: `git-x` is `git x`.
    pub fn hold_program(&self, program: &str) -> bool {
        let of_files = self.files.iter().filter_map(|(path, _)| path.file_name());
        of_files.chain(self.names.iter().map(OsString::as_os_str)).any(|name| {
            let name = name.to_string_lossy();
            name.strip_prefix(program).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        }) || self.has(Path::new("/"), Reach::Anything)
    }

    /// Takes a copy of one for one too, under another name or in another place; `patched`: also what is changed
    /// as one of them says. Copies of copies beyond [`MAX_COPIES`] may be any file.
    pub fn follow_copies(&mut self, parts: &[Part], ground: &Ground, patched: bool) {
        if !patched && self.is_empty() && !self.anywhere {
            return;
        }
        for _ in 0..MAX_COPIES {
            if !self.follow_once(parts, ground, patched) {
                return;
            }
        }
        // Where the next copy leads nobody has looked.
        self.files.push((PathBuf::from("/"), Reach::Anything));
        self.anywhere = true;
    }

    /// Follows each part once. Returns whether that added any.
    fn follow_once(&mut self, parts: &[Part], ground: &Ground, patched: bool) -> bool {
        let (mut added, mut packed) = (false, false);
        for part in parts {
            let Some(run) = part.run() else { continue };
            let (itself, below) = self.passes_on(run, ground);
            packed |= packs(run) && (itself || below);
            let to = match () {
                () if copies(run) && (itself || below) => writes_of(part, ground),
                // In what is packed it may be anywhere.
                () if packs(run) && packed => writes_of(part, ground),
                () if patched && patches(run) && (itself || is_fed(run)) => {
                    vec![(ground.of_run(run).leads(&Word::known(".")), Reach::Anything)]
                }
                () => continue,
            };
            for (to, reach) in to {
                added |= self.add(to, if below { Reach::Anything } else { reach });
            }
        }
        added
    }

    /// Whether a command reads one of the files, and whether one may be in a directory that it reads.
    fn passes_on(&self, run: &Run, ground: &Ground) -> (bool, bool) {
        let ground = ground.of_run(run);
        let (mut itself, mut below) = (false, false);
        for touch in touches(run).into_iter().filter(|touch| touch.access == Access::Read) {
            let Leads::To(paths) = ground.leads(&touch.path) else {
                itself |= self.anywhere || !self.is_empty();
                continue;
            };
            itself |= self.hold(&paths);
            let inside = |dir: &PathBuf| self.files.iter().any(|(to, _)| to.starts_with(dir));
            below |= touch.reach != Reach::Itself && paths.iter().any(inside);
        }
        (itself, below)
    }
}
