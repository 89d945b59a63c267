//! `/undo`, `/redo`, Esc Esc: conversation and files go back, and forth again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use super::interrupt::wait_until;
use super::world::{Kimi, World, composed, count};
use crate::support::model_server::{Recorded, Reply};
use crate::support::screen::is_idle;

/// `write FILE TEXT` and `sh COMMAND` are done, everything else is answered.
fn model(request: &Recorded, index: usize) -> Reply {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    if messages.last().is_some_and(|message| message["role"] == "tool") {
        return Reply::new().text("Done.");
    }
    let text = request.last_user_text();
    let line = text.lines().last().unwrap_or_default().to_owned();
    let id = format!("call-{index}");
    match line.split_once(' ') {
        Some(("write", rest)) => {
            let (path, content) = rest.split_once(' ').unwrap_or((rest, ""));
            let arguments = json!({"path": path, "content": format!("{content}\n")});
            Reply::new().tool_call(&id, "WriteFile", &arguments.to_string())
        }
        Some(("sh", command)) => {
            Reply::new().tool_call(&id, "Shell", &json!({"command": command}).to_string())
        }
        _ => Reply::new().text(format!("You said {line}.")),
    }
}

fn world() -> World {
    World::new(model)
}

fn start(world: &World) -> Kimi {
    world.start_sized(&["--yolo"], (100, 30))
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| format!("({})", error.kind()))
}

pub fn until(what: &str, condition: impl Fn() -> bool) {
    wait_until(what, || condition().then_some(()));
}

/// Opens the picker with the keys and waits for it.
fn open(kimi: &mut Kimi) {
    kimi.send("/undo");
    kimi.wait_text("/undo");
    kimi.send("\r");
    looked(kimi);
}

/// The picker is there, and the look at the files is over.
fn looked(kimi: &Kimi) -> Vec<String> {
    kimi.wait_for_rows("the picker", |rows| {
        rows.iter().any(|row| row.contains("Rewind to before which message?"))
            && !rows.iter().any(|row| row.contains("looking at the files"))
    })
}

/// The words of the last request's conversation, without the system prompt.
fn conversation(world: &World) -> String {
    let requests = world.server().requests();
    let messages = requests.last().expect("a request").body["messages"].clone();
    messages.as_array().expect("messages")[1..].iter().map(ToString::to_string).collect()
}

fn context(world: &World) -> Vec<u8> {
    fs::read(world.session_dir().join("context.jsonl")).expect("a context")
}

#[test]
fn a_command_that_did_nothing_is_no_turn_to_undo() {
    let world = World::new(|_: &Recorded, _| Reply::new().text("Hello."));
    let mut kimi = start(&world);
    kimi.turn("first words");
    kimi.send("/context");
    kimi.wait_text("/context");
    kimi.send("\r");
    kimi.wait_closed(2);
    open(&mut kimi);
    let rows = kimi.rows();
    let listed = |text: &str| {
        let from = rows.iter().position(|row| row.contains("Rewind to before")).unwrap_or(0);
        rows[from..].iter().any(|row| row.contains(text))
    };
    assert!(listed("first words") && !listed("/context"), "{rows:?}");
}

#[test]
fn both_go_back_and_forth_again() {
    let world = world();
    let kept = world.file("kept.txt", "before\n");
    let mut kimi = start(&world);
    kimi.turn("hello");
    let first = context(&world);
    kimi.turn("write kept.txt after");
    kimi.turn("write new/made.txt made");
    let full = context(&world);
    assert_eq!(
        (text(&kept).as_str(), world.work().join("new/made.txt").exists()),
        ("after\n", true)
    );

    // Esc Esc at the empty prompt.
    kimi.send("\x1b");
    kimi.wait_text("esc again to rewind");
    kimi.send("\x1b");
    let rows = looked(&kimi);
    assert!(count(&rows, "1 file +1 -0 · write new/made.txt made") == 1, "{rows:#?}");
    assert!(count(&rows, "1 file +1 -1 · write kept.txt after") == 1, "{rows:#?}");
    assert!(count(&rows, "no files · hello") == 1, "{rows:#?}");
    // The second newest.
    kimi.send("\x1b[B\r");
    let rows = kimi.wait_text("Rewind to before: write kept.txt after");
    assert!(count(&rows, "~ kept.txt +1 -1  changes back") == 1, "{rows:#?}");
    assert!(count(&rows, "- new/made.txt +0 -1  goes") == 1, "{rows:#?}");
    kimi.send("d");
    kimi.wait_text("What changes in the files");
    let rows = kimi.wait_text("before");
    assert!(rows.iter().any(|row| row.contains("- after") || row.contains("-after")), "{rows:#?}");
    kimi.send("q");
    kimi.wait_text("1 Conversation and files");
    kimi.send("1");
    kimi.wait_for_history("the row", |rows| {
        count(rows, "Rewound to before: write kept.txt after") == 1
    });
    let rows = kimi.wait_for_rows("the prompt", |rows| {
        composed(rows).contains("write kept.txt after")
            && !rows.iter().any(|row| row.contains("esc back"))
    });
    assert!(count(&rows, "/redo takes it back.") == 1, "{rows:#?}");
    until("the files", || text(&kept) == "before\n" && !world.work().join("new").exists());
    assert_eq!(context(&world), first, "byte for byte as it was");
    let wire = text(world.session_dir().join("wire.jsonl"));
    assert!(wire.contains("session.rewound"), "{wire}");

    // The words are in the composer; they are sent as they are, after a redo.
    kimi.send("\x15");
    kimi.type_line("/redo");
    kimi.wait_for_history("the row", |rows| count(rows, "Taken back: the rewind") == 1);
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(
        (text(&kept).as_str(), text(world.work().join("new/made.txt"))),
        ("after\n", "made\n".to_owned())
    );
    assert_eq!(context(&world), full);
    kimi.turn("and now");
    assert!(conversation(&world).contains("made.txt"), "{}", conversation(&world));
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn conversation_only_and_files_only() {
    let world = world();
    let file = world.file("a.txt", "one\n");
    let mut kimi = start(&world);
    kimi.turn("write a.txt two");
    open(&mut kimi);
    kimi.send("\r");
    kimi.wait_text("3 Files only");
    kimi.send("3");
    kimi.wait_for_history("the row", |rows| count(rows, "Files rewound to before") == 1);
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(text(&file), "one\n");
    kimi.turn("what now");
    let told = conversation(&world);
    assert!(told.contains("write a.txt two") && told.contains("put these files back"), "{told}");

    // The file is another one than the model has seen: it may not be written unread.
    kimi.turn("write b.txt three");
    open(&mut kimi);
    kimi.send("\r");
    kimi.wait_text("2 Conversation only");
    kimi.send("2");
    kimi.wait_for_history("the row", |rows| count(rows, "Conversation rewound to before") == 1);
    kimi.wait_for_rows("the composer", |rows| composed(rows).contains("write b.txt three"));
    assert_eq!(text(world.work().join("b.txt")), "three\n");
    kimi.send("\x15");
    kimi.turn("still there");
    let told = conversation(&world);
    assert!(!told.contains("three") && told.contains("what now"), "{told}");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn commands_and_the_users_own_edits_are_asked_about() {
    let world = world();
    let (mine, theirs) = (world.file("mine.txt", "mine\n"), world.file("theirs.txt", "theirs\n"));
    let tool = world.file("tool.txt", "tool\n");
    let mut kimi = start(&world);
    kimi.turn("write tool.txt edited");
    kimi.turn("sh echo by command > theirs.txt; mkdir -p d; echo x > d/fresh.txt");
    fs::write(&mine, "my own work\n").unwrap();
    open(&mut kimi);
    kimi.send("\x1b[B\r");
    let rows = kimi.wait_text("1 Conversation and files");
    assert!(
        count(&rows, "changed by you or another program since: you are asked") == 1,
        "{rows:#?}"
    );
    assert!(count(&rows, "changed while a command ran: you are asked") == 1, "{rows:#?}");
    kimi.send("1");
    let rows = kimi.wait_text("? 1 file changed by you or another program since");
    assert!(count(&rows, "mine.txt") == 1, "{rows:#?}");
    // Cancelled: nothing happens.
    kimi.send("3");
    kimi.wait_text("1 Conversation and files");
    assert_eq!(text(&tool), "edited\n");
    kimi.send("1");
    kimi.wait_text("Keep mine");
    kimi.send("2");
    kimi.wait_text("by it, or by you or another program");
    kimi.send("1");
    kimi.wait_for_history("the row", |rows| count(rows, "Rewound to before: write tool.txt") == 1);
    kimi.wait_for_rows("the composer", |rows| composed(rows).contains("write tool.txt edited"));
    assert_eq!([text(&mine), text(&theirs), text(&tool)], ["my own work\n", "theirs\n", "tool\n"]);
    assert!(!world.work().join("d").exists());

    // What is put in the way of the redo is asked about as well.
    fs::write(&tool, "typed meanwhile\n").unwrap();
    kimi.send("\x15");
    kimi.type_line("/redo");
    kimi.wait_text("Take back the rewind to before");
    kimi.send("\r");
    kimi.wait_text("changed since the rewind");
    kimi.send("\x1b");
    kimi.wait_gone("changed since the rewind");
    kimi.send("\x1b");
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(text(&tool), "typed meanwhile\n");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn files_that_are_not_put_back_are_named_at_the_end() {
    let world = world();
    let tool = world.file("tool.txt", "tool\n");
    let other = world.file("other.txt", "other\n");
    world.file("large.txt", "x".repeat(2 << 20));
    let mut kimi = start(&world);
    kimi.turn("hello");
    until("the index", || world.session_dir().join("snapshots/tree.json").exists());
    kimi.turn("sh echo new > tool.txt; echo new > other.txt; echo new > large.txt");
    open(&mut kimi);
    kimi.send("\r");
    let rows = kimi.wait_text("1 Conversation and files");
    assert!(count(&rows, "! 1 file cannot be put back") == 1, "{rows:#?}");
    kimi.send("1");
    kimi.wait_text("by it, or by you or another program");
    // After the plan was shown.
    fs::write(&tool, "typed meanwhile\n").unwrap();
    kimi.send("1");
    let rows = kimi.wait_for_rows("the composer", |rows| composed(rows).contains("sh echo new"));
    for said in [
        "Rewound to before: sh echo new",
        "1 file is not put back (it was changed meanwhile): tool.txt.",
        "1 file is not put back (too large for a copy): large.txt.",
        "1 file put back: other.txt.",
    ] {
        assert!(count(&rows, said) == 1, "{said}: {rows:#?}");
    }
    assert_eq!([text(&tool), text(&other)], ["typed meanwhile\n", "other\n"]);
    kimi.send("\x15");
    assert_eq!(kimi.exit(), 0);
}

/// Whenever the key comes: what is said of it holds, and there is a way back and a way on.
#[test]
fn esc_stops_a_rewind_between_two_files() {
    let world = world();
    const FILES: usize = 1_500;
    let file = |n: usize| world.work().join(format!("f{n:04}.txt"));
    let back = || (0..FILES).filter(|n| text(file(*n)) != "after\n").count();
    for n in 0..FILES {
        fs::write(file(n), format!("before {n}\n")).unwrap();
    }
    let mut kimi = start(&world);
    kimi.turn("hello");
    until("the index", || world.session_dir().join("snapshots/tree.json").exists());
    kimi.turn("sh for f in f*.txt; do echo after > $f; done");
    let full = context(&world);
    open(&mut kimi);
    kimi.send("\r");
    kimi.wait_text("1 Conversation and files");
    kimi.send("1");
    kimi.wait_text("1 Restore");
    kimi.send("1");
    until("the first file that is back", || back() > 0);
    kimi.send("\x1b");
    let rows = kimi.wait_for_history("the end", |rows| {
        count(rows, "Stopped: ") + count(rows, "Rewound to before: sh for") == 1
    });
    let stopped = count(&rows, "Stopped: ") == 1;
    eprintln!("{} of {FILES} files were back", back());
    if stopped {
        let said = format!("Stopped: {} of {FILES} files are back", back());
        assert!(count(&rows, &said) == 1, "{said}: {rows:#?}");
        assert!(context(&world).starts_with(&full), "the conversation stays");
        kimi.wait_for_rows("the prompt", is_idle);
    } else {
        assert_eq!(back(), FILES);
        kimi.wait_for_rows("the composer", |rows| composed(rows).contains("sh for f in"));
        kimi.send("\x15");
    }
    assert!(!world.session_dir().join("snapshots/restore.json").exists());
    kimi.type_line("/redo");
    kimi.wait_for_history("the row", |rows| count(rows, "Taken back: the rewind") == 1);
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(back(), 0);
    assert!(context(&world).starts_with(&full));
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn a_repository_is_not_touched() {
    let world = world();
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@t"])
            .args(arguments)
            .current_dir(world.work())
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    if !git(&["init", "-q"]) {
        eprintln!("skipped: no git");
        return;
    }
    world.file("a.txt", "committed\n");
    assert!(git(&["add", "."]) && git(&["commit", "-qm", "first"]));
    let index = fs::read(world.work().join(".git/index")).unwrap();
    let mut kimi = start(&world);
    kimi.turn("sh echo changed > a.txt");
    open(&mut kimi);
    kimi.send("\r");
    kimi.wait_text("1 Conversation and files");
    kimi.send("1");
    kimi.wait_text("Restore");
    kimi.send("1");
    kimi.wait_for_history("the row", |rows| count(rows, "Rewound to before: sh echo") == 1);
    until("the file", || text(world.work().join("a.txt")) == "committed\n");
    assert_eq!(fs::read(world.work().join(".git/index")).unwrap(), index);
    assert!(!world.work().join(".git/index.lock").exists());
    kimi.wait_for_rows("the composer", |rows| composed(rows).contains("sh echo changed"));
    kimi.send("\x15");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn a_kill_in_the_middle_is_finished_at_the_next_start() {
    let world = world();
    const FILES: usize = 1_500;
    let file = |n: usize| world.work().join(format!("f{n:04}.txt"));
    for n in 0..FILES {
        fs::write(file(n), format!("before {n}\n")).unwrap();
    }
    let mut kimi = start(&world);
    kimi.turn("hello");
    let first = context(&world);
    // Written when all copies are made.
    until("the index", || world.session_dir().join("snapshots/tree.json").exists());
    kimi.turn("sh for f in f*.txt; do echo after > $f; done");
    open(&mut kimi);
    kimi.send("\r");
    kimi.wait_text("1 Conversation and files");
    kimi.send("1");
    kimi.wait_text("1 Restore");
    kimi.send("1");
    until("the first file that is back", || (0..FILES).any(|n| text(file(n)) != "after\n"));
    kimi.kill();
    kimi.wait_exit();
    let back = (0..FILES).filter(|n| text(file(*n)) != "after\n").count();
    let again = world.start(&["-C"]);
    let rows = again.wait_for_rows("the prompt", is_idle);
    if back < FILES {
        assert!(rows.iter().any(|row| row.contains("it is finished now")), "{back} {rows:#?}");
    }
    assert!(!rows.iter().any(|row| row.contains("left as it is")), "{rows:#?}");
    for n in 0..FILES {
        assert_eq!(text(file(n)), format!("before {n}\n"));
    }
    assert_eq!(context(&world), first);
    assert!(!world.session_dir().join("snapshots/restore.json").exists());
    let left = fs::read_dir(world.work()).unwrap().flatten();
    assert_eq!(left.filter(|entry| entry.path().to_string_lossy().contains(".kimi-")).count(), 0);
}

#[test]
fn a_print_run_can_be_undone_on_the_screen() {
    let world = world();
    let file = world.file("a.txt", "one\n");
    let mut program = Command::new(env!("CARGO_BIN_EXE_kimi"));
    program.env_clear().envs(world.env()).current_dir(world.work());
    let output = program.args(["-p", "sh echo two > a.txt", "--yolo"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&file), "two\n");
    let mut kimi = world.start(&["-C"]);
    open(&mut kimi);
    kimi.send("\r");
    let rows = kimi.wait_text("1 Conversation and files");
    assert!(count(&rows, "~ a.txt +1 -1") == 1, "{rows:#?}");
    kimi.send("1");
    kimi.wait_text("? 1 file changed while a command ran");
    kimi.send("1");
    until("the file", || text(&file) == "one\n");
    // Above it says so as well.
    kimi.wait_for_rows("the composer", |rows| composed(rows).contains("sh echo two"));
    kimi.send("\x15");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn a_large_tree_delays_no_prompt() {
    const DIRS: usize = 200;
    let world = world();
    for dir in 0..DIRS {
        let dir = world.work().join(format!("d{dir:03}"));
        fs::create_dir_all(&dir).unwrap();
        for n in 0..100 {
            fs::write(dir.join(format!("{n}.txt")), format!("{n}\n")).unwrap();
        }
    }
    let mut kimi = start(&world);
    for message in ["sh echo changed > d000/0.txt", "write d001/0.txt changed"] {
        let began = Instant::now();
        kimi.turn(message);
        let took = began.elapsed();
        eprintln!("{} files: {message}: {took:?}", DIRS * 100);
        assert!(took.as_secs() < 20, "{took:?}");
    }
    open(&mut kimi);
    kimi.send("\x1b[B\r");
    // Whether the tree was looked at before the command or not: nothing is claimed that is not so.
    let rows = kimi.wait_text("Rewind to before: sh echo");
    let told = |text: &str| rows.iter().any(|row| row.contains(text));
    assert!(told("~ d001/0.txt +1 -1  changes back"), "{rows:#?}");
    assert!(
        told("~ d000/0.txt") || told("the directory is large: only edits by tools are known"),
        "{rows:#?}"
    );
    assert!(!told("No file has changed"), "{rows:#?}");
    kimi.send("\x1b");
    looked(&kimi);
    kimi.send("\x1b");
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn two_escapes_in_one_read_and_a_third_open_the_picker() {
    let world = world();
    let mut kimi = start(&world);
    kimi.turn("hello");
    // One read of two is one key for the terminal library: the next one is the second.
    kimi.send("\x1b\x1b");
    let rows = kimi.wait_for_rows("the hint or the picker", |rows| {
        rows.iter().any(|row| {
            row.contains("esc again to rewind") || row.contains("Rewind to before which message?")
        })
    });
    if rows.iter().any(|row| row.contains("esc again")) {
        kimi.send("\x1b");
    }
    kimi.wait_text("Rewind to before which message?");
    kimi.send("\x1b");
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(kimi.exit(), 0);
}
