//! A workbench for the tests of tools: a workspace, a desk that answers, a list, live output.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    ApprovalAsk, ApprovalVerdict, CallContext, Desk, LiveOutput, NoGoals, NoPlanMode,
    QuestionOutcome, TodoStore, Tool, Workspace,
};
use crate::platform::env::fixed;
use crate::protocol::{Question, QuestionForm, TodoItem, ToolReturnValue};
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
    /// The questions that were put last.
    pub posed: Mutex<Vec<Question>>,
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

    async fn pose(
        &self,
        _: &str,
        questions: Vec<Question>,
        _: Option<QuestionForm>,
    ) -> QuestionOutcome {
        *self.posed.lock().unwrap() = questions;
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
            posed: Mutex::default(),
            meanwhile: Mutex::default(),
        });
        let live = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&live);
        let cx = CallContext {
            call_id: "call-1".into(),
            env: fixed::env(root.clone(), vars),
            workspace: Arc::new(Workspace::new(root.join("ws"), vec![])),
            desk: desk.clone(),
            withheld: Default::default(),
            todos: Arc::new(Todos::default()),
            changes: Arc::new(()),
            goals: Arc::new(NoGoals),
            plan: Arc::new(NoPlanMode),
            live: LiveOutput::new(move |text| sink.lock().unwrap().push_str(&text)),
            cancel: CancellationToken::new(),
            spill_dir: root.join("spill"),
            tasks: None,
            to_background: CancellationToken::new(),
            reads_only: false,
            child_env: vec![],
            terminals: None,
            llm: None,
            mail: Arc::default(),
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
        let arguments = tool.check(arguments).unwrap();
        tool.call(arguments, &self.cx).await.value
    }
}

/// The same bench with background tasks.
pub fn with_tasks(mut bench: Bench) -> Bench {
    let options = TaskOptions {
        session_id: "s".to_owned(),
        session_dir: bench.root.join("session"),
        // Signs of life would change what a test compares.
        settings: crate::config::Background {
            worker_heartbeat_interval_ms: 3_600_000,
            ..Default::default()
        },
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

/// A web server for the tools that use one. It answers every request by a rule and keeps them.
pub struct WebServer {
    pub base: String,
    /// Heads and bodies, as they came.
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    /// Starts it; `rule` gets a whole request and returns a status and a body.
    pub async fn start(rule: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut buffer = [0; 8192];
                while !is_whole(&request) {
                    match socket.read(&mut buffer).await {
                        Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                        _ => break,
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let (status, body) = rule(&request);
                kept.lock().unwrap().push(request);
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = socket.write_all(head.as_bytes()).await;
                let _ = socket.write_all(body.as_bytes()).await;
            }
        });
        Self { base, requests }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// A service at this server.
    pub fn service(&self) -> Arc<crate::llm::Service> {
        let clock = fixed::env("/h", &[]).clock;
        let (key, custom) = ("sk-web".into(), [("X-Mine".to_owned(), "1".to_owned())]);
        let device: crate::llm::DeviceId = Arc::new(|| Some("d".repeat(32)));
        let url = format!("{}/service", self.base);
        Arc::new(crate::llm::Service::new(&url, &key, &custom, Some(device), clock).unwrap())
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}
