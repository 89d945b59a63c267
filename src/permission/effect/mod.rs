//! What a call may change, told before it runs.

mod git;
mod guarded;
mod programs;

use std::fmt;

use serde_json::Value;

use super::rule::is_harmless;
use super::shell::{self, Part, Run, Script};

/// What a call may do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It looks, and leaves everything as it is.
    ReadOnly,
    /// Nobody can tell before it runs.
    Unknown,
    /// It changes something.
    Writes,
}

/// An effect and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub effect: Effect,
    /// For a person and for the model: "`rm x` changes files". Empty when it only reads.
    pub reason: String,
}

impl Finding {
    fn read_only() -> Self {
        Self { effect: Effect::ReadOnly, reason: String::new() }
    }

    fn of(effect: Effect, part: &str, why: impl fmt::Display) -> Self {
        let part: String = part.chars().take(120).collect();
        Self { effect, reason: format!("`{part}` {why}") }
    }
}

/// The effect of a call of a built-in tool. Tools of servers and plugins are unknown: what they say of
/// themselves proves nothing.
pub fn of_call(tool: &str, arguments: &Value) -> Finding {
    match tool {
        "Shell" => {
            let command = arguments.get("command").and_then(Value::as_str).unwrap_or_default();
            of_command(command)
        }
        "ReadFile" | "ReadMediaFile" | "Glob" | "Grep" | "SearchWeb" | "FetchURL" | "Think"
        | "SetTodoList" | "AskUserQuestion" | "TaskList" | "TaskOutput" | "EnterPlanMode"
        | "ExitPlanMode" | "GetGoal" | "SetGoalBudget" | "UpdateGoal" | "SendDMail"
        | "mcp_search" => Finding::read_only(),
        "WriteFile" | "StrReplaceFile" => Finding::of(Effect::Writes, tool, "changes a file"),
        "TaskStop" => Finding::of(Effect::Writes, tool, "ends a task"),
        // Ending a plan takes a person, and nobody is asked between the turns of a goal.
        "CreateGoal" => Finding::of(Effect::Writes, tool, "begins work of many turns"),
        _ => Finding::of(Effect::Unknown, tool, "may change something"),
    }
}

/// The effect of a command line: that of its strongest part.
pub fn of_command(command: &str) -> Finding {
    of_script(&shell::read(command))
}

/// The same of a command that was read already.
pub fn of_script(script: &Script) -> Finding {
    // Of equal parts the first is told.
    let findings = script.parts.iter().map(of_part).rev();
    findings.max_by_key(|finding| finding.effect).unwrap_or_else(Finding::read_only)
}

/// Whether a simple command is one of git that starts the programs which a repository's settings name.
pub fn heeds_settings(run: &Run) -> bool {
    let program = run.words.first().and_then(|word| word.literal()).unwrap_or_default();
    program.rsplit('/').next() == Some("git") && git::heeds_settings(&run.words)
}

fn of_part(part: &Part) -> Finding {
    match part {
        Part::Run(run) => of_run(run),
        Part::Write(target) => Finding::of(Effect::Writes, &target.shown, "writes a file"),
        Part::Read(target) if target.path.literal().is_some() => Finding::read_only(),
        Part::Read(target) => {
            Finding::of(Effect::Unknown, &target.shown, "reads what is only known when it runs")
        }
        Part::Assign(assign) if is_harmless(&assign.name) => Finding::read_only(),
        Part::Assign(assign) => Finding::of(
            Effect::Unknown,
            &assign.shown,
            "sets a variable that programs may listen to",
        ),
        Part::Unclear(unclear) => Finding::of(
            Effect::Unknown,
            &unclear.shown,
            format_args!("cannot be judged: {}", unclear.why),
        ),
    }
}

fn of_run(run: &Run) -> Finding {
    if let Some((name, _)) = run.assigns.iter().find(|(name, _)| !is_harmless(name)) {
        return Finding::of(
            Effect::Unknown,
            &run.shown,
            format_args!("is given {name}, which may change what it does"),
        );
    }
    // What only starts another command is judged by that command.
    if !run.needs_rule {
        return Finding::read_only();
    }
    match programs::judge(&run.words) {
        Ok(()) => Finding::read_only(),
        Err((effect, why)) => Finding::of(effect, &run.shown, why),
    }
}

#[cfg(test)]
mod tests;
