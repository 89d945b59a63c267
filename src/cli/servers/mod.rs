//! `kimi mcp`: the servers in `mcp.json` of the data directory (mcp.md section 6).

mod edit;
mod login;
mod probe;
mod trust;

use clap::{ArgAction, Subcommand};

use super::{ExitCode, UsageError, complain, print};
use crate::front::text::clean_line;
use crate::mcp::config::{Reach, RemoteWire, ServerConfig, Source};
use crate::mcp::oauth::{Login, TokenFile};
use crate::platform::Env;
use crate::store::ShareDir;
use edit::McpFile;

/// What to do with the servers.
#[derive(Debug, Subcommand)]
pub enum McpCommand {
    /// Add a server, or replace the one of that name.
    #[command(override_usage = "kimi mcp add [OPTIONS] NAME [--] COMMAND... | URL")]
    Add(AddArgs),
    /// List the servers.
    List,
    /// Remove a server.
    Remove { name: String },
    /// Connect to a server and list its tools.
    Test { name: String },
    /// Agree to the servers that the project of this directory brings along, as they are now.
    Trust,
    /// Forget what was said of the servers of this project: they are asked about again.
    Untrust,
    /// Log in to a server with OAuth, in the browser.
    Auth { name: String },
    /// Forget the login to a server.
    ResetAuth { name: String },
}

/// A server to add.
#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// stdio (a command) or http (an address).
    #[arg(short = 't', long, value_name = "KIND", default_value = "stdio")]
    transport: String,
    /// KEY=VALUE for the command's environment. Repeatable.
    #[arg(short = 'e', long, value_name = "KEY=VALUE", action = ArgAction::Append)]
    env: Vec<String>,
    /// "KEY: VALUE" to send to the address. Repeatable.
    #[arg(short = 'H', long, value_name = "KEY: VALUE", action = ArgAction::Append)]
    header: Vec<String>,
    /// oauth: log in with kimi mcp auth; anything else is a bearer token.
    #[arg(short = 'a', long, value_name = "TYPE")]
    auth: Option<String>,
    /// What to call the server.
    name: String,
    /// The command with its arguments, after --; or the address.
    target: Vec<String>,
}

/// What went wrong.
enum Fault {
    /// One line, status 1.
    Plain(String),
    /// The file is none: status 2.
    File(UsageError),
}

impl From<String> for Fault {
    fn from(line: String) -> Self {
        Self::Plain(line)
    }
}

/// Runs the command.
pub(super) fn run(command: &McpCommand, env: &Env) -> ExitCode {
    let file = McpFile::new(ShareDir::from_env(env).mcp_json());
    let done = match command {
        McpCommand::Add(args) => add(args, &file),
        McpCommand::List => list(&file, env).map(|text| text + &trust::list(env)),
        McpCommand::Trust => trust::trust(env).map_err(Fault::Plain),
        McpCommand::Untrust => trust::untrust(env).map_err(Fault::Plain),
        McpCommand::Remove { name } => remove(name, &file),
        McpCommand::Test { name } => {
            return match find_anywhere(name, &file, env) {
                Ok(server) => probe::run(server, env),
                Err(fault) => told(fault),
            };
        }
        McpCommand::Auth { name } => {
            let found = find(name, &file);
            return match found.and_then(|server| Ok((Login::of(&server, env)?, server))) {
                Ok((login, server)) => login::run(&login, server, env),
                Err(fault) => told(fault),
            };
        }
        McpCommand::ResetAuth { name } => find(name, &file)
            .and_then(|server| Ok(login::reset(&TokenFile::of_server(&server, env)?)?))
            .map(|()| format!("OAuth tokens cleared for '{}'.\n", clean_line(name))),
    };
    match done {
        Ok(text) => print(&text),
        Err(fault) => told(fault),
    }
}

fn told(fault: Fault) -> ExitCode {
    match fault {
        Fault::Plain(line) => {
            complain(&format!("{}\n", clean_line(&line)));
            ExitCode::Failure
        }
        Fault::File(error) => {
            complain(&error.report());
            ExitCode::Usage
        }
    }
}

fn add(args: &AddArgs, file: &McpFile) -> Result<String, Fault> {
    let entry =
        edit::entry(&args.transport, &args.target, &args.env, &args.header, args.auth.as_deref())?;
    // What could not be read again is not written.
    let wrapped = serde_json::Map::from_iter([(args.name.clone(), entry.clone())]);
    let read = Source::read(&wrapped)?;
    if let Some(bad) = read.bad.first() {
        return Err(Fault::Plain(format!("{}: {}", bad.name, bad.reason)));
    }
    file.change(|servers| {
        servers.insert(args.name.clone(), entry);
        Ok(())
    })?;
    Ok(format!("Added MCP server '{}' to {}.\n", args.name, file.path.display()))
}

fn remove(name: &str, file: &McpFile) -> Result<String, Fault> {
    file.change(|servers| match servers.shift_remove(name) {
        Some(_) => Ok(()),
        None => Err(not_found(name)),
    })?;
    Ok(format!("Removed MCP server '{name}' from {}.\n", file.path.display()))
}

fn list(file: &McpFile, env: &Env) -> Result<String, Fault> {
    let source = file.source()?;
    let mut text = format!("MCP config file: {}\n", file.path.display());
    if source.servers.is_empty() && source.bad.is_empty() {
        text.push_str("No MCP servers configured.\n");
    }
    for server in &source.servers {
        let off = if server.enabled { "" } else { " [disabled]" };
        let (kind, target) = match &server.reach {
            Reach::Stdio { command, args, .. } => {
                let words: Vec<&str> =
                    std::iter::once(command).chain(args).map(String::as_str).collect();
                ("stdio", words.join(" "))
            }
            Reach::Remote { url, wire: RemoteWire::Http, .. } => ("http", url.clone()),
            Reach::Remote { url, wire: RemoteWire::Sse, .. } => ("sse", url.clone()),
        };
        let wanted = Login::of(server, env).is_ok_and(|login| !login.file(env).is_there());
        let oauth = if wanted {
            format!(" [authorization required - run: kimi mcp auth {}]", server.name)
        } else {
            String::new()
        };
        let line = format!("  {} ({kind}): {target}{oauth}{off}", server.name);
        text.push_str(clean_line(line.trim_end()).as_ref());
        text.push('\n');
    }
    for bad in &source.bad {
        text.push_str(&clean_line(&format!("  {} (invalid): {}", bad.name, bad.reason)));
        text.push('\n');
    }
    Ok(text)
}

fn find(name: &str, file: &McpFile) -> Result<ServerConfig, Fault> {
    let source = file.source()?;
    if let Some(bad) = source.bad.iter().find(|bad| bad.name == name) {
        return Err(Fault::Plain(format!("MCP server '{name}': {}.", bad.reason)));
    }
    source.servers.into_iter().find(|server| server.name == name).ok_or_else(|| not_found(name))
}

/// A server of the user, or one of the project that the user has agreed to.
fn find_anywhere(name: &str, file: &McpFile, env: &Env) -> Result<ServerConfig, Fault> {
    let source = file.source()?;
    let is_own = source.servers.iter().map(|server| &server.name);
    if is_own.chain(source.bad.iter().map(|bad| &bad.name)).any(|own| own == name) {
        return find(name, file);
    }
    trust::find(name, env)?.ok_or_else(|| not_found(name))
}

fn not_found(name: &str) -> Fault {
    Fault::Plain(format!("MCP server '{name}' not found."))
}
