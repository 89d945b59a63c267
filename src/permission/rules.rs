//! The rules of a session and what they say about a call: deny before ask before allow.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::call::{Call, Subject, real};
use super::offer::family;
use super::rule::{Decision, Place, Rule, is_harmless};
use super::shell::{Carried, Part, READS, Run, Script, Target, holds_command, obeys_input};
use super::spelling::Fits;
use super::touched::{Scene, Touched};
use super::withheld::Withheld;
use crate::platform::Env;
use crate::tools::{Workspace, path_guard};

const MAY_BE_NAMED: &str = "one of its words may be what the rule names";
const CARRIES: &str = "it may start what the rule names";

/// Rules by what they decide.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    pub allow: Vec<Rule>,
    pub ask: Vec<Rule>,
    pub deny: Vec<Rule>,
}

/// What rules say about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgment {
    /// Every part is covered.
    Allow,
    /// A rule wants a person to be asked.
    Ask { rule: String, part: String },
    /// A rule forbids it.
    Deny { rule: String, part: String },
    /// Rules forbid something, and this part cannot be told from it.
    Unsure { rule: String, part: String, why: String },
    /// No rule decides. The parts that no rule allows, in order; none when it is not a command.
    Open { parts: Vec<Part> },
}

/// Where a session works.
#[derive(Clone)]
pub struct Site {
    pub workspace: Arc<Workspace>,
    pub home: PathBuf,
    /// Where commands find their programs: absolute directories, in order.
    pub search: Vec<PathBuf>,
}

impl Site {
    /// That of a session.
    pub fn new(workspace: Arc<Workspace>, env: &Env) -> Self {
        let search = std::env::split_paths(env.var("PATH").unwrap_or_default());
        let search = search.filter(|dir| dir.is_absolute()).collect();
        Self { workspace, home: env.home.clone(), search }
    }
}

impl Rules {
    /// Adds a rule.
    pub fn add(&mut self, decision: Decision, rule: Rule) {
        match decision {
            Decision::Allow => self.allow.push(rule),
            Decision::Ask => self.ask.push(rule),
            Decision::Deny => self.deny.push(rule),
        }
    }

    /// Adds the rules of another configuration.
    pub fn extend(&mut self, more: Self) {
        self.allow.extend(more.allow);
        self.ask.extend(more.ask);
        self.deny.extend(more.deny);
    }

    /// Judges a call. `more` are rules that allow for this session.
    pub fn judge(&self, call: &Call, site: &Site, more: &[Rule]) -> Judgment {
        let work_dir = path_guard::real_path(&site.workspace.work_dir)
            .unwrap_or_else(|| site.workspace.work_dir.clone());
        let place = Place { work_dir: &work_dir, home: &site.home };
        let guarded = !self.deny.is_empty() || !self.ask.is_empty();
        let scene = match &call.subject {
            // Rules that allow go by the words alone.
            Subject::Command { script, .. } if guarded => {
                Some(Scene::of(script, &site.workspace.work_dir, place, &site.search))
            }
            _ => None,
        };
        let bench = Bench { site, place, scene };
        if let Some((rule, part)) = bench.first(&self.deny, call) {
            return Judgment::Deny { rule, part };
        }
        if let Subject::Command { script, .. } = &call.subject {
            let guards = self.deny.iter().chain(&self.ask);
            if let Some((rule, part, why)) = bench.unsure(guards, script) {
                return Judgment::Unsure { rule, part, why };
            }
        }
        if let Some((rule, part)) = bench.first(&self.ask, call) {
            return Judgment::Ask { rule, part };
        }
        let allow: Vec<&Rule> = self.allow.iter().collect();
        let approved = |part: &Part| {
            // Of a family only what is plainly of it.
            let named = family(part).map(|words| format!("Shell({words}:*)"));
            named.is_some_and(|named| more.iter().any(|rule| rule.to_string() == named))
        };
        match &call.subject {
            // Every command, also what cannot be read.
            Subject::Command { .. } if allow.iter().any(|rule| rule.is_about("Shell")) => {
                Judgment::Allow
            }
            Subject::Command { script, .. } => {
                let open = script
                    .parts
                    .iter()
                    .filter(|part| !bench.allows(&allow, part) && !approved(part));
                let parts: Vec<Part> = open.cloned().collect();
                if parts.is_empty() && !script.parts.is_empty() {
                    Judgment::Allow
                } else {
                    Judgment::Open { parts }
                }
            }
            _ if allow.iter().any(|rule| bench.covers(rule, call)) => Judgment::Allow,
            _ => Judgment::Open { parts: Vec::new() },
        }
    }
}

impl Rules {
    /// The files that searches leave out of their results.
    pub fn withheld(&self, site: &Site) -> Withheld {
        let work_dir = path_guard::real_path(&site.workspace.work_dir)
            .unwrap_or_else(|| site.workspace.work_dir.clone());
        Withheld::of(&self.deny, &self.ask, Place { work_dir: &work_dir, home: &site.home })
    }
}

/// Holds rules against calls.
struct Bench<'a> {
    site: &'a Site,
    place: Place<'a>,
    /// Of a command, where rules forbid or ask.
    scene: Option<Scene<'a>>,
}

impl Bench<'_> {
    /// The first rule that a call may be about, and the part that it is about.
    fn first(&self, rules: &[Rule], call: &Call) -> Option<(String, String)> {
        rules.iter().find_map(|rule| {
            let part = match &call.subject {
                Subject::Command { script, .. } => {
                    script.parts.iter().find(|part| self.concerns(rule, part))?.shown().to_owned()
                }
                _ if self.guards(rule, call) => call.tool.clone(),
                _ => return None,
            };
            Some((rule.to_string(), part))
        })
    }

    /// Whether a rule that forbids or asks is about a call that is no command.
    fn guards(&self, rule: &Rule, call: &Call) -> bool {
        match &call.subject {
            Subject::Command { .. } => false,
            Subject::Path(Some(real)) => {
                let searches = matches!(&*call.tool, "Grep" | "Glob");
                let files = rule.files(&call.tool, self.place);
                files.is_some_and(|files| {
                    files.hold(real) || (searches && files.hold_all_below(real))
                })
            }
            Subject::Path(None) | Subject::Tool => rule.is_about(&call.tool),
            Subject::Text(text) => rule.covers_text(&call.tool, text),
        }
    }

    /// Whether a rule that allows covers a call that is no command. Where links lead that its own path
    /// goes over it does not say: somebody else may have laid them.
    fn covers(&self, rule: &Rule, call: &Call) -> bool {
        match &call.subject {
            Subject::Path(Some(real)) => rule.covers_path(&call.tool, real, self.place),
            _ => self.guards(rule, call),
        }
    }

    /// Whether a part of a command may turn out to be what a rule is about.
    fn concerns(&self, rule: &Rule, part: &Part) -> bool {
        let named = match part {
            Part::Run(run) => {
                rule.fits_run(run) == Fits::Yes || self.disguised(rule, run) == Fits::Yes
            }
            _ => rule.is_about("Shell"),
        };
        named || self.touched(rule, part) == Touched::Yes
    }

    /// Whether a command is, under another name, one that a rule is about.
    fn disguised(&self, rule: &Rule, run: &Run) -> Fits {
        self.scene.as_ref().map_or(Fits::No, |scene| scene.fits(rule, run))
    }

    fn touched(&self, rule: &Rule, part: &Part) -> Touched {
        self.scene.as_ref().map_or(Touched::No, |scene| scene.touched(rule, part))
    }

    /// Where a redirection leads, when that is known.
    fn file(&self, target: &Target) -> Option<PathBuf> {
        let path = target.path.literal()?;
        if target.moved && !Path::new(path).is_absolute() {
            return None;
        }
        // To a shell a path may leave the workspace by `..`.
        let path = self.site.workspace.work_dir.join(path);
        real(&path.to_string_lossy(), &self.site.workspace, &self.site.home)
    }

    /// A part that cannot be told from what rules forbid, one of these rules, and why.
    fn unsure<'r>(
        &self,
        guards: impl Iterator<Item = &'r Rule>,
        script: &Script,
    ) -> Option<(String, String, String)> {
        let guards: Vec<&Rule> = guards.collect();
        let about: Vec<&Rule> =
            guards.iter().copied().filter(|rule| rule.is_about_commands()).collect();
        let commands = about.first();
        let named = guards.iter().find(|rule| rule.names_files()).copied();
        let about_path = |tool: &str| guards.iter().find(|rule| rule.is_about_paths_of(tool));
        script.parts.iter().enumerate().find_map(|(at, part)| {
            let unclear = || match part {
                Part::Unclear(unclear) if unclear.hides => {
                    let files =
                        || about_path("WriteFile").or_else(|| about_path("ReadFile")).copied();
                    Some((commands.copied().or_else(files)?, unclear.why))
                }
                Part::Assign(assign) if holds_command(&assign.name) => {
                    Some((*commands?, "it may hold a command"))
                }
                _ => None,
            };
            let heeded = || {
                let rule = *commands?;
                self.heeded_by_git(part).then_some((rule, "git runs what it writes, or heeds it"))
            };
            // What a program runs that it reads may write and read anything.
            let reads = || {
                let reads = part
                    .run()
                    .is_some_and(|run| run.hides == Some(READS) || runs_input(run, script.feeds));
                Some((named.filter(|_| reads)?, READS))
            };
            let touched = || {
                guards.iter().find_map(|rule| match self.touched(rule, part) {
                    Touched::Unsure(why) => Some((*rule, why)),
                    Touched::Yes | Touched::No => None,
                })
            };
            let (rule, why) = unclear()
                .or_else(heeded)
                .or_else(|| self.may_hide(&about, part.run()?, at, script.feeds))
                .or_else(|| self.renames(&about, part))
                .or_else(reads)
                .or_else(touched)?;
            Some((rule.to_string(), part.shown().to_owned(), why.to_owned()))
        })
    }

    /// Whether a part may go ahead.
    fn allows(&self, allow: &[&Rule], part: &Part) -> bool {
        match part {
            Part::Run(run) if run.needs_rule => allow.iter().any(|rule| rule.covers_run(run)),
            Part::Run(run) => run.assigns.iter().all(|(name, _)| is_harmless(name)),
            Part::Write(target) => self.file(target).is_some_and(|path| {
                allow.iter().any(|rule| rule.covers_path("WriteFile", &path, self.place))
            }),
            Part::Read(target) => target.path.literal().is_some(),
            Part::Assign(assign) => is_harmless(&assign.name),
            Part::Unclear(_) => false,
        }
    }

    fn heeded_by_git(&self, part: &Part) -> bool {
        self.scene.as_ref().is_some_and(|scene| scene.writes_hooks(part))
    }

    /// A rule about a program that a part gives another name, and why it may be so.
    fn renames<'r>(&self, about: &[&'r Rule], part: &Part) -> Option<(&'r Rule, &'static str)> {
        let scene = self.scene.as_ref()?;
        about.iter().find_map(|rule| Some((*rule, scene.renames(rule, part)?)))
    }

    /// A rule that a simple command, the part at this place, may be about in a way that its words do not
    /// say, and why. `feeds`: whether a redirection gives something of the line an input.
    fn may_hide<'r>(
        &self,
        about: &[&'r Rule],
        run: &Run,
        at: usize,
        feeds: bool,
    ) -> Option<(&'r Rule, &'static str)> {
        if runs_input(run, feeds) {
            return about.first().map(|rule| (*rule, READS));
        }
        if let Some(why) = run.hides {
            return about.first().map(|rule| (*rule, why));
        }
        let carried = self.scene.as_ref().map(|scene| scene.carried(at)).unwrap_or_default();
        about.iter().find_map(|rule| {
            let why = if rule.fits_run(run) == Fits::Maybe
                || self.disguised(rule, run) == Fits::Maybe
            {
                MAY_BE_NAMED
            } else if carried.iter().any(|carried| self.may_be(rule, carried, run.piped || feeds)) {
                CARRIES
            } else {
                return None;
            };
            Some((*rule, why))
        })
    }

    /// Whether what a command may start may be what a rule is about. `fed`: whether the command has an
    /// input.
    fn may_be(&self, rule: &Rule, carried: &Carried, fed: bool) -> bool {
        let run = match &carried.part {
            Part::Run(run) => run,
            Part::Unclear(unclear) => return unclear.hides,
            _ => return false,
        };
        let hides = run.hides.is_some() && (run.words.len() > 1 || carried.fed);
        let hides = hides || (obeys_input(&run.words) && (carried.given || (carried.fed && fed)));
        let made = |scene: &Scene| scene.runs_made(run, carried.begins);
        hides
            || rule.fits_run(run) != Fits::No
            || self.disguised(rule, run) != Fits::No
            || self.scene.as_ref().is_some_and(made)
    }
}

/// Whether a command runs what the line gives it to read. `feeds`: whether a redirection gives something of
/// the line an input.
fn runs_input(run: &Run, feeds: bool) -> bool {
    (run.piped || feeds) && obeys_input(&run.words)
}

#[cfg(test)]
mod tests;
