//! `/doctor`: whether everything is as it has to be, as `kimi doctor` tells it.

use super::App;
use super::jobs::Done;
use crate::config::ConfigSource;
use crate::doctor::{self, Finding, Health};

impl App {
    pub(super) fn examine(&mut self) {
        let source = self.config_source();
        let (env, colours) = (self.env.clone(), self.support.words());
        self.toast("doctor", "looking");
        self.jobs.start(move || Done::Examined(doctor::examine(&env, &source, colours)));
    }

    /// Where this run has its configuration from. A text of the command line is not read anew: it is
    /// as it was.
    pub(super) fn config_source(&self) -> ConfigSource {
        match &self.host.loaded.path {
            Some(path) if !self.host.loaded.is_default_file => ConfigSource::File(path.clone()),
            _ => ConfigSource::Default,
        }
    }

    pub(super) fn on_examined(&mut self, findings: &[Finding]) {
        let facts: Vec<_> = findings.iter().map(|finding| (finding.name, told(finding))).collect();
        self.facts("Doctor", &facts);
    }
}

fn told(finding: &Finding) -> String {
    let mark = match finding.health {
        Health::Ok => "✓",
        Health::Warning => "!",
        Health::Fault => "✗",
    };
    let advice = finding.advice.as_ref().map(|advice| format!(" · {advice}")).unwrap_or_default();
    format!("{mark} {}{advice}", finding.told)
}
