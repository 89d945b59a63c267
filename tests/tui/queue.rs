//! Messages that are written while a turn runs.

use super::world::{World, composed, count, echoes};
use crate::support::model_server::{Gate, Reply};
use crate::support::screen::is_busy;

#[test]
fn a_queued_message_is_sent_when_the_turn_ends() {
    let gate = Gate::new();
    let world = World::new(vec![
        Reply::new().text("First.\n\n").wait(&gate).text("Over."),
        Reply::new().text("Second."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("one");
    kimi.wait_text("First.");
    kimi.type_line("two");
    let rows = kimi.wait_text("❯ two");
    assert!(is_busy(&rows) && composed(&rows).starts_with(' ') || !composed(&rows).contains("two"));
    assert_eq!(echoes(&kimi.history()), 1);
    gate.open();
    let rows = kimi.wait_closed(2);
    assert_eq!(count(&rows, "tester@project💫 two"), 1, "{rows:?}");
    assert_eq!(count(&kimi.rows(), "❯ two"), 0);
    assert_eq!(world.server().requests()[1].last_user_text(), "two");
}

#[test]
fn the_up_key_brings_a_queued_message_back() {
    let gate = Gate::new();
    let world = World::new(vec![
        Reply::new().text("First.\n\n").wait(&gate).text("Over."),
        Reply::new().text("Second."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("one");
    kimi.wait_text("First.");
    kimi.type_line("two");
    kimi.wait_text("❯ two");
    kimi.send("\x1b[A");
    kimi.wait_for_rows("the message in the composer", |rows| {
        count(rows, "❯ two") == 0 && composed(rows).starts_with("two")
    });
    kimi.send(" and more\r");
    kimi.wait_text("❯ two and more");
    gate.open();
    kimi.wait_closed(2);
    assert_eq!(world.server().requests()[1].last_user_text(), "two and more");
}

#[test]
fn a_steer_reaches_the_model_at_the_next_step() {
    let gate = Gate::new();
    let world = World::new(vec![
        Reply::new().text("Looking.\n\n").wait(&gate).tool_call("c1", "Glob", r#"{"pattern":"*"}"#),
        Reply::new().text("Steered."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("one");
    kimi.wait_text("Looking.");
    kimi.send("turn left");
    kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("turn left"));
    kimi.send("\x13");
    kimi.wait_for_rows("an empty composer", |rows| !composed(rows).contains("turn left"));
    gate.open();
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "» turn left"), 1, "{rows:?}");
    assert_eq!(echoes(&rows), 1, "{rows:?}");
    let requests = world.server().requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].last_user_text(), "turn left");
}

#[test]
fn a_steer_into_the_last_step_is_answered_too() {
    let gate = Gate::new();
    let world = World::new(vec![
        Reply::new().text("Writing.\n\n").wait(&gate).text("Over."),
        Reply::new().text("Steered."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("one");
    kimi.wait_text("Writing.");
    kimi.type_line("two");
    kimi.wait_text("❯ two");
    // With an empty composer the oldest queued message is sent.
    kimi.send("\x13");
    kimi.wait_gone("❯ two");
    gate.open();
    let rows = kimi.wait_closed(1);
    assert!(rows.iter().any(|row| row == "• Steered."), "{rows:?}");
    assert_eq!(world.server().requests()[1].last_user_text(), "two");
}
