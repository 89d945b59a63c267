//! Several prompts, a line each, some of them hostile.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{ask, code_home, named};
use crate::support::model_server::{ModelServer, Recorded, Reply};

const WORDS: [&str; 4] = ["--output-format", "stream-json", "--input-format", "stream-json"];

fn echo() -> ModelServer {
    ModelServer::start(|request: &Recorded, _: usize| {
        Reply::new().text(format!("<{}>", request.last_user_text()))
    })
}

#[test]
fn lines_after_the_prompt_are_turns_of_one_session() {
    let server = echo();
    let home = code_home(&server);
    let lines = "{\"role\":\"user\",\"content\":\"two\"}\nnonsense\n\n{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"three\"}]}";
    let ran = home.run_with(&[&WORDS[..], &["-p", "one"]].concat(), lines);
    let id = named(ran.well());
    let said: Vec<Value> = ran
        .records()
        .into_iter()
        .filter(|record| record["role"] == "assistant")
        .map(|record| record["content"].clone())
        .collect();
    assert_eq!(said, ["<one>", "<two>", "<three>"]);
    assert_eq!(ran.out.matches("resume_hint").count(), 1);
    assert!(ran.err.starts_with("kimi: line 2 of standard input is skipped: not JSON"), "{ran:?}");
    let ran = ask(&home, &["-r", &id], "four");
    ran.well();
    assert_eq!(server.requests()[3].body["messages"].as_array().unwrap().len(), 8);
}

/// A line that is no prompt.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let json = prop_oneof![
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("1e999".to_owned()),
        Just("{\"role\":\"user\"".to_owned()),
        Just("{\"role\":7,\"content\":\"x\"}".to_owned()),
        Just("{\"role\":\"user\",\"content\":7}".to_owned()),
        Just("{\"role\":\"user\",\"content\":{\"text\":\"x\"}}".to_owned()),
        Just("{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}".to_owned()),
        Just("{\"role\":\"user\",\"content\":\"\\ud800\"}".to_owned()),
        Just("{\"content\":\"x\"}".to_owned()),
        Just(
            "{\"role\":\"user\",\"content\":\"x\"} {\"role\":\"user\",\"content\":\"y\"}"
                .to_owned()
        ),
        "[a-z]{1,9}"
            .prop_map(|role| json!({"role": format!("{role}-"), "content": "x"}).to_string()),
        (1usize..4000).prop_map(|depth| "[".repeat(depth)),
        (1usize..4000).prop_map(|depth| "{\"a\":".repeat(depth)),
        (200usize..4000).prop_map(|depth| {
            format!(
                "{{\"role\":\"user\",\"content\":\"x\",\"a\":{}{}}}",
                "[".repeat(depth),
                "]".repeat(depth)
            )
        }),
        (1usize..70_000).prop_map(|length| "x".repeat(length)),
        "\\PC{1,40}".prop_filter("no JSON", |text| {
            !text.trim().is_empty() && serde_json::from_str::<Value>(text).is_err()
        }),
    ];
    let bytes = prop::collection::vec(any::<u8>(), 1..60).prop_map(|mut bytes| {
        bytes.retain(|byte| *byte != b'\n');
        bytes.insert(0, 0xff);
        bytes
    });
    prop_oneof![4 => json.prop_map(String::into_bytes), 1 => bytes]
}

/// A thousand lines of which every twentieth is a prompt, after the one of the command line.
#[test]
fn hostile_lines_are_passed_over_and_no_prompt_is_lost() {
    let mut runner = TestRunner::deterministic();
    let mut stdin = Vec::new();
    let mut wanted = vec!["<first>".to_owned()];
    for n in 0..1_000 {
        if n % 20 == 7 {
            let said = format!("prompt {n}\u{0}\u{1b}[2J\u{202e}");
            let line = json!({"role": "user", "content": said}).to_string();
            stdin.extend_from_slice(line.as_bytes());
            stdin.extend_from_slice(if n % 40 == 7 { b"\r\n" } else { b"\n" });
            wanted.push(format!("<{said}>"));
            continue;
        }
        stdin.extend_from_slice(&hostile().new_tree(&mut runner).unwrap().current());
        stdin.push(b'\n');
    }
    // The end is torn.
    stdin.extend_from_slice(b"{\"role\":\"user\",\"content\":\"never");
    let server = echo();
    let home = code_home(&server);
    let ran = home.run_with(&[&WORDS[..], &["-p", "first"]].concat(), stdin);
    named(ran.well());
    let said: Vec<String> = ran
        .records()
        .iter()
        .filter(|record| record["role"] == "assistant")
        .map(|record| record["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(said, wanted);
    assert_eq!(server.requests().len(), wanted.len());
    // Each is told once, not all of them, and none can act on a terminal.
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 10, "{}", ran.err);
    assert!(lines.iter().all(|line| line.starts_with("kimi: line ")), "{}", ran.err);
    assert!(!ran.err.contains(|c: char| c.is_control() && c != '\n'));
}
