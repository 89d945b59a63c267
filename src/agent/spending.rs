//! What stands before every model request, and what follows it: whether there is anything left to pay
//! it with, and who is charged.
//!
//! Agents that work side by side spend out of the same budgets. Each looks before every request of its
//! own at what all have spent, so the whole goes over by at most one request for each that is waiting
//! for its answer.

use super::budget::Work;
use super::core::Core;
use crate::llm::Llm;
use crate::protocol::{Failure, FailureKind, Outcome, Spent, TokenUsage};

/// A budget out of which nothing more is paid.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Exhausted {
    /// One of the run.
    Run(Spent),
    /// One of the goal that the agent works for, in words.
    Goal(String),
}

impl std::fmt::Display for Exhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Run(spent) => spent.fmt(f),
            Self::Goal(budget) => write!(f, "The budget of the goal is reached: {budget}"),
        }
    }
}

impl From<Exhausted> for Outcome {
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::Run(spent) => Self::BudgetSpent(spent),
            Exhausted::Goal(_) => Self::Failed(Failure {
                kind: FailureKind::Internal,
                message: exhausted.to_string(),
                hint: None,
            }),
        }
    }
}

impl Core {
    /// Why the agent may send no request now. The session's own agent is not held up by the goal's
    /// budget: it gets a last step to say where it stands.
    pub fn exhausted(&self) -> Option<Exhausted> {
        let run = self.meter.spent(self.env.clock.instant()).map(Exhausted::Run);
        run.or_else(|| self.goals.reached_by(&self.paid_by_goal()?).map(Exhausted::Goal))
    }

    /// Why the agent may start no other one now.
    pub fn cannot_delegate(&self) -> Option<Exhausted> {
        let of_turn = || self.goals.reached_by(&self.goals.of_turn()?).map(Exhausted::Goal);
        self.exhausted().or_else(of_turn)
    }

    /// Says, until it is dropped, that a request or a call of the running turn is under way; `None` for
    /// an agent in the background, for which no turn waits.
    pub fn works(&self) -> Option<Work> {
        let in_background = self.source.as_ref().is_some_and(|source| source.task().is_some());
        (!in_background).then(|| self.meter.work(&self.env.clock))
    }

    /// Charges a response to whoever pays for it. A model without prices costs nothing: with a budget
    /// in money such a model is refused before it is asked.
    pub fn charge(&self, usage: &TokenUsage, llm: &Llm) {
        self.meter.count(usage, llm.prices.as_ref());
        let usd = llm.prices.as_ref().map_or(0.0, |prices| prices.cost(usage));
        if self.source.is_none() {
            self.goals.count(usage.output, usd);
        } else if let Some(goal) = self.paid_by_goal() {
            self.goals.count_for(&goal, usage.output, usd);
        }
    }

    /// The goal that a subagent works for: the one of the turn that has ordered it, also when it has
    /// gone on in the background since; where there was none, the one that its caller's turn has begun
    /// while it waits.
    fn paid_by_goal(&self) -> Option<String> {
        let source = self.source.as_ref()?;
        let waited_for = || source.task().is_none().then(|| self.goals.of_turn()).flatten();
        source.goal.clone().or_else(waited_for)
    }
}
