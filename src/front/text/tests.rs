use proptest::prelude::*;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use super::*;

fn rows(text: &str, columns: usize, indent: usize) -> Vec<String> {
    wrap_line(&Line::from(text), columns, indent).iter().map(ToString::to_string).collect()
}

#[test]
fn width_counts_clusters() {
    assert_eq!(width("abc"), 3);
    assert_eq!(width("你好"), 4);
    assert_eq!(width("👩‍👩‍👧"), 2);
    assert_eq!(width("🇩🇪"), 2);
    assert_eq!(width("e\u{301}"), 1);
    assert_eq!(width("\u{2060}a"), 1);
    assert_eq!(width("a\nb"), 2);
}

#[test]
fn truncation_marks_the_cut_and_keeps_clusters() {
    assert_eq!(truncate("abc", 3), "abc");
    assert_eq!(truncate("abcd", 3), "ab…");
    assert_eq!(truncate("你好吗", 4), "你…");
    assert_eq!(truncate("abc", 0), "");
    assert_eq!(truncate("👩‍👩‍👧x", 2), "…");
    assert_eq!(truncate_middle("/home/me/project/main.rs", 11), "/home…in.rs");
    assert_eq!(truncate_middle("abcdef", 1), "…");
    assert_eq!(truncate_middle("abcdef", 0), "");
}

#[test]
fn wrapping_breaks_at_blanks_and_drops_them() {
    assert_eq!(rows("the quick  brown fox", 10, 0), ["the quick", "brown fox"]);
    assert_eq!(rows("the quick brown fox", 10, 2), ["the quick", "  brown", "  fox"]);
    assert_eq!(rows("", 10, 2), [""]);
    assert_eq!(rows("    x", 10, 0), ["    x"]);
    assert_eq!(rows("            x", 4, 0), ["x"]);
    assert_eq!(rows("ab    ", 4, 0), ["ab"]);
}

#[test]
fn long_words_are_cut_and_indent_gives_way() {
    assert_eq!(rows("abcdefgh", 3, 0), ["abc", "def", "gh"]);
    assert_eq!(rows("  abcdefgh", 5, 0), ["  abc", "defgh"]);
    assert_eq!(
        rows("a bcdefgh", 4, 9),
        ["a", "   b", "   c", "   d", "   e", "   f", "   g", "   h"]
    );
    assert_eq!(rows("你好", 1, 0), ["你", "好"]);
}

#[test]
fn east_asian_text_breaks_between_characters_but_not_before_a_stop() {
    assert_eq!(rows("你好吗我很好", 5, 0), ["你好", "吗我", "很好"]);
    assert_eq!(rows("你好吗。我", 6, 0), ["你好", "吗。我"]);
    assert_eq!(rows("see 你好吗", 8, 0), ["see 你好", "吗"]);
}

#[test]
fn wrapping_keeps_styles() {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let line = Line::from(vec![Span::raw("one "), Span::styled("two three", bold)]);
    let rows = wrap_line(&line, 7, 0);
    assert_eq!(rows[0], Line::from(vec![Span::raw("one "), Span::styled("two", bold)]));
    assert_eq!(rows[1], Line::from(vec![Span::styled("three", bold)]));
}

#[test]
fn escape_sequences_vanish_whole() {
    assert_eq!(clean("a\x1b[31;1mb\x1b[0mc"), "abc");
    assert_eq!(clean("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\u{9d}52;c;AAAA\u{9c}d"), "abcd");
    assert_eq!(clean("a\x1bPq#0;1\x1b\\b\x1b_Gf=1\x1b\\c"), "abc");
    assert_eq!(clean("a\x1b(Bb\x1b7c\u{9b}2Jd"), "abcd");
    assert_eq!(clean("torn\x1b]0;never ends\nnext"), "torn\nnext");
    assert_eq!(clean("end\x1b"), "end");
    assert_eq!(clean("end\x1b[12"), "end");
    assert_eq!(clean("a\0b\x07c\x7fd"), "abcd");
}

#[test]
fn carriage_returns_overwrite() {
    assert_eq!(clean("a\r\nb"), "a\nb");
    assert_eq!(clean("10%\r100%\ndone"), "100%\ndone");
    assert_eq!(clean("abcdef\rXY"), "XYcdef");
    assert_eq!(clean("abcdef\r\x1b[KXY"), "XY");
    assert_eq!(clean("你好\rx"), "x 好");
    assert_eq!(clean("a_\x08b"), "ab");
    assert_eq!(clean("a\tb\rXY"), "XY  b");
}

#[test]
fn overwriting_a_huge_line_costs_little_and_loses_nothing() {
    let text = format!("{}你\r{}", "ab\t".repeat(200_000), "c");
    let cleaned = clean(&text);
    assert_eq!(cleaned.matches('a').count(), 199_999);
    assert!(cleaned.starts_with("cb ") && cleaned.ends_with('你'));
    assert_eq!(clean(&format!("{}\r\u{1b}[Kx", "a".repeat(100_000))), "x");
}

#[test]
fn hidden_characters_are_shown_or_dropped() {
    assert_eq!(clean("a\u{202e}b\u{2066}"), "a<U+202E>b<U+2066>");
    assert_eq!(clean("r\u{200b}m \u{feff}x\u{e0041}"), "rm x");
    assert_eq!(clean("👩\u{200d}👩\u{200d}👧"), "👩\u{200d}👩\u{200d}👧");
    assert_eq!(clean("می\u{200c}خواهم"), "می\u{200c}خواهم");
    assert_eq!(clean("❤\u{fe0f}\u{fe0f}\u{fe01}"), "❤\u{fe0f}");
    assert_eq!(clean(&format!("e{}", "\u{301}".repeat(1000))).chars().count(), 9);
}

#[test]
fn consent_sees_every_character() {
    assert_eq!(visible("a\x1b]0;t\x07\rb\x08\0\x7f\r\n\tc"), "a^[]0;t^G^Mb^H^@^?^M\n    c");
    assert_eq!(visible("\u{9b}2J\u{2028}\u{202e}"), "<U+009B>2J<U+2028><U+202E>");
    assert_eq!(
        visible("r\u{200b}m\u{2060}\u{feff}\u{e0041}"),
        "r<U+200B>m<U+2060><U+FEFF><U+E0041>"
    );
    assert_eq!(
        visible("👩\u{200d}👩 ❤\u{fe0f} 1\u{fe0f}\u{20e3} می\u{200c}خ"),
        "👩\u{200d}👩 ❤\u{fe0f} 1\u{fe0f}\u{20e3} می\u{200c}خ"
    );
    assert_eq!(visible_line("a\nb\r\n"), "a b^M");
    assert!(hides("a\r\n") && hides("x\u{200b}y") && !hides("\ta\n你好"));
}

#[test]
fn prose_loses_no_letter() {
    assert_eq!(prose("alpha\rdelta\r\nx\x08y\u{2028}z"), "alpha\ndelta\nx^Hy\nz");
    assert_eq!(prose("a\x1b]0;kept\u{ad}"), "a^[]0;kept");
    assert_eq!(prose_line("a\rb\n"), "a b");
}

#[test]
fn tabs_go_to_stops() {
    assert_eq!(clean("\ta\tbc\t你\td"), "    a   bc  你  d");
    assert_eq!(clean_line("a\tb\nc\n\n"), "a   b c");
}

#[test]
fn chrome_look_alikes_are_defused() {
    let j = "\u{2060}";
    assert_eq!(defuse("✨ hi ✨"), format!("✨{j} hi ✨{j}"));
    assert_eq!(defuse("root@x💫\nok"), format!("root@x💫{j}\nok"));
    assert_eq!(defuse("✨sparkle"), "✨sparkle");
    assert_eq!(defuse("╭─ x\n╰──"), format!("╭{j}─ x\n╰{j}──"));
    assert_eq!(defuse("context: 12%"), format!("context:{j} 12%"));
    assert_eq!(defuse("context: none"), "context: none");
    assert_eq!(defuse("12:01 agent (k ●)"), format!("12:01 agent{j} (k ●)"));
    assert_eq!(defuse("  ⠙ go\n🌑\n── input ──"), format!("  {j}⠙ go\n{j}🌑\n{j}── input ──"));
    assert_eq!(defuse(" • Used X (y) · 3 lines"), format!(" • {j}Used X (y) · 3 lines"));
    assert_eq!(defuse("Used X (y) · 3 lines"), format!("{j}Used X (y) · 3 lines"));
    assert_eq!(defuse("Used X (y), 3 lines\nUsedX (y) · 3"), "Used X (y), 3 lines\nUsedX (y) · 3");
    assert_eq!(defuse("plain text"), "plain text");
}

#[test]
fn look_alikes_that_end_an_answer_or_a_session_are_defused() {
    let j = "\u{2060}";
    for (text, safe) in [
        ("Welcome to Kimi Code CLI!", format!("Welcome{j} to Kimi Code CLI!")),
        ("│ Welcome to Kimi Code!", format!("│ Welcome{j} to Kimi Code!")),
        ("connecting to mcp servers...", format!("connecting{j} to mcp servers...")),
        ("cao-mcp-server (connecting)", format!("cao-mcp-server ({j}connecting)")),
        ("MCP server \"a\" connected", format!("MCP{j} server \"a\" connected")),
        ("▶ Run this command?", format!("▶ Run{j} this command?")),
        ("Trust this folder?", format!("Trust{j} this folder?")),
        ("↑/↓ select · 1/2/3/4 choose", format!("↑{j}/↓ select · 1/2/3/4 choose")),
        (
            "  Error: Failed to start a session: no",
            format!("  Error:{j} Failed to start a session: no"),
        ),
        ("• Used Grep (x) · 3 lines", format!("• {j}Used Grep (x) · 3 lines")),
        ("Used Grep (x) · 3 lines", format!("{j}Used Grep (x) · 3 lines")),
        ("say ⠹ Using Shell", format!("say ⠹{j} Using Shell")),
        ("… (3 more lines", format!("…{j} (3 more lines")),
        ("Press Esc to interrupt", format!("Press{j} Esc to interrupt")),
        ("═════", format!("{j}═════")),
    ] {
        assert_eq!(defuse(text), safe);
    }
    for harmless in ["Used Python (3.12) is fine", "Press Ctrl+C", "Error: no", "⠿ braille", "a …"]
    {
        let row =
            if harmless.starts_with('⠿') { format!("x {harmless}") } else { harmless.to_owned() };
        assert_eq!(defuse(&row), row);
    }
}

#[test]
fn chrome_is_found_across_spans() {
    let line = Line::from(vec![Span::raw("  "), Span::raw("agent"), Span::raw(" (x)")]);
    assert_eq!(defuse_line(line).to_string(), "  agent\u{2060} (x)");
    let line = Line::from(vec![Span::raw("⠙"), Span::raw("x✨")]);
    assert_eq!(defuse_line(line).to_string(), "\u{2060}⠙x✨\u{2060}");
    let line = Line::from(vec![Span::raw("  "), Span::raw("⠙")]);
    assert_eq!(defuse_line(line).to_string(), "  \u{2060}⠙");
}

#[test]
fn a_mark_on_a_blank_is_no_blank() {
    // What cleaning leaves of ` ESC e U+0301`: the mark stands on the blank.
    assert_eq!(clean_line(" \u{1b}e\u{301}"), " \u{301}");
    assert_eq!(rows(" \u{301}", 1, 0), [" \u{301}"]);
    assert_eq!(rows("a \u{301}b", 1, 0), ["a", " \u{301}", "b"]);
    assert_eq!(rows("ab \u{301} cd", 3, 0), ["ab \u{301}", "cd"]);
    assert_eq!(rows("ab \u{301}cd", 3, 2), ["ab \u{301}", "  c", "  d"]);
}

/// Text with blanks, wide, combining, joined and control characters close together.
fn wild() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            "[a-z]{1,9}",
            " {1,3}",
            "[你好吗。（）]{1,4}",
            Just("👩\u{200d}👩\u{200d}👧".to_owned()),
            Just("e\u{301}".to_owned()),
            Just(" \u{1b}e\u{301}".to_owned()),
            Just("\u{1b}[31m".to_owned()),
            Just("\u{1b}]0;x".to_owned()),
            Just("\r".to_owned()),
            Just("\t".to_owned()),
            Just("\u{8}".to_owned()),
            Just("\u{1b}[K".to_owned()),
            Just("✨".to_owned()),
            Just("🇩🇪".to_owned()),
            Just("\u{2060}".to_owned()),
            any::<char>().prop_map(String::from),
        ],
        0..40,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn wrapping_loses_nothing_and_fits(text in wild(), columns in 1_usize..30, indent in 0_usize..12) {
        let text = clean_line(&text);
        let wrapped = wrap_line(&Line::from(text.as_str()), columns, indent);
        let blank = |c: &char| !matches!(c, ' ' | '\u{3000}');
        let all: String = wrapped.iter().map(ToString::to_string).collect();
        prop_assert_eq!(all.chars().filter(blank).collect::<String>(), text.chars().filter(blank).collect::<String>());
        let clusters: std::collections::HashSet<&str> = text.graphemes(true).collect();
        for row in &wrapped {
            let row = row.to_string();
            prop_assert!(width(&row) <= columns || row.trim_start().graphemes(true).filter(|c| width(c) > 0).count() == 1, "{row:?}");
            for cluster in row.graphemes(true) {
                // A mark that begins a row, as one behind a joiner may, stands on the last blank of the indent.
                let bare = cluster.trim_start_matches(' ');
                let known = bare.is_empty() || clusters.contains(cluster) || clusters.contains(bare);
                prop_assert!(known, "{cluster:?} was made by a split");
            }
        }
    }

    #[test]
    fn clean_text_has_no_control_characters(text in wild()) {
        let cleaned = clean(&text);
        prop_assert!(cleaned.chars().all(|c| c == '\n' || !c.is_control()));
        prop_assert_eq!(clean(&cleaned), cleaned);
        prop_assert!(!clean_line(&text).contains('\n'));
    }

    #[test]
    fn visible_text_hides_nothing(text in wild()) {
        let shown = visible(&text);
        prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
        let controls = text.chars().filter(|c| c.is_control() && !matches!(c, '\n' | '\t')).count();
        let marks = |of: &str| of.matches(['^', '<']).count();
        prop_assert!(marks(&shown) >= marks(&text) + controls, "{shown:?}");
        prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
        let letters = |of: &str| of.chars().filter(|c| c.is_alphanumeric() && width(c.encode_utf8(&mut [0; 4])) > 0).count();
        prop_assert!(letters(&prose(&text)) >= letters(&text));
        prop_assert!(prose(&text).chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn defusing_only_adds_joiners(text in wild()) {
        let text = clean(&text);
        let strip = |t: &str| t.replace('\u{2060}', "");
        prop_assert_eq!(strip(&defuse(&text)), strip(&text));
        for row in defuse(&text).lines() {
            prop_assert!(!row.trim_end().ends_with(['✨', '💫']));
        }
    }

    #[test]
    fn truncation_fits(text in wild(), columns in 0_usize..20) {
        let text = clean_line(&text);
        prop_assert!(width(&truncate(&text, columns)) <= columns);
        prop_assert!(width(&truncate_middle(&text, columns)) <= columns);
    }
}

/// Who is asked and who is told see the same characters.
#[test]
fn what_cannot_be_seen_is_written_out_between_letters_and_nothing_else_is() {
    for c in (' '..=char::MAX).filter(|c| !c.is_control()) {
        let is_lost = crate::platform::hidden::is_hidden(c) || matches!(c, '\u{2028}' | '\u{2029}');
        assert_eq!(hides(&format!("a{c}b")), is_lost, "U+{:04X}", u32::from(c));
    }
}
