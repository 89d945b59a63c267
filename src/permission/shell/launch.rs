//! Programs that start what their arguments name: `sudo`, `xargs`, `bash -c`, `find -exec`.

use super::find::{fd, find, replace};
use super::git::launched_by_git;
use super::hidden::is_version_of;
use super::word::is_name;
use super::{ANY, Word, git};

/// What a command starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Launch {
    None,
    /// Nothing, and it does nothing itself either: `set -e`.
    Quiet,
    /// Another command. `neutral`: the launcher adds nothing to it.
    Command {
        words: Vec<Word>,
        assigns: Vec<(String, Word)>,
        neutral: bool,
    },
    /// Several.
    Commands(Vec<Vec<Word>>),
    /// A script.
    Script {
        text: String,
        neutral: bool,
    },
    /// Something that is not read.
    Opaque(&'static str),
}

/// How a launcher's command line is read up to the command.
struct Form {
    name: &'static str,
    /// Letters of options without a value.
    flags: &'static str,
    /// Letters of options with a value.
    valued: &'static str,
    /// Long options; those that end in `=` have a value.
    long: &'static [&'static str],
    /// Words between the options and the command.
    operands: usize,
    then: Then,
    neutral: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Command,
    /// `NAME=value … command`.
    Assigns,
    /// Words that are joined to a script.
    Script,
    /// A command that gets further words.
    More,
}

const fn form(name: &'static str, flags: &'static str, valued: &'static str) -> Form {
    Form { name, flags, valued, long: &[], operands: 0, then: Then::Command, neutral: true }
}

const FORMS: &[Form] = &[
    Form {
        long: &["kill-after=", "signal=", "foreground", "preserve-status", "verbose"],
        operands: 1,
        ..form("timeout", "v", "ks")
    },
    Form { long: &["adjustment="], ..form("nice", "0123456789", "n") },
    form("nohup", "", ""),
    form("time", "p", ""),
    Form { long: &["input=", "output=", "error="], ..form("stdbuf", "", "ioe") },
    form("setsid", "cfw", ""),
    form("ionice", "t", "cn"),
    form("command", "p", ""),
    form("builtin", "", ""),
    form("exec", "cl", "a"),
    Form { then: Then::Script, ..form("eval", "", "") },
    Form {
        long: &["ignore-environment", "unset=", "null"],
        then: Then::Assigns,
        ..form("env", "i0v", "u")
    },
    Form {
        long: &[
            "user=",
            "group=",
            "non-interactive",
            "preserve-env",
            "preserve-env=",
            "set-home",
            "stdin",
        ],
        then: Then::Assigns,
        neutral: false,
        ..form("sudo", "AbEHknPS", "Cghpu")
    },
    Form { neutral: false, ..form("doas", "n", "u") },
    Form {
        long: &[
            "null",
            "no-run-if-empty",
            "verbose",
            "exit",
            "interactive",
            "arg-file=",
            "delimiter=",
            "max-args=",
            "max-procs=",
            "max-lines=",
            "max-chars=",
        ],
        then: Then::More,
        ..form("xargs", "0rtxp", "adELnPs")
    },
    Form {
        long: &[
            "interval=",
            "no-title",
            "color",
            "differences",
            "precise",
            "errexit",
            "chgexit",
            "beep",
        ],
        then: Then::Script,
        ..form("watch", "bcdegpt", "n")
    },
    Form {
        operands: 1,
        then: Then::Script,
        neutral: false,
        ..form("ssh", "46AaCfGgKkMNnqsTtVvXxYy", "BbcDEeFIiJLlmOopQRSWw")
    },
    Form { neutral: false, ..form("busybox", "", "") },
    Form { neutral: false, ..form("toybox", "", "") },
];

/// Programs that start others in ways that are not read here.
pub(super) const OPAQUE: &[&str] = &[
    "ash",
    "at",
    "batch",
    "bwrap",
    "chroot",
    "chrt",
    "csh",
    "dbus-run-session",
    "entr",
    "expect",
    "fakeroot",
    "firejail",
    "fish",
    "flock",
    "ksh",
    "ltrace",
    "mksh",
    "nsenter",
    "numactl",
    "parallel",
    "pkexec",
    "prlimit",
    "proot",
    "rbash",
    "pwsh",
    "rlwrap",
    "runuser",
    "script",
    "setpriv",
    "sg",
    "start-stop-daemon",
    "strace",
    "su",
    "systemd-run",
    "taskset",
    "tcsh",
    "unbuffer",
    "unshare",
    "valgrind",
    "xvfb-run",
    "yash",
    "zsh",
];

pub(super) const OPTIONS: Launch = Launch::Opaque("its options are not understood");
const STARTS: Launch = Launch::Opaque("it starts another program in a way that is not read");

/// What a simple command starts. The first word is known.
pub(super) fn launch(words: &[Word]) -> Launch {
    let Some(program) = words.first().and_then(Word::literal) else { return Launch::None };
    let name = program.rsplit('/').next().unwrap_or(program);
    let trusted = !program.contains('/')
        || ["/bin", "/usr/bin"].iter().any(|dir| program == format!("{dir}/{name}"));
    if asks_for_version(words) {
        return Launch::None;
    }
    if let Some(form) = FORMS.iter().find(|form| form.name == name) {
        return form.read(words, trusted);
    }
    match name {
        "set" => quiet_set(words),
        "bash" | "sh" | "dash" => shell(words, trusted),
        "find" => commands(find(words).map(|found| found.commands)),
        "fd" | "fdfind" => commands(fd(words)),
        "git" => git(words).map_or(OPTIONS, |git| launched_by_git(&git)),
        "jobs" if !words.iter().skip(1).all(lists_jobs) => STARTS,
        // Which of its further words may be the command is not known.
        _ if OPAQUE.contains(&name) && words.len() > 1 => STARTS,
        _ => Launch::None,
    }
}

/// Whether a program is only asked what it is: `strace -V`. Those that would read on from what they are
/// fed are not among them.
pub(super) fn asks_for_version(words: &[Word]) -> bool {
    /// To these `--version` is no question.
    const READ_ON: &[&str] = &[
        "ash", "at", "batch", "csh", "ed", "elvish", "erl", "eval", "exec", "expect", "ksh",
        "lksh", "mksh", "posh", "rbash", "source", "tclsh", "tcsh", "wish",
    ];
    /// To editors and some others `-V` is none.
    const BY_LARGE_V: &[&str] = &[
        "cgexec", "entr", "flock", "ghc", "gosu", "ltrace", "man", "nsenter", "parallel", "perl",
        "prlimit", "pypy", "python", "script", "setpriv", "ssh", "sshpass", "strace", "sudo",
        "taskset", "tmux", "unshare", "watch",
    ];
    /// To `python` `-v` is none: it tells what it imports, and reads.
    const BY_SMALL_V: &[&str] = &[
        "bun", "deno", "elixir", "groovy", "guile", "julia", "lua", "luajit", "node", "nodejs",
        "perl", "php", "ruby",
    ];
    let [program, asked] = words else { return false };
    let Some(program) = program.literal() else { return false };
    let name = program.rsplit('/').next().unwrap_or(program);
    let is_one_of = |names: &[&str]| names.iter().any(|known| is_version_of(name, known));
    match &*asked.text {
        "--version" | "--help" => !is_one_of(READ_ON),
        "-V" => is_one_of(BY_LARGE_V),
        "-v" => is_one_of(BY_SMALL_V),
        _ => false,
    }
}

impl Form {
    fn read(&self, words: &[Word], trusted: bool) -> Launch {
        if self.name == "command" && words.get(1).is_some_and(|w| matches!(&*w.text, "-v" | "-V")) {
            return Launch::None;
        }
        let mut replaced = None;
        let mut at = 1;
        while let Some(word) = words.get(at) {
            if word.text == "--" {
                at += 1;
                break;
            }
            if self.name == "xargs" && word.text.starts_with("-I") {
                let own = word.text.trim_start_matches("-I");
                if own.is_empty() {
                    at += 1;
                }
                let mark =
                    if own.is_empty() { words.get(at).and_then(Word::literal) } else { Some(own) };
                match mark {
                    Some(mark) if !mark.is_empty() && !mark.contains(ANY) => {
                        replaced = Some(mark.to_owned());
                    }
                    _ => return OPTIONS,
                }
                at += 1;
                continue;
            }
            if word.text == "-" && self.name == "env" {
                // As `-i`.
                at += 1;
                continue;
            }
            if !word.text.starts_with('-') && !word.text.starts_with(ANY) {
                break;
            }
            match self.option(word) {
                Some(true) => at += 1,
                // A value that may be several words could hide where the command begins.
                Some(false) if words.get(at + 1).is_some_and(|v| v.literal().is_some()) => at += 2,
                _ => return OPTIONS,
            }
        }
        let mut assigns = Vec::new();
        if self.then == Then::Assigns {
            while let Some((name, value)) = words.get(at).and_then(assignment) {
                if words.get(at).is_some_and(|word| !word.is_one()) {
                    return OPTIONS;
                }
                assigns.push((name, value));
                at += 1;
            }
        }
        for _ in 0..self.operands {
            // An operand that may be several words could hide where the command begins.
            match words.get(at) {
                Some(word) if word.literal().is_some_and(|text| !text.starts_with('-')) => at += 1,
                Some(_) => return OPTIONS,
                None => return Launch::None,
            }
        }
        let rest = words.get(at..).unwrap_or_default();
        let neutral = self.neutral && trusted;
        match (rest.first(), self.then) {
            (None, Then::Script) if self.name == "eval" => Launch::Quiet,
            (None, _) if self.name == "exec" && words.len() == 1 => Launch::Quiet,
            (None, _) => Launch::None,
            (Some(_), Then::Script) => Launch::Script { text: joined(rest), neutral },
            (Some(_), Then::More) => {
                let mut words = rest.to_vec();
                match replaced {
                    Some(mark) => words.iter_mut().for_each(|word| replace(word, &mark)),
                    None => words.push(Word::any()),
                }
                Launch::Command { words, assigns, neutral }
            }
            (Some(_), _) => Launch::Command { words: rest.to_vec(), assigns, neutral },
        }
    }

    /// Whether an option has its value with it, or none. `None` when it is not known.
    fn option(&self, word: &Word) -> Option<bool> {
        let text = word.literal()?;
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, _)) => (name, true),
                None => (long, false),
            };
            let with = format!("{name}=");
            if value {
                return self.long.contains(&&*with).then_some(true);
            }
            if self.long.contains(&name) {
                return Some(true);
            }
            return self.long.contains(&&*with).then_some(false);
        }
        let letters = text.strip_prefix('-')?;
        for (at, letter) in letters.char_indices() {
            if self.valued.contains(letter) {
                return Some(at + letter.len_utf8() < letters.len());
            }
            if !self.flags.contains(letter) {
                return None;
            }
        }
        Some(true)
    }
}

fn assignment(word: &Word) -> Option<(String, Word)> {
    let (name, value) = word.text.split_once('=')?;
    is_name(name).then(|| (name.to_owned(), Word::known(value)))
}

pub(super) fn joined(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// `set -euo pipefail` makes a script stricter; anything else may change how the rest is read.
fn quiet_set(words: &[Word]) -> Launch {
    let quiet = words.iter().skip(1).all(|word| match word.literal() {
        Some("pipefail") => true,
        Some(text) => text.strip_prefix(['-', '+']).is_some_and(|letters| {
            !letters.is_empty() && letters.chars().all(|c| "euxo".contains(c))
        }),
        None => false,
    });
    if quiet && words.len() > 1 {
        Launch::Quiet
    } else {
        Launch::Opaque("it changes how the rest of the line is read")
    }
}

/// `bash -c script`. Without `-c` the shell reads a file or its input.
fn shell(words: &[Word], trusted: bool) -> Launch {
    let mut at = 1;
    let mut script = false;
    while let Some(word) = words.get(at) {
        let Some(text) = word.literal() else { return OPTIONS };
        if matches!(text, "--login" | "--norc" | "--noprofile") {
            at += 1;
            continue;
        }
        if matches!(text, "-" | "--") {
            at += 1;
            break;
        }
        let Some(letters) = text.strip_prefix(['-', '+']) else { break };
        if letters.chars().any(|c| !"ceuxlonvs".contains(c)) {
            return OPTIONS;
        }
        script |= letters.contains('c');
        at += 1;
        if letters.contains('o') {
            if words.get(at).and_then(Word::literal) != Some("pipefail") {
                return OPTIONS;
            }
            at += 1;
        }
    }
    match words.get(at) {
        // What its words hold is not known to be one script.
        Some(word) if script && !word.is_one() => OPTIONS,
        Some(word) if script => Launch::Script { text: word.text.clone(), neutral: trusted },
        _ => Launch::None,
    }
}

fn commands(commands: Option<Vec<Vec<Word>>>) -> Launch {
    match commands {
        None => OPTIONS,
        Some(commands) if commands.is_empty() => Launch::None,
        Some(commands) => Launch::Commands(commands),
    }
}

/// A word of `jobs` that only says what to list: with `-x` it runs a command.
fn lists_jobs(word: &Word) -> bool {
    word.literal().is_some_and(|text| match text.strip_prefix('-') {
        Some(letters) => letters.chars().all(|c| "lnprs".contains(c)),
        None => true,
    })
}
