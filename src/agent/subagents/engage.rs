//! Finding or making the agent that an order is for.

use std::sync::Arc;

use super::record::Record;
use super::report::Report;
use super::{Crew, Source, failure, git_context, history, store_of};
use crate::agent::context::Context;
use crate::agent::core::{Core, Parts, Settings};
use crate::agent::hub::Hub;
use crate::agent::notifications::Notifications;
use crate::agent::recorder::Recorder;
use crate::customize::hooks::Hooks;
use crate::customize::{Agent, Subagent};
use crate::llm::Llm;
use crate::protocol::{Event, ToolReturnValue};
use crate::store::{
    ContextLog, LaunchSpec, StateFile, StoreError, SubagentMeta, SubagentStatus, WireLog,
};

/// The type that is told of the repository.
const EXPLORER: &str = "explore";

/// What an agent is wanted for.
#[derive(Debug, Clone)]
pub struct Order {
    /// A few words.
    pub description: String,
    pub prompt: String,
    pub subagent_type: String,
    /// The configured name of a model.
    pub model: Option<String>,
    /// The id of an agent that has worked before.
    pub resume: Option<String>,
}

/// What the caller is told of the agent itself.
#[derive(Debug, Clone)]
pub struct Identity {
    pub id: String,
    pub resumed: bool,
    /// The type that was asked for, where the agent is of another one.
    pub requested: Option<String>,
    pub kind: String,
}

/// An agent that is ready to begin.
pub struct Engaged {
    pub identity: Identity,
    pub core: Arc<Core>,
    pub source: Arc<Source>,
    pub report: Report,
    pub record: Record,
    /// What was known of it before this work; `None` of a new one.
    pub before: Option<SubagentMeta>,
    /// What it is told.
    pub prompt: String,
    /// What of it its caller wrote.
    pub task: String,
    /// The hooks as its caller has them.
    pub caller_hooks: Arc<Hooks>,
    pub model_override: Option<String>,
}

impl Engaged {
    /// It does not begin: there is no new agent, and one that was there is as it was. Writes files.
    pub fn give_back(self) {
        match self.before {
            Some(before) => self.record.note(|meta| *meta = before),
            None => self.record.forget(),
        }
    }
}

/// Finds the agent or makes one. The error is the result of the call.
pub async fn engage(
    crew: &Arc<Crew>,
    order: Order,
    call_id: &str,
) -> Result<Engaged, ToolReturnValue> {
    let Some(parent) = crew.parent.get().and_then(std::sync::Weak::upgrade) else {
        return Err(failure("The session is ending.", "Session is ending"));
    };
    if let Some(exhausted) = parent.cannot_delegate() {
        return Err(failure(format!("{exhausted}. No agent was started."), "Budget spent"));
    }
    crew.settle(&parent).await;
    let found = match &order.resume {
        None => None,
        Some(id) => Some(find(&parent, id)?),
    };
    let wanted = found.as_ref().map_or(&order.subagent_type, |meta| &meta.subagent_type);
    let Some(kind) = crew.kind(wanted) else {
        let wanted: String = wanted.chars().take(60).collect();
        return Err(failure(
            format!("There is no subagent type `{wanted}`. Types: {}.", crew.names()),
            "Invalid subagent type",
        ));
    };
    let stored = found.as_ref().and_then(|meta| meta.launch_spec.effective_model.as_deref());
    let llm = model(&parent, order.model.as_deref(), stored, &kind.agent)?;
    let prompt = match (&found, kind.name.as_str()) {
        (None, EXPLORER) => git_context::before(&parent, &order.prompt).await,
        _ => order.prompt.clone(),
    };
    let agent = kind.clone();
    let (crew, call_id) = (Arc::clone(crew), call_id.to_owned());
    let make = move || make(&crew, &parent, order, agent, found, llm, prompt, call_id);
    match tokio::task::spawn_blocking(make).await {
        Ok(made) => made,
        Err(error) => {
            Err(failure(format!("The agent could not be made: {error}."), "Agent not started"))
        }
    }
}

fn find(parent: &Core, id: &str) -> Result<SubagentMeta, ToolReturnValue> {
    store_of(parent).read(id).ok_or_else(|| {
        let id: String = id.chars().take(60).collect();
        failure(
            format!("This session has no agent `{id}`. Leave `resume` out to start a new one."),
            "Agent not found",
        )
    })
}

/// What was asked for, else what the agent had, else what its type says, else the caller's.
fn model(
    parent: &Core,
    asked: Option<&str>,
    stored: Option<&str>,
    agent: &Agent,
) -> Result<Llm, ToolReturnValue> {
    let own = parent.llm();
    let named = |name: &str| match own.as_ref().filter(|own| own.name == name) {
        Some(own) => Ok(own.clone()),
        None => parent.models.connect(Some(name), None),
    };
    let invalid =
        |error: String| failure(format!("The model cannot be used: {error}"), "Invalid model");
    if let Some(name) = asked {
        return named(name).map_err(invalid);
    }
    // A model that is not configured any more is no reason to lose the agent.
    if let Some(Ok(llm)) = stored.map(named) {
        return Ok(llm);
    }
    match &agent.model {
        Some(name) => named(name).map_err(invalid),
        None => own.clone().ok_or_else(|| invalid("none is set".to_owned())),
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the second half of `engage`, where blocking is fine"
)]
fn make(
    crew: &Arc<Crew>,
    parent: &Arc<Core>,
    order: Order,
    kind: Subagent,
    found: Option<SubagentMeta>,
    llm: Llm,
    prompt: String,
    call_id: String,
) -> Result<Engaged, ToolReturnValue> {
    let store = store_of(parent);
    let unwritable = |error: StoreError| {
        failure(format!("The agent cannot be recorded: {error}"), "Agent not started")
    };
    let resumed = found.is_some();
    let requested = Some(order.subagent_type).filter(|wanted| resumed && *wanted != kind.name);
    let meta = match found {
        Some(meta) => meta,
        None => {
            let id = store.create_new(|| parent.env.ids.uuid()).map_err(unwritable)?;
            let now = parent.env.unix_now();
            SubagentMeta {
                agent_id: id.clone(),
                subagent_type: kind.name.clone(),
                status: SubagentStatus::Idle,
                description: order.description.clone(),
                created_at: now,
                updated_at: now,
                last_task_id: None,
                assignments: Vec::new(),
                launch_spec: LaunchSpec {
                    agent_id: id,
                    subagent_type: kind.name.clone(),
                    model_override: order.model.clone(),
                    effective_model: None,
                    created_at: now,
                },
            }
        }
    };
    let id = meta.agent_id.clone();
    let Some(record) = Record::take(crew, &parent.env, store, meta.clone()) else {
        return Err(failure(
            format!("Agent {id} is at work. Wait for it, or start another one."),
            "Agent already running",
        ));
    };
    history::forget_undone(parent, &record, &meta)?;
    let before = resumed.then(|| record.meta());
    let work = || {
        record.change(|meta| {
            meta.status = SubagentStatus::RunningForeground;
            meta.description.clone_from(&order.description);
            meta.launch_spec.effective_model = Some(llm.name.clone());
        })?;
        record.store().write_prompt(&id, &prompt)?;
        let source = Arc::new(Source::new(
            id.clone(),
            kind.name.clone(),
            order.description.clone(),
            parent.hooks.for_agent(),
            parent.goals.of_turn(),
        ));
        let report = Report::open(&record.store().output_path(&id));
        let core = core(crew, parent, &kind, llm, &source, &report, call_id)?;
        history::note_assignment(parent, &record, &core);
        Ok((source, report, core))
    };
    let (source, report, core) = work().map_err(unwritable)?;
    Ok(Engaged {
        identity: Identity { id, resumed, requested, kind: kind.name },
        core: Arc::new(core),
        source,
        report,
        record,
        before,
        prompt,
        task: order.prompt,
        caller_hooks: Arc::clone(&parent.hooks),
        model_override: order.model,
    })
}

/// The agent over files of its own, with what it shares with its caller.
fn core(
    crew: &Crew,
    parent: &Arc<Core>,
    kind: &Subagent,
    llm: Llm,
    source: &Arc<Source>,
    report: &Report,
    call_id: String,
) -> Result<Core, StoreError> {
    let session = history::session_of(parent, &source.agent_id);
    let (log, loaded) = ContextLog::open(&session.context_path())?;
    for warning in &loaded.warnings {
        tracing::warn!(agent = source.agent_id, "{warning}");
    }
    let make_prompt = {
        let (prompt, agent) = (Arc::clone(&crew.prompt), kind.agent.clone());
        let workspace = Arc::clone(&parent.workspace);
        Arc::new(move || prompt(&agent, &workspace.additional()))
    };
    let mut context = Context::new(log, loaded, make_prompt);
    if !context.is_introduced() {
        let prompt = context.prompt_maker()();
        context.introduce(prompt.text);
    }
    let recorder = Recorder::new(WireLog::open(&session.wire_path())?)
        .with_tap(tell(parent, source, report, call_id));
    let (state, warnings) = StateFile::open(&session.dir);
    for warning in warnings {
        tracing::warn!(agent = source.agent_id, "{warning}");
    }
    let dispatch = parent.dispatch.as_ref().filter(|_| kind.agent.mcp);
    let parts = Parts {
        env: parent.env.clone(),
        hub: Arc::new(Hub::new(parent.env.clone(), Some(recorder))),
        desk: Arc::clone(&parent.desk),
        hooks: Arc::clone(&source.hooks),
        registry: crew.registry(&kind.agent),
        dispatch: dispatch.map(|dispatch| dispatch.afresh()),
        workspace: Arc::clone(&parent.workspace),
        places: parent.places.clone(),
        models: Arc::clone(&parent.models),
        meter: Arc::clone(&parent.meter),
        limits: parent.limits.clone(),
        reads_only: parent.reads_only || kind.agent.reads_only,
        goals: Arc::clone(&parent.goals),
        afk_reminder: false,
        session: session.clone(),
        settings: Arc::new(Settings::new(state)),
        context: context.into(),
        rewinder: parent.rewinder.clone(),
        tasks: parent.tasks.clone(),
        notifications: Notifications::new(&session, 0),
        source: Some(Arc::clone(source)),
    };
    Ok(Core::new(parts, Some(llm)))
}

/// Tells the session what the agent does, while its call lasts, and writes the report.
fn tell(
    parent: &Arc<Core>,
    source: &Arc<Source>,
    report: &Report,
    call_id: String,
) -> impl FnMut(&Event) + Send + 'static {
    let (hub, source, report) = (Arc::clone(&parent.hub), Arc::clone(source), report.clone());
    move |event| {
        report.event(event);
        if source.task().is_none() {
            hub.event(Event::SubagentEvent {
                parent_tool_call_id: Some(call_id.clone()),
                agent_id: Some(source.agent_id.clone()),
                subagent_type: Some(source.subagent_type.clone()),
                event: Box::new(event.clone()),
            });
        }
    }
}
