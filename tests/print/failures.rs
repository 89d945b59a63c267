//! Errors: the exit status, and one line that says what to do.

use serde_json::{Value, json};

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, Ran};

/// A model that always answers so, and at most two attempts.
fn always(reply: Reply) -> (ModelServer, Home) {
    let server = ModelServer::start(move |_: &Recorded, _: usize| reply.clone());
    let home = Home::new(&server.url());
    let config = Home::config(&server.url()) + "[loop_control]\nmax_retries_per_step = 2\n";
    home.write("share/config.toml", config);
    (server, home)
}

fn refusal(status: u16) -> Reply {
    Reply::status(status, json!({"error": {"message": "THE REASON"}}))
}

/// The error is told once, on stderr; stdout has nothing, or one record.
fn told_once(ran: &Ran, reason: &str) {
    assert_eq!(ran.err.matches(reason).count(), 1, "{ran:#?}");
    assert!(!ran.out.contains(reason), "{ran:#?}");
    assert!(!ran.err.contains("panicked") && !ran.err.contains("Error {"), "{ran:#?}");
}

#[test]
fn permanent_refusals_are_told_once_and_tried_once() {
    for (status, code) in [(400, 1), (401, 1), (403, 1), (404, 1), (413, 1)] {
        let (server, home) = always(refusal(status));
        let ran = home.run(&["--print", "-p", "x"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{status}: {ran:#?}");
        told_once(&ran, "THE REASON");
        assert!(ran.err.contains(&status.to_string()), "{}", ran.err);
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[test]
fn passing_trouble_ends_with_75() {
    for status in [429, 500, 502, 503, 504] {
        let (server, home) = always(refusal(status));
        let ran = home.run(&["--quiet", "-p", "x"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(75), ""), "{status}: {ran:#?}");
        told_once(&ran, "THE REASON");
        assert_eq!(server.requests().len(), 2, "{status}");
    }
}

#[test]
fn broken_connections_and_empty_answers_end_with_75() {
    for reply in [Reply::new().text("Half").drop_here(), Reply::new(), Reply::new().think("hm")] {
        let (server, home) = always(reply);
        let ran = home.run(&["--quiet", "-p", "x"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(75), ""), "{ran:#?}");
        assert_eq!(server.requests().len(), 2);
    }
    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = Home::new(&format!("http://{closed}/v1")).run(&["--quiet", "-p", "x"]);
    assert_eq!(ran.code, Some(75), "{ran:#?}");
    assert!(ran.err.contains(&closed.to_string()), "{}", ran.err);
}

#[test]
fn what_only_a_person_can_change_is_tried_once() {
    let quota = json!({"error": {"message": "THE REASON", "type": "insufficient_quota"}});
    let page = "<html><title>Login</title></html>";
    for (reply, told, hint) in [
        (Reply::status(429, quota), "quota", "plan and balance"),
        (Reply::body(200, "text/html", page), "Login", "check base_url"),
    ] {
        let (server, home) = always(reply);
        let ran = home.run(&["--quiet", "-p", "x"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:#?}");
        assert!(ran.err.contains(told) && ran.err.contains(hint), "{}", ran.err);
        assert!(!ran.err.contains("wait a while"), "{}", ran.err);
        assert_eq!(server.requests().len(), 1, "{told}");
    }
}

#[test]
fn a_retry_tells_the_status_and_the_wait() {
    let busy = refusal(503).header("retry-after", "1");
    let server = ModelServer::start(vec![busy, Reply::new().text("yes")]);
    let ran = Home::new(&server.url()).run(&["--print", "-p", "x"]);
    assert_eq!(ran.well().out, "yes\n");
    assert!(ran.err.contains("[HTTP 503: trying again in 1 s, attempt 2 of 3]"), "{}", ran.err);
}

#[test]
fn what_makes_no_sense_ends_with_1() {
    for reply in [
        Reply::new().event("{torn"),
        Reply::body(200, "text/html", "<html><title>Login</title></html>"),
    ] {
        let (_server, home) = always(reply);
        let ran = home.run(&["--quiet", "-p", "x"]);
        assert!(matches!(ran.code, Some(1 | 75)), "{ran:#?}");
        assert_eq!(ran.out, "");
        assert!(!ran.err.is_empty() && ran.err.lines().count() <= 6, "{}", ran.err);
    }
}

#[test]
fn records_stay_json_when_something_fails() {
    let (_server, home) = always(refusal(401));
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "x"]);
    assert_eq!(ran.code, Some(1));
    let records = ran.records();
    assert_eq!(records.len(), 1);
    let error = &records[0]["error"];
    assert_eq!((&error["type"], &error["retryable"]), (&json!("provider"), &json!(false)));
    assert_eq!(error["status_code"], 401);
    assert!(error["message"].as_str().unwrap().contains("THE REASON"), "{error}");
    assert_eq!(ran.err.matches("THE REASON").count(), 1);
}

#[test]
fn a_failed_attempt_leaves_nothing_on_stdout() {
    for format in ["text", "stream-json"] {
        let server = ModelServer::start(vec![
            Reply::new().text("Half of").drop_here(),
            Reply::new().text("Half of it, and the rest."),
        ]);
        let home = Home::new(&server.url());
        let ran = home.run(&["--print", "--output-format", format, "-p", "x"]);
        ran.well();
        let text = if format == "text" {
            ran.out.trim_end().to_owned()
        } else {
            assert_eq!(ran.records().len(), 1);
            ran.records()[0]["content"].as_str().unwrap().to_owned()
        };
        assert_eq!(text, "Half of it, and the rest.");
    }
}

#[test]
fn the_step_limit() {
    let server = ModelServer::start(|_: &Recorded, n: usize| {
        Reply::new().text("On.").tool_call("c", "Glob", &format!(r#"{{"pattern":"*.{n}"}}"#))
    });
    let home = Home::new(&server.url());
    let ran = home.run(&["--quiet", "--max-steps-per-turn", "2", "-p", "x"]);
    assert_eq!(ran.code, Some(1));
    told_once(&ran, "Max number of steps reached: 2");
    assert_eq!(server.requests().len(), 2);
    // The record is whole: the session goes on.
    let ran = home.run(&["--quiet", "--max-steps-per-turn", "1", "-C", "-p", "y"]);
    assert_eq!(ran.code, Some(1));
    super::super::agent::bench::strict(&server.requests()[2].body["messages"]);
}

#[test]
fn without_a_model() {
    let home = Home::bare();
    let ran = home.run(&["--print", "-p", "x"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:#?}");
    told_once(&ran, "LLM not set");
    assert!(ran.err.contains("KIMI_API_KEY") || ran.err.contains("--model"), "{}", ran.err);
}

#[test]
fn a_model_that_is_not_configured_names_those_that_are() {
    let (server, home) = always(refusal(500));
    let ran = home.run(&["--print", "--model", "nope", "-p", "x"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.contains("nope") && ran.err.contains("mock"), "{}", ran.err);
    assert_eq!((server.requests().len(), home.sessions().len()), (0, 0));
}

#[test]
fn a_broken_configuration_names_file_line_and_column() {
    let home = Home::bare();
    let path = home.write("share/config.toml", "default_model = \"m\"\n\n[models.m\nx = 1\n");
    let ran = home.run(&["--print", "-p", "x"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_eq!(ran.out, "");
    let line = ran.err.lines().last().unwrap();
    assert!(line.contains(path.to_str().unwrap()) && line.contains("line 3 column"), "{line}");
    // A value of the wrong kind names its key.
    home.write("share/config.toml", "[loop_control]\nmax_steps_per_turn = \"many\"\n");
    let ran = home.run(&["--print", "-p", "x"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.contains("max_steps_per_turn"), "{}", ran.err);
}

#[test]
fn wrong_words_end_with_2() {
    let home = Home::bare();
    for (words, said) in [
        (&["--print", "--nope"][..], "--nope"),
        (&["--print", "-p", ""], "cannot be empty"),
        (&["--print", "-p", "x", "-w", "/nonexistent/dir"], "/nonexistent/dir"),
        (&["--print", "-p", "x", "--config-file", "/nonexistent.toml"], "/nonexistent.toml"),
        (&["--print", "-p", "x", "--config", "{torn"], "--config"),
        (&["--print", "-p", "x", "--output-format", "yaml"], "yaml"),
        (&["--print", "-p", "x", "-S", "../up"], "session ID is a plain name"),
        (&["--print", "-p", "x", "-C"], "No previous session"),
    ] {
        let ran = home.run(words);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{words:?}: {ran:#?}");
        assert!(ran.err.contains(said), "{words:?}: {}", ran.err);
    }
}

#[cfg(unix)]
#[test]
fn a_session_that_cannot_be_opened_is_one_clear_line() {
    let server = ModelServer::start(vec![Reply::new().text("yes")]);
    let home = Home::new(&server.url());
    home.run(&["--print", "-p", "x", "-S", "mine"]).well();
    // A directory where the record should be: unreadable for everybody, root included.
    let context = home.session().join("context.jsonl");
    std::fs::remove_file(&context).unwrap();
    std::fs::create_dir(&context).unwrap();
    let ran = home.run(&["--print", "-p", "y", "-S", "mine"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:#?}");
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    assert!(ran.err.contains(context.to_str().unwrap()), "{}", ran.err);
    // A file where the data directory should be.
    let home = Home::new(&server.url()).var("KIMI_SHARE_DIR", "/dev/null");
    let ran = home.run(&["--print", "-p", "x"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.lines().count() <= 2 && ran.err.contains("/dev/null"), "{}", ran.err);
}

#[test]
fn hostile_words_of_a_server_do_not_reach_stderr_raw() {
    let (_server, home) = always(Reply::status(
        400,
        json!({"error": {"message": "\u{1b}]0;title\u{7}\u{1b}[2J\nsecond\u{202e}line"}}),
    ));
    let ran = home.run(&["--print", "-p", "x"]);
    let text: &str = &ran.err;
    assert!(!text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{text:?}");
    assert!(text.contains("second"), "{text}");
    let value: Vec<Value> = ran.records();
    assert!(value.is_empty());
}

#[test]
fn each_remark_is_made_once_and_in_plain_text() {
    let server = ModelServer::start(vec![Reply::new().text("yes"); 3]);
    let home = Home::new(&server.url());
    let config = Home::config(&server.url()) + "[mcp]\nmode = \"sometimes\"\n";
    home.write("share/config.toml", config);
    let ran = home.run(&["--quiet", "-S", "mine", "-p", "x"]);
    assert_eq!(ran.well().err.matches("sometimes").count(), 1, "{}", ran.err);
    // What was mended is told with the name of the file.
    let context = home.session().join("context.jsonl");
    let mut bytes = std::fs::read(&context).unwrap();
    bytes.extend_from_slice(b"{\"\x1b]0;title\x07\xff\n{\"role\":\"user\"");
    std::fs::write(&context, bytes).unwrap();
    let ran = home.run(&["--quiet", "-S", "mine", "-p", "x"]);
    let told: Vec<&str> =
        ran.well().err.lines().filter(|line| line.contains("context.jsonl")).collect();
    assert_eq!(told.len(), 2, "{}", ran.err);
    // A cause is not said twice, and a name cannot act on the terminal.
    let share = home.path("share\u{1b}[31m");
    std::fs::create_dir_all(share.join("config.toml")).unwrap();
    let home = home.var("KIMI_SHARE_DIR", share.to_str().unwrap());
    let ran = home.run(&["--print", "-p", "x"]);
    assert_eq!((ran.code, ran.err.lines().count()), (Some(1), 1), "{ran:#?}");
    assert_eq!(ran.err.matches("irectory").count(), 1, "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
}

#[test]
fn a_model_that_goes_in_circles_is_ended_with_a_status_and_a_reason_of_its_own() {
    let (server, home) = always(Reply::new().tool_call("c", "Glob", r#"{"pattern":"*.none"}"#));
    let reason = "The model kept making the same call, so the turn was ended.";
    let ran = home.run(&["--quiet", "-p", "x"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(5), ""), "{ran:#?}");
    told_once(&ran, reason);
    assert_eq!(server.requests().len(), 12);
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "x"]);
    assert_eq!(ran.code, Some(5), "{ran:#?}");
    let last = ran.records().pop().expect("records");
    assert_eq!(last["error"]["type"], "tool_call_repeat", "{last}");
    assert_eq!(last["error"]["message"], reason, "{last}");
}

#[test]
fn a_key_that_the_server_repeats_is_told_nowhere() {
    let words =
        json!({"error": {"message": "THE REASON: Bearer sk-test-secret-0123", "code": 401}});
    let broken = Reply::new().text("a").event(&words.to_string()).drop_here();
    for reply in
        [Reply::status(401, words.clone()).header("x-request-id", "sk-test-secret-0123"), broken]
    {
        let (_server, home) = always(reply);
        let config = std::fs::read_to_string(home.path("share/config.toml")).unwrap();
        home.write("share/config.toml", config.replace("sk-test", "sk-test-secret-0123"));
        let ran = home.run(&["--debug", "--print", "--output-format", "stream-json", "-p", "x"]);
        assert!(ran.err.contains("THE REASON: ***"), "{ran:#?}");
        assert!(!ran.err.contains("secret") && !ran.out.contains("secret"), "{ran:#?}");
        let shares = home.shell("grep -rl sk-test-secret \"$KIMI_SHARE_DIR\"").output().unwrap();
        let files = String::from_utf8(shares.stdout).unwrap();
        assert_eq!(files.trim_end(), home.path("share/config.toml").to_str().unwrap());
    }
}
