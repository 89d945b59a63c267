//! `/doctor`: whether everything is as it has to be, as `kimi doctor` tells it.

use super::App;
use super::jobs::Done;
use crate::doctor::{self, Finding, Health};

impl App {
    pub(super) fn examine(&mut self) {
        let source = self.host.loaded.source.clone();
        // What the environment alone describes has no name in the configuration.
        let configured = &self.host.config().models;
        let in_use = self.info.model.clone().filter(|name| configured.contains_key(name));
        let model = in_use.or_else(|| self.host.options.model.clone());
        let (env, colours) = (self.env.clone(), self.support.words());
        self.toast("doctor", "looking");
        let look = move || doctor::examine(&env, &source, model.as_deref(), colours);
        self.jobs.start(move || Done::Examined(look()));
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
