use super::*;
use crate::tools::testing::{Bench, brief, with_tasks};
use serde_json::json;

#[tokio::test]
async fn it_asks_stops_and_says_what_is_over() {
    let bench = with_tasks(Bench::new());
    let (id, _end) = bench.agent_task("look").await;
    let value = bench.run(&TaskStop, json!({"task_id": id, "reason": "enough"})).await;
    let text = value.output.text();
    assert!(text.contains("status: killed") && text.contains("reason: enough"), "{text}");
    let asks = bench.desk.asks.lock().unwrap().clone();
    assert_eq!((asks.len(), asks[0].action.as_str()), (1, "stop background task"));
    let again = bench.run(&TaskStop, json!({"task_id": id})).await;
    assert!(!again.is_error && again.message == "The task is over already.");
    assert_eq!(bench.desk.asks.lock().unwrap().len(), 1, "nobody is asked for nothing");
    assert_eq!(brief(&bench.run(&TaskStop, json!({"task_id": "../x"})).await), "Task not found");
}

#[tokio::test]
async fn neither_plan_mode_nor_a_rejection_lets_it_through() {
    let mut bench = with_tasks(Bench::new());
    let (id, _end) = bench.agent_task("look").await;
    bench.cx.plan_mode = true;
    let value = bench.run(&TaskStop, json!({"task_id": id})).await;
    assert_eq!(brief(&value), "Blocked in plan mode");
    bench.cx.plan_mode = false;
    *bench.desk.verdict.lock().unwrap() =
        crate::tools::ApprovalVerdict::Rejected { feedback: None };
    assert!(bench.run(&TaskStop, json!({"task_id": id})).await.is_error);
    let tasks = bench.cx.tasks.as_ref().unwrap();
    assert!(tasks.get(&id).await.unwrap().is_active());
}
