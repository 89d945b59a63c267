//! Files through the editor.

use serde_json::{Value, json};

use super::editor::Editor;
use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::Home;

const BOTH: &str = r#"{"fs": {"readTextFile": true, "writeTextFile": true}}"#;

/// Answers calls for files, with this text for each read, until the prompt ends; what was written.
fn serve(editor: &mut Editor, prompt: u64, unsaved: Option<&str>) -> Vec<(String, String)> {
    let mut written: Vec<(String, String)> = Vec::new();
    loop {
        let message = editor.next();
        if message["id"] == prompt && message.get("method").is_none() {
            assert_eq!(message["result"]["stopReason"], "end_turn", "{message}");
            return written;
        }
        let params = &message["params"];
        let path = params["path"].as_str().unwrap_or_default().to_owned();
        match message["method"].as_str() {
            Some("fs/read_text_file") => {
                let newest = written.iter().rev().find(|(known, _)| *known == path);
                let text = newest.map(|(_, text)| text.as_str()).or(unsaved);
                let answer = match text {
                    Some(text) => json!({"result": {"content": text}}),
                    None => json!({"error": {"code": -32002, "message": "not in the project"}}),
                };
                let mut answer = answer;
                answer["jsonrpc"] = json!("2.0");
                answer["id"] = message["id"].clone();
                editor.send(&answer);
            }
            Some("fs/write_text_file") => {
                written.push((path, params["content"].as_str().unwrap().to_owned()));
                editor.answer_call(&message["id"], Value::Null);
            }
            _ => {}
        }
    }
}

fn model() -> ModelServer {
    ModelServer::start(vec![
        Reply::new().tool_call("r", "ReadFile", r#"{"path":"a.txt"}"#),
        Reply::new()
            .tool_call(
                "e",
                "StrReplaceFile",
                r#"{"path":"a.txt","edit":{"old":"unsaved","new":"edited"}}"#,
            )
            .tool_call("w", "WriteFile", r#"{"path":"deep/new.txt","content":"fresh\n"}"#)
            .tool_call("p", "WriteFile", r#"{"path":"a.txt","content":"more\n","mode":"append"}"#),
        Reply::new().text("done"),
    ])
}

#[test]
fn what_the_editor_has_counts() {
    let server = model();
    let home = Home::new(&server.url());
    home.write("project/a.txt", "saved\n");
    let mut editor = Editor::start(&home, &["--yolo"]);
    editor.initialize(serde_json::from_str(BOTH).unwrap());
    let session = editor.session(&home);
    let prompt = editor.prompt(&session, "go");
    let written = serve(&mut editor, prompt, Some("unsaved\n"));
    let read = server.requests()[1].raw.clone();
    assert!(read.contains("unsaved"), "{read}");
    let (old, new) = (home.path("project/a.txt"), home.path("project/deep/new.txt"));
    let path = |path: &std::path::Path| path.display().to_string();
    assert_eq!(
        written,
        [
            (path(&old), "edited\n".to_owned()),
            (path(&new), "fresh\n".to_owned()),
            (path(&old), "edited\nmore\n".to_owned()),
        ]
    );
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "saved\n", "the editor saves");
    editor.finish();
}

#[test]
fn files_that_are_not_the_editors_are_on_disk() {
    for capabilities in [r#"{"fs": {"readTextFile": true}}"#, "{}"] {
        let server = model();
        let home = Home::new(&server.url());
        home.write("project/a.txt", "unsaved\n");
        let mut editor = Editor::start(&home, &["--yolo"]);
        editor.initialize(serde_json::from_str(capabilities).unwrap());
        let session = editor.session(&home);
        let prompt = editor.prompt(&session, "go");
        assert!(serve(&mut editor, prompt, None).is_empty());
        let text = |name: &str| std::fs::read_to_string(home.path(name)).unwrap();
        assert_eq!(text("project/a.txt"), "edited\nmore\n", "{capabilities}");
        assert_eq!(text("project/deep/new.txt"), "fresh\n");
        editor.finish();
    }
}

#[test]
fn what_the_editor_has_and_does_not_write_is_not_lost() {
    let server = model();
    let home = Home::new(&server.url());
    home.write("project/a.txt", "saved\n");
    let mut editor = Editor::start(&home, &["--yolo"]);
    editor.initialize(json!({"fs": {"readTextFile": true}}));
    let session = editor.session(&home);
    let prompt = editor.prompt(&session, "go");
    assert!(serve(&mut editor, prompt, Some("unsaved\n")).is_empty());
    assert_eq!(std::fs::read_to_string(home.path("project/a.txt")).unwrap(), "saved\n");
    let told = server.requests()[2].raw.clone();
    assert!(told.contains("changed by someone else meanwhile"), "{told}");
    editor.finish();
}
