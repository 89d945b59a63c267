//! The readers themselves, on small screens and streams made by hand: right ones, and wrong ones
//! that each of them has to see through.

use super::rendered::Latch;
use super::rows;
use super::{Capture, State, Stream, VERSIONS, Version, extract, words};

const PROMPT: &str = "── input ── root@aa59💫";
const FOOTER: &str =
    "\x1b[38;5;242m 12:01 yolo agent (kimi-k2 ●) aa59   context: 0.5% (1.3k/262.1k)\x1b[m";
const ECHO: [&str; 3] = [
    " \x1b[38;5;222m╭─ you ───────────────╮\x1b[m",
    " \x1b[38;5;222m│ root@aa59💫 say it   │\x1b[m",
    " \x1b[38;5;222m╰─ 12:01 ─────────────╯\x1b[m",
];

fn idle(rows: &[&str]) -> String {
    let mut all = vec![" Welcome to Kimi Code CLI!", ""];
    all.extend(ECHO);
    all.extend(rows);
    all.extend(["", " \x1b[38;5;244m• Done in 4.2s\x1b[m", "", PROMPT, FOOTER]);
    all.join("\n")
}

fn answers(text: &str) -> [Option<Vec<String>>; 5] {
    let capture = Capture::new(text);
    VERSIONS.map(|version| extract::answer(version, &capture, 50))
}

fn all_read(text: &str, lines: &[&str]) {
    let wanted: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    for (version, answer) in VERSIONS.iter().zip(answers(text)) {
        assert_eq!(answer.as_ref(), Some(&wanted), "{version:?}");
    }
}

fn rendered(text: &str) -> [State; 2] {
    let capture = Capture::new(text);
    let read = |version| Latch::default().read(version, &capture.texts());
    [read(Version::Seed), read(Version::V1)]
}

/// The rows on a screen, written as the program writes them.
fn stream(rows: &[&str]) -> Stream {
    let mut stream = Stream::new();
    stream.feed(b"\x1b[?2004h\x1b[2J\x1b[H");
    for (n, row) in rows.iter().enumerate() {
        stream.feed(format!("\x1b[{};1H{row}\x1b[0m\x1b[K", n + 1).as_bytes());
    }
    stream.feed(b"\r\x1b[1;1H");
    stream
}

fn states(rows: &[&str]) -> [State; 3] {
    stream(rows).states().map(|(_, state)| state)
}

const BUSY: [&str; 4] = [
    " \x1b[38;5;222m│ root@aa59💫 say it   │\x1b[m",
    " \x1b[38;5;111m⠙\x1b[39m Thinking… 3s · esc to interrupt",
    "── input ── (next message)",
    FOOTER,
];

#[test]
fn an_answer_is_cut_out_of_the_layout() {
    let thought = " \x1b[38;5;244m• Thought for 2s\x1b[m";
    all_read(
        &idle(&[thought, "", "• Here it is:", "      indented"]),
        &["• Here it is:", "indented"],
    );
    let tool = [
        thought,
        "• Let me see.",
        " \x1b[38;5;244m• Used Shell (ls) · 2 lines\x1b[m",
        " \x1b[38;5;244m│ total 48\x1b[m",
        " \x1b[38;5;244m╰─ done\x1b[m",
        "",
        "\x1b[38;5;253m•\x1b[39m Two files.",
    ];
    all_read(&idle(&tool), &["• Two files."]);
}

#[test]
fn a_full_edge_below_the_echo_leaves_nothing_for_the_newest() {
    let text = idle(&["• Here."]).replace("╰─ 12:01 ─────────────╯", "╰─────────────────────╯");
    let [.., third, fourth] = answers(&text);
    assert_eq!((third, fourth), (Some(vec!["• Here.".to_owned()]), None));
}

#[test]
fn a_trace_at_column_0_is_taken_for_answer() {
    // The state of the row above goes on: nothing in front of the bullet says its colour.
    let text = idle(&["\x1b[38;5;244m│ output", "• Thought for 2s\x1b[m", "• Here."]);
    let [seed, ..] = answers(&text);
    assert!(seed.expect("an answer").contains(&"• Thought for 2s".to_owned()));
}

#[test]
fn shapes_in_an_answer_that_cut_it_short() {
    for shape in [
        "  root@aa59💫",
        "  ── input ── and on",
        "  context: 5% of it",
        "  12:01 agent (x ●)",
        "  ╰─ edge",
    ] {
        let got = answers(&idle(&["• One.", shape, "  Three."]));
        let whole = got.iter().filter(|lines| lines.as_ref().is_some_and(|l| l.len() == 3));
        assert!(whole.count() < 5, "{shape}");
    }
    let tool = answers(&idle(&["• One.", "  • Used X (y) · 3 lines", "  Three."]));
    assert_eq!(tool[4], None);
    let joined = idle(&["• One.", "  ✨\u{2060} a", "  ╰\u{2060}─ b", "  context:\u{2060} 5%"]);
    for lines in answers(&joined) {
        assert_eq!(lines.map(|lines| lines.len()), Some(4));
    }
}

#[test]
fn a_stale_prompt_is_a_false_idle_for_readers_of_the_capture() {
    let busy = [&ECHO[..], &["• Half an ans"], &BUSY[1..]].concat();
    assert_eq!(rendered(&busy.join("\n")), [State::Busy; 2]);
    let stale = [&ECHO[..], &[PROMPT, "• Half an ans"], &BUSY[1..]].concat();
    assert_eq!(rendered(&stale.join("\n")), [State::Completed; 2]);
    assert_eq!(rendered(&[" Welcome", PROMPT, FOOTER].join("\n")), [State::Idle; 2]);
    // A box before the first message looks like one that was answered.
    let boxed = ["╭────╮", "│ Welcome │", "╰────╯", "╰─ tip", PROMPT, FOOTER];
    assert_eq!(rendered(&boxed.join("\n")), [State::Completed; 2]);
    assert_eq!(rendered("Error: it broke\n$"), [State::Error; 2]);
    // A mark at the end of a row of the answer.
    assert_eq!(rendered(" it ends in 💫\n⠙ Thinking"), [State::Busy, State::Idle]);
}

#[test]
fn readers_of_the_stream_look_for_the_spinner_above_the_status() {
    assert_eq!(states(&BUSY), [State::Busy; 3]);
    assert_eq!(states(&[" Welcome", PROMPT, FOOTER]), [State::Idle; 3]);
    // A dialog or a silent wait without a spinner.
    let still = [BUSY[0], " ▶ Run this command?", BUSY[2], BUSY[3]];
    assert!(states(&still).iter().all(|state| state.is_ready()));
    // No status bar: the echo is enough.
    let [_, third, fourth] = states(&BUSY[..3]);
    assert!(third.is_ready() && fourth.is_ready());
    // A spinner that is pushed up too far.
    let mut far = BUSY[..2].to_vec();
    far.extend([" more"; 20]);
    far.extend(&BUSY[2..]);
    let [_, third, fourth] = states(&far);
    assert!(third.is_ready() && fourth.is_ready());
    // V4 wants a frame of the ten, in front, and not in the colour of answers.
    let colored = [BUSY[0], " \x1b[38;5;253m⠙\x1b[39m text", BUSY[2], BUSY[3]];
    let [_, third, fourth] = states(&colored);
    assert!(third == State::Busy && fourth.is_ready());
    assert_eq!(states(&["Error: broken", "", FOOTER])[1..], [State::Error; 2]);
    assert_eq!(states(&["⠙ mcp (connecting)", PROMPT, FOOTER])[1..], [State::Busy; 2]);
}

#[test]
fn a_turn_ends_for_v2_when_the_last_frame_is_sixteen_lines_back() {
    let mut stream = stream(&BUSY);
    let end = |stream: &mut Stream, returns: usize| {
        stream.feed(b"\x1b[3;1H \x1b[38;5;244m\xe2\x80\xa2 Done\x1b[0m\x1b[K");
        stream.feed(&vec![b'\r'; returns]);
        stream.feed(format!("\x1b[4;1H{PROMPT}\x1b[0m\x1b[K\r").as_bytes());
    };
    let mut early = stream.clone();
    end(&mut early, 0);
    assert_eq!(early.flat.state(), State::Busy);
    end(&mut stream, 16);
    assert_eq!(stream.flat.state(), State::Completed);
    stream.sending();
    assert_eq!(stream.flat.state(), State::Unknown);
    assert!(!stream.long.has_evidence());
}

#[test]
fn evidence_is_a_whole_row_that_begins_with_a_frame() {
    let found = |bytes: &str| {
        let mut stream = Stream::new();
        stream.feed(bytes.as_bytes());
        stream.long.has_evidence()
    };
    assert!(found("\x1b[5;1H ⠙ Thinking\x1b[6;1H"));
    assert!(!found("\x1b[5;1H ⠙ Thinking"), "half a row");
    assert!(!found("\x1b[5;1Hx\x1b[7;3H⠙ Thinking\r"), "glued to what came before");
    assert!(!found("```\r⠙ in a fence\r"));
}

#[test]
fn the_virtual_screen_has_its_gaps() {
    let faulty = |bytes: &str| {
        let mut stream = Stream::new();
        stream.feed(bytes.as_bytes());
        !stream.screen.faults().is_empty()
    };
    for bad in [
        "\x1b[?1049h",
        "\x1b[3S",
        "\x1b[T",
        "\x1b[<u",
        "\x1b[=1;1u",
        "\x1b[!p",
        "\x1b[4:3m",
        "\x1b[38:2::1:2:3m",
        "\x1bP+q5443\x1b\\",
        "\x1b_Ga\x1b\\",
        "\x1b[?u",
    ] {
        assert!(faulty(bad), "{bad:?}");
    }
    for good in ["\x1b]0;title\x07", "\x1b[?2026h", "\x1b[>1u", "\x1b[1;9r\n\x1b[r", "\x1b[?25l"] {
        assert!(!faulty(good), "{good:?}");
    }
    let mut stream = Stream::new();
    // Rows scroll in their region; without the region the cursor stays.
    stream.feed(b"\x1b[1;3r\x1b[1;1Ha\r\nb\r\nc\r\nd\x1b[r!\x1b[9;1Hlast");
    assert_eq!(stream.screen.texts()[..4], ["b", "c", "d!", ""]);
    assert_eq!(stream.screen.texts()[8], "last");
    stream.feed(b"\x1b[5;3H\x1b7\x1b[9;1H\x1b8here");
    assert_eq!(stream.screen.texts()[4], "  here");
    stream.feed("\x1b[1;1H漢字\u{2060}gone\x1b[K\x1b[2;1Hx".as_bytes());
    assert_eq!(stream.screen.texts()[..2], ["漢字", "x"]);
}

/// The virtual screen agrees with another terminal on everything that both know.
#[test]
fn the_virtual_screen_is_a_terminal() {
    let rows: String = (0..300)
        .map(|n| {
            format!("\x1b[1;20r\x1b[20;1H\n\x1b[r\x1b[20;1H\x1b[38;5;{n}mrow {n} 漢\x1b[0m\x1b[K")
        })
        .collect();
    let bytes =
        format!("\x1b[2J\x1b[H{rows}\x1b[22;1H{PROMPT}\r\x1b[23;1H{FOOTER}\x1b[K\x1b[21;4Hx");
    let mut stream = Stream::new();
    stream.feed(bytes.as_bytes());
    let mut parser = crate::support::pty::parser(400, 200);
    parser.process(bytes.as_bytes());
    let theirs: Vec<String> =
        parser.screen().rows(0, 400).map(|row| row.trim_end().to_owned()).collect();
    assert_eq!(stream.screen.texts(), theirs);
}

#[test]
fn words() {
    assert!(words::ends_in_full_prompt("── input ── root@aa-5.9💫  "));
    assert!(!words::ends_in_full_prompt("── input ── root@💫"));
    assert!(!words::ends_in_full_prompt("root@aa59💫\u{2060}"));
    assert!(words::is_echo("│ root@a💫 hello │") && !words::is_echo("root@a💫  "));
    assert!(words::is_footer("x agent (kimi ●) y") && words::is_footer("context:  12.5%"));
    assert!(!words::is_footer("agents (kimi)") && !words::is_footer("context: none%"));
    assert!(
        words::is_clock_footer(" 12:01 yolo agent (x") && !words::is_clock_footer("a: agent (")
    );
    assert!(words::begins_with_spinner("  ⠙ a") && words::begins_with_spinner(" 🌑 "));
    assert!(!words::begins_with_spinner("a ⠙") && !words::begins_with_spinner("🌑 a"));
    assert!(words::is_box_edge(" ╰───╯") && !words::is_box_edge("╰─ 12:01 ─╯"));
    let mut stream = Stream::new();
    stream.feed("x".as_bytes());
    assert_eq!(rows::state(Version::V4, &stream.screen, true), State::Unknown);
}
