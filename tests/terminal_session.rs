//! The state of a real terminal while the program runs and after it has ended, however it ends.
//!
//! The program is this test binary itself, started again with [`ROLE`] set.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use kimi_tui::front::tui::terminal::input::{Events, Input};
use kimi_tui::front::tui::terminal::{
    Alternate, Capability, Docked, Flip, Position, Return, Session, Tty,
};
use kimi_tui::platform::env::SystemClock;
use ratatui::text::Line;

use crate::support::pty::Pty;
use crate::support::screen::{is_busy, is_idle};
use crate::support::tmux::{Tmux, available};

const ROLE: &str = "KIMI_TEST_TERMINAL_PROGRAM";
const NAME: &str = "terminal_session::program";

/// The program: echoes each event as a transcript row; `b` and `i` are busy and idle, `p` panics, `q`
/// quits, `z` stops the job, `o` opens an overlay and any key closes it. As a test of its own it has
/// nothing to do.
#[test]
fn program() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run());
    std::process::exit(7);
}

async fn run() {
    let tty = Tty::open().expect("a terminal");
    let capability = Capability {
        tmux: std::env::var_os("TMUX").is_some(),
        focus: std::env::var_os("TMUX").is_none(),
        ..Capability::default()
    };
    let session = Session::start(&tty, capability).expect("the terminal is ours");
    let clone = || tty.try_clone().expect("a handle");
    let mut docked = Docked::with_capability(clone(), tty.size(), capability);
    docked.enter().expect("enter");
    docked.commit(vec![" ready".into()]);
    let mut events = Events::new(Arc::new(SystemClock));
    let mut overlay: Option<Alternate<Tty>> = None;
    let mut busy = false;
    loop {
        let mut live: Vec<Line<'static>> =
            vec!["── input ── u@d💫".into(), " agent (k ●) context: 0.0%".into()];
        if busy {
            live[0] = "── input ── (next message)".into();
            live.insert(0, " ⠋ Working… 0s".into());
        }
        let cursor = Position { row: u16::from(busy), column: 17 };
        docked.frame(&live, Some(cursor), Flip::None).expect("frame");
        for event in events.next().await.expect("a terminal") {
            let name = match &event {
                Input::Key(key) => format!("{:?}", key.code),
                other => format!("{other:?}"),
            };
            docked.commit(vec![Line::from(format!(" {name}"))]);
            if let Input::Resize(size) = event {
                docked.resize(size);
            }
            let closes = matches!(event, Input::Key(_)) && name != "Char('p')";
            if let Some(mut open) = overlay.take_if(|_| closes) {
                open.leave().expect("leave");
                session.set_overlay(false);
                docked.uncover();
                continue;
            }
            match name.as_str() {
                "Char('b')" => busy = true,
                "Char('i')" => busy = false,
                "Char('p')" => panic!("on purpose"),
                "Char('t')" => drop(std::thread::spawn(|| panic!("on purpose")).join()),
                "Char('o')" => {
                    docked.cover();
                    let mut open = Alternate::new(clone(), tty.size(), true);
                    session.set_overlay(true);
                    open.enter().expect("enter");
                    open.frame(&["the overlay".into()], None).expect("frame");
                    overlay = Some(open);
                }
                "Char('e')" => {
                    docked.suspend().expect("suspend");
                    session.suspend();
                    println!("cooked");
                    session.resume().expect("resume");
                    docked.resume(Return::Written).expect("resume");
                }
                "Char('z')" => {
                    docked.suspend().expect("suspend");
                    session.stop().expect("stop");
                    docked.resume(Return::Written).expect("resume");
                }
                "Char('q')" => {
                    docked.leave().expect("leave");
                    drop(session);
                    return;
                }
                _ => {}
            }
        }
    }
}

fn binary() -> PathBuf {
    std::env::current_exe().expect("this binary")
}

fn start() -> Pty {
    let args = ["--exact", NAME, "--nocapture"];
    let env = [(ROLE, "1"), ("TERM", "xterm-256color")];
    let pty = Pty::spawn(&binary(), &args, &env, &std::env::temp_dir(), (60, 16));
    pty.wait_for_rows("the prompt", is_idle);
    pty
}

/// What is written last, after everything else.
fn ends_restored(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let after = |on: &str, off: &str| text.rfind(off) > text.rfind(on) && text.contains(on);
    after("\x1b[?2004h", "\x1b[?2004l") && after("\x1b[?1004h", "\x1b[?1004l")
}

/// A tool that breaks down does so on a thread of its own; whoever waits for it tells of it.
#[test]
fn a_fault_on_another_thread_leaves_the_screen_alone() {
    let mut pty = start();
    pty.send("t");
    pty.wait_for_rows("the key", |rows| rows.iter().any(|row| row.contains("Char('t')")));
    pty.send("x");
    let rows =
        pty.wait_for_rows("the next key", |rows| rows.iter().any(|row| row.contains("Char('x')")));
    assert!(is_idle(&rows), "{rows:#?}");
    assert!(!pty.screen_text().contains("on purpose"), "{rows:#?}");
    pty.send("q");
    assert_eq!(pty.wait_exit(), 7);
}

#[test]
fn keys_pastes_and_sizes_arrive_and_the_screen_follows() {
    let mut pty = start();
    assert!(pty.screen_text().contains(" ready"));
    pty.send("b");
    let rows = pty.wait_for_rows("busy", is_busy);
    assert!(!is_idle(&rows));
    pty.send("i");
    pty.wait_for_rows("idle", is_idle);
    pty.send("\x1b[200~one\r\ntwo\x1b[201~\r");
    pty.wait_for("the paste and the key", |screen| {
        screen.contents().contains(" Paste(\"one\\ntwo\")\n Enter")
    });
    pty.send("x\ry");
    pty.wait_for("a line end", |screen| screen.contents().contains(" Paste(\"\\n\")\n Char('y')"));
    pty.resize(50, 12);
    pty.wait_for("the size", |screen| screen.contents().contains("columns: 50, rows: 12"));
    pty.send("q");
    assert_eq!(pty.wait_exit(), 7);
    assert!(ends_restored(&pty.raw_bytes()));
}

#[test]
fn an_overlay_and_another_program_come_and_go() {
    let mut pty = start();
    pty.send("o");
    pty.wait_for("the overlay", |s| s.alternate_screen() && s.contents().contains("the overlay"));
    pty.send("x");
    pty.wait_for("the docked screen", |s| {
        !s.alternate_screen() && s.contents().contains("Char('x')")
    });
    pty.send("e");
    pty.wait_for("both", |s| s.contents().contains("\ncooked\n"));
    assert!(is_idle(&pty.wait_for_rows("idle", is_idle)));
    let history = pty.history();
    assert_eq!(history.iter().filter(|row| row.as_str() == " ready").count(), 1);
    pty.kill();
}

#[cfg(unix)]
#[test]
fn a_pipe_as_standard_input_leaves_the_keys_to_the_terminal() {
    let line = format!("echo hi | {ROLE}=1 '{}' --exact {NAME} --nocapture", binary().display());
    let cwd = std::env::temp_dir();
    let env = [("TERM", "xterm-256color"), ("PATH", "/usr/bin:/bin")];
    let mut pty = Pty::spawn("/bin/sh".as_ref(), &["-c", &line], &env, &cwd, (60, 16));
    pty.wait_for_rows("the prompt", is_idle);
    pty.send("bq");
    pty.wait_exit();
    let text = String::from_utf8_lossy(&pty.raw_bytes()).into_owned();
    assert!(text.contains("Char('b')") && !text.contains("Char('h')"));
    assert!(ends_restored(text.as_bytes()));
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let mut pty = start();
    pty.send("o");
    pty.wait_for("the overlay", |screen| screen.alternate_screen());
    pty.send("p");
    pty.wait_exit();
    let bytes = pty.raw_bytes();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.rfind("\x1b[?2004l") < text.rfind("on purpose"));
    assert!(ends_restored(&bytes));
}

#[test]
fn tmux_sees_our_name_and_the_shell_comes_back() {
    if !available() {
        return;
    }
    let tmux = Tmux::start("PS1='sh> ' exec sh -i", 70, 20);
    tmux.wait_for("the shell", |rows| rows.iter().any(|row| row == "sh>"));
    let name = binary().file_name().expect("a name").to_string_lossy().into_owned();
    // Not the last command of the line, so that a shell stays between.
    let line =
        format!("sh -c 'cd / && {ROLE}=1 {} --exact {NAME} --nocapture; true'", binary().display());
    tmux.type_text(&line);
    tmux.send_keys(&["Enter"]);
    tmux.wait_for("the prompt", is_idle);
    let command = tmux.format("#{pane_current_command}");
    assert!(name.starts_with(&command), "{command}");

    tmux.paste("two\nlines");
    tmux.send_keys(&["Enter"]);
    tmux.wait_for("the paste", |rows| rows.iter().any(|row| row == " Enter"));
    assert!(tmux.history().iter().any(|row| row == r#" Paste("two\nlines")"#));
    assert!(tmux.capture_styled(50).contains("── input ──"));

    tmux.send_keys(&["z"]);
    tmux.wait_for("the shell", |rows| rows.last_written().starts_with("sh>"));
    tmux.type_text("fg");
    tmux.send_keys(&["Enter"]);
    tmux.wait_for("the prompt", is_idle);
    assert!(name.starts_with(&tmux.format("#{pane_current_command}")));

    tmux.send_keys(&["q"]);
    tmux.wait_for("the shell", |rows| rows.last_written().starts_with("sh>"));
    assert_eq!(tmux.format("#{pane_current_command}"), "sh");
    tmux.type_text("echo back");
    tmux.send_keys(&["Enter"]);
    tmux.wait_for("an echo", |rows| rows.iter().any(|row| row == "back"));
}

trait LastWritten {
    fn last_written(&self) -> &str;
}

impl LastWritten for [String] {
    fn last_written(&self) -> &str {
        self.iter().rev().find(|row| !row.is_empty()).map_or("", String::as_str)
    }
}

#[test]
fn a_closed_sink_is_an_error_and_no_panic() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let size = kimi_tui::front::tui::terminal::Size::new(20, 5);
    let mut docked = Docked::new(Closed, size);
    assert!(docked.enter().is_err());
    assert!(docked.frame(&["x".into()], None, Flip::None).is_err());
    assert!(docked.leave().is_err());
}
