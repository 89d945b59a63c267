//! What is known of programs: those that only read, and which of their options write.

use super::{Effect, git};
use crate::permission::shell::{ANY, Word};

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
    "expr",
    "false",
    "fgrep",
    "fold",
    "free",
    "grep",
    "groups",
    "head",
    "hexdump",
    "id",
    "join",
    "jq",
    "ls",
    "lsblk",
    "lscpu",
    "md5sum",
    "nl",
    "nproc",
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
    "type",
    "uname",
    "unexpand",
    "uptime",
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

/// Programs that read unless one of these options is given. Short options are letters, also within
/// a cluster; long ones also with `=value`, also shortened.
struct Guarded {
    name: &'static str,
    letters: &'static str,
    long: &'static [&'static str],
    /// How many operands it may have; the next one names what is written.
    operands: usize,
}

const fn guarded(
    name: &'static str,
    letters: &'static str,
    long: &'static [&'static str],
) -> Guarded {
    Guarded { name, letters, long, operands: usize::MAX }
}

const GUARDED: &[Guarded] = &[
    guarded("sort", "oTS", &["output", "temporary-directory", "compress-program"]),
    Guarded { operands: 1, ..guarded("uniq", "", &[]) },
    guarded("rg", "", &["pre", "hostname-bin", "search-zip"]),
    guarded("tree", "oR", &["output"]),
    guarded("file", "C", &["compile"]),
    Guarded { operands: 0, ..guarded("date", "s", &["set"]) },
    Guarded { operands: 0, ..guarded("hostname", "bF", &["file", "boot"]) },
    guarded("base64", "", &[]),
    Guarded { operands: 1, ..guarded("xxd", "r", &["revert"]) },
    guarded("yq", "is", &["inplace", "in-place", "split-exp"]),
    guarded("fd", "xX", &["exec", "exec-batch"]),
    guarded("fdfind", "xX", &["exec", "exec-batch"]),
    guarded("bat", "", &["pager"]),
    guarded("shellcheck", "", &[]),
    guarded("lsof", "D", &[]),
    guarded("dig", "", &[]),
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
    if WRITERS.contains(&name) {
        return CHANGES;
    }
    if let Some(guarded) = GUARDED.iter().find(|guarded| guarded.name == name) {
        return guarded.judge(arguments);
    }
    match name {
        "git" => git::judge(arguments),
        "find" => find(arguments),
        "sed" => sed(arguments),
        "command" => Ok(()),
        "tar" => tar(arguments),
        "curl" => curl(arguments),
        "cargo" => cargo(arguments),
        "awk" | "gawk" | "mawk" | "nawk" => awk(arguments),
        _ => NOT_KNOWN,
    }
}

/// `--help` or `--version` and nothing else.
fn asks_for_help(arguments: &[Word]) -> bool {
    matches!(arguments, [only] if only.text == "--help" || only.text == "--version")
}

/// Whether any word may turn out to be an option.
pub(super) fn may_be_option(word: &Word) -> bool {
    word.text.starts_with(ANY)
}

impl Guarded {
    fn judge(&self, arguments: &[Word]) -> Verdict {
        let mut operands = 0;
        let mut options = true;
        for word in arguments {
            if options && word.text == "--" {
                options = false;
            } else if options && may_be_option(word) {
                // What a glob finds may begin with `-` too.
                return MAY_WRITE;
            } else if options && word.text.len() > 1 && word.text.starts_with('-') {
                self.option(&word.text)?;
            } else if !word.text.starts_with('+') {
                operands += 1;
            }
        }
        if operands > self.operands { WRITES } else { Ok(()) }
    }

    fn option(&self, text: &str) -> Verdict {
        let Some(long) = text.strip_prefix("--") else {
            let writes = text.chars().skip(1).any(|c| self.letters.contains(c) || c == ANY);
            return if writes { WRITES } else { Ok(()) };
        };
        let name = long.split('=').next().unwrap_or_default();
        if name.contains(ANY) {
            return MAY_WRITE;
        }
        // Programs take the begin of a long option for all of it.
        let writes = self.long.iter().any(|long| long.starts_with(name) || name.starts_with(long));
        if writes && !name.is_empty() { WRITES } else { Ok(()) }
    }
}

fn find(arguments: &[Word]) -> Verdict {
    for word in arguments {
        match word.text.as_str() {
            "-delete" | "-fprint" | "-fprint0" | "-fprintf" | "-fls" => return WRITES,
            // What it runs is a part of its own.
            "-exec" | "-execdir" => {}
            "-ok" | "-okdir" => return RUNS,
            _ if may_be_option(word) => return MAY_WRITE,
            _ => {}
        }
    }
    Ok(())
}

/// Only `sed` with scripts that print, substitute or delete lines, and without an option that writes.
fn sed(arguments: &[Word]) -> Verdict {
    let mut scripts = Vec::new();
    let mut given = false;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        match text {
            _ if may_be_option(word) => return MAY_WRITE,
            "-n" | "-E" | "-r" | "-u" | "-z" | "-s" | "-nE" | "-nr" | "-En" | "-rn" | "--quiet"
            | "--silent" | "--regexp-extended" | "--sandbox" => {}
            "-e" | "-ne" => {
                given = true;
                scripts.extend(words.next());
            }
            _ if text.starts_with("--in-place") || text.starts_with("-i") => return WRITES,
            _ if text.starts_with('-') => return MAY_WRITE,
            _ if !given => {
                given = true;
                scripts.push(word);
            }
            _ => {}
        }
    }
    let plain = |word: &&Word| word.literal().is_some_and(prints_or_substitutes);
    if scripts.iter().all(plain) { Ok(()) } else { RUNS }
}

/// Whether each command of a sed script is `p`, `d`, `q`, `=` or `s` without the flags `w` and `e`.
fn prints_or_substitutes(script: &str) -> bool {
    let address = |c: char| c.is_ascii_digit() || matches!(c, ',' | '$' | ' ' | '~' | '+' | '!');
    if script.starts_with(address) || script.len() <= 2 {
        let rest = script.trim_start_matches(address);
        let commands = rest.split(';').map(|one| one.trim().trim_start_matches(address));
        return { commands }.all(|one| matches!(one, "p" | "d" | "q" | "=" | ""));
    }
    let Some(rest) = script.strip_prefix('s') else { return false };
    let Some(mark) = rest.chars().next() else { return false };
    if rest.contains('\\') || rest.contains('\n') {
        return false;
    }
    let pieces: Vec<&str> = rest.split(mark).collect();
    let flags = |text: &str| text.chars().all(|c| c.is_ascii_digit() || "gipI".contains(c));
    pieces.len() == 4 && pieces.last().is_some_and(|last| flags(last))
}

/// `tar` that lists.
fn tar(arguments: &[Word]) -> Verdict {
    let Some(mode) = arguments.first().and_then(Word::literal) else { return NOT_KNOWN };
    let letters = mode.trim_start_matches('-');
    let lists = letters.contains('t') && letters.chars().all(|c| "tvfzjJ".contains(c));
    let plain = |word: &Word| !word.text.starts_with('-') && !may_be_option(word);
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
        if may_be_option(word) {
            return MAY_WRITE;
        }
        if word.text.starts_with('-') && !PLAIN.contains(&&*word.text) {
            return Err((Effect::Writes, "may send or write something"));
        }
    }
    Ok(())
}

fn cargo(arguments: &[Word]) -> Verdict {
    let says = |option: &str| arguments.iter().any(|word| word.text == option);
    match arguments.first().and_then(Word::literal) {
        // Without one of these it brings Cargo.lock up to date.
        Some("tree" | "metadata") if !says("--locked") && !says("--frozen") => {
            Err((Effect::Writes, "may write Cargo.lock"))
        }
        Some("tree" | "metadata" | "search" | "--list" | "-V" | "version")
            if arguments.iter().all(|word| !word.text.starts_with("--config")) =>
        {
            Ok(())
        }
        _ => Err((Effect::Writes, "may build or change something")),
    }
}

/// An awk program that only prints: it names no output, command or pipe.
fn awk(arguments: &[Word]) -> Verdict {
    let mut words = arguments.iter();
    let program = loop {
        match words.next() {
            None => return NOT_KNOWN,
            Some(word) if may_be_option(word) => return MAY_WRITE,
            Some(word) if word.text == "-F" => drop(words.next()),
            Some(word) if word.text.starts_with("-F") => {}
            Some(word) if word.text.starts_with('-') => return RUNS,
            Some(word) => break word,
        }
    };
    let Some(text) = program.literal() else { return RUNS };
    let acts = ["system", "getline", "|", ">", "@", "close", "fflush", "print >"];
    let later = words.any(|word| may_be_option(word) || word.text.starts_with('-'));
    if later || acts.iter().any(|act| text.contains(act)) { RUNS } else { Ok(()) }
}
