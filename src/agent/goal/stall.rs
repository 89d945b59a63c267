//! Turns that lead nowhere: a goal that nobody watches must not go on for ever on words alone.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::protocol::ToolReturnValue;

/// Turns in a row without a call of a tool, after which the goal is blocked.
const MAX_IDLE: u32 = 5;
/// Turns in a row that did exactly what the one before did, with the same results. More than of the
/// idle ones: waiting for something looks like that too.
const MAX_SAME: u32 = 10;

/// Tools that are about the goal and do nothing for it.
const ABOUT_THE_GOAL: [&str; 4] = ["CreateGoal", "GetGoal", "SetGoalBudget", "UpdateGoal"];

/// What a turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It called no tool.
    Nothing,
    /// What the turn before did, with the same results.
    Same,
    /// Something else.
    New,
}

/// The calls of a turn and their results, in a few bytes.
#[derive(Debug, Default)]
pub struct Trace {
    calls: u32,
    /// The same for the same calls and results in whatever order: readers run together.
    sum: u64,
}

impl Trace {
    /// Adds a call.
    pub fn add(&mut self, tool: &str, arguments: Option<&str>, result: &ToolReturnValue) {
        if ABOUT_THE_GOAL.contains(&tool) {
            return;
        }
        let mut hasher = DefaultHasher::new();
        (tool, arguments, result.is_error, result.output.text()).hash(&mut hasher);
        self.calls = self.calls.saturating_add(1);
        self.sum = self.sum.wrapping_add(hasher.finish());
    }

    /// What the turn was, after the one `before`.
    pub fn compared_with(&self, before: &Self) -> Work {
        match self.calls {
            0 => Work::Nothing,
            calls if (calls, self.sum) == (before.calls, before.sum) => Work::Same,
            _ => Work::New,
        }
    }
}

/// Counts such turns.
#[derive(Debug, Default)]
pub struct Stall {
    idle: u32,
    same: u32,
}

impl Stall {
    /// Counts a turn. The reason to end the goal, if it was one too many.
    pub fn after(&mut self, work: Work) -> Option<String> {
        (self.idle, self.same) = match work {
            Work::Nothing => (self.idle + 1, self.same + 1),
            Work::Same => (0, self.same + 1),
            Work::New => (0, 0),
        };
        if self.idle >= MAX_IDLE {
            return Some(format!(
                "no progress: {MAX_IDLE} turns in a row called no tool but the goal's"
            ));
        }
        (self.same >= MAX_SAME).then(|| {
            format!("no progress: {MAX_SAME} turns in a row did the same with the same results")
        })
    }

    /// Whether the turn that was counted last called no tool.
    pub fn is_idle(&self) -> bool {
        self.idle > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(calls: &[(&str, &str, &str)]) -> Trace {
        let mut trace = Trace::default();
        for (tool, arguments, output) in calls {
            trace.add(tool, Some(arguments), &ToolReturnValue::ok(*output, ""));
        }
        trace
    }

    #[test]
    fn a_turn_is_compared_with_the_one_before() {
        let [look, make] = [("Glob", "a", "x"), ("Shell", "make", "ok")];
        let before = trace(&[look, make]);
        for (calls, work) in [
            (&[][..], Work::Nothing),
            (&[("GetGoal", "", "1"), ("UpdateGoal", "active", "")], Work::Nothing),
            (&[look, make], Work::Same),
            (&[make, look], Work::Same),
            (&[look, ("Shell", "make", "failed")], Work::New),
            (&[look, ("Shell", "make test", "ok")], Work::New),
            (&[look], Work::New),
            (&[look, make, make], Work::New),
        ] {
            assert_eq!(trace(calls).compared_with(&before), work, "{calls:?}");
        }
    }

    #[test]
    fn turns_that_lead_nowhere_are_counted_in_a_row() {
        let ends_after = |turns: &[Work]| {
            let mut stall = Stall::default();
            turns.iter().position(|work| stall.after(*work).is_some()).map(|at| at + 1)
        };
        assert_eq!(ends_after(&[Work::Nothing; 99]), Some(5));
        assert_eq!(ends_after(&[Work::Same; 99]), Some(10));
        assert_eq!(ends_after(&[Work::Nothing, Work::Same].repeat(50)), Some(10));
        let idle_then_busy = [&[Work::Nothing; 4][..], &[Work::New]].concat();
        assert_eq!(ends_after(&idle_then_busy.repeat(20)), None);
        assert_eq!(ends_after(&[&[Work::Same; 9][..], &[Work::New]].concat().repeat(9)), None);
    }
}
