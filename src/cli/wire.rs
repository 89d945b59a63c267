//! `--wire` and the programs that start it under other names.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::{Args, ExitCode, Front, Launch, SessionChoice, UsageError, complain};
use super::{refuse, run, start, terminals};
use crate::config::Config;
use crate::front::ending::resume_hint;
use crate::front::host::Host;
use crate::front::text::clean_line;
use crate::front::wire::{self, Link};
use crate::platform::Env;
use crate::store::{SessionStore, ShareDir};

/// Names under which this program serves the wire unless it is told otherwise (clients.md section 6).
const AGENTS: [&str; 2] = ["hero_kimi_agent", "kimi-agent"];
/// How long the session may take to end once the client is gone.
const CLOSE_TIME: Duration = Duration::from_millis(1_000);
/// How long background tasks may take to end, beside it.
const TASK_TIME: Duration = Duration::from_millis(500);

/// Whether the program was started under such a name.
pub(super) fn is_agent(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().and_then(OsStr::to_str);
    name.is_some_and(|name| AGENTS.contains(&name.trim_end_matches(".exe")))
}

/// Whether the options ask for another front end.
pub(super) fn asks_for_something_else(args: &Args) -> bool {
    args.is_prompted() || args.print || args.quiet || args.acp || args.command.is_some()
}

/// Serves a session that a web server has made, in its work directory.
pub(super) fn worker(session: &str, env: Env) -> ExitCode {
    let hint = "'SESSION'";
    if uuid::Uuid::try_parse(session).is_err() {
        let message = format!("'{}' is not a valid UUID.", clean_line(session));
        return refuse(&UsageError::invalid(hint, message));
    }
    let store = SessionStore::new(ShareDir::from_env(&env));
    let found = match store.find_anywhere(session) {
        Ok(found) => found,
        Err(error) => {
            complain(&format!("{}\n", clean_line(&error.to_string())));
            return ExitCode::Failure;
        }
    };
    let Some(found) = found else {
        complain(&format!("Session not found: {session}\n"));
        return ExitCode::Failure;
    };
    // Relative paths are those of the session, not of the server.
    let mut env = env;
    env.cwd.clone_from(&found.work_dir);
    let mut args = Args::default();
    (args.wire, args.session) = (true, Some(Some(found.id)));
    args.work_dir = Some(found.work_dir);
    match Launch::from_args(args, &env, terminals()) {
        Ok(launch) => start(Launch { front: Front::Wire { worker: true }, ..launch }, env),
        Err(error) => {
            complain(&error.report());
            ExitCode::Failure
        }
    }
}

/// Whether a session that a web server has made begins in plan mode: as long as it has no settings, it
/// is new, although its directory is there.
pub(super) fn begins_planning(launch: &Launch, config: &Config, store: &SessionStore) -> bool {
    let SessionChoice::Id(id) = &launch.session else { return false };
    let new = || {
        let found = store.find(&launch.work_dir, id).ok().flatten();
        found.is_some_and(|session| !session.dir.join("state.json").exists())
    };
    launch.front == (Front::Wire { worker: true }) && config.default_plan_mode && new()
}

/// Opens the session and serves the client. Nothing but failures and the hint at the end goes to stderr:
/// clients show it as an error.
pub(super) async fn serve(host: Host, launch: &Launch, worker: bool) -> anyhow::Result<ExitCode> {
    let warn = |warning: &String| tracing::warn!("{warning}");
    host.loaded.warnings.iter().for_each(warn);
    let opened = host.open(&run::which(&launch.session)).map_err(run::host_error)?;
    opened.warnings.iter().for_each(warn);
    let session = opened.handle.session().clone();
    let link = Link {
        ops: opened.handle.ops(),
        messages: opened.handle.subscribe(),
        client: opened.handle.client(),
        servers: host.options.mcp.clone(),
        record: session.wire_path(),
        version: super::VERSION,
    };
    let tasks = opened.handle.tasks();
    let code = wire::run_on_process(link).await?;
    let closing = opened.handle.shutdown(Some(TASK_TIME));
    if tokio::time::timeout(CLOSE_TIME, closing).await.is_err() {
        tracing::warn!("the session did not end in time");
        // What runs in the background would outlive it.
        tasks.shutdown(TASK_TIME).await;
    }
    // An empty session that a web server has made is not ours to remove.
    let kept = worker && host.store.is_empty(&session);
    if !kept && host.close(&session) && !worker {
        complain(&resume_hint(&session.id));
    }
    Ok(code)
}
