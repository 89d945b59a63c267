//! How a run ends: its status, its last records, its one line of an error.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ask, code_home, code_home_with, named};
use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::{Home, Ran};

fn ended(status: &str) -> Reply {
    Reply::new().tool_call("u", "UpdateGoal", &format!(r#"{{"status":"{status}"}}"#))
}

fn kinds(ran: &Ran) -> Vec<Value> {
    ran.records().iter().map(|record| record["type"].clone()).collect()
}

#[test]
fn a_goal_has_its_summary_just_before_the_hint() {
    for (word, code) in [("complete", 0), ("blocked", 3)] {
        let server = ModelServer::start(vec![ended(word), Reply::new().text("So it is.")]);
        let home = code_home(&server);
        let ran = ask(&home, &[], "/goal win");
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        named(&ran);
        let records = ran.records();
        let summary = &records[records.len() - 2];
        assert_eq!((&summary["type"], &summary["status"]), (&json!("goal.summary"), &json!(word)));
        assert!(summary.get("role").is_none(), "{summary}");
        let line = ran.out.lines().rev().nth(1).unwrap();
        assert!(line.starts_with("{\"type\":\"goal.summary\",\"goalId\":\""), "{line}");
    }
    // Failing in the first turn is a failed run, later it is a pause.
    let refused = || Reply::status(400, json!({"error": {"message": "no"}}));
    for (script, code) in [(vec![refused()], 1), (vec![Reply::new().text("Some."), refused()], 6)] {
        let server = ModelServer::start(script);
        let home = code_home(&server);
        let ran = ask(&home, &[], "/goal win");
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        assert_eq!(kinds(&ran).last(), Some(&json!("goal.summary")));
        assert_eq!(ran.records().last().unwrap()["status"], "paused");
        assert!(
            ran.err.starts_with("error: failed to run prompt: provider.api_error: "),
            "{ran:?}"
        );
    }
    let server = ModelServer::start(Vec::new());
    let ran = ask(&code_home(&server), &[], "/goal");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.starts_with("error: failed to run prompt: "), "{ran:?}");
}

#[test]
fn failures_are_one_line_on_stderr_and_status_1() {
    for (status, code) in [
        (401, "provider.auth_error: "),
        (403, "provider.auth_error: "),
        (429, "provider.rate_limit: "),
        (503, "provider.api_error: "),
        (400, "provider.api_error: "),
    ] {
        let reply = Reply::status(status, json!({"error": {"message": "the reason"}}));
        let server = ModelServer::start(vec![reply]);
        let ran = ask(&code_home(&server), &["--max-retries-per-step", "1"], "x");
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert_eq!(kinds(&ran), ["system.version"]);
        let line = ran.err.lines().next().unwrap();
        assert!(line.starts_with(&format!("error: failed to run prompt: {code}")), "{line}");
        assert!(line.contains("the reason"), "{line}");
    }
}

#[test]
fn a_run_that_cannot_begin_says_what_callers_look_for() {
    let server = ModelServer::start(Vec::new());
    let config =
        Home::config(&server.url()).replace("[providers.p]", "[providers.\"managed:kimi-code\"]");
    let config = config.replace("provider = \"p\"", "provider = \"managed:kimi-code\"");
    let oauth =
        "[providers.\"managed:kimi-code\".oauth]\nstorage = \"file\"\nkey = \"oauth/kimi-code\"\n";
    let config = config.replace("api_key = \"sk-test\"", "api_key = \"\"") + oauth;
    let ran = ask(&code_home_with(&config), &[], "x");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert_eq!(
        ran.err.lines().next().unwrap(),
        "error: failed to run prompt: auth.login_required: OAuth provider \"managed:kimi-code\" \
         requires login before it can be used."
    );
    let ran = ask(&code_home_with(""), &[], "x");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    let line = "error: failed to run prompt: model.not_configured: LLM is not set: no model";
    assert!(ran.err.starts_with(line), "{ran:?}");
}

#[test]
fn what_makes_no_sense_is_an_error_with_status_1() {
    let server = ModelServer::start(Vec::new());
    let home = code_home(&server);
    for (words, said) in [
        (&["-p", ""][..], "Prompt cannot be empty"),
        (&["-p", " \n"], "Prompt cannot be empty"),
        (&["-p", "x", "--continue", "--session", "y"], "Cannot combine --continue, --session."),
        (&["-p", "x", "-c", "-r", "y"], "Cannot combine --continue, --session."),
        (&["-p", "x", "-r"], "without a session ID"),
        (&["-p", "x", "-r", "../up"], "session ID is a plain name"),
        (&["-p", "x", "--output-format", "xml"], "'xml' is not one of"),
        (&["-p", "x", "--skills-dir", "/nonexistent"], "/nonexistent"),
        (&["-p", "x", "--agent", "a", "--agent-file", "b"], "Cannot combine"),
        (&["-p", "x", "--plan"], "Cannot combine --prompt with --plan."),
        (&["-p", "x", "--auto"], "Cannot combine --prompt with --auto."),
        (&["-p", "x", "--agent", "default", "-c"], "Cannot combine --agent with --continue."),
        (
            &["-p", "x", "--agent-file", "a", "-r", "b"],
            "Cannot combine --agent-file with --session.",
        ),
    ] {
        let ran = home.run(words);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{words:?} {ran:?}");
        assert!(ran.err.starts_with("error: ") && ran.err.contains(said), "{words:?} {ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    }
    // An option of kimi-cli alone has kimi-cli's status.
    let ran = home.run(&["--final-message-only", "-p", "x"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    assert_eq!(home.sessions().len() + server.requests().len(), 0);
}

/// Every option of both dialects beside a prompt, but those that kimi-code refuses there.
#[test]
fn every_option_is_taken() {
    let server = ModelServer::start(vec![Reply::new().text("yes"); 40]);
    let home = code_home(&server);
    let dir = home.path("project").to_str().unwrap().to_owned();
    let agent = home.write("a.md", "---\nname: a\n---\nBe short.\n");
    let (dir, agent) = (dir.as_str(), agent.to_str().unwrap());
    for words in [
        &["--yolo"][..],
        &["--yes"],
        &["--auto-approve"],
        &["--afk"],
        &["--verbose"],
        &["--debug"],
        &["--thinking"],
        &["--no-thinking"],
        &["--model", "mock"],
        &["--work-dir", dir],
        &["--add-dir", dir, "--add-dir", dir],
        &["--skills-dir", dir, "--skills-dir", dir],
        &["--agent", "default"],
        &["--agent-file", agent],
        &["--config-file", home.path("code/config.toml").to_str().unwrap()],
        &["--mcp-config", "{}"],
        &["--max-steps-per-turn", "3"],
        &["--max-retries-per-step", "3"],
        &["--max-ralph-iterations", "0"],
        &["--max-tokens-total", "100k"],
        &["--timeout", "1m"],
        &["--input-format", "text"],
        &["--output-format", "text"],
        &["-C"],
        &["--continue"],
    ] {
        let ran = ask(&home, words, "x");
        assert_eq!(ran.code, Some(0), "{words:?} {ran:#?}");
    }
    let help = home.run(&["--help"]);
    let words: Vec<&str> = help.well().out.split_whitespace().collect();
    assert!(!words.contains(&"--auto") && words.contains(&"--output-format"));
    let version = home.run(&["--version"]);
    assert_eq!(version.well().out, concat!(env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn signals_leave_whole_lines_and_the_shell_s_status() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let command = r#"{"command":"touch started; sleep 600"}"#;
        let server =
            ModelServer::start(vec![Reply::new().text("One.").tool_call("c", "Bash", command)]);
        let home = code_home(&server);
        let running = home.start(&["--output-format", "stream-json", "-p", "x"]);
        let deadline = Instant::now() + Duration::from_secs(40);
        while !home.path("project/started").exists() {
            assert!(Instant::now() < deadline, "the command does not start");
            std::thread::yield_now();
        }
        let begun = Instant::now();
        running.signal(signal);
        let ran = running.end();
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert!(ran.out.ends_with('\n') && !ran.out.contains("resume_hint"), "{ran:#?}");
        assert_eq!(ran.records()[1]["content"], "One.");
    }
}
