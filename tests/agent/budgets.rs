//! What a run may use up.

use std::time::Duration;

use kimi_tui::agent::Budget;
use kimi_tui::permission::Rule;
use kimi_tui::protocol::{Message, Outcome, Request, Spent, StopReason, Verdict};
use serde_json::json;

use super::bench::{Bench, Gate, Say, calls, text, usage};
use super::subagents::{agent, agents};

fn look(n: usize) -> Vec<Say> {
    let arguments = format!(r#"{{"say":"{n}"}}"#);
    let mut says = calls(&[("a", "Look", &arguments)]);
    says.push(usage(90, 10));
    says
}

#[tokio::test]
async fn tokens_end_the_turn_between_two_requests() {
    let mut bench = Bench::with((0..9).map(look));
    bench.limits.budget = Budget { tokens: Some(250), ..Budget::default() };
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    let spent = Spent::Tokens { limit: 250, used: 300 };
    assert_eq!(heard.outcome(), &Outcome::BudgetSpent(spent));
    assert_eq!(bench.model.asked().len(), 3);
    // Each call has its result, and the next prompt of a pipeline asks nothing.
    assert_eq!(live.stored().await.len(), 7);
    assert_eq!(live.prompt("more").await.outcome(), &Outcome::BudgetSpent(spent));
    assert_eq!(bench.model.asked().len(), 3);
}

#[tokio::test]
async fn a_person_goes_on_with_another_prompt() {
    let mut bench = Bench::with((0..4).map(look).chain([vec![text("done"), usage(10, 1)]]));
    bench.limits.budget =
        Budget { tokens: Some(150), renewed_by_prompts: true, ..Budget::default() };
    let mut live = bench.open();
    for _ in 0..2 {
        let heard = live.prompt("go").await;
        assert!(matches!(heard.outcome(), Outcome::BudgetSpent(_)), "{:?}", heard.outcome());
    }
    assert_eq!(bench.model.asked().len(), 4);
    live.prompt("go").await.finished();
}

/// What begins by itself when tasks have ended must not be a way around the budget.
#[tokio::test]
async fn turns_that_nobody_has_sent_go_on_with_what_is_left() {
    let mut bench = Bench::with((0..9).map(look).chain([vec![text("done"), usage(10, 1)]]));
    bench.limits.budget =
        Budget { tokens: Some(150), renewed_by_prompts: true, ..Budget::default() };
    let mut live = bench.open();
    live.prompt("go").await;
    assert!(live.handle.spent().is_some());
    for _ in 0..3 {
        let heard = live.see_to_tasks().await;
        assert!(matches!(heard.outcome(), Outcome::BudgetSpent(_)), "{:?}", heard.outcome());
    }
    assert_eq!(bench.model.asked().len(), 2, "nothing was asked");
    live.prompt("go on").await;
    assert_eq!(bench.model.asked().len(), 4);
}

#[tokio::test]
async fn time_stops_the_turn_where_it_is() {
    let never = Gate::new();
    let mut bench =
        Bench::with([vec![text("Half an answer"), Say::Wait(never)], vec![text("not asked")]]);
    bench.limits.budget = Budget { time: Some(Duration::from_millis(50)), ..Budget::default() };
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    let spent = Spent::Time { limit_s: 0.05 };
    assert_eq!(heard.outcome(), &Outcome::BudgetSpent(spent));
    let stored = live.stored().await;
    assert!(stored[1].contains("Half an answer"), "{stored:?}");
    assert!(stored[2].contains("The time limit ended"), "{stored:?}");
    assert_eq!(live.prompt("more").await.outcome(), &Outcome::BudgetSpent(spent));
    assert_eq!(bench.model.asked().len(), 1);
}

/// Who answers may be at lunch; a program that nobody attends has its time and no more.
#[tokio::test]
async fn a_dialog_that_waits_for_a_person_takes_no_time() {
    for attended in [true, false] {
        // What is not the dialog has to fit, on a busy machine too; where time counts, all of it is waited for.
        let limit = Duration::from_millis(if attended { 3_000 } else { 400 });
        let ask = calls(&[("a", "Change", r#"{"ask":"run command"}"#)]);
        let mut bench = Bench::with([ask, vec![text("done")]]);
        bench.limits.budget =
            Budget { time: Some(limit), renewed_by_prompts: attended, ..Budget::default() };
        let mut live = bench.open();
        live.send("go");
        if attended {
            let (_, request) = live.asked().await;
            // Longer than the whole budget.
            tokio::time::sleep(limit * 2).await;
            live.answer(&request.id, Verdict::Approve, "");
            live.end().await.finished();
        } else {
            // Nobody answers: only the time can end it.
            let heard = live.end().await;
            assert_eq!(heard.outcome(), &Outcome::BudgetSpent(Spent::Time { limit_s: 0.4 }));
        }
    }
}

/// While one agent works, the question whether another may start stops no clock.
#[tokio::test]
async fn a_dialog_for_an_agent_gives_no_time_to_another() {
    let mut bench = super::subagents::bench();
    bench.rules.ask = vec![Rule::parse("Agent(coder)").unwrap()];
    let limit = Duration::from_secs(3);
    bench.limits.budget =
        Budget { time: Some(limit), renewed_by_prompts: true, ..Budget::default() };
    bench.model.reply(agents(&[
        agent("a", "WORKS", json!({"subagent_type": "explore"})),
        agent("b", "WAITS", json!({"subagent_type": "coder"})),
    ]));
    bench.model.reply_to("WORKS", [vec![Say::Wait(Gate::new())]]);
    let mut live = bench.open();
    live.send("go");
    let heard = live.end().await;
    let asks = |it: &Message| matches!(it, Message::Request(Request::ApprovalRequest(_)));
    assert!(heard.0.iter().any(asks), "{:?}", heard.lines());
    assert_eq!(heard.outcome(), &Outcome::BudgetSpent(Spent::Time { limit_s: 3.0 }));
}

#[tokio::test]
async fn the_window_is_told_by_kind() {
    let bench = Bench::with([look(1), vec![text("done"), usage(500, 20)]]);
    let mut live = bench.open();
    live.prompt("go").await.finished();
    let heard = live.prompt("/context").await;
    assert_eq!(heard.outcome(), &Outcome::Finished { stop: StopReason::Command });
    let said = heard.text();
    for part in
        ["520 of 200,000 tokens", "| tool results |", "Tool results by tool: Look", "620 tokens"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(bench.model.asked().len(), 2, "no request is made for it");
}
