//! Messages of programs behind a turn that does not end well, and messages into a turn that ends.

use super::{ctl, end, listed, start, state};
use crate::support::model_server::{Gate, Recorded, Reply};
use crate::tui::world::World;

/// Waits until so many messages wait in the queue.
fn queued(world: &World, count: u64) {
    while state(world)["queued"] != count {
        std::thread::yield_now();
    }
}

/// Nobody sits there to send it again.
#[test]
fn a_message_of_a_program_goes_out_after_an_interrupt() {
    let world = World::new(|request: &Recorded, index: usize| match index {
        0 => Reply::new().text("A long st").stall(),
        _ => Reply::new().text(format!("You said: {}", request.last_user_text())),
    });
    let kimi = world.start(&[]);
    listed(&world, 1);
    ctl(&world, &["send", "one"]).well();
    kimi.wait_text("A long st");
    let second = start(&world, &["send", "--wait", "two"], "");
    queued(&world, 1);
    ctl(&world, &["interrupt"]).well();
    assert!(end(second).well().out.ends_with("two"));
}

#[test]
fn a_message_of_a_program_goes_out_after_a_failure() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::new(move |request: &Recorded, index: usize| match index {
        0 => {
            Reply::new().text("Be").wait(&held).bytes("data: {\"error\":{\"message\":\"no\"}}\n\n")
        }
        _ => Reply::new().text(format!("You said: {}", request.last_user_text())),
    });
    let kimi = world.start(&["--max-retries-per-step", "1"]);
    listed(&world, 1);
    ctl(&world, &["send", "one"]).well();
    kimi.wait_text("Be");
    let (second, third) = (
        start(&world, &["send", "--wait", "two"], ""),
        start(&world, &["wait", "--turn", "2"], ""),
    );
    queued(&world, 1);
    gate.open();
    assert!(end(second).well().out.ends_with("two"));
    assert!(end(third).well().out.contains("idle"));
    // The first was not tried again: it has failed, and the second is the next request.
    assert_eq!(world.server().requests().len(), 2);
    assert!(kimi.history().iter().any(|row| row.contains("• Failed after")));
    assert_eq!(state(&world)["queued"], 0);
}

/// A message that misses the end of its turn begins the next: it is answered in any case, and by
/// nothing else than its own answer.
#[test]
fn a_message_into_a_turn_that_ends_is_never_lost() {
    let world = World::new(|request: &Recorded, _: usize| {
        // A steer that comes before the request goes out with the message it follows.
        let text = request.last_user_text();
        Reply::new().text(format!("You said: {}", text.lines().last().unwrap_or_default()))
    });
    let _kimi = world.start(&[]);
    listed(&world, 1);
    for n in 0..12 {
        ctl(&world, &["send", &format!("first {n}")]).well();
        let steered = ctl(&world, &["send", "--steer", "--wait", &format!("second {n}")]);
        assert_eq!(steered.well().out, format!("You said: second {n}"), "{steered:?}");
    }
    // Each is in the conversation once, alone or with the message that steered its turn.
    let last = world.server().requests().pop().expect("requests");
    for n in 0..12 {
        let times = |end: &str| last.raw.matches(&format!("\"first {n}{end}")).count();
        assert_eq!(times("\"") + times("\\n"), 1, "{}", last.raw);
    }
}
