//! Reading the tree: git's ignore rules, `.kimiignore`, and a list of its own where there is no
//! repository.

use std::path::Path;

use ignore::{DirEntry, WalkBuilder};

use super::Entry;

/// Entries that are handed over at a time.
const PART: usize = 2_048;

/// Directories that are not offered outside of a repository: version control, dependencies, build
/// results, caches.
const IGNORED_DIRECTORIES: &[&str] = &[
    ".bzr",
    ".cache",
    ".eggs",
    ".gradle",
    ".hg",
    ".idea",
    ".mypy_cache",
    ".next",
    ".nox",
    ".nuxt",
    ".parcel-cache",
    ".pytest_cache",
    ".ruff_cache",
    ".svelte-kit",
    ".svn",
    ".terraform",
    ".tox",
    ".turbo",
    ".venv",
    ".vscode",
    "CVS",
    "DerivedData",
    "Pods",
    "__pycache__",
    "bower_components",
    "build",
    "coverage",
    "dist",
    "env",
    "htmlcov",
    "node_modules",
    "out",
    "pip-wheel-metadata",
    "target",
    "vendor",
    "venv",
];

/// Endings of names that are not offered outside of a repository.
const IGNORED_ENDINGS: &[&str] = &[
    "_cache",
    "-cache",
    ".egg-info",
    ".dist-info",
    ".pyc",
    ".pyo",
    ".class",
    ".swp",
    ".swo",
    "~",
    ".tmp",
    ".bak",
    ".o",
    ".obj",
];

/// The entries directly in `root`.
pub(super) fn top_level(root: &Path) -> Vec<Entry> {
    builder(root).max_depth(Some(1)).build().filter_map(|found| entry(root, &found.ok()?)).collect()
}

/// Walks the tree, up to `limit` entries of it, and hands the entries to `deliver` in parts. Stops
/// when `deliver` answers `false`; answers whether it came to the end.
pub(super) fn walk(root: &Path, limit: usize, mut deliver: impl FnMut(Vec<Entry>) -> bool) -> bool {
    let mut part = Vec::new();
    let mut left = limit;
    for found in builder(root).build() {
        // What cannot be read is not offered.
        let Some(entry) = found.ok().and_then(|found| entry(root, &found)) else { continue };
        if left == 0 {
            break;
        }
        left -= 1;
        part.push(entry);
        if part.len() >= PART && !deliver(std::mem::take(&mut part)) {
            return false;
        }
    }
    deliver(part)
}

fn builder(root: &Path) -> WalkBuilder {
    let in_repository = root.ancestors().any(|directory| directory.join(".git").exists());
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(false)
        .require_git(false)
        .follow_links(false)
        .add_custom_ignore_filename(".kimiignore")
        .filter_entry(move |entry| {
            let Some(name) = entry.file_name().to_str() else { return false };
            entry.depth() == 0 || (name != ".git" && (in_repository || !is_ignored(entry, name)))
        });
    builder
}

fn is_ignored(entry: &DirEntry, name: &str) -> bool {
    let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
    (is_dir && IGNORED_DIRECTORIES.contains(&name))
        || IGNORED_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn entry(root: &Path, found: &DirEntry) -> Option<Entry> {
    if found.depth() == 0 {
        return None;
    }
    let kind = found.file_type()?;
    let is_dir = kind.is_dir();
    if kind.is_symlink() && !found.path().metadata().is_ok_and(|target| target.is_file()) {
        return None;
    }
    if !(is_dir || kind.is_file() || kind.is_symlink()) {
        return None;
    }
    let mut path = String::new();
    for part in found.path().strip_prefix(root).ok()?.components() {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(part.as_os_str().to_str()?);
    }
    if is_dir {
        path.push('/');
    }
    Some(Entry { path })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    fn paths(root: &Path) -> Vec<String> {
        let mut paths = Vec::new();
        assert!(walk(root, usize::MAX, |part| {
            paths.extend(part.into_iter().map(|entry| entry.path));
            true
        }));
        paths.sort();
        paths
    }

    #[test]
    fn outside_of_a_repository_the_usual_clutter_is_left_out() {
        let root = tree(&[
            "a.rs",
            "node_modules/x/y.js",
            "target/debug/z",
            "b/c.pyc",
            "b/c.py",
            "b/.hidden",
            "my_cache/q",
        ]);
        assert_eq!(paths(root.path()), ["a.rs", "b/", "b/.hidden", "b/c.py"]);
    }

    #[test]
    fn ignore_files_are_obeyed() {
        let root = tree(&["keep.rs", "no.log", "secret/x", "target/kept"]);
        fs::create_dir(root.path().join(".git")).unwrap();
        fs::write(root.path().join(".gitignore"), "*.log\n").unwrap();
        fs::write(root.path().join(".kimiignore"), "secret/\n").unwrap();
        let kept = [".gitignore", ".kimiignore", "keep.rs", "target/", "target/kept"];
        assert_eq!(paths(root.path()), kept);
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out_and_odd_names_do_no_harm() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        let outside = tree(&["secret"]);
        let root = tree(&["a\nb", "sub/file"]);
        std::os::unix::fs::symlink(outside.path(), root.path().join("out")).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", root.path().join("broken")).unwrap();
        std::os::unix::fs::symlink("..", root.path().join("sub/loop")).unwrap();
        std::os::unix::fs::symlink("sub/file", root.path().join("link")).unwrap();
        fs::write(root.path().join(OsStr::from_bytes(b"bad\xff")), "x").unwrap();
        assert_eq!(paths(root.path()), ["a\nb", "link", "sub/", "sub/file"]);
        let mut top: Vec<String> = top_level(root.path()).into_iter().map(|e| e.path).collect();
        top.sort();
        assert_eq!(top, ["a\nb", "link", "sub/"]);
    }

    #[test]
    fn a_walk_ends_at_its_limit() {
        let root = tree(&["a", "b", "c"]);
        let mut count = 0;
        assert!(walk(root.path(), 2, |part| {
            count += part.len();
            true
        }));
        assert_eq!(count, 2);
    }

    #[test]
    fn a_walk_stops_when_nobody_listens() {
        let root = tree(&["a"]);
        assert!(!walk(root.path(), usize::MAX, |_| false));
    }
}
