use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use ratatui::widgets::Widget;

use super::*;
use crate::front::text::{line_width, width};
use crate::front::tui::theme::Tone;

/// The rows as text, one per line, `|` at the right edge to show that nothing is padded.
fn show(rows: &[Line<'_>]) -> String {
    rows.iter().map(|row| row.to_string() + "\n").collect()
}

fn rendered(source: &str, columns: usize) -> String {
    show(&render(source, MarkdownStyle::Rendered, columns, &Theme::dark()))
}

const DOCUMENT: &str = "\
# Title of *it*

A paragraph with **bold**, `code`, ~~gone~~ and a [link](https://example.com/a) that is long enough to wrap
at forty columns. 中文宽字符和标点。还有更多的文字 and emoji 👩\u{200d}👩\u{200d}👧 at the end.
- one
- two with [x]
  - nested
    1. deep
- three

1. first

2. second
   with more

> A quotation
> over two lines.

```rust
fn main() {
    println!(\"hi\");

}
```

| name | value |
|:-----|------:|
| alpha | 1 |
| 你好 | 22 |

---
- [x] done
- [ ] open

![alt](a.png) <https://auto.link> <b>html</b>
[^1]: a note
";

#[test]
fn a_document_at_forty_columns() {
    insta::assert_snapshot!(rendered(DOCUMENT, 40), @r#"
    Title of it

    A paragraph with bold, code, gone and a
    link (https://example.com/a) that is
    long enough to wrap
    at forty columns. 中文宽字符和标点。还有
    更多的文字 and emoji 👩‍👩‍👧 at the end.
    - one
    - two with [x]
      - nested
        1. deep
    - three

    1. first

    2. second
       with more

    │ A quotation
    │ over two lines.

    rust
        fn main() {
            println!("hi");

        }

    name  │ value
    ┄┄┄┄┄┄┼┄┄┄┄┄┄
    alpha │     1
    你好  │    22

    * * *

    - [x] done
    - [ ] open

    alt (a.png) https://auto.link
    <b>html</b>
    [^1]: a note
    "#);
}

#[test]
fn a_document_at_eighty_columns() {
    insta::assert_snapshot!(rendered(DOCUMENT, 80), @r#"
    Title of it

    A paragraph with bold, code, gone and a link (https://example.com/a) that is
    long enough to wrap
    at forty columns. 中文宽字符和标点。还有更多的文字 and emoji 👩‍👩‍👧 at the end.
    - one
    - two with [x]
      - nested
        1. deep
    - three

    1. first

    2. second
       with more

    │ A quotation
    │ over two lines.

    rust
        fn main() {
            println!("hi");

        }

    name  │ value
    ┄┄┄┄┄┄┼┄┄┄┄┄┄
    alpha │     1
    你好  │    22

    * * *

    - [x] done
    - [ ] open

    alt (a.png) https://auto.link <b>html</b>
    [^1]: a note
    "#);
}

#[test]
fn a_document_at_120_columns_in_source_style() {
    let rows = render(DOCUMENT, MarkdownStyle::Source, 120, &Theme::dark());
    let text = show(&rows);
    assert_eq!(text.lines().count(), DOCUMENT.lines().count());
    for (row, line) in text.lines().zip(DOCUMENT.lines()) {
        assert_eq!(row.replace('\u{2060}', ""), line);
    }
}

#[test]
fn tables_wrap_their_cells_and_then_become_blocks() {
    let table = "| Option | What it does for you |\n|---|---|\n| `--yolo` | approves every call without asking |\n| x | a \\| b | extra |\n";
    insta::assert_snapshot!(rendered(table, 40), @r#"
    Option │ What it does for you    │
    ┄┄┄┄┄┄┄┼┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┼┄┄┄┄┄┄
    --yolo │ approves every call     │
           │ without asking          │
    x      │ a | b                   │ extra
    "#);
    insta::assert_snapshot!(rendered(table, 14), @r#"
    Option: --yolo
    What it does
      for you:
      approves
      every call
      without
      asking

    Option: x
    What it does
      for you: a |
      b
    extra
    "#);
}

#[test]
fn nested_blocks_keep_their_frame() {
    let text = "> quoted\n>\n> - item\n>   ```\n>   code\n>   ```\n>\n> | a | b |\n> |---|---|\n> | 1 | 2 |\n\n- item\n\n  second paragraph\n\n  ```py\n  x = 1\n\n  y = 2\n  ```\n- - both\n";
    insta::assert_snapshot!(rendered(text, 40), @r#"
    │ quoted
    │
    │ - item
    │       code
    │
    │ a │ b
    │ ┄┄┼┄┄
    │ 1 │ 2

    - item

      second paragraph

      py
          x = 1

          y = 2
    - - both
    "#);
}

/// What the cells of the screen hold after drawing, row by row.
fn drawn(rows: &[Line<'_>], columns: u16) -> Vec<String> {
    let height = u16::try_from(rows.len()).unwrap();
    let area = Rect::new(0, 0, columns, height);
    let mut buffer = Buffer::empty(area);
    for (row, y) in rows.iter().zip(0..) {
        row.render(Rect::new(0, y, columns, 1), &mut buffer);
    }
    (0..height)
        .map(|y| {
            let mut text = String::new();
            let mut x = 0;
            while x < columns {
                let symbol = buffer[(x, y)].symbol();
                text.push_str(symbol);
                x += u16::try_from(width(symbol).max(1)).unwrap();
            }
            text.trim_end().to_owned()
        })
        .collect()
}

#[test]
fn every_row_fits_into_the_cells_of_the_screen() {
    let text =
        format!("{DOCUMENT}\n❤\u{fe0f} 🇩🇪 한국어 e\u{301}e\u{301} ⠙ ✨ {}", "👍🏽你✨ ".repeat(60));
    for columns in [40, 80, 120] {
        for style in [MarkdownStyle::Rendered, MarkdownStyle::Source] {
            let rows = render(&text, style, columns.into(), &Theme::dark());
            let text: Vec<String> =
                rows.iter().map(|row| row.to_string().trim_end().to_owned()).collect();
            // Joiners take no cell; those behind a wide character have none to be in.
            let bare = |text: String| text.replace('\u{2060}', "");
            let cells: Vec<String> = drawn(&rows, columns).into_iter().map(bare).collect();
            assert_eq!(cells, text.into_iter().map(bare).collect::<Vec<_>>());
        }
    }
}

#[test]
fn marks_become_styles() {
    let theme = Theme::dark();
    let rows = render("**b** *i* `c` [t](u) ~~s~~", MarkdownStyle::Rendered, 80, &theme);
    let style = |text: &str| rows[0].spans.iter().find(|span| span.content == text).unwrap().style;
    assert!(style("b").add_modifier.contains(Modifier::BOLD));
    assert!(style("i").add_modifier.contains(Modifier::ITALIC));
    assert_eq!(style("c"), theme.style(Tone::InlineCode));
    assert_eq!(style("t"), theme.style(Tone::Link));
    assert_eq!(style(" (u)"), theme.style(Tone::Dim));
    assert!(style("s").add_modifier.contains(Modifier::CROSSED_OUT));
    let code = render("```rust\nfn x() {}\n```", MarkdownStyle::Rendered, 80, &theme);
    assert_eq!(code[0].to_string(), "rust");
    assert!(matches!(code[1].spans[1].style.fg, Some(Color::Rgb(..))));
    let source = render("a **b** `c`", MarkdownStyle::Source, 80, &theme);
    let parts: Vec<&str> = source[0].spans.iter().map(|span| span.content.as_ref()).collect();
    assert_eq!(parts, ["a ", "**b**", " ", "`c`"]);
}

#[test]
fn lines_of_a_paragraph_stay() {
    assert_eq!(
        rendered("one\ntwo\n中文\n文字。 [l\nm](u) [\nx](y)", 80),
        "one\ntwo\n中文\n文字。 l\nm (u)\nx (y)\n"
    );
    assert_eq!(rendered("- a\n  b\n\n> c\n> d", 80), "- a\n  b\n\n│ c\n│ d\n");
    assert_eq!(rendered("a  \nb\\\nc", 80), "a\nb\nc\n");
}

#[test]
fn no_letter_is_overwritten() {
    for style in [MarkdownStyle::Rendered, MarkdownStyle::Source] {
        let show = |text: &str| show(&render(text, style, 80, &Theme::dark()));
        assert_eq!(show("alpha\rdelta"), "alpha\ndelta\n");
        assert_eq!(show("alpha\r\ndelta\r\n"), "alpha\ndelta\n");
        assert_eq!(show("abc\u{8}\u{8}d\u{1b}]0;e"), "abc^H^Hd^[]0;e\n");
    }
    assert_eq!(rendered("a&#13;b &#8;c", 80), "a b ^Hc\n");
}

#[test]
fn code_is_set_in_and_cut_at_the_column() {
    assert_eq!(
        rendered("say:\n```sh\necho one two three\n\n  x\n```\n    indented\n", 16),
        "say:\n\nsh\n  echo one two t\n  hree\n\n    x\n\n  indented\n"
    );
    assert_eq!(rendered("```\na b\n```", 80), "    a b\n");
    assert_eq!(
        show(&render("```\nab cd\n```", MarkdownStyle::Source, 4, &Theme::dark())),
        "```\nab c\nd\n```\n"
    );
}

#[test]
fn items_are_numbered_from_the_first() {
    assert_eq!(
        rendered("3. a\n   1. x\n1. b\n1. c\n\ntext\n\n1. d\n2) e", 80),
        "3. a\n   1. x\n4. b\n5. c\n\ntext\n\n1. d\n2. e\n"
    );
    assert_eq!(rendered("- 7. a\n- 1. b", 80), "- 7. a\n- 1. b\n");
}

#[test]
fn a_wide_table_does_not_grow_by_its_rows() {
    let table = format!("{}\n{}\n{}", "|a".repeat(2_000), "|-".repeat(2_000), "|x|\n".repeat(150));
    assert!(render(&table, MarkdownStyle::Rendered, 80, &Theme::dark()).len() < 3_000);
}

#[test]
fn hostile_text_is_clean_and_not_chrome() {
    let text = "a&#27;[31mb \u{1b}[31mred\u{1b}[0m &#x202e;x\n\n**agent** (k)\n\n⠙ Thinking\n\n✨ go ✨\n\n```\n── input ──\n\u{1b}]0;t\u{7}╭─ box\n```\n";
    for style in [MarkdownStyle::Rendered, MarkdownStyle::Source] {
        let out = show(&render(text, style, 80, &Theme::dark()));
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}'), "{out:?}");
        assert!(out.contains("\u{2060}⠙ Thinking") && out.contains("go ✨\u{2060}"), "{out:?}");
        assert!(out.contains("\u{2060}── input") && out.contains("╭\u{2060}─ box"), "{out:?}");
    }
    assert!(rendered(text, 80).contains("agent\u{2060} (k)"));
}

/// Streams `text` in pieces of those sizes (characters), in turn; with a tail after each.
fn streamed(text: &str, style: MarkdownStyle, sizes: &[usize], tails: bool) -> Vec<Line<'static>> {
    let theme = Theme::dark();
    let mut stream = MarkdownStream::new(style);
    let mut rows = Vec::new();
    let mut chars = text.chars();
    for size in sizes.iter().cycle() {
        let piece: String = chars.by_ref().take(*size).collect();
        if piece.is_empty() {
            break;
        }
        stream.push(&piece);
        rows.extend(stream.commit(60, &theme));
        if tails {
            assert!(stream.tail(60, &theme, 5).len() <= 5);
        }
    }
    rows.extend(stream.finish(60, &theme));
    rows
}

#[test]
fn chunking_changes_nothing() {
    let long =
        format!("{}\n\n{}\n- {}\n", "word ".repeat(3000), "x".repeat(9000), "ünï ".repeat(9000));
    for text in [DOCUMENT, long.as_str()] {
        for style in [MarkdownStyle::Rendered, MarkdownStyle::Source] {
            let whole = show(&render(text, style, 60, &Theme::dark()));
            for sizes in [&[7][..], &[1, 50, 3], &[4096], &[4097, 1]] {
                assert_eq!(show(&streamed(text, style, sizes, false)), whole);
            }
        }
    }
    let one = show(&streamed(DOCUMENT, MarkdownStyle::Rendered, &[1], true));
    assert_eq!(one, rendered(DOCUMENT, 60));
}

#[test]
fn what_is_final_is_committed_early() {
    let theme = Theme::dark();
    let mut stream = MarkdownStream::new(MarkdownStyle::Rendered);
    let mut step = |text: &str| {
        stream.push(text);
        let rows = show(&stream.commit(40, &theme));
        (rows, show(&stream.tail(40, &theme, 10)))
    };
    assert_eq!(step("para"), (String::new(), "para\n".into()));
    assert_eq!(step("graph\n"), (String::new(), "paragraph\n".into()));
    assert_eq!(step("\n- one\n"), ("paragraph\n".into(), "\n- one\n".into()));
    assert_eq!(step("- tw"), (String::new(), "\n- one\n- tw\n".into()));
    assert_eq!(step("o\n"), ("\n- one\n".into(), "- two\n".into()));
    assert_eq!(step("\n```rs\nlet"), ("- two\n".into(), "\nrs\n    let\n".into()));
    assert_eq!(step(" x;\n"), ("\nrs\n    let x;\n".into(), String::new()));
    assert_eq!(step("```\n# He"), (String::new(), "\nHe\n".into()));
    assert_eq!(step("ad\n"), ("\nHead\n".into(), String::new()));
    let (rows, tail) = step(&"word ".repeat(1000));
    assert!(rows.len() > 3000 && tail.len() < 2000);
}

#[test]
fn long_tables_come_in_parts() {
    let rows: String = (0..500).map(|n| format!("| {n} | x |\n")).collect();
    let out = rendered(&format!("| n | v |\n|---|---|\n{rows}"), 40);
    assert_eq!(out.lines().filter(|row| row.starts_with("n ")).count(), 3);
    assert!((0..500).all(|n| out.lines().any(|row| row.starts_with(&format!("{n} ")))));
}

#[test]
fn large_hostile_texts_cost_linear_time() {
    let cases = [
        "word ".repeat(20_000),
        "x".repeat(40_000),
        format!("- {}", "item text\n  ".repeat(8_000)),
        ">".repeat(40_000),
        "- ".repeat(40_000),
        "[".repeat(40_000),
        "`*".repeat(40_000),
        "> a\n".repeat(10_000),
        "|a".repeat(20_000) + "\n" + &"|-".repeat(20_000) + "\n",
        format!("```rust\n{}", "let x = 1; ".repeat(20_000)),
        "\n".repeat(50_000),
        "    x\n\n".repeat(10_000),
    ];
    for case in &cases {
        for style in [MarkdownStyle::Rendered, MarkdownStyle::Source] {
            let rows = render(case, style, 80, &Theme::dark());
            assert!(rows.len() < 300_100, "{}", rows.len());
        }
    }
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{3,9} ",
        1 => "[你好吗。]{1,3}",
        2 => proptest::sample::select(vec![
            "\n", "\n\n", "\n- ", "\n1. ", "\n> ", "\n# ", "\n```\n", "\n    ", "\n  ", "|", "\n|---|---|\n",
            "\n---\n", "**", "*", "`", "~~", "[", "](", ")", "]: ", "![", "<", ">", "\\", "\n===\n", "- [ ] ",
            "\t", "\r", "\u{1b}[1A", "✨", "[^", "\n~~~\n", "&", "_", "<!--", "-->", "\"",
        ]).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_word_is_lost_and_no_row_too_wide(
        parts in proptest::collection::vec(fragment(), 0..40),
        sizes in proptest::collection::vec(1_usize..30, 1..5),
        columns in 1_usize..50,
    ) {
        // A word behind the marks of a fence names its language.
        let source = parts.concat();
        let text = source.replace('~', "-");
        for style in [MarkdownStyle::Rendered, MarkdownStyle::Source] {
            let whole = show(&render(&text, style, 500, &Theme::dark()));
            for word in text.split(|c: char| !c.is_ascii_lowercase()).filter(|word| word.len() > 2) {
                prop_assert!(whole.contains(word), "{word:?} of {text:?} is not in {whole:?}");
            }
            for row in render(&source, style, columns, &Theme::dark()) {
                prop_assert!(line_width(&row) <= columns.max(2), "{row}");
            }
            let whole = show(&render(&source, style, 60, &Theme::dark()));
            prop_assert_eq!(show(&streamed(&source, style, &sizes, true)), whole);
        }
    }
}
