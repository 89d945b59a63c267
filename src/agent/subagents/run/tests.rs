use super::*;
use crate::protocol::Spent;

/// Message and brief of a turn that has ended so.
fn fault(outcome: Outcome, last: Option<&str>) -> (String, String) {
    match said(outcome, last.map(str::to_owned)) {
        Err(Ended::Failed(fault)) => (fault.message, fault.brief),
        other => panic!("{other:?}"),
    }
}

fn failed(kind: FailureKind) -> Outcome {
    Outcome::Failed(Failure { kind, message: "no".to_owned(), hint: None })
}

fn finished(stop: StopReason) -> Outcome {
    Outcome::Finished { stop }
}

#[test]
fn what_it_says_last_is_its_report() {
    let ended = said(finished(StopReason::NoToolCalls), Some(" All done.\n".to_owned()));
    assert_eq!(ended, Ok(" All done.\n".to_owned()));
}

#[test]
fn every_failure_has_a_message_for_the_model_and_a_brief_for_a_person() {
    let provider = |status| failed(FailureKind::Provider { status, retryable: false });
    let spent = Spent::Tokens { limit: 10, used: 12 };
    for (outcome, last, message, brief) in [
        (
            finished(StopReason::NoToolCalls),
            None,
            "The agent ended without a message of its own.",
            "No valid assistant message",
        ),
        (
            finished(StopReason::NoToolCalls),
            Some(" \n"),
            "The agent ended with an empty message.",
            "Empty output",
        ),
        (
            finished(StopReason::ToolCallRepeat),
            Some("x"),
            "The agent made the same call over and over and was stopped.",
            "Stopped in a loop",
        ),
        (
            finished(StopReason::ToolRejected),
            Some("x"),
            "The agent ended without a report.",
            "No valid assistant message",
        ),
        (
            Outcome::MaxStepsReached { steps: 7 },
            Some("x"),
            "The agent reached its limit of 7 steps before it was done. Resume it to let it go on.",
            "Max steps reached",
        ),
        (
            Outcome::BudgetSpent(spent),
            Some("x"),
            "The budget of 10 tokens is spent (12 used).",
            "Budget spent",
        ),
        (
            provider(Some(429)),
            Some("x"),
            "The agent's model refused (HTTP 429): no",
            "LLM API error (HTTP 429)",
        ),
        (provider(None), Some("x"), "The agent's model failed: no", "LLM provider error"),
        (failed(FailureKind::Internal), Some("x"), "The agent failed: no", "Agent failed"),
        (failed(FailureKind::SignIn), Some("x"), "The agent failed: no", "Agent failed"),
    ] {
        assert_eq!(fault(outcome, last), (message.to_owned(), brief.to_owned()));
    }
}

#[test]
fn a_cancelled_turn_is_no_failure() {
    assert_eq!(said(Outcome::Cancelled, Some("half".to_owned())), Err(Ended::Stopped));
}
