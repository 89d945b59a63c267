//! What keeps a goal from going on for ever: limits that hold for the model, turns that lead nowhere.

use std::fs;

use kimi_tui::agent::Modes;
use kimi_tui::protocol::Verdict;

use super::bench::{Gate, Say, calls, text, usage};
use super::goal::{begins, bench, budget, changes, count, snapshot, start_asking, update};

#[tokio::test]
async fn a_model_can_lower_a_limit_and_never_raise_one() {
    let bench = bench([
        budget("3", "turns"),
        vec![text("one")],
        budget("9", "turns"),
        budget("2", "turns"),
        budget("1", "hours"),
        budget("2", "hours"),
        vec![text("two")],
        vec![text("never")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("/goal x").await;
    heard.finished();
    let refused: Vec<bool> = heard.results().into_iter().map(|(_, value)| value.is_error).collect();
    assert_eq!(refused, [false, true, false, false, true]);
    assert_eq!(changes(&heard), ["active", "blocked: budget reached: 2 turns"]);
    assert_eq!(bench.model.asked().len(), 7);
    // The model cannot take it up again either: the user can.
    let limits = snapshot(&live).budget_limits;
    assert_eq!((limits.turn_budget, limits.wall_clock_budget_ms), (Some(2), Some(3_600_000)));
}

#[tokio::test]
async fn a_model_does_not_replace_the_goal_that_binds_it() {
    let replace = || calls(&[("c", "CreateGoal", r#"{"objective":"easy","replace":true}"#)]);
    let bench = bench([
        budget("2", "turns"),
        replace(),
        vec![text("one")],
        replace(),
        vec![text("two")],
        // In a turn of the user nobody is asked here, so that nobody has agreed to it either.
        replace(),
        vec![text("three")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("/goal hard").await;
    heard.finished();
    assert_eq!(changes(&heard), ["active", "blocked: budget reached: 2 turns"]);
    let heard = live.prompt("go on").await;
    let (_, value) = heard.results().remove(0);
    assert!(value.is_error && value.output.text().is_empty(), "{value:?}");
    assert!(value.message.contains("/goal replace"), "{value:?}");
    let goal = snapshot(&live);
    assert_eq!((goal.objective.as_str(), goal.budget_limits.turn_budget), ("hard", Some(2)));
}

#[tokio::test]
async fn a_resting_goal_is_replaced_by_the_model_when_a_person_agrees() {
    let mut bench = bench([
        update("u", "blocked"),
        vec![text("stuck")],
        calls(&[("c", "CreateGoal", r#"{"objective":"other","replace":true}"#)]),
        update("v", "complete"),
        vec![text("done")],
    ]);
    bench.modes = Modes::default();
    let mut live = start_asking(&bench).await;
    live.end().await.finished();
    live.send("do the other thing instead");
    let (_, request) = live.asked().await;
    assert_eq!(request.action, "start a goal");
    live.answer(&request.id, Verdict::Approve, "");
    let heard = live.end().await;
    assert_eq!(changes(&heard), ["active", "complete"]);
}

#[tokio::test]
async fn turns_of_words_alone_end_it() {
    let bench = bench((0..30).map(|n| vec![text(&format!("Thought number {n}."))]));
    let mut live = bench.open();
    let heard = live.prompt("/goal x").await;
    heard.finished();
    assert_eq!(
        changes(&heard),
        ["active", "blocked: no progress: 5 turns in a row called no tool but the goal's"]
    );
    assert_eq!(bench.model.asked().len(), 5);
    assert_eq!(count(&live.stored().await, "The turn before called no tool"), 4);
    // The user may try once more, and has as many turns again.
    let heard = live.prompt("/goal resume").await;
    assert_eq!(begins(&heard).len(), 5);
}

#[tokio::test]
async fn turns_that_do_the_same_over_and_over_end_it() {
    let turn = |n: usize| {
        let look = calls(&[(&format!("a{n}"), "Glob", r#"{"pattern":"*.rs"}"#)]);
        [look, vec![text("Not yet.")]]
    };
    let bench = bench((0..30).flat_map(turn));
    let mut live = bench.open();
    let heard = live.prompt("/goal wait").await;
    heard.finished();
    let reason = "blocked: no progress: 10 turns in a row did the same with the same results";
    assert_eq!(changes(&heard), ["active", reason]);
    assert_eq!(snapshot(&live).used.turns_used, 11);
}

#[tokio::test]
async fn a_goal_that_nobody_was_asked_about_has_limits() {
    let mut bench = bench([
        calls(&[("c", "CreateGoal", r#"{"objective":"win"}"#)]),
        budget("60", "turns"),
        vec![text("begun")],
        update("u", "blocked"),
        vec![text("stuck")],
    ]);
    bench.modes = Modes { runtime_afk: true, ..Modes::default() };
    let mut live = bench.open();
    let heard = live.prompt("please win").await;
    assert!(heard.results()[1].1.is_error, "{:?}", heard.results());
    let limits = snapshot(&live).budget_limits;
    assert_eq!((limits.turn_budget, limits.wall_clock_budget_ms), (Some(50), Some(3_600_000)));
}

#[tokio::test]
async fn what_a_turn_has_used_is_on_disk_before_it_ends() {
    let gate = Gate::new();
    let bench = bench([
        vec![text("one"), usage(60, 10)],
        [calls(&[("a", "Glob", r#"{"pattern":"a"}"#)]), vec![usage(60, 10)]].concat(),
        vec![text("two"), Say::Wait(gate.clone())],
    ]);
    let mut live = bench.open();
    live.send("/goal x");
    live.until("the third request", |_| bench.model.asked().len() == 3).await;
    let log = fs::read_to_string(live.handle.session().dir.join("goal.jsonl")).unwrap();
    assert!(log.lines().last().unwrap().contains("\"tokensUsed\":20"), "{log}");
    gate.open();
}
