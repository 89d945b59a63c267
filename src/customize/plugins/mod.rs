//! Plugins: directories with programs that become tools (agents-skills-hooks.md section 4).
//!
//! A plugin is trusted with what its tools are asked to do, each time: they ask for approval as
//! `Shell` does. Its name is the name of its directory below `plugins/` of the data directory.
//!
//! | file | subject |
//! |---|---|
//! | `manifest` | `plugin.json` |
//! | `tool` | one of its tools, called |
//! | `inject` | what it gets to know of the provider |
//! | `source`, `install`, `unpack` | where it comes from and how it gets here |

mod inject;
mod install;
mod manifest;
mod source;
mod tool;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::tool::PluginTool;
use crate::customize::agent_file::tool_names;
use crate::tools::Tool;

pub use inject::Secrets;
pub use install::install;
pub use manifest::{Manifest, Source, ToolEntry};

/// An installed plugin.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its directory's name.
    pub name: String,
    pub dir: PathBuf,
    /// What it says of itself, or why that cannot be read.
    pub manifest: Result<Arc<Manifest>, String>,
}

/// The installed plugins, by name.
pub fn installed(plugins: &Path) -> Vec<Installed> {
    let entries = fs::read_dir(plugins).into_iter().flatten().flatten();
    let mut all: Vec<Installed> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| manifest::is_name(name))
        .map(|name| {
            let dir = plugins.join(&name);
            Installed { manifest: Manifest::read(&dir).map(Arc::new), name, dir }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Removes an installed plugin. False when there is none of that name.
pub fn remove(plugins: &Path, name: &str) -> std::io::Result<bool> {
    if !manifest::is_name(name) {
        return Ok(false);
    }
    let dir = plugins.join(name);
    let Ok(found) = fs::symlink_metadata(&dir) else { return Ok(false) };
    // A link is somebody's own directory.
    if found.is_symlink() {
        fs::remove_file(&dir)?
    } else {
        fs::remove_dir_all(&dir)?
    }
    Ok(true)
}

/// The names of the tools that the installed plugins describe; [`tools`] may leave some of them out.
pub fn tool_names(plugins: &Path) -> Vec<String> {
    let manifests = installed(plugins).into_iter().filter_map(|plugin| plugin.manifest.ok());
    let tools = manifests.flat_map(|manifest| manifest.tools.clone());
    tools.map(|tool| tool.name).collect()
}

/// The tools of the installed plugins, and what was left out, one line each. A tool whose name
/// somebody else has is left out: nothing of a plugin stands in for a tool that a person knows.
pub fn tools(plugins: &Path, secrets: &Secrets) -> (Vec<Arc<dyn Tool>>, Vec<String>) {
    let (mut tools, mut warnings): (Vec<Arc<dyn Tool>>, _) = (Vec::new(), Vec::new());
    for Installed { name: plugin, dir, manifest } in installed(plugins) {
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(error) => {
                warnings.push(format!("The plugin {plugin} is left out: {error}"));
                continue;
            }
        };
        for entry in &manifest.tools {
            let name = &entry.name;
            let why = if !manifest::is_tool_name(name) {
                "that is no name for a tool"
            } else if tool_names::is_known(name) || name.starts_with("mcp_") {
                "a tool of Kimi has that name"
            } else if tools.iter().any(|tool| tool.name() == name) {
                "another plugin has a tool of that name"
            } else {
                let (entry, dir, secrets) = (entry.clone(), dir.clone(), secrets.clone());
                tools.push(Arc::new(PluginTool::new(entry, dir, Arc::clone(&manifest), secrets)));
                continue;
            };
            warnings.push(format!("The tool {name:?} of the plugin {plugin} is left out: {why}"));
        }
    }
    (tools, warnings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plugin(plugins: &Path, name: &str, tools: &[&str]) {
        let entry = |tool: &&str| json!({"name": tool, "command": ["true"]});
        let tools: Vec<_> = tools.iter().map(entry).collect();
        let dir = plugins.join(name);
        fs::create_dir_all(&dir).unwrap();
        let manifest = json!({"name": name, "version": "1", "tools": tools});
        fs::write(dir.join("plugin.json"), manifest.to_string()).unwrap();
    }

    #[test]
    fn a_name_that_somebody_has_is_left_to_them_and_said() {
        let dir = tempfile::tempdir().unwrap();
        assert!(tools(&dir.path().join("none"), &Secrets::default()).0.is_empty());
        plugin(dir.path(), "a", &["note", "Shell", "Agent", "mcp_find", "not one"]);
        plugin(dir.path(), "b", &["note", "read"]);
        fs::create_dir(dir.path().join("torn")).unwrap();
        fs::write(dir.path().join("torn/plugin.json"), "{").unwrap();
        let (tools, warnings) = tools(dir.path(), &Secrets::default());
        let names: Vec<&str> = tools.iter().map(|tool| tool.name()).collect();
        assert_eq!(names, ["note", "read"]);
        let of_kimi = |name: &str| {
            format!("The tool \"{name}\" of the plugin a is left out: a tool of Kimi has that name")
        };
        assert_eq!(warnings[..3], ["Shell", "Agent", "mcp_find"].map(of_kimi));
        assert_eq!(
            warnings[3..5],
            [
                "The tool \"not one\" of the plugin a is left out: that is no name for a tool",
                "The tool \"note\" of the plugin b is left out: another plugin has a tool of that name",
            ]
        );
        assert!(warnings[5].starts_with("The plugin torn is left out: "), "{warnings:?}");
        assert_eq!(warnings.len(), 6);
    }
}
