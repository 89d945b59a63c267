//! What `git` does.

use super::Effect;
use super::guarded::Guarded;
use super::programs::{CHANGES, MAY_WRITE, RUNS, Verdict};
use crate::permission::shell::{Word, git};

const ELSEWHERE: Verdict = Err((
    Effect::Unknown,
    "is told to work where other settings may rule, which may name programs",
));

/// Subcommands that read. None of their short options does more, but `-O` of `grep`.
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

/// Long options of the readers that do no more than they. Not among them: those that write
/// (`--output`), run a program (`--ext-diff`, `--textconv`, `--filters`, `--open-files-in-pager`,
/// `--show-signature`) or go into other repositories (`--recurse-submodules`, `--no-index`).
const LONG: &[&str] = &[
    "abbrev",
    "abbrev-commit",
    "abbrev-ref",
    "abbrev=",
    "absolute-git-dir",
    "after-context=",
    "after=",
    "ahead-behind",
    "all",
    "all-match",
    "always",
    "ancestry-path",
    "and",
    "annotate-stdin",
    "author-date-order",
    "author=",
    "basic-regexp",
    "batch",
    "batch-all-objects",
    "batch-check",
    "before-context=",
    "before=",
    "binary",
    "boundary",
    "branch",
    "branches",
    "branches=",
    "break",
    "buffer",
    "cached",
    "candidates=",
    "cc",
    "check",
    "cherry",
    "cherry-mark",
    "cherry-pick",
    "children",
    "clear-decorations",
    "color",
    "color-words",
    "color=",
    "column",
    "committer=",
    "contains",
    "contains=",
    "context=",
    "count",
    "count=",
    "date-order",
    "date=",
    "decorate",
    "decorate-refs=",
    "decorate=",
    "deleted",
    "dereference",
    "diff-algorithm=",
    "diff-filter=",
    "directory",
    "dirstat",
    "dirstat=",
    "dirty",
    "dirty=",
    "dst-prefix=",
    "email",
    "encoding=",
    "error-unmatch",
    "exact-match",
    "exclude-standard",
    "exclude=",
    "exit-code",
    "extended-regexp",
    "files-with-matches",
    "files-without-match",
    "find-copies",
    "find-copies-harder",
    "find-copies=",
    "find-renames",
    "find-renames=",
    "first-parent",
    "fixed-strings",
    "follow",
    "fork-point",
    "format=",
    "full-history",
    "full-index",
    "full-name",
    "full-tree",
    "function-context",
    "git-common-dir",
    "git-dir",
    "glob=",
    "graph",
    "grep=",
    "heading",
    "heads",
    "histogram",
    "ignore-all-space",
    "ignore-blank-lines",
    "ignore-case",
    "ignore-cr-at-eol",
    "ignore-matching-lines=",
    "ignore-rev=",
    "ignore-space-at-eol",
    "ignore-space-change",
    "ignore-submodules",
    "ignore-submodules=",
    "ignored",
    "ignored=",
    "independent",
    "inter-hunk-context=",
    "invert-grep",
    "invert-match",
    "is-ancestor",
    "is-bare-repository",
    "is-inside-work-tree",
    "is-shallow-repository",
    "left-only",
    "left-right",
    "line-number",
    "line-porcelain",
    "long",
    "mailmap",
    "match=",
    "max-count=",
    "max-depth=",
    "max-parents=",
    "merge-base",
    "merged",
    "merged=",
    "merges",
    "min-parents=",
    "minimal",
    "modified",
    "name-only",
    "name-status",
    "no-abbrev-commit",
    "no-ahead-behind",
    "no-color",
    "no-column",
    "no-decorate",
    "no-ext-diff",
    "no-merged",
    "no-merged=",
    "no-merges",
    "no-notes",
    "no-patch",
    "no-prefix",
    "no-relative",
    "no-renames",
    "no-textconv",
    "no-undefined",
    "no-walk",
    "non-matching",
    "not",
    "null",
    "numbered",
    "numstat",
    "object-only",
    "objects",
    "octopus",
    "oneline",
    "only-matching",
    "or",
    "others",
    "parents",
    "patch",
    "patch-with-stat",
    "patience",
    "perl-regexp",
    "pickaxe-all",
    "pickaxe-regex",
    "points-at=",
    "porcelain",
    "porcelain=",
    "pretty",
    "pretty=",
    "quiet",
    "raw",
    "refs=",
    "regexp-ignore-case",
    "relative",
    "relative=",
    "remotes",
    "remotes=",
    "reverse",
    "right-only",
    "root",
    "shortstat",
    "short",
    "short=",
    "show-cdup",
    "show-email",
    "show-function",
    "show-name",
    "show-number",
    "show-prefix",
    "show-pulls",
    "show-stash",
    "show-toplevel",
    "simplify-by-decoration",
    "since=",
    "skip=",
    "sort=",
    "source",
    "src-prefix=",
    "stage",
    "staged",
    "stat",
    "stat=",
    "stdin",
    "submodule",
    "submodule=",
    "summary",
    "symbolic",
    "symbolic-full-name",
    "tags",
    "tags=",
    "text",
    "threads=",
    "timestamp",
    "topo-order",
    "unified=",
    "unmerged",
    "until=",
    "untracked",
    "untracked-files",
    "untracked-files=",
    "use-mailmap",
    "verbose",
    "verify",
    "walk-reflogs",
    "word-diff",
    "word-diff-regex=",
    "word-diff=",
    "word-regexp",
];

const READER: Guarded = Guarded {
    name: "git",
    flags: "",
    valued: "",
    // The rest of a word may be the value of any of them.
    attached: "0123456789abcdDeEfFgGhHiIklLmMnNopPqrRsStuUvwWxXzBCA",
    long: LONG,
    writes: &["--output", "--ext-diff", "--textconv", "--filters"],
    operands: usize::MAX,
    plus: false,
};

const GREP: Guarded =
    Guarded { attached: "", flags: "0123456789aEFGHhIilLnPpqrvWwcoz", valued: "ABCefm", ..READER };

pub(super) fn judge(words: &[Word]) -> Verdict {
    let Some(git) = git(words) else { return MAY_WRITE };
    if git.configured {
        return RUNS;
    }
    let beside = |dir: &&Word| {
        dir.literal().is_some_and(|dir| !dir.starts_with(['/', '~']) && !dir.contains(".."))
    };
    // The settings of another repository may name programs to run. Whether a directory below is
    // another one, those know who can look.
    if git.elsewhere || !git.dirs.iter().all(beside) {
        return ELSEWHERE;
    }
    let Some(subcommand) = git.subcommand else { return Ok(()) };
    let rest = git.rest;
    // It starts the viewer that the settings name.
    let before = words.len().saturating_sub(rest.len());
    let shows_manual =
        |(at, word): (usize, &Word)| word.text == "--help" || at < before && word.text == "-h";
    if words.iter().enumerate().any(shows_manual) {
        return RUNS;
    }
    // It shows the differences in submodules by the settings of each, also of those that are no more.
    let shows = |word: &Word| {
        let kind = word.text.strip_prefix("--submodule=");
        kind.is_some_and(|kind| !matches!(kind, "log" | "short"))
    };
    if rest.iter().any(shows) {
        return ELSEWHERE;
    }
    if subcommand == "grep" {
        return GREP.judge(rest);
    }
    if READERS.contains(&subcommand) {
        return READER.judge(rest);
    }
    if subcommand == "help" && rest.is_empty() {
        return Ok(());
    }
    if !WRITERS.contains(&subcommand) {
        // An alias may run anything, and so may the viewer of a manual.
        return RUNS;
    }
    let texts: Option<Vec<&str>> = rest.iter().map(Word::literal).collect();
    let Some(texts) = texts else { return CHANGES };
    if reads(subcommand, &texts) { Ok(()) } else { CHANGES }
}

/// Whether a subcommand that may change something only reads here.
fn reads(subcommand: &str, texts: &[&str]) -> bool {
    let all = |known: &[&str]| texts.iter().all(|text| known.contains(text));
    match subcommand {
        "branch" => {
            let lists =
                ["-a", "-r", "-v", "-vv", "-l", "--all", "--list", "--show-current", "--remotes"];
            // With one of these a name is none of a new branch.
            let asks = [
                "--list",
                "-l",
                "--contains",
                "--no-contains",
                "--merged",
                "--no-merged",
                "--points-at",
            ];
            let formed =
                |text: &str| ["--format=", "--sort="].iter().any(|option| text.starts_with(option));
            let named = texts.iter().any(|text| asks.contains(text));
            texts.iter().all(|text| {
                lists.contains(text)
                    || asks.contains(text)
                    || formed(text)
                    || (named && !text.starts_with('-'))
            })
        }
        "tag" => all(&["-l", "--list", "-n"]),
        "remote" => all(&["-v", "--verbose"]) || matches!(texts, ["get-url", _]),
        "stash" | "worktree" => matches!(texts, ["list"]),
        "config" => {
            let places = ["--global", "--local", "--system"];
            let key = |text: &str| {
                let known = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
                text.starts_with(|c: char| c.is_ascii_alphabetic())
                    && text.contains('.')
                    && text.chars().all(known)
            };
            let texts: Vec<&str> =
                texts.iter().copied().filter(|text| !places.contains(text)).collect();
            match texts[..] {
                ["--list" | "-l" | "list"] => true,
                ["--get" | "--get-all" | "get", name] | [name] => key(name),
                _ => false,
            }
        }
        "reflog" => matches!(texts, [] | ["show"]),
        "submodule" => matches!(texts, ["status"]),
        _ => false,
    }
}

/// Whether a command of `git` starts the programs that a repository's settings name, if they do: it
/// shows differences, looks at the files of the work tree, or looks at objects, which may have to be fetched
/// first or to be asked who has signed them.
pub(super) fn heeds_settings(words: &[Word]) -> bool {
    const NEVER: &[&str] =
        &["check-ignore", "config", "count-objects", "remote", "show-ref", "var", "version"];
    let Some(git) = git(words) else { return true };
    git.subcommand.is_some_and(|subcommand| !NEVER.contains(&subcommand))
}
