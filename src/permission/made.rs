//! Files that a script itself makes: of its words (`echo rm x > s`), and of files that nobody knows.
//!
//! What runs such a file runs what no rule was held against. Copies of them, and what comes out of archives
//! that have them, are followed.

use super::files::{Access, COPIERS, Ground, Leads, Reach, touches, writes_of};
use super::shell::{Carried, NOWHERE, Part, Run, Script, Word, script_file};
use super::traces::Traces;

/// Programs that make a file of what they are fed, or of their words.
const KEEPERS: &[&str] = &[
    "csplit", "dd", "ed", "ex", "gsed", "openssl", "patch", "sed", "sort", "split", "sponge",
    "tee", "uniq", "xxd",
];
/// Those of them that only show it, unless their words name a file.
const SHOWERS: &[&str] = &["dd", "openssl", "sort", "uniq", "xxd"];

const RUNS_COPY: &str = "it runs what the line has copied, and from where is not known";

const RUNS_WORDS: &str = "it runs what the line has written";

/// What a script makes.
pub(super) struct Made {
    /// Files that it makes of what nobody knows.
    copied: Traces,
    /// Files into which its words may be written.
    written: Traces,
    /// Whether it writes files, so that what is read may become one.
    pub keeps: bool,
    /// Whether it changes where programs are found.
    pub searches_elsewhere: bool,
}

impl Made {
    /// Looks at what a script makes. `carried`: what each of its parts may start as a carrier.
    pub fn of(script: &Script, carried: &[Vec<Carried>], ground: &Ground) -> Self {
        // What a carrier starts does what it does elsewhere.
        let behind = carried.iter().flatten().map(|carried| &carried.part);
        let behind = behind.filter(|part| may_make(part));
        let parts: Vec<Part> = script.parts.iter().chain(behind).cloned().collect();
        let mut new = Self {
            copied: Traces::default(),
            written: Traces::default(),
            keeps: parts.iter().any(keeps),
            searches_elsewhere: script.parts.iter().any(sets_path),
        };
        for part in &parts {
            if keeps(part) {
                new.has_written(writes_of(part, ground));
            } else if let Some(run) = part.run().filter(|run| hands_on(run)) {
                let words = run.words.iter().skip(1);
                new.has_written(words.map(|word| (ground.leads(word), Reach::Itself)).collect());
            }
        }
        new.written.follow_copies(&parts, ground, true);
        let runs = || script.parts.iter().filter_map(Part::run);
        let reads_unknown = |run: &Run| {
            let mut reads = touches(run).into_iter().filter(|touch| touch.access == Access::Read);
            reads.any(|touch| matches!(ground.leads(&touch.path), Leads::Anywhere(_)))
        };
        for run in runs().filter(|run| copies(run) && reads_unknown(run)) {
            let part = Part::Run(run.clone());
            writes_of(&part, ground).into_iter().for_each(|(to, reach)| new.makes(to, reach));
        }
        if runs().any(|run| !copies(run) && reads_unknown(run)) {
            for part in script.parts.iter().filter(|part| keeps(part)) {
                writes_of(part, ground).into_iter().for_each(|(to, reach)| new.makes(to, reach));
            }
        }
        new.copied.follow_copies(&parts, ground, false);
        new
    }

    fn makes(&mut self, to: Leads, reach: Reach) {
        match to {
            Leads::To(_) => drop(self.copied.add(to, reach)),
            Leads::Anywhere(_) => self.copied.anywhere = true,
        }
    }

    fn has_written(&mut self, files: Vec<(Leads, Reach)>) {
        for (to, reach) in files {
            self.written.add(to, reach);
        }
    }

    /// Why what runs may be what the script itself has made. `program`: the first word, where it is certain to
    /// be a program; `of_system`: whether that is in a directory of the system.
    pub fn runs(
        &self,
        run: &Run,
        ground: &Ground,
        program: Option<&Word>,
        of_system: bool,
    ) -> Option<&'static str> {
        if program.is_some_and(|program| self.is_copied(program, ground, of_system)) {
            return Some(RUNS_COPY);
        }
        self.is_written(run, ground, program).then_some(RUNS_WORDS)
    }

    /// Whether the script itself may have put there what runs.
    fn is_copied(&self, program: &Word, ground: &Ground, of_system: bool) -> bool {
        if !program.text.contains('/') {
            return false;
        }
        if self.copied.anywhere {
            return !of_system;
        }
        match ground.leads(program) {
            Leads::To(files) => self.copied.hold(&files),
            Leads::Anywhere(_) => !self.copied.is_empty(),
        }
    }

    /// Whether what runs is a file into which the script has written: `echo rm x > s; bash s`.
    fn is_written(&self, run: &Run, ground: &Ground, program: Option<&Word>) -> bool {
        if self.written.anywhere && matches!(name_of(run), "source" | ".") {
            return true;
        }
        let is_path = |word: &&Word| word.text.contains('/') || self.searches_elsewhere;
        let scripts = match name_of(run) {
            "source" | "." => {
                let is_file = |word: &&Word| !word.text.starts_with('-');
                run.words.iter().skip(1).find(is_file).cloned().into_iter().collect()
            }
            "bash" | "sh" | "dash" | "zsh" | "ksh" => {
                script_file(&run.words).cloned().into_iter().chain(profiles(run)).collect()
            }
            "make" | "gmake" => makefiles(run),
            _ => Vec::new(),
        };
        if program.is_some() && self.searches_elsewhere && self.written.hold_program(name_of(run)) {
            return true;
        }
        let ground = ground.of_run(run);
        program.filter(is_path).cloned().into_iter().chain(scripts).any(|file| {
            match ground.leads(&file) {
                Leads::To(files) => self.written.hold(&files),
                Leads::Anywhere(Some(path)) => self.written.hold_called(&path),
                // A home directory that the script has set.
                Leads::Anywhere(None) => !self.written.is_empty() && file.glob.is_some(),
            }
        })
    }
}

fn name_of(run: &Run) -> &str {
    let program = run.words.first().map(|word| word.text.as_str()).unwrap_or_default();
    program.rsplit('/').next().unwrap_or(program)
}

/// Whether a command makes a file of what is fed to it or to others: a pipe, a link to its input.
fn hands_on(run: &Run) -> bool {
    let is_input = |word: &Word| ["/dev/", "/proc/"].iter().any(|dir| word.text.contains(dir));
    match name_of(run) {
        "mkfifo" => true,
        name => COPIERS.contains(&name) && run.words.iter().any(is_input),
    }
}

/// Whether a part changes where programs are found.
pub(super) fn sets_path(part: &Part) -> bool {
    match part {
        Part::Assign(assign) => assign.name == "PATH",
        Part::Run(run) => run.assigns.iter().any(|(name, _)| name == "PATH"),
        _ => false,
    }
}

/// Whether a part may make a file that counts here.
fn may_make(part: &Part) -> bool {
    let by_run = |run: &Run| hands_on(run) || copies(run) || packs(run) || patches(run);
    keeps(part) || part.run().is_some_and(by_run)
}

/// Whether a part makes a file of what it is fed, or of its words.
fn keeps(part: &Part) -> bool {
    match part {
        Part::Write(target) => target.path.literal().is_none_or(|to| !NOWHERE.contains(&to)),
        Part::Run(run) => KEEPERS.contains(&name_of(run)) && !only_shows(run),
        _ => false,
    }
}

/// Whether a command that could keep what it is fed is told of no file to keep it in, for certain. `openssl`
/// has many options that name one, and without words does what it reads.
fn only_shows(run: &Run) -> bool {
    let name = name_of(run);
    SHOWERS.contains(&name)
        && (name != "openssl" || run.words.len() > 1)
        && (name != "openssl" || !run.words.iter().any(|word| word.text.contains("out")))
        && run.words.iter().all(|word| word.literal().is_some())
        && touches(run).iter().all(|touch| touch.access != Access::Write)
}

/// Whether a command writes the files that what it reads says.
pub(super) fn patches(run: &Run) -> bool {
    let git = || run.words.iter().any(|word| matches!(&*word.text, "apply" | "am"));
    match name_of(run) {
        "patch" => true,
        "git" => git(),
        _ => false,
    }
}

/// Whether it may read what it is fed: behind a pipe, or as it names no file.
pub(super) fn is_fed(run: &Run) -> bool {
    let operands = run.words.iter().skip(1).filter(|word| !word.text.starts_with('-'));
    run.piped || operands.filter(|word| !matches!(&*word.text, "apply" | "am")).count() == 0
}

/// The files that a shell reads before its script, as it is told to be that of a login.
fn profiles(run: &Run) -> Vec<Word> {
    let is_login = |word: &Word| match word.text.strip_prefix('-') {
        Some("-login") => true,
        Some(letters) => !letters.starts_with('-') && letters.contains('l'),
        None => false,
    };
    let options = run.words.iter().skip(1).take_while(|word| word.text.starts_with('-'));
    if !options.clone().any(is_login) {
        return Vec::new();
    }
    let at_home = |name: &str| Word { glob: Some(format!("~/{name}")), ..Word::any() };
    [".bash_profile", ".bash_login", ".profile"].map(at_home).into()
}

/// The files that `make` may read what to do from.
fn makefiles(run: &Run) -> Vec<Word> {
    let words = || run.words.iter().skip(1);
    let own = ["-f", "--file=", "--makefile="];
    let glued = words()
        .filter_map(|word| own.iter().find_map(|option| word.text.strip_prefix(option)))
        .filter(|file| !file.is_empty())
        .map(Word::known);
    let by_itself = ["GNUmakefile", "makefile", "Makefile"].map(Word::known);
    let operands = words().filter(|word| !word.text.starts_with('-')).cloned();
    operands.chain(glued).chain(by_itself).collect()
}

/// Whether a command makes a file of another.
pub(super) fn copies(run: &Run) -> bool {
    let name = name_of(run);
    let fetches = || run.words.iter().any(|word| word.text.starts_with("file:"));
    COPIERS.contains(&name)
        || (name == "dd" && !only_shows(run))
        || (matches!(name, "curl" | "wget") && fetches())
}

/// Whether it keeps files in another, from which they come out by any name.
pub(super) fn packs(run: &Run) -> bool {
    ["7z", "bsdtar", "cpio", "pax", "tar", "unzip", "zip"].contains(&name_of(run))
}
