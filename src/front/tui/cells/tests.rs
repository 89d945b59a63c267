//! Every cell at three widths, with friendly and with hostile text.

use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};

use super::testing::{HOSTILE, fits, items, lawful, line, text};
use super::*;
use crate::front::tui::markdown::MarkdownStyle;
use crate::front::tui::theme::Theme;

const WIDTHS: [u16; 6] = [1, 12, 20, 40, 80, 120];

fn dark() -> Theme {
    Theme::dark()
}

fn notice(
    severity: Severity,
    title: &str,
    body: &str,
    columns: u16,
    theme: &Theme,
) -> Vec<ratatui::text::Line<'static>> {
    notice_of(severity, title, (body, NOTICE), columns, theme)
}

fn user(text: &str) -> UserCell {
    UserCell { prompt: "root@proj💫".into(), text: text.into(), time: "12:01".into() }
}

fn welcome() -> Welcome {
    Welcome {
        directory: "/home/someone/work/a-project-with-a-long-name".into(),
        session: "316bd634-6fd0-4254-940c-378c265bf8e9".into(),
        model: None,
        tour: true,
        tip: Some("ctrl-j makes a new line, @ mentions a file".into()),
    }
}

#[test]
fn welcome_at_three_widths() {
    insta::assert_snapshot!(text(&welcome().rows(40, &dark())), @r"
    Welcome to Kimi Code CLI!
    Directory: /home/someone…th-a-long-name
    Model: scripted tour (no model)
    Session: 316bd634-6fd0-…0c-378c265bf8e9
    No model is configured, so a built-in
    scripted tour answers: it is not an AI
    and nothing leaves this machine. Set
    KIMI_API_KEY to connect a real model
    (the README says more).
    Tip: ctrl-j makes a new line, @
         mentions a file
    ");
    insta::assert_snapshot!(text(&welcome().rows(80, &dark())), @r"
    Welcome to Kimi Code CLI!
    Directory: /home/someone/work/a-project-with-a-long-name
    Model: scripted tour (no model)
    Session: 316bd634-6fd0-4254-940c-378c265bf8e9
    No model is configured, so a built-in scripted tour answers: it is not an AI
    and nothing leaves this machine. Set KIMI_API_KEY to connect a real model (the
    README says more).
    Tip: ctrl-j makes a new line, @ mentions a file
    ");
    let real = Welcome { model: Some("kimi-k2".into()), tour: false, tip: None, ..welcome() };
    insta::assert_snapshot!(text(&real.rows(120, &dark())), @r"
    Welcome to Kimi Code CLI!
    Directory: /home/someone/work/a-project-with-a-long-name
    Model: kimi-k2
    Session: 316bd634-6fd0-4254-940c-378c265bf8e9
    ");
}

#[test]
fn nothing_in_the_welcome_reads_as_a_turn() {
    let hostile = Welcome {
        directory: HOSTILE.into(),
        session: HOSTILE.into(),
        model: Some("a@b💫".into()),
        tip: Some(HOSTILE.into()),
        tour: true,
    };
    for row in hostile.rows(120, &dark()) {
        let row = line(&row);
        assert!(!row.trim_start().starts_with(['•', '╭', '╰']), "{row}");
        assert!(!row.trim_end().ends_with('💫'), "{row}");
    }
}

#[test]
fn user_echo_at_three_widths() {
    let cell = user("create a function\nthat greets 世界 🚀");
    insta::assert_snapshot!(text(&cell.rows(40, &dark())), @r"
    ╭─ you ───────────────────────────────╮
    │ root@proj💫 create a function       │
    │ that greets 世界 🚀                 │
    ╰─ 12:01 ─────────────────────────────╯
    ");
    insta::assert_snapshot!(text(&cell.rows(80, &dark())), @r"
    ╭─ you ───────────────────────────────────────────────────────────────────────╮
    │ root@proj💫 create a function                                               │
    │ that greets 世界 🚀                                                         │
    ╰─ 12:01 ─────────────────────────────────────────────────────────────────────╯
    ");
    assert_eq!(cell.rows(120, &dark()), cell.rows(100, &dark()));
    assert_eq!(cell.plain(), "create a function\nthat greets 世界 🚀");
}

#[test]
fn user_echo_is_in_its_colour_from_the_first_glyph() {
    for row in user("one\ntwo").rows(40, &dark()) {
        assert_eq!(line(&row).len() - 1, row.spans[1].content.len());
        assert_eq!(row.spans[1].style, Style::new().fg(Color::Indexed(222)));
    }
}

#[test]
fn user_echo_edges_carry_text() {
    for columns in WIDTHS.into_iter().filter(|columns| *columns >= 12) {
        let rows = user("x").rows(columns, &dark());
        assert!(line(&rows[0]).starts_with(" ╭─ you ─"), "{rows:?}");
        assert!(line(&rows[2]).starts_with(" ╰─ 12:01 ─"), "{rows:?}");
        assert!(rows.iter().all(|row| row.width() == rows[0].width()));
    }
}

#[test]
fn the_prompt_and_the_text_share_a_row() {
    for said in ["x".repeat(10_000), "世".repeat(5_000), "  lead".into()] {
        for columns in [20, 40, 80] {
            let rows = user(&said).rows(columns, &dark());
            let first = line(&rows[1]);
            let after = first.split_once('💫').expect("the mark").1;
            assert!(
                after.starts_with(' ') && !after.trim_matches([' ', '│']).is_empty(),
                "{first}"
            );
        }
    }
}

#[test]
fn long_messages_are_cut_with_a_count() {
    let said = (0..5_000).map(|n| format!("line {n}\n")).collect::<String>();
    let rows = user(&said).rows(80, &dark());
    assert_eq!(rows.len(), 42);
    assert!(line(&rows[26]).contains("… 4961 more lines"), "{}", line(&rows[26]));
    assert!(line(&rows[40]).contains("line 4999"), "the end is in sight");
    let lines = |n: usize| (0..n).map(|n| format!("line {n}\n")).collect::<String>();
    assert_eq!(user(&lines(41)).rows(80, &dark()).len(), 43, "nothing to gain");
    assert_eq!(user(&lines(42)).rows(80, &dark()).len(), 42);
}

#[test]
fn marks_in_what_the_user_says_are_not_marks() {
    let rows = user("say a@b💫\n╰───╯").rows(80, &dark());
    let shown = text(&rows);
    assert_eq!(shown.matches("╰─").count(), 1, "only our own edge:\n{shown}");
    assert!(!shown.contains("b💫 "), "{shown}");
}

fn answer(source: &str, after_tools: bool, columns: u16) -> Vec<ratatui::text::Line<'static>> {
    let mut cell = AnswerCell::new(MarkdownStyle::Source, after_tools);
    cell.push(source);
    cell.finish(columns, &dark())
}

#[test]
fn answers_have_one_bullet_and_an_indent() {
    let rows = answer("\n\nHere it is:\n\ndef greet():\n    return 1\n", false, 40);
    insta::assert_snapshot!(text(&rows), @r"
    • Here it is:

      def greet():
          return 1
    ");
    assert_eq!(rows[0].spans[0].style, Style::new());
    let rows = answer("Here", true, 40);
    assert_eq!(rows[0].spans[0].style.fg, Some(Color::Indexed(253)));
}

#[test]
fn answers_never_reach_column_zero() {
    let table = "| a | b |\n|---|---|\n| 世界世界世界 | `x` |\n\n> quote\n\n- [ ] item\n  1. inner";
    let source = format!("a\n{HOSTILE}\n\n{table}\n\n{}", "世x ".repeat(300));
    for style in [MarkdownStyle::Source, MarkdownStyle::Rendered] {
        for columns in WIDTHS {
            let mut cell = AnswerCell::new(style, false);
            cell.push(&source);
            for (n, row) in cell.finish(columns, &dark()).iter().enumerate() {
                let text = line(row);
                let lead = if n == 0 { "• " } else { "  " };
                assert!(text.is_empty() || text.starts_with(lead), "{text:?}");
                if columns >= 12 {
                    fits(row, columns);
                }
            }
        }
    }
}

#[test]
fn streaming_gives_the_same_rows_as_the_whole() {
    let source = "First line\n\nsecond line with 世界\n```rust\nfn x() {}\n```\nlast";
    let mut cell = AnswerCell::new(MarkdownStyle::Source, false);
    let mut rows = Vec::new();
    for c in source.chars() {
        cell.push(c.encode_utf8(&mut [0; 4]));
        rows.extend(cell.commit(40, &dark()));
    }
    rows.extend(cell.finish(40, &dark()));
    assert_eq!(text(&rows), text(&cell.rows(40, &dark())));
    assert_eq!(cell.committed(), rows.len());
    assert_eq!(cell.plain(), source);
}

#[test]
fn the_tail_has_the_bullet_only_while_it_is_the_beginning() {
    let mut cell = AnswerCell::new(MarkdownStyle::Source, false);
    cell.push("begin");
    assert_eq!(text(&cell.tail(40, &dark(), 5)), "• begin");
    cell.push("ning\nmore");
    cell.commit(40, &dark());
    assert_eq!(text(&cell.tail(40, &dark(), 5)), "  more");
}

#[test]
fn blank_answers_have_no_rows() {
    assert!(answer(" \n\n ", false, 80).is_empty());
}

#[test]
fn thinking_is_grey_italic_live_and_one_row_after() {
    let mut cell = ThinkingCell::default();
    assert!(cell.is_blank());
    cell.push("First I look at the 文件.\nThen ");
    cell.push("I decide.");
    let rows = cell.live_rows(40, 6, &dark());
    insta::assert_snapshot!(text(&rows), @r"
    First I look at the 文件.
    Then I decide.
    ");
    let style = rows[0].spans[1].style;
    assert_eq!(style.fg, Some(Color::Indexed(244)));
    assert!(style.add_modifier.contains(Modifier::ITALIC));

    let short = ThinkingCell::summary(Duration::from_millis(999), None, 80, &dark());
    assert_eq!(line(&short), " • Thought");
    let mut torn = ThinkingCell::default();
    torn.push("alpha\rdelta");
    assert_eq!(text(&torn.live_rows(40, 6, &dark())), "  alpha\n  delta");
    let row = ThinkingCell::summary(Duration::from_secs(12), Some(340), 80, &dark());
    assert_eq!(line(&row), " • Thought for 12s · 340 tokens");
    assert_eq!(row.spans[1].style, Style::new().fg(Color::Indexed(244)));
}

#[test]
fn live_thinking_is_at_most_six_rows() {
    let mut cell = ThinkingCell::default();
    cell.push(&"thought ".repeat(200_000));
    for columns in WIDTHS.into_iter().filter(|columns| *columns > 2) {
        let rows = cell.live_rows(columns, 20, &dark());
        assert_eq!(rows.len(), 6);
        lawful(&rows, columns);
    }
    assert_eq!(cell.live_rows(80, 2, &dark()).len(), 2);
}

#[test]
fn closing_rows() {
    let rows = |closing, ms| text(&closing_row(&closing, Duration::from_millis(ms), 60, &dark()));
    assert_eq!(rows(Closing::Done, 4_200), " • Done in 4.2s");
    assert_eq!(rows(Closing::Done, 99), " • Done");
    assert_eq!(rows(Closing::Done, 100), " • Done in 0.1s");
    assert_eq!(rows(Closing::Interrupted, 3_100), " • Interrupted after 3.1s");
    let failed = Closing::Failed {
        reason: "the model server did not answer within 60 seconds".into(),
        hint: Some("Send the message again.".into()),
    };
    insta::assert_snapshot!(rows(failed, 61_000), @r"
    • Failed after 1m 01s: the model server did not answer
      within 60 seconds
      → Send the message again.
    ");
    let page = Closing::Failed {
        reason: "HTTP 502:\n <!DOCTYPE html><html><body>Bad gateway</body></html>".into(),
        hint: None,
    };
    assert_eq!(rows(page, 61_000), " • Failed after 1m 01s: HTTP 502 (an HTML page)");
    let long = Closing::Failed { reason: "so\nvery ".repeat(1_000), hint: None };
    let long = rows(long, 61_000).replace("\n  ", " ");
    assert!(long.chars().count() < 350 && long.ends_with('…'), "{long}");
    let row = &closing_row(&Closing::Done, Duration::ZERO, 60, &dark())[0];
    assert_eq!(row.spans[1].style, Style::new().fg(Color::Indexed(244)));
    // A failure belongs to what a reader extracts: its bullet is the one of an answer.
    let failed = Closing::Failed { reason: "no".into(), hint: None };
    let row = &closing_row(&failed, Duration::ZERO, 60, &dark())[0];
    assert_eq!(row.spans[1].style, Style::new().fg(Color::Indexed(253)));
}

#[test]
fn notices_have_no_bullet() {
    let theme = dark();
    let rows = [
        notice(Severity::Info, "MCP servers are ready", "", 60, &theme),
        notice(Severity::Error, "Error: boom", "one\ntwo\nthree", 60, &theme),
        notice(Severity::of("warning"), "Context is nearly full: 82% used", "", 40, &theme),
        retry_row("APIStatusError", Some(429), 2, 10, Duration::from_secs(4), 80, &theme),
        retry_row("APITimeoutError", None, 2, 3, Duration::from_secs(1), 80, &theme),
        compaction_row(Some(120_400), Some(12_300), 80, &theme),
        vec![todo_change_row(&items("x a\n> write 世界\n- c"), 80, &theme)],
        vec![todo_change_row(&[], 80, &theme)],
        steer_echo("also the tests\nand docs", 80, &theme),
        resume_separator("316bd634-6fd0", Some("Fix it"), 1, 80, &theme),
        pointer_row("/tmp/last_message.md", 312, 80),
    ];
    let rows = rows.concat();
    lawful(&rows, 80);
    insta::assert_snapshot!(text(&rows), @r"
    › MCP servers are ready
    ✗ Problem · Error: boom
      one
      two
      …
    ! Warning · Context is nearly full: 82%
      used
    ↻ Retrying after rate limit · attempt 2/10 · 4s
    ↻ Retrying after timeout · attempt 2/3 · 1s
    ↓ Compacted the conversation: 120.4k → 12.3k tokens
    ● Todo 1/3 done · now: write 世界
    ○ Todo list cleared
    » also the tests
      and docs
    ↺ Resumed session 316bd634 · 1 turn above · Fix it
     [the whole answer, 312 rows: /tmp/last_message.md]
    ");
    assert!(rows.iter().rev().skip(1).all(|row| !line(row).contains('•')));
}

#[test]
fn the_name_of_a_file_fits_one_row_of_eighty_columns() {
    for home in ["/root", "/home/somebody", "/home/a.longer.name", "/Users/somebody.else"] {
        let share = crate::store::ShareDir::new(format!("{home}/.kimi"));
        let path = share.answers().join("316bd634-12.md");
        let rows = pointer_row(&path.display().to_string(), 12_345, 80);
        assert_eq!(rows.len(), 1, "{rows:?}");
    }
}

#[test]
fn every_cell_keeps_the_law_with_hostile_text() {
    let theme = dark();
    let long = format!("{HOSTILE}{}", "世x".repeat(5_000));
    let many = format!("{HOSTILE}\n").repeat(500);
    for columns in WIDTHS.into_iter().filter(|columns| *columns >= 12) {
        for said in [HOSTILE, &long, &many, "", "\n\n", "🧑‍🧑‍🧒‍🧒e\u{301}\u{200d}"]
        {
            let mut thinking = ThinkingCell::default();
            thinking.push(said);
            let failed = Closing::Failed { reason: said.into(), hint: Some(said.into()) };
            let cells = [
                user(said).rows(columns, &theme),
                thinking.live_rows(columns, 6, &theme),
                closing_row(&failed, Duration::ZERO, columns, &theme),
                pointer_row(said, 312, columns),
                notice(Severity::Error, said, said, columns, &theme),
                steer_echo(said, columns, &theme),
                resume_separator(said, Some(said), 3, columns, &theme),
                retry_row(said, None, 1, 2, Duration::ZERO, columns, &theme),
            ];
            for rows in cells {
                lawful(&rows, columns);
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn any_message_is_boxed(said in r"[a-z 世🚀\n\t\x1b\[╰─•💫\u{301}\u{200d}]{0,200}", columns in 12_u16..130) {
        let rows = user(&said).rows(columns, &dark());
        lawful(&rows, columns);
        let first = line(&rows[1]);
        proptest::prop_assert!(first.contains('💫'), "{first}");
        let edges = rows.iter().filter(|row| line(row).starts_with(" ╰─")).count();
        proptest::prop_assert_eq!(edges, 1);
    }

    #[test]
    fn previews_count_every_line(
        lines in proptest::collection::vec("[a-z 世]{0,30}", 0..30),
        columns in 1_usize..20,
        max_rows in 0_usize..12,
    ) {
        let source = lines.join("\n");
        let total = row::logical_lines(&source).count();
        for (rows, hidden) in [
            row::head_rows(&source, Style::new(), columns, max_rows),
            row::tail_rows(&source, Style::new(), columns, max_rows),
        ] {
            proptest::prop_assert!(rows.len() <= max_rows && hidden <= total);
            proptest::prop_assert!(rows.len() + hidden >= total);
            let all = row::wrap_text(&source, Style::new(), columns);
            proptest::prop_assert_eq!(hidden == 0, all.len() <= max_rows);
        }
        let all = row::wrap_text(&source, Style::new(), columns);
        if all.len() <= max_rows {
            let (tail, _) = row::tail_rows(&source, Style::new(), columns, max_rows);
            proptest::prop_assert_eq!(tail, all);
        }
    }
}
