//! Runs the calls of a step: readers together, writers one by one, in the model's order.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::budget;
use super::core::Core;
use super::gate::Gate;
use super::goal::{Goals, Keeper};
use super::guard::{self, Passed, Stopped};
use super::plan::restriction;
use super::repeat::Repeat;
use super::rewind::WatchedCall;
use super::step::{StepEnd, StepError};
use super::turn::{Turn, fit_result, store_failure};
use crate::llm::Message;
use crate::permission::Call;
use crate::protocol::{ContentPart, Event, StopReason, ToolCall, ToolOutput, ToolReturnValue};
use crate::tools::{
    CallContext, ChangeLog, Desk, Effect, LiveOutput, Rejected, Tool, ToolReturn, not_found,
    prepared,
};

/// How long a cancelled call may take to clean up before it is dropped.
const CANCEL_GRACE: Duration = Duration::from_secs(3);

/// What a subagent is told of a call that a person rejected without a reason.
const REJECTED_IN_SUBAGENT: &str = "The user rejected this tool call. Do not try to get the same \
     effect another way. Go on with what can be done without it, and say in your report what could not \
     be done.";

/// Tools that tell every change they make before they make it.
const EXACT: [&str; 2] = ["WriteFile", "StrReplaceFile"];

/// A call that is ready to run, or whose result is known already.
struct Prepared {
    call: ToolCall,
    repeat: Repeat,
    work: Work,
}

enum Work {
    Run {
        tool: Arc<dyn Tool>,
        arguments: Value,
        effect: Effect,
    },
    /// The arguments do not fit the tool of this name, or there is none; the result says why.
    Unfit {
        name: String,
        value: ToolReturnValue,
    },
    Refused(ToolReturnValue),
}

/// Runs the calls. Each is answered exactly once, in the record and on the hub, whatever happens.
pub(super) async fn run(turn: &mut Turn<'_>, calls: Vec<ToolCall>) -> Result<StepEnd, StepError> {
    turn.repeats.begin_step();
    let mut waiting: std::collections::VecDeque<Prepared> =
        calls.into_iter().map(|call| prepare(turn, call)).collect();
    let force_stop = waiting.iter().any(|call| matches!(call.repeat, Repeat::Stop(_)));
    let mut rejections: Vec<Rejected> = Vec::new();

    while !waiting.is_empty() {
        let stopped = ends_with_a_rejection(turn)
            && rejections.iter().any(|rejection| !rejection.with_feedback);
        let group = next_group(&mut waiting);
        if turn.cancel.is_cancelled() {
            let left: Vec<_> = group.into_iter().chain(waiting).map(|p| p.call).collect();
            answer_not_started(turn, &left).await?;
            return Err(StepError::Cancelled);
        }
        let refused = match stopped {
            true => Some(not_run()),
            false => turn.core.own_goals().is_some_and(Goals::just_ended).then(goal_ended),
        };
        if let Some(refused) = refused {
            for prepared in group {
                finish(turn, &prepared.call, prepared.repeat, refused.clone()).await?;
            }
            continue;
        }
        if run_group(turn, group, &mut rejections).await? {
            let left: Vec<_> = waiting.into_iter().map(|p| p.call).collect();
            answer_not_started(turn, &left).await?;
            return Err(StepError::Cancelled);
        }
    }
    if turn.cancel.is_cancelled() {
        return Err(StepError::Cancelled);
    }
    if ends_with_a_rejection(turn)
        && !rejections.is_empty()
        && rejections.iter().all(|rejection| !rejection.with_feedback)
    {
        return Ok(StepEnd::Stop(StopReason::ToolRejected));
    }
    if force_stop {
        return Ok(StepEnd::Stop(StopReason::ToolCallRepeat));
    }
    Ok(StepEnd::Continue)
}

/// A person who says no without a reason wants to be asked what next. A subagent has nobody to ask:
/// it goes on as well as it can (agent-loop.md section 11).
fn ends_with_a_rejection(turn: &Turn<'_>) -> bool {
    turn.core.source.is_none()
}

fn prepare(turn: &mut Turn<'_>, call: ToolCall) -> Prepared {
    let repeat = turn.repeats.note(&call.function.name, call.arguments());
    let name = &call.function.name;
    let work = match turn.core.tool(name) {
        _ if turn.last_step.is_some() => Work::Refused(last_step()),
        None => Work::Unfit { name: name.clone(), value: not_found(name) },
        Some(tool) => match prepared(Arc::clone(&tool), call.arguments()) {
            Ok((tool, arguments)) => {
                let effect = tool.effect(&arguments);
                Work::Run { tool, arguments, effect }
            }
            Err(value) => Work::Unfit { name: tool.name().to_owned(), value },
        },
    };
    Prepared { call, repeat, work }
}

/// The next calls that may run together: a run of readers, or one other call.
fn next_group(waiting: &mut std::collections::VecDeque<Prepared>) -> Vec<Prepared> {
    let alone = |prepared: &Prepared| {
        matches!(prepared.work, Work::Run { effect: Effect::Write | Effect::Interact, .. })
    };
    let mut group = Vec::new();
    while let Some(next) = waiting.front() {
        if alone(next) && !group.is_empty() {
            break;
        }
        let last = alone(next);
        group.extend(waiting.pop_front());
        if last {
            break;
        }
    }
    group
}

/// Runs a group to its end. Returns whether a cancel cut off one of its calls.
async fn run_group(
    turn: &Turn<'_>,
    group: Vec<Prepared>,
    rejections: &mut Vec<Rejected>,
) -> Result<bool, StepError> {
    let mut running = FuturesUnordered::new();
    for Prepared { call, repeat, work } in group {
        if let Work::Refused(value) = work {
            finish(turn, &call, repeat, value.into()).await?;
            continue;
        }
        let (core, cancel) = (turn.core, turn.cancel);
        running.push(async move {
            let counts = core.works();
            let ran = match work {
                Work::Run { tool, arguments, effect } => {
                    match guard::before(core, cancel, &call, &tool, arguments).await {
                        Ok(passed) => {
                            run_one(core, cancel, tool, passed, effect, &call.id, counts).await
                        }
                        Err(stopped) => stopped.into(),
                    }
                }
                Work::Unfit { name, value } => {
                    guard::unfit(core, cancel, &call, &name, value).await.into()
                }
                Work::Refused(value) => Ran::Done(value.into()),
            };
            (ran, call, repeat)
        });
    }
    let mut cut_off = false;
    while let Some((ran, call, repeat)) = running.next().await {
        match ran {
            Ran::Done(result) => {
                rejections.extend(result.rejected);
                finish(turn, &call, repeat, result).await?;
            }
            Ran::NotStarted => {
                cut_off = true;
                answer_not_started(turn, std::slice::from_ref(&call)).await?;
            }
            // Clients hear no result for it (wire.md section 6); the model does.
            Ran::CutOff(output) => {
                cut_off = true;
                let value = ToolReturnValue::error(
                    "The user interrupted this call. It may have had some effect already, and what a \
                     command had started may still be running.",
                    "Interrupted",
                );
                store(turn, &call, &ToolReturnValue { output, ..value }).await?;
                turn.core.desk.tell_switched();
            }
        }
    }
    Ok(cut_off)
}

/// Whether a tool does nothing but wait for the agents that it starts.
fn delegates(tool: &str) -> bool {
    matches!(tool, "Agent" | "AgentSwarm")
}

/// How a call ended.
enum Ran {
    Done(ToolReturn),
    /// Cancelled before it began.
    NotStarted,
    /// Cancelled, with the output it had until then.
    CutOff(ToolOutput),
}

impl From<Stopped> for Ran {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Answered(result) => Self::Done(*result),
            Stopped::Cancelled => Self::NotStarted,
        }
    }
}

/// Runs one call and tells the hooks how it ended. As long as it is at work itself, it `counts`.
async fn run_one(
    core: &Arc<Core>,
    cancel: &CancellationToken,
    tool: Arc<dyn Tool>,
    passed: Passed,
    effect: Effect,
    call_id: &str,
    counts: Option<budget::Work>,
) -> Ran {
    let (used, arguments) = passed.split();
    let ran = run_alone(core, cancel, tool, arguments, effect, call_id, counts).await;
    match &ran {
        Ran::Done(result) => guard::after(core, &used, Some(&result.value)),
        Ran::CutOff(_) | Ran::NotStarted => guard::after(core, &used, None),
    }
    ran
}

/// Runs one call in a task of its own, so that a fault in a tool ends the call and nothing else.
async fn run_alone(
    core: &Arc<Core>,
    cancel: &CancellationToken,
    tool: Arc<dyn Tool>,
    arguments: Value,
    effect: Effect,
    call_id: &str,
    counts: Option<budget::Work>,
) -> Ran {
    let name = tool.name().to_owned();
    let call = Call::of(&name, &arguments, &core.workspace, &core.env.home)
        .known_as(tool.subject(&arguments));
    let (workspace, env) = (&core.workspace, &core.env);
    let found = restriction::finding(&*tool, &call, &arguments, workspace, env, cancel).await;
    let Some(finding) = found else { return Ran::NotStarted };
    let changes = finding.effect != crate::permission::effect::Effect::ReadOnly;
    let exact = EXACT.contains(&name.as_str());
    let watched = match (&core.rewinder, effect) {
        (Some(rewinder), Effect::Write) => {
            if changes && !exact {
                let (call, workspace) = (call.clone(), Arc::clone(&core.workspace));
                let home = core.env.home.clone();
                let seen = async {
                    rewinder.before_first_change().await;
                    rewinder.before_named(move || call.written(&workspace, &home)).await;
                };
                cancel.run_until_cancelled(seen).await;
            }
            Some(rewinder.before_call(exact).await)
        }
        _ => None,
    };
    let gate = Gate::new(core, call, finding);
    let desk = gate.clone();
    let context = call_context(core, desk, watched.as_ref(), cancel.child_token(), call_id);
    // Dropped with the turn: what a tool has started must not outlive it.
    let mut task = AbortOnDropHandle::new(tokio::spawn(async move {
        match gate.refusal(&context).await {
            Some(refused) => refused,
            None => {
                // The requests and calls of the agents that it waits for count, it does not.
                let _counts = counts.filter(|_| !delegates(tool.name()));
                tool.call(arguments, &context).await
            }
        }
    }));
    let joined = tokio::select! {
        joined = &mut task => Some(joined),
        () = cancel.cancelled() => {
            // The tool hears of the cancel too: it gets time to take down what it started.
            tokio::time::timeout(CANCEL_GRACE, &mut task).await.ok()
        }
    };
    drop(watched);
    let Some(joined) = joined else { return Ran::CutOff(ToolOutput::Text(String::new())) };
    match joined {
        // What succeeded all the same is worth knowing; a failure may come from the cancel itself.
        Ok(result) if cancel.is_cancelled() && result.value.is_error => {
            Ran::CutOff(result.value.output)
        }
        Ok(result) => Ran::Done(result),
        Err(_) if cancel.is_cancelled() => Ran::CutOff(ToolOutput::Text(String::new())),
        Err(error) => Ran::Done(
            ToolReturnValue::error(
                format!(
                    "Error running tool {name}: {error}\n\
                     This is an unexpected error and the tool is probably not working."
                ),
                "Tool runtime error",
            )
            .into(),
        ),
    }
}

/// What a command that a person runs by themselves is given: nobody asks, nothing forbids.
pub(super) fn context_of_person(
    core: &Arc<Core>,
    cancel: CancellationToken,
    call_id: &str,
) -> CallContext {
    let effect = crate::permission::effect::Effect::Writes;
    let finding = crate::permission::effect::Finding { effect, reason: String::new() };
    let gate = Gate::new(core, Call::of_tool("Shell"), finding);
    let context = call_context(core, gate, None, cancel, call_id);
    CallContext { child_env: Vec::new(), terminals: None, ..context }
}

fn call_context(
    core: &Arc<Core>,
    gate: Gate,
    watched: Option<&WatchedCall>,
    cancel: CancellationToken,
    call_id: &str,
) -> CallContext {
    let live = {
        let hub = Arc::clone(&core.hub);
        let tool_call_id = call_id.to_owned();
        LiveOutput::new(move |text| {
            hub.event(Event::ToolOutput { tool_call_id: tool_call_id.clone(), text });
        })
    };
    let desk: Arc<dyn Desk> = Arc::new(gate);
    let desk = match watched {
        Some(watched) => watched.asking_at(desk),
        None => desk,
    };
    let changes: Arc<dyn ChangeLog> = match &core.rewinder {
        Some(rewinder) => Arc::clone(rewinder) as Arc<dyn ChangeLog>,
        None => Arc::new(()),
    };
    CallContext {
        call_id: call_id.to_owned(),
        env: core.env.clone(),
        workspace: Arc::clone(&core.workspace),
        desk,
        withheld: core.desk.withheld(),
        todos: core.settings.clone(),
        changes,
        goals: Arc::new(Keeper(Arc::clone(core))),
        live,
        cancel,
        spill_dir: core.spill_dir(),
        tasks: core.own_tasks().cloned(),
        to_background: core.to_background(),
        reads_only: core.reads_only,
        plan: core.desk.clone(),
        child_env: child_env(core),
        terminals: core.client.terminals(),
        llm: core.llm(),
        mail: Arc::clone(&core.mail),
    }
}

/// Variables for what a call starts. In plan mode git leaves its index alone, which it else brings up
/// to date while it only looks.
fn child_env(core: &Core) -> Vec<(String, String)> {
    let planning = core.desk.plan().is_on();
    Vec::from_iter(planning.then(|| ("GIT_OPTIONAL_LOCKS".to_owned(), "0".to_owned())))
}

/// Stores and tells a result: the record first, then the screen. What the model is reminded of is no
/// part of what the tool has put out, and is for the model alone.
async fn finish(
    turn: &Turn<'_>,
    call: &ToolCall,
    repeat: Repeat,
    result: ToolReturn,
) -> Result<(), StepError> {
    let goes_on =
        result.rejected == Some(Rejected { with_feedback: false }) && !ends_with_a_rejection(turn);
    let mut value = result.value;
    if goes_on {
        value.message = REJECTED_IN_SUBAGENT.to_owned();
    }
    turn.core.goals.called(&call.function.name, call.function.arguments.as_deref(), &value);
    if let Some(llm) = turn.core.llm() {
        fit_result(&llm, &mut value.output);
    }
    match repeat.reminder(&call.function.name, call.arguments()) {
        Some(reminder) => {
            let mut reminded = value.clone();
            append(&mut reminded.output, &reminder);
            store(turn, call, &reminded).await?;
        }
        None => store(turn, call, &value).await?,
    }
    turn.core.hub.event(Event::ToolResult { tool_call_id: call.id.clone(), return_value: value });
    turn.core.desk.tell_switched();
    Ok(())
}

/// Answers calls that a cancel kept from starting. Clients hear no result for them (wire.md
/// section 6).
async fn answer_not_started(turn: &Turn<'_>, calls: &[ToolCall]) -> Result<(), StepError> {
    for call in calls {
        let value = ToolReturnValue::error(
            "Not run: the user interrupted the turn before this call started.",
            "Interrupted",
        );
        store(turn, call, &value).await?;
    }
    Ok(())
}

async fn store(turn: &Turn<'_>, call: &ToolCall, value: &ToolReturnValue) -> Result<(), StepError> {
    turn.core
        .context
        .lock()
        .await
        .push(Message::tool_result(&call.id, value))
        .map_err(|error| StepError::Failed(store_failure(&error)))
}

fn append(output: &mut ToolOutput, text: &str) {
    match output {
        ToolOutput::Text(existing) => existing.push_str(text),
        ToolOutput::Parts(parts) => parts.push(ContentPart::text(text)),
    }
}

fn goal_ended() -> ToolReturn {
    ToolReturnValue::error("Not run: the goal has ended before this call.", "Not run").into()
}

fn last_step() -> ToolReturnValue {
    ToolReturnValue::error("Not run: this was the last message of the turn.", "Not run")
}

fn not_run() -> ToolReturn {
    ToolReturnValue::error("Not run: the user rejected an earlier call of this step.", "Not run")
        .into()
}
