//! Agent files and MCP options through the real binary.

use serde_json::{Value, json};

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;
use crate::support::tools::OWN_TOOLS;

/// What the default agent is offered.
fn default_tools() -> Vec<&'static str> {
    [&["Agent", "AgentSwarm"], &OWN_TOOLS[..]].concat()
}

fn yes() -> ModelServer {
    ModelServer::start(|_: &Recorded, _: usize| Reply::new().text("yes"))
}

fn system(request: &Recorded) -> &str {
    request.body["messages"][0]["content"].as_str().unwrap()
}

fn tools(request: &Recorded) -> Vec<&str> {
    let tools = request.body["tools"].as_array().into_iter().flatten();
    tools.map(|tool| tool["function"]["name"].as_str().unwrap()).collect()
}

/// Writes an agent file with a prompt and returns its path.
fn agent(home: &Home, name: &str, fields: &str, prompt: &str) -> String {
    home.write(&format!("{name}/system.md"), prompt);
    let yaml = format!(
        "version: 1\nagent:\n  extend: default\n  system_prompt_path: ./system.md\n{fields}"
    );
    home.write(&format!("{name}/agent.yaml"), yaml).to_str().unwrap().to_owned()
}

#[test]
fn an_agent_in_markdown_is_its_head_and_its_prompt() {
    let server = yes();
    let home = Home::new(&server.url());
    let file = home.write(
        "rev/reviewer.md",
        "---\nname: reviewer\ndescription: Reviews.\ntools: Read, Bash\n---\nYou review ${HOME}.\n",
    );
    let ran = home.run(&["--quiet", "--agent-file", file.to_str().unwrap(), "-p", "x"]);
    assert_eq!(ran.well().out, "yes\n");
    let request = &server.requests()[0];
    assert_eq!(
        (system(request), tools(request)),
        ("You review ${HOME}.", vec!["ReadFile", "Shell"])
    );
    home.write("project/.kimi/agents/terse.md", "You are terse.\n");
    home.run(&["--quiet", "--agent", "terse", "-p", "x"]).well();
    assert_eq!(system(&server.requests()[1]), "You are terse.");
}

#[test]
fn the_prompt_and_the_tools_are_those_of_the_file() {
    let server = yes();
    let home = Home::new(&server.url());
    let plain = agent(&home, "plain", "", "You review.\n\nIn ${KIMI_WORK_DIR}.\n");
    let turns = "{\"role\":\"user\",\"content\":\"x\"}\n".repeat(2);
    let words = ["--print", "--input-format", "stream-json", "--agent-file", &plain];
    let ran = home.run_with(&words, turns);
    assert!(ran.well().err.starts_with("\nTo resume this session: "), "{}", ran.err);
    let requests = server.requests();
    let project = home.path("project").canonicalize().unwrap();
    assert_eq!(system(&requests[0]), format!("You review.\n\nIn {}.", project.display()));
    assert_eq!(tools(&requests[0]), default_tools());
    // The same bytes at the front of every request of a session.
    assert_eq!(system(&requests[0]), system(&requests[1]));
    assert_eq!(requests[0].body["tools"].to_string(), requests[1].body["tools"].to_string());

    let few = agent(
        &home,
        "few",
        "  allowed_tools: ['kimi_cli.tools.think:Think', Read, Grep, SearchWeb]\n  \
         exclude_tools: [Grep]\n",
        "Look. {% if KIMI_AGENTS_MD %}${KIMI_AGENTS_MD}{% else %}Nothing.{% endif %}",
    );
    home.run(&["--quiet", "--agent-file", &few, "-p", "x"]).well();
    let requests = server.requests();
    assert_eq!(
        (system(&requests[2]), tools(&requests[2])),
        ("Look. Nothing.", vec!["Think", "ReadFile"])
    );

    let none = agent(&home, "none", "  tools: []\n", "Talk.");
    home.run(&["--quiet", "--agent-file", &none, "-p", "x"]).well();
    let requests = server.requests();
    assert!(tools(&requests[3]).is_empty() && requests[3].body.get("tools") != Some(&json!([])));
}

#[test]
fn a_tool_that_the_agent_lacks_cannot_be_called() {
    let server = ModelServer::start(|_: &Recorded, n: usize| match n {
        0 => Reply::new().tool_call("c", "WriteFile", r#"{"path":"made","content":"x"}"#),
        _ => Reply::new().text("done"),
    });
    let home = Home::new(&server.url());
    let file = agent(&home, "a", "  exclude_tools: [Write]\n", "Look.");
    home.run(&["--quiet", "--agent-file", &file, "-p", "x"]).well();
    assert!(!home.path("project/made").exists());
    let messages = server.requests()[1].body["messages"].to_string();
    assert!(messages.contains("Tool `WriteFile` not found"), "{messages}");
}

#[test]
fn builtin_agents_are_the_default() {
    let server = yes();
    let home = Home::new(&server.url());
    for words in [&[][..], &["--agent", "default"], &["--agent", "okabe"]] {
        let ran = home.run(&[words, &["--quiet", "-p", "x"]].concat());
        assert!(ran.well().err.starts_with("\nTo resume this session: "), "{}", ran.err);
    }
    for (n, request) in server.requests().iter().enumerate() {
        let mut tools = tools(request);
        if n == 2 {
            assert_eq!(tools.remove(2), "SendDMail");
        }
        assert_eq!(tools, default_tools());
        assert!(system(request).starts_with("You are Kimi"));
    }
}

#[test]
fn a_resumed_session_keeps_its_prompt() {
    let server = yes();
    let home = Home::new(&server.url());
    let one = agent(&home, "one", "", "One.");
    let two = agent(&home, "two", "  tools: [Grep]\n", "Two.");
    for file in [&one, &two] {
        home.run(&["--quiet", "-S", "s", "--agent-file", file, "-p", "x"]).well();
    }
    home.run(&["--quiet", "-S", "s", "-p", "x"]).well();
    let requests = server.requests();
    assert!(requests.iter().all(|request| system(request) == "One."));
    let counts: Vec<usize> = requests.iter().map(|request| tools(request).len()).collect();
    assert_eq!(counts, [20, 1, 20]);
}

/// The first line of stderr of a run that fails before it asks anybody.
fn refused(home: &Home, words: &[&str], code: i32) -> String {
    let ran = home.run(words);
    assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{words:?}: {ran:#?}");
    assert!(home.sessions().is_empty());
    ran.err.replace(&format!("{}/", home.path("").display().to_string().trim_end_matches('/')), "")
}

#[test]
fn a_bad_agent_file_ends_the_start() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let start = |file: &str| refused(&home, &["--quiet", "--agent-file", file, "-p", "x"], 1);
    let undefined = agent(&home, "a", "", "one\n${TEAM}\n");
    assert_eq!(
        start(&undefined),
        "System prompt a/system.md: line 2: the variable `TEAM` has no value. Give it one in \
         `system_prompt_args`, or write {% raw %}...{% endraw %} around text that is no variable.\n"
    );
    let torn = home.write("torn.yaml", "version: 1\nagent:\n  name: [\n");
    let line = start(torn.to_str().unwrap());
    assert!(line.starts_with("Agent file torn.yaml: it is not the YAML of an agent: "), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    let hostile = home.write("hostile.yaml", "agent: {extend: \"\\e[2J\\u0007.yaml\"}\n");
    let line = start(hostile.to_str().unwrap());
    assert!(!line.trim_end().chars().any(char::is_control), "{line:?}");
    // These are mistakes on the command line.
    let line = refused(&home, &["--quiet", "--agent-file", "../none.yaml", "-p", "x"], 2);
    assert!(line.ends_with("'--agent-file': File '../none.yaml' does not exist.\n"), "{line}");
    let line = refused(&home, &["--quiet", "--agent-file", "..", "-p", "x"], 2);
    assert!(line.ends_with("'--agent-file': File '..' is a directory.\n"), "{line}");
}

#[test]
fn tools_that_there_are_not_end_the_start() {
    let server = yes();
    let home = Home::new(&server.url());
    let file = agent(&home, "a", "  tools: [Shell, Shel, 'my.tools:Grep', notes]\n", "Hi.");
    let line = refused(&home, &["--quiet", "--agent-file", &file, "-p", "x"], 1);
    assert_eq!(
        line,
        "Agent file a/agent.yaml: there is no tool named `Shel`, `my.tools:Grep`, `notes`. Correct \
         the names, or take them out.\n"
    );
    // In Markdown, which other programs read too, they are told of.
    let file = home.write("m.md", "---\ntools: [Shell, WebBrowser]\n---\nHi.\n");
    let ran = home.run(&["--quiet", "--agent-file", file.to_str().unwrap(), "-p", "x"]);
    assert!(ran.well().err.contains("m.md: there is no tool named `WebBrowser`\n"), "{}", ran.err);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn oddities_of_an_agent_file_are_told_once() {
    let server = yes();
    let home = Home::new(&server.url());
    home.write("a/r.yaml", "agent:\n  extend: default\n");
    let file = agent(
        &home,
        "a",
        "  mood: good\n  exclude_tools: [Shell, Shel]\n  subagents:\n    r: {path: r.yaml, description: d}\n",
        "Hi.",
    );
    let ran = home.run(&["--quiet", "--agent-file", &file, "-p", "x"]);
    let told: Vec<&str> = ran.well().err.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for (line, end) in
        told.iter().zip(["these keys mean nothing: agent.mood", "there is no tool named `Shel`"])
    {
        assert!(line.starts_with("Agent file ") && line.ends_with(end), "{line}");
    }
}

#[test]
fn servers_are_named_in_either_form() {
    let server = yes();
    let home = Home::new(&server.url());
    let off = json!({"off": {"command": "true", "type": "stdio", "enabled": false, "new": [1]}});
    let bare = off.to_string();
    let wrapped = json!({"mcpServers": off}).to_string();
    let file = home.write("mcp.json", &wrapped).to_str().unwrap().to_owned();
    for words in [
        vec!["--mcp-config", &bare],
        vec!["--mcp-config", &wrapped, "--mcp-config", &bare],
        vec!["--mcp-config-file", &file, "--mcp-config-file", &file, "--mcp-config", "{}"],
    ] {
        let ran = home.run(&[&words[..], &["--quiet", "-p", "x"]].concat());
        assert!(ran.well().err.starts_with("\nTo resume this session: "), "{words:?} {}", ran.err);
    }
}

#[test]
fn a_bad_server_ends_the_start() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let bad: Value = json!({"docs": {"command": "x", "args": "hunter2"}});
    let told = "MCP server \"docs\": args: expected a list of strings.\n";
    let words = ["--quiet", "-p", "x", "--mcp-config", &bad.to_string()];
    assert_eq!(refused(&home, &words, 1), format!("--mcp-config: {told}"));
    let file = home.write("mcp.json", bad.to_string());
    let words = ["--quiet", "-p", "x", "--mcp-config-file", file.to_str().unwrap()];
    assert_eq!(refused(&home, &words, 1), format!("mcp.json: {told}"));
}

#[test]
fn an_agent_that_only_reads_changes_nothing_nor_do_those_that_it_starts() {
    let touch = |call: &str| Reply::new().tool_call(call, "Shell", r#"{"command":"touch made"}"#);
    let order = json!({"description": "run", "prompt": "TASK", "subagent_type": "hand"});
    let server = ModelServer::start(move |_: &Recorded, index| match index {
        0 | 5 => touch("c0"),
        1 => Reply::new().tool_call("c1", "Agent", &order.to_string()),
        2 => touch("c2"),
        3 => Reply::new().text("It could not be made. ".repeat(20)),
        _ => Reply::new().text("done"),
    });
    let home = Home::new(&server.url());
    let hand =
        "  subagents:\n    hand: {path: ../hand/agent.yaml, description: \"Runs commands\"}\n";
    agent(&home, "hand", "  allowed_tools: [Shell]\n", "You run.");
    let yaml = agent(&home, "look", &format!("  reads_only: true\n{hand}"), "You look.");
    let markdown = home.write("look.md", "---\nreads_only: true\n---\nYou look.\n");
    for file in [yaml.as_str(), markdown.to_str().unwrap()] {
        let ran = home.run(&["--print", "--agent-file", file, "-p", "go"]);
        ran.well();
        assert!(ran.out.contains("done"), "{ran:?}");
        assert!(!home.path("project/made").exists(), "{file}");
    }
    let told = |request: &Recorded| {
        request.body["messages"].to_string().contains("Agents of your type only read")
    };
    let told: Vec<bool> = server.requests().iter().map(told).collect();
    assert_eq!(told, [false, true, false, true, true, false, true]);
}
