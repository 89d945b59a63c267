//! The command line of `git` up to its subcommand.

use super::Word;

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
            "--exec-path" | "--config-env" => git.configured = true,
            "--list-cmds" if own => continue,
            "-C" if !own => git.dirs.extend(words.get(at)),
            _ if ELSEWHERE.contains(&name) => git.elsewhere = true,
            _ if text.starts_with("-c") => {
                git.configured = true;
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
