//! Cancelling, at each moment of a turn.

use kimi_tui::llm::LlmError;
use kimi_tui::protocol::{Event, Message, Op, Outcome};

use super::bench::{Bench, Gate, Heard, Live, Say, calls, text, think};

const NOTE: &str = "The user interrupted the previous turn";

/// Cancels and returns the rest of the turn, after checks that hold for each cancelled turn.
async fn cancelled(live: &mut Live) -> Heard {
    live.handle.submit(Op::Cancel);
    let heard = live.end().await;
    assert_eq!(heard.outcome(), &Outcome::Cancelled);
    let lines = heard.lines();
    assert_eq!(lines[lines.len() - 2], "TurnEnd");
    assert!(!lines.iter().any(|line| line.contains("StepInterrupted")), "{lines:?}");
    let stored = live.stored().await;
    assert!(stored.last().unwrap().contains(NOTE), "{stored:?}");
    heard
}

/// The session takes the next prompt; the model's strict check looks at the conversation.
async fn goes_on(bench: &Bench, live: &mut Live) {
    bench.model.reply([text("going on")]);
    live.prompt("go on").await.finished();
}

fn is_text(wanted: &str) -> impl Fn(&Message) -> bool {
    move |message| match message {
        Message::Event(Event::ContentPart(part)) => part.as_text() == Some(wanted),
        _ => false,
    }
}

#[tokio::test]
async fn before_the_first_piece() {
    let bench = Bench::with([vec![Say::Wait(Gate::new()), text("never")]]);
    let mut live = bench.open();
    live.send("hello");
    live.until("the step", |m| matches!(m, Message::Event(Event::StepBegin { .. }))).await;
    cancelled(&mut live).await;
    let stored = live.stored().await;
    assert!(stored.len() == 3 && stored[1].contains("no answer"), "{stored:#?}");
    goes_on(&bench, &mut live).await;
}

#[tokio::test]
async fn in_mid_text_what_was_said_stays() {
    let bench = Bench::with([vec![think("hm"), text("Half an "), Say::Wait(Gate::new())]]);
    let mut live = bench.open();
    live.send("hello");
    live.until("text", is_text("Half an ")).await;
    cancelled(&mut live).await;
    assert_eq!(live.stored().await[1], "assistant: (hm)Half an ");
    assert_eq!(live.handle.last_answer().await.unwrap(), "Half an ");
    goes_on(&bench, &mut live).await;
    // The model is told what it said and that it was stopped.
    let last = bench.model.asked().pop().unwrap();
    let said = serde_json::to_string(&last.messages).unwrap();
    assert!(said.contains("Half an ") && said.contains(NOTE), "{said}");
}

#[tokio::test]
async fn in_mid_thinking_nothing_is_answered() {
    let bench = Bench::with([vec![think("hm"), Say::Wait(Gate::new())]]);
    let mut live = bench.open();
    live.send("hello");
    let thinks = |m: &Message| matches!(m, Message::Event(Event::ContentPart(_)));
    live.until("thinking", thinks).await;
    cancelled(&mut live).await;
    goes_on(&bench, &mut live).await;
}

#[tokio::test]
async fn calls_of_an_unfinished_message_never_run() {
    let mut says = vec![text("I will. ")];
    says.extend(calls(&[("a", "Change", "{}"), ("b", "Change", "{")]));
    says.push(Say::Wait(Gate::new()));
    let bench = Bench::with([says]);
    let mut live = bench.open();
    live.send("hello");
    live.until("the call", |m| matches!(m, Message::Event(Event::ToolCall(_)))).await;
    cancelled(&mut live).await;
    assert_eq!(bench.log.lines(), Vec::<String>::new());
    assert_eq!(live.stored().await[1], "assistant: I will. ");
    goes_on(&bench, &mut live).await;
}

#[tokio::test]
async fn during_a_call() {
    let bench = Bench::with([calls(&[
        ("a", "Look", r#"{"say":"seen"}"#),
        ("b", "Change", r#"{"wait":"never"}"#),
        ("c", "Change", "{}"),
        ("d", "Nope", "{}"),
    ])]);
    let mut live = bench.open();
    live.send("hello");
    live.until("output", |m| matches!(m, Message::Event(Event::ToolOutput { .. }))).await;
    let heard = cancelled(&mut live).await;
    // The tool was told and given time; what came later did not start.
    assert_eq!(bench.log.lines(), ["start a", "end a", "start b", "cancelled b"]);
    assert_eq!(heard.results(), []);
    let stored = live.stored().await;
    assert_eq!(stored[2], "a> seen");
    assert!(
        stored[3].contains("interrupted this call")
            && stored[3].contains("may still be running")
            && stored[3].contains("half of it")
    );
    for not_run in &stored[4..6] {
        assert!(not_run.contains("before this call started"), "{stored:?}");
    }
    goes_on(&bench, &mut live).await;
}

#[tokio::test]
async fn during_calls_that_run_together() {
    let bench = Bench::with([calls(&[
        ("a", "Look", r#"{"wait":"never"}"#),
        ("b", "Look", r#"{"say":"seen"}"#),
        ("c", "Look", r#"{"wait":"never"}"#),
    ])]);
    let mut live = bench.open();
    live.send("hello");
    bench.log.wait(&["start a", "end b", "start c"]).await;
    live.until("a result", |m| matches!(m, Message::Event(Event::ToolResult { .. }))).await;
    cancelled(&mut live).await;
    let stored = live.stored().await;
    assert_eq!(stored.iter().filter(|line| line.contains("interrupted this call")).count(), 2);
    assert!(stored.contains(&"b> seen".to_owned()));
    goes_on(&bench, &mut live).await;
}

#[tokio::test]
async fn while_a_person_is_asked() {
    let bench =
        Bench::with([calls(&[("a", "Change", r#"{"ask":"edit file"}"#), ("b", "Change", "{}")])]);
    let mut live = bench.open();
    live.send("hello");
    live.asked().await;
    let heard = cancelled(&mut live).await;
    // Dialogs close: the request is answered for everybody.
    assert!(heard.lines().iter().any(|line| line.starts_with("Reject")), "{:?}", heard.lines());
    assert!(!bench.log.lines().contains(&"start b".to_owned()));
    goes_on(&bench, &mut live).await;
}

#[tokio::test]
async fn while_waiting_for_the_next_attempt() {
    let busy = LlmError::Status {
        code: 503,
        message: "busy".into(),
        request_id: None,
        retry_after: Some(std::time::Duration::from_secs(60)),
    };
    let bench = Bench::with([vec![Say::Fail(busy)]]);
    let mut live = bench.open();
    live.send("hello");
    live.until("a retry", |m| matches!(m, Message::Event(Event::StepRetry { .. }))).await;
    let before = tokio::time::Instant::now();
    cancelled(&mut live).await;
    assert!(before.elapsed().as_secs() < 60, "{:?}", before.elapsed());
    assert_eq!(bench.model.asked().len(), 1);
}

#[tokio::test]
async fn cancelling_nothing_does_nothing() {
    let bench = Bench::with([vec![text("ok")]]);
    let mut live = bench.open();
    live.handle.submit(Op::Cancel);
    live.prompt("hello").await.finished();
    live.handle.submit(Op::Cancel);
    bench.model.reply([text("ok")]);
    live.prompt("again").await.finished();
}

#[tokio::test]
async fn a_shutdown_in_mid_call_leaves_a_whole_record() {
    let bench =
        Bench::with([calls(&[("a", "Change", r#"{"ask":"edit file"}"#), ("b", "Change", "{}")])]);
    let mut live = bench.open();
    live.send("hello");
    live.asked().await;
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    let mut rest = Vec::new();
    while let Some(message) = live.messages.recv().await {
        rest.push(Message::clone(&message));
    }
    let rest = Heard(rest);
    assert_eq!(rest.outcome(), &Outcome::Cancelled);
    assert!(rest.lines().contains(&"TurnEnd".to_owned()), "{:?}", rest.lines());
    let mut live = bench.reopen(session);
    assert_eq!(live.stored().await.len(), 5);
    assert_eq!(live.handle.warnings, Vec::<String>::new());
    goes_on(&bench, &mut live).await;
}
