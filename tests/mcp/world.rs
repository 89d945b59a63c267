//! Servers in this process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use kimi_tui::config::McpMode;
use kimi_tui::mcp::config::Source;
use kimi_tui::mcp::connection::Surroundings;
use kimi_tui::mcp::dispatch::Dispatch;
use kimi_tui::mcp::limits::Limits;
use kimi_tui::mcp::server::Status;
use kimi_tui::mcp::servers::{Servers, Sources};
use kimi_tui::platform::Env;
use kimi_tui::platform::env::{RandomIds, SystemClock};
use kimi_tui::protocol::{Question, QuestionForm, TodoItem, ToolReturnValue};
use kimi_tui::tools::{
    ApprovalAsk, ApprovalVerdict, CallContext, Desk, LiveOutput, NoPlanMode, PlanMode,
    QuestionOutcome, TodoStore, Workspace, prepared,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// No wait takes longer.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Servers with these entries, started, in a directory of their own.
pub struct World {
    pub dir: tempfile::TempDir,
    pub servers: Arc<Servers>,
    pub dispatch: Dispatch,
    pub asked: Arc<Mutex<Vec<ApprovalAsk>>>,
    pub plan: Arc<dyn PlanMode>,
    /// What running calls have shown.
    pub shown: Arc<Mutex<String>>,
}

impl World {
    pub fn new(entries: Value) -> Self {
        Self::with(tempfile::tempdir().unwrap(), entries, McpMode::Deferred, Limits::default())
    }

    pub fn with(dir: tempfile::TempDir, entries: Value, mode: McpMode, limits: Limits) -> Self {
        Self::guarded_by(env!("CARGO_BIN_EXE_kimi").into(), dir, entries, mode, limits)
    }

    /// With this program as the guard of each server.
    pub fn guarded_by(
        guard: PathBuf,
        dir: tempfile::TempDir,
        entries: Value,
        mode: McpMode,
        limits: Limits,
    ) -> Self {
        let entries = json!({"mcpServers": entries});
        let sources = Sources {
            given: vec![Source::read(entries.as_object().unwrap()).unwrap()],
            ..Sources::default()
        };
        let around = Surroundings {
            env: env(dir.path()),
            work_dir: dir.path().to_path_buf(),
            logs: dir.path().join("logs"),
            person: kimi_tui::mcp::elicit::Person::new(true),
            guard: Some(guard),
        };
        let servers = Arc::new(Servers::new(sources, around, limits, Duration::from_secs(30)));
        servers.start();
        let dispatch = Dispatch::new(Arc::clone(&servers), mode);
        Self {
            dir,
            servers,
            dispatch,
            asked: Arc::default(),
            plan: Arc::new(NoPlanMode),
            shown: Arc::default(),
        }
    }

    /// All servers have settled. A thousand may take long, as long as it goes on.
    pub async fn settled(self) -> Self {
        let mut changes = self.servers.changes();
        let servers = Arc::clone(&self.servers);
        let settled = servers.settled();
        tokio::pin!(settled);
        loop {
            tokio::select! {
                () = &mut settled => break,
                changed = tokio::time::timeout(PATIENCE, changes.changed()) => {
                    changed.expect("a server settles").unwrap();
                }
            }
        }
        self
    }

    /// Waits until the server has this status; returns why, if it says.
    pub async fn until(&self, name: &str, status: Status) -> Option<String> {
        let mut changes = self.servers.changes();
        let wait = async {
            loop {
                let state = self.servers.get(name).unwrap().state();
                if state.status == status {
                    return state.reason;
                }
                changes.changed().await.unwrap();
            }
        };
        let wait = tokio::time::timeout(PATIENCE, wait).await;
        wait.unwrap_or_else(|_| panic!("{name} is never {status:?}: {:?}", self.servers.view()))
    }

    /// A call as the model makes it.
    pub async fn call(&self, tool: &str, arguments: Value) -> ToolReturnValue {
        self.call_with(tool, arguments, &CancellationToken::new()).await
    }

    pub async fn call_with(
        &self,
        tool: &str,
        arguments: Value,
        cancel: &CancellationToken,
    ) -> ToolReturnValue {
        self.dispatch.offer(cancel).await;
        let tool = self.dispatch.tool(tool).unwrap();
        let (tool, arguments) = match prepared(tool, &arguments.to_string()) {
            Ok(prepared) => prepared,
            Err(refused) => return refused,
        };
        let cx = CallContext {
            tasks: None,
            to_background: CancellationToken::new(),
            reads_only: false,
            call_id: "c1".to_owned(),
            env: env(self.dir.path()),
            workspace: Arc::new(Workspace::new(self.dir.path().to_path_buf(), Vec::new())),
            desk: Arc::new(Asking(Arc::clone(&self.asked))),
            withheld: Default::default(),
            todos: Arc::new(NoTodos),
            changes: Arc::new(()),
            goals: Arc::new(kimi_tui::tools::NoGoals),
            plan: Arc::clone(&self.plan),
            live: {
                let shown = Arc::clone(&self.shown);
                LiveOutput::new(move |text| shown.lock().unwrap().push_str(&text))
            },
            cancel: cancel.clone(),
            spill_dir: self.dir.path().join("outputs"),
            child_env: Vec::new(),
            terminals: None,
            llm: None,
            mail: Arc::default(),
        };
        let called = tokio::time::timeout(PATIENCE, tool.call(arguments, &cx)).await;
        called.expect("the call ends").value
    }

    /// A call through `mcp_call`.
    pub async fn mcp_call(&self, name: &str, arguments: Value) -> ToolReturnValue {
        self.call("mcp_call", json!({"name": name, "arguments": arguments})).await
    }
}

/// What the servers of a world have around them.
pub fn env(dir: &Path) -> Env {
    let vars =
        [("PATH", "/usr/bin:/bin"), ("HOME", dir.to_str().unwrap()), ("SECRET_KEY", "hunter2")];
    let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Env::new(
        vars.collect(),
        dir.to_path_buf(),
        dir.to_path_buf(),
        Arc::new(SystemClock),
        Arc::new(RandomIds),
    )
}

/// Says yes and remembers the question; no to tools that are called `forbidden`.
struct Asking(Arc<Mutex<Vec<ApprovalAsk>>>);

#[async_trait]
impl Desk for Asking {
    async fn approve(&self, ask: ApprovalAsk) -> ApprovalVerdict {
        let no = ask.action.ends_with(":forbidden");
        self.0.lock().unwrap().push(ask);
        if no { ApprovalVerdict::Rejected { feedback: None } } else { ApprovalVerdict::Approved }
    }

    async fn pose(&self, _: &str, _: Vec<Question>, _: Option<QuestionForm>) -> QuestionOutcome {
        QuestionOutcome::Unsupported
    }
}

struct NoTodos;

impl TodoStore for NoTodos {
    fn get(&self) -> Vec<TodoItem> {
        Vec::new()
    }

    fn set(&self, _: Vec<TodoItem>) {}
}
