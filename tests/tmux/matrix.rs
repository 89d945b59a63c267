//! Answers of every shape, at three sizes: no reader sees the end too early, and each cuts out
//! exactly what the model said.

use std::time::Duration;

use super::readers::{State, Version};
use super::watched::Watched;
use crate::support::model_server::{Recorded, Reply};
use crate::support::tmux::available;
use crate::tui::world::World;

/// An answer, by the message that asks for it.
struct Case {
    name: &'static str,
    thought: &'static str,
    /// Commands that run before it.
    commands: usize,
    answer: String,
}

fn case(name: &'static str, answer: impl Into<String>) -> Case {
    Case { name, thought: "", commands: 0, answer: answer.into() }
}

fn cases() -> Vec<Case> {
    let forty: String = (1..=40).map(|n| format!("- line {n} of forty\n")).collect();
    let marks =
        "A ✨ text in it\n\nuser@dir💫\n\nit ends in 💫\n\n✨ begins\n\nand ✨\nuser@dir✨ said";
    vec![
        case("one line", "Just this."),
        case("forty lines", forty),
        case(
            "code and a table",
            "Look:\n\n```rust\nfn main() {\n    println!(\"hi\"); // context: 5%\n}\n```\n\n\
             | name | value |\n|------|-------|\n| one  | 1     |\n| two  | 2     |\n\nThe end.",
        ),
        case(
            "many scripts",
            "漢字かな交じり文です。\n\n한국어 문장입니다.\n\nשלום עולם و مرحبا\n\ncafé naïve",
        ),
        case("emoji", "Flags 🇩🇪 and 🇯🇵 done\n\n👍🏽 and ❤️ and 🚀 done\n\na family 👨‍👩‍👧 here"),
        case(
            "errors",
            "Error: this is a quote\n\nTraceback (most recent call last):\n  File \"a.py\"\n\n\
             ERROR: x\n\nConnectionError: y\n\nAPIError: z\n\nNo error at all.",
        ),
        case("prompt marks", marks),
        case(
            "box corners",
            "Corners:\n\n```text\n╭────────╮\n│ text   │\n╰────────╯\n╭─ open\n╰─ shut\n╰─ done\n```\n\nBelow.",
        ),
        case(
            "chrome",
            "Chrome:\n\n── input ── here\n\n── input ── user@dir💫\n\ncontext: 5%\n\n\
             12:01 agent (x ●)\n\n09:59 yolo shell (y ●)   context: 1.5% (1k/2k)\n\nAfter it.",
        ),
        case(
            "tool rows",
            "It prints:\n\n• Used Shell (ls) · 3 lines\n\n• Thought for 2s\n\nand so on.",
        ),
        case("rules", "Above\n\n────────────\n\n━━━━━━\n\nBelow"),
        case("welcome", "It says\n\nWelcome to Kimi Code CLI!\n\nand waits."),
        Case {
            name: "thought first",
            thought: "Let me think about it.\nIn two lines, ✨ marks and context: 5% too.",
            commands: 0,
            answer: "I have thought.".into(),
        },
        Case {
            name: "several tools",
            thought: "A tool is needed.",
            commands: 3,
            answer: "All of them ran.\n\nThey said enough.".into(),
        },
        case(
            "moons",
            format!("⠋ a braille row\n\n🌑 a moon row\n\n🌒\n\n{}", "plain\n\n".repeat(20)),
        ),
        case("a long line", "word and more words of it ".repeat(30)),
    ]
}

fn script(request: &Recorded, _: usize) -> Reply {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    let asked = request.last_user_text();
    let found = cases().into_iter().find(|case| asked.contains(case.name)).expect(&asked);
    let user = messages.iter().rposition(|message| message["role"] == "user").unwrap_or(0);
    let ran = messages[user..].iter().filter(|message| message["role"] == "tool").count();
    let mut reply = Reply::new().pieces_of(24).pace(Duration::from_millis(1));
    if ran == 0 {
        reply = reply.think(found.thought);
    }
    if ran < found.commands {
        let command = serde_json::json!({"command": format!("seq {} 2>&1", 4 + 8 * ran)});
        let id = format!("c{user}-{ran}");
        return reply.text("Wait.").tool_call(&id, "Shell", &command.to_string());
    }
    if found.commands > 0 {
        reply = reply.think("That is what it says.");
    }
    reply.text(found.answer)
}

/// The lines that a reader of this answer should get.
fn lines_of(answer: &str) -> Vec<String> {
    let lines = answer.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .enumerate()
        .map(|(n, line)| if n == 0 { format!("• {line}") } else { line.into() })
        .collect()
}

fn squeezed(lines: &[String]) -> String {
    lines.concat().chars().filter(|c| !c.is_whitespace()).collect()
}

fn compare(watched: &Watched, case: &Case, columns: u16) {
    let wanted = lines_of(&case.answer);
    let fits = wanted.iter().all(|line| line.chars().count() * 2 < usize::from(columns));
    for (version, answer) in watched.answers() {
        let mut answer = answer.unwrap_or_default();
        let mut wanted = wanted.clone();
        if version == Version::V4 {
            // Rules are no text to it, and those in an answer are kept only behind a joiner.
            answer.retain(|line| !line.chars().all(|c| matches!(c, '─' | '━')));
            wanted.retain(|line| !line.chars().all(|c| matches!(c, '─' | '━')));
        }
        assert_eq!(squeezed(&answer), squeezed(&wanted), "{version:?} {}\n{answer:#?}", case.name);
        if fits {
            assert_eq!(answer, wanted, "{version:?} {}", case.name);
        }
    }
}

fn play(size: (u16, u16)) {
    if !available() {
        return;
    }
    let world = World::new(script);
    let watched = Watched::start(&world, "--yolo", size);
    watched.wait_state(State::Idle);
    for case in cases() {
        watched.turn(case.name);
        watched.wait_state(State::Completed);
        compare(&watched, &case, size.0);
    }
    let replay = watched.replay(7);
    assert!(watched.looks.get() > 10, "{}", watched.looks.get());
    assert!(replay.reads > 0 && replay.prefixes > 300, "{replay:?}");
}

#[test]
fn every_answer_in_80_columns() {
    play((80, 24));
}

#[test]
fn every_answer_in_120_columns() {
    play((120, 46));
}

#[test]
fn every_answer_in_220_columns() {
    play((220, 50));
}
