//! Instances that answer with anything, or not at all. Nothing hangs, nothing reaches the terminal.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use super::{World, refusal, with_state};
use crate::protocol::control::Instance;

const COMMANDS: [&[&str]; 6] =
    [&["state"], &["last"], &["send", "x"], &["answer", "1"], &["interrupt"], &["watch"]];

#[test]
fn nonsense_is_no_answer() {
    for line in [
        &b"garbage\n"[..],
        b"\n",
        b"[]\n",
        b"{}\n",
        b"{\"ok\":\"yes\"}\n",
        b"\xff\xfe\x00\n",
        b"{\"ok\":true,\"state\":{\"pid\":1}}\n",
        b"{\"ok\":true}\n",
        b"\x1b]0;title\x07\n",
    ] {
        let world = World::new();
        world.serve(&world.instance(5), move |_, stream| stream.write_all(line).is_ok());
        for words in &COMMANDS[..4] {
            // Without more in it this is what a slash command is answered with.
            if line == b"{\"ok\":true}\n" && words[0] == "send" {
                continue;
            }
            let ran = world.ctl(words);
            assert_eq!((ran.code, &*ran.out), (1, ""), "{line:?}: {ran:?}");
            assert!(ran.err.starts_with("kimi ctl: pid 5 in pane %5 "), "{line:?}: {ran:?}");
            assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
            assert!(!ran.err.contains('\u{1b}'));
        }
    }
}

#[test]
fn half_an_answer_is_none() {
    let world = World::new();
    let half = with_state(&world.instance(5)).to_string();
    let half = half[..half.len() / 2].to_owned();
    world.serve(&world.instance(5), move |_, stream| {
        let _ = stream.write_all(half.as_bytes());
        false
    });
    for words in &COMMANDS[..5] {
        let ran = world.ctl(words);
        assert_eq!((ran.code, &*ran.out), (1, ""), "{words:?}");
        assert!(ran.err.contains("hung up before it answered"), "{ran:?}");
    }
}

#[test]
fn silence_has_an_end() {
    let mut world = World::new();
    world.patience = Duration::from_millis(60);
    world.serve(&world.instance(5), |_, _| true);
    for words in COMMANDS {
        let ran = world.ctl(words);
        assert_eq!((ran.code, &*ran.out), (1, ""), "{words:?}");
        assert!(ran.err.contains("does not answer within 0.1 s"), "{ran:?}");
    }
}

/// Bytes that trickle in do not count as an answer either.
#[test]
fn a_trickle_has_an_end() {
    let mut world = World::new();
    world.patience = Duration::from_millis(60);
    world.serve(&world.instance(5), |_, stream| {
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    });
    let ran = world.ctl(&["state"]);
    assert!(ran.code == 1 && ran.err.contains("does not answer within"), "{ran:?}");
}

/// Nobody accepts and the queue of those who knock is full.
#[test]
fn an_instance_that_accepts_nobody_does_not_hold_us_up() {
    let mut world = World::new();
    world.patience = Duration::from_millis(60);
    let instance = world.instance(5);
    world.run_dir().write(&instance).unwrap();
    let path = instance.socket.clone().unwrap();
    let _listener = UnixListener::bind(&path).unwrap();
    let knocking = std::thread::spawn(move || {
        // Every one of them stays in the queue until the listener is gone.
        (0..6000).map_while(|_| std::os::unix::net::UnixStream::connect(&path).ok()).count()
    });
    let mut ran = world.ctl(&["state"]);
    for _ in 0..3 {
        assert_eq!((ran.code, &*ran.out), (1, ""), "{ran:?}");
        assert!(ran.err.contains("does not answer within"), "{ran:?}");
        ran = world.ctl(&["last"]);
    }
    drop(_listener);
    let _ = knocking.join();
}

#[test]
fn an_endless_line_is_given_up() {
    let world = World::new();
    world.serve(&world.instance(5), |_, stream| {
        while stream.write_all(&[b'x'; 1 << 20]).is_ok() {}
        false
    });
    let ran = world.ctl(&["last"]);
    assert!(ran.code == 1 && ran.err.contains("a line of more than 64 MB"), "{ran:?}");
}

#[test]
fn an_instance_that_does_not_read_is_given_up() {
    let mut world = World::new();
    world.patience = Duration::from_millis(100);
    world.serve(&world.instance(5), |_, _| true);
    let instance = Instance { pid: 6, ..world.instance(6) };
    world.run_dir().write(&instance).unwrap();
    // Accepts nobody: what is written stays in the socket.
    let _listener = UnixListener::bind(instance.socket.unwrap()).unwrap();
    let text = "x".repeat(8 << 20);
    let ran = world.ctl_with(&["send", "--pid", "6"], Some(text.as_bytes()));
    assert!(ran.code == 1 && ran.err.contains("does not answer within"), "{ran:?}");
    // One that no instance would read is not even begun.
    for text in ["x".repeat(17 << 20), "\"".repeat(9 << 20)] {
        let ran = world.ctl_with(&["send", "--pid", "6"], Some(text.as_bytes()));
        assert!(ran.code == 1 && ran.err.contains("longer than 16 MB"), "{}", ran.err);
    }
}

/// Whoever refuses a long line without reading it is heard.
#[test]
fn a_refusal_in_the_middle_of_a_message_is_told() {
    let world = World::new();
    let instance = world.instance(5);
    world.run_dir().write(&instance).unwrap();
    let listener = UnixListener::bind(instance.socket.unwrap()).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut some = [0; 1000];
            if stream.read(&mut some).unwrap_or(0) > 0 {
                let _ = writeln!(stream, "{}", refusal("bad_command", "the line is too long"));
                let _ = stream.shutdown(std::net::Shutdown::Read);
                // Held open so that the words can be read.
                std::mem::forget(stream);
            }
        }
    });
    let text = "x".repeat(8 << 20);
    let ran = world.ctl_with(&["send"], Some(text.as_bytes()));
    assert_eq!((ran.code, &*ran.out), (1, ""));
    assert!(ran.err.contains("refuses: the line is too long"), "{ran:?}");
}

#[test]
fn foreign_words_are_cleaned() {
    let world = World::new();
    let mut instance = world.instance(5);
    instance.tmux_pane = Some("%5\x1b[2J".to_owned());
    instance.phase = Some("tool:\x1b]0;x\x07\nidle turn=9".to_owned());
    instance.cwd = "/tmp/\x1b[31m\r".to_owned();
    let evil = refusal("not_here", "\x1b]52;c;xx\x07no\nidle");
    world.script(
        &instance,
        &[
            ("state", vec![with_state(&instance)]),
            ("last", vec![evil.clone()]),
            ("interrupt", vec![evil]),
        ],
    );
    for words in [&["list"][..], &["state"], &["last"], &["interrupt"], &["state", "--pane", "9"]] {
        let ran = world.ctl(words);
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!ran.out.contains(control) && !ran.err.contains(control), "{words:?}: {ran:?}");
        assert!(!ran.out.contains("\nidle") && !ran.err.contains("\nidle"), "{words:?}: {ran:?}");
    }
}

#[test]
fn without_a_socket_there_is_only_the_state() {
    let world = World::new();
    let mut instance = world.instance(std::process::id());
    instance.socket = None;
    world.run_dir().write(&instance).unwrap();
    assert!(world.ctl(&["state"]).out.starts_with("idle turn=3 "));
    let ran = world.ctl(&["last"]);
    assert!(ran.code == 1 && ran.err.contains("takes no commands"), "{ran:?}");
}
