//! Send, approve, interrupt, resume, leave: in a small pane and in a large one.

use serde_json::json;

use super::{Pane, echoes};
use crate::support::model_server::{Gate, Recorded, Reply};
use crate::support::screen::{is_busy, is_idle};
use crate::support::tmux::available;
use crate::tui::world::{World, count, unhurried};

const SIZES: [(u16, u16); 2] = [(80, 24), (220, 50)];

#[test]
fn send_approve_interrupt_leave_and_resume() {
    if !available() {
        return;
    }
    for size in SIZES {
        let world = World::new(vec![
            unhurried().think("Let me write it.").tool_call(
                "c1",
                "WriteFile",
                r#"{"path":"greet.txt","content":"hello\nthere\n"}"#,
            ),
            Reply::new().text("It is **written**."),
            Reply::new().text("A long st").stall(),
            Reply::new().text("Here I am again."),
        ]);
        let pane = Pane::start(&world, "", "", size);
        assert_eq!(pane.format("#{pane_current_command}"), "kimi");
        pane.ask("create a file\nthat greets");
        let rows = pane.wait_text("1. Approve once");
        assert!(is_busy(&rows) && !is_idle(&rows), "{rows:?}");
        assert_eq!(count(&rows, "+ hello"), 1, "{rows:?}");
        pane.send_keys(&["1"]);
        let rows = pane.wait_closed(1);
        assert_eq!(count(&rows, "• It is written."), 1, "{rows:?}");
        assert!(world.work().join("greet.txt").exists());

        pane.ask("tell me a story");
        pane.wait_text("A long st");
        pane.send_keys(&["Escape"]);
        let rows = pane.wait_closed(2);
        assert_eq!(count(&rows, "• Interrupted after "), 1, "{rows:?}");

        pane.paste("/exit");
        pane.wait_text("/exit");
        pane.send_keys(&["Enter"]);
        let rows = pane.wait_text("left=0");
        assert_eq!(count(&rows, "To resume this session: kimi -r "), 1, "{rows:?}");
        assert_eq!(count(&rows, "── input ──"), 0, "{rows:?}");
        assert_eq!(pane.format("#{pane_current_command}"), "sh");

        pane.run_kimi("-C");
        let rows = pane.wait_text("↺ Resumed session ");
        assert!(is_idle(&rows), "{rows:?}");
        pane.ask("are you there");
        pane.wait_text("• Here I am again.");
        pane.wait_for("the prompt", is_idle);
        assert!(world.server().requests()[3].raw.contains("A long st"));
    }
}

#[test]
fn an_answer_longer_than_the_screen_is_in_the_history_once() {
    if !available() {
        return;
    }
    for size in SIZES {
        let text: String = (1..=300).map(|n| format!("- line number {n} of it\n")).collect();
        let world = World::new(vec![Reply::new().pieces_of(999).text(&text)]);
        let pane = Pane::start(&world, "", "", size);
        pane.ask("go");
        let rows = pane.wait_closed(1);
        let numbers: Vec<usize> = rows
            .iter()
            .filter_map(|row| row.split("line number ").nth(1)?.split(' ').next()?.parse().ok())
            .collect();
        assert_eq!(numbers, (1..=300).collect::<Vec<_>>());
        assert_eq!(echoes(&rows), 1);
        assert_eq!(count(&rows, "── input ──"), 1, "nothing of the live region is in the history");
        // Whoever reads fewer rows than that is told of a file with all of it.
        assert_eq!(count(&rows, "the whole answer"), 1, "{rows:?}");
        let file = std::fs::read_to_string(world.session_dir().join("last_message.md"));
        assert_eq!(file.expect("the file"), text);
    }
}

#[test]
fn a_killed_program_goes_on() {
    if !available() {
        return;
    }
    let world = World::with_config(
        vec![
            Reply::new().text("First answer."),
            Reply::new().text("Running it.").tool_call(
                "c1",
                "Shell",
                &json!({"command": "touch started; sleep 300"}).to_string(),
            ),
            Reply::new().text("Third answer."),
        ],
        "default_yolo = true",
    );
    let pane = Pane::start(&world, "", "", (80, 24));
    pane.ask("one");
    pane.wait_closed(1);
    pane.ask("two");
    pane.wait_text("Using Shell");
    let shell = pane.format("#{pane_pid}");
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let kimi = children.expect("the shell's children").trim().parse().expect("one child");
    // SAFETY: a plain system call.
    assert_eq!(unsafe { libc::kill(kimi, libc::SIGKILL) }, 0);
    pane.wait_text("left=137");
    // Nobody could give the terminal back: it is still in raw mode.
    pane.type_text("stty sane; echo san''e");
    pane.send_keys(&["C-j"]);
    pane.wait_for("the shell", |rows| rows.iter().any(|row| row.ends_with(" sane")));
    pane.run_kimi("-C");
    let rows = pane.history();
    assert!(count(&rows, "• First answer.") >= 1, "{rows:?}");
    assert!(count(&rows, "Running it.") >= 1, "{rows:?}");
    pane.ask("three");
    pane.wait_text("Third answer.");
    let request = &world.server().requests()[2];
    assert!(request.raw.contains("First answer.") && request.raw.contains("Running it."));
}

#[test]
fn a_dialog_follows_the_size_of_the_pane() {
    if !available() {
        return;
    }
    let world = World::new(vec![
        unhurried().tool_call("c1", "Shell", r#"{"command":"touch ran"}"#),
        Reply::new().text("So be it."),
    ]);
    let pane = Pane::start(&world, "", "", (80, 24));
    pane.ask("run it");
    pane.wait_text("1. Approve once");
    // Never lower than the dialog is: rows of it would go into the history.
    for (columns, rows) in [(60, 14), (120, 40), (40, 16), (80, 24)] {
        pane.resize(columns, rows);
        pane.wait_for("the dialog at this size", |screen| {
            screen.len() == usize::from(rows)
                && screen.last().is_some_and(|row| row.contains("context: "))
                && count(screen, "1. Approve") == 1
                && count(screen, "── input ──") == 1
                && count(screen, "Waiting") == 1
        });
    }
    pane.send_keys(&["1"]);
    pane.wait_closed(1);
    assert!(world.work().join("ran").exists());
}

#[test]
fn resizing_in_the_middle_of_an_answer_loses_nothing() {
    if !available() {
        return;
    }
    let gates: Vec<Gate> = (0..4).map(|_| Gate::new()).collect();
    let paragraphs = |from: usize| -> String {
        (from..from + 40).map(|n| format!("p{n:04} and a few more words\n\n")).collect()
    };
    let mut reply = Reply::new().pieces_of(70);
    for (n, gate) in gates.iter().enumerate() {
        reply = reply.text(paragraphs(n * 40)).wait(gate);
    }
    let world = World::new(vec![reply.text("The end.")]);
    let pane = Pane::start(&world, "", "", (80, 24));
    pane.ask("go");
    for (n, (gate, size)) in gates.iter().zip([(60, 12), (120, 40), (45, 20), (80, 24)]).enumerate()
    {
        pane.wait_text(&format!("p{:04} ", n * 40 + 39));
        pane.resize(size.0, size.1);
        pane.wait_for("the new size", |screen| {
            screen.len() == usize::from(size.1)
                && screen.last().is_some_and(|row| row.contains("context: "))
                && count(screen, "── input ──") == 1
        });
        gate.open();
    }
    let rows = pane.wait_closed(1);
    let mut found: Vec<usize> = rows
        .iter()
        .filter_map(|row| {
            row.trim_start_matches(['•', ' ']).strip_prefix('p')?.get(..4)?.parse().ok()
        })
        .collect();
    assert_eq!(count(&rows, "── input ──"), 1, "{rows:?}");
    found.dedup();
    assert_eq!(found, (0..160).collect::<Vec<_>>());
}

#[test]
fn messages_one_after_the_other() {
    if !available() {
        return;
    }
    let world = World::new(|request: &Recorded, _| {
        Reply::new().text(format!("Echo of {}.", request.last_user_text()))
    });
    let pane = Pane::start(&world, "", "", (80, 24));
    for n in 1..=5 {
        pane.ask(&format!("message {n}"));
        let rows = pane.wait_closed(n);
        assert_eq!(count(&rows, &format!("• Echo of message {n}.")), 1, "{rows:?}");
    }
}

#[test]
fn typed_lines_and_an_enter_right_behind_them_are_one_message() {
    if !available() {
        return;
    }
    let world = World::new(|_: &Recorded, _| Reply::new().text("Thanks."));
    let pane = Pane::start(&world, "", "", (80, 24));
    pane.run(&[
        "send-keys",
        "-t",
        "t",
        "-l",
        "first\rsecond",
        ";",
        "send-keys",
        "-t",
        "t",
        "Enter",
    ]);
    let rows = pane.wait_closed(1);
    assert_eq!(echoes(&rows), 1, "{rows:?}");
    assert_eq!(world.server().requests()[0].last_user_text(), "first\nsecond");
}

#[test]
fn what_was_on_the_screen_before_is_in_the_history() {
    if !available() {
        return;
    }
    let world = World::new(Vec::new());
    let pane = Pane::open(&world, "", (80, 24));
    pane.type_text("seq 101 115");
    pane.send_keys(&["Enter"]);
    pane.wait_for("the shell", |rows| rows.iter().any(|row| row == "115"));
    pane.run_kimi("");
    let rows = pane.history();
    for number in 101..=115 {
        assert_eq!(rows.iter().filter(|row| **row == number.to_string()).count(), 1, "{rows:?}");
    }
}
