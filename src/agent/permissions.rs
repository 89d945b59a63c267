//! `/permissions`: the rules in force and where they come from, and taking back what was approved for
//! the session.

use std::fmt::Write as _;

use super::core::Core;
use crate::permission::{Decision, Rules};

/// Carries the command out; returns what it has to say.
pub(super) fn run(core: &Core, arguments: &str) -> String {
    let approved = core.desk.approved();
    match arguments.split_once(char::is_whitespace).unwrap_or((arguments, "")) {
        ("", _) => list(&core.desk.rules(), &approved),
        ("forget", "all") => {
            core.desk.forget(&approved);
            "Nothing is approved for the session any more.".to_owned()
        }
        ("forget", number) => {
            match number.trim().parse::<usize>().ok().and_then(|n| approved.get(n.checked_sub(1)?))
            {
                Some(key) => {
                    core.desk.forget(std::slice::from_ref(key));
                    format!("No longer approved for the session: {key}")
                }
                None => format!(
                    "Which one? /permissions forget takes a number from 1 to {}, or all.",
                    approved.len()
                ),
            }
        }
        _ => "Usage: /permissions, /permissions forget NUMBER, /permissions forget all".to_owned(),
    }
}

/// The rules of the configuration in the order in which they count, and the approvals of the session.
fn list(rules: &Rules, approved: &[String]) -> String {
    let mut out = String::new();
    let all = [
        (Decision::Deny, &rules.deny),
        (Decision::Ask, &rules.ask),
        (Decision::Allow, &rules.allow),
    ];
    if all.iter().all(|(_, rules)| rules.is_empty()) {
        out.push_str("No rules in config.toml ([permission] allow, ask, deny).\n");
    } else {
        out.push_str("Rules of config.toml:\n");
        for (decision, rules) in all {
            for rule in rules {
                let _ = writeln!(out, "- {}: `{rule}`", decision.word());
            }
        }
    }
    if approved.is_empty() {
        out.push_str("\nNothing is approved for the session.");
        return out;
    }
    out.push_str("\nApproved for the session (/permissions forget NUMBER takes one back):\n");
    for (n, key) in approved.iter().enumerate() {
        let _ = writeln!(out, "{}. `{}`", n + 1, key.replace(['\n', '`'], " "));
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Rule;

    #[test]
    fn rules_are_listed_with_their_origin() {
        let rule = |text: &str| vec![Rule::parse(text).unwrap()];
        let rules = Rules {
            allow: rule("Shell(ls:*)"),
            deny: rule("ReadFile(**/.env)"),
            ..Rules::default()
        };
        assert_eq!(
            list(&rules, &["Shell(cargo test:*)".to_owned(), "run command: a\nb".to_owned()]),
            "Rules of config.toml:\n- deny: `ReadFile(**/.env)`\n- allow: `Shell(ls:*)`\n\nApproved for the \
             session (/permissions forget NUMBER takes one back):\n1. `Shell(cargo test:*)`\n2. `run command: a b`"
        );
        assert!(list(&Rules::default(), &[]).contains("No rules in config.toml"));
    }
}
