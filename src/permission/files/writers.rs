//! Programs that write files: which of their words they are.

use super::line::Line;
use super::{Access, Reach, Touch};
use crate::permission::shell::{ANY, Word};

/// Programs that change every file they are given.
const CHANGERS: &[&str] = &[
    "bzip2", "chgrp", "chmod", "chown", "ed", "ex", "gunzip", "gzip", "mkdir", "mkfifo", "mknod",
    "nano", "nvim", "patch", "rm", "rmdir", "shred", "sponge", "tee", "touch", "truncate",
    "unlink", "vi", "vim", "xz", "zstd",
];

/// Programs that copy or move to their last operand.
pub(in crate::permission) const COPIERS: &[&str] =
    &["cp", "gcp", "install", "link", "ln", "mv", "rsync", "scp"];

/// The files that a command writes.
pub(super) fn writes(name: &str, words: &[Word], all: &mut Vec<Touch>) {
    let mut write =
        |word: Word, below: bool| all.push(Touch::new(word, Access::Write).below(below));
    match name {
        _ if COPIERS.contains(&name) => copies(name, words, all),
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
        "mktemp" => {
            let line = Line::of(words, "p", &["suffix"]);
            let dirs: Vec<Word> = line.value('p', "tmpdir").cloned().collect();
            if dirs.is_empty() {
                line.operands.into_iter().for_each(|word| write(word, false));
            }
            let reach = Reach::Anything;
            all.extend(dirs.into_iter().map(|path| Touch { path, access: Access::Write, reach }));
        }
        "sort" | "curl" | "wget" | "gcc" | "cc" => {
            let valued = match name {
                "sort" => "kSTto",
                "wget" => "oOHXAudaP",
                _ => "oOHXAud",
            };
            let dir = if name == "wget" { "directory-prefix" } else { "output-dir" };
            let logs: &[_] =
                if name == "wget" { &[('o', "output-file"), ('a', "append-output")] } else { &[] };
            let long = ["output", "output-document", "output-file", "append-output", dir];
            let line = Line::of(words, valued, &long);
            for (letter, long) in logs {
                line.value(*letter, long).cloned().for_each(|word| write(word, false));
            }
            let short = if name == "wget" { 'O' } else { 'o' };
            let long = if name == "wget" { "output-document" } else { "output" };
            line.value(short, long).cloned().for_each(|word| write(word, false));
            if matches!(name, "curl" | "wget") {
                let letter = if name == "wget" { 'P' } else { ANY };
                let dirs: Vec<Word> = line.value(letter, dir).cloned().collect();
                let reach = Reach::Anything;
                all.extend(dirs.into_iter().map(|path| Touch {
                    path,
                    access: Access::Write,
                    reach,
                }));
            }
            let mut write =
                |word: Word, below: bool| all.push(Touch::new(word, Access::Write).below(below));
            // A shortened name, behind which the file may stand as an operand: `sort --out f`.
            if line.has_long(long) && line.value(ANY, long).next().is_none() {
                line.operands.into_iter().for_each(|word| write(word, false));
            }
        }
        "find" => {
            let is_root = |word: &&Word| !word.text.starts_with(['-', '(', '!']);
            let roots = words.iter().skip(1).take_while(is_root);
            if words.iter().any(|word| word.text == "-delete") {
                roots.cloned().for_each(|root| write(root, true));
            }
            let prints = |word: &Word| word.text.starts_with("-fprint") || word.text == "-fls";
            let pairs = words.iter().zip(words.iter().skip(1));
            pairs.filter(|(word, _)| prints(word)).for_each(|(_, file)| write(file.clone(), false));
        }
        "openssl" => {
            let pairs = words.iter().zip(words.iter().skip(1));
            let files = pairs.filter(|(word, _)| matches!(&*word.text, "-out" | "--out"));
            files.for_each(|(_, file)| write(file.clone(), false));
            let glued = |word| after(word, "-out=").or_else(|| after(word, "--out="));
            words.iter().filter_map(glued).for_each(|word| write(word, false));
        }
        // The names of the pieces begin as they are told, or with `x`.
        "split" | "csplit" => {
            let line = Line::of(words, "abClntf", &["prefix"]);
            let named = if name == "split" { line.operands.get(1) } else { None };
            let prefixes = named.into_iter().chain(line.value('f', "prefix"));
            let dir = |prefix: &Word| match prefix.literal() {
                Some(text) => text.rsplit_once('/').map_or(".", |(dir, _)| dir).to_owned(),
                None => "/".to_owned(),
            };
            let dir = prefixes.last().map_or(".".to_owned(), dir);
            let path = Word::known(&dir);
            all.push(Touch { path, access: Access::Write, reach: Reach::Anything });
        }
        "uniq" => {
            let line = Line::of(words, "fsw", &[]);
            line.operands.into_iter().skip(1).for_each(|word| write(word, false));
        }
        "xxd" => dumped(words).into_iter().skip(1).for_each(|word| write(word, false)),
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
                .next_back();
            if takes_out {
                let to = dir.cloned().unwrap_or_else(|| Word::known("."));
                all.push(Touch { path: to, access: Access::Write, reach: Reach::Anything });
            }
        }
        _ => {}
    }
}

/// The operands of `xxd`, whose options are whole words with one dash, or two.
fn dumped(words: &[Word]) -> Vec<Word> {
    const VALUED: &[&str] = &[
        "R",
        "c",
        "cols",
        "g",
        "group",
        "groupsize",
        "l",
        "len",
        "n",
        "name",
        "o",
        "offset",
        "s",
        "seek",
        "skip",
    ];
    let mut operands = Vec::new();
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        match word.text.strip_prefix('-') {
            Some("-") => operands.extend(words.by_ref().cloned()),
            Some(option) if !option.is_empty() => {
                if VALUED.contains(&option.strip_prefix('-').unwrap_or(option)) {
                    words.next();
                }
            }
            _ => operands.push(word.clone()),
        }
    }
    operands
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
pub(super) fn copying(name: &str, words: &[Word]) -> Line {
    let valued = match name {
        "rsync" => "eT",
        "scp" => "cFiJloPS",
        "install" => "tSgmo",
        _ => "tS",
    };
    Line::of(words, valued, &["target-directory", "suffix", "rsh", "exclude", "include"])
}

/// Whether its line names the directory first.
pub(super) fn targeted(line: &Line) -> bool {
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
    if matches!(name, "ln" | "link") {
        // Who writes to the link later on writes there.
        let reach = Reach::Anything;
        all.extend(sources.iter().cloned().map(|path| Touch {
            path,
            access: Access::Write,
            reach,
        }));
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

/// What follows `begin` in a word.
pub(super) fn after(word: &Word, begin: &str) -> Option<Word> {
    word.text.strip_prefix(begin).map(Word::known)
}
