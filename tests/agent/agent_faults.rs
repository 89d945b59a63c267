//! What the caller of a subagent that failed is told.

use kimi_tui::llm::LlmError;
use serde_json::json;

use super::bench::{Bench, Say, status, text};
use super::subagents::{agent, agents, bench, brief, folders, meta, result, shell};

/// The result of an agent whose model says this.
async fn failed(bench: &Bench, replies: impl IntoIterator<Item = Vec<Say>>) -> (String, String) {
    bench.model.reply(agents(&[agent("c1", "TASK", json!({}))]));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("TASK", replies);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    let value = result(&heard, "c1");
    assert!(value.is_error, "{value:?}");
    let folder = folders(&live).remove(0);
    assert_eq!(meta(&folder)["status"], "failed");
    // Who it was is told all the same, so that it can go on.
    let id = folder.file_name().unwrap().to_str().unwrap();
    let head =
        format!("agent_id: {id}\nresumed: false\nactual_subagent_type: coder\nstatus: failed");
    assert_eq!(value.output.text(), head);
    let log = std::fs::read_to_string(folder.join("output")).unwrap();
    assert!(log.ends_with(&format!("[error] {}\n", value.message)), "{log}");
    (value.message.clone(), brief(&value))
}

/// A bench where nothing is tried again.
fn impatient() -> Bench {
    let mut bench = bench();
    bench.limits.max_retries_per_step = Some(1);
    bench
}

#[tokio::test]
async fn a_status_of_the_server_is_told_as_one() {
    for code in [400, 429, 500] {
        let (message, brief) = failed(&impatient(), [vec![status(code, "so it is")]]).await;
        let begin = format!("The agent's model refused (HTTP {code}): ");
        assert!(message.starts_with(&begin) && message.contains("so it is"), "{message}");
        assert_eq!(brief, format!("LLM API error (HTTP {code})"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_the_providers_fault() {
    let broken = Say::Fail(LlmError::Connection("the line is cut".into()));
    let (message, brief) = failed(&impatient(), [vec![broken]]).await;
    assert!(message.starts_with("The agent's model failed: "), "{message}");
    assert!(message.contains("the line is cut"), "{message}");
    assert_eq!(brief, "LLM provider error");
}

#[tokio::test]
async fn an_answer_with_nothing_in_it_is_the_providers_fault() {
    let (message, brief) = failed(&impatient(), [vec![text(" \n")]]).await;
    assert!(message.starts_with("The agent's model failed: "), "{message}");
    assert_eq!(brief, "LLM provider error");
}

#[tokio::test]
async fn limits_have_their_own_words() {
    let mut few = impatient();
    few.limits.max_steps_per_turn = 2;
    let steps = (0..3).map(|n| shell(&format!("s{n}"), &format!("echo {n}")));
    let (message, brief) = failed(&few, steps).await;
    assert!(message.contains("its limit of 2 steps") && message.contains("Resume"), "{message}");
    assert_eq!(brief, "Max steps reached");
    let circles = (0..40).map(|n| shell(&format!("s{n}"), "echo again"));
    let (_, brief) = failed(&impatient(), circles).await;
    assert_eq!(brief, "Stopped in a loop");
}
