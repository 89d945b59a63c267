//! What the parts of a session share.

use std::collections::{HashSet, VecDeque};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::approval::ApprovalDesk;
use super::budget::{Budget, Meter};
use super::client::Client;
use super::context::Context;
use super::goal::Goals;
use super::hub::Hub;
use super::notifications::Notifications;
use super::rewind::Rewinder;
use super::subagents::Source;
use crate::customize::hooks::{Hooks, Occasion};
use crate::customize::skills::Places;
use crate::llm::{Llm, Thinking, ToolSpec};
use crate::mcp::dispatch::Dispatch;
use crate::platform::Env;
use crate::protocol::{Event, HookEvent, Response, SessionInfo, StatusUpdate, TodoItem, UserInput};
use crate::store::{Session, SessionState, StateFile};
use crate::tasks::Tasks;
use crate::tools::{Mailbox, Registry, TodoStore, Tool, Workspace};

/// Where a session gets its models from, by configured name.
pub trait ModelSource: Send + Sync {
    /// The model `name` (`None`: the configured default), with thinking on or off (`None`: as
    /// configured). The error is one line for a person.
    fn connect(&self, name: Option<&str>, thinking: Option<bool>) -> Result<Llm, String>;

    /// Tells the providers of models that are connected from now on which program drives us. True when
    /// that is news.
    fn introduce(&self, client: &str) -> bool {
        let _ = client;
        false
    }
}

/// The bounds a turn runs within.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Model requests per turn.
    pub max_steps_per_turn: u32,
    /// Attempts per model request, the first included, if a number was given.
    pub max_retries_per_step: Option<u32>,
    /// Tokens kept free for the answer when deciding to compact.
    pub reserved_context: u64,
    /// Share of the context window at which to compact.
    pub compaction_trigger_ratio: f64,
    /// How often a task is gone over again: 0 for not at all, -1 for as often as the model wants.
    pub max_ralph_iterations: i64,
    pub budget: Budget,
}

/// What an agent is made of: the session's own, or one that it has started.
pub(super) struct Parts {
    pub env: Env,
    pub hub: Arc<Hub>,
    pub desk: Arc<ApprovalDesk>,
    pub hooks: Arc<Hooks>,
    pub registry: Registry,
    /// The MCP servers, if there may be any.
    pub dispatch: Option<Dispatch>,
    pub workspace: Arc<Workspace>,
    /// Where skills are looked for; `None` for nowhere.
    pub places: Option<Places>,
    pub models: Arc<dyn ModelSource>,
    /// What the session has used up in this process, its subagents included.
    pub meter: Arc<Meter>,
    pub limits: Limits,
    /// The agent is there to look: no call of its own, or of those that it starts, changes anything.
    pub reads_only: bool,
    /// The goals of the session: what its subagents use up counts for them too.
    pub goals: Arc<Goals>,
    /// Whether the model is told of unattended mode.
    pub afk_reminder: bool,
    pub session: Session,
    pub settings: Arc<Settings>,
    pub context: tokio::sync::Mutex<Context>,
    /// What it takes to undo turns; `None` when another process writes to the session too.
    pub rewinder: Option<Arc<Rewinder>>,
    pub tasks: Tasks,
    pub notifications: Notifications,
    /// Which subagent this is; `None` for the session's own agent.
    pub source: Option<Arc<Source>>,
}

/// What session, turn and step share: the parts of an agent, and how it stands.
pub(super) struct Core {
    parts: Parts,
    /// The program that the front end serves, if it does.
    pub client: Client,
    /// What the model sends to its own past.
    pub mail: Arc<Mailbox>,
    /// The state of the servers as clients know it.
    pub told_servers: Mutex<Option<serde_json::Value>>,
    /// The starts of servers that clients were told of last, as [`Servers::starting`] has them.
    ///
    /// [`Servers::starting`]: crate::mcp::servers::Servers::starting
    pub told_starting: Mutex<HashSet<(String, u64)>>,
    /// The hooks that hear of the session's start, while they run.
    started: tokio::sync::Mutex<Option<AbortOnDropHandle<()>>>,
    /// What the calls that run now hear when they shall go on in the background.
    to_background: Mutex<CancellationToken>,
    llm: Mutex<Option<Llm>>,
    steers: Mutex<VecDeque<UserInput>>,
    /// Asks the session's loop to take every op that was handed in by now; nobody answers for a
    /// subagent.
    roll_call: OnceLock<UnboundedSender<oneshot::Sender<()>>>,
}

impl Deref for Core {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Core {
    /// An agent of these parts and with this model, at rest.
    pub fn new(parts: Parts, llm: Option<Llm>) -> Self {
        Self {
            client: Client::new(&parts.hub),
            parts,
            mail: Arc::default(),
            told_servers: Mutex::default(),
            told_starting: Mutex::default(),
            started: tokio::sync::Mutex::default(),
            to_background: Mutex::default(),
            llm: Mutex::new(llm),
            steers: Mutex::default(),
            roll_call: OnceLock::new(),
        }
    }

    /// Tells the hooks that the session has begun. The first turn waits for them.
    pub fn begin(&self, resumed: bool) {
        if self.hooks.has(HookEvent::SessionStart) {
            let hooks = Arc::clone(&self.hooks);
            let work = tokio::spawn(async move {
                hooks.fire(Occasion::session_start(resumed)).await;
            });
            if let Ok(mut started) = self.started.try_lock() {
                *started = Some(AbortOnDropHandle::new(work));
            }
        }
    }

    /// Waits until the hooks know that the session has begun.
    pub async fn begun(&self) {
        let mut started = self.started.lock().await;
        if let Some(work) = started.as_mut() {
            // One that broke has nothing to wait for.
            let _ = work.await;
            *started = None;
        }
    }

    /// Cancelled when what runs now shall go on in the background.
    pub fn to_background(&self) -> CancellationToken {
        lock(&self.to_background).clone()
    }

    /// Sends what runs in the foreground, and can, to the background.
    pub fn send_to_background(&self) {
        std::mem::take(&mut *lock(&self.to_background)).cancel();
    }

    /// The background tasks, for an agent that may have some.
    pub fn own_tasks(&self) -> Option<&Tasks> {
        self.source.is_none().then_some(&self.tasks)
    }

    /// The goals, for the agent that works on them.
    pub fn own_goals(&self) -> Option<&Goals> {
        self.source.is_none().then_some(&*self.goals)
    }

    /// The model in use.
    pub fn llm(&self) -> Option<Llm> {
        lock(&self.llm).clone()
    }

    /// Uses another model from the next request on.
    pub fn set_llm(&self, llm: Llm) {
        *lock(&self.llm) = Some(llm);
    }

    /// From now on the session's loop answers [`Self::ops_taken`] with what this receives.
    pub fn roll_calls(&self) -> UnboundedReceiver<oneshot::Sender<()>> {
        let (sender, receiver) = unbounded_channel();
        let _ = self.roll_call.set(sender);
        receiver
    }

    /// Waits until every op that was handed in by now is taken: a message for the turn that was
    /// accepted before its end must not miss it because two threads ran in another order.
    pub async fn ops_taken(&self, cancel: &CancellationToken) {
        let Some(roll_call) = self.roll_call.get() else { return };
        let (sender, taken) = oneshot::channel();
        if roll_call.send(sender).is_ok() {
            tokio::select! { _ = taken => {}, () = cancel.cancelled() => {} }
        }
    }

    /// Keeps a message for the running turn.
    pub fn steer(&self, input: UserInput) {
        lock(&self.steers).push_back(input);
    }

    /// Forgets the messages that came too late for the turn.
    pub fn drop_steers(&self) {
        lock(&self.steers).clear();
    }

    /// The oldest message that waits for the turn.
    pub fn next_steer(&self) -> Option<UserInput> {
        lock(&self.steers).pop_front()
    }

    /// What the model in use is told of the session's own tools: the same bytes in every request,
    /// until there is another model.
    pub fn specs(&self) -> Vec<ToolSpec> {
        let model = self.llm().map(|llm| llm.capabilities).unwrap_or_default();
        self.client.specs(self.registry.specs(model))
    }

    /// The tool of that name, if the model may call it: one of the session's own, else one that the
    /// program on the other side runs, else one of the MCP servers.
    pub fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let of_servers = || self.dispatch.as_ref()?.tool(name);
        let own = self.registry.get(name).filter(|_| !self.client.hides(name));
        own.or_else(|| self.client.tool(name)).or_else(of_servers)
    }

    /// Takes the answer to a request, whoever has put it. One that nobody waits for changes nothing.
    pub fn answer(&self, response: Response) {
        match response {
            Response::ToolCall(_) | Response::Hook(_) => self.client.answer(response),
            Response::Approval(_) | Response::Question(_) => self.desk.answer(response),
        }
    }

    /// What the context held of the MCP servers is gone with it.
    pub fn forget_shown(&self) {
        if let Some(dispatch) = &self.dispatch {
            dispatch.reset();
        }
    }

    /// Where the whole of cut outputs goes.
    pub fn spill_dir(&self) -> PathBuf {
        self.session.dir.join("outputs")
    }

    /// The session's settings as a person sees them.
    pub fn info(&self) -> SessionInfo {
        let llm = self.llm();
        let modes = self.desk.modes();
        let state = self.settings.snapshot();
        SessionInfo {
            session_id: self.session.id.clone(),
            session_dir: self.session.dir.display().to_string(),
            work_dir: self.workspace.work_dir.display().to_string(),
            title: state.custom_title,
            model: llm.as_ref().map(|llm| llm.name.clone()),
            model_display: llm.as_ref().map(|llm| llm.display_name.clone()),
            thinking: llm.as_ref().is_some_and(|llm| llm.thinking == Thinking::On),
            image_in: llm.as_ref().is_some_and(|llm| llm.capabilities.image_in),
            yolo: modes.yolo,
            afk: modes.unattended(),
            plan_mode: state.plan_mode,
            max_context_tokens: llm.as_ref().map_or(0, |llm| llm.max_context),
        }
    }

    /// Tells every front end the settings.
    pub fn tell_info(&self) {
        self.hub.event(Event::SessionInfo(self.info()));
    }

    /// A status update with the fill of the context window.
    pub fn context_status(&self, tokens: u64, max: u64) -> StatusUpdate {
        StatusUpdate {
            context_usage: Some(StatusUpdate::share(tokens, max)),
            context_tokens: Some(tokens),
            max_context_tokens: Some(max),
            counted: Some((tokens, max)),
            ..StatusUpdate::default()
        }
    }
}

/// The session's `state.json`, in memory and on disk.
pub(super) struct Settings {
    file: Mutex<StateFile>,
}

impl Settings {
    pub fn new(file: StateFile) -> Self {
        Self { file: Mutex::new(file) }
    }

    /// The settings as they are now.
    pub fn snapshot(&self) -> SessionState {
        lock(&self.file).state.clone()
    }

    /// A look at the settings.
    pub fn read<T>(&self, look: impl FnOnce(&SessionState) -> T) -> T {
        look(&lock(&self.file).state)
    }

    /// Changes the settings and stores them. A store that fails is logged: the session goes on.
    pub fn update(&self, change: impl FnOnce(&mut SessionState)) {
        let mut file = lock(&self.file);
        change(&mut file.state);
        if let Err(error) = file.save() {
            warn!(%error, "the session's settings cannot be written");
        }
    }
}

impl TodoStore for Settings {
    fn get(&self) -> Vec<TodoItem> {
        lock(&self.file).state.todos.clone()
    }

    fn set(&self, items: Vec<TodoItem>) {
        self.update(|state| state.todos = items);
    }
}

/// A panic elsewhere leaves these values whole, so a poisoned lock is taken as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
