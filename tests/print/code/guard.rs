//! Hooks are the only guard of such runs: nobody is asked.

use serde_json::{Value, json};

use super::{ask, code_home_with, named};
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};

/// Keeps what it is given, with a variable of the caller, and denies what is not read-only.
const GUARD: &str = "\n[[hooks]]\nevent = \"PreToolUse\"\ncommand = '''line=$(cat); \
    printf '{\"cmd\":\"%s\",\"in\":%s}\\n' \"$KIMI_PLUGIN_CC_CMD\" \"$line\" >> \"$HOME/heard.jsonl\"; \
    case $line in *'\"tool_name\":\"Read\"'*|*'\"tool_name\":\"AgentSwarm\"'*) ;; \
    *) echo \"guard: no\" >&2; exit 2 ;; esac'''\ntimeout = 15\n";

fn guarded(server: &ModelServer, more: &str) -> Home {
    let config = format!("{more}{}{GUARD}", Home::config(&server.url()));
    code_home_with(&config).var("KIMI_PLUGIN_CC_CMD", "review")
}

fn heard(home: &Home) -> Vec<Value> {
    json_lines(&home.path("home/heard.jsonl"))
}

fn write(id: &str, path: &str) -> Reply {
    let arguments = json!({"path": path, "content": "x"}).to_string();
    Reply::new().tool_call(id, "Write", &arguments)
}

#[test]
fn a_hook_without_a_matcher_hears_kimi_code_s_names() {
    let calls = [
        ("Read", json!({"path": "a.txt"})),
        ("Bash", json!({"command": "touch made"})),
        ("Edit", json!({"path": "a.txt", "old_string": "one", "new_string": "two"})),
        ("TodoList", json!({"todos": []})),
        ("EnterPlanMode", json!({})),
        ("Shell", json!({"command": "touch made"})),
    ];
    let reply = calls.iter().fold(Reply::new(), |reply, (name, arguments)| {
        reply.tool_call(&format!("c-{name}"), name, &arguments.to_string())
    });
    let server = ModelServer::start(vec![reply, Reply::new().text("Done.")]);
    let home = guarded(&server, "");
    home.write("project/a.txt", "one\n");
    let ran = ask(&home, &[], "x");
    ran.well();
    let names: Vec<Value> =
        heard(&home).into_iter().map(|heard| heard["in"]["tool_name"].clone()).collect();
    // Also what the model calls by our name.
    assert_eq!(names, ["Read", "Bash", "Edit", "TodoList", "EnterPlanMode", "Bash"]);
    assert!(heard(&home).iter().all(|heard| heard["cmd"] == "review"));
    let project = home.path("project").canonicalize().unwrap();
    assert_eq!(heard(&home)[0]["in"]["cwd"], json!(project));
    assert_eq!(
        heard(&home)[2]["in"]["tool_input"],
        json!({"path": "a.txt", "old_string": "one", "new_string": "two"})
    );
    let results: Vec<Value> =
        ran.records().into_iter().filter(|record| record["role"] == "tool").collect();
    for result in &results[1..] {
        assert_eq!(result["content"], "guard: no");
    }
    assert!(server.requests()[1].body["messages"].to_string().contains("guard: no"));
    assert_eq!(std::fs::read_to_string(home.path("project/a.txt")).unwrap(), "one\n");
    assert!(!home.path("project/made").exists());
}

#[test]
fn the_hook_answers_before_plan_mode_does() {
    let server = ModelServer::start(vec![
        write("a", "a.txt"),
        Reply::new().text("Denied."),
        write("b", "b.txt"),
        Reply::new().text("Denied again."),
    ]);
    let home = guarded(&server, "default_plan_mode = true\n");
    let mut session = None;
    for _ in 0..2 {
        let words: Vec<&str> = session.as_deref().map(|id| vec!["-r", id]).unwrap_or_default();
        let ran = ask(&home, &words, "write it");
        let result = ran.records().into_iter().find(|record| record["role"] == "tool").unwrap();
        assert_eq!(result["content"], "guard: no");
        session = Some(named(ran.well()));
    }
    assert_eq!(heard(&home).len(), 2);
}

#[test]
fn every_turn_of_a_goal_and_every_subagent_is_guarded() {
    let server = ModelServer::start(|request: &Recorded, _: usize| {
        let last = request.body["messages"].as_array().unwrap().last().unwrap().clone();
        let text = request.body["messages"].to_string();
        match () {
            () if last["role"] == "tool" && text.contains("the swarm") => {
                Reply::new().text(last["content"].to_string())
            }
            () if last["role"] == "tool" => Reply::new().text("Again."),
            () if text.contains("write-alone") => write("w", "sub.txt"),
            () if text.contains("the swarm") => {
                let arguments = json!({
                    "description": "two", "subagent_type": "coder",
                    "prompt_template": "write-alone {{item}}", "items": ["a", "b"],
                });
                Reply::new().tool_call("s", "AgentSwarm", &arguments.to_string())
            }
            () => write("g", "goal.txt"),
        }
    });
    let home = guarded(&server, "");
    let ran = ask(&home, &[], "the swarm");
    ran.well();
    let names: Vec<Value> =
        heard(&home).into_iter().map(|heard| heard["in"]["tool_name"].clone()).collect();
    // One whose report is short is asked for more, and tries again.
    assert!(names.len() >= 3 && names[0] == "AgentSwarm", "{names:?}");
    assert!(names[1..].iter().all(|name| name == "Write"), "{names:?}");
    assert!(heard(&home).iter().all(|heard| heard["cmd"] == "review"));
    assert!(!home.path("project/sub.txt").exists());
    let goal = ask(&home, &["--timeout", "3s"], "/goal make goal.txt");
    assert_ne!(goal.code, Some(0));
    assert!(heard(&home).len() > 5, "{}", heard(&home).len());
    assert!(!home.path("project/goal.txt").exists());
}
