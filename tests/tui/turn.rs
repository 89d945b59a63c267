//! The first frame, and a turn from the message to the closing row.

use serde_json::json;

use super::world::{PROMPT, World, composed, count};
use crate::support::model_server::{Gate, Reply};
use crate::support::screen::{is_busy, is_idle};

#[test]
fn the_first_frame_has_welcome_prompt_and_status() {
    let world = World::new(Vec::new());
    let kimi = world.start(&[]);
    let rows = kimi.rows();
    assert_eq!(rows[0], " Welcome to Kimi Code CLI!");
    assert!(rows[1].starts_with(" Directory: "), "{rows:?}");
    assert!(rows.iter().any(|row| row == " Model: mock"), "{rows:?}");
    assert_eq!(rows[28], PROMPT);
    assert!(rows[29].contains(" agent (mock ●) "), "{}", rows[29]);
    assert!(rows[29].ends_with("context: 0.0% (0/262.1k)"), "{}", rows[29]);
    // A bullet or a box before the first turn reads as a finished turn.
    assert!(!rows.iter().any(|row| row.trim_start().starts_with(['•', '╭', '╰'])), "{rows:?}");
    assert_eq!(world.server().requests().len(), 0);
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn a_turn_shows_the_echo_the_thinking_and_the_answer() {
    let (thought, said) = (Gate::new(), Gate::new());
    let reply = Reply::new()
        .think("First I look at the greeting.")
        .wait(&thought)
        .text("Hello **there**.\n\nThis is the second paragr")
        .wait(&said)
        .text("aph.")
        .usage(1_300, 20, 0);
    let world = World::new(vec![reply]);
    let mut kimi = world.start(&[]);
    kimi.ask("say hello");

    let rows = kimi.wait_text("First I look at the greeting.");
    assert!(is_busy(&rows), "{rows:?}");
    let at = |text: &str| rows.iter().position(|row| row.contains(text)).expect("a row");
    assert!(rows[at("Thinking…")].contains("esc to interrupt"), "{rows:?}");
    assert_eq!(at("First I look"), at("Thinking…") + 1);
    assert_eq!(rows[at("── input ──")], "── input ── (next message)");
    let echo = at("tester@project💫 say hello");
    assert!(rows[echo - 1].starts_with(" ╭─ you ─"), "{rows:?}");
    assert!(rows[echo + 1].starts_with(" ╰─ "), "{rows:?}");

    thought.open();
    let rows = kimi.wait_text("This is the second paragr");
    assert!(is_busy(&rows), "{rows:?}");
    assert!(!rows.iter().any(|row| row.contains("First I look")), "{rows:?}");
    said.open();
    let rows = kimi.wait_closed(1);
    let at = |text: &str| rows.iter().position(|row| row.contains(text)).expect("a row");
    assert!(rows[at("• Thought")].starts_with(" • Thought"));
    assert_eq!(rows[at("Hello there.")], "• Hello there.");
    assert_eq!(rows[at("second paragraph")], "  This is the second paragraph.");
    assert!(at("• Thought") < at("Hello there.") && at("second") < at("• Done"));
    assert_eq!(rows.iter().filter(|row| row.contains("paragr")).count(), 1, "{rows:?}");
    assert!(rows.last().expect("a row").ends_with("context: 0.5% (1.3k/262.1k)"));

    let request = &world.server().requests()[0];
    assert_eq!(request.last_user_text(), "say hello");
    assert_eq!(request.body["stream"], json!(true));
    assert_eq!(request.header("authorization"), Some("Bearer sk-test"));
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn keys_show_up_while_an_answer_streams() {
    let gate = Gate::new();
    let world = World::new(vec![Reply::new().text("Streaming.\n\n").wait(&gate).text("The end.")]);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("Streaming.");
    for (at, letter) in "draft".char_indices() {
        kimi.send(letter.to_string());
        let typed = &"draft"[..=at];
        let rows = kimi.wait_for_rows(typed, |rows| composed(rows).starts_with(typed));
        assert!(is_busy(&rows), "{rows:?}");
    }
    gate.open();
    kimi.wait_for_history("the end", |rows| count(rows, "• Done") == 1);
    // The draft is kept; the prompt mark stays away as long as something is written.
    let rows = kimi.wait_for_rows("the draft", |rows| {
        composed(rows).starts_with("draft") && !rows.iter().any(|row| row.contains("(next"))
    });
    assert!(!is_idle(&rows), "{rows:?}");
    kimi.send("\x15");
    kimi.wait_for_rows("the prompt", is_idle);
}

#[test]
fn a_slow_command_shows_its_output_while_it_runs() {
    let world = World::with_config(
        vec![
            Reply::new().tool_call(
                "c1",
                "Shell",
                r#"{"command":"echo first line; while [ ! -e go ]; do sleep 0.05; done; echo second line"}"#,
            ),
            Reply::new().text("It ran."),
        ],
        "default_yolo = true",
    );
    let mut kimi = world.start(&[]);
    kimi.ask("run it");
    let rows = kimi.wait_text("│ first line");
    assert!(is_busy(&rows), "{rows:?}");
    assert!(rows.iter().any(|row| row.contains("Using Shell (echo first line")), "{rows:?}");
    world.file("go", "");
    let rows = kimi.wait_closed(1);
    let at = |text: &str| rows.iter().position(|row| row.contains(text)).expect("a row");
    assert!(rows[at("• Used Shell")].starts_with(" • Used Shell (echo first line"));
    assert_eq!(rows[at("│ first line")], " │ first line");
    assert_eq!(at("│ second line"), at("│ first line") + 1);
    assert!(rows[at("│ second line") + 1].starts_with(" ╰─ "), "{rows:?}");
    assert_eq!(rows[at("It ran.")], "• It ran.");
    let requests = world.server().requests();
    let messages = requests[1].body["messages"].as_array().expect("messages");
    let tool = messages.last().expect("a message");
    assert_eq!(tool["role"], "tool");
    assert!(tool.to_string().contains("second line"), "{tool}");
}

#[test]
fn the_requests_of_a_session_only_grow_at_their_end() {
    let world = World::new(vec![
        Reply::new().tool_call("c1", "Glob", r#"{"pattern":"*.txt"}"#),
        Reply::new().text("One."),
        Reply::new().text("Two."),
    ]);
    world.file("a.txt", "x");
    let mut kimi = world.start(&[]);
    kimi.turn("look");
    kimi.turn("and again");
    let requests = world.server().requests();
    for pair in requests.windows(2) {
        let messages = |index: usize| pair[index].body["messages"].as_array().expect("messages");
        let (before, after) = (messages(0), messages(1));
        assert!(after.len() > before.len());
        assert_eq!(&after[..before.len()], &before[..]);
        assert_eq!(pair[0].body["tools"], pair[1].body["tools"]);
    }
    assert!(requests[0].raw.len() < 20_000, "{} bytes", requests[0].raw.len());
}
