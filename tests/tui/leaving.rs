//! Every way out gives the terminal back, says where to go on, and leaves nothing running.

use serde_json::json;

use super::interrupt::{gone, wait_until};
use super::world::{Kimi, World, count, unhurried};
use crate::support::model_server::Reply;
use crate::support::screen::is_idle;

/// Runs the program between two looks at the terminal's modes. What it says on stderr goes into a
/// file. At the end stands `left=STATUS`, and the shell waits.
const LINE: &str = "stty -a > before; kimi 2>err; echo left=$?; stty -a > after; read stay";

fn start(script: Vec<Reply>) -> (World, Kimi) {
    let world = World::with_config(script, "default_yolo = true");
    let kimi = world.start_in_shell(LINE);
    (world, kimi)
}

/// The status with which the program left; the terminal is as it was before.
fn left(world: &World, kimi: &Kimi) -> String {
    let rows = kimi.wait_for_history("the shell", |rows| count(rows, "left=") == 1);
    let read = |name: &str| std::fs::read_to_string(world.work().join(name)).unwrap_or_default();
    wait_until("the modes", || (!read("after").is_empty()).then_some(()));
    assert_eq!(read("before"), read("after"));
    kimi.wait_for("the usual modes", |screen| {
        !screen.alternate_screen()
            && !screen.bracketed_paste()
            && !screen.hide_cursor()
            && !screen.application_cursor()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    });
    let raw = String::from_utf8_lossy(&kimi.raw_bytes()).into_owned();
    for (on, off) in [("\x1b[?1004h", "\x1b[?1004l"), ("\x1b[>1u", "\x1b[<1u")] {
        assert_eq!(raw.matches(on).count(), raw.matches(off).count(), "{on:?}");
    }
    // Nothing of the live region is left behind, and the shell goes on below the transcript.
    assert_eq!(count(&rows, "── input ──"), 0, "{rows:?}");
    assert_eq!(count(&rows, "context: "), 0, "{rows:?}");
    let row = rows.iter().find(|row| row.contains("left=")).expect("the status");
    row.trim_start_matches("left=").to_owned()
}

fn stderr(world: &World) -> String {
    std::fs::read_to_string(world.work().join("err")).expect("the file")
}

#[test]
fn the_ways_to_leave() {
    for keys in ["\x04", "\x03\x03", "/exit\r", "/quit\r", "exit\r", "\x1b[200~/exit\x1b[201~\r"] {
        let (world, mut kimi) = start(vec![Reply::new().text("Hello.")]);
        kimi.turn("hi");
        let session = world.session_dir();
        let id = session.file_name().expect("a name").to_string_lossy().into_owned();
        // An Enter right behind text is taken for a line end of a paste when more follows.
        for part in [keys.trim_end_matches('\r'), &keys[keys.trim_end_matches('\r').len()..]] {
            kimi.send(part);
        }
        assert_eq!(left(&world, &kimi), "0", "{keys:?}");
        assert_eq!(stderr(&world), format!("\nTo resume this session: kimi -r {id}\n"));
        let rows = kimi.history();
        assert_eq!(count(&rows, "• Hello."), 1, "{rows:?}");
        assert_eq!(rows.iter().filter(|row| *row == "Bye!").count(), 1, "{rows:?}");
    }
}

#[test]
fn an_empty_session_is_not_worth_a_hint() {
    let (world, mut kimi) = start(Vec::new());
    kimi.send("\x04");
    assert_eq!(left(&world, &kimi), "0");
    assert_eq!(stderr(&world), "");
}

#[test]
fn one_ctrl_c_does_not_leave() {
    let (_world, mut kimi) = start(Vec::new());
    kimi.send("\x03");
    kimi.wait_text("press again to leave");
    // Its time passes, and the next one is the first again.
    kimi.wait_gone("press again to leave");
    kimi.send("\x03");
    kimi.wait_text("press again to leave");
    assert!(is_idle(&kimi.rows()));
}

#[test]
fn signals_end_it_with_their_status_and_give_the_terminal_back() {
    let signals = [(libc::SIGTERM, "143"), (libc::SIGINT, "130"), (libc::SIGHUP, "1")];
    for (signal, status) in signals {
        let command = json!({"command": "sleep 300 & echo $! > pid; wait"}).to_string();
        let (world, mut kimi) = start(vec![Reply::new().tool_call("c1", "Shell", &command)]);
        kimi.ask("run it");
        let sleeper: i32 = number_in(&world, "pid");
        send(program(&kimi), signal);
        assert_eq!(left(&world, &kimi), status, "signal {signal}");
        gone(sleeper);
    }
}

#[test]
fn a_signal_while_idle_or_in_a_dialog_ends_it_too() {
    let (world, kimi) = start(Vec::new());
    send(program(&kimi), libc::SIGTERM);
    assert_eq!(left(&world, &kimi), "143");

    let world = World::new(vec![unhurried().tool_call("c1", "Shell", r#"{"command":"true"}"#)]);
    let mut kimi = world.start_in_shell(LINE);
    kimi.ask("run it");
    kimi.wait_text("1. Approve once");
    kimi.send("\x05");
    kimi.wait_for("the pager", |screen| screen.alternate_screen());
    send(program(&kimi), libc::SIGTERM);
    assert_eq!(left(&world, &kimi), "143");
}

#[test]
fn leaving_in_the_middle_of_a_turn_takes_two_presses_and_its_commands_along() {
    let command = json!({"command": "sleep 300 & echo $! > pid; wait"}).to_string();
    let (world, mut kimi) = start(vec![Reply::new().tool_call("c1", "Shell", &command)]);
    kimi.ask("run it");
    let sleeper = number_in(&world, "pid");
    kimi.send("\x04");
    kimi.wait_text("press again to leave");
    kimi.send("\x04");
    assert_eq!(left(&world, &kimi), "0");
    gone(sleeper);
}

#[test]
fn a_signal_in_the_middle_of_a_flood() {
    let (world, mut kimi) = start(vec![Reply::new().endless("words and more words\n\n")]);
    kimi.ask("go");
    kimi.wait_text("words and more words");
    send(program(&kimi), libc::SIGTERM);
    assert_eq!(left(&world, &kimi), "143");
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    let command = json!({"command": "sleep 300 & echo $! > pid; wait"}).to_string();
    let (world, mut kimi) = start(vec![Reply::new().tool_call("c1", "Shell", &command)]);
    kimi.ask("run it");
    let sleeper = number_in(&world, "pid");
    let program = program(&kimi);
    drop(kimi);
    gone(program);
    gone(sleeper);
}

#[test]
fn ctrl_z_stops_it_and_fg_brings_it_back() {
    let world = World::new(vec![Reply::new().text("Hello."), Reply::new().text("Back.")]);
    let mut kimi = world.spawn(
        "/bin/sh".as_ref(),
        &["-c", "PS1='sh> ' exec sh -i"],
        &[("ENV", "")],
        (100, 30),
    );
    kimi.wait_text("sh>");
    kimi.send(format!("{}\r", env!("CARGO_BIN_EXE_kimi")));
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.turn("hi");
    kimi.send("\x1a");
    kimi.wait_for("the shell", |screen| {
        let rows = screen.contents();
        !screen.bracketed_paste() && rows.trim_end().ends_with("sh>")
    });
    kimi.send("echo $((40 + 2))\r");
    kimi.wait_for_rows("the shell's answer", |rows| rows.iter().any(|row| row == "42"));
    kimi.send("fg\r");
    kimi.wait_for_rows("the prompt", is_idle);
    let rows = kimi.turn("again");
    assert_eq!(count(&rows, "• Hello."), 1, "{rows:?}");
    assert_eq!(count(&rows, "• Back."), 1, "{rows:?}");
    assert!(rows.iter().any(|row| row == "42"), "{rows:?}");
    kimi.send("\x04");
    kimi.wait_for("the shell", |screen| screen.contents().trim_end().ends_with("sh>"));
}

fn send(pid: i32, signal: i32) {
    // SAFETY: a plain system call; the process is a child of our child.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// The process id of the program: the only child of the shell.
fn program(kimi: &Kimi) -> i32 {
    let shell = kimi.pid().expect("a process id");
    wait_until("the program", || {
        let path = format!("/proc/{shell}/task/{shell}/children");
        let children = std::fs::read_to_string(path).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

fn number_in(world: &World, name: &str) -> i32 {
    let path = world.work().join(name);
    wait_until(name, || std::fs::read_to_string(&path).ok()?.trim().parse().ok())
}

/// A terminal that goes in the middle of everything: whoever reads it at that moment must not read it
/// for ever.
#[test]
fn a_terminal_that_goes_away_in_mid_stream_ends_it() {
    let words = "word ".repeat(40);
    for _ in 0..6 {
        let text = (1..=400).map(|n| format!("{n} {words}\n")).collect::<String>();
        let reply = Reply::new().pace(std::time::Duration::from_millis(2)).text(&text);
        let (_world, mut kimi) = start(vec![reply]);
        kimi.ask("go");
        kimi.wait_text("word");
        let program = program(&kimi);
        drop(kimi);
        gone(program);
    }
}
