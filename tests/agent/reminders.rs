//! What the model is told of modes.

use kimi_tui::agent::Modes;
use kimi_tui::protocol::Op;

use super::bench::{Bench, calls, text};

#[tokio::test]
async fn unattended_mode_is_told_once_and_taken_back_once() {
    let bench = Bench::with([
        calls(&[("a", "Look", "{}")]),
        vec![text("one")],
        vec![text("two")],
        vec![text("three")],
        vec![text("four")],
    ]);
    let mut live = bench.open();
    live.handle.submit(Op::SetApproval { yolo: None, afk: Some(true) });
    live.prompt("first").await.finished();
    live.prompt("second").await.finished();
    let told = |stored: &[String], part: &str| stored.iter().filter(|m| m.contains(part)).count();
    let stored = live.stored().await;
    assert_eq!(told(&stored, "Unattended mode is on"), 1, "{stored:#?}");
    live.handle.submit(Op::SetApproval { yolo: None, afk: Some(false) });
    live.prompt("third").await.finished();
    live.prompt("fourth").await.finished();
    let stored = live.stored().await;
    assert_eq!(told(&stored, "Unattended mode is on"), 1, "{stored:#?}");
    assert_eq!(told(&stored, "Unattended mode is off"), 1, "{stored:#?}");
}

#[tokio::test]
async fn a_cleared_context_is_told_again_and_print_mode_is_not_told() {
    let mut bench = Bench::with([vec![text("one")], vec![text("two")]]);
    bench.modes = Modes { afk: true, ..Modes::default() };
    let mut live = bench.open();
    live.prompt("first").await.finished();
    live.prompt("/clear").await;
    live.prompt("second").await.finished();
    let stored = live.stored().await;
    assert!(stored[1].contains("Unattended mode is on"), "{stored:#?}");
    let mut bench = Bench::with([vec![text("one")]]);
    bench.modes = Modes { runtime_afk: true, ..Modes::default() };
    let mut live = bench.open();
    live.prompt("first").await.finished();
    assert_eq!(live.stored().await.len(), 2);
}
