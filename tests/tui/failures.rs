//! A model server that fails: what is told, what is withdrawn, what comes in the end.

use std::time::Duration;

use serde_json::json;

use super::world::{World, closings, count};
use crate::support::model_server::{Gate, Reply};
use crate::support::screen::is_idle;

fn failing(status: u16, message: &str) -> Reply {
    Reply::status(status, json!({"error": {"message": message}}))
}

#[test]
fn a_failed_attempt_is_told_and_tried_again() {
    for (status, words) in [(429, "after rate limit"), (500, "after server error 500")] {
        // Long enough to be seen on a busy machine.
        let world = World::new(vec![
            failing(status, "not now").header("retry-after", "2"),
            Reply::new().text("At last."),
        ]);
        let mut kimi = world.start(&[]);
        kimi.ask("go");
        let rows = kimi.wait_text("Retrying…");
        assert_eq!(count(&rows, "↻ Retrying "), 1, "{rows:?}");
        assert_eq!(count(&rows, words), 1, "{rows:?}");
        assert_eq!(count(&rows, "attempt 2/"), 1, "{rows:?}");
        let rows = kimi.wait_closed(1);
        assert_eq!(count(&rows, "• At last."), 1, "{rows:?}");
        assert_eq!(count(&rows, "Retrying"), 0, "{rows:?}");
        assert_eq!(world.server().requests().len(), 2);
    }
}

#[test]
fn the_text_of_a_failed_attempt_is_withdrawn() {
    let (seen, again) = (Gate::new(), Gate::new());
    let world = World::new(vec![
        Reply::new()
            .think("Half a thought.")
            .text("A first paragraph.\n\nA second paragr")
            .wait(&seen)
            .drop_here(),
        Reply::new().wait(&again).text("The whole answer."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("A second paragr");
    seen.open();
    world.server().wait_for(2);
    let rows = kimi.wait_gone("paragr");
    assert!(!is_idle(&rows), "{rows:?}");
    again.open();
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "paragr"), 0, "{rows:?}");
    assert_eq!(count(&rows, "• The whole answer."), 1, "{rows:?}");
    assert_eq!(closings(&rows), 1, "{rows:?}");
    let requests = world.server().requests();
    assert_eq!(requests[0].raw, requests[1].raw, "the same request is sent again");
}

#[test]
fn what_has_left_the_screen_is_disowned() {
    let seen = Gate::new();
    let long: String = (1..=60).map(|n| format!("Line {n}.\n\n")).collect();
    let world = World::new(vec![
        Reply::new().pieces_of(2000).text(long).wait(&seen).drop_here(),
        Reply::new().text("The whole answer."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("Line 60.");
    seen.open();
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "The attempt above failed; what it had written is withdrawn."), 1);
    assert_eq!(count(&rows, "Line 60."), 0, "what was on the screen is gone: {rows:?}");
    assert_eq!(count(&rows, "• The whole answer."), 1, "{rows:?}");
}

#[test]
fn a_call_of_a_failed_attempt_never_runs() {
    let world = World::with_config(
        vec![
            Reply::new().tool_call("c1", "Shell", r#"{"command":"echo x >> ran"}"#).drop_here(),
            Reply::new().tool_call("c1", "Shell", r#"{"command":"echo x >> ran"}"#),
            Reply::new().text("Once."),
        ],
        "default_yolo = true",
    );
    let mut kimi = world.start(&[]);
    let rows = kimi.turn("go");
    assert_eq!(count(&rows, "• Used Shell"), 1, "{rows:?}");
    assert_eq!(std::fs::read_to_string(world.work().join("ran")).expect("it ran"), "x\n");
}

#[test]
fn malformed_chunks_end_in_an_answer_or_a_reason() {
    let world = World::new(vec![
        Reply::new().event("{not json").text("Text after it."),
        Reply::new().event("[1,2,3]").event("null").event(r#"{"choices":null}"#).text("More."),
        Reply::new().text("Fine."),
        Reply::new().text("Fine."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.turn("one");
    let rows = kimi.turn("two");
    assert_eq!(closings(&rows), 2, "{rows:?}");
}

#[test]
fn a_refused_key_is_one_row_and_no_second_try() {
    let world = World::new(vec![failing(401, "Invalid Authentication")]);
    let mut kimi = world.start(&[]);
    let rows = kimi.turn("go");
    let at = rows.iter().position(|row| row.starts_with(" • Failed after ")).expect("a row");
    let (_, reason) = rows[at].split_once(": ").expect("a reason");
    assert_eq!(reason, "mock: Invalid Authentication (HTTP 401)");
    let hint = "the API key of the provider in config.toml or in the environment";
    assert!(rows[at + 1].contains(hint), "{rows:?}");
    assert_eq!(rows[at + 2], "");
    assert_eq!(count(&rows, "Invalid Authentication"), 1, "{rows:?}");
    assert_eq!(world.server().requests().len(), 1);
}

#[test]
fn a_server_that_stays_down_is_given_up() {
    let world = World::new(|_: &_, _| failing(503, "overloaded, <b>sorry</b>"));
    let mut kimi = world.start(&["--max-retries-per-step", "2"]);
    let rows = kimi.turn("go");
    assert_eq!(count(&rows, " • Failed after "), 1, "{rows:?}");
    assert_eq!(count(&rows, "(HTTP 503)"), 1, "{rows:?}");
    assert_eq!(world.server().requests().len(), 2);
    // Nothing of it is left behind: another message is another try.
    kimi.turn("go");
    assert_eq!(world.server().requests().len(), 4);
}

#[test]
fn nobody_listening_is_told() {
    let world = World::new(Vec::new());
    let config = world.share().join("config.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("an address");
    drop(port);
    let url = format!("http://{address}/v1");
    std::fs::write(&config, text.replace(&world.server().url(), &url)).expect("written");
    let mut kimi = world.start(&["--max-retries-per-step", "1"]);
    let rows = kimi.turn("go");
    let closing = rows.iter().position(|row| row.starts_with(" • Failed after ")).expect("a row");
    let text = rows[closing..].join(" ");
    assert!(text.contains("check the network and the provider's base_url"), "{text}");
}

#[test]
fn silence_after_the_headers_can_be_waited_out() {
    let world =
        World::new(vec![Reply::new().text("Slow").sleep(Duration::from_secs(1)).text("ly.")]);
    let mut kimi = world.start(&[]);
    let rows = kimi.turn("go");
    assert_eq!(count(&rows, "• Slowly."), 1, "{rows:?}");
}

#[test]
fn a_model_that_goes_in_circles_pauses_and_the_queue_waits() {
    let seen = Gate::new();
    let same = || Reply::new().tool_call("c", "Glob", r#"{"pattern":"*.none"}"#);
    let mut replies: Vec<_> = (0..11).map(|_| same()).collect();
    replies.push(same().wait(&seen));
    replies.push(Reply::new().text("Something else."));
    let world = World::new(replies);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    world.server().wait_for(12);
    kimi.type_line("the next one");
    kimi.wait_text("❯ the next one");
    seen.open();
    let rows = kimi.wait_text("Paused after");
    let told = rows.join(" ");
    assert!(told.contains("The model kept making the same call"), "{rows:?}");
    // That is between the model and us.
    assert!(!kimi.history().join(" ").contains("system-reminder"), "{rows:?}");
    kimi.wait_text("enter to send");
    assert_eq!(world.server().requests().len(), 12, "the queue does not feed it");
}

#[test]
fn the_title_says_that_the_last_turn_failed_until_the_next_one() {
    let world = World::new(vec![failing(400, "no"), Reply::new().text("At last.")]);
    let mut kimi = world.start(&[]);
    let last_title = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (_, rest) = text.rsplit_once("\x1b]2;").unwrap_or_default();
        rest.split(&[':', ' ', '\x1b'][..]).next().unwrap_or_default().to_owned()
    };
    kimi.wait_for_bytes("idle", |bytes| last_title(bytes) == "idle");
    kimi.ask("go");
    kimi.wait_for_bytes("an error", |bytes| last_title(bytes) == "error");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.turn("again");
    kimi.wait_for_bytes("idle again", |bytes| last_title(bytes) == "idle");
}
