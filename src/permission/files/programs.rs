//! What is known of programs: which of their words are files, and what they do with them.

use super::line::Line;
use super::{Access, Reach, Touch};
use crate::permission::shell::{Run, Word};

/// A program that reads the files it is given.
struct Reader {
    names: &'static [&'static str],
    /// Letters of options with a value.
    valued: &'static str,
    /// Long options that take the next word.
    long: &'static [&'static str],
    /// How many operands come before the files: the pattern of `grep`.
    patterns: usize,
    /// An option by which these are given, so that all operands are files: letters, long names.
    given: (&'static str, &'static [&'static str]),
    deep: Deep,
}

/// Whether a program reads what is below a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deep {
    Never,
    /// With one of these options.
    With(&'static str, &'static str),
    Always,
}

const fn reader(names: &'static [&'static str], valued: &'static str) -> Reader {
    Reader { names, valued, long: &[], patterns: 0, given: ("", &[]), deep: Deep::Never }
}

const PATTERN: (&str, &[&str]) = ("ef", &["regexp", "expression", "file"]);
const OF_GREP: &[&str] = &["regexp", "file", "max-count", "include", "exclude", "exclude-dir"];

const READERS: &[Reader] = &[
    reader(
        &[
            ".",
            "source",
            "base32",
            "base64",
            "b2sum",
            "bat",
            "batcat",
            "bzcat",
            "bzless",
            "cat",
            "cksum",
            "cmp",
            "col",
            "column",
            "comm",
            "csplit",
            "expand",
            "fmt",
            "fold",
            "hexdump",
            "iconv",
            "join",
            "less",
            "look",
            "md5sum",
            "mapfile",
            "more",
            "nl",
            "od",
            "open",
            "paste",
            "pr",
            "readarray",
            "rev",
            "sha1sum",
            "sha224sum",
            "sha256sum",
            "sha384sum",
            "sha512sum",
            "shuf",
            "split",
            "strings",
            "sum",
            "tac",
            "tsort",
            "unexpand",
            "uniq",
            "uuencode",
            "view",
            "wc",
            "xxd",
            "xzcat",
            "xzless",
            "zcat",
            "zless",
            "zmore",
            "zstdcat",
            "hd",
            "diffstat",
            "delta",
            "glow",
            "mdcat",
            "xdg-open",
            "msgcat",
        ],
        "",
    ),
    reader(&["head", "tail"], "ncs"),
    reader(&["cut"], "bcdf"),
    reader(&["sort"], "kSTto"),
    Reader {
        deep: Deep::With("r", "recursive"),
        ..reader(&["diff", "sdiff", "vimdiff", "colordiff"], "UCWIFx")
    },
    Reader {
        long: OF_GREP,
        patterns: 1,
        given: PATTERN,
        deep: Deep::With("rR", "recursive"),
        ..reader(&["grep", "egrep", "fgrep", "zgrep", "bzgrep", "xzgrep"], "ABCmefdD")
    },
    Reader { patterns: 1, given: PATTERN, deep: Deep::Always, ..reader(&["rgrep"], "ABCmefdD") },
    Reader {
        long: OF_GREP,
        patterns: 1,
        given: PATTERN,
        deep: Deep::Always,
        ..reader(&["rg", "ag", "ack", "ugrep", "pt"], "ABCmefgtTrjdME")
    },
    Reader { patterns: 1, given: PATTERN, ..reader(&["sed", "gsed"], "efl") },
    Reader {
        patterns: 1,
        given: ("f", &["file"]),
        ..reader(&["awk", "gawk", "mawk", "nawk"], "Fvf")
    },
    Reader {
        patterns: 1,
        given: ("f", &["from-file"]),
        ..reader(&["jq", "yq", "xmllint", "xq"], "fL")
    },
    Reader {
        deep: Deep::Always,
        ..reader(&["tar", "bsdtar", "zip", "7z", "7za", "cpio", "pax", "ar", "ln", "link"], "f")
    },
    reader(&["gzip", "bzip2", "xz", "zstd", "pigz", "gunzip"], ""),
    reader(&["ed", "ex", "vi", "vim", "nvim", "nano", "emacs", "pico", "micro"], "c"),
    reader(&["curl", "wget", "openssl", "gpg", "http", "xh"], "HXAuod"),
];

/// Programs that do not open what they are given: they print it, or look at names and dates.
const NAMERS: &[&str] = &[
    ":", "[", "[[", "alias", "basename", "cd", "chgrp", "chmod", "chown", "command", "declare",
    "df", "dir", "dirname", "du", "echo", "exit", "export", "false", "fd", "fdfind", "file",
    "find", "hash", "kill", "locate", "ls", "mkdir", "mkfifo", "mknod", "mktemp", "popd", "printf",
    "pushd", "pwd", "readlink", "realpath", "return", "rm", "rmdir", "set", "shred", "sleep",
    "stat", "tee", "test", "touch", "tree", "true", "truncate", "type", "umask", "unlink", "unset",
    "which",
];

/// Interpreters; what of their programs looks like a path is taken for one.
const INTERPRETERS: &[&str] = &[
    "bun",
    "deno",
    "lua",
    "luajit",
    "node",
    "osascript",
    "perl",
    "php",
    "python",
    "python2",
    "python3",
    "Rscript",
    "ruby",
    "tclsh",
];

/// Programs that change every file they are given.
const CHANGERS: &[&str] = &[
    "bzip2", "chgrp", "chmod", "chown", "ed", "ex", "gunzip", "gzip", "mkdir", "mkfifo", "mknod",
    "nano", "nvim", "patch", "rm", "rmdir", "shred", "tee", "touch", "truncate", "unlink", "vi",
    "vim", "xz", "zstd",
];

/// Programs that copy or move to their last operand.
const COPIERS: &[&str] = &["cp", "gcp", "install", "link", "ln", "mv", "rsync", "scp"];

/// What a simple command opens.
pub(in crate::permission) fn touches(run: &Run) -> Vec<Touch> {
    let Some(program) = run.words.first().and_then(Word::literal) else { return Vec::new() };
    let name = program.rsplit('/').next().unwrap_or(program);
    let mut all = Vec::new();
    reads(name, run, &mut all);
    writes(name, &run.words, &mut all);
    all
}

/// The directories that a program goes to before it looks at its words.
pub(in crate::permission) fn goes_to(run: &Run) -> Vec<&Word> {
    let goes = ["git", "tar", "bsdtar", "make", "gmake", "ninja", "cargo", "go"];
    let program = run.words.first().and_then(Word::literal).unwrap_or_default();
    if !goes.contains(&program.rsplit('/').next().unwrap_or(program)) {
        return Vec::new();
    }
    let pairs = run.words.iter().zip(run.words.iter().skip(1));
    pairs
        .filter(|(word, _)| matches!(&*word.text, "-C" | "--directory"))
        .map(|(_, dir)| dir)
        .collect()
}

fn reads(name: &str, run: &Run, all: &mut Vec<Touch>) {
    let words = &run.words;
    if COPIERS.contains(&name) {
        let line = copying(name, words);
        let last = line.operands.len().saturating_sub(usize::from(!targeted(&line)));
        let deep = name != "cp" && name != "gcp" && name != "install" && name != "scp";
        let deep =
            deep || line.has("raR") || line.has_long("recursive") || line.has_long("archive");
        let linked = line.has("LHk") || line.has_long("copy-links") || line.has_long("dereference");
        let sources = line.operands.into_iter().take(last);
        all.extend(sources.map(|word| Touch::new(word, Access::Read).below(deep).linked(linked)));
        return;
    }
    if name == "dd" {
        let from = words.iter().filter_map(|word| after(word, "if="));
        all.extend(from.map(|word| Touch::new(word, Access::Read)));
        return;
    }
    if name == "git" {
        return git(words, all);
    }
    if let Some(reader) = READERS.iter().find(|reader| reader.names.contains(&name)) {
        return reader.read(run, all);
    }
    if NAMERS.contains(&name) {
        return;
    }
    let code = INTERPRETERS.iter().any(|known| {
        name.strip_prefix(known)
            .is_some_and(|rest| rest.chars().all(|c| c == '.' || c.is_ascii_digit()))
    });
    for word in words.iter().skip(1) {
        all.extend(literals(word).map(|word| Touch::new(word, Access::MayRead)));
        if code {
            for word in quoted(word) {
                all.push(Touch::new(word.clone(), Access::MayRead));
                all.push(Touch::new(word, Access::MayWrite));
            }
        }
    }
}

impl Reader {
    fn read(&self, run: &Run, all: &mut Vec<Touch>) {
        let line = Line::of(&run.words, self.valued, self.long);
        let given = line.has(self.given.0) || self.given.1.iter().any(|name| line.has_long(name));
        let patterns = if given { 0 } else { self.patterns };
        let deep = match self.deep {
            Deep::Never => false,
            Deep::With(letters, long) => line.has(letters) || line.has_long(long),
            Deep::Always => true,
        };
        // `grep -R`, `rg -L`, `tar -h` look behind links; some do always.
        let always = ["diff", "tar"].iter().any(|name| self.names.first() == Some(name));
        let linked =
            always || line.has("RLh") || line.has_long("follow") || line.has_long("dereference");
        // Of an option's value only one that is known counts: most are no files.
        for (_, value) in &line.values {
            all.extend(literals(value).map(|word| Touch::new(word, Access::Read)));
        }
        let before = line.operands.iter().take(patterns);
        let values = line.values.iter().map(|(_, value)| value);
        if before.clone().chain(values).any(|word| word.several) {
            // What is taken for a pattern may end in the name of a file.
            all.push(Touch::new(Word::any(), Access::Read));
        }
        for script in before {
            let may_read = |word| Touch::new(word, Access::MayRead);
            match self.names.first() {
                Some(&"sed") => all.extend(pieces(script).map(may_read)),
                Some(&"awk") => all.extend(quoted(script).into_iter().map(may_read)),
                _ => {}
            }
        }
        let files: Vec<&Word> = line.operands.iter().skip(patterns).collect();
        for file in &files {
            all.push(Touch::new((*file).clone(), Access::Read).below(deep).linked(linked));
            all.extend(literals(file).skip(1).map(|word| Touch::new(word, Access::Read)));
        }
        // `rg` looks into what it is fed, if it is; `grep -r` never does.
        let fed = run.piped && self.names.first() == Some(&"rg");
        let searches = self.patterns == 1 && deep;
        if searches && files.is_empty() && !fed {
            all.push(Touch::new(Word::known("."), Access::Read).below(true).linked(linked));
        }
    }
}

/// `git` shows what is in files; other subcommands of it keep, name or write them.
fn git(words: &[Word], all: &mut Vec<Touch>) {
    let line = Line::of(words, "Cc", &[]);
    let Some(command) = line.operands.first().and_then(Word::literal) else { return };
    let shows =
        ["archive", "blame", "annotate", "cat-file", "diff", "grep", "log", "show", "format-patch"];
    let access = match command {
        _ if shows.contains(&command) => Access::Read,
        "hash-object" | "apply" | "am" => Access::Read,
        "checkout" | "restore" | "rm" | "mv" | "clean" => Access::Write,
        _ => return,
    };
    for word in line.operands.iter().skip(1) {
        all.extend(literals(word).map(|word| Touch::new(word, access)));
    }
    if command == "grep" || (command == "diff" && line.has_long("no-index")) {
        let rest = line.operands.iter().skip(if command == "grep" { 2 } else { 1 });
        let roots: Vec<Word> = rest.cloned().collect();
        let roots = if roots.is_empty() { vec![Word::known(".")] } else { roots };
        all.extend(roots.into_iter().map(|root| Touch::new(root, Access::Read).below(true)));
    }
}

fn writes(name: &str, words: &[Word], all: &mut Vec<Touch>) {
    let mut write =
        |word: Word, below: bool| all.push(Touch::new(word, Access::Write).below(below));
    match name {
        _ if COPIERS.contains(&name) => return copies(name, words, all),
        _ if CHANGERS.contains(&name) => {
            let line =
                Line::of(words, changer_values(name), &["size", "reference", "date", "mode"]);
            let deep = line.has("rR") || line.has_long("recursive");
            let deep = deep && name != "touch";
            line.operands.into_iter().for_each(|word| write(word, deep));
        }
        "sed" | "gsed" | "perl" | "ruby" => {
            let line = Line::of(words, if name.ends_with("sed") { "efl" } else { "eEI" }, &[]);
            let in_place = line.has("i") || line.has_long("in-place");
            let given = line.has("ef") || line.has_long("expression") || line.has_long("file");
            let skip = usize::from(!given && name.ends_with("sed"));
            if in_place {
                line.operands.into_iter().skip(skip).for_each(|word| write(word, false));
            }
        }
        "dd" => {
            words.iter().filter_map(|word| after(word, "of=")).for_each(|word| write(word, false))
        }
        "sort" | "curl" | "wget" | "gcc" | "cc" | "openssl" => {
            let valued = if name == "sort" { "kSTto" } else { "oOHXAud" };
            let line = Line::of(words, valued, &["output", "output-document"]);
            let short = if name == "wget" { 'O' } else { 'o' };
            let long = if name == "wget" { "output-document" } else { "output" };
            line.value(short, long).cloned().for_each(|word| write(word, false));
        }
        "uniq" | "xxd" => {
            let line = Line::of(words, "fswclos", &[]);
            line.operands.into_iter().skip(1).take(1).for_each(|word| write(word, false));
        }
        "tar" | "bsdtar" | "unzip" | "7z" | "cpio" => {
            let mut options = words.iter().skip(1).enumerate();
            let letter = if name == "cpio" { 'i' } else { 'x' };
            let takes_out = name == "unzip"
                || options.any(|(at, word)| match word.text.strip_prefix("--") {
                    Some(long) => matches!(long, "extract" | "get"),
                    None => (at == 0 || word.text.starts_with('-')) && word.text.contains(letter),
                });
            let dirs = words.iter().zip(words.iter().skip(1));
            let dir = dirs
                .filter(|(word, _)| matches!(&*word.text, "-d" | "-C"))
                .map(|(_, dir)| dir)
                .last();
            if takes_out {
                let to = dir.cloned().unwrap_or_else(|| Word::known("."));
                all.push(Touch { path: to, access: Access::Write, reach: Reach::Anything });
            }
        }
        _ => {}
    }
}

/// Letters with a value that is no file.
fn changer_values(name: &str) -> &'static str {
    match name {
        "touch" => "drt",
        "truncate" => "sr",
        "shred" => "ns",
        "mkdir" | "mkfifo" | "mknod" => "m",
        "patch" => "pdior",
        _ => "",
    }
}

/// The line of a program that copies.
fn copying(name: &str, words: &[Word]) -> Line {
    let valued = match name {
        "rsync" => "eT",
        "scp" => "cFiJloPS",
        "install" => "tSgmo",
        _ => "tS",
    };
    Line::of(words, valued, &["target-directory", "suffix", "rsh", "exclude", "include"])
}

fn targeted(line: &Line) -> bool {
    line.has("t") || line.has_long("target-directory")
}

/// `cp`, `mv` and the like: the place they copy to, and what `mv` takes away.
fn copies(name: &str, words: &[Word], all: &mut Vec<Touch>) {
    let line = copying(name, words);
    let mut sources = line.operands.clone();
    let target = match line.value('t', "target-directory").next() {
        Some(target) => target.clone(),
        None => match sources.pop() {
            Some(target) => target,
            None => return,
        },
    };
    let deep = line.has("raR") || name == "rsync" || line.has_long("recursive") || name == "mv";
    if name == "mv" {
        all.extend(sources.iter().cloned().map(|word| Touch::new(word, Access::Write).below(true)));
    }
    for source in &sources {
        let file = source.literal().and_then(|text| text.trim_end_matches('/').rsplit('/').next());
        match (file, target.literal()) {
            (Some(file), Some(dir)) => {
                let inside = format!("{}/{file}", dir.trim_end_matches('/'));
                let reach = if deep { Reach::Anything } else { Reach::Itself };
                all.push(Touch { path: Word::known(&inside), access: Access::Write, reach });
            }
            // What it will be called is not known, if that is a directory.
            _ => all.push(Touch {
                path: target.clone(),
                access: Access::Write,
                reach: Reach::Anything,
            }),
        }
    }
    let reach = if deep && sources.len() != 1 { Reach::Anything } else { Reach::Itself };
    all.push(Touch { path: target, access: Access::Write, reach });
}

fn after(word: &Word, begin: &str) -> Option<Word> {
    word.text.strip_prefix(begin).map(Word::known)
}

/// The paths that a word may name, if it is known: all of it, and what stands behind `=`, `@` or `:` in
/// it, as in `--file=x`, `-d@x`, `HEAD:x`, `file://x`.
fn literals(word: &Word) -> impl Iterator<Item = Word> {
    let text = word.literal().unwrap_or_default();
    let after = text.match_indices(['=', '@', ':']).filter_map(|(at, _)| text.get(at + 1..));
    let bare = |text: &str| match text.strip_prefix("//") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default().to_owned(),
        None => text.to_owned(),
    };
    let all = std::iter::once(text.to_owned()).chain(after.map(bare));
    let words: Vec<Word> =
        all.filter(|text| !text.is_empty()).map(|text| Word::known(&text)).collect();
    words.into_iter()
}

/// The pieces of a sed script between blanks.
fn pieces(word: &Word) -> impl Iterator<Item = Word> {
    let pieces: Vec<Word> = word
        .text
        .split([' ', '\n', ';'])
        .filter(|text| !text.is_empty())
        .map(Word::known)
        .collect();
    pieces.into_iter().filter(|word| word.literal().is_some())
}

/// The texts in quotes of a program.
fn quoted(word: &Word) -> Vec<Word> {
    if !word.text.contains(['\'', '"', '`']) {
        return Vec::new();
    }
    let texts =
        word.text.split(['\'', '"', '`']).filter(|text| !text.is_empty() && text.len() < 4_096);
    texts.map(Word::known).filter(|word| word.literal().is_some()).collect()
}
