//! `Agent`: gives a task to a subagent, in the foreground or in the background.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Crew;
use super::engage::{Engaged, Order, engage};
use super::run::Working;
use super::told;
use crate::protocol::{DisplayBlock, ToolReturnValue};
use crate::tasks::{self, AgentEnd, AgentPayload, AgentRun, NewAgent, StartError, Tasks, View};
use crate::tools::{CallContext, Effect, Tool, ToolReturn, arguments, schema};

/// Seconds that a time limit may have.
const TIMEOUT: (u64, u64) = (30, 3600);
/// The type of an agent that is asked for without one.
pub const DEFAULT_TYPE: &str = "coder";

/// The type that a call names; a model that fills in every field leaves it blank.
pub fn type_named(written: &str) -> &str {
    match written.trim() {
        "" => DEFAULT_TYPE,
        named => named,
    }
}

/// Starts subagents.
pub struct AgentTool {
    crew: Arc<Crew>,
    description: String,
}

#[derive(Deserialize)]
struct Arguments {
    description: String,
    prompt: String,
    subagent_type: String,
    model: Option<String>,
    resume: Option<String>,
    run_in_background: bool,
    /// Seconds.
    timeout: Option<u64>,
}

impl AgentTool {
    /// The tool of this crew.
    pub fn new(crew: Arc<Crew>) -> Self {
        let text = include_str!("../../../assets/tools/agent.md").trim_end();
        let description = format!("{text}\n\nTypes:\n{}", crew.listed());
        Self { crew, description }
    }
}

/// The type that a call names, and the agent that it lets go on.
fn meant(arguments: &Value) -> (&str, Option<&str>) {
    let text = |key: &str| arguments.get(key).and_then(Value::as_str).map(str::trim);
    let resume = text("resume").filter(|id| !id.is_empty());
    (type_named(text("subagent_type").unwrap_or_default()), resume)
}

#[async_trait]
impl Tool for AgentTool {
    fn name(&self) -> &'static str {
        "Agent"
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[
                ("description", schema::string("The task in three to five words.")),
                ("prompt", schema::string("The whole task.")),
                (
                    "subagent_type",
                    json!({"type": "string", "default": DEFAULT_TYPE, "description": "One of the types."}),
                ),
                (
                    "model",
                    schema::optional(schema::string(
                        "A configured model; only if the user asked for another one.",
                    )),
                ),
                (
                    "resume",
                    schema::optional(schema::string(
                        "The agent_id of an agent that goes on with what it knows.",
                    )),
                ),
                (
                    "run_in_background",
                    schema::boolean("Return at once; you are told when it ends.", false),
                ),
                (
                    "timeout",
                    schema::optional(json!({
                        "type": "integer", "minimum": TIMEOUT.0, "maximum": TIMEOUT.1,
                        "description": "Seconds after which it is stopped. Default: none in the foreground, 900 in the background."
                    })),
                ),
            ],
            &["description", "prompt"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Delegate
    }

    fn in_plan_mode(&self, arguments: &Value) -> Option<Result<(), String>> {
        let (kind, resume) = meant(arguments);
        Some(self.crew.in_plan_mode(kind, resume))
    }

    fn subject(&self, arguments: &Value) -> Option<String> {
        let (kind, resume) = meant(arguments);
        Some(self.crew.type_of(kind, resume))
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let arguments: Arguments = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        if let Err(error) = check(&arguments) {
            return error.into();
        }
        let Arguments { description, prompt, subagent_type, model, resume, .. } = arguments;
        let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let order = Order {
            description: description.trim().to_owned(),
            prompt,
            subagent_type: type_named(&subagent_type).to_owned(),
            model: said(model),
            resume: said(resume).map(|id| id.trim().to_owned()),
        };
        let engaged = tokio::select! {
            engaged = engage(&self.crew, order, &cx.call_id) => engaged,
            () = cx.cancel.cancelled() => return cancelled().into(),
        };
        match engaged {
            Err(error) => error,
            Ok(engaged) if arguments.run_in_background => {
                in_background(engaged, arguments.timeout, cx).await
            }
            Ok(engaged) => in_foreground(engaged, arguments.timeout, cx).await,
        }
        .into()
    }
}

fn check(arguments: &Arguments) -> Result<(), ToolReturnValue> {
    for (name, text) in [("description", &arguments.description), ("prompt", &arguments.prompt)] {
        if text.trim().is_empty() {
            return Err(arguments::invalid(&format!("`{name}` must not be empty")));
        }
    }
    Ok(())
}

/// Waits for the agent, unless a person sends it to the background.
async fn in_foreground(
    engaged: Engaged,
    timeout: Option<u64>,
    cx: &CallContext,
) -> ToolReturnValue {
    let begun = Begun::of(&engaged);
    let mut working = Working::begin(engaged);
    let since = cx.env.clock.instant();
    let mut time_is_up = pin!(after(timeout));
    let mut tasks = cx.tasks.as_ref();
    loop {
        let ended = tokio::select! {
            biased;
            ended = working.ended() => ended,
            () = cx.cancel.cancelled() => working.stop(false).await,
            () = &mut time_is_up => working.stop(true).await,
            () = cx.to_background.cancelled(), if tasks.is_some() => {
                let Some(to) = tasks.take() else { continue };
                let took = cx.env.clock.instant().saturating_duration_since(since);
                let left = timeout.map(|s| Duration::from_secs(s).saturating_sub(took));
                match begun.hand_over(working, left, to, cx).await {
                    Ok(view) => return begun.told(&view, "The user sent the agent to the background, where it goes on."),
                    // It stays where it is.
                    Err((Some(back), error)) => {
                        cx.live.send(format!("[not sent to the background: {error}]\n"));
                        working = back;
                        continue;
                    }
                    Err((None, error)) => {
                        return ToolReturnValue::error(error.to_string(), "Agent lost");
                    }
                }
            }
        };
        return told::result(&working.identity, &ended, timeout, &begun.dir);
    }
}

async fn after(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

/// Starts the agent as a background task.
async fn in_background(
    engaged: Engaged,
    timeout: Option<u64>,
    cx: &CallContext,
) -> ToolReturnValue {
    let Some(tasks) = &cx.tasks else {
        return ToolReturnValue::error(
            "Background tasks are not available here. Start the agent in the foreground.",
            "Background task unavailable",
        );
    };
    let begun = Begun::of(&engaged);
    let timeout = timeout.map(Duration::from_secs);
    let mut waiting = Some(engaged);
    let started = tasks.start_agent(begun.task(timeout, cx), |run| {
        let working = waiting.take().map(|engaged| {
            engaged.source.set_task(run.clone());
            engaged.report.also_to(run.output.clone());
            let working = Working::begin(engaged);
            working.move_to(&run);
            working
        });
        at_work(working, run)
    });
    let started = started.await;
    if let Some(engaged) = waiting {
        // Without it there is a little more on disk than there should be.
        let _ = tokio::task::spawn_blocking(|| engaged.give_back()).await;
    }
    match started {
        Ok(view) => begun.told(&view, "The agent works in the background."),
        Err(error) => ToolReturnValue::error(error.to_string(), "Agent not started"),
    }
}

/// The work of an agent's task.
async fn at_work(working: Option<Working>, run: AgentRun) -> AgentEnd {
    match working {
        Some(working) => working.in_background(run).await,
        None => AgentEnd::Failed("It was not there any more.".to_owned()),
    }
}

/// What is told of an agent after it was let go.
struct Begun {
    identity: super::engage::Identity,
    description: String,
    prompt: String,
    model_override: Option<String>,
    dir: std::path::PathBuf,
}

impl Begun {
    fn of(engaged: &Engaged) -> Self {
        Self {
            identity: engaged.identity.clone(),
            description: engaged.source.description.clone(),
            prompt: engaged.prompt.clone(),
            model_override: engaged.model_override.clone(),
            dir: engaged.core.session.dir.clone(),
        }
    }

    fn task(&self, timeout: Option<Duration>, cx: &CallContext) -> NewAgent {
        NewAgent {
            description: self.description.clone(),
            tool_call_id: cx.call_id.clone(),
            payload: AgentPayload {
                agent_id: self.identity.id.clone(),
                subagent_type: self.identity.kind.clone(),
                prompt: self.prompt.clone(),
                model_override: self.model_override.clone(),
                // As kimi-cli writes it for every agent of a task.
                launch_mode: "background".to_owned(),
            },
            timeout,
        }
    }

    /// Makes a running agent a background task. When that fails it is given back.
    async fn hand_over(
        &self,
        working: Working,
        timeout: Option<Duration>,
        tasks: &Tasks,
        cx: &CallContext,
    ) -> Result<Arc<View>, (Option<Working>, StartError)> {
        let slot = Arc::new(Mutex::new(Some(working)));
        let taken = Arc::clone(&slot);
        let take = move || taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        let started = tasks.start_agent(self.task(timeout, cx), |run| {
            let working = take();
            if let Some(working) = &working {
                working.report.also_to(run.output.clone());
                working.move_to(&run);
            }
            at_work(working, run)
        });
        match started.await {
            Ok(view) => Ok(view),
            Err(error) => Err((slot.lock().unwrap_or_else(PoisonError::into_inner).take(), error)),
        }
    }

    fn told(&self, view: &View, message: &str) -> ToolReturnValue {
        let id = &self.identity.id;
        let output = format!(
            "{}\nactual_subagent_type: {}\nautomatic_notification: true\n\
             next_step: Go on with other work; you are told when the agent ends.\n\
             next_step: TaskOutput shows what it has done so far, TaskStop ends it.\n\
             next_step: Do not start it again, and do not wait in a loop.\n\
             resume_hint: Once it has ended, Agent with resume=\"{id}\" gives it more to do.",
            tasks::block(view),
            self.identity.kind
        );
        let mut value = ToolReturnValue::ok(output, message);
        let brief =
            format!("{} {id} works in the background as {}", self.identity.kind, view.spec.id);
        value.display = vec![tasks::display(view), DisplayBlock::Brief { text: brief }];
        value
    }
}

fn cancelled() -> ToolReturnValue {
    ToolReturnValue::error("The agent was not started: the user interrupted.", "Cancelled")
}
