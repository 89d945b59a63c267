//! A bare `-p`, without `--print` or `--quiet`: kimi-code's way to ask once (clients.md sections 8, 8a
//! and 10). What it writes is in [`crate::front::print::code`]; here is what it reads, and which
//! session it is.
//!
//! The data directory is `$KIMI_CODE_HOME` if that is set, and `~/.kimi-code` if only that holds a
//! configuration. Else it is ours, and `~/.kimi-code/config.toml` is read beside our own: it may hold
//! hooks that guard exactly these runs.

use std::path::{Path, PathBuf};

use super::{Args, SessionChoice, Terminals, UsageError, complain};
use crate::config::{Config, ConfigError, ConfigSource, LoadedConfig, SelectError};
use crate::front::host::{Host, HostError, Which};
use crate::front::print::{Dialect, code};
use crate::platform::Env;
use crate::store::{
    Session, SessionStore, ShareDir, StateFile, StoreError, knows_session, tell_session,
};

/// What the ids of kimi-code's sessions begin with.
const PREFIX: &str = "session_";

/// Whether a command line asks for it.
pub(super) fn is_asked_for(args: &Args, terminals: Terminals) -> bool {
    let other = args.print || args.quiet || args.wire || args.acp || args.command.is_some();
    // An option of kimi-cli alone, whose words and status about it hold.
    let other = other || args.final_message_only;
    args.is_prompted() && !other && (args.output_format.is_some() || !terminals.stdout)
}

/// Finds options that kimi-code does not take beside a prompt (clients.md section 8). It refuses `--yolo`
/// too; kimi-cli and the clients of its engines give it, so it counts (clients.md section 10).
pub(super) fn check_combinations(args: &Args) -> Result<(), UsageError> {
    let given = |options: &[(&'static str, bool)]| {
        options.iter().find(|(_, given)| *given).map(|(option, _)| *option)
    };
    let modes = [("--auto", args.auto), ("--plan", args.plan)];
    if let Some(option) = given(&modes) {
        return Err(UsageError::of(format!("Cannot combine --prompt with {option}.")));
    }
    let agent = [("--agent", args.agent.is_some()), ("--agent-file", args.agent_file.is_some())];
    let continues = args.continue_last || args.command_or_continue == Some(None);
    let resumed = [("--session", args.session.is_some()), ("--continue", continues)];
    match (given(&agent), given(&resumed)) {
        (Some(agent), Some(resumed)) => {
            Err(UsageError::of(format!("Cannot combine {agent} with {resumed}.")))
        }
        _ => Ok(()),
    }
}

/// The dialect as the environment has it. A caller that holds kimi-code to its old engine takes a
/// version record for a sign of the new one.
pub(super) fn dialect(env: &Env) -> Dialect {
    let legacy = env.var("KIMI_CODE_LEGACY_FLAG").is_some_and(|value| {
        matches!(value.trim().to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
    });
    Dialect::Code { tells_version: !legacy }
}

/// The same surroundings with the data directory of such a run.
pub(super) fn at_home(mut env: Env) -> Env {
    env.data_root = match ShareDir::told_code(&env) {
        Some(home) => Some(home.root().to_owned()),
        None => {
            let theirs = ShareDir::usual_code(&env);
            let ours = env.home.join(".kimi").join("config.toml");
            let only = env.var("KIMI_SHARE_DIR").is_none()
                && !ours.exists()
                && theirs.config_toml().is_file();
            only.then(|| theirs.root().to_owned())
        }
    };
    env
}

/// The same surroundings with the data directory of the session that is asked for, where that is
/// kimi-code's: what a run has said of how to come back to it holds for every front end.
pub(super) fn at_home_of_session(mut env: Env, args: &Args) -> Env {
    if let Some(Some(id)) = &args.session
        && id.starts_with(PREFIX)
    {
        let home = ShareDir::of_code(&env);
        if knows_session(&home, id) {
            env.data_root = Some(home.root().to_owned());
        }
    }
    env
}

/// The id under which a session is kept that is asked for as [`announced`].
pub(super) fn kept_as(store: &SessionStore, work_dir: &Path, id: &str) -> Option<String> {
    let bare = id.strip_prefix(PREFIX)?;
    let is_there = |id: &str| store.find(work_dir, id).ok().flatten().is_some();
    (!is_there(id) && is_there(bare)).then(|| bare.to_owned())
}

/// Adds what kimi-code's own configuration says beside ours: hooks and rules, and models that ours
/// does not name. One that cannot be read is an error, for what it forbids would be let through.
pub(super) fn add_second_config(loaded: &mut LoadedConfig, env: &Env) -> Result<(), ConfigError> {
    let path = ShareDir::usual_code(env).config_toml();
    if env.data_root.is_some() || !path.is_file() {
        return Ok(());
    }
    let second = Config::load(&ConfigSource::File(path), env)?;
    loaded.warnings.extend(second.warnings);
    let (ours, theirs) = (&mut loaded.config, second.config);
    ours.hooks.extend(theirs.hooks);
    ours.permission.extend(theirs.permission);
    for (name, provider) in theirs.providers {
        ours.providers.entry(name).or_insert(provider);
    }
    for (name, model) in theirs.models {
        ours.models.entry(name).or_insert(model);
    }
    if ours.default_model.is_empty() {
        ours.default_model = theirs.default_model;
    }
    Ok(())
}

/// Which session to open. A new one in kimi-code's home has an id as it has them there; in ours ids
/// are bare, and both spellings are taken. Only sessions that exist can be resumed.
pub(super) fn which(host: &Host, choice: &SessionChoice) -> anyhow::Result<Which> {
    let work_dir = &host.options.work_dir;
    match choice {
        SessionChoice::Id(id) => {
            let bare = id.strip_prefix(PREFIX).unwrap_or(id).to_owned();
            let spellings = [id.clone(), format!("{PREFIX}{bare}"), bare];
            for id in &spellings {
                if let Some(session) = host.store.find(work_dir, id)? {
                    return Ok(Which::Id(session.id));
                }
            }
            for other in &spellings {
                if let Some(session) = host.store.find_anywhere(other)? {
                    anyhow::bail!(
                        "Session \"{id}\" was created under a different directory: {}",
                        session.work_dir.display()
                    );
                }
            }
            anyhow::bail!("Session \"{id}\" not found.")
        }
        SessionChoice::Continue if host.store.latest(work_dir).is_some() => Ok(Which::Last),
        SessionChoice::Continue => {
            complain(&format!(
                "No sessions to continue under \"{}\"; starting a fresh session.\n",
                work_dir.display()
            ));
            Ok(fresh(host))
        }
        SessionChoice::New | SessionChoice::Picker => Ok(fresh(host)),
    }
}

fn fresh(host: &Host) -> Which {
    match host.env.data_root {
        Some(_) => Which::Id(format!("{PREFIX}{}", host.env.ids.uuid())),
        None => Which::New,
    }
}

/// The session's id as such runs tell it.
pub(super) fn announced(id: &str) -> String {
    match uuid::Uuid::try_parse(id) {
        Ok(_) => format!("{PREFIX}{id}"),
        Err(_) => id.to_owned(),
    }
}

/// Makes a new session of kimi-code's home known to those who look for it there.
pub(super) fn register(host: &Host, session: &Session) -> Result<(), StoreError> {
    if host.env.data_root.is_none() {
        return Ok(());
    }
    // Programs that name sessions change this file, and do not make it.
    if !session.dir.join("state.json").exists() {
        StateFile::open(&session.dir).0.save()?;
    }
    tell_session(host.store.share(), session)
}

/// The line about a run that could not begin.
pub(super) fn failure(error: &anyhow::Error, told: &str) -> String {
    if let Some(HostError::Select(SelectError::SignIn { provider, .. })) = error.downcast_ref() {
        let message =
            format!("OAuth provider \"{provider}\" requires login before it can be used.");
        return code::failed_to_start(Some("auth.login_required"), &message);
    }
    let code = match error.downcast_ref::<HostError>() {
        Some(HostError::Select(_) | HostError::Kind(_) | HostError::Connect(_)) => {
            Some("config.invalid")
        }
        _ if error.is::<ConfigError>() => Some("config.invalid"),
        _ if error.is::<NoModel>() => Some("model.not_configured"),
        _ => None,
    };
    code::failed_to_start(code, told)
}

/// There is no model to ask.
#[derive(Debug, thiserror::Error)]
#[error(
    "LLM is not set: no model is configured. Set KIMI_MODEL_NAME and KIMI_MODEL_API_KEY, or add a \
     provider and a model to {}.", .0.display()
)]
pub(super) struct NoModel(pub PathBuf);
