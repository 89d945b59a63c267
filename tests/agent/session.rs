//! What belongs to the session rather than to a turn.

use std::sync::{Arc, Barrier};

use kimi_tui::protocol::{
    ContentPart, Event, FailureKind, MediaUrl, Message, Op, Outcome, StopReason, UserInput,
};

use super::bench::{Bench, Gate, Say, calls, text};

#[tokio::test]
async fn a_session_is_open_before_it_has_a_system_prompt_and_the_first_request_waits_for_it() {
    let mut bench = Bench::with([vec![text("Hello.")]]);
    let slow = Arc::new(Barrier::new(2));
    bench.prompt_waits = Some(Arc::clone(&slow));
    let mut live = bench.open();
    live.send("hi");
    assert_eq!(live.handle.context_tokens().await, 0);
    assert!(bench.model.asked().is_empty());
    tokio::task::spawn_blocking(move || slow.wait()).await.unwrap();
    live.end().await.finished();
    assert_eq!(bench.model.asked()[0].system, "You are a test.");
    let record = std::fs::read_to_string(live.handle.session().context_path()).unwrap();
    assert!(
        record.starts_with(r#"{"role": "_system_prompt", "content": "You are a test."}"#),
        "{record}"
    );
}

#[tokio::test]
async fn a_second_prompt_while_one_runs_is_refused_at_once() {
    let gate = Gate::new();
    let bench = Bench::with([vec![Say::Wait(gate.clone()), text("one")], vec![text("two")]]);
    let mut live = bench.open();
    live.send("first");
    live.send("second");
    let heard = live.end().await;
    let Some(Message::Outcome { op_id, outcome: Outcome::Failed(failure) }) = heard.0.last() else {
        panic!("{:?}", heard.0.last());
    };
    assert_eq!((op_id.as_str(), failure.kind), ("p2", FailureKind::Internal));
    assert!(failure.message.contains("already in progress"), "{}", failure.message);
    gate.open();
    live.end().await.finished();
    live.prompt("third").await.finished();
    assert_eq!(bench.model.asked().len(), 2);
}

#[tokio::test]
async fn messages_given_to_a_turn_come_between_its_steps_in_order() {
    let bench =
        Bench::with([calls(&[("a", "Look", r#"{"wait":"g"}"#)]), vec![text("I heard you.")]]);
    let mut live = bench.open();
    live.send("go");
    bench.log.wait(&["start a"]).await;
    for words in ["also this", "and that"] {
        live.handle.submit(Op::Steer { input: UserInput::from(words) });
    }
    bench.log.gate("g").open();
    let heard = live.end().await;
    heard.finished();
    let lines = heard.lines();
    let at = lines.iter().position(|line| line == "steer: also this").unwrap();
    assert_eq!(
        lines[at - 1..at + 3],
        ["result a ok", "steer: also this", "steer: and that", "step 2"]
    );
    assert_eq!(live.stored().await[2..5], ["a> done", "user: also this", "user: and that"]);
    // One user message for the model.
    assert_eq!(bench.model.asked()[1].messages.len(), 4);
}

#[tokio::test]
async fn a_message_at_the_end_makes_the_turn_go_on() {
    let gate = Gate::new();
    let bench = Bench::with([vec![text("one"), Say::Wait(gate.clone())], vec![text("two")]]);
    let mut live = bench.open();
    live.send("go");
    live.until("text", |m| matches!(m, Message::Event(Event::ContentPart(_)))).await;
    live.handle.submit(Op::Steer { input: UserInput::from("wait") });
    // The op is taken before anything that is submitted later.
    live.handle.submit(Op::SetTitle { title: "t".into() });
    live.until("the title", |m| matches!(m, Message::Event(Event::SessionInfo(_)))).await;
    gate.open();
    let heard = live.end().await;
    heard.finished();
    assert_eq!(live.stored().await, ["user: go", "assistant: one", "user: wait", "assistant: two"]);
}

#[tokio::test]
async fn too_many_steps() {
    let mut bench = Bench::with((0..9).map(|n| {
        let arguments = format!(r#"{{"say":"{n}"}}"#);
        calls(&[("a", "Look", &arguments)])
    }));
    bench.limits.max_steps_per_turn = 3;
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    assert_eq!(heard.outcome(), &Outcome::MaxStepsReached { steps: 3 });
    assert_eq!(bench.model.asked().len(), 3);
    assert_eq!(live.stored().await.len(), 7);
}

#[tokio::test]
async fn a_model_that_goes_round_in_circles_is_told_and_stopped() {
    let bench = Bench::with((0..20).map(|_| calls(&[("a", "Look", r#"{"say":"x"}"#)])));
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    assert_eq!(heard.outcome(), &Outcome::Finished { stop: StopReason::ToolCallRepeat });
    let stored = live.stored().await;
    let said: Vec<&String> = stored.iter().filter(|line| line.starts_with("a> ")).collect();
    assert_eq!(said.len(), 12);
    let reminded = |n: usize| said[n - 1].contains("<system-reminder>");
    assert!(!reminded(2) && reminded(3) && reminded(5));
    assert!(said[4].contains("Look") && said[4].contains("call 5"), "{}", said[4]);
    assert!(said[7].contains("Stop calling tools") && said[11].contains("Stop calling tools"));
    // Nobody else is: it is no output of the tool.
    let shown = heard.results().into_iter().map(|(_, value)| value.output.text());
    assert!(shown.into_iter().all(|text| !text.contains("system-reminder")));
    // The next turn begins afresh.
    let bench = Bench::with((0..2).map(|_| calls(&[("a", "Look", r#"{"say":"x"}"#)])));
    bench.model.reply([text("ok")]);
    bench.open().prompt("go").await.finished();
}

#[tokio::test]
async fn the_first_turn_that_ends_well_names_the_session() {
    let bench = Bench::with([vec![text("one")], vec![text("two")]]);
    let mut live = bench.open();
    live.prompt("/yolo").await;
    assert_eq!(live.handle.info().title, None);
    let heard = live.prompt("  fix\n the   bug ").await;
    assert_eq!(live.handle.info().title.as_deref(), Some("fix the bug"));
    assert!(heard.events().any(|event| matches!(
        event,
        Event::SessionInfo(info) if info.title.as_deref() == Some("fix the bug")
    )));
    live.prompt("something else").await;
    assert_eq!(live.handle.info().title.as_deref(), Some("fix the bug"));
    live.handle.submit(Op::SetTitle { title: "Mine".into() });
    live.until("the title", |m| matches!(m, Message::Event(Event::SessionInfo(_)))).await;
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    assert_eq!(bench.reopen(session).handle.info().title.as_deref(), Some("Mine"));
}

#[tokio::test]
async fn the_last_answer_is_in_a_file_when_the_turn_ends() {
    let bench = Bench::with([
        vec![text("first\n"), text("\u{1b}[31mas written\r\n")],
        calls(&[("a", "Look", "{}")]),
        vec![text("second")],
    ]);
    let mut live = bench.open();
    let path = live.handle.session().last_answer_path();
    live.prompt("one").await;
    let whole = "first\n\u{1b}[31mas written\r\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    live.prompt("two").await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "second\n");
    assert_eq!(live.handle.last_answer().await.as_deref(), Some("second"));
}

#[tokio::test]
async fn another_model_answers_from_the_next_step_on() {
    let bench = Bench::with([calls(&[("a", "Look", r#"{"wait":"g"}"#)])]);
    bench.other.reply([text("from the other")]);
    bench.other.reply([text("again")]);
    let mut live = bench.open();
    live.send("go");
    bench.log.wait(&["start a"]).await;
    live.handle.submit(Op::SetModel { model: Some("other".into()), thinking: Some(true) });
    live.until("the model", |message| {
        matches!(message, Message::Event(Event::SessionInfo(info))
            if info.model.as_deref() == Some("other") && info.thinking)
    })
    .await;
    bench.log.gate("g").open();
    let heard = live.end().await;
    heard.finished();
    assert_eq!(heard.text(), "from the other");
    // One that is not there changes nothing.
    live.handle.submit(Op::SetModel { model: Some("nobody".into()), thinking: None });
    live.prompt("more").await.finished();
    assert_eq!(live.handle.info().model.as_deref(), Some("other"));
    // It gets the whole conversation, with the same system prompt.
    let (first, other) = (bench.model.asked(), bench.other.asked());
    assert_eq!(other[0].messages[..1], first[0].messages[..]);
    assert_eq!(other[0].system, first[0].system);
}

#[tokio::test]
async fn all_subscribers_hear_the_same() {
    let bench = Bench::with([
        vec![text("Let me see."), super::bench::call_at(0, "a", "Look", "{}")],
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    let mut other = live.handle.subscribe();
    let heard = live.prompt("go").await;
    for message in &heard.0 {
        assert_eq!(other.recv().await.as_deref(), Some(message));
    }
    // One that has gone away holds up nobody.
    drop(other);
    bench.model.reply([text("ok")]);
    live.prompt("more").await.finished();
}

#[tokio::test]
async fn unknown_commands_are_answered_without_the_model() {
    let bench = Bench::new();
    let mut live = bench.open();
    let heard = live.prompt("/nope now").await;
    assert_eq!(heard.text(), "Unknown slash command \"/nope\".");
    assert_eq!(heard.lines()[0], "turn: /nope now");
    assert_eq!(bench.model.asked().len(), 0);
}

#[tokio::test]
async fn a_message_that_came_too_late_for_its_turn_is_in_no_other() {
    let bench = Bench::with([vec![Say::Wait(Gate::new())], vec![text("ok")]]);
    let mut live = bench.open();
    live.send("go");
    live.until("the step", |m| matches!(m, Message::Event(Event::StepBegin { .. }))).await;
    live.handle.submit(Op::Steer { input: UserInput::from("left over") });
    live.handle.submit(Op::Cancel);
    live.end().await;
    live.handle.submit(Op::Steer { input: UserInput::from("later still") });
    let heard = live.prompt("next").await;
    heard.finished();
    // Nobody was told that it was taken in: who has sent it has it still.
    assert_eq!(heard.lines()[..2], ["turn: next", "step 1"]);
    assert_eq!(live.stored().await[3..], ["user: next", "assistant: ok"]);
}

fn picture() -> ContentPart {
    let url = MediaUrl { url: "data:image/png;base64,AAAA".into(), id: None };
    ContentPart::ImageUrl { image_url: url }
}

#[tokio::test]
async fn a_picture_that_the_model_cannot_take() {
    let bench = Bench::with([calls(&[("a", "Look", r#"{"wait":"g"}"#)]), vec![text("ok")]]);
    let mut live = bench.open();
    // As a prompt it is refused, and nothing is stored.
    let input = UserInput::Parts(vec![ContentPart::text("see"), picture()]);
    live.handle.submit(Op::Prompt { id: "p".into(), input: input.clone() });
    let heard = live.end().await;
    let Outcome::Failed(failure) = heard.outcome() else { panic!("{:?}", heard.outcome()) };
    assert_eq!(failure.kind, FailureKind::LlmNotSupported);
    assert_eq!(
        failure.message,
        "LLM model 'first-id' does not support required capability: image_in."
    );
    assert_eq!(live.stored().await, Vec::<String>::new());
    // Given to a running turn it does not stop the work.
    live.send("go");
    bench.log.wait(&["start a"]).await;
    live.handle.submit(Op::Steer { input });
    bench.log.gate("g").open();
    live.end().await.finished();
    let stored = live.stored().await;
    assert!(stored[3].starts_with("user: see[1 attached media left out"), "{stored:?}");
}
