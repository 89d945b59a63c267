//! The command line of `git`: where its subcommand stands, and which programs it is told to run.

use super::launch::{Launch, OPTIONS, joined};
use super::{Word, git_names};

/// Options before the subcommand that take no value.
const FLAGS: &[&str] = &[
    "--bare",
    "--exec-path",
    "--glob-pathspecs",
    "--help",
    "--html-path",
    "--icase-pathspecs",
    "--info-path",
    "--literal-pathspecs",
    "--man-path",
    "--no-advice",
    "--no-lazy-fetch",
    "--no-optional-locks",
    "--no-pager",
    "--no-replace-objects",
    "--noglob-pathspecs",
    "--paginate",
    "--version",
    "-P",
    "-h",
    "-p",
    "-v",
];

/// Those that name another repository, other files or other rules for them.
const ELSEWHERE: &[&str] = &["--attr-source", "--git-dir", "--namespace", "--work-tree"];

/// A command line of `git`.
#[derive(Debug, Default)]
pub struct Git<'a> {
    /// The values of `-C`.
    pub dirs: Vec<&'a Word>,
    /// Whether it is told to work on another repository or other files.
    pub elsewhere: bool,
    /// Whether it is given settings, which may name programs.
    pub configured: bool,
    /// Whether one of them may name a program.
    pub programmed: bool,
    /// The subcommand, which is known.
    pub subcommand: Option<&'a str>,
    /// The words behind the subcommand.
    pub rest: &'a [Word],
}

/// Reads the words of `git`. `None`: where its subcommand stands is not known.
pub fn git(words: &[Word]) -> Option<Git<'_>> {
    let mut git = Git::default();
    let mut at = 1;
    while let Some(word) = words.get(at) {
        at += 1;
        let text = word.literal().filter(|text| !text.is_empty())?;
        if !text.starts_with('-') {
            git.subcommand = Some(text);
            git.rest = words.get(at..).unwrap_or_default();
            break;
        }
        let (name, own) = match text.split_once('=') {
            Some((name, _)) => (name, true),
            None => (text, false),
        };
        match name {
            _ if !own && FLAGS.contains(&name) => continue,
            "--exec-path" | "--config-env" => (git.configured, git.programmed) = (true, true),
            "--list-cmds" if own => continue,
            "-C" if !own => git.dirs.extend(words.get(at)),
            _ if ELSEWHERE.contains(&name) => git.elsewhere = true,
            _ if text.starts_with("-c") => {
                git.configured = true;
                let setting = words.get(at).filter(|_| text == "-c");
                git.programmed |= setting.is_none_or(git_names::gives_program);
                if text != "-c" {
                    continue;
                }
            }
            _ => return None,
        }
        if !own || text == "-c" {
            words.get(at).filter(|value| value.is_one())?;
            at += 1;
        }
    }
    Some(git)
}

/// Subcommands of `git` that can be told to run a program: the letters and the long options that do.
const GIT_RUNS: &[(&str, &str, &[&str])] = &[
    ("archive", "", &["exec"]),
    ("clone", "cu", &["config", "upload-pack", "template"]),
    ("difftool", "x", &["extcmd", "tool"]),
    ("fetch", "", &["upload-pack"]),
    ("filter-branch", "", &[""]),
    ("grep", "O", &["open-files-in-pager"]),
    ("ls-remote", "", &["upload-pack", "exec"]),
    ("mergetool", "", &["tool"]),
    ("pull", "", &["upload-pack"]),
    ("push", "", &["receive-pack", "exec"]),
    ("rebase", "x", &["exec"]),
    ("send-email", "", &[""]),
];

/// `git` with a configuration of its own may run anything; some subcommands run what they are given.
pub(super) fn launched_by_git(git: &Git) -> Launch {
    if git.programmed {
        return Launch::Opaque("git is given a configuration that may run programs");
    }
    let first = git.rest.first();
    match (git.subcommand, first.and_then(Word::literal)) {
        (Some("bisect"), Some("run")) => {
            let command = git.rest.get(1..).unwrap_or_default();
            if command.is_empty() { Launch::None } else { Launch::Commands(vec![command.to_vec()]) }
        }
        (Some("submodule"), _) => submodule(git.rest),
        (Some("bisect"), None) if first.is_some() => OPTIONS,
        (Some(subcommand), _) => {
            let runs = GIT_RUNS.iter().find(|(name, ..)| *name == subcommand);
            match runs {
                Some((_, letters, long))
                    if git.rest.iter().any(|word| runs_one(word, letters, long)) =>
                {
                    Launch::Opaque("git may be told to run a program")
                }
                _ => Launch::None,
            }
        }
        (None, _) => Launch::None,
    }
}

/// Whether a word is, or may turn out to be, an option by which a program is run.
fn runs_one(word: &Word, letters: &str, long: &[&str]) -> bool {
    let Some(text) = word.literal() else { return word.may_be_option() };
    match text.strip_prefix("--") {
        // Git takes the begin of an option for all of it.
        Some(option) => {
            let name = option.split('=').next().unwrap_or_default();
            let known = |long: &&str| !name.is_empty() && long.starts_with(name);
            long.iter().any(|long| known(long) || long.is_empty())
        }
        None => {
            let cluster = text.strip_prefix('-').unwrap_or_default();
            cluster.contains(|c| letters.contains(c)) || long == [""]
        }
    }
}

/// `git submodule foreach script`.
fn submodule(rest: &[Word]) -> Launch {
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.literal() {
            None => return OPTIONS,
            Some("foreach") => {
                let script: Vec<Word> = words
                    .skip_while(|word| matches!(&*word.text, "--recursive" | "--quiet" | "-q"))
                    .cloned()
                    .collect();
                if script.is_empty() {
                    return Launch::None;
                }
                return Launch::Script { text: joined(&script), neutral: false };
            }
            Some(text) if text.starts_with('-') => {}
            Some(_) => return Launch::None,
        }
    }
    Launch::None
}
