//! The tokens of one server: a file for its address, private to the user, with a lock beside it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::warn;

use super::OauthError;
use crate::store::{PrivateLock, ShareDir, read_if_any, write_atomic};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// How long another process may hold the lock: longer than any request of its.
const LOCK_PATIENCE: Duration = Duration::from_secs(45);

/// What a login leaves.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Grant {
    /// The server's address, as it is the key.
    pub url: String,
    pub access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Unix time in seconds from which the access token is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<f64>,
    /// Unix time in seconds from which it is better to have a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_at: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What the tokens are for (RFC 8707).
    pub resource: String,
    pub token_endpoint: String,
    pub client: ClientId,
}

/// Who we are to an authority.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ClientId {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    pub auth: ClientAuth,
}

/// How we show that at the token endpoint, in the words of RFC 7591.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ClientAuth {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "client_secret_post")]
    Post,
    #[serde(rename = "client_secret_basic")]
    Basic,
}

impl ClientAuth {
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Post => "client_secret_post",
            Self::Basic => "client_secret_basic",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        [Self::None, Self::Post, Self::Basic].into_iter().find(|way| way.word() == word)
    }
}

impl fmt::Debug for Grant {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("url", &self.url).finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientId {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientId").field("auth", &self.auth).finish_non_exhaustive()
    }
}

/// The file with the tokens of a server.
#[derive(Debug, Clone)]
pub struct TokenFile {
    key: String,
    path: PathBuf,
}

/// When a file of tokens was written, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    modified: SystemTime,
    bytes: u64,
}

impl TokenFile {
    /// The file for the server at this address; a `/` at its end makes no other server of it.
    pub fn of(share: &ShareDir, url: &str) -> Self {
        let key = url.trim_end_matches('/').to_owned();
        let name = format!("{:x}.json", Sha256::digest(key.as_bytes()));
        Self { path: share.mcp_oauth_dir().join(name), key }
    }

    /// Whether somebody has logged in.
    pub fn is_there(&self) -> bool {
        self.read().is_some()
    }

    /// What tells these tokens from those before and after them, without reading them; `None` when
    /// there are none.
    pub fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.path).ok().filter(fs::Metadata::is_file)?;
        Some(Stamp { modified: metadata.modified().ok()?, bytes: metadata.len() })
    }

    /// The tokens. A file that is none counts as not there: a new login replaces it.
    pub(super) fn read(&self) -> Option<Grant> {
        let bytes = read_if_any(&self.path, MAX_FILE)?;
        // Not the parser's words: they may quote a token.
        let grant = serde_json::from_slice::<Grant>(&bytes).ok();
        let grant = grant.filter(|grant| grant.url == self.key && !grant.access_token.is_empty());
        if grant.is_none() {
            warn!("{} holds no tokens of its server", self.path.display());
        }
        grant
    }

    /// Replaces the tokens. Only with the lock.
    pub(super) fn write(&self, grant: &Grant, _: &PrivateLock) -> Result<(), OauthError> {
        let written = serde_json::to_vec_pretty(grant)
            .map_err(io::Error::other)
            .and_then(|text| write_atomic(&self.path, &text, 0o600));
        written.map_err(|error| self.wrong(&error))
    }

    /// Forgets the tokens. Only with the lock.
    pub(super) fn remove(&self, _: &PrivateLock) -> Result<(), OauthError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.wrong(&error)),
            _ => Ok(()),
        }
    }

    /// Forgets the tokens, after whoever is renewing them now.
    pub async fn clear(&self) -> Result<(), OauthError> {
        if !self.path.parent().is_some_and(Path::exists) {
            return Ok(());
        }
        let lock = self.lock().await?;
        self.remove(&lock)
    }

    /// What the tokens in it are the key of.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Waits until nobody else changes the tokens.
    pub(super) async fn lock(&self) -> Result<PrivateLock, OauthError> {
        match PrivateLock::take(self.path.with_extension("lock"), LOCK_PATIENCE).await {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(OauthError::failed("another kimi is busy with its tokens")),
            Err(error) => Err(self.wrong(&error)),
        }
    }

    fn wrong(&self, error: &io::Error) -> OauthError {
        OauthError::failed(format!("its tokens in {}: {error}", self.path.display()))
    }
}

#[cfg(test)]
pub(super) fn grant_for_tests(url: &str, token_endpoint: &str) -> Grant {
    Grant {
        url: url.to_owned(),
        access_token: "access-hunter2".into(),
        refresh_token: Some("refresh-hunter2".into()),
        expires_at: None,
        renew_at: None,
        scope: None,
        resource: url.to_owned(),
        token_endpoint: token_endpoint.to_owned(),
        client: ClientId {
            id: "c".into(),
            secret: Some("secret-hunter2".into()),
            auth: ClientAuth::Post,
        },
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_file_is_private_and_found_with_and_without_the_slash() {
        let dir = tempfile::tempdir().unwrap();
        let share = ShareDir::new(dir.path());
        let file = TokenFile::of(&share, "https://h/mcp/");
        assert!(!file.is_there());
        file.clear().await.unwrap();
        assert!(!share.mcp_oauth_dir().exists(), "nothing is made for nothing");
        // Wider than it should be, from somewhere else.
        fs::create_dir(share.mcp_oauth_dir()).unwrap();
        let grant = grant_for_tests("https://h/mcp", "https://h/token");
        let lock = file.lock().await.unwrap();
        file.write(&grant, &lock).unwrap();
        drop(lock);
        assert_eq!(TokenFile::of(&share, "https://h/mcp").read(), Some(grant));
        assert!(!TokenFile::of(&share, "https://h/other").is_there());
        assert_eq!(mode(&share.mcp_oauth_dir()), 0o700);
        for entry in fs::read_dir(share.mcp_oauth_dir()).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
        file.clear().await.unwrap();
        assert!(!file.is_there());
    }

    #[tokio::test]
    async fn what_is_no_file_of_tokens_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::of(&ShareDir::new(dir.path()), "https://h");
        fs::create_dir_all(file.path.parent().unwrap()).unwrap();
        let of_another = grant_for_tests("https://evil.example", "https://evil.example/token");
        let of_another = serde_json::to_string(&of_another).unwrap();
        for text in ["", "{", "[]", "{\"url\": \"https://h\"}", &of_another] {
            fs::write(&file.path, text).unwrap();
            assert!(!file.is_there(), "{text}");
        }
        fs::remove_file(&file.path).unwrap();
        fs::create_dir(&file.path).unwrap();
        assert!(!file.is_there());
    }

    #[test]
    fn secrets_stay_out_of_what_is_printed() {
        let text = format!("{:?}", grant_for_tests("https://h", "https://h/token"));
        assert!(!text.contains("hunter2"), "{text}");
        let text = format!("{:?}", grant_for_tests("https://h", "https://h/token").client);
        assert!(!text.contains("hunter2"), "{text}");
    }
}
