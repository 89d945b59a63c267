//! What a call would do, and whether plan mode lets it through.

use std::path::{Component, Path, PathBuf};
use std::ptr;

use serde_json::Value;

use super::{Plan, git_settings, toolchain};
use crate::permission::Call;
use crate::permission::call::Subject;
use crate::permission::effect::{self, Effect, Finding, of_call, of_script};
use crate::permission::shell::{self, Part, Run, Script, Word};
use crate::platform::Env;
use crate::tools::path_guard::real_path;
use crate::tools::{Tool, Workspace};

/// What a call would do, told before it runs.
pub(in crate::agent) fn finding(
    tool: &dyn Tool,
    call: &Call,
    arguments: &Value,
    workspace: &Workspace,
    env: &Env,
) -> Finding {
    let found = match &call.subject {
        Subject::Command { script, .. } => of_script(&at_home(script, workspace)),
        _ => of_call(&call.tool, arguments),
    };
    if found.effect == Effect::ReadOnly {
        let Subject::Command { script, .. } = &call.subject else { return found };
        let unknown = |reason: String| Finding { effect: Effect::Unknown, reason };
        let dirs = match directories(script, workspace, env) {
            Ok(dirs) => dirs,
            Err(shown) => {
                return unknown(format!("`{shown}` leads to where other settings may rule"));
            }
        };
        let place_matters = |run: &&Run| run.astray && depends_on_place(run);
        if let Some(run) = script.parts.iter().filter_map(Part::run).find(place_matters) {
            return unknown(format!(
                "`{}` runs where other settings may rule, which may name programs",
                run.shown
            ));
        }
        let called = |run: &Run| {
            let program = run.words.first().and_then(|word| word.literal()).unwrap_or_default();
            let chosen = |dir: &PathBuf| toolchain::program(dir, &env.home, program);
            Some((run.shown.clone(), dirs.iter().find_map(chosen)?))
        };
        if let Some((shown, file)) = script.parts.iter().filter_map(Part::run).find_map(called) {
            return unknown(format!(
                "`{shown}` may start the program that {file} of the project names"
            ));
        }
        let starts = |run: &&Run| effect::heeds_settings(run);
        let looking = script.parts.iter().filter_map(Part::run).find(starts);
        return match looking
            .and_then(|run| Some((run, dirs.iter().find_map(|dir| git_settings::program(dir))?)))
        {
            Some((run, setting)) => unknown(format!(
                "`{}` may start a program: {setting} of the repository may name one",
                run.shown
            )),
            None => found,
        };
    }
    match tool.in_plan_mode(arguments) {
        None => found,
        Some(Ok(())) => Finding { effect: Effect::ReadOnly, reason: String::new() },
        Some(Err(reason)) => Finding { effect: Effect::Unknown, reason },
    }
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
fn at_home(script: &Script, workspace: &Workspace) -> Script {
    let mut script = script.clone();
    for part in &mut script.parts {
        let Part::Run(run) = part else { continue };
        let program = run.words.first().and_then(|word| word.literal()).unwrap_or_default();
        if program.rsplit('/').next() != Some("git") {
            continue;
        }
        let dirs = shell::git(&run.words).map(|git| git.dirs).unwrap_or_default();
        let is_home = |word: &Word| {
            let dir = word.literal().map(Path::new).filter(|dir| dir.is_absolute());
            dir.is_some_and(|dir| on_home_ground(dir, workspace).is_some())
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

/// Whether files of the directory in which a program runs may name another program.
fn depends_on_place(run: &Run) -> bool {
    let program = run.words.first().and_then(|word| word.literal()).unwrap_or_default();
    program.rsplit('/').next() == Some("git") || toolchain::depends_on_place(program)
}

/// The directories in which parts of a script may run. The error: the change of directory that leads out of
/// the workspace, into another repository, or nobody knows where to: programs like git run what the settings
/// there say.
fn directories<'a>(
    script: &'a Script,
    workspace: &Workspace,
    env: &Env,
) -> Result<Vec<PathBuf>, &'a str> {
    let mut here = Some(workspace.work_dir.clone());
    let mut all = vec![workspace.work_dir.clone()];
    for part in &script.parts {
        let Part::Run(run) = part else { continue };
        let program = run.words.first().and_then(|word| word.literal()).unwrap_or_default();
        if program.rsplit('/').next() == Some("git") {
            let dirs = shell::git(&run.words).map(|git| git.dirs).unwrap_or_default();
            let beside = dirs.iter().try_fold(here.clone(), |from, dir| {
                beside(from.as_deref(), Path::new(dir.literal()?)).map(Some)
            });
            let beside = beside.flatten();
            if !dirs.is_empty() {
                let beside = beside.and_then(|dir| on_home_ground(&dir, workspace));
                all.push(beside.ok_or(run.shown.as_str())?);
            }
        }
        if !matches!(program, "cd" | "pushd" | "popd") {
            continue;
        }
        let there = target(run, env).filter(|_| program != "popd");
        let next = there.and_then(|there| beside(here.as_deref(), &there));
        // To a shell `..` leads back over a link by which it came, to other programs it does not.
        for dir in [next.as_deref().map(without_dots), next] {
            let dir = dir.and_then(|dir| on_home_ground(&dir, workspace));
            all.push(dir.ok_or(run.shown.as_str())?);
        }
        // Whether it has been carried out, only the shell knows: a second relative one leads anywhere.
        here = None;
    }
    Ok(all)
}

/// Where a path leads from a directory, which may not be known.
fn beside(from: Option<&Path>, to: &Path) -> Option<PathBuf> {
    match from {
        Some(from) => Some(from.join(to)),
        None => to.is_absolute().then(|| to.to_path_buf()),
    }
}

/// The path with each `..` taken back together with the name before it.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// The directory named, if it is a plain name.
fn target(run: &Run, env: &Env) -> Option<PathBuf> {
    let [_, word] = run.words.as_slice() else { return None };
    let text = word.literal()?;
    let found_elsewhere = !text.starts_with(['/', '.']) && env.var("CDPATH").is_some();
    (!text.is_empty() && !text.starts_with(['-', '~', '+']) && !found_elsewhere)
        .then(|| PathBuf::from(text))
}

/// The directory, links resolved, if it is in the workspace and not in a repository of its own there.
fn on_home_ground(dir: &Path, workspace: &Workspace) -> Option<PathBuf> {
    let real = real_path(dir)?;
    let roots: Vec<PathBuf> = workspace.roots().iter().filter_map(|root| real_path(root)).collect();
    let root = roots.iter().find(|root| real.starts_with(root))?;
    let ours = real.ancestors().take_while(|dir| dir != root).all(|dir| {
        let has = |name: &str| dir.join(name).symlink_metadata().is_ok();
        !(has(".git") || has("HEAD") && has("objects"))
    });
    ours.then_some(real)
}

#[cfg(test)]
mod tests;
