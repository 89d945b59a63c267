//! From words to a launch, and the words about words that make no sense.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use super::*;
use crate::cli::AgentChoice;
use crate::front::print::{Dialect, Format};
use crate::platform::env::fixed;

const SCREEN: Terminals = Terminals { stdin: true, stdout: true, stderr: true };
const PIPE: Terminals = Terminals { stdin: false, stdout: false, stderr: false };

fn env() -> Env {
    let mut env = fixed::env("/tmp", &[]);
    env.cwd = PathBuf::from("/usr/bin");
    env
}

fn read(words: &[&str]) -> Result<Args, UsageError> {
    let argv = std::iter::once("kimi").chain(words.iter().copied()).map(OsString::from).collect();
    Args::read(argv).map_err(|error| UsageError::from_parser(&error))
}

fn launch_on(words: &[&str], terminals: Terminals) -> Result<Launch, UsageError> {
    Launch::from_args(read(words)?, &env(), terminals)
}

fn launch(words: &[&str]) -> Launch {
    launch_on(words, SCREEN).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// The one sentence about a command line, with and without a terminal the same.
fn refused(words: &[&str]) -> String {
    let of = |terminals| launch_on(words, terminals).expect_err(&words.join(" ")).to_string();
    assert_eq!(of(SCREEN), of(PIPE));
    of(SCREEN)
}

fn tui(prompt: Option<&str>) -> Front {
    Front::Tui { initial_prompt: prompt.map(str::to_owned) }
}

fn print(prompt: Option<&str>) -> PrintRequest {
    PrintRequest {
        dialect: Dialect::Cli,
        prompt: prompt.map(str::to_owned),
        input_format: Format::Text,
        output_format: Format::Text,
        final_only: false,
    }
}

#[test]
fn nothing_means_the_screen_here_and_now() {
    let launch = launch(&[]);
    assert_eq!(launch.front, tui(None));
    assert_eq!(launch.work_dir, Path::new("/usr/bin"));
    assert_eq!(launch.session, SessionChoice::New);
    assert_eq!(launch.config, ConfigChoice::Default);
    assert_eq!((launch.thinking, launch.yolo, launch.afk), (None, false, false));
    assert!(launch.notices.is_empty());
}

#[test]
fn the_lines_that_clients_start_us_with() {
    let words = ["--yolo", "--model", "m", "--mcp-config", "{\"a\":{\"command\":\"x\"}}"];
    let launched = launch(&words);
    assert!(launched.yolo);
    assert_eq!(launched.model.as_deref(), Some("m"));
    assert_eq!(launched.mcp.inline[0]["a"]["command"], "x");

    // All at once, in whatever order.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut words = [
        vec!["--yolo"],
        vec!["--work-dir", "/usr"],
        vec!["--no-thinking"],
        vec!["--model", "m"],
        vec!["--session", "2b1d4c1e-0000-4000-8000-000000000001"],
        vec!["--agent-file", file],
        vec!["--mcp-config", "{}"],
        vec!["--mcp-config", "{\"a\":{\"url\":\"u\"}}"],
    ];
    let all = |words: &[Vec<&str>]| launch(&words.concat());
    let launched = all(&words);
    assert_eq!((launched.yolo, launched.thinking), (true, Some(false)));
    assert_eq!(launched.session, SessionChoice::Id("2b1d4c1e-0000-4000-8000-000000000001".into()));
    assert_eq!(launched.agent, AgentChoice::File(file.into()));
    assert_eq!(launched.mcp.inline.len(), 2);
    for turn in 0..words.len() {
        words.rotate_left(1);
        let other = all(&words);
        let inline = |launch: &Launch| launch.mcp.inline.iter().map(|map| map.len()).sum::<usize>();
        assert_eq!(inline(&other), 1, "{turn}");
        assert_eq!(Launch { mcp: launched.mcp.clone(), ..other }, launched, "{words:?}");
    }

    let quiet = launch(&["--quiet", "-p", " hi "]);
    assert_eq!(quiet.front, Front::Print(PrintRequest { final_only: true, ..print(Some("hi")) }));

    let lines =
        launch(&["--print", "--input-format=stream-json", "--output-format", "stream-json"]);
    let request = PrintRequest {
        input_format: Format::StreamJson,
        output_format: Format::StreamJson,
        ..print(None)
    };
    assert_eq!(lines.front, Front::Print(request));
}

#[test]
fn a_prompt_is_a_message_on_a_terminal_and_a_question_in_a_pipe() {
    for word in ["-p", "--prompt", "--command", "-c"] {
        assert_eq!(launch(&[word, "hi"]).front, tui(Some("hi")));
        let piped = launch_on(&[word, "hi"], PIPE).unwrap();
        let dialect = Dialect::Code { tells_version: true };
        assert_eq!(piped.front, Front::Print(PrintRequest { dialect, ..print(Some("hi")) }));
    }
    let Front::Print(request) = launch(&["-p", "hi", "--output-format", "stream-json"]).front
    else {
        panic!("a form of output asks for print mode");
    };
    assert_eq!(request.output_format, Format::StreamJson);
    assert_eq!(launch(&["-p", "- a list"]).front, tui(Some("- a list")));
}

#[test]
fn print_mode_learns_what_the_streams_are() {
    let words = ["--print", "--final-message-only", "-p", "hi"];
    let options = launch_on(&words, PIPE).unwrap().print_options("s").unwrap();
    assert_eq!(options.prompt.as_deref(), Some("hi"));
    assert!(options.final_only && !options.stdout_is_terminal);
    assert!(launch(&words).print_options("s").unwrap().stdout_is_terminal);
    assert_eq!(launch(&[]).print_options("s").map(|options| options.final_only), None);
}

#[test]
fn sessions_are_named_continued_or_chosen() {
    let id = SessionChoice::Id("abc".to_owned());
    for words in [&["-r", "abc"][..], &["-S", "abc"], &["--resume=abc"], &["--session", "abc"]] {
        assert_eq!(launch(words).session, id);
    }
    for words in [&["-r"][..], &["--session", ""], &["-S", " "], &["-r", "--yolo"]] {
        assert_eq!(launch(words).session, SessionChoice::Picker, "{words:?}");
    }
    for words in [&["-C"][..], &["--continue"], &["-c"], &["-c", "-p", "hi"]] {
        assert_eq!(launch(words).session, SessionChoice::Continue, "{words:?}");
    }
}

#[test]
fn the_last_word_counts() {
    assert_eq!(launch(&["--thinking", "--no-thinking"]).thinking, Some(false));
    assert_eq!(launch(&["--no-thinking", "--thinking"]).thinking, Some(true));
    assert_eq!(launch(&["-m", "a", "-m", "b"]).model.as_deref(), Some("b"));
    for word in ["--yolo", "--yes", "-y", "--auto-approve"] {
        assert!(launch(&[word, word]).yolo);
    }
    assert!(launch(&["--auto"]).afk);
}

#[cfg(unix)]
#[test]
fn paths_are_absolute_and_keep_their_symlinks() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("real");
    std::fs::create_dir_all(real.join("inside")).unwrap();
    std::fs::create_dir(dir.path().join("other")).unwrap();
    std::os::unix::fs::symlink(&real, dir.path().join("link")).unwrap();
    let mut env = env();
    env.cwd = dir.path().to_path_buf();
    let words = [
        "-w",
        "./x/../link",
        "--add-dir",
        "other/",
        "--add-dir",
        "real/inside",
        "--add-dir",
        "other",
    ];
    let launch = Launch::from_args(read(&words).unwrap(), &env, SCREEN).unwrap();
    assert_eq!(launch.work_dir, dir.path().join("link"));
    assert_eq!(launch.add_dirs, [dir.path().canonicalize().unwrap().join("other")]);
}

#[test]
fn contradictions_are_named() {
    let cases: &[(&[&str], &str)] = &[
        (&["--print", "--wire"], "--print: Cannot combine --print, --wire."),
        (&["--wire", "--acp"], "--acp: Cannot combine --acp, --wire."),
        (
            &["--agent", "default", "--agent-file", "x"],
            "--agent: Cannot combine --agent, --agent-file.",
        ),
        (&["-C", "-S", "x"], "--continue: Cannot combine --continue, --session."),
        (
            &["--config", "{}", "--config-file", "/dev/null"],
            "--config: Cannot combine --config, --config-file.",
        ),
        (&["--quiet", "--wire"], "--quiet: Quiet mode cannot be combined with ACP or Wire UI"),
        (
            &["--quiet", "--output-format", "stream-json"],
            "--quiet: Quiet mode implies `--output-format text`",
        ),
        (&["-p", " \n"], "--prompt: Prompt cannot be empty"),
        (
            &["--input-format", "text"],
            "--input-format: Input format is only supported for print UI",
        ),
        (
            &["--output-format", "text"],
            "--output-format: Output format is only supported for print UI",
        ),
        (
            &["--final-message-only", "-p", "hi"],
            "--final-message-only: Final-message-only output is only supported for print UI",
        ),
        (
            &["--print", "-r"],
            "--session: --session without a session ID is only supported for shell UI",
        ),
        (&["--config", " "], "--config: Config cannot be empty"),
        (
            &["-S", "../up"],
            "--session: A session ID is a plain name, without slashes or a dot at the front",
        ),
    ];
    for (words, message) in cases {
        assert_eq!(refused(words), format!("Invalid value for {message}"));
    }
}

#[test]
fn bad_values_are_named() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["-w", "/nonexistent/a b"],
            "'--work-dir' / '-w': Directory '/nonexistent/a b' does not exist.",
        ),
        (&["-w", "/dev/null"], "'--work-dir' / '-w': Directory '/dev/null' is a file."),
        (&["--config-file", "/usr"], "'--config-file': File '/usr' is a directory."),
        (&["--agent-file", "nope"], "'--agent-file': File 'nope' does not exist."),
        (
            &["--print", "--output-format", "xml"],
            "'--output-format': 'xml' is not one of 'text', 'stream-json'.",
        ),
        (&["--max-steps-per-turn", "0"], "'--max-steps-per-turn': 0 is not in the range x>=1."),
        (
            &["--max-retries-per-step", "many"],
            "'--max-retries-per-step': 'many' is not a valid integer range.",
        ),
        (
            &["--max-ralph-iterations", "-2"],
            "'--max-ralph-iterations': -2 is not in the range x>=-1.",
        ),
        (&["--agent", "x"], "'--agent': 'x' is not one of 'default', 'okabe'."),
        (&["--mcp-config", "[]"], "--mcp-config: Invalid JSON: expected an object of servers"),
    ];
    for (words, message) in cases {
        assert_eq!(refused(words), format!("Invalid value for {message}"));
    }
    let torn = refused(&["--mcp-config", "{\"token\": \"hunter2\", "]);
    assert!(torn.starts_with("Invalid value for --mcp-config: Invalid JSON: "), "{torn}");
    assert!(!torn.contains("hunter2"), "{torn}");
    for text in ["{\"a\": ", "a = = 1", "[]"] {
        let said = refused(&["--config", text]);
        assert!(said.starts_with("Invalid value for --config: Invalid configuration text: "));
    }
}

#[test]
fn the_parser_speaks_in_the_same_voice() {
    assert_eq!(refused(&["--modle", "x"]), "No such option '--modle'. Did you mean '--model'?");
    assert_eq!(refused(&["--zzzzzzzz"]), "No such option '--zzzzzzzz'.");
    assert_eq!(refused(&["--model"]), "Option '--model' requires an argument.");
    assert_eq!(refused(&["--yolo=false"]), "Option '--yolo' does not take a value.");
    assert!(!refused(&["--aut"]).contains("'--auto'"), "a hidden option is not advertised");
    let escape = refused(&["--\u{1b}]0;x\u{7}"]);
    assert!(!escape.chars().any(char::is_control), "{escape:?}");
}

#[test]
fn configuration_text_is_json_or_toml() {
    for text in ["{\"default_yolo\": true}", "default_yolo = true", "{}"] {
        assert_eq!(launch(&["--config", text]).config, ConfigChoice::Text(text.to_owned()));
    }
}

#[test]
fn numbers_come_through() {
    assert_eq!(launch(&["--max-ralph-iterations", "-1"]).max_ralph_iterations, Some(-1));
    assert!(launch(&["--max-ralph-iterations", "3"]).notices.is_empty());
    assert_eq!(launch(&["--max-steps-per-turn", "99999999999"]).max_steps_per_turn, Some(u32::MAX));
}

#[test]
fn every_option_of_kimi_cli_is_known() {
    let flags = "version verbose debug continue thinking no-thinking yolo yes auto-approve plan afk print \
                 acp wire final-message-only quiet session resume";
    for flag in flags.split_whitespace() {
        assert!(read(&[&format!("--{flag}")]).is_ok(), "--{flag}");
    }
    let options = "work-dir add-dir session resume config config-file model prompt command \
                   input-format output-format agent agent-file mcp-config-file mcp-config \
                   skills-dir max-steps-per-turn max-retries-per-step max-ralph-iterations";
    for option in options.split_whitespace() {
        assert!(read(&[&format!("--{option}"), "1"]).is_ok(), "--{option} 1");
        assert!(read(&[&format!("--{option}=1")]).is_ok(), "--{option}=1");
    }
}

/// Programs read the help to learn which options there are (clients.md section 0).
#[test]
fn the_help_names_every_option_but_one() {
    let help = Args::command().render_help().to_string();
    let named: Vec<&str> = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
    for arg in Args::command().get_arguments() {
        for name in arg.get_long_and_visible_aliases().unwrap_or_default() {
            let word = format!("--{name}");
            assert_eq!(named.contains(&word.as_str()), name != "auto", "{word}");
        }
    }
}
