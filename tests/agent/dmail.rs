//! Messages of the model to its own past.

use kimi_tui::protocol::{Event, Op, Outcome, StopReason, Verdict};

use super::bench::{Bench, Say, brief, calls, text, usage};

fn bench(replies: impl IntoIterator<Item = Vec<Say>>) -> Bench {
    Bench { dmail: true, ..Bench::with(replies) }
}

fn mail(id: &str, checkpoint: u64) -> Vec<Say> {
    calls(&[(id, "SendDMail", &format!(r#"{{"message":"skip it","checkpoint_id":{checkpoint}}}"#))])
}

/// Short forms of what a request held.
fn asked(bench: &Bench, n: usize) -> Vec<String> {
    bench.model.asked()[n].messages.iter().map(brief).collect()
}

#[tokio::test]
async fn the_turn_goes_on_at_the_checkpoint() {
    let mut look = calls(&[("c1", "Look", r#"{"say":"noise"}"#)]);
    look.push(usage(900, 10));
    let bench = bench([look, mail("c2", 1), vec![text("Done.")]]);
    let mut live = bench.open();
    let heard = live.prompt("hello").await;
    heard.finished();
    // Every checkpoint is told, and what came after the chosen one is gone.
    assert_eq!(
        asked(&bench, 0),
        ["user: <system>CHECKPOINT 0</system>hello<system>CHECKPOINT 1</system>"]
    );
    assert_eq!(asked(&bench, 1).len(), 4);
    let after = asked(&bench, 2);
    assert_eq!(after.len(), 1, "{after:#?}");
    let (before, letter) = after[0].split_once("<system>A D-Mail").unwrap();
    assert_eq!(before, "user: <system>CHECKPOINT 0</system>hello<system>CHECKPOINT 1</system>");
    assert!(
        letter.ends_with("It says:\n\nskip it</system><system>CHECKPOINT 2</system>"),
        "{letter}"
    );
    // What front ends hear is not unsaid.
    assert_eq!(heard.calls(), ["c1", "c2"]);
    let filled: Vec<u64> = heard
        .events()
        .filter_map(|event| match event {
            Event::StatusUpdate(status) => status.counted.map(|(tokens, _)| tokens),
            _ => None,
        })
        .collect();
    assert!(filled.contains(&910) && filled.last() < Some(&910), "{filled:?}");
    // The record says the same, and the old one is kept.
    let session = live.handle.session().clone();
    let stored = live.stored().await;
    live.handle.shutdown(None).await;
    assert_eq!(bench.reopen(session.clone()).stored().await, stored);
    let old = std::fs::read_to_string(session.dir.join("context_1.jsonl")).unwrap();
    assert!(old.contains("noise"));
    let new = std::fs::read_to_string(session.context_path()).unwrap();
    assert!(!new.contains("noise") && new.contains("skip it"));
    let ids: Vec<&str> = new.lines().filter(|line| line.contains("_checkpoint")).collect();
    assert_eq!(ids.len(), 3, "{new}");
}

#[tokio::test]
async fn without_the_tool_no_checkpoint_is_told() {
    let bench = Bench::with([vec![text("Done.")]]);
    bench.open().prompt("hello").await.finished();
    assert_eq!(asked(&bench, 0), ["user: hello"]);
}

#[tokio::test]
async fn a_refused_mail_is_an_ordinary_result() {
    let bench = bench([mail("c1", 9), vec![text("Well.")]]);
    let mut live = bench.open();
    let heard = live.prompt("hello").await;
    heard.finished();
    assert!(heard.results()[0].1.message.contains("no checkpoint 9"));
    assert!(asked(&bench, 1).iter().any(|line| line.starts_with("c1> ")));
}

#[tokio::test]
async fn a_rejection_outweighs_the_mail() {
    let both = calls(&[
        ("c1", "SendDMail", r#"{"message":"skip it","checkpoint_id":0}"#),
        ("c2", "Change", r#"{"ask":"dig"}"#),
    ]);
    let bench = bench([both, vec![text("Well.")]]);
    let mut live = bench.open();
    live.send("hello");
    let (_, request) = live.asked().await;
    live.answer(&request.id, Verdict::Reject, "");
    let heard = live.end().await;
    assert_eq!(heard.outcome(), &Outcome::Finished { stop: StopReason::ToolRejected });
    live.prompt("and now?").await.finished();
    let stored = live.stored().await;
    assert!(stored.iter().any(|line| line.starts_with("c1> ")), "{stored:#?}");
    assert!(!stored.iter().any(|line| line.contains("A D-Mail from")), "{stored:#?}");
}

#[tokio::test]
async fn a_cancel_drops_the_mail() {
    let both = calls(&[
        ("c1", "SendDMail", r#"{"message":"skip it","checkpoint_id":0}"#),
        ("c2", "Look", r#"{"wait":"g"}"#),
    ]);
    let bench = bench([both, vec![text("Well.")]]);
    let mut live = bench.open();
    live.send("hello");
    live.until("the call", |message| format!("{message:?}").contains("waiting for g")).await;
    live.handle.submit(Op::Cancel);
    assert_eq!(live.end().await.outcome(), &Outcome::Cancelled);
    live.prompt("and now?").await.finished();
    assert!(!live.stored().await.iter().any(|line| line.contains("A D-Mail from")));
}

#[tokio::test]
async fn identical_mails_are_no_circle() {
    let mut replies: Vec<Vec<Say>> = (0..14).map(|n| mail(&format!("c{n}"), 1)).collect();
    replies.push(vec![text("Done.")]);
    let bench = bench(replies);
    bench.open().prompt("hello").await.finished();
    assert_eq!(bench.model.asked().len(), 15);
}

#[tokio::test]
async fn a_resumed_session_remembers_its_checkpoints() {
    let bench = bench([vec![text("One.")], mail("c1", 0), vec![text("Two.")]]);
    let mut live = bench.open();
    live.prompt("first").await.finished();
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    let mut live = bench.reopen(session);
    live.prompt("second").await.finished();
    let stored = live.stored().await;
    assert!(!stored.iter().any(|line| line.contains("first")), "{stored:#?}");
    assert!(stored.iter().any(|line| line.contains("second")), "what the turn is about stays");
    assert_eq!(stored.last().unwrap(), "assistant: Two.");
}

#[tokio::test]
async fn checkpoints_that_were_summarised_are_gone() {
    let bench = bench([
        vec![text("one")],
        vec![text("two")],
        vec![text("THE SUMMARY")],
        mail("c1", 3),
        mail("c2", 1),
        vec![text("Done.")],
    ]);
    let mut live = bench.open();
    live.prompt("first").await.finished();
    live.prompt("second").await.finished();
    live.prompt("/compact").await;
    let stored = live.stored().await;
    assert!(stored[0].contains("THE SUMMARY"), "{stored:#?}");
    assert_eq!(stored[1..], ["user: second", "assistant: two"]);
    let heard = live.prompt("third").await;
    heard.finished();
    let refused = &heard.results()[0].1;
    assert!(refused.message.contains("go from 1 to 2"), "{}", refused.message);
    let stored = live.stored().await;
    assert!(stored[0].contains("THE SUMMARY"), "{stored:#?}");
    assert!(!stored.iter().any(|line| line.starts_with("c1> ")), "{stored:#?}");
}

#[tokio::test]
async fn the_request_of_the_user_stays_whatever_the_checkpoint_is() {
    let bench =
        bench([vec![text("Hello.")], mail("c1", 0), vec![text("Done.")], vec![text("Said.")]]);
    let mut live = bench.open();
    live.prompt("first").await.finished();
    live.prompt("mend the bridge").await.finished();
    let after = asked(&bench, 2);
    assert_eq!(after.len(), 1, "{after:#?}");
    let (before, letter) = after[0].split_once("<system>A D-Mail").unwrap();
    assert!(before.contains("mend the bridge") && !before.contains("first"), "{before}");
    assert!(letter.contains("skip it"), "{letter}");
}
