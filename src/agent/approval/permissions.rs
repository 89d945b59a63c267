//! What goes ahead without a person, and what never does.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Modes;
use crate::permission::call::Subject;
use crate::permission::offer::exact_key;
use crate::permission::{Call, Judgment, Rule, Rules, Site, Withheld};

/// What goes ahead without a person: the rules of the configuration, and what was approved for the
/// session.
#[derive(Clone)]
pub struct Permissions {
    pub(super) rules: Rules,
    site: Site,
    /// As they are stored: kinds of acts (`edit file`), rules, single commands. `run command`, as
    /// kimi-cli stores it, is kept for kimi-cli and allows nothing here: it says nothing of the
    /// command that was approved.
    pub(super) approved: BTreeSet<String>,
    /// Those of `approved` that are rules.
    session: Vec<Rule>,
}

impl Permissions {
    /// The permissions of a session with its stored approvals.
    pub fn new(rules: Rules, site: Site, approved: impl IntoIterator<Item = String>) -> Self {
        let mut new = Self { rules, site, approved: BTreeSet::new(), session: Vec::new() };
        approved.into_iter().for_each(|key| new.approve(key));
        new
    }

    pub(super) fn approve(&mut self, key: String) {
        if key.starts_with("Shell(")
            && let Ok(rule) = Rule::parse(&key)
            && !self.session.contains(&rule)
        {
            self.session.push(rule);
        }
        self.approved.insert(key);
    }

    pub(super) fn forget(&mut self, keys: &[String]) {
        self.approved.retain(|key| !keys.contains(key));
        self.session.retain(|rule| !keys.contains(&rule.to_string()));
    }

    /// What the rules say about a call. Those about files look at every file that a command may reach:
    /// that has a thread of its own, as a session has one for everything else.
    pub(super) async fn judge(self: &Arc<Self>, call: &Arc<Call>) -> Judgment {
        if !matches!(call.subject, Subject::Command { .. }) {
            return self.judge_here(call);
        }
        let (permissions, command) = (Arc::clone(self), Arc::clone(call));
        let judged = tokio::task::spawn_blocking(move || permissions.judge_here(&command));
        // Without that thread the program is about to end.
        judged.await.unwrap_or_else(|_| self.judge_here(call))
    }

    fn judge_here(&self, call: &Call) -> Judgment {
        self.rules.judge(call, &self.site, &self.session)
    }

    /// What searches leave out of their results.
    pub(super) fn withheld(&self) -> Withheld {
        self.rules.withheld(&self.site)
    }

    /// Whether this very act was approved for the session.
    pub(super) fn is_approved(&self, call: &Call, action: &str, judgment: &Judgment) -> bool {
        match (&call.subject, judgment) {
            (Subject::Command { text, .. }, _) => self.approved.contains(&exact_key(text)),
            (_, Judgment::Open { .. }) => is_approved(&self.approved, action),
            (_, Judgment::Ask { rule, .. }) => self.approved.contains(&asked_key(rule)),
            _ => false,
        }
    }
}

/// Whether an action was approved for the session. kimi-cli stored the approval of an MCP tool
/// without its server, as `mcp:<tool>`; sessions of it go on here.
fn is_approved(approved: &BTreeSet<String>, action: &str) -> bool {
    approved.contains(action)
        || action.strip_prefix("mcp:").and_then(|rest| rest.split_once(':')).is_some_and(
            |(_, tool)| !tool.contains(':') && approved.contains(&format!("mcp:{tool}")),
        )
}

/// The key of everything a rule asks about.
pub(super) fn asked_key(rule: &str) -> String {
    format!("asked by {rule}")
}

/// Why a call must not go ahead, if so: a rule forbids it, or wants a person who is not there.
pub(super) fn forbidden(judgment: &Judgment, modes: Modes) -> Option<String> {
    let told = |part: &str| part.chars().take(200).collect::<String>();
    match judgment {
        Judgment::Deny { rule, part } => Some(format!(
            "The user's permission rule `{rule}` forbids this: `{}`. Do not try it in another way.",
            told(part)
        )),
        Judgment::Ask { rule, part } if modes.unattended() => Some(format!(
            "The user's permission rule `{rule}` wants a person to be asked about `{}`, and nobody is \
             there. Go on without it.",
            told(part)
        )),
        Judgment::Unsure { rule, part, why } if modes.unattended() => Some(format!(
            "`{}` cannot be told from what the user's permission rule `{rule}` is about: {why}. Write \
             it as plain words.",
            told(part)
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_of_an_mcp_tool_is_for_one_server() {
        let approved = |action: &str| BTreeSet::from([action.to_owned()]);
        assert!(is_approved(&approved("mcp:gh:push"), "mcp:gh:push"));
        assert!(!is_approved(&approved("mcp:gh:push"), "mcp:lab:push"));
        assert!(!is_approved(&approved("mcp:gh:push"), "mcp:gh:pull"));
        // As kimi-cli stored it.
        assert!(is_approved(&approved("mcp:push"), "mcp:gh:push"));
        assert!(!is_approved(&approved("mcp:push"), "mcp:gh:a:push"));
        assert!(!is_approved(&approved("push"), "mcp:gh:push"));
    }
}
