//! A workbench for the tests of tools: a workspace, a desk that answers, a list, live output.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    ApprovalAsk, ApprovalVerdict, CallContext, Desk, LiveOutput, QuestionOutcome, TodoStore, Tool,
    Workspace, schema,
};
use crate::platform::env::fixed;
use crate::protocol::{Question, TodoItem, ToolReturnValue};
use crate::tasks::{AgentEnd, AgentPayload, AgentRun, NewAgent, TaskOptions, Tasks};

pub struct Bench {
    _dir: tempfile::TempDir,
    pub root: PathBuf,
    pub desk: Arc<TestDesk>,
    pub live: Arc<Mutex<String>>,
    pub cx: CallContext,
}

type Meanwhile = Box<dyn FnOnce() + Send>;

pub struct TestDesk {
    pub asks: Mutex<Vec<ApprovalAsk>>,
    pub verdict: Mutex<ApprovalVerdict>,
    pub outcome: Mutex<QuestionOutcome>,
    /// Happens while the person thinks about an approval.
    pub meanwhile: Mutex<Option<Meanwhile>>,
}

#[async_trait]
impl Desk for TestDesk {
    async fn approve(&self, ask: ApprovalAsk) -> ApprovalVerdict {
        self.asks.lock().unwrap().push(ask);
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
        }
        self.verdict.lock().unwrap().clone()
    }

    async fn ask(&self, _: &str, _: Vec<Question>) -> QuestionOutcome {
        self.outcome.lock().unwrap().clone()
    }
}

#[derive(Default)]
struct Todos(Mutex<Vec<TodoItem>>);

impl TodoStore for Todos {
    fn get(&self) -> Vec<TodoItem> {
        self.0.lock().unwrap().clone()
    }

    fn set(&self, items: Vec<TodoItem>) {
        *self.0.lock().unwrap() = items;
    }
}

impl Bench {
    /// A bench whose work directory is `ws`, with a directory `out` beside it.
    pub fn new() -> Self {
        Self::with_vars(&[])
    }

    pub fn with_vars(vars: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("ws")).unwrap();
        std::fs::create_dir_all(root.join("out")).unwrap();
        let desk = Arc::new(TestDesk {
            asks: Mutex::default(),
            verdict: Mutex::new(ApprovalVerdict::Approved),
            outcome: Mutex::new(QuestionOutcome::Afk),
            meanwhile: Mutex::default(),
        });
        let live = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&live);
        let cx = CallContext {
            call_id: "call-1".into(),
            env: fixed::env(root.clone(), vars),
            workspace: Arc::new(Workspace::new(root.join("ws"), vec![])),
            desk: desk.clone(),
            todos: Arc::new(Todos::default()),
            live: LiveOutput::new(move |text| sink.lock().unwrap().push_str(&text)),
            cancel: CancellationToken::new(),
            spill_dir: root.join("spill"),
            tasks: None,
            to_background: CancellationToken::new(),
            plan_mode: false,
            child_env: vec![],
        };
        Self { _dir: dir, root, desk, live, cx }
    }

    /// A path in the work directory.
    pub fn ws(&self, name: &str) -> PathBuf {
        self.root.join("ws").join(name)
    }

    /// Writes a file in the work directory.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.ws(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs a call the way the registry prepares it.
    pub async fn run(&self, tool: &dyn Tool, arguments: Value) -> ToolReturnValue {
        let arguments = schema::check(&tool.parameters(), arguments).unwrap();
        tool.call(arguments, &self.cx).await.value
    }
}

/// The same bench with background tasks.
pub fn with_tasks(mut bench: Bench) -> Bench {
    let options = TaskOptions {
        session_id: "s".to_owned(),
        session_dir: bench.root.join("session"),
        settings: crate::config::Background::default(),
        program: "/nonexistent/kimi".into(),
    };
    bench.cx.tasks = Some(Tasks::new(bench.cx.env.clone(), options));
    bench
}

impl Bench {
    /// Starts an agent that says hello and ends well when the token is cancelled.
    pub async fn agent_task(&self, description: &str) -> (String, CancellationToken) {
        let end = CancellationToken::new();
        let new = NewAgent {
            description: description.to_owned(),
            tool_call_id: "c".to_owned(),
            payload: AgentPayload::default(),
            timeout: None,
        };
        let ended = end.clone();
        let work = |run: AgentRun| async move {
            run.output.write("hello\n");
            tokio::select! {
                () = ended.cancelled() => AgentEnd::Completed,
                () = run.cancel.cancelled() => AgentEnd::Failed("stopped".to_owned()),
            }
        };
        let view = self.cx.tasks.as_ref().unwrap().start_agent(new, work).await.unwrap();
        (view.spec.id.clone(), end)
    }
}

/// The text of the first brief block.
pub fn brief(value: &ToolReturnValue) -> &str {
    match value.display.first() {
        Some(crate::protocol::DisplayBlock::Brief { text }) => text,
        other => panic!("no brief: {other:?}"),
    }
}
