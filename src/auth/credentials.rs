//! The file that a token is kept in, private to the user, with a lock beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::token::Token;
use super::{AuthError, aside};
use crate::platform::Env;
use crate::store::{PrivateLock, ShareDir, read_if_any, write_atomic};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Characters of a path that is told.
const MAX_PLACE: usize = 400;
/// How long another process may hold the lock: longer than one request of its.
const LOCK_PATIENCE: Duration = Duration::from_secs(45);

/// The file with the token of one key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credentials {
    path: PathBuf,
}

impl Credentials {
    /// The file for a key (`oauth/kimi-code`). `None` when the key cannot be a file's name.
    ///
    /// The data directories of kimi-cli and of kimi-code hold the same token: were there two, each
    /// renewal of one would make the other one worthless. So the one that is there is used, ours first.
    pub fn of(key: &str, env: &Env) -> Option<Self> {
        let name = file_name(key)?;
        let places = places(env).into_iter().map(|share| share.credentials_dir().join(&name));
        let path = places.clone().find(|path| path.exists()).or(places.clone().next())?;
        // A link to somewhere else: the lock belongs beside the file itself.
        Some(Self { path: fs::canonicalize(&path).unwrap_or(path) })
    }

    /// The file for a key in the data directory itself, where a sign-in writes.
    pub(super) fn own(key: &str, env: &Env) -> Option<Self> {
        let path = ShareDir::from_env(env).credentials_dir().join(file_name(key)?);
        Some(Self { path: fs::canonicalize(&path).unwrap_or(path) })
    }

    /// Where it is, on one line for a person.
    pub(super) fn place(&self) -> String {
        crate::llm::one_line(&self.path.to_string_lossy(), MAX_PLACE)
    }

    /// Whether a token could be written now: the directory, the lock and a file beside the token's are
    /// made. Nothing of a token changes.
    pub(super) async fn check(&self) -> Result<(), AuthError> {
        let (file, lock) = (self.clone(), self.lock().await?);
        aside(move || {
            let _lock = lock;
            if file.path.is_dir() {
                return Err(file.wrong(&io::ErrorKind::IsADirectory.into()));
            }
            let beside = file.path.with_extension("check");
            let made = write_atomic(&beside, b"", 0o600).and_then(|()| fs::remove_file(&beside));
            made.map_err(|error| file.wrong(&error))
        })
        .await
    }

    /// Whether there is a token. It reads the file.
    pub fn is_there(&self) -> bool {
        self.read().is_some()
    }

    /// The token. A file that is none counts as not there: a new sign-in replaces it.
    pub(super) fn read(&self) -> Option<Token> {
        let bytes = read_if_any(&self.path, MAX_FILE)?;
        // Not the parser's words: they may quote a token.
        let token = Token::of_file(&bytes);
        if token.is_none() {
            warn!("{} holds no token", self.path.display());
        }
        token
    }

    /// Replaces the token. Only with the lock, which is kept until it is done, whoever waits for that.
    pub(super) async fn write(
        &self,
        token: &Token,
        lock: &Arc<PrivateLock>,
    ) -> Result<(), AuthError> {
        let (file, token, lock) = (self.clone(), token.clone(), Arc::clone(lock));
        aside(move || {
            let _lock = lock;
            let contents = token.to_file(file.read().as_ref());
            write_atomic(&file.path, &contents, 0o600).map_err(|error| file.wrong(&error))
        })
        .await
    }

    /// Forgets the token, after whoever is renewing it now.
    pub(super) async fn clear(&self) -> Result<(), AuthError> {
        if !self.path.parent().is_some_and(Path::exists) {
            return Ok(());
        }
        let (file, lock) = (self.clone(), self.lock().await?);
        aside(move || {
            let _lock = lock;
            match fs::remove_file(&file.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file.wrong(&error)),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Waits until nobody else changes the token. kimi-cli takes the same lock.
    pub(super) async fn lock(&self) -> Result<PrivateLock, AuthError> {
        match PrivateLock::take(self.path.with_extension("lock"), LOCK_PATIENCE).await {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(AuthError::Failed("another kimi is busy with the sign-in".to_owned())),
            Err(error) => Err(self.wrong(&error)),
        }
    }

    fn wrong(&self, error: &io::Error) -> AuthError {
        AuthError::Failed(format!("{}: {error}", self.path.display()))
    }
}

/// The last part of a key with its suffix. A configuration is not to choose where we write.
fn file_name(key: &str) -> Option<String> {
    let name = key.rsplit('/').next()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good =
        !name.starts_with('.') && (1..=100).contains(&name.len()) && name.chars().all(is_plain);
    good.then(|| format!("{name}.json"))
}

/// The data directories that may hold a token, the own one first. One that was moved stands alone.
fn places(env: &Env) -> Vec<ShareDir> {
    let own = ShareDir::from_env(env);
    if env.var("KIMI_SHARE_DIR").is_some() && env.data_root.is_none() {
        return vec![own];
    }
    vec![own, ShareDir::new(env.home.join(".kimi")), ShareDir::of_code(env)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    const FILE: &str = r#"{"access_token": "a", "refresh_token": "r"}"#;

    fn put(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, FILE).unwrap();
    }

    #[test]
    fn a_key_chooses_no_place() {
        assert_eq!(file_name("oauth/kimi-code").as_deref(), Some("kimi-code.json"));
        assert_eq!(file_name("/a/../../x.y").as_deref(), Some("x.y.json"));
        for bad in ["", "oauth/", "..", "a/..", ".x", "a\\b", "a b", "a\0", "é", &"a".repeat(101)]
        {
            assert_eq!(file_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn one_token_serves_both_programs() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap();
        let env = fixed::env(&home, &[]);
        let of = |env: &Env| Credentials::of("oauth/kimi-code", env).unwrap().path;
        let ours = home.join(".kimi/credentials/kimi-code.json");
        let theirs = home.join(".kimi-code/credentials/kimi-code.json");
        assert_eq!(of(&env), ours, "nobody is signed in");
        put(&theirs);
        assert_eq!(of(&env), theirs);
        let moved = fixed::env(&home, &[("KIMI_SHARE_DIR", "/elsewhere")]);
        assert_eq!(of(&moved), Path::new("/elsewhere/credentials/kimi-code.json"));
        put(&ours);
        assert_eq!(of(&env), ours);
        let mut code = fixed::env(&home, &[]);
        code.data_root = Some(home.join(".kimi-code"));
        assert_eq!(of(&code), theirs);
    }

    #[tokio::test]
    async fn a_place_where_nothing_can_be_written_is_found_before() {
        let dir = tempfile::tempdir().unwrap();
        let env = fixed::env(dir.path(), &[]);
        let file = Credentials::own("kimi-code", &env).unwrap();
        file.check().await.unwrap();
        let credentials = dir.path().join(".kimi/credentials");
        let names = || fs::read_dir(&credentials).unwrap().map(|it| it.unwrap().file_name());
        assert_eq!(names().collect::<Vec<_>>(), ["kimi-code.lock"], "only the lock stays");
        fs::create_dir(&file.path).unwrap();
        assert!(file.check().await.is_err());
        fs::remove_dir_all(&credentials).unwrap();
        fs::write(&credentials, "").unwrap();
        let error = file.check().await.unwrap_err().to_string();
        assert!(error.contains("credentials/kimi-code.json: "), "{error}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_file_is_private_and_a_link_stays_one() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real/kimi-code.json");
        put(&real);
        let link = dir.path().join(".kimi/credentials/kimi-code.json");
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&real, &link).unwrap();
        let file = Credentials::of("kimi-code", &fixed::env(dir.path(), &[])).unwrap();
        let lock = Arc::new(file.lock().await.unwrap());
        file.write(&file.read().unwrap(), &lock).await.unwrap();
        drop(lock);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((mode(&real), mode(real.parent().unwrap())), (0o600, 0o700));
        assert!(real.with_extension("lock").exists() && !link.with_extension("lock").exists());
        file.clear().await.unwrap();
        assert!(!real.exists());
        file.clear().await.unwrap();
    }
}
