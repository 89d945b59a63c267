//! Menus, history and the external editor.

use std::os::unix::fs::PermissionsExt;

use super::interrupt::wait_until;
use super::world::{World, composed, count};
use crate::support::model_server::{Recorded, Reply};
use crate::support::screen::is_idle;

fn world() -> World {
    World::new(|_: &Recorded, _| Reply::new().text("Well."))
}

#[test]
fn a_slash_opens_the_menu_and_enter_takes_its_row() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("/");
    let rows = kimi.wait_for_rows("the menu", |rows| count(rows, "/compact") == 1);
    assert!(!is_idle(&rows), "{rows:?}");
    kimi.send("vers");
    let rows = kimi.wait_for_rows("the filter", |rows| count(rows, "/compact") == 0);
    assert_eq!(count(&rows, "/version"), 1, "{rows:?}");
    kimi.send("\r");
    kimi.wait_text("kimi, version ");
    kimi.wait_for_rows("the prompt", is_idle);
}

#[test]
fn escape_closes_the_menu_and_keeps_the_text() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("/co");
    kimi.wait_for_rows("the menu", |rows| count(rows, "/compact") == 1);
    kimi.send("\x1b");
    let rows = kimi.wait_for_rows("no menu", |rows| count(rows, "/compact") == 0);
    assert!(composed(&rows).starts_with("/co"), "{rows:?}");
    kimi.send("\x03");
    kimi.wait_for_rows("the prompt", is_idle);
}

#[test]
fn an_at_sign_completes_files() {
    let world = world();
    world.file("src/parser.rs", "x");
    world.file("src/printer.rs", "x");
    world.file(".gitignore", "target\n");
    let mut kimi = world.start(&[]);
    kimi.send("look at @pars");
    kimi.wait_for_rows("the menu", |rows| count(rows, "src/parser.rs") == 1);
    kimi.send("\t");
    kimi.wait_for_rows("the file", |rows| composed(rows).starts_with("look at @src/parser.rs"));
    kimi.send("please");
    kimi.wait_text("parser.rs please");
    kimi.send("\r");
    kimi.wait_closed(1);
    assert_eq!(world.server().requests()[0].last_user_text(), "look at @src/parser.rs please");
}

#[test]
fn history_by_arrow_and_by_search_over_restarts() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.turn("first apples");
    kimi.turn("then pears");
    assert_eq!(kimi.exit(), 0);
    let mut kimi = world.start(&[]);
    kimi.send("\x12");
    kimi.send("appl");
    kimi.wait_text("first apples");
    kimi.send("\r");
    kimi.wait_for_rows("the message", |rows| composed(rows).starts_with("first apples"));
    assert_eq!(world.server().requests().len(), 2, "taken, not sent");
    kimi.send("\x03");
    kimi.wait_for_rows("the prompt", is_idle);
    // What was thrown away is the newest; the messages come below it.
    kimi.send("\x1b[A\x1b[A");
    kimi.wait_for_rows("an older message", |rows| {
        composed(rows).starts_with("then pears") || composed(rows).starts_with("/exit")
    });
}

#[test]
fn a_new_line_by_ctrl_j_and_by_backslash() {
    let world = world();
    let mut kimi = world.start(&[]);
    kimi.send("one\x0atwo\\");
    kimi.wait_for_rows("two lines", |rows| composed(rows).starts_with("one\ntwo\\"));
    kimi.send("\r");
    kimi.wait_for_rows("the backslash goes", |rows| {
        let text = composed(rows);
        text.starts_with("one\ntwo\n") && !text.contains('\\')
    });
    kimi.send("three");
    kimi.wait_for_rows("three lines", |rows| composed(rows).starts_with("one\ntwo\nthree"));
    kimi.send("\r");
    kimi.wait_closed(1);
    assert_eq!(world.server().requests()[0].last_user_text(), "one\ntwo\nthree");
}

#[test]
fn the_editor_gets_the_draft_and_gives_it_back() {
    let world = world();
    let script = world.file(
        "editor.sh",
        "#!/bin/sh\n{ stty -a | grep -c -e ' icanon'; cat \"$1\"; } > seen\nprintf 'edited\\nby hand' > \"$1\"\n",
    );
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("executable");
    let editor = script.display().to_string();
    let mut kimi = world.start_with(&[], &[("EDITOR", &editor)], (100, 30));
    kimi.send("my draft");
    kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("my draft"));
    kimi.send("\x0f");
    kimi.wait_for_rows("the edited text", |rows| composed(rows).starts_with("edited\nby hand"));
    let seen = std::fs::read_to_string(world.work().join("seen")).expect("the editor ran");
    assert_eq!(seen.trim_end(), "1\nmy draft", "a cooked terminal and the draft");
    kimi.send("!");
    kimi.wait_for_rows("typing goes on", |rows| composed(rows).contains("by hand!"));
    kimi.send("\r");
    kimi.wait_closed(1);
    assert_eq!(world.server().requests()[0].last_user_text(), "edited\nby hand!");
}

#[test]
fn an_editor_that_fails_loses_nothing() {
    for editor in ["false", "/nonexistent/editor"] {
        let world = world();
        // Without a PATH there is nothing else to fall back to.
        let path = if editor == "false" { "/usr/bin:/bin" } else { "/nonexistent" };
        let mut kimi = world.start_with(&[], &[("EDITOR", editor), ("PATH", path)], (100, 30));
        kimi.send("my draft");
        kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("my draft"));
        kimi.send("\x0f");
        if editor == "false" {
            kimi.wait_for_bytes("the way back", |bytes| {
                String::from_utf8_lossy(bytes).matches("\x1b[?2004h").count() == 2
            });
        } else {
            kimi.wait_text("No editor was found.");
        }
        kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("my draft"));
        kimi.send(" goes on");
        kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("my draft goes on"));
    }
}

#[test]
fn an_interrupt_in_the_editor_is_the_editors() {
    let world = world();
    let script = world.file(
        "editor.sh",
        "#!/bin/sh\ntrap 'echo interrupted > \"$1\"; exit 0' INT\ntouch ready\nsleep 300 & wait\n",
    );
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("executable");
    let editor = script.display().to_string();
    let mut kimi = world.start_with(&[], &[("EDITOR", &editor)], (100, 30));
    kimi.send("my draft");
    kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("my draft"));
    kimi.send("\x0f");
    wait_until("the editor", || world.work().join("ready").exists().then_some(()));
    // The terminal is the editor's: this is a signal to everything in the foreground.
    kimi.send("\x03");
    kimi.wait_for_rows("the draft", |rows| composed(rows).starts_with("interrupted"));
    kimi.send("\r");
    kimi.wait_closed(1);
    assert_eq!(world.server().requests()[0].last_user_text(), "interrupted");
}
