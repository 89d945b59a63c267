//! Modes and models.

use serde_json::{Value, json};

use super::editor::Editor;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

#[test]
fn modes_are_switched_by_the_editor_and_by_commands() {
    let server = ModelServer::start(|_: &Recorded, index| match index % 2 {
        0 => {
            let command = format!(r#"{{"command":"touch made{index}"}}"#);
            Reply::new().tool_call("c", "Shell", &command)
        }
        _ => Reply::new().text("ok"),
    });
    let (home, mut editor, session) = Editor::in_session(&server, &[]);
    let set = |mode: &str| json!({"sessionId": session, "modeId": mode});
    assert_eq!(editor.ask("session/set_mode", set("yolo")), json!({}));
    let prompt = editor.prompt(&session, "go");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(home.path("project/made0").exists(), "nobody is asked");
    assert_eq!(editor.ask("session/set_mode", set("plan")), json!({}));
    let prompt = editor.prompt(&session, "go");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(!home.path("project/made2").exists(), "nothing is changed");
    assert_eq!(editor.ask("session/set_mode", set("default")), json!({}));
    let prompt = editor.prompt(&session, "/yolo on");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let modes: Vec<Value> = editor
        .updates()
        .into_iter()
        .filter(|update| update["sessionUpdate"] == "current_mode_update")
        .map(|update| update["currentModeId"].clone())
        .collect();
    assert_eq!(modes, ["yolo", "plan", "default", "yolo"], "no other in between");
    assert_eq!(editor.refused("session/set_mode", set("Yolo"))["code"], -32602);
    editor.finish();
}

#[test]
fn a_model_is_chosen_for_this_session_and_those_to_come() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let more = "[models.other]\nprovider = \"p\"\nmodel = \"other-model\"\nmax_context_size = 1000000\n\
                capabilities = [\"thinking\"]\n";
    home.write("share/config.toml", format!("{}{more}# mine\n", Home::config(&server.url())));
    let mut editor = Editor::ready(&home, &[]);
    let session = editor.session(&home);
    let set = |model: &str| json!({"sessionId": session, "modelId": model});
    assert_eq!(editor.ask("session/set_model", set("other,thinking")), json!({}));
    let prompt = editor.prompt(&session, "hi");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert_eq!(server.requests()[0].body["model"], "other-model");
    let kept = std::fs::read_to_string(home.path("share/config.toml")).unwrap();
    assert!(kept.contains("default_model = \"other\"") && kept.contains("# mine"), "{kept}");
    assert!(kept.contains("default_thinking = true"), "{kept}");
    for wrong in ["other,", "mock,thinking", "nothing", ""] {
        assert_eq!(editor.refused("session/set_model", set(wrong))["code"], -32602, "{wrong}");
    }
    let new = editor.ask("session/new", json!({"cwd": home.path("project"), "mcpServers": []}));
    assert_eq!(new["models"]["currentModelId"], "other,thinking");

    // The same as newer clients do it.
    let option =
        |id: &str, value: &str| json!({"sessionId": session, "configId": id, "value": value});
    let set = editor.ask("session/set_config_option", option("model", "mock"));
    assert_eq!(set["configOptions"][1]["currentValue"], "mock");
    let set = editor.ask("session/set_config_option", option("mode", "plan"));
    assert_eq!(set["configOptions"][0]["currentValue"], "plan");
    for (id, value) in [("mode", "x"), ("model", "x"), ("colour", "red")] {
        let error = editor.refused("session/set_config_option", option(id, value));
        assert_eq!(error["code"], -32602);
    }
    let prompt = editor.prompt(&session, "hi");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert_eq!(server.requests()[1].body["model"], "mock-model");
    editor.finish();
}
