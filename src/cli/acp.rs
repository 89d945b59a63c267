//! `kimi acp`: sessions for an editor, and `kimi --acp`, which it has replaced.

use std::path::Path;
use std::sync::Arc;

use super::{ConfigChoice, ExitCode, Front, Launch, checks, run};
use crate::auth;
use crate::front::acp::{self, Link};
use crate::platform::{Env, underway};
use crate::store::{SessionStore, ShareDir};

/// Serves the client to its end.
pub(super) fn run(launch: &Launch, env: &Env) -> anyhow::Result<ExitCode> {
    let runtime = run::runtime()?;
    let (result, _settled) =
        runtime.block_on(async { (serve(launch, env).await, underway::settle().await) });
    // A thread may hold a read of stdin that never ends.
    runtime.shutdown_background();
    result.map(|()| ExitCode::Success)
}

/// What the command line says holds for every session; each has its own directory, and the configuration as
/// it is when it is opened: what is wrong with that is told to whoever opens one.
async fn serve(launch: &Launch, env: &Env) -> anyhow::Result<()> {
    if launch.front == (Front::Acp { deprecated: true }) {
        return Ok(acp::refuse_on_process().await?);
    }
    if launch.config == ConfigChoice::Default {
        auth::refresh_soon(env);
    }
    let store = SessionStore::new(ShareDir::from_env(env));
    let hosts = {
        let (launch, env) = (launch.clone(), env.clone());
        Arc::new(move |cwd: &Path, given| {
            let work_dir = checks::absolute(cwd, &env);
            let host = run::host(&Launch { work_dir, ..launch.clone() }, &env, given)?;
            // Nobody waits for the file.
            drop(run::write_config(&host));
            Ok(host)
        })
    };
    let link = Link { hosts, store, cwd: env.cwd.clone(), version: super::VERSION };
    Ok(acp::run_on_process(link).await?)
}
