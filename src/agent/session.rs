//! A session: takes [`Op`]s, runs one turn at a time, tells everything through its hub.

mod ending;
mod options;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub use options::SessionOptions;

use super::approval::{ApprovalDesk, Modes, Permissions};
use super::background::BackgroundView;
use super::budget::Meter;
use super::client::ClientView;
use super::context::Context;
use super::core::{Core, Parts, Settings};
use super::goal::Goals;
use super::hub::Hub;
use super::notifications::{self, Notifications};
use super::plan::Plan;
use super::recorder::Recorder;
use super::rewind::{self, Rewinder, finish_interrupted};
use super::turn::Opening;
use super::{btw, goal, instructions, shell, slash};
use crate::customize::hooks::{Hooks, Place};
use crate::llm::Message as LlmMessage;
use crate::permission::Site;
use crate::protocol::{
    Event, Failure, FailureKind, GoalUpdate, Message, Op, Outcome, SessionInfo, Spent,
};
use crate::store::{
    ContextLog, Session, SessionLock, SessionState, StateFile, StoreError, WireLog,
    write_last_answer,
};
use crate::tasks::{TaskOptions, Tasks, View};

/// How often a running turn looks for streamed text that is not on disk yet.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// The answer of a turn as it was kept in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The file; `None` when it could not be written.
    pub path: Option<PathBuf>,
    /// Of the text, without the line feed at the end of the file; in hex.
    pub sha256: String,
    pub bytes: usize,
}

/// The answer of the newest ended turn, shared by the loop and the handle.
type Kept = Arc<Mutex<Option<KeptAnswer>>>;

/// A running session. Dropping the handle ends it.
pub struct SessionHandle {
    core: Arc<Core>,
    kept: Kept,
    ops: UnboundedSender<Op>,
    /// Ends with the background tasks that the end of the session has stopped.
    task: JoinHandle<Vec<Arc<View>>>,
    /// How long that waits for the ends of background tasks.
    patience: Arc<OnceLock<Duration>>,
    /// Held until the session has ended.
    lock: Option<SessionLock>,
    /// What was found and mended while opening, one line each, for a person.
    pub warnings: Vec<String>,
}

impl SessionHandle {
    /// Opens a session and starts to take ops. The records are read here: call it where blocking
    /// is allowed.
    pub fn open(options: SessionOptions) -> Result<Self, StoreError> {
        let SessionOptions {
            env,
            session,
            lock,
            workspace,
            places,
            llm,
            models,
            registry,
            dispatch,
            hooks,
            limits,
            afk_reminder,
            reads_only,
            crew,
            background,
            claim_stale_after_ms,
            program,
            modes,
            plan,
            rules,
            system_prompt,
        } = options;
        let (file, mut warnings) = StateFile::open(&session.dir);
        let state = file.state.clone();
        for dir in &state.additional_dirs {
            let dir = std::path::Path::new(dir);
            if dir.is_dir() {
                workspace.add(dir);
            }
        }
        let path = session.context_path();
        let (log, loaded) = if lock.is_some() {
            ContextLog::open(&path)?
        } else {
            warnings.push(
                "Another kimi has this session open: what both write to it will be mixed."
                    .to_owned(),
            );
            ContextLog::open_shared(&path)?
        };
        warnings.extend(loaded.warnings.iter().map(|w| format!("{}: {w}", path.display())));
        let rewinder = lock
            .is_some()
            .then(|| Rewinder::new(env.clone(), &session.dir, Arc::clone(&workspace)));
        let (mut log, mut loaded, mut file) = (log, loaded, file);
        if let Some(rewinder) = &rewinder {
            let settle = |change: &dyn Fn(&mut SessionState)| {
                change(&mut file.state);
                if let Err(error) = file.save() {
                    warn!(%error, "the session's settings cannot be written");
                }
            };
            let finished = finish_interrupted(rewinder, &mut log, settle, &mut warnings)?;
            loaded = finished.unwrap_or(loaded);
        }
        let resumed = loaded.system_prompt.is_some();
        let context = Context::new(log, loaded, system_prompt);
        let recorder = Recorder::new(WireLog::open(&session.wire_path())?);
        let hub = Arc::new(Hub::new(env.clone(), Some(recorder)));
        let hooks = {
            let place = Place {
                env: env.clone(),
                session_id: session.id.clone(),
                work_dir: workspace.work_dir.clone(),
            };
            let hub = Arc::clone(&hub);
            Arc::new(Hooks::new(hooks, place, move |event| hub.event(event)))
        };
        let modes = Modes {
            yolo: modes.yolo || state.approval.yolo,
            afk: modes.afk || state.approval.afk,
            runtime_afk: modes.runtime_afk,
        };
        let approved = state.approval.auto_approve_actions;
        let settings = Arc::new(Settings::new(file));
        // Those of the command line are the session's from now on, and those that are gone are not.
        let dirs = remembered(&state.additional_dirs, &workspace.additional());
        if dirs != state.additional_dirs {
            settings.update(|state| state.additional_dirs = dirs);
        }
        let meter = Arc::new(Meter::new(limits.budget));
        let desk = {
            let settings = Arc::clone(&settings);
            let desk = ApprovalDesk::new(
                env.clone(),
                Arc::clone(&hub),
                Arc::clone(&hooks),
                Plan::new(env.clone(), plan, Arc::clone(&settings)),
                modes,
                Permissions::new(rules, Site::new(Arc::clone(&workspace), &env), approved),
                move |approved| {
                    settings.update(|state| {
                        state.approval.auto_approve_actions = approved.iter().cloned().collect();
                    });
                },
            );
            Arc::new(desk.timed_by(&meter))
        };
        let tasks = Tasks::new(
            env.clone(),
            TaskOptions {
                session_id: session.id.clone(),
                session_dir: session.dir.clone(),
                settings: background,
                program,
            },
        );
        let notifications = Notifications::new(&session, claim_stale_after_ms);
        let parts = Parts {
            goals: Arc::new(Goals::open(&env, &hub, &session, &meter)),
            meter,
            env,
            hub,
            desk,
            hooks,
            registry,
            dispatch,
            workspace,
            places,
            models,
            limits,
            reads_only,
            afk_reminder,
            session,
            settings,
            context: context.into(),
            rewinder,
            tasks,
            notifications,
            source: None,
        };
        let core = Arc::new(Core::new(parts, llm));
        if let Some(crew) = crew {
            crew.attach(&core, lock.is_some());
        }
        // What was told until now is in what is returned here; from now on somebody will listen.
        core.hub.keep_for_the_first();
        core.begin(resumed);
        let (ops, receiver) = unbounded_channel();
        let kept = Kept::default();
        let patience = Arc::default();
        let actor = Actor {
            core: Arc::clone(&core),
            kept: Arc::clone(&kept),
            patience: Arc::clone(&patience),
            turn: None,
            side: None,
        };
        let task = tokio::spawn(actor.run(receiver));
        Ok(Self { core, kept, ops, task, patience, lock, warnings })
    }

    /// Hands in an op. Ops are taken in order.
    pub fn submit(&self, op: Op) {
        // A session that has ended takes no more ops, and its subscribers know that it ended.
        let _ = self.ops.send(op);
    }

    /// A sender for ops, for a front end that outlives this borrow.
    pub fn ops(&self) -> UnboundedSender<Op> {
        self.ops.clone()
    }

    /// Everything the session tells from now on.
    pub fn subscribe(&self) -> UnboundedReceiver<Arc<Message>> {
        self.core.hub.subscribe()
    }

    /// The settings as they are now.
    pub fn info(&self) -> SessionInfo {
        self.core.info()
    }

    /// The goal and the queue behind it as they are now.
    pub fn goal(&self) -> GoalUpdate {
        self.core.goals.update()
    }

    /// Where the session's records are.
    pub fn session(&self) -> &Session {
        &self.core.session
    }

    /// The hooks, for clients that subscribe and for lists.
    pub fn hooks(&self) -> &Arc<Hooks> {
        &self.core.hooks
    }

    /// What can be undone; `None` when another process writes to the session too.
    pub fn rewinder(&self) -> Option<Arc<Rewinder>> {
        self.core.rewinder.clone()
    }

    /// The background tasks.
    pub fn tasks(&self) -> Tasks {
        self.core.tasks.clone()
    }

    /// How many notifications wait for the model. No disk.
    pub fn pending_notifications(&self) -> usize {
        self.core.notifications.pending(self.core.env.unix_now())
    }

    /// What is spent of the run's budgets: no turn shall begin by itself then.
    pub fn spent(&self) -> Option<Spent> {
        self.core.meter.spent(self.core.env.clock.instant())
    }

    /// The same for a front end that does not have the handle.
    pub fn background(&self) -> BackgroundView {
        BackgroundView::new(Arc::clone(&self.core))
    }

    /// The same for a front end that serves a program. From now on one is served, and nobody shows
    /// questions until it says that it does.
    pub fn client(&self) -> ClientView {
        ClientView::new(&self.core)
    }

    /// The conversation as it is stored, for resuming screens, `/copy` and exports.
    pub async fn history(&self) -> Vec<LlmMessage> {
        self.core.context.lock().await.messages().to_vec()
    }

    /// Tokens the context is believed to have.
    pub async fn context_tokens(&self) -> u64 {
        self.core.context.lock().await.tokens()
    }

    /// The text of the newest answer.
    pub async fn last_answer(&self) -> Option<String> {
        self.core.context.lock().await.last_answer()
    }

    /// The answer of the newest ended turn; `None` when that turn had none. It is there as soon as
    /// the turn's outcome is heard of, and until another turn ends.
    pub fn kept_answer(&self) -> Option<KeptAnswer> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The loop that takes ops.
struct Actor {
    core: Arc<Core>,
    kept: Kept,
    /// How long background tasks may take to end; unset for as long as they are given anyway.
    patience: Arc<OnceLock<Duration>>,
    turn: Option<RunningTurn>,
    /// The question beside the conversation that is being answered, or was last.
    side: Option<(CancellationToken, JoinHandle<()>)>,
}

struct RunningTurn {
    op_id: String,
    /// Answers in the context when it began.
    answers: u64,
    cancel: CancellationToken,
    task: JoinHandle<Outcome>,
}

impl Actor {
    /// Takes ops until the session ends; returns the background tasks that this has stopped.
    async fn run(mut self, mut ops: UnboundedReceiver<Op>) -> Vec<Arc<View>> {
        if !self.introduce().await {
            self.core.hub.close();
            return Vec::new();
        }
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tasks = self.core.tasks.changes();
        let mut roll_calls = self.core.roll_calls();
        notifications::begin(&self.core).await;
        'session: loop {
            tokio::select! {
                _ = flush.tick(), if self.turn.is_some() => self.core.hub.flush_old(),
                op = ops.recv() => match op {
                    None | Some(Op::Shutdown) => break,
                    Some(op) => self.take(op).await,
                },
                Some(taken) = roll_calls.recv() => {
                    while let Ok(op) = ops.try_recv() {
                        if op == Op::Shutdown {
                            break 'session;
                        }
                        self.take(op).await;
                    }
                    let _ = taken.send(());
                }
                outcome = finished(&mut self.turn) => self.end_turn(outcome).await,
                Ok(()) = tasks.changed() => notifications::publish(&self.core).await,
            }
        }
        self.wind_up().await
    }

    /// Gives a session without a system prompt its own, before it takes anything in. Instructions
    /// and skills are looked for here, where no first frame waits for it. False when that broke.
    async fn introduce(&self) -> bool {
        let make = {
            let context = self.core.context.lock().await;
            if context.is_introduced() {
                return true;
            }
            context.prompt_maker()
        };
        let Ok(prompt) = tokio::task::spawn_blocking(move || make()).await else { return false };
        self.core.context.lock().await.introduce(prompt.text);
        instructions::tell_of_cut(&self.core, prompt.cut);
        true
    }

    async fn take(&mut self, op: Op) {
        match op {
            Op::Prompt { id, input } => {
                let core = Arc::clone(&self.core);
                if self.turn.is_none() {
                    core.meter.renew(core.env.clock.instant());
                }
                let opening = Opening::Sent(input);
                let work = move |cancel| async move { goal::drive(&core, opening, &cancel).await };
                self.begin_turn(id, work).await;
            }
            // It goes on with what is left of the budget.
            Op::SeeToTasks { id } => {
                let core = Arc::clone(&self.core);
                let work =
                    move |cancel| async move { goal::drive(&core, Opening::Tasks, &cancel).await };
                self.begin_turn(id, work).await;
            }
            Op::Shell { id, command, told } => {
                let core = Arc::clone(&self.core);
                let work =
                    move |cancel| async move { shell::run(&core, command, told, &cancel).await };
                self.begin_turn(id, work).await;
            }
            Op::Rewind { id, request } => {
                let core = Arc::clone(&self.core);
                let work = move |cancel| async move { rewind::run(&core, request, &cancel).await };
                self.begin_turn(id, work).await;
            }
            Op::Steer { input } if self.turn.is_some() => self.core.steer(input),
            // Too late: the front end has heard of the end of the turn by now.
            Op::Steer { .. } => {}
            Op::Cancel => {
                if let Some(running) = &self.turn {
                    running.cancel.cancel();
                    self.core.desk.cancel_all();
                }
            }
            Op::ToBackground => self.core.send_to_background(),
            Op::Answer { response } => self.core.answer(response),
            Op::SideQuestion { id, question } => self.ask_beside(id, question),
            Op::CancelSideQuestion {} => {
                if let Some((cancel, _)) = &self.side {
                    cancel.cancel();
                }
            }
            Op::SetApproval { yolo, afk } => slash::set_modes(&self.core, yolo, afk),
            Op::SetPlanMode { enabled } => self.core.desk.set_plan_mode(enabled),
            Op::SetModel { model, thinking } => self.set_model(model, thinking).await,
            Op::Goal { act } => {
                if self.core.goals.act(act)
                    && let Some(running) = &self.turn
                {
                    running.cancel.cancel();
                    self.core.desk.cancel_all();
                }
            }
            Op::SetTitle { title } => {
                self.core.settings.update(|state| {
                    state.custom_title = Some(title);
                    state.title_generated = true;
                });
                self.core.tell_info();
            }
            Op::Shutdown => {}
        }
    }

    /// Answers a question beside the turn. There is one at a time: the one before is given up.
    fn ask_beside(&mut self, id: String, question: String) {
        let cancel = CancellationToken::new();
        let before = self.side.take();
        let task = {
            let (core, cancel) = (Arc::clone(&self.core), cancel.clone());
            tokio::spawn(async move {
                if let Some((cancel, task)) = before {
                    cancel.cancel();
                    let _ = task.await;
                }
                btw::run(&core, id, question, &cancel).await;
            })
        };
        self.side = Some((cancel, task));
    }

    async fn begin_turn<F>(&mut self, op_id: String, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        if self.turn.is_some() {
            self.core.hub.outcome(
                op_id,
                Outcome::Failed(Failure {
                    kind: FailureKind::Internal,
                    message: "An agent turn is already in progress".to_owned(),
                    hint: None,
                }),
            );
            return;
        }
        let answers = self.core.context.lock().await.answers();
        let cancel = CancellationToken::new();
        let task = tokio::spawn(work(cancel.clone()));
        self.turn = Some(RunningTurn { op_id, answers, cancel, task });
    }

    /// Reports the end of the turn, also of one that broke.
    async fn end_turn(&mut self, outcome: Result<Outcome, tokio::task::JoinError>) {
        let Some(running) = self.turn.take() else { return };
        let outcome = outcome.unwrap_or_else(|error| {
            self.core.desk.cancel_all();
            self.core.hub.event(Event::TurnEnd {});
            Outcome::Failed(Failure {
                kind: FailureKind::Internal,
                message: format!("the turn broke: {error}"),
                hint: Some("please report this; the session is on disk and can go on".to_owned()),
            })
        });
        let kept = self.write_last_answer(running.answers).await;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        self.core.drop_steers();
        self.core.hub.outcome(running.op_id, outcome);
    }

    /// Keeps the newest answer in a file of its own, whole and as the model wrote it, for programs
    /// that cannot read it off the screen. It is there before anybody hears that the turn ended.
    /// Returns it when it is newer than the `before` answers that were there already.
    async fn write_last_answer(&self, before: u64) -> Option<KeptAnswer> {
        let (answer, newer) = {
            let context = self.core.context.lock().await;
            (context.last_answer()?, context.answers() > before)
        };
        let dir = self.core.session.dir.clone();
        let path = self.core.session.last_answer_path();
        let work = move || {
            let written = write_last_answer(&dir, &answer);
            (written, format!("{:x}", Sha256::digest(answer.as_bytes())), answer.len())
        };
        let (written, sha256, bytes) = tokio::task::spawn_blocking(work).await.ok()?;
        let path = match written {
            Ok(()) => Some(path),
            Err(error) => {
                warn!(%error, "the last answer has no file");
                None
            }
        };
        newer.then_some(KeptAnswer { path, sha256, bytes })
    }

    async fn set_model(&mut self, model: Option<String>, thinking: Option<bool>) {
        let current = self.core.llm();
        let name = model.or_else(|| current.as_ref().map(|llm| llm.name.clone()));
        let models = Arc::clone(&self.core.models);
        match models.connect(name.as_deref(), thinking) {
            Ok(llm) => {
                let tokens = self.core.context.lock().await.tokens();
                let status = self.core.context_status(tokens, llm.max_context);
                self.core.set_llm(llm);
                self.core.tell_info();
                self.core.hub.event(Event::StatusUpdate(status));
            }
            Err(error) => {
                // Front ends offer only models that are configured; a failure here means that the
                // configuration changed under us. The settings that still hold are told.
                warn!(%error, "the model was not changed");
                self.core.tell_info();
            }
        }
    }
}

/// The end of the running turn; waits for ever when none runs.
async fn finished(turn: &mut Option<RunningTurn>) -> Result<Outcome, tokio::task::JoinError> {
    match turn {
        Some(running) => (&mut running.task).await,
        None => std::future::pending().await,
    }
}

/// The directories beside the work directory as the session keeps them: those it knew and that are still
/// in the workspace, then the others.
fn remembered(known: &[String], additional: &[std::path::PathBuf]) -> Vec<String> {
    let there: Vec<String> = additional.iter().map(|dir| dir.display().to_string()).collect();
    let mut dirs: Vec<String> = known.iter().filter(|dir| there.contains(dir)).cloned().collect();
    dirs.extend(there.into_iter().filter(|dir| !known.contains(dir)));
    dirs
}
