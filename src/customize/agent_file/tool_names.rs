//! The names under which Kimi's tools go, to those that this program uses.

use crate::llm::ToolNames;

/// What is known of a name in an agent file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ToolName {
    /// A tool of Kimi. Whether this version has it, the registry knows.
    Known(&'static str),
    /// Nobody knows it.
    Unknown,
}

/// Tools of kimi-cli by their own names, also those that this version does not have.
const TOOLS: [&str; 20] = [
    "Agent",
    "AgentSwarm",
    "AskUserQuestion",
    "EnterPlanMode",
    "ExitPlanMode",
    "FetchURL",
    "Glob",
    "Grep",
    "ReadFile",
    "ReadMediaFile",
    "SearchWeb",
    "SendDMail",
    "SetTodoList",
    "Shell",
    "StrReplaceFile",
    "TaskList",
    "TaskOutput",
    "TaskStop",
    "Think",
    "WriteFile",
];

/// Names of older versions of kimi-cli.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("CMD", "Shell"),
    ("Task", "Agent"),
    ("Todo", "SetTodoList"),
    ("UpdateTodoList", "SetTodoList"),
];

/// Our names that are other ones in kimi-code, each with that; the shell's first.
pub const CODE_NAMES: ToolNames = &[
    ("Shell", "Bash"),
    ("StrReplaceFile", "Edit"),
    ("ReadFile", "Read"),
    ("SetTodoList", "TodoList"),
    ("SearchWeb", "WebSearch"),
    ("WriteFile", "Write"),
];

/// Tools that have no counterpart among [`TOOLS`].
const ELSEWHERE: [&str; 14] = [
    "Compare",
    "CreateGoal",
    "CreateSubagent",
    "CronCreate",
    "CronDelete",
    "CronList",
    "GetGoal",
    "MultiEdit",
    "Panic",
    "PatchFile",
    "Plus",
    "SetGoalBudget",
    "Skill",
    "UpdateGoal",
];

/// Where the classes of kimi-cli's tools live.
const PYTHON_TOOLS: &str = "kimi_cli.tools.";

/// Reads `kimi_cli.tools.shell:Shell`, `Shell` or `Bash`. A class of somebody else's Python module is
/// unknown, whatever its name: it may do something else than ours.
pub(super) fn resolve(written: &str) -> ToolName {
    let name = match written.split_once(':') {
        Some((module, class)) if module.starts_with(PYTHON_TOOLS) => class,
        Some(_) => return ToolName::Unknown,
        None => written,
    };
    let mut others = code_names().chain(OTHER_NAMES);
    let canonical = others.find(|(other, _)| *other == name).map_or(name, |(_, to)| to);
    TOOLS
        .iter()
        .chain(&ELSEWHERE)
        .find(|known| **known == canonical)
        .map_or(ToolName::Unknown, |known| ToolName::Known(known))
}

/// Whether a tool of Kimi goes by this name.
pub(in crate::customize) fn is_known(name: &str) -> bool {
    resolve(name) != ToolName::Unknown
}

/// The name of a tool in kimi-code, where that has another one than we.
pub fn code_name(name: &str) -> Option<&'static str> {
    CODE_NAMES.iter().find(|(ours, _)| *ours == name).map(|(_, code)| *code)
}

/// The names of tools that kimi-code has, each with ours.
pub(in crate::customize) fn code_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    CODE_NAMES.iter().map(|(ours, code)| (*code, *ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_to_one_name() {
        for (written, name) in [
            ("kimi_cli.tools.shell:Shell", "Shell"),
            ("kimi_cli.tools.plan.enter:EnterPlanMode", "EnterPlanMode"),
            ("kimi_cli.tools.file:WriteFile", "WriteFile"),
            ("kimi_cli.tools.multiagent:Task", "Agent"),
            ("Shell", "Shell"),
            ("Bash", "Shell"),
            ("Edit", "StrReplaceFile"),
            ("TodoList", "SetTodoList"),
            ("UpdateGoal", "UpdateGoal"),
        ] {
            assert_eq!(resolve(written), ToolName::Known(name), "{written}");
        }
    }

    #[test]
    fn other_peoples_tools_are_unknown() {
        for written in
            ["", "shell", "mine.tools:Shell", "kimi_cli.tools.shell:Shel", ":Shell", "a:b:c"]
        {
            assert_eq!(resolve(written), ToolName::Unknown, "{written}");
        }
    }
}
