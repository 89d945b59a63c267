//! `kimi plugin`: the plugins of the data directory (cli.md).

use std::fmt::Write as _;
use std::path::Path;

use clap::Subcommand;

use super::{ExitCode, complain, print};
use crate::config::{Config, ConfigSource};
use crate::customize::plugins::{self, Installed, Manifest, Secrets, Source};
use crate::front::text::clean_line;
use crate::platform::Env;
use crate::store::ShareDir;

/// What to do with the plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Install a plugin, or replace the one of that name.
    Install {
        /// A directory, a .zip file, the address of one, or of a git repository.
        target: String,
    },
    /// List the plugins.
    List,
    /// Remove a plugin.
    Remove { name: String },
    /// Tell what a plugin brings, and which programs it runs.
    Info { name: String },
}

/// Runs the command.
pub(super) fn run(command: &PluginCommand, env: &Env) -> ExitCode {
    let dir = ShareDir::from_env(env).plugins_dir();
    let done = match command {
        PluginCommand::Install { target } => install(target, &dir, env),
        PluginCommand::List => Ok(list(&dir)),
        PluginCommand::Remove { name } => remove(name, &dir),
        PluginCommand::Info { name } => info(name, &dir),
    };
    match done {
        Ok(text) => print(&text),
        Err(line) => {
            complain(&format!("{}\n", clean_line(&line)));
            ExitCode::Failure
        }
    }
}

fn install(target: &str, dir: &Path, env: &Env) -> Result<String, String> {
    // A plugin may want to know of the provider. Without a configuration there is nothing to know.
    let secrets = Config::load(&ConfigSource::Default, env)
        .map(|loaded| Secrets::of(&loaded.config, env))
        .unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let manifest = runtime.block_on(plugins::install(target, dir, &secrets, env))?;
    let mut text = format!(
        "Installed plugin '{}' {}. Its tools ask before they run:\n",
        manifest.name,
        version(&manifest)
    );
    text.push_str(&tools(&manifest));
    Ok(text)
}

fn list(dir: &Path) -> String {
    let all = plugins::installed(dir);
    if all.is_empty() {
        return "No plugins installed.\n".to_owned();
    }
    let mut text = String::new();
    for Installed { name, manifest, .. } in all {
        let line = match manifest {
            Ok(manifest) => format!("  {name} {} (installed)", version(&manifest)),
            Err(error) => format!("  {name} (broken: {error})"),
        };
        let _ = writeln!(text, "{}", clean_line(&line));
    }
    text
}

fn remove(name: &str, dir: &Path) -> Result<String, String> {
    match plugins::remove(dir, name) {
        Ok(true) => Ok(format!("Removed plugin '{name}'.\n")),
        Ok(false) => Err(format!("Plugin '{name}' not found.")),
        Err(error) => Err(format!("Plugin '{name}' could not be removed: {error}")),
    }
}

fn info(name: &str, dir: &Path) -> Result<String, String> {
    let found = plugins::installed(dir).into_iter().find(|plugin| plugin.name == name);
    let Some(Installed { dir, manifest, .. }) = found else {
        return Err(format!("Plugin '{name}' not found."));
    };
    let manifest = manifest?;
    let mut text = format!("{name} {}\n", version(&manifest));
    if !manifest.description.is_empty() {
        let _ = writeln!(text, "{}", clean_line(&manifest.description));
    }
    let _ = writeln!(text, "Directory: {}", dir.display());
    for (target, source) in &manifest.inject {
        let what = match source {
            Source::ApiKey => "the API key",
            Source::BaseUrl => "the base URL",
        };
        let line = match &manifest.config_file {
            Some(file) => format!("Gets {what} of the default model as {target}, also in {file}"),
            None => format!("Gets {what} of the default model as {target}"),
        };
        let _ = writeln!(text, "{}", clean_line(&line));
    }
    text.push_str("Tools:\n");
    text.push_str(&tools(&manifest));
    Ok(text)
}

fn version(manifest: &Manifest) -> String {
    format!("v{}", clean_line(&manifest.version))
}

/// The tools with the programs behind them.
fn tools(manifest: &Manifest) -> String {
    let mut text = String::new();
    for tool in &manifest.tools {
        let line = format!("  {}: {}", tool.name, tool.command.join(" "));
        let _ = writeln!(text, "{}", clean_line(&line));
    }
    if text.is_empty() {
        text.push_str("  (none)\n");
    }
    text
}
