//! Small terminals are usable, large ones are filled.

use serde_json::json;

use super::world::{World, composed, count, echoes, unhurried};
use crate::support::model_server::{Gate, Reply};
use crate::support::screen::is_idle;

#[test]
fn a_whole_turn_with_a_dialog_at_every_size() {
    let content: String = (1..=50).map(|n| format!("line {n} of a file\n")).collect();
    let write = json!({"path": "notes.txt", "content": content}).to_string();
    for size in [(80, 24), (40, 10), (220, 50)] {
        let world = World::new(vec![
            unhurried()
                .think(
                    "Some thinking that goes on for a while, longer than a row of forty columns.",
                )
                .text("A sentence that is longer than forty columns, so that it has to be wrapped.")
                .tool_call("c1", "WriteFile", &write),
            Reply::new().text("| a | b |\n|---|---|\n| one | two |\n\n- an item\n"),
        ]);
        let mut kimi = world.start_sized(&[], size);
        kimi.ask("write it");
        let (first, others) = match size {
            (40, 10) => ("1 once", ["2 session 3 reject", "4 reject+why"]),
            _ => ("1. Approve once", ["3. Reject", "4. Reject"]),
        };
        let rows = kimi.wait_text(first);
        for row in others.into_iter().chain(["── input ──", "Waiting"]) {
            assert_eq!(count(&rows, row), 1, "{row} {size:?} {rows:?}");
        }
        // What is asked about is in sight even where there is room for hardly anything.
        assert_eq!(count(&rows, "notes.txt +50 -0"), 1, "{size:?} {rows:?}");
        assert_eq!(rows.len(), usize::from(size.1));
        assert!(rows.last().expect("a row").contains("agent ("), "{size:?} {rows:?}");
        kimi.send("1");
        let rows = kimi.wait_closed(1);
        assert_eq!(echoes(&rows), 1, "{size:?}");
        let text = rows.iter().map(|row| row.trim()).collect::<Vec<_>>().join(" ");
        assert!(text.contains("that it has to be wrapped."), "{size:?} {text}");
        assert_eq!(count(&rows, "• Done"), 1, "{size:?}");
        assert!(world.work().join("notes.txt").exists());
        kimi.send("a draft that is longer than forty columns, too");
        kimi.wait_for_rows("the draft", |rows| {
            composed(rows).replace('\n', " ").contains("forty columns, too")
        });
        kimi.send("\x03");
        kimi.wait_for_rows("the prompt", is_idle);
        assert_eq!(kimi.exit(), 0);
    }
}

#[test]
fn hardly_any_terminal_at_all() {
    for size in [(10, 4), (1, 1), (3, 30), (200, 2)] {
        let gate = Gate::new();
        let world = World::with_config(
            vec![Reply::new().wait(&gate).text("Some **words** come.")],
            "[tui]\nreduced_motion = true\n",
        );
        let mut kimi = world.spawn(env!("CARGO_BIN_EXE_kimi").as_ref(), &["-p", "go"], &[], size);
        world.server().wait_for(1);
        // What is on its way to the terminal is drawn for the size it had.
        kimi.wait_quiet();
        kimi.resize(80, 24);
        gate.open();
        kimi.wait_for_history("the end", |rows| count(rows, "• Done") == 1);
        kimi.wait_for_rows("the prompt", is_idle);
        kimi.send("\x04");
        assert_eq!(kimi.wait_exit(), 0, "{size:?}");
    }
}
