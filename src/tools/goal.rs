//! `CreateGoal`, `GetGoal`, `SetGoalBudget`, `UpdateGoal`: the goal of the session
//! (agent-loop.md section 17). The model never sees the goal's id.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApprovalAsk, CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::protocol::{GoalLimits, GoalSnapshot, GoalStatus, ToolReturnValue};

/// The longest time a goal may be given, in milliseconds, and the shortest.
const TIME: (f64, f64) = (1_000.0, 24.0 * 3_600_000.0);

/// Where the goal of the session is. Errors are sentences for the model.
pub trait GoalKeeper: Send + Sync {
    /// The goal, if there is one.
    fn get(&self) -> Option<GoalSnapshot>;

    /// Why none can be begun now, if so; asked before a person is.
    fn refusal(&self, replace: bool) -> Option<String>;

    /// Begins a goal.
    fn create(
        &self,
        objective: &str,
        criterion: Option<&str>,
        replace: bool,
    ) -> Result<GoalSnapshot, String>;

    /// Sets those limits that are given.
    fn limit(&self, limits: GoalLimits) -> Result<GoalSnapshot, String>;

    /// Ends the goal, or takes it up again.
    fn set_status(&self, status: GoalStatus) -> Result<(), String>;
}

/// Keeps no goal: for agents that may have none.
pub struct NoGoals;

const NONE: &str = "This agent cannot have a goal.";

impl GoalKeeper for NoGoals {
    fn get(&self) -> Option<GoalSnapshot> {
        None
    }

    fn refusal(&self, _: bool) -> Option<String> {
        // Whoever begins one is told.
        None
    }

    fn create(&self, _: &str, _: Option<&str>, _: bool) -> Result<GoalSnapshot, String> {
        Err(NONE.to_owned())
    }

    fn limit(&self, _: GoalLimits) -> Result<GoalSnapshot, String> {
        Err(NONE.to_owned())
    }

    fn set_status(&self, _: GoalStatus) -> Result<(), String> {
        Err(NONE.to_owned())
    }
}

/// Begins a goal.
pub struct CreateGoal;
/// Reads it.
pub struct GetGoal;
/// Limits it.
pub struct SetGoalBudget;
/// Ends it, or takes it up again.
pub struct UpdateGoal;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    objective: String,
    completion_criterion: Option<String>,
    #[serde(default)]
    replace: bool,
}

#[async_trait]
impl Tool for CreateGoal {
    fn name(&self) -> &'static str {
        "CreateGoal"
    }

    fn description(&self) -> &str {
        "Work toward an objective, turn after turn. Only when the user asks for a goal."
    }

    fn parameters(&self) -> Value {
        let text = json!({"type": "string", "minLength": 1});
        schema::object(
            &[
                ("objective", text.clone()),
                ("completionCriterion", schema::optional(text)),
                ("replace", json!({"type": "boolean", "default": false})),
            ],
            &["objective"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Interact
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let arguments: Create = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        if let Some(why) = cx.goals.refusal(arguments.replace) {
            return failed(&why);
        }
        let ask = ApprovalAsk {
            call_id: cx.call_id.clone(),
            sender: self.name().to_owned(),
            action: "start a goal".to_owned(),
            description: format!("Start a goal: {}", arguments.objective),
            display: Vec::new(),
        };
        if let Err(refused) = cx.approved(ask).await {
            return refused;
        }
        let Create { objective, completion_criterion, replace } = arguments;
        match cx.goals.create(&objective, completion_criterion.as_deref(), replace) {
            Ok(_) => done("The goal has begun. This turn is its first: start to work on it."),
            Err(why) => failed(&why),
        }
    }
}

#[async_trait]
impl Tool for GetGoal {
    fn name(&self) -> &'static str {
        "GetGoal"
    }

    fn description(&self) -> &str {
        "The goal, its limits and what it has used."
    }

    fn parameters(&self) -> Value {
        schema::object(&[], &[])
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, _: Value, cx: &CallContext) -> ToolReturn {
        match cx.goals.get() {
            Some(goal) => ToolReturnValue::ok(shown(&goal), "").into(),
            None => ToolReturnValue::ok("There is no goal.", "").into(),
        }
    }
}

#[derive(Deserialize)]
struct Limit {
    value: f64,
    unit: String,
}

#[async_trait]
impl Tool for SetGoalBudget {
    fn name(&self) -> &'static str {
        "SetGoalBudget"
    }

    fn description(&self) -> &str {
        "Limit the goal. Only when the user gave a hard limit. A limit cannot be raised again."
    }

    fn parameters(&self) -> Value {
        let units = ["turns", "tokens", "milliseconds", "seconds", "minutes", "hours", "usd"];
        schema::object(
            &[
                ("value", json!({"type": "number"})),
                ("unit", json!({"type": "string", "enum": units})),
            ],
            &["value", "unit"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Write
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let limit: Limit = match arguments::typed(arguments) {
            Ok(limit) => limit,
            Err(error) => return error.into(),
        };
        match limits(&limit).and_then(|limits| cx.goals.limit(limits)) {
            Ok(goal) => ToolReturnValue::ok(shown(&goal), "The limit is set").into(),
            Err(why) => failed(&why),
        }
    }
}

fn limits(limit: &Limit) -> Result<GoalLimits, String> {
    let value = limit.value;
    if !value.is_finite() || value <= 0.0 {
        return Err("A limit must be more than zero.".to_owned());
    }
    // A cast of a number that is too large gives the largest there is.
    let whole = || Some((value.round() as u64).max(1));
    let of_ms = match limit.unit.as_str() {
        "turns" => return Ok(GoalLimits { turn_budget: whole(), ..GoalLimits::default() }),
        "tokens" => return Ok(GoalLimits { token_budget: whole(), ..GoalLimits::default() }),
        "usd" => return Ok(GoalLimits { usd_budget: Some(value), ..GoalLimits::default() }),
        "milliseconds" => 1.0,
        "seconds" => 1_000.0,
        "minutes" => 60_000.0,
        _ => 3_600_000.0,
    };
    let ms = value * of_ms;
    if !(TIME.0..=TIME.1).contains(&ms) {
        return Err("A time must be between 1 second and 24 hours.".to_owned());
    }
    Ok(GoalLimits { wall_clock_budget_ms: Some(ms.round() as u64), ..GoalLimits::default() })
}

#[derive(Deserialize)]
struct Update {
    status: Ended,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ended {
    Active,
    Complete,
    Blocked,
}

#[async_trait]
impl Tool for UpdateGoal {
    fn name(&self) -> &'static str {
        "UpdateGoal"
    }

    fn description(&self) -> &str {
        "End the goal: `complete` when everything is done and checked, `blocked` when it cannot go on. \
         `active` takes it up again when the user says so."
    }

    fn parameters(&self) -> Value {
        let status = json!({"type": "string", "enum": ["active", "complete", "blocked"]});
        schema::object(&[("status", status)], &["status"])
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Write
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let Update { status } = match arguments::typed(arguments) {
            Ok(update) => update,
            Err(error) => return error.into(),
        };
        let (status, words) = match status {
            Ended::Active => (GoalStatus::Active, "The goal is active again: go on with it."),
            Ended::Complete => (
                GoalStatus::Complete,
                "The goal is complete. Now tell the user in a short message what was reached and how it \
                 was checked. Call no more tools.",
            ),
            Ended::Blocked => (
                GoalStatus::Blocked,
                "The goal is blocked. Now tell the user in a short message what stands in the way, what \
                 was tried and what is needed. Call no more tools.",
            ),
        };
        match cx.goals.set_status(status) {
            Ok(()) => done(words),
            Err(why) => failed(&why),
        }
    }
}

fn done(words: &str) -> ToolReturn {
    ToolReturnValue::ok(words, "").into()
}

fn failed(why: &str) -> ToolReturn {
    ToolReturnValue::error(why, "No change to the goal").into()
}

/// The goal as the model sees it.
fn shown(goal: &GoalSnapshot) -> String {
    json!({
        "objective": goal.objective,
        "completionCriterion": goal.completion_criterion,
        "status": goal.status,
        "reason": goal.terminal_reason,
        "turnsUsed": goal.used.turns_used,
        "tokensUsed": goal.used.tokens_used,
        "subagentTokensUsed": goal.used.subagent_tokens_used,
        "wallClockMs": goal.used.wall_clock_ms,
        "limits": goal.budget_limits,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::Bench;

    fn limit(value: f64, unit: &str) -> Result<GoalLimits, String> {
        limits(&Limit { value, unit: unit.to_owned() })
    }

    #[test]
    fn limits_are_rounded_and_senseless_ones_refused() {
        assert_eq!(limit(0.2, "turns").unwrap().turn_budget, Some(1));
        assert_eq!(limit(2.5, "tokens").unwrap().token_budget, Some(3));
        assert_eq!(limit(1e300, "tokens").unwrap().token_budget, Some(u64::MAX));
        assert_eq!(limit(1.5, "hours").unwrap().wall_clock_budget_ms, Some(5_400_000));
        assert_eq!(limit(0.25, "usd").unwrap().usd_budget, Some(0.25));
        for (value, unit) in [
            (0.0, "turns"),
            (-1.0, "usd"),
            (f64::NAN, "tokens"),
            (f64::INFINITY, "tokens"),
            (999.0, "milliseconds"),
            (24.1, "hours"),
        ] {
            assert!(limit(value, unit).is_err(), "{value} {unit}");
        }
    }

    #[tokio::test]
    async fn without_a_goal_each_tool_says_so() {
        let bench = Bench::new();
        let value = bench.run(&GetGoal, json!({})).await;
        assert_eq!((value.is_error, value.output.text().as_str()), (false, "There is no goal."));
        assert!(bench.run(&UpdateGoal, json!({"status": "complete"})).await.is_error);
        assert!(bench.run(&SetGoalBudget, json!({"value": 3, "unit": "turns"})).await.is_error);
    }

    #[tokio::test]
    async fn a_person_decides_whether_a_goal_begins() {
        let bench = Bench::new();
        *bench.desk.verdict.lock().unwrap() =
            crate::tools::ApprovalVerdict::Rejected { feedback: None };
        let value = bench.run(&CreateGoal, json!({"objective": "x"})).await;
        assert!(value.is_error && value.message.contains("rejected"), "{value:?}");
        assert_eq!(bench.desk.asks.lock().unwrap()[0].action, "start a goal");
    }
}
