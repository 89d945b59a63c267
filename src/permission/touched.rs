//! Holds rules about files against what commands open.

use std::path::{Path, PathBuf};

use super::disguise::{Disguises, GIVES_NAME};
use super::files::{Access, Ground, Leads, Reach, Seen, Touch, look, touches, writes_of};
use super::rule::{Files, Place, Rule};
use super::shell::{Carried, Part, Run, Script, Target, carried};
use super::spelling::Fits;

/// What a part of a command has to do with a rule about files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Touched {
    No,
    Yes,
    /// It cannot be told, for this reason.
    Unsure(&'static str),
}

/// A script on its ground.
pub(super) struct Scene<'a> {
    ground: Ground,
    disguises: Disguises,
    place: Place<'a>,
    /// What each part may start as a carrier.
    carried: Vec<Vec<Carried>>,
    /// Whether a redirection gives something of it another input.
    fed: bool,
}

const READS_UNKNOWN: &str = "which file it reads is only known when it runs";
const WRITES_UNKNOWN: &str = "which file it writes is only known when it runs";
const TOO_MANY: &str = "there are too many files to look at";
const NAMED: &str = "it is given such a file, and may read it";
const CODE: &str = "its program names such a file";
const MAY_COME: &str = "it writes files whose names are only known when it runs";

impl<'a> Scene<'a> {
    /// The scene of a script that begins in `work_dir`.
    pub fn of(script: &Script, work_dir: &Path, place: Place<'a>, search: &[PathBuf]) -> Self {
        let fed = script.parts.iter().any(|part| matches!(part, Part::Read(_)));
        let ground = Ground::of(script, work_dir, place.home);
        let behind = |part: &Part| part.run().map(carried).unwrap_or_default();
        let carried: Vec<Vec<Carried>> = script.parts.iter().map(behind).collect();
        let disguises = Disguises::of(script, &carried, &ground, search);
        Self { ground, disguises, place, carried, fed }
    }

    /// What the part of the script at this place may start as a carrier.
    pub fn carried(&self, at: usize) -> &[Carried] {
        self.carried.get(at).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a command is, under another name, one that a rule is about.
    pub fn fits(&self, rule: &Rule, run: &Run) -> Fits {
        self.disguises.fits(rule, run, &self.ground)
    }

    /// Why a command may give a program that a rule is about another name, or run one that has it.
    pub fn renames(&self, rule: &Rule, part: &Part) -> Option<&'static str> {
        match part {
            Part::Run(run) => self.disguises.renames(rule, run, &self.ground),
            Part::Read(target) => {
                let keeps = self.disguises.keeps_program(rule, &target.path, &self.ground);
                keeps.then_some(GIVES_NAME)
            }
            _ => None,
        }
    }

    /// Whether what a carrier starts is what the script itself has made.
    pub fn runs_made(&self, run: &Run, by_path: bool) -> bool {
        self.disguises.runs_made(run, &self.ground, by_path).is_some()
    }

    /// Whether a part writes what git runs by itself: a hook, or settings that may name programs.
    pub fn writes_hooks(&self, part: &Part) -> bool {
        writes_of(part, &self.ground).iter().any(|(leads, _)| match leads {
            Leads::To(files) => files.iter().any(|file| is_heeded_by_git(file)),
            Leads::Anywhere(path) => path.as_deref().is_some_and(is_heeded_by_git),
        })
    }

    /// Whether a part opens a file that a rule is about.
    pub fn touched(&self, rule: &Rule, part: &Part) -> Touched {
        match part {
            Part::Run(run) => self.by_run(rule, run),
            Part::Write(target) => self.by_redirection(rule, "WriteFile", target, WRITES_UNKNOWN),
            Part::Read(target) => self.by_redirection(rule, "ReadFile", target, READS_UNKNOWN),
            Part::Assign(_) | Part::Unclear(_) => Touched::No,
        }
    }

    fn by_redirection(
        &self,
        rule: &Rule,
        tool: &str,
        target: &Target,
        why: &'static str,
    ) -> Touched {
        let Some(files) = rule.files(tool, self.place) else { return Touched::No };
        match self.ground.leads(&target.path) {
            Leads::To(paths) if paths.iter().any(|path| files.hold(path)) => Touched::Yes,
            Leads::To(_) => Touched::No,
            Leads::Anywhere(_) if files.are_named() => Touched::Unsure(why),
            Leads::Anywhere(_) => Touched::Yes,
        }
    }

    fn by_run(&self, rule: &Rule, run: &Run) -> Touched {
        let reads = rule.files("ReadFile", self.place);
        let writes = rule.files("WriteFile", self.place);
        if reads.is_none() && writes.is_none() {
            return Touched::No;
        }
        let ground = &self.ground.of_run(run);
        let run = &Run { piped: run.piped && !self.fed, ..run.clone() };
        let mut unsure = Touched::No;
        for touch in touches(run) {
            let files = match touch.access {
                Access::Read | Access::MayRead => &reads,
                Access::Write | Access::MayWrite => &writes,
            };
            let Some(files) = files else { continue };
            match by_touch(&touch, files, ground) {
                Touched::Yes => return Touched::Yes,
                Touched::No => {}
                found => unsure = found,
            }
        }
        unsure
    }
}

fn by_touch(touch: &Touch, files: &Files, ground: &Ground) -> Touched {
    let maybe = match touch.access {
        Access::MayRead => Some(NAMED),
        Access::MayWrite => Some(CODE),
        Access::Read | Access::Write => None,
    };
    // What nobody is certain of counts where a rule names files, and such a file is there.
    if maybe.is_some() && !files.are_named() {
        return Touched::No;
    }
    let paths = match ground.leads(&touch.path) {
        Leads::To(paths) => paths,
        Leads::Anywhere(_) if maybe.is_some() => return Touched::No,
        Leads::Anywhere(_) if !files.are_named() => return Touched::Yes,
        Leads::Anywhere(_) => {
            return Touched::Unsure(match touch.access {
                Access::Read => READS_UNKNOWN,
                _ => WRITES_UNKNOWN,
            });
        }
    };
    // What a program writes it may make.
    let is_there =
        |path: &PathBuf| touch.access != Access::MayRead || path.symlink_metadata().is_ok();
    if paths.iter().any(|path| files.hold(path) && is_there(path)) {
        return maybe.map_or(Touched::Yes, Touched::Unsure);
    }
    for path in paths {
        match touch.reach {
            Reach::Itself => {}
            Reach::Anything if files.hold_all_below(&path) => return Touched::Yes,
            Reach::Anything if files.may_be_below(&path) => return Touched::Unsure(MAY_COME),
            Reach::Anything => {}
            Reach::Below if !files.may_be_below(&path) => {}
            Reach::Below | Reach::Linked => match look(&path, |path| files.hold(path)) {
                Seen::None => {}
                Seen::One(_) => return Touched::Yes,
                Seen::TooMuch if !files.may_be_below(&path) => {}
                Seen::TooMuch => return Touched::Unsure(TOO_MANY),
            },
        }
    }
    Touched::No
}

/// The files, links resolved, that a script names and writes, as far as that is known. `None` of them
/// for a glob that finds too many.
pub(super) fn written(script: &Script, work_dir: &Path, home: &Path) -> Vec<PathBuf> {
    let ground = Ground::of(script, work_dir, home);
    let writes = script.parts.iter().flat_map(|part| writes_of(part, &ground));
    let mut all: Vec<PathBuf> = Vec::new();
    for (leads, _) in writes {
        if let Leads::To(paths) = leads {
            all.extend(paths);
        }
    }
    all.sort();
    all.dedup();
    all
}

/// `.git/hooks/pre-commit`, `.git/config`, `~/.gitconfig`.
fn is_heeded_by_git(file: &Path) -> bool {
    let named = |name: &str| file.file_name().is_some_and(|it| it == name);
    let in_git = file.components().any(|part| part.as_os_str() == ".git");
    let in_hooks = file.components().any(|part| part.as_os_str() == "hooks");
    named(".gitconfig") || (in_git && (in_hooks || named("config") || named("config.worktree")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_writes_is_where_its_programs_go() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        let writes = |command: &str, file: &str| {
            let files = written(&crate::permission::shell::read(command), &root, &root.join("h"));
            files.contains(&root.join(file))
        };
        assert!(writes("git -C sub checkout f", "sub/f"));
        assert!(writes("cd a && git -C sub checkout f", "a/sub/f"));
        assert!(writes("echo x > f", "f"));
        assert!(writes("bash -c 'echo x | tee -a f'", "f"));
        assert!(!writes("git -C sub diff f", "sub/f"));
    }
}
