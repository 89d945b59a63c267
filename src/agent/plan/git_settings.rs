//! Programs that the settings of a repository have git start while it only looks.
//!
//! `git status` asks `core.fsmonitor`, `git diff` runs the drivers of `.gitattributes` and filters. A command
//! may have written these settings; those of the person, in the home directory, are the person's.

use std::path::{Path, PathBuf};

use super::settings_file::{Illegible, NO_TEXT, read};

/// More submodules than these are not looked at.
const MAX_MODULES: usize = 200;

/// The setting by which the repository around a directory names a program, if one does, or the file of which
/// that cannot be told.
pub(super) fn program(dir: &Path) -> Option<String> {
    let root = dir.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok())?;
    match dirs(root) {
        Ok(dirs) => dirs.iter().find_map(|dir| in_dir(dir, root)),
        Err(file) => Some(file.to_owned()),
    }
}

/// The directories with the settings that rule in a repository. The error: a file that leads nobody knows
/// where to.
fn dirs(root: &Path) -> Result<Vec<PathBuf>, &'static str> {
    let Some(own) = git_dir(&root.join(".git")).map_err(|_| ".git")? else { return Ok(Vec::new()) };
    let mut dirs = vec![own.clone()];
    if let Some(common) = read(&own.join("commondir")).map_err(|_| "commondir")? {
        dirs.push(own.join(path(&common).map_err(|_| "commondir")?));
    }
    // Git goes into submodules, each with settings of its own.
    for inner in modules(&root.join(".gitmodules")).map_err(|_| ".gitmodules")? {
        dirs.extend(git_dir(&root.join(inner).join(".git")).map_err(|_| ".gitmodules")?);
    }
    Ok(dirs)
}

/// A path that is written in a file, unless it is not all text.
fn path(text: &str) -> Result<&str, Illegible> {
    if text.contains([NO_TEXT, '\\']) { Err(Illegible) } else { Ok(text.trim_end()) }
}

/// Where a `.git` leads, which may be a file that says so.
fn git_dir(dot_git: &Path) -> Result<Option<PathBuf>, Illegible> {
    if dot_git.is_dir() {
        return Ok(Some(dot_git.to_path_buf()));
    }
    let text = read(dot_git)?;
    let Some(to) = text.as_deref().and_then(|text| text.strip_prefix("gitdir:")) else {
        return Ok(None);
    };
    let to = path(to)?.trim_start();
    Ok(dot_git.parent().map(|dir| dir.join(to)))
}

/// The directories of submodules.
fn modules(file: &Path) -> Result<Vec<String>, Illegible> {
    let text = read(file)?.unwrap_or_default();
    let paths = settings(&text).into_iter().filter(|setting| setting.key == "path");
    let paths: Vec<String> = paths.map(|setting| setting.value).collect();
    if paths.len() > MAX_MODULES {
        return Err(Illegible);
    }
    paths.iter().map(|it| path(it).map(str::to_owned)).collect()
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
                let Ok(path) = path(&setting.value) else {
                    return Some("core.hookspath".to_owned());
                };
                hooks = root.join(path);
            }
        }
    }
    // The one hook that git runs when it has looked at the work tree.
    let hook = "post-index-change";
    hooks.join(hook).exists().then(|| format!("hooks/{hook}"))
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
            ("filter", "clean" | "smudge" | "process") => !is_of_lfs(&self.value),
            ("gpg", "program") => true,
            ("remote", "uploadpack" | "vcs") => true,
            // What is in the other file is not read.
            ("include" | "includeif", "path") => true,
            _ => false,
        }
    }
}

/// Whether a filter is `git-lfs` and nothing else.
fn is_of_lfs(filter: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " -%".contains(c);
    filter.starts_with("git-lfs ") && filter.chars().all(plain)
}

/// A value without quotes and the remark behind it. What is escaped stays so.
fn plain(value: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let mut plain = String::new();
    for c in value.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ';' | '#' if !quoted && !escaped => break,
            c => plain.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    plain.trim().to_owned()
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
        let (key, value) = (key.trim().to_ascii_lowercase(), plain(value));
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
    use std::fs;

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
            "[core]\nfsmonitor = \"1;touch x\"",
            "[core]\nfsmonitor = \"#\"",
            "[core]\nfsmonitor = 1\\\n;touch x",
            "[filter \"f\"]\nclean = \"git-lfs clean; touch x\"",
            "[filter \"f\"]\nclean = git-lfs clean | x",
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

    /// What cannot be read, or leads to no plain path, may name any program.
    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &[u8]| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let told = || program(dir.path());
        put(".git/config", b"[user]\n\tname = Ren\xe9 ; x\n[core]\n\tbare = false\n");
        assert_eq!(told(), None);
        put(".git/commondir", b"../\xff\n");
        assert_eq!(told().as_deref(), Some("commondir"));
        fs::remove_file(dir.path().join(".git/commondir")).unwrap();
        fs::create_dir(dir.path().join(".gitmodules")).unwrap();
        assert_eq!(told().as_deref(), Some(".gitmodules"));
        fs::remove_dir(dir.path().join(".gitmodules")).unwrap();
        for path in [&b"\xff"[..], br"m\\n", br"m\"] {
            put(".gitmodules", &[b"[submodule \"m\"]\n\tpath = ", path, b"\n"].concat());
            assert_eq!(told().as_deref(), Some(".gitmodules"), "{path:?}");
        }
        // A remark begins outside of quotes alone.
        put(".gitmodules", b"[submodule \"m\"]\n\tpath = \"m;n\"\n");
        put("m;n/.git/config", b"[diff]\nexternal = x\n");
        assert_eq!(told().as_deref(), Some("diff.external"));
        fs::remove_file(dir.path().join(".gitmodules")).unwrap();
        put(".git/config", b"[core]\nhooksPath = \xff\n");
        assert_eq!(told().as_deref(), Some("core.hookspath"));
        fs::remove_dir_all(dir.path().join(".git")).unwrap();
        put(".git", b"gitdir: \xff\n");
        assert_eq!(told().as_deref(), Some(".git"));
        put(".git", b"nothing of git");
        assert_eq!(told(), None);
    }
}
