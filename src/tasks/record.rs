//! What is kept of a task. Fields that are missing or unknown are no fault: other versions read and
//! write the same files.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A command line.
    Bash,
    /// An agent of its own.
    Agent,
}

impl Kind {
    /// As it is written and said.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Agent => "agent",
        }
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Created,
    Starting,
    Running,
    /// It runs, and waits for a person to approve something.
    AwaitingApproval,
    Completed,
    Failed,
    Killed,
    /// Its runner is gone without a word.
    Lost,
}

impl Status {
    /// Whether it stays so.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Killed | Self::Lost)
    }

    /// As it is written and said.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Killed => "killed",
            Self::Lost => "lost",
        }
    }
}

/// `spec.json`: what was asked for. Never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    #[serde(default = "one")]
    pub version: u32,
    pub id: String,
    pub kind: Kind,
    #[serde(default)]
    pub session_id: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub tool_call_id: String,
    /// Whose task it is; always `root`.
    #[serde(default)]
    pub owner_role: String,
    /// Unix seconds.
    #[serde(default)]
    pub created_at: f64,
    #[serde(default)]
    pub command: Option<String>,
    #[serde(default)]
    pub shell_name: Option<String>,
    #[serde(default)]
    pub shell_path: Option<String>,
    #[serde(default)]
    pub cwd: Option<String>,
    /// Seconds; `None` for as long as it takes.
    #[serde(default)]
    pub timeout_s: Option<u64>,
    /// Of an agent: an [`AgentPayload`].
    #[serde(default)]
    pub kind_payload: Option<Value>,
}

impl Spec {
    /// What is known of the agent.
    pub fn agent(&self) -> Option<AgentPayload> {
        serde_json::from_value(self.kind_payload.clone()?).ok()
    }
}

fn one() -> u32 {
    1
}

/// What runs in a task of kind `agent`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentPayload {
    pub agent_id: String,
    pub subagent_type: String,
    pub prompt: String,
    pub model_override: Option<String>,
    pub launch_mode: String,
}

/// `runtime.json`: where the task stands. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runtime {
    pub status: Status,
    pub worker_pid: Option<i32>,
    pub child_pid: Option<i32>,
    pub child_pgid: Option<i32>,
    pub started_at: Option<f64>,
    pub heartbeat_at: Option<f64>,
    pub updated_at: f64,
    pub finished_at: Option<f64>,
    pub exit_code: Option<i32>,
    /// It was stopped before it was done.
    pub interrupted: bool,
    pub timed_out: bool,
    pub failure_reason: Option<String>,
}

impl Runtime {
    /// When its runner was last heard of.
    pub fn last_sign(&self, spec: &Spec) -> f64 {
        [self.heartbeat_at, self.started_at, Some(self.updated_at)]
            .into_iter()
            .flatten()
            .fold(spec.created_at, f64::max)
    }

    /// Why it is over, in a word: `timed_out` where the status does not say it.
    pub fn terminal_reason(&self) -> Option<&'static str> {
        match self.status {
            _ if !self.status.is_over() => None,
            Status::Failed if self.timed_out => Some("timed_out"),
            status => Some(status.word()),
        }
    }

    /// It has ended so.
    pub fn conclude(&mut self, end: Conclusion, now: f64) {
        self.status = end.status;
        self.exit_code = end.exit_code;
        self.interrupted = end.interrupted;
        self.timed_out = end.timed_out;
        self.failure_reason = end.reason;
        self.finished_at = Some(now);
        self.updated_at = now;
    }
}

/// How a task has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    pub status: Status,
    pub exit_code: Option<i32>,
    pub interrupted: bool,
    pub timed_out: bool,
    pub reason: Option<String>,
}

impl Conclusion {
    /// It is done.
    pub fn completed(exit_code: Option<i32>) -> Self {
        let status = Status::Completed;
        Self { status, exit_code, interrupted: false, timed_out: false, reason: None }
    }

    /// It has failed.
    pub fn failed(exit_code: Option<i32>, reason: String) -> Self {
        Self { status: Status::Failed, reason: Some(reason), ..Self::completed(exit_code) }
    }

    /// It was not done in time.
    pub fn timed_out(seconds: u64) -> Self {
        let reason = format!("Not done within {seconds}s");
        Self { interrupted: true, timed_out: true, ..Self::failed(None, reason) }
    }

    /// Somebody has stopped it.
    pub fn killed(reason: String) -> Self {
        Self { status: Status::Killed, interrupted: true, ..Self::failed(None, reason) }
    }

    /// Its runner is gone.
    pub fn lost(reason: &str) -> Self {
        Self { status: Status::Lost, ..Self::failed(None, reason.to_owned()) }
    }
}

/// `control.json`: the wish that the task stops.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Control {
    pub kill_requested_at: Option<f64>,
    pub kill_reason: Option<String>,
    pub force: bool,
}

/// `consumer.json`: what the model has seen of the output.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Consumer {
    pub last_seen_output_size: u64,
    pub last_viewed_at: Option<f64>,
}
