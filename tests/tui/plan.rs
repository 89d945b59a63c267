//! Plan mode on the screen.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::{Kimi, PROMPT, World, closings, count};
use crate::support::model_server::{Recorded, Reply};
use crate::support::screen::{is_busy, is_idle};

/// The file of the plan, as the model is told of it.
fn plan_file(request: &Recorded) -> String {
    let text = request.body.to_string();
    let end = text.find(".md`").expect("a plan file is named") + 3;
    let start = text[..end].rfind('`').expect("a name") + 1;
    text[start..end].to_owned()
}

fn result(request: &Recorded) -> String {
    let messages = request.body["messages"].as_array().expect("messages");
    let tool = messages.iter().rfind(|message| message["role"] == "tool").expect("a result");
    match &tool["content"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn plan() -> String {
    (1..=40).fold("# Dig a hole\n\n".to_owned(), |plan, n| plan + &format!("{n}. Shovel {n}\n"))
}

/// A world whose model writes a plan, shows it as often as it is sent back, and then is done.
fn planning() -> World {
    World::new(|request: &Recorded, at: usize| {
        // Long enough after the last key that the dialog takes keys at once.
        let unhurried = Reply::new().late(Duration::from_millis(800));
        match at {
            0 => {
                let write = json!({"path": plan_file(request), "content": plan()});
                Reply::new().tool_call("w", "WriteFile", &write.to_string())
            }
            1 => unhurried.tool_call("x1", "ExitPlanMode", "{}"),
            2 if result(request).contains("feedback") => {
                unhurried.tool_call("x2", "ExitPlanMode", "{}")
            }
            _ => Reply::new().text("The hole is dug."),
        }
    })
}

fn reviewing(world: &World) -> Kimi {
    let mut kimi = world.start_sized(&["--plan"], (80, 24));
    kimi.ask("dig");
    kimi.wait_text("Approve this plan");
    kimi
}

/// Whether the status bar says so.
fn planning_shown(rows: &[String]) -> bool {
    rows.last().is_some_and(|bar| bar.split_whitespace().any(|word| word == "plan"))
}

#[test]
fn a_key_switches_and_the_prompt_stays_the_prompt() {
    let world = World::new(vec![
        Reply::new().tool_call("c1", "Shell", r#"{"command":"touch made"}"#),
        Reply::new().text("I may not."),
    ]);
    let mut kimi = world.start(&[]);
    assert!(!planning_shown(&kimi.rows()));
    kimi.send("\x1b[Z");
    let rows = kimi.wait_text("plan mode ON");
    assert!(rows.iter().any(|row| row == PROMPT), "{rows:?}");
    kimi.wait_for_rows("the badge", planning_shown);
    let rows = kimi.turn("make it");
    assert!(rows.iter().any(|row| row == "• I may not."), "{rows:?}");
    assert!(!world.work().join("made").exists());
    assert!(result(&world.server().requests()[1]).contains("Plan mode is on"));
    kimi.send("\x1b[Z");
    kimi.wait_text("plan mode OFF");
    kimi.wait_for_rows("no badge", |rows| !planning_shown(rows));
    kimi.send("/plan on\r");
    kimi.wait_for_rows("the badge", planning_shown);
}

#[test]
fn a_plan_is_read_sent_back_and_turned_down() {
    let world = planning();
    let mut kimi = reviewing(&world);
    let rows = kimi.rows();
    assert!(!is_idle(&rows), "{rows:?}");
    let at = |text: &str| rows.iter().position(|row| row.contains(text)).expect(text);
    assert!(at("Waiting for approval of the plan…") < at("◇ Plan"), "{rows:#?}");
    assert!(at("◇ Plan") < at("Dig a hole") && at("Dig a hole") < at("1. Shovel 1"), "{rows:#?}");
    assert!(at("1. Shovel 1") < at("▶ Approve this plan"), "{rows:#?}");
    assert_eq!(rows[at("1. Approve")], " ▶ 1. Approve");
    assert_eq!(rows[at("2. Reject")], "   2. Reject");
    assert_eq!(rows[at("3. Reject and Exit")], "   3. Reject and Exit");
    assert_eq!(rows[at("4. Revise")], "   4. Revise");
    assert!(rows[at("── input ──")].ends_with("(answer the question above)"), "{rows:#?}");
    assert!(planning_shown(&rows), "{rows:#?}");

    for _ in 0..8 {
        kimi.send("\x1b[6~");
    }
    let rows = kimi.wait_text("40. Shovel 40");
    assert!(rows.iter().any(|row| row.contains("1. Approve")), "{rows:#?}");
    kimi.send("4");
    kimi.wait_text("▶ 4. Revise:");
    kimi.send("use a spade");
    kimi.wait_text("▶ 4. Revise: use a spade");
    kimi.send("\r");
    // It comes back.
    kimi.wait_gone("use a spade");
    kimi.wait_text("1. Approve");
    let requests = world.server().wait_for(3);
    assert!(result(&requests[2]).contains("use a spade"), "{}", result(&requests[2]));
    kimi.send("3");
    let rows = kimi.wait_closed(1);
    kimi.wait_for_rows("no badge", |rows| !planning_shown(rows));
    assert_eq!(world.server().requests().len(), 3, "a rejection ends the turn");
    assert_eq!(count(&rows, "◇ Plan"), 2, "both stay to be read: {rows:#?}");
    assert_eq!(count(&rows, "40. Shovel 40"), 2, "{rows:#?}");
    assert_eq!(count(&rows, "1. Approve"), 0, "{rows:#?}");
    assert_eq!(closings(&rows), 1);
}

/// It finds the spinner where it looks for it, and every choice.
#[test]
fn an_orchestrator_sees_that_the_program_is_busy() {
    let world = planning();
    let mut kimi = world.start_with(&["--plan"], &[("CAO_TERMINAL_ID", "aa59085a")], (80, 24));
    kimi.ask("dig");
    let rows = kimi.wait_text("4. Revise");
    assert!(is_busy(&rows), "{rows:#?}");
    assert!(rows.iter().any(|row| row.contains("1. Shovel 1")), "{rows:#?}");
    kimi.send("1");
    let rows = kimi.wait_closed(1);
    assert!(rows.iter().any(|row| row == "• The hole is dug."), "{rows:#?}");
}

#[test]
fn an_approved_plan_goes_to_the_model_and_is_there_after_resuming() {
    let world = planning();
    let mut kimi = reviewing(&world);
    // The pager has all of it.
    kimi.send("\x05");
    kimi.wait_gone("1. Approve");
    kimi.send("q");
    kimi.wait_text("1. Approve");
    kimi.send("1");
    let rows = kimi.wait_closed(1);
    assert!(rows.iter().any(|row| row == "• The hole is dug."), "{rows:#?}");
    kimi.wait_for_rows("no badge", |rows| !planning_shown(rows));
    let requests = world.server().requests();
    assert!(result(&requests[2]).contains("40. Shovel 40"));
    assert_eq!(kimi.exit(), 0);
    let wire = std::fs::read_to_string(world.session_dir().join("wire.jsonl")).expect("a record");
    assert_eq!(wire.matches("\"PlanDisplay\"").count(), 1);
    let kimi = world.start(&["--continue"]);
    let rows = kimi.history();
    assert_eq!(count(&rows, "40. Shovel 40"), 1, "{rows:#?}");
    assert!(!planning_shown(&kimi.rows()));
}
