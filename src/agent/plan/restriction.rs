//! What a call would do, and whether plan mode lets it through.

use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::git_places::has_repository;
use super::toolchain::{self, Toolchains};
use super::{Plan, git_settings};
use crate::permission::Call;
use crate::permission::call::Subject;
use crate::permission::effect::{self, Effect, Finding, of_call, of_script};
use crate::permission::shell::{self, Part, Run, Script, Word};
use crate::platform::Env;
use crate::tools::blocking::{Unfinished, bounded};
use crate::tools::path_guard::{lexical, real_path};
use crate::tools::{Tool, Workspace};

/// How long the files may take that tell what a command starts.
const PATIENCE: Duration = Duration::from_secs(20);
/// Characters of a command in a reason.
const SHOWN: usize = 120;

/// What a call would do, told before it runs; `None` when it was cancelled before that was known.
pub(in crate::agent) async fn finding(
    tool: &dyn Tool,
    call: &Call,
    arguments: &Value,
    workspace: &Arc<Workspace>,
    env: &Env,
    cancel: &CancellationToken,
) -> Option<Finding> {
    if let Subject::Command { script, text } = &call.subject {
        let (script, workspace, env) = (script.clone(), Arc::clone(workspace), env.clone());
        let told = bounded(PATIENCE, cancel, move || of_command(&script, &workspace, &env)).await;
        return match told {
            Ok(finding) => Some(finding),
            Err(Unfinished::Cancelled) => None,
            Err(Unfinished::Stuck(_) | Unfinished::Broken) => {
                let shown: String = text.chars().take(SHOWN).collect();
                let why = "may start what files around it name, and these cannot be read";
                Some(unknown(format!("`{shown}` {why}")))
            }
        };
    }
    let found = of_call(&call.tool, arguments);
    if found.effect == Effect::ReadOnly {
        return Some(found);
    }
    Some(match tool.in_plan_mode(arguments) {
        None => found,
        Some(Ok(())) => Finding { effect: Effect::ReadOnly, reason: String::new() },
        Some(Err(reason)) => unknown(reason),
    })
}

fn unknown(reason: String) -> Finding {
    Finding { effect: Effect::Unknown, reason }
}

/// What a command would do. For a thread that may block.
fn of_command(script: &Script, workspace: &Workspace, env: &Env) -> Finding {
    let ground = HomeGround::of(workspace);
    let found = of_script(&at_home(script, &ground));
    if found.effect != Effect::ReadOnly {
        return found;
    }
    started_by_files(script, &ground, env).map_or(found, unknown)
}

/// Why a command that only reads may start a program that files name, if so.
fn started_by_files(script: &Script, ground: &HomeGround, env: &Env) -> Option<String> {
    let dirs = match ground.directories(script, env) {
        Ok(dirs) => dirs,
        Err(shown) => return Some(format!("`{shown}` leads to where other settings may rule")),
    };
    let runs = || script.parts.iter().filter_map(Part::run);
    if let Some(run) = runs().find(|run| run.astray && depends_on_place(run)) {
        return Some(format!(
            "`{}` runs where other settings may rule, which may name programs",
            run.shown
        ));
    }
    let mut toolchains = Toolchains::around(&dirs, &env.home);
    let mut chosen = |run: &Run| Some((run.shown.clone(), toolchains.chosen(program(run))?));
    if let Some((shown, file)) = runs().find_map(&mut chosen) {
        return Some(format!("`{shown}` may start the program that {file} of the project names"));
    }
    let looking = runs().find(|run| effect::heeds_settings(run))?;
    let setting = git_settings::program(&dirs)?;
    Some(format!(
        "`{}` may start a program: {setting} of the repository may name one",
        looking.shown
    ))
}

/// Why plan mode does not let the call through, if so.
pub(in crate::agent) fn refusal(plan: &Plan, call: &Call, finding: &Finding) -> Option<String> {
    let reason = refusal_of_any(plan, finding)?;
    match writes_plan(plan, call) {
        Some(Ok(())) => None,
        Some(Err(why)) => Some(why),
        None => Some(reason),
    }
}

/// The same for one who has no part in the plan.
pub(in crate::agent) fn refusal_of_any(plan: &Plan, finding: &Finding) -> Option<String> {
    (finding.effect != Effect::ReadOnly && plan.is_on()).then(|| finding.reason.clone())
}

/// Whether the call writes the plan, and if so, why it must not.
pub(in crate::agent) fn writes_plan(plan: &Plan, call: &Call) -> Option<Result<(), String>> {
    if !matches!(call.tool.as_str(), "WriteFile" | "StrReplaceFile") {
        return None;
    }
    let Subject::Path(Some(path)) = &call.subject else { return None };
    match plan.real_file() {
        Ok(real) => (real == *path).then(|| plan.writable_file().map(drop)),
        // The call may mean the plan all the same: its name says so.
        Err(why) => {
            let leads = plan.file().and_then(|file| real_path(&file));
            (leads.as_ref() == Some(path)).then_some(Err(why))
        }
    }
}

/// The script as it is judged: to name a directory of the workspace in full is to stay in it.
fn at_home(script: &Script, ground: &HomeGround) -> Script {
    let mut script = script.clone();
    for part in &mut script.parts {
        let Part::Run(run) = part else { continue };
        if !is_git(run) {
            continue;
        }
        let dirs = shell::git(&run.words).map(|git| git.dirs).unwrap_or_default();
        let is_home = |word: &Word| {
            let dir = word.literal().map(Path::new).filter(|dir| dir.is_absolute());
            dir.is_some_and(|dir| ground.real(dir).is_some())
        };
        let named = |word: &Word| dirs.iter().any(|dir| ptr::eq(*dir, word)) && is_home(word);
        let words = run.words.iter().map(|word| match named(word) {
            true => Word::known("."),
            false => word.clone(),
        });
        run.words = words.collect();
    }
    script
}

/// The program that is called, as it is written; nothing if that is not known.
fn program(run: &Run) -> &str {
    run.words.first().and_then(|word| word.literal()).unwrap_or_default()
}

fn is_git(run: &Run) -> bool {
    program(run).rsplit('/').next() == Some("git")
}

/// Whether files of the directory in which a program runs may name another program.
fn depends_on_place(run: &Run) -> bool {
    is_git(run) || toolchain::depends_on_place(program(run))
}

/// The directories of the workspace, as they are when a command is judged.
struct HomeGround {
    /// Links kept.
    work_dir: PathBuf,
    /// Links resolved.
    roots: Vec<PathBuf>,
}

impl HomeGround {
    fn of(workspace: &Workspace) -> Self {
        let roots = workspace.roots().iter().filter_map(|root| real_path(root)).collect();
        Self { work_dir: workspace.work_dir.clone(), roots }
    }

    /// The directory, links resolved, if it is in the workspace and not in a repository of its own there.
    fn real(&self, dir: &Path) -> Option<PathBuf> {
        let real = real_path(dir)?;
        let root = self.roots.iter().find(|root| real.starts_with(root))?;
        let ours = real.ancestors().take_while(|dir| dir != root).all(|dir| !has_repository(dir));
        ours.then_some(real)
    }

    /// The directories in which parts of a script may run, links resolved. The error: the change of
    /// directory that leads out of the workspace, into another repository, or nobody knows where to:
    /// programs like git run what the settings there say.
    fn directories<'a>(&self, script: &'a Script, env: &Env) -> Result<Vec<PathBuf>, &'a str> {
        let mut here = Some(self.work_dir.clone());
        let mut all = vec![real_path(&self.work_dir).unwrap_or_else(|| self.work_dir.clone())];
        for part in &script.parts {
            let Part::Run(run) = part else { continue };
            if is_git(run) {
                let dirs = shell::git(&run.words).map(|git| git.dirs).unwrap_or_default();
                let beside = dirs.iter().try_fold(here.clone(), |from, dir| {
                    beside(from.as_deref(), Path::new(dir.literal()?)).map(Some)
                });
                if !dirs.is_empty() {
                    let beside = beside.flatten().and_then(|dir| self.real(&dir));
                    all.push(beside.ok_or(run.shown.as_str())?);
                }
            }
            let program = program(run);
            if !matches!(program, "cd" | "pushd" | "popd") {
                continue;
            }
            let there = target(run, env).filter(|_| program != "popd");
            let next = there.and_then(|there| beside(here.as_deref(), &there));
            // To a shell `..` leads back over a link by which it came, to other programs it does not.
            for dir in [next.as_deref().map(lexical), next] {
                let dir = dir.and_then(|dir| self.real(&dir));
                all.push(dir.ok_or(run.shown.as_str())?);
            }
            // Whether it has been carried out, only the shell knows: a second relative one leads anywhere.
            here = None;
        }
        Ok(all)
    }
}

/// Where a path leads from a directory, which may not be known.
fn beside(from: Option<&Path>, to: &Path) -> Option<PathBuf> {
    match from {
        Some(from) => Some(from.join(to)),
        None => to.is_absolute().then(|| to.to_path_buf()),
    }
}

/// The directory named, if it is a plain name.
fn target(run: &Run, env: &Env) -> Option<PathBuf> {
    let [_, word] = run.words.as_slice() else { return None };
    let text = word.literal()?;
    let found_elsewhere = !text.starts_with(['/', '.']) && env.var("CDPATH").is_some();
    (!text.is_empty() && !text.starts_with(['-', '~', '+']) && !found_elsewhere)
        .then(|| PathBuf::from(text))
}

#[cfg(test)]
mod tests;
