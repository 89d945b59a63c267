//! This installation's id, which requests to Kimi services carry: 32 hex digits in `device_id`.

use std::convert::Infallible;
use std::path::Path;

use super::{RewriteError, ShareDir, read_regular, rewrite};
use crate::platform::Env;

/// More than an id has.
const MAX_BYTES: u64 = 4096;

/// The id, made at the first call. `None` when it can be neither read nor written: the requests
/// then go without it.
pub fn device_id(share: &ShareDir, env: &Env) -> Option<String> {
    let path = share.root().join("device_id");
    if let Some(id) = read(&path) {
        return Some(id);
    }
    let fresh = env.ids.uuid().replace('-', "");
    // Of several first processes one makes the id, and all use it.
    let mut used = None;
    let written = rewrite(&path, MAX_BYTES, 0o600, |bytes| {
        used = bytes.and_then(|bytes| valid(std::str::from_utf8(bytes).ok()?.trim()));
        Ok::<_, Infallible>(used.is_none().then(|| fresh.clone().into_bytes()))
    });
    match written {
        Ok(()) => used.or(Some(fresh)),
        Err(RewriteError::Read(error) | RewriteError::Write(error)) => {
            tracing::warn!(%error, "no device id");
            None
        }
    }
}

fn read(path: &Path) -> Option<String> {
    let bytes = read_regular(path, MAX_BYTES).ok()??;
    valid(std::str::from_utf8(&bytes).ok()?.trim())
}

fn valid(id: &str) -> Option<String> {
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use std::fs;

    #[test]
    fn the_id_is_made_once_and_a_broken_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let env = fixed::env(dir.path(), &[]);
        let share = ShareDir::new(dir.path());
        let first = device_id(&share, &env).unwrap();
        assert_eq!(first.len(), 32);
        assert_eq!(device_id(&share, &env).unwrap(), first);
        fs::write(dir.path().join("device_id"), "x\u{1b}[2J").unwrap();
        assert_ne!(device_id(&share, &env).unwrap(), first);
    }

    #[test]
    fn all_first_processes_use_one_id() {
        for broken in [None, Some("x")] {
            let dir = tempfile::tempdir().unwrap();
            if let Some(text) = broken {
                fs::write(dir.path().join("device_id"), text).unwrap();
            }
            let env = fixed::env(dir.path(), &[]);
            let share = ShareDir::new(dir.path());
            let ids: Vec<_> = std::thread::scope(|scope| {
                let ask = || device_id(&share, &env).unwrap();
                let asked: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
                asked.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let kept = fs::read_to_string(dir.path().join("device_id")).unwrap();
            assert!(ids.iter().all(|id| *id == kept), "{ids:?} {kept}");
        }
    }
}
