use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::tools::testing::{Bench, brief};
use crate::tools::{QuestionOutcome, Tool, schema};

/// A plan mode that is on, with this plan.
struct Fixed {
    on: Mutex<bool>,
    plan: Result<Option<String>, String>,
}

impl PlanMode for Fixed {
    fn is_on(&self) -> bool {
        *self.on.lock().unwrap()
    }

    fn is_entered_unasked(&self) -> bool {
        false
    }

    fn is_left_unasked(&self) -> bool {
        false
    }

    fn switch(&self, on: bool) {
        *self.on.lock().unwrap() = on;
    }

    fn file(&self) -> Option<PathBuf> {
        self.is_on().then(|| PathBuf::from("/p/plan.md"))
    }

    fn read(&self) -> Result<Option<String>, String> {
        self.plan.clone()
    }

    fn show(&self, _: &str) {}
}

fn bench(on: bool, plan: Result<Option<&str>, &str>, outcome: QuestionOutcome) -> Bench {
    let mut bench = Bench::new();
    let plan = plan.map(|plan| plan.map(str::to_owned)).map_err(str::to_owned);
    bench.cx.plan = Arc::new(Fixed { on: Mutex::new(on), plan });
    *bench.desk.outcome.lock().unwrap() = outcome;
    bench
}

#[tokio::test]
async fn a_client_that_cannot_ask_is_not_asked_again() {
    let closed = bench(false, Ok(None), QuestionOutcome::Unsupported);
    let value = closed.run(&EnterPlanMode, json!({})).await;
    assert!(value.is_error && value.message.contains("Do not call this tool again"), "{value:?}");
    assert!(!closed.cx.plan.is_on());
    let open = bench(true, Ok(Some("Dig")), QuestionOutcome::Unsupported);
    let value = open.run(&ExitPlanMode, json!({})).await;
    assert!(value.is_error && value.message.contains("Do not call this tool again"), "{value:?}");
    assert!(open.cx.plan.is_on(), "nobody has approved it");
}

/// Whoever would have to answer has gone while the question was on its way.
#[tokio::test]
async fn who_leaves_meanwhile_approves() {
    let open = bench(true, Ok(Some("Dig")), QuestionOutcome::Afk);
    let value = open.run(&ExitPlanMode, json!({})).await;
    assert_eq!(brief(&value), "Plan approved (auto)");
    assert!(value.output.text().contains("`/p/plan.md`") && !open.cx.plan.is_on());
}

#[tokio::test]
async fn a_plan_that_cannot_be_read_is_not_put_before_anybody() {
    for plan in [Ok(None), Ok(Some(" \n")), Err("the plan file is a link that leads elsewhere")] {
        let open = bench(true, plan, QuestionOutcome::Afk);
        let value = open.run(&ExitPlanMode, json!({})).await;
        assert_eq!((value.is_error, brief(&value)), (true, "No plan file"), "{plan:?}");
        assert!(open.cx.plan.is_on());
    }
}

#[test]
fn the_schemas_are_those_that_clients_know() {
    assert_eq!(EnterPlanMode.parameters(), json!({"properties": {}, "type": "object"}));
    let checked = |value| schema::check(&ExitPlanMode.parameters(), value);
    assert_eq!(checked(json!({})), Ok(json!({"options": null})));
    let four = vec![json!({"label": "A"}); 4];
    assert!(checked(json!({"options": four})).is_err());
    assert!(checked(json!({"options": [{"label": ""}]})).is_err());
}
