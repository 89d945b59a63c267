//! Which files hold secrets, by their name and place.

use std::path::{Path, PathBuf};

use super::path_guard::real_path;
use crate::platform::Env;
use crate::store::ShareDir;

/// Knows the files with secrets of these surroundings.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The data directories of this program and its relatives, as named and as they really are.
    own: Vec<PathBuf>,
}

impl Secrets {
    /// What is secret in these surroundings.
    pub fn of(env: &Env) -> Self {
        let share = ShareDir::from_env(env).root().to_path_buf();
        let named = [share, env.home.join(".kimi"), env.home.join(".kimi-code")];
        let real = named.iter().filter_map(|dir| real_path(dir));
        Self { own: real.chain(named.clone()).collect() }
    }

    /// Whether a path names a file that usually holds secrets: dotenv files, private keys,
    /// credential stores of common tools and of this program. Letter case is ignored.
    pub fn hold(&self, path: &Path) -> bool {
        is_sensitive(path) || self.own.iter().any(|dir| is_own(dir, path))
    }
}

/// Keys stand in the configuration, in what servers are started with, and in what a login left.
fn is_own(dir: &Path, path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(dir) else { return false };
    let inside = inside.to_string_lossy().to_lowercase();
    // Copies too, such as `config.toml.bak`.
    ["config.toml", "mcp.json", "credentials/"].iter().any(|secret| inside.starts_with(secret))
}

fn is_sensitive(path: &Path) -> bool {
    const NAMES: &[&str] = &[
        ".env",
        ".envrc",
        "credentials",
        ".credentials.json",
        ".git-credentials",
        ".netrc",
        "_netrc",
        ".npmrc",
        ".pypirc",
        ".pgpass",
        ".my.cnf",
        ".htpasswd",
        ".dockercfg",
        "credentials.toml",
        "application_default_credentials.json",
    ];
    const PUBLIC: &[&str] = &[".env.example", ".env.sample", ".env.template"];
    const KEYS: &[&str] = &["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];
    const ENDINGS: &[&str] =
        &[".pem", ".key", ".p12", ".pfx", ".keystore", ".jks", ".ppk", ".kdbx"];
    const PLACES: &[&str] = &[
        "/.aws/credentials",
        "/.gcp/credentials",
        "/.kube/config",
        "/.docker/config.json",
        "/.config/gh/hosts.yml",
        "/.config/gcloud/credentials.db",
        "/.gnupg/private-keys-v1.d/",
    ];
    let whole = path.to_string_lossy().to_lowercase();
    let name = whole.rsplit('/').next().unwrap_or_default();
    if PUBLIC.contains(&name) {
        return false;
    }
    // `id_rsa.bak`, `id_ed25519_sk`, `id_rsa~`, `id_rsa-old`; not `id_rsa.pub`.
    let is_key = KEYS.iter().any(|key| {
        name.strip_prefix(key)
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric) && !rest.ends_with(".pub"))
    });
    is_key
        || NAMES.contains(&name)
        || name.starts_with(".env.")
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || PLACES.iter().any(|place| whole.contains(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use std::os::unix::fs::symlink;

    #[test]
    fn secrets_are_known_by_name_and_place() {
        for path in [
            "/a/.env",
            "/a/.ENV",
            "/a/.env.production",
            "/a/.envrc",
            "/k/id_rsa",
            "/k/id_dsa",
            "/k/id_ecdsa",
            "/k/id_ed25519",
            "/k/id_ed25519_sk",
            "/k/id_rsa.bak",
            "/k/id_rsa~",
            "/h/.aws/credentials",
            "/h/.gcp/credentials",
            "/h/.gcp/credentials/x",
            "/h/.aws/credentials/x",
            "/h/.pgpass",
            "/h/.docker/config.json",
            "/h/keys.p12",
            "/h/.kube/config",
            "/h/.npmrc",
            "/h/.netrc",
            "/h/.git-credentials",
            "/h/server.pem",
            "/h/server.key",
            "/h/credentials",
        ] {
            assert!(is_sensitive(Path::new(path)), "{path}");
        }
        for path in [
            "/a/.env.example",
            "/a/.env.sample",
            "/a/.env.template",
            "/a/env",
            "/a/id_rsa.pub",
            "/a/id_ed25519_sk.pub",
            "/a/id_rsabout.txt",
            "/a/config",
            "/a/config.toml",
            "/a/.envrc.md",
            "/a/monkey",
        ] {
            assert!(!is_sensitive(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn the_program_s_own_secrets_are_known_wherever_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("data")).unwrap();
        symlink("data", root.join("link")).unwrap();
        let share = root.join("link");
        let secrets =
            Secrets::of(&fixed::env("/h", &[("KIMI_SHARE_DIR", share.to_str().unwrap())]));
        for dir in [&share, &root.join("data"), Path::new("/h/.kimi"), Path::new("/h/.kimi-code")] {
            for name in ["config.toml", "config.toml.bak", "mcp.json", "credentials/kimi.json"] {
                assert!(secrets.hold(&dir.join(name)), "{}/{name}", dir.display());
            }
            for name in ["sessions/x/context.jsonl", "kimi.json", "skills/config.toml"] {
                assert!(!secrets.hold(&dir.join(name)), "{}/{name}", dir.display());
            }
        }
        assert!(!secrets.hold(&root.join("config.toml")));
    }
}
