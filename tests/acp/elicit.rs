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
fn an_editor_with_forms_shows_the_form() {
    let model = asking();
    let fields = json!({
        "name": {"type": "string", "title": "Your name", "minLength": 2},
        "age": {"type": "integer", "minimum": 1, "default": 30},
        "ok": {"type": "boolean", "description": "Agreed?"},
    });
    let mut asked = wanting(fields);
    asked["requestedSchema"]["required"] = json!(["name", "age"]);
    let mut lab = Lab::new(&model, json!({"elicitation": {"form": {}}}), asked);
    let prompt = lab.prompt();
    for (typed, told) in [("x", "MCP server lab asks: Tell me."), ("Xenia", "! Not taken: it must")]
    {
        let (id, form) = lab.editor.called("elicitation/create");
        assert_eq!((&form["mode"], &form["sessionId"]), (&json!("form"), &json!(lab.session)));
        let message = form["message"].as_str().unwrap();
        assert!(message.contains(told) && message.matches("Tell me.").count() == 1, "{form}");
        let schema = &form["requestedSchema"];
        let [name, age, ok] = field_by_title(schema, ["Your name", "age", "ok"]);
        let of = |field: &str| schema["properties"][field].clone();
        assert_eq!((&of(&name)["type"], &of(&name)["minLength"]), (&json!("string"), &json!(2)));
        assert_eq!((&of(&age)["minimum"], &of(&age)["default"]), (&json!(1), &json!(30)));
        assert_eq!(
            (&of(&ok)["type"], &of(&ok)["description"]),
            (&json!("boolean"), &json!("Agreed?"))
        );
        let mut required = [name.as_str(), age.as_str()];
        required.sort_unstable();
        assert_eq!(schema["required"], json!(required));
        let known = lab.editor.call_updates(form["toolCallId"].as_str().unwrap());
        assert_eq!(known[0]["sessionUpdate"], "tool_call");
        let content = json!({name: typed, age: 30});
        lab.editor.answer_call(&id, json!({"action": "accept", "content": content}));
    }
    let accepted = json!([{"action": "accept", "content": {"name": "Xenia", "age": 30}}]);
    assert_eq!(lab.heard(prompt), accepted);
    for (answer, heard) in [
        (json!({"action": "cancel"}), "cancel"),
        (json!({"action": "decline"}), "decline"),
        (json!(["Yes"]), "cancel"),
        (json!({"action": "accept", "content": {"answer00": {}}}), "cancel"),
    ] {
        let prompt = lab.prompt();
        let (id, _) = lab.editor.called("elicitation/create");
        lab.editor.answer_call(&id, answer.clone());
        assert_eq!(lab.heard(prompt), json!([{"action": heard}]), "{answer}");
    }
    lab.editor.finish();
}

/// The names of the fields with these titles.
fn field_by_title<const N: usize>(schema: &Value, titles: [&str; N]) -> [String; N] {
    let fields = schema["properties"].as_object().unwrap();
    titles.map(|title| fields.iter().find(|(_, field)| field["title"] == title).unwrap().0.clone())
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
                lab.editor.withdrawn(&id);
                // Too late.
                lab.editor.select(&id, "option-0");
            }
            "close" => {
                let close = lab.editor.begin("session/close", of_session);
                assert_eq!(lab.editor.stopped(prompt), "cancelled");
                assert_eq!(lab.editor.outcome(close), Ok(json!({})));
                lab.editor.withdrawn(&id);
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
