//! Looking whether everything is as it has to be: `kimi doctor` and `/doctor`.
//!
//! | file | subject |
//! |---|---|
//! | `places` | the data directory and the sessions in it |
//! | `programs` | terminal, tmux and the programs that tools start |
//! | `provider` | the configuration, the model, and the server behind it when that is asked for |
//!
//! Nothing is changed, and nothing is sent anywhere unless the user asks for it.

mod places;
mod programs;
mod provider;

pub use provider::reach;

use serde::Serialize;

use crate::config::ConfigSource;
use crate::platform::Env;

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Ok,
    /// Works, but not all that could.
    Warning,
    /// Does not work.
    Fault,
}

/// What was found out about a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The thing, in a word.
    pub name: &'static str,
    pub health: Health,
    /// One line.
    pub told: String,
    /// The one thing to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    fn of(name: &'static str, health: Health, told: impl Into<String>) -> Self {
        let told = told.into().replace(char::is_control, " ");
        Self { name, health, told, advice: None }
    }

    fn ok(name: &'static str, told: impl Into<String>) -> Self {
        Self::of(name, Health::Ok, told)
    }

    fn warning(name: &'static str, told: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..Self::of(name, Health::Warning, told) }
    }

    fn fault(name: &'static str, told: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..Self::of(name, Health::Fault, told) }
    }
}

/// Looks at everything that can be looked at without a network. `model` is the configured name of the
/// one in use, where it is not the one that the configuration begins with. `colours` says how many of them the
/// screen would use. Reads files and starts programs for a moment.
pub fn examine(
    env: &Env,
    source: &ConfigSource,
    model: Option<&str>,
    colours: &str,
) -> Vec<Finding> {
    let version = format!(
        "kimi {} on {} {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    let mut findings = vec![Finding::ok("version", version)];
    findings.extend(provider::configured(env, source, model));
    findings.push(places::home(env));
    findings.push(places::sessions(env));
    findings.push(programs::terminal(env, colours));
    findings.push(programs::tmux(env));
    findings.push(programs::shell());
    findings.push(programs::git(env));
    findings.push(programs::ripgrep(env));
    findings
}

/// The worst of them.
pub fn verdict(findings: &[Finding]) -> Health {
    findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    fn health(findings: &[Finding], name: &str) -> Health {
        findings.iter().find(|finding| finding.name == name).unwrap().health
    }

    #[test]
    fn a_fresh_home_is_well_and_stays_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let env = fixed::env(dir.path(), &[("KIMI_API_KEY", "k"), ("TERM", "xterm")]);
        let findings = examine(&env, &ConfigSource::Default, None, "256 colours");
        for name in ["config", "model", "home", "sessions"] {
            assert_eq!(health(&findings, name), Health::Ok, "{findings:?}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_broken_is_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        let share = dir.path().join(".kimi");
        std::fs::create_dir_all(&share).unwrap();
        std::fs::write(share.join("config.toml"), "default_model = \"x\n").unwrap();
        std::fs::write(share.join("kimi.json"), "{\"work_dirs\": [").unwrap();
        let env = fixed::env(dir.path(), &[]);
        let findings = examine(&env, &ConfigSource::Default, None, "");
        assert_eq!(health(&findings, "config"), Health::Fault);
        assert_eq!(health(&findings, "sessions"), Health::Fault);
        assert_eq!(verdict(&findings), Health::Fault);
        for finding in &findings {
            assert_eq!(finding.told.lines().count(), 1, "{finding:?}");
            assert_eq!(finding.advice.is_none(), finding.health == Health::Ok, "{finding:?}");
        }
        // It only looks.
        assert_eq!(std::fs::read_dir(&share).unwrap().count(), 2);
    }

    #[test]
    fn a_model_that_cannot_be_used_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let env = fixed::env(dir.path(), &[]);
        let config = |text: &str| ConfigSource::Text(text.to_owned());
        let findings = examine(&env, &config("default_yolo = true"), None, "");
        assert_eq!(health(&findings, "model"), Health::Warning);
        let findings = examine(
            &env,
            &config(
                "default_model = \"m\"\n[models.m]\nprovider = \"p\"\nmodel = \"\"\nmax_context_size = 1\n[providers.p]\ntype = \"kimi\"\nbase_url = \"http://127.0.0.1:1\"\napi_key = \"SECRET-KEY\"\n",
            ),
            None,
            "",
        );
        assert_eq!(health(&findings, "model"), Health::Fault);
        assert!(!format!("{findings:?}").contains("SECRET-KEY"));
    }
}
