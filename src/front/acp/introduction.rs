//! What we say of ourselves, and what a user has to do before a model can be asked.

use serde_json::{Value, json};

use super::rpc::RpcError;
use crate::front::host::Host;
use crate::platform::process::own_program;
use crate::store::ShareDir;

/// The one version of the protocol that is spoken, whatever the client offers.
const PROTOCOL_VERSION: u64 = 1;
/// The one way to become able to ask a model.
const LOGIN: &str = "login";

/// The result of `initialize`.
pub(super) fn initialized(version: &str, share: &ShareDir) -> Value {
    json!({
        "protocolVersion": PROTOCOL_VERSION,
        "agentInfo": {"name": "Kimi Code CLI", "title": "Kimi", "version": version},
        "agentCapabilities": {
            "loadSession": true,
            "promptCapabilities": {"image": true, "audio": false, "embeddedContext": true},
            "mcpCapabilities": {"http": true, "sse": true},
            "sessionCapabilities": {"list": {}, "resume": {}, "close": {}},
        },
        "authMethods": methods(share),
    })
}

/// The ways to become able to ask a model. An editor may start this program in a terminal for it, as
/// `_meta` says before there was a word for that in the protocol.
fn methods(share: &ShareDir) -> Value {
    let how = format!(
        "Run `kimi login` in a terminal. Or set KIMI_API_KEY, or add a provider and a model to {}.",
        share.config_toml().display()
    );
    let program = own_program();
    json!([{
        "id": LOGIN,
        "name": "Login with Kimi account",
        "description": how,
        "type": "terminal",
        "args": ["login"],
        "env": {},
        "_meta": {"terminal-auth": {
            "command": program.to_string_lossy(),
            "args": ["login"],
            "label": "Kimi Code Login",
            "env": {},
            "type": "terminal",
        }},
    }])
}

/// That no model can be asked, and why.
pub(super) fn no_model(share: &ShareDir, why: &str) -> RpcError {
    RpcError::auth_required(json!({"error": why, "authMethods": methods(share)}))
}

/// An error unless a model can be asked.
pub(super) fn must_have_model(host: &Host) -> Result<(), RpcError> {
    let share = host.store.share();
    match host.has_model() {
        Ok(true) => Ok(()),
        Ok(false) => Err(no_model(share, "no model is configured")),
        Err(error) => Err(no_model(share, &error.to_string())),
    }
}

/// Whether there is such a way.
pub(super) fn is_method(id: &str) -> bool {
    id == LOGIN
}
