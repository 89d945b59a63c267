//! What an approval for the session covers: rules that fit, or this very command.

use sha2::{Digest as _, Sha256};

use super::rule::is_harmless;
use super::shell::{Part, Run, Word};

/// Commands that stay what they are whatever their operands and these options are: an approval for the
/// session covers no others, since an option may name a program to run or another project.
struct Family {
    program: &'static str,
    /// None: the program alone.
    subcommands: &'static [&'static str],
    /// Options by their whole word; of those that end in `=` any plain value.
    options: &'static [&'static str],
    /// Letters that may stand in a cluster.
    letters: &'static str,
    /// Whether operands may lead out of the working directory.
    anywhere: bool,
}

const fn commands(program: &'static str, subcommands: &'static [&'static str]) -> Family {
    Family { program, subcommands, options: &[], letters: "", anywhere: false }
}

const FAMILIES: &[Family] = &[
    Family {
        options: &[
            "--all",
            "--all-features",
            "--all-targets",
            "--bench",
            "--bench=",
            "--benches",
            "--bin",
            "--bin=",
            "--bins",
            "--check",
            "--color=",
            "--doc",
            "--document-private-items",
            "--example",
            "--example=",
            "--examples",
            "--exact",
            "--features",
            "--features=",
            "--frozen",
            "--ignored",
            "--include-ignored",
            "--keep-going",
            "--lib",
            "--locked",
            "--message-format=",
            "--no-default-features",
            "--no-deps",
            "--no-fail-fast",
            "--no-run",
            "--nocapture",
            "--offline",
            "--package",
            "--package=",
            "--profile=",
            "--quiet",
            "--release",
            "--show-output",
            "--skip",
            "--test",
            "--test-threads=",
            "--test=",
            "--tests",
            "--verbose",
            "--workspace",
            "-D",
            "-F",
            "-W",
            "-j",
            "-p",
        ],
        letters: "qrv",
        ..commands(
            "cargo",
            &["bench", "build", "check", "clippy", "doc", "fmt", "metadata", "test", "tree"],
        )
    },
    Family {
        options: &[
            "-bench=",
            "-benchmem",
            "-count=",
            "-cover",
            "-failfast",
            "-race",
            "-run",
            "-run=",
            "-short",
            "-timeout=",
            "-v",
        ],
        ..commands("go", &["build", "fmt", "test", "vet"])
    },
    commands("npm", &["ci", "test"]),
    commands("pnpm", &["test"]),
    commands("yarn", &["test"]),
    Family {
        options: &["--no-build", "--no-restore", "--nologo"],
        ..commands("dotnet", &["build", "test"])
    },
    Family {
        options: &["--all", "--dry-run", "--intent-to-add", "--update", "--verbose"],
        letters: "AnNuv",
        ..commands("git", &["add"])
    },
    Family {
        options: &[
            "--all",
            "--depth=",
            "--dry-run",
            "--no-tags",
            "--prune",
            "--quiet",
            "--tags",
            "--verbose",
        ],
        letters: "apqtv",
        ..commands("git", &["fetch"])
    },
    Family {
        options: &[
            "--branch",
            "--ignored",
            "--long",
            "--porcelain",
            "--porcelain=",
            "--short",
            "--show-stash",
            "--untracked-files",
            "--untracked-files=",
        ],
        letters: "bsuvz",
        ..commands("git", &["status"])
    },
    Family {
        options: &[
            "--exitfirst",
            "--failed-first",
            "--last-failed",
            "--maxfail=",
            "--no-header",
            "--quiet",
            "--tb=",
            "--verbose",
            "-k",
            "-m",
        ],
        letters: "lqsvx",
        ..commands("pytest", &[])
    },
    Family {
        options: &["--ignore-missing-imports", "--no-incremental", "--strict"],
        ..commands("mypy", &[])
    },
    Family { options: &["--noEmit", "--pretty", "--strict"], ..commands("tsc", &[]) },
    Family {
        options: &[
            "--all",
            "--almost-all",
            "--color=",
            "--directory",
            "--human-readable",
            "--recursive",
            "--reverse",
            "--size",
            "--sort=",
        ],
        letters: "1aAcCdfFghHilLnoQrRsStuUvxX",
        anywhere: true,
        ..commands("ls", &[])
    },
    Family { letters: "LP", ..commands("pwd", &[]) },
    Family {
        options: &["--bytes", "--chars", "--lines", "--max-line-length", "--words"],
        letters: "clLmw",
        anywhere: true,
        ..commands("wc", &[])
    },
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

/// The family that a part is of: every word of it is known, and none of its options does anything
/// but what the family is for.
pub(super) fn family(part: &Part) -> Option<String> {
    let Part::Run(Run { words, assigns, needs_rule: true, .. }) = part else { return None };
    if !assigns.iter().all(|(name, _)| is_harmless(name)) {
        return None;
    }
    let word = |at: usize| words.get(at)?.literal();
    let program = word(0)?;
    if matches!(program, "npm" | "pnpm" | "yarn") && word(1) == Some("run") {
        let script = word(2)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        let fits = script.starts_with(|c: char| c.is_ascii_alphanumeric())
            && script.chars().all(plain)
            && words.iter().skip(3).all(|word| operand(word, false));
        return fits.then(|| format!("{program} run {script}"));
    }
    let of = |family: &&Family| {
        family.program == program
            && (family.subcommands.is_empty()
                || word(1).is_some_and(|sub| family.subcommands.contains(&sub)))
    };
    let family = FAMILIES.iter().find(of)?;
    let named = if family.subcommands.is_empty() { 1 } else { 2 };
    if !words.iter().skip(named).all(|word| family.covers(word)) {
        return None;
    }
    let name: Option<Vec<&str>> = words.iter().take(named).map(Word::literal).collect();
    Some(name?.join(" "))
}

impl Family {
    fn covers(&self, word: &Word) -> bool {
        let Some(text) = word.literal() else { return operand(word, self.anywhere) };
        if !text.starts_with(['-', '+']) {
            return operand(word, self.anywhere);
        }
        let with_value = text.split_once('=').is_some_and(|(name, _)| {
            self.options.iter().any(|option| option.strip_suffix('=') == Some(name))
        });
        let cluster = text.strip_prefix('-').filter(|letters| !letters.is_empty());
        let plain = |letters: &str| letters.chars().all(|c| self.letters.contains(c));
        text == "--" || self.options.contains(&text) || with_value || cluster.is_some_and(plain)
    }
}

/// A word that no program takes for an option; unless `anywhere`, it leads nowhere out of the working
/// directory.
fn operand(word: &Word, anywhere: bool) -> bool {
    if word.may_be_option() {
        return false;
    }
    let away = |text: &str| {
        text.starts_with(['/', '+'])
            || text.split('/').any(|name| name == "..")
            || text.contains("::")
    };
    anywhere || word.literal().is_some_and(|text| !away(text) || is_test_name(text))
}

/// `module::tests::name`, as `cargo test` takes it.
fn is_test_name(text: &str) -> bool {
    text.split("::").all(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
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
        assert_eq!(keys("npm run lint a && ls"), ["Shell(ls:*)", "Shell(npm run lint:*)"]);
        for command in
            ["rm x", "cargo run", "cargo test && rm x", "ls > f", "LD_PRELOAD=x ls", "npm run '*'"]
        {
            assert_eq!(keys(command), [format!("run command: {command}")]);
        }
        for command in [
            "git fetch --upload-pack='touch x;git-upload-pack' .",
            "git fetch --dry-run --upload-p=x .",
            "git fetch 'ext::sh -c x'",
            "git fetch $x",
            "git -C . fetch",
            "npm test --prefix ./evil",
            "npm --prefix ./evil test",
            "npm run test --prefix ./evil",
            "npm run test ../x",
            "cargo check --config build.rustc-wrapper=x",
            "cargo check --manifest-path evil/Cargo.toml",
            "cargo +x check",
            "cargo test -- --logfile x",
            "pytest -p evil",
            "pytest -qp evil",
            "pytest --pdbcls=evil:X",
            "pytest --rootdir=/x",
            "pytest /x",
            "pytest ../x",
            "wc --files0-from=/etc/passwd",
            "go test -exec x ./...",
            "go build -toolexec=x",
            "go test ../...",
            "tsc -p evil",
            "ls $x",
            "wc *",
        ] {
            assert_eq!(keys(command), [format!("run command: {command}")]);
        }
        assert_eq!(keys("cargo test -p a --lib x::y -- --nocapture"), ["Shell(cargo test:*)"]);
        assert_eq!(keys("go test -run X ./..."), ["Shell(go test:*)"]);
        assert_eq!(keys("git fetch --dry-run ."), ["Shell(git fetch:*)"]);
        assert_eq!(keys("pytest -xvs tests/a.py -k name"), ["Shell(pytest:*)"]);
        let long = format!("echo {}", "x".repeat(600));
        assert!(keys(&long)[0].starts_with("run command with sha256: "));
        assert_ne!(keys(&long), keys(&format!("{long}y")));
    }
}
