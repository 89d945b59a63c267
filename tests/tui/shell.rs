//! Shell mode: commands that a person runs by themselves.

use super::rewind::until;
use super::world::{World, composed, count};
use crate::support::model_server::{Gate, Recorded, Reply};
use crate::support::screen::is_idle;

fn world() -> World {
    World::new(|_: &Recorded, _| Reply::new().text("I see."))
}

#[test]
fn a_command_runs_without_the_model_which_hears_of_it_afterwards() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("!");
    kimi.wait_text("── input ── $");
    kimi.type_line("echo $((6*7)) > out; cat out; ls /nowhere");
    let rows = kimi.wait_closed(1);
    assert!(count(&rows, "!echo $((6*7))") >= 1, "{rows:?}");
    assert!(count(&rows, "│ 42") == 1, "{rows:?}");
    assert!(world.server().requests().is_empty(), "no model was asked");
    assert_eq!(std::fs::read_to_string(world.work().join("out")).expect("a file"), "42\n");
    // Messages again.
    kimi.turn("what did I do?");
    let said = world.server().requests()[0].last_user_text();
    assert!(said.contains("Command: echo $((6*7)) > out; cat out; ls /nowhere"), "{said}");
    assert!(said.contains("\n42\n") && said.contains("exit code: 2"), "{said}");
    assert!(said.ends_with("what did I do?"), "{said}");
}

#[test]
fn with_two_marks_it_is_nobodys_business() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("!");
    kimi.wait_text("── input ── $");
    kimi.type_line("!echo hush");
    kimi.wait_closed(1);
    kimi.turn("hello");
    assert_eq!(world.server().requests()[0].last_user_text(), "hello");
    // It comes back as the command that it was, and is nothing to undo.
    kimi.send("\x1b[A\x1b[A");
    kimi.wait_for_rows("the command", |rows| {
        composed(rows).starts_with("!echo hush")
            && rows.iter().any(|row| row.starts_with("── input ── $"))
    });
    kimi.send("\x03");
    kimi.wait_for_rows("an empty line", is_idle);
    kimi.send("/undo\r");
    let rows = kimi.wait_text("hello");
    assert_eq!(count(&rows, "1. "), count(&rows, "1. ").min(1), "{rows:?}");
}

#[test]
fn shell_mode_stays_until_it_is_left_and_ctrl_c_ends_the_command_alone() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("\x18");
    kimi.wait_text("── input ── $");
    kimi.type_line("echo one");
    kimi.wait_for_history("the first", |rows| count(rows, "│ one") == 1);
    kimi.wait_text("── input ── $ (shell command)");
    kimi.type_line("/model");
    kimi.wait_text("not available in shell mode");
    kimi.send("\x15");
    kimi.type_line("echo $$ > pid; exec sleep 600");
    kimi.wait_text("esc to interrupt");
    let pid = || std::fs::read_to_string(world.work().join("pid")).unwrap_or_default();
    until("the command runs", || !pid().trim().is_empty());
    kimi.send("\x03");
    kimi.wait_for_history("the end", |rows| count(rows, "Interrupted") >= 1);
    let gone = format!("/proc/{}", pid().trim());
    until("it is gone", || !std::path::Path::new(&gone).exists());
    kimi.wait_text("── input ── $ (shell command)");
    kimi.send("\x18");
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn a_command_waits_for_the_turn_that_runs() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::new(move |_: &Recorded, n: usize| match n {
        0 => Reply::new().text("First ").wait(&held).text("done."),
        _ => Reply::new().text("Heard."),
    });
    let mut kimi = world.start(&[]);
    kimi.ask("first");
    kimi.send("!");
    kimi.wait_text("── input ── $");
    kimi.type_line("echo queued > out");
    kimi.wait_text("❯ !echo queued");
    assert!(!world.work().join("out").exists());
    gate.open();
    kimi.wait_closed(2);
    assert_eq!(std::fs::read_to_string(world.work().join("out")).expect("a file"), "queued\n");
    assert_eq!(world.server().requests().len(), 1);
}

#[test]
fn what_is_pasted_or_written_by_a_program_is_a_message() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("\x1b[200~!touch pasted\x1b[201~\r");
    kimi.wait_closed(1);
    assert_eq!(world.server().requests()[0].last_user_text(), "!touch pasted");
    drop(kimi);
    let mut kimi = world.start_with(&[], &[("CAO_TERMINAL_ID", "t1")], (100, 30));
    kimi.type_line("!touch typed");
    kimi.wait_closed(1);
    assert_eq!(world.server().requests()[1].last_user_text(), "!touch typed");
    assert!(!world.work().join("pasted").exists() && !world.work().join("typed").exists());
}
