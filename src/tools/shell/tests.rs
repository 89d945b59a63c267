use super::*;
use crate::tools::testing::{Bench, brief};

async fn shell(bench: &Bench, command: &str) -> ToolReturnValue {
    bench.run(&Shell, json!({"command": command})).await
}

#[tokio::test]
async fn success_and_failure_are_told_as_kimi_tells_them() {
    let bench = Bench::new();
    let value = shell(&bench, "pwd; echo one").await;
    assert_eq!(
        value,
        ToolReturnValue::ok(
            format!("{}\none\n", bench.ws("").display().to_string().trim_end_matches('/')),
            "Command executed successfully."
        )
    );
    let value = shell(&bench, "echo before; ls /nonexistent 2>/dev/null; exit 3").await;
    assert!(value.is_error);
    assert_eq!(value.message, "Command failed with exit code: 3.");
    assert_eq!(value.output.text(), "before\n");
    assert_eq!(brief(&value), "Failed with exit code: 3\nbefore");
    assert!(shell(&bench, "kill -9 $$").await.message.contains("137 (signal 9)"));
    assert_eq!(brief(&shell(&bench, "  ").await), "Empty command");
    assert_eq!(brief(&shell(&bench, "a\0b").await), "Invalid arguments");
}

#[tokio::test]
async fn a_timeout_keeps_what_came() {
    let bench = Bench::new();
    let value = bench.run(&Shell, json!({"command": "echo begun; sleep 100", "timeout": 1})).await;
    assert!(value.is_error);
    assert_eq!(value.message, "Command killed by timeout (1s).");
    assert_eq!(brief(&value), "Killed by timeout (1s)\nbegun");
    assert_eq!(value.output.text(), "begun\n");
}

#[tokio::test]
async fn it_asks_first_and_a_rejection_runs_nothing() {
    let bench = Bench::new();
    *bench.desk.verdict.lock().unwrap() =
        crate::tools::ApprovalVerdict::Rejected { feedback: Some("no".into()) };
    let arguments = json!({"command": "touch made", "timeout": 60});
    let result = Shell.call(arguments, &bench.cx).await;
    assert!(result.rejected.unwrap().with_feedback);
    assert!(!bench.ws("made").exists());
    let asks = bench.desk.asks.lock().unwrap();
    assert_eq!(asks[0].action, "run command");
    assert_eq!(asks[0].description, "Run command `touch made`");
    assert_eq!(
        asks[0].display,
        [DisplayBlock::Shell { language: "bash".into(), command: "touch made".into() }]
    );
}

#[tokio::test]
async fn the_environment_is_the_session_s() {
    let mut bench = Bench::with_vars(&[("PATH", "/usr/bin:/bin"), ("MINE", "1")]);
    bench.cx.child_env.push(("EXTRA".into(), "2".into()));
    let line = "echo $MINE $EXTRA $GIT_TERMINAL_PROMPT $SHELL; [ -t 0 ] || echo no tty";
    let shown = shell(&bench, line).await.output.text();
    assert_eq!(shown, format!("1 2 0 {}\nno tty\n", shell::detect().display()));
    let bench = Bench::with_vars(&[("GIT_TERMINAL_PROMPT", "1")]);
    assert_eq!(shell(&bench, "echo $GIT_TERMINAL_PROMPT").await.output.text(), "1\n");
}

#[tokio::test]
async fn output_is_live_and_whole() {
    let bench = Bench::new();
    let value = shell(&bench, "printf 'caf\\303'; printf '\\251\\n'; echo two").await;
    assert_eq!(value.output.text(), "café\ntwo\n");
    assert_eq!(*bench.live.lock().unwrap(), "café\ntwo\n");
}

#[tokio::test]
async fn a_flood_is_cut_at_both_ends_and_spilled() {
    let bench = Bench::with_vars(&[("PATH", "/usr/bin:/bin")]);
    let value = shell(&bench, "seq 1 200000").await;
    let text = value.output.text();
    assert!(text.starts_with("1\n2\n") && text.ends_with("\n200000\n"));
    let file = bench.root.join("spill/call-1.txt");
    assert!(value.message.contains(&file.display().to_string()), "{}", value.message);
    assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 200_000);
}

#[tokio::test]
async fn a_cancel_stops_it() {
    let bench = Bench::new();
    let cancel = bench.cx.cancel.clone();
    *bench.desk.meanwhile.lock().unwrap() = Some(Box::new(move || cancel.cancel()));
    assert_eq!(brief(&shell(&bench, "sleep 100").await), "Cancelled");
}

#[tokio::test]
async fn what_came_before_a_cancel_is_kept() {
    let bench = Bench::with_vars(&[("PATH", "/usr/bin:/bin")]);
    let (live, cancel) = (std::sync::Arc::clone(&bench.live), bench.cx.cancel.clone());
    let press = async {
        while live.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    };
    let (value, ()) = tokio::join!(shell(&bench, "echo begun; sleep 100"), press);
    assert!(value.is_error);
    assert_eq!(value.message, "Command was cancelled and killed.");
    assert_eq!((brief(&value), value.output.text().as_str()), ("Cancelled\nbegun", "begun\n"));
}

#[test]
fn a_timeout_has_bounds() {
    for seconds in [0, 86_401] {
        let arguments = json!({"command": "x", "timeout": seconds});
        assert!(schema::check(&Shell.parameters(), arguments).is_err());
    }
}

#[tokio::test]
async fn what_a_call_leaves_out_has_its_default_and_five_minutes_are_no_fault() {
    let checked = Shell.check(json!({"command": "x"})).unwrap();
    let whole =
        json!({"command": "x", "timeout": 60, "run_in_background": false, "description": ""});
    assert_eq!(checked, whole);
    assert!(Shell.check(json!({"timeout": 1})).is_err());
    let bench = Bench::new();
    assert!(!bench.run(&Shell, json!({"command": "true", "timeout": 300})).await.is_error);
}

#[tokio::test]
async fn every_call_begins_afresh_and_has_nothing_to_read() {
    let bench = Bench::with_vars(&[("PATH", "/usr/bin:/bin")]);
    let value = shell(&bench, "cd /; export LEFT=1; set -f; cat; echo over").await;
    assert_eq!((value.is_error, value.output.text().as_str()), (false, "over\n"));
    let value = shell(&bench, "echo \"[$LEFT]\"; pwd").await;
    let work_dir = bench.root.join("ws");
    assert_eq!(value.output.text(), format!("[]\n{}\n", work_dir.display()));
}

#[tokio::test]
async fn variables_that_are_not_utf8_are_inherited() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let mut bench = Bench::new();
    let path = OsString::from("/usr/bin:/bin");
    bench.cx.env = bench.cx.env.clone().with_vars([
        (OsString::from("PATH"), path),
        (OsString::from("LATIN"), OsString::from_vec(b"caf\xe9".to_vec())),
    ]);
    assert_eq!(bench.cx.env.var("LATIN"), None);
    let value = shell(&bench, "[ \"$LATIN\" = \"$(printf 'caf\\351')\" ] && echo same").await;
    assert_eq!(value.output.text(), "same\n", "{value:?}");
}

#[tokio::test]
async fn the_background_has_rules_of_its_own() {
    let bench = Bench::new();
    let refused = |arguments: serde_json::Value| {
        let bench = &bench;
        async move {
            let value = bench.run(&Shell, arguments).await;
            assert_eq!(brief(&value), "Invalid arguments", "{}", value.message);
            value.message
        }
    };
    let message = refused(json!({"command": "x", "timeout": 301})).await;
    assert!(message.contains("at most 300"), "{message}");
    let message =
        refused(json!({"command": "x", "run_in_background": true, "description": " "})).await;
    assert!(message.contains("`description` is required"), "{message}");
    let schema = Shell.parameters();
    assert!(schema::check(&schema, json!({"command": "x", "timeout": 86_401})).is_err());
    assert!(schema::check(&schema, json!({"command": "x", "timeout": 86_400})).is_ok());
    assert!(bench.desk.asks.lock().unwrap().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn a_background_command_is_asked_for_as_one() {
    let bench = crate::tools::testing::with_tasks(Bench::new());
    *bench.desk.verdict.lock().unwrap() =
        crate::tools::ApprovalVerdict::Rejected { feedback: None };
    let arguments = json!({"command": "x", "run_in_background": true, "description": "d"});
    assert!(bench.run(&Shell, arguments.clone()).await.is_error);
    let asks = bench.desk.asks.lock().unwrap().clone();
    assert_eq!(asks[0].action, "run background command");
    assert_eq!(asks[0].description, "Run background command `x`");
    assert_eq!((asks[0].sender.as_str(), asks[0].call_id.as_str()), ("Shell", "call-1"));
    let shown = DisplayBlock::Shell { language: "bash".into(), command: "x".into() };
    assert_eq!(asks[0].display, [shown]);
    *bench.desk.verdict.lock().unwrap() = crate::tools::ApprovalVerdict::Approved;
    // The bench has no program to attend it.
    let value = bench.run(&Shell, arguments).await;
    assert_eq!(brief(&value), "Start failed");
    assert!(value.message.starts_with("The task could not be started: "), "{}", value.message);
}

#[tokio::test]
async fn a_running_command_goes_on_in_the_background() {
    let bench = crate::tools::testing::with_tasks(Bench::new());
    let go = bench.ws("go");
    let line = format!("echo one; until [ -e {} ]; do sleep 0.02; done; echo two", go.display());
    let live = std::sync::Arc::clone(&bench.live);
    let token = bench.cx.to_background.clone();
    let press = async {
        while live.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        token.cancel();
    };
    let (value, ()) = tokio::join!(shell(&bench, &line), press);
    let text = value.output.text();
    assert!(text.contains("status: running") && text.ends_with("[output so far]\none\n"), "{text}");
    let tasks = bench.cx.tasks.as_ref().unwrap();
    let id = tasks.list()[0].spec.id.clone();
    assert_eq!(value.message, "The user sent the command to the background, where it goes on.");
    let said = DisplayBlock::Brief { text: format!("Sent to the background as {id}") };
    assert_eq!(value.display, [tasks::display(&tasks.list()[0]), said]);
    std::fs::write(go, "").unwrap();
    let view = tasks.wait(&id, Duration::from_secs(20)).await.unwrap();
    assert_eq!(view.runtime.exit_code, Some(0));
    assert_eq!(tasks.tail(&id, 100).await.unwrap().text, "one\ntwo\n");
}

#[tokio::test]
async fn a_line_of_any_length_and_both_outputs_come() {
    let bench = Bench::with_vars(&[("PATH", "/usr/bin:/bin")]);
    let line = "echo first >&2; head -c 200000 /dev/zero | tr '\\0' x; echo; echo last >&2";
    let value = shell(&bench, line).await;
    assert!(!value.is_error, "{}", value.message);
    let text = value.output.text();
    assert!(text.starts_with("first\nxxx") && text.ends_with("\nlast\n"), "{}", text.len());
    assert!(text.contains("[...truncated]\n") && text.len() < 3_000);
}

#[tokio::test]
async fn what_is_left_running_does_not_hold_the_call() {
    let bench = Bench::with_vars(&[("PATH", "/usr/bin:/bin")]);
    let value = shell(&bench, "sleep 50 & echo begun").await;
    assert_eq!((value.is_error, value.output.text().as_str()), (false, "begun\n"));
}

#[tokio::test]
async fn the_end_of_a_failure_is_in_its_brief() {
    let bench = Bench::with_vars(&[("PATH", "/usr/bin:/bin")]);
    let value = shell(&bench, "seq 1 9; exit 2").await;
    assert_eq!(brief(&value), "Failed with exit code: 2\n5\n6\n7\n8\n9");
}

#[tokio::test]
async fn a_work_directory_that_is_gone_is_told() {
    let bench = Bench::new();
    std::fs::remove_dir(bench.ws("")).unwrap();
    let value = shell(&bench, "echo x").await;
    assert_eq!(brief(&value), "Execution failed");
    assert!(value.message.contains("could not be started in"), "{}", value.message);
}
