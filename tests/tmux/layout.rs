//! The layout that readers of the pane rely on: the prompt mark says idle, the spinner says busy.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Pane;
use crate::support::model_server::Reply;
use crate::support::screen::{is_busy, is_idle};
use crate::support::tmux::available;
use crate::tui::world::{World, closings, count, echoes, unhurried};

const COLOURED: &str = "CAO_TERMINAL_ID=aa59085a";

#[test]
fn the_idle_screen_after_a_turn() {
    if !available() {
        return;
    }
    for size in [(80, 24), (220, 50)] {
        let world = World::new(vec![
            Reply::new().think("Hm.").tool_call("c1", "Glob", r#"{"pattern":"*"}"#),
            Reply::new().text("Here is the **function**:\n\n    def greet(): pass\n"),
        ]);
        world.file("a.txt", "x");
        let pane = Pane::start(&world, "", COLOURED, size);
        pane.ask("create a function\nthat greets");
        let rows = pane.wait_closed(1);
        let at = |text: &str| rows.iter().position(|row| row.contains(text)).expect(text);
        assert!(rows[at("Welcome to Kimi")].starts_with(" Welcome to Kimi Code CLI!"));
        let echo = at("╭─ you ─");
        assert!(rows[echo].starts_with(" ╭─ you ─") && rows[echo].ends_with('╮'));
        assert!(rows[echo + 1].starts_with(" │ tester@project💫 create a function "));
        assert!(rows[echo + 2].starts_with(" │ that greets "));
        // The edge has a text, the time.
        let edge = rows[echo + 3].chars().collect::<Vec<_>>();
        assert!(rows[echo + 3].starts_with(" ╰─ ") && edge[4].is_ascii_digit(), "{rows:?}");
        assert!(rows[at("• Thought")].starts_with(" • Thought"));
        assert!(rows[at("• Used Glob")].starts_with(" • Used Glob (*"));
        // The model's own marks, for whoever cuts the answer out of the screen.
        assert_eq!(rows[at("Here is the")], "• Here is the **function**:");
        assert!(rows[at("def greet")].starts_with("      def greet"));
        assert!(rows[at("• Done")].starts_with(" • Done"));
        let screen = pane.screen();
        let last = screen.len() - 1;
        assert_eq!(screen[last - 1], "── input ── tester@project💫");
        assert!(screen[last].contains(" agent (mock ●) ") && screen[last].contains("context: "));
        // Column 0 belongs to the prompt row, answers and nothing else.
        for row in &rows[at("Welcome")..] {
            let ours = row.starts_with("── input ──") || row.starts_with('•');
            assert!(ours || row.is_empty() || row.starts_with(' '), "{row:?}");
        }
        // The cursor is where the message will be.
        assert_eq!(usize::from(pane.cursor().1), last - 1);

        let styled = pane.capture_styled(200);
        let row =
            |text: &str| styled.lines().find(|row| row.contains(text)).expect(text).to_owned();
        assert!(row("• Thought").contains("\x1b[38;5;244m"), "{:?}", row("• Thought"));
        assert!(row("╭─ you").contains("\x1b[38;5;222m"), "{:?}", row("╭─ you"));
        assert!(!row("Here is the").contains("\x1b[3m"), "{:?}", row("Here is the"));
    }
}

/// Samples the pane during a turn with everything in it: each sample is idle or busy, and the
/// change from one to the other happens once.
#[test]
fn the_screen_is_busy_from_the_echo_to_the_closing_row() {
    if !available() {
        return;
    }
    for size in [(80, 24), (220, 50)] {
        let pace = Duration::from_millis(40);
        let long: String = (1..=60).map(|n| format!("line {n}\n")).collect();
        let write = serde_json::json!({"path": "big.txt", "content": long}).to_string();
        let world = World::new(vec![
            unhurried()
                .pace(pace)
                .think("Thinking about it for a while, in many words, one after the other.")
                .text("First I say something.\n\nThen I write.")
                .tool_call("c1", "WriteFile", &write),
            Reply::new().tool_call(
                "c2",
                "Shell",
                r#"{"command":"seq 1 30; sleep 0.5; seq 31 60"}"#,
            ),
            Reply::new().pace(pace).text("| a | b |\n|---|---|\n| 1 | 2 |\n\nAnd this is the end."),
        ]);
        let pane = Pane::start(&world, "", COLOURED, size);
        let echo = |rows: &[String]| echoes(rows) == 1;
        pane.paste("do everything");
        pane.wait_text("do everything");
        assert!(!is_idle(&pane.screen()), "no mark while a message is being written");
        pane.send_keys(&["Enter"]);
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut samples = 0;
        let mut answered = 0;
        // The echo may scroll away, but not before it has been seen.
        let mut begun = false;
        loop {
            let rows = pane.screen();
            begun |= echo(&rows);
            assert!(Instant::now() < deadline, "{}", rows.join("\n"));
            if closings(&rows) == 1 {
                assert!(is_idle(&rows) && !is_busy(&rows), "{}", rows.join("\n"));
                break;
            }
            if begun {
                assert!(is_busy(&rows) && !is_idle(&rows), "sample {samples}\n{}", rows.join("\n"));
                samples += 1;
            }
            let dialog = ["▶ Write this new file?", "▶ Run this command?"][answered.min(1)];
            if answered < 2 && count(&rows, dialog) == 1 {
                // A while longer, so that the dialog is sampled as well.
                if samples % 10 == 9 {
                    pane.send_keys(&["1"]);
                    answered += 1;
                }
            }
        }
        assert_eq!(answered, 2);
        assert!(samples > 30, "{samples}");
    }
}

#[test]
fn nothing_moves_while_idle_and_the_spinner_turns_while_busy() {
    if !available() {
        return;
    }
    let world = World::new(vec![Reply::new().text("Hm.\n\n").stall()]);
    let pane = Pane::start(&world, "", COLOURED, (80, 24));
    pane.ask("go");
    let rows = pane.wait_text("Hm.");
    let spinner = |rows: &[String]| {
        rows.iter().find(|row| row.contains("esc to interrupt")).cloned().unwrap_or_default()
    };
    let first = spinner(&rows);
    pane.wait_for("another frame", |rows| spinner(rows) != first && !spinner(rows).is_empty());
    pane.send_keys(&["Escape"]);
    let rows = pane.wait_closed(1);
    assert_eq!(rows.iter().filter(|row| row.contains("── input ──")).count(), 1, "{rows:?}");
    assert_eq!(pane.format("#{pane_in_mode}"), "0");
    assert_eq!(pane.format("#{alternate_on}"), "0");
}

/// A spinner row that stays behind would say that the program is busy, for ever.
#[test]
fn nothing_of_an_approval_stays_when_the_window_was_lower_for_a_while() {
    if !available() {
        return;
    }
    let content: String = (1..=80).map(|n| format!("row number {n}\n")).collect();
    let arguments = json!({"path": "big.txt", "content": content}).to_string();
    for (columns, rows) in [(80, 24), (220, 20), (220, 15), (100, 12), (220, 8)] {
        let world = World::new(vec![
            Reply::new().text("Writing it.").tool_call("c1", "WriteFile", &arguments),
            Reply::new().text("Not written."),
        ]);
        let pane = Pane::start(&world, "", "", (220, 50));
        pane.ask("write it");
        let dialog = |rows: &[String]| rows.iter().any(|row| row.contains("3. Reject"));
        let high = pane.wait_for("the dialog", dialog).len();
        pane.resize(columns, rows);
        pane.wait_for("the low dialog", |screen| {
            screen.len() == usize::from(rows) && spinners(screen) == 1
        });
        pane.resize(220, 50);
        pane.wait_for("the high dialog", |screen| {
            screen.len() == high
                && dialog(screen)
                && spinners(screen) == 1
                && screen.iter().any(|row| row.contains("row number 14"))
        });
        pane.send_keys(&["3"]);
        let all = pane.wait_closed(1);
        assert_eq!(spinners(&all), 0, "{columns}x{rows}: {all:#?}");
        assert_eq!(count(&all, "3. Reject"), 0, "{columns}x{rows}: {all:#?}");
    }
}

fn spinners(rows: &[String]) -> usize {
    rows.iter()
        .filter(|row| row.trim_start().starts_with(|c| ('\u{2801}'..='\u{28ff}').contains(&c)))
        .count()
}
