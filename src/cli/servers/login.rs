//! `kimi mcp auth` and `kimi mcp reset-auth`: the login to a server, in the browser.

use std::io::{BufRead, IsTerminal};
use std::pin::pin;

use tokio::sync::mpsc;

use super::probe::connect;
use crate::cli::{ExitCode, complain, print};
use crate::front::text::clean_line;
use crate::mcp::config::ServerConfig;
use crate::mcp::connection::OpenError;
use crate::mcp::oauth::{Login, TokenFile};
use crate::mcp::server::login_wanted;
use crate::platform::{Env, underway};

/// Logs in, keeps the tokens, and shows that they are good.
pub(super) fn run(login: &Login, server: ServerConfig, env: &Env) -> ExitCode {
    let name = clean_line(&server.name);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(why) => return failed(&why),
    };
    print(&format!("Authorizing with '{name}'...\n"));
    let can_paste = std::io::stdin().is_terminal();
    let told = |address: &str| {
        let paste = if can_paste {
            "If the browser is on another machine, it ends at an address that cannot be opened: \
             paste that address here.\n"
        } else {
            ""
        };
        print(&format!("Log in with the browser at:\n\n  {address}\n\n{paste}"));
    };
    let mut pasted = if can_paste { lines_of_stdin() } else { mpsc::unbounded_channel().1 };
    let (code, _settled) = runtime.block_on(async {
        let code = log_in_and_try(login, server, env, told, &mut pasted).await;
        (code, underway::settle().await)
    });
    code
}

async fn log_in_and_try(
    login: &Login,
    server: ServerConfig,
    env: &Env,
    told: impl FnOnce(&str),
    pasted: &mut mpsc::UnboundedReceiver<String>,
) -> ExitCode {
    // One for both: what comes between them is heard too.
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let done = tokio::select! {
        done = login.run(env, told, pasted) => done,
        _ = &mut interrupted => {
            complain("\nThe login was cancelled.\n");
            return ExitCode::Interrupted;
        }
    };
    if let Err(error) = done {
        return failed(&error.to_string());
    }
    print(&format!("Successfully authorized with '{}'.\n", clean_line(&server.name)));
    match connect(server.clone(), env, interrupted).await {
        None => ExitCode::Interrupted,
        Some(Ok(listing)) => {
            let mut text = format!("Available tools: {}\n", listing.len());
            for (tool, _) in listing.tools() {
                text.push_str(&format!("  - {}\n", clean_line(tool)));
            }
            print(&text)
        }
        Some(Err(OpenError::Unauthorized)) => failed(&login_wanted(&server)),
        Some(Err(OpenError::Never(why) | OpenError::Failed(why))) => failed(&why),
    }
}

/// Forgets the tokens. The error is one line.
pub(super) fn reset(file: &TokenFile) -> Result<(), String> {
    let cleared = runtime()?.block_on(file.clear());
    cleared.map_err(|error| format!("Not cleared: {error}."))
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| error.to_string())
}

fn failed(why: &str) -> ExitCode {
    complain(&format!("Authorization failed: {}.\n", clean_line(why.trim_end_matches('.'))));
    ExitCode::Failure
}

/// What a person types. The thread ends with the program.
fn lines_of_stdin() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() || line.is_ok_and(|line| sender.send(line).is_err()) {
                return;
            }
        }
    });
    lines
}
