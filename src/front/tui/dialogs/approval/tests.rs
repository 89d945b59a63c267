use std::path::Path;
use std::time::{Duration, Instant};

use crate::front::tui::cells::testing::{HOSTILE, text};
use crate::front::tui::dialogs::testing::{drawn, press};
use crate::front::tui::dialogs::{ApprovalDialog, Dialog, DialogReply};
use crate::front::tui::theme::Theme;
use crate::protocol::{ApprovalRequest, ApprovalResponse, DisplayBlock, Response, Verdict};

fn request(action: &str, display: Vec<DisplayBlock>) -> ApprovalRequest {
    ApprovalRequest {
        id: "r1".into(),
        tool_call_id: "c1".into(),
        sender: "Shell".into(),
        action: action.into(),
        description: "Write file `/p/a.py`".into(),
        source_kind: Some("foreground_turn".into()),
        source_id: None,
        agent_id: None,
        subagent_type: None,
        source_description: None,
        display,
        note: None,
    }
}

fn shell(command: &str) -> ApprovalDialog {
    let block = DisplayBlock::Shell { language: "bash".into(), command: command.into() };
    ApprovalDialog::new(
        request("run command", vec![block]),
        Path::new("/tmp/proj"),
        Instant::now(),
        false,
    )
}

fn edit(lines: usize) -> ApprovalDialog {
    let text = |word: &str| (0..lines).map(|n| format!("{word} {n}\n")).collect::<String>();
    let block = DisplayBlock::Diff {
        path: "/p/a.py".into(),
        old_text: text("old"),
        new_text: text("new"),
        old_start: 1,
        new_start: 1,
        is_summary: false,
    };
    ApprovalDialog::new(
        request("edit file", vec![block]),
        Path::new("/tmp/proj"),
        Instant::now(),
        false,
    )
}

fn answer(response: Verdict, feedback: &str) -> DialogReply {
    DialogReply::Answer(Response::Approval(ApprovalResponse {
        request_id: "r1".into(),
        response,
        feedback: feedback.into(),
    }))
}

#[test]
fn a_command_at_three_widths() {
    let dialog =
        shell("cargo test --workspace && echo 完了 🚀 with a rather long tail of words here");
    insta::assert_snapshot!(drawn(&dialog, 40, 20).1, @r"
    ▶ Run this command?
      $ cargo test --workspace && echo 完了
      🚀 with a rather long tail of words
      here
      in /tmp/proj
    ▶ 1. Approve once
      2. Approve for this session (run com…
      3. Reject
      4. Reject, tell the model what to do…
    ↑/↓ · 1-4 · ↵ · esc reject
    ");
    insta::assert_snapshot!(drawn(&dialog, 80, 20).1, @r"
    ▶ Run this command?
      $ cargo test --workspace && echo 完了 🚀 with a rather long tail of words
      here
      in /tmp/proj
    ▶ 1. Approve once
      2. Approve for this session (run command)
      3. Reject
      4. Reject, tell the model what to do instead
    ↑/↓ select · 1/2/3/4 choose · ↵ confirm · ctrl-e whole content · esc reject
    ");
    insta::assert_snapshot!(drawn(&dialog, 120, 20).1, @r"
    ▶ Run this command?
      $ cargo test --workspace && echo 完了 🚀 with a rather long tail of words here
      in /tmp/proj
    ▶ 1. Approve once
      2. Approve for this session (run command)
      3. Reject
      4. Reject, tell the model what to do instead
    ↑/↓ select · 1/2/3/4 choose · ↵ confirm · ctrl-e whole content · esc reject
    ");
}

#[test]
fn a_dangerous_command_has_a_banner() {
    let mut dialog = shell("sudo rm -rf build");
    dialog.set_position(1, 3);
    insta::assert_snapshot!(drawn(&dialog, 120, 20).1, @r"
    ▶ Run this command? (1 of 3)
      ! Careful: runs with the rights of another user (sudo); deletes recursively
      $ sudo rm -rf build
      in /tmp/proj
    ▶ 1. Approve once
      2. Approve for this session (run command)
      3. Reject
      4. Reject, tell the model what to do instead
    ↑/↓ select · 1/2/3/4 choose · ↵ confirm · ctrl-e whole content · esc reject
    ");
    dialog.set_position(1, 1);
    assert!(!drawn(&dialog, 120, 20).1.contains("1 of 1"));
}

#[test]
fn the_part_that_asks_is_shown_whole() {
    let command = format!(
        "for f in a b c; do\n  echo $f\ndone && cat <<'E' > x.py\n{}E\npython3 x.py && rm -rf build dist \
         && sudo systemctl restart nginx",
        "print(1)\n".repeat(30)
    );
    let why = "no rule allows: > /home/somebody/projects/of/theirs/x.py · python3 x.py · rm -rf build dist \
               node_modules target · sudo systemctl restart nginx · systemctl restart nginx";
    let asked = |why: &str| {
        let shell = DisplayBlock::Shell { language: "bash".into(), command: command.clone() };
        let display = vec![shell, ApprovalRequest::note(Some(why), "this command only")];
        let request = request("run command", display);
        ApprovalDialog::new(request, Path::new("/tmp/proj"), Instant::now(), false)
    };
    for columns in [60, 80, 120] {
        let shown = drawn(&asked(why), columns, 20).1;
        let words: Vec<&str> = shown.split_whitespace().collect();
        assert!(words.join(" ").contains(why), "{shown}");
        assert!(shown.contains("for f in a b c"), "{shown}");
    }
    let long = format!("no rule allows: {}", "rm -rf build · ".repeat(200));
    let shown = drawn(&asked(&long), 80, 20).1;
    assert!(shown.contains("ctrl-e to expand") && shown.contains("Approve once"), "{shown}");
    let all = text(&asked(&long).full(80, &Theme::dark()));
    assert!(all.matches("build").count() > 200, "{all}");
}

#[test]
fn an_edit_shows_the_change() {
    let shown = drawn(&edit(1), 80, 20).1;
    assert!(shown.starts_with(" ▶ Overwrite this file?\n"), "{shown}");
    assert!(shown.contains("new 0") && shown.contains("Write file"), "{shown}");
}

#[test]
fn other_requests_say_who_and_what() {
    let mut asked = request("mcp:git_push", Vec::new());
    asked.subagent_type = Some("coder".into());
    let dialog = ApprovalDialog::new(asked, Path::new("/"), Instant::now(), false);
    let shown = drawn(&dialog, 80, 20).1;
    assert!(
        shown.starts_with(" ▶ Call the MCP tool git_push? · asked by agent coder\n"),
        "{shown}"
    );
    assert!(shown.contains("Write file"), "the description is the preview:\n{shown}");
}

#[test]
fn the_options_stay_whatever_the_height() {
    let command = (0..5_000).map(|n| format!("echo {n}\n")).collect::<String>();
    for dialog in [&shell(&command), &shell(&"x".repeat(10_000)), &edit(200)] {
        for columns in [12, 40, 80, 120] {
            for max_rows in [4, 5, 6, 8, 9, 12, 30] {
                let shown = drawn(dialog, columns, max_rows).1;
                for option in ["▶ 1. App", "  2. App", "  3. Rej", "  4. Rej"] {
                    assert!(
                        max_rows < 8 || shown.contains(option),
                        "{columns}x{max_rows}:\n{shown}"
                    );
                }
                assert!(max_rows >= 7 || shown.contains("\n ▶1"), "{columns}:\n{shown}");
            }
        }
    }
    let shown = drawn(&shell(&command), 80, 12).1;
    insta::assert_snapshot!(shown, @r"
    ▶ Run this command?
      $ echo 0
      echo 1
      echo 2
      echo 3
      … 4996 more lines, ctrl-e to expand
      in /tmp/proj
    ▶ 1. Approve once
      2. Approve for this session (run command)
      3. Reject
      4. Reject, tell the model what to do instead
    ↑/↓ select · 1/2/3/4 choose · ↵ confirm · ctrl-e whole content · esc reject
    ");
}

#[test]
fn the_chosen_option_stays_on_a_tiny_screen() {
    let mut dialog = shell("ls");
    press(&mut dialog, "4x", Instant::now());
    for max_rows in 1..4 {
        let (frame, shown) = drawn(&dialog, 40, max_rows);
        assert!(shown.contains("▶ 4. Reject: x"), "{max_rows}: {shown}");
        assert!(frame.caret.is_some());
    }
    assert!(drawn(&dialog, 40, 0).0.rows.is_empty());
}

#[test]
fn keys_decide() {
    let now = Instant::now();
    for (pressed, expected) in [
        ("1", answer(Verdict::Approve, "")),
        ("y", answer(Verdict::Approve, "")),
        ("⏎", answer(Verdict::Approve, "")),
        ("2", answer(Verdict::ApproveForSession, "")),
        ("a", DialogReply::Redraw),
        ("a⏎", answer(Verdict::ApproveForSession, "")),
        ("j⏎", answer(Verdict::ApproveForSession, "")),
        ("3", answer(Verdict::Reject, "")),
        ("n", answer(Verdict::Reject, "")),
        ("↓↓⏎", answer(Verdict::Reject, "")),
        ("⎋", answer(Verdict::Reject, "")),
        ("^c", answer(Verdict::Reject, "")),
        ("^d", answer(Verdict::Reject, "")),
        ("4no 1y⏎", answer(Verdict::Reject, "no 1y")),
        ("4⏎", DialogReply::Ignored),
        ("4  ⏎", DialogReply::Ignored),
        ("4half⎋", answer(Verdict::Reject, "")),
        ("↑use b↑↓⏎", answer(Verdict::Reject, "use b")),
        ("4x⌫y⏎", answer(Verdict::Reject, "y")),
        ("^e", DialogReply::Expand),
        ("x", DialogReply::Ignored),
        ("kj", DialogReply::Redraw),
    ] {
        assert_eq!(press(&mut shell("ls"), pressed, now), expected, "{pressed}");
    }
}

#[test]
fn the_draft_of_the_feedback_is_kept() {
    let mut dialog = shell("ls");
    press(&mut dialog, "4use rg", Instant::now());
    assert_eq!(dialog.paste(" instead\n"), DialogReply::Redraw);
    let (frame, shown) = drawn(&dialog, 80, 20);
    assert!(shown.contains("▶ 4. Reject: use rg instead"), "{shown}");
    let (row, column) = frame.caret.expect("a caret");
    assert_eq!(shown.lines().nth(row.into()).map(|row| row.chars().count()), Some(column.into()));
    press(&mut dialog, "↑", Instant::now());
    let (frame, shown) = drawn(&dialog, 80, 20);
    assert!(shown.contains("  4. Reject: use rg instead") && frame.caret.is_none(), "{shown}");
}

#[test]
fn pasting_never_answers() {
    let mut dialog = shell("ls");
    assert_eq!(dialog.paste("1\ny\n"), DialogReply::Ignored);
}

#[test]
fn keys_meant_for_the_composer_do_not_answer() {
    let start = Instant::now();
    let block = DisplayBlock::Shell { language: "bash".into(), command: "rm x".into() };
    let request = request("run command", vec![block]);
    let mut dialog = ApprovalDialog::new(request.clone(), Path::new("/p"), start, true);
    // What writes nothing was not meant for the composer either: it wants out.
    for pressed in ["⎋", "^c"] {
        let mut dialog = ApprovalDialog::new(request.clone(), Path::new("/p"), start, true);
        assert_eq!(press(&mut dialog, pressed, start), answer(Verdict::Reject, ""), "{pressed}");
    }
    for pressed in ["1", "y", "⏎"] {
        let reply = press(&mut dialog, pressed, start + Duration::from_millis(299));
        assert_eq!(reply, DialogReply::Guarded, "{pressed}");
    }
    // A sentence of many seconds, a key every 600 ms.
    let mut last = start + Duration::from_millis(299);
    for pressed in ["n", "o", " ", "a", "n", "d", " ", "y", "e", "s", "⏎", "1", "2"] {
        last += Duration::from_millis(600);
        assert_eq!(press(&mut dialog, pressed, last), DialogReply::Guarded, "{pressed}");
    }
    let after = last + Duration::from_millis(700);
    assert_eq!(press(&mut dialog, "1", after), answer(Verdict::Approve, ""));
    let mut calm = ApprovalDialog::new(request, Path::new("/p"), start, false);
    assert_eq!(press(&mut calm, "1", start), answer(Verdict::Approve, ""));
}

#[test]
fn the_full_view_has_everything() {
    let command = (0..500).map(|n| format!("echo {n}\n")).collect::<String>();
    let full = text(&shell(&command).full(80, &Theme::dark()));
    assert!(full.contains("echo 499") && !full.contains("ctrl-e"), "{full}");
}

#[test]
fn hostile_requests_keep_the_law() {
    for columns in [12, 20, 40, 80, 120] {
        for max_rows in [5, 10, 40] {
            drawn(&shell(HOSTILE), columns, max_rows);
            let mut asked = request(HOSTILE, vec![DisplayBlock::Brief { text: HOSTILE.into() }]);
            asked.sender = HOSTILE.into();
            asked.description = HOSTILE.repeat(1_000);
            asked.agent_id = Some(HOSTILE.into());
            asked.source_description = Some(HOSTILE.into());
            drawn(
                &ApprovalDialog::new(asked, Path::new(HOSTILE), Instant::now(), false),
                columns,
                max_rows,
            );
        }
    }
}

#[test]
fn what_will_run_is_what_is_shown() {
    for (command, expected) in [
        ("echo safe \u{1b}]0;x ;touch PWNED; echo \u{7}", "^[]0;x ;touch PWNED; echo ^G"),
        ("touch X #\recho safe", "touch X #^Mecho safe"),
        ("rm a\u{8}\u{8}\u{8}\u{8}ls", "rm a^H^H^H^Hls"),
        ("cat \u{1b}[2K\u{1b}[1Gx", "cat ^[[2K^[[1Gx"),
        ("ls \u{202e}x\u{200b}y", "ls <U+202E>x<U+200B>y"),
    ] {
        let dialog = shell(command);
        let shown = drawn(&dialog, 120, 20).1;
        assert!(shown.contains(expected), "{shown}");
        assert!(shown.contains("! Careful: has control or invisible"), "{shown}");
        let full = text(&dialog.full(120, &Theme::dark()));
        assert!(full.contains(expected), "{full}");
        let mut asked = request("x", vec![DisplayBlock::Brief { text: command.into() }]);
        let said = drawn(
            &ApprovalDialog::new(asked.clone(), Path::new("/p"), Instant::now(), false),
            120,
            20,
        );
        assert!(said.1.contains(expected), "{}", said.1);
        asked.display = vec![DisplayBlock::Diff {
            path: command.into(),
            old_text: String::new(),
            new_text: command.into(),
            old_start: 1,
            new_start: 1,
            is_summary: false,
        }];
        let change = ApprovalDialog::new(asked, Path::new("/p"), Instant::now(), false);
        let shown = drawn(&change, 120, 20).1;
        assert_eq!(shown.matches(expected).count(), 2, "path and content:\n{shown}");
    }
}

#[test]
fn content_is_in_sight_in_a_small_pane() {
    insta::assert_snapshot!(drawn(&edit(9), 40, 5).1, @r"
    ▶ Overwrite this file?
      /p/a.py +9 -9
      1 - old 0
      … 17 more lines
    ▶1 once 2 session 3 reject 4 reject+why
    ");
    insta::assert_snapshot!(drawn(&shell("rm -rf build\nmake\nmake install\nls"), 80, 5).1, @r"
    ▶ Run this command?
      ! Careful: deletes recursively
      $ rm -rf build
      … 3 more lines, ctrl-e to expand
    ▶1 once · 2 session · 3 reject · 4 reject+why
    ");
    let mut dialog = shell("ls\nls\nls\nls");
    for (pressed, row) in [("↓", "1 once ▶2 session 3 reject"), ("4use x", "▶ 4. Reject: use x")]
    {
        press(&mut dialog, pressed, Instant::now());
        let (frame, shown) = drawn(&dialog, 40, 4);
        assert!(shown.starts_with(" ▶ Run this command?\n   $ ls\n"), "{shown}");
        assert!(shown.contains(row), "{shown}");
        assert_eq!(frame.caret.is_some(), pressed.starts_with('4'));
    }
    assert!(drawn(&dialog, 40, 3).1.contains("$ ls"));
}

#[test]
fn a_change_says_what_becomes_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("there");
    std::fs::write(&there, "a\n").unwrap();
    let missing = dir.path().join("missing");
    let ask = |verb: &str, path: &Path, texts: Option<(&str, &str)>| {
        let display = texts.map(|(old, new)| DisplayBlock::Diff {
            path: path.to_string_lossy().into_owned(),
            old_text: old.into(),
            new_text: new.into(),
            old_start: 1,
            new_start: 1,
            is_summary: false,
        });
        let mut asked = request("edit file", display.into_iter().collect());
        asked.description = format!("{verb} file `{}`", path.display());
        let dialog = ApprovalDialog::new(asked, dir.path(), Instant::now(), false);
        drawn(&dialog, 80, 20).1
    };
    for (verb, path, texts, title) in [
        ("Write", &missing, Some(("", "x")), "Write this new file?"),
        ("Write", &there, Some(("", "x")), "Overwrite this file?"),
        ("Write", &there, Some(("a", "b")), "Overwrite this file?"),
        ("Write", &there, Some(("a", "a\nb")), "Append to this file?"),
        ("Edit", &there, Some(("a", "b")), "Make this edit?"),
        ("Write", &there, None, "Overwrite this file?"),
    ] {
        let shown = ask(verb, path, texts);
        assert!(shown.starts_with(&format!(" ▶ {title}\n")), "{shown}");
    }
    for texts in [None, Some(("a", "a"))] {
        let shown = ask("Write", &there, texts);
        assert!(shown.contains("no change to the content"), "{shown}");
        assert!(shown.contains("there"), "{shown}");
    }
}
