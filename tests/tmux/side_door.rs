//! What a pane says of itself in its option and its signals, beside the screen.

use std::time::{Duration, Instant};

use super::Pane;
use crate::support::model_server::{Gate, Recorded, Reply};
use crate::support::screen::is_idle;
use crate::support::tmux::available;
use crate::tui::world::World;

const PATIENCE: Duration = Duration::from_secs(30);

fn open(world: &World) -> Pane {
    let pane = Pane::open(world, "TMUX_PANE=$TMUX_PANE", (100, 30));
    pane.run_kimi("--yolo");
    pane
}

#[track_caller]
fn shows(pane: &Pane, words: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = pane.format("#{@kimi_state}");
        if shown == words {
            return;
        }
        assert!(Instant::now() < deadline, "{shown} instead of {words}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_suspended_one_is_not_idle() {
    if !available() {
        return;
    }
    let world = World::new(vec![Reply::new().text("Here I am.")]);
    let pane = open(&world);
    shows(&pane, "idle turn=0");
    pane.send_keys(&["C-z"]);
    pane.wait_for("the shell", |_| pane.format("#{pane_current_command}") != "kimi");
    // It was told before the shell had the terminal.
    assert_eq!(pane.format("#{@kimi_state}"), "busy turn=0");
    pane.wait_for("the shell's prompt", |rows| rows.iter().any(|row| row.starts_with("sh>")));
    pane.type_text("fg");
    pane.send_keys(&["Enter"]);
    pane.wait_for("the prompt", |rows| {
        is_idle(rows) && pane.format("#{pane_current_command}") == "kimi"
    });
    shows(&pane, "idle turn=0");
    pane.ask("hello");
    pane.wait_closed(1);
    shows(&pane, "idle turn=1");
}

#[test]
fn a_second_one_in_the_pane_has_signals_of_its_own() {
    if !available() {
        return;
    }
    let gate = Gate::new();
    let second = Reply::new().text("And").wait(&gate).text(" again.");
    let world = World::new(vec![Reply::new().text("Here I am."), second]);
    let pane = open(&world);
    pane.ask("one");
    pane.wait_closed(1);
    shows(&pane, "idle turn=1");
    pane.send_keys(&["C-d"]);
    pane.wait_text("left=0");
    assert_eq!(pane.format("#{@kimi_state}"), "exited");
    pane.run_kimi("--yolo");
    shows(&pane, "idle turn=0");
    pane.ask("two");
    shows(&pane, "busy turn=1");
    let mut waits = pane.command().args(["wait-for", "kimi-%0-1"]).spawn().expect("tmux runs");
    world.server().wait_for(2);
    pane.wait_text("And");
    assert!(waits.try_wait().expect("a child").is_none(), "the turn has not ended");
    gate.open();
    assert!(waits.wait().expect("a child").success());
    shows(&pane, "idle turn=1");
}

#[test]
fn a_print_run_of_the_shell_tool_does_not_take_the_pane() {
    if !available() {
        return;
    }
    let gate = Gate::new();
    let inner = gate.clone();
    let world = World::new(move |request: &Recorded, _| {
        if request.last_user_text().contains("inner") {
            return Reply::new().text("In").wait(&inner).text("side.");
        }
        let last = request.body["messages"].as_array().and_then(|all| all.last()).cloned();
        if last.is_some_and(|message| message["role"] == "tool") {
            return Reply::new().text("Outside.");
        }
        let command = format!("{} --print -p inner", env!("CARGO_BIN_EXE_kimi"));
        let arguments = serde_json::json!({ "command": command }).to_string();
        Reply::new().tool_call("c", "Shell", &arguments)
    });
    let pane = open(&world);
    pane.ask("go");
    world.server().wait_for(2);
    let ctl = |words: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_kimi"))
            .arg("ctl")
            .args(words)
            .env_clear()
            .envs(world.env())
            .output()
            .expect("it runs")
    };
    let listed = String::from_utf8(ctl(&["list", "--json"]).stdout).expect("text");
    assert_eq!(listed.matches("\"pid\"").count(), 2, "{listed}");
    assert_eq!(listed.matches("\"tmux_pane\"").count(), 1, "{listed}");
    let state = ctl(&["state", "--pane", "%0", "--json"]);
    let state = String::from_utf8(state.stdout).expect("text");
    assert!(state.contains("\"mode\":\"tui\""), "{state}");
    gate.open();
    pane.wait_closed(1);
}
