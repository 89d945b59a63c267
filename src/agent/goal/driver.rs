//! Runs a prompt, and the turns that follow it by themselves.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::command::line;
use super::goals::EndedTurn;
use super::reminder::{self, Variant};
use super::stall::Stall;
use crate::agent::core::Core;
use crate::agent::rewind::Words;
use crate::agent::turn::{self, Opening};
use crate::protocol::{GoalActor, GoalStatus, Outcome, StopReason, goal_turn_label};

/// Turns in a row that may end because the model repeats a call.
const MAX_REPEATED: u32 = 3;

/// Runs the prompt and, as long as a goal is active after a turn, the next turn.
pub async fn drive(core: &Arc<Core>, mut opening: Opening, cancel: &CancellationToken) -> Outcome {
    let mut repeated = 0;
    let mut stall = Stall::default();
    loop {
        let (outcome, expired) = within_time(core, opening, cancel).await;
        let EndedTurn { of_goal, complete, work } = core.goals.end_turn();
        if !core.goals.is_active() {
            let next = if complete && !cancel.is_cancelled() { next_goal(core) } else { None };
            match next {
                Some(next) => {
                    opening = next;
                    repeated = 0;
                    stall = Stall::default();
                    continue;
                }
                None => return settled(outcome, of_goal),
            }
        }
        if expired {
            let budget = core.goals.reached().unwrap_or_else(|| "time".to_owned());
            block(core, &budget);
            return Outcome::Finished { stop: StopReason::NoToolCalls };
        }
        let variant = match follows(&outcome, &mut repeated) {
            Follows::Turn(variant) => variant,
            Follows::Pause(reason) => {
                core.goals.stop(GoalStatus::Paused, &reason, GoalActor::Runtime);
                return outcome;
            }
        };
        if cancel.is_cancelled() {
            core.goals.stop(GoalStatus::Paused, INTERRUPTED, GoalActor::User);
            return Outcome::Cancelled;
        }
        // The budget of the run: no turn of ours may renew it.
        if let Some(spent) = core.meter.spent(core.env.clock.instant()) {
            core.goals.stop(GoalStatus::Paused, &spent.to_string(), GoalActor::Runtime);
            return Outcome::BudgetSpent(spent);
        }
        if let Some(budget) = core.goals.reached() {
            block(core, &budget);
            return settled(outcome, of_goal);
        }
        if let Some(reason) = stall.after(work) {
            core.goals.stop(GoalStatus::Blocked, &reason, GoalActor::Runtime);
            return settled(outcome, of_goal);
        }
        let variant = match variant {
            Variant::Plain if stall.is_idle() => Variant::Idle,
            variant => variant,
        };
        let turn = core.goals.begin_turn();
        let message = reminder::message(core, variant);
        opening = Opening::Goal { label: Words::of_nobody(goal_turn_label(turn)), message };
    }
}

const INTERRUPTED: &str = "interrupted";

fn block(core: &Core, budget: &str) {
    let reason = format!("budget reached: {budget}");
    core.goals.stop(GoalStatus::Blocked, &reason, GoalActor::Runtime);
}

enum Follows {
    Turn(Variant),
    /// None follows, for this reason.
    Pause(String),
}

/// What follows a turn after which the goal is still active.
fn follows(outcome: &Outcome, repeated: &mut u32) -> Follows {
    let paused = |reason: &str| Follows::Pause(reason.to_owned());
    let before = std::mem::take(repeated);
    match outcome {
        Outcome::Cancelled => paused(INTERRUPTED),
        Outcome::BudgetSpent(spent) => paused(&spent.to_string()),
        Outcome::Failed(failure) => paused(&failure.message),
        Outcome::MaxStepsReached { .. } => Follows::Turn(Variant::StepCap),
        Outcome::Finished { stop } => match stop {
            StopReason::NoToolCalls => Follows::Turn(Variant::Plain),
            // Somebody is there, and does not want what it is about to do.
            StopReason::ToolRejected => paused("an action was rejected"),
            StopReason::ToolCallRepeat if before + 1 >= MAX_REPEATED => {
                paused("the model makes the same call again and again")
            }
            StopReason::ToolCallRepeat => {
                *repeated = before + 1;
                Follows::Turn(Variant::Repeated)
            }
            StopReason::Command => paused(INTERRUPTED),
        },
    }
}

/// How the prompt ended: the limit of steps is no failure of a goal.
fn settled(outcome: Outcome, of_goal: bool) -> Outcome {
    match outcome {
        Outcome::MaxStepsReached { .. } if of_goal => {
            Outcome::Finished { stop: StopReason::NoToolCalls }
        }
        outcome => outcome,
    }
}

/// Runs a turn for as long as the goal has time. The second value tells whether that ended it.
async fn within_time(
    core: &Arc<Core>,
    opening: Opening,
    cancel: &CancellationToken,
) -> (Outcome, bool) {
    let inner = cancel.child_token();
    let turn = turn::run(core, opening, &inner);
    tokio::pin!(turn);
    tokio::select! {
        outcome = &mut turn => (outcome, false),
        () = core.goals.out_of_time() => {
            let expired = !cancel.is_cancelled();
            inner.cancel();
            core.desk.cancel_all();
            let outcome = turn.await;
            let cut_off = outcome == Outcome::Cancelled;
            (outcome, expired && cut_off)
        }
    }
}

/// Begins the next goal of the queue. A run without a person does what it was asked for and ends.
fn next_goal(core: &Core) -> Option<Opening> {
    if core.desk.modes().runtime_afk {
        return None;
    }
    let next = core.goals.next_upcoming()?;
    match core.goals.create(&next.objective, None, false, GoalActor::System) {
        // Somebody has written what it is about.
        Ok(_) => {
            Some(Opening::Goal { label: line(&next.objective).into(), message: next.objective })
        }
        Err(error) => {
            tracing::warn!(%error, "the next goal could not begin");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Failure, FailureKind, Spent};

    fn told(outcome: &Outcome) -> String {
        match follows(outcome, &mut 0) {
            Follows::Turn(variant) => format!("{variant:?}"),
            Follows::Pause(reason) => format!("paused: {reason}"),
        }
    }

    #[test]
    fn what_follows_each_end_of_a_turn() {
        let finished = |stop| Outcome::Finished { stop };
        let failed = Outcome::Failed(Failure {
            kind: FailureKind::Provider { status: Some(429), retryable: true },
            message: "too many".to_owned(),
            hint: None,
        });
        assert_eq!(told(&finished(StopReason::NoToolCalls)), "Plain");
        assert_eq!(told(&Outcome::MaxStepsReached { steps: 3 }), "StepCap");
        assert_eq!(told(&finished(StopReason::ToolRejected)), "paused: an action was rejected");
        assert_eq!(told(&failed), "paused: too many");
        assert_eq!(told(&Outcome::Cancelled), "paused: interrupted");
        let spent = Outcome::BudgetSpent(Spent::Tokens { limit: 5, used: 6 });
        assert!(told(&spent).starts_with("paused: The budget of 5 tokens"));
    }

    #[test]
    fn going_round_in_circles_turn_after_turn_ends_it() {
        let stuck = Outcome::Finished { stop: StopReason::ToolCallRepeat };
        let fine = Outcome::Finished { stop: StopReason::NoToolCalls };
        let mut repeated = 0;
        let mut again =
            |outcome: &Outcome| matches!(follows(outcome, &mut repeated), Follows::Turn(_));
        assert!(again(&stuck) && again(&stuck) && again(&fine));
        assert!(again(&stuck) && again(&stuck));
        assert!(!again(&stuck));
    }
}
