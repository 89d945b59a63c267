//! What the parts of a session share.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::approval::ApprovalDesk;
use super::budget::{Budget, Meter};
use super::context::Context;
use super::hub::Hub;
use super::notifications::Notifications;
use super::subagents::{Source, SubagentDesk};
use crate::llm::{Llm, Thinking, ToolSpec};
use crate::mcp::dispatch::Dispatch;
use crate::platform::Env;
use crate::protocol::{Event, SessionInfo, StatusUpdate, TodoItem, UserInput};
use crate::store::{Session, SessionState, StateFile};
use crate::tasks::Tasks;
use crate::tools::{Desk, Registry, TodoStore, Tool, Workspace};

/// Where a session gets its models from, by configured name.
pub trait ModelSource: Send + Sync {
    /// The model `name` (`None`: the configured default), with thinking on or off (`None`: as
    /// configured). The error is one line for a person.
    fn connect(&self, name: Option<&str>, thinking: Option<bool>) -> Result<Llm, String>;
}

/// The bounds a turn runs within.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Model requests per turn.
    pub max_steps_per_turn: u32,
    /// Attempts per model request, the first included.
    pub max_retries_per_step: u32,
    /// Tokens kept free for the answer when deciding to compact.
    pub reserved_context: u64,
    /// Share of the context window at which to compact.
    pub compaction_trigger_ratio: f64,
    pub budget: Budget,
}

/// What session, turn and step share.
pub(super) struct Core {
    pub env: Env,
    pub hub: Arc<Hub>,
    pub desk: Arc<ApprovalDesk>,
    pub registry: Registry,
    /// What the model is told of the session's own tools: the same bytes in every request.
    pub specs: Vec<ToolSpec>,
    /// The MCP servers, if there may be any.
    pub dispatch: Option<Dispatch>,
    /// The state of the servers as clients know it.
    pub told_servers: Mutex<Option<serde_json::Value>>,
    pub workspace: Arc<Workspace>,
    pub models: Arc<dyn ModelSource>,
    /// What the session has used up in this process.
    pub meter: Arc<Meter>,
    pub limits: Limits,
    /// Whether the model is told of unattended mode.
    pub afk_reminder: bool,
    pub session: Session,
    pub settings: Arc<Settings>,
    pub context: tokio::sync::Mutex<Context>,
    pub tasks: Tasks,
    pub notifications: Notifications,
    /// Which subagent this is; `None` for the session's own agent.
    pub source: Option<Arc<Source>>,
    /// What the calls that run now hear when they shall go on in the background.
    to_background: Mutex<CancellationToken>,
    llm: Mutex<Option<Llm>>,
    steers: Mutex<VecDeque<UserInput>>,
}

impl Core {
    #[expect(
        clippy::too_many_arguments,
        reason = "called by the session and by its subagents, which own the parts"
    )]
    pub fn new(
        env: Env,
        hub: Arc<Hub>,
        desk: Arc<ApprovalDesk>,
        registry: Registry,
        dispatch: Option<Dispatch>,
        workspace: Arc<Workspace>,
        models: Arc<dyn ModelSource>,
        limits: Limits,
        afk_reminder: bool,
        session: Session,
        settings: Arc<Settings>,
        context: Context,
        tasks: Tasks,
        notifications: Notifications,
        llm: Option<Llm>,
    ) -> Self {
        Self {
            env,
            hub,
            desk,
            specs: registry.specs(),
            registry,
            dispatch,
            told_servers: Mutex::default(),
            workspace,
            models,
            meter: Arc::new(Meter::new(limits.budget)),
            limits,
            afk_reminder,
            session,
            settings,
            context: tokio::sync::Mutex::new(context),
            tasks,
            notifications,
            source: None,
            to_background: Mutex::default(),
            llm: Mutex::new(llm),
            steers: Mutex::default(),
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

    /// The same as a subagent, which uses up what its session may.
    #[must_use]
    pub fn for_subagent(mut self, source: Arc<Source>, meter: Arc<Meter>) -> Self {
        self.source = Some(source);
        self.meter = meter;
        self
    }

    /// Where the calls of this agent ask.
    pub fn asking(&self) -> Arc<dyn Desk> {
        match &self.source {
            None => Arc::clone(&self.desk) as Arc<dyn Desk>,
            Some(source) => Arc::new(SubagentDesk::new(Arc::clone(&self.desk), Arc::clone(source))),
        }
    }

    /// The background tasks, for an agent that may have some.
    pub fn own_tasks(&self) -> Option<&Tasks> {
        self.source.is_none().then_some(&self.tasks)
    }

    /// The model in use.
    pub fn llm(&self) -> Option<Llm> {
        lock(&self.llm).clone()
    }

    /// Uses another model from the next request on.
    pub fn set_llm(&self, llm: Llm) {
        *lock(&self.llm) = Some(llm);
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

    /// The tool of that name, if the model may call it: one of the session's own, else one of the
    /// MCP servers.
    pub fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let of_servers = || self.dispatch.as_ref()?.tool(name);
        self.registry.get(name).or_else(of_servers)
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
            context_usage: Some(if max == 0 { 0.0 } else { tokens as f64 / max as f64 }),
            context_tokens: Some(tokens),
            max_context_tokens: Some(max),
            plan_mode: Some(self.settings.snapshot().plan_mode),
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
