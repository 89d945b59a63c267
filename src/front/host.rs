//! What every front end needs around a session: opening one, the configured models, the history.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::agent::{
    Budget, Crew, Limits, MakePrompt, ModelSource, Modes, PlanStart, PromptFacts, SessionHandle,
    SessionOptions,
};
use crate::auth::{Bearer, Credentials, UnsafeAddress};
use crate::config::{
    self, Config, ConfigError, LoadedConfig, LoopControl, ModelChoice, SelectError, ServiceConfig,
    set_key,
};
use crate::customize::hooks::HookSet;
use crate::customize::plugins;
use crate::customize::skills::Places;
use crate::customize::{self, Agent, AgentError, Builtin};
use crate::llm::spec::KindError;
use crate::llm::{
    self, Capabilities, DeviceId, Llm, ModelSpec, ProviderKind, Secret, Service, TokenSource,
    ToolNames,
};
use crate::mcp::dispatch::Dispatch;
use crate::mcp::servers::Servers;
use crate::platform::{Env, process, shell};
use crate::store::{Session, SessionLock, SessionStore, SessionSummary, StoreError, device_id};
use crate::tools::{Registry, Tool, WebServices, Workspace};

/// Which session to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    New,
    /// This one; made if it does not exist.
    Id(String),
    /// The last one of the work directory.
    Last,
    /// A copy of this one, under this title.
    Fork {
        of: Session,
        title: Option<String>,
    },
}

/// What the command line asks of every session of this process.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// Absolute; symlinks not resolved.
    pub work_dir: PathBuf,
    pub add_dirs: Vec<PathBuf>,
    pub model: Option<String>,
    pub thinking: Option<bool>,
    pub modes: Modes,
    /// Plan mode is on from the start.
    pub plan: bool,
    pub max_steps_per_turn: Option<u32>,
    pub max_retries_per_step: Option<u32>,
    pub budget: Budget,
    /// Who works in the sessions; `None` for the built-in default.
    pub agent: Option<Arc<Agent>>,
    /// The MCP servers of this process; `None` without any.
    pub mcp: Option<Arc<Servers>>,
    /// The hooks of the configuration.
    pub hooks: Arc<HookSet>,
    /// Let the built-in scripted tour answer when no model is configured.
    pub tour: bool,
    /// Directories that replace the search for skills; empty leaves it.
    pub skills_dirs: Vec<PathBuf>,
    /// How often a task is gone over again; `None` leaves it to the configuration.
    pub max_ralph_iterations: Option<i64>,
    /// Names that models know tools by, where they are others than ours.
    pub tool_names: ToolNames,
}

/// Opens sessions as this process was launched.
#[derive(Clone)]
pub struct Host {
    pub env: Env,
    pub store: SessionStore,
    pub loaded: Arc<LoadedConfig>,
    pub options: Arc<HostOptions>,
}

/// Why no session could be opened.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// `--continue` in a directory without sessions.
    #[error("No previous session found for the working directory")]
    NoPreviousSession,
    /// A budget in money needs to know what the model costs.
    #[error(
        "--max-budget-usd needs the prices of model {0:?}. Add them to it in config.toml, in US dollars \
         per million tokens: prices = {{ input = 0.60, output = 2.50, cache_read = 0.15 }}"
    )]
    NoPrices(String),
    /// The token of a sign-in is nobody else's to read.
    #[error(
        "Model {name:?} cannot be used: {why}. Correct it in config.toml or in KIMI_BASE_URL, or set a key."
    )]
    UnsafeAddress { name: String, why: UnsafeAddress },
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Select(#[from] SelectError),
    #[error(transparent)]
    Kind(#[from] KindError),
    #[error(transparent)]
    Connect(#[from] llm::ConnectError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A session that is open.
pub struct Opened {
    pub handle: SessionHandle,
    /// Whether the session has a past.
    pub resumed: bool,
    /// What was mended on the way, one line each.
    pub warnings: Vec<String>,
    /// The scripted tour answers.
    pub tour: bool,
}

impl Host {
    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// Opens a session. Reads its records: call it where blocking is allowed, inside the runtime.
    pub fn open(&self, which: &Which) -> Result<Opened, HostError> {
        let agent = self.agent()?;
        let work_dir = &self.options.work_dir;
        let mut warnings = Vec::new();
        let found = match which {
            Which::New => None,
            Which::Id(id) => self.store.find(work_dir, id)?,
            Which::Fork { of, title } => {
                let (fork, more) = self.store.fork(of, title.as_deref(), &self.env)?;
                warnings.extend(more);
                Some(fork)
            }
            Which::Last => Some(self.store.latest(work_dir).ok_or(HostError::NoPreviousSession)?),
        };
        let resumed = found.is_some();
        // The model comes first: a wrong --model must not leave an empty session behind.
        let session_id = match (&found, which) {
            (Some(session), _) => session.id.clone(),
            (None, Which::Id(id)) => id.clone(),
            (None, _) => self.env.ids.uuid(),
        };
        let llm = self.first_model(&session_id)?;
        let session = match found {
            Some(session) => session,
            None => {
                let (session, more) = self.store.create(work_dir, Some(&session_id), &self.env)?;
                warnings.extend(more);
                session
            }
        };
        let tour = llm.as_ref().is_some_and(|llm| llm.is_tour);
        let secrets = plugins::Secrets::of(self.config(), &self.env);
        let plugins_dir = self.store.share().plugins_dir();
        let (plugin_tools, left_out) = plugins::tools(&plugins_dir, &secrets);
        let web = self.web();
        let crew = self.crew(&agent, web.clone(), plugin_tools.clone());
        let mut handle = SessionHandle::open(SessionOptions {
            env: self.env.clone(),
            places: Some(self.places()),
            workspace: Arc::new(
                Workspace::new(work_dir.clone(), self.options.add_dirs.clone())
                    .with_skills(self.places().directories()),
            ),
            models: Arc::new(Models { host: self.clone(), session_id, client: Mutex::default() }),
            registry: Registry::chosen_among(
                agent.tools.iter().map(String::as_str),
                &web,
                crew.tools(),
            )
            .with(plugin_tools.into_iter().filter(|tool| agent.plugins.has(tool.name()))),
            crew: Some(crew),
            dispatch: self
                .options
                .mcp
                .as_ref()
                .map(|servers| Dispatch::new(Arc::clone(servers), self.config().mcp_mode)),
            hooks: Arc::clone(&self.options.hooks),
            limits: self.limits(),
            reads_only: agent.reads_only,
            afk_reminder: !self.config().skip_afk_prompt_injection,
            background: self.config().background.clone(),
            claim_stale_after_ms: self.config().notifications.claim_stale_after_ms,
            program: process::own_program(),
            modes: self.modes(),
            plan: PlanStart {
                dir: self.store.share().plans_dir(),
                on: self.options.plan || (!resumed && self.config().default_plan_mode),
            },
            rules: self.config().permission.clone(),
            system_prompt: self.system_prompt(agent),
            llm,
            lock: SessionLock::take(&session)?,
            session,
        })?;
        handle.warnings.extend(left_out);
        warnings.extend(handle.warnings.iter().cloned());
        Ok(Opened { handle, resumed, warnings, tour })
    }

    /// Ends a session that was left: an empty one that nobody else has open is removed, another is
    /// remembered as the last. Returns whether there is something to resume.
    pub fn close(&self, session: &Session) -> bool {
        let removed = SessionLock::take(session).and_then(|lock| match lock {
            Some(_alone) => self.store.remove_if_empty(session),
            None => Ok(false),
        });
        match removed {
            Ok(true) => return false,
            Ok(false) if self.store.is_empty(session) => return false,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "an empty session stays behind"),
        }
        if let Err(error) = self.store.index().set_last_session(&session.work_dir, &session.id) {
            tracing::warn!(%error, "the session cannot be remembered as the last one");
        }
        true
    }

    /// The sessions of the work directory, or all of them, newest first.
    pub fn sessions(&self, all: bool) -> Vec<SessionSummary> {
        if all { self.store.list_all() } else { self.store.list(&self.options.work_dir) }
    }

    /// Whether there is a model to begin with. The error says why the one that is meant cannot be used,
    /// also when only a sign-in is missing; that is looked for on the disk.
    pub fn has_model(&self) -> Result<bool, SelectError> {
        let choice = config::select(self.config(), self.options.model.as_deref(), &self.env)?;
        let Some(choice) = choice else { return Ok(false) };
        match &choice.oauth {
            Some(oauth) if choice.api_key.is_empty() && !self.is_signed_in(&oauth.key) => {
                Err(SelectError::SignIn { name: choice.name, provider: choice.provider_name })
            }
            _ => Ok(true),
        }
    }

    fn is_signed_in(&self, key: &str) -> bool {
        Credentials::of(key, &self.env).is_some_and(|file| file.is_there())
    }

    /// See [`Bearer::of`].
    fn bearer(
        &self,
        base_url: &str,
        key: &str,
        instead: &str,
    ) -> Result<Option<Arc<dyn TokenSource>>, UnsafeAddress> {
        let bearer = Bearer::of(key, base_url, Secret::new(instead), &self.env)?;
        Ok(bearer.map(|bearer| Arc::new(bearer) as Arc<dyn TokenSource>))
    }

    /// Whether a session may use this model of the configuration from now on.
    pub fn check_model(&self, name: &str) -> Result<(), HostError> {
        let choice = config::select(self.config(), Some(name), &self.env)?;
        choice.map_or(Ok(()), |choice| spec_of(choice).map(drop)).map_err(HostError::from)
    }

    /// The configuration file that choices are written to: the user's own, never one that was named
    /// on the command line for this run.
    pub fn own_config(&self) -> Option<PathBuf> {
        self.loaded.is_default_file.then(|| self.store.share().config_toml())
    }

    /// Makes a model the one that sessions begin with, when the configuration is the user's own file.
    /// Writes to the disk.
    pub fn keep_model(&self, name: &str, thinking: Option<bool>) -> Result<(), ConfigError> {
        let Some(path) = self.own_config() else { return Ok(()) };
        set_key(&path, &["default_model"], name)?;
        thinking.map_or(Ok(()), |thinking| set_key(&path, &["default_thinking"], thinking))
    }

    /// The model a session begins with.
    fn first_model(&self, session_id: &str) -> Result<Option<Llm>, HostError> {
        let chosen = config::select(self.config(), self.options.model.as_deref(), &self.env);
        let choice = match chosen {
            // A client learns at the first turn that there is no model, and can do something about it
            // meanwhile. On the screen a person is told before anything begins.
            Err(error @ SelectError::Incomplete { .. }) if !self.options.tour => {
                tracing::warn!("{error}");
                None
            }
            chosen => chosen?,
        };
        match choice {
            Some(choice) => self.connect(choice, self.options.thinking, session_id, None).map(Some),
            None if self.options.tour => {
                let scratch = self.store.share().root().join("tour");
                if let Err(error) = std::fs::create_dir_all(&scratch) {
                    tracing::warn!(%error, "the tour has no scratch directory");
                }
                let spec = tour_spec(&scratch);
                Ok(Some(llm::connect(&spec, true, session_id, None, &self.env)?))
            }
            None => Ok(None),
        }
    }

    fn connect(
        &self,
        choice: ModelChoice,
        thinking: Option<bool>,
        session_id: &str,
        client: Option<&str>,
    ) -> Result<Llm, HostError> {
        for warning in &choice.warnings {
            tracing::warn!("{warning}");
        }
        if self.options.budget.usd.is_some() && choice.prices.is_none() {
            return Err(HostError::NoPrices(choice.name));
        }
        let thinking = config::resolve_thinking(self.config(), thinking, &choice);
        let name = choice.name.clone();
        let tokens = match &choice.oauth {
            Some(oauth) if !choice.provider_type.starts_with('_') => self
                .bearer(&choice.base_url, &oauth.key, &choice.api_key)
                .map_err(|why| HostError::UnsafeAddress { name, why })?,
            _ => None,
        };
        let spec = spec_of(choice)?;
        let connection = llm::Connection {
            thinking,
            session_id,
            user_agent_suffix: client,
            device_id: Some(self.device_id()),
            tokens,
            ..llm::Connection::default()
        };
        let llm = connection.open(&spec, &self.env)?;
        Ok(match self.options.tool_names {
            [] => llm,
            names => llm.with_tool_names(names),
        })
    }

    /// The configured services of the web. One that cannot be used is passed over, with a line in the
    /// log: a session is worth more than a search.
    fn web(&self) -> WebServices {
        let service = |name: &str, config: &Option<ServiceConfig>| {
            let config = config.as_ref().filter(|config| !config.base_url.is_empty())?;
            let tokens = match config.token_key() {
                Some(key) if config.api_key.is_empty() && !self.is_signed_in(key) => return None,
                None => Ok(None),
                Some(key) => self.bearer(&config.base_url, key, &config.api_key),
            };
            let tokens = match tokens {
                Ok(tokens) => tokens,
                Err(error) => {
                    tracing::warn!(%error, "services.{name} cannot be used");
                    return None;
                }
            };
            let key = Secret::new(config.api_key.clone());
            let headers: Vec<_> = config.custom_headers.clone().into_iter().collect();
            let clock = Arc::clone(&self.env.clock);
            match Service::new(&config.base_url, &key, &headers, Some(self.device_id()), clock) {
                Ok(service) => Some(Arc::new(service.with_tokens(tokens))),
                Err(error) => {
                    tracing::warn!(%error, "services.{name} cannot be used");
                    None
                }
            }
        };
        let services = &self.config().services;
        WebServices {
            search: service("moonshot_search", &services.moonshot_search),
            fetch: service("moonshot_fetch", &services.moonshot_fetch),
        }
    }

    fn device_id(&self) -> DeviceId {
        let (share, env) = (self.store.share().clone(), self.env.clone());
        Arc::new(move || device_id(&share, &env))
    }

    fn limits(&self) -> Limits {
        let control = &self.config().loop_control;
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Limits {
            max_steps_per_turn: self
                .options
                .max_steps_per_turn
                .unwrap_or_else(|| narrow(control.max_steps_per_turn)),
            // Files that Kimi writes have the usual number in them, which nobody gave.
            max_retries_per_step: self.options.max_retries_per_step.or_else(|| {
                let usual = LoopControl::default().max_retries_per_step;
                let given = control.max_retries_per_step;
                (given != usual).then(|| narrow(given))
            }),
            reserved_context: control.reserved_context_size,
            compaction_trigger_ratio: control.compaction_trigger_ratio,
            max_ralph_iterations: self
                .options
                .max_ralph_iterations
                .unwrap_or(control.max_ralph_iterations),
            budget: self.options.budget,
        }
    }

    fn modes(&self) -> Modes {
        let (asked, config) = (self.options.modes, self.config());
        Modes {
            yolo: asked.yolo || config.default_yolo,
            afk: asked.afk || config.default_afk,
            ..asked
        }
    }

    /// Where the skills of this process are.
    pub fn places(&self) -> Places {
        Places::new(
            &self.env,
            self.store.share().root(),
            &self.options.work_dir,
            &self.options.skills_dirs,
            &self.config().extra_skill_dirs,
            self.config().merge_all_available_skills,
        )
    }

    fn agent(&self) -> Result<Arc<Agent>, AgentError> {
        match &self.options.agent {
            Some(agent) => Ok(Arc::clone(agent)),
            None => Agent::builtin(Builtin::Default).map(Arc::new),
        }
    }

    /// The prompt of a session that has none yet. A resumed one keeps its own, also with another
    /// agent, until its conversation is cleared or compacted: only the tools follow that at once.
    fn system_prompt(&self, agent: Arc<Agent>) -> MakePrompt {
        let host = self.clone();
        Arc::new(move || host.facts(&host.options.add_dirs).render(&agent, &host.env))
    }

    /// The agents that this one may start.
    fn crew(&self, agent: &Agent, web: WebServices, plugins: Vec<Arc<dyn Tool>>) -> Arc<Crew> {
        let host = self.clone();
        let prompt =
            move |agent: &Agent, dirs: &[PathBuf]| host.facts(dirs).render(agent, &host.env);
        Crew::new(agent.subagents.clone(), Arc::new(prompt), web, plugins)
    }

    /// What a prompt says about the surroundings.
    fn facts(&self, additional_dirs: &[PathBuf]) -> PromptFacts {
        let shell = shell::detect();
        let agents = customize::discover(&self.options.work_dir, &self.env);
        for warning in &agents.warnings {
            tracing::warn!("{warning}");
        }
        let skills = self.places().skills();
        for problem in &skills.problems {
            tracing::warn!("{problem}");
        }
        let shell_name = shell.file_name().unwrap_or_default().to_string_lossy();
        PromptFacts {
            work_dir: self.options.work_dir.clone(),
            additional_dirs: additional_dirs.to_vec(),
            agents_md: agents.text,
            cut: agents.warnings,
            skills: skills.prompt(),
            shell: format!("{shell_name} (`{}`)", shell.display()),
        }
    }
}

/// The models of a session, by configured name.
struct Models {
    host: Host,
    session_id: String,
    /// Which program drives us, as the providers are told.
    client: Mutex<Option<String>>,
}

impl ModelSource for Models {
    fn connect(&self, name: Option<&str>, thinking: Option<bool>) -> Result<Llm, String> {
        let choice = config::select(self.host.config(), name, &self.host.env)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "no model is configured".to_owned())?;
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.host
            .connect(choice, thinking, &self.session_id, client.as_deref())
            .map_err(|error| error.to_string())
    }

    fn introduce(&self, client: &str) -> bool {
        let mut known = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let news = known.as_deref() != Some(client);
        *known = Some(client.to_owned());
        news
    }
}

/// What the provider needs of a chosen model.
fn spec_of(choice: ModelChoice) -> Result<ModelSpec, KindError> {
    let capabilities = Capabilities {
        thinking: choice.can("thinking"),
        always_thinking: choice.can("always_thinking"),
        image_in: choice.can("image_in"),
        video_in: choice.can("video_in"),
    };
    Ok(ModelSpec {
        name: choice.name,
        display_name: Some(choice.display_name),
        kind: choice.provider_type.parse()?,
        base_url: choice.base_url,
        api_key: Secret::new(choice.api_key),
        model: choice.model,
        max_context: choice.max_context,
        capabilities,
        prices: choice.prices,
        custom_headers: choice.custom_headers.into_iter().collect(),
        reasoning_key: choice.reasoning_key,
        env: choice.env.into_iter().collect(),
    })
}

/// The built-in scripted tour, which writes only below `scratch`.
fn tour_spec(scratch: &Path) -> ModelSpec {
    ModelSpec {
        name: "scripted tour".to_owned(),
        display_name: None,
        kind: ProviderKind::Tour,
        base_url: String::new(),
        api_key: Secret::default(),
        model: "tour".to_owned(),
        max_context: 262_144,
        capabilities: Capabilities { thinking: true, ..Capabilities::default() },
        prices: None,
        custom_headers: Vec::new(),
        reasoning_key: None,
        env: vec![("KIMI_TOUR_SCRATCH".to_owned(), scratch.display().to_string())],
    }
}

#[cfg(test)]
mod tests;
