//! Hostile commands, judged: `commands.jsonl` and `evasions.jsonl` in `tests/fixtures/permission`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::effect::{Effect, of_script};
use super::shell::{ANY, Part, Word, read};
use super::{Call, Judgment, Rule, Rules, Site};
use crate::tools::Workspace;

fn told(part: &Part) -> String {
    let text = |word: &Word| word.text.replace(ANY, "…");
    match part {
        Part::Run(run) => {
            let assigns = run.assigns.iter().map(|(name, value)| format!("{name}={}", text(value)));
            assigns.chain(run.words.iter().map(text)).collect::<Vec<_>>().join(" ")
        }
        Part::Write(target) => format!("write {}", text(&target.path)),
        Part::Read(target) => format!("read {}", text(&target.path)),
        Part::Assign(assign) => format!("set {}", assign.name),
        Part::Unclear(_) => "unclear".to_owned(),
    }
}

#[test]
fn hostile_commands_are_judged() {
    let workspace = Arc::new(Workspace::new(PathBuf::from("/w"), vec![]));
    let site = Site {
        workspace,
        home: PathBuf::from("/h"),
        search: vec!["/usr/bin".into(), "/bin".into()],
    };
    let corpus = include_str!("../../tests/fixtures/permission/commands.jsonl");
    let mut wrong = Vec::new();
    for line in corpus.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let command = entry["command"].as_str().unwrap();
        let script = read(command);
        let found: Vec<String> = script.parts.iter().map(told).collect();
        for part in entry["parts"].as_array().unwrap() {
            if !found.contains(&part.as_str().unwrap().to_owned()) {
                wrong.push(format!("{command:?}: {part} is not in {found:?}"));
            }
        }
        let effect = format!("{:?}", of_script(&script).effect);
        if entry["effect"] != *effect {
            wrong.push(format!("{command:?}: {effect} {:?}", of_script(&script).reason));
        }
        let rules = entry["not"].as_array().unwrap().iter();
        let allow = rules.map(|rule| Rule::parse(rule.as_str().unwrap()).unwrap()).collect();
        let rules = Rules { allow, ..Rules::default() };
        let call = Call::of("Shell", &entry, &site.workspace, &site.home);
        if rules.judge(&call, &site, &[]) == Judgment::Allow {
            wrong.push(format!("{command:?} is allowed"));
        }
    }
    assert!(corpus.lines().count() >= 380);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Commands that go round a deny rule about `rm`, round being asked, or through plan mode, if they are read
/// as they look; and such as cannot be told from these. `against` names which of the three has to hold.
#[test]
fn evasions_are_stopped() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/permission/evasions.jsonl");
    let corpus = std::fs::read_to_string(file).unwrap();
    let workspace = Arc::new(Workspace::new(PathBuf::from("/w"), vec![]));
    let site = Site {
        workspace,
        home: PathBuf::from("/h"),
        search: vec!["/usr/bin".into(), "/bin".into()],
    };
    let rules = |texts: &[&str]| texts.iter().map(|text| Rule::parse(text).unwrap()).collect();
    let denying =
        Rules { allow: rules(&["Shell"]), deny: rules(&["Shell(rm:*)"]), ..Rules::default() };
    let asking = Rules {
        allow: rules(&[
            "Shell(ls:*)",
            "Shell(echo:*)",
            "Shell(cat:*)",
            "Shell(find:*)",
            "Shell(git *)",
            "Shell(set:*)",
        ]),
        ..Rules::default()
    };
    let mut wrong = Vec::new();
    for line in corpus.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let command = entry["command"].as_str().unwrap();
        let call = Call::of("Shell", &entry, &site.workspace, &site.home);
        let passes = match entry["against"].as_str().unwrap() {
            "deny" => {
                let own = entry["deny"].as_str().map(|rule| rules(&[rule]));
                let denying =
                    Rules { deny: own.unwrap_or(denying.deny.clone()), ..denying.clone() };
                denying.judge(&call, &site, &[]) == Judgment::Allow
            }
            "ask" => asking.judge(&call, &site, &[]) == Judgment::Allow,
            "plan" => of_script(&read(command)).effect == Effect::ReadOnly,
            other => panic!("{other}"),
        };
        if passes {
            wrong.push(format!("{} {command:?}", entry["against"]));
        }
    }
    assert!(corpus.lines().count() >= 500);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What people do all day is never asked about because of a few rules that forbid something else.
#[test]
fn ordinary_commands_go_on() {
    let corpus = include_str!("../../tests/fixtures/permission/ordinary.txt");
    let workspace = Arc::new(Workspace::new(PathBuf::from("/w"), vec![]));
    let search = vec!["/usr/bin".into(), "/bin".into()];
    let site = Site { workspace, home: PathBuf::from("/h"), search };
    let rules = |texts: &[&str]| texts.iter().map(|text| Rule::parse(text).unwrap()).collect();
    let rules = Rules {
        allow: rules(&["Shell"]),
        deny: rules(&["Shell(rm -rf:*)", "Shell(git push:*)", "Shell(shutdown*)"]),
        ask: rules(&["Shell(sudo:*)"]),
    };
    let judged = |command: &str| {
        let arguments = serde_json::json!({ "command": command });
        rules.judge(&Call::of("Shell", &arguments, &site.workspace, &site.home), &site, &[])
    };
    let stopped: Vec<_> = corpus
        .lines()
        .map(|command| (command, judged(command)))
        .filter(|(_, judgment)| *judgment != Judgment::Allow)
        .collect();
    assert!(corpus.lines().count() >= 50);
    assert!(stopped.is_empty(), "{stopped:#?}");
}
