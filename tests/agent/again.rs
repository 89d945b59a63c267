//! The same task again and again, and a question beside a turn.

use kimi_tui::protocol::{Event, Message, Op, Outcome, StopReason, Verdict};

use super::bench::{Bench, calls, text};

#[tokio::test]
async fn a_rejection_ends_the_rounds() {
    let mut bench = Bench::with([
        vec![text("begun")],
        calls(&[("a", "Change", r#"{"ask":"edit file"}"#)]),
        vec![text("never")],
    ]);
    bench.limits.max_ralph_iterations = -1;
    let mut live = bench.open();
    live.send("go");
    let (_, request) = live.asked().await;
    live.answer(&request.id, Verdict::Reject, "");
    let heard = live.end().await;
    assert_eq!(*heard.outcome(), Outcome::Finished { stop: StopReason::ToolRejected });
    let ends = heard.events().filter(|event| matches!(event, Event::TurnEnd {})).count();
    assert_eq!((ends, bench.model.asked().len()), (1, 2));
}

#[tokio::test]
async fn a_question_beside_a_call_that_runs_is_answered_and_forgotten() {
    let bench = Bench::with([
        calls(&[("a", "Look", r#"{"wait":"g"}"#), ("b", "Look", "{}")]),
        vec![text("beside")],
        vec![text("done")],
    ]);
    let mut live = bench.open();
    live.send("go");
    live.until("the other call's result", |message| {
        matches!(message, Message::Event(Event::ToolResult { tool_call_id, .. }) if tool_call_id == "b")
    })
    .await;
    live.handle.submit(Op::SideQuestion { id: "q".to_owned(), question: "How far?".to_owned() });
    let heard = live
        .until("the answer", |message| matches!(message, Message::Event(Event::BtwEnd { .. })))
        .await;
    let end = heard.events().last();
    let wanted =
        Event::BtwEnd { id: "q".to_owned(), response: Some("beside".to_owned()), error: None };
    assert_eq!(end, Some(&wanted));
    bench.log.gate("g").open();
    live.end().await.finished();
    let stored = live.stored().await.join("\n");
    assert!(!stored.contains("How far?") && !stored.contains("beside"), "{stored}");
}

#[tokio::test]
async fn a_newer_question_takes_the_place_of_one_that_failed_or_runs() {
    let bench = Bench::with([vec![text("second")]]);
    let mut live = bench.open();
    for id in ["one", "two"] {
        live.handle.submit(Op::SideQuestion { id: id.to_owned(), question: "Well?".to_owned() });
    }
    let heard = live
        .until(
            "the last answer",
            |message| matches!(message, Message::Event(Event::BtwEnd { id, .. }) if id == "two"),
        )
        .await;
    let ends = heard.events().filter(|event| matches!(event, Event::BtwEnd { .. })).count();
    let begins = heard.events().filter(|event| matches!(event, Event::BtwBegin { .. })).count();
    assert_eq!((begins, ends), (2, 2), "they come in pairs");
}
