//! This installation's id, which requests to Kimi services carry: 32 hex digits in `device_id`.

use std::fs;

use super::{ShareDir, write_atomic};
use crate::platform::Env;

/// The id, made at the first call. `None` when it can be neither read nor written: the requests
/// then go without it.
pub fn device_id(share: &ShareDir, env: &Env) -> Option<String> {
    let path = share.root().join("device_id");
    if let Ok(text) = fs::read_to_string(&path)
        && let Some(id) = valid(text.trim())
    {
        return Some(id);
    }
    let fresh = env.ids.uuid().replace('-', "");
    match write_atomic(&path, fresh.as_bytes(), 0o600) {
        Ok(()) => Some(fresh),
        Err(error) => {
            tracing::warn!(%error, "no device id");
            None
        }
    }
}

fn valid(id: &str) -> Option<String> {
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

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
}
