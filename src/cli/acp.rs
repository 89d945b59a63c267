//! `kimi acp`: sessions for an editor, and `kimi --acp`, which it has replaced.

use std::sync::Arc;

use super::{ExitCode, Front, Launch, checks, run};
use crate::front::acp::{self, Link};
use crate::platform::Env;
use crate::store::{SessionStore, ShareDir};

/// Serves the client. What the command line says holds for every session; each has its own directory, and
/// the configuration as it is when it is opened.
pub(super) async fn serve(launch: &Launch, env: &Env) -> anyhow::Result<ExitCode> {
    if launch.front == (Front::Acp { deprecated: true }) {
        acp::refuse_on_process().await?;
        return Ok(ExitCode::Success);
    }
    let store = SessionStore::new(ShareDir::from_env(env));
    let hosts = {
        let (launch, env) = (launch.clone(), env.clone());
        Arc::new(move |cwd: &std::path::Path, given| {
            let work_dir = checks::absolute(cwd, &env);
            run::host(&Launch { work_dir, ..launch.clone() }, &env, given)
        })
    };
    let link = Link { hosts, store, cwd: env.cwd.clone(), version: super::VERSION };
    acp::run_on_process(link).await?;
    Ok(ExitCode::Success)
}
