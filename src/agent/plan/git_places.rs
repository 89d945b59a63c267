//! The repositories that git goes into from a directory: the one around it, and the submodules that their
//! indexes and `.gitmodules` list.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::git_index;
use super::git_settings::settings;
use super::settings_file::{Illegible, NO_TEXT, read};

/// More submodules than these are not looked at.
pub(super) const MAX_MODULES: usize = 200;

/// A place where git finds a repository, or may.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The top of the work tree.
    pub root: PathBuf,
    /// The repository, or the file that says where it is.
    dot_git: PathBuf,
}

/// What git may take for a repository in a directory: its `.git`, and the directory itself where it is one
/// without a work tree.
fn repositories(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let has = |name: &str| dir.join(name).symlink_metadata().is_ok();
    let within = has(".git").then(|| dir.join(".git"));
    let itself = (has("HEAD") && has("objects")).then(|| dir.to_path_buf());
    within.into_iter().chain(itself)
}

/// Whether git may take a directory, or what is in it, for a repository.
pub(super) fn has_repository(dir: &Path) -> bool {
    repositories(dir).next().is_some()
}

/// Where git may find the repository of a directory: as it is, it goes on above what it takes for none. Directories
/// that are among the `passed` already are left out, with all above them.
pub(super) fn around(dir: &Path, passed: &mut HashSet<PathBuf>) -> Vec<Place> {
    let mut places = Vec::new();
    for root in dir.ancestors() {
        if !passed.insert(root.to_path_buf()) {
            break;
        }
        for dot_git in repositories(root) {
            let ends = dot_git.is_file() || is_repository(&dot_git);
            places.push(Place { root: root.to_path_buf(), dot_git });
            if ends {
                return places;
            }
        }
    }
    places
}

/// Whether git takes a directory for a repository, for certain.
fn is_repository(dir: &Path) -> bool {
    // The last name is only found by those who may go into the directory.
    let enters = |name: &str| fs::metadata(dir.join(name).join(".")).is_ok();
    let head = read(&dir.join("HEAD")).ok().flatten().unwrap_or_default();
    let names_commit = head.starts_with("ref: refs/")
        || head.trim_end().len() == 40 && head.trim_end().bytes().all(|b| b.is_ascii_hexdigit());
    names_commit
        && enters("objects")
        && enters("refs")
        && dir.join("commondir").symlink_metadata().is_err()
}

impl Place {
    fn below(&self, path: &Path) -> Self {
        let root = self.root.join(path);
        Self { dot_git: root.join(".git"), root }
    }

    /// The directories with the settings that rule here, the repository's own first; none where there is no
    /// repository. The error: a file that leads nobody knows where to.
    pub fn dirs(&self) -> Result<Vec<PathBuf>, &'static str> {
        let Some(own) = git_dir(&self.dot_git).map_err(|_| ".git")? else { return Ok(Vec::new()) };
        let common = read(&own.join("commondir")).map_err(|_| "commondir")?;
        let common = match &common {
            Some(text) => Some(own.join(path(text).map_err(|_| "commondir")?)),
            None => None,
        };
        Ok([own].into_iter().chain(common).collect())
    }

    /// The submodules, where `own` is the repository. `max_bytes`: how long the index may be; what it takes is
    /// taken off. The error: the file that cannot be read.
    pub fn inner(&self, own: &Path, max_bytes: &mut u64) -> Result<Vec<Self>, &'static str> {
        let index =
            git_index::read(&own.join("index"), *max_bytes, MAX_MODULES).map_err(|_| "index")?;
        *max_bytes = max_bytes.saturating_sub(index.bytes);
        let told = modules(&self.root.join(".gitmodules")).map_err(|_| ".gitmodules")?;
        let told = told.iter().map(PathBuf::from);
        Ok(index.submodules.into_iter().chain(told).map(|path| self.below(&path)).collect())
    }
}

/// A path that is written in a file, unless it is not all text.
pub(super) fn path(text: &str) -> Result<&str, Illegible> {
    if text.contains([NO_TEXT, '\\']) {
        Err(Illegible)
    } else {
        Ok(text.trim_end_matches(['\n', '\r']))
    }
}

/// Where a `.git` leads, which may be a file that says so.
fn git_dir(dot_git: &Path) -> Result<Option<PathBuf>, Illegible> {
    if dot_git.is_dir() {
        return Ok(Some(dot_git.to_path_buf()));
    }
    let text = read(dot_git)?;
    let Some(to) = text.as_deref().and_then(|text| text.strip_prefix("gitdir: ")) else {
        return Ok(None);
    };
    let to = path(to)?;
    Ok(dot_git.parent().map(|dir| dir.join(to)))
}

/// The directories of submodules that a file lists.
fn modules(file: &Path) -> Result<Vec<String>, Illegible> {
    let text = read(file)?.unwrap_or_default();
    let paths = settings(&text).into_iter().filter(|setting| setting.key == "path");
    let paths: Vec<String> = paths.map(|setting| setting.value).collect();
    if paths.len() > MAX_MODULES {
        return Err(Illegible);
    }
    paths.iter().map(|it| path(it).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::git_settings::program;
    use super::*;

    struct World(tempfile::TempDir);

    impl World {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn put(&self, name: &str, text: impl AsRef<[u8]>) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn told(&self, dir: &str) -> Option<String> {
            program(&[self.0.path().join(dir)])
        }
    }

    /// An index with one submodule.
    fn index(name: &str) -> Vec<u8> {
        let mut all = b"DIRC\0\0\0\x02\0\0\0\x01".to_vec();
        all.extend([0; 24]);
        all.extend(0o160_000_u32.to_be_bytes());
        all.extend([0; 32]);
        all.extend((name.len() as u16).to_be_bytes());
        all.extend(name.bytes());
        all.resize(12 + ((all.len() - 12 + 8) & !7), 0);
        all.extend([0; 20]);
        all
    }

    #[test]
    fn submodules_of_the_index_are_gone_into_at_every_depth() {
        let world = World::new();
        world.put(".git/index", index("l1"));
        world.put("l1/.git/index", index("d/l2"));
        world.put("l1/d/l2/.git", "gitdir: ../../../.git/modules/l2\n");
        world.put(".git/modules/l2/index", index("l3"));
        assert_eq!(world.told("."), None);
        world.put("l1/d/l2/l3/.git/config", "[core]\nfsmonitor = x\n");
        assert_eq!(world.told(".").as_deref(), Some("core.fsmonitor"));
        world.put(".git/modules/l2/index", "DIRC");
        assert_eq!(world.told(".").as_deref(), Some("index"));
        // No repository, and so nothing to go into.
        fs::remove_dir_all(world.0.path().join("l1/.git")).unwrap();
        assert_eq!(world.told("."), None);
    }

    #[test]
    fn gitmodules_of_a_submodule_are_read() {
        let world = World::new();
        world.put(".git/config", "");
        world.put(".gitmodules", "[submodule \"a\"]\npath = l1\n");
        world.put("l1/.git/config", "");
        world.put("l1/.gitmodules", "[submodule \"b\"]\npath = l2\n");
        world.put("l1/l2/.git/config", "[diff]\nexternal = x\n");
        assert_eq!(world.told(".").as_deref(), Some("diff.external"));
    }

    #[cfg(unix)]
    #[test]
    fn a_circle_of_submodules_ends() {
        let world = World::new();
        world.put(".git/index", index("in"));
        std::os::unix::fs::symlink(".", world.0.path().join("in")).unwrap();
        assert!(world.told(".").is_some());
    }

    #[test]
    fn more_repositories_than_anybody_has_are_not_gone_into() {
        let world = World::new();
        let mut dir = String::new();
        for _ in 0..=MAX_MODULES {
            world.put(&format!("{dir}.git/index"), index("d"));
            dir += "d/";
        }
        world.put(&format!("{dir}.git/config"), "");
        assert_eq!(world.told(".").as_deref(), Some("index"));
    }

    /// What git takes for no repository it passes over.
    #[test]
    fn an_empty_repository_hides_none_above() {
        let world = World::new();
        world.put(".git/config", "[diff]\nexternal = x\n");
        world.put("sub/.git/HEAD", "nothing");
        assert_eq!(world.told("sub").as_deref(), Some("diff.external"));
        world.put("sub/.git/HEAD", "ref: refs/heads/main\n");
        assert_eq!(world.told("sub").as_deref(), Some("diff.external"));
        for part in ["objects", "refs"] {
            fs::create_dir(world.0.path().join("sub/.git").join(part)).unwrap();
        }
        assert_eq!(world.told("sub"), None);
    }

    #[test]
    fn a_directory_may_be_a_repository_itself() {
        let world = World::new();
        world.put("bare/HEAD", "ref: refs/heads/main\n");
        world.put("bare/objects/x", "");
        world.put("bare/config", "[diff \"d\"]\ntextconv = x\n");
        assert_eq!(world.told("bare").as_deref(), Some("diff.textconv"));
    }

    #[test]
    fn the_path_of_a_repository_is_taken_as_it_is_written() {
        let world = World::new();
        world.put("r /config", "[diff]\nexternal = x\n");
        world.put(".git", "gitdir: r \n");
        assert_eq!(world.told(".").as_deref(), Some("diff.external"));
    }
}
