//! The slash commands.

use serde_json::json;

use super::world::{Kimi, World, closings, composed, count, echoes, unhurried};
use crate::support::model_server::{Gate, Recorded, Reply};
use crate::support::screen::{is_busy, is_idle};

fn world() -> World {
    World::new(|request: &Recorded, _| {
        Reply::new()
            .text(format!("You said **{}**.", request.last_user_text()))
            .usage(1_000, 50, 400)
    })
}

/// Types a command at the prompt and waits until the composer is empty again.
fn command(kimi: &mut Kimi, line: &str) {
    kimi.send(line);
    kimi.wait_for_rows(line, |rows| composed(rows).contains(line));
    kimi.send("\r");
    kimi.wait_for_rows("the end of the command", |rows| {
        !composed(rows).starts_with(line) || rows.iter().all(|row| !row.contains("── input ──"))
    });
}

#[test]
fn help_shows_keys_and_commands() {
    let world = world();
    let mut kimi = world.start(&[]);
    command(&mut kimi, "/help");
    kimi.wait_for("the help", |screen| {
        screen.alternate_screen() && screen.contents().contains("Keys")
    });
    kimi.send("/compact\r");
    kimi.wait_for_rows("the hit", |rows| {
        count(rows, "/compact") > 0 && count(rows, "n N next") > 0
    });
    // Each of the two closes it. Both at once would be Alt-Q, or a letter for the composer.
    for close in ["q", "\x1b"] {
        kimi.send(close);
        kimi.wait_for("the screen", |screen| !screen.alternate_screen());
        kimi.wait_for_rows("the prompt", is_idle);
        kimi.send("?");
        kimi.wait_for("the help", |screen| screen.alternate_screen());
    }
}

#[test]
fn version_status_and_usage() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.turn("hi");
    command(&mut kimi, "/version");
    kimi.wait_text(&format!("kimi, version {}", env!("CARGO_PKG_VERSION")));
    command(&mut kimi, "/status");
    kimi.wait_text("asks before it acts");
    let rows = kimi.wait_text("mock (thinking)");
    let id = world.session_dir();
    let id = id.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(count(&rows, &id) >= 1, "{rows:?}");
    command(&mut kimi, "/usage");
    let rows = kimi.wait_text("(40% from cache)");
    assert_eq!(count(&rows, "Input"), 1, "{rows:?}");
    assert!(rows.iter().any(|row| row.starts_with(" Output ") && row.contains("50 tokens")));
    assert_eq!(world.server().requests().len(), 1);
}

#[test]
fn new_and_clear_begin_another_session() {
    for line in ["/new", "/clear"] {
        let world = world();
        let mut kimi = world.start(&[]);
        kimi.turn("apples");
        let before = world.session_dir();
        let before = before.file_name().expect("a name").to_string_lossy().into_owned();
        command(&mut kimi, line);
        kimi.wait_text(&format!("To resume the session before: kimi -r {before}"));
        kimi.wait_for_rows("the prompt", is_idle);
        kimi.turn("pears");
        let requests = world.server().requests();
        assert!(!requests[1].raw.contains("apples"), "{line}");
        assert_eq!(kimi.exit(), 0);
    }
}

#[test]
fn model_by_name_and_by_choice() {
    let world = world();
    let mut kimi = world.start(&[]);
    command(&mut kimi, "/model other");
    kimi.wait_text("Model: other");
    kimi.wait_text("agent (other");
    kimi.turn("hi");
    assert_eq!(world.server().requests()[0].body["model"], "other-model");
    let config = std::fs::read_to_string(world.share().join("config.toml")).expect("a file");
    assert!(config.contains("default_model = \"other\""), "{config}");

    command(&mut kimi, "/model nonsense");
    kimi.wait_text("There is no model \"nonsense\".");

    command(&mut kimi, "/model");
    kimi.wait_for("the list", |screen| screen.alternate_screen());
    kimi.send("mock");
    kimi.wait_text("mock");
    kimi.send("\r");
    kimi.wait_text("agent (mock");
    kimi.turn("hi");
    assert_eq!(world.server().requests()[1].body["model"], "mock-model");
}

#[test]
fn themes_change_the_colours() {
    let world = world();
    let mut kimi = world.start(&[]);
    command(&mut kimi, "/theme light");
    kimi.wait_for_rows("the prompt", is_idle);
    command(&mut kimi, "/status");
    let rows = kimi.wait_text(" Theme ");
    assert!(rows.iter().any(|row| row.starts_with(" Theme ") && row.ends_with("light")));
    let config = std::fs::read_to_string(world.share().join("config.toml")).expect("a file");
    assert!(config.contains("theme = \"light\""), "{config}");
    command(&mut kimi, "/theme nonsense");
    kimi.wait_text("Built in: ");
    command(&mut kimi, "/theme");
    kimi.wait_for("the list", |screen| screen.alternate_screen());
    kimi.send("\x1b");
    kimi.wait_for("the screen", |screen| !screen.alternate_screen());
}

#[test]
fn yolo_asks_no_more_and_then_asks_again() {
    let call = r#"{"command":"echo x >> ran"}"#;
    let world = World::new(vec![
        Reply::new().tool_call("c1", "Shell", call),
        Reply::new().text("Free."),
        unhurried().tool_call("c2", "Shell", call),
        Reply::new().text("Asked."),
    ]);
    let mut kimi = world.start(&[]);
    command(&mut kimi, "/yolo");
    kimi.wait_text("Yolo is on: every action is approved without asking.");
    kimi.wait_text(" yolo agent (mock ●)");
    kimi.turn("go");
    assert_eq!(std::fs::read_to_string(world.work().join("ran")).expect("it ran"), "x\n");
    command(&mut kimi, "/yolo off");
    kimi.wait_text("Yolo is off: actions need your approval.");
    kimi.wait_gone(" yolo agent");
    kimi.ask("again");
    kimi.wait_text("1. Approve once");
    kimi.send("3");
    kimi.wait_closed(2);
    assert_eq!(std::fs::read_to_string(world.work().join("ran")).expect("a file"), "x\n");
}

#[test]
fn afk_approves_and_asks_nothing() {
    let question = json!({"questions": [{"question": "Which?", "header": "h", "options":
        [{"label": "One", "description": ""}, {"label": "Two", "description": ""}],
        "multi_select": false}]});
    let world = World::new(vec![
        Reply::new().tool_call("c1", "Shell", r#"{"command":"touch ran"}"#),
        Reply::new().tool_call("c2", "AskUserQuestion", &question.to_string()),
        Reply::new().text("Alone."),
    ]);
    let mut kimi = world.start(&[]);
    command(&mut kimi, "/afk");
    kimi.wait_text("Unattended mode is on");
    let rows = kimi.turn("go");
    assert_eq!(count(&rows, "• Alone."), 1, "{rows:?}");
    assert!(world.work().join("ran").exists());
}

#[test]
fn titles_and_the_list_of_sessions() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.turn("apples");
    command(&mut kimi, "/title Fruit basket");
    kimi.wait_text("Title: Fruit basket");
    command(&mut kimi, "/title");
    kimi.wait_for_rows("the title twice", |rows| count(rows, "Title: Fruit basket") == 2);
    command(&mut kimi, "/new");
    kimi.wait_text("To resume the session before");
    kimi.turn("nails");
    command(&mut kimi, "/sessions");
    kimi.wait_for("the list", |screen| {
        screen.alternate_screen() && screen.contents().contains("Fruit basket")
    });
    kimi.send("Fruit");
    kimi.wait_gone("nails");
    kimi.send("\r");
    kimi.wait_for_rows("the session", |rows| count(rows, "↺ Resumed session") == 1);
    kimi.turn("pears");
    let requests = world.server().requests();
    assert!(requests[2].raw.contains("apples") && !requests[2].raw.contains("nails"));
    // The one that is open is not opened beside itself: it stays, with its way back.
    command(&mut kimi, "/sessions Fruit");
    let rows =
        kimi.wait_for_rows("what is said", |rows| count(rows, "That session is open here") == 1);
    assert_eq!(count(&rows, "↺ Resumed session"), 1, "{rows:?}");
    command(&mut kimi, "/undo");
    kimi.wait_for("the turns", |screen| {
        screen.alternate_screen() && screen.contents().contains("pears")
    });
}

#[test]
fn compact_shortens_the_conversation() {
    let world = World::new(|request: &Recorded, index| match index {
        0 | 1 => Reply::new().text(format!("A long story {index}.")).usage(5_000, 10, 0),
        2 => Reply::new().text("SUMMARY-OF-ALL").usage(300, 10, 0),
        _ => Reply::new().text(format!("{} bytes.", request.raw.len())),
    });
    let mut kimi = world.start(&[]);
    kimi.turn("tell me a story");
    kimi.turn("and another");
    command(&mut kimi, "/compact");
    let rows = kimi.wait_closed(3);
    assert_eq!(count(&rows, "The context has been compacted"), 1, "{rows:?}");
    assert_eq!(world.server().requests().len(), 3);
    kimi.turn("go on");
    let requests = world.server().requests();
    assert!(requests[3].raw.contains("SUMMARY-OF-ALL"));
    assert!(!requests[3].raw.contains("A long story 0."));
}

#[test]
fn copy_gives_the_markdown_to_the_terminal() {
    use base64::Engine;
    let world = world();
    let mut kimi = world.start(&[]);
    command(&mut kimi, "/copy");
    kimi.wait_text("There is no answer to copy yet.");
    kimi.turn("hi");
    command(&mut kimi, "/copy");
    let encoded = base64::engine::general_purpose::STANDARD.encode("You said **hi**.");
    kimi.wait_for_bytes("the clipboard", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.contains("\x1b]52;c;") && text.contains(&encoded)
    });
    kimi.wait_text("copied the last answer");
}

#[test]
fn an_unknown_command_is_told_and_not_sent() {
    let world = world();
    let mut kimi = world.start(&[]);
    command(&mut kimi, "/modle");
    kimi.wait_text("Unknown slash command \"/modle\".");
    kimi.wait_text("Did you mean /model?");
    assert_eq!(world.server().requests().len(), 0);
    // A path is a message.
    kimi.turn("/etc/hosts is a file");
    assert_eq!(world.server().requests()[0].last_user_text(), "/etc/hosts is a file");
}

#[test]
fn commands_while_a_turn_runs() {
    let gate = Gate::new();
    let world = World::new(vec![
        Reply::new().text("Busy.\n\n").wait(&gate).text("Over."),
        Reply::new().text("SUMMARY"),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("Busy.");
    kimi.send("/version\r");
    let rows = kimi.wait_text("kimi, version ");
    assert!(is_busy(&rows), "{rows:?}");
    kimi.send("/new");
    kimi.wait_for_rows("the command", |rows| composed(rows).starts_with("/new"));
    kimi.send("\r");
    let rows = kimi.wait_text("/new is not available during streaming");
    assert!(composed(&rows).starts_with("/new"), "what cannot run stays: {rows:?}");
    assert_eq!(echoes(&kimi.history()), 1);
    gate.open();
    kimi.wait_for_history("the end", |rows| closings(rows) == 1);
}
