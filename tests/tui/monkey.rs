//! Keys without sense or reason: the program stays alive, keeps its layout and can be left.

use std::time::Duration;

use super::world::World;
use crate::support::model_server::{Recorded, Reply};

const KEYS: &[&str] = &[
    "a",
    "word ",
    "/",
    "/mo",
    "/theme",
    "@",
    "@s",
    "?",
    "\r",
    "\r",
    "\n",
    "\t",
    "\x1b",
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[H",
    "\x1b[F",
    "\x1b[5~",
    "\x1b[6~",
    "\x1b[Z",
    "\x1bb",
    "\x1bd",
    "\x1b\r",
    "\x05",
    "\x0f",
    "\x14",
    "\x12",
    "\x13",
    "\x17",
    "\x15",
    "\x0b",
    "\x19",
    "\x1f",
    "\x0c",
    "\x01",
    "\x7f",
    "1",
    "2",
    "3",
    "4",
    "q",
    "y",
    "n",
    "G",
    "日本",
    "👩\u{200d}👩\u{200d}👧",
    "e\u{301}",
    "\u{202e}",
    "\x1b[I",
    "\x1b[O",
    "\x1b[200~pasted\n\x1b[31mtext\x1b[201~",
    "\x1b[<0;5;5M",
    "\x1b[999;999R",
    "\x1bOP",
    "\0",
    "\u{ff}",
];
const SIZES: &[(u16, u16)] = &[(100, 30), (80, 24), (40, 10), (12, 5), (1, 1), (200, 50), (3, 30)];

fn world() -> World {
    World::with_config(
        |_: &Recorded, index| {
            match index % 5 {
            0 => Reply::new().think("Hm.").text("Some **text**.\n\n- a\n- b\n\n```rust\nfn x() {}\n```\n"),
            1 => Reply::new().tool_call("", "Glob", r#"{"pattern":"*"}"#),
            2 => Reply::new().tool_call("c", "Shell", r#"{"command":"echo hi"}"#),
            3 => Reply::new().tool_call(
                "c",
                "AskUserQuestion",
                r#"{"questions":[{"question":"Q?","header":"h","options":[{"label":"A","description":""},{"label":"B","description":""}],"multi_select":false}]}"#,
            ),
            _ => Reply::new().pieces_of(3).text("x ".repeat(500)),
        }
        },
        "",
    )
}

/// The numbers of a linear congruential generator, so that a failure can be played again.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % below
    }
}

#[test]
fn no_key_breaks_it() {
    for seed in 1..=6 {
        let mut number = numbers(seed);
        let world = world();
        world.file("src/main.rs", "x");
        let mut kimi = world.start_with(&[], &[("EDITOR", "true")], (100, 30));
        for _ in 0..200 {
            kimi.send(KEYS[number(KEYS.len())]);
            if number(12) == 0 {
                let (columns, rows) = SIZES[number(SIZES.len())];
                kimi.resize(columns, rows);
            }
        }
        kimi.resize(100, 30);
        // Each press ends something: a search, an overlay, a dialog, a turn, a draft, the program.
        let mut presses = 0;
        while !kimi.ended() {
            presses += 1;
            assert!(presses < 300, "seed {seed}:\n{}", kimi.screen_text());
            kimi.send("\x03");
            // Nothing tells that a key had no effect.
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(kimi.wait_exit(), 0, "seed {seed}");
    }
}
