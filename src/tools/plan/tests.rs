use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::protocol::QuestionResponse;
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
    let three = vec![json!({"label": "A"}); 3];
    let filled = checked(json!({"options": three})).unwrap();
    assert_eq!(filled["options"][2], json!({"label": "A", "description": ""}));
}

fn labelled(labels: &[&str]) -> serde_json::Value {
    let options: Vec<_> = labels.iter().map(|label| json!({ "label": label })).collect();
    json!({ "options": options })
}

#[tokio::test]
async fn labels_that_mean_something_already_are_refused_however_they_are_written() {
    for (labels, why) in [
        (&["Approve", "B"][..], "`Approve` is one of the choices already"),
        (&["A", "REJECT"], "`REJECT` is one of the choices already"),
        (&["A", " revise "], "` revise ` is one of the choices already"),
        (&["reject and exit"], "`reject and exit` is one of the choices already"),
        (&["A", "B", "a"], "each label must be there only once"),
        (&["Fast", "\tFAST"], "each label must be there only once"),
        (&["A", "  "], "each label must have words"),
    ] {
        let open = bench(true, Ok(Some("Dig")), QuestionOutcome::Afk);
        let value = open.run(&ExitPlanMode, labelled(labels)).await;
        assert_eq!(brief(&value), "Invalid arguments", "{labels:?}");
        assert!(value.message.ends_with(why), "{}", value.message);
        // Nobody has seen it, and it goes on.
        assert!(open.cx.plan.is_on() && open.desk.posed.lock().unwrap().is_empty());
    }
    // Words that only hold such a word are labels like any other.
    let open = bench(true, Ok(Some("Dig")), QuestionOutcome::Afk);
    let value = open.run(&ExitPlanMode, labelled(&["Approve later", "Rejecting", "revised"])).await;
    assert_eq!(brief(&value), "Plan approved (auto)");
}

#[tokio::test]
async fn approaches_are_choices_when_there_are_two_or_three() {
    for (labels, shown) in [
        (&[][..], &["Approve", "Reject", "Reject and Exit"][..]),
        (&["A"], &["Approve", "Reject", "Reject and Exit"]),
        (&["A", "B"], &["A", "B", "Reject", "Reject and Exit"]),
        (&["A", "B", "C"], &["A", "B", "C", "Reject", "Reject and Exit"]),
    ] {
        let open = bench(true, Ok(Some("Dig")), QuestionOutcome::Unsupported);
        open.run(&ExitPlanMode, labelled(labels)).await;
        let posed = open.desk.posed.lock().unwrap();
        let [question] = posed.as_slice() else { panic!("{posed:?}") };
        let found: Vec<_> = question.options.iter().map(|option| option.label.as_str()).collect();
        assert_eq!(found, shown);
        assert_eq!((question.other_label.as_str(), question.multi_select), ("Revise", false));
    }
}

/// What the person answers to a plan, and what becomes of it.
#[tokio::test]
async fn only_a_choice_that_was_there_approves() {
    for (labels, answer, short, on) in [
        (&["A"][..], "Approve", "Plan approved", false),
        // It was not to choose from: these are words.
        (&["A"], "A", "To be revised", true),
        (&["A", "B"], "Approve", "To be revised", true),
        (&["A", "B"], " B ", "Plan approved", false),
        (&[" A ", "B"], "A", "Plan approved", false),
        (&["A", "B"], "b", "To be revised", true),
        (&["A", "B"], "Reject", "Rejected by user", true),
        (&["A", "B"], "Reject and Exit", "Rejected by user, plan mode off", false),
        (&[], "reject", "To be revised", true),
        (&[], "  ", "Dismissed", true),
    ] {
        let response = QuestionResponse {
            request_id: "r".into(),
            answers: [("Approve this plan".to_owned(), answer.into())].into_iter().collect(),
            declined: false,
        };
        let open = bench(true, Ok(Some("Dig")), QuestionOutcome::Answered(response));
        let value = open.run(&ExitPlanMode, labelled(labels)).await;
        assert_eq!((brief(&value), open.cx.plan.is_on()), (short, on), "{labels:?} {answer:?}");
        let carried_out =
            value.output.text().starts_with("Carry out the plan. It stays in `/p/plan.md`.");
        assert_eq!(carried_out, short == "Plan approved", "{value:?}");
    }
}

#[tokio::test]
async fn out_of_plan_mode_there_is_nothing_to_approve() {
    let closed = bench(false, Ok(Some("Dig")), QuestionOutcome::Afk);
    let value = closed.run(&ExitPlanMode, json!({})).await;
    assert_eq!((value.is_error, brief(&value)), (true, "Not in plan mode"));
    assert!(closed.desk.posed.lock().unwrap().is_empty());
}
