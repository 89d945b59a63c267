//! Whole turns as an orchestrator sees them: messages of any size, dialogs answered blind, failures,
//! interrupts, resizes, the end.

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};

use super::readers::{State, Version};
use super::watched::Watched;
use crate::support::model_server::{Gate, Recorded, Reply};
use crate::support::tmux::available;
use crate::tui::world::{World, count};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 46), (220, 50)];

/// The last answer, which all readers agree on.
fn answer_of(watched: &Watched) -> Vec<String> {
    // A narrower pane breaks the echo's box, and tmux is the one who does it.
    let broken = |row: &String| !row.chars().all(|c| matches!(c, '─' | '│' | '╮' | '╯'));
    let answers = watched.answers().map(|(version, answer)| {
        (version, answer.map(|rows| rows.into_iter().filter(broken).collect::<Vec<_>>()))
    });
    let first = answers[0].1.clone().expect("an answer");
    for (version, answer) in answers {
        assert_eq!(answer.as_ref(), Some(&first), "{version:?}");
    }
    first
}

#[test]
fn an_answer_that_no_capture_holds_ends_with_the_name_of_its_file() {
    if !available() {
        return;
    }
    for size in SIZES {
        let text: String = (1..=300).map(|n| format!("{n}. line of three hundred\n")).collect();
        let world = World::new(vec![Reply::new().pieces_of(500).text(&text)]);
        let watched = Watched::start(&world, "--yolo", size);
        watched.turn("a long one");
        watched.wait_ready();
        for (version, answer) in watched.answers() {
            let answer = answer.expect("an answer");
            let named = answer.iter().rposition(|row| row.starts_with("[the whole answer"));
            let (rows, pointer) = answer.split_at(named.expect("a row that names the file"));
            assert_eq!(pointer.len(), 1, "{version:?} {pointer:?}");
            let path = pointer[0].split_once(": ").and_then(|(_, path)| path.strip_suffix(']'));
            let file = std::fs::read_to_string(path.expect("a path")).expect("a file");
            assert_eq!(file, text, "{version:?}");
            let bare = |row: &str| row.trim_start_matches("• ").to_owned();
            let shown: Vec<String> = rows.iter().map(|row| bare(row)).collect();
            let wanted: Vec<&str> = text.lines().collect();
            assert!(shown.len() >= 180, "{version:?} {}", shown.len());
            assert_eq!(shown, wanted[wanted.len() - shown.len()..], "{version:?}");
        }
        watched.replay(211);
    }
}

#[test]
fn five_kilobytes_are_one_message_with_paste_marks_and_without() {
    if !available() {
        return;
    }
    let text: String = (1..=88)
        .map(|n| format!("line {n} of a long message, ✨ with some marks · context: {n}%\n"))
        .collect();
    let text = text.trim_end();
    let world = World::new(|_: &Recorded, index| Reply::new().text(format!("Answer {index}.")));
    let watched = Watched::start(&world, "--yolo", (120, 46));
    watched.turn(text);
    watched.wait_state(State::Completed);
    assert_eq!(answer_of(&watched), ["• Answer 0."]);
    watched.about_to_send();
    watched.paste_unmarked(text);
    watched.wait_text("context: 88%");
    watched.send_keys(&["Enter"]);
    watched.watch(|_| {});
    watched.wait_state(State::Completed);
    assert_eq!(answer_of(&watched), ["• Answer 1."]);
    let sent = world.server().requests();
    assert_eq!(sent.len(), 2);
    for request in sent {
        assert_eq!(request.last_user_text(), text);
    }
    watched.replay(17);
}

#[test]
fn ten_turns_and_how_soon_their_end_is_seen() {
    if !available() {
        return;
    }
    let world = World::new(|request: &Recorded, _| {
        let asked = request.last_user_text();
        Reply::new().pace(Duration::from_millis(3)).text(format!("You said {asked}, and so it is."))
    });
    let watched = Watched::start(&world, "--yolo", (220, 50));
    watched.wait_state(State::Idle);
    let mut ends = Vec::new();
    for n in 1..=10 {
        watched.turn(&format!("message {n}"));
        watched.wait_state(State::Completed);
        ends.extend(world.server().last_write());
        assert_eq!(answer_of(&watched), [format!("• You said message {n}, and so it is.")]);
    }
    let replay = watched.replay(5);
    let waits: Vec<Duration> = replay
        .completed
        .iter()
        .zip(&ends)
        .map(|(seen, end)| seen.saturating_duration_since(*end))
        .collect();
    eprintln!("from the model's last byte to ready: {waits:?}");
    assert_eq!(waits.len(), 10);
    let mut sorted = waits.clone();
    sorted.sort();
    assert!(sorted[4] < Duration::from_millis(500), "{waits:?}");
}

/// The model asks for a command or asks a question, whatever the message names.
fn asking(request: &Recorded, index: usize) -> Reply {
    let last = request.body["messages"].as_array().and_then(|all| all.last()).cloned();
    let last = last.unwrap_or_default();
    if last["role"] == "tool" {
        return Reply::new().text("So be it.");
    }
    let asked = request.last_user_text();
    let question = json!({"questions": [{
        "question": "Which colour?",
        "header": "Colour",
        "options": [
            {"label": "Red", "description": "like a rose"},
            {"label": "Green", "description": "like grass"},
        ],
        "multi_select": false,
    }]});
    let (tool, arguments) = if asked.contains("question") {
        ("AskUserQuestion", question)
    } else {
        ("Shell", json!({"command": format!("echo {index} >> ran.txt")}))
    };
    Reply::new().think("Hm.").tool_call(&format!("c{index}"), tool, &arguments.to_string())
}

#[test]
fn dialogs_are_busy_and_take_keys_pressed_blind() {
    if !available() {
        return;
    }
    for size in [(80, 24), (220, 50)] {
        let world = World::new(asking);
        let watched = Watched::start(&world, "", size);
        let directory = super::watched::directory(&world, 0xa);
        let ran = || {
            let text = std::fs::read_to_string(directory.join("ran.txt")).unwrap_or_default();
            text.lines().count()
        };
        let mut runs = 0;
        let answered: [(&[&str], usize); 8] = [
            (&["1"], 1),
            (&["y"], 1),
            (&["Enter"], 1),
            (&["n"], 0),
            (&["3"], 0),
            (&["Escape"], 0),
            (&["4", "-l", "no, thanks"], 0),
            // For the rest of the session.
            (&["2"], 1),
        ];
        for (keys, runs_now) in answered {
            answer_dialog(&watched, &format!("run {}", keys[0]), "1. Approve once", keys);
            runs += runs_now;
            assert_eq!(ran(), runs, "{keys:?}");
        }
        for (keys, told) in [("1", "Red"), ("2", "Green"), ("Escape", "")] {
            answer_dialog(&watched, &format!("question {keys}"), "▶ Which colour?", &[keys]);
            let requests = world.server().requests();
            let messages = requests.last().expect("a request").body["messages"].clone();
            let last = messages.as_array().and_then(|all| all.last()).map(Value::to_string);
            assert!(last.expect("a message").contains(told), "{keys}");
        }
        assert!(watched.looks.get() > 50, "{}", watched.looks.get());
        watched.replay(29);
    }
}

/// Sends a message, waits for its dialog, looks at it a while, and answers it.
fn answer_dialog(watched: &Watched, message: &str, title: &str, keys: &[&str]) {
    let (seen, pressed) = (Cell::new(0), Cell::new(false));
    watched.send(message);
    watched.watch(|capture| {
        let shown = capture.rows.iter().any(|row| row.text.contains(title));
        seen.set(seen.get() + usize::from(shown));
        if seen.get() == 5 && !pressed.replace(true) {
            watched.send_keys(&keys[..1]);
            if let [_, literal @ ..] = keys
                && !literal.is_empty()
            {
                watched.send_keys(literal);
                watched.wait_text(literal[1]);
                watched.send_keys(&["Enter"]);
            }
        }
    });
    assert!(pressed.get(), "{message}");
    watched.wait_state(State::Completed);
}

#[test]
fn failures_and_interrupts_give_the_prompt_back() {
    if !available() {
        return;
    }
    let failing =
        |status, message: &str| Reply::status(status, json!({"error": {"message": message}}));
    let trap = "Error: no\nTraceback (most recent call last):\n 💫 context: 5% agent (x ●)";
    let world = World::new(move |request: &Recorded, _: usize| {
        match request.last_user_text().split(' ').next().unwrap_or_default() {
            "unauthorized" => failing(401, trap),
            "broken" => failing(500, "ERROR: overloaded"),
            "stalled" => Reply::new().think("A thought.").text("Half an ans").stall(),
            "cut" => Reply::new().text("Half a line of text").drop_here(),
            _ => Reply::new().text("All is well."),
        }
    });
    for size in [(80, 24), (220, 50)] {
        let watched = Watched::start(&world, "--yolo", size);
        for (message, closing) in [
            ("unauthorized", "• Failed after"),
            ("broken", "• Failed after"),
            ("cut", "• Failed after"),
        ] {
            watched.turn(message);
            watched.wait_state(State::Completed);
            assert!(count(&watched.screen(), closing) > 0);
        }
        watched.send("stalled");
        let pressed = Cell::new(false);
        watched.watch(|capture| {
            let half = capture.rows.iter().any(|row| row.text.contains("Half an ans"));
            if half && !pressed.replace(true) {
                watched.send_keys(&["Escape"]);
            }
        });
        watched.wait_state(State::Completed);
        watched.turn("hello");
        watched.wait_state(State::Completed);
        assert_eq!(answer_of(&watched), ["• All is well."]);
        watched.replay(61);
    }
}

#[test]
fn a_pane_that_changes_its_size_is_read_as_before() {
    if !available() {
        return;
    }
    let gates: Vec<Gate> = (0..4).map(|_| Gate::new()).collect();
    let mut reply = Reply::new().pieces_of(40);
    for (n, gate) in gates.iter().enumerate() {
        let part: String = (0..12).map(|m| format!("part {n} row {m}\n\n")).collect();
        reply = reply.text(part).wait(gate);
    }
    let mut replies = vec![Reply::new().text("First."), reply.text("The end.")];
    replies.push(Reply::new().text("Third."));
    let world = World::new(replies);
    let watched = Watched::start(&world, "--yolo", (120, 46));
    watched.turn("one");
    for size in [(80, 24), (220, 50), (100, 30)] {
        resize(&watched, size);
        // What tmux has moved is erased somewhere else on the virtual screen: a bullet may go.
        watched.wait_ready();
        assert_eq!(answer_of(&watched), ["• First."]);
    }
    watched.send("two");
    let done = Cell::new(0);
    watched.watch(|capture| {
        let n = done.get();
        let last = format!("part {n} row 11");
        if n < gates.len() && capture.rows.iter().any(|row| row.text.contains(&last)) {
            resize(&watched, [(80, 24), (220, 50), (60, 20), (120, 46)][n]);
            gates[n].open();
            done.set(n + 1);
        }
    });
    assert_eq!(done.get(), gates.len());
    watched.wait_state(State::Completed);
    let answer = answer_of(&watched);
    assert_eq!(answer.last().map(String::as_str), Some("The end."));
    for n in 0..4 {
        for m in 0..12 {
            let wanted = format!("part {n} row {m}");
            let found = answer.iter().filter(|row| row.trim_start_matches("• ") == wanted);
            assert_eq!(found.count(), 1, "{wanted} in {answer:#?}");
        }
    }
    watched.turn("three");
    watched.wait_state(State::Completed);
    assert_eq!(answer_of(&watched), ["• Third."]);
    // A resize erases before it paints: only whole writes are judged.
    watched.replay(usize::MAX);
}

fn resize(watched: &Watched, (columns, rows): (u16, u16)) {
    watched.resize(columns, rows);
    watched.wait_for("the new size", |screen| {
        screen.len() == usize::from(rows)
            && screen.last().is_some_and(|row| row.contains("context: "))
            && count(screen, "── input ──") == 1
    });
}

#[test]
fn a_pasted_exit_gives_the_terminal_back() {
    if !available() {
        return;
    }
    let world = World::new(vec![Reply::new().text("Well.")]);
    let watched = Watched::start(&world, "--yolo", (80, 24));
    watched.turn("one");
    watched.paste("/exit");
    watched.wait_text("/exit");
    watched.send_keys(&["Enter"]);
    watched.wait_text("left=0");
    watched.wait_for("the shell's prompt", |rows| rows.iter().any(|row| row == "sh>"));
    assert_eq!(watched.format("#{pane_current_command}"), "sh");
    assert_eq!(watched.format("#{cursor_flag}#{alternate_on}#{pane_in_mode}"), "100");
    let shell = watched.format("#{pane_pid}");
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    assert_eq!(children.expect("the shell's children").trim(), "");
    watched.type_text("stty -g | cksum; echo aft''er");
    watched.send_keys(&["Enter"]);
    watched.wait_for("the settings", |rows| rows.iter().any(|row| row == "after"));
    // They were told before the start as well.
    let rows = watched.history();
    let at = rows.iter().position(|row| row == "after").expect("the mark");
    assert_eq!(rows.iter().filter(|row| **row == rows[at - 1]).count(), 2, "{rows:#?}");
    let states = watched.states().0;
    assert!(states.iter().all(|(version, state)| *version >= Version::V2 || !state.is_ready()));
}
