//! The desk where tool calls ask a person: approvals and questions.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::hub::Hub;
use super::subagents::Source;
use crate::platform::Env;
use crate::protocol::{
    ApprovalRequest, ApprovalResponse, Event, Question, QuestionRequest, QuestionResponse, Request,
    Response, Verdict,
};
use crate::tools::{ApprovalAsk, ApprovalVerdict, Desk, QuestionOutcome};

/// Who is asked, and what goes without asking (agent-loop.md section 11).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Modes {
    /// Approve everything; questions are still asked.
    pub yolo: bool,
    /// Nobody is there, stored with the session: approve everything, dismiss questions.
    pub afk: bool,
    /// Nobody is there, for this process only.
    pub runtime_afk: bool,
}

impl Modes {
    /// Whether calls go ahead without asking.
    pub fn auto_approve(&self) -> bool {
        self.yolo || self.unattended()
    }

    /// Whether nobody can be asked.
    pub fn unattended(&self) -> bool {
        self.afk || self.runtime_afk
    }
}

/// Asks a person through the hub and waits for the answer, for as long as it takes.
pub struct ApprovalDesk {
    env: Env,
    hub: Arc<Hub>,
    state: Mutex<State>,
    /// Called when the set of approved actions changed, to store it.
    on_change: OnChange,
}

type OnChange = Box<dyn Fn(&BTreeSet<String>) + Send + Sync>;

#[derive(Default)]
struct State {
    modes: Modes,
    /// Actions approved for the session.
    approved: BTreeSet<String>,
    approvals: HashMap<String, PendingApproval>,
    questions: HashMap<String, oneshot::Sender<QuestionResponse>>,
}

struct PendingApproval {
    action: String,
    /// The subagent that asks, if one does.
    source: Option<Arc<Source>>,
    answer: oneshot::Sender<ApprovalVerdict>,
}

impl ApprovalDesk {
    /// A desk with the session's stored approvals.
    pub fn new(
        env: Env,
        hub: Arc<Hub>,
        modes: Modes,
        approved: impl IntoIterator<Item = String>,
        on_change: impl Fn(&BTreeSet<String>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            env,
            hub,
            state: Mutex::new(State {
                modes,
                approved: approved.into_iter().collect(),
                ..State::default()
            }),
            on_change: Box::new(on_change),
        }
    }

    /// The modes in force.
    pub fn modes(&self) -> Modes {
        self.lock().modes
    }

    /// Changes the modes. Whatever waits and no longer needs an answer goes ahead.
    pub fn set_modes(&self, modes: Modes) {
        let mut state = self.lock();
        state.modes = modes;
        if modes.auto_approve() {
            let waiting: Vec<String> = state.approvals.keys().cloned().collect();
            for id in waiting {
                self.resolve(&mut state, &id, Verdict::Approve, String::new());
            }
        }
        if modes.unattended() {
            let waiting: Vec<_> = state.questions.drain().collect();
            for (request_id, answer) in waiting {
                // The asker may be gone; then nobody misses the answer.
                let _ = answer.send(QuestionResponse { request_id, answers: Default::default() });
            }
        }
    }

    /// Takes an answer. False when no such request waits: it was answered before, or cancelled.
    pub fn answer(&self, response: Response) -> bool {
        let mut state = self.lock();
        match response {
            Response::Approval(ApprovalResponse { request_id, response, feedback }) => {
                let Some(action) =
                    state.approvals.get(&request_id).map(|pending| pending.action.clone())
                else {
                    return false;
                };
                self.resolve(&mut state, &request_id, response, feedback);
                if response == Verdict::ApproveForSession {
                    state.approved.insert(action.clone());
                    (self.on_change)(&state.approved);
                    let same: Vec<String> = state
                        .approvals
                        .iter()
                        .filter(|(_, pending)| pending.action == action)
                        .map(|(id, _)| id.clone())
                        .collect();
                    for id in same {
                        self.resolve(&mut state, &id, Verdict::Approve, String::new());
                    }
                }
                true
            }
            Response::Question(response) => match state.questions.remove(&response.request_id) {
                Some(answer) => answer.send(response).is_ok(),
                None => false,
            },
        }
    }

    /// Rejects whatever waits: the turn that asked is over. What asks in the background goes on.
    pub fn cancel_all(&self) {
        self.cancel(|source| source.is_none_or(|source| source.task().is_none()));
        self.lock().questions.clear();
    }

    /// Rejects what this subagent waits for: it has ended.
    pub fn cancel_of(&self, agent: &Source) {
        self.cancel(|source| source.is_some_and(|source| source.agent_id == agent.agent_id));
    }

    fn cancel(&self, whose: impl Fn(Option<&Source>) -> bool) {
        let mut state = self.lock();
        let waiting: Vec<String> = state
            .approvals
            .iter()
            .filter(|(_, pending)| whose(pending.source.as_deref()))
            .map(|(id, _)| id.clone())
            .collect();
        for id in waiting {
            self.resolve(&mut state, &id, Verdict::Reject, String::new());
        }
    }

    fn resolve(&self, state: &mut State, id: &str, response: Verdict, feedback: String) {
        let Some(pending) = state.approvals.remove(id) else { return };
        let feedback = feedback.trim().to_owned();
        self.hub.event(Event::ApprovalResponse(ApprovalResponse {
            request_id: id.to_owned(),
            response,
            feedback: feedback.clone(),
        }));
        let verdict = match response {
            Verdict::Approve | Verdict::ApproveForSession => ApprovalVerdict::Approved,
            Verdict::Reject => ApprovalVerdict::Rejected {
                feedback: Some(feedback).filter(|feedback| !feedback.is_empty()),
            },
        };
        // The asker may be gone; then nobody misses the answer.
        let _ = pending.answer.send(verdict);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an action was approved for the session. kimi-cli stored the approval of an MCP tool
/// without its server, as `mcp:<tool>`; sessions of it go on here.
fn is_approved(approved: &BTreeSet<String>, action: &str) -> bool {
    approved.contains(action)
        || action.strip_prefix("mcp:").and_then(|rest| rest.split_once(':')).is_some_and(
            |(_, tool)| !tool.contains(':') && approved.contains(&format!("mcp:{tool}")),
        )
}

#[async_trait]
impl Desk for ApprovalDesk {
    async fn approve(&self, ask: ApprovalAsk) -> ApprovalVerdict {
        self.approve_for(ask, None).await
    }

    async fn ask(&self, call_id: &str, questions: Vec<Question>) -> QuestionOutcome {
        self.put(call_id, questions).await
    }
}

impl ApprovalDesk {
    /// Asks whether a call may go ahead: one of this subagent, or of the session's own agent.
    pub async fn approve_for(
        &self,
        ask: ApprovalAsk,
        source: Option<&Arc<Source>>,
    ) -> ApprovalVerdict {
        let task = source.and_then(|source| source.task());
        let answer = {
            let mut state = self.lock();
            if state.modes.auto_approve() || is_approved(&state.approved, &ask.action) {
                return ApprovalVerdict::Approved;
            }
            let (sender, receiver) = oneshot::channel();
            let id = self.env.ids.uuid();
            state.approvals.insert(
                id.clone(),
                PendingApproval {
                    action: ask.action.clone(),
                    source: source.map(Arc::clone),
                    answer: sender,
                },
            );
            // Sent under the lock: an answer cannot come before the request is known.
            self.hub.request(Request::ApprovalRequest(ApprovalRequest {
                id,
                source_id: Some(task.as_ref().map_or(&ask.call_id, |task| &task.id).clone()),
                tool_call_id: ask.call_id,
                sender: ask.sender,
                action: ask.action,
                description: ask.description,
                source_kind: Some(
                    if task.is_some() { "background_agent" } else { "foreground_turn" }.to_owned(),
                ),
                agent_id: source.map(|source| source.agent_id.clone()),
                subagent_type: source.map(|source| source.subagent_type.clone()),
                source_description: source.map(|source| source.description.clone()),
                display: ask.display,
            }));
            receiver
        };
        let _waiting = task.map(|task| task.awaiting_approval());
        answer.await.unwrap_or(ApprovalVerdict::Rejected { feedback: None })
    }

    async fn put(&self, call_id: &str, questions: Vec<Question>) -> QuestionOutcome {
        let (id, answer) = {
            let mut state = self.lock();
            if state.modes.unattended() {
                return QuestionOutcome::Afk;
            }
            let (sender, receiver) = oneshot::channel();
            let id = self.env.ids.uuid();
            state.questions.insert(id.clone(), sender);
            self.hub.request(Request::QuestionRequest(QuestionRequest {
                id: id.clone(),
                tool_call_id: call_id.to_owned(),
                questions,
            }));
            (id, receiver)
        };
        QuestionOutcome::Answered(
            answer.await.unwrap_or_else(|_| QuestionResponse {
                request_id: id,
                answers: Default::default(),
            }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_of_an_mcp_tool_is_for_one_server() {
        let approved = |action: &str| BTreeSet::from([action.to_owned()]);
        assert!(is_approved(&approved("mcp:gh:push"), "mcp:gh:push"));
        assert!(!is_approved(&approved("mcp:gh:push"), "mcp:lab:push"));
        assert!(!is_approved(&approved("mcp:gh:push"), "mcp:gh:pull"));
        // As kimi-cli stored it.
        assert!(is_approved(&approved("mcp:push"), "mcp:gh:push"));
        assert!(!is_approved(&approved("mcp:push"), "mcp:gh:a:push"));
        assert!(!is_approved(&approved("push"), "mcp:gh:push"));
    }
}
