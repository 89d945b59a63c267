//! What the tools may do to the goal.

use std::sync::Arc;

use crate::agent::core::Core;
use crate::protocol::{GoalActor, GoalLimits, GoalSnapshot, GoalStatus};
use crate::tools::GoalKeeper;

/// The goal of a session, for its tools.
pub struct Keeper(pub Arc<Core>);

impl GoalKeeper for Keeper {
    fn get(&self) -> Option<GoalSnapshot> {
        self.0.goals.snapshot()
    }

    fn create(
        &self,
        objective: &str,
        criterion: Option<&str>,
        replace: bool,
    ) -> Result<GoalSnapshot, String> {
        self.0.goals.create(objective, criterion, replace, GoalActor::Model)
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
                        "The budget of {budget} is reached: it needs a larger one first."
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
