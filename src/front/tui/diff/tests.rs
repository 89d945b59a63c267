use proptest::prelude::*;
use ratatui::style::Style;

use super::*;
use crate::front::text::line_width;

fn diff(path: &str, old: &str, new: &str, start: u64) -> DisplayBlock {
    DisplayBlock::Diff {
        path: path.to_owned(),
        old_text: old.to_owned(),
        new_text: new.to_owned(),
        old_start: start,
        new_start: start,
        is_summary: false,
    }
}

fn show(blocks: &[DisplayBlock], columns: usize, max_rows: Option<usize>) -> String {
    render_hunks(Some(Path::new("/w")), blocks, columns, max_rows, &Theme::dark())
        .iter()
        .map(|row| row.to_string() + "\n")
        .collect()
}

fn example() -> Vec<DisplayBlock> {
    vec![
        diff(
            "/w/src/main.rs",
            "fn main() {\n\tlet x = 1;\n\n}\n",
            "fn main() {\n\tlet x = 2;\n\n}\n",
            9,
        ),
        diff(
            "/other/中文.txt",
            "旧的一行\n",
            "新的一行文字很长所以要换行才行👩\u{200d}👩\u{200d}👧\nsecond\n",
            1,
        ),
        DisplayBlock::Brief { text: "passed over".to_owned() },
        diff("/w/src/main.rs", "a\n", "", 120),
    ]
}

#[test]
fn hunks_of_a_file_stand_under_one_header() {
    insta::assert_snapshot!(show(&example(), 80, None), @r#"
    src/main.rs +1 -2
      9   fn main() {
     10 -     let x = 1;
     10 +     let x = 2;
     11
     12   }
      ⋮
    120 - a
    /other/中文.txt +2 -1
    1 - 旧的一行
    1 + 新的一行文字很长所以要换行才行👩‍👩‍👧
    2 + second
    "#);
    assert_eq!(show(&example(), 120, None), show(&example(), 80, None));
    assert_eq!(count_changes(&example()), (3, 3));
}

#[test]
fn long_lines_wrap_beside_the_numbers() {
    insta::assert_snapshot!(show(&example(), 30, None), @r#"
    src/main.rs +1 -2
      9   fn main() {
     10 -     let x = 1;
     10 +     let x = 2;
     11
     12   }
      ⋮
    120 - a
    /other/中文.txt +2 -1
    1 - 旧的一行
    1 + 新的一行文字很长所以要换行
        才行👩‍👩‍👧
    2 + second
    "#);
    insta::assert_snapshot!(show(&example(), 9, Some(5)), @r#"
    s…s +1 -2
    -     let
      x = 1;
    +     let
    … 6 more lines
    "#);
}

#[test]
fn a_preview_shows_changes_and_counts_the_rest() {
    insta::assert_snapshot!(show(&example(), 40, Some(6)), @r#"
    src/main.rs +1 -2
     10 -     let x = 1;
     10 +     let x = 2;
    120 - a
    /other/中文.txt +2 -1
    … 3 more lines
    "#);
    assert_eq!(show(&example(), 40, Some(1)), "… 8 more lines\n");
}

#[test]
fn long_runs_without_change_are_left_out() {
    let old: String = (1..=40).map(|n| format!("line {n}\n")).collect();
    let new = old.replace("line 5\n", "line five\n").replace("line 35\n", "");
    insta::assert_snapshot!(show(&[diff("/w/a", &old, &new, 1)], 40, None), @r#"
    a +1 -2
     1   line 1
     2   line 2
     3   line 3
     4   line 4
     5 - line 5
     5 + line five
     6   line 6
     7   line 7
     8   line 8
     ⋮
    32   line 32
    33   line 33
    34   line 34
    35 - line 35
    35   line 36
    36   line 37
    37   line 38
    "#);
}

#[test]
fn summaries_say_what_they_say() {
    let block = DisplayBlock::Diff {
        path: "/w/big.txt".to_owned(),
        old_text: "(12000 lines)".to_owned(),
        new_text: "(12001 lines)".to_owned(),
        old_start: 1,
        new_start: 1,
        is_summary: true,
    };
    assert_eq!(show(&[block], 40, None), "big.txt\n(12000 lines) → (12001 lines)\n");
    assert_eq!(show(&[], 40, Some(3)), "");
}

#[test]
fn changed_words_are_marked_where_lines_are_alike() {
    let theme = Theme::dark();
    let blocks = [diff("/a", "let alpha = one;\nx\n", "let alpha = two;\nutterly other\n", 1)];
    let rows = render_hunks(None, &blocks, 80, None, &theme);
    let of = |tone: Tone| -> Vec<String> {
        rows.iter()
            .flat_map(|row| &row.spans)
            .filter(|span| span.style == theme.style(tone))
            .map(|span| span.content.to_string())
            .collect()
    };
    assert_eq!(of(Tone::DiffRemovedWord), ["one"]);
    assert_eq!(of(Tone::DiffAddedWord), ["two"]);
    assert!(rows.iter().all(|row| row.style == Style::new()));
}

#[test]
fn hostile_content_is_clean_and_large_content_cheap() {
    let blocks = [diff("/w/\u{1b}[31mx\n\u{202e}", "\u{1b}]0;t\u{7}a\r", "⠙ b\u{0}", 1)];
    let out = show(&blocks, 40, None);
    assert!(!out.contains(['\u{1b}', '\u{202e}', '\r', '\0', '\u{7}']), "{out:?}");
    let many: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    let out = show(&[diff("/w/a", &many, "x", u64::MAX)], 40, Some(8));
    assert_eq!(out.lines().count(), 8);
    assert!(out.ends_with("… 99995 more lines\n"), "{out}");
    let wide = "x y ".repeat(50_000);
    assert_eq!(show(&[diff("/w/a", &wide, "", 1)], 40, Some(4)).lines().count(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn rows_fit_and_hold_every_changed_line(
        old in "([a-c你 ]{0,6}\n){0,8}", new in "([a-c你 ]{0,6}\n){0,8}", columns in 1_usize..40,
    ) {
        let blocks = [diff("/w/f", &old, &new, 1)];
        let rows = render_hunks(None, &blocks, columns, None, &Theme::dark());
        for row in &rows {
            prop_assert!(line_width(row) <= columns.max(4), "{row}");
        }
        let (added, removed) = count_changes(&blocks);
        let kept = old.lines().count() - removed;
        prop_assert_eq!(new.lines().count() - added, kept);
        for max in 1..6 {
            prop_assert!(render_hunks(None, &blocks, columns, Some(max), &Theme::dark()).len() <= max);
        }
    }
}
