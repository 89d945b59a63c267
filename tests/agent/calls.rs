//! The calls of a step: which run together, and that each is answered exactly once.

use kimi_tui::llm::Delta;
use kimi_tui::protocol::{DisplayBlock, Event, FailureKind, Outcome, StopReason, Verdict};

use super::bench::{Bench, Heard, Live, Say, call_at, calls, text};

/// Every call told got exactly one result told; the results of the record are the same ones.
async fn answered_once(heard: &Heard, live: &Live) {
    let mut calls = heard.calls();
    let mut results: Vec<String> = heard.results().into_iter().map(|(id, _)| id).collect();
    calls.sort();
    results.sort();
    assert_eq!(calls, results, "{:#?}", heard.lines());
    let history = live.handle.history().await;
    let mut stored: Vec<String> = history.iter().filter_map(|m| m.tool_call_id.clone()).collect();
    stored.sort();
    assert_eq!(stored, results);
    // The message that the model gets is made of the value that was told.
    for (id, value) in heard.results() {
        let of_call = |m: &&kimi_tui::llm::Message| m.tool_call_id.as_deref() == Some(&id);
        let message = history.iter().find(of_call).unwrap();
        assert_eq!(*message, kimi_tui::llm::Message::tool_result(&id, &value));
    }
}

#[tokio::test]
async fn a_turn_is_told_and_stored_in_order() {
    let bench = Bench::with([
        vec![
            text("Let me "),
            text("look."),
            call_at(0, "c1", "Look", r#"{"say":"#),
            Say::Delta(Delta::ToolCall {
                index: 0,
                id: None,
                name: None,
                arguments: r#""x"}"#.into(),
            }),
        ],
        vec![text("Done.")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("hello").await;
    assert_eq!(
        heard.lines(),
        [
            "turn: hello",
            "step 1",
            "text: Let me ",
            "text: look.",
            r#"call c1 Look {"say":"#,
            r#"more: "x"}"#,
            "result c1 ok",
            "step 2",
            "text: Done.",
            "TurnEnd",
            "p1: Finished { stop: NoToolCalls }",
        ]
    );
    assert_eq!(
        live.stored().await,
        ["user: hello", "assistant: Let me look. [c1]", "c1> x", "assistant: Done."]
    );
    answered_once(&heard, &live).await;
    let asked = bench.model.asked();
    assert_eq!(asked[0].tools, ["Look", "Change", "Talk"]);
    assert_eq!((asked.len(), asked[1].messages.len()), (2, 3));
}

#[tokio::test]
async fn readers_run_together() {
    let bench = Bench::with([
        calls(&[("a", "Look", r#"{"wait":"g"}"#), ("b", "Look", r#"{"wait":"g"}"#)]),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    live.send("go");
    // Both are under way before either may end.
    bench.log.wait(&["start a", "start b"]).await;
    assert!(bench.log.lines().iter().all(|line| line.starts_with("start")));
    bench.log.gate("g").open();
    let heard = live.end().await;
    heard.finished();
    answered_once(&heard, &live).await;
}

#[tokio::test]
async fn writers_run_alone_in_call_order_and_readers_keep_their_place() {
    let bench = Bench::with([
        calls(&[
            ("r1", "Look", r#"{"wait":"one"}"#),
            ("r2", "Look", "{}"),
            ("w1", "Change", r#"{"wait":"two"}"#),
            ("w2", "Change", "{}"),
            ("r3", "Look", r#"{"wait":"three"}"#),
            ("r4", "Look", "{}"),
            ("w3", "Change", "{}"),
        ]),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    live.send("go");
    bench.log.wait(&["start r1", "end r2"]).await;
    // The writer waits for the reader before it.
    assert!(!bench.log.lines().contains(&"start w1".to_owned()));
    bench.log.gate("one").open();
    bench.log.wait(&["start w1"]).await;
    assert!(bench.log.lines().contains(&"end r1".to_owned()));
    bench.log.gate("two").open();
    bench.log.wait(&["start r3", "end r4"]).await;
    let after: Vec<_> = bench.log.lines().into_iter().skip(4).collect();
    assert_eq!(after[..4], ["start w1", "end w1", "start w2", "end w2"]);
    bench.log.gate("three").open();
    let heard = live.end().await;
    heard.finished();
    assert_eq!(bench.log.lines().last().unwrap(), "end w3");
    answered_once(&heard, &live).await;
}

#[tokio::test]
async fn results_are_told_as_they_come() {
    let bench = Bench::with([
        calls(&[("slow", "Look", r#"{"wait":"g"}"#), ("quick", "Look", "{}")]),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    live.send("go");
    let is_result = |message: &_| {
        matches!(message, kimi_tui::protocol::Message::Event(Event::ToolResult { .. }))
    };
    let first = live.until("the quick result", is_result).await;
    assert_eq!(first.results()[0].0, "quick");
    bench.log.gate("g").open();
    live.end().await.finished();
}

#[tokio::test]
async fn calls_that_cannot_run_are_answered() {
    let bench = Bench::with([
        calls(&[
            ("unknown", "Nope", "{}"),
            ("torn", "Look", r#"{"say": "#),
            ("wrong", "Look", r#"{"panic": "maybe"}"#),
            ("array", "Look", "[1]"),
            ("fails", "Change", r#"{"fail": true}"#),
            ("fine", "Look", ""),
        ]),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    answered_once(&heard, &live).await;
    let bad: Vec<String> = heard
        .results()
        .into_iter()
        .filter(|(_, value)| value.is_error)
        .map(|(id, value)| {
            assert!(!value.message.is_empty());
            id
        })
        .collect();
    assert_eq!(bad.len(), 5, "{bad:?}");
    assert_eq!(bench.log.lines(), ["start fails", "end fails", "start fine", "end fine"]);
}

#[tokio::test]
async fn a_tool_that_panics_fails_its_call_alone() {
    let bench = Bench::with([
        calls(&[
            ("a", "Look", r#"{"panic": true}"#),
            ("b", "Look", "{}"),
            ("c", "Change", r#"{"panic": true}"#),
            ("d", "Change", "{}"),
        ]),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    answered_once(&heard, &live).await;
    for (id, value) in heard.results() {
        assert_eq!(value.is_error, ["a", "c"].contains(&id.as_str()), "{id}");
        assert_eq!(value.is_error, value.message.contains("tool is probably not working"));
        let short = DisplayBlock::Brief { text: "Tool runtime error".into() };
        assert_eq!(value.is_error, value.display == [short], "{value:?}");
    }
    // The session is as it was.
    bench.model.reply([text("more")]);
    live.prompt("and?").await.finished();
}

#[tokio::test]
async fn ids_that_are_empty_or_taken_are_replaced_everywhere() {
    let bench = Bench::with([
        calls(&[
            ("same", "Look", r#"{"say":"1"}"#),
            ("same", "Look", r#"{"say":"2"}"#),
            ("", "Change", r#"{"say":"3"}"#),
            ("", "Change", r#"{"say":"4"}"#),
            ("same", "Look", r#"{"say":"5"}"#),
        ]),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    assert_eq!(heard.calls().len(), 5);
    answered_once(&heard, &live).await;
    let mut said: Vec<String> =
        heard.results().into_iter().map(|(_, value)| value.output.text()).collect();
    said.sort();
    assert_eq!(said, ["1", "2", "3", "4", "5"]);
    // After a resume the next request is in order too.
    let (session, stored) = (live.handle.session().clone(), live.stored().await);
    live.handle.shutdown(None).await;
    let live = bench.reopen(session);
    assert_eq!(live.stored().await, stored);
}

#[tokio::test]
async fn fifty_calls_in_a_step() {
    let arguments: Vec<String> = (0..50).map(|n| format!(r#"{{"say":"{n}"}}"#)).collect();
    let ids: Vec<String> = (0..50).map(|n| format!("c{n}")).collect();
    let wanted: Vec<(&str, &str, &str)> = (0..50)
        .map(|n| {
            (ids[n].as_str(), if n % 7 == 0 { "Change" } else { "Look" }, arguments[n].as_str())
        })
        .collect();
    let bench = Bench::with([calls(&wanted), vec![text("ok")]]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    assert_eq!(heard.calls(), ids);
    answered_once(&heard, &live).await;
}

#[tokio::test]
async fn pieces_of_calls_that_interleave_with_each_other_and_with_text() {
    let more = |index, arguments: &str| {
        Say::Delta(Delta::ToolCall { index, id: None, name: None, arguments: arguments.into() })
    };
    let bench = Bench::with([
        vec![
            text("A "),
            call_at(0, "a", "Look", r#"{"say""#),
            call_at(1, "b", "Look", r#"{"say":"#),
            text("in between"),
            more(0, r#":"1"#),
            more(1, r#""2"}"#),
            more(0, r#""}"#),
        ],
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    let said: Vec<String> =
        heard.results().into_iter().map(|(_, value)| value.output.text()).collect();
    assert_eq!(said, ["1", "2"]);
    assert_eq!(heard.text(), "A in betweenok");
    // Whoever puts the pieces together as they come gets whole calls: so does the record.
    let path = live.handle.session().wire_path();
    live.handle.shutdown(None).await;
    let wire = std::fs::read_to_string(path).unwrap();
    for whole in [r#"{\"say\":\"1\"}"#, r#"{\"say\":\"2\"}"#] {
        assert!(wire.contains(whole), "{wire}");
    }
}

#[tokio::test]
async fn a_rejection_ends_the_turn_and_the_rest_is_not_run() {
    let bench = Bench::with([calls(&[
        ("a", "Change", r#"{"ask":"edit file"}"#),
        ("b", "Change", "{}"),
        ("c", "Look", "{}"),
    ])]);
    let mut live = bench.open();
    live.send("go");
    let (before, request) = live.asked().await;
    live.answer(&request.id, Verdict::Reject, " ");
    let after = live.end().await;
    assert_eq!(after.outcome(), &Outcome::Finished { stop: StopReason::ToolRejected });
    assert_eq!(bench.log.lines(), ["start a", "rejected a"]);
    let heard = Heard(before.0.into_iter().chain(after.0).collect());
    answered_once(&heard, &live).await;
    assert!(heard.results().iter().all(|(_, value)| value.is_error));
    assert_eq!(bench.model.asked().len(), 1);
}

#[tokio::test]
async fn a_rejection_with_feedback_goes_on() {
    let bench = Bench::with([
        calls(&[("a", "Change", r#"{"ask":"edit file"}"#), ("b", "Change", "{}")]),
        vec![text("I see.")],
    ]);
    let mut live = bench.open();
    live.send("go");
    let (before, request) = live.asked().await;
    live.answer(&request.id, Verdict::Reject, "use tabs");
    let after = live.end().await;
    after.finished();
    let heard = Heard(before.0.into_iter().chain(after.0).collect());
    answered_once(&heard, &live).await;
    assert_eq!(bench.log.lines(), ["start a", "rejected a", "start b", "end b"]);
    let stored = live.stored().await;
    assert!(stored[2].starts_with("a> ") && stored[2].contains("use tabs"), "{stored:?}");
}

#[tokio::test]
async fn a_fault_in_the_turn_itself_leaves_a_session_that_goes_on() {
    let bench = Bench::with([
        calls(&[("a", "Look", "{}"), ("b", "Look", r#"{"panic_early": true}"#)]),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    let Outcome::Failed(failure) = heard.outcome() else { panic!("{:?}", heard.outcome()) };
    assert_eq!(failure.kind, FailureKind::Internal);
    let lines = heard.lines();
    assert_eq!(lines[lines.len() - 2], "TurnEnd");
    // The calls that nobody answered are, before anything else is said.
    live.prompt("again").await.finished();
    let stored = live.stored().await;
    assert_eq!(stored.len(), 6);
    for (line, id) in stored[2..4].iter().zip(["a", "b"]) {
        assert!(line.starts_with(&format!("{id}> ")) && line.contains("interrupted"), "{line}");
    }
    assert_eq!(stored[4..], ["user: again", "assistant: ok"]);
}
