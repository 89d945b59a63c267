//! MCP servers that ask the person at an editor.

use serde_json::{Value, json};

use super::editor::Editor;
use super::servers::given;
use crate::mcp::elicit::last_result;
use crate::mcp::lifecycle::wait_until;
use crate::mcp::server::Script;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

const ASK: &str = "session/request_permission";

/// A model that calls the tool `ask` of the server `lab` in each turn, and repeats what it returned.
pub fn asking() -> ModelServer {
    ModelServer::start(|request: &Recorded, index| match index % 2 {
        0 => {
            let call = r#"{"name":"lab.ask","arguments":{}}"#;
            Reply::new().tool_call(&format!("c{index}"), "mcp_call", call)
        }
        _ => Reply::new().text(last_result(request)),
    })
}

/// What a server asks that wants these fields, all of them required.
pub fn wanting(fields: Value) -> Value {
    let names: Vec<&String> = fields.as_object().unwrap().keys().collect();
    json!({"message": "Tell me.", "requestedSchema":
        {"type": "object", "required": names, "properties": fields}})
}

pub fn yes_or_no() -> Value {
    wanting(json!({"ok": {"type": "boolean"}}))
}

/// The newest of what the server has heard, as the model repeats it.
pub fn heard(said: &str) -> Value {
    let (_, last) = said.rsplit_once("HEARD ").unwrap_or_else(|| panic!("{said}"));
    let mut list = serde_json::Deserializer::from_str(last).into_iter::<Value>();
    list.next().unwrap().unwrap_or_else(|error| panic!("{error}: {said}"))
}

struct Lab {
    home: Home,
    editor: Editor,
    session: String,
}

impl Lab {
    /// An editor with these capabilities and a server that asks this.
    fn new(model: &ModelServer, capabilities: Value, params: Value) -> Self {
        let home = Home::new(&model.url());
        let mut editor = Editor::start(&home, &["--yolo"]);
        editor.initialize(capabilities);
        let script = Script::new().asks(params, 1).log(&home.path("lab.log"));
        let session = editor.session_with(&home, json!([given("lab", script.entry())]));
        Self { home, editor, session }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path("lab.log")).unwrap_or_default()
    }

    fn prompt(&mut self) -> u64 {
        self.editor.prompt(&self.session, "go")
    }

    /// Waits for the end of the prompt: what the server has heard.
    #[track_caller]
    fn heard(&mut self, prompt: u64) -> Value {
        assert_eq!(self.editor.stopped(prompt), "end_turn");
        heard(&self.editor.said("agent_message_chunk"))
    }
}

fn names(asked: &Value) -> Vec<String> {
    let options = asked["options"].as_array().unwrap().iter();
    options.map(|option| option["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_choice_is_put_as_buttons() {
    let model = asking();
    let mut lab = Lab::new(&model, json!({}), yes_or_no());
    let prompt = lab.prompt();
    let (id, asked) = lab.editor.called(ASK);
    assert_eq!(names(&asked), ["Yes", "No", "Decline", "Skip"]);
    let words = asked["toolCall"]["content"].to_string();
    assert!(words.contains("MCP server lab asks: ok") && words.contains("Tell me."), "{words}");
    lab.editor.select(&id, "option-0");
    assert_eq!(lab.heard(prompt), json!([{"action": "accept", "content": {"ok": true}}]));
    let log = lab.log();
    let greeting = log.lines().find(|line| line.contains("\"initialize\"")).unwrap();
    assert!(greeting.contains("elicitation"), "{greeting}");
    // Another time nobody answers, or with nonsense.
    for (answer, heard) in [
        (json!({"outcome": {"outcome": "selected", "optionId": "option-2"}}), "decline"),
        (json!({"outcome": {"outcome": "selected", "optionId": "skip"}}), "cancel"),
        (json!({"outcome": {"outcome": "cancelled"}}), "cancel"),
        (json!(["Yes"]), "cancel"),
        (json!({"outcome": {"outcome": "selected", "optionId": "option-99"}}), "cancel"),
    ] {
        let prompt = lab.prompt();
        let (id, _) = lab.editor.called(ASK);
        lab.editor.answer_call(&id, answer.clone());
        assert_eq!(lab.heard(prompt), json!([{"action": heard}]), "{answer}");
    }
    lab.editor.finish();
}

#[test]
fn where_nothing_can_be_typed_that_is_said() {
    let model = asking();
    let mut lab = Lab::new(&model, json!({}), wanting(json!({"name": {"type": "string"}})));
    let prompt = lab.prompt();
    let (id, asked) = lab.editor.called(ASK);
    assert_eq!(names(&asked), ["Decline", "Skip"]);
    assert!(asked["toolCall"]["content"].to_string().contains("takes no typed answers"), "{asked}");
    lab.editor.select(&id, "option-0");
    assert_eq!(lab.heard(prompt), json!([{"action": "decline"}]));
    lab.editor.finish();
}

#[test]
fn an_editor_with_forms_takes_words() {
    let model = asking();
    let fields = json!({"name": {"type": "string", "title": "Your name", "minLength": 2}});
    let mut lab = Lab::new(&model, json!({"elicitation": {"form": {}}}), wanting(fields));
    let prompt = lab.prompt();
    let (id, asked) = lab.editor.called(ASK);
    assert_eq!(names(&asked)[..2], ["Answer", "Decline"]);
    lab.editor.select(&id, "option-0");
    for (typed, told) in [("x", "Your name"), ("Xenia", "! Not taken: it must be at least 2")] {
        let (id, form) = lab.editor.called("elicitation/create");
        assert_eq!((&form["mode"], &form["sessionId"]), (&json!("form"), &json!(lab.session)));
        assert!(form["message"].as_str().unwrap().contains(told), "{form}");
        assert_eq!(form["requestedSchema"]["properties"]["answer00"]["type"], "string");
        let known = lab.editor.call_updates(form["toolCallId"].as_str().unwrap());
        assert_eq!(known[0]["sessionUpdate"], "tool_call");
        let content = json!({"answer00": typed});
        lab.editor.answer_call(&id, json!({"action": "accept", "content": content}));
    }
    assert_eq!(lab.heard(prompt), json!([{"action": "accept", "content": {"name": "Xenia"}}]));
    let prompt = lab.prompt();
    let (id, _) = lab.editor.called(ASK);
    lab.editor.select(&id, "option-0");
    let (id, _) = lab.editor.called("elicitation/create");
    lab.editor.answer_call(&id, json!({"action": "cancel"}));
    assert_eq!(lab.heard(prompt), json!([{"action": "cancel"}]));
    lab.editor.finish();
}

#[test]
fn a_question_that_nobody_answers_any_more_is_cancelled() {
    for how in ["cancel", "close", "hang up"] {
        let model = asking();
        let mut lab = Lab::new(&model, json!({}), yes_or_no());
        let prompt = lab.prompt();
        let (id, _) = lab.editor.called(ASK);
        let of_session = json!({"sessionId": lab.session});
        match how {
            "cancel" => {
                lab.editor.tell("session/cancel", of_session);
                assert_eq!(lab.editor.stopped(prompt), "cancelled");
                // Too late.
                lab.editor.select(&id, "option-0");
            }
            "close" => {
                let close = lab.editor.begin("session/close", of_session);
                assert_eq!(lab.editor.stopped(prompt), "cancelled");
                assert_eq!(lab.editor.outcome(close), Ok(json!({})));
            }
            _ => {}
        }
        let Lab { home, editor, .. } = lab;
        let log = || std::fs::read_to_string(home.path("lab.log")).unwrap();
        if how == "cancel" {
            wait_until("the server has heard", || log().contains(r#""action":"cancel""#));
        }
        editor.finish();
        assert!(log().contains(r#""action":"cancel""#), "{how}: {}", log());
        assert!(!log().contains("accept"), "{how}");
        assert_eq!(model.requests().len(), 1, "{how}");
    }
}
