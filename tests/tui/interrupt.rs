//! Esc and Ctrl-C, at every moment of a turn.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::{Kimi, World, composed, count, unhurried};
use crate::support::model_server::{Gate, Reply};
use crate::support::screen::{is_busy, is_idle};

const KEYS: [&str; 2] = ["\x1b", "\x03"];
/// What the closing row of a stopped turn begins with.
const INTERRUPTED: &str = " • Interrupted after ";

fn interrupted(kimi: &Kimi) -> Vec<String> {
    let rows = kimi.wait_for_history("the closing row", |rows| count(rows, INTERRUPTED) == 1);
    kimi.wait_for_rows("the prompt", is_idle);
    rows
}

/// The next turn works and its request has a note that the user stopped the one before.
fn goes_on(world: &World, kimi: &mut Kimi) -> Vec<Value> {
    let rows = kimi.turn("go on");
    assert!(rows.iter().any(|row| row == "• Onward."), "{rows:?}");
    let requests = world.server().requests();
    let last = requests.last().expect("a request");
    let messages = last.body["messages"].as_array().expect("messages").clone();
    let told = |message: &Value| {
        message["role"] == "user" && message.to_string().contains("interrupted the previous turn")
    };
    assert!(messages.iter().any(told), "{messages:#?}");
    assert_eq!(last.last_user_text().matches("go on").count(), 1);
    messages
}

#[test]
fn before_the_headers() {
    for key in KEYS {
        let world = World::new(vec![Reply::hang(), Reply::new().text("Onward.")]);
        let mut kimi = world.start(&[]);
        kimi.ask("go");
        world.server().wait_for(1);
        assert!(is_busy(&kimi.wait_text("Working…")));
        kimi.send(key);
        interrupted(&kimi);
        goes_on(&world, &mut kimi);
    }
}

#[test]
fn while_it_thinks() {
    for key in KEYS {
        let world = World::new(vec![
            Reply::new().think("Hm, let me see.").stall(),
            Reply::new().text("Onward."),
        ]);
        let mut kimi = world.start(&[]);
        kimi.ask("go");
        kimi.wait_text("Hm, let me see.");
        kimi.send(key);
        let rows = interrupted(&kimi);
        assert_eq!(count(&rows, "• Thought"), 1, "{rows:?}");
        goes_on(&world, &mut kimi);
    }
}

#[test]
fn while_it_writes() {
    for key in KEYS {
        let world = World::new(vec![
            Reply::new().text("The beginning of an ans").stall(),
            Reply::new().text("Onward."),
        ]);
        let mut kimi = world.start(&[]);
        kimi.ask("go");
        kimi.wait_text("The beginning of an ans");
        kimi.send(key);
        let rows = interrupted(&kimi);
        assert_eq!(count(&rows, "The beginning of an ans"), 1, "{rows:?}");
        let messages = goes_on(&world, &mut kimi);
        let partial = messages.iter().find(|message| message["role"] == "assistant");
        let partial = partial.expect("the partial answer").to_string();
        assert!(partial.contains("The beginning of an ans"), "{partial}");
    }
}

#[test]
fn an_endless_answer_stops_at_once() {
    let world =
        World::new(vec![Reply::new().endless("more and more\n"), Reply::new().text("Onward.")]);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("more and more");
    kimi.send("\x1b");
    interrupted(&kimi);
    goes_on(&world, &mut kimi);
}

#[test]
fn while_a_command_runs_with_all_its_descendants() {
    for key in KEYS {
        // The grandchild ignores what a polite end would send it.
        let command = "trap '' INT TERM HUP; (trap '' INT TERM HUP; sleep 300 & echo $! > pid; wait) & \
                       echo started; wait";
        let world = World::with_config(
            vec![
                Reply::new().tool_call("c1", "Shell", &json!({"command": command}).to_string()),
                Reply::new().text("Onward."),
            ],
            "default_yolo = true",
        );
        let mut kimi = world.start(&[]);
        kimi.ask("run it");
        kimi.wait_text("│ started");
        let pid = pid_in(&world);
        assert!(alive(pid));
        kimi.send(key);
        let rows = interrupted(&kimi);
        assert!(rows.iter().any(|row| row.starts_with(" • Used Shell")), "{rows:?}");
        gone(pid);
        let messages = goes_on(&world, &mut kimi);
        let answers = messages.iter().filter(|message| message["role"] == "tool").count();
        assert_eq!(answers, 1, "{messages:#?}");
    }
}

/// The process id that the command has written, as soon as it is there.
fn pid_in(world: &World) -> i32 {
    let path = world.work().join("pid");
    wait_until("the pid file", || {
        std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok())
    })
}

fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended: its parent in the container may never ask.
    !stat.is_empty() && !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))
}

/// Waits until the process has ended.
pub(super) fn gone(pid: i32) {
    wait_until("the end of a process", || (!alive(pid)).then_some(()));
}

/// Looks until there is something; nothing tells of a file or of a process that is not ours.
pub(super) fn wait_until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "waited for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn while_it_waits_to_try_again() {
    for key in KEYS {
        let busy = Reply::status(429, json!({"error": {"message": "slow down"}}));
        let world =
            World::new(vec![busy.header("retry-after", "600"), Reply::new().text("Onward.")]);
        let mut kimi = world.start(&[]);
        kimi.ask("go");
        kimi.wait_text("Retrying…");
        kimi.send(key);
        interrupted(&kimi);
        assert_eq!(world.server().requests().len(), 1);
        goes_on(&world, &mut kimi);
    }
}

#[test]
fn in_an_approval_nothing_runs() {
    for key in KEYS {
        let world = World::new(vec![
            unhurried().tool_call("c1", "Shell", r#"{"command":"touch ran"}"#),
            Reply::new().text("Onward."),
        ]);
        let mut kimi = world.start(&[]);
        kimi.ask("go");
        kimi.wait_text("1. Approve once");
        kimi.send(key);
        kimi.wait_closed(1);
        assert!(!world.work().join("ran").exists());
        let rows = kimi.turn("go on");
        assert!(rows.iter().any(|row| row == "• Onward."), "{rows:?}");
    }
}

#[test]
fn a_draft_survives_and_a_queue_waits() {
    let world =
        World::new(vec![Reply::new().text("Beginning.\n\n").stall(), Reply::new().text("Onward.")]);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("Beginning.");
    kimi.type_line("later");
    kimi.wait_text("❯ later");
    kimi.send("draft");
    kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("draft"));
    kimi.send("\x1b");
    kimi.wait_for_history("the closing row", |rows| count(rows, INTERRUPTED) == 1);
    let rows = kimi.wait_for_rows("both", |rows| {
        count(rows, "❯ later") == 1 && composed(rows).starts_with("draft")
    });
    assert!(!is_busy(&rows), "{rows:?}");
    assert_eq!(world.server().requests().len(), 1);
    // An empty Enter sends what waits.
    kimi.send("\x15");
    kimi.wait_for_rows("an empty composer", |rows| !composed(rows).starts_with("draft"));
    kimi.send("\r");
    kimi.wait_closed(2);
    assert!(world.server().requests()[1].last_user_text().ends_with("\nlater"));
}

#[test]
fn a_second_press_does_not_leave_the_program() {
    let gate = Gate::new();
    let world = World::new(vec![
        Reply::new().text("Beginning.\n\n").wait(&gate).text("x"),
        Reply::new().text("Onward."),
    ]);
    let mut kimi = world.start(&[]);
    kimi.ask("go");
    kimi.wait_text("Beginning.");
    kimi.send("\x1b\x1b\x1b");
    interrupted(&kimi);
    goes_on(&world, &mut kimi);
}
