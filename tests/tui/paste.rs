//! Pasted text, with paste marks and without.

use super::world::{World, composed, count, echoes};
use crate::support::model_server::{Recorded, Reply};

fn world() -> World {
    World::new(|_: &Recorded, _| Reply::new().text("Thanks."))
}

#[test]
fn a_bracketed_paste_is_one_message() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("\x1b[200~one\ntwo\r\nthree\rfour\x1b[201~");
    kimi.wait_for_rows("the paste", |rows| composed(rows).starts_with("one\ntwo\nthree\nfour"));
    assert_eq!(world.server().requests().len(), 0);
    kimi.send("\r");
    let rows = kimi.wait_closed(1);
    assert_eq!(echoes(&rows), 1, "{rows:?}");
    assert_eq!(world.server().requests()[0].last_user_text(), "one\ntwo\nthree\nfour");
}

#[test]
fn a_burst_without_marks_is_one_message() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("one\rtwo\rthree\r");
    let rows = kimi.wait_closed(1);
    assert_eq!(echoes(&rows), 1, "{rows:?}");
    let requests = world.server().requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].last_user_text(), "one\ntwo\nthree");
}

/// Longer than what is read of the terminal at once; nothing comes behind it that could push it.
#[test]
fn a_long_burst_without_marks_arrives_whole() {
    let world = world();
    let text: String = (1..=120).map(|n| format!("line {n} of a burst of typed lines\r")).collect();
    let mut kimi = world.start(&[]);
    kimi.send(format!("{text}the end"));
    kimi.wait_text("the end");
    kimi.send("\r");
    kimi.wait_closed(1);
    let requests = world.server().requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].last_user_text(), format!("{}the end", text.replace('\r', "\n")));
}

#[test]
fn a_long_paste_is_an_atom_here_and_whole_for_the_model() {
    let world = world();
    let text: String = (1..=400).map(|n| format!("pasted line {n}\n")).collect();
    let mut kimi = world.start(&[]);
    kimi.send(format!("\x1b[200~{text}\x1b[201~"));
    kimi.wait_text("[Pasted text #1 +400 lines]");
    kimi.send(" what is this");
    kimi.wait_text("what is this");
    kimi.send("\r");
    kimi.wait_closed(1);
    let sent = world.server().requests()[0].last_user_text();
    assert!(sent.contains("pasted line 400\n") && sent.ends_with("what is this"), "{sent}");
    assert!(sent.starts_with("pasted line 1\n"), "{sent}");
}

#[test]
fn a_pasted_exit_leaves() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("\x1b[200~/exit\x1b[201~");
    kimi.wait_text("/exit");
    kimi.send("\r");
    assert_eq!(kimi.wait_exit(), 0);
    assert_eq!(world.server().requests().len(), 0);
}

#[test]
fn escape_sequences_in_a_paste_do_not_reach_the_terminal() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("\x1b[200~a\x1b]0;owned\x07b\x1b[5Jc\x1b[201~");
    kimi.wait_for_rows("the paste", |rows| composed(rows).starts_with('a'));
    kimi.send("\r");
    kimi.wait_closed(1);
    let raw = String::from_utf8_lossy(&kimi.raw_bytes()).into_owned();
    for sequence in ["\x1b]0;owned", "\x1b[5J"] {
        let found = raw.find(sequence).map(|at| raw.get(at.saturating_sub(80)..at + 80));
        assert_eq!(found, None);
    }
}

#[test]
fn a_paste_while_a_turn_runs_goes_into_the_draft() {
    let world = World::new(vec![Reply::new().text("Busy.\n\n").stall()]);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("Busy.");
    kimi.send("\x1b[200~for\nlater\x1b[201~");
    kimi.wait_for_rows("the paste", |rows| composed(rows).starts_with("for\nlater"));
    kimi.send("\r");
    let rows = kimi.wait_text("❯ for");
    assert_eq!(count(&rows, "later"), 1, "{rows:?}");
}
