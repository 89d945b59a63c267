//! Messages, their turns and their answers.

use serde_json::Value;

use super::{ctl, ctl_with, end, listed, start, state};
use crate::support::model_server::{Gate, Recorded, Reply};
use crate::tui::world::World;

/// An answer that is a full text of code: indented, with empty lines, tabs and blanks at its end.
fn long_answer() -> String {
    let line = |n: usize| match n % 5 {
        0 => String::new(),
        1 => format!("{}line {n} of the answer", " ".repeat(n % 13)),
        2 => format!("\tif ({n}) {{  "),
        3 => format!("    - item {n} ✨ 语言"),
        _ => format!("{n}"),
    };
    format!("```\n{}\n```", (0..300).map(line).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_message_is_answered_byte_for_byte() {
    let answer = long_answer();
    let world = World::new(vec![Reply::new().think("Hm.").pieces_of(500).text(&answer)]);
    let kimi = world.start(&[]);
    listed(&world, 1);
    let ran = ctl(&world, &["last"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.lines().count()), (Some(1), "", 1), "{ran:?}");

    let message = "write it\n\n    all of it ✨\n  - indented";
    let ran = ctl_with(&world, &["send", "--wait", "-"], &format!("{message}\n"));
    assert_eq!(ran.well().out, answer);
    assert_eq!(ran.err, format!("sent: message 1, {} bytes, turn 1\n", message.len()));
    assert_eq!(world.server().requests()[0].last_user_text(), message);
    kimi.wait_closed(1);

    assert_eq!(ctl(&world, &["last"]).well().out, answer);
    let line: Value = serde_json::from_str(&ctl(&world, &["last", "--json"]).out).unwrap();
    assert_eq!(line["text"], answer.as_str());
    let state = state(&world);
    assert_eq!(state["last"]["bytes"], answer.len());
    assert_eq!((&state["turn"], &state["state"]), (&1.into(), &"idle".into()));
    assert_eq!(state["input"]["turn"], 1);
}

/// What the second message gets is its own answer, not that of the turn that ran.
#[test]
fn a_queued_message_gets_its_own_answer() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::new(move |request: &Recorded, index: usize| match index {
        0 => Reply::new().text("The first").wait(&held).text(" answer."),
        _ => Reply::new().text(format!("You said: {}", request.last_user_text())),
    });
    let kimi = world.start(&[]);
    listed(&world, 1);
    let first = start(&world, &["send", "--wait", "one"], "");
    kimi.wait_text("The first");
    let state_now = state(&world);
    assert_eq!((&state_now["state"], &state_now["turn"]), (&"busy".into(), &1.into()));
    let second = start(&world, &["send", "--wait", "two"], "");
    while state(&world)["queued"] != 1 {
        std::thread::yield_now();
    }
    gate.open();
    let (first, second) = (end(first), end(second));
    // The first turn's answer may have been replaced by then; it is never the wrong one.
    match first.code {
        Some(0) => assert_eq!(first.out, "The first answer."),
        _ => assert!(first.err.contains("a later one has replaced its answer"), "{first:?}"),
    }
    assert_eq!(second.well().out, "You said: two");
    assert!(second.err.starts_with("queued: message 2, 3 bytes"), "{second:?}");
}

#[test]
fn an_interrupted_turn_is_told_to_everybody() {
    let world = World::new(vec![Reply::new().text("A long st").stall()]);
    let kimi = world.start(&[]);
    listed(&world, 1);
    let ran = ctl(&world, &["interrupt"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");

    let sent = start(&world, &["send", "--wait", "tell"], "");
    kimi.wait_text("A long st");
    let waits = start(&world, &["wait", "--turn", "1"], "");
    let late = ctl(&world, &["wait", "--timeout", "0.2"]);
    assert_eq!((late.code, late.out.as_str()), (Some(124), ""), "{late:?}");
    assert_eq!(ctl(&world, &["interrupt"]).well().out, "interrupted turn 1\n");
    let (sent, waited) = (end(sent), end(waits));
    assert_eq!(sent.code, Some(11), "{sent:?}");
    assert!(sent.err.ends_with("turn 1 was interrupted\n"), "{sent:?}");
    assert_eq!((waited.code, waited.out.as_str()), (Some(11), "idle\n"), "{waited:?}");
    assert!(ctl(&world, &["state"]).out.contains(" last=cancelled"));
}

#[test]
fn a_failed_turn_says_why() {
    let refused = serde_json::json!({"error": {"message": "bad key"}});
    let world = World::new(vec![Reply::status(401, refused)]);
    let _kimi = world.start(&[]);
    listed(&world, 1);
    let ran = ctl(&world, &["send", "--wait", "hi"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(11), ""), "{ran:?}");
    assert!(ran.err.contains("turn 1 failed: "), "{ran:?}");
}

#[test]
fn a_watch_sees_a_turn_from_begin_to_end() {
    let gate = Gate::new();
    let world = World::new(vec![Reply::new().wait(&gate).text("Done.")]);
    let kimi = world.start(&[]);
    listed(&world, 1);
    let watch = start(&world, &["watch", "--json"], "");
    let words = start(&world, &["watch"], "");
    let sent = start(&world, &["send", "--wait", "hi"], "");
    assert_eq!(ctl(&world, &["wait", "--state", "busy"]).well().out, "busy\n");
    gate.open();
    end(sent).well();
    kimi.exit();
    let (watch, words) = (end(watch), end(words));
    let lines: Vec<Value> = watch.well().records();
    let states: Vec<&str> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
    let seqs: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    assert!(states.contains(&"busy") && states.contains(&"idle"), "{states:?}");
    assert!(words.well().out.lines().any(|line| line.starts_with("busy turn=1 ")), "{words:?}");
    assert!(words.out.lines().last().unwrap().starts_with("exited"), "{words:?}");
}
