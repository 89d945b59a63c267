//! The schema of an MCP tool is shown once in a conversation. What takes it out of the conversation
//! makes it new again.

use kimi_tui::agent::Target;
use kimi_tui::config::McpMode;
use kimi_tui::mcp::dispatch::Dispatch;
use kimi_tui::protocol::{Op, Outcome, RewindRequest, RewindScope};
use serde_json::json;

use super::bench::{Bench, Heard, Live, Say, calls, text};
use crate::mcp::server::Script;
use crate::mcp::world::World;

const SEARCH: &str = r#"{"query":"repeat a text"}"#;

fn search(id: &str) -> Vec<Say> {
    calls(&[(id, "mcp_search", SEARCH)])
}

/// A session with a server, whose model has these replies.
async fn live(replies: impl IntoIterator<Item = Vec<Say>>) -> (Bench, World, Live) {
    let world = World::new(json!({"s": Script::new().entry()})).settled().await;
    let bench = Bench { dmail: true, ..Bench::with(replies) };
    let dispatch = Dispatch::new(world.servers.clone(), McpMode::Deferred);
    *bench.dispatch.lock().unwrap() = Some(dispatch);
    let live = bench.open();
    (bench, world, live)
}

/// For each search, whether the schema was shown in its result.
fn shown(heard: &Heard) -> Vec<bool> {
    let results = heard.results().into_iter().map(|(_, value)| value.output.text());
    results
        .filter(|text| text.contains("echo"))
        .map(|text| {
            let earlier = text.contains("schema shown earlier");
            assert_ne!(earlier, text.contains("\"text\": string*"), "{text}");
            !earlier
        })
        .collect()
}

/// A turn with two searches, which show the schema once.
async fn twice(live: &mut Live) {
    assert_eq!(shown(&live.prompt("look").await), [true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clear_forgets() {
    let turn = || [search("a"), search("b"), vec![text("seen")]];
    let (_bench, _world, mut live) = live(turn().into_iter().chain(turn())).await;
    twice(&mut live).await;
    live.prompt("/clear").await;
    twice(&mut live).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_forgets() {
    let turn = || [search("a"), search("b"), vec![text("seen")]];
    let between = [vec![text("more")], vec![text("THE SUMMARY")]];
    let replies = turn().into_iter().chain(between).chain(turn());
    let (_bench, _world, mut live) = live(replies).await;
    twice(&mut live).await;
    live.prompt("more").await.finished();
    assert!(live.prompt("/compact").await.text().contains("has been compacted"));
    twice(&mut live).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_the_past_forgets() {
    let mail = r#"{"message":"look again","checkpoint_id":1}"#;
    let (_bench, _world, mut live) = live([
        search("a"),
        search("b"),
        calls(&[("c", "SendDMail", mail)]),
        search("d"),
        vec![text("seen")],
    ])
    .await;
    assert_eq!(shown(&live.prompt("look").await), [true, false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewind_forgets() {
    let turn = || [search("a"), search("b"), vec![text("seen")]];
    let (_bench, _world, mut live) = live(turn().into_iter().chain(turn())).await;
    twice(&mut live).await;
    let rewinder = live.handle.rewinder().expect("a rewinder");
    let plan = tokio::task::spawn_blocking(move || {
        let points = rewinder.points()?;
        rewinder.plan(Target::Point(points.points.first().expect("a turn").id))
    });
    let plan = plan.await.unwrap().unwrap();
    let request = RewindRequest {
        plan: plan.id,
        scope: RewindScope::Conversation,
        keep: Vec::new(),
        keep_files: Vec::new(),
    };
    live.handle.submit(Op::Rewind { id: "back".to_owned(), request });
    assert!(matches!(live.end().await.outcome(), Outcome::Finished { .. }));
    twice(&mut live).await;
}
