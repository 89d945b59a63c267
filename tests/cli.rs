//! The binary's command line: what it prints where, and how it ends.

mod completions;
mod doctor;

use std::process::{Command, Output, Stdio};

/// The program in a home of its own, without anything of ours in its environment.
fn kimi(words: &[&str]) -> Command {
    let home = std::env::temp_dir().join("kimi-cli-tests-no-home");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kimi"));
    command.args(words).env_clear().env("HOME", home).stdin(Stdio::null());
    command
}

fn run(words: &[&str]) -> Output {
    kimi(words).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// stdout of a run that goes well and says nothing on stderr.
fn said(words: &[&str]) -> String {
    let output = run(words);
    assert_eq!(text(&output.stderr), "", "{words:?}");
    assert_eq!(output.status.code(), Some(0), "{words:?}");
    text(&output.stdout).to_owned()
}

/// The last line of stderr of a run that is refused; stdout stays empty.
fn refused(words: &[&str], status: i32) -> String {
    let output = run(words);
    assert_eq!(text(&output.stdout), "", "{words:?}");
    assert_eq!(output.status.code(), Some(status), "{words:?}");
    text(&output.stderr).lines().last().unwrap().to_owned()
}

#[test]
fn the_help_is_this() {
    insta::assert_snapshot!(said(&["--help"]), @r"
    A coding assistant for the terminal. Without options it opens the full screen.

    Usage: kimi [OPTIONS] [COMMAND] [ARGS]...

    Commands:
      info         Print versions of the program and its protocols
      ctl          See what the instances that run do, and drive them
      export       Pack a session into a ZIP file, for a report
      doctor       See whether everything is as it has to be
      completions  Print what a shell needs to complete kimi's words
      acp          Serve an editor over the Agent Client Protocol on stdin and
                   stdout
      login        Sign in to your Kimi account, in the browser
      logout       Sign out of your Kimi account
      mcp          Add, list, remove and test MCP servers
      plugin       Install, list and remove plugins

    One-shot use:
      -p, --prompt <TEXT>           Ask TEXT. On a terminal it becomes the first
                                    message; in a pipe it is answered on stdout
                                    [alias: --command]
      -c [<TEXT>]                   Like -p TEXT. Without TEXT: like -C
          --print                   Answer on stdout without a screen, approve every
                                    tool call, exit
          --quiet                   Like --print, but only the last message, as text
          --input-format <FORMAT>   With --print: stdin is text or stream-json
          --output-format <FORMAT>  With --print or -p: text or stream-json out
          --final-message-only      With --print: only the last message

    Session:
      -S, --session [<ID>]  Resume session ID; a new ID is created. Without ID:
                            choose from a list [aliases: -r, --resume]
      -C, --continue        Resume the last session of the working directory
      -w, --work-dir <DIR>  Work in DIR instead of the current directory
          --add-dir <DIR>   Also work in DIR. Repeatable

    Model and limits:
      -m, --model <NAME>              Use model NAME of the configuration
          --thinking                  Let the model think before it answers
          --no-thinking               Do not let it think
          --max-steps-per-turn <N>    Stop a turn after N model requests
          --max-retries-per-step <N>  Try a failing model request N times in all
          --max-tokens-total <N>      Stop when N tokens are used, in and out
          --max-budget-usd <USD>      Stop when so many US dollars are spent
          --timeout <TIME>            Stop after this time: 90s, 15m, 2h30m
          --max-ralph-iterations <N>  Go over a task again N times, -1 without end

    Approval:
      -y, --yolo  Approve every tool call [aliases: --yes, --auto-approve]
          --afk   Nobody is there: approve every tool call and ask no questions
          --plan  Plan first, change nothing until the plan is approved

    Customisation:
          --agent-file <FILE>       Use the agent described in FILE (YAML, .md)
          --agent <NAME>            Use an agent: default, okabe, or one of yours
          --mcp-config <JSON>       Add the MCP servers of this JSON text.
                                    Repeatable
          --mcp-config-file <FILE>  Use the MCP servers of FILE instead of
                                    ~/.kimi/mcp.json. Repeatable
          --skills-dir <DIR>        Look for skills in DIR instead of the usual
                                    places. Repeatable

    Configuration:
          --config-file <FILE>  Read the configuration from FILE (TOML, or JSON by
                                its suffix) instead of ~/.kimi/config.toml
          --config <TEXT>       Take this text (JSON or TOML) as the configuration

    Other:
          --wire     Speak JSON-RPC on stdin and stdout, for programs
          --acp      The old name of kimi acp
          --debug    Write a detailed log to ~/.kimi/logs/kimi.log
          --verbose  Taken for old scripts; --debug writes the log
      -V, --version  Print the version
      -h, --help     Print this help
    ");
    assert_eq!(said(&["-h"]), said(&["--help"]));
}

/// Programs that drive us through tmux read the help to learn which dialect we speak.
#[test]
fn the_help_tells_the_dialect() {
    let help = said(&["--help"]);
    let tokens: Vec<&str> =
        help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
    for token in ["--mcp-config", "--mcp-config-file", "--agent-file", "--output-format", "--yolo"]
    {
        assert!(tokens.contains(&token), "{token}");
    }
    assert!(!tokens.contains(&"--auto"));
    assert!(help.lines().all(|line| line.chars().count() <= 80));
    for line in help.lines().map(str::trim).filter(|line| line.starts_with("--")) {
        assert!(line.split_whitespace().count() > 1, "an option alone on its line: {line}");
    }
}

#[test]
fn the_help_does_not_depend_on_the_terminal() {
    let output = kimi(&["--help"]).env("COLUMNS", "37").env("TERM", "dumb").output().unwrap();
    assert_eq!(text(&output.stdout), said(&["--help"]));
}

#[test]
fn the_version_is_one_line() {
    let line = format!("{}\n", env!("CARGO_PKG_VERSION"));
    for words in [&["--version"][..], &["-V"], &["--yolo", "-V"], &["--version", "info"]] {
        assert_eq!(said(words), line);
    }
}

#[test]
fn info_speaks_to_people_and_to_programs() {
    assert!(said(&["info"]).starts_with("kimi-cli version: "));
    let value: serde_json::Value = serde_json::from_str(&said(&["info", "--json"])).unwrap();
    assert_eq!(value["kimi_cli_version"], env!("CARGO_PKG_VERSION"));
    assert!(said(&["info", "-h"]).contains("Usage: kimi info [OPTIONS]"));
}

#[test]
fn usage_errors_are_whole_sentences() {
    let output = run(&["--nope"]);
    assert_eq!(
        text(&output.stderr),
        "Usage: kimi [OPTIONS] [COMMAND] [ARGS]...\n\
         Try 'kimi -h' for help.\n\
         Error: No such option '--nope'.\n"
    );
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(refused(&["frobnicate"], 2), "Error: No such command 'frobnicate'.");
    let long = format!("/nonexistent/{}", "x".repeat(200));
    assert_eq!(
        refused(&["-w", &long, "--print", "-p", "hi"], 2),
        format!("Error: Invalid value for '--work-dir' / '-w': Directory '{long}' does not exist.")
    );
    assert!(refused(&["info", "--nope"], 2).starts_with("Error: No such option '--nope'."));
    assert_eq!(refused(&["info", "more"], 2), "Error: Got unexpected extra argument (more)");
}

#[test]
fn what_this_version_lacks_is_said_in_one_line() {
    for words in [&["term", "-w"][..], &["vis", "-h"]] {
        let line = refused(words, 1);
        let start = format!("kimi: '{}' is not part of this version yet", words[0]);
        assert!(line.starts_with(&start), "{line}");
    }
    assert!(refused(&["web"], 1).contains("; run kimi "));
    assert!(refused(&["--wire", "--print"], 2).ends_with("Cannot combine --print, --wire."));
}

#[cfg(unix)]
#[test]
fn hostile_words_do_not_reach_the_terminal() {
    use std::os::unix::ffi::OsStrExt;
    let word = std::ffi::OsStr::from_bytes(b"\x1b]0;title\x07\xff");
    for before in [None, Some("--model"), Some("-w")] {
        let mut command = kimi(&[]);
        let output = command.args(before).arg(word).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{before:?}");
        assert!(!output.stderr.contains(&0x1b), "{before:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_reader_of_the_help_may_leave() {
    let mut child =
        kimi(&["--help"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
