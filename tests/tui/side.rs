//! Questions beside the conversation, skills in the menu, flows on the screen.

use super::world::{World, composed, count};
use crate::support::model_server::{Gate, Recorded, Reply};
use crate::support::program::json_lines;
use crate::support::screen::{is_busy, is_idle};

const BESIDE: &str = "beside the conversation";

fn is_beside(request: &Recorded) -> bool {
    request.last_user_text().contains(BESIDE)
}

#[test]
fn a_question_beside_the_conversation_leaves_nothing_in_it() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::new(move |request: &Recorded, _: usize| match is_beside(request) {
        true => Reply::new().text("Because **it").wait(&held).text(" is**."),
        false => Reply::new().text("Said."),
    });
    let mut kimi = world.start(&[]);
    kimi.turn("hello");
    kimi.type_line("/btw why is it so?");
    kimi.wait_text("── btw ── answering");
    let rows = kimi.wait_text("Because");
    assert!(is_busy(&rows) && !is_idle(&rows), "{rows:#?}");
    assert_eq!(count(&rows, "why is it so?"), 1, "{rows:#?}");
    gate.open();
    let rows = kimi.wait_text("── btw ── answered");
    assert!(!is_busy(&rows) && !is_idle(&rows), "{rows:#?}");
    assert_eq!(count(&rows, "Because it is."), 1, "{rows:#?}");
    kimi.send("\r");
    let rows = kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(count(&rows, "Because"), 0, "{rows:#?}");

    kimi.turn("go on");
    let requests = world.server().requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[0].body["tools"], requests[1].body["tools"], "for the cache");
    let last = requests[2].body["messages"].to_string();
    assert!(!last.contains("why is it so") && !last.contains("Because"), "{last}");
    let lines = json_lines(&world.session_dir().join("wire.jsonl"));
    let kinds = lines.iter().filter_map(|line| line["message"]["type"].as_str());
    let beside: Vec<&str> = kinds.filter(|kind| kind.starts_with("Btw")).collect();
    assert_eq!(beside, ["BtwBegin", "BtwEnd"]);
}

#[test]
fn it_is_answered_while_a_turn_streams_and_the_record_stays_whole() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::new(move |request: &Recorded, _: usize| match is_beside(request) {
        true => Reply::new().text("Side answer."),
        false => Reply::new().text("Main begins, ").wait(&held).text("main ends."),
    });
    let mut kimi = world.start(&[]);
    kimi.ask("work");
    kimi.wait_text("Main begins,");
    kimi.type_line("/side how far?");
    let rows = kimi.wait_text("Side answer.");
    assert!(is_busy(&rows), "{rows:#?}");
    // Writing goes on below, and Esc closes the panel without stopping the turn.
    kimi.send("draft");
    kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("draft"));
    kimi.send("\x1b");
    kimi.wait_gone("── btw ──");
    gate.open();
    let history = kimi.wait_for_history("the end", |rows| count(rows, " • Done") == 1);
    assert_eq!(count(&history, "Main begins, main ends."), 1, "{history:#?}");
    kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("draft"));
    let lines = json_lines(&world.session_dir().join("wire.jsonl"));
    let texts = lines.iter().filter(|line| line["message"]["payload"]["type"] == "text");
    let texts: Vec<&str> =
        texts.filter_map(|line| line["message"]["payload"]["text"].as_str()).collect();
    assert_eq!(texts, ["Main begins, main ends."]);
}

#[test]
fn tools_are_refused_beside_the_conversation_and_esc_gives_up() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::new(move |request: &Recorded, n: usize| match n {
        0 => {
            assert!(is_beside(request));
            Reply::new().text("Let me write.").tool_call(
                "c",
                "WriteFile",
                r#"{"path":"made","content":"x"}"#,
            )
        }
        1 => Reply::new().text("In words."),
        2 => Reply::new().text("Slowly ").wait(&held).text("never."),
        _ => Reply::new().text("Said."),
    });
    let mut kimi = world.start(&[]);
    kimi.type_line("/btw what is in it?");
    kimi.wait_text("── btw ── answered");
    let rows = kimi.wait_text("In words.");
    assert_eq!(count(&rows, "Let me write."), 0, "{rows:#?}");
    assert!(!world.work().join("made").exists());
    let refusal = world.server().requests()[1].body["messages"].to_string();
    assert!(refusal.contains("Tools cannot be used"), "{refusal}");
    kimi.send("\x1b");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.type_line("/btw again?");
    kimi.wait_text("Slowly");
    kimi.send("\x1b");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.turn("hello");
    gate.open();
}

#[test]
fn skills_are_in_the_menu_as_soon_as_they_are_written() {
    let world = World::new(vec![Reply::new().text("Tidied.")]);
    world.file(
        ".kimi/skills/tidy/SKILL.md",
        "---\nname: tidy\ndescription: Sweeps the floor\n---\nSweep.",
    );
    let mut kimi = world.start(&[]);
    kimi.send("/skill:ti");
    let rows = kimi.wait_text("Sweeps the floor");
    assert_eq!(count(&rows, "/skill:tidy"), 1, "{rows:#?}");
    kimi.send("\x15");
    kimi.wait_for_rows("the prompt", is_idle);
    world.file(".kimi/skills/mop.md", "---\ndescription: Wipes it wet\n---\nMop.");
    kimi.send("/");
    kimi.wait_text("/btw");
    kimi.send("skill:mo");
    kimi.wait_text("Wipes it wet");
    kimi.send("\t");
    kimi.wait_for_rows("the name", |rows| composed(rows).starts_with("/skill:mop"));
    kimi.send("the stairs\r");
    kimi.wait_closed(1);
    let asked = world.server().requests()[0].last_user_text();
    assert!(asked.ends_with("Mop.\n\n## User request\n\nthe stairs"), "{asked}");
}

#[test]
fn a_flow_says_where_it_is() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::new(move |_: &Recorded, n: usize| match n {
        0 => Reply::new().text("Written."),
        _ => Reply::new().text("Reading ").wait(&held).text("it."),
    });
    world.file(
        ".kimi/skills/ship.md",
        "---\ntype: flow\n---\n```d2\na: BEGIN\na -> write it -> Review -> b\nb: END\n```\n",
    );
    let mut kimi = world.start(&[]);
    kimi.type_line("/flow:ship it");
    kimi.wait_text("Written.");
    let rows = kimi.wait_text("flow: node 2 Review");
    assert!(is_busy(&rows), "{rows:#?}");
    gate.open();
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, " ╭─ you "), 1, "one turn: {rows:#?}");
    assert_eq!(count(&rows, "Reading it."), 1, "{rows:#?}");
    assert_eq!(count(&rows, "Written.Reading"), 0, "each node has its answer: {rows:#?}");
    kimi.wait_gone("flow: node");
}
