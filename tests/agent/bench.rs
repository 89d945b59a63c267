//! A session in this process, over a temporary data directory, with a model that says what a test
//! scripts and two tools that do what the arguments of a call say.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use kimi_tui::agent::{
    Budget, Crew, Limits, ModelSource, Modes, PlanStart, SessionHandle, SessionOptions,
};
use kimi_tui::config::{Background, Hook};
use kimi_tui::customize::Agent;
use kimi_tui::customize::hooks::HookSet;
use kimi_tui::llm::{
    Capabilities, ChatRequest, Delta, DeltaStream, Llm, LlmError, Message as Said, Provider,
    Thinking,
};
use kimi_tui::mcp::dispatch::Dispatch;
use kimi_tui::platform::Env;
use kimi_tui::platform::env::fixed;
use kimi_tui::protocol::{
    ApprovalResponse, Message, Op, Request, Response, TokenUsage, ToolReturnValue, UserInput,
    Verdict,
};
use kimi_tui::store::{Session, SessionLock, SessionStore, ShareDir};
use kimi_tui::tools::{
    ApprovalAsk, ApprovalVerdict, CallContext, Effect, Registry, SendDMail, Tool, ToolReturn,
    WebServices, Workspace,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use crate::support::tools::OWN_TOOLS;

pub use super::heard::{Heard, brief, finish};

/// No wait of a test takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Holds something up until the test opens it.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub fn new() -> Self {
        Self(Arc::new(watch::channel(false).0))
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub async fn passed(&self) {
        drop(self.0.subscribe().wait_for(|open| *open).await);
    }
}

/// A piece of what the scripted model does.
#[derive(Clone)]
pub enum Say {
    Delta(Delta),
    Wait(Gate),
    Fail(LlmError),
}

pub fn text(text: &str) -> Say {
    Say::Delta(Delta::Text(text.to_owned()))
}

pub fn think(text: &str) -> Say {
    Say::Delta(Delta::Think(text.to_owned()))
}

pub fn call_at(index: usize, id: &str, name: &str, arguments: &str) -> Say {
    Say::Delta(Delta::ToolCall {
        index,
        id: Some(id.to_owned()),
        name: Some(name.to_owned()),
        arguments: arguments.to_owned(),
    })
}

pub fn usage(input: u64, output: u64) -> Say {
    Say::Delta(Delta::Usage(TokenUsage { input_other: input, output, ..TokenUsage::default() }))
}

pub fn status(code: u16, message: &str) -> Say {
    Say::Fail(LlmError::Status {
        code,
        message: message.to_owned(),
        request_id: None,
        retry_after: None,
    })
}

/// A step that makes these calls: id, tool, arguments.
pub fn calls(calls: &[(&str, &str, &str)]) -> Vec<Say> {
    let calls = calls.iter().enumerate();
    calls.map(|(index, (id, name, arguments))| call_at(index, id, name, arguments)).collect()
}

/// What one request held.
#[derive(Clone)]
pub struct Asked {
    pub system: String,
    pub tools: Vec<String>,
    pub messages: Vec<Said>,
}

/// The scripted model: each request takes the next reply.
#[derive(Default)]
pub struct Model {
    replies: Mutex<VecDeque<Vec<Say>>>,
    /// Replies for conversations that begin with a message that holds a word.
    routes: Mutex<Vec<(String, VecDeque<Vec<Say>>)>>,
    asked: Mutex<Vec<Asked>>,
}

impl Model {
    pub fn reply(&self, says: impl Into<Vec<Say>>) {
        self.replies.lock().unwrap().push_back(says.into());
    }

    /// Replies to the conversation whose first message holds `word`, before all others.
    pub fn reply_to(&self, word: &str, replies: impl IntoIterator<Item = Vec<Say>>) {
        let mut routes = self.routes.lock().unwrap();
        match routes.iter_mut().find(|(known, _)| known == word) {
            Some((_, more)) => more.extend(replies),
            None => routes.push((word.to_owned(), replies.into_iter().collect())),
        }
    }

    /// The requests of that conversation.
    pub fn asked_by(&self, word: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.messages.first().is_some_and(|it| it.text().contains(word)));
        asked
    }

    fn next(&self, first: &str) -> Option<Vec<Say>> {
        let mut routes = self.routes.lock().unwrap();
        match routes.iter_mut().find(|(word, _)| first.contains(word.as_str())) {
            Some((_, replies)) => replies.pop_front(),
            None => self.replies.lock().unwrap().pop_front(),
        }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Provider for Model {
    async fn stream(&self, request: ChatRequest<'_>) -> Result<DeltaStream, LlmError> {
        strict(&serde_json::to_value(request.messages).unwrap());
        self.asked.lock().unwrap().push(Asked {
            system: request.system.to_owned(),
            tools: request.tools.iter().map(|tool| tool.name.clone()).collect(),
            messages: request.messages.to_vec(),
        });
        let reply = self.next(&request.messages.first().map(Said::text).unwrap_or_default());
        let says =
            VecDeque::from(reply.unwrap_or_else(|| vec![status(400, "the script has ended")]));
        // What fails first fails before the stream.
        if let Some(Say::Fail(error)) = says.front() {
            return Err(error.clone());
        }
        Ok(Box::pin(stream::unfold(says, |mut says| async move {
            loop {
                match says.pop_front()? {
                    Say::Delta(delta) => return Some((Ok(delta), says)),
                    Say::Fail(error) => return Some((Err(error), VecDeque::new())),
                    Say::Wait(gate) => gate.passed().await,
                }
            }
        })))
    }
}

/// Fails unless a provider that takes nothing amiss would take this conversation: every call has an
/// id of its own and exactly one result, right after the message that made it; no other results.
pub fn strict(messages: &Value) {
    let mut open: HashSet<String> = HashSet::new();
    for message in messages.as_array().expect("messages") {
        match message["role"].as_str().expect("a role") {
            "tool" => {
                let id = message["tool_call_id"].as_str().expect("an id");
                assert!(open.remove(id), "{id} has no open call: {messages:#}");
            }
            "assistant" => {
                assert!(open.is_empty(), "{open:?} have no result: {messages:#}");
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    let id = call["id"].as_str().expect("an id");
                    assert!(!id.is_empty(), "an empty id: {messages:#}");
                    assert!(open.insert(id.to_owned()), "{id} is there twice: {messages:#}");
                }
            }
            "user" => assert!(open.is_empty(), "{open:?} have no result: {messages:#}"),
            "system" => {}
            role => panic!("{role}"),
        }
    }
    assert!(open.is_empty(), "{open:?} have no result: {messages:#}");
}

/// A tool that does what the arguments say: `wait` for a gate, `ask` for an action, `panic`, `fail`,
/// `say` something, `panic_early` outside of the call, in the turn itself.
pub struct Probe {
    name: &'static str,
    effect: Effect,
    log: Arc<Log>,
}

/// What the tools did, in order: `start id`, `end id`.
pub struct Log {
    lines: watch::Sender<Vec<String>>,
    gates: Mutex<HashMap<String, Gate>>,
}

impl Log {
    pub fn gate(&self, name: &str) -> Gate {
        self.gates.lock().unwrap().entry(name.to_owned()).or_insert_with(Gate::new).clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    fn push(&self, line: String) {
        self.lines.send_modify(|lines| lines.push(line));
    }

    /// Waits until all these lines are there.
    pub async fn wait(&self, wanted: &[&str]) {
        let mut receiver = self.lines.subscribe();
        let there = |lines: &Vec<String>| wanted.iter().all(|line| lines.iter().any(|l| l == line));
        let waited = tokio::time::timeout(PATIENCE, receiver.wait_for(there)).await;
        assert!(waited.is_ok(), "{wanted:?}: {:?}", self.lines());
    }
}

#[async_trait]
impl Tool for Probe {
    fn name(&self) -> &'static str {
        self.name
    }

    fn description(&self) -> &str {
        "Does what it is told."
    }

    fn parameters(&self) -> Value {
        let optional =
            |kind: &str| json!({"anyOf": [{"type": kind}, {"type": "null"}], "default": null});
        json!({"type": "object", "properties": {
            "wait": optional("string"), "ask": optional("string"), "say": optional("string"),
            "panic": optional("boolean"), "fail": optional("boolean"),
            "panic_early": optional("boolean"),
        }})
    }

    fn effect(&self, arguments: &Value) -> Effect {
        assert!(arguments["panic_early"] != json!(true), "on purpose");
        self.effect
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        self.log.push(format!("start {}", cx.call_id));
        if let Some(action) = arguments["ask"].as_str() {
            let ask = ApprovalAsk {
                call_id: cx.call_id.clone(),
                sender: self.name.to_owned(),
                action: action.to_owned(),
                description: format!("{action}!"),
                display: Vec::new(),
            };
            let verdict = tokio::select! {
                verdict = cx.desk.approve(ask) => verdict,
                () = cx.cancel.cancelled() => ApprovalVerdict::Rejected { feedback: None },
            };
            if let Some(refused) = verdict.refusal() {
                self.log.push(format!("rejected {}", cx.call_id));
                return refused;
            }
        }
        if let Some(gate) = arguments["wait"].as_str() {
            cx.live.send(format!("waiting for {gate}"));
            let gate = self.log.gate(gate);
            tokio::select! {
                () = gate.passed() => {}
                () = cx.cancel.cancelled() => {
                    self.log.push(format!("cancelled {}", cx.call_id));
                    return ToolReturnValue::error("cancelled", "Cancelled")
                        .with_output("half of it").into();
                }
            }
        }
        assert!(arguments["panic"] != json!(true), "on purpose");
        self.log.push(format!("end {}", cx.call_id));
        if arguments["fail"] == json!(true) {
            return ToolReturnValue::error("it failed", "Failed").into();
        }
        ToolReturnValue::ok(arguments["say"].as_str().unwrap_or("done"), "").into()
    }
}

/// `Agent` with a time limit that a test can wait for.
struct Hasty(Arc<dyn Tool>);

#[async_trait]
impl Tool for Hasty {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn description(&self) -> &str {
        self.0.description()
    }

    fn parameters(&self) -> Value {
        self.0.parameters()
    }

    fn effect(&self, arguments: &Value) -> Effect {
        self.0.effect(arguments)
    }

    async fn call(&self, mut arguments: Value, cx: &CallContext) -> ToolReturn {
        arguments["timeout"] = json!(1);
        self.0.call(arguments, cx).await
    }
}

/// Everything a session needs.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub env: Env,
    pub model: Arc<Model>,
    /// What [`Op::SetModel`] finds under the name `other`.
    pub other: Arc<Model>,
    pub log: Arc<Log>,
    pub limits: Limits,
    pub rules: kimi_tui::permission::Rules,
    pub modes: Modes,
    pub hooks: Vec<Hook>,
    /// Plan mode is on from the start.
    pub plan: bool,
    pub max_context: u64,
    /// What the model takes besides text.
    pub capabilities: Capabilities,
    pub no_model: bool,
    /// The real tools instead of the probes.
    pub real_tools: bool,
    /// Agents that may be started, besides the real tools.
    pub crew: Option<Agent>,
    /// An agent has one second, whatever its call says.
    pub hasty: bool,
    /// The model can send mail to its past.
    pub dmail: bool,
    /// Somebody else has to come, too, before there is a system prompt.
    pub prompt_waits: Option<Arc<Barrier>>,
    /// The MCP servers of the next session that is opened.
    pub dispatch: Mutex<Option<Dispatch>>,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let env = fixed::env(dir.path().join("home"), &[]);
        std::fs::create_dir_all(dir.path().join("work")).unwrap();
        Self {
            env,
            dir,
            model: Arc::default(),
            other: Arc::default(),
            log: Arc::new(Log { lines: watch::channel(Vec::new()).0, gates: Mutex::default() }),
            limits: Limits {
                max_steps_per_turn: 100,
                max_retries_per_step: None,
                reserved_context: 50_000,
                compaction_trigger_ratio: 0.85,
                max_ralph_iterations: 0,
                budget: Budget::default(),
            },
            rules: Default::default(),
            modes: Modes::default(),
            hooks: Vec::new(),
            plan: false,
            max_context: 200_000,
            capabilities: Capabilities::default(),
            no_model: false,
            real_tools: false,
            crew: None,
            hasty: false,
            dmail: false,
            prompt_waits: None,
            dispatch: Mutex::default(),
        }
    }

    /// A bench whose model has these replies.
    pub fn with(replies: impl IntoIterator<Item = Vec<Say>>) -> Self {
        let bench = Self::new();
        replies.into_iter().for_each(|reply| bench.model.reply(reply));
        bench
    }

    pub fn work_dir(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub fn plans_dir(&self) -> PathBuf {
        self.dir.path().join("share/plans")
    }

    pub fn store(&self) -> SessionStore {
        SessionStore::new(ShareDir::new(self.dir.path().join("share")))
    }

    pub fn open(&self) -> Live {
        let (session, _) = self.store().create(&self.work_dir(), None, &self.env).unwrap();
        self.reopen(session)
    }

    pub fn reopen(&self, session: Session) -> Live {
        let llm = |provider: Arc<Model>, name: &str| Llm {
            provider,
            name: name.to_owned(),
            model: format!("{name}-id"),
            display_name: name.to_owned(),
            max_context: self.max_context,
            capabilities: self.capabilities,
            thinking: Thinking::Off,
            prices: None,
            is_tour: false,
        };
        let probe = |name, effect| -> Arc<dyn Tool> {
            Arc::new(Probe { name, effect, log: Arc::clone(&self.log) })
        };
        let first = llm(Arc::clone(&self.model), "first");
        let crew = self.crew.as_ref().map(|agent| {
            let prompt = |agent: &Agent, _: &[PathBuf]| format!("You are {}.", agent.name).into();
            let types = agent.subagents.clone();
            let web = WebServices::default();
            (Crew::new(types, Arc::new(prompt), web, Vec::new()), agent)
        });
        let handle = SessionHandle::open(SessionOptions {
            crew: crew.as_ref().map(|(crew, _)| Arc::clone(crew)),
            background: Background::default(),
            claim_stale_after_ms: 15_000,
            reads_only: self.crew.as_ref().is_some_and(|agent| agent.reads_only),
            program: env!("CARGO_BIN_EXE_kimi").into(),
            dispatch: self.dispatch.lock().unwrap().take(),
            places: None,
            afk_reminder: true,
            hooks: Arc::new(HookSet::new(&self.hooks)),
            env: self.env.clone(),
            lock: SessionLock::take(&session).unwrap(),
            session,
            workspace: Arc::new(Workspace::new(self.work_dir(), Vec::new())),
            llm: (!self.no_model).then(|| first.clone()),
            models: Arc::new(Models(vec![first, llm(Arc::clone(&self.other), "other")])),
            registry: if let Some((crew, agent)) = &crew {
                let names = agent.tools.iter().map(String::as_str);
                let hasty = |tool| if self.hasty { Arc::new(Hasty(tool)) } else { tool };
                let tools = crew.tools().into_iter().map(hasty).collect();
                Registry::chosen_among(names, &WebServices::default(), tools)
            } else if self.real_tools {
                Registry::chosen(OWN_TOOLS, &WebServices::default())
            } else {
                let mut tools = vec![
                    probe("Look", Effect::Read),
                    probe("Change", Effect::Write),
                    probe("Talk", Effect::Interact),
                ];
                if self.dmail {
                    tools.push(Arc::new(SendDMail));
                }
                Registry::new(tools)
            },
            limits: self.limits.clone(),
            modes: self.modes,
            plan: PlanStart { dir: self.plans_dir(), on: self.plan },
            rules: self.rules.clone(),
            system_prompt: {
                let waits = self.prompt_waits.clone();
                Arc::new(move || {
                    if let Some(waits) = &waits {
                        waits.wait();
                    }
                    "You are a test.".to_owned().into()
                })
            },
        })
        .unwrap();
        let messages = handle.subscribe();
        Live { handle, messages, prompts: 0 }
    }
}

struct Models(Vec<Llm>);

impl ModelSource for Models {
    fn connect(&self, name: Option<&str>, thinking: Option<bool>) -> Result<Llm, String> {
        let name = name.unwrap_or("first");
        let llm = self.0.iter().find(|llm| llm.name == name).cloned();
        let llm = llm.ok_or_else(|| format!("no model {name}"))?;
        let thinking = if thinking == Some(true) { Thinking::On } else { llm.thinking };
        Ok(Llm { thinking, ..llm })
    }
}

/// A session that runs.
pub struct Live {
    pub handle: SessionHandle,
    pub messages: UnboundedReceiver<Arc<Message>>,
    prompts: u32,
}

impl Live {
    /// Submits a prompt; its id is `p1`, `p2`, ...
    pub fn send(&mut self, text: &str) -> String {
        self.prompts += 1;
        let id = format!("p{}", self.prompts);
        self.handle.submit(Op::Prompt { id: id.clone(), input: UserInput::from(text) });
        id
    }

    /// Runs a prompt to its end.
    pub async fn prompt(&mut self, text: &str) -> Heard {
        self.send(text);
        self.end().await
    }

    /// Runs the turn of tasks that have ended to its end.
    pub async fn see_to_tasks(&mut self) -> Heard {
        self.handle.submit(Op::SeeToTasks { id: "tasks".into() });
        self.end().await
    }

    /// Everything until the next outcome.
    pub async fn end(&mut self) -> Heard {
        self.until("an outcome", |message| matches!(message, Message::Outcome { .. })).await
    }

    /// Everything until a message that fits.
    pub async fn until(&mut self, what: &str, fits: impl Fn(&Message) -> bool) -> Heard {
        let mut heard = Heard(Vec::new());
        loop {
            let next = tokio::time::timeout(PATIENCE, self.messages.recv()).await;
            let Ok(Some(message)) = next else {
                panic!("waited for {what}:\n{}", heard.lines().join("\n"));
            };
            heard.0.push(Message::clone(&message));
            if fits(&message) {
                return heard;
            }
        }
    }

    /// The next approval request.
    pub async fn asked(&mut self) -> (Heard, kimi_tui::protocol::ApprovalRequest) {
        let fits =
            |message: &Message| matches!(message, Message::Request(Request::ApprovalRequest(_)));
        let heard = self.until("an approval request", fits).await;
        match heard.0.last() {
            Some(Message::Request(Request::ApprovalRequest(request))) => {
                let request = request.clone();
                (heard, request)
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn answer(&self, request_id: &str, response: Verdict, feedback: &str) {
        self.handle.submit(Op::Answer {
            response: Response::Approval(ApprovalResponse {
                request_id: request_id.to_owned(),
                response,
                feedback: feedback.to_owned(),
            }),
        });
    }

    /// The stored conversation, one short line per message.
    pub async fn stored(&self) -> Vec<String> {
        let history = self.handle.history().await;
        strict(&serde_json::to_value(&history).unwrap());
        history.iter().map(brief).collect()
    }
}
