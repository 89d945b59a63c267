//! Which of a command's words are files, and what it does with them.

use super::line::Line;
use super::readers::{Deep, INTERPRETERS, NAMERS, READERS, Reader};
use super::writers::{COPIERS, after, copying, targeted, writes};
use super::{Access, Ground, Leads, Reach, Touch};
use crate::permission::shell::{self, ANY, Part, Run, Word};

/// What a simple command opens.
pub(in crate::permission) fn touches(run: &Run) -> Vec<Touch> {
    let Some(program) = run.words.first().and_then(Word::literal) else { return Vec::new() };
    let name = program.rsplit('/').next().unwrap_or(program);
    let mut all = Vec::new();
    reads(name, run, &mut all);
    writes(name, &run.words, &mut all);
    all
}

/// Where a part writes, and how far beyond that.
pub(in crate::permission) fn writes_of(part: &Part, ground: &Ground) -> Vec<(Leads, Reach)> {
    match part {
        Part::Write(target) => vec![(ground.leads(&target.path), Reach::Itself)],
        Part::Run(run) => {
            let ground = ground.of_run(run);
            let writes = touches(run).into_iter().filter(|touch| touch.access == Access::Write);
            writes.map(|touch| (ground.leads(&touch.path), touch.reach)).collect()
        }
        Part::Read(_) | Part::Assign(_) | Part::Unclear(_) => Vec::new(),
    }
}

/// The directories that a program goes to before it looks at its words.
pub(super) fn goes_to(run: &Run) -> Vec<Word> {
    // Behind the subcommand of git `-C` is another option.
    let program = run.words.first().and_then(Word::literal).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or(program);
    if let Some(git) = (program == "git").then(|| shell::git(&run.words)).flatten() {
        return git.dirs.into_iter().cloned().collect();
    }
    let goes = ["git", "tar", "bsdtar", "make", "gmake", "ninja", "cargo", "go"];
    if !goes.contains(&program) {
        return Vec::new();
    }
    let mut dirs = Vec::new();
    let mut words = run.words.iter().skip(1);
    while let Some(word) = words.next() {
        let text = &*word.text;
        if matches!(text, "-C" | "--directory") {
            dirs.extend(words.next().cloned());
        } else if let Some(own) = ["--directory=", "-C"].iter().find_map(|it| text.strip_prefix(it))
        {
            dirs.push(Word::known(own));
        }
    }
    dirs
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
    name_lists(name, words, all);
    // What is started is looked at by itself.
    let launcher = !run.needs_rule && name != "xargs";
    if launcher || NAMERS.contains(&name) {
        return;
    }
    let code = INTERPRETERS.iter().any(|known| {
        name.strip_prefix(known)
            .is_some_and(|rest| rest.chars().all(|c| c == '.' || c.is_ascii_digit()))
    });
    for word in words.iter().skip(1).chain(&run.fed) {
        all.extend(literals(word).map(|word| Touch::new(word, Access::MayRead)));
        if code {
            for word in quoted(word) {
                all.push(Touch::new(word.clone(), Access::MayRead));
                all.push(Touch::new(word, Access::MayWrite));
            }
        }
    }
}

/// The files in which programs that only name others find these names, and say what they found.
fn name_lists(name: &str, words: &[Word], all: &mut Vec<Touch>) {
    let (letter, long) = match name {
        "file" => ('f', "files-from"),
        "du" => (ANY, "files0-from"),
        "tree" => (ANY, "fromfile"),
        "find" => {
            let pairs = words.iter().zip(words.iter().skip(1));
            let lists = pairs.filter(|(word, _)| word.text == "-files0-from");
            return all.extend(lists.map(|(_, list)| Touch::new(list.clone(), Access::Read)));
        }
        _ => return,
    };
    let line = Line::of(words, if name == "file" { "eFfmP" } else { "" }, &[long, "magic-file"]);
    let lists = line.value(letter, long).cloned();
    all.extend(lists.map(|word| Touch::new(word, Access::Read)));
    // A shortened name, or one that has no value of its own: the file is an operand.
    if line.has_long(long) {
        all.extend(line.operands.iter().map(|word| Touch::new(word.clone(), Access::Read)));
    }
    if name == "file" {
        let magic = line.value('m', "magic-file").flat_map(literals);
        all.extend(magic.map(|word| Touch::new(word, Access::Read)));
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
        if line.several || before.clone().chain(values).any(|word| word.several) {
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
    let line =
        Line::of(words, "Cc", &["git-dir", "work-tree", "namespace", "exec-path", "super-prefix"]);
    let Some(command) = line.operands.first().and_then(Word::literal) else { return };
    git_makes(command, &line, words, all);
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

/// Where a subcommand of git makes files: repositories, and what it is told to write its output to.
fn git_makes(command: &str, line: &Line, words: &[Word], all: &mut Vec<Touch>) {
    let mut make =
        |path: Word| all.push(Touch { path, access: Access::Write, reach: Reach::Anything });
    let operand = |at: usize| line.operands.get(at).cloned();
    match command {
        "init" => {
            let dir = operand(1).unwrap_or_else(|| Word::known("."));
            make(Word::known(&format!("{}/.git", dir.text)));
        }
        "clone" => operand(2).into_iter().for_each(make),
        "worktree" if operand(1).is_some_and(|word| word.text == "add") => {
            line.operands.iter().skip(2).take(1).cloned().for_each(make);
        }
        "archive" | "diff" | "format-patch" | "log" | "show" => {
            let own = |word: &Word| {
                ["--output=", "--output-directory="].iter().find_map(|name| after(word, name))
            };
            let glued = |word: &Word| after(word, "-o").filter(|own| !own.text.is_empty());
            let writes_by_letter = matches!(command, "archive" | "format-patch");
            let apart = |word: &Word| {
                matches!(&*word.text, "--output" | "--output-directory")
                    || (writes_by_letter && word.text == "-o")
            };
            let pairs = words.iter().zip(words.iter().skip(1));
            pairs.filter(|(word, _)| apart(word)).for_each(|(_, to)| make(to.clone()));
            words.iter().filter_map(own).for_each(&mut make);
            if writes_by_letter {
                words.iter().filter_map(glued).for_each(make);
            }
        }
        _ => {}
    }
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
