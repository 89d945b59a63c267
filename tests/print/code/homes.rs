//! Which data directory, which configuration, which session.

use serde_json::{Value, json};

use super::{ask, code_home, code_home_with, named};
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};

fn model() -> ModelServer {
    ModelServer::start(|request: &Recorded, _: usize| {
        Reply::new().text(format!("<{}>", request.last_user_text()))
    })
}

/// Everything below kimi-code's home, with a comment that is to stay.
fn commented(server: &ModelServer) -> String {
    let hook = "\n# === BEGIN managed ===\n[[hooks]]\nevent = \"PreToolUse\"\ncommand = 'exit 0'\n\
                timeout = 15\n# === END managed ===\n";
    format!("# mine\n{}{hook}", Home::config(&server.url()))
}

#[test]
fn a_home_with_a_configuration_is_enough() {
    let server = model();
    let config = commented(&server);
    let home = code_home_with(&config);
    let ran = ask(&home, &[], "one");
    let id = named(ran.well());
    assert!(uuid::Uuid::try_parse(id.strip_prefix("session_").unwrap()).is_ok(), "{id}");
    let index = json_lines(&home.path("code/session_index.jsonl"));
    assert_eq!(index.len(), 1);
    assert_eq!(index[0]["sessionId"], id);
    let project = home.path("project").canonicalize().unwrap();
    assert_eq!(index[0]["workDir"], json!(project));
    let dir = std::path::PathBuf::from(index[0]["sessionDir"].as_str().unwrap());
    assert!(dir.starts_with(home.path("code/sessions")) && dir.ends_with(&id), "{dir:?}");
    for file in ["state.json", "context.jsonl", "wire.jsonl"] {
        assert!(dir.join(file).is_file(), "{file}");
    }
    assert!(!home.path("share").exists());
    assert_eq!(std::fs::read_to_string(home.path("code/config.toml")).unwrap(), config);

    // A program gives it a title, by kimi-code's keys; it stays, and the session goes on.
    let state = dir.join("state.json");
    let mut titled: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    titled["title"] = json!("Kimi Ask: one");
    titled["isCustomTitle"] = json!(true);
    std::fs::write(&state, serde_json::to_string_pretty(&titled).unwrap()).unwrap();
    let ran = ask(&home, &["-r", &id], "two");
    assert_eq!(named(ran.well()), id);
    assert_eq!(server.requests()[1].body["messages"].as_array().unwrap().len(), 4);
    let kept: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    assert_eq!((&kept["title"], &kept["isCustomTitle"]), (&json!("Kimi Ask: one"), &json!(true)));
    assert_eq!(json_lines(&home.path("code/session_index.jsonl")).len(), 1);

    // Without its prefix it is the same; `-c` continues it too.
    let bare = id.strip_prefix("session_").unwrap();
    assert_eq!(named(ask(&home, &["-S", bare], "three").well()), id);
    assert_eq!(named(ask(&home, &["-c"], "four").well()), id);
}

/// The hint is a command for a person, who has none of the caller's variables.
#[test]
fn what_the_hint_says_works_everywhere() {
    let server = model();
    let home = Home::new(&server.url()).var("KIMI_CODE_HOME", "");
    home.write("home/.kimi-code/config.toml", Home::config(&server.url()));
    let in_ours = named(ask(&home, &[], "one").well());
    let theirs = home.path("home/.kimi-code").to_str().unwrap().to_owned();
    let home = home.var("KIMI_CODE_HOME", theirs);
    let in_theirs = named(ask(&home, &[], "two").well());
    let home = home.var("KIMI_CODE_HOME", "");
    for id in [in_ours, in_theirs] {
        home.run(&["--quiet", "-r", &id, "-p", "and now?"]).well();
    }
    assert_eq!(home.sessions().len(), 1);
    let asked = |n: usize| server.requests()[n].body["messages"].as_array().unwrap().len();
    assert_eq!([asked(2), asked(3)], [4, 4]);
}

#[test]
fn only_sessions_that_exist_are_resumed() {
    let server = model();
    let home = code_home(&server);
    let ran = ask(&home, &["-r", "session_nope"], "x");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    let line = "error: failed to run prompt: Session \"session_nope\" not found.\n";
    assert_eq!(ran.err, line);
    let id = named(ask(&home, &[], "x").well());
    std::fs::create_dir(home.path("other")).unwrap();
    let other = home.path("other").to_str().unwrap().to_owned();
    let ran = ask(&home, &["-r", &id, "-w", &other], "x");
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("was created under a different directory"), "{ran:?}");
    // Nothing to continue is no reason to stop.
    let ran = ask(&home, &["--continue", "-w", &other], "x");
    named(ran.well());
    assert!(ran.err.starts_with("No sessions to continue under"), "{ran:?}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn in_our_own_home_ids_are_bare_and_both_spellings_are_taken() {
    let server = model();
    let home = Home::new(&server.url());
    let id = named(ask(&home, &[], "one").well());
    let dir = home.session();
    let kept = dir.file_name().unwrap().to_str().unwrap();
    assert_eq!(id, format!("session_{kept}"));
    assert!(!home.path("share/session_index.jsonl").exists());
    for spelling in [id.as_str(), kept] {
        assert_eq!(named(ask(&home, &["-r", spelling], "more").well()), id);
    }
    home.run(&["--quiet", "-r", kept, "-p", "and more"]).well();
    assert_eq!(home.sessions().len(), 1);
    assert_eq!(server.requests()[3].body["messages"].as_array().unwrap().len(), 8);
}

#[test]
fn a_home_of_kimi_code_alone_is_used_alone() {
    let server = model();
    let home = Home::bare().var("KIMI_SHARE_DIR", "");
    home.write("home/.kimi-code/config.toml", Home::config(&server.url()));
    let id = named(ask(&home, &[], "x").well());
    assert!(home.path("home/.kimi-code/session_index.jsonl").exists());
    assert!(!home.path("home/.kimi").exists());
    // A configuration of ours makes ours the home.
    home.write("home/.kimi/config.toml", Home::config(&server.url()));
    assert_ne!(named(ask(&home, &[], "x").well()), id);
    assert!(home.path("home/.kimi/sessions").exists());
}

#[test]
fn kimi_code_s_configuration_is_read_beside_ours() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c", "Bash", r#"{"command":"touch made"}"#),
        Reply::new().text("Denied."),
    ]);
    let home = Home::new(&server.url());
    home.write(
        "home/.kimi-code/config.toml",
        "[[hooks]]\nevent = \"PreToolUse\"\ncommand = 'echo not here >&2; exit 2'\n",
    );
    let ran = ask(&home, &[], "x");
    ran.well();
    assert_eq!(ran.records()[2]["content"], "not here");
    assert!(!home.path("project/made").exists());
    // One that cannot be read may hold a guard.
    home.write("home/.kimi-code/config.toml", "[[hooks]\n");
    let ran = ask(&home, &[], "x");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.starts_with("error: failed to run prompt: config.invalid: "), "{ran:?}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_environment_may_describe_the_model() {
    let server = model();
    let home = code_home_with("default_plan_mode = false\n")
        .var("KIMI_MODEL_NAME", "from-env")
        .var("KIMI_MODEL_API_KEY", "sk-env")
        .var("KIMI_MODEL_BASE_URL", server.url());
    named(ask(&home, &[], "x").well());
    let request = &server.requests()[0];
    assert_eq!(request.body["model"], "from-env");
    assert_eq!(request.header("authorization"), Some("Bearer sk-env"));
}

#[test]
fn a_model_goes_by_the_end_of_its_name() {
    let server = model();
    let config = Home::config(&server.url()).replace("models.mock", "models.\"kimi-code/k2\"");
    let home = code_home_with(&config.replace("\"mock\"", "\"kimi-code/k2\""));
    named(ask(&home, &["-m", "k2"], "x").well());
    let ran = ask(&home, &["-m", "k3"], "x");
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.starts_with("error: failed to run prompt: config.invalid: Unknown model"),
        "{ran:?}"
    );
}
