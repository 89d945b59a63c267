//! What is known of programs: those that only read, and which of their options write.

use super::{Effect, git, guarded};
use crate::permission::shell::{self, NOWHERE, Word};

/// Why a command does more than read.
pub(super) type Verdict = Result<(), (Effect, &'static str)>;

pub(super) const CHANGES: Verdict = Err((Effect::Writes, "changes something"));
pub(super) const WRITES: Verdict = Err((Effect::Writes, "is told to write"));
pub(super) const MAY_WRITE: Verdict =
    Err((Effect::Unknown, "may be told to write by what is only known when it runs"));
pub(super) const RUNS: Verdict = Err((Effect::Unknown, "runs what it is told to"));
const NOT_KNOWN: Verdict = Err((Effect::Unknown, "is not known to only read"));

/// Programs that read whatever they are told.
const READERS: &[&str] = &[
    ":",
    "[",
    "arch",
    "b2sum",
    "basename",
    "cal",
    "cat",
    "cd",
    "cksum",
    "cmp",
    "column",
    "comm",
    "cut",
    "df",
    "diff",
    "dirname",
    "du",
    "echo",
    "egrep",
    "expand",
    "expr",
    "factor",
    "false",
    "fgrep",
    "fmt",
    "fold",
    "free",
    "getconf",
    "grep",
    "groups",
    "head",
    "hexdump",
    "hostid",
    "id",
    "join",
    "jq",
    "logname",
    "ls",
    "lsblk",
    "lscpu",
    "md5sum",
    "nl",
    "nproc",
    "numfmt",
    "od",
    "paste",
    "pgrep",
    "popd",
    "printenv",
    "printf",
    "ps",
    "pushd",
    "pwd",
    "read",
    "readlink",
    "realpath",
    "rev",
    "seq",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "sleep",
    "stat",
    "strings",
    "sum",
    "tac",
    "tail",
    "test",
    "tr",
    "true",
    "tsort",
    "tty",
    "type",
    "uname",
    "unexpand",
    "uptime",
    "users",
    "wait",
    "wc",
    "whereis",
    "which",
    "who",
    "whoami",
    "zcat",
];

/// Programs that change something whatever they are told, as long as they are told anything.
const WRITERS: &[&str] = &[
    "apt", "apt-get", "chgrp", "chmod", "chown", "cp", "dd", "install", "kill", "killall", "link",
    "ln", "mkdir", "mkfifo", "mknod", "mv", "patch", "pkill", "reboot", "rm", "rmdir", "rsync",
    "scp", "shred", "shutdown", "split", "csplit", "tee", "touch", "truncate", "unlink", "unzip",
    "gzip", "gunzip", "bzip2", "xz", "zip",
];

/// Programs that may be asked for their version.
const VERSIONED: &[&str] = &[
    "bun", "cargo", "clang", "cmake", "deno", "docker", "g++", "gcc", "gh", "java", "javac",
    "kubectl", "make", "node", "php", "pip", "pip3", "pnpm", "python", "python3", "ruby", "rustc",
    "rustup", "tsc", "uv", "yarn",
];

/// What a simple command does. The first word is known.
pub(super) fn judge(words: &[Word]) -> Verdict {
    let Some(program) = words.first().and_then(Word::literal) else { return NOT_KNOWN };
    let name = match program.rsplit_once('/') {
        None => program,
        Some(("/bin" | "/usr/bin", name)) => name,
        // Any file can be called `ls`.
        Some(_) => return NOT_KNOWN,
    };
    let arguments = words.get(1..).unwrap_or_default();
    if READERS.contains(&name) {
        return Ok(());
    }
    if asks_for_help(arguments) && (WRITERS.contains(&name) || name == "git" || name == "cargo") {
        return Ok(());
    }
    if VERSIONED.contains(&name) && asks_for_version(arguments) {
        return Ok(());
    }
    if name == "tee" {
        return tee(arguments);
    }
    if WRITERS.contains(&name) {
        return CHANGES;
    }
    if let Some(verdict) = guarded::judge(name, arguments) {
        return verdict;
    }
    match name {
        "git" => git::judge(words),
        "crontab" | "screen" | "tmux" if shell::only_looks(words) => Ok(()),
        "find" => find(words),
        "man" | "whatis" | "apropos" => man(arguments),
        "pip" | "pip3" => subcommand(&["freeze", "list", "show"], &[], arguments),
        "sed" => sed(arguments),
        "command" => Ok(()),
        // With words behind it it starts what they name.
        "env" if arguments.is_empty() => Ok(()),
        "tar" => tar(arguments),
        "curl" => curl(arguments),
        "cargo" => cargo(arguments),
        "awk" | "gawk" | "mawk" | "nawk" if shell::awk::only_prints(arguments) => Ok(()),
        "awk" | "gawk" | "mawk" | "nawk" => RUNS,
        _ => NOT_KNOWN,
    }
}

/// `--help` or `--version` and nothing else.
fn asks_for_help(arguments: &[Word]) -> bool {
    matches!(arguments, [only] if only.text == "--help" || only.text == "--version")
}

/// How programs are asked for their version.
fn asks_for_version(arguments: &[Word]) -> bool {
    let asks = ["--version", "-V", "-version", "--help"];
    matches!(arguments, [only] if asks.contains(&&*only.text))
}

fn find(words: &[Word]) -> Verdict {
    match shell::find(words) {
        None => MAY_WRITE,
        Some(found) if found.writes => WRITES,
        Some(found) if found.asks => RUNS,
        // What it runs is a part of its own.
        Some(_) => Ok(()),
    }
}

/// Only `sed` with scripts that print, substitute or delete lines, and without an option that writes.
fn sed(arguments: &[Word]) -> Verdict {
    match shell::sed::read(arguments) {
        None => MAY_WRITE,
        Some(line) if line.in_place => WRITES,
        Some(_) if shell::sed::is_plain(arguments) => Ok(()),
        Some(_) => RUNS,
    }
}

/// `tee` to nowhere.
fn tee(arguments: &[Word]) -> Verdict {
    let nowhere = |word: &Word| {
        word.literal().is_some_and(|text| {
            NOWHERE.contains(&text) || matches!(text, "-a" | "-i" | "-p" | "--append")
        })
    };
    if arguments.iter().all(nowhere) { Ok(()) } else { CHANGES }
}

/// Programs with subcommands: those that read, with plain operands and these options.
fn subcommand(known: &[&str], options: &[&str], arguments: &[Word]) -> Verdict {
    let mut texts = arguments.iter().map(Word::literal);
    let reads = texts.next().flatten().is_some_and(|first| known.contains(&first))
        && texts
            .all(|text| text.is_some_and(|text| !text.starts_with('-') || options.contains(&text)));
    if reads { Ok(()) } else { NOT_KNOWN }
}

/// `man` that prints a page: no option, and no file.
fn man(arguments: &[Word]) -> Verdict {
    let plain = |word: &Word| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.:+".contains(c);
        let text = word.literal().unwrap_or("-");
        !text.starts_with('-') && text.chars().all(known)
    };
    if arguments.iter().all(plain) { Ok(()) } else { NOT_KNOWN }
}

/// `tar` that lists.
fn tar(arguments: &[Word]) -> Verdict {
    let Some(mode) = arguments.first().and_then(Word::literal) else { return NOT_KNOWN };
    let letters = mode.trim_start_matches('-');
    let lists = letters.contains('t') && letters.chars().all(|c| "tvfzjJ".contains(c));
    // A colon sets the name of a machine apart, which is asked for the archive.
    let here = |text: &str| !text.split('/').next().unwrap_or_default().contains(':');
    let plain = |word: &Word| !word.may_be_option() && word.literal().is_some_and(here);
    if lists && !mode.starts_with("--") && arguments.iter().skip(1).all(plain) {
        return Ok(());
    }
    Err((Effect::Writes, "may write what is in an archive"))
}

/// `curl` that fetches to its output.
fn curl(arguments: &[Word]) -> Verdict {
    const PLAIN: &[&str] = &[
        "-s",
        "-S",
        "-sS",
        "-f",
        "-fsS",
        "-L",
        "-sL",
        "-fsSL",
        "-sSL",
        "-sSf",
        "-sSfL",
        "-I",
        "-sI",
        "-i",
        "-v",
        "-k",
        "--silent",
        "--show-error",
        "--fail",
        "--location",
        "--head",
        "--include",
        "--compressed",
    ];
    for word in arguments {
        if word.literal().is_none() && word.may_be_option() {
            return MAY_WRITE;
        }
        if word.text.starts_with('-') {
            if !PLAIN.contains(&&*word.text) {
                return Err((Effect::Writes, "may send or write something"));
            }
        } else if !is_web_address(word) {
            return Err((Effect::Writes, "may say to a server what is in an address"));
        }
    }
    Ok(())
}

/// Whether `curl` takes a word for an address of the web, where to fetch is to read. Without a scheme the
/// beginning of the host's name tells it one.
fn is_web_address(word: &Word) -> bool {
    let text = word.text.to_ascii_lowercase();
    if text.contains("://") || word.literal().is_none() {
        return !word.several
            && ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    }
    !["dict.", "ftp.", "imap.", "ldap.", "pop3.", "smtp."].iter().any(|host| text.starts_with(host))
}

fn cargo(arguments: &[Word]) -> Verdict {
    let says = |option: &str| arguments.iter().any(|word| word.text == option);
    match arguments.first().and_then(Word::literal) {
        // Without one of these it brings Cargo.lock up to date.
        Some("tree" | "metadata") if !says("--locked") && !says("--frozen") => {
            Err((Effect::Writes, "may write Cargo.lock"))
        }
        Some("tree" | "metadata" | "search" | "--list" | "-V" | "version")
            if arguments.iter().all(|word| {
                word.literal().is_some()
                    && !word.text.starts_with("--config")
                    && !word.text.starts_with("--manifest-path")
                    && !word.text.starts_with("-Z")
                    && !word.text.starts_with("-C")
            }) =>
        {
            Ok(())
        }
        _ => Err((Effect::Writes, "may build or change something")),
    }
}
