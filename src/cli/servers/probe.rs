//! `kimi mcp test`: connects to one server and tells what it brings.

use std::fmt::Write as _;
use std::pin::pin;

use crate::cli::{ExitCode, complain, print};
use crate::front::text::clean_line;
use crate::mcp::config::ServerConfig;
use crate::mcp::connection::{OpenError, Surroundings};
use crate::mcp::elicit::Person;
use crate::mcp::limits::Limits;
use crate::mcp::listing::ServerListing;
use crate::mcp::server::{attempt, login_wanted};
use crate::platform::process::guard;
use crate::platform::{Env, underway};
use crate::store::ShareDir;

/// Characters of a description.
const MAX_DESCRIPTION: usize = 50;

/// Connects, lists, disconnects.
pub(super) fn run(server: ServerConfig, env: &Env) -> ExitCode {
    let name = clean_line(&server.name).to_string();
    print(&format!("Testing connection to '{name}'...\n"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed("OSError", &error.to_string()),
    };
    let (connected, _settled) = runtime.block_on(async {
        let interrupted = pin!(tokio::signal::ctrl_c());
        (connect(server.clone(), env, interrupted).await, underway::settle().await)
    });
    let Some(connected) = connected else { return ExitCode::Interrupted };
    let listing = match connected {
        Ok(listing) => listing,
        Err(OpenError::Unauthorized) => {
            return failed("Unauthorized", &login_wanted(&server));
        }
        Err(OpenError::Never(why) | OpenError::Failed(why)) => {
            return failed("ConnectionError", &why);
        }
    };
    let mut text = format!("✓ Connected to '{name}'\n  Available tools: {}\n", listing.len());
    if !listing.is_empty() {
        text.push_str("  Tools:\n");
    }
    for (tool, description) in listing.tools() {
        let mut description = description.to_owned();
        if description.chars().count() > MAX_DESCRIPTION {
            description = description.chars().take(MAX_DESCRIPTION - 3).collect();
            description.push_str("...");
        }
        let line = format!("    - {tool}: {description}");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", clean_line(line.trim_end_matches([' ', ':'])));
    }
    for skipped in listing.skipped() {
        let _ = writeln!(text, "  Left out: {}", clean_line(skipped));
    }
    print(&text)
}

/// Connects, lists the tools, disconnects. `None` when it was interrupted before, which is told at once:
/// the end of the program may wait for what is under way.
pub(super) async fn connect(
    server: ServerConfig,
    env: &Env,
    interrupted: impl Future,
) -> Option<Result<ServerListing, OpenError>> {
    tokio::select! {
        connected = list(server, env) => Some(connected),
        _ = interrupted => {
            complain("\nThe test was cancelled.\n");
            None
        }
    }
}

async fn list(server: ServerConfig, env: &Env) -> Result<ServerListing, OpenError> {
    let around = Surroundings {
        env: env.clone(),
        work_dir: env.cwd.clone(),
        logs: ShareDir::from_env(env).logs_dir().join("mcp"),
        person: Person::default(),
        guard: guard::program(),
    };
    let (connection, listing) = attempt(server, around, Limits::from_env(env)).await?;
    connection.close().await;
    Ok(listing)
}

fn failed(kind: &str, why: &str) -> ExitCode {
    complain(&format!("✗ Connection failed: {kind}: {}\n", clean_line(why)));
    ExitCode::Failure
}
