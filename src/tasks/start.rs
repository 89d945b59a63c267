//! Starting tasks: a command with its worker, a command that runs already, an agent.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Child;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::folder::Folder;
use super::hosted::{AgentEnd, AgentRun, Host, Output, Signs, Work};
use super::log::{Bounds, Log};
use super::record::{AgentPayload, Conclusion, Kind, Runtime, Spec, Status};
use super::registry::{CONTROL_POLL, Hosted, Inner, STOP_PATIENCE, Tasks, View, blocking, lock};
use super::worker;
use crate::platform::process::{self, Attendance, Running};
use crate::store::Held;

/// How long the start of a worker is waited for before its task is told of as starting.
const START: Duration = Duration::from_secs(2);

/// A command for the background.
#[derive(Debug, Clone)]
pub struct NewCommand {
    pub command: String,
    pub description: String,
    pub tool_call_id: String,
    pub shell: PathBuf,
    pub cwd: PathBuf,
    /// Seconds; `None` for as long as it takes.
    pub timeout_s: Option<u64>,
    /// The whole environment of the command.
    pub environment: Vec<(OsString, OsString)>,
}

/// An agent for the background.
#[derive(Debug, Clone)]
pub struct NewAgent {
    pub description: String,
    pub tool_call_id: String,
    pub payload: AgentPayload,
    /// `None` for the configured one (`background.agent_task_timeout_s`).
    pub timeout: Option<Duration>,
}

/// Why a task was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "{0} background tasks are running, and no more may. Wait for one, or stop one with TaskStop."
    )]
    TooMany(u64),
    #[error("The session is ending.")]
    Ending,
    #[error("The task could not be started: {0}")]
    Io(#[from] io::Error),
}

impl Tasks {
    /// Starts a command with a worker of its own.
    pub async fn start_command(&self, new: NewCommand) -> Result<Arc<View>, StartError> {
        self.load().await;
        let _one = self.0.starting.lock().await;
        self.check_room()?;
        let environment = new.environment.clone();
        let (folder, spec) = self.create(Kind::Bash, command_spec(new)).await?;
        let id = spec.id.clone();
        let child = match self.0.spawn_worker(&folder, environment) {
            Ok(child) => child,
            Err(error) => {
                let inner = Arc::clone(&self.0);
                let why = Conclusion::failed(None, format!("It has no worker: {error}"));
                blocking(move || inner.settle(&folder, spec, why)).await;
                return Err(error.into());
            }
        };
        let (started, mut has_started) = watch::channel(false);
        tokio::spawn(self.clone().listen(id.clone(), child, started));
        let _ = tokio::time::timeout(START, has_started.wait_for(|started| *started)).await;
        self.0.refresh(&id).await.ok_or(StartError::Ending)
    }

    /// Takes over a command that has been running in the foreground, with the output it has so far.
    /// It is not counted against the limit: a person wants this one. When it fails, the command is
    /// given back.
    pub async fn adopt(
        &self,
        new: NewCommand,
        running: Running,
        so_far: Vec<u8>,
    ) -> Result<Arc<View>, (Running, StartError)> {
        self.load().await;
        let (folder, spec) = match self.create(Kind::Bash, command_spec(new)).await {
            Ok(created) => created,
            Err(error) => return Err((running, error)),
        };
        let opened = Log::open(&folder.output(), Bounds::default());
        let (mut log, lock) = match opened.and_then(|log| Ok((log, taken(&folder)?))) {
            Ok(opened) => opened,
            Err(error) => return Err((running, error.into())),
        };
        log.write(&so_far);
        let runtime =
            Runtime { child_pid: running.id(), child_pgid: running.id(), ..self.0.own_runtime() };
        let cancel = CancellationToken::new();
        let grace = self.grace();
        let work: Work = {
            let (cancel, mut running) = (cancel.clone(), running);
            Box::pin(async move {
                let how = Attendance { timeout: None, cancel: &cancel, grace, let_go: None };
                let end = running.attend(how, &mut log).await;
                tokio::spawn(running.drain());
                match end {
                    Ok(end) => worker::conclusion(end, None),
                    Err(error) => Conclusion::failed(None, error.to_string()),
                }
            })
        };
        // A command that ignores the signal takes its whole grace, and then has to be seen to die.
        let grace = grace + STOP_PATIENCE;
        let signs = Arc::default();
        Ok(self.host(folder, lock, &spec, runtime, cancel, signs, grace, work).await)
    }

    /// Starts an agent; see the module's page.
    pub async fn start_agent<F>(
        &self,
        new: NewAgent,
        work: impl FnOnce(AgentRun) -> F + Send,
    ) -> Result<Arc<View>, StartError>
    where
        F: Future<Output = AgentEnd> + Send + 'static,
    {
        self.load().await;
        let _one = self.0.starting.lock().await;
        self.check_room()?;
        let settings = self.settings();
        let timeout =
            new.timeout.map_or(settings.agent_task_timeout_s, |timeout| timeout.as_secs());
        let spec = Spec {
            description: new.description,
            tool_call_id: new.tool_call_id,
            timeout_s: Some(timeout),
            kind_payload: serde_json::to_value(new.payload).ok(),
            ..blank_spec()
        };
        let (folder, spec) = self.create(Kind::Agent, spec).await?;
        let log = Log::open(&folder.output(), Bounds::default())?;
        let lock = taken(&folder)?;
        let cancel = CancellationToken::new();
        let signs = Arc::<Signs>::default();
        let work = work(AgentRun {
            id: spec.id.clone(),
            cancel: cancel.clone(),
            output: Output(Arc::new(Mutex::new(log))),
            signs: Arc::clone(&signs),
        });
        // A task of its own: a fault in the agent ends the agent and nothing else.
        let mut work = AbortOnDropHandle::new(tokio::spawn(work));
        let work: Work = Box::pin(async move {
            match (&mut work).await {
                Ok(AgentEnd::Completed) => Conclusion::completed(None),
                Ok(AgentEnd::Failed(why)) => Conclusion::failed(None, why),
                Err(error) => Conclusion::failed(None, format!("The agent broke: {error}")),
            }
        });
        let (runtime, grace) = (self.0.own_runtime(), self.grace());
        Ok(self.host(folder, lock, &spec, runtime, cancel, signs, grace, work).await)
    }

    fn check_room(&self) -> Result<(), StartError> {
        let most = self.settings().max_running_tasks;
        if self.0.ending.is_cancelled() {
            return Err(StartError::Ending);
        }
        if self.active().len() as u64 >= most {
            return Err(StartError::TooMany(most));
        }
        Ok(())
    }

    async fn create(&self, kind: Kind, spec: Spec) -> Result<(Folder, Spec), StartError> {
        let inner = Arc::clone(&self.0);
        let made = blocking(move || {
            let (id, folder) = Folder::create(&inner.dir, kind, &inner.env)?;
            let now = inner.env.unix_now();
            let session_id = inner.options.session_id.clone();
            let spec = Spec { id, kind, session_id, created_at: now, ..spec };
            folder.write_spec(&spec)?;
            let status = Status::Starting;
            folder.write_runtime(&Runtime { status, updated_at: now, ..Runtime::default() })?;
            Ok::<_, io::Error>((folder, spec))
        });
        let (folder, spec) = made.await.ok_or(StartError::Ending)??;
        Ok((folder, spec))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a task, for two kinds of it")]
    async fn host(
        &self,
        folder: Folder,
        lock_file: Held,
        spec: &Spec,
        runtime: Runtime,
        cancel: CancellationToken,
        signs: Arc<Signs>,
        grace: Duration,
        work: Work,
    ) -> Arc<View> {
        let id = spec.id.clone();
        let view = Arc::new(View { spec: spec.clone(), runtime: runtime.clone() });
        if let Err(error) = folder.write_runtime(&runtime) {
            tracing::warn!(%error, "the state of a task cannot be written");
        }
        self.0.put(Arc::clone(&view));
        let host = Host {
            env: self.0.env.clone(),
            folder,
            lock: lock_file,
            runtime,
            cancel: cancel.clone(),
            signs,
            timeout_s: spec.timeout_s,
            heartbeat: Duration::from_millis(self.settings().worker_heartbeat_interval_ms),
            grace,
        };
        let (tasks, name) = (self.clone(), id.clone());
        let (registered, is_registered) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let (inner, of) = (Arc::clone(&tasks.0), name.clone());
            let changed = move || {
                inner.refresh_now(&of);
                inner.tell();
            };
            host.attend(work, changed).await;
            // It is in the list by then, however short it was.
            let _ = is_registered.await;
            lock(&tasks.0.hosted).remove(&name);
        });
        lock(&self.0.hosted).insert(id, Hosted { cancel, task });
        let _ = registered.send(());
        self.0.tell();
        view
    }

    /// Hears of the changes of a task from its worker, to its end.
    async fn listen(self, id: String, mut child: Child, started: watch::Sender<bool>) {
        if let Some(mut voice) = child.stdout.take() {
            let mut word = [0u8; 16];
            while let Ok(1..) = voice.read(&mut word).await {
                self.0.refresh(&id).await;
                let _ = started.send(true);
                self.0.tell();
            }
        }
        let over = self.0.refresh(&id).await.is_some_and(|view| !view.is_active());
        if !over {
            // It went without a word: it is waited for, so that its end can be told from its silence.
            let _ = child.wait().await;
            let inner = Arc::clone(&self.0);
            blocking(move || inner.refresh_gone(&id)).await;
        }
        let _ = started.send(true);
        self.0.tell();
        let _ = child.wait().await;
    }
}

impl Inner {
    /// Writes down the end of a task that has no runner.
    fn settle(&self, folder: &Folder, spec: Spec, end: Conclusion) {
        let mut runtime = folder.runtime();
        runtime.conclude(end, self.env.unix_now());
        if let Err(error) = folder.write_runtime(&runtime) {
            tracing::warn!(%error, "the end of a task cannot be written");
        }
        self.put(Arc::new(View { spec, runtime }));
    }

    /// A task that runs in this process, as of now.
    fn own_runtime(&self) -> Runtime {
        let now = self.env.unix_now();
        Runtime {
            status: Status::Running,
            worker_pid: i32::try_from(std::process::id()).ok(),
            started_at: Some(now),
            heartbeat_at: Some(now),
            updated_at: now,
            ..Runtime::default()
        }
    }

    fn spawn_worker(
        &self,
        folder: &Folder,
        environment: Vec<(OsString, OsString)>,
    ) -> io::Result<tokio::process::Child> {
        let settings = &self.options.settings;
        let mut command = std::process::Command::new(&self.options.program);
        command
            .arg(worker::SUBCOMMAND)
            .arg("--task-dir")
            .arg(folder.path())
            .arg("--heartbeat-interval-ms")
            .arg(settings.worker_heartbeat_interval_ms.to_string())
            .arg("--control-poll-interval-ms")
            .arg(CONTROL_POLL.as_millis().to_string())
            .arg("--kill-grace-period-ms")
            .arg(settings.kill_grace_period_ms.to_string())
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        process::in_own_session(&mut command);
        tokio::process::Command::from(command).spawn()
    }
}

fn command_spec(new: NewCommand) -> Spec {
    let shown = |path: &Path| path.display().to_string();
    Spec {
        description: new.description,
        tool_call_id: new.tool_call_id,
        shell_name: new.shell.file_name().map(|name| name.to_string_lossy().into_owned()),
        shell_path: Some(shown(&new.shell)),
        command: Some(new.command),
        cwd: Some(shown(&new.cwd)),
        timeout_s: new.timeout_s,
        ..blank_spec()
    }
}

fn blank_spec() -> Spec {
    Spec {
        version: 1,
        id: String::new(),
        kind: Kind::Bash,
        session_id: String::new(),
        description: String::new(),
        tool_call_id: String::new(),
        owner_role: "root".to_owned(),
        created_at: 0.0,
        command: None,
        shell_name: None,
        shell_path: None,
        cwd: None,
        timeout_s: None,
        kind_payload: None,
    }
}

/// The lock of a task that nobody else knows of yet.
fn taken(folder: &Folder) -> io::Result<Held> {
    folder.lock()?.ok_or_else(|| io::Error::other("another process has taken the task"))
}
