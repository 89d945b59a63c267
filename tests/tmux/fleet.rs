//! Many panes at once on one home.

use std::time::Duration;

use super::readers::State;
use super::watched::{Watched, directory};
use crate::support::model_server::{Recorded, Reply};
use crate::support::screen::is_idle;
use crate::support::tmux::available;
use crate::tui::world::World;

const PANES: usize = 8;

#[test]
fn eight_panes_on_one_home_answer_for_themselves() {
    if !available() {
        return;
    }
    let world = World::new(|request: &Recorded, _| {
        let last = request.body["messages"].as_array().and_then(|all| all.last()).cloned();
        let reply = Reply::new().pace(Duration::from_millis(2));
        if last.is_some_and(|message| message["role"] == "tool") {
            return reply.text(format!("This is for {}.", request.last_user_text()));
        }
        reply.think("A tool.").tool_call("c", "Shell", r#"{"command":"echo here >> here.txt"}"#)
    });
    let mut panes: Vec<Watched> = (0..PANES)
        .map(|n| Watched::launch(&world, &directory(&world, n), "--yolo", (120, 46)))
        .collect();
    for pane in &panes {
        pane.wait_for("the prompt", is_idle);
        pane.wait_state(State::Idle);
    }
    for turn in 1..=2 {
        std::thread::scope(|scope| {
            for (n, pane) in panes.iter_mut().enumerate() {
                scope.spawn(move || pane.turn(&format!("pane {n} turn {turn}")));
            }
        });
        for (n, pane) in panes.iter().enumerate() {
            pane.wait_state(State::Completed);
            for (version, answer) in pane.answers() {
                let wanted = format!("• This is for pane {n} turn {turn}.");
                assert_eq!(answer, Some(vec![wanted]), "{version:?}");
            }
        }
    }
    assert_eq!(world.server().requests().len(), PANES * 4);
    for (n, pane) in panes.iter().enumerate() {
        let file = std::fs::read_to_string(directory(&world, n).join("here.txt"));
        assert_eq!(file.expect("a file").lines().count(), 2);
        pane.replay(31);
    }
}
