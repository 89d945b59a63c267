//! `kimi completions`, tried in the shells that are there.

use std::path::PathBuf;
use std::process::Command;

use super::{refused, said};

/// The script of a shell in a file, and the shell, if it is installed.
fn script(shell: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kimi");
    std::fs::write(&path, said(&["completions", shell])).unwrap();
    let there = Command::new(shell).args(["-c", "true"]).status().is_ok_and(|end| end.success());
    if !there {
        eprintln!("skipped: {shell} is not installed");
    }
    there.then_some((dir, path))
}

/// What bash would offer for the last of these words.
fn offered(words: &[&str]) -> Option<Vec<String>> {
    let (_dir, path) = script("bash")?;
    let driver = "source \"$1\" || exit 9; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _kimi; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["--norc", "-c", driver, "bash"])
        .arg(&path)
        .args(words)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let mut all: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
    all.retain(|word| !word.is_empty());
    Some(all)
}

#[test]
fn bash_knows_where_the_cursor_is() {
    for (words, offers) in [
        (&["kimi", "exp"][..], &["export"][..]),
        (&["kimi", "--out"], &["--output-format"]),
        (&["kimi", "--output-format", ""], &["text", "stream-json"]),
        (&["kimi", "export", "--o"], &["--output"]),
        (&["kimi", "mcp", "re"], &["remove", "reset-auth"]),
        (&["kimi", "-m", "mcp", "exp"], &["export"]),
        (&["kimi", "-y", "plugin", "inst"], &["install"]),
        (&["kimi", "completions", ""], &["bash", "zsh", "fish", "--help", "-h"]),
        (&["kimi", "-w", "x"], &[]),
        (&["kimi", "--nonsense"], &[]),
    ] {
        let Some(mut got) = offered(words) else { return };
        let mut wanted: Vec<_> = offers.iter().map(|word| (*word).to_owned()).collect();
        got.sort();
        wanted.sort();
        assert_eq!(got, wanted, "{words:?}");
    }
}

#[test]
fn each_shell_understands_its_script() {
    for shell in ["bash", "zsh", "fish"] {
        let Some((_dir, path)) = script(shell) else { continue };
        let output = Command::new(shell).arg("-n").arg(&path).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
}

#[test]
fn another_shell_is_refused() {
    let line = refused(&["completions", "tcsh"], 2);
    assert_eq!(
        line,
        "Error: Invalid value for '<SHELL>': 'tcsh' is not one of 'bash', 'zsh', 'fish'."
    );
    assert!(refused(&["completions"], 2).starts_with("Error: Missing"));
}
