use super::*;
use crate::tools::testing::{Bench, brief, with_tasks};
use serde_json::json;

#[tokio::test]
async fn an_agent_without_tasks_is_told_so() {
    let bench = Bench::new();
    for tool in [&TaskList as &dyn Tool, &crate::tools::task_output::TaskOutput] {
        let value = bench.run(tool, json!({"task_id": "bash-1"})).await;
        assert_eq!(brief(&value), "Background task unavailable");
    }
    let arguments = json!({"command": "x", "run_in_background": true, "description": "d"});
    let value = bench.run(&crate::tools::shell::Shell, arguments).await;
    assert_eq!(brief(&value), "Background task unavailable");
}

#[tokio::test]
async fn tasks_are_listed() {
    let bench = with_tasks(Bench::new());
    let value = bench.run(&TaskList, json!({})).await;
    assert_eq!(value.output.text(), "active_background_tasks: 0\n[no tasks]");
    let (id, end) = bench.agent_task("look").await;
    let value = bench.run(&TaskList, json!({"limit": "5"})).await;
    let text = value.output.text();
    assert!(text.starts_with("active_background_tasks: 1\n[1]\ntask_id: "), "{text}");
    assert!(text.contains("kind: agent\nstatus: running\ndescription: look"), "{text}");
    end.cancel();
    bench.cx.tasks.as_ref().unwrap().wait(&id, std::time::Duration::from_secs(20)).await;
    let value = bench.run(&TaskList, json!({"active_only": false})).await;
    assert!(value.output.text().contains("background_tasks: 1\n[1]"));
    assert!(bench.run(&TaskList, json!({})).await.output.text().ends_with("[no tasks]"));
}
