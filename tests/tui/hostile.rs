//! Text from a model, a tool or a file name never steers the terminal and never plays the program.

use serde_json::json;

use super::world::{World, unhurried};
use crate::support::model_server::{Gate, Reply};
use crate::support::screen::{is_busy, is_idle};

/// Everything that a terminal would obey, each with the word `owned` near it.
const EVIL: &str = "a\x1b]52;c;b3duZWQ=\x07b\x1b]0;owned\x07c\x1b]2;owned\x1b\\d\x1b[2Je\x1b[3Jf\x1b[Hg\x1b[31mh\
                    \u{9b}2Ji\u{9d}0;owned\u{9c}j\x1b[?1049hk\x1b[?2004ll\x1bcm\x1bPowned\x1b\\n\x1b[6no\x1b[cp\
                    \u{202e}q\u{2066}r\x08\x08s\x07t\x00u\x1b]8;;http://owned\x1b\\v\x7f";

/// What only this text could have put among the bytes that were written from `start` on.
fn assert_harmless(bytes: &[u8], start: usize) {
    let text = String::from_utf8_lossy(&bytes[start..]).into_owned();
    let sequences = [
        "\x1b]52",
        "\x1b]0;",
        "\x1b]2;owned",
        "\x1b[2J",
        "\x1b[3J",
        "\x1b[?1049h",
        "\x1b[?2004l",
        "\x1bc",
        "\x1bP",
        "\x1b[6n",
        "\x1b[c",
        "\x1b]8;",
        "\x07",
        "\x08",
        "\x7f",
        "\0",
        "\u{9b}",
        "\u{9d}",
        "\u{202e}",
        "\u{2066}",
    ];
    for sequence in sequences {
        let near =
            text.find(sequence).map(|at| text[..at].chars().rev().take(60).collect::<String>());
        assert_eq!(near, None, "{sequence:?}");
    }
}

#[test]
fn model_text_and_thinking() {
    let gate = Gate::new();
    let markdown = format!(
        "{EVIL}\n\n# {EVIL}\n\n- {EVIL}\n\n| {EVIL} | b |\n|---|---|\n| c | d |\n\n```rust\nlet x = \"{EVIL}\";\n```\n\n\
         [link](http://example.com/\x1b]0;owned\x07) and `{EVIL}`\n\n"
    );
    let world =
        World::new(vec![Reply::new().think(EVIL).text(markdown).wait(&gate).text("The end.")]);
    let mut kimi = world.start(&[]);
    let start = kimi.raw_bytes().len();
    kimi.ask("go");
    kimi.wait_text("link");
    gate.open();
    kimi.wait_closed(1);
    assert_harmless(&kimi.raw_bytes(), start);
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn tool_arguments_output_and_file_names() {
    let arguments = json!({"command": "printf 'x\\033]52;c;b3duZWQ=\\007\\033]0;owned\\007\\033[2Jy\\n'; cat evil; sleep 0.3"});
    let world = World::with_config(
        vec![
            Reply::new().tool_call("c1", "Shell", &arguments.to_string()),
            Reply::new().tool_call("c2", "Glob", r#"{"pattern":"*"}"#),
            Reply::new().tool_call("c3", EVIL, &json!({"path": EVIL, "command": EVIL}).to_string()),
            Reply::new().tool_call(
                "c4",
                "Shell",
                &json!({"command": format!("echo '{EVIL}'").replace('\0', "")}).to_string(),
            ),
            Reply::new().tool_call("c5", "ReadFile", &json!({"path": EVIL}).to_string()),
            Reply::new().tool_call(
                "c6",
                "SetTodoList",
                &json!({"todos": [{"title": EVIL, "status": "in_progress"}]}).to_string(),
            ),
            Reply::new().text("The end."),
        ],
        "default_yolo = true",
    );
    world.file("evil", EVIL);
    world.file("name\x1b]0;owned\x07\u{202e}.txt", "x");
    let mut kimi = world.start(&[]);
    let start = kimi.raw_bytes().len();
    kimi.turn("go");
    assert_harmless(&kimi.raw_bytes(), start);
}

#[test]
fn dialogs_and_their_pager() {
    let change =
        json!({"path": "evil\x1b]0;owned\x07.txt", "content": format!("{EVIL}\n{EVIL}\n")});
    let question = json!({"questions": [{"question": EVIL, "header": "h", "options":
        [{"label": format!("one{EVIL}"), "description": EVIL}, {"label": "two", "description": ""}],
        "multi_select": false}]});
    let command = json!({"command": EVIL.replace('\0', "")});
    let world = World::new(vec![
        unhurried().tool_call("c1", "WriteFile", &change.to_string()),
        Reply::new().tool_call("c2", "Shell", &command.to_string()),
        Reply::new().tool_call("c3", "AskUserQuestion", &question.to_string()),
        Reply::new().text("The end."),
    ]);
    let mut kimi = world.start(&[]);
    let start = kimi.raw_bytes().len();
    kimi.ask("go");
    kimi.wait_text("1. Approve once");
    assert_harmless(&kimi.raw_bytes(), start);
    kimi.send("\x05");
    kimi.wait_for("the pager", |screen| screen.alternate_screen());
    kimi.send("q");
    kimi.wait_for("the dialog", |screen| !screen.alternate_screen());
    // The alternate screen is ours.
    let start = kimi.raw_bytes().len();
    kimi.send("1");
    kimi.wait_text("Run this command?");
    kimi.send("y");
    kimi.wait_text("Waiting for your answer");
    kimi.send("2");
    kimi.wait_closed(1);
    assert_harmless(&kimi.raw_bytes(), start);
}

#[test]
fn a_server_that_fails_with_escape_sequences() {
    let world = World::new(vec![Reply::status(400, json!({"error": {"message": EVIL}}))]);
    let mut kimi = world.start(&[]);
    let start = kimi.raw_bytes().len();
    kimi.turn("go");
    assert_harmless(&kimi.raw_bytes(), start);
}

#[test]
fn nothing_plays_the_program() {
    let lines = [
        "── input ── tester@project💫",
        "tester@project💫",
        "tester@project✨ ",
        "⠋ Thinking… 3s",
        "⠙ Working",
        "╭─ you ──╮",
        "╰─ 12:01 ─╯",
        "• Done in 1.0s",
        " agent (mock ●) context: 1.0% (1/2)",
    ];
    let gate = Gate::new();
    let text = lines.map(|line| format!("{line}\n\n")).concat();
    let code = format!("```\n{}\n```\n\n", lines.join("\n"));
    let printed = json!({"command": format!("cat <<'END'\n{}\nEND", lines.join("\n"))});
    let world = World::with_config(
        vec![
            Reply::new().think(lines.join("\n")).text(&text).text(code).tool_call(
                "c1",
                "Shell",
                &printed.to_string(),
            ),
            Reply::new().text(&text).text("waiting\n\n").wait(&gate).text("over."),
        ],
        "default_yolo = true",
    );
    let mut kimi = world.start_sized(&[], (100, 60));
    kimi.ask("go");
    let rows = kimi.wait_text("  waiting");
    assert!(is_busy(&rows) && !is_idle(&rows), "{rows:?}");
    gate.open();
    let all = kimi.wait_closed(1);
    let ours = |row: &&String| !row.starts_with(" ╭─ you") && !row.starts_with(" ╰─ ");
    for row in all.iter().filter(ours) {
        let end = row.trim_end();
        let first = row.trim_start().chars().next().unwrap_or(' ');
        assert!(!('\u{2801}'..='\u{28ff}').contains(&first), "a spinner: {row:?}");
        assert!(!row.contains("╭─") && !row.contains("╰─"), "a box: {row:?}");
        let prompt = row == "── input ── tester@project💫";
        assert!(prompt || !end.ends_with('💫') && !end.ends_with('✨'), "a prompt: {row:?}");
        assert!(prompt || !row.starts_with("──"), "a rule: {row:?}");
    }
    assert_eq!(all.iter().filter(|row| row.starts_with(" • Done")).count(), 1, "{all:?}");
    assert_eq!(all.iter().filter(|row| row.ends_with("tester@project💫")).count(), 1);
}
