//! Servers that fail while the program waits for its first message, and while a turn runs.

use serde_json::json;

use super::readers::State;
use super::watched::Watched;
use crate::support::model_server::{Recorded, Reply};
use crate::support::tmux::available;
use crate::tui::world::World;

/// What servers say before they end: spinners, bullets, edges, and the words for a start that waits.
const LAST_WORDS: [&str; 3] = [
    "⠋ Resolving packages (connecting)",
    "no • no • no • no • no • no • no • no • no • no • no • no • no • no • no • no • no • no • no",
    "connecting to mcp servers ── input ── me@work💫 ╭─ you context: 3% 🌑",
];

#[test]
fn a_failed_server_is_told_and_the_pane_stays_idle() {
    if !available() {
        return;
    }
    for size in [(80, 24), (120, 46)] {
        let world = World::new(|_: &Recorded, index| match index {
            0 => Reply::new().think("Broken.").tool_call("c1", "mcp_search", r#"{"query":"x"}"#),
            _ => Reply::new().text("Nothing there."),
        });
        let mut servers = serde_json::Map::new();
        for (n, words) in LAST_WORDS.iter().enumerate() {
            let script = format!("echo '{words}' >&2; exit 3");
            let entry = json!({"command": "/bin/sh", "args": ["-c", script]});
            servers.insert(format!("bad{n}"), entry);
        }
        // While this one is waited for, the status bar says how far the start is.
        let slow = json!({"command": "/bin/sleep", "args": ["60"], "startupTimeoutMs": 3_000});
        servers.insert("slow".to_owned(), slow);
        let servers = json!({"mcpServers": servers}).to_string();
        std::fs::write(world.share().join("mcp.json"), servers).unwrap();
        let watched = Watched::start(&world, "--yolo", size);
        for n in 0..LAST_WORDS.len() {
            watched.wait_text(&format!("MCP server bad{n} is not connected"));
        }
        watched.wait_state(State::Idle);
        let (_, shown) = watched.states();
        let shown = shown.to_lowercase();
        assert!(!shown.contains("connecting to mcp servers"), "{shown}");
        assert!(!shown.contains("(connecting)"), "{shown}");
        watched.turn("find x");
        watched.wait_state(State::Completed);
        for (version, answer) in watched.answers() {
            assert_eq!(answer, Some(vec!["• Nothing there.".to_owned()]), "{version:?}");
        }
        watched.replay(31);
    }
}
