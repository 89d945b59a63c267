//! What a new explorer is told of the repository, before its task (agent-loop.md section 12).

use std::path::Path;

use crate::agent::core::Core;
use crate::platform::{Env, git};

/// Hosts whose addresses say nothing about anybody's network.
const KNOWN_HOSTS: [&str; 6] =
    ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "gitee.com", "git.sr.ht"];
/// Changed files that are named.
const MAX_FILES: usize = 20;
/// Commits that are named.
const COMMITS: &str = "-3";
/// Characters of a line.
const MAX_LINE: usize = 200;

/// The task, with what there is to know of the repository before it.
pub async fn before(core: &Core, prompt: &str) -> String {
    match context(&core.workspace.work_dir, &core.env).await {
        Some(context) => format!("{context}\n\n{prompt}"),
        None => prompt.to_owned(),
    }
}

/// `None` outside a work tree.
async fn context(dir: &Path, env: &Env) -> Option<String> {
    let branch = git::branch(dir)?;
    let (remote, status, log) = tokio::join!(
        git::ask(dir, &["remote", "get-url", "origin"], env),
        git::ask(dir, &["status", "--porcelain"], env),
        git::ask(dir, &["log", COMMITS, "--oneline", "--no-decorate"], env),
    );
    let mut lines = vec!["<git-context>".to_owned(), format!("Work dir: {}", dir.display())];
    if let Some((url, repository)) = remote.as_deref().and_then(known_remote) {
        lines.push(format!("Remote: {url}"));
        lines.push(format!("Repository: {repository}"));
    }
    lines.push(format!("Branch: {}", one_line(&branch)));
    let changed: Vec<&str> = status.as_deref().unwrap_or_default().lines().collect();
    if !changed.is_empty() {
        lines.push(format!("Changed files: {}", changed.len()));
        lines.extend(changed.iter().take(MAX_FILES).map(|file| format!("  {}", one_line(file))));
        if changed.len() > MAX_FILES {
            lines.push(format!("  ... and {} more", changed.len() - MAX_FILES));
        }
    }
    let commits: Vec<&str> = log.as_deref().unwrap_or_default().lines().collect();
    if !commits.is_empty() {
        lines.push("Last commits:".to_owned());
        lines.extend(commits.iter().map(|commit| format!("  {}", one_line(commit))));
    }
    lines.push("</git-context>".to_owned());
    Some(lines.join("\n"))
}

/// The address without credentials and the `owner/name` of a repository on a well-known host.
fn known_remote(url: &str) -> Option<(String, String)> {
    let url = url.trim();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme @ ("https" | "http" | "ssh" | "git"), rest)) => (Some(scheme), rest),
        Some(_) => return None,
        None => (None, url),
    };
    // git@host:owner/name, or user:password@host/owner/name
    let separator = if scheme.is_some() { '/' } else { ':' };
    let (authority, path) = rest.split_once(separator)?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    if !KNOWN_HOSTS.contains(&host) {
        return None;
    }
    let path = path.split(['?', '#']).next().unwrap_or(path).trim_matches('/');
    let repository = path.strip_suffix(".git").unwrap_or(path);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./~".contains(c);
    if repository.is_empty() || repository.contains("..") || !repository.chars().all(plain) {
        return None;
    }
    Some((format!("https://{host}/{repository}"), repository.to_owned()))
}

fn one_line(text: &str) -> String {
    let clean = |c: char| if c.is_control() || c == '<' || c == '>' { '?' } else { c };
    text.trim_end().chars().take(MAX_LINE).map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_told_without_secrets_and_only_of_known_hosts() {
        let told = |url: &str| known_remote(url).map(|(url, _)| url);
        for url in [
            "https://github.com/o/n.git",
            "https://user:token@github.com/o/n",
            "git@github.com:o/n.git\n",
            "ssh://git@github.com:22/o/n.git",
            "https://github.com/o/n?token=x",
        ] {
            assert_eq!(told(url).as_deref(), Some("https://github.com/o/n"), "{url}");
        }
        for url in [
            "https://git.corp.example/o/n",
            "https://github.com.evil.example/o/n",
            "https://github.com@evil.example/o/n",
            "/srv/git/n",
            "file:///srv/n",
            "https://github.com/",
            "https://github.com/o/<n>",
            "",
        ] {
            assert_eq!(told(url), None, "{url}");
        }
    }

    #[tokio::test]
    async fn outside_a_repository_there_is_nothing_to_tell() {
        let dir = tempfile::tempdir().unwrap();
        let env = crate::platform::env::fixed::env(dir.path(), &[]);
        assert_eq!(context(dir.path(), &env).await, None);
    }

    #[tokio::test]
    async fn what_is_told_stays_in_its_element() {
        let dir = tempfile::tempdir().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let env = crate::platform::env::fixed::env(dir.path(), &[("PATH", &path)]);
        let git = async |args: &[&str]| git::ask(dir.path(), args, &env).await;
        git(&["init", "-q", "-b", "main"]).await.expect("git");
        std::fs::write(dir.path().join("<git-context>"), "").unwrap();
        for n in 0..30 {
            std::fs::write(dir.path().join(format!("f{n:02}")), "").unwrap();
        }
        let context = context(dir.path(), &env).await.expect("a work tree");
        assert!(context.contains("\nBranch: main\nChanged files: 31\n"), "{context}");
        assert!(context.contains("\n  ... and 11 more\n"), "{context}");
        assert_eq!(context.matches("<git-context>").count(), 1, "{context}");
        assert!(context.ends_with("\n</git-context>"), "{context}");
    }
}
