//! What a session is made of.

use std::path::PathBuf;
use std::sync::Arc;

use crate::agent::approval::Modes;
use crate::agent::context::MakePrompt;
use crate::agent::core::{Limits, ModelSource};
use crate::agent::plan::PlanStart;
use crate::agent::subagents::Crew;
use crate::config::Background;
use crate::customize::hooks::HookSet;
use crate::customize::skills::Places;
use crate::llm::Llm;
use crate::mcp::dispatch::Dispatch;
use crate::permission::Rules;
use crate::platform::Env;
use crate::store::{Session, SessionLock};
use crate::tools::{Registry, Workspace};

/// Everything a session is made of.
pub struct SessionOptions {
    pub env: Env,
    /// Where the session's records are.
    pub session: Session,
    /// Tells that no other process has the session open.
    pub lock: Option<SessionLock>,
    pub workspace: Arc<Workspace>,
    /// Where skills are looked for; `None` for nowhere.
    pub places: Option<Places>,
    /// The model to begin with; `None` when none is configured.
    pub llm: Option<Llm>,
    pub models: Arc<dyn ModelSource>,
    pub registry: Registry,
    /// The MCP servers, if there may be any.
    pub dispatch: Option<Dispatch>,
    /// The hooks of the configuration.
    pub hooks: Arc<HookSet>,
    pub limits: Limits,
    /// Whether the model is told of unattended mode.
    pub afk_reminder: bool,
    /// The agents that the session's agent may start: `registry` has their tools.
    pub crew: Option<Arc<Crew>>,
    /// Whether the session's agent only looks ([`Agent::reads_only`](crate::customize::Agent::reads_only)).
    pub reads_only: bool,
    /// The settings of background tasks.
    pub background: Background,
    /// Milliseconds after which a notification that another process has claimed is told here.
    pub claim_stale_after_ms: u64,
    /// This program: commands in the background are attended by it.
    pub program: PathBuf,
    /// Modes asked for on the command line or in the configuration: they add to the stored ones.
    pub modes: Modes,
    /// Where plans go, and whether plan mode is on from the start.
    pub plan: PlanStart,
    /// What goes ahead without a person, what never does.
    pub rules: Rules,
    /// Makes the system prompt of a session that has none yet, and anew where the conversation is.
    pub system_prompt: MakePrompt,
}
