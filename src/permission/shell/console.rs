//! Programs that take commands from what they are fed, and those commands may start others: `ed`, `psql`,
//! `ssh host`. What their own words say is looked at here too.

use super::hidden::{STARTERS, is_input, is_version_of};
use super::launch::{Launch, OPAQUE, asks_for_version, launch};
use super::{ANY, Word};

/// A program with commands of its own, one of which starts other programs.
struct Console {
    name: &'static str,
    /// Options by which it is given all of its commands, so that it reads no others.
    given: &'static [&'static str],
    /// Whether a file among its words is read instead.
    by_file: bool,
}

const fn console(name: &'static str, given: &'static [&'static str]) -> Console {
    Console { name, given, by_file: false }
}

const CONSOLES: &[Console] = &[
    console("Mail", &[]),
    console("amm", &[]),
    console("autossh", &[]),
    console("beeline", &["-e", "-f"]),
    console("bpython", &[]),
    Console { by_file: true, ..console("clisp", &[]) },
    Console { by_file: true, ..console("csi", &[]) },
    console("dbclient", &[]),
    console("dc", &["-e", "--expression"]),
    console("dlv", &[]),
    console("duckdb", &["-c"]),
    console("ftp", &[]),
    Console { by_file: true, ..console("gap", &[]) },
    Console { by_file: true, ..console("gnuplot", &["-e"]) },
    Console { by_file: true, ..console("gp", &[]) },
    console("ghci", &["-e"]),
    console("hive", &["-e", "-f"]),
    console("iex", &[]),
    console("jshell", &[]),
    console("lftp", &["-c", "-f"]),
    console("litecli", &["-e"]),
    console("mail", &[]),
    console("mailx", &[]),
    console("mariadb", &["-e", "--execute"]),
    console("maxima", &[]),
    console("mongo", &["--eval"]),
    console("mongosh", &["--eval"]),
    console("mycli", &["-e", "--execute"]),
    console("mysql", &["-e", "--execute"]),
    console("ncftp", &[]),
    console("nix-shell", &["--run", "--command"]),
    console("pgcli", &[]),
    console("plink", &[]),
    console("pry", &[]),
    console("psql", &["-c", "--command", "-f", "--file", "-l", "--list"]),
    console("psysh", &[]),
    console("ptpython", &[]),
    console("r2", &[]),
    console("radare2", &[]),
    console("red", &[]),
    console("rizin", &[]),
    console("rlogin", &[]),
    console("rsh", &[]),
    console("s-nail", &[]),
    console("sftp", &[]),
    console("slogin", &[]),
    console("smbclient", &["-c", "--command"]),
    console("sqlplus", &[]),
    Console { by_file: true, ..console("swift", &[]) },
    console("telnet", &[]),
    console("tftp", &[]),
    console("usql", &["-c", "--command", "-f", "--file"]),
    console("wish", &[]),
];

/// Programs that start a shell by a word of theirs, if nothing says what else to start.
const SHELLS: &[(&str, &[&str])] = &[
    ("adb", &["shell"]),
    ("distrobox", &["enter"]),
    ("docker", &["attach"]),
    ("gcloud", &["ssh"]),
    ("guix", &["shell", "environment"]),
    ("kubectl", &["attach", "debug"]),
    ("machinectl", &["login", "shell"]),
    ("multipass", &["shell"]),
    ("nix", &["develop", "shell"]),
    ("oc", &["attach", "debug", "rsh"]),
    ("pipenv", &["shell"]),
    ("podman", &["attach", "unshare"]),
    ("poetry", &["shell"]),
    ("toolbox", &["enter"]),
    ("vagrant", &["ssh"]),
];

/// Whether a program runs what it is fed, if it is fed. Those that read nothing else are told apart
/// elsewhere, as they need not be fed here.
pub fn obeys_input(words: &[Word]) -> bool {
    let Some(program) = words.first().and_then(Word::literal) else { return false };
    let name = program.rsplit('/').next().unwrap_or(program);
    let rest = words.get(1..).unwrap_or_default();
    if asks_for_version(words) {
        return false;
    }
    if rest.is_empty() && (STARTERS.contains(&name) || OPAQUE.contains(&name) || name == "wsl") {
        return true;
    }
    if goes_on_to_read(name, rest) {
        return true;
    }
    if name == "ssh" {
        return matches!(launch(words), Launch::None);
    }
    if let Some(console) = CONSOLES.iter().find(|console| console.name == name) {
        return console.reads(rest);
    }
    let Some((_, verbs)) = SHELLS.iter().find(|(known, _)| *known == name) else { return false };
    let Some(at) = rest.iter().position(|word| verbs.iter().any(|verb| word.may_be(verb))) else {
        return false;
    };
    let behind = rest.get(at + 1..).unwrap_or_default();
    let says = |word: &Word| matches!(&*word.text, "--" | "-c" | "--command" | "-e" | "--run");
    // What `adb shell` is to start stands right behind it.
    let named = |word: &Word| name == "adb" && !word.text.starts_with('-');
    !behind.iter().any(|word| says(word) || named(word))
}

/// Whether an interpreter reads on when its program has ended: `python3 -i x.py`.
fn goes_on_to_read(name: &str, rest: &[Word]) -> bool {
    let known = ["python", "pypy", "ipython", "lua", "luajit", "node", "nodejs"];
    if !known.iter().any(|known| is_version_of(name, known)) {
        return false;
    }
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let Some(option) = word.text.strip_prefix('-') else { return false };
        let letters = option.strip_prefix('-').is_none();
        if option.starts_with("-interactive") || (letters && option.contains('i')) {
            return true;
        }
        // The next is the value of it.
        if letters && option.ends_with(['W', 'X', 'l', 'r']) {
            words.next();
        }
    }
    false
}

impl Console {
    fn reads(&self, rest: &[Word]) -> bool {
        if rest.iter().any(|word| is_input(&word.text)) {
            return true;
        }
        let gives = |word: &Word| {
            let known = |option: &&str| match option.starts_with("--") {
                true => word.text.split('=').next() == Some(option),
                false => !word.text.starts_with("--") && word.text.starts_with(option),
            };
            word.literal().is_some() && self.given.iter().any(known)
        };
        let is_file =
            |word: &Word| self.by_file && word.literal().is_some_and(|text| !text.starts_with('-'));
        !rest.iter().any(|word| gives(word) || is_file(word))
    }
}

/// Whether a client of a data base is told by its words to start a program: `psql -c '\! rm x'`. What is
/// not known of them counts as what it mostly is, a statement.
pub(super) fn starts_by_words(name: &str, rest: &[Word]) -> bool {
    let lower = |word: &Word| word.text.to_ascii_lowercase();
    match name {
        "psql" | "pgcli" | "usql" => rest.iter().any(|word| {
            let text = lower(word);
            text.contains("\\!") || text.contains("program") || piped(&text)
        }),
        "mysql" | "mariadb" | "mycli" => rest.iter().any(|word| {
            let text = lower(word);
            let begins = text.split([';', '\n', '=']).any(|part| {
                let part = part.trim_start().trim_start_matches("-e").trim_start();
                part.starts_with("system ") || part.starts_with("pager ")
            });
            text.contains("\\!") || text.contains("\\p") || begins || text.starts_with("--pager=")
        }),
        "dc" => rest.iter().any(|word| word.text.contains('!')),
        "gnuplot" => rest.iter().any(|word| {
            let text = lower(word);
            text.contains(['!', '`'])
                || text.contains("system")
                || text.contains("'<")
                || text.contains("\"<")
                || piped(&text)
        }),
        "lftp" | "smbclient" => rest.iter().any(|word| word.text.contains('!')),
        "duckdb" => rest.iter().any(|word| word.text.contains(".sh") || word.text.contains(".sy")),
        _ => false,
    }
}

/// Whether what a client writes may go to a program: `\o |program`, `\g |program`.
fn piped(text: &str) -> bool {
    text.contains('\\') && text.contains('|')
}

/// Whether `sqlite3` does no more than what its words say in SQL: a data base, and statements that start
/// nothing. With a data base alone it reads what it is fed.
pub(super) fn only_queries(rest: &[Word]) -> bool {
    const FLAGS: &[&str] = &[
        "ascii", "bail", "batch", "box", "column", "csv", "echo", "header", "html", "json", "line",
        "list", "markdown", "noheader", "quote", "readonly", "table", "tabs",
    ];
    let mut operands = Vec::new();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let Some(text) = word.literal() else { return false };
        match text.strip_prefix('-') {
            // Two dashes are as good as one.
            Some(option) => match option.strip_prefix('-').unwrap_or(option) {
                "separator" | "nullvalue" | "newline" => {
                    if words.next().and_then(Word::literal).is_none() {
                        return false;
                    }
                }
                flag if FLAGS.contains(&flag) => {}
                _ => return false,
            },
            None => operands.push(text),
        }
    }
    let starts_nothing = |text: &&str| {
        let plain: String = text.to_ascii_lowercase();
        let calls = ["edit", "load_extension", "fts3_tokenizer"];
        !text.trim_start().starts_with('.')
            && !plain.lines().any(|line| line.trim_start().starts_with('.'))
            && !calls.iter().any(|call| plain.contains(call))
            && !text.contains(ANY)
            && !text.trim().is_empty()
    };
    matches!(operands.split_first(), Some((_, statements))
        if !statements.is_empty() && statements.iter().all(starts_nothing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::shell::{Part, read};

    #[test]
    fn what_reads_its_commands_obeys() {
        let obeys = |command: &str| match read(command).parts.last() {
            Some(Part::Run(run)) => obeys_input(&run.words),
            other => panic!("{command}: {other:?}"),
        };
        for command in [
            "ed",
            "ssh host",
            "ssh -p 22 host",
            "psql -U x",
            "mysql -uroot db",
            "zsh",
            "gnuplot -",
            "adb shell",
            "nix develop",
            "psql -f -",
        ] {
            assert!(obeys(command), "{command}");
        }
        for command in [
            "psql -c x",
            "psql -f a.sql",
            "mysql -e x",
            "gnuplot a.gp",
            "adb shell ls",
            "nix develop -c make",
            "cat",
            "ed --help x",
        ] {
            assert!(!obeys(command), "{command}");
        }
    }
}
