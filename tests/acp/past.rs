//! Sessions that are there already: listed, loaded, resumed.

use serde_json::{Value, json};

use super::editor::Editor;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

fn kinds(updates: &[Value]) -> Vec<String> {
    let words = updates.iter().map(|update| {
        let more = update["content"]["text"].as_str().or(update["status"].as_str());
        let kind = update["sessionUpdate"].as_str().unwrap_or_default();
        format!("{kind} {}", more.unwrap_or_default()).trim_end().to_owned()
    });
    words.collect()
}

#[test]
fn a_session_is_listed_and_comes_back_as_it_was() {
    let server = ModelServer::start(|_: &Recorded, index| match index {
        0 => Reply::new().think("hm").tool_call("c", "Glob", r#"{"pattern":"*"}"#),
        1 => Reply::new().text("No files."),
        _ => Reply::new().text("I remember."),
    });
    let home = Home::new(&server.url());
    let session = {
        let mut editor = Editor::ready(&home, &[]);
        let session = editor.session(&home);
        let prompt = editor.prompt(&session, "list files");
        assert_eq!(editor.stopped(prompt), "end_turn");
        editor.finish();
        session
    };
    let mut editor = Editor::ready(&home, &[]);
    let project = home.path("project");
    for params in
        [json!({"cwd": project}), json!({}), json!({"cwd": format!("{}/", project.display())})]
    {
        let listed = editor.ask("session/list", params);
        let [only] = listed["sessions"].as_array().unwrap().as_slice() else { panic!("{listed}") };
        assert_eq!((&only["sessionId"], &only["title"]), (&json!(session), &json!("list files")));
        assert_eq!(only["cwd"], json!(project));
        assert!(only["updatedAt"].as_str().unwrap().ends_with('Z'), "{only}");
        assert!(listed.get("nextCursor").is_none());
    }
    assert_eq!(editor.ask("session/list", json!({"cwd": "/nowhere"})), json!({"sessions": []}));
    assert_eq!(editor.refused("session/list", json!({"cursor": "x"}))["code"], -32602);

    let past = json!({"sessionId": session, "cwd": project, "mcpServers": []});
    let id = editor.begin("session/load", past.clone());
    let result = editor.outcome(id).unwrap();
    assert_eq!(result["modes"]["currentModeId"], "default");
    let replayed = [
        "user_message_chunk list files",
        "agent_thought_chunk hm",
        "tool_call pending",
        "tool_call_update in_progress",
        "tool_call_update completed",
        "agent_message_chunk No files.",
    ];
    assert_eq!(kinds(&editor.updates()), replayed, "all before the answer");
    let prompt = editor.prompt(&session, "and now?");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(server.requests()[2].raw.contains("list files"), "the model knows");
    assert_eq!(editor.said("user_message_chunk"), "list files");
    // Once more from the same editor, which may have forgotten it.
    let before = editor.updates().len();
    let id = editor.begin("session/load", past.clone());
    editor.outcome(id).unwrap();
    assert_eq!(kinds(&editor.updates()[before..])[..6], replayed);
    editor.finish();

    // Closed and opened in one breath, it is still one at a time.
    let mut editor = Editor::ready(&home, &[]);
    editor.ask("session/resume", past.clone());
    let close = editor.begin("session/close", json!({"sessionId": session}));
    let again = editor.begin("session/resume", past.clone());
    assert_eq!(editor.outcome(close), Ok(json!({})));
    editor.outcome(again).unwrap();
    editor.finish();

    let mut editor = Editor::ready(&home, &[]);
    let result = editor.ask("session/resume", past);
    assert_eq!(result["models"]["currentModelId"], "mock");
    let replayed = editor.said("user_message_chunk");
    assert_eq!(replayed, "", "nothing is replayed");
    let prompt = editor.prompt(&session, "still?");
    assert_eq!(editor.stopped(prompt), "end_turn");
    editor.finish();
}

#[test]
fn what_is_not_there_is_not_opened() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let project = home.path("project");
    let mut editor = Editor::ready(&home, &[]);
    for method in ["session/load", "session/resume"] {
        for id in ["b5d5b7ac-0000-4000-8000-000000000000", "", "../../../etc", "a/b", "\u{0}"] {
            let error =
                editor.refused(method, json!({"sessionId": id, "cwd": project, "mcpServers": []}));
            assert_eq!(error["code"], -32602, "{id:?}");
            assert_eq!(error["data"]["session_id"], "Session not found", "{id:?}");
        }
    }
    home.write("project/file", "");
    for cwd in
        [json!("relative"), json!(home.path("nowhere")), json!(home.path("project/file")), json!(1)]
    {
        let error = editor.refused("session/new", json!({"cwd": cwd, "mcpServers": []}));
        assert_eq!(error["code"], -32602, "{cwd}");
    }
    editor.finish();
    assert!(home.sessions().is_empty());
}
