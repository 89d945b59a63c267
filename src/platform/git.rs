//! What Git knows: the branch of a work tree, read from its files without starting a process, and
//! the answers of Git itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::env::Env;

/// How long an answer of Git is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const MAX_ANSWER: u64 = 256 << 10;

/// The longest file that is looked at, in bytes. These files hold one short line.
const LIMIT: usize = 4096;

/// The branch that the work tree around `dir` is on, or the first seven digits of a detached
/// commit. `None` outside a work tree.
pub fn branch(dir: &Path) -> Option<String> {
    let git_dir = dir.ancestors().find_map(git_dir)?;
    let head = read_line(&git_dir.join("HEAD"))?;
    match head.strip_prefix("ref: ") {
        Some(name) => {
            Some(name.trim().strip_prefix("refs/heads/").unwrap_or(name.trim()).to_owned())
        }
        None => head.get(..7).map(str::to_owned),
    }
}

/// What `git` says in `dir`; `None` when it fails, takes longer than five seconds or is not there.
/// It only looks: nothing is locked, nobody is asked for a password, and no program that the
/// repository names is started to watch its files.
pub async fn ask(dir: &Path, args: &[&str], env: &Env) -> Option<String> {
    let mut command = tokio::process::Command::new("git");
    command
        .args(["--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false"])
        .args(args)
        .current_dir(dir)
        .env_clear()
        .envs(env.child_vars())
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let answer = async {
        let mut child = command.spawn().ok()?;
        let mut answer = Vec::new();
        child.stdout.take()?.take(MAX_ANSWER).read_to_end(&mut answer).await.ok()?;
        let status = child.wait().await.ok()?;
        // More than we read: it was cut off by us.
        let cut = answer.len() as u64 == MAX_ANSWER;
        (status.success() || cut).then(|| String::from_utf8_lossy(&answer).into_owned())
    };
    tokio::time::timeout(PATIENCE, answer).await.ok()?
}

/// The root of the project around `dir`: the nearest directory upwards with a `.git`, else `dir`.
pub fn project_root(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| fs::symlink_metadata(dir.join(".git")).is_ok()).unwrap_or(dir)
}

/// The repository's directory, if `root` is the root of a work tree. In a linked work tree `.git` is
/// a file that names it.
fn git_dir(root: &Path) -> Option<PathBuf> {
    let dot_git = root.join(".git");
    if dot_git.is_dir() {
        return Some(dot_git);
    }
    let line = read_line(&dot_git)?;
    Some(root.join(line.strip_prefix("gitdir: ")?.trim()))
}

fn read_line(path: &Path) -> Option<String> {
    if fs::metadata(path).ok()?.len() > LIMIT as u64 {
        return None;
    }
    Some(fs::read_to_string(path).ok()?.lines().next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_and_detached_heads_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(branch(&root.join("none")), None);
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join(".git/HEAD"), "ref: refs/heads/feature/x\n").unwrap();
        assert_eq!(branch(&root.join("a/b")).as_deref(), Some("feature/x"));
        fs::write(root.join(".git/HEAD"), "0123456789abcdef\n").unwrap();
        assert_eq!(branch(root).as_deref(), Some("0123456"));
    }

    #[test]
    fn linked_work_trees_are_followed_and_odd_files_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("real")).unwrap();
        fs::write(root.join("real/HEAD"), "ref: refs/heads/side\n").unwrap();
        fs::write(root.join(".git"), "gitdir: real\n").unwrap();
        assert_eq!(branch(root).as_deref(), Some("side"));
        fs::write(root.join("real/HEAD"), "x".repeat(LIMIT + 1)).unwrap();
        assert_eq!(branch(root), None);
        fs::write(root.join("real/HEAD"), "é").unwrap();
        assert_eq!(branch(root), None);
    }
}
