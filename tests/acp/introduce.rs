//! What both sides say of themselves, and the state without a model.

use serde_json::json;

use super::editor::Editor;
use crate::support::program::Home;

#[test]
fn it_says_what_it_can() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut editor = Editor::start(&home, &[]);
    let result = editor.ask("initialize", json!({"protocolVersion": 99}));
    assert_eq!(result["protocolVersion"], 1);
    assert_eq!(result["agentInfo"]["version"], env!("CARGO_PKG_VERSION"));
    let can = &result["agentCapabilities"];
    assert_eq!(can["loadSession"], true);
    assert_eq!(
        can["promptCapabilities"],
        json!({"image": true, "audio": false, "embeddedContext": true})
    );
    assert_eq!(can["mcpCapabilities"], json!({"http": true, "sse": true}));
    assert_eq!(can["sessionCapabilities"], json!({"list": {}, "resume": {}, "close": {}}));
    assert_eq!(result["authMethods"][0]["id"], "login");
    assert_eq!(editor.refused("initialize", json!({"protocolVersion": 1}))["code"], -32600);
    assert_eq!(editor.ask("authenticate", json!({"methodId": "login"})), json!({}));
    assert_eq!(editor.refused("authenticate", json!({"methodId": "x"}))["code"], -32602);
    editor.finish();
}

#[test]
fn without_a_model_it_says_what_to_do_and_takes_one_that_comes() {
    let home = Home::bare();
    let mut editor = Editor::ready(&home, &[]);
    let new = json!({"cwd": home.path("project"), "mcpServers": []});
    for (method, params) in
        [("session/new", new.clone()), ("authenticate", json!({"methodId": "login"}))]
    {
        let error = editor.refused(method, params);
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!(-32000), &json!("Authentication required"))
        );
        assert_eq!(error["data"]["authMethods"][0]["id"], "login", "{error}");
    }
    assert!(home.sessions().is_empty());
    home.write("share/config.toml", Home::config("http://127.0.0.1:9/v1"));
    assert_eq!(editor.ask("authenticate", json!({"methodId": "login"})), json!({}));
    assert!(editor.ask("session/new", new)["sessionId"].is_string());
    editor.finish();
    assert!(home.sessions().is_empty(), "an empty session stays behind");
}

#[test]
fn a_session_tells_its_choices_and_its_commands() {
    let home = Home::new("http://127.0.0.1:9/v1");
    home.write(
        "project/.kimi/skills/greet/SKILL.md",
        "---\nname: greet\ndescription: Says hi\n---\nSay hi.\n",
    );
    let mut editor = Editor::ready(&home, &[]);
    let opened = editor.ask("session/new", json!({"cwd": home.path("project"), "mcpServers": []}));
    assert_eq!(opened["modes"]["currentModeId"], "default");
    let modes: Vec<_> =
        opened["modes"]["availableModes"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(modes, ["default", "plan", "yolo"]);
    assert_eq!(
        opened["models"],
        json!({"currentModelId": "mock", "availableModels": [{"modelId": "mock", "name": "mock"}]})
    );
    let told = editor.update("available_commands_update");
    let commands = told["availableCommands"].as_array().unwrap();
    let named = |name: &str| commands.iter().find(|it| it["name"] == name);
    assert_eq!(named("compact").unwrap()["input"]["hint"], "[what to keep]");
    assert!(named("init").unwrap()["input"].is_null());
    assert_eq!(named("skill:greet").unwrap()["description"], "Says hi");
}

#[test]
fn the_old_option_says_what_to_start() {
    let home = Home::bare();
    let call = |id: i32| json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": {}});
    let ran = home.run_with(&["--acp"], format!("{}\n\nnonsense\n{}\n", call(1), call(2)));
    let answers = ran.records();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(answers.len(), 2);
    for (answer, id) in answers.iter().zip([1, 2]) {
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32602)));
        assert!(answer["error"]["data"]["error"].as_str().unwrap().contains("kimi acp"));
    }
}
