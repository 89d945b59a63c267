//! Hooks on the screen.

use super::world::hook;
use crate::support::model_server::Reply;
use crate::support::screen::is_idle;
use crate::tui::world::{World, count};

#[test]
fn a_slow_hook_is_named_and_a_block_is_told() {
    let wait = "until [ -e open ]; do sleep 0.05; done; echo 'not on my watch' >&2; exit 2";
    let config = hook("PreToolUse", wait, "matcher = 'Shell'");
    let world = World::with_config(
        vec![
            Reply::new().tool_call("c1", "Shell", r#"{"command":"touch made"}"#),
            Reply::new().text("Then not."),
        ],
        "default_yolo = true",
    );
    let file = world.share().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap() + &config;
    std::fs::write(file, text).unwrap();
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("Waiting for a PreToolUse hook (Shell)…");
    world.file("open", "");
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "A hook blocked Shell."), 1, "{rows:?}");
    assert!(count(&rows, "not on my watch") >= 1, "{rows:?}");
    assert!(!world.work().join("made").exists());
    kimi.send("/hooks\r");
    kimi.wait_text("PreToolUse · 1 hook");
    let rows = kimi.wait_text("blocked: not on my watch");
    assert!(rows.iter().any(|row| row.contains("for Shell")), "{rows:?}");
    kimi.send("q");
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(kimi.exit(), 0);
}
