//! Much text, fast: all of it arrives, once, in order. And nothing is written while nothing happens.

use std::time::Duration;

use super::world::{World, count};
use crate::support::model_server::{Gate, Reply};
use crate::support::screen::{is_busy, is_idle};

/// Words `w00001 w00002 …` in paragraphs of ten, seven bytes each.
fn words(many: usize) -> String {
    let mut text = String::new();
    for n in 1..=many {
        text.push_str(&format!("w{n:05}"));
        text.push_str(if n % 10 == 0 { "\n\n" } else { " " });
    }
    text
}

/// The numbers of the words on the rows, in order.
fn numbers(rows: &[String]) -> Vec<usize> {
    rows.iter()
        .flat_map(|row| row.split_whitespace())
        // A row that continues a cut line begins with an invisible mark.
        .filter_map(|word| {
            word.trim_start_matches('\u{2060}')
                .strip_prefix('w')
                .filter(|rest| rest.len() == 5)?
                .parse()
                .ok()
        })
        .collect()
}

fn assert_all(rows: &[String], many: usize) {
    let found = numbers(rows);
    for (at, number) in found.iter().enumerate() {
        let near = || {
            let word = format!("w{number:05}");
            let row = rows.iter().position(|row| row.contains(&word)).unwrap_or(0);
            rows[row.saturating_sub(2)..(row + 2).min(rows.len())].join("\n")
        };
        assert_eq!(*number, at + 1, "word {} of {many}\n{}", at + 1, near());
    }
    assert_eq!(found.len(), many);
}

const MANY: usize = 12_000;

#[test]
fn every_word_of_a_fast_answer_is_there_once() {
    for (pieces, size) in [(4_096, (100, 30)), (7, (80, 24)), (64, (40, 10))] {
        let text = words(MANY);
        assert!(text.len() >= 80_000);
        let world = World::new(vec![Reply::new().pieces_of(pieces).text(&text)]);
        let mut kimi = world.start_sized(&[], size);
        assert_all(&kimi.turn("go"), MANY);
        assert_eq!(kimi.exit(), 0);
    }
}

#[test]
fn one_paragraph_without_end_is_there_once() {
    let text = words(4_000).replace("\n\n", " ");
    let world = World::new(vec![Reply::new().pieces_of(50).text(&text)]);
    let mut kimi = world.start(&[]);
    assert_all(&kimi.turn("go"), 4_000);
}

#[test]
fn a_dropped_end_of_a_fast_answer_is_not_lost_by_leaving() {
    let text = words(MANY);
    let world = World::new(vec![Reply::new().pieces_of(4_096).text(&text)]);
    let mut kimi = world.start(&[]);
    kimi.turn("go");
    // What leaves the screen at the end stays in the scrollback.
    kimi.send("/exit");
    kimi.wait_text("/exit");
    kimi.send("\r");
    assert_eq!(kimi.wait_exit(), 0);
    assert_all(&kimi.history(), MANY);
}

#[test]
fn keys_echo_in_the_middle_of_a_flood() {
    let world = World::new(vec![Reply::new().endless("some more text and\n\n")]);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("some more text");
    kimi.send("typed in the flood");
    let rows = kimi.wait_text("  typed in the flood");
    assert!(is_busy(&rows), "{rows:?}");
    kimi.send("\x1b");
    kimi.wait_for_history("the closing row", |rows| count(rows, "• Interrupted") == 1);
}

#[test]
fn resizing_in_the_middle_loses_nothing() {
    let gates: Vec<Gate> = (0..4).map(|_| Gate::new()).collect();
    let text = words(2_000);
    // Each pause is after a whole word in the middle of a paragraph: once it is on the screen, nothing
    // else is on its way that was laid out for the old size. No program can help that.
    let ends = [405, 805, 1_205, 1_605].map(|n| {
        let word = format!("w{n:05}");
        (text.find(&word).expect("a word") + word.len(), word)
    });
    let (mut reply, mut from) = (Reply::new().pieces_of(100), 0);
    for (gate, (end, _)) in gates.iter().zip(&ends) {
        reply = reply.text(&text[from..*end]).wait(gate);
        from = *end;
    }
    let world = World::new(vec![reply.text(&text[from..])]);
    // Neither is a spinner.
    let config = world.share().join("config.toml");
    let text_of = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, text_of + "\n[tui]\nreduced_motion = true\n").expect("written");
    // Heights alone: how a terminal reflows what has left the screen is its own affair.
    let mut kimi = world.start_sized(&[], (90, 30));
    kimi.ask("go");
    for ((gate, (_, last)), rows) in gates.iter().zip(&ends).zip([12, 40, 24, 30]) {
        kimi.wait_text(last);
        kimi.resize(90, rows);
        kimi.wait_for_rows("the status bar at the bottom", |screen| {
            screen.len() == usize::from(rows)
                && screen.last().is_some_and(|row| row.contains("agent ("))
                && count(screen, "── input ──") == 1
        });
        gate.open();
    }
    let rows = kimi.wait_closed(1);
    let mut found = numbers(&rows);
    // A terminal that grows may or may not give rows back; none may be missing.
    found.sort_unstable();
    found.dedup();
    let missing: Vec<_> = (1..=2_000).filter(|n| found.binary_search(n).is_err()).collect();
    assert!(missing.is_empty(), "{missing:?} of:\n{}", rows.join("\n"));
}

#[test]
fn nothing_is_written_while_nothing_happens() {
    let world = World::new(vec![Reply::new().text("Done with it.")]);
    let mut kimi = world.start(&[]);
    kimi.turn("go");
    let mut before = kimi.raw_bytes().len();
    // What follows the end of the turn (a branch name, a title) may take a moment.
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = kimi.raw_bytes().len();
        if now == before {
            break;
        }
        before = now;
    }
    // Time itself is what is measured here.
    std::thread::sleep(Duration::from_secs(2));
    let bytes = kimi.raw_bytes();
    assert_eq!(String::from_utf8_lossy(&bytes[before..]), "");
    assert!(is_idle(&kimi.rows()));
}
