//! Questions and the todo list.

use serde_json::{Value, json};

use super::world::{World, count, unhurried};
use crate::support::model_server::Reply;
use crate::support::screen::is_busy;

fn question(multi: bool) -> String {
    json!({"questions": [{
        "question": "Which colour?",
        "header": "Colour",
        "options": [
            {"label": "Red", "description": "like a rose"},
            {"label": "Green", "description": "like grass"},
            {"label": "Blue", "description": "like the sky"},
        ],
        "multi_select": multi,
    }]})
    .to_string()
}

/// The answer that the model gets after these keys; the dialog is on the screen before the first.
fn answered(multi: bool, keys: &[&str]) -> String {
    let world = World::new(vec![
        unhurried().tool_call("c1", "AskUserQuestion", &question(multi)),
        Reply::new().text("Thank you."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("ask me");
    let rows = kimi.wait_text("▶ Which colour?");
    assert!(is_busy(&rows), "{rows:?}");
    assert_eq!(count(&rows, "Waiting for your answer…"), 1, "{rows:?}");
    for label in ["Red", "Green", "Blue"] {
        assert_eq!(count(&rows, label), 1, "{rows:?}");
    }
    for key in keys {
        kimi.send(key);
    }
    kimi.wait_closed(1);
    let requests = world.server().requests();
    let messages = requests[1].body["messages"].as_array().expect("messages");
    match &messages.last().expect("a message")["content"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn a_number_answers_a_single_choice() {
    let text = answered(false, &["2"]);
    assert!(text.contains("Green") && !text.contains("Red"), "{text}");
}

#[test]
fn arrows_and_enter_answer() {
    let text = answered(false, &["\x1b[B", "\x1b[B", "\r"]);
    assert!(text.contains("Blue") && !text.contains("Green"), "{text}");
}

#[test]
fn several_can_be_ticked() {
    let text = answered(true, &["1", "3", "\r"]);
    assert!(text.contains("Red, Blue") && !text.contains("Green"), "{text}");
}

#[test]
fn words_of_ones_own_can_be_given() {
    let text = answered(false, &["4", "violet 2", "\r"]);
    assert!(text.contains("violet 2"), "{text}");
}

#[test]
fn escape_closes_a_question_without_an_answer() {
    let text = answered(false, &["\x1b"]);
    assert!(!["Red", "Green", "Blue"].iter().any(|label| text.contains(label)), "{text}");
}

#[test]
fn the_todo_list_stands_above_the_composer() {
    let todos = |first: &str, second: &str| {
        json!({"todos": [{"title": "Sow", "status": first}, {"title": "Reap", "status": second}]})
            .to_string()
    };
    let world = World::new(vec![
        Reply::new().tool_call("c1", "SetTodoList", &todos("in_progress", "pending")),
        Reply::new().text("Working on it."),
        Reply::new().tool_call("c2", "SetTodoList", &todos("done", "done")),
        Reply::new().text("All done."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.turn("plan");
    let rows = kimi.rows();
    let prompt = rows.iter().position(|row| row.starts_with("── input ──")).expect("a prompt");
    assert_eq!(&rows[prompt - 3..prompt], [" Todo · 0/2 done", " ● Sow", " ○ Reap"]);
    let rows = kimi.turn("go on");
    assert_eq!(count(&kimi.rows(), "Todo · "), 0, "a finished list goes: {rows:?}");
    assert_eq!(count(&rows, "✓ Todo 2/2 done"), 1, "{rows:?}");
}

/// Everything between the echo and the prompt row is taken for the answer.
#[test]
fn an_orchestrator_finds_nothing_but_the_answer_above_the_prompt() {
    let todos = json!({"todos": [{"title": "Sow", "status": "in_progress"}]}).to_string();
    let world = World::new(vec![
        Reply::new().tool_call("c1", "SetTodoList", &todos),
        Reply::new().text("Working on it."),
    ]);
    let mut kimi = world.start_with(&[], &[("CAO_TERMINAL_ID", "aa59085a")], (80, 24));
    kimi.turn("plan");
    let rows = kimi.rows();
    let prompt = rows.iter().position(|row| row.starts_with("── input ──")).expect("a prompt");
    assert_eq!(&rows[prompt + 1..prompt + 3], [" Todo · 0/1 done", " ● Sow"]);
    let answer = rows.iter().position(|row| row == "• Working on it.").expect("an answer");
    let between: Vec<&String> =
        rows[answer + 1..prompt].iter().filter(|row| !row.is_empty()).collect();
    assert!(between.iter().all(|row| row.starts_with(" • Done")), "{between:?}");
}
