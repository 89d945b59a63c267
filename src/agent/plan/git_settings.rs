//! Programs that the settings of a repository have git start while it only looks.
//!
//! `git status` asks `core.fsmonitor`, `git diff` runs the drivers of `.gitattributes` and filters. A command
//! may have written these settings; those of the person, in the home directory, are the person's.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

use super::git_places::{MAX_MODULES, Place, around, path};
use super::settings_file::read;
use crate::tools::path_guard::real_path;

/// Longer indexes, all taken together, are not read.
const MAX_INDEX_BYTES: u64 = 64 << 20;
/// Settings that matter where git fetches what it misses while it only looks.
const FETCHING: &[(&str, &str)] = &[
    ("core", "askpass"),
    ("core", "gitproxy"),
    ("core", "sshcommand"),
    ("credential", "helper"),
    ("protocol", "allow"),
];

/// What of the repositories around some directories, or of those that git goes into from there, names a program,
/// if one does, or the file of which that cannot be told. Each is read once.
pub(super) fn program(dirs: &[PathBuf]) -> Option<String> {
    let mut repositories = Repositories::default();
    dirs.iter().find_map(|dir| repositories.program(dir))
}

/// The repositories that were looked at.
#[derive(Debug, Default)]
struct Repositories {
    /// Directories in which a repository was looked for.
    passed: HashSet<PathBuf>,
    /// Those that were read.
    read: HashSet<Place>,
}

impl Repositories {
    /// What of those around one more directory names a program. Where one was named, no more is asked.
    fn program(&mut self, dir: &Path) -> Option<String> {
        let mut places: VecDeque<Place> = around(dir, &mut self.passed).into();
        let (mut count, mut bytes) = (0, MAX_INDEX_BYTES);
        while let Some(place) = places.pop_front() {
            if !self.read.insert(place.clone()) {
                continue;
            }
            count += 1;
            if count > MAX_MODULES + 1 {
                return Some("index".to_owned());
            }
            match inner(&place, &mut bytes) {
                Ok(inner) => places.extend(inner),
                Err(named) => return Some(named),
            }
        }
        None
    }
}

/// The repositories that git goes into from one whose settings name no program. The error is what does.
fn inner(place: &Place, bytes: &mut u64) -> Result<Vec<Place>, String> {
    let dirs = place.dirs()?;
    let Some(own) = dirs.first() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for dir in &dirs {
        for name in ["config", "config.worktree"] {
            let text = read(&dir.join(name)).map_err(|_| name.to_owned())?;
            let found = settings(&text.unwrap_or_default());
            if dir == own && found.iter().any(|it| it.leads_from(&place.root, own)) {
                return Err("core.worktree".to_owned());
            }
            all.extend(found);
        }
    }
    let fetches = all.iter().any(Setting::fetches);
    let names = |it: &&Setting| it.names_program() || fetches && it.rules_fetching();
    if let Some(setting) = all.iter().find(names) {
        return Err(format!("{}.{}", setting.section, setting.key));
    }
    // The one hook that git runs when it has looked at the work tree.
    let hook = "post-index-change";
    let mut hooks: Vec<PathBuf> = dirs.iter().map(|dir| dir.join("hooks")).collect();
    for setting in all.iter().filter(|it| it.is("core", "hookspath")) {
        let to = path(&setting.value).ok().filter(|to| !to.starts_with(['~', '%']));
        hooks.push(place.root.join(to.ok_or("core.hookspath")?));
    }
    if hooks.iter().any(|hooks| hooks.join(hook).exists()) {
        return Err(format!("hooks/{hook}"));
    }
    Ok(place.inner(own, bytes)?)
}

/// One setting: the first name of its section, the key, both in lower case, and the value without quotes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    section: String,
    pub key: String,
    pub value: String,
}

impl Setting {
    fn is(&self, section: &str, key: &str) -> bool {
        self.section == section && self.key == key
    }

    /// Whether it says that the work tree of the repository `own` is another than `root`.
    fn leads_from(&self, root: &Path, own: &Path) -> bool {
        let to = || path(&self.value).ok().and_then(|to| real_path(&own.join(to)));
        self.is("core", "worktree") && to().is_none_or(|to| Some(to) != real_path(root))
    }

    /// Whether the repository lacks what another one has until it is asked for.
    fn fetches(&self) -> bool {
        self.is("remote", "promisor") || self.is("extensions", "partialclone")
    }

    /// Whether it may name a program that fetches.
    fn rules_fetching(&self) -> bool {
        let leads = matches!(self.key.as_str(), "url" | "insteadof") && self.value.contains("::");
        leads
            || self.section == "url"
            || FETCHING.iter().any(|(section, key)| self.is(section, key))
    }

    fn names_program(&self) -> bool {
        match (self.section.as_str(), self.key.as_str()) {
            // With these words git asks a daemon of its own.
            ("core", "fsmonitor") => {
                let own = ["true", "false", "yes", "no", "on", "off", "1", "0", ""];
                !own.contains(&self.value.to_ascii_lowercase().as_str())
            }
            // It goes into submodules that no index lists.
            ("diff", "submodule") => !["log", "short"].contains(&self.value.as_str()),
            // The index is read for the hashes that everybody has.
            ("extensions", "objectformat") => !self.value.eq_ignore_ascii_case("sha1"),
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

pub(super) fn settings(text: &str) -> Vec<Setting> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let mut line = line.trim();
        // Several sections may begin in one line.
        while let Some((name, rest)) = header(line) {
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
    if !line.starts_with('[') {
        return None;
    }
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

    fn program(dir: &Path) -> Option<String> {
        super::program(&[dir.to_path_buf()])
    }

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
            "[a] [core] fsmonitor = x",
            "[a]\r[b][diff \"c\"]textconv=x",
            "[diff]\nsubmodule = diff",
            "[extensions]\nobjectFormat = sha256",
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
        put(".git/modules/m/config", "[core]\nworktree = ../../../m\n");
        assert_eq!(told(), None);
        put(".git/modules/m/config", "[core]\nworktree = ../../..\n");
        assert_eq!(told().as_deref(), Some("core.worktree"));
        put(".git/modules/m/config", "[core]\nfsmonitor = x\n");
        assert_eq!(told().as_deref(), Some("core.fsmonitor"));
        put(".git/modules/m/config", "");
        put(".git/hooks/post-index-change", "");
        assert_eq!(told().as_deref(), Some("hooks/post-index-change"));
        put(".git/config", "[diff]\nexternal = x\n");
        assert_eq!(told().as_deref(), Some("diff.external"));
    }

    /// A line may look at it many times, from many of its directories.
    #[test]
    fn for_one_command_a_repository_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let git = dir.path().join(".git");
        for made in [git.join("objects"), git.join("refs"), dir.path().join("a/b")] {
            fs::create_dir_all(made).unwrap();
        }
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let mut repositories = Repositories::default();
        assert_eq!(repositories.program(&dir.path().join("a")), None);
        fs::write(git.join("config"), "[diff]\nexternal = x\n").unwrap();
        for below in ["a", "a/b", "", "c"] {
            assert_eq!(repositories.program(&dir.path().join(below)), None, "{below}");
        }
        // Another one is.
        let other = dir.path().join("other");
        fs::create_dir_all(other.join(".git")).unwrap();
        fs::write(other.join(".git/config"), "[diff]\nexternal = x\n").unwrap();
        assert_eq!(repositories.program(&other).as_deref(), Some("diff.external"));
    }

    /// Git asks another repository for what is missing, by what the settings name.
    #[test]
    fn what_fetches_for_a_repository_that_lacks_something_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        let of = |text: &str| {
            fs::write(dir.path().join(".git/config"), text).unwrap();
            program(dir.path())
        };
        let ssh = "[core]\nsshCommand = x\n";
        assert_eq!(of(ssh), None);
        assert_eq!(of("[remote \"o\"]\npromisor = true\nurl = https://h/x\n"), None);
        for lacks in ["[remote \"o\"]\npromisor = true\n", "[extensions]\npartialClone = o\n"] {
            assert_eq!(of(&format!("{ssh}{lacks}")).as_deref(), Some("core.sshcommand"));
            assert!(of(&format!("{lacks}[remote \"o\"]\nurl = ext::x\n")).is_some());
            assert!(of(&format!("{lacks}[credential \"u\"]\nhelper = x\n")).is_some());
        }
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
