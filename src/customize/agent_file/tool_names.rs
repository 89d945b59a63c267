//! The names under which Kimi's tools go, to those that this program uses.

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

/// Other names: of kimi-code, and of older versions of kimi-cli.
const OTHER_NAMES: [(&str, &str); 10] = [
    ("Bash", "Shell"),
    ("CMD", "Shell"),
    ("Edit", "StrReplaceFile"),
    ("Read", "ReadFile"),
    ("Task", "Agent"),
    ("Todo", "SetTodoList"),
    ("TodoList", "SetTodoList"),
    ("UpdateTodoList", "SetTodoList"),
    ("WebSearch", "SearchWeb"),
    ("Write", "WriteFile"),
];

/// Tools that have no counterpart among [`TOOLS`].
const ELSEWHERE: [&str; 11] = [
    "CreateGoal",
    "CreateSubagent",
    "CronCreate",
    "CronDelete",
    "CronList",
    "GetGoal",
    "MultiEdit",
    "PatchFile",
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
    let canonical = OTHER_NAMES.iter().find(|(other, _)| *other == name).map_or(name, |(_, to)| to);
    TOOLS
        .iter()
        .chain(&ELSEWHERE)
        .find(|known| **known == canonical)
        .map_or(ToolName::Unknown, |known| ToolName::Known(known))
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
