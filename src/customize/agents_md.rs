//! `AGENTS.md`: the instructions that users leave for agents in their projects.
//!
//! From the project's root (the nearest directory upwards with a `.git`) down to the work directory,
//! each directory may have `.kimi/AGENTS.md` and `AGENTS.md` (or `agents.md`). Before all of them
//! comes the user's own, in the data directory. When they are too long together, those nearest to
//! the work directory win.

use std::fs;
use std::path::{Path, PathBuf};

use crate::platform::env::Env;
use crate::platform::git::project_root;
use crate::store::{ShareDir, read_regular};

/// Bytes of instructions that the model is given.
const BUDGET: usize = 32 * 1024;
/// A larger file is not read.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The instructions for a work directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentsMd {
    /// All of them, from the most general to the most special; empty for none. Each begins with an
    /// HTML comment that names its file.
    pub text: String,
    /// The files it came from, in the same order.
    pub files: Vec<PathBuf>,
    /// What could not be read or was cut.
    pub warnings: Vec<String>,
}

/// Finds and joins the instructions for a work directory. Only looks at files, runs no git.
pub fn discover(work_dir: &Path, env: &Env) -> AgentsMd {
    let mut found = AgentsMd::default();
    let mut sources = Vec::new();
    let user = ShareDir::from_env(env).agents_md();
    read(&user, &mut sources, &mut found.warnings);
    for dir in directories(work_dir) {
        read(&dir.join(".kimi").join("AGENTS.md"), &mut sources, &mut found.warnings);
        if !read(&dir.join("AGENTS.md"), &mut sources, &mut found.warnings) {
            read(&dir.join("agents.md"), &mut sources, &mut found.warnings);
        }
    }
    // The same file can come twice: a home directory may be a project.
    let mut seen = Vec::new();
    sources.retain(|source: &Source| {
        let identity = fs::canonicalize(&source.path).unwrap_or_else(|_| source.path.clone());
        let fresh = !seen.contains(&identity);
        seen.push(identity);
        fresh
    });
    fit(&mut sources, &mut found.warnings);
    found.text = sources
        .iter()
        .map(|source| format!("{}{}", source.head(), source.text))
        .collect::<Vec<_>>()
        .join("\n\n");
    found.files = sources.into_iter().map(|source| source.path).collect();
    found
}

/// One file, trimmed and not empty.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The comment that names the file.
    fn head(&self) -> String {
        // A path with `-->` in it must not end the comment.
        let path = self.path.display().to_string().replace("--", "- -").replace('\n', " ");
        format!("<!-- From: {path} -->\n")
    }
}

/// The directories from the project's root down to the work directory.
fn directories(work_dir: &Path) -> Vec<&Path> {
    let root = project_root(work_dir);
    let mut dirs: Vec<_> = work_dir.ancestors().take_while(|dir| dir.starts_with(root)).collect();
    dirs.reverse();
    dirs
}

/// Reads a file into `sources` if there is anything in it. Returns whether the file exists.
fn read(path: &Path, sources: &mut Vec<Source>, warnings: &mut Vec<String>) -> bool {
    match fs::metadata(path) {
        // Not a file: a directory of that name, or a device that stands for "nothing here".
        Ok(meta) if !meta.is_file() => return false,
        Ok(_) => {}
        Err(_) => return false,
    }
    match read_regular(path, MAX_FILE) {
        Ok(Some(bytes)) => {
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                sources.push(Source { path: path.to_path_buf(), text: text.to_owned() });
            }
        }
        Ok(None) => return false,
        Err(error) => warnings.push(format!("{} is left out: {error}.", path.display())),
    }
    true
}

/// Cuts and drops texts until they fit the budget, giving to the last ones first.
fn fit(sources: &mut Vec<Source>, warnings: &mut Vec<String>) {
    let mut left = BUDGET;
    let mut kept = Vec::new();
    for mut source in sources.drain(..).rev() {
        let head = source.head().len() + 2;
        let room = left.saturating_sub(head);
        if source.text.len() > room {
            let mut cut = room;
            while !source.text.is_char_boundary(cut) {
                cut -= 1;
            }
            source.text.truncate(cut);
            let text = source.text.trim_end().len();
            source.text.truncate(text);
            warnings.push(format!(
                "{} is too long: {text} bytes of it are used, as all AGENTS.md files together may \
                 have 32 KiB.",
                source.path.display()
            ));
        }
        left = left.saturating_sub(head + source.text.len());
        if !source.text.is_empty() {
            kept.push(source);
        }
    }
    kept.reverse();
    *sources = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    struct Project {
        dir: tempfile::TempDir,
    }

    impl Project {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = dir.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self { dir }
        }

        fn discover(&self, work_dir: &str) -> AgentsMd {
            let env = fixed::env(self.dir.path().join("home"), &[]);
            let work_dir = self.dir.path().join(work_dir);
            fs::create_dir_all(&work_dir).unwrap();
            let mut found = discover(&work_dir, &env);
            found.text = found.text.replace(&self.dir.path().display().to_string(), "");
            found
        }
    }

    #[test]
    fn from_the_user_over_the_root_to_the_work_dir() {
        let project = Project::new(&[
            ("AGENTS.md", "outside"),
            ("home/.kimi/AGENTS.md", "mine"),
            ("p/.git", "gitdir: elsewhere"),
            ("p/AGENTS.md", "\u{feff}\n root \n"),
            ("p/.kimi/AGENTS.md", "hidden"),
            ("p/a/agents.md", "  \n"),
            ("p/a/b/agents.md", "leaf"),
        ]);
        let found = project.discover("p/a/b");
        assert_eq!(
            found.text,
            "<!-- From: /home/.kimi/AGENTS.md -->\nmine\n\n\
             <!-- From: /p/.kimi/AGENTS.md -->\nhidden\n\n\
             <!-- From: /p/AGENTS.md -->\nroot\n\n\
             <!-- From: /p/a/b/agents.md -->\nleaf"
        );
        assert_eq!(found.files.len(), 4);
        assert!(found.warnings.is_empty());
    }

    #[test]
    fn without_a_repository_only_the_work_dir_counts() {
        let project = Project::new(&[("p/AGENTS.md", "root"), ("p/a/AGENTS.md", "leaf")]);
        assert_eq!(project.discover("p/a").text, "<!-- From: /p/a/AGENTS.md -->\nleaf");
        assert_eq!(project.discover("q"), AgentsMd::default());
    }

    #[test]
    fn the_nearest_files_get_the_room() {
        let (root, leaf) = ("漢".repeat(9_000), "l".repeat(20_000));
        let project = Project::new(&[
            ("p/.git/HEAD", ""),
            ("home/.kimi/AGENTS.md", "mine"),
            ("p/AGENTS.md", &root),
            ("p/a/AGENTS.md", &leaf),
        ]);
        let found = project.discover("p/a");
        assert!(found.text.len() <= BUDGET && found.text.contains(&leaf));
        assert!(found.text.contains("漢漢") && !found.text.contains("mine"));
        assert_eq!((found.files.len(), found.warnings.len()), (2, 2));
    }

    #[cfg(unix)]
    #[test]
    fn odd_files_are_left_out() {
        use std::os::unix::fs::symlink;
        let project = Project::new(&[("p/.git/HEAD", ""), ("p/b/AGENTS.md/x", "")]);
        let dir = project.dir.path().join("p");
        symlink("AGENTS.md", dir.join("AGENTS.md")).unwrap();
        fs::create_dir_all(dir.join("a/c")).unwrap();
        symlink("/dev/null", dir.join("a/AGENTS.md")).unwrap();
        fs::write(dir.join("a/c/AGENTS.md"), b"ok \xff").unwrap();
        fs::write(dir.join("a/.kimi"), "a file").unwrap();
        assert!(project.discover("p/a/c").text.ends_with("\nok \u{fffd}"));
        assert_eq!(project.discover("p/b").text, "");
    }

    #[test]
    fn a_huge_file_is_named_and_left_out() {
        let project = Project::new(&[("p/AGENTS.md", &"x".repeat(5 * 1024 * 1024))]);
        let found = project.discover("p");
        assert!(found.text.is_empty() && found.warnings[0].contains("too large"));
    }
}
