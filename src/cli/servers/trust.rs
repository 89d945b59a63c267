//! `kimi mcp trust`, `kimi mcp untrust`, and the project's part of `kimi mcp list`.

use std::fmt::Write as _;

use crate::front::text::visible_line;
use crate::mcp::config::ServerConfig;
use crate::mcp::project::{Found, Project, ProjectFile, told};
use crate::platform::Env;
use crate::store::{ShareDir, Verdict};

fn project(env: &Env) -> (Project, Found) {
    let project = Project::around(&env.cwd, &ShareDir::from_env(env));
    let found = project.find();
    (project, found)
}

/// Agrees to every file of the project and tells what was agreed to. The error is one line.
pub(super) fn trust(env: &Env) -> Result<String, String> {
    let (project, found) = project(env);
    if found.files.is_empty() {
        return Err(nothing(&found));
    }
    let mut text = String::new();
    for (file, _) in &found.files {
        project.remember(file, Some(Verdict::Trusted)).map_err(|error| error.to_string())?;
        let _ = writeln!(text, "Trusted until it changes: {}", shown(file));
        text.push_str(&servers(file));
    }
    text.push_str(&warnings(&found));
    Ok(text)
}

/// Forgets the answers for the files of the project.
pub(super) fn untrust(env: &Env) -> Result<String, String> {
    let (project, found) = project(env);
    if found.files.is_empty() {
        return Err(nothing(&found));
    }
    let mut text = String::new();
    for (file, verdict) in &found.files {
        if verdict.is_none() {
            let _ = writeln!(text, "Nothing was said of it: {}", shown(file));
            continue;
        }
        project.remember(file, None).map_err(|error| error.to_string())?;
        let was = match verdict {
            Some(Verdict::Never) => "Asked about again",
            _ => "No longer trusted",
        };
        let _ = writeln!(text, "{was}: {}", shown(file));
    }
    Ok(text)
}

/// A server of the project, if somebody has agreed to it. The error is one line.
pub(super) fn find(name: &str, env: &Env) -> Result<Option<ServerConfig>, String> {
    let (_, found) = project(env);
    let mut asking = None;
    for (file, verdict) in found.files {
        let path = shown(&file);
        if let Some(bad) = file.source.bad.iter().find(|bad| bad.name == name)
            && verdict == Some(Verdict::Trusted)
        {
            return Err(format!("MCP server '{name}' of {path}: {}.", bad.reason));
        }
        let server = file.source.servers.into_iter().find(|server| server.name == name);
        match (server, verdict) {
            (Some(server), Some(Verdict::Trusted)) => return Ok(Some(server)),
            (Some(_), _) => asking = asking.or(Some(path)),
            (None, _) => {}
        }
    }
    match asking {
        Some(path) => Err(format!(
            "MCP server '{name}' is of {path}, which nobody has agreed to: kimi mcp trust shows it \
             and agrees."
        )),
        None => Ok(None),
    }
}

/// What the project brings along and what was said of it; nothing without a project.
pub(super) fn list(env: &Env) -> String {
    let (_, found) = project(env);
    let mut text = String::new();
    for (file, verdict) in &found.files {
        let said = match verdict {
            Some(Verdict::Trusted) => "trusted",
            Some(Verdict::Never) => "never - run: kimi mcp trust to use it",
            None => "not trusted - run: kimi mcp trust",
        };
        let _ = writeln!(text, "Project MCP file: {} [{said}]", shown(file));
        text.push_str(&servers(file));
    }
    text + &warnings(&found)
}

fn servers(file: &ProjectFile) -> String {
    let mut text = String::new();
    for server in &file.source.servers {
        let _ = writeln!(text, "  {}", visible_line(&server.name));
        for line in told(server) {
            let _ = writeln!(text, "    {}", visible_line(&line));
        }
    }
    for bad in &file.source.bad {
        let line = format!("  {} (invalid): {}", bad.name, bad.reason);
        let _ = writeln!(text, "{}", visible_line(&line));
    }
    text
}

fn warnings(found: &Found) -> String {
    found.warnings.iter().map(|warning| visible_line(warning).to_string() + "\n").collect()
}

fn nothing(found: &Found) -> String {
    match found.warnings.first() {
        Some(warning) => warning.clone(),
        None => "The project of this directory has no MCP servers in .kimi/mcp.json or .mcp.json."
            .to_owned(),
    }
}

fn shown(file: &ProjectFile) -> String {
    visible_line(&file.path.display().to_string()).to_string()
}
