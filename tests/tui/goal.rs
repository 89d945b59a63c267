//! `/goal` at the keyboard.

use super::world::{World, closings, count, echoes};
use crate::support::model_server::{Gate, Reply};
use crate::support::screen::is_busy;

fn ended(status: &str) -> Reply {
    Reply::new().tool_call("u", "UpdateGoal", &format!(r#"{{"status":"{status}"}}"#))
}

#[test]
fn turns_follow_under_one_echo_and_one_end() {
    let world = World::new(vec![
        Reply::new().text("The first part."),
        Reply::new().text("The second part."),
        ended("complete"),
        Reply::new().text("All done."),
    ]);
    let mut kimi = world.start(&["--yolo"]);
    let rows = kimi.turn("/goal make it work");
    assert_eq!((echoes(&rows), closings(&rows)), (1, 1), "{rows:?}");
    for part in ["goal: turn 2", "goal: turn 3", "The second part.", "All done.", "Goal complete"] {
        assert_eq!(count(&rows, part), 1, "{part}: {rows:?}");
    }
    assert_eq!(count(&rows, "Goal mode"), 0, "what the model is told is not shown: {rows:?}");
    assert_eq!(count(&kimi.rows(), "Goal ·"), 0, "{:?}", kimi.rows());
    // And so it is shown again.
    assert_eq!(kimi.exit(), 0);
    let kimi = world.start(&["--continue"]);
    let rows = kimi.history();
    assert_eq!((echoes(&rows), count(&rows, "goal: turn 3")), (1, 1), "{rows:?}");
    assert_eq!(count(&rows, "Goal mode"), 0, "{rows:?}");
}

#[test]
fn a_row_shows_it_while_it_runs_and_escape_pauses_it() {
    let world = World::new(vec![
        Reply::new().text("One."),
        Reply::new().text("Half of two.\n\n").wait(&Gate::new()),
        Reply::new().text("Hello."),
        ended("complete"),
        Reply::new().text("All done."),
    ]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.ask("/goal make it work");
    let rows = kimi.wait_text("Half of two.");
    assert!(is_busy(&rows), "{rows:?}");
    let row = rows.iter().find(|row| row.contains("Goal ·")).expect("the row of the goal");
    assert!(row.contains("turn 2") && row.contains("make it work"), "{row}");
    kimi.send("\x1b");
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "Goal paused: interrupted"), 1, "{rows:?}");
    assert!(count(&kimi.rows(), "/goal resume ·") == 1, "{:?}", kimi.rows());
    kimi.ask("hello");
    kimi.wait_closed(2);
    kimi.ask("/goal resume");
    let rows = kimi.wait_closed(3);
    assert_eq!(count(&rows, "Goal complete"), 1, "{rows:?}");
}

#[test]
fn a_message_that_waits_goes_into_the_next_turn() {
    let (gate, next) = (Gate::new(), Gate::new());
    let world = World::new(vec![
        Reply::new().text("One.\n\n").wait(&gate),
        Reply::new().text("Two.").wait(&next),
        Reply::new().text("Three."),
        ended("complete"),
        Reply::new().text("All done."),
    ]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.ask("/goal make it work");
    kimi.wait_text("One.");
    kimi.type_line("mind the gap");
    kimi.wait_text("❯ mind the gap");
    gate.open();
    kimi.wait_gone("❯ mind the gap");
    next.open();
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "» mind the gap"), 1, "{rows:?}");
    let asked = world.server().requests();
    assert!(asked.iter().any(|request| request.last_user_text().contains("mind the gap")));
}

#[test]
fn commands_work_while_it_runs() {
    let gate = Gate::new();
    let world = World::new(vec![
        Reply::new().text("One.\n\n").wait(&gate),
        Reply::new().text("Never.").wait(&Gate::new()),
        ended("complete"),
        Reply::new().text("All done."),
        ended("complete"),
        Reply::new().text("That too."),
    ]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.ask("/goal make it work");
    kimi.wait_text("One.");
    kimi.type_line("/goal next paint it");
    kimi.wait_text("1 next");
    kimi.type_line("/goal status");
    let rows = kimi.wait_text("Goal active");
    assert!(is_busy(&rows), "{rows:?}");
    for part in [" 1 turn, ", " output tokens, ", "   make it work", "1. paint it"] {
        assert_eq!(count(&kimi.history(), part), 1, "{part}: {:?}", kimi.history());
    }
    kimi.type_line("/goal next manage");
    kimi.wait_text("Goals that come next");
    kimi.wait_text("1. paint it");
    kimi.send("\x1b");
    kimi.wait_gone("Goals that come next");
    kimi.type_line("/goal pause");
    kimi.wait_text("Goal paused: paused by the user");
    gate.open();
    kimi.wait_closed(1);
    assert_eq!(world.server().requests().len(), 1, "no turn follows");
    kimi.ask("/goal resume");
    kimi.wait_text("Never.");
    kimi.type_line("/goal replace make it better");
    let rows = kimi.wait_closed(3);
    assert_eq!(count(&rows, "/goal replace make it better"), 1, "{rows:?}");
    assert_eq!(count(&rows, "/goal paint it"), 1, "{rows:?}");
    assert_eq!(count(&rows, "Goal complete"), 2, "{rows:?}");
    assert_eq!(world.server().requests().len(), 6, "no turn follows");
}

#[test]
fn giving_up_says_so_while_it_runs() {
    let world = World::new(vec![Reply::new().text("One.\n\n").wait(&Gate::new())]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.ask("/goal make it work");
    kimi.wait_text("One.");
    kimi.type_line("/goal cancel");
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "The goal is given up."), 1, "{rows:?}");
    assert_eq!(count(&kimi.rows(), "Goal ·"), 0, "{:?}", kimi.rows());
}

#[test]
fn who_approves_is_asked_first() {
    let world = World::new(vec![ended("complete"), Reply::new().text("All done.")]);
    let mut kimi = world.start(&[]);
    kimi.ask("/goal make it work");
    let rows = kimi.wait_text("Who approves what it does?");
    assert!(is_busy(&rows), "{rows:?}");
    kimi.send("\x1b");
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "The goal was not started."), 1, "{rows:?}");
    assert!(world.server().requests().is_empty());
}
