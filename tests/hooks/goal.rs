//! Guards and goals: whatever a model tries over many turns, what a hook forbids does not happen.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::world::{home, hook};
use crate::mcp::server::Script;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, Ran, json_lines};

const TURNS: usize = 50;

/// The ways to write, one for each turn: the tool and its arguments.
fn attempt(turn: usize) -> (&'static str, Value) {
    let file = format!("made{turn}");
    let shell = |command: String| ("Shell", json!({ "command": command }));
    match turn % 13 {
        0 => ("WriteFile", json!({"path": file, "content": "x"})),
        1 => ("StrReplaceFile", json!({"path": "kept", "edit": {"old": "kept", "new": "lost"}})),
        2 => shell(format!("echo x > {file}")),
        3 => shell(format!("echo x | tee {file}")),
        4 => shell(format!("python3 -c \"open('{file}', 'w')\"")),
        5 => shell(format!("bash -c 'touch {file}'")),
        6 => (
            "Shell",
            json!({"command": format!("touch {file}"), "run_in_background": true, "description": "d"}),
        ),
        7 => ("mcp_call", json!({"name": "s.echo", "arguments": {"text": "write"}})),
        8 => ("scribble", json!({})),
        // None of the tool's own words, which would fail all the same.
        9 => ("Shell", json!({"cmd": format!("touch {file}")})),
        10 => shell(format!("cp kept {file}; nohup touch {file} &")),
        11 => (
            "WriteFile",
            json!({"path": format!("./sub/../{file}"), "content": "x", "mode": "append"}),
        ),
        _ => shell(format!("T={file}; eval \"touch $T\"")),
    }
}

/// A model that tries to write in every turn, and then says that the goal is complete.
fn writer(request: &Recorded, _: usize) -> Reply {
    let messages = request.body["messages"].as_array().unwrap();
    let tried = messages.iter().filter(|message| message["role"] == "tool").count();
    if messages.last().unwrap()["role"] == "tool" {
        return Reply::new().text("I will try another way.");
    }
    match tried {
        0..TURNS => {
            let (tool, arguments) = attempt(tried);
            Reply::new().tool_call(&format!("w{tried}"), tool, &arguments.to_string())
        }
        _ => Reply::new().tool_call("end", "UpdateGoal", r#"{"status":"complete"}"#),
    }
}

/// What is in the project now.
fn project(home: &Home) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(home.path("project"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// How often each call is answered in a record of the session, and with what.
fn answers(record: &Path) -> BTreeMap<String, Vec<String>> {
    let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in json_lines(record) {
        let payload = &line["message"]["payload"];
        let (id, text) = match (&line["role"], &line["message"]["type"]) {
            (Value::String(role), _) if role == "tool" => {
                (line["tool_call_id"].clone(), line["content"].to_string())
            }
            (_, Value::String(kind)) if kind == "ToolResult" => {
                (payload["tool_call_id"].clone(), payload["return_value"].to_string())
            }
            _ => continue,
        };
        answers.entry(id.as_str().unwrap().to_owned()).or_default().push(text);
    }
    answers
}

#[test]
fn fifty_turns_of_a_goal_write_nothing() {
    let server = ModelServer::start(writer);
    let matcher = "matcher = 'WriteFile|StrReplaceFile|Shell|mcp__|scribble'";
    let home = home(&server, &hook("PreToolUse", "echo 'no writing here' >&2; exit 2", matcher));
    let config = fs::read_to_string(home.path("share/config.toml")).unwrap();
    home.write("share/config.toml", config + "\n[mcp]\nmode = \"deferred\"\n");
    let called = home.path("called");
    let entry = Script::new().log(&called).entry();
    home.write("share/mcp.json", json!({"mcpServers": {"s": entry}}).to_string());
    let touch = ["sh", "-c", &format!("touch {}", home.path("project/scribbled").display())];
    let plugin = json!({
        "name": "scribe", "version": "1",
        "tools": [{"name": "scribble", "description": "Writes.", "command": touch}],
    });
    home.write("scribe/plugin.json", plugin.to_string());
    home.run(&["plugin", "install", home.path("scribe").to_str().unwrap()]).well();
    home.write("project/kept", "kept");
    home.write(
        "home/.kimi/skills/scribe/SKILL.md",
        "---\nname: scribe\ndescription: Writes.\n---\nRun `touch skilled`.\n",
    );

    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "/goal write it"]);
    assert_eq!(ran.well().records().last().unwrap()["turnsUsed"], TURNS + 1);
    assert_eq!(project(&home), ["kept"]);
    assert_eq!(fs::read_to_string(home.path("project/kept")).unwrap(), "kept");
    let heard = fs::read_to_string(&called).unwrap_or_default();
    assert!(heard.contains("tools/list") && !heard.contains("tools/call"), "{heard}");
    for record in ["context.jsonl", "wire.jsonl"] {
        let answers = answers(&home.session().join(record));
        for turn in 0..TURNS {
            let told =
                answers.get(&format!("w{turn}")).unwrap_or_else(|| panic!("{record} {turn}"));
            assert_eq!(told.len(), 1, "{record} {turn} {told:?}");
            assert!(told[0].contains("no writing here"), "{record} {turn} {told:?}");
        }
    }

    // The guard is there when the session goes on, and for what a skill asks for.
    let shell = |id: &str, file: &str| {
        Reply::new().tool_call(
            id,
            "Shell",
            &json!({"command": format!("touch {file}")}).to_string(),
        )
    };
    let server = ModelServer::start(vec![
        shell("again", "again"),
        Reply::new().text("No."),
        Reply::new().tool_call("end2", "UpdateGoal", r#"{"status":"complete"}"#),
        Reply::new().text("Well."),
        shell("skill", "skilled"),
        Reply::new().text("No."),
    ]);
    let moved = fs::read_to_string(home.path("share/config.toml")).unwrap();
    let url = moved.lines().find_map(|line| line.strip_prefix("base_url = ")).unwrap().to_owned();
    home.write("share/config.toml", moved.replace(&url, &format!("\"{}\"", server.url())));
    home.run(&["--print", "-C", "-p", "/goal again"]).well();
    home.run(&["--print", "-C", "-p", "/skill:scribe"]).well();
    assert_eq!(project(&home), ["kept"]);
    let answers = answers(&home.session().join("context.jsonl"));
    for id in ["again", "skill"] {
        assert_eq!(answers[id].len(), 1);
        assert!(answers[id][0].contains("no writing here"), "{:?}", answers[id]);
    }
}

/// A goal whose model writes a file, beside this hook.
fn guarded(hooks: &str) -> (Home, Ran) {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("w", "WriteFile", r#"{"path":"made","content":"x"}"#),
        Reply::new().text("One."),
        Reply::new().tool_call("u", "UpdateGoal", r#"{"status":"complete"}"#),
        Reply::new().text("Done."),
    ]);
    let home = home(&server, hooks);
    home.write("project/guard.sh", "#!/bin/sh\nexit 2\n");
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "/goal write it"]);
    (home, ran)
}

/// A guard that does not answer lets the call through, unless it is told to fail closed.
#[test]
fn guards_that_fail() {
    for (broken, why) in [
        ("sleep 60", "timeout"),
        ("kill -SEGV $$", "signal"),
        ("echo '{\"hookSpecificOutput\": {\"perm'", "no answer"),
        ("./guard.sh", "status 126"),
        ("./missing", "status 127"),
        ("exit 1", "status 1"),
    ] {
        let (home, ran) =
            guarded(&hook("PreToolUse", broken, "timeout = 1\nmatcher = 'WriteFile'"));
        ran.well();
        assert!(home.path("project/made").exists(), "{broken}");
        let closed = "timeout = 1\nmatcher = 'WriteFile'\nfail_closed = true";
        let (home, ran) = guarded(&hook("PreToolUse", broken, closed));
        ran.well();
        assert!(!home.path("project/made").exists(), "{broken}");
        let told = &answers(&home.session().join("context.jsonl"))["w"];
        assert!(told.len() == 1 && told[0].contains(why), "{broken}: {told:?}");
    }
}

#[test]
fn a_forbidden_prompt_blocks_the_goal() {
    let first = "echo 'not this goal' >&2; exit 2";
    let later = "grep -q 'Goal mode, turn 2' && { echo 'enough of it' >&2; exit 2; }; exit 0";
    for (command, reason, turns, requests) in
        [(first, "not this goal", 1, 0), (later, "enough of it", 2, 1)]
    {
        let server = ModelServer::start(vec![Reply::new().text("One."), Reply::new().text("Two.")]);
        let home = home(&server, &hook("UserPromptSubmit", command, ""));
        let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "/goal win"]);
        assert_eq!(ran.code, Some(3), "{ran:#?}");
        let records = ran.records();
        let summary = records.last().unwrap();
        assert_eq!(
            (&summary["type"], &summary["status"]),
            (&json!("goal.summary"), &json!("blocked"))
        );
        assert!(summary["reason"].as_str().unwrap().contains(reason), "{summary}");
        assert_eq!(summary["turnsUsed"], turns);
        assert_eq!(server.requests().len(), requests);
    }
}

#[test]
fn hooks_hear_of_calls_that_do_not_fit() {
    let server = ModelServer::start(vec![
        Reply::new()
            .tool_call("a", "Shell", r#"{"cmd":"ls"}"#)
            .tool_call("b", "Shell", r#"{"command":"#)
            .tool_call("c", "WriteFile", r#"{"path":7}"#),
        Reply::new().text("ok"),
    ]);
    let hooks = super::world::listener("PreToolUse", "")
        + &super::world::listener("PostToolUseFailure", "")
        + &hook("PreToolUse", "echo 'guarded' >&2; exit 2", "matcher = 'WriteFile'");
    let home = home(&server, &hooks);
    home.run(&["--quiet", "-p", "x"]).well();
    let mut heard: Vec<String> = super::world::heard(&home)
        .iter()
        .map(|line| {
            let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", word("hook_event_name"), word("tool_call_id"), line["tool_input"])
        })
        .collect();
    heard.sort();
    assert_eq!(
        heard,
        [
            r#"PostToolUseFailure a {"cmd":"ls"}"#,
            "PostToolUseFailure b {}",
            r#"PreToolUse a {"cmd":"ls"}"#,
            r#"PreToolUse c {"path":7}"#,
        ]
    );
    let told = answers(&home.session().join("context.jsonl"));
    assert!(told["a"][0].contains("validating") && told["b"][0].contains("parsing"), "{told:?}");
    assert!(told["c"][0].contains("guarded"), "{told:?}");
}
