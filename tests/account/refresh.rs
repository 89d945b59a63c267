//! The list of an account's models, asked for anew when the program starts.

use super::authority::{Authority, credentials};
use crate::mcp::lifecycle::wait_until;
use crate::support::program::Home;
use crate::wire::client::Client;

fn config(home: &Home) -> String {
    std::fs::read_to_string(home.path("share/config.toml")).unwrap()
}

fn listed(authority: &Authority) -> usize {
    authority.server.requests_to("/models").len()
}

/// A home that has signed in, and does not know of one of the account's models any more.
fn forgetful(authority: &Authority) -> Home {
    let home = authority.home();
    home.run(&["login", "--json"]).well();
    let text = config(&home);
    let small = text.find("[models.\"kimi-code/kimi-small\"]").unwrap();
    let rest = text[small + 1..].find("\n[").unwrap();
    let text = format!("# mine\n{}{}", &text[..small], &text[small + 1 + rest..]);
    home.write("share/config.toml", text);
    home
}

#[test]
fn a_model_that_is_new_is_there_at_the_next_start() {
    let authority = Authority::new(&[]);
    let home = forgetful(&authority);
    let known = listed(&authority);
    // One answer is no time for that.
    home.run(&["--quiet", "-p", "x"]).well();
    assert_eq!(listed(&authority), known);
    let client = Client::ready(&home, &[]);
    wait_until("the model is there", || config(&home).contains("kimi-code/kimi-small"));
    client.finish();
    let text = config(&home);
    assert!(text.starts_with("# mine\n"), "{text}");
    assert!(text.contains("default_model = \"kimi-code/kimi-for-coding\""), "{text}");
    assert_eq!(listed(&authority), known + 1);
    let asked = &authority.server.requests_to("/models")[known];
    assert_eq!(asked.header("authorization"), Some("Bearer access-1"));
}

#[test]
fn an_editor_refreshes_with_a_renewed_token_and_a_failure_is_silent() {
    let authority = Authority::new(&[]);
    let home = forgetful(&authority);
    let text = std::fs::read_to_string(credentials(&home)).unwrap();
    let mut token: serde_json::Value = serde_json::from_str(&text).unwrap();
    token["expires_at"] = serde_json::json!(1.0);
    home.write("share/credentials/kimi-code.json", token.to_string());
    let editor = crate::acp::editor::Editor::ready(&home, &[]);
    wait_until("the model is there", || config(&home).contains("kimi-code/kimi-small"));
    editor.finish();
    assert_eq!(super::authority::kept(&home).as_deref(), Some("access-2"));
    // Where nobody answers everything is as it was.
    let before = config(&home).replace(&authority.server.url(), "http://127.0.0.1:9/v1");
    home.write("share/config.toml", &before);
    let client = Client::ready(&home, &[]);
    let log = || {
        let dir = std::fs::read_dir(home.path("share/logs")).unwrap();
        let texts = dir.flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.collect::<String>()
    };
    wait_until("it is in the log", || log().contains("models are not brought up to date"));
    client.finish();
    assert_eq!(config(&home), before);
}
