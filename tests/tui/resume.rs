//! Going on with a session: `-C`, `-S ID`, the picker, after a kill.

use serde_json::json;

use super::interrupt::wait_until;
use super::world::{World, count};
use crate::support::model_server::{Recorded, Reply};
use crate::support::screen::is_idle;

fn world() -> World {
    World::new(|request: &Recorded, _| {
        Reply::new().text(format!("You said {}.", request.last_user_text()))
    })
}

fn id(world: &World) -> String {
    let directory = world.session_dir();
    directory.file_name().expect("a name").to_string_lossy().into_owned()
}

/// The user messages and answers of the last request, joined.
fn conversation(world: &World) -> String {
    let requests = world.server().requests();
    let messages = requests.last().expect("a request").body["messages"].clone();
    messages.as_array().expect("messages")[1..].iter().map(ToString::to_string).collect()
}

#[test]
fn the_last_session_goes_on() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.turn("apples");
    assert_eq!(kimi.exit(), 0);
    let id = id(&world);
    for arguments in [vec!["-C"], vec!["-S", &id], vec!["-r", &id], vec!["--continue"]] {
        let mut kimi = world.start(&arguments);
        let rows = kimi.rows();
        assert!(count(&rows, "tester@project💫 apples") == 1, "{arguments:?} {rows:?}");
        assert_eq!(count(&rows, "• You said apples."), 1, "{rows:?}");
        assert_eq!(count(&rows, "↺ Resumed session "), 1, "{rows:?}");
        assert!(rows.last().expect("a row").contains("(110/"), "{rows:?}");
        kimi.turn("pears");
        let told = conversation(&world);
        assert!(told.contains("apples") && told.contains("You said apples."), "{told}");
        assert_eq!(kimi.exit(), 0);
    }
}

#[test]
fn the_picker_lists_and_opens_sessions() {
    let world = world();
    for text in ["apples", "pears"] {
        let mut kimi = world.start(&[]);
        kimi.turn(text);
        assert_eq!(kimi.exit(), 0);
    }
    let mut kimi = world.spawn(env!("CARGO_BIN_EXE_kimi").as_ref(), &["-r"], &[], (100, 30));
    kimi.wait_for("the picker", |screen| {
        let text = screen.contents();
        screen.alternate_screen() && text.contains("apples") && text.contains("pears")
    });
    kimi.send("appl");
    kimi.wait_gone("pears");
    kimi.send("\r");
    let rows = kimi.wait_for_rows("the session", |rows| {
        is_idle(rows) && count(rows, "• You said apples.") == 1
    });
    assert_eq!(count(&rows, "pears"), 0, "{rows:?}");
    kimi.turn("plums");
    let told = conversation(&world);
    assert!(told.contains("You said apples.") && !told.contains("pears"), "{told}");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn closing_the_picker_leaves() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.turn("apples");
    assert_eq!(kimi.exit(), 0);
    let mut kimi = world.spawn(env!("CARGO_BIN_EXE_kimi").as_ref(), &["-r"], &[], (100, 30));
    kimi.wait_for("the picker", |screen| screen.alternate_screen());
    kimi.send("\x1b");
    assert_eq!(kimi.wait_exit(), 0);
}

#[test]
fn nothing_to_continue_is_one_line_and_status_2() {
    let world = world();
    let mut kimi = world.spawn(env!("CARGO_BIN_EXE_kimi").as_ref(), &["-C"], &[], (100, 30));
    assert_eq!(kimi.wait_exit(), 2);
    let rows = kimi.history();
    assert_eq!(count(&rows, "No previous session found"), 1, "{rows:?}");
    assert!(!String::from_utf8_lossy(&kimi.raw_bytes()).contains("\x1b[?2004h"));
}

#[test]
fn a_killed_program_forgets_nothing_that_was_finished() {
    let world = World::with_config(
        vec![
            Reply::new().text("Listed before.").tool_call("c1", "Glob", r#"{"pattern":"*.txt"}"#),
            Reply::new().text("Now the slow one.").tool_call(
                "c2",
                "Shell",
                &json!({"command": "touch started; sleep 300"}).to_string(),
            ),
            Reply::new().text("Back again."),
        ],
        "default_yolo = true",
    );
    world.file("kept.txt", "x");
    let mut kimi = world.start(&[]);
    kimi.ask("do it");
    wait_until("the command", || world.work().join("started").exists().then_some(()));
    kimi.kill();
    drop(kimi);

    let mut kimi = world.start(&["-C"]);
    let rows = kimi.history();
    assert_eq!(count(&rows, "tester@project💫 do it"), 1, "{rows:?}");
    assert_eq!(count(&rows, "• Listed before."), 1, "{rows:?}");
    assert_eq!(count(&rows, "• Now the slow one."), 1, "{rows:?}");
    kimi.turn("go on");
    let requests = world.server().requests();
    let messages = requests[2].body["messages"].as_array().expect("messages");
    let calls = messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten();
    for call in calls {
        let answers = messages.iter().filter(|message| message["tool_call_id"] == call["id"]);
        assert_eq!(answers.count(), 1, "{call}");
    }
    let of = |id: &str| {
        messages.iter().find(|message| message["tool_call_id"] == id).expect("a result").to_string()
    };
    assert!(of("c1").contains("kept.txt"), "{}", of("c1"));
    assert!(of("c2").to_lowercase().contains("interrupted"), "{}", of("c2"));
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn a_torn_record_is_mended() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.turn("apples");
    assert_eq!(kimi.exit(), 0);
    for name in ["context.jsonl", "wire.jsonl"] {
        let path = world.session_dir().join(name);
        let mut bytes = std::fs::read(&path).expect("a record");
        bytes.extend_from_slice(b"{\"role\": \"assistant\", \"content\": \"half a li");
        std::fs::write(&path, bytes).expect("written");
    }
    let mut kimi = world.start(&["-C"]);
    assert_eq!(count(&kimi.history(), "• You said apples."), 1);
    let rows = kimi.turn("pears");
    assert_eq!(count(&rows, "• You said pears."), 1, "{rows:?}");
    assert_eq!(kimi.exit(), 0);
}
