//! Where the model comes from, and where things are kept.

use serde_json::json;

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

fn yes() -> ModelServer {
    ModelServer::start(|_: &Recorded, _: usize| Reply::new().text("yes"))
}

#[test]
fn from_environment_keys_alone() {
    let server = yes();
    let home = Home::bare()
        .var("KIMI_BASE_URL", server.url())
        .var("KIMI_API_KEY", "sk-env")
        .var("KIMI_MODEL_NAME", "env-model");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "yes\n");
    let request = &server.requests()[0];
    assert_eq!(request.body["model"], "env-model");
    assert_eq!(request.header("authorization"), Some("Bearer sk-env"));
}

#[test]
fn from_the_command_line() {
    let server = yes();
    let toml = Home::config(&server.url());
    let json = json!({
        "default_model": "j",
        "models": {"j": {"provider": "p", "model": "json-model", "max_context_size": 1000}},
        "providers": {"p": {"type": "openai_legacy", "base_url": server.url(), "api_key": "sk-j"}},
    })
    .to_string();
    let home = Home::bare();
    let toml_file = home.write("a.toml", &toml);
    let json_file = home.write("a.json", &json);
    for (n, (flag, value, model)) in [
        ("--config", toml.as_str(), "mock-model"),
        ("--config", json.as_str(), "json-model"),
        ("--config-file", toml_file.to_str().unwrap(), "mock-model"),
        ("--config-file", json_file.to_str().unwrap(), "json-model"),
    ]
    .into_iter()
    .enumerate()
    {
        let ran = home.run(&["--quiet", flag, value, "-p", "x"]);
        assert_eq!(ran.well().out, "yes\n", "{flag} {value}");
        assert_eq!(server.requests()[n].body["model"], model);
    }
    assert!(!home.path("share/config.toml").exists());
}

#[test]
fn the_data_directory() {
    let server = yes();
    let home = Home::bare();
    let elsewhere = home.path("elsewhere");
    home.write("elsewhere/config.toml", Home::config(&server.url()));
    let home = home.var("KIMI_SHARE_DIR", elsewhere.to_str().unwrap());
    home.run(&["--quiet", "-p", "x"]).well();
    assert!(elsewhere.join("sessions").is_dir());
    assert!(!home.path("share").exists());
    let in_home: Vec<_> = std::fs::read_dir(home.path("home")).unwrap().flatten().collect();
    assert!(in_home.is_empty(), "{in_home:?}");
}

#[test]
fn the_work_directory() {
    let server = ModelServer::start(|_: &Recorded, n: usize| match n {
        0 => Reply::new().tool_call("c", "WriteFile", r#"{"path":"made","content":"x"}"#),
        _ => Reply::new().text("done"),
    });
    let home = Home::new(&server.url());
    std::fs::create_dir(home.path("other")).unwrap();
    home.run(&["--quiet", "-w", "../other", "-p", "x"]).well();
    assert!(home.path("other/made").is_file());
    let system = server.requests()[0].body["messages"][0]["content"].to_string();
    assert!(system.contains(home.path("other").to_str().unwrap()), "{system}");
    // Sessions belong to their directory.
    assert_eq!(home.run(&["--quiet", "-C", "-p", "x"]).code, Some(2));
    home.run(&["--quiet", "-C", "-w", "../other", "-p", "x"]).well();
    assert_eq!(server.requests().last().unwrap().body["messages"].as_array().unwrap().len(), 6);
}

#[test]
fn sessions_are_continued_and_named() {
    let server = yes();
    let home = Home::new(&server.url());
    home.run(&["--quiet", "-S", "mine", "-p", "one"]).well();
    let ran = home.run(&["--quiet", "-S", "mine", "-p", "two"]);
    assert_eq!(ran.well().err, "\nTo resume this session: kimi -r mine\n");
    home.run(&["--quiet", "-p", "other"]).well();
    assert_eq!(home.sessions().len(), 2);
    home.run(&["--quiet", "-r", "mine", "-p", "three"]).well();
    home.run(&["--quiet", "-C", "-p", "four"]).well();
    let counts: Vec<usize> = server
        .requests()
        .iter()
        .map(|request| request.body["messages"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [2, 4, 2, 6, 8]);
    let answer = home.path("share/sessions");
    let answer = std::fs::read_dir(answer).unwrap().flatten().next().unwrap().path();
    assert_eq!(std::fs::read_to_string(answer.join("mine/last_message.md")).unwrap(), "yes\n");
}

#[test]
fn the_scripted_model_plays_its_scripts() {
    let home = Home::bare();
    home.write(
        "share/config.toml",
        "default_model = \"s\"\n[models.s]\nprovider = \"p\"\nmodel = \"scripted_echo\"\n\
         max_context_size = 100000\n[providers.p]\ntype = \"_scripted_echo\"\nbase_url = \"\"\n\
         api_key = \"\"\n",
    );
    let call = r#"{"id":"t1","name":"ReadFile","arguments":"{\"path\":\"a.txt\"}"}"#;
    let scripts = home.write(
        "scripts.txt",
        format!("think: check\ntext: \"Let me see. \"\ntool_call: {call}\n---\ntext: It is x.\n"),
    );
    home.write("project/a.txt", "x\n");
    let home = home.var("KIMI_SCRIPTED_ECHO_SCRIPTS", scripts.to_str().unwrap());
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "x"]);
    ran.well();
    let records = ran.records();
    assert_eq!(records.len(), 3, "{records:#?}");
    assert_eq!(records[0]["content"][1]["text"], "Let me see. ");
    assert!(records[1]["content"].to_string().contains('x'));
    assert_eq!(records[2]["content"], "It is x.");
    // A run begins with the first script, and fails when they are used up.
    let lines = "{\"role\":\"user\",\"content\":\"x\"}\n".repeat(2);
    let ran = home.run_with(&["--quiet", "--input-format", "stream-json"], lines);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "It is x.\n"), "{ran:#?}");
    assert!(ran.err.contains("no script left"), "{}", ran.err);
}

/// Whatever else the program wanted of the network would have to go through the proxy.
#[test]
fn nobody_but_the_model_is_contacted() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c", "Glob", r#"{"pattern":"*"}"#),
        Reply::new().text("yes"),
    ]);
    let proxy = yes();
    let url = proxy.url().trim_end_matches("/v1").to_owned();
    let mut home = Home::new(&server.url()).var("NO_PROXY", "127.0.0.1");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"] {
        home = home.var(name, url.clone());
    }
    home.run(&["--quiet", "-p", "x"]).well();
    assert_eq!((server.requests().len(), proxy.requests().len()), (2, 0));
    // And the proxy is what would have been asked.
    home.write("share/config.toml", Home::config("http://elsewhere.invalid/v1"));
    assert_eq!(home.run(&["--quiet", "-p", "x"]).out, "yes\n");
    assert_eq!(proxy.requests().len(), 1);
}
