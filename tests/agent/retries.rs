//! Requests that fail.

use std::time::Duration;

use kimi_tui::llm::{FinishReason, LlmError};
use kimi_tui::protocol::{Event, Failure, FailureKind, Outcome};
use tokio::time::Instant;

use super::bench::{Bench, Heard, Say, calls, finish, status, text, think};

fn retries(heard: &Heard) -> Vec<(u32, u32, u32, f64, String, Option<u16>)> {
    heard
        .events()
        .filter_map(|event| match event {
            Event::StepRetry { n, next_attempt, max_attempts, wait_s, error_type, status_code } => {
                let error_type = error_type.clone();
                Some((*n, *next_attempt, *max_attempts, *wait_s, error_type, *status_code))
            }
            _ => None,
        })
        .collect()
}

fn failure(heard: &Heard) -> &Failure {
    match heard.outcome() {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

fn connection() -> Say {
    Say::Fail(LlmError::Connection("the connection broke".into()))
}

#[tokio::test]
async fn a_retry_is_told_with_everything_a_screen_needs() {
    let bench = Bench::with([
        vec![think("hm"), text("Par"), connection()],
        vec![status(503, "busy")],
        vec![text("Whole.")],
    ]);
    let mut live = bench.open();
    let began = Instant::now();
    let heard = live.prompt("hello").await;
    heard.finished();
    assert_eq!(
        retries(&heard),
        [
            (1, 2, 3, 0.3, "APIConnectionError".to_owned(), None),
            (1, 3, 3, 0.6, "APIStatusError".to_owned(), Some(503)),
        ]
    );
    assert!(began.elapsed() >= Duration::from_millis(900));
    // Nothing of the failed attempt stays.
    assert_eq!(live.stored().await, ["user: hello", "assistant: Whole."]);
    let asked = bench.model.asked();
    assert_eq!(asked[0].messages, asked[2].messages);
}

#[tokio::test]
async fn attempts_end() {
    let bench = Bench::with((0..9).map(|_| vec![connection()]));
    let mut live = bench.open();
    let heard = live.prompt("hello").await;
    assert_eq!(bench.model.asked().len(), 3);
    let failure = failure(&heard);
    assert_eq!(failure.kind, FailureKind::Provider { status: None, retryable: true });
    assert!(failure.message.contains("the connection broke") && failure.hint.is_some());
    let lines = heard.lines();
    assert_eq!(&lines[lines.len() - 3..lines.len() - 1], ["StepInterrupted", "TurnEnd"]);
    // Another prompt gets attempts of its own.
    let heard = live.prompt("again").await;
    assert_eq!((bench.model.asked().len(), retries(&heard).len()), (6, 2));
}

#[tokio::test]
async fn a_busy_server_is_tried_five_times() {
    let bench = Bench::with((0..9).map(|_| vec![status(429, "slow down")]));
    let mut live = bench.open();
    let heard = live.prompt("hello").await;
    assert_eq!(bench.model.asked().len(), 5);
    let last = retries(&heard).pop().unwrap();
    assert_eq!((last.1, last.2), (5, 5));
    assert_eq!(failure(&heard).kind, FailureKind::Provider { status: Some(429), retryable: true });
}

#[tokio::test]
async fn the_server_says_how_long_to_wait() {
    let busy = LlmError::Status {
        code: 429,
        message: "slow down".into(),
        request_id: None,
        retry_after: Some(Duration::from_millis(1_200)),
    };
    let bench = Bench::with([vec![Say::Fail(busy)], vec![text("ok")]]);
    let mut live = bench.open();
    let began = Instant::now();
    let heard = live.prompt("hello").await;
    assert_eq!(retries(&heard)[0].3, 1.2);
    assert!(began.elapsed() >= Duration::from_millis(1_200));
}

#[tokio::test]
async fn permanent_errors_are_tried_once() {
    for code in [400, 401, 402, 403, 404, 413, 422] {
        let bench = Bench::with((0..3).map(|_| vec![status(code, "no")]));
        let mut live = bench.open();
        let heard = live.prompt("hello").await;
        assert_eq!(bench.model.asked().len(), 1, "{code}");
        assert_eq!(retries(&heard), []);
        let failure = failure(&heard);
        let kind = FailureKind::Provider { status: Some(code), retryable: false };
        assert_eq!((failure.kind, failure.message.lines().count()), (kind, 1));
        assert!(failure.message.contains(&code.to_string()), "{}", failure.message);
    }
}

#[tokio::test]
async fn empty_answers_and_thinking_alone_are_tried_again() {
    let bench =
        Bench::with([vec![], vec![think("hm")], vec![text(" \n"), finish(FinishReason::Length)]]);
    let mut live = bench.open();
    let heard = live.prompt("hello").await;
    assert_eq!(bench.model.asked().len(), 3);
    let types: Vec<String> = retries(&heard).into_iter().map(|retry| retry.4).collect();
    assert_eq!(types, ["APIEmptyResponseError", "APIEmptyResponseError"]);
    let failure = failure(&heard);
    assert_eq!(failure.kind, FailureKind::Provider { status: None, retryable: true });
    assert_eq!(live.stored().await[0], "user: hello");
    assert_eq!(live.stored().await.len(), 2, "nothing of those answers is kept");
}

#[tokio::test]
async fn calls_of_a_failed_attempt_never_run() {
    let mut torn = calls(&[("a", "Change", r#"{"say":"1"}"#)]);
    torn.push(connection());
    let bench =
        Bench::with([torn, calls(&[("b", "Change", r#"{"say":"1"}"#)]), vec![text("done")]]);
    let mut live = bench.open();
    let heard = live.prompt("hello").await;
    heard.finished();
    assert_eq!(bench.log.lines(), ["start b", "end b"]);
    assert_eq!(live.stored().await[1], "assistant:  [b]");
}

#[tokio::test]
async fn a_failed_turn_leaves_a_session_that_goes_on() {
    let bench =
        Bench::with([calls(&[("a", "Look", "{}")]), vec![status(400, "no")], vec![text("better")]]);
    let mut live = bench.open();
    let heard = live.prompt("one").await;
    assert!(matches!(heard.outcome(), Outcome::Failed(_)));
    live.prompt("two").await.finished();
    assert_eq!(
        live.stored().await,
        ["user: one", "assistant:  [a]", "a> done", "user: two", "assistant: better"]
    );
}

#[tokio::test]
async fn without_a_model_nothing_is_stored() {
    let mut bench = Bench::new();
    bench.no_model = true;
    let mut live = bench.open();
    let heard = live.prompt("hello").await;
    assert_eq!(failure(&heard).kind, FailureKind::LlmNotSet);
    assert_eq!(failure(&heard).message, "LLM not set");
    assert_eq!(live.stored().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_that_was_cut_says_so() {
    let bench = Bench::with([vec![text("Half"), finish(FinishReason::Length)]]);
    let mut live = bench.open();
    let heard = live.prompt("hello").await;
    heard.finished();
    assert!(heard.text().starts_with("Half\n\n[The answer was cut"), "{}", heard.text());
    assert_eq!(live.stored().await[1], "assistant: Half");
}

/// Whatever was sent once stays at the beginning of all that is sent later: it is in the provider's
/// cache.
#[tokio::test]
async fn a_turn_that_failed_stays_as_it_was_sent() {
    let bench = Bench::with([vec![status(401, "no")], vec![text("two")], vec![text("three")]]);
    let mut live = bench.open();
    live.prompt("first").await;
    live.prompt("second").await.finished();
    live.prompt("third").await.finished();
    let asked = bench.model.asked();
    for pair in asked.windows(2) {
        assert_eq!(pair[1].messages[..pair[0].messages.len()], pair[0].messages[..]);
    }
    let roles: Vec<_> = asked[2].messages.iter().map(|message| message.role).collect();
    assert!(roles.windows(2).all(|pair| pair[0] != pair[1]), "{roles:?}");
    assert_eq!(live.handle.last_answer().await.as_deref(), Some("three"));
}
