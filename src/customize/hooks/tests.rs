use std::path::Path;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::oneshot;

use super::*;
use crate::platform::env::fixed;
use crate::protocol::HookResponse;

fn hook(command: &str) -> Hook {
    Hook {
        event: HookEvent::PreToolUse,
        command: command.to_owned(),
        matcher: String::new(),
        timeout: 30,
        fail_closed: false,
    }
}

fn shell() -> Occasion {
    Occasion::pre_tool_use(&ToolUse {
        name: "Shell".into(),
        input: json!({"command": "make"}),
        call_id: "call_7".into(),
    })
}

/// The hooks in this directory, and what they tell.
fn hooks(dir: &Path, all: &[Hook]) -> (Arc<Hooks>, Arc<Mutex<Vec<Event>>>) {
    let told: Arc<Mutex<Vec<Event>>> = Arc::default();
    let heard = Arc::clone(&told);
    let path = std::env::var("PATH").unwrap();
    let env = fixed::env(dir, &[("PATH", &path), ("KIMI_PLUGIN_CC_CMD", "rescue")]);
    let place = Place { env, session_id: "s1".into(), work_dir: dir.to_path_buf() };
    let hooks = Hooks::new(Arc::new(HookSet::new(all)), place, move |event| {
        heard.lock().unwrap().push(event);
    });
    (Arc::new(hooks), told)
}

async fn fire(all: &[Hook]) -> Verdict {
    let dir = tempfile::tempdir().unwrap();
    hooks(dir.path(), all).0.fire(shell()).await
}

fn block(reason: &str) -> Option<String> {
    Some(reason.to_owned())
}

#[tokio::test]
async fn a_command_gets_its_input_and_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (hooks, told) = hooks(
        dir.path(),
        &[hook("cat > in.json; pwd > pwd; echo \"$KIMI_PLUGIN_CC_CMD $KIMI_PARENT_PID\" > env")],
    );
    assert_eq!(hooks.fire(shell()).await, Verdict::default());
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let cwd = dir.path().display();
    assert_eq!(
        read("in.json"),
        format!(
            r#"{{"hook_event_name":"PreToolUse","session_id":"s1","cwd":"{cwd}","tool_name":"Shell","tool_input":{{"command":"make"}},"tool_call_id":"call_7"}}"#
        )
    );
    assert_eq!(read("pwd").trim(), dir.path().canonicalize().unwrap().to_str().unwrap());
    assert_eq!(read("env"), format!("rescue {}\n", std::process::id()));
    let (event, target) = ("PreToolUse".to_owned(), "Shell".to_owned());
    assert_eq!(
        *told.lock().unwrap(),
        [
            Event::HookTriggered { event: event.clone(), target: target.clone(), hook_count: 1 },
            Event::HookResolved {
                event,
                target,
                action: "allow".into(),
                reason: String::new(),
                duration_ms: 0
            },
        ]
    );
}

#[tokio::test]
async fn only_status_two_forbids() {
    for (command, expected) in [
        ("exit 0", None),
        ("exit 1", None),
        ("echo why >&2; exit 3", None),
        ("echo ' why ' >&2; exit 2", block("why")),
        ("echo out; exit 2", block("")),
        ("kill -9 $$", None),
        ("/nonexistent/guard", None),
        ("echo '{\"decision\":\"block\"}'; exit 1", None),
    ] {
        assert_eq!(fire(&[hook(command)]).await.block, expected, "{command}");
    }
}

#[tokio::test]
async fn a_hook_that_fails_closed_forbids_when_it_fails() {
    let closed = |command: &str| Hook { fail_closed: true, ..hook(command) };
    for (command, forbids) in [
        ("exit 0", false),
        ("echo fine", false),
        ("exit 1", true),
        ("/nonexistent/guard", true),
        ("kill -9 $$", true),
        ("echo '{'", true),
        ("printf '{'; yes | head -c 5000000", true),
        ("echo '{\"hookSpecificOutput\":[]}'", true),
    ] {
        assert_eq!(fire(&[closed(command)]).await.block.is_some(), forbids, "{command}");
    }
    let slow = Hook { timeout: 1, ..closed("sleep 30") };
    let reason = fire(&[slow]).await.block.unwrap();
    assert!(reason.contains("killed by its timeout (1s)"), "{reason}");
}

#[tokio::test]
async fn hostile_words_of_one_do_not_open_the_others() {
    let deny = r#"echo '{"hookSpecificOutput":{"permissionDecision":"deny","permissionDecisionReason":"no"}}'"#;
    for hostile in [
        r#"echo '{"hookSpecificOutput":"x"}'"#,
        r#"echo '{"hookSpecificOutput":{"permissionDecision":"allow"}}'"#,
        "yes '{' | head -c 3000000",
        "head -c 100000 /dev/urandom",
        "kill -9 $$",
    ] {
        let verdict = fire(&[hook(hostile), hook(deny), hook("exit 1")]).await;
        assert_eq!((verdict.block, verdict.allow), (block("no"), false), "{hostile}");
    }
}

#[tokio::test]
async fn the_first_in_the_configuration_gives_the_reason() {
    // The second is done first: it opens the way for the first.
    let first = "until [ -e second ]; do sleep 0.01; done; echo first >&2; exit 2";
    let second = "touch second; echo second >&2; exit 2";
    assert_eq!(fire(&[hook(first), hook(second)]).await.block, block("first"));
}

#[tokio::test]
async fn equal_commands_run_once_and_as_strictly_as_one_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let line = "echo x >> runs; exit 1";
    let strict = Hook { fail_closed: true, ..hook(line) };
    let (hooks, told) = hooks(dir.path(), &[hook(line), strict]);
    assert!(hooks.fire(shell()).await.block.is_some());
    assert_eq!(std::fs::read_to_string(dir.path().join("runs")).unwrap(), "x\n");
    assert!(matches!(told.lock().unwrap()[0], Event::HookTriggered { hook_count: 1, .. }));
}

#[tokio::test]
async fn only_who_wants_to_hear_is_asked() {
    let other = Hook { event: HookEvent::Stop, ..hook("exit 2") };
    let matcher = Hook { matcher: "WriteFile".into(), ..hook("exit 2") };
    let dir = tempfile::tempdir().unwrap();
    let (hooks, told) = hooks(dir.path(), &[other, matcher]);
    assert_eq!(hooks.fire(shell()).await, Verdict::default());
    assert!(told.lock().unwrap().is_empty());
    assert!(hooks.has(HookEvent::Stop) && !hooks.has(HookEvent::SessionEnd));
}

#[tokio::test]
async fn texts_for_the_model_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let line = r#"echo '{"hookSpecificOutput":{"additionalContext":"mind the gap"}}'"#;
    let (hooks, _) = hooks(dir.path(), &[hook(line)]);
    assert_eq!(hooks.fire(shell()).await, Verdict::default());
    assert_eq!(hooks.take_contexts(), ["mind the gap"]);
    assert!(hooks.take_contexts().is_empty());
}

#[tokio::test]
async fn every_agent_of_a_session_is_told_what_is_about_its_own_calls() {
    let dir = tempfile::tempdir().unwrap();
    let line = r#"echo '{"hookSpecificOutput":{"additionalContext":"mind the gap"}}'"#;
    let (root, told) = hooks(dir.path(), &[hook(line)]);
    let (one, other) = (root.for_agent(), root.for_agent());
    one.fire(shell()).await;
    assert!(root.take_contexts().is_empty() && other.take_contexts().is_empty());
    assert_eq!(one.take_contexts(), ["mind the gap"]);
    // What became of it everybody sees.
    assert_eq!(told.lock().unwrap().len(), 2);
    assert!(root.has(HookEvent::PreToolUse) && other.has(HookEvent::PreToolUse));
}

#[tokio::test]
async fn a_fire_that_is_given_up_kills_and_is_resolved() {
    let dir = tempfile::tempdir().unwrap();
    let (hooks, told) = hooks(dir.path(), &[hook("echo $$ > pid; sleep 60")]);
    let pid = dir.path().join("pid");
    let written = async {
        loop {
            if let Ok(text) = std::fs::read_to_string(&pid)
                && let Ok(pid) = text.trim().parse::<i32>()
            {
                break pid;
            }
            tokio::task::yield_now().await;
        }
    };
    let pid = tokio::select! {
        verdict = hooks.fire(shell()) => panic!("{verdict:?}"),
        pid = written => pid,
    };
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    // The runtime reaps it some time after the kill.
    while rustix::process::test_kill_process(pid).is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(told.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_end_waits_for_what_was_fired_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let post = Hook { event: HookEvent::PostCompact, ..hook("sleep 0.3; touch post") };
    let end = Hook { event: HookEvent::SessionEnd, ..hook("test -e post && touch end") };
    let (hooks, _) = hooks(dir.path(), &[post, end]);
    hooks.fire_later(Occasion::post_compact(CompactTrigger::Auto, 1));
    hooks.end().await;
    assert!(dir.path().join("post").exists() && dir.path().join("end").exists());
}

struct Client(Mutex<Option<oneshot::Sender<HookRequest>>>, Option<HookAction>);

#[async_trait]
impl HookClient for Client {
    async fn ask(&self, request: HookRequest) -> Option<HookResponse> {
        let request_id = request.id.clone();
        let asked = self.0.lock().unwrap().take();
        asked.unwrap().send(request).unwrap();
        match self.1 {
            Some(action) => Some(HookResponse { request_id, action, reason: "mine".into() }),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_client_is_asked_after_the_configured_ones() {
    let dir = tempfile::tempdir().unwrap();
    for (action, commands, expected) in [
        (Some(HookAction::Block), vec![hook("exit 0")], block("mine")),
        (Some(HookAction::Block), vec![hook("echo first >&2; exit 2")], block("first")),
        (Some(HookAction::Allow), vec![], None),
        // It does not answer in its time.
        (None, vec![], None),
    ] {
        let (hooks, told) = hooks(dir.path(), &commands);
        let (sender, asked) = oneshot::channel();
        let client = Arc::new(Client(Mutex::new(Some(sender)), action));
        let subscription = |event, matcher: &str| Subscription {
            id: "h1".into(),
            event,
            matcher: matcher.into(),
            timeout: 1,
            client: Arc::clone(&client) as Arc<dyn HookClient>,
        };
        hooks.subscribe([
            subscription(HookEvent::PreToolUse, "^Bash$"),
            subscription(HookEvent::PreToolUse, "["),
            subscription(HookEvent::Stop, ""),
        ]);
        assert_eq!(hooks.fire(shell()).await.block, expected);
        let request = asked.await.unwrap();
        assert_eq!((request.id.len(), request.subscription_id.as_str()), (12, "h1"));
        assert_eq!((request.event.as_str(), request.target.as_str()), ("PreToolUse", "Shell"));
        assert_eq!(request.input_data["tool_input"], json!({"command": "make"}));
        let count = u32::try_from(commands.len()).unwrap() + 1;
        let told = told.lock().unwrap();
        assert!(matches!(told[0], Event::HookTriggered { hook_count, .. } if hook_count == count));
    }
}

#[tokio::test]
async fn the_overview_tells_how_each_ended() {
    let dir = tempfile::tempdir().unwrap();
    let stop = Hook { event: HookEvent::Stop, ..hook("exit 0") };
    let (hooks, _) = hooks(dir.path(), &[hook("echo no >&2; exit 2"), stop, hook("exit 7")]);
    hooks.fire(shell()).await;
    let last: Vec<Option<String>> = hooks.view().into_iter().map(|view| view.last).collect();
    let told = |text: &str| Some(text.to_owned());
    assert_eq!(last, [told("blocked: no"), None, told("it ended with status 7")]);
    assert_eq!(hooks.configured(), [(HookEvent::PreToolUse, 2), (HookEvent::Stop, 1)]);
}
