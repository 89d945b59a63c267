use super::*;
use crate::tools::testing::{Bench, brief, with_tasks};
use serde_json::json;

#[tokio::test]
async fn every_row_is_there() {
    let bench = with_tasks(Bench::new());
    let (id, end) = bench.agent_task("look").await;
    let text = bench.run(&TaskOutput, json!({"task_id": id})).await.output.text();
    assert!(text.starts_with("retrieval_status: not_ready\n"), "{text}");
    let text = bench.run(&TaskOutput, json!({"task_id": id, "block": true, "timeout": 0})).await;
    assert!(text.output.text().starts_with("retrieval_status: timeout\n"));
    end.cancel();
    let value = bench.run(&TaskOutput, json!({"task_id": id, "block": true})).await;
    let text = value.output.text();
    let names: Vec<&str> =
        text.lines().map(|line| line.split_once(':').map_or(line, |(name, _)| name)).collect();
    assert_eq!(
        names,
        [
            "retrieval_status",
            "task_id",
            "kind",
            "status",
            "description",
            "agent_id",
            "subagent_type",
            "interrupted",
            "timed_out",
            "terminal_reason",
            "",
            "output_path",
            "output_size_bytes",
            "output_preview_bytes",
            "output_truncated",
            "",
            "full_output_available",
            "full_output_tool",
            "full_output_hint",
            "",
            "[output]",
            "hello"
        ],
        "{text}"
    );
    assert!(text.contains("retrieval_status: success") && text.contains("status: completed"));
    let seen = std::fs::read_to_string(
        bench.cx.tasks.as_ref().unwrap().output_path(&id).with_file_name("consumer.json"),
    );
    assert!(seen.unwrap().contains("\"last_seen_output_size\": 6"));
}

#[tokio::test]
async fn ids_that_are_none_lead_nowhere() {
    let bench = with_tasks(Bench::new());
    for id in ["bash-12345678", "../x", "", "/etc", "a\0b"] {
        let value = bench.run(&TaskOutput, json!({"task_id": id})).await;
        assert_eq!(brief(&value), "Task not found", "{id:?}");
    }
}

#[test]
fn a_long_output_names_the_file() {
    let view = View {
        spec: serde_json::from_value(json!({"id": "bash-1", "kind": "bash"})).unwrap(),
        runtime: Default::default(),
    };
    let tail = Tail { text: "end\n".to_owned(), size: 99_999, truncated: true, cut: false };
    let text = told(&view, &tail, false, "/s/output.log");
    assert!(
        text.contains("[output]\n[truncated: this is the end of `/s/output.log`]\nend\n"),
        "{text}"
    );
    assert!(text.contains("output_truncated: true") && text.contains("output_size_bytes: 99999"));
    assert!(text.contains("full_output_available: true"), "{text}");
    let cut = Tail { cut: true, ..tail };
    let text = told(&view, &cut, false, "/s/output.log");
    assert!(text.contains("full_output_available: false"), "{text}");
    assert!(text.contains("only its beginning and its end were kept"), "{text}");
}
