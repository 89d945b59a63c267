//! Where everything lives.

use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use crate::platform::env::Env;

/// The data directory: `$KIMI_SHARE_DIR`, else `~/.kimi`. Not created by asking for paths in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareDir {
    root: PathBuf,
}

impl ShareDir {
    /// The data directory of these surroundings: the one that was set for the run, else
    /// `$KIMI_SHARE_DIR`, else `~/.kimi`. A relative `$KIMI_SHARE_DIR` counts from the
    /// working directory.
    pub fn from_env(env: &Env) -> Self {
        let told = env.var("KIMI_SHARE_DIR").map(|dir| env.cwd.join(dir));
        let root = env.data_root.clone().or(told);
        Self { root: root.unwrap_or_else(|| env.home.join(".kimi")) }
    }

    /// kimi-code's data directory, whether it is there or not: the one that it is told, else its own place.
    pub fn of_code(env: &Env) -> Self {
        Self::told_code(env).unwrap_or_else(|| Self::usual_code(env))
    }

    /// `$KIMI_CODE_HOME`, if it says anything. A relative one counts from the working directory.
    pub fn told_code(env: &Env) -> Option<Self> {
        let dir = env.var("KIMI_CODE_HOME").map(str::trim).filter(|dir| !dir.is_empty())?;
        Some(Self::new(env.cwd.join(dir)))
    }

    /// `~/.kimi-code`.
    pub fn usual_code(env: &Env) -> Self {
        Self::new(env.home.join(".kimi-code"))
    }

    /// A data directory at this place.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration.
    pub fn config_toml(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// The configuration of old versions.
    pub fn legacy_config_json(&self) -> PathBuf {
        self.root.join("config.json")
    }

    /// The index of work directories.
    pub fn kimi_json(&self) -> PathBuf {
        self.root.join("kimi.json")
    }

    /// The MCP servers of the user.
    pub fn mcp_json(&self) -> PathBuf {
        self.root.join("mcp.json")
    }

    /// The tokens of model providers that are signed in to.
    pub fn credentials_dir(&self) -> PathBuf {
        self.root.join("credentials")
    }

    /// The tokens of MCP servers.
    pub fn mcp_oauth_dir(&self) -> PathBuf {
        self.root.join("mcp-oauth")
    }

    /// Which MCP files of projects the user has agreed to; see [`TrustStore`](super::TrustStore).
    pub fn mcp_trust_json(&self) -> PathBuf {
        self.root.join("mcp-trust.json")
    }

    /// The plugins' directory.
    pub fn plugins_dir(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// The log files' directory.
    pub fn logs_dir(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Where running instances say what they do; see [`RunDir`](super::RunDir).
    pub fn run_dir(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The user's own instructions for every project.
    pub fn agents_md(&self) -> PathBuf {
        self.root.join("AGENTS.md")
    }

    /// Where kimi-code's sessions are, by their ids; see [`tell_session`](super::tell_session).
    pub fn session_index(&self) -> PathBuf {
        self.root.join("session_index.jsonl")
    }

    /// The parent of all sessions.
    pub fn sessions_dir(&self) -> PathBuf {
        self.root.join("sessions")
    }

    /// The parent of the sessions of a work directory.
    pub fn sessions_of(&self, work_dir: &Path) -> PathBuf {
        self.sessions_dir().join(work_dir_hash(work_dir))
    }

    /// The plans that were made in plan mode, of all sessions.
    pub fn plans_dir(&self) -> PathBuf {
        self.root.join("plans")
    }

    /// Pictures that were put into messages; see [`PictureStore`](super::PictureStore).
    pub fn pictures(&self) -> PathBuf {
        self.root.join("prompt-cache").join("images")
    }

    /// Long answers, under names short enough for a row of the screen.
    pub fn answers(&self) -> PathBuf {
        self.root.join("answers")
    }

    /// The input history of a work directory.
    pub fn user_history(&self, work_dir: &Path) -> PathBuf {
        self.root.join("user-history").join(format!("{}.jsonl", work_dir_hash(work_dir)))
    }
}

/// The MD5 of the path's text in hex. The path is taken as it is, symbolic links and all, because
/// other programs compute the same from the text they were given.
pub fn work_dir_hash(path: &Path) -> String {
    use std::fmt::Write;
    let digest = Md5::digest(path.as_os_str().as_encoded_bytes());
    digest.iter().fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn the_hash_is_the_one_kimi_cli_uses() {
        assert_eq!(
            work_dir_hash(Path::new("/tmp/lab/cap/home.work")),
            "1999f01b8716a0ba66484cef7136a18b"
        );
    }

    #[test]
    fn the_share_dir_can_be_moved() {
        let env = fixed::env("/home/u", &[]);
        assert_eq!(ShareDir::from_env(&env).root(), Path::new("/home/u/.kimi"));
        let env = fixed::env("/home/u", &[("KIMI_SHARE_DIR", "/data")]);
        assert_eq!(ShareDir::from_env(&env).config_toml(), Path::new("/data/config.toml"));
        let env = fixed::env("/home/u", &[("KIMI_SHARE_DIR", "rel")]);
        assert_eq!(ShareDir::from_env(&env).root(), Path::new("/home/u/rel"));
        let env = fixed::env("/home/u", &[("KIMI_SHARE_DIR", "")]);
        assert_eq!(ShareDir::from_env(&env).root(), Path::new("/home/u/.kimi"));
        let mut env = fixed::env("/home/u", &[("KIMI_SHARE_DIR", "/data")]);
        env.data_root = Some("/other".into());
        assert_eq!(ShareDir::from_env(&env).root(), Path::new("/other"));
    }
}
