//! From a checked launch to a running session with its front end.

use super::{ExitCode, Front, Launch};
use crate::platform::Env;

/// Runs until the front end ends. An error is one line for stderr and status 1, except for a
/// [`super::UsageError`], which is reported as such.
pub fn run(launch: Launch, _env: Env) -> anyhow::Result<ExitCode> {
    match launch.front {
        Front::Tui { .. } if !launch.terminals.stdout => {
            anyhow::bail!(
                "The screen needs a terminal, and stdout is none. Use `kimi -p TEXT` to ask once."
            )
        }
        Front::Tui { .. } | Front::Print(_) => anyhow::bail!("LLM not set"),
    }
}
