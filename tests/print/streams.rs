//! Standard streams that are no pipes.

use std::fs::File;
use std::process::Stdio;

use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::Home;
use crate::support::pty::Pty;

fn in_terminal(home: &Home, words: &[&str]) -> Pty {
    let command = home.command(words);
    let vars: Vec<(String, String)> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())))
        .collect();
    let vars: Vec<(&str, &str)> =
        vars.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_kimi"));
    Pty::spawn(binary, words, &vars, &home.path("project"), (80, 24))
}

/// A terminal is no prompt: nobody would know that one is awaited.
#[test]
fn a_terminal_as_stdin_is_nothing() {
    let home = Home::new("http://127.0.0.1:9/v1");
    for words in [&["--print"][..], &["--quiet"]] {
        let mut pty = in_terminal(&home, words);
        assert_eq!(pty.wait_exit(), 0);
        assert_eq!(pty.raw_bytes(), b"");
    }
}

/// On a terminal the answer cannot do anything but be read.
#[test]
fn a_terminal_as_stdout_gets_no_escapes() {
    let hostile = "a\u{1b}]0;title\u{7}b\u{1b}[2Jc\u{202e}d\u{9b}31me";
    let server = ModelServer::start(vec![Reply::new().text(hostile); 2]);
    let home = Home::new(&server.url());
    for words in [&["--print", "-p", "x"][..], &["--quiet", "-p", "x"]] {
        let mut pty = in_terminal(&home, words);
        assert_eq!(pty.wait_exit(), 0);
        let text = String::from_utf8(pty.raw_bytes()).unwrap();
        let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r') || c == '\u{202e}';
        assert!(!text.contains(bad), "{text:?}");
        assert!(text.contains("To resume this session"), "{text:?}");
    }
}

#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let server = ModelServer::start(vec![Reply::new().text("yes"); 2]);
    let home = Home::new(&server.url());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = home.command(&["--print", "-p", "x"]);
    let output = command.stdin(Stdio::null()).stdout(full).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("Standard output cannot be written"), "{told}");
    // The answer is not lost.
    let answer = std::fs::read_to_string(home.session().join("last_message.md")).unwrap();
    assert_eq!(answer, "yes\n");
    // A stderr that nobody can write to is no reason to fail.
    let config = Home::config(&server.url()) + "[mcp]\nmode = \"sometimes\"\n";
    home.write("share/config.toml", config);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = home.command(&["--quiet", "-p", "x"]);
    let output = command.stdin(Stdio::null()).stderr(full).output().unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"yes\n"[..]));
}

#[test]
fn a_directory_as_stdin_is_one_clear_line() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut command = home.command(&["--print"]);
    let output = command.stdin(File::open("/").unwrap()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains("Standard input cannot be read"), "{told}");
    assert!(home.sessions().is_empty());
}
