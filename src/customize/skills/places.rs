//! The directories that skills are looked for in (agents-skills-hooks.md section 2.1).

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Scope, Skills, builtin, scan};
use crate::platform::Env;
use crate::platform::git::project_root;

/// The programs whose skill directories count, in the order of their precedence.
const BRANDS: [&str; 3] = [".kimi", ".claude", ".codex"];
/// Skills that are kept in all: each of them is told to the model in every request.
const MAX_SKILLS: usize = 500;

/// What decides on the directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Absolute.
    pub work_dir: PathBuf,
    pub home: PathBuf,
    /// The data directory, with plugins in it.
    pub share: PathBuf,
    /// In place of the project's and the user's directories; empty leaves those.
    pub given: Vec<PathBuf>,
    /// More directories: absolute, with `~`, or relative to the project's root.
    pub extra: Vec<String>,
    /// Whether the directories of all programs count, or only those of the first that has one.
    pub merge_brands: bool,
}

impl Places {
    /// What a session needs to look for skills. `given` are the directories of the command line.
    pub fn new(
        env: &Env,
        share: &Path,
        work_dir: &Path,
        given: &[PathBuf],
        extra: &[String],
        merge_brands: bool,
    ) -> Self {
        Self {
            work_dir: work_dir.to_path_buf(),
            home: env.home.clone(),
            share: share.to_path_buf(),
            given: given.to_vec(),
            extra: extra.to_vec(),
            merge_brands,
        }
    }

    /// Looks for skills. Reads directories and files: call it where blocking is allowed.
    pub fn skills(&self) -> Skills {
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for (dir, scope) in self.roots() {
            // The same directory may come twice, under two names.
            let Ok(real) = fs::canonicalize(&dir) else { continue };
            if real.is_dir() && seen.insert(real) {
                scan::directory(&dir, scope, &mut found, &mut problems);
            }
        }
        if found.len() > MAX_SKILLS {
            problems.push(super::Problem {
                path: self.share.clone(),
                message: format!(
                    "{} skills were found, {MAX_SKILLS} of them are used",
                    found.len()
                ),
            });
            found.truncate(MAX_SKILLS);
        }
        builtin::add(&self.share, &mut found, &mut problems);
        Skills::of(found, problems)
    }

    /// The directories that skills come from, as far as they are there.
    pub fn directories(&self) -> Vec<PathBuf> {
        let roots = self.roots().into_iter().map(|(dir, _)| dir);
        let all = roots.chain([builtin::directory(&self.share)]);
        all.filter(|dir| dir.is_dir()).collect()
    }

    /// The directories that may have skills, those that count first in front.
    fn roots(&self) -> Vec<(PathBuf, Scope)> {
        let project = project_root(&self.work_dir);
        let mut roots = Vec::new();
        if self.given.is_empty() {
            self.brands(project, Scope::Project, &mut roots);
            roots.push((project.join(".agents/skills"), Scope::Project));
            self.brands(&self.home, Scope::User, &mut roots);
            let general = [".config/agents/skills", ".agents/skills"];
            let general = general.iter().map(|dir| self.home.join(dir)).find(|dir| dir.is_dir());
            roots.extend(general.map(|dir| (dir, Scope::User)));
        } else {
            roots.extend(self.given.iter().map(|dir| (dir.clone(), Scope::Extra)));
        }
        roots.extend(self.extra.iter().map(|dir| (self.resolved(dir, project), Scope::Extra)));
        roots.push((self.share.join("plugins"), Scope::Extra));
        roots
    }

    fn brands(&self, base: &Path, scope: Scope, roots: &mut Vec<(PathBuf, Scope)>) {
        let dirs = BRANDS.iter().map(|brand| base.join(brand).join("skills"));
        let there = dirs.filter(|dir| dir.is_dir()).map(|dir| (dir, scope));
        roots.extend(there.take(if self.merge_brands { BRANDS.len() } else { 1 }));
    }

    fn resolved(&self, dir: &str, project: &Path) -> PathBuf {
        match dir.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            _ => project.join(dir),
        }
    }
}
