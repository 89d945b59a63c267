//! Hooks in a session of this process: what they change in its turns.

use kimi_tui::config::Hook;
use kimi_tui::protocol::{Event, HookEvent, Message, Op, Outcome, Request, StopReason, Verdict};

use crate::agent::bench::{Bench, Heard, Live, calls, status, text};

fn hook(event: HookEvent, command: &str) -> Hook {
    let (matcher, command) = (String::new(), command.to_owned());
    Hook { event, command, matcher, timeout: 30, fail_closed: false }
}

/// A hook that keeps what it is given.
fn listener(event: HookEvent) -> Hook {
    hook(event, "line=$(cat); printf '%s\\n' \"$line\" >> heard")
}

/// One field of what the listeners were given.
fn heard(bench: &Bench, field: &str) -> Vec<serde_json::Value> {
    let lines = crate::support::program::json_lines(&bench.work_dir().join("heard"));
    lines.iter().map(|line| line[field].clone()).collect()
}

fn turns(heard: &Heard) -> (usize, usize) {
    let begins = heard.events().filter(|event| matches!(event, Event::TurnBegin { .. }));
    let ends = heard.events().filter(|event| matches!(event, Event::TurnEnd {}));
    (begins.count(), ends.count())
}

fn asks(heard: &Heard) -> usize {
    heard.0.iter().filter(|message| matches!(message, Message::Request(_))).count()
}

const ASK: &str = r#"{"ask":"run command"}"#;

#[tokio::test]
async fn a_stop_hook_has_one_more_turn_and_guards_hold_in_it() {
    let mut bench = Bench::with([
        vec![text("one")],
        calls(&[("c", "Change", "{}")]),
        vec![text("two")],
        vec![text("never")],
    ]);
    bench.hooks = vec![
        hook(
            HookEvent::Stop,
            "line=$(cat); printf '%s\\n' \"$line\" >> heard; echo 'test it first' >&2; exit 2",
        ),
        hook(HookEvent::PreToolUse, "echo 'not even now' >&2; exit 2"),
    ];
    let mut live = bench.open();
    let told = live.prompt("go").await;
    told.finished();
    assert_eq!(turns(&told), (2, 2));
    assert_eq!(told.text(), "onetwo");
    assert_eq!(heard(&bench, "stop_hook_active"), [false, true]);
    assert_eq!(bench.log.lines(), Vec::<String>::new());
    let stored = live.stored().await;
    assert_eq!(stored[..3], ["user: go", "assistant: one", "user: test it first"]);
    assert!(stored[4].contains("not even now"), "{stored:?}");
    assert_eq!(bench.model.asked().len(), 3);
}

#[tokio::test]
async fn a_stop_hook_without_a_reason_stops_nothing() {
    let mut bench = Bench::with([vec![text("one")]]);
    bench.hooks = vec![hook(HookEvent::Stop, "exit 2")];
    bench.open().prompt("go").await.finished();
    assert_eq!(bench.model.asked().len(), 1);
}

#[tokio::test]
async fn a_forbidden_prompt_never_enters_the_conversation() {
    let mut bench = Bench::with([vec![text("fine")]]);
    let command = "grep -q secret && { echo 'no secrets here' >&2; exit 2; }; exit 0";
    bench.hooks = vec![hook(HookEvent::UserPromptSubmit, command), listener(HookEvent::Stop)];
    let mut live = bench.open();
    let told = live.prompt("the secret is 7").await;
    assert_eq!(told.outcome(), &Outcome::Finished { stop: StopReason::Command });
    assert_eq!((told.text().as_str(), turns(&told)), ("no secrets here", (1, 1)));
    assert!(live.stored().await.is_empty());
    assert!(bench.model.asked().is_empty());
    assert!(heard(&bench, "stop_hook_active").is_empty());
    live.prompt("hello").await.finished();
    assert_eq!(live.stored().await, ["user: hello", "assistant: fine"]);
}

/// Nobody has written what tasks have found; a guard of prompts does not make it vanish.
#[tokio::test]
async fn what_tasks_have_found_is_no_prompt() {
    let mut bench = Bench::with([vec![text("seen")]]);
    bench.hooks = vec![hook(HookEvent::UserPromptSubmit, "exit 2")];
    let mut live = bench.open();
    live.see_to_tasks().await.finished();
    assert_eq!(bench.model.asked().len(), 1);
    assert_eq!(live.handle.info().title, None, "nor what the session is about");
}

#[tokio::test]
async fn what_hooks_tell_the_model_is_in_its_next_request() {
    let say =
        |text: &str| format!(r#"echo '{{"hookSpecificOutput":{{"additionalContext":"{text}"}}}}'"#);
    let mut bench = Bench::with([calls(&[("c", "Look", "{}")]), vec![text("done")]]);
    bench.hooks = vec![
        hook(HookEvent::SessionStart, &say("the start")),
        hook(HookEvent::UserPromptSubmit, &say("the prompt")),
        hook(HookEvent::PreToolUse, &say("the tool")),
    ];
    bench.open().prompt("go").await.finished();
    let asked = bench.model.asked();
    let words = |at: usize| {
        let messages = &asked[at].messages;
        messages.last().unwrap().text()
    };
    assert!(words(0).contains("A hook says: the start"), "{}", words(0));
    assert!(words(0).contains("A hook says: the prompt"), "{}", words(0));
    assert!(words(1).contains("the tool") && !words(1).contains("the prompt"), "{}", words(1));
    // What was sent before stays as it was.
    let first = serde_json::to_string(&asked[0].messages).unwrap();
    let second = serde_json::to_string(&asked[1].messages).unwrap();
    assert!(second.starts_with(first.trim_end_matches(']')));
}

#[tokio::test]
async fn failures_and_compactions_are_heard() {
    let mut bench = Bench::with([
        vec![status(400, "bad luck")],
        vec![text("one")],
        vec![text("two")],
        vec![text("THE SUMMARY")],
    ]);
    bench.hooks = [HookEvent::StopFailure, HookEvent::PreCompact, HookEvent::PostCompact]
        .map(listener)
        .to_vec();
    let mut live = bench.open();
    assert!(matches!(live.prompt("go").await.outcome(), Outcome::Failed(_)));
    live.prompt("first").await;
    live.prompt("second").await;
    live.prompt("/compact the tests").await;
    // Nobody waits for the last of them but the end.
    live.handle.shutdown(None).await;
    let mut events: Vec<String> =
        heard(&bench, "hook_event_name").iter().map(|name| name.to_string()).collect();
    events.sort();
    assert_eq!(events, ["\"PostCompact\"", "\"PreCompact\"", "\"StopFailure\""]);
    let all = |field: &str| {
        heard(&bench, field).into_iter().filter(|value| !value.is_null()).collect::<Vec<_>>()
    };
    assert_eq!(all("error_type"), ["APIStatusError"]);
    assert!(all("error_message")[0].as_str().unwrap().contains("bad luck"));
    assert_eq!(all("trigger"), ["manual-with-prompt", "manual-with-prompt"]);
    assert!(all("token_count")[0].as_u64().unwrap() > 0);
    assert!(all("estimated_token_count")[0].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn hooks_come_before_dialogs() {
    let mut bench = Bench::with([calls(&[("a", "Change", ASK)]), vec![text("ok")]]);
    bench.hooks = vec![hook(HookEvent::PreToolUse, "exit 2")];
    let told = bench.open().prompt("go").await;
    told.finished();
    assert_eq!(asks(&told), 0);
    assert!(told.results()[0].1.message.contains("does not allow this call of Change"));
}

async fn answered(command: &str) -> (Bench, Heard) {
    let mut bench = Bench::with([calls(&[("a", "Change", ASK)]), vec![text("ok")]]);
    bench.hooks = vec![hook(HookEvent::PermissionRequest, command)];
    let mut live: Live = bench.open();
    live.send("go");
    let until = |message: &Message| {
        matches!(message, Message::Outcome { .. } | Message::Request(Request::ApprovalRequest(_)))
    };
    let heard = live.until("an end or a question", until).await;
    if let Some(Message::Request(request)) = heard.0.last() {
        live.answer(request.id(), Verdict::Approve, "");
        live.end().await.finished();
    }
    (bench, heard)
}

#[tokio::test]
async fn a_permission_hook_answers_for_the_person_or_leaves_it_to_them() {
    let (_, told) = answered("echo 'ask me in person' >&2; exit 2").await;
    told.finished();
    assert_eq!(asks(&told), 0);
    assert!(told.results()[0].1.message.contains("ask me in person"));
    let allow = r#"echo '{"hookSpecificOutput":{"permissionDecision":"allow"}}'"#;
    let (bench, told) = answered(allow).await;
    assert_eq!((asks(&told), bench.log.lines().len()), (0, 2));
    let (_, told) = answered("exit 0").await;
    assert_eq!(asks(&told), 1);
}

#[tokio::test]
async fn a_cancel_ends_a_slow_hook_and_the_call_never_begins() {
    let mut bench = Bench::with([calls(&[("a", "Change", "{}"), ("b", "Change", "{}")])]);
    bench.hooks = vec![hook(HookEvent::PreToolUse, "sleep 60")];
    let mut live = bench.open();
    live.send("go");
    let triggered =
        |message: &Message| matches!(message, Message::Event(Event::HookTriggered { .. }));
    live.until("the hook", triggered).await;
    live.handle.submit(Op::Cancel);
    let told = live.end().await;
    assert_eq!(told.outcome(), &Outcome::Cancelled);
    assert!(told.events().any(|event| matches!(event, Event::HookResolved { .. })));
    assert_eq!(bench.log.lines(), Vec::<String>::new());
    let stored = live.stored().await;
    assert!(stored[2].starts_with("a> ") && stored[2].contains("Not run"), "{stored:?}");
    assert!(stored[3].starts_with("b> "), "{stored:?}");
}

#[tokio::test]
async fn a_session_that_only_hooks_heard_of_is_empty() {
    let mut bench = Bench::new();
    bench.hooks = [HookEvent::SessionStart, HookEvent::SessionEnd].map(listener).to_vec();
    let mut live = bench.open();
    let session = live.handle.session().clone();
    let resolved =
        |message: &Message| matches!(message, Message::Event(Event::HookResolved { .. }));
    live.until("the hook", resolved).await;
    live.handle.shutdown(None).await;
    assert_eq!(heard(&bench, "hook_event_name"), ["SessionStart", "SessionEnd"]);
    assert!(bench.store().is_empty(&session));
}

/// Nobody waits for what hears of a call that is over: it may take as long as it likes, and its refusal
/// comes too late.
#[tokio::test]
async fn what_hears_of_a_finished_call_holds_nothing_up() {
    let mut bench = Bench::with([
        calls(&[("a", "Look", "{}"), ("b", "Look", r#"{"fail": true}"#)]),
        vec![text("ok")],
    ]);
    let slow =
        "until [ -e open ]; do sleep 0.02; done; echo x >> after; echo 'too late' >&2; exit 2";
    bench.hooks = [HookEvent::PostToolUse, HookEvent::PostToolUseFailure]
        .map(|event| hook(event, slow))
        .to_vec();
    let mut live = bench.open();
    live.prompt("go").await.finished();
    assert!(!bench.work_dir().join("after").exists());
    let stored = live.stored().await;
    assert!(!stored.concat().contains("too late"), "{stored:?}");
    std::fs::write(bench.work_dir().join("open"), "").unwrap();
    live.handle.shutdown(None).await;
    let after = std::fs::read_to_string(bench.work_dir().join("after")).unwrap();
    assert_eq!(after.lines().count(), 2, "the end of the session waits for both");
}
