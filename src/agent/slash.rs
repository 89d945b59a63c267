//! The slash commands that belong to the agent: they work in every front end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::approval::Modes;
use super::compaction::{self, CompactionError, Reason};
use super::context_report::{Filling, Window};
use super::core::Core;
use super::goal;
use super::instructions;
use super::mcp_command;
use super::permissions;
use super::plan;
use super::prompts::{self, Ran};
use super::servers::offered;
use super::transfer::{self, Imported};
use super::{skills, step, turn};
use crate::protocol::{ContentPart, Event, Failure, FailureKind, Outcome, StopReason, UserInput};

/// An agent command as menus and clients list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentCommand {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub description: &'static str,
    /// What may follow the name; empty for nothing.
    pub arguments: &'static str,
}

/// Every agent command, in the order in which clients are told of them.
pub const AGENT_COMMANDS: &[AgentCommand] = &[
    AgentCommand {
        name: "init",
        aliases: &[],
        description: "Look through the project and write AGENTS.md",
        arguments: "",
    },
    AgentCommand {
        name: "compact",
        aliases: &["summarize"],
        description: "Summarise the conversation to free context",
        arguments: "[what to keep]",
    },
    AgentCommand {
        name: "context",
        aliases: &[],
        description: "Show what fills the context window",
        arguments: "",
    },
    AgentCommand {
        name: "skills",
        aliases: &[],
        description: "List the skills, and what is wrong with files that cannot be used",
        arguments: "",
    },
    AgentCommand {
        name: "clear",
        aliases: &["reset"],
        description: "Clear the context",
        arguments: "",
    },
    AgentCommand {
        name: "goal",
        aliases: &[],
        description: "Work toward an objective over many turns",
        arguments: "[objective | status | pause | resume | cancel | replace … | next …]",
    },
    AgentCommand {
        name: "yolo",
        aliases: &["yes"],
        description: "Switch automatic approval on or off",
        arguments: "[on|off]",
    },
    AgentCommand {
        name: "afk",
        aliases: &["auto"],
        description: "Switch unattended mode on or off: approves everything, asks nothing",
        arguments: "[on|off]",
    },
    AgentCommand {
        name: "plan",
        aliases: &[],
        description: "Plan mode: change nothing until a plan is approved",
        arguments: "[on|off|view|clear]",
    },
    AgentCommand {
        name: "permissions",
        aliases: &[],
        description: "List the permission rules in force; take back what was approved",
        arguments: "[forget number|all]",
    },
    AgentCommand {
        name: "mcp",
        aliases: &[],
        description: "List the MCP servers: how they stand, their tools, what to do",
        arguments: "[reconnect | enable | disable | login name]",
    },
    AgentCommand {
        name: "add-dir",
        aliases: &[],
        description: "Add a directory to the workspace",
        arguments: "[path]",
    },
    AgentCommand {
        name: "export",
        aliases: &["export-md"],
        description: "Write the conversation to a Markdown file",
        arguments: "[path]",
    },
    AgentCommand {
        name: "import",
        aliases: &[],
        description: "Give the model a text file or another session for reference",
        arguments: "[file or session id]",
    },
];

/// A parsed command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub name: String,
    pub arguments: String,
}

/// Reads `/name arguments`. Names are words of letters, digits, `_` and `-`, joined by `:`; what
/// has another character in its first word, such as a path, is a message (agent-loop.md section 1).
pub(super) fn parse(text: &str) -> Option<Command> {
    let rest = text.strip_prefix('/')?;
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (name, arguments) = rest.split_at(end);
    is_name(name).then(|| Command { name: name.to_owned(), arguments: arguments.trim().to_owned() })
}

/// Whether a word without its slash may be the name of a command.
fn is_name(name: &str) -> bool {
    // Prompts of servers are named in the letters of any script; without a colon it is no prompt.
    let any = name.contains(':');
    let letter = |c: char| if any { c.is_alphanumeric() } else { c.is_ascii_alphanumeric() };
    let word =
        |part: &str| !part.is_empty() && part.chars().all(|c| letter(c) || c == '_' || c == '-');
    name.split(':').all(word)
}

/// Whether a word without its slash is in the way in which the prompts of MCP servers are called,
/// `server:prompt` or `mcp__server__prompt`: whether it is one, the agent knows when it runs it.
pub fn is_prompt_name(name: &str) -> bool {
    is_name(name) && (name.contains(':') || name.starts_with(crate::mcp::names::PREFIX))
}

/// Runs a command inside its turn. What it has to say is told as answer text.
pub(super) async fn run(
    core: &Arc<Core>,
    command: &Command,
    input: &UserInput,
    cancel: &CancellationToken,
) -> Outcome {
    let mut status = None;
    let known = AGENT_COMMANDS
        .iter()
        .find(|known| known.name == command.name || known.aliases.contains(&command.name.as_str()));
    let said = match known.map(|known| known.name) {
        Some("compact") => match compact(core, &command.arguments, cancel).await {
            Ok(text) => text,
            Err(outcome) => return outcome,
        },
        Some("clear") => match core.context.lock().await.clear() {
            Ok(()) => {
                core.forget_shown();
                let max = core.llm().map_or(0, |llm| llm.max_context);
                status = Some(core.context_status(0, max));
                "The context has been cleared.".to_owned()
            }
            Err(error) => return Outcome::Failed(turn::store_failure(&error)),
        },
        Some("context") => context(core, cancel).await,
        Some("yolo") => toggle(core, &command.arguments, Mode::Yolo),
        Some("afk") => toggle(core, &command.arguments, Mode::Afk),
        Some("plan") => plan::command::run(core, &command.arguments),
        Some("permissions") => permissions::run(core, &command.arguments),
        Some("mcp") => match mcp_command::run(core, &command.arguments, cancel).await {
            Ok(text) => text,
            Err(outcome) => return outcome,
        },
        Some("add-dir") => add_dir(core, &command.arguments),
        Some("export") => transfer::export(core, &command.arguments).await,
        Some("import") => match transfer::import(core, &command.arguments).await {
            Ok(Imported { said, status: told }) => {
                status = told;
                said
            }
            Err(outcome) => return outcome,
        },
        Some("skills") => skills::list(core).await,
        Some("goal") => return goal::run(core, &command.arguments, cancel).await,
        Some("init") => return init(core, cancel).await,
        _ => match skills::run(core, command, input, cancel).await {
            skills::Done::Ran(outcome) => return outcome,
            skills::Done::Told(text) => text,
            skills::Done::Unknown => match prompts::run(core, command, cancel).await {
                Ran::Turn(outcome) => return outcome,
                Ran::Said(text) => text,
                Ran::Unknown => format!("Unknown slash command \"/{}\".", command.name),
            },
        },
    };
    core.hub.event(Event::ContentPart(ContentPart::text(said)));
    status.into_iter().for_each(|status| core.hub.event(Event::StatusUpdate(status)));
    core.desk.tell_switched();
    Outcome::Finished { stop: StopReason::Command }
}

async fn context(core: &Arc<Core>, cancel: &CancellationToken) -> String {
    let (system, messages, counted) = {
        let context = core.context.lock().await;
        (context.system_prompt().to_owned(), context.messages().to_vec(), context.tokens())
    };
    let offered = offered(core, String::new(), cancel).await;
    let own = core.specs();
    let more = offered.tools.get(own.len()..).unwrap_or_default();
    let filling = Filling::of(&system, offered.system.trim(), &own, more, &messages);
    let llm = core.llm();
    let max = llm.as_ref().map_or(0, |llm| llm.max_context);
    let window = Window {
        model: llm.as_ref().map_or("no model", |llm| &llm.display_name),
        max,
        counted,
        compacts_at: compaction::compacts_at(&core.limits, max),
        used: core.meter.usage(llm.as_ref().is_some_and(|llm| llm.prices.is_some())),
    };
    let mut report = window.report(&filling);
    for line in instructions::cut_now(core).await {
        report.push_str("\n\n");
        report.push_str(&line);
    }
    report
}

async fn compact(
    core: &Arc<Core>,
    focus: &str,
    cancel: &CancellationToken,
) -> Result<String, Outcome> {
    let estimated = {
        let context = core.context.lock().await;
        context.estimated(&core.specs(), context.messages())
    };
    match compaction::run(core, Reason::Asked { focus }, cancel).await {
        Ok(Some(done)) => Ok(format!(
            "The context has been compacted: about {}k tokens before, {}k after.",
            done.before.max(estimated).div_ceil(1000),
            done.after.div_ceil(1000)
        )),
        Ok(None) => Ok("There is nothing to compact yet.".to_owned()),
        Err(CompactionError::Cancelled) => Err(Outcome::Cancelled),
        Err(CompactionError::Exhausted(exhausted)) => Err(exhausted.into()),
        Err(CompactionError::Store(error)) => Err(Outcome::Failed(turn::store_failure(&error))),
        Err(CompactionError::NoModel) => Err(Outcome::Failed(Failure {
            kind: FailureKind::LlmNotSet,
            message: "LLM not set".to_owned(),
            hint: Some("choose a model with --model or /model, or set KIMI_API_KEY".to_owned()),
        })),
        Err(CompactionError::Llm(error)) => Err(Outcome::Failed(Failure {
            kind: step::failure_kind(&error),
            message: format!("the conversation could not be summarised: {error}"),
            hint: Some("nothing was changed; try /compact again, or start afresh".to_owned()),
        })),
    }
}

enum Mode {
    Yolo,
    Afk,
}

fn toggle(core: &Arc<Core>, argument: &str, mode: Mode) -> String {
    let modes = core.desk.modes();
    let now = match mode {
        Mode::Yolo => modes.yolo,
        Mode::Afk => modes.unattended(),
    };
    let wanted = match argument {
        "" => !now,
        "on" => true,
        "off" => false,
        other => return format!("\"{other}\" is neither on nor off."),
    };
    let (yolo, afk) = match mode {
        Mode::Yolo => (Some(wanted), None),
        Mode::Afk => (None, Some(wanted)),
    };
    set_modes(core, yolo, afk);
    let still = core.desk.modes();
    match (mode, wanted) {
        (Mode::Yolo, true) => "Yolo is on: every action is approved without asking.".to_owned(),
        (Mode::Yolo, false) if still.unattended() => {
            "Yolo is off, but unattended mode still approves everything. Use /afk off.".to_owned()
        }
        (Mode::Yolo, false) => "Yolo is off: actions need your approval.".to_owned(),
        (Mode::Afk, true) => {
            "Unattended mode is on: every action is approved and no question is asked.".to_owned()
        }
        (Mode::Afk, false) if still.yolo => {
            "Unattended mode is off: questions are asked again. Yolo still approves every action."
                .to_owned()
        }
        (Mode::Afk, false) => {
            "Unattended mode is off: actions need your approval and questions are asked.".to_owned()
        }
    }
}

/// Changes the modes, stores them with the session and tells every front end. Leaving unattended
/// mode also ends the one that was meant for this process only.
pub(super) fn set_modes(core: &Core, yolo: Option<bool>, afk: Option<bool>) {
    let old = core.desk.modes();
    let modes = Modes {
        yolo: yolo.unwrap_or(old.yolo),
        afk: afk.unwrap_or(old.afk),
        runtime_afk: old.runtime_afk && afk != Some(false),
    };
    core.desk.set_modes(modes);
    core.settings.update(|state| {
        state.approval.yolo = modes.yolo;
        state.approval.afk = modes.afk;
    });
    core.tell_info();
}

fn add_dir(core: &Arc<Core>, argument: &str) -> String {
    if argument.is_empty() {
        let dirs = core.workspace.additional();
        if dirs.is_empty() {
            return "No directories were added. Usage: /add-dir <path>".to_owned();
        }
        let list: Vec<_> = dirs.iter().map(|dir| format!("- {}", dir.display())).collect();
        return format!("Added directories:\n{}", list.join("\n"));
    }
    let path = match argument.strip_prefix("~/") {
        Some(rest) => core.env.home.join(rest),
        None => core.workspace.work_dir.join(argument),
    };
    let path = match path.canonicalize() {
        Ok(path) if path.is_dir() => path,
        Ok(path) => return format!("{} is not a directory.", path.display()),
        Err(error) => return format!("{argument} cannot be added: {error}."),
    };
    if core.workspace.roots().iter().any(|root| path.starts_with(root)) {
        return format!("{} is part of the workspace already.", path.display());
    }
    core.workspace.add(&path);
    let dirs: Vec<String> =
        core.workspace.additional().iter().map(|dir| dir.display().to_string()).collect();
    core.settings.update(|state| state.additional_dirs = dirs);
    format!("Added {} to the workspace.", path.display())
}

/// A turn whose prompt is ours.
async fn init(core: &Arc<Core>, cancel: &CancellationToken) -> Outcome {
    let prompt = include_str!("../../assets/prompts/init.md").trim();
    turn::run_plain(core, UserInput::from(prompt), cancel).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_paths() {
        let name = |text| parse(text).map(|command| (command.name, command.arguments));
        assert_eq!(name("/compact keep it"), Some(("compact".into(), "keep it".into())));
        assert_eq!(name("/skill:foo"), Some(("skill:foo".into(), String::new())));
        assert_eq!(name("/etc/hosts"), None);
        assert_eq!(name("/"), None);
        assert_eq!(name("/ x"), None);
        assert_eq!(name("/a::b"), None);
        assert_eq!(name("x /compact"), None);
    }
}
