//! A task in words, for the model and for people.

use super::record::Kind;
use super::registry::View;
use crate::protocol::DisplayBlock;

/// The lines that tell of a task, `name: value`, as the model gets them.
pub fn block(view: &View) -> String {
    let View { spec, runtime } = view;
    let mut lines = vec![
        format!("task_id: {}", spec.id),
        format!("kind: {}", spec.kind.word()),
        format!("status: {}", runtime.status.word()),
        format!("description: {}", spec.description),
    ];
    if let Some(agent) = spec.agent().filter(|_| spec.kind == Kind::Agent) {
        lines.push(format!("agent_id: {}", agent.agent_id));
        lines.push(format!("subagent_type: {}", agent.subagent_type));
    }
    let mut optional = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name}: {value}")));
    };
    optional("command", spec.command.clone());
    optional("exit_code", runtime.exit_code.map(|code| code.to_string()));
    optional("reason", runtime.failure_reason.clone());
    lines.join("\n")
}

/// The running tasks for a model whose memory of them was just cut off; `None` without any.
pub fn active_list(views: &[std::sync::Arc<View>]) -> Option<String> {
    let blocks: Vec<String> = views.iter().map(|view| block(view)).collect();
    (!blocks.is_empty()).then(|| {
        format!("<active-background-tasks>\n{}\n</active-background-tasks>", blocks.join("\n\n"))
    })
}

/// The part of a result that tells a person of a task.
pub fn display(view: &View) -> DisplayBlock {
    DisplayBlock::BackgroundTask {
        task_id: view.spec.id.clone(),
        kind: view.spec.kind.word().to_owned(),
        status: view.runtime.status.word().to_owned(),
        description: view.spec.description.clone(),
    }
}

/// A time span, `45s`, `3m 20s`, `2h 5m`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s}s"),
        (h, m, _) => format!("{h}h {m}m"),
    }
}
