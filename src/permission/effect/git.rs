//! What `git` does.

use super::Effect;
use super::programs::{CHANGES, MAY_WRITE, RUNS, Verdict, WRITES, may_be_option};
use crate::permission::shell::{ANY, Word};

/// Subcommands that read.
const READERS: &[&str] = &[
    "blame",
    "cat-file",
    "check-ignore",
    "cherry",
    "count-objects",
    "describe",
    "diff",
    "diff-tree",
    "for-each-ref",
    "grep",
    "help",
    "log",
    "ls-files",
    "ls-tree",
    "merge-base",
    "name-rev",
    "rev-list",
    "rev-parse",
    "shortlog",
    "show",
    "show-ref",
    "status",
    "var",
    "version",
    "whatchanged",
];

/// Subcommands that change something, or do with the right arguments.
const WRITERS: &[&str] = &[
    "add",
    "am",
    "apply",
    "archive",
    "bisect",
    "branch",
    "checkout",
    "cherry-pick",
    "clean",
    "clone",
    "commit",
    "config",
    "fetch",
    "format-patch",
    "gc",
    "init",
    "maintenance",
    "merge",
    "mv",
    "notes",
    "prune",
    "pull",
    "push",
    "rebase",
    "reflog",
    "remote",
    "reset",
    "restore",
    "revert",
    "rm",
    "sparse-checkout",
    "stash",
    "submodule",
    "switch",
    "tag",
    "update-index",
    "update-ref",
    "worktree",
];

/// Options of these that write a file or run a program.
const ACTING: &[&str] = &[
    "--output",
    "--ext-diff",
    "--textconv",
    "--open-files-in-pager",
    "--filters",
    "--upload-pack",
    "--exec",
    "--web",
    "--no-index",
];

pub(super) fn judge(arguments: &[Word]) -> Verdict {
    let mut words = arguments.iter();
    let subcommand = loop {
        let Some(word) = words.next() else { return Ok(()) };
        match word.text.as_str() {
            "--no-pager" | "-P" | "--no-optional-locks" | "--version" => {}
            // The configuration of another repository may name programs to run.
            text if text.starts_with('-') => return RUNS,
            _ => break word,
        }
    };
    let Some(subcommand) = subcommand.literal() else { return MAY_WRITE };
    let rest = words.as_slice();
    if READERS.contains(&subcommand) {
        return reader(subcommand, rest);
    }
    let texts: Vec<&str> = rest.iter().map(|word| word.text.as_str()).collect();
    if !WRITERS.contains(&subcommand) {
        // An alias may run anything.
        return RUNS;
    }
    if texts.iter().any(|text| text.contains(ANY)) {
        return CHANGES;
    }
    let all = |known: &[&str]| texts.iter().all(|text| known.contains(text));
    let reads = match subcommand {
        "branch" => {
            all(&["-a", "-r", "-v", "-vv", "--all", "--list", "--show-current", "--remotes"])
        }
        "tag" => all(&["-l", "--list", "-n"]),
        "remote" => all(&["-v", "--verbose"]) || matches!(texts[..], ["get-url", _]),
        "stash" => matches!(texts[..], ["list"]) || matches!(texts[..], ["show"]),
        "worktree" => matches!(texts[..], ["list"]),
        "config" => matches!(texts[..], ["--list" | "-l" | "list"] | ["--get" | "get", _]),
        "reflog" => texts.is_empty() || matches!(texts[..], ["show", ..] if texts.len() == 1),
        "submodule" => matches!(texts[..], ["status"]),
        _ => false,
    };
    if reads { Ok(()) } else { CHANGES }
}

fn reader(subcommand: &str, rest: &[Word]) -> Verdict {
    for word in rest {
        let text = word.text.as_str();
        if text == "--" {
            break;
        }
        if may_be_option(word) {
            return MAY_WRITE;
        }
        let name = text.split('=').next().unwrap_or_default();
        // Git takes the begin of a long option for all of it.
        if name.len() > 2
            && name.starts_with("--")
            && ACTING.iter().any(|acting| acting.starts_with(name))
        {
            return WRITES;
        }
        if text.starts_with('-') && text.contains(ANY) {
            return MAY_WRITE;
        }
        if subcommand == "grep" && text.starts_with("-O") {
            return RUNS;
        }
        if subcommand == "help" && text.starts_with('-') {
            return Err((Effect::Unknown, "may start a browser"));
        }
    }
    Ok(())
}
