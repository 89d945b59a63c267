//! Skills as commands: `/skill:name` sends one to the model, `/flow:name` runs one that is a flowchart,
//! `/skills` tells which there are.

use std::fmt::Write as _;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::flow::{Progress, Run};
use super::slash::Command;
use super::turn;
use crate::customize::skills::{Scope, Skill, Skills};
use crate::protocol::{ContentPart, Outcome, UserInput};

/// What becomes of a command.
pub(super) enum Done {
    /// It ran as a turn.
    Ran(Outcome),
    /// There is something to tell, and nothing ran.
    Told(String),
    /// It names no skill.
    Unknown,
}

/// Runs a command if it is about a skill. `input` is the whole of what was sent.
///
/// The files are looked for anew: a skill that was written a moment ago can be used.
pub(super) async fn run(
    core: &Arc<Core>,
    command: &Command,
    input: &UserInput,
    cancel: &CancellationToken,
) -> Done {
    let skills = look(core).await;
    if let Some(name) = command.name.strip_prefix("flow:") {
        return flow(core, &skills, name, command, cancel).await;
    }
    let wanted = command.name.strip_prefix("skill:");
    match skills.find(wanted.unwrap_or(&command.name)) {
        Some(skill) => send(core, skill, command, input, cancel).await,
        None => match wanted {
            Some(name) => Done::Told(format!("There is no skill \"{name}\". See /skills.")),
            None => Done::Unknown,
        },
    }
}

/// The list of all skills, and what is wrong with files that are none.
pub(super) async fn list(core: &Core) -> String {
    let skills = look(core).await;
    let mut text = String::new();
    for scope in [Scope::Project, Scope::User, Scope::Extra, Scope::Builtin] {
        let of_scope: Vec<&Skill> =
            skills.list.iter().filter(|skill| skill.scope == scope).collect();
        if of_scope.is_empty() {
            continue;
        }
        let _ = write!(text, "**{}**\n\n", scope.title());
        for skill in of_scope {
            let (kind, nodes) = match &skill.flow {
                Some(flow) => ("flow", format!(" ({} nodes)", flow.steps())),
                None => ("skill", String::new()),
            };
            let description = plain(&skill.description);
            let _ = writeln!(text, "- `/{kind}:{}` {description}{nodes}", skill.command);
        }
        text.push('\n');
    }
    if text.is_empty() {
        text.push_str("No skills were found.\n\n");
    }
    if !skills.problems.is_empty() {
        text.push_str("**Warnings**\n\n");
        for problem in &skills.problems {
            let _ = writeln!(text, "- {}", plain(&problem.to_string()));
        }
    }
    text.trim_end().to_owned()
}

/// Text on one line that is no Markdown.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' => {
                out.extend(['\\', c])
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Looks for the skills; on a thread that may block.
pub(super) async fn look(core: &Core) -> Skills {
    let Some(places) = core.places.clone() else { return Skills::default() };
    let looked = tokio::task::spawn_blocking(move || places.skills()).await;
    looked.unwrap_or_default()
}

async fn send(
    core: &Arc<Core>,
    skill: &Skill,
    command: &Command,
    input: &UserInput,
    cancel: &CancellationToken,
) -> Done {
    let read = {
        let skill = skill.clone();
        tokio::task::spawn_blocking(move || skill.text()).await
    };
    let mut text = match read {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => {
            let path = skill.path.display();
            return Done::Told(format!("The skill cannot be read: {path}: {error}"));
        }
        Err(error) => return Done::Told(format!("The skill cannot be read: {error}")),
    };
    if !command.arguments.is_empty() {
        text = format!("{text}\n\n## User request\n\n{}", command.arguments);
    }
    let mut parts = vec![ContentPart::text(text)];
    if let UserInput::Parts(given) = input {
        parts.extend(given.iter().filter(|part| part.as_text().is_none()).cloned());
    }
    Done::Ran(turn::run_plain(core, UserInput::Parts(parts), cancel).await)
}

async fn flow(
    core: &Arc<Core>,
    skills: &Skills,
    name: &str,
    command: &Command,
    cancel: &CancellationToken,
) -> Done {
    let Some(skill) = skills.find(name) else {
        return Done::Told(format!("There is no flow \"{name}\". See /skills."));
    };
    let Some(flow) = &skill.flow else {
        let why = skills.problems.iter().find(|problem| problem.path == skill.path);
        let why = why.map(|problem| format!(" {problem}.")).unwrap_or_default();
        return Done::Told(format!("The skill \"{name}\" is not a flow.{why}"));
    };
    let request = command.arguments.as_str();
    let progress = Progress::Node;
    let run = Run { core, cancel, flow, lead: Vec::new(), request, moves: None, progress };
    Done::Ran(run.run().await)
}
