//! A command may be written in many ways: a deny rule is about all of them.
//!
//! `rm -rf x` is also `rm -fr x`, `rm -r -f x`, `rm x -rf` and `rm --recursive --force x`; `git push` is also
//! `git -C . push` and `/usr/bin/git --no-pager push`. Rules that allow are held against a command as it is
//! written, and never come here.

use super::pattern::{Pattern, line};
use super::shell::{Run, Word, git, may_be_alias, twin};

/// Whether a rule is about a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fits {
    No,
    /// It depends on which words are values of options, or on what is only known when it runs.
    Maybe,
    Yes,
}

/// Long options and the letters they stand for, by program.
const SYNONYMS: &[(&[&str], &str, char)] = &[
    (
        &["chgrp", "chmod", "chown", "cp", "grep", "ls", "rm", "rsync", "scp", "setfacl"],
        "recursive",
        'r',
    ),
    (&["cp", "git", "ln", "mv", "rm", "docker", "shred"], "force", 'f'),
    (&["git"], "all", 'a'),
    (&["git"], "delete", 'd'),
    (&["git"], "no-verify", 'n'),
    (&["sed", "perl"], "in-place", 'i'),
    (&["kill"], "signal", 's'),
];

/// Whether a pattern is about a simple command, however that is spelled.
pub fn fits(pattern: &Pattern, run: &Run) -> Fits {
    let found = fits_as_written(pattern, run);
    match pattern.detached() {
        // What `rm -rf*` is about is that and more of the same word, and no less than `rm -rf *`.
        Some(detached) if found != Fits::Yes => match fits_as_written(&detached, run) {
            Fits::No => found,
            also => also,
        },
        _ => found,
    }
}

fn fits_as_written(pattern: &Pattern, run: &Run) -> Fits {
    let words = plain_name(&run.words);
    if pattern.may_be(&line(&run.words)) || pattern.may_be(&line(&words)) {
        return Fits::Yes;
    }
    let words = split_git(words);
    let program = words.first().map(|word| word.text.clone()).unwrap_or_default();
    let program = program.as_str();
    if pattern.words().first().is_none_or(|first| !Pattern::of_name(first).covers(program)) {
        return Fits::No;
    }
    let words = match (program, git(&words)) {
        // Where its subcommand stands is not known.
        ("git", None) => return Fits::Maybe,
        ("git", Some(git)) => {
            let subcommand = git.subcommand.map(Word::known);
            let begin = words.first().cloned().into_iter().chain(subcommand);
            begin.chain(git.rest.iter().cloned()).collect()
        }
        _ => words,
    };
    if pattern.may_be(&line(&words)) {
        return Fits::Yes;
    }
    let sorted = Sorted::of(program, &words);
    if sorted.fits(pattern, false) {
        return Fits::Yes;
    }
    if sorted.fits(pattern, true) || by_another_name(pattern, &words) {
        return Fits::Maybe;
    }
    let Some(twin) = twin_of(&words) else { return Fits::No };
    if pattern.may_be(&line(&twin)) || Sorted::of(program, &twin).fits(pattern, false) {
        return Fits::Yes;
    }
    if Sorted::of(program, &twin).fits(pattern, true) { Fits::Maybe } else { Fits::No }
}

/// `git-push` is `git push`.
fn split_git(mut words: Vec<Word>) -> Vec<Word> {
    let command = words.first().and_then(|word| word.text.strip_prefix("git-").map(Word::known));
    if let Some(command) = command {
        words.splice(..1, [Word::known("git"), command]);
    }
    words
}

/// Whether a command of git, whose subcommand stands first, may be an alias of that of a rule.
fn by_another_name(pattern: &Pattern, words: &[Word]) -> bool {
    let [program, command, ..] = words else { return false };
    program.text == "git" && pattern.words().len() > 1 && may_be_alias(&command.text)
}

/// The same command of git by the name of its twin: `git send-pack` is a `git push`.
fn twin_of(words: &[Word]) -> Option<Vec<Word>> {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let (program, rest) = texts.split_first().filter(|(program, _)| **program == "git")?;
    let (named, name) = twin(rest)?;
    let begin = [Word::known(program), Word::known(name)];
    Some(begin.into_iter().chain(words.iter().skip(1 + named).cloned()).collect())
}

/// The words with the program by its name alone.
fn plain_name(words: &[Word]) -> Vec<Word> {
    let mut words = words.to_vec();
    if let Some(first) = words.first_mut() {
        let name = first.text.rsplit('/').next().unwrap_or_default();
        *first = Word::known(name);
    }
    words
}

/// The words of a command, options apart.
struct Sorted<'a> {
    program: &'a str,
    /// Words that are options, or as good as one (`cargo +nightly`).
    options: Vec<&'a str>,
    /// The program and its operands, and whether each may be the value of an option.
    operands: Vec<(&'a Word, bool)>,
    /// Whether one of them may turn out to be any option.
    open: bool,
}

impl<'a> Sorted<'a> {
    fn of(program: &'a str, words: &'a [Word]) -> Self {
        let mut sorted = Self { program, options: Vec::new(), operands: Vec::new(), open: false };
        let mut after_option = false;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let text = word.text.as_str();
            if text == "--" {
                sorted.operands.extend(words.by_ref().map(|word| (word, false)));
                break;
            }
            let is_option = text.len() > 1 && text.starts_with(['-', '+']);
            // `git push origin +main` forces, and names what it pushes.
            if text.starts_with('+') && is_option && sorted.pushes() {
                sorted.options.push("--force");
                sorted.operands.push((word, false));
            } else if is_option {
                sorted.options.push(text);
            } else {
                sorted.operands.push((word, after_option));
            }
            sorted.open |= word.literal().is_none() && word.may_be_option();
            after_option = is_option && !text.contains('=');
        }
        sorted
    }

    fn pushes(&self) -> bool {
        self.program == "git" && self.operands.get(1).is_some_and(|(word, _)| word.text == "push")
    }

    /// Holds a pattern against the command written as the pattern is. `maybe`: without the words that may be
    /// values of options, and with every option that a word may turn out to be.
    fn fits(&self, pattern: &Pattern, maybe: bool) -> bool {
        let (mut written, mut wanted) = (Vec::new(), Vec::new());
        let mut operands =
            self.operands.iter().filter(|(_, value)| !(maybe && *value)).map(|(word, _)| *word);
        for word in pattern.words() {
            if word.len() > 1 && word.starts_with('-') {
                written.push(Word::known(word));
                wanted.push(word.as_str());
            } else {
                written.extend(operands.next().cloned());
            }
        }
        written.extend(operands.cloned());
        let options_fit = (maybe && self.open) || wanted.iter().all(|option| self.has(option));
        // A rule without a `*` at its end is about a command without further options.
        let glued = pattern.words().last().is_some_and(|word| word.ends_with('*'));
        let closed = !pattern.is_open() && !glued && self.options.len() > wanted.len();
        options_fit && !closed && pattern.may_be(&line(&written))
    }

    /// Whether an option is given: by itself, in a cluster, or by its long name.
    fn has(&self, wanted: &str) -> bool {
        let pattern = Pattern::of_name(wanted);
        if self.options.iter().any(|option| pattern.may_be(option)) {
            return true;
        }
        match wanted.strip_prefix("--") {
            Some(long) => {
                // Programs take the begin of a long option for all of it.
                let name = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
                let begins = |option: &&str| {
                    option.strip_prefix("--").map(name).is_some_and(|given| {
                        !given.is_empty() && (long.starts_with(&given) || given == long)
                    })
                };
                self.options.iter().any(begins)
                    || self.letter_of(long).is_some_and(|letter| self.has_letter(letter))
            }
            None => {
                let letters = wanted.trim_start_matches('-');
                let short =
                    letters.len() <= 4 && letters.chars().all(|c| c.is_ascii_alphanumeric());
                short && letters.chars().all(|letter| self.has_letter(letter))
            }
        }
    }

    fn letter_of(&self, long: &str) -> Option<char> {
        let known = |(programs, name, _): &&(&[&str], &str, char)| {
            programs.contains(&self.program) && *name == long
        };
        SYNONYMS.iter().find(known).map(|(.., letter)| *letter)
    }

    fn has_letter(&self, letter: char) -> bool {
        // `rm -R` is `rm -r`.
        let same = |c: char| {
            c == letter
                || (self.recurses()
                    && c.eq_ignore_ascii_case(&'r')
                    && letter.eq_ignore_ascii_case(&'r'))
        };
        let long = |option: &str| {
            let given = option.split('=').next().unwrap_or_default();
            SYNONYMS.iter().any(|(programs, name, stands_for)| {
                programs.contains(&self.program)
                    && (*stands_for == letter || (same('r') && *stands_for == 'r'))
                    && given.len() > 1
                    && name.starts_with(given)
            })
        };
        self.options.iter().any(|option| match option.strip_prefix("--") {
            Some(name) => long(name),
            None => option.starts_with('-') && option.contains(same),
        })
    }

    fn recurses(&self) -> bool {
        ["chmod", "chown", "chgrp", "cp", "ls", "rm"].contains(&self.program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::shell::{Part, read};

    fn told(pattern: &str, command: &str) -> Fits {
        let pattern = Pattern::of_command(pattern);
        match read(command).parts.last() {
            Some(Part::Run(run)) => fits(&pattern, run),
            other => panic!("{command}: {other:?}"),
        }
    }

    #[test]
    fn a_rule_is_about_every_spelling() {
        for command in [
            "rm -rf a",
            "rm -fr a",
            "rm -r -f a",
            "rm -Rf a",
            "rm -rvf a",
            "rm a -rf",
            "rm --recursive --force a",
            "rm -rf",
            "rm --recurs --forc a",
            "rm -v -rf a",
            "rm -f -R a",
            "/bin/rm -fr a",
            "rm -r --force a",
        ] {
            assert_eq!(told("rm -rf:*", command), Fits::Yes, "{command}");
        }
        for command in
            ["rm a", "rm -r a", "rm -f a", "rm -- -rf", "rm -i a", "rmdir -rf a", "ls -rf"]
        {
            assert_eq!(told("rm -rf:*", command), Fits::No, "{command}");
        }
        for command in ["rm a $x", "rm -r $x", "rm a \"$x\" b"] {
            assert_ne!(told("rm -rf:*", command), Fits::No, "{command}");
        }
        for command in [
            "git push",
            "git -C . push",
            "git --no-pager push origin",
            "git -p push",
            "git --git-dir=.git push",
            "git --git-dir .git push",
            "git --work-tree=. push",
            "/usr/bin/git push",
            "git -C a -C b push -f",
        ] {
            assert_eq!(told("git push:*", command), Fits::Yes, "{command}");
        }
        for command in ["git log push", "git stash push", "git -C push log", "git"] {
            assert_eq!(told("git push:*", command), Fits::No, "{command}");
        }
        for command in [
            "git push --force",
            "git push origin main --force",
            "git push -f",
            "git push --forc o",
            "git -C . push -uf o",
        ] {
            assert_eq!(told("git push --force:*", command), Fits::Yes, "{command}");
        }
        assert_eq!(told("git push --force:*", "git push origin"), Fits::No);
        assert_eq!(told("git push --force:*", "git push origin +main"), Fits::Yes);
        assert_eq!(told("git push -f:*", "git push origin +main"), Fits::Yes);
        assert_eq!(told("git push origin:*", "git push origin +main"), Fits::Yes);
        assert_eq!(told("git push --force:*", "git log +main"), Fits::No);
        assert_eq!(told("npm publish:*", "npm --silent publish"), Fits::Yes);
        assert_eq!(told("npm publish:*", "npm --prefix x publish"), Fits::Maybe);
        assert_eq!(told("npm publish:*", "npm run publish"), Fits::No);
        assert_eq!(told("cargo publish:*", "cargo +nightly publish"), Fits::Yes);
        assert_eq!(told("git push", "git push origin"), Fits::No);
        assert_eq!(told("chmod -R:*", "chmod --recursive a"), Fits::Yes);
    }

    #[test]
    fn a_star_glued_to_the_last_word_forbids_no_less() {
        for (rule, command) in [
            ("rm -rf*", "rm -fr z"),
            ("rm -rf*", "rm --recursive --force z"),
            ("rm -rf*", "rm z -rf"),
            ("rm -rf*", "rm -rfv z"),
            ("cargo publish*", "cargo -q publish"),
            ("cargo publish*", "cargo +nightly publish -v"),
            ("cargo publish*", "cargo publish --dry-run"),
            ("npm publish*", "npm -s publish --x"),
            ("git push --force*", "git push -f"),
            ("git push --force*", "git push origin main --force"),
            ("git push --force*", "git push --force-with-lease"),
            ("git push --force*", "git push origin +main"),
        ] {
            assert_ne!(told(rule, command), Fits::No, "{rule}: {command}");
        }
        for (rule, command) in [
            ("rm -rf*", "rm z"),
            ("rm -rf*", "rm -f z"),
            ("cargo publish*", "cargo build"),
            ("npm run test*", "npm run build"),
            ("git push --force*", "git push origin main"),
        ] {
            assert_eq!(told(rule, command), Fits::No, "{rule}: {command}");
        }
    }
}
