use std::path::Path;
use std::time::Duration;

use ratatui::style::{Color, Style};

use super::{Ending, ToolCard};
use crate::front::tui::cells::testing::{HOSTILE, lawful, line, text};
use crate::front::tui::theme::Theme;
use crate::protocol::{ContentPart, DisplayBlock, MediaUrl, ToolOutput, ToolReturnValue};

fn done(name: &str, key: &str, value: ToolReturnValue) -> ToolCard {
    let mut card = ToolCard::new(name, Some(key));
    card.finish(value, false, None);
    card
}

fn shown(card: &ToolCard, columns: u16) -> String {
    let rows = card.rows(columns, &Theme::dark());
    lawful(&rows, columns);
    text(&rows)
}

fn numbered(n: usize) -> String {
    (1..=n).map(|n| format!("line {n}\n")).collect()
}

fn diff(old: &str, new: &str) -> DisplayBlock {
    DisplayBlock::Diff {
        path: "/p/a.py".into(),
        old_text: old.into(),
        new_text: new.into(),
        old_start: 1,
        new_start: 1,
        is_summary: false,
    }
}

#[test]
fn a_command_shows_the_end_of_its_output() {
    let card = done("Shell", "seq 1 12", ToolReturnValue::ok(numbered(12), "ok"));
    insta::assert_snapshot!(shown(&card, 40), @r"
    • Used Shell (seq 1 12) · 12 lines
    │ … 4 earlier lines
    │ line 5
    │ line 6
    │ line 7
    │ line 8
    │ line 9
    │ line 10
    │ line 11
    │ line 12
    ╰─ done
    ");
    let quiet = done("Shell", "true", ToolReturnValue::ok("", "ok"));
    assert_eq!(shown(&quiet, 80), " • Used Shell (true) · no output");
}

#[test]
fn a_failed_command_says_so_in_words_and_colour() {
    let value = ToolReturnValue::error(
        "Command failed with exit code: 3.",
        "Failed with exit code: 3\nno such file",
    )
    .with_output("no such file\n");
    let mut card =
        ToolCard::new("Shell", Some("cat 文件.txt && echo a-very-long-command-line here"));
    card.finish(value, false, Some(Duration::from_millis(2_300)));
    insta::assert_snapshot!(shown(&card, 40), @r"
    • Used Shell (cat…here) · failed · 2.3s
    │ no such file
    ╰─ failed: exit code 3
    ");
    insta::assert_snapshot!(shown(&card, 80), @r"
    • Used Shell (cat 文件.txt && echo a-…y-long-command-line here) · failed · 2.3s
    │ no such file
    ╰─ failed: exit code 3
    ");
    insta::assert_snapshot!(shown(&card, 120), @r"
    • Used Shell (cat 文件.txt && echo a-very-long-command-line here) · failed · 2.3s
    │ no such file
    ╰─ failed: exit code 3
    ");
    let rows = card.rows(80, &Theme::dark());
    assert_eq!(rows[0].spans[1].style, Style::new().fg(Color::Indexed(244)));
    let chip = rows[0].spans.last().unwrap();
    assert!(chip.content.contains("failed"));
    assert_eq!(chip.style, Theme::dark().style(crate::front::tui::theme::Tone::Error));
    assert_eq!(card.ending(), Some(Ending::Failed));
}

#[test]
fn reading_is_one_row() {
    let card = done("ReadFile", "src/main.rs", ToolReturnValue::ok(numbered(120), "120 lines"));
    assert_eq!(shown(&card, 80), " • Used ReadFile (src/main.rs) · 120 lines");
}

#[test]
fn searches_count_and_preview() {
    let card = done("Grep", "fn main", ToolReturnValue::ok("a.rs:1\nb.rs:2\nc.rs\nd.rs\ne.rs", ""));
    insta::assert_snapshot!(shown(&card, 80), @r"
    • Used Grep (fn main) · 5 matches
    │ a.rs:1
    │ b.rs:2
    │ c.rs
    │ … 2 more lines
    ╰─ done
    ");
    let card = done("Glob", "*.zig", ToolReturnValue::ok("", "No matches"));
    assert_eq!(shown(&card, 80), " • Used Glob (*.zig) · 0 files");
}

#[test]
fn edits_show_the_change() {
    let value = ToolReturnValue::ok("", "edited")
        .with_display(diff("def f(x):\n    return x\n", "def f(x):\n    return x + 1\n"));
    let card = done("StrReplaceFile", "a.py", value);
    let shown = shown(&card, 80);
    assert!(shown.starts_with(" • Used StrReplaceFile (a.py) · +1 -1\n │ "), "{shown}");
    assert!(shown.ends_with("\n ╰─ done"), "{shown}");
    assert!(shown.contains("return x + 1"), "{shown}");
    assert_eq!(card.display().len(), 1);
}

#[test]
fn rejected_and_interrupted_say_so() {
    let mut card = ToolCard::new("WriteFile", Some("hello.txt"));
    card.finish(ToolReturnValue::error("refused", "Rejected by user"), true, None);
    insta::assert_snapshot!(shown(&card, 80), @r"
    • Used WriteFile (hello.txt) · rejected
    ╰─ rejected
    ");

    let mut card = ToolCard::new("Shell", Some("make"));
    card.push_output(&numbered(100));
    card.interrupt();
    let rows = shown(&card, 80);
    assert!(
        rows.starts_with(" • Used Shell (make) · interrupted\n │ … 92 earlier lines\n"),
        "{rows}"
    );
    assert!(rows.ends_with(" │ line 100\n ╰─ interrupted"), "{rows}");
}

#[test]
fn a_late_interrupt_does_not_change_what_is_finished() {
    let mut card = done("Shell", "ls", ToolReturnValue::ok("a\n", ""));
    let before = card.rows(80, &Theme::dark());
    card.interrupt();
    assert_eq!(card.rows(80, &Theme::dark()), before);
}

#[test]
fn a_running_call_shows_the_latest_output() {
    let mut card = ToolCard::new("Shell", None);
    card.set_key(Some("cargo test"));
    assert_eq!(line(&card.running_headline(80, &Theme::dark())), "Using Shell (cargo test)");
    card.push_output("one\ntwo\u{1b}[3");
    card.push_output("1m red\nthree\nfo");
    card.push_output("ur");
    let rows = card.live_rows(40, 3, &Theme::dark());
    lawful(&rows, 40);
    assert_eq!(text(&rows), " │ two red\n │ three\n │ four");
    assert!(card.rows(80, &Theme::dark()).is_empty());
    assert_eq!(card.plain(), "Shell (cargo test)\none\ntwo red\nthree\nfour");
}

#[test]
fn a_call_that_was_not_run_says_so_and_a_reason_is_said_once() {
    let message = "Not run: the user rejected an earlier call of this step.";
    let card = done("Shell", "ls", ToolReturnValue::error(message, "Not run"));
    assert_eq!(shown(&card, 80), " • Shell (ls) · not run");
    assert_eq!(card.ending(), Some(Ending::NotRun));
    let reason = "Tool `Nope` not found";
    let card = done("Nope", "", ToolReturnValue::error(reason, reason));
    assert_eq!(shown(&card, 80), format!(" • Used Nope · failed\n ╰─ failed: {reason}"));
    for name in ["Shell", "ReadFile"] {
        let value = ToolReturnValue::error("`path` is missing.", "Invalid arguments");
        let shown = shown(&done(name, "", value), 80);
        assert!(shown.contains(" │ `path` is missing.\n ╰─ failed: Invalid arguments"), "{shown}");
    }
    let value =
        ToolReturnValue::error("Command failed with exit code: 3.", "Failed with exit code: 3");
    assert_eq!(
        shown(&done("Shell", "x", value), 80),
        " • Used Shell (x) · failed\n ╰─ failed: exit code 3"
    );
}

#[test]
fn counts_of_lines_add_up() {
    let long = format!("{}last {}\n", numbered(5), "word ".repeat(60));
    let shown = shown(&done("Shell", "x", ToolReturnValue::ok(&long, "")), 80);
    assert!(shown.contains("· 6 lines\n │ … 2 earlier lines\n │ line 3\n"), "{shown}");
    let wide = format!("{}last {}\n", numbered(5), "word ".repeat(150));
    let shown = self::shown(&done("Shell", "x", ToolReturnValue::ok(&wide, "")), 80);
    assert!(shown.contains("· 6 lines\n │ … 6 earlier lines\n"), "{shown}");
}

#[test]
fn output_keeps_its_colours_and_is_carried_out() {
    let value = ToolReturnValue::ok("10%\r\u{1b}[31mred\u{1b}[0m plain \u{1b}[38;5;244mgrey\n", "");
    let rows = done("Shell", "x", value).rows(80, &Theme::dark());
    lawful(&rows, 80);
    let style = |text: &str| {
        rows[1].spans.iter().find(|span| span.content.contains(text)).expect("the text").style
    };
    assert_eq!(style("red").fg, Some(Color::Indexed(1)));
    assert_eq!(style("plain").fg, Some(Color::Indexed(244)));
    assert_eq!(line(&rows[1]), " │ red plain grey");
}

#[test]
fn arguments_and_files_are_not_carried_out() {
    let card = done("Grep", "a\u{8}b\rc", ToolReturnValue::ok("x\ry\u{1b}[2K", ""));
    let shown = shown(&card, 80);
    assert!(shown.contains("(a^Hb^Mc)") && shown.contains(" │ x^My^[[2K"), "{shown}");
}

#[test]
fn the_closing_edge_always_has_a_word() {
    for value in [ToolReturnValue::error("", ""), ToolReturnValue::error("\n \n", "\n")] {
        let shown = shown(&done("X", "", value), 40);
        assert!(shown.ends_with("╰─ failed: no reason given"), "{shown}");
    }
}

#[test]
fn hostile_output_keeps_the_law() {
    let long = "世x".repeat(5_000);
    let many = format!("{HOSTILE}\n").repeat(100);
    for columns in [12, 20, 40, 80, 120] {
        for output in [HOSTILE, &long, &many, "\n\n\n", "\r\r\rx\r"] {
            for name in ["Shell", "ReadFile", "Grep", "SomethingElse", HOSTILE] {
                for error in [false, true] {
                    let mut value = ToolReturnValue::ok(output, output)
                        .with_display(DisplayBlock::Brief { text: output.into() });
                    value.is_error = error;
                    let card = done(name, output, value);
                    let rows = card.rows(columns, &Theme::dark());
                    lawful(&rows, columns);
                    assert!(rows.len() <= 11, "{}", rows.len());
                    let edges = rows.iter().filter(|row| line(row).starts_with(" ╰─")).count();
                    assert!(edges <= 1);
                }
            }
        }
    }
}

#[test]
fn hostile_changes_keep_the_law() {
    let long = "世x".repeat(5_000);
    let many = format!("{HOSTILE}\n").repeat(100);
    for columns in [12, 20, 40, 80, 120] {
        for new in [HOSTILE, &long, &many, "", "\r\n\r\n"] {
            let mut block = diff("old\n", new);
            if let DisplayBlock::Diff { path, .. } = &mut block {
                *path = format!("/p/{HOSTILE}");
            }
            let value = ToolReturnValue::ok("", "").with_display(block);
            let rows = done("WriteFile", "x", value).rows(columns, &Theme::dark());
            lawful(&rows, columns);
            assert!(rows.len() <= 12, "{}", rows.len());
        }
    }
}

#[test]
fn a_diff_does_not_say_again_what_the_headline_says() {
    let value = ToolReturnValue::ok("", "").with_display(diff("a\n", "b\n"));
    let mut card = ToolCard::new("WriteFile", Some("a.py")).in_dir(Path::new("/p"));
    card.finish(value, false, None);
    insta::assert_snapshot!(shown(&card, 80), @r"
    • Used WriteFile (a.py) · +1 -1
    │ 1 - a
    │ 1 + b
    ╰─ done
    ");
}

#[test]
fn endless_output_without_newlines_is_bounded() {
    let mut card = ToolCard::new("Shell", Some("yes"));
    for _ in 0..2_000 {
        card.push_output(&"y".repeat(1_000));
    }
    assert!(card.plain().len() < 20_000);
    assert_eq!(card.live_rows(40, 3, &Theme::dark()).len(), 3);
}

#[test]
fn a_picture_is_a_number_and_a_mail_is_quoted() {
    let image_url = MediaUrl { url: "data:image/png;base64,AAAA".into(), id: None };
    let parts = vec![
        ContentPart::text("<image path=\"/p/a.png\">"),
        ContentPart::ImageUrl { image_url },
        ContentPart::text("</image>"),
    ];
    let value = ToolReturnValue { output: ToolOutput::Parts(parts), ..ToolReturnValue::default() };
    let card = done("ReadMediaFile", "a.png", value);
    assert_eq!(shown(&card, 80), " • Used ReadMediaFile (a.png) · 1 picture");
    let told = DisplayBlock::Brief { text: "To checkpoint 3: only b.rs matters".into() };
    let mut card = ToolCard::new("SendDMail", None);
    card.finish(ToolReturnValue::ok("", "not delivered").with_display(told), false, None);
    insta::assert_snapshot!(shown(&card, 40), @r"
    • Used SendDMail
    │ To checkpoint 3: only b.rs matters
    ╰─ done
    ");
}
