//! Subagents in runs without a screen.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};

fn conversation(request: &Recorded) -> (String, usize) {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    let first = messages.iter().find(|message| message["role"] == "user");
    let first = first.map(|message| message["content"].to_string()).unwrap_or_default();
    (first, messages.iter().filter(|message| message["role"] == "tool").count())
}

fn agent(prompt: &str, more: Value) -> Reply {
    let mut arguments = json!({"description": "look", "prompt": prompt});
    for (name, value) in more.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    Reply::new().tool_call("c1", "Agent", &arguments.to_string())
}

fn shell(command: &str) -> Reply {
    Reply::new().tool_call("s1", "Shell", &json!({"command": command}).to_string())
}

fn meta(folder: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap()
}

fn folder(home: &Home) -> std::path::PathBuf {
    let mut entries = std::fs::read_dir(home.session().join("subagents")).unwrap();
    entries.next().unwrap().unwrap().path()
}

#[test]
fn the_answer_is_the_callers_and_records_are_its_own() {
    let server = ModelServer::start(|request: &Recorded, _: usize| match conversation(request) {
        (first, 0) if first.contains("TASK") => shell("echo inner"),
        (first, _) if first.contains("TASK") => Reply::new().text("secret detail ".repeat(20)),
        (_, 0) => agent("TASK", json!({"subagent_type": "explore"})),
        _ => Reply::new().text("The answer."),
    });
    let home = Home::new(&server.url());
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "go"]);
    let records = ran.well().records();
    let roles: Vec<&str> = records.iter().filter_map(|it| it["role"].as_str()).collect();
    assert_eq!(roles, ["assistant", "tool", "assistant"], "{records:?}");
    assert!(!ran.out.contains("echo inner"), "{}", ran.out);
    let ran = home.run(&["--quiet", "-p", "go"]);
    assert_eq!(ran.well().out, "The answer.\n");
    // The role is in the prompt, the repository is not: there is none.
    let requests = server.requests();
    let inner = requests.iter().find(|it| conversation(it).0.contains("TASK")).unwrap();
    let system = inner.body["messages"][0]["content"].to_string();
    assert!(system.contains("You are a subagent that finds things out"), "{system}");
    assert_eq!(conversation(inner).0, "\"TASK\"");
}

#[test]
fn a_killed_run_leaves_what_can_go_on() {
    let server = ModelServer::start(|request: &Recorded, _: usize| {
        let raw = &request.raw;
        match conversation(request) {
            (first, 0) if first.contains("TASK") => shell("echo $$ > pid; exec sleep 100"),
            (first, _) if first.contains("TASK") => {
                Reply::new().text("It is done now. ".repeat(20))
            }
            (_, 0) => agent("TASK", json!({})),
            _ if raw.contains("a second run") && !raw.contains("actual_subagent_type") => {
                let at = raw.find("RESUME-").map(|at| &raw[at + 7..at + 16]);
                agent("go on", json!({"resume": at.unwrap_or_default()}))
            }
            _ => Reply::new().text("All well."),
        }
    });
    let home = Home::new(&server.url());
    let mut running = home.start(&["--print", "-p", "go"]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(40);
    let pid: i32 = loop {
        let text = std::fs::read_to_string(home.path("project/pid")).unwrap_or_default();
        if let Ok(pid) = text.trim().parse() {
            break pid;
        }
        assert!(std::time::Instant::now() < until, "the command does not start");
        std::thread::yield_now();
    };
    running.signal(Signal::KILL);
    running.kill();
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
    let folder = folder(&home);
    assert_eq!(meta(&folder)["status"], "running_foreground");
    let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let ran = home.run(&["--quiet", "-C", "-p", &format!("a second run, RESUME-{id}")]);
    assert_eq!(ran.well().out, "All well.\n");
    assert_eq!(meta(&folder)["status"], "idle");
    // Its own conversation is whole: the call that was cut off has an answer.
    let context = json_lines(&folder.join("context.jsonl"));
    let results = context.iter().filter(|line| line["role"] == "tool").count();
    assert_eq!(results, 1, "{context:?}");
}

#[test]
fn a_swarm_obeys_the_environment() {
    let server = ModelServer::start(|request: &Recorded, _: usize| match conversation(request) {
        (first, _) if first.contains("ITEM") => Reply::new().text("Nothing is wrong. ".repeat(20)),
        (_, 0) => Reply::new().tool_call(
            "c1",
            "AgentSwarm",
            &json!({"description": "review", "subagent_type": "explore",
                    "prompt_template": "ITEM {{item}}", "items": ["one", "two"]})
            .to_string(),
        ),
        _ => Reply::new().text("Reviewed."),
    });
    for (value, told) in [("1", "completed: 2/2"), ("many", "has to be a positive integer")] {
        let home = Home::new(&server.url()).var("KIMI_CODE_AGENT_SWARM_MAX_CONCURRENCY", value);
        let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "go"]);
        let records = ran.well().records();
        let result = records.iter().find(|it| it["role"] == "tool").unwrap();
        assert!(result["content"].to_string().contains(told), "{result}");
    }
}

#[test]
fn rules_and_plan_mode_hold_for_whoever_is_sent() {
    let server = ModelServer::start(|request: &Recorded, _: usize| match conversation(request) {
        (first, 0) if first.contains("TASK") => shell("touch made"),
        (first, 1) if first.contains("TASK") => {
            Reply::new().tool_call("s2", "ReadFile", r#"{"path":"secret/key"}"#)
        }
        (first, _) if first.contains("TASK") => Reply::new().text("It cannot be. ".repeat(20)),
        (_, 0) => agent("TASK", json!({})),
        (_, 1) => agent("TASK", json!({"subagent_type": "explore"})),
        _ => Reply::new().text("As planned."),
    });
    let home = Home::new(&server.url());
    let rules = "\n[permission]\ndeny = [\"ReadFile(secret/**)\"]\n";
    home.write("share/config.toml", Home::config(&server.url()) + rules);
    home.write("project/secret/key", "hush");
    let ran = home.run(&["--quiet", "--yolo", "--plan", "-p", "go"]);
    assert_eq!(ran.well().out, "As planned.\n");
    assert!(!home.path("project/made").exists());
    let requests = server.requests();
    let inner = requests.iter().rfind(|it| conversation(it).0.contains("TASK")).unwrap();
    assert!(inner.raw.contains("Plan mode is on: `touch made`"), "{}", inner.raw);
    assert!(inner.raw.contains("`ReadFile(secret/**)` forbids this"), "{}", inner.raw);
    assert!(!inner.raw.contains("hush"));
    let own = &requests.last().unwrap().raw;
    assert!(own.contains("a `coder` agent changes files"), "{own}");
}
