//! What the tools may do to the goal.

use std::sync::Arc;

use crate::agent::core::Core;
use crate::protocol::{GoalActor, GoalLimits, GoalSnapshot, GoalStatus};
use crate::tools::GoalKeeper;

/// The limits of a goal that the model begins where nobody can be asked: whoever sent the prompt need
/// not know that there is one.
const UNATTENDED: GoalLimits = GoalLimits {
    token_budget: None,
    turn_budget: Some(50),
    wall_clock_budget_ms: Some(60 * 60 * 1_000),
    usd_budget: None,
};

/// The goal of a session, for its tools.
pub struct Keeper(pub Arc<Core>);

impl GoalKeeper for Keeper {
    fn get(&self) -> Option<GoalSnapshot> {
        self.0.goals.snapshot()
    }

    fn refusal(&self, replace: bool) -> Option<String> {
        self.0.goals.refuses_model(replace, !self.0.desk.modes().auto_approve())
    }

    fn create(
        &self,
        objective: &str,
        criterion: Option<&str>,
        replace: bool,
    ) -> Result<GoalSnapshot, String> {
        // Somebody else may have begun one while a person was asked.
        if let Some(why) = self.refusal(replace) {
            return Err(why);
        }
        let goal = self.0.goals.create(objective, criterion, replace, GoalActor::Model)?;
        match self.0.desk.modes().unattended() {
            true => self.0.goals.limit(UNATTENDED, GoalActor::Runtime),
            false => Ok(goal),
        }
    }

    fn limit(&self, limits: GoalLimits) -> Result<GoalSnapshot, String> {
        let priced = self.0.llm().is_some_and(|llm| llm.prices.is_some());
        if limits.usd_budget.is_some() && !priced {
            return Err(
                "The model in use has no prices in the configuration, so money cannot be counted."
                    .to_owned(),
            );
        }
        self.0.goals.limit(limits, GoalActor::Model)
    }

    fn set_status(&self, status: GoalStatus) -> Result<(), String> {
        match status {
            GoalStatus::Active | GoalStatus::Paused => {
                if let Some(budget) = self.0.goals.reached() {
                    return Err(format!(
                        "The budget of {budget} is reached. The user can give as much again, with \
                         /goal resume."
                    ));
                }
                self.0.goals.resume(false, GoalActor::Model)?;
                // The turn that takes it up is one of its turns.
                self.0.goals.begin_turn();
                Ok(())
            }
            GoalStatus::Complete | GoalStatus::Blocked => self.0.goals.end_by_model(status),
        }
    }
}
