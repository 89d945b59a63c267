//! Which work of an agent still counts after turns of the session were undone.
//!
//! Nothing happens to an agent when a turn is undone, so that a redo finds it as it was. Only when it is
//! given work again it forgets what an undone turn has told it, and what it did then.

use super::record::Record;
use super::{failure, store_of};
use crate::agent::core::Core;
use crate::protocol::ToolReturnValue;
use crate::store::{Assignment, ContextLog, Session, SubagentMeta};

/// Makes an agent that is resumed forget what was undone, in its conversation and in its record. The
/// error is the result of the call. Reads and writes files.
pub fn forget_undone(
    parent: &Core,
    record: &Record,
    meta: &SubagentMeta,
) -> Result<(), ToolReturnValue> {
    let Some(rewinder) = &parent.rewinder else { return Ok(()) };
    let id = &meta.agent_id;
    let undone = meta.assignments.iter().position(|given| rewinder.is_undone(given.point));
    let at = match undone {
        None => return Ok(()),
        Some(0) => {
            return Err(failure(
                format!(
                    "The turn that started agent {id} was undone, and what it was told with it. Leave \
                     `resume` out to start a new one."
                ),
                "Agent was undone",
            ));
        }
        Some(at) => at,
    };
    let back = || {
        let Assignment { before, .. } = meta.assignments.get(at)?;
        let (mut log, _) = ContextLog::open(&session_of(parent, id).context_path()).ok()?;
        log.return_to(before).ok()??;
        record.change(|meta| meta.assignments.truncate(at)).ok()
    };
    back().ok_or_else(|| {
        failure(
            format!(
                "Agent {id} knows of turns that were undone, and its conversation cannot go back to \
                 before them. Leave `resume` out to start a new one."
            ),
            "Agent cannot go back",
        )
    })
}

/// Notes what the agent is told now, by whom, and what it knew before.
pub fn note_assignment(parent: &Core, record: &Record, core: &Core) {
    let Some(rewinder) = &parent.rewinder else { return };
    match core.context.blocking_lock().mark() {
        Ok(before) => {
            let given = Assignment { point: rewinder.newest_point(), before };
            record.note(|meta| meta.assignments.push(given));
        }
        Err(error) => tracing::warn!(%error, "what a subagent is told cannot be undone"),
    }
}

/// The files of an agent, which are those of a session.
pub fn session_of(parent: &Core, id: &str) -> Session {
    Session {
        id: parent.session.id.clone(),
        dir: store_of(parent).dir(id),
        work_dir: parent.session.work_dir.clone(),
    }
}
