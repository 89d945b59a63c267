//! The slash commands of the screen: one table for the menu, the help sheet and the parser.

use crate::agent::{AGENT_COMMANDS, is_prompt_name};

/// A command that the screen itself carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Help,
    Hooks,
    Exit,
    Fork,
    Login,
    Logout,
    New,
    Mcp,
    Model,
    Task,
    Theme,
    Yolo,
    Afk,
    Plan,
    Sessions,
    Title,
    Undo,
    Redo,
    Btw,
    Copy,
    Debug,
    Doctor,
    Reload,
    Usage,
    Status,
    Version,
    Transcript,
}

/// How a command is listed.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub command: Command,
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub arguments: &'static str,
    pub description: &'static str,
    /// Whether it also works while a turn runs.
    pub anytime: bool,
}

const fn entry(
    command: Command,
    name: &'static str,
    aliases: &'static [&'static str],
    arguments: &'static str,
    description: &'static str,
    anytime: bool,
) -> Entry {
    Entry { command, name, aliases, arguments, description, anytime }
}

/// Every command of the screen, by name.
pub const COMMANDS: &[Entry] = &[
    entry(
        Command::Afk,
        "afk",
        &["auto"],
        "[on|off]",
        "Unattended mode: approve everything, ask nothing",
        true,
    ),
    entry(
        Command::Btw,
        "btw",
        &["side"],
        "[question]",
        "Ask something beside the conversation; nothing of it is kept",
        true,
    ),
    entry(Command::Copy, "copy", &[], "", "Copy the last answer as Markdown", true),
    entry(
        Command::Debug,
        "debug",
        &[],
        "",
        "The context as it is stored: messages, tokens, checkpoints",
        true,
    ),
    entry(
        Command::Doctor,
        "doctor",
        &[],
        "",
        "Check configuration, sessions, terminal and programs",
        true,
    ),
    entry(Command::Exit, "exit", &["quit", "q"], "", "Leave", false),
    entry(
        Command::Fork,
        "fork",
        &[],
        "[title]",
        "Go on in a copy of this session; the session itself stays as it is",
        false,
    ),
    entry(Command::Help, "help", &["h", "?", "keys", "keymap"], "", "Keys and commands", true),
    entry(Command::Hooks, "hooks", &[], "", "Hooks: by event, and how they ended last", true),
    entry(Command::Login, "login", &[], "", "Sign in to your Kimi account, in the browser", true),
    entry(Command::Logout, "logout", &[], "", "Sign out of your Kimi account", false),
    entry(
        Command::Mcp,
        "mcp",
        &[],
        "[reconnect|enable|disable|login name|trust]",
        "MCP servers: state, tools, reconnect, on and off, log in",
        true,
    ),
    entry(Command::Model, "model", &[], "[name]", "Choose the model and whether it thinks", true),
    entry(Command::New, "new", &["clear", "reset"], "", "Start a new session", false),
    entry(Command::Redo, "redo", &[], "", "Take back the last rewind", false),
    entry(
        Command::Plan,
        "plan",
        &[],
        "[on|off|view|clear]",
        "Plan mode: change nothing until a plan is approved",
        true,
    ),
    entry(Command::Reload, "reload", &[], "", "Read the configuration anew", false),
    entry(
        Command::Sessions,
        "sessions",
        &["resume", "continue"],
        "[id]",
        "Go on with another session",
        false,
    ),
    entry(Command::Status, "status", &[], "", "Version, model, session, paths", true),
    entry(
        Command::Task,
        "task",
        &["tasks", "ps"],
        "[id|stop id]",
        "Background tasks: state, output, stop",
        true,
    ),
    entry(Command::Theme, "theme", &[], "[name]", "Choose the colours", true),
    entry(Command::Title, "title", &["rename"], "[text]", "Show or set the session's title", true),
    entry(
        Command::Transcript,
        "transcript",
        &[],
        "",
        "Read everything, thinking and outputs unfolded",
        true,
    ),
    entry(
        Command::Undo,
        "undo",
        &["rewind"],
        "[count]",
        "Go back to before a turn: conversation, files or both",
        false,
    ),
    entry(Command::Usage, "usage", &["cost"], "", "Tokens used by this session", true),
    entry(Command::Version, "version", &[], "", "Which version this is", true),
    entry(Command::Yolo, "yolo", &["yes"], "[on|off]", "Approve every action without asking", true),
];

/// The agent's commands that the screen offers as they are.
pub fn agent_commands() -> impl Iterator<Item = &'static crate::agent::AgentCommand> {
    AGENT_COMMANDS.iter().filter(|command| find(command.name).is_none())
}

/// Who carries out a command.
#[derive(Debug, Clone, Copy)]
pub enum Resolved<'a> {
    Screen(&'static Entry),
    /// The agent, which gets the line as it was typed.
    Agent,
    /// Nobody; the nearest name, if any is near.
    Unknown {
        name: &'a str,
        nearest: Option<&'static str>,
    },
}

/// Reads a command line: who carries it out, and its arguments. `None` for a message: it does not
/// begin with a slash, or its first word has another one, as a path has.
pub fn resolve_line(line: &str) -> Option<(Resolved<'_>, &str)> {
    let rest = line.trim().strip_prefix('/')?;
    let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let agent = AGENT_COMMANDS
        .iter()
        .any(|command| command.name == name || command.aliases.contains(&name));
    // Which skills there are, the agent knows.
    let agent = agent || name.starts_with("skill:") || name.starts_with("flow:");
    let resolved = match find(name) {
        Some(entry) => Resolved::Screen(entry),
        None if agent || is_prompt_name(name) => Resolved::Agent,
        None => Resolved::Unknown { name, nearest: nearest(name) },
    };
    Some((resolved, arguments.trim()))
}

/// The entry with this name or alias.
pub fn find(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.name == name || entry.aliases.contains(&name))
}

/// The command whose name is at most two edits away.
fn nearest(name: &str) -> Option<&'static str> {
    let names = COMMANDS
        .iter()
        .map(|entry| entry.name)
        .chain(AGENT_COMMANDS.iter().map(|command| command.name));
    names
        .map(|known| (edits(name, known), known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len())
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein distance. Names are short; a long input is far from all of them.
fn edits(a: &str, b: &str) -> usize {
    if a.len() > 32 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who carries a line out, with its arguments, in words.
    fn told(line: &str) -> String {
        match resolve_line(line) {
            None => "message".to_owned(),
            Some((Resolved::Screen(entry), arguments)) => {
                format!("{:?} {arguments}", entry.command)
            }
            Some((Resolved::Agent, arguments)) => format!("agent {arguments}"),
            Some((Resolved::Unknown { name, nearest }, _)) => format!("unknown {name} {nearest:?}"),
        }
    }

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(told("/help"), "Help ");
        assert_eq!(told(" /title  a b "), "Title a b");
        assert_eq!(told("/clear"), "New ");
        assert_eq!(told("/compact the tests"), "agent the tests");
        assert_eq!(told("/skill:tidy up"), "agent up");
        assert_eq!(told("/side why"), "Btw why");
        assert_eq!(told("/etc/hosts is odd"), "message");
        assert_eq!(told("exit the loop"), "message");
        assert_eq!(told("/"), "message");
        assert_eq!(told("/modle"), "unknown modle Some(\"model\")");
        assert_eq!(told("/nonsense"), "unknown nonsense None");
        assert_eq!(told("/git:review 7"), "agent 7");
        assert_eq!(told("/mcp__git__review"), "agent ");
        assert_eq!(told("/git: x"), "unknown git: None");
    }

    #[test]
    fn names_and_aliases_are_unique() {
        let mut seen = std::collections::HashSet::new();
        for entry in COMMANDS {
            for name in std::iter::once(&entry.name).chain(entry.aliases) {
                assert!(seen.insert(*name), "{name} is listed twice");
            }
        }
    }
}
