//! An editor that speaks ACP.

use std::ops::{Deref, DerefMut};

use serde_json::{Value, json};

use crate::support::model_server::ModelServer;
use crate::support::program::Home;
use crate::wire::client::Client;

/// The program with an editor on its streams.
pub struct Editor {
    client: Client,
    calls: u64,
}

impl Deref for Editor {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Editor {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Editor {
    /// Starts `kimi acp`; `words` go before.
    pub fn start(home: &Home, words: &[&str]) -> Self {
        let mut client = Client::of(home.command(&[words, &["acp"]].concat()));
        client.typed = false;
        Self { client, calls: 100 }
    }

    /// The same, and has said what it is: an editor that brings nothing.
    pub fn ready(home: &Home, words: &[&str]) -> Self {
        let mut editor = Self::start(home, words);
        editor.initialize(json!({}));
        editor
    }

    /// An editor with an open session in a home of its own, in front of this model.
    pub fn in_session(model: &ModelServer, words: &[&str]) -> (Home, Self, String) {
        let home = Home::new(&model.url());
        let mut editor = Self::ready(&home, words);
        let session = editor.session(&home);
        (home, editor, session)
    }

    /// Says hello with these capabilities; the result.
    #[track_caller]
    pub fn initialize(&mut self, capabilities: Value) -> Value {
        self.ask(
            "initialize",
            json!({
                "protocolVersion": 1,
                "clientInfo": {"name": "lab", "version": "0.1"},
                "clientCapabilities": capabilities,
            }),
        )
    }

    /// Calls a method; the id of the call.
    pub fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.calls += 1;
        let id = self.calls;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    pub fn send(&mut self, message: &Value) {
        self.raw(format!("{message}\n").as_bytes());
    }

    /// Tells something.
    pub fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Waits for the answer to a call: its result or its error.
    #[track_caller]
    pub fn outcome(&mut self, id: u64) -> Result<Value, Value> {
        let answer = self.until(|it| it["id"] == id && it.get("method").is_none());
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer["result"].clone()),
        }
    }

    /// Calls a method and waits for its result.
    #[track_caller]
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.outcome(id).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Calls a method and waits for its error.
    #[track_caller]
    pub fn refused(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.outcome(id).expect_err(method)
    }

    /// Opens a session in the project; its id. The commands have been told.
    #[track_caller]
    pub fn session(&mut self, home: &Home) -> String {
        self.session_with(home, json!([]))
    }

    /// The same with these MCP servers.
    #[track_caller]
    pub fn session_with(&mut self, home: &Home, servers: Value) -> String {
        let opened =
            self.ask("session/new", json!({"cwd": home.path("project"), "mcpServers": servers}));
        self.update("available_commands_update");
        opened["sessionId"].as_str().unwrap().to_owned()
    }

    /// Begins a prompt.
    pub fn prompt(&mut self, session: &str, text: &str) -> u64 {
        let block = json!({"type": "text", "text": text});
        self.begin("session/prompt", json!({"sessionId": session, "prompt": [block]}))
    }

    /// Waits for the end of a prompt: why it stopped.
    #[track_caller]
    pub fn stopped(&mut self, id: u64) -> String {
        let result = self.outcome(id).unwrap_or_else(|error| panic!("{error}"));
        result["stopReason"].as_str().unwrap().to_owned()
    }

    /// Ends stdin and waits for a good end without a word on stderr.
    #[track_caller]
    pub fn finish(self) {
        assert_eq!(self.client.finish(), "");
    }

    /// Waits for an update of this kind.
    #[track_caller]
    pub fn update(&mut self, kind: &str) -> Value {
        let fits = |it: &Value| it["params"]["update"]["sessionUpdate"] == kind;
        self.until(fits)["params"]["update"].clone()
    }

    /// Waits for a call of the program: its id and its parameters.
    #[track_caller]
    pub fn called(&mut self, method: &str) -> (Value, Value) {
        let call = self.until(|it| it["method"] == method && it.get("id").is_some());
        (call["id"].clone(), call["params"].clone())
    }

    /// Answers a call of the program.
    pub fn answer_call(&mut self, id: &Value, result: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    /// Selects an option of a request for permission.
    pub fn select(&mut self, id: &Value, option: &str) {
        let outcome = json!({"outcome": "selected", "optionId": option});
        self.answer_call(id, json!({"outcome": outcome}));
    }

    /// Waits until the program has withdrawn a call of its own, unless it has.
    #[track_caller]
    pub fn withdrawn(&mut self, id: &Value) {
        let fits =
            |it: &Value| it["method"] == "$/cancel_request" && it["params"]["requestId"] == *id;
        if !self.seen.iter().any(fits) {
            self.until(fits);
        }
    }

    /// All updates so far, in their order.
    pub fn updates(&self) -> Vec<Value> {
        let updates = self.seen.iter().map(|it| it["params"]["update"].clone());
        updates.filter(|update| !update.is_null()).collect()
    }

    /// What was said in chunks of this kind so far.
    pub fn said(&self, kind: &str) -> String {
        let updates = self.updates();
        let of_kind = updates.iter().filter(|update| update["sessionUpdate"] == kind);
        of_kind.map(|update| update["content"]["text"].as_str().unwrap_or_default()).collect()
    }

    /// The updates of the call with this id so far.
    pub fn call_updates(&self, id: &str) -> Vec<Value> {
        self.updates().into_iter().filter(|update| update["toolCallId"] == id).collect()
    }
}
