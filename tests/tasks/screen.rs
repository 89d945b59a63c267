//! Tasks on the screen: Ctrl-B, the browser, the turn that begins by itself, the exit.

use serde_json::json;

use super::{background, record, result, runs, tasks_of, until_file, wait_for};
use crate::support::model_server::Reply;
use crate::support::screen::is_idle;
use crate::tui::world::{World, count};

#[test]
fn ctrl_b_sends_the_running_command_to_the_background() {
    let call = |command: &str| {
        let arguments = json!({"command": command, "timeout": 5});
        Reply::new().tool_call("c1", "Shell", &arguments.to_string())
    };
    let go = tempfile::tempdir().unwrap();
    let file = go.path().join("go");
    let world = World::new(vec![
        call(&until_file(&file)),
        Reply::new().text("It runs in the background."),
        Reply::new().text("And now it is done."),
    ]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.ask("start it");
    kimi.wait_text("pid ");
    kimi.send("\x02");
    kimi.wait_closed(1);
    let moved = result(&world.server().requests()[1]);
    assert!(moved.contains("task_id: bash-") && moved.contains("status: running"), "{moved}");
    assert!(moved.contains("pid "), "the output so far: {moved}");
    kimi.wait_text("⚙ bash: 1");
    let task = tasks_of(&world.session_dir()).remove(0);
    let pid = record(&task, "runtime.json")["child_pid"].as_i64().unwrap();
    assert!(runs(pid));
    std::fs::write(&file, "").unwrap();
    let rows = kimi.wait_closed(2);
    assert_eq!(count(&rows, "✓ Background task completed: echo pid"), 1, "{rows:#?}");
    assert_eq!(count(&rows, "[a background task has ended]"), 1, "{rows:#?}");
    assert_eq!(count(&rows, "And now it is done."), 1);
    kimi.wait_gone("⚙ bash: 1");
    let log = std::fs::read_to_string(task.join("output.log")).unwrap();
    assert_eq!(log, format!("pid {pid}\ngone on\n"), "nothing is lost or doubled");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn ctrl_b_at_rest_moves_the_cursor() {
    let world = World::new(vec![Reply::new().text("said")]);
    let mut kimi = world.start(&[]);
    kimi.send("ac\x02b");
    kimi.wait_text("abc");
}

#[test]
fn nothing_begins_by_itself_in_front_of_a_draft() {
    let go = tempfile::tempdir().unwrap();
    let file = go.path().join("go");
    let world = World::new(vec![
        background("c1", &until_file(&file)),
        Reply::new().text("launched"),
        Reply::new().text("seen to"),
    ]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.turn("start it");
    kimi.send("a draft");
    kimi.wait_text("a draft");
    std::fs::write(&file, "").unwrap();
    kimi.wait_text("Background task completed");
    // Longer than the pause after a key: only the draft holds it back now.
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert_eq!(world.server().requests().len(), 2);
    kimi.send("\x03");
    kimi.wait_closed(2);
    assert_eq!(world.server().requests().len(), 3);
}

/// A spent budget pauses for a person: what begins by itself would go on for ever.
#[test]
fn nothing_begins_by_itself_when_a_budget_is_spent() {
    let go = tempfile::tempdir().unwrap();
    let file = go.path().join("go");
    let world = World::new(vec![
        background("c1", &until_file(&file)).usage(90, 10, 0),
        Reply::new().text("launched").usage(90, 10, 0),
        Reply::new().text("seen to").usage(90, 10, 0),
    ]);
    let mut kimi = world.start(&["--yolo", "--max-tokens-total", "150"]);
    kimi.turn("start it");
    std::fs::write(&file, "").unwrap();
    kimi.wait_text("Background task completed");
    kimi.turn("go on");
    let requests = world.server().requests();
    assert_eq!(requests.len(), 3);
    // It is told with what the person has sent, and not before.
    let messages = requests[2].body["messages"].to_string();
    assert!(messages.contains("<notification id=") && messages.contains("go on"), "{messages}");
    assert!(!messages.contains("Background tasks have completed"), "{messages}");
}

#[test]
fn the_browser_shows_and_stops_a_task_in_80_columns() {
    let go = tempfile::tempdir().unwrap();
    let world = World::with_config(
        vec![
            background("c1", &until_file(&go.path().join("never"))),
            Reply::new().text("launched"),
            Reply::new().text("so it was stopped"),
        ],
        "",
    );
    let mut kimi = world.start_sized(&["--yolo"], (80, 24));
    kimi.turn("start it");
    kimi.type_line("/task");
    let rows =
        kimi.wait_for_rows("the output", |rows| rows.iter().any(|row| row.contains("│ pid ")));
    assert!(rows[0].contains("Background tasks · 1 running · 1 in all"), "{rows:#?}");
    assert!(rows.iter().any(|row| row.contains("❯ the job")), "{rows:#?}");
    assert!(rows[23].contains("s stop"), "{rows:#?}");
    kimi.send("s");
    kimi.wait_text("y stops it");
    kimi.send("n");
    kimi.wait_text("s stop");
    kimi.send("s");
    kimi.wait_text("y stops it");
    kimi.send("y");
    kimi.wait_text("killed");
    kimi.send("\r");
    kimi.wait_text("/ search");
    kimi.send("q");
    kimi.wait_text("esc close");
    kimi.send("q");
    kimi.wait_closed(2);
    let task = tasks_of(&world.session_dir()).remove(0);
    let runtime = record(&task, "runtime.json");
    assert_eq!(runtime["failure_reason"], "Stopped by the user");
}

#[test]
fn leaving_takes_two_presses_and_ends_the_tasks() {
    let go = tempfile::tempdir().unwrap();
    let world = World::new(vec![
        background("c1", &until_file(&go.path().join("never"))),
        Reply::new().text("launched"),
    ]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.turn("start it");
    let task = tasks_of(&world.session_dir()).remove(0);
    let pid = record(&task, "runtime.json")["child_pid"].as_i64().unwrap();
    kimi.send("\x04");
    kimi.wait_text("press again to leave");
    kimi.send("\x04");
    assert_eq!(kimi.wait_exit(), 0);
    let text = kimi.screen_text();
    assert!(text.contains("Stopped 1 background task:") && text.contains("the job"), "{text}");
    assert_eq!(record(&task, "runtime.json")["status"], "killed");
    assert!(!runs(pid));
}

#[test]
fn a_task_of_a_screen_that_was_killed_is_told_of_and_begins_no_turn() {
    let go = tempfile::tempdir().unwrap();
    let file = go.path().join("go");
    let arguments = json!({"command": until_file(&file), "timeout": 100}).to_string();
    let world = World::new(vec![
        Reply::new().tool_call("c1", "Shell", &arguments),
        Reply::new().text("moved"),
        Reply::new().text("I know of it."),
    ]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.ask("start it");
    kimi.wait_text("pid ");
    kimi.send("\x02");
    kimi.wait_closed(1);
    let session = world.session_dir();
    let task = tasks_of(&session).remove(0);
    let pid = record(&task, "runtime.json")["child_pid"].as_i64().unwrap();
    super::kill(kimi.pid().unwrap().into());
    kimi.wait_exit();
    let id = session.file_name().unwrap().to_str().unwrap().to_owned();
    let mut again = world.start(&["--yolo", "--session", &id]);
    again.wait_text("Background task lost");
    wait_for("the end of the command", || (!runs(pid)).then_some(()));
    assert_eq!(record(&task, "runtime.json")["status"], "lost");
    assert!(is_idle(&again.rows()));
    assert_eq!(world.server().requests().len(), 2);
    again.ask("what about it?");
    again.wait_text("I know of it.");
    let sent = world.server().requests()[2].body["messages"].to_string();
    assert!(sent.contains("task.lost"), "{sent}");
}
