//! Where the model comes from, and where things are kept.

use std::io::{BufRead, Write};

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
fn a_key_from_the_environment_goes_before_the_file() {
    let server = yes();
    let home = Home::new(&server.url()).var("KIMI_API_KEY", "sk-env");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "yes\n");
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer sk-env"));
}

/// Where `KIMI_API_KEY` alone leads is seen at a proxy, which refuses to go there.
#[test]
fn a_kimi_key_alone_goes_to_moonshot() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            std::io::BufReader::new(&stream).read_line(&mut line).unwrap();
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let home =
        Home::bare().var("KIMI_API_KEY", "sk-env").var("HTTPS_PROXY", format!("http://{address}"));
    let ran = home.run(&["--quiet", "-p", "x"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(75), ""), "{ran:#?}");
    assert!(!ran.err.contains("sk-env"), "{}", ran.err);
    let line = asked.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
    assert!(line.starts_with("CONNECT api.moonshot.ai:443 "), "{line}");
}

#[test]
fn from_the_environment_of_openai() {
    let server = yes();
    let home = Home::bare()
        .var("OPENAI_BASE_URL", server.url())
        .var("OPENAI_API_KEY", "sk-openai")
        .var("OPENAI_MODEL", "gpt-x");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "yes\n");
    // Both words for the type take the environment.
    let file = "default_model = \"m\"\n[models.m]\nprovider = \"p\"\nmodel = \"gpt-x\"\n\
                [providers.p]\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key = \"old\"\ntype = ";
    for kind in ["openai", "openai_legacy"] {
        home.write("share/config.toml", format!("{file}\"{kind}\"\n"));
        assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "yes\n", "{kind}");
    }
    for request in server.requests() {
        assert_eq!(request.body["model"], "gpt-x");
        assert_eq!(request.header("authorization"), Some("Bearer sk-openai"));
    }
}

/// Clients send `--no-thinking` to every model.
#[test]
fn a_model_that_always_thinks_is_not_told_to_stop() {
    let server = yes();
    let config = Home::config(&server.url());
    let home = Home::new(&server.url());
    for (capability, told) in [("thinking", "disabled"), ("always_thinking", "enabled")] {
        let line = format!("max_context_size = 262144\ncapabilities = [\"{capability}\"]");
        home.write("share/config.toml", config.replace("max_context_size = 262144", &line));
        let ran = home.run(&["--quiet", "--no-thinking", "-p", "x"]);
        assert!(ran.well().err.starts_with("\nTo resume this session: "), "{}", ran.err);
        assert_eq!(server.requests().last().unwrap().body["thinking"]["type"], told);
    }
}

/// Runs that end before they ask anybody: one line, and no session stays behind.
fn refused(home: &Home, words: &[&str], code: i32) -> String {
    let ran = home.run(words);
    assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{words:?}: {ran:#?}");
    assert!(home.sessions().is_empty());
    ran.err.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn an_unknown_model_is_told_the_known_ones() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let line = refused(&home, &["--quiet", "--model", "mokc", "-p", "x"], 1);
    assert_eq!(line, "Unknown model \"mokc\". Did you mean \"mock\"? Configured: mock.");
}

#[test]
fn a_sign_in_without_a_key_is_an_error() {
    let server = yes();
    let oauth = "[providers.p.oauth]\nstorage = \"file\"\nkey = \"oauth/kimi-code\"\n";
    let config = Home::config(&server.url()).replace("sk-test", "") + oauth;
    let home = Home::new(&server.url());
    home.write("share/config.toml", &config);
    let line = refused(&home, &["--quiet", "-p", "x"], 1);
    assert!(line.contains("nobody is signed in") && line.ends_with("Run: kimi login"), "{line}");
    home.write("share/config.toml", config.replace("api_key = \"\"", "api_key = \"sk\""));
    home.run(&["--quiet", "-p", "x"]).well();
}

#[test]
fn wrong_configuration_texts_are_usage_errors() {
    let home = Home::bare();
    for (text, told) in [
        ("default_yolo = \"perhaps\"", "default_yolo: expected true or false, got \"perhaps\""),
        ("default_model = \"x\"", "default_model: Default model x not found in models"),
        ("a = 1\nb = 99999999999999999999", " at line 2 column 5"),
        ("{\"a\":\n}", " at line 2 column 1"),
    ] {
        let line = refused(&home, &["--config", text, "--quiet", "-p", "x"], 2);
        let start = "Error: Invalid value for --config: Invalid configuration text: ";
        assert!(line.starts_with(start) && line.ends_with(told), "{line}");
    }
}

#[test]
fn secrets_of_the_wrong_kind_are_not_shown() {
    let home = Home::bare();
    for key in ["api_key = 12345678", "custom_headers = 12345678", "env = { A = [12345678] }"] {
        let file = format!("[providers.p]\ntype = \"kimi\"\nbase_url = \"u\"\n{key}\n");
        home.write("share/config.toml", file);
        let line = refused(&home, &["--quiet", "-p", "x"], 1);
        assert!(line.contains("providers.p.") && !line.contains("12345678"), "{line}");
    }
}

#[test]
fn causes_are_told_once() {
    let home = Home::bare();
    home.write("share/config.toml", b"\xff\xfe");
    let line = refused(&home, &["--quiet", "-p", "x"], 1);
    assert!(line.starts_with("Cannot read configuration file "), "{line}");
    assert_eq!(line.matches("UTF-8").count(), 1, "{line}");
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
