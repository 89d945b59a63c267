//! The names of git: its commands, others that do the same, and settings that name programs.

use super::{Git, Word};

/// What git comes with, and its best known additions. Another word is an alias of the person, or a
/// program `git-…`.
const COMMANDS: &[&str] = &[
    "add",
    "am",
    "annotate",
    "apply",
    "archimport",
    "archive",
    "backfill",
    "bisect",
    "blame",
    "branch",
    "bugreport",
    "bundle",
    "cat-file",
    "check-attr",
    "check-ignore",
    "check-mailmap",
    "check-ref-format",
    "checkout",
    "checkout--worker",
    "checkout-index",
    "cherry",
    "cherry-pick",
    "clean",
    "clone",
    "column",
    "commit",
    "commit-graph",
    "commit-tree",
    "config",
    "count-objects",
    "credential",
    "credential-cache",
    "credential-cache--daemon",
    "credential-store",
    "cvsexportcommit",
    "cvsimport",
    "cvsserver",
    "daemon",
    "describe",
    "diagnose",
    "diff",
    "diff-files",
    "diff-index",
    "diff-tree",
    "difftool",
    "difftool--helper",
    "fast-export",
    "fast-import",
    "fetch",
    "fetch-pack",
    "filter-branch",
    "flow",
    "fmt-merge-msg",
    "for-each-ref",
    "for-each-repo",
    "format-patch",
    "fsck",
    "fsck-objects",
    "fsmonitor--daemon",
    "gc",
    "get-tar-commit-id",
    "grep",
    "hash-object",
    "help",
    "history",
    "hook",
    "http-backend",
    "http-fetch",
    "http-push",
    "imap-send",
    "index-pack",
    "init",
    "init-db",
    "instaweb",
    "interpret-trailers",
    "last-modified",
    "lfs",
    "log",
    "ls-files",
    "ls-remote",
    "ls-tree",
    "mailinfo",
    "mailsplit",
    "maintenance",
    "merge",
    "merge-base",
    "merge-file",
    "merge-index",
    "merge-octopus",
    "merge-one-file",
    "merge-ours",
    "merge-recursive",
    "merge-resolve",
    "merge-subtree",
    "merge-tree",
    "mergetool",
    "mergetool--lib",
    "mktag",
    "mktree",
    "multi-pack-index",
    "mv",
    "name-rev",
    "notes",
    "p4",
    "pack-objects",
    "pack-redundant",
    "pack-refs",
    "patch-id",
    "prune",
    "prune-packed",
    "pull",
    "push",
    "quiltimport",
    "range-diff",
    "read-tree",
    "rebase",
    "receive-pack",
    "reflog",
    "refs",
    "remote",
    "repack",
    "replace",
    "replay",
    "request-pull",
    "rerere",
    "reset",
    "restore",
    "rev-list",
    "rev-parse",
    "revert",
    "rm",
    "send-email",
    "send-pack",
    "sh-i18n",
    "sh-i18n--envsubst",
    "sh-setup",
    "shortlog",
    "show",
    "show-branch",
    "show-index",
    "show-ref",
    "sparse-checkout",
    "stage",
    "stash",
    "status",
    "stripspace",
    "submodule",
    "submodule--helper",
    "survey",
    "svn",
    "switch",
    "symbolic-ref",
    "tag",
    "unpack-file",
    "unpack-objects",
    "update-index",
    "update-ref",
    "update-server-info",
    "upload-archive",
    "upload-pack",
    "var",
    "verify-commit",
    "verify-pack",
    "verify-tag",
    "version",
    "web--browse",
    "whatchanged",
    "worktree",
    "write-tree",
];

/// Commands that do what another does, by their own words.
const TWINS: &[(&[&str], &str)] = &[
    (&["fetch-pack"], "fetch"),
    (&["http-fetch"], "fetch"),
    (&["http-push"], "push"),
    (&["lfs", "push"], "push"),
    (&["p4", "submit"], "push"),
    (&["send-pack"], "push"),
    (&["stage"], "add"),
    (&["subtree", "push"], "push"),
    (&["svn", "dcommit"], "push"),
];

/// Settings whose value is a program, or leads to more settings, by section and key; `""` is any section.
const PROGRAMS: &[(&str, &str)] = &[
    ("", "cmd"),
    ("", "command"),
    ("", "driver"),
    ("", "editor"),
    ("", "external"),
    ("", "helper"),
    ("", "program"),
    ("", "receivepack"),
    ("", "textconv"),
    ("", "uploadpack"),
    ("alias", ""),
    ("core", "alternaterefscommand"),
    ("core", "askpass"),
    ("core", "attributesfile"),
    ("core", "fsmonitor"),
    ("core", "gitproxy"),
    ("core", "hookspath"),
    ("core", "pager"),
    ("core", "sshcommand"),
    ("core", "worktree"),
    ("difftool", "path"),
    ("filter", "clean"),
    ("filter", "process"),
    ("filter", "smudge"),
    ("gc", "recentobjectshook"),
    ("gpg", "defaultkeycommand"),
    ("imap", "tunnel"),
    ("include", "path"),
    ("includeif", "path"),
    ("init", "templatedir"),
    ("instaweb", ""),
    ("interactive", "difffilter"),
    ("mergetool", "path"),
    ("pager", ""),
    ("protocol", "allow"),
    ("remote", "vcs"),
    ("sendemail", ""),
    ("submodule", "update"),
    ("uploadpack", "packobjectshook"),
    ("web", "browser"),
];

/// Values that name no program but what everybody knows.
const PLAIN: &[&str] = &[
    "",
    "always",
    "auto",
    "bat",
    "cache",
    "cat",
    "code --wait",
    "delta",
    "diff-so-fancy",
    "emacs",
    "false",
    "gpg",
    "gpg2",
    "less",
    "less -FRX",
    "less -R",
    "less -RFX",
    "manager",
    "merge",
    "more",
    "nano",
    "never",
    "none",
    "nvim",
    "osxkeychain",
    "rebase",
    "store",
    "true",
    "vi",
    "vim",
];

/// Options of `git config` that have the next word for a value.
const VALUED: &[&str] =
    &["--blob", "--comment", "--default", "--file", "--type", "--url", "--value", "-f"];

/// The command whose work this one does, and the words that name it; `None` when it has no such twin.
pub fn twin(words: &[&str]) -> Option<(usize, &'static str)> {
    let twin = TWINS.iter().find(|(names, _)| words.starts_with(names))?;
    Some((twin.0.len(), twin.1))
}

/// Whether a command of git is none that it comes with, and so may stand for any other.
pub fn may_be_alias(command: &str) -> bool {
    COMMANDS.binary_search(&command).is_err()
}

/// Whether a command of git sets what names a program, or may turn out to: `git config alias.x '!rm'`.
pub(super) fn sets_program(git: &Git) -> bool {
    if git.subcommand != Some("config") {
        return false;
    }
    let (mut words, mut operands) = (git.rest.iter(), Vec::new());
    while let Some(word) = words.next() {
        let text = word.literal().unwrap_or_default();
        if ["--get", "--unset", "--remove-section", "--list"].iter().any(|it| text.starts_with(it))
        {
            return false;
        }
        if VALUED.contains(&text) {
            words.next();
        } else if !text.starts_with('-') {
            operands.push(word);
        } else if text == "--rename-section" {
            return true;
        }
    }
    match operands.first().and_then(|word| word.literal()) {
        Some("get" | "list" | "unset" | "remove-section" | "edit") => return false,
        Some("rename-section") => return true,
        Some("set") => drop(operands.remove(0)),
        _ => {}
    }
    let [key, values @ ..] = operands.as_slice() else { return false };
    let plain = |value: &&Word| value.literal().is_some_and(|text| PLAIN.contains(&text));
    let sets = !values.is_empty() || key.several;
    sets && key.literal().is_none_or(names_program) && !values.first().is_some_and(plain)
}

/// Whether a setting that git is given for once, `core.editor=vim`, may name a program.
pub(super) fn gives_program(setting: &Word) -> bool {
    let Some(text) = setting.literal() else { return true };
    let (key, value) = text.split_once('=').unwrap_or((text, "true"));
    // An address may name a program too.
    let leads = key.to_ascii_lowercase().starts_with("url.") || value.contains("::");
    leads || (names_program(key) && !PLAIN.contains(&value))
}

/// Whether the value of a setting is a program.
fn names_program(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let section = name.split('.').next().unwrap_or_default();
    let key = name.rsplit('.').next().unwrap_or_default();
    PROGRAMS
        .iter()
        .any(|(of, named)| (of.is_empty() || *of == section) && (named.is_empty() || *named == key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::shell::{Part, git, read};

    fn sets(command: &str) -> bool {
        match read(command).parts.first() {
            Some(Part::Run(run)) => sets_program(&git(&run.words).unwrap()),
            other => panic!("{command}: {other:?}"),
        }
    }

    #[test]
    fn settings_that_name_programs_are_told_from_others() {
        for command in [
            "git config core.editor 'rm x'",
            "git config --global core.Editor rm",
            "git config --add core.pager rm",
            "git config set core.sshCommand rm",
            "git config set --local filter.a.b.clean rm",
            "git config -f .gitmodules submodule.x.update '!rm x'",
            "git config alias.x '!rm'",
            "git config alias.x push",
            "git config --replace-all credential.https://a.helper '!rm'",
            "git config include.path ../x",
            "git config $key value",
            "git config core.pager \"$x\"",
            "git config --rename-section safe alias",
            "git config $both",
        ] {
            // A single word may be two.
            assert!(sets(command), "{command}");
        }
        for command in [
            "git config user.name x",
            "git config user.name \"$x\"",
            "git config core.editor",
            "git config --get core.editor",
            "git config get alias.x",
            "git config --unset alias.x",
            "git config core.autocrlf false",
            "git config core.pager cat",
            "git config --global core.editor 'code --wait'",
            "git config credential.helper store",
            "git config --list",
            "git config -l",
            "git log alias.x y",
        ] {
            assert!(!sets(command), "{command}");
        }
    }

    #[test]
    fn commands_are_in_order() {
        assert!(COMMANDS.is_sorted());
        assert!(may_be_alias("p") && may_be_alias("remote-https") && !may_be_alias("push"));
    }
}
