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
async fn a_rejection_lets_it_go_on() {
    let bench = with_tasks(Bench::new());
    let (id, _end) = bench.agent_task("look").await;
    *bench.desk.verdict.lock().unwrap() =
        crate::tools::ApprovalVerdict::Rejected { feedback: None };
    assert!(bench.run(&TaskStop, json!({"task_id": id})).await.is_error);
    let tasks = bench.cx.tasks.as_ref().unwrap();
    assert!(tasks.get(&id).await.unwrap().is_active());
}

#[tokio::test]
async fn the_question_and_the_result_show_the_task() {
    let bench = with_tasks(Bench::new());
    let (id, _end) = bench.agent_task("look").await;
    let tasks = bench.cx.tasks.as_ref().unwrap();
    let before = tasks::display(&tasks.get(&id).await.unwrap());
    let value = bench.run(&TaskStop, json!({"task_id": id})).await;
    let asks = bench.desk.asks.lock().unwrap().clone();
    assert_eq!((asks[0].sender.as_str(), &asks[0].display), ("TaskStop", &vec![before]));
    assert_eq!(asks[0].description, format!("Stop background task `{id}` (look)"));
    let after = tasks.get(&id).await.unwrap();
    assert_eq!(value.display, [tasks::display(&after)]);
    assert_eq!(value.output.text(), tasks::block(&after));
    assert_eq!(value.message, "The task is over.");
}

#[tokio::test]
async fn a_stop_without_a_reason_has_the_usual_one() {
    let bench = with_tasks(Bench::new());
    for arguments in [json!({}), json!({"reason": " "})] {
        let (id, _end) = bench.agent_task("look").await;
        let mut arguments = arguments;
        arguments["task_id"] = json!(id);
        let text = bench.run(&TaskStop, arguments).await.output.text();
        assert!(text.ends_with("reason: Stopped by TaskStop"), "{text}");
    }
}
