//! Where a path really leads, and whether a tool may go there.
//!
//! Paths are compared after every symlink is resolved, so that a link inside the workspace that
//! leads outside counts as outside, and a link with an innocent name to a secret counts as secret.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::Workspace;
use super::secrets::Secrets;
use crate::platform::Env;
use crate::protocol::ToolReturnValue;

/// More symlinks than this on one path are taken for a loop, as Linux does.
const MAX_LINKS: usize = 40;

/// A path that passed the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardedPath {
    /// Absolute, `.` and `..` removed, links kept: the one to show.
    pub path: PathBuf,
    /// Where it leads, links resolved: the one to open. The last parts may not exist.
    pub real: PathBuf,
    /// Whether `real` is in the workspace.
    pub inside: bool,
}

/// Why a path was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("The path is empty. Give the path of a file.")]
    Empty,
    #[error(
        "`{0}` leads outside the working directory. Give an absolute path to work with files outside it."
    )]
    Escapes(String),
    #[error("`{0}` cannot be followed: too many symbolic links. Give the path of the file itself.")]
    Loop(String),
    #[error("`{0}` is not a path: it contains a null character.")]
    Null(String),
    #[error(
        "`{0}` looks like a file with secrets (credentials or keys), which tools do not {1}. Ask the user to handle it."
    )]
    Sensitive(String, &'static str),
}

impl From<Refusal> for ToolReturnValue {
    fn from(refusal: Refusal) -> Self {
        let brief = match refusal {
            Refusal::Empty => "Empty file path",
            Refusal::Sensitive(..) => "Sensitive file",
            Refusal::Escapes(_) | Refusal::Loop(_) | Refusal::Null(_) => "Invalid path",
        };
        Self::error(refusal.to_string(), brief)
    }
}

/// Resolves what a model wrote against the workspace.
pub fn resolve(input: &str, workspace: &Workspace, home: &Path) -> Result<GuardedPath, Refusal> {
    if input.trim().is_empty() {
        return Err(Refusal::Empty);
    }
    if input.contains('\0') {
        return Err(Refusal::Null(input.replace('\0', "\u{fffd}")));
    }
    let expanded = expand_home(input, home);
    let path = lexical(&workspace.work_dir.join(&expanded));
    let roots = workspace.roots();
    if !expanded.is_absolute() && !roots.iter().any(|root| path.starts_with(lexical(root))) {
        return Err(Refusal::Escapes(input.to_owned()));
    }
    let real = real_path(&path).ok_or_else(|| Refusal::Loop(input.to_owned()))?;
    let inside = roots.iter().filter_map(|root| real_path(root)).any(|root| real.starts_with(root));
    Ok(GuardedPath { path, real, inside })
}

/// The same, refusing files with secrets. A directory may be called `credentials`: what is in it is
/// looked at one by one. `verb` says what would be done: `read`, `write`.
pub fn resolve_public(
    input: &str,
    workspace: &Workspace,
    env: &Env,
    verb: &'static str,
) -> Result<GuardedPath, Refusal> {
    let target = resolve(input, workspace, &env.home)?;
    let secrets = Secrets::of(env);
    if (secrets.hold(&target.path) || secrets.hold(&target.real)) && !target.real.is_dir() {
        return Err(Refusal::Sensitive(input.to_owned(), verb));
    }
    Ok(target)
}

fn expand_home(input: &str, home: &Path) -> PathBuf {
    match input.strip_prefix('~') {
        Some("") => home.to_path_buf(),
        Some(rest) => match rest.strip_prefix('/') {
            Some(rest) => home.join(rest.trim_start_matches('/')),
            None => PathBuf::from(input),
        },
        None => PathBuf::from(input),
    }
}

/// Removes `.` and `..` without looking at the disk.
pub fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// Follows every symlink of an absolute path, also dangling ones; what does not exist stays as it
/// is. `None` for a loop.
pub fn real_path(path: &Path) -> Option<PathBuf> {
    let parts = |path: &Path| -> Vec<OsString> {
        path.components()
            .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
            .map(|part| part.as_os_str().to_owned())
            .collect()
    };
    let mut pending: VecDeque<OsString> = parts(path).into();
    let root = path
        .components()
        .take_while(|part| matches!(part, Component::Prefix(_) | Component::RootDir))
        .collect::<PathBuf>();
    let mut real = root.clone();
    let mut links = 0;
    while let Some(part) = pending.pop_front() {
        if part == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&part);
        let Ok(target) = std::fs::read_link(&next) else {
            real = next;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return None;
        }
        if target.is_absolute() {
            real = root.clone();
        }
        for part in parts(&target).into_iter().rev() {
            pending.push_front(part);
        }
    }
    Some(real)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use std::os::unix::fs::symlink;

    struct Place {
        _dir: tempfile::TempDir,
        root: PathBuf,
        workspace: Workspace,
    }

    /// `/ws` is the work directory, `/out` lies beside it.
    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("ws/src")).unwrap();
        std::fs::create_dir_all(root.join("out")).unwrap();
        std::fs::write(root.join("out/.env"), "SECRET=1").unwrap();
        let workspace = Workspace::new(root.join("ws"), vec![]);
        Place { _dir: dir, root, workspace }
    }

    #[test]
    fn relative_absolute_and_home_paths() {
        let place = place();
        let resolve = |input: &str| resolve(input, &place.workspace, Path::new("/home/me"));
        let inside = resolve("src/../src/./a.rs").unwrap();
        assert_eq!(inside.path, place.root.join("ws/src/a.rs"));
        assert!(inside.inside);
        assert!(!resolve(place.root.join("out/x").to_str().unwrap()).unwrap().inside);
        assert_eq!(resolve("~/x").unwrap().path, Path::new("/home/me/x"));
        assert_eq!(resolve("~").unwrap().path, Path::new("/home/me"));
        assert_eq!(resolve("~other/x").unwrap().path, place.root.join("ws/~other/x"));
        assert_eq!(resolve("../out/x"), Err(Refusal::Escapes("../out/x".into())));
        assert_eq!(resolve(" "), Err(Refusal::Empty));
        assert!(matches!(resolve("a\0b"), Err(Refusal::Null(_))));
    }

    #[test]
    fn additional_directories_are_inside() {
        let place = place();
        place.workspace.add(&place.root.join("out"));
        assert!(resolve("../out/x", &place.workspace, Path::new("/")).unwrap().inside);
    }

    #[test]
    fn a_sibling_with_the_same_beginning_is_outside() {
        let place = place();
        let sibling = format!("{}-other/x", place.root.join("ws").display());
        assert!(!resolve(&sibling, &place.workspace, Path::new("/")).unwrap().inside);
    }

    #[test]
    fn links_that_lead_outside_count_as_outside() {
        let place = place();
        let ws = place.root.join("ws");
        symlink("../out", ws.join("link")).unwrap();
        symlink(place.root.join("out/new"), ws.join("dangling")).unwrap();
        symlink("src", ws.join("inner")).unwrap();
        symlink("round", ws.join("round")).unwrap();
        let resolve = |input: &str| resolve(input, &place.workspace, Path::new("/"));
        let escaped = resolve("link/deep/x").unwrap();
        assert_eq!(escaped.real, place.root.join("out/deep/x"));
        assert!(!escaped.inside);
        assert!(!resolve("dangling").unwrap().inside);
        assert!(resolve("inner/a").unwrap().inside);
        assert!(matches!(resolve("round"), Err(Refusal::Loop(_))));
    }

    #[test]
    fn a_workspace_behind_a_link_is_inside() {
        let place = place();
        symlink(place.root.join("ws"), place.root.join("alias")).unwrap();
        let workspace = Workspace::new(place.root.join("alias"), vec![]);
        assert!(resolve("src/a", &workspace, Path::new("/")).unwrap().inside);
    }

    #[test]
    fn a_link_does_not_hide_a_secret() {
        let place = place();
        symlink(place.root.join("out/.env"), place.root.join("ws/notes.txt")).unwrap();
        let refused = resolve_public("notes.txt", &place.workspace, &fixed::env("/", &[]), "read");
        assert!(matches!(refused, Err(Refusal::Sensitive(..))));
        let result = ToolReturnValue::from(refused.unwrap_err());
        assert!(result.is_error && result.message.contains("notes.txt"));
    }
}
