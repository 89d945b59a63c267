//! Where prompts come from.

use std::io::Write;

use serde_json::json;

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

fn echo() -> ModelServer {
    ModelServer::start(|request: &Recorded, _: usize| {
        Reply::new().text(format!("<{}>", request.last_user_text()))
    })
}

#[test]
fn stdin_is_the_prompt() {
    let server = echo();
    let home = Home::new(&server.url());
    let ran = home.run_with(&["--print"], "  two\nlines \u{1f40d}\n\n");
    ran.well();
    assert_eq!(ran.out, "<two\nlines \u{1f40d}>\n");
    let ran = home.run_with(&["--quiet"], b"broken \xff utf-8");
    ran.well();
    assert_eq!(ran.out, "<broken \u{fffd} utf-8>\n");
}

#[test]
fn an_empty_stdin_is_nothing() {
    let server = echo();
    let home = Home::new(&server.url());
    for words in [
        &["--print"][..],
        &["--quiet"],
        &["--print", "--input-format", "stream-json"],
        &["--print", "--output-format", "stream-json"],
    ] {
        let ran = home.run_with(words, " \n\n");
        ran.well();
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""), "{words:?}");
    }
    assert_eq!(server.requests().len(), 0);
    assert_eq!(home.sessions(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn with_a_prompt_stdin_is_not_read() {
    let server = echo();
    let home = Home::new(&server.url());
    // stdin stays open: whoever reads it to its end never ends.
    let mut running = home.start(&["--print", "-p", "given"]);
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(b"not this").unwrap();
    let ran = running.end();
    assert_eq!(ran.well().out, "<given>\n");
    drop(stdin);
}

#[test]
fn lines_are_turns_of_one_session() {
    let server = echo();
    let home = Home::new(&server.url());
    let lines = [
        r#"{"role":"user","content":"one"}"#,
        "not json",
        r#"{"role":"assistant","content":"no"}"#,
        r#"{"role":"user","content":[{"type":"text","text":"two"},{"type":"text","text":"parts"}]}"#,
        "",
        r#"{"role":"user","content":""}"#,
        r#"{"role":"user"}"#,
        "[]",
        r#"{"role":"user","content":"three"}"#,
    ];
    let words = ["--print", "--input-format", "stream-json", "--output-format", "stream-json"];
    let ran = home.run_with(&words, lines.join("\n"));
    ran.well();
    let said: Vec<_> = ran.records().into_iter().map(|record| record["content"].clone()).collect();
    assert_eq!(said, [json!("<one>"), json!("<two\nparts>"), json!("<three>")]);
    // Each bad line is told once, by its number.
    for number in [2, 3, 8] {
        assert_eq!(ran.err.matches(&format!("line {number} of")).count(), 1, "{}", ran.err);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    let messages = |n: usize| requests[n].body["messages"].as_array().unwrap().clone();
    assert_eq!(messages(2).len(), 6);
    assert_eq!(messages(2)[..4], messages(1)[..4]);
    home.session();
}

#[test]
fn lines_can_be_answered_one_by_one() {
    let server = echo();
    let home = Home::new(&server.url());
    let mut running = home.start(&["--print", "--input-format", "stream-json", "--quiet"]);
    let mut stdin = running.stdin.take().unwrap();
    for n in 1..=3 {
        writeln!(stdin, r#"{{"role":"user","content":"{n}"}}"#).unwrap();
        running.wait_out(&format!("<{n}>\n"));
    }
    drop(stdin);
    assert_eq!(running.end().well().out, "<1>\n<2>\n<3>\n");
}

#[test]
fn a_prompt_comes_before_the_lines() {
    let server = echo();
    let home = Home::new(&server.url());
    let words = ["--quiet", "--input-format", "stream-json", "-p", "zero"];
    let ran = home.run_with(&words, r#"{"role":"user","content":"one"}"#);
    assert_eq!(ran.well().out, "<zero>\n<one>\n");
}

#[test]
fn a_huge_line_is_passed_over() {
    let server = echo();
    let home = Home::new(&server.url());
    let mut stdin = Vec::from(&br#"{"role":"user","content":""#[..]);
    stdin.resize(17 * 1024 * 1024, b'x');
    stdin.extend_from_slice(b"\"}\n{\"role\":\"user\",\"content\":\"after\"}\n");
    let ran = home.run_with(&["--quiet", "--input-format", "stream-json"], stdin);
    assert_eq!(ran.well().out, "<after>\n");
    assert!(ran.err.contains("line 1 of"), "{}", ran.err);
}

#[test]
fn a_failing_turn_ends_the_run() {
    let server = ModelServer::start(vec![
        Reply::new().text("one"),
        Reply::status(401, json!({"error": {"message": "bad key"}})),
    ]);
    let home = Home::new(&server.url());
    let lines = "{\"role\":\"user\",\"content\":\"x\"}\n".repeat(3);
    let ran = home.run_with(&["--quiet", "--input-format", "stream-json"], lines);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "one\n"));
    assert_eq!(server.requests().len(), 2);
}
