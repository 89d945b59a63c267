use super::*;
use crate::tools::testing::{Bench, brief, with_tasks};
use serde_json::json;

#[tokio::test]
async fn an_agent_without_tasks_is_told_so() {
    let bench = Bench::new();
    let (output, stop) = (crate::tools::task_output::TaskOutput, crate::tools::task_stop::TaskStop);
    for tool in [&TaskList as &dyn Tool, &output, &stop] {
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

#[tokio::test]
async fn the_task_that_changed_last_is_first_and_the_limit_says_what_is_left_out() {
    let mut bench = Bench::new();
    let clock = std::sync::Arc::new(crate::platform::env::fixed::FixedClock::new());
    bench.cx.env.clock = clock.clone();
    let bench = with_tasks(bench);
    let mut started = Vec::new();
    for description in ["first", "second", "third"] {
        started.push(bench.agent_task(description).await);
        clock.advance(std::time::Duration::from_secs(1));
    }
    let (id, end) = &started[0];
    end.cancel();
    bench.cx.tasks.as_ref().unwrap().wait(id, std::time::Duration::from_secs(20)).await;
    let told = |value: &ToolReturnValue| {
        let text = value.output.text();
        let of = |line: &str| line.strip_prefix("description: ").map(str::to_owned);
        (text.lines().next().unwrap().to_owned(), text.lines().filter_map(of).collect::<Vec<_>>())
    };
    let all = bench.run(&TaskList, json!({"active_only": false})).await;
    let expected = ["first", "third", "second"].map(str::to_owned).to_vec();
    assert_eq!(told(&all), ("background_tasks: 3".to_owned(), expected));
    assert!(all.output.text().contains("\n[3]\ntask_id: "), "{}", all.output.text());
    let shown: Vec<&str> = all
        .display
        .iter()
        .map(|block| match block {
            crate::protocol::DisplayBlock::BackgroundTask { status, .. } => status.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, ["completed", "running", "running"], "one for each that is listed");
    let few = bench.run(&TaskList, json!({"limit": 1})).await;
    assert_eq!(told(&few), ("active_background_tasks: 2".to_owned(), vec!["third".to_owned()]));
    assert!(few.output.text().ends_with("\n[1 more]"), "{}", few.output.text());
    assert_eq!(few.display.len(), 1);
}

#[test]
fn twenty_active_ones_are_asked_for_and_a_hundred_at_most() {
    assert_eq!(TaskList.check(json!({})).unwrap(), json!({"active_only": true, "limit": 20}));
    for (limit, fits) in [(0, false), (1, true), (100, true), (101, false)] {
        assert_eq!(TaskList.check(json!({"limit": limit})).is_ok(), fits, "{limit}");
    }
}
