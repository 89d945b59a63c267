//! From a checked launch to a running session with its front end.

use std::sync::Arc;
use std::time::Duration;

use super::{
    AgentChoice, ConfigChoice, ExitCode, Front, Launch, SessionChoice, UsageError, acp, code,
    complain, mcp, wire,
};
use crate::agent::Modes;
use crate::auth;
use crate::config::{Config, ConfigSource, write_default_if_missing};
use crate::customize::hooks::HookSet;
use crate::customize::plugins;
use crate::customize::{Agent, CODE_NAMES};
use crate::front::ending::{resume_hint, stopped_tasks};
use crate::front::host::{Host, HostError, HostOptions, Which};
use crate::front::print::{self, Door, Link, PrintOptions};
use crate::front::text::clean_line;
use crate::front::tui::{self, Signal, TuiOptions};
use crate::mcp::config::Source;
use crate::mcp::connection::Surroundings;
use crate::mcp::elicit::Person;
use crate::mcp::limits::Limits;
use crate::mcp::project::{Project, ProjectFile};
use crate::mcp::servers::{Servers, Sources};
use crate::platform::process::guard;
use crate::platform::{Env, underway};
use crate::store::{SessionStore, ShareDir, check_session_id};

/// Threads for the agent; the screen has the main thread, and what blocks has threads of its own. A
/// second one would only hand the pieces of an answer to and fro between itself and the first.
const WORKERS: usize = 1;

/// Runs until the front end ends. An error is one line for stderr and status 1, except for a
/// [`super::UsageError`], which is reported as such.
pub fn run(mut launch: Launch, env: Env) -> anyhow::Result<ExitCode> {
    if let SessionChoice::Id(id) = &launch.session {
        check_session_id(id)
            .map_err(|error| UsageError::invalid("--session", error.to_string()))?;
    }
    if matches!(launch.front, Front::Tui { .. }) && !launch.terminals.stdout {
        anyhow::bail!(
            "The screen needs a terminal, but standard output is not one. Use `kimi -p TEXT` to ask \
             once."
        );
    }
    if matches!(launch.front, Front::Acp { .. }) {
        return acp::run(&launch, &env);
    }
    let host = host(&launch, &env, Vec::new())?;
    if let SessionChoice::Id(id) = &launch.session
        && let Some(kept) = code::kept_as(&host.store, &launch.work_dir, id)
    {
        launch.session = SessionChoice::Id(kept);
    }
    let written = write_config(&host);
    let runtime = runtime()?;
    let servers = host.options.mcp.clone();
    // One prompt and its answer are over before a list is of use.
    let stays = matches!(launch.front, Front::Tui { .. } | Front::Wire { .. });
    let refreshes = stays && host.own_config().is_some() && env.data_root.is_none();
    let (result, _settled) = runtime.block_on(async {
        if refreshes {
            auth::refresh_soon(&env);
        }
        let result = match launch.front.clone() {
            Front::Tui { initial_prompt } => screen(host, &launch, initial_prompt).await,
            Front::Print(_) => print_mode(host, &launch).await,
            Front::Wire { worker } => wire::serve(host, &launch, worker).await,
            // Has been served.
            Front::Acp { .. } => Ok(ExitCode::Success),
        };
        if let Some(servers) = servers {
            servers.shutdown().await;
        }
        (result, underway::settle().await)
    });
    if let Some(written) = written {
        let _ = written.join();
    }
    // A thread may hold a read of stdin that never ends.
    runtime.shutdown_background();
    result
}

/// What everything runs on that waits.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()
}

/// What a session of this launch needs, with MCP servers that a client brings beside those of the
/// launch.
pub(super) fn host(launch: &Launch, env: &Env, brought: Vec<Source>) -> anyhow::Result<Host> {
    let source = match &launch.config {
        ConfigChoice::Default => ConfigSource::Default,
        ConfigChoice::File(path) => ConfigSource::File(path.clone()),
        ConfigChoice::Text(text) => ConfigSource::Text(text.clone()),
    };
    let mut loaded = Config::load(&source, env)?;
    if launch.speaks_code() {
        code::add_second_config(&mut loaded, env)?;
    }
    loaded.warnings.extend(loaded.config.unused_warning());
    let agent = match &launch.agent {
        AgentChoice::Builtin(which) => Agent::builtin(*which)?,
        AgentChoice::File(file) => {
            let plugins = ShareDir::from_env(env).plugins_dir();
            Agent::load(file, &|| plugins::tool_names(&plugins))?
        }
    };
    loaded.warnings.extend(agent.warnings.iter().cloned());
    let mut hooks = HookSet::new(&loaded.config.hooks);
    loaded.warnings.extend(hooks.warnings.iter().cloned());
    let (agent, tool_names) = match launch.speaks_code() {
        true => {
            hooks = hooks.in_code_names();
            (agent.in_code_names(), CODE_NAMES)
        }
        false => (agent, Default::default()),
    };
    let share = ShareDir::from_env(env);
    let servers = servers(launch, env, &share, &loaded.config, brought)?;
    let store = SessionStore::new(share);
    Ok(Host {
        env: env.clone(),
        options: Arc::new(HostOptions {
            work_dir: launch.work_dir.clone(),
            add_dirs: launch.add_dirs.clone(),
            model: launch.model.clone(),
            thinking: launch.thinking,
            modes: Modes {
                yolo: launch.yolo,
                afk: launch.afk,
                runtime_afk: matches!(launch.front, Front::Print(_)),
            },
            plan: launch.plan || wire::begins_planning(launch, &loaded.config, &store),
            max_steps_per_turn: launch.max_steps_per_turn,
            max_retries_per_step: launch.max_retries_per_step,
            budget: launch.budget,
            agent: Some(Arc::new(agent)),
            mcp: Some(Arc::new(servers)),
            hooks: Arc::new(hooks),
            tour: matches!(launch.front, Front::Tui { .. }),
            skills_dirs: launch.skills_dirs.clone(),
            max_ralph_iterations: launch.max_ralph_iterations,
            tool_names,
        }),
        loaded: Arc::new(loaded),
        store,
    })
}

/// Writes the configuration file with all defaults if there is none: other programs look for its keys
/// and edit them. On a thread of its own, since the first frame does not wait for a disk.
pub(super) fn write_config(host: &Host) -> Option<std::thread::JoinHandle<()>> {
    // kimi-code's configuration is not ours to make.
    let ours = host.loaded.is_default_file && host.env.data_root.is_none();
    let path = host.loaded.path.clone().filter(|_| ours)?;
    std::fs::symlink_metadata(&path).is_err().then(|| {
        std::thread::spawn(move || {
            if let Err(error) = write_default_if_missing(&path) {
                tracing::warn!(%error, "the configuration has no file");
            }
        })
    })
}

/// The MCP servers of the options and of the data directory. Nothing is started yet, and the file
/// in the data directory is not read yet.
fn servers(
    launch: &Launch,
    env: &Env,
    share: &ShareDir,
    config: &Config,
    brought: Vec<Source>,
) -> anyhow::Result<Servers> {
    let sources = Sources {
        default_file: launch.mcp.files.is_empty().then(|| share.mcp_json()),
        project: launch.mcp.files.is_empty().then(|| Project::around(&launch.work_dir, share)),
        given: mcp::check(&launch.mcp)?,
        brought,
    };
    let around = Surroundings {
        env: env.clone(),
        work_dir: launch.work_dir.clone(),
        logs: share.logs_dir().join("mcp"),
        // Programs say themselves whether they have one.
        person: Person::new(matches!(launch.front, Front::Tui { .. })),
        guard: guard::program(),
    };
    let timeout = Duration::from_millis(config.mcp_client.tool_call_timeout_ms);
    Ok(Servers::new(sources, around, Limits::from_env(env), timeout))
}

pub(super) fn which(choice: &SessionChoice) -> Which {
    match choice {
        SessionChoice::New | SessionChoice::Picker => Which::New,
        SessionChoice::Id(id) => Which::Id(id.clone()),
        SessionChoice::Continue => Which::Last,
    }
}

/// Nothing to continue is a mistake on the command line; everything else is told as it is.
pub(super) fn host_error(error: HostError) -> anyhow::Error {
    match error {
        HostError::NoPreviousSession => UsageError::invalid("--continue", error.to_string()).into(),
        error => error.into(),
    }
}

async fn screen(
    host: Host,
    launch: &Launch,
    initial_prompt: Option<String>,
) -> anyhow::Result<ExitCode> {
    let options = TuiOptions {
        which: which(&launch.session),
        picker: launch.session == SessionChoice::Picker,
        initial_prompt,
        can_ask: launch.terminals.stdin,
        notices: launch.notices.clone(),
    };
    let ended = match tui::run(host, options).await {
        Ok(ended) => ended,
        Err(tui::TuiError::Host(error)) => return Err(host_error(error)),
        Err(error) => return Err(error.into()),
    };
    match ended.signal {
        Some(Signal::Terminate) => return Ok(ExitCode::Terminated),
        Some(Signal::Interrupt) => return Ok(ExitCode::Interrupted),
        Some(Signal::Hangup) => return Ok(ExitCode::Failure),
        None => {}
    }
    // The terminal may be gone by now; the end is the same then.
    let _ = super::print("Bye!\n");
    if !ended.stopped.is_empty() {
        complain(&stopped_tasks(&ended.stopped));
    }
    if let Some(id) = ended.session_id {
        complain(&resume_hint(&id));
    }
    Ok(ExitCode::Success)
}

async fn print_mode(host: Host, launch: &Launch) -> anyhow::Result<ExitCode> {
    let warn = |warning: &String| complain(&format!("{}\n", clean_line(warning)));
    host.loaded.warnings.iter().for_each(warn);
    let which = match launch.speaks_code() {
        true => code::which(&host, &launch.session)?,
        false => which(&launch.session),
    };
    // A person would be asked; here a missing sign-in is told before anything is begun.
    host.has_model().map_err(HostError::Select)?;
    let opened = host.open(&which).map_err(host_error)?;
    if let Some(servers) = &host.options.mcp {
        servers.start();
        servers.warnings().iter().for_each(warn);
        servers.unasked().iter().map(ProjectFile::unasked_line).for_each(|line| warn(&line));
    }
    opened.warnings.iter().for_each(warn);
    let session = opened.handle.session().clone();
    if opened.handle.info().model.is_none() {
        opened.handle.shutdown(None).await;
        host.close(&session);
        if launch.speaks_code() {
            return Err(code::NoModel(host.store.share().config_toml()).into());
        }
        anyhow::bail!(
            "LLM not set: no model is configured. Set KIMI_API_KEY, or add a provider and a model to {}.",
            host.store.share().config_toml().display()
        );
    }
    let id = match launch.speaks_code() {
        true => code::announced(&session.id),
        false => session.id.clone(),
    };
    let mut options: PrintOptions = launch.print_options(&id).unwrap_or_default();
    options.columns = crossterm::terminal::size().ok().map(|(columns, _)| columns.into());
    let link = Link {
        ops: opened.handle.ops(),
        messages: opened.handle.subscribe(),
        background: Some(opened.handle.background()),
    };
    let door = Door::open(&host.env, host.store.share(), &session, &opened.handle.info());
    let code = print::run_on_process(options, link, door).await?;
    if let Some(servers) = &host.options.mcp {
        servers.failures().iter().for_each(warn);
    }
    // After a signal nobody waits long, and it may be behind any of these.
    let patience = matches!(
        code,
        ExitCode::Failure | ExitCode::GoalPaused | ExitCode::Interrupted | ExitCode::Terminated
    )
    .then_some(Duration::from_millis(500));
    let stopped = opened.handle.shutdown(patience).await;
    if !stopped.is_empty() {
        complain(&stopped_tasks(&stopped));
    }
    if host.close(&session)
        && launch.speaks_code()
        && !opened.resumed
        && let Err(error) = code::register(&host, &session)
    {
        warn(&error.to_string());
    }
    Ok(code)
}
