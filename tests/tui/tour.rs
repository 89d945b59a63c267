//! Nothing is configured: the scripted tour, end to end.

use super::world::{World, count, echoes};
use crate::support::screen::is_idle;

#[test]
fn the_tour_from_the_welcome_to_the_end() {
    let world = World::without_model();
    world.file("README.md", "# A project\n\nSome words.\n");
    let mut kimi = world.start_with(&[], &[("KIMI_TOUR_RATE", "0")], (100, 40));
    let rows = kimi.rows();
    assert!(rows.iter().any(|row| row.contains("scripted tour")), "{rows:?}");
    kimi.ask("show me");
    kimi.wait_text("What should the tour show next?");
    // The question, the first file, and its change: each time the first choice.
    press_until(&mut kimi, "\r", |rows| count(rows, "• Done") == 1);
    let rows = kimi.wait_closed(1);
    for words in [
        "• Thought",
        "• Used ReadFile",
        "Todo",
        "How an answer looks",
        "KIMI_API_KEY",
        "- status: draft",
        "+ - status: finished",
    ] {
        assert!(count(&rows, words) >= 1, "{words}: {rows:?}");
    }
    assert_eq!(count(&rows, " • Done"), 1, "{rows:?}");
    let file = std::fs::read_to_string(world.share().join("tour/tour.md")).expect("the file");
    assert!(file.contains("- status: finished"), "{file}");
    let files = std::fs::read_dir(world.work()).expect("a directory").count();
    assert_eq!(files, 1, "nothing is written into the project");

    let rows = kimi.turn("fix my code");
    assert_eq!(echoes(&rows), 2);
    assert!(count(&rows, "no model is connected") >= 1, "{rows:?}");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn the_tour_takes_no_for_an_answer() {
    let world = World::without_model();
    let mut kimi = world.start_with(&[], &[("KIMI_TOUR_RATE", "0")], (80, 24));
    kimi.ask("tour");
    kimi.wait_text("What should the tour show next?");
    kimi.send("\x1b");
    let rows = kimi.wait_closed(1);
    assert!(count(&rows, "closed without an answer") >= 1, "{rows:?}");
    kimi.wait_for_rows("the prompt", is_idle);
}

/// Presses a key again and again: each dialog takes one, and between them it does nothing.
fn press_until(kimi: &mut super::world::Kimi, key: &str, done: impl Fn(&[String]) -> bool) {
    while !done(&kimi.rows()) {
        let before = kimi.raw_bytes().len();
        kimi.send(key);
        kimi.wait_for_bytes("the next frame", |bytes| bytes.len() > before);
    }
}
