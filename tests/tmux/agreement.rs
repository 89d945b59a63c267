//! The screen and `kimi ctl state` are two ways to ask the same thing: neither calls a pane idle while
//! the other one calls it busy.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::readers::State;
use super::watched::{Look, Watched};
use crate::support::model_server::{Recorded, Reply};
use crate::support::tmux::available;
use crate::tui::world::World;

/// `state` and `turn` as the only instance tells them; none while it has no socket yet.
fn told(world: &World) -> Option<(String, u64)> {
    let out = Command::new(env!("CARGO_BIN_EXE_kimi"))
        .args(["ctl", "state", "--json"])
        .current_dir(world.work())
        .env_clear()
        .envs(world.env())
        .stdin(Stdio::null())
        .output()
        .expect("kimi runs");
    let state: Value = serde_json::from_slice(&out.stdout).ok()?;
    Some((state["state"].as_str()?.to_owned(), state["turn"].as_u64()?))
}

fn script(request: &Recorded, index: usize) -> Reply {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    let answered = messages.last().is_some_and(|message| message["role"] == "tool");
    let reply = Reply::new().pace(Duration::from_millis(15));
    match request.last_user_text().split(' ').next().unwrap_or_default() {
        "ask" if !answered => {
            reply.tool_call(&format!("c{index}"), "Shell", r#"{"command":"echo here"}"#)
        }
        "fail" => Reply::status(401, serde_json::json!({"error": {"message": "no"}})),
        _ => {
            reply.think("A thought, and another one.").text("An answer in a few words.\n\nThe end.")
        }
    }
}

#[test]
fn what_the_screen_shows_and_what_ctl_tells_agree() {
    if !available() {
        return;
    }
    let world = World::new(script);
    let watched = Watched::start(&world, "", (80, 24));
    let deadline = Instant::now() + Duration::from_secs(30);
    while told(&world).is_none_or(|(state, _)| state != "idle") {
        assert!(Instant::now() < deadline, "no idle instance");
    }
    watched.wait_state(State::Idle);
    let mut compared = 0;
    for (n, message) in ["talk 1", "ask 2", "fail 3", "ask 4", "talk 5"].into_iter().enumerate() {
        watched.send(message);
        compared += follow(&world, &watched, message, n as u64 + 1);
        watched.wait_state(State::Completed);
    }
    assert!(compared >= 5, "{compared}");
}

/// Asks both in turns until both say that turn `turn` is over; the number of comparisons.
fn follow(world: &World, watched: &Watched, message: &str, turn: u64) -> usize {
    let deadline = Instant::now() + Duration::from_secs(30);
    let asks =
        |look: &Look| look.capture.rows.iter().any(|row| row.text.contains("1. Approve once"));
    let mut compared = 0;
    let mut dialogs = 0;
    let mut words = told(world);
    loop {
        let before = watched.look();
        let between = told(world);
        let after = watched.look();
        assert!(Instant::now() < deadline, "{between:?} {after}");
        let busy = |words: &Option<(String, u64)>| {
            words
                .as_ref()
                .is_some_and(|(state, at)| *at == turn && (state == "busy" || state == "ask"))
        };
        // Between two words of one running turn nobody may find the screen ready, unless it shows the
        // end of that very turn: it is told after it is shown.
        let echo = format!("💫 {message} ");
        let shown = before.capture.rows.iter().any(|row| row.text.contains(&echo));
        if busy(&words) && busy(&between) && !(before.over && shown) {
            assert_eq!(before.states, [State::Busy; 2], "{words:?} {between:?} {before}");
            compared += 1;
        }
        // Between two looks at a running turn nobody may be told of an idle program.
        if before.is_busy() && after.is_busy() {
            assert!(busy(&between), "{between:?} {after}");
            compared += 1;
        }
        if asks(&before) && asks(&after) {
            // It is told right after it is shown: until then the turn runs.
            assert!(busy(&between), "{between:?} {after}");
            if between.as_ref().is_some_and(|(state, _)| state == "ask") {
                dialogs += 1;
                if dialogs == 2 {
                    watched.send_keys(&["1"]);
                }
            }
        }
        let over = between
            .as_ref()
            .is_some_and(|(state, at)| *at == turn && (state == "idle" || state == "error"));
        if over && after.over {
            return compared;
        }
        words = between;
    }
}
