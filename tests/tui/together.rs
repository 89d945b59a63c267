//! Several screens at once in one directory and one home, and programs that edit its files.

use super::world::{Kimi, World, composed};
use crate::support::model_server::{Recorded, Reply};
use crate::support::program::json_lines;
use crate::support::screen::is_idle;

#[test]
fn several_screens_share_a_home() {
    let world = World::new(|request: &Recorded, _: usize| {
        Reply::new().text(format!("You said {}.", request.last_user_text()))
    });
    let config = world.share().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = format!("{text}\n[mcp.client]\ntool_call_timeout_ms = 60000\n");
    std::fs::write(&config, &text).unwrap();
    let id = |n: usize| format!("2b1d4c1e-0000-4000-8000-00000000000{n}");
    let mut screens: Vec<Kimi> = (0..4)
        .map(|n| {
            let words = ["--yolo", "--model", "mock", "--session", &id(n), "--mcp-config", "{}"];
            world.spawn(env!("CARGO_BIN_EXE_kimi").as_ref(), &words, &[], (100, 30))
        })
        .collect();
    for screen in &screens {
        let rows = screen.wait_for_rows("the first prompt", is_idle);
        let said = rows.join("\n");
        for word in ["Error", "onnecting", "Another kimi", "•"] {
            assert!(!said.contains(word), "{word}: {said}");
        }
    }
    // An orchestrator raises the limit while they run.
    let raised = text.replace("tool_call_timeout_ms = 60000", "tool_call_timeout_ms = 600000");
    std::fs::write(&config, &raised).unwrap();
    for (n, screen) in screens.iter_mut().enumerate() {
        screen.ask(&format!("message {n}"));
    }
    for screen in &screens {
        screen.wait_closed(1);
    }
    for (screen, theme) in screens.iter_mut().zip(["light", "ansi", "paper", "light"]) {
        let line = format!("/theme {theme}");
        screen.type_line(&line);
        screen.wait_for_rows("the end of the command", |rows| !composed(rows).starts_with(&line));
    }
    for screen in screens {
        assert_eq!(screen.exit(), 0);
    }
    let now = std::fs::read_to_string(&config).unwrap();
    assert!(
        now.contains("tool_call_timeout_ms = 600000") && now.contains("theme = \"light\""),
        "{now}"
    );
    let mut typed = Vec::new();
    for file in std::fs::read_dir(world.share().join("user-history")).unwrap().flatten() {
        typed.extend(json_lines(&file.path()));
    }
    for n in 0..4 {
        let text = format!("message {n}");
        assert_eq!(
            typed.iter().filter(|line| line["content"] == text.as_str()).count(),
            1,
            "{typed:?}"
        );
    }
    let index = std::fs::read_to_string(world.share().join("kimi.json")).unwrap();
    assert!((0..4).any(|n| index.contains(&id(n))), "{index}");
}
