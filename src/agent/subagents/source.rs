//! Who a subagent is to the person it asks.

use std::sync::{Arc, Mutex, PoisonError};

use crate::customize::hooks::Hooks;
use crate::tasks::AgentRun;

/// A subagent that asks.
pub struct Source {
    pub agent_id: String,
    pub subagent_type: String,
    /// What it was started for, a few words.
    pub description: String,
    /// The session's hooks: what they have to tell about its calls they tell it.
    pub hooks: Arc<Hooks>,
    /// The goal of the turn that has ordered its work.
    pub goal: Option<String>,
    task: Mutex<Option<AgentRun>>,
}

impl Source {
    /// A subagent in the foreground.
    pub fn new(
        agent_id: String,
        subagent_type: String,
        description: String,
        hooks: Arc<Hooks>,
        goal: Option<String>,
    ) -> Self {
        Self { agent_id, subagent_type, description, hooks, goal, task: Mutex::default() }
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
