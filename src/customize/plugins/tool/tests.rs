use super::*;
use crate::platform::process::Bounded;
use crate::tools::ApprovalVerdict;
use crate::tools::testing::{Bench, brief};
use serde_json::json;

fn bench() -> Bench {
    Bench::with_vars(&[("PATH", "/usr/bin:/bin")])
}

/// A tool `note` of a plugin `notes` in a directory of its own.
fn note(bench: &Bench, command: &[&str], more: Value) -> PluginTool {
    let dir = bench.root.join("notes");
    std::fs::create_dir_all(&dir).unwrap();
    let mut manifest = json!({"name": "notes", "version": "1",
        "tools": [{"name": "note", "command": command}]});
    manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    let secrets = Secrets { api_key: "sk-1".to_owned(), base_url: String::new() };
    PluginTool::new(manifest.tools[0].clone(), dir, Arc::new(manifest), secrets)
}

#[tokio::test]
async fn it_asks_under_its_own_name_and_says_what_will_run() {
    let bench = bench();
    let tool = note(&bench, &["touch", "made"], json!({}));
    assert!(!bench.run(&tool, json!({"text": "hi"})).await.is_error);
    assert!(bench.root.join("notes/made").exists());
    let asks = bench.desk.asks.lock().unwrap().clone();
    assert_eq!(asks.len(), 1);
    let ask = &asks[0];
    assert_eq!((ask.action.as_str(), ask.sender.as_str()), ("plugin:note", "note"));
    assert_eq!(ask.call_id, "call-1");
    assert_eq!(ask.description, "Run tool `note` of plugin `notes`.");
    let dir = bench.root.join("notes");
    let text = format!("{{\n  \"text\": \"hi\"\n}}\nruns touch made\nin {}", dir.display());
    assert_eq!(ask.display, [DisplayBlock::Brief { text }]);
}

#[tokio::test]
async fn a_rejection_runs_nothing_and_its_reason_reaches_the_model() {
    let bench = bench();
    let tool = note(&bench, &["touch", "made"], json!({}));
    *bench.desk.verdict.lock().unwrap() =
        ApprovalVerdict::Rejected { feedback: Some("use the other one".to_owned()) };
    let result = tool.call(json!({}), &bench.cx).await;
    assert!(result.rejected.unwrap().with_feedback);
    assert!(result.value.message.contains("use the other one"), "{}", result.value.message);
    assert!(!bench.root.join("notes/made").exists());
}

#[tokio::test]
async fn it_gets_its_words_as_they_are_and_the_arguments_on_its_input() {
    let bench = bench();
    let script = "pwd; printf '%s|' \"$@\"; cat; echo; echo";
    let tool = note(&bench, &["sh", "-c", script, "sh", "$HOME; ls", "a  b"], json!({}));
    let value = bench.run(&tool, json!({"text": "hi", "n": 1})).await;
    let dir = bench.root.join("notes");
    let expected = format!("{}\n$HOME; ls|a  b|{{\"text\":\"hi\",\"n\":1}}", dir.display());
    assert_eq!(value, ToolReturnValue::ok(expected, ""));
}

#[tokio::test]
async fn a_failure_says_what_the_program_said() {
    let bench = bench();
    for (script, message) in [
        ("echo out; echo ' why ' >&2; exit 3", "why"),
        ("echo out; exit 3", "out"),
        ("exit 3", "Exit code: 3."),
    ] {
        let value = bench.run(&note(&bench, &["sh", "-c", script], json!({})), json!({})).await;
        assert!(value.is_error, "{script}");
        assert_eq!((value.message.as_str(), brief(&value)), (message, "Failed with exit code: 3"));
    }
    let value = bench.run(&note(&bench, &["./gone"], json!({})), json!({})).await;
    assert_eq!(brief(&value), "Execution failed");
    assert!(value.message.contains("`kimi plugin info notes`"), "{}", value.message);
}

#[tokio::test]
async fn what_is_not_known_of_the_provider_is_no_variable() {
    let bench = bench();
    let inject = json!({"inject": {"KEY": "api_key", "URL": "base_url"}});
    let tool = note(&bench, &["sh", "-c", "echo \"$KEY ${URL-unset}\""], inject);
    assert_eq!(bench.run(&tool, json!({})).await.output.text(), "sk-1 unset");
}

#[test]
fn a_program_that_takes_two_minutes_is_killed_and_what_it_wrote_is_kept() {
    let captured =
        Captured { end: End::TimedOut, stdout: Bounded::default(), stderr: Bounded::default() };
    let value = returned("note", &captured);
    assert!(value.is_error);
    assert_eq!(value.message, "`note` was killed by its timeout (120s).");
    assert_eq!(brief(&value), "Killed by timeout");
}

#[tokio::test]
async fn a_cancel_ends_it() {
    let bench = bench();
    let tool = note(&bench, &["sh", "-c", "touch begun; exec sleep 100"], json!({}));
    let (begun, cancel) = (bench.root.join("notes/begun"), bench.cx.cancel.clone());
    let press = async {
        while !begun.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    };
    let (value, ()) = tokio::join!(bench.run(&tool, json!({})), press);
    assert_eq!(
        (brief(&value), value.message.as_str()),
        ("Cancelled", "The call was cancelled and killed.")
    );
}
