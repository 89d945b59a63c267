//! What the model is told of things that happened.

use kimi_tui::protocol::Notification;
use kimi_tui::store::{Delivery, DeliveryStatus, NotificationRecord, NotificationStore, Session};

use super::bench::{Bench, brief, calls, text};

/// Puts a notification into the record of a session, as an earlier process has left it.
fn left_behind(session: &Session, id: &str, delivery: &Delivery) {
    let event = Notification {
        id: id.to_owned(),
        category: "system".to_owned(),
        kind: "system.note".to_owned(),
        source_kind: "system".to_owned(),
        source_id: "s".to_owned(),
        title: format!("title of {id}"),
        body: "It happened.".to_owned(),
        severity: "info".to_owned(),
        created_at: 1.0,
        payload: serde_json::Value::Null,
    };
    let targets = vec!["llm".to_owned()];
    let record = NotificationRecord { version: 1, event, targets, dedupe_key: None };
    assert!(NotificationStore::new(&session.dir).add(&record, delivery).unwrap());
}

/// A bench with a session that has ended.
async fn session(bench: &Bench) -> Session {
    let live = bench.open();
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    session
}

/// How many notifications a request holds, each a message of its own.
fn told(bench: &Bench, n: usize) -> usize {
    let messages = &bench.model.asked()[n].messages;
    messages.iter().filter(|message| brief(message).starts_with("user: <notification id=")).count()
}

#[tokio::test]
async fn four_are_told_with_one_request_and_the_others_with_the_next() {
    let look = calls(&[("a", "Look", "{}")]);
    let bench = Bench::with([look, vec![text("done")], vec![text("again")]]);
    let session = session(&bench).await;
    for n in 0..6 {
        left_behind(&session, &format!("n0000000{n}"), &Delivery::default());
    }
    let mut live = bench.reopen(session.clone());
    live.prompt("go").await.finished();
    assert_eq!((told(&bench, 0), told(&bench, 1)), (4, 6));
    live.handle.shutdown(None).await;
    let mut live = bench.reopen(session);
    live.prompt("go on").await.finished();
    assert_eq!(told(&bench, 2), 6, "none is told twice");
}

#[tokio::test]
async fn what_another_process_has_claimed_is_told_once_it_is_stale() {
    let bench = Bench::with([vec![text("one")]]);
    let session = session(&bench).await;
    let claimed = |at: f64| {
        let mut delivery = Delivery::default();
        delivery.sinks.llm.status = DeliveryStatus::Claimed;
        delivery.sinks.llm.claimed_at = Some(at);
        delivery
    };
    left_behind(&session, "n00000001", &claimed(1.0));
    left_behind(&session, "n00000002", &claimed(4e9));
    let mut live = bench.reopen(session);
    live.prompt("go").await.finished();
    assert_eq!(told(&bench, 0), 1);
    assert!(brief(&bench.model.asked()[0].messages[1]).contains("n00000001"));
}
