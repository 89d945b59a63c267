//! A subagent at work, to its end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::engage::{Engaged, Identity};
use super::record::Record;
use super::report::Report;
use super::source::Source;
use crate::agent::core::Core;
use crate::agent::turn;
use crate::customize::hooks::{Hooks, Occasion};
use crate::llm::{Message, Role};
use crate::protocol::{Failure, FailureKind, Outcome, StopReason, UserInput};
use crate::store::{SubagentStatus, write_last_answer};
use crate::tasks::{AgentEnd, AgentRun};

/// Characters of a report below which a fuller one is asked for.
const SHORT_REPORT: usize = 200;
/// How long an agent may take to end once it was stopped.
const GRACE: Duration = Duration::from_millis(2_500);
/// How often text that streams for long is written.
const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// Asks for a fuller report.
const FULLER: &str = "Your report is very short, and it is all that your caller gets to see. Write it \
     again so that it stands by itself: what you did or found, with paths and names, what you checked \
     and how that went, and what is left. Do no further work.";

/// How an agent has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With this report.
    Completed(String),
    Failed(Fault),
    /// It was stopped.
    Stopped,
    TimedOut,
}

impl Ended {
    /// What it has said last, or why it says nothing.
    fn said(&self) -> &str {
        match self {
            Self::Completed(text) => text,
            Self::Failed(fault) => &fault.message,
            Self::Stopped => "The agent was stopped.",
            Self::TimedOut => "The agent timed out.",
        }
    }
}

/// Why an agent has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// For the model, a sentence or two.
    pub message: String,
    /// For a person, a few words.
    pub brief: String,
}

/// An agent at work. Dropped, it is gone with all it has started.
pub struct Working {
    pub identity: Identity,
    pub source: Arc<Source>,
    pub report: Report,
    record: Arc<Record>,
    cancel: CancellationToken,
    late: Arc<AtomicBool>,
    task: AbortOnDropHandle<Ended>,
}

impl Working {
    /// Lets the agent begin.
    pub fn begin(engaged: Engaged) -> Self {
        let Engaged { identity, core, source, report, record, prompt, task, caller_hooks, .. } =
            engaged;
        let cancel = CancellationToken::new();
        let record = Arc::new(record);
        let late = Arc::new(AtomicBool::new(false));
        report.stage(if identity.resumed { "resumed" } else { "started" });
        let work = {
            let (cancel, record, late) = (cancel.clone(), Arc::clone(&record), Arc::clone(&late));
            let (report, kind) = (report.clone(), identity.kind.clone());
            let last = LastWord { hooks: caller_hooks, kind: identity.kind.clone(), told: false };
            async move {
                // Taken along from the start: it is told also when this is dropped on the way.
                let mut last = last;
                let begun = core.hooks.fire(Occasion::subagent_start(&kind, &task));
                // Nobody can forbid it: a cancel is seen by what follows.
                tokio::select! {
                    _ = begun => {}
                    () = cancel.cancelled() => {}
                }
                let ended = match run(&core, &report, prompt, &cancel).await {
                    Ended::Stopped if late.load(Ordering::Relaxed) => Ended::TimedOut,
                    ended => ended,
                };
                core.hub.close();
                note_end(&core, &record, &report, &ended);
                last.hear(ended.said());
                ended
            }
        };
        let task = AbortOnDropHandle::new(tokio::spawn(work));
        Self { identity, source, report, record, cancel, late, task }
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Ended {
        match (&mut self.task).await {
            Ok(ended) => ended,
            Err(error) => Ended::Failed(Fault {
                message: format!("The agent broke: {error}."),
                brief: "Agent broke".to_owned(),
            }),
        }
    }

    /// Stops it and waits until it has ended. What it has done until then stays.
    pub async fn stop(&mut self, late: bool) -> Ended {
        self.late.store(late, Ordering::Relaxed);
        self.cancel.cancel();
        let given_up = if late { Ended::TimedOut } else { Ended::Stopped };
        tokio::time::timeout(GRACE, self.ended()).await.unwrap_or(given_up)
    }

    /// Goes on as a background task, to its end.
    pub async fn in_background(mut self, run: AgentRun) -> AgentEnd {
        let ended = tokio::select! {
            ended = self.ended() => ended,
            () = run.cancel.cancelled() => self.stop(run.is_late()).await,
        };
        match ended {
            Ended::Completed(_) => AgentEnd::Completed,
            Ended::Failed(fault) => AgentEnd::Failed(fault.message),
            Ended::Stopped | Ended::TimedOut => AgentEnd::Failed("It was stopped.".to_owned()),
        }
    }

    /// From now on it is a background task: the session hears no more of its events, its approvals
    /// say where they come from, and its report is the log of the task.
    pub fn move_to(&self, run: &AgentRun) {
        self.source.set_task(run.clone());
        self.record.note(|meta| {
            // It may have ended in this moment.
            if meta.status == SubagentStatus::RunningForeground {
                meta.status = SubagentStatus::RunningBackground;
            }
            meta.last_task_id = Some(run.id.clone());
        });
    }
}

/// Tells the hooks of the caller that an agent has stopped: once, whatever becomes of it.
struct LastWord {
    hooks: Arc<Hooks>,
    kind: String,
    told: bool,
}

impl LastWord {
    fn hear(&mut self, said: &str) {
        self.told = true;
        self.hooks.fire_later(Occasion::subagent_stop(&self.kind, said));
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        // Nothing can run hooks any more where there is no runtime.
        if !self.told && tokio::runtime::Handle::try_current().is_ok() {
            self.hear(Ended::Stopped.said());
        }
    }
}

/// Does the work and, where the report is short, asks for a fuller one.
async fn run(
    core: &Arc<Core>,
    report: &Report,
    prompt: String,
    cancel: &CancellationToken,
) -> Ended {
    let first = match turn(core, prompt, cancel).await {
        Ok(text) => text,
        Err(ended) => return ended,
    };
    if first.chars().take(SHORT_REPORT).count() >= SHORT_REPORT {
        return Ended::Completed(first);
    }
    report.stage("asked for a fuller report");
    match turn(core, FULLER.to_owned(), cancel).await {
        Ok(fuller) => Ended::Completed(fuller),
        Err(Ended::Stopped) => Ended::Stopped,
        // The work is done, and there is a report of it.
        Err(_) => Ended::Completed(first),
    }
}

/// One turn; the text of its last message.
async fn turn(
    core: &Arc<Core>,
    prompt: String,
    cancel: &CancellationToken,
) -> Result<String, Ended> {
    let mut turn = pin!(turn::run_subagent(core, UserInput::Text(prompt), cancel));
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let outcome = loop {
        tokio::select! {
            outcome = &mut turn => break outcome,
            _ = flush.tick() => core.hub.flush_old(),
        }
    };
    let context = core.context.lock().await;
    let last = context.messages().last().filter(|message| message.role == Role::Assistant);
    said(outcome, last.map(Message::text))
}

/// What a turn comes to that has ended so, with this as the agent's last word, if it had one.
fn said(outcome: Outcome, last: Option<String>) -> Result<String, Ended> {
    let fault = |message: String, brief: &str| {
        Err(Ended::Failed(Fault { message, brief: brief.to_owned() }))
    };
    match outcome {
        Outcome::Finished { stop: StopReason::NoToolCalls } => match last {
            None => fault(
                "The agent ended without a message of its own.".to_owned(),
                "No valid assistant message",
            ),
            Some(text) if text.trim().is_empty() => {
                fault("The agent ended with an empty message.".to_owned(), "Empty output")
            }
            Some(text) => Ok(text),
        },
        Outcome::Finished { stop: StopReason::ToolCallRepeat } => fault(
            "The agent made the same call over and over and was stopped.".to_owned(),
            "Stopped in a loop",
        ),
        Outcome::Finished { .. } => {
            fault("The agent ended without a report.".to_owned(), "No valid assistant message")
        }
        Outcome::Cancelled => Err(Ended::Stopped),
        Outcome::MaxStepsReached { steps } => fault(
            format!(
                "The agent reached its limit of {steps} steps before it was done. Resume it to let it \
                 go on."
            ),
            "Max steps reached",
        ),
        Outcome::BudgetSpent(spent) => fault(format!("{spent}."), "Budget spent"),
        Outcome::Failed(failure) => Err(Ended::Failed(of_failure(failure))),
    }
}

fn of_failure(failure: Failure) -> Fault {
    let Failure { kind, message, .. } = failure;
    match kind {
        FailureKind::Provider { status: Some(status), .. } => Fault {
            message: format!("The agent's model refused (HTTP {status}): {message}"),
            brief: format!("LLM API error (HTTP {status})"),
        },
        FailureKind::Provider { status: None, .. } => Fault {
            message: format!("The agent's model failed: {message}"),
            brief: "LLM provider error".to_owned(),
        },
        _ => Fault {
            message: format!("The agent failed: {message}"),
            brief: "Agent failed".to_owned(),
        },
    }
}

/// Writes down how it ended.
fn note_end(core: &Core, record: &Record, report: &Report, ended: &Ended) {
    let status = match ended {
        Ended::Completed(text) => {
            report.summary(text);
            if let Err(error) = write_last_answer(&core.session.dir, text) {
                tracing::warn!(%error, "the report of a subagent has no file");
            }
            SubagentStatus::Idle
        }
        Ended::Failed(fault) => {
            report.error(&fault.message);
            SubagentStatus::Failed
        }
        Ended::Stopped => {
            report.error("stopped");
            SubagentStatus::Killed
        }
        Ended::TimedOut => {
            report.error("timed out");
            SubagentStatus::Failed
        }
    };
    record.note(|meta| meta.status = status);
}

#[cfg(test)]
mod tests;
