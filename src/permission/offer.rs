//! What an approval for the session covers: rules that fit, or this very command.

use sha2::{Digest as _, Sha256};

use super::rule::is_harmless;
use super::shell::{Part, Run};

/// Commands whose arguments do not change what they are for: the program and its subcommands. No
/// subcommands: the program alone.
const FAMILIES: &[(&str, &[&str])] = &[
    ("cargo", &["bench", "build", "check", "clippy", "doc", "fmt", "metadata", "test", "tree"]),
    ("go", &["build", "fmt", "test", "vet"]),
    ("npm", &["ci", "test"]),
    ("pnpm", &["test"]),
    ("yarn", &["test"]),
    ("dotnet", &["build", "test"]),
    ("git", &["add", "fetch", "status"]),
    ("pytest", &[]),
    ("mypy", &[]),
    ("tsc", &[]),
    ("ls", &[]),
    ("pwd", &[]),
    ("wc", &[]),
];

/// Longer commands are kept as a digest.
const MAX_KEPT: usize = 500;

/// What is kept when a command is approved for the session, and how it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Rules, or one key that stands for the command and nothing else.
    pub keys: Vec<String>,
    /// For the dialog.
    pub told: String,
}

/// The offer for a command of which these parts are not allowed yet.
pub fn offer(command: &str, open: &[Part]) -> Offer {
    let rules: Option<Vec<String>> = open.iter().map(family).collect();
    match rules {
        Some(mut families) if !families.is_empty() => {
            families.sort();
            families.dedup();
            let told: Vec<String> = families.iter().map(|words| format!("{words} …")).collect();
            let keys = families.iter().map(|words| format!("Shell({words}:*)")).collect();
            Offer { keys, told: told.join(", ") }
        }
        _ => Offer { keys: vec![exact_key(command)], told: "this command only".to_owned() },
    }
}

/// The key of a command that was approved by itself.
pub fn exact_key(command: &str) -> String {
    if command.len() <= MAX_KEPT {
        return format!("run command: {command}");
    }
    let digest = Sha256::digest(command.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("run command with sha256: {hex}")
}

fn family(part: &Part) -> Option<String> {
    let Part::Run(Run { words, assigns, needs_rule: true, .. }) = part else { return None };
    if !assigns.iter().all(|(name, _)| is_harmless(name)) {
        return None;
    }
    let word = |at: usize| words.get(at)?.literal();
    let program = word(0)?;
    if matches!(program, "npm" | "pnpm" | "yarn") && word(1) == Some("run") {
        let script = word(2)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        let fits =
            script.starts_with(|c: char| c.is_ascii_alphanumeric()) && script.chars().all(plain);
        return fits.then(|| format!("{program} run {script}"));
    }
    let (_, subcommands) = FAMILIES.iter().find(|(name, _)| *name == program)?;
    if subcommands.is_empty() {
        return Some(program.to_owned());
    }
    let subcommand = word(1)?;
    subcommands.contains(&subcommand).then(|| format!("{program} {subcommand}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::shell;

    fn keys(command: &str) -> Vec<String> {
        offer(command, &shell::read(command).parts).keys
    }

    #[test]
    fn a_family_or_the_very_command() {
        assert_eq!(keys("cargo test --lib x"), ["Shell(cargo test:*)"]);
        assert_eq!(keys("npm run lint -- a && ls"), ["Shell(ls:*)", "Shell(npm run lint:*)"]);
        for command in
            ["rm x", "cargo run", "cargo test && rm x", "ls > f", "LD_PRELOAD=x ls", "npm run '*'"]
        {
            assert_eq!(keys(command), [format!("run command: {command}")]);
        }
        let long = format!("echo {}", "x".repeat(600));
        assert!(keys(&long)[0].starts_with("run command with sha256: "));
        assert_ne!(keys(&long), keys(&format!("{long}y")));
    }
}
