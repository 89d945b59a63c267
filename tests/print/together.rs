//! Many of us at once in one home, started as an orchestrator starts them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::model_server::{Gate, ModelServer, Recorded, Reply};
use crate::support::program::{Home, Ran, Running, json_lines};

/// How many at once.
const MANY: usize = 8;

/// Starts many, lets none go on before all have asked, and waits for all.
fn together(server: &ModelServer, gate: &Gate, start: impl Fn(usize) -> Running) -> Vec<Ran> {
    let mut running: Vec<Running> = (0..MANY).map(start).collect();
    running.iter_mut().for_each(|one| one.feed(b""));
    server.wait_for(MANY);
    gate.open();
    running.into_iter().map(Running::end).collect()
}

fn gated() -> (ModelServer, Gate) {
    let gate = Gate::new();
    let held = gate.clone();
    let server = ModelServer::start(move |request: &Recorded, _: usize| {
        Reply::new().wait(&held).text(format!("answer to {}", request.last_user_text()))
    });
    (server, gate)
}

fn index(home: &Home) -> Value {
    let text = std::fs::read_to_string(home.path("share/kimi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// No half-written file is left.
fn tidy(home: &Home) {
    for entry in std::fs::read_dir(home.path("share")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(!name.ends_with(".tmp") && !name.contains("corrupt"), "{name}");
    }
}

/// The device ids that the requests carried.
fn device_ids(server: &ModelServer) -> BTreeSet<String> {
    let requests = server.requests();
    requests.iter().map(|r| r.header("x-msh-device-id").unwrap().to_owned()).collect()
}

#[test]
fn in_one_directory_nothing_is_lost() {
    let (server, gate) = gated();
    let home = Home::new(&server.url());
    let config = std::fs::read_to_string(home.path("share/config.toml")).unwrap();
    home.write("agent/system.md", "You are one of many.");
    let agent = home.write(
        "agent/agent.yaml",
        "version: 1\nagent:\n  extend: default\n  system_prompt_path: ./system.md\n",
    );
    let id = |n: usize| format!("2b1d4c1e-0000-4000-8000-00000000000{n}");
    let ran = together(&server, &gate, |n| {
        let (id, prompt) = (id(n), format!("question {n}"));
        let mut words: Vec<[&str; 2]> = vec![
            ["--work-dir", "."],
            ["--model", "mock"],
            ["--session", &id],
            ["--agent-file", agent.to_str().unwrap()],
            ["--mcp-config", "{}"],
            ["-p", &prompt],
        ];
        // Every one of them with its options in another order.
        words.rotate_left(n % 6);
        let flags = ["--yolo", "--no-thinking", "--quiet"];
        home.start(&[&flags[..], &words.concat()].concat())
    });
    for (n, ran) in ran.iter().enumerate() {
        assert_eq!(ran.well().out, format!("answer to question {n}\n"));
        assert_eq!(ran.err, format!("\nTo resume this session: kimi -r {}\n", id(n)));
    }
    assert_eq!(home.sessions().len(), MANY);
    for session in home.sessions() {
        let context = json_lines(&session.join("context.jsonl"));
        assert_eq!(context[0]["content"], "You are one of many.");
        let roles: Vec<&str> = context.iter().map(|line| line["role"].as_str().unwrap()).collect();
        let conversation: Vec<&&str> = roles.iter().filter(|role| !role.starts_with('_')).collect();
        assert_eq!(conversation, [&"user", &"assistant"]);
        assert!(session.join("wire.jsonl").exists());
    }
    let index = index(&home);
    let dirs = index["work_dirs"].as_array().unwrap();
    assert_eq!(dirs.len(), 1, "{index}");
    let last = dirs[0]["last_session_id"].as_str().unwrap();
    assert!((0..MANY).any(|n| id(n) == last), "{index}");
    assert_eq!(std::fs::read_to_string(home.path("share/config.toml")).unwrap(), config);
    tidy(&home);
}

/// The very first starts, each in a directory of its own.
#[test]
fn on_a_fresh_home_all_agree() {
    let (server, gate) = gated();
    let home = Home::bare()
        .var("KIMI_BASE_URL", server.url())
        .var("KIMI_API_KEY", "sk-env")
        .var("KIMI_MODEL_NAME", "env-model");
    let dir = |n: usize| home.path(&format!("work/{n}"));
    let ran = together(&server, &gate, |n| {
        std::fs::create_dir_all(dir(n)).unwrap();
        home.start(&["--quiet", "-w", dir(n).to_str().unwrap(), "-p", "x"])
    });
    for ran in &ran {
        ran.well();
    }
    let index = index(&home);
    let entries = index["work_dirs"].as_array().unwrap();
    let known: BTreeSet<&str> = entries.iter().map(|dir| dir["path"].as_str().unwrap()).collect();
    assert_eq!((known.len(), entries.len()), (MANY, MANY), "{index}");
    assert!(entries.iter().all(|entry| entry["last_session_id"].is_string()), "{index}");
    let ids = device_ids(&server);
    let kept = std::fs::read_to_string(home.path("share/device_id")).unwrap();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), [kept]);
    let config = std::fs::read_to_string(home.path("share/config.toml")).unwrap();
    assert!(config.contains("\n[mcp.client]\ntool_call_timeout_ms = 60000\n"), "{config}");
    tidy(&home);
    // What an orchestrator makes of it stays, and nothing is said about it.
    let raised = config.replace("tool_call_timeout_ms = 60000", "tool_call_timeout_ms = 600000");
    home.write("share/config.toml", &raised);
    let ran = home.run(&["--quiet", "-p", "x"]);
    assert!(ran.well().err.starts_with("\nTo resume this session: "), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(home.path("share/config.toml")).unwrap(), raised);
}
