//! The event loop of the screen: keys, the session's messages and finished jobs in, frames out.
//!
//! | file | subject |
//! |---|---|
//! | `account` | signing in and out |
//! | `goal` | the goal that is worked on |
//! | `keys` | which part a key goes to, and the actions that belong to the app |
//! | `turns` | sending, queueing, steering, interrupting; what the session reports |
//! | `commands` | the slash commands of the screen |
//! | `panes` | overlays: pager and pickers |
//! | `draw` | the rows of the live region, the cursor, when to draw |
//! | `shell` | the commands that a person runs by themselves |
//! | `side` | the question beside the conversation, the skills of the menu |
//! | `pictures` | pictures for the message that is written |
//! | `rewind` | going back to before a turn |
//! | `logins` | logging in to MCP servers |
//! | `servers` | the MCP servers: their start, what is told of it |
//! | `server_panel` | the list of MCP servers, and all there is to know of one |
//! | `trust` | what is asked about the servers of a project |
//! | `tasks` | the background tasks: their number, the browser, turns that begin by themselves |
//! | `jobs` | slow work on other threads, and what comes back |
//! | `control` | what other programs ask for |
//! | `herald` | what they are told, and when |
//! | `books` | the messages and turns of this process, counted |
//!
//! The order of routing for a key: overlay, dialog, composer, app.

mod account;
mod books;
mod commands;
mod control;
mod debug;
mod doctor;
mod draw;
mod fork;
mod goal;
mod herald;
mod hooks;
mod jobs;
mod keys;
mod logins;
mod offerings;
mod opening;
mod panes;
mod pictures;
mod reload;
mod rewind;
mod server_orders;
mod server_panel;
mod servers;
mod shell;
mod side;
mod tasks;
mod trust;
mod turns;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::task::AbortOnDropHandle;

use super::cells::Severity;
use super::composer::{Composer, FileIndex, History, PasteThresholds};
use super::dialogs::{Dialog, ShownPlan};
use super::side_panel::SidePanel;
use super::status::toast::Toasts;
use super::terminal::{Flip, Happening, Input, Screen, Signal, Size};
use super::theme::{ColorSupport, Theme};
use super::transcript::{Transcript, Update};
use crate::agent::SessionHandle;
use crate::customize::skills::Skills;
use crate::front::host::{Host, HostError, Opened, Which};
use crate::platform::Env;
use crate::protocol::{Message, Op, SessionInfo, TokenUsage};
use crate::tasks::View;
use books::Books;
use control::Door;
use goal::GoalView;
use jobs::{Done, Jobs};
use opening::new_transcript;
use panes::Pane;
use pictures::Sending;
use servers::News;
use tasks::TaskNews;
use trust::Asking;
use turns::{Queued, RunningTurn};

/// How long background tasks may take to end when somebody waits for the screen.
const SHORT_END: Duration = Duration::from_millis(500);
/// Messages taken in at once before the next look at the keyboard.
const DRAIN_BUDGET: Duration = Duration::from_millis(4);

/// How the screen begins.
#[derive(Debug, Clone)]
pub struct TuiOptions {
    pub which: Which,
    /// Let the user choose a session before anything else.
    pub picker: bool,
    /// Sent as the first message.
    pub initial_prompt: Option<String>,
    /// Whether somebody sits there who can be asked.
    pub can_ask: bool,
    /// Lines to tell the user at the start.
    pub notices: Vec<String>,
}

/// Why the screen could not begin.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] std::io::Error),
}

/// How the screen ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The session to resume, if it has anything in it.
    pub session_id: Option<String>,
    /// The signal that ended it.
    pub signal: Option<Signal>,
    /// The background tasks that ended with it.
    pub stopped: Vec<Arc<View>>,
}

/// Runs the screen until the user leaves.
pub async fn run(host: Host, options: TuiOptions) -> Result<Ended, TuiError> {
    let opened = host.open(&options.which)?;
    let screen = Screen::enter(&host.env, host.config().tui.terminal_marks)?;
    let mut app = App::new(host, screen, opened, &options);
    app.begin(&options).await?;
    let result = app.run(options.initial_prompt).await;
    let ended = app.end().await;
    result?;
    Ok(ended)
}

/// The whole screen.
struct App {
    host: Host,
    env: Env,
    screen: Screen,
    theme: Theme,
    support: ColorSupport,
    session: SessionHandle,
    messages: UnboundedReceiver<Arc<Message>>,
    info: SessionInfo,
    tour: bool,
    /// Tokens in the context and the size of the window.
    context: (u64, u64),
    usage: TokenUsage,
    transcript: Transcript,
    composer: Composer,
    /// What the menu offers of them.
    skills: Arc<Skills>,
    /// A question beside the conversation.
    side: Option<SidePanel>,
    /// Where the running flow is.
    flow: Option<String>,
    turn: Option<RunningTurn>,
    queue: VecDeque<Queued>,
    /// What the running turn was given and has not taken in yet.
    steering: VecDeque<Queued>,
    dialogs: VecDeque<Box<dyn Dialog>>,
    /// A plan was shown: the question that comes next is about it.
    shown_plan: Option<ShownPlan>,
    pane: Option<Pane>,
    /// Closing the session picker that was asked for on the command line ends the program.
    picker_at_start: bool,
    todos_open: bool,
    goal: GoalView,
    toasts: Toasts,
    books: Books,
    door: Door,
    jobs: Jobs,
    finished_jobs: UnboundedReceiver<Done>,
    branch: Option<String>,
    /// The wall clock as of the last change of state: the status bar must not tick while idle.
    clock_text: String,
    last_key: Option<Instant>,
    /// When Esc was last pressed at an idle, empty prompt.
    escaped: Option<Instant>,
    /// What goes into the composer when the rewind that runs is done.
    back_to: Option<String>,
    /// The message goes out when its pictures are loaded.
    sending: Option<Sending>,
    /// A second Ctrl-C before then leaves.
    exit_armed: Option<Instant>,
    /// Until then the live rows are painted again and again: a reader of the bytes that has pasted
    /// waits for silence, and must not find it before the Enter that follows (tmux-contract.md 3.4).
    stir_until: Option<Instant>,
    flip: Flip,
    /// The last frame was one of an idle screen.
    idle_drawn: bool,
    dirty: bool,
    /// What the user did is not on the screen yet.
    key_waits: bool,
    last_frame: Option<Instant>,
    /// The size that the last frame was drawn for.
    drawn_size: Option<Size>,
    /// The logins to MCP servers that are under way, by name.
    logins: HashMap<String, AbortOnDropHandle<()>>,
    /// Signing in to an account, while that goes on.
    signing_in: Option<AbortOnDropHandle<()>>,
    /// Questions that belong to no turn, and since when one stands with no turn around it.
    asking: Asking,
    task_news: TaskNews,
    news: News,
    /// Nothing is drawn before then.
    quiet_until: Option<Instant>,
    /// Another session is wanted in place of the open one.
    pending_switch: Option<Which>,
    /// The configuration is to be read anew.
    pending_reload: bool,
    leaving: bool,
    signal: Option<Signal>,
}

impl App {
    fn new(host: Host, screen: Screen, opened: Opened, options: &TuiOptions) -> Self {
        let env = host.env.clone();
        let support = ColorSupport::detect(&env);
        let theme = load_theme(&host, support, &host.config().theme);
        let Opened { handle, tour, .. } = opened;
        let info = handle.info();
        let messages = handle.subscribe();
        let (jobs, finished_jobs) = Jobs::new(env.clone());
        let files = {
            let jobs = jobs.clone();
            FileIndex::new(host.options.work_dir.clone(), Arc::clone(&env.clock), move || {
                jobs.report(Done::FilesFound)
            })
        };
        let composer = Composer::new(
            History::default(),
            commands::menu(),
            Some(files),
            PasteThresholds::from_env(&env),
        );
        let transcript = new_transcript(&env, &host.options.work_dir, &info)
            .with_servers(host.options.mcp.clone())
            .with_thinking(host.config().show_thinking_stream);
        Self {
            screen,
            theme,
            support,
            messages,
            context: (0, info.max_context_tokens),
            info,
            tour,
            usage: TokenUsage::default(),
            transcript,
            composer,
            skills: Arc::default(),
            side: None,
            flow: None,
            turn: None,
            queue: VecDeque::new(),
            steering: VecDeque::new(),
            dialogs: VecDeque::new(),
            shown_plan: None,
            pane: None,
            picker_at_start: options.picker,
            todos_open: false,
            goal: GoalView::default(),
            toasts: Toasts::default(),
            books: Books::default(),
            door: Door::default(),
            jobs,
            finished_jobs,
            branch: None,
            clock_text: String::new(),
            last_key: None,
            escaped: None,
            back_to: None,
            sending: None,
            exit_armed: None,
            stir_until: None,
            flip: Flip::None,
            idle_drawn: false,
            dirty: true,
            key_waits: false,
            last_frame: None,
            drawn_size: None,
            logins: HashMap::new(),
            signing_in: None,
            asking: Asking::new(options.can_ask),
            task_news: TaskNews::default(),
            news: News::default(),
            quiet_until: None,
            pending_switch: None,
            pending_reload: false,
            leaving: false,
            signal: None,
            session: handle,
            env,
            host,
        }
    }

    /// What stands on the screen first. Whatever takes time is started after the first frame.
    async fn begin(&mut self, options: &TuiOptions) -> Result<(), TuiError> {
        self.tick_clock();
        self.welcome();
        for notice in &options.notices {
            self.say(Severity::Info, notice, "");
        }
        self.replay_past().await;
        self.take_goal_of_session();
        let mut warnings = self.host.loaded.warnings.clone();
        warnings.extend(self.session.warnings.iter().cloned());
        for warning in warnings {
            self.say(Severity::Warning, &warning, "");
        }
        self.draw()?;
        self.open_door();
        self.jobs.load_history(self.host.store.share().user_history(&self.host.options.work_dir));
        self.jobs.find_branch(self.host.options.work_dir.clone());
        self.look_for_skills();
        self.start_servers();
        self.watch_tasks();
        if self.picker_at_start {
            self.open_session_picker(false)?;
        }
        Ok(())
    }

    async fn run(&mut self, initial_prompt: Option<String>) -> Result<(), TuiError> {
        if let Some(prompt) = initial_prompt {
            self.enter_text(&prompt)?;
        }
        while !self.leaving {
            if let Some(which) = self.pending_switch.take() {
                self.switch_session(&which).await?;
            }
            if std::mem::take(&mut self.pending_reload) {
                self.carry_out_reload().await?;
            }
            self.take_up_news()?;
            self.draw_when_due()?;
            self.tell();
            let wake = self.next_wake();
            tokio::select! {
                biased;
                happening = self.screen.next() => match happening {
                    Happening::Input(input) => self.on_input(input)?,
                    Happening::Signal(signal) => {
                        self.signal = Some(signal);
                        self.leaving = true;
                    }
                    Happening::Gone => self.leaving = true,
                },
                done = self.finished_jobs.recv() => {
                    if let Some(done) = done {
                        self.on_job(done)?;
                    }
                }
                asked = self.door.next() => self.on_asked(asked).await?,
                message = self.messages.recv() => match message {
                    Some(message) => {
                        self.on_message(&message)?;
                        self.drain()?;
                    }
                    None => self.leaving = true,
                },
                () = sleep_until(wake) => self.on_wake()?,
            }
        }
        Ok(())
    }

    /// Takes in what else has come, for a bounded time: keys come first again after it.
    fn drain(&mut self) -> Result<(), TuiError> {
        let until = self.now() + DRAIN_BUDGET;
        while self.now() < until && !self.leaving {
            match self.messages.try_recv() {
                Ok(message) => self.on_message(&message)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn on_input(&mut self, input: Input) -> Result<(), TuiError> {
        self.dirty = true;
        self.key_waits = true;
        match input {
            Input::Key(key) => self.on_key(key),
            Input::Paste(text) => {
                self.last_key = Some(self.now());
                self.on_paste(&text)
            }
            Input::Resize(size) => {
                self.screen.resized(size);
                self.redraw_pane()
            }
            Input::FocusGained => {
                self.screen.set_focused(true);
                Ok(())
            }
            Input::FocusLost => {
                self.screen.set_focused(false);
                Ok(())
            }
        }
    }

    fn on_wake(&mut self) -> Result<(), TuiError> {
        let now = self.now();
        if self.exit_armed.is_some_and(|until| until <= now) {
            self.exit_armed = None;
            self.dirty = true;
        }
        if self.toasts.expire(now) {
            self.dirty = true;
        }
        match self.stir_until {
            Some(until) if until > now => {
                self.screen.docked().refresh();
                self.dirty = true;
            }
            Some(_) => self.stir_until = None,
            None => {}
        }
        if self.spinning_since().is_some() {
            self.dirty = true;
        }
        self.tick_browser()
    }

    /// Leaves: the terminal first, so that the user is not kept waiting, then the session.
    async fn end(mut self) -> Ended {
        self.leaving = true;
        self.door.refuse_all();
        let running = self.turn.is_some();
        if running {
            self.session.submit(Op::Cancel);
        }
        let closed = self.close_pane();
        self.screen.docked().set_open(Vec::new());
        let left = self.screen.leave();
        for error in [closed.err(), left.err().map(TuiError::Terminal)].into_iter().flatten() {
            tracing::warn!(%error, "the terminal was not left cleanly");
        }
        let session = self.session.session().clone();
        // Whoever ends us by a signal does not wait long.
        let patience = self.signal.map(|_| SHORT_END);
        let stopped = self.session.shutdown(patience).await;
        // Its last word goes into the session's directory, which may be removed after that.
        self.door.shut().await;
        let kept = self.host.close(&session);
        Ended { session_id: kept.then_some(session.id), signal: self.signal, stopped }
    }

    /// A remark of the program in the transcript.
    fn say(&mut self, severity: Severity, title: &str, body: &str) {
        self.door.heard(severity, title, body);
        let columns = self.columns();
        let rows = self.transcript.say(severity, title, body, columns, &self.theme);
        self.screen.docked().commit(rows);
        self.dirty = true;
    }

    /// What somebody has asked for, with more room than a remark has.
    fn report(&mut self, title: &str, body: &str) {
        self.door.heard(Severity::Info, title, body);
        let columns = self.columns();
        let rows = self.transcript.report(title, body, columns, &self.theme);
        self.screen.docked().commit(rows);
        self.dirty = true;
    }

    /// Brings an update of the transcript to the screen.
    fn show(&mut self, update: Update) {
        let docked = self.screen.docked();
        if update.retract > 0 && docked.retract(update.retract) > 0 {
            let (columns, theme) = (self.columns(), &self.theme);
            let title = "The attempt above failed; what it had written is withdrawn.";
            let rows = self.transcript.say(Severity::Warning, title, "", columns, theme);
            self.screen.docked().commit(rows);
        }
        self.screen.docked().commit_marked(update.rows, &update.marks);
    }

    fn busy(&self) -> bool {
        self.turn.is_some()
    }

    fn now(&self) -> Instant {
        self.env.clock.instant()
    }

    fn columns(&mut self) -> u16 {
        self.screen.docked().size().columns
    }

    fn tick_clock(&mut self) {
        self.clock_text = clock_text(self.env.unix_now());
    }

    /// A path with the home directory as `~`.
    fn tilde(&self, path: &str) -> String {
        self.env.tilde(path)
    }

    fn set_theme(&mut self, name: &str) {
        self.theme = load_theme(&self.host, self.support, name);
        self.dirty = true;
    }
}

fn load_theme(host: &Host, support: ColorSupport, name: &str) -> Theme {
    let (theme, warnings) = Theme::load(name, Some(&host.store.share().root().join("themes")));
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let theme = theme.with_support(support);
    // A program that reads the screen tells things apart by these colours; a person has a theme.
    if host.env.var("CAO_TERMINAL_ID").is_some() { theme.for_multiplexer() } else { theme }
}

/// `12:01` for a Unix time in seconds, in the local time zone.
fn clock_text(unix: f64) -> String {
    let seconds = unix.clamp(0.0, 253_402_207_200.0) as i64;
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| String::new(),
        |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string(),
    )
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
