//! A goal as an orchestrator sees it: never ready between two turns.

use std::time::Duration;

use super::readers::State;
use super::watched::Watched;
use crate::support::model_server::{Recorded, Reply};
use crate::support::tmux::available;
use crate::tui::world::{World, count};

#[test]
fn between_the_turns_of_a_goal_nobody_finds_the_pane_ready() {
    if !available() {
        return;
    }
    let world = World::new(|_: &Recorded, n: usize| match n {
        0 | 2 | 4 | 6 => {
            let arguments = format!(r#"{{"command":"echo {n}"}}"#);
            Reply::new().tool_call(&format!("c{n}"), "Shell", &arguments)
        }
        0..8 => Reply::new().pace(Duration::from_millis(2)).text(format!("Part {n} is there.")),
        8 => Reply::new().tool_call("u", "UpdateGoal", r#"{"status":"complete"}"#),
        _ => Reply::new().text("All parts are there."),
    });
    let watched = Watched::start(&world, "--yolo", (120, 46));
    watched.wait_state(State::Idle);
    watched.turn("/goal put it together");
    watched.wait_ready();
    assert_eq!(world.server().requests().len(), 10);
    for (version, answer) in watched.answers() {
        let answer = answer.expect("an answer");
        assert_eq!(count(&answer, "All parts are there."), 1, "{version:?}: {answer:?}");
    }
    watched.replay(7);
}
