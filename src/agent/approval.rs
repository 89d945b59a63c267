//! The desk where tool calls ask a person: approvals and questions.

mod permissions;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

pub use permissions::Permissions;

use permissions::{asked_key, forbidden};

use super::budget::Meter;
use super::hub::Hub;
use super::plan::Plan;
use super::subagents::Source;
use crate::customize::hooks::{Hooks, Occasion, Verdict as HookVerdict};
use crate::permission::call::Subject;
use crate::permission::offer::{Offer, offer};
use crate::permission::{Call, Judgment, Rules, Withheld};
use crate::platform::Env;
use crate::protocol::{
    ApprovalRequest, ApprovalResponse, DisplayBlock, Event, HookEvent, Question, QuestionForm,
    QuestionRequest, QuestionResponse, Request, Response, Verdict,
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

/// What a rejected call says when a hook that rejected it gave no reason.
const NO_REASON: &str = "A hook does not allow this.";

/// Asks a person through the hub and waits for the answer, for as long as it takes.
pub struct ApprovalDesk {
    env: Env,
    hub: Arc<Hub>,
    hooks: Arc<Hooks>,
    plan: Plan,
    state: Mutex<State>,
    /// Called when the set of approved actions changed, to store it. Of two sets the newer one is
    /// stored last.
    on_change: Mutex<OnChange>,
    meter: Arc<Meter>,
}

type OnChange = Box<dyn Fn(&BTreeSet<String>) + Send>;

struct State {
    modes: Modes,
    /// Whether the front end shows questions, and takes answers that are none of the options.
    can_ask: bool,
    takes_words: bool,
    takes_forms: bool,
    /// Replaced when they change: whoever judges by them does so without the lock.
    permissions: Arc<Permissions>,
    approvals: HashMap<String, PendingApproval>,
    /// What programs know the running turn by, once it has asked.
    turn: Option<String>,
    questions: HashMap<String, oneshot::Sender<QuestionResponse>>,
}

struct PendingApproval {
    call: Arc<Call>,
    action: String,
    /// The subagent that asks, if one does.
    source: Option<Arc<Source>>,
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
        on_change: impl Fn(&BTreeSet<String>) + Send + 'static,
    ) -> Self {
        Self {
            env,
            hub,
            hooks,
            plan,
            state: Mutex::new(State {
                modes,
                can_ask: true,
                takes_words: true,
                takes_forms: false,
                permissions: Arc::new(permissions),
                approvals: HashMap::new(),
                turn: None,
                questions: HashMap::new(),
            }),
            on_change: Mutex::new(Box::new(on_change)),
            meter: Arc::default(),
        }
    }

    /// What counts the time of turns hears when a person is asked.
    pub(super) fn timed_by(self, meter: &Arc<Meter>) -> Self {
        Self { meter: Arc::clone(meter), ..self }
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

    /// Says whether the front end shows questions. Without it the tools that ask fail with words that
    /// say so.
    pub fn set_can_ask(&self, can_ask: bool) {
        self.lock().can_ask = can_ask;
    }

    /// Whether the front end takes answers in words of the person's own.
    pub fn takes_words(&self) -> bool {
        self.lock().takes_words
    }

    /// Says whether it does.
    pub fn set_takes_words(&self, takes_words: bool) {
        self.lock().takes_words = takes_words;
    }

    /// Whether the front end shows forms.
    pub fn takes_forms(&self) -> bool {
        self.lock().takes_forms
    }

    /// Says whether it does.
    pub fn set_takes_forms(&self, takes_forms: bool) {
        self.lock().takes_forms = takes_forms;
    }

    /// Changes the modes. Whatever waits and no longer needs an answer goes ahead.
    pub fn set_modes(self: &Arc<Self>, modes: Modes) {
        let mut state = self.lock();
        state.modes = modes;
        if modes.auto_approve() {
            self.settle(&state);
        }
        if modes.unattended() {
            self.dismiss(&mut state);
        }
    }

    /// Takes an answer. One that nobody waits for, as it was given before or withdrawn, changes nothing.
    pub fn answer(self: &Arc<Self>, response: Response) {
        match response {
            Response::Approval(response) => self.answer_approval(response),
            Response::Question(response) => {
                if let Some(answer) = self.lock().questions.remove(&response.request_id) {
                    // The asker may be gone; then nobody misses the answer.
                    let _ = answer.send(response);
                }
            }
            // Not asked here.
            Response::ToolCall(_) | Response::Hook(_) => {}
        }
    }

    fn answer_approval(self: &Arc<Self>, answer: ApprovalResponse) {
        let ApprovalResponse { request_id, response, feedback } = answer;
        {
            let mut state = self.lock();
            let Some(pending) = state.approvals.get(&request_id) else { return };
            let keys = pending.keys.clone();
            self.resolve(&mut state, &request_id, response, feedback);
            if response != Verdict::ApproveForSession {
                return;
            }
            let permissions = Arc::make_mut(&mut state.permissions);
            keys.into_iter().for_each(|key| permissions.approve(key));
            self.settle(&state);
        }
        self.store();
    }

    /// Judges what waits anew, and lets go ahead what needs no answer any more. The files that calls are
    /// about may take a while to look at: that happens aside, and not under the lock.
    fn settle(self: &Arc<Self>, state: &State) {
        let waiting: Vec<(String, Arc<Call>)> = state
            .approvals
            .iter()
            .map(|(id, pending)| (id.clone(), Arc::clone(&pending.call)))
            .collect();
        if waiting.is_empty() {
            return;
        }
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            for (id, call) in waiting {
                desk.judged(&call, |state, judgment| desk.settle_one(state, &id, judgment)).await;
            }
        });
    }

    fn settle_one(&self, state: &mut State, id: &str, judgment: Judgment) {
        let Some(pending) = state.approvals.get(id) else { return };
        match state.undecided(&pending.action, &pending.call, judgment) {
            Ok(_) => {}
            Err(ApprovalVerdict::Denied { reason }) => {
                let verdict = ApprovalVerdict::Denied { reason: reason.clone() };
                self.close(state, id, Verdict::Reject, reason, verdict);
            }
            Err(_) => self.resolve(state, id, Verdict::Approve, String::new()),
        }
    }

    /// Rejects whatever waits: the turn that asked is over. What asks in the background goes on.
    pub fn cancel_all(&self) {
        self.cancel(|source| source.is_none_or(|source| source.task().is_none()));
        let mut state = self.lock();
        state.turn = None;
        self.dismiss(&mut state);
    }

    /// Takes all questions back: who asked has no answer, and nobody shows them any longer.
    fn dismiss(&self, state: &mut State) {
        for (request_id, answer) in state.questions.drain() {
            // The asker may be gone; then nobody misses the answer.
            let _ = answer.send(QuestionResponse {
                request_id: request_id.clone(),
                ..QuestionResponse::default()
            });
            self.hub.event(Event::RequestWithdrawn { request_id });
        }
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
    async fn hooks_say(
        &self,
        ask: &ApprovalAsk,
        source: Option<&Arc<Source>>,
    ) -> Option<ApprovalVerdict> {
        let hooks = source.map_or(&self.hooks, |source| &source.hooks);
        if !hooks.has(HookEvent::PermissionRequest) {
            return None;
        }
        let ApprovalAsk { sender, call_id, action, description, .. } = ask;
        let occasion = Occasion::permission_request(sender, call_id, action, description);
        match hooks.fire(occasion).await {
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

impl State {
    /// What the rules say of a call that a person has to be asked about; the error is the verdict on
    /// one that is decided.
    fn undecided(
        &self,
        action: &str,
        call: &Call,
        judgment: Judgment,
    ) -> Result<Judgment, ApprovalVerdict> {
        if let Some(reason) = forbidden(&judgment, self.modes) {
            return Err(ApprovalVerdict::Denied { reason });
        }
        let open = matches!(judgment, Judgment::Open { .. });
        if judgment == Judgment::Allow
            || (open && self.modes.auto_approve())
            || self.permissions.is_approved(call, action, &judgment)
        {
            return Err(ApprovalVerdict::Approved);
        }
        Ok(judgment)
    }
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
    pub async fn judge(&self, call: &Arc<Call>) -> Judgment {
        self.judged(call, |_, judgment| judgment).await
    }

    /// What follows from a judgment, by permissions that are still in force then.
    async fn judged<T>(&self, call: &Arc<Call>, then: impl FnOnce(&mut State, Judgment) -> T) -> T {
        loop {
            let permissions = self.permissions();
            let judgment = permissions.judge(call).await;
            let mut state = self.lock();
            if Arc::ptr_eq(&permissions, &state.permissions) {
                return then(&mut state, judgment);
            }
        }
    }

    /// What is in force now.
    fn permissions(&self) -> Arc<Permissions> {
        Arc::clone(&self.lock().permissions)
    }

    fn store(&self) {
        let on_change = self.on_change.lock().unwrap_or_else(PoisonError::into_inner);
        on_change(&self.permissions().approved);
    }

    /// What searches leave out of their results.
    pub fn withheld(&self) -> Withheld {
        self.permissions().withheld()
    }

    /// The rules of the configuration.
    pub fn rules(&self) -> Rules {
        self.permissions().rules.clone()
    }

    /// What was approved for the session, in order.
    pub fn approved(&self) -> Vec<String> {
        self.permissions().approved.iter().cloned().collect()
    }

    /// Takes back what was approved for the session.
    pub fn forget(&self, keys: &[String]) {
        Arc::make_mut(&mut self.lock().permissions).forget(keys);
        self.store();
    }

    /// Why a call must not go ahead, if so.
    pub fn forbids(&self, judgment: &Judgment) -> Option<String> {
        forbidden(judgment, self.modes())
    }

    /// Asks whether a call may go ahead, unless that is decided. Waits for as long as it takes.
    /// `source` is the subagent that asks, if it is not the session's own agent.
    pub async fn approve_call(
        &self,
        ask: ApprovalAsk,
        call: Arc<Call>,
        source: Option<&Arc<Source>>,
    ) -> ApprovalVerdict {
        let decided = |state: &mut State, judgment| state.undecided(&ask.action, &call, judgment);
        if let Err(verdict) = self.judged(&call, decided).await {
            return verdict;
        }
        if let Some(verdict) = self.hooks_say(&ask, source).await {
            return verdict;
        }
        let task = source.and_then(|source| source.task());
        // Something may have been approved meanwhile.
        let asked = self.judged(&call, |state, judgment| {
            let judgment = state.undecided(&ask.action, &call, judgment)?;
            let task = task.as_ref().map(|task| task.id.as_str());
            Ok(self.put(state, ask, Arc::clone(&call), &judgment, source, task))
        });
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(verdict) => return verdict,
        };
        let _dialog = task.is_none().then(|| self.meter.dialog(&self.env.clock));
        let _waiting = task.map(|task| task.awaiting_approval());
        answer.await.unwrap_or(ApprovalVerdict::Rejected { feedback: None })
    }

    /// Asks everybody who can answer. Under the lock: an answer cannot come before the request is known.
    fn put(
        &self,
        state: &mut State,
        ask: ApprovalAsk,
        call: Arc<Call>,
        judgment: &Judgment,
        source: Option<&Arc<Source>>,
        task: Option<&str>,
    ) -> oneshot::Receiver<ApprovalVerdict> {
        let mut display = ask.display;
        let keys = match (&call.subject, judgment) {
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
            PendingApproval {
                call,
                action: ask.action.clone(),
                source: source.map(Arc::clone),
                keys,
                answer: sender,
            },
        );
        let (source_kind, source_id) = match task {
            Some(task) => ("background_agent", task.to_owned()),
            None => {
                let turn = state.turn.get_or_insert_with(|| self.env.ids.uuid());
                ("foreground_turn", turn.clone())
            }
        };
        self.hub.request(Request::ApprovalRequest(ApprovalRequest {
            id,
            source_id: Some(source_id),
            tool_call_id: ask.call_id,
            sender: ask.sender,
            action: ask.action,
            description: ask.description,
            source_kind: Some(source_kind.to_owned()),
            agent_id: source.map(|source| source.agent_id.clone()),
            subagent_type: source.map(|source| source.subagent_type.clone()),
            source_description: source.map(|source| source.description.clone()),
            display,
            note: None,
        }));
        receiver
    }

    /// Puts questions.
    pub async fn ask(&self, call_id: &str, questions: Vec<Question>) -> QuestionOutcome {
        self.pose(call_id, questions, None).await
    }

    /// Puts questions, which may be a form too.
    pub async fn pose(
        &self,
        call_id: &str,
        questions: Vec<Question>,
        form: Option<QuestionForm>,
    ) -> QuestionOutcome {
        let (id, answer) = {
            let mut state = self.lock();
            if state.modes.unattended() {
                return QuestionOutcome::Afk;
            }
            if !state.can_ask {
                return QuestionOutcome::Unsupported;
            }
            let (sender, receiver) = oneshot::channel();
            let id = self.env.ids.uuid();
            state.questions.insert(id.clone(), sender);
            self.hub.request(Request::QuestionRequest(QuestionRequest {
                id: id.clone(),
                tool_call_id: call_id.to_owned(),
                questions,
                form,
            }));
            (id, receiver)
        };
        let _withdrawn = Withdrawn { desk: self, id: id.clone() };
        let _dialog = self.meter.dialog(&self.env.clock);
        QuestionOutcome::Answered(
            answer.await.unwrap_or_else(|_| QuestionResponse {
                request_id: id,
                ..QuestionResponse::default()
            }),
        )
    }
}

#[cfg(test)]
mod tests;
