//! What is on disk of a subagent while it works.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::warn;

use super::Crew;
use crate::platform::Env;
use crate::store::{StoreError, SubagentMeta, SubagentStatus, SubagentStore};

/// Holds an agent for one run: nobody else can give it work meanwhile. Dropped before the end was
/// noted, the agent was killed.
pub struct Record {
    crew: Arc<Crew>,
    env: Env,
    store: SubagentStore,
    meta: Mutex<SubagentMeta>,
}

impl Record {
    /// Takes the agent. `None` when it is at work.
    pub fn take(
        crew: &Arc<Crew>,
        env: &Env,
        store: SubagentStore,
        meta: SubagentMeta,
    ) -> Option<Self> {
        if !crew.working().insert(meta.agent_id.clone()) {
            return None;
        }
        Some(Self { crew: Arc::clone(crew), env: env.clone(), store, meta: Mutex::new(meta) })
    }

    /// The files of the session's agents.
    pub fn store(&self) -> &SubagentStore {
        &self.store
    }

    /// What is known of the agent.
    pub fn meta(&self) -> SubagentMeta {
        self.lock().clone()
    }

    /// Nothing is known of the agent any more: it has never begun.
    pub fn forget(self) {
        let id = {
            let mut meta = self.lock();
            meta.status = SubagentStatus::Idle;
            meta.agent_id.clone()
        };
        if let Err(error) = self.store.remove(&id) {
            warn!(%error, "a subagent that has not begun cannot be removed");
        }
    }

    /// Changes what is known of the agent and writes it.
    pub fn change(&self, change: impl FnOnce(&mut SubagentMeta)) -> Result<(), StoreError> {
        let mut meta = self.lock();
        change(&mut meta);
        meta.updated_at = self.env.unix_now();
        self.store.write(&meta)
    }

    /// The same where the agent goes on, whatever becomes of it.
    pub fn note(&self, change: impl FnOnce(&mut SubagentMeta)) {
        if let Err(error) = self.change(change) {
            warn!(%error, "the state of a subagent cannot be written");
        }
    }

    fn lock(&self) -> MutexGuard<'_, SubagentMeta> {
        self.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let (id, status) = {
            let meta = self.lock();
            (meta.agent_id.clone(), meta.status)
        };
        if matches!(status, SubagentStatus::RunningForeground | SubagentStatus::RunningBackground) {
            self.note(|meta| meta.status = SubagentStatus::Killed);
        }
        self.crew.working().remove(&id);
    }
}
