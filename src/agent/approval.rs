//! The desk where tool calls ask a person: approvals and questions.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::hub::Hub;
use super::plan::Plan;
use crate::customize::hooks::{Hooks, Occasion, Verdict as HookVerdict};
use crate::permission::call::Subject;
use crate::permission::offer::{Offer, exact_key, offer};
use crate::permission::{Call, Judgment, Rule, Rules, Site, Withheld};
use crate::platform::Env;
use crate::protocol::{
    ApprovalRequest, ApprovalResponse, DisplayBlock, Event, HookEvent, Question, QuestionRequest,
    QuestionResponse, Request, Response, Verdict,
};
use crate::tools::{ApprovalAsk, ApprovalVerdict, QuestionOutcome};

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

/// What goes ahead without a person: the rules of the configuration, and what was approved for the
/// session.
pub struct Permissions {
    rules: Rules,
    site: Site,
    /// As they are stored: kinds of acts (`edit file`), rules, single commands. `run command`, as
    /// kimi-cli stores it, is kept for kimi-cli and allows nothing here: it says nothing of the
    /// command that was approved.
    approved: BTreeSet<String>,
    /// Those of `approved` that are rules.
    session: Vec<Rule>,
}

impl Permissions {
    /// The permissions of a session with its stored approvals.
    pub fn new(rules: Rules, site: Site, approved: impl IntoIterator<Item = String>) -> Self {
        let mut new = Self { rules, site, approved: BTreeSet::new(), session: Vec::new() };
        approved.into_iter().for_each(|key| new.approve(key));
        new
    }

    fn approve(&mut self, key: String) {
        if key.starts_with("Shell(")
            && let Ok(rule) = Rule::parse(&key)
            && !self.session.contains(&rule)
        {
            self.session.push(rule);
        }
        self.approved.insert(key);
    }

    fn judge(&self, call: &Call) -> Judgment {
        self.rules.judge(call, &self.site, &self.session)
    }

    /// Whether this very act was approved for the session.
    fn is_approved(&self, call: &Call, action: &str, judgment: &Judgment) -> bool {
        match (&call.subject, judgment) {
            (Subject::Command { text, .. }, _) => self.approved.contains(&exact_key(text)),
            (_, Judgment::Open { .. }) => is_approved(&self.approved, action),
            (_, Judgment::Ask { rule, .. }) => self.approved.contains(&asked_key(rule)),
            _ => false,
        }
    }
}
/// What a rejected call says when a hook that rejected it gave no reason.
const NO_REASON: &str = "A hook does not allow this.";

/// Asks a person through the hub and waits for the answer, for as long as it takes.
pub struct ApprovalDesk {
    env: Env,
    hub: Arc<Hub>,
    hooks: Arc<Hooks>,
    plan: Plan,
    state: Mutex<State>,
    /// Called when the set of approved actions changed, to store it.
    on_change: OnChange,
}

type OnChange = Box<dyn Fn(&BTreeSet<String>) + Send + Sync>;

struct State {
    modes: Modes,
    permissions: Permissions,
    approvals: HashMap<String, PendingApproval>,
    questions: HashMap<String, oneshot::Sender<QuestionResponse>>,
}

struct PendingApproval {
    call: Arc<Call>,
    action: String,
    /// What is kept when it is approved for the session.
    keys: Vec<String>,
    answer: oneshot::Sender<ApprovalVerdict>,
}

impl ApprovalDesk {
    /// A desk with the session's permissions.
    pub(super) fn new(
        env: Env,
        hub: Arc<Hub>,
        hooks: Arc<Hooks>,
        plan: Plan,
        modes: Modes,
        permissions: Permissions,
        on_change: impl Fn(&BTreeSet<String>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            env,
            hub,
            hooks,
            plan,
            state: Mutex::new(State {
                modes,
                permissions,
                approvals: HashMap::new(),
                questions: HashMap::new(),
            }),
            on_change: Box::new(on_change),
        }
    }

    /// The plan mode of the session, whose agents all ask here.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where everybody is told.
    pub(super) fn hub(&self) -> &Hub {
        &self.hub
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
            let waiting: Vec<(String, Judgment)> = state
                .approvals
                .iter()
                .map(|(id, pending)| (id.clone(), state.permissions.judge(&pending.call)))
                .collect();
            for (id, judgment) in waiting {
                if matches!(judgment, Judgment::Open { .. } | Judgment::Allow) {
                    self.resolve(&mut state, &id, Verdict::Approve, String::new());
                } else if let Some(reason) = forbidden(&judgment, modes) {
                    let verdict = ApprovalVerdict::Denied { reason: reason.clone() };
                    self.close(&mut state, &id, Verdict::Reject, reason, verdict);
                }
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
                let Some(keys) =
                    state.approvals.get(&request_id).map(|pending| pending.keys.clone())
                else {
                    return false;
                };
                self.resolve(&mut state, &request_id, response, feedback);
                if response == Verdict::ApproveForSession {
                    keys.into_iter().for_each(|key| state.permissions.approve(key));
                    (self.on_change)(&state.permissions.approved);
                    let covered: Vec<String> = state
                        .approvals
                        .iter()
                        .filter(|(_, pending)| {
                            let judgment = state.permissions.judge(&pending.call);
                            judgment == Judgment::Allow
                                || state.permissions.is_approved(
                                    &pending.call,
                                    &pending.action,
                                    &judgment,
                                )
                        })
                        .map(|(id, _)| id.clone())
                        .collect();
                    for id in covered {
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

    /// Rejects whatever waits: the turn that asked is over.
    pub fn cancel_all(&self) {
        let mut state = self.lock();
        let waiting: Vec<String> = state.approvals.keys().cloned().collect();
        for id in waiting {
            self.resolve(&mut state, &id, Verdict::Reject, String::new());
        }
        state.questions.clear();
    }

    fn resolve(&self, state: &mut State, id: &str, response: Verdict, feedback: String) {
        let feedback = feedback.trim().to_owned();
        let verdict = match response {
            Verdict::Approve | Verdict::ApproveForSession => ApprovalVerdict::Approved,
            Verdict::Reject => ApprovalVerdict::Rejected {
                feedback: Some(feedback.clone()).filter(|feedback| !feedback.is_empty()),
            },
        };
        self.close(state, id, response, feedback, verdict);
    }

    /// Closes a request everywhere and gives the asker the verdict.
    fn close(
        &self,
        state: &mut State,
        id: &str,
        response: Verdict,
        feedback: String,
        verdict: ApprovalVerdict,
    ) {
        let Some(pending) = state.approvals.remove(id) else { return };
        let request_id = id.to_owned();
        self.hub.event(Event::ApprovalResponse(ApprovalResponse {
            request_id,
            response,
            feedback,
        }));
        // The asker may be gone; then nobody misses the answer.
        let _ = pending.answer.send(verdict);
    }

    /// What the hooks say before anybody is asked; `None` leaves it to the person.
    async fn hooks_say(&self, ask: &ApprovalAsk) -> Option<ApprovalVerdict> {
        if !self.hooks.has(HookEvent::PermissionRequest) {
            return None;
        }
        let ApprovalAsk { sender, call_id, action, description, .. } = ask;
        let occasion = Occasion::permission_request(sender, call_id, action, description);
        match self.hooks.fire(occasion).await {
            HookVerdict { block: Some(reason), .. } => {
                let feedback = if reason.is_empty() { NO_REASON.to_owned() } else { reason };
                Some(ApprovalVerdict::Rejected { feedback: Some(feedback) })
            }
            HookVerdict { allow, .. } => allow.then_some(ApprovalVerdict::Approved),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes a question everywhere when whoever asked it goes before there is an answer.
struct Withdrawn<'a> {
    desk: &'a ApprovalDesk,
    id: String,
}

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        let mut state = self.desk.lock();
        if state.questions.remove(&self.id).is_some() {
            self.desk.hub.event(Event::RequestWithdrawn { request_id: self.id.clone() });
        }
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

impl State {
    /// What the rules say of a call that a person has to be asked about; the error is the verdict on
    /// one that is decided.
    fn undecided(&self, ask: &ApprovalAsk, call: &Call) -> Result<Judgment, ApprovalVerdict> {
        let judgment = self.permissions.judge(call);
        if let Some(reason) = forbidden(&judgment, self.modes) {
            return Err(ApprovalVerdict::Denied { reason });
        }
        let open = matches!(judgment, Judgment::Open { .. });
        if judgment == Judgment::Allow
            || (open && self.modes.auto_approve())
            || self.permissions.is_approved(call, &ask.action, &judgment)
        {
            return Err(ApprovalVerdict::Approved);
        }
        Ok(judgment)
    }
}

/// Why a call must not go ahead, if so: a rule forbids it, or wants a person who is not there.
fn forbidden(judgment: &Judgment, modes: Modes) -> Option<String> {
    let told = |part: &str| part.chars().take(200).collect::<String>();
    match judgment {
        Judgment::Deny { rule, part } => Some(format!(
            "The user's permission rule `{rule}` forbids this: `{}`. Do not try it in another way.",
            told(part)
        )),
        Judgment::Ask { rule, part } if modes.unattended() => Some(format!(
            "The user's permission rule `{rule}` wants a person to be asked about `{}`, and nobody is \
             there. Go on without it.",
            told(part)
        )),
        Judgment::Unsure { rule, part, why } if modes.unattended() => Some(format!(
            "`{}` cannot be told from what the user's permission rule `{rule}` is about: {why}. Write \
             it as plain words.",
            told(part)
        )),
        _ => None,
    }
}

/// The key of everything a rule asks about.
fn asked_key(rule: &str) -> String {
    format!("asked by {rule}")
}

/// The note for a person who is asked about a command.
fn note(offer: &Offer, judgment: &Judgment, parts: usize) -> DisplayBlock {
    let why = match judgment {
        Judgment::Ask { rule, part } => Some(format!("the rule {rule} asks: {part}")),
        Judgment::Unsure { part, why, .. } => Some(format!("cannot be judged, {why}: {part}")),
        Judgment::Open { parts: open } if parts > 1 && open.len() < parts => {
            let open: Vec<&str> = open.iter().map(|part| part.shown()).collect();
            Some(format!("no rule allows: {}", open.join(" · ")))
        }
        _ => None,
    };
    ApprovalRequest::note(why.map(|why| why.replace('\n', " ")).as_deref(), &offer.told)
}

impl ApprovalDesk {
    /// What the rules say about a call.
    pub fn judge(&self, call: &Call) -> Judgment {
        self.lock().permissions.judge(call)
    }

    /// What searches leave out of their results.
    pub fn withheld(&self) -> Withheld {
        let permissions = &self.lock().permissions;
        permissions.rules.withheld(&permissions.site)
    }

    /// The rules of the configuration.
    pub fn rules(&self) -> Rules {
        self.lock().permissions.rules.clone()
    }

    /// What was approved for the session, in order.
    pub fn approved(&self) -> Vec<String> {
        self.lock().permissions.approved.iter().cloned().collect()
    }

    /// Takes back what was approved for the session.
    pub fn forget(&self, keys: &[String]) {
        let mut state = self.lock();
        let permissions = &mut state.permissions;
        permissions.approved.retain(|key| !keys.contains(key));
        permissions.session.retain(|rule| !keys.contains(&rule.to_string()));
        (self.on_change)(&permissions.approved);
    }

    /// Why a call must not go ahead, if so.
    pub fn forbids(&self, judgment: &Judgment) -> Option<String> {
        forbidden(judgment, self.modes())
    }

    /// Asks whether a call may go ahead, unless that is decided. Waits for as long as it takes.
    pub async fn approve_call(&self, ask: ApprovalAsk, call: Arc<Call>) -> ApprovalVerdict {
        if let Err(verdict) = self.lock().undecided(&ask, &call) {
            return verdict;
        }
        if let Some(verdict) = self.hooks_say(&ask).await {
            return verdict;
        }
        let answer = {
            let mut state = self.lock();
            // Something may have been approved meanwhile.
            let judgment = match state.undecided(&ask, &call) {
                Ok(judgment) => judgment,
                Err(verdict) => return verdict,
            };
            let mut display = ask.display;
            let keys = match (&call.subject, &judgment) {
                (Subject::Command { text, script }, judgment) => {
                    let offer = match judgment {
                        Judgment::Open { parts } => offer(text, parts),
                        _ => offer(text, &[]),
                    };
                    display.push(note(&offer, judgment, script.parts.len()));
                    offer.keys
                }
                (_, Judgment::Ask { rule, .. }) => vec![asked_key(rule)],
                _ => vec![ask.action.clone()],
            };
            let (sender, receiver) = oneshot::channel();
            let id = self.env.ids.uuid();
            state.approvals.insert(
                id.clone(),
                PendingApproval { call, action: ask.action.clone(), keys, answer: sender },
            );
            // Sent under the lock: an answer cannot come before the request is known.
            self.hub.request(Request::ApprovalRequest(ApprovalRequest {
                id,
                source_id: Some(ask.call_id.clone()),
                tool_call_id: ask.call_id,
                sender: ask.sender,
                action: ask.action,
                description: ask.description,
                source_kind: Some("foreground_turn".to_owned()),
                agent_id: None,
                subagent_type: None,
                source_description: None,
                display,
            }));
            receiver
        };
        answer.await.unwrap_or(ApprovalVerdict::Rejected { feedback: None })
    }

    /// Puts questions.
    pub async fn ask(&self, call_id: &str, questions: Vec<Question>) -> QuestionOutcome {
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
        let _withdrawn = Withdrawn { desk: self, id: id.clone() };
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
