//! `kimi info`: versions, for people and for the SDKs that ask before they start a session.

use serde::Serialize;

use crate::protocol::WIRE_PROTOCOL_VERSION;

/// This program's version. Clients compare it with kimi-cli's, number by number.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Version of the agent file format that is read.
const AGENT_SPEC_VERSION: &str = "1";

/// Clients want a text under `python_version`; there is no Python here.
const NO_PYTHON: &str = "none (native binary)";

#[derive(Serialize)]
struct Info {
    kimi_cli_version: &'static str,
    agent_spec_versions: [&'static str; 1],
    wire_protocol_version: &'static str,
    python_version: &'static str,
}

/// The line of `kimi --version`: the number alone, which everybody finds. Programs around kimi-code
/// take nothing else on that line.
pub fn version_line() -> String {
    format!("{VERSION}\n")
}

/// What `kimi info` prints.
pub fn text() -> String {
    format!(
        "kimi-cli version: {VERSION}\n\
         agent spec versions: {AGENT_SPEC_VERSION}\n\
         wire protocol: {WIRE_PROTOCOL_VERSION}\n\
         python version: {NO_PYTHON}\n"
    )
}

/// What `kimi info --json` prints.
pub fn json() -> String {
    let info = Info {
        kimi_cli_version: VERSION,
        agent_spec_versions: [AGENT_SPEC_VERSION],
        wire_protocol_version: WIRE_PROTOCOL_VERSION,
        python_version: NO_PYTHON,
    };
    let mut line = serde_json::to_string(&info).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdks_find_their_keys() {
        let value: serde_json::Value = serde_json::from_str(&json()).unwrap();
        assert_eq!(value["wire_protocol_version"], "1.10");
        assert_eq!(value["agent_spec_versions"], serde_json::json!(["1"]));
        assert!(value["python_version"].is_string());
        assert_eq!(json().lines().count(), 1);
    }

    #[test]
    fn the_version_compares_as_a_kimi_cli_that_the_editor_takes() {
        let parts: Vec<u32> = VERSION.split('.').map(|part| part.parse().unwrap()).collect();
        assert!(parts >= vec![0, 82, 0], "{VERSION}");
        assert_eq!(text().lines().next().unwrap(), format!("kimi-cli version: {VERSION}"));
    }
}
