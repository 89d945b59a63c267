//! `kimi doctor`: what it finds, and what it leaves alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::store::past::foreign_at;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

fn server() -> ModelServer {
    ModelServer::start(|_: &Recorded, _: usize| Reply::new().text("ok"))
}

/// The findings by name, with how each is.
#[track_caller]
fn checks(home: &Home, words: &[&str], code: i32) -> Vec<(String, String, String)> {
    let ran = home.run(&[words, &["doctor", "--json"]].concat());
    assert_eq!(
        (ran.code, ran.err.as_str(), ran.out.lines().count()),
        (Some(code), "", 1),
        "{ran:?}"
    );
    let value: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(value["ok"], code == 0);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = value["checks"].as_array().unwrap().iter();
    checks.map(|c| (text(&c["name"]), text(&c["health"]), text(&c["told"]))).collect()
}

#[track_caller]
fn health(checks: &[(String, String, String)], name: &str) -> (String, String) {
    let found = checks.iter().find(|(known, ..)| known == name);
    let (_, health, told) = found.unwrap_or_else(|| panic!("no {name} in {checks:?}"));
    (health.clone(), told.clone())
}

#[test]
fn a_home_that_is_well() {
    let server = server();
    let home = Home::new(&server.url()).var("LANG", "C.UTF-8").var("TERM", "xterm-256color");
    foreign_at(&home);
    let ran = home.run(&["doctor"]);
    let text = &ran.well().out;
    for part in [
        "ok    version ",
        "ok    config ",
        "ok    model     mock (mock-model at 127.0.0.1:",
        "ok    home ",
        "ok    sessions  1 in 1 work directory\n",
        "256 colours",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains("sk-test") && !text.contains("FAIL"), "{text}");
    assert!(server.requests().is_empty(), "nothing is sent unasked");
    assert!(text.lines().all(|line| !line.ends_with(' ')));
}

#[test]
fn a_bare_home_stays_bare() {
    let home = Home::bare();
    let found = checks(&home, &[], 0);
    assert_eq!(health(&found, "model").0, "warning");
    assert_eq!(health(&found, "home").0, "ok");
    assert!(!home.path("share").exists());
}

#[test]
fn each_fault_is_found() {
    let home = Home::bare();
    home.write("share/config.toml", "default_model = \n");
    assert_eq!(health(&checks(&home, &[], 1), "config").0, "fault");
    // Another configuration is looked at instead.
    home.write("project/other.toml", "default_yolo = true\n");
    assert_eq!(health(&checks(&home, &["--config-file", "other.toml"], 0), "config").0, "ok");
    assert_eq!(health(&checks(&home, &["--config", "{}"], 0), "config").0, "ok");
    home.write("share/config.toml", "");
    home.write("share/kimi.json", "{\"work_dirs\": 7}");
    let (how, told) = health(&checks(&home, &[], 1), "sessions");
    assert_eq!(how, "fault", "{told}");
    assert_eq!(fs::read_to_string(home.path("share/kimi.json")).unwrap(), "{\"work_dirs\": 7}");
    fs::remove_file(home.path("share/kimi.json")).unwrap();
    // A file where the data directory belongs; permissions do not stop root.
    fs::remove_dir_all(home.path("share")).unwrap();
    home.write("share", "a file");
    assert_eq!(health(&checks(&home, &["--config", "{}"], 1), "home").0, "fault");
}

#[test]
fn the_server_is_asked_only_on_request() {
    let server = server();
    let home = Home::new(&server.url());
    let ask = |home: &Home| {
        let ran = home.run(&["doctor", "--online", "--json"]);
        let value: Value = serde_json::from_str(&ran.out).unwrap();
        let found = value["checks"].as_array().unwrap().iter().find(|c| c["name"] == "provider");
        (
            ran.code,
            found.unwrap()["health"].clone(),
            found.unwrap()["told"].as_str().unwrap().to_owned(),
        )
    };
    server.also("/models", Reply::body(200, "application/json", "{\"data\": []}"));
    let (code, how, told) = ask(&home);
    assert_eq!((code, how), (Some(0), "ok".into()), "{told}");
    let request = server.requests_to("/models").pop().unwrap();
    assert_eq!(request.header("authorization"), Some("Bearer sk-test"));
    let refusing = self::server();
    refusing.also(
        "/models",
        Reply::body(401, "application/json", "{\"error\": \"sk-test\\u001b[31m\"}"),
    );
    let home = Home::new(&refusing.url());
    let (code, how, told) = ask(&home);
    assert_eq!((code, how), (Some(1), "fault".into()), "{told}");
    assert!(told.contains("refuses the key (status 401)") && !told.contains("sk-test"), "{told}");
    // Nobody listens there.
    let home = Home::new("http://127.0.0.1:9/v1");
    let (code, how, told) = ask(&home);
    assert_eq!((code, how), (Some(1), "fault".into()), "{told}");
    assert!(told.starts_with("127.0.0.1:9 does not answer: "), "{told}");
}

#[test]
fn programs_on_the_path_that_are_none_do_not_stop_it() {
    let home = Home::bare();
    let git = home.write("bin/git", "#!/bin/sh\nprintf 'git \\033[31m9\\n'; exit 0\n");
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).unwrap();
    home.write("bin/tmux", "no program");
    let home = home.var("TMUX", "/tmp/x,1,0");
    let bin = home.path("bin").display().to_string();
    let home = home.var("PATH", bin);
    let found = checks(&home, &[], 0);
    assert_eq!(health(&found, "tmux").0, "warning");
    let (how, told) = health(&found, "git");
    assert_eq!(how, "ok");
    assert!(!told.contains('\u{1b}'), "{told}");
}
