//! What every front end needs around a session: opening one, the configured models, the history.

use std::path::PathBuf;
use std::sync::Arc;

use crate::agent::{Limits, ModelSource, Modes, PromptFacts, SessionHandle, SessionOptions};
use crate::config::{self, Config, LoadedConfig, SelectError};
use crate::customize::agents_md;
use crate::llm::{self, Capabilities, Llm, ModelSpec, ProviderKind};
use crate::platform::{Env, shell};
use crate::store::{Session, SessionStore, SessionSummary, StoreError};
use crate::tools::{self, Workspace};

/// Which session to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    New,
    /// This one; made if it does not exist.
    Id(String),
    /// The last one of the work directory.
    Last,
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
    pub max_steps_per_turn: Option<u32>,
    pub max_retries_per_step: Option<u32>,
    /// Let the built-in scripted tour answer when no model is configured.
    pub tour: bool,
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
    #[error(transparent)]
    Select(#[from] SelectError),
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
        let work_dir = &self.options.work_dir;
        let mut warnings = Vec::new();
        let found = match which {
            Which::New => None,
            Which::Id(id) => self.store.find(work_dir, id)?,
            Which::Last => {
                Some(self.store.latest(work_dir).ok_or(HostError::NoPreviousSession)?)
            }
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
        let handle = SessionHandle::open(SessionOptions {
            env: self.env.clone(),
            workspace: Arc::new(Workspace::new(work_dir.clone(), self.options.add_dirs.clone())),
            models: Arc::new(Models { host: self.clone(), session_id }),
            registry: tools::builtin(),
            limits: self.limits(),
            modes: self.modes(),
            system_prompt: self.system_prompt(),
            llm,
            session,
        })?;
        warnings.extend(handle.warnings.iter().cloned());
        Ok(Opened { handle, resumed, warnings, tour })
    }

    /// Ends a session that was left: an empty one is removed, another is remembered as the last.
    /// Returns whether there is something to resume.
    pub fn close(&self, session: &Session) -> bool {
        match self.store.remove_if_empty(session) {
            Ok(true) => return false,
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

    /// The model a session begins with.
    fn first_model(&self, session_id: &str) -> Result<Option<Llm>, HostError> {
        let choice =
            config::select(self.config(), self.options.model.as_deref(), &self.env)?;
        let spec = match choice {
            Some(choice) => spec_of(choice),
            None if self.options.tour => tour_spec(&self.tour_scratch()),
            None => return Ok(None),
        };
        Ok(Some(self.connect_spec(&spec, self.options.thinking, session_id)?))
    }

    fn connect_spec(
        &self,
        spec: &ModelSpec,
        thinking: Option<bool>,
        session_id: &str,
    ) -> Result<Llm, llm::ConnectError> {
        let thinking = thinking.unwrap_or(self.config().default_thinking)
            || spec.kind == ProviderKind::Tour;
        llm::connect(spec, thinking, session_id, None, &self.env)
    }

    fn tour_scratch(&self) -> PathBuf {
        self.store.share().root().join("tour")
    }

    fn limits(&self) -> Limits {
        let control = &self.config().loop_control;
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Limits {
            max_steps_per_turn: self
                .options
                .max_steps_per_turn
                .unwrap_or_else(|| narrow(control.max_steps_per_turn)),
            max_retries_per_step: self
                .options
                .max_retries_per_step
                .unwrap_or_else(|| narrow(control.max_retries_per_step)),
            reserved_context: control.reserved_context_size,
            compaction_trigger_ratio: control.compaction_trigger_ratio,
        }
    }

    fn modes(&self) -> Modes {
        let asked = self.options.modes;
        Modes { yolo: asked.yolo || self.config().default_yolo, ..asked }
    }

    fn system_prompt(&self) -> Box<dyn FnOnce() -> String + Send> {
        let host = self.clone();
        Box::new(move || {
            let options = &host.options;
            let shell = shell::detect(&host.env);
            PromptFacts {
                work_dir: options.work_dir.clone(),
                additional_dirs: options.add_dirs.clone(),
                listing: tools::dir_tree(&options.work_dir),
                agents_md: agents_md::merged(&options.work_dir, host.store.share()),
                shell: format!("{} (`{}`)", shell.name, shell.path.display()),
            }
            .render(&host.env)
        })
    }
}

/// The models of a session, by configured name.
struct Models {
    host: Host,
    session_id: String,
}

impl ModelSource for Models {
    fn connect(&self, name: Option<&str>, thinking: Option<bool>) -> Result<Llm, String> {
        let choice = config::select(self.host.config(), name, &self.host.env)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "no model is configured".to_owned())?;
        self.host
            .connect_spec(&spec_of(choice), thinking, &self.session_id)
            .map_err(|error| error.to_string())
    }
}
