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

/// A command that is over, with this as its `runtime.json`.
fn over(runtime: serde_json::Value) -> View {
    let spec = json!({"id": "bash-1", "kind": "bash", "description": "build", "command": "make"});
    View {
        spec: serde_json::from_value(spec).unwrap(),
        runtime: serde_json::from_value(runtime).unwrap(),
    }
}

#[test]
fn a_command_is_told_with_its_line_its_code_and_why_it_failed() {
    let view = over(json!({"status": "failed", "exit_code": 2,
        "failure_reason": "Failed with exit code 2"}));
    let tail = Tail { text: "no\n".to_owned(), size: 3, truncated: false, cut: false };
    assert_eq!(
        told(&view, &tail, false, "/s/output.log"),
        "retrieval_status: success\ntask_id: bash-1\nkind: bash\nstatus: failed\n\
         description: build\ncommand: make\ninterrupted: false\ntimed_out: false\n\
         terminal_reason: failed\nexit_code: 2\nreason: Failed with exit code 2\n\n\
         output_path: /s/output.log\noutput_size_bytes: 3\noutput_preview_bytes: 3\n\
         output_truncated: false\n\nfull_output_available: true\nfull_output_tool: ReadFile\n\
         full_output_hint: ReadFile with path `/s/output.log`, line_offset 1 and n_lines 300, page \
         by page\n\n[output]\nno\n"
    );
}

#[test]
fn a_command_whose_time_was_up_is_told_so_and_has_no_code() {
    let view = over(json!({"status": "failed", "interrupted": true, "timed_out": true,
        "failure_reason": "Not done within 5s"}));
    let text = told(&view, &Tail::default(), true, "/s/output.log");
    let middle = "command: make\ninterrupted: true\ntimed_out: true\n\
        terminal_reason: timed_out\nreason: Not done within 5s\n\n";
    assert!(text.contains(middle), "{text}");
    assert!(text.contains("status: failed") && text.contains("full_output_available: false"));
    assert!(text.ends_with("[output]\n[no output]"), "{text}");
}

#[tokio::test]
async fn the_last_32_kilobytes_are_shown_and_noted_as_seen() {
    let bench = with_tasks(Bench::new());
    let (id, end) = bench.agent_task("look").await;
    end.cancel();
    let tasks = bench.cx.tasks.as_ref().unwrap();
    tasks.wait(&id, Duration::from_secs(20)).await;
    let path = tasks.output_path(&id);
    let line = format!("{}\n", "x".repeat(1023));
    std::fs::write(&path, format!("first\n{}last\n", line.repeat(40))).unwrap();
    let value = bench.run(&TaskOutput, json!({"task_id": id})).await;
    let text = value.output.text();
    let size = 6 + 40 * 1024 + 5;
    assert!(text.contains(&format!("output_size_bytes: {size}\n")), "{text}");
    // From the start of a line on.
    let (_, shown) = text.split_once("[output]\n").unwrap();
    let (marker, shown) = shown.split_once('\n').unwrap();
    assert!(marker.starts_with("[truncated") && marker.contains(path.to_str().unwrap()));
    assert!(shown.starts_with("xxx") && shown.ends_with("x\nlast\n"));
    assert!(shown.len() <= 32 << 10 && shown.len() > 31 << 10, "{}", shown.len());
    assert!(text.contains(&format!("output_preview_bytes: {}\n", shown.len())));
    let seen = std::fs::read(path.with_file_name("consumer.json")).unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&seen).unwrap();
    let now = bench.cx.env.unix_now();
    assert_eq!(seen, json!({"last_seen_output_size": size, "last_viewed_at": now}));
    let task = tasks.get(&id).await.unwrap();
    assert_eq!(value.display, [tasks::display(&task)]);
}

#[test]
fn a_wait_is_half_a_minute_and_an_hour_at_most() {
    let checked = TaskOutput.check(json!({"task_id": "t"})).unwrap();
    assert_eq!(checked, json!({"task_id": "t", "block": false, "timeout": 30}));
    for (timeout, fits) in [(-1, false), (0, true), (3600, true), (3601, false)] {
        let arguments = json!({"task_id": "t", "timeout": timeout});
        assert_eq!(TaskOutput.check(arguments).is_ok(), fits, "{timeout}");
    }
    assert!(TaskOutput.check(json!({})).is_err());
}

#[tokio::test]
async fn a_wait_that_is_cut_off_is_none() {
    let bench = with_tasks(Bench::new());
    let (id, _end) = bench.agent_task("look").await;
    bench.cx.cancel.cancel();
    let arguments = json!({"task_id": id, "block": true, "timeout": 3600});
    let value = bench.run(&TaskOutput, arguments).await;
    assert!(value.is_error, "{value:?}");
    assert!(bench.cx.tasks.as_ref().unwrap().get(&id).await.unwrap().is_active());
}
