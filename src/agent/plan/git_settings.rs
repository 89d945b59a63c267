//! Programs that the settings of a repository have git start while it only looks.
//!
//! `git status` asks `core.fsmonitor`, `git diff` runs the drivers of `.gitattributes` and filters. A command
//! may have written these settings; those of the person, in the home directory, are the person's.

use std::fs;
use std::path::{Path, PathBuf};

/// Longer settings are not read.
const MAX_BYTES: u64 = 1 << 20;
/// More submodules than these are not looked at.
const MAX_MODULES: usize = 200;

/// The setting by which the repository around a directory names a program, if one does.
pub(super) fn program(dir: &Path) -> Option<String> {
    let root = dir.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok())?;
    let own = git_dir(&root.join(".git"))?;
    let mut dirs = vec![own.clone()];
    if let Ok(common) = fs::read_to_string(own.join("commondir")) {
        dirs.push(own.join(common.trim_end()));
    }
    // Git goes into submodules, each with settings of its own.
    let inner = modules(&root.join(".gitmodules"));
    if inner.len() > MAX_MODULES {
        return Some(".gitmodules".to_owned());
    }
    dirs.extend(inner.iter().filter_map(|path| git_dir(&root.join(path).join(".git"))));
    dirs.iter().find_map(|dir| in_dir(dir, root))
}

/// Where a `.git` leads, which may be a file that says so.
fn git_dir(dot_git: &Path) -> Option<PathBuf> {
    if dot_git.is_dir() {
        return Some(dot_git.to_path_buf());
    }
    let text = fs::read_to_string(dot_git).ok()?;
    let path = text.strip_prefix("gitdir:")?.trim();
    Some(dot_git.parent()?.join(path))
}

/// The directories of submodules.
fn modules(file: &Path) -> Vec<String> {
    let Ok(Some(text)) = read(file) else { return Vec::new() };
    let paths = settings(&text).into_iter().filter(|setting| setting.key == "path");
    paths.map(|setting| setting.value).take(MAX_MODULES + 1).collect()
}

fn in_dir(dir: &Path, root: &Path) -> Option<String> {
    let mut hooks = dir.join("hooks");
    for name in ["config", "config.worktree"] {
        let Ok(text) = read(&dir.join(name)) else { return Some(name.to_owned()) };
        for setting in settings(&text.unwrap_or_default()) {
            if setting.names_program() {
                return Some(format!("{}.{}", setting.section, setting.key));
            }
            if setting.section == "core" && setting.key == "hookspath" {
                hooks = root.join(&setting.value);
            }
        }
    }
    // The one hook that git runs when it has looked at the work tree.
    let hook = "post-index-change";
    hooks.join(hook).exists().then(|| format!("hooks/{hook}"))
}

/// The text of a file, if there is one. The error: it cannot be read.
fn read(file: &Path) -> Result<Option<String>, ()> {
    match fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err(()),
        Ok(meta) if meta.len() > MAX_BYTES || !meta.is_file() => return Err(()),
        Ok(_) => {}
    }
    let bytes = fs::read(file).map_err(|_| ())?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// One setting: the first name of its section, the key, both in lower case, and the value without quotes.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    section: String,
    key: String,
    value: String,
}

impl Setting {
    fn names_program(&self) -> bool {
        match (self.section.as_str(), self.key.as_str()) {
            // With these words git asks a daemon of its own.
            ("core", "fsmonitor") => {
                let own = ["true", "false", "yes", "no", "on", "off", "1", "0", ""];
                !own.contains(&self.value.to_ascii_lowercase().as_str())
            }
            ("diff", "external" | "command" | "textconv") => true,
            ("filter", "clean" | "smudge" | "process") => !self.value.starts_with("git-lfs "),
            ("gpg", "program") => true,
            ("remote", "uploadpack" | "vcs") => true,
            // What is in the other file is not read.
            ("include" | "includeif", "path") => true,
            _ => false,
        }
    }
}

fn settings(text: &str) -> Vec<Setting> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let mut line = line.trim();
        if line.starts_with('[') {
            let Some((name, rest)) = header(line) else { continue };
            section = name;
            line = rest.trim();
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        let value = value.split([';', '#']).next().unwrap_or_default().replace('"', "");
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim().to_owned());
        found.push(Setting { section: section.clone(), key, value });
    }
    found
}

/// The first name of `[diff "driver"]` or `[diff.driver]`, and what follows on the line.
fn header(line: &str) -> Option<(String, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = line.char_indices().find(|(_, c)| {
        let ends = *c == ']' && !quoted;
        quoted ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    let (end, _) = end?;
    let inside = line.get(1..end)?;
    let name = inside.split([' ', '\t', '.', '"']).find(|name| !name.is_empty())?;
    Some((name.to_ascii_lowercase(), line.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(config: &str) -> bool {
        settings(config).iter().any(Setting::names_program)
    }

    #[test]
    fn settings_that_name_programs() {
        for config in [
            "[core]\n\tfsmonitor = touch x",
            "[CORE] FSMonitor=touch x",
            "[diff \"a]b\"]\ncommand=x",
            "[diff.ev]\ntextconv = x",
            "[diff]\nexternal=x",
            "\u{feff}[filter \"f\"]\n clean = x",
            "[include]\npath = ../x",
            "[includeIf \"gitdir:/\"] path = x",
            "[remote \"o\"]\nuploadpack = x",
        ] {
            assert!(named(config), "{config}");
        }
        for config in [
            "[core]\n\tbare = false\n\tfsmonitor = true\n[remote \"origin\"]\n\turl = x",
            "[filter \"lfs\"]\n\tclean = git-lfs clean -- %f",
            "# [diff]\n; external = x\n[user]\nname = external",
            "",
        ] {
            assert!(!named(config), "{config}");
        }
    }

    #[test]
    fn every_repository_that_git_goes_into_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let told = || program(&dir.path().join("src"));
        put("src/a", "");
        assert_eq!(told(), None);
        put(".git/config", "[core]\nbare = false\n");
        assert_eq!(told(), None);
        put(".gitmodules", "[submodule \"m\"]\n\tpath = m\n");
        put("m/.git", "gitdir: ../.git/modules/m\n");
        put(".git/modules/m/config", "[core]\nfsmonitor = x\n");
        assert_eq!(told().as_deref(), Some("core.fsmonitor"));
        put(".git/modules/m/config", "");
        put(".git/hooks/post-index-change", "");
        assert_eq!(told().as_deref(), Some("hooks/post-index-change"));
        put(".git/config", "[diff]\nexternal = x\n");
        assert_eq!(told().as_deref(), Some("diff.external"));
    }
}
