//! The approval dialog: what is in view, and what each key does.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::world::{Kimi, World, composed, count, unhurried};
use crate::support::model_server::{Gate, ModelServer, Reply};
use crate::support::screen::{is_busy, is_idle};

const COMMAND: &str = r#"{"command":"echo ran >> ran.txt"}"#;

/// A world whose model runs a command and then says so.
fn command_world() -> World {
    World::new(vec![unhurried().tool_call("c1", "Shell", COMMAND), Reply::new().text("So be it.")])
}

fn open_dialog(world: &World) -> Kimi {
    let mut kimi = world.start(&[]);
    kimi.ask("run it");
    let rows = kimi.wait_text("1. Approve once");
    assert!(is_busy(&rows), "{rows:?}");
    kimi
}

/// What the model is told of the call.
fn result(server: &ModelServer) -> String {
    let requests = server.wait_for(2);
    let messages = requests[1].body["messages"].as_array().expect("messages");
    let tool = messages.iter().rfind(|message| message["role"] == "tool").expect("a result");
    match &tool["content"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn ran(world: &World) -> usize {
    std::fs::read_to_string(world.work().join("ran.txt")).unwrap_or_default().lines().count()
}

#[test]
fn the_dialog_shows_the_command_and_the_choices() {
    let world = command_world();
    let mut kimi = open_dialog(&world);
    let rows = kimi.rows();
    let at = |text: &str| rows.iter().position(|row| row.contains(text)).expect(text);
    assert!(at("Waiting for approval…") < at("▶ Run this command?"));
    assert_eq!(rows[at("$ echo")], "   $ echo ran >> ran.txt");
    assert_eq!(rows[at("1. Approve")], " ▶ 1. Approve once");
    assert_eq!(rows[at("2. Approve")], "   2. Approve for this session (this command only)");
    assert_eq!(rows[at("3. Reject")], "   3. Reject");
    assert_eq!(rows[at("4. Reject")], "   4. Reject, tell the model what to do instead");
    assert!(rows[at("── input ──")].ends_with("(answer the question above)"));
    assert_eq!(ran(&world), 0);
    kimi.send("1");
    kimi.wait_closed(1);
    assert_eq!(ran(&world), 1);
}

#[test]
fn keys_that_approve() {
    for keys in ["1", "y", "\r", "\x1b[B\x1b[A\r", "2", "a\r", "\x1b[B\r"] {
        let world = command_world();
        let mut kimi = open_dialog(&world);
        kimi.send(keys);
        let rows = kimi.wait_closed(1);
        assert_eq!(ran(&world), 1, "{keys:?}");
        assert!(rows.iter().any(|row| row == "• So be it."), "{keys:?} {rows:?}");
        assert_eq!(count(&kimi.rows(), "Approve once"), 0, "{keys:?}");
    }
}

#[test]
fn keys_that_reject() {
    for keys in ["3", "n", "\x1b", "\x03", "\x1b[B\x1b[B\r"] {
        let world = command_world();
        let mut kimi = open_dialog(&world);
        kimi.send(keys);
        let rows = kimi.wait_closed(1);
        assert_eq!(ran(&world), 0, "{keys:?}");
        let head = rows.iter().find(|row| row.contains("• Used Shell")).expect("a card");
        assert!(head.to_lowercase().contains("rejected"), "{keys:?} {head}");
        // A bare no ends the turn; the model hears of it with the next message.
        assert_eq!(world.server().requests().len(), 1, "{keys:?}");
        kimi.turn("why not");
        assert!(result(world.server()).to_lowercase().contains("reject"), "{keys:?}");
    }
}

#[test]
fn feedback_reaches_the_model() {
    let world = command_world();
    let mut kimi = open_dialog(&world);
    kimi.send("4");
    kimi.wait_text("▶ 4. Reject:");
    kimi.send("use y 1 instead");
    kimi.wait_text("▶ 4. Reject: use y 1 instead");
    kimi.send("\r");
    kimi.wait_closed(1);
    assert_eq!(ran(&world), 0);
    assert!(result(world.server()).contains("use y 1 instead"));
}

#[test]
fn an_approval_for_the_session_is_not_asked_for_again() {
    let world = World::new(vec![
        unhurried().tool_call("c1", "Shell", COMMAND),
        Reply::new().tool_call("c2", "Shell", COMMAND),
        Reply::new().text("First."),
        Reply::new().tool_call("c3", "Shell", COMMAND),
        Reply::new().text("Second."),
    ]);
    let mut kimi = open_dialog(&world);
    kimi.send("2");
    kimi.wait_closed(1);
    assert_eq!(ran(&world), 2);
    kimi.turn("again");
    assert_eq!(ran(&world), 3);
}

#[test]
fn an_approval_for_the_session_covers_no_other_command() {
    let other = r#"{"command":"echo ran >> ran.txt; echo more"}"#;
    let world = World::new(vec![
        unhurried().tool_call("c1", "Shell", COMMAND),
        Reply::new().tool_call("c2", "Shell", other),
        Reply::new().text("Done."),
    ]);
    let mut kimi = open_dialog(&world);
    kimi.send("2");
    kimi.wait_for_rows("the second dialog", |rows| {
        count(rows, "• Used Shell") == 1 && count(rows, "1. Approve once") == 1
    });
    assert_eq!(ran(&world), 1);
    kimi.send("3");
    kimi.wait_closed(1);
    assert_eq!(ran(&world), 1);
}

#[test]
fn the_dialog_says_which_part_asks_and_what_would_be_approved() {
    let command = |text: &str| serde_json::json!({ "command": text }).to_string();
    let world = World::with_config(
        vec![
            unhurried().tool_call("c1", "Shell", &command("echo ran >> ran.txt")),
            Reply::new().tool_call("c2", "Shell", &command("echo a && ls -a && echo b")),
            Reply::new().tool_call("c3", "Shell", &command("ls")),
            Reply::new().tool_call("c4", "Shell", &command("echo c; rm -f gone")),
            Reply::new().text("Done."),
        ],
        "permission = { allow = [\"Shell(echo:*)\", \"WriteFile(*.txt)\"], ask = [\"Shell(rm:*)\"] }",
    );
    let mut kimi = world.start(&[]);
    kimi.ask("run it");
    let rows = kimi.wait_text("1. Approve once");
    assert_eq!(ran(&world), 1, "the first call is allowed");
    assert_eq!(count(&rows, "no rule allows: ls -a"), 1, "{rows:?}");
    assert_eq!(count(&rows, "2. Approve for this session (ls …)"), 1, "{rows:?}");
    kimi.send("2");
    let rows = kimi.wait_text("asks: rm -f gone");
    assert_eq!(count(&rows, "2. Approve for this session (this command only)"), 1, "{rows:?}");
    kimi.send("1");
    kimi.wait_closed(1);
}

#[test]
fn one_approval_is_for_one_call() {
    let world = World::new(vec![
        unhurried().tool_call("c1", "Shell", COMMAND),
        Reply::new().tool_call("c2", "Shell", COMMAND),
        Reply::new().text("Done."),
    ]);
    let mut kimi = open_dialog(&world);
    kimi.send("1");
    kimi.wait_for_rows("the second dialog", |rows| {
        count(rows, "• Used Shell") == 1 && count(rows, "1. Approve once") == 1
    });
    assert_eq!(ran(&world), 1);
    kimi.send("3");
    kimi.wait_closed(1);
    assert_eq!(ran(&world), 1);
}

#[test]
fn a_change_is_shown_as_a_diff_before_it_is_made() {
    let before: String = (1..=40).map(|n| format!("line {n}\n")).collect();
    let after = before.replace("line 20\n", "the twentieth line\n");
    let arguments = serde_json::json!({"path": "poem.txt", "edit": {"old": "line 20\n", "new": "the twentieth line\n"}});
    let world = World::new(vec![
        unhurried().tool_call("c1", "StrReplaceFile", &arguments.to_string()),
        Reply::new().text("Changed."),
    ]);
    let path = world.file("poem.txt", &before);
    let mut kimi = world.start(&[]);
    kimi.ask("change it");
    let rows = kimi.wait_text("1. Approve once");
    assert_eq!(count(&rows, "▶ Make this edit?"), 1, "{rows:?}");
    let removed = rows.iter().position(|row| row.contains("line 20")).expect("the old line");
    let added = rows.iter().position(|row| row.contains("the twentieth line")).expect("the new");
    assert!(rows[removed].contains('-') && rows[added].contains('+'), "{rows:?}");
    assert!(removed < added, "{rows:?}");
    assert!(rows.iter().any(|row| row.contains("poem.txt")), "{rows:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), before);
    kimi.send("y");
    let rows = kimi.wait_closed(1);
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), after);
    assert!(count(&rows, "the twentieth line") > 0, "the card keeps the diff: {rows:?}");
}

#[test]
fn the_pager_has_the_whole_change() {
    let content: String = (1..=200).map(|n| format!("row number {n}\n")).collect();
    let arguments = serde_json::json!({"path": "big.txt", "content": content});
    let world = World::new(vec![
        unhurried().tool_call("c1", "WriteFile", &arguments.to_string()),
        Reply::new().text("Written."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("write it");
    let rows = kimi.wait_text("1. Approve once");
    assert_eq!(count(&rows, "row number 200"), 0, "{rows:?}");
    kimi.send("\x05");
    kimi.wait_for("the pager", |screen| {
        screen.alternate_screen() && screen.contents().contains("row number 1")
    });
    kimi.send("G");
    kimi.wait_text("row number 200");
    kimi.send("q");
    kimi.wait_for("the dialog", |screen| {
        !screen.alternate_screen() && screen.contents().contains("1. Approve once")
    });
    assert!(!world.work().join("big.txt").exists());
    kimi.send("1");
    kimi.wait_closed(1);
    assert_eq!(std::fs::read_to_string(world.work().join("big.txt")).expect("the file"), content);
}

/// Types until the dialog is on the screen; `None` when two keys were so far apart that the second may
/// have been an answer.
fn typed_ahead() -> Option<(World, Kimi)> {
    const PAUSE: Duration = Duration::from_millis(500);
    let gate = Gate::new();
    let world = World::new(vec![
        Reply::new().text("Wait.\n\n").wait(&gate).tool_call("c1", "Shell", COMMAND),
        Reply::new().text("So be it."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("run it");
    kimi.wait_text("Wait.");
    // Keys keep coming until the dialog is on the screen: the last ones before it were meant for
    // the draft, and the ones that meet it early go there as well. Without a draft there is no typing.
    kimi.send("y");
    kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with('y'));
    gate.open();
    let mut typed = 1;
    let mut last = Instant::now();
    while count(&kimi.rows(), "1. Approve once") == 0 {
        let pause = last.elapsed();
        last = Instant::now();
        kimi.send("y");
        typed += 1;
        kimi.wait_for_rows("the key or the dialog", |rows| {
            let answered = count(rows, "So be it.") == 1;
            answered
                || composed(rows).matches('y').count() >= typed
                || count(rows, "Approve once") == 1
        });
        if pause.max(last.elapsed()) > PAUSE {
            return None;
        }
        assert_eq!(ran(&world), 0, "after a pause of {pause:?}");
    }
    Some((world, kimi))
}

#[test]
fn a_key_typed_ahead_does_not_answer() {
    // On a machine that stalls the typing has a pause of its own, and shows nothing.
    let typed = (0..5).find_map(|_| typed_ahead());
    let (world, mut kimi) = typed.expect("a machine that does not stall");
    assert_eq!(ran(&world), 0);
    assert!(!is_idle(&kimi.rows()));
    // After a pause in the typing keys mean what they say. The pause itself is what is tested.
    std::thread::sleep(Duration::from_millis(900));
    kimi.send("\x1b[B");
    kimi.wait_text("▶ 2. Approve");
    kimi.send("\x1b[B");
    kimi.wait_text("▶ 3. Reject");
    kimi.send("\r");
    kimi.wait_for_history("the end", |rows| count(rows, "• Done") == 1);
    assert_eq!(ran(&world), 0);
    let rows = kimi.rows();
    assert!(composed(&rows).starts_with('y'), "the draft is kept: {rows:?}");
}
