//! The tools that the program brings.

/// What the default agent is offered by a program without services of the web, besides the tools that
/// start other agents.
pub const OWN_TOOLS: [&str; 18] = [
    "AskUserQuestion",
    "SetTodoList",
    "Shell",
    "TaskList",
    "TaskOutput",
    "TaskStop",
    "ReadFile",
    "Glob",
    "Grep",
    "WriteFile",
    "StrReplaceFile",
    "FetchURL",
    "ExitPlanMode",
    "EnterPlanMode",
    "CreateGoal",
    "GetGoal",
    "SetGoalBudget",
    "UpdateGoal",
];
