//! Who a subagent is to the person it asks.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::agent::approval::ApprovalDesk;
use crate::protocol::Question;
use crate::tasks::AgentRun;
use crate::tools::{ApprovalAsk, ApprovalVerdict, Desk, QuestionOutcome};

/// A subagent that asks.
pub struct Source {
    pub agent_id: String,
    pub subagent_type: String,
    /// What it was started for, a few words.
    pub description: String,
    task: Mutex<Option<AgentRun>>,
}

impl Source {
    /// A subagent in the foreground.
    pub fn new(agent_id: String, subagent_type: String, description: String) -> Self {
        Self { agent_id, subagent_type, description, task: Mutex::default() }
    }

    /// The background task it runs in; `None` in the foreground.
    pub fn task(&self) -> Option<AgentRun> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It goes on in the background.
    pub fn set_task(&self, task: AgentRun) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }
}

/// The session's desk, as a subagent has it.
pub struct SubagentDesk {
    desk: Arc<ApprovalDesk>,
    source: Arc<Source>,
}

impl SubagentDesk {
    /// Asks at `desk` in the name of `source`.
    pub fn new(desk: Arc<ApprovalDesk>, source: Arc<Source>) -> Self {
        Self { desk, source }
    }
}

#[async_trait]
impl Desk for SubagentDesk {
    async fn approve(&self, ask: ApprovalAsk) -> ApprovalVerdict {
        self.desk.approve_for(ask, Some(&self.source)).await
    }

    async fn ask(&self, _: &str, _: Vec<Question>) -> QuestionOutcome {
        // Its caller asks.
        QuestionOutcome::Unsupported
    }
}
