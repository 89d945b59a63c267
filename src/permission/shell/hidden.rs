//! Programs that run what is not in sight: programs in other languages, or what they read.

use super::{Run, Word};

const CODE: &str = "it is given a program in another language";
pub(in crate::permission) const READS: &str = "it runs what it reads";
const HELD: &str = "a variable it is given may hold a command";
const STARTS: &str = "it may start what its words name";
const SETS: &str = "the setting names a program that git starts";

/// Interpreters, and the letters of the options behind which a program stands.
const INTERPRETERS: &[(&str, &str)] = &[
    ("ipython", "c"),
    ("irb", "er"),
    ("octave", ""),
    ("octave-cli", ""),
    ("ocaml", "e"),
    ("python", "c"),
    ("racket", "e"),
    ("sbcl", ""),
    ("swipl", "gt"),
    ("pypy", "c"),
    ("perl", "deEMmx"),
    ("ruby", "er"),
    ("node", "epr"),
    ("nodejs", "epr"),
    ("bun", "epr"),
    ("deno", "p"),
    ("php", "rBREd"),
    ("lua", "el"),
    ("luajit", "el"),
    ("Rscript", "e"),
    ("R", "e"),
    ("tclsh", ""),
    ("osascript", "e"),
    ("guile", "ce"),
    ("ghc", "e"),
    ("julia", "eE"),
    ("elixir", "e"),
    ("erl", "e"),
    ("groovy", "e"),
    ("scala", "e"),
];

/// Long options behind which a program stands, as the begin of the word.
const CODE_OPTIONS: &[&str] = &["eval", "print", "require", "import", "code", "execute", "command"];

/// Programs that start others in the way their words say.
pub(super) const STARTERS: &[&str] = &[
    "caffeinate",
    "catchsegv",
    "chronic",
    "chpst",
    "coreutils",
    "cpulimit",
    "crontab",
    "daemonize",
    "dbus-launch",
    "direnv",
    "ed",
    "dtach",
    "elvish",
    "emacs",
    "ex",
    "faketime",
    "gdb",
    "gnome-terminal",
    "hyperfine",
    "i386",
    "i486",
    "i586",
    "i686",
    "ifne",
    "lldb",
    "lksh",
    "linux32",
    "linux64",
    "m4",
    "nc",
    "ncat",
    "netcat",
    "nu",
    "nvim",
    "perf",
    "posh",
    "proxychains",
    "proxychains4",
    "rbash",
    "run-parts",
    "screen",
    "sem",
    "setarch",
    "socat",
    "softlimit",
    "sqlite3",
    "sshpass",
    "systemd-inhibit",
    "tmux",
    "torify",
    "torsocks",
    "vi",
    "view",
    "vim",
    "x86_64",
    "xonsh",
    "xterm",
    "zellij",
];

/// Options of programs that name another program to run, as the begin of the word.
const RUNNERS: &[(&str, &[&str])] = &[
    (
        "tar",
        &[
            "--checkpoint-action",
            "--to-command",
            "--use-compress",
            "--info-script",
            "--new-volume-script",
            "--rmt-command",
            "--rsh-command",
            "-I",
            "-F",
        ],
    ),
    ("bsdtar", &["--use-compress"]),
    ("split", &["--filter"]),
    ("sort", &["--compress"]),
    ("rsync", &["-e", "--rsh", "--rsync-path"]),
    ("scp", &["-S", "-o"]),
    ("sftp", &["-S", "-o"]),
    ("zip", &["-T", "--unzip-command"]),
    ("rg", &["--pre", "--hostname-bin"]),
    ("man", &["-P", "-H", "--pager", "--html"]),
    ("bat", &["--pager"]),
    ("less", &["+"]),
    ("nix-shell", &["--run", "--command"]),
    ("wget", &["--use-askpass"]),
    ("ctags", &["--options"]),
    ("fzf", &["--preview", "--bind", "--with-shell", "--become"]),
    ("sk", &["--preview", "--bind", "-c", "--cmd", "-i"]),
    // Besides what [`make_evaluates`] finds.
    ("make", &["--ev", "SHELL=", "MAKEFLAGS="]),
    ("cargo", &["--config"]),
    ("ssh", &["-o", "-F"]),
    ("npm", &["--script-shell", "--node-options"]),
    ("npx", &["-c", "--call", "--node-options"]),
    ("go", &["-exec", "-toolexec", "-vettool", "--exec", "--toolexec", "--vettool"]),
    ("just", &["--shell", "--chooser"]),
    ("gcloud", &["--command"]),
    ("gcc", &["-wrapper"]),
    ("g++", &["-wrapper"]),
    ("cc", &["-wrapper"]),
    ("ip", &["netns"]),
];

/// Whether a program that starts others is only asked what there is: `crontab -l`, `tmux ls`. Nothing
/// may follow.
pub(in crate::permission) fn only_looks(words: &[Word]) -> bool {
    let texts: Option<Vec<&str>> = words.iter().map(Word::literal).collect();
    let Some((program, rest)) = texts.as_deref().and_then(<[&str]>::split_first) else {
        return false;
    };
    match program.rsplit('/').next().unwrap_or(program) {
        "crontab" => rest == ["-l"],
        "screen" => rest == ["-ls"] || rest == ["-list"],
        "tmux" => matches!(
            rest,
            ["ls" | "list-sessions" | "lsw" | "list-windows" | "lsp" | "list-panes"]
                | ["lsw" | "list-windows" | "lsp" | "list-panes", "-a"]
        ),
        _ => false,
    }
}

/// Why more may run than a simple command says, if so. The first word is known.
pub(super) fn hides(words: &[Word]) -> Option<&'static str> {
    let program = words.first().and_then(Word::literal)?;
    let name = program.rsplit('/').next().unwrap_or(program);
    let rest = words.get(1..).unwrap_or_default();
    if super::launch::asks_for_version(words) {
        return None;
    }
    match name {
        "bash" | "sh" | "dash" => {
            return matches!(source_of(rest), Source::Input).then_some(READS);
        }
        "awk" | "gawk" | "mawk" | "nawk" => {
            return (!super::awk::only_prints(rest)).then_some(CODE);
        }
        "sed" | "gsed" => return (!super::sed::is_plain(rest)).then_some(CODE),
        "git" => {
            // `git fetch 'ext::program words'`.
            if rest.iter().any(|word| word.text.starts_with("ext::")) {
                return Some(STARTS);
            }
            let sets = super::git(words).is_some_and(|git| super::git_names::sets_program(&git));
            return sets.then_some(SETS);
        }
        "gh" => return aliases(rest).then_some(STARTS),
        _ if name.starts_with("ld-linux") || name.starts_with("ld.so") || name == "ld-musl" => {
            return Some(STARTS);
        }
        _ => {}
    }
    if let Some((known, letters)) =
        INTERPRETERS.iter().find(|(known, _)| is_version_of(name, known))
    {
        // To these `--version` is no question: they read on.
        if matches!(*known, "erl" | "tclsh") && rest.iter().all(|word| word.text.starts_with('-')) {
            return Some(READS);
        }
        return interpreter(rest, letters);
    }
    if name == "sqlite3" && super::console::only_queries(rest) {
        return None;
    }
    if super::console::starts_by_words(name, rest) {
        return Some(STARTS);
    }
    if STARTERS.contains(&name) && !rest.is_empty() && !only_looks(words) {
        return Some(STARTS);
    }
    let plain = if name == "gmake" { "make" } else { name };
    let (_, begins) = RUNNERS.iter().find(|(known, _)| *known == plain)?;
    let acts = |word: &Word| begins.iter().any(|begin| word.text.starts_with(begin));
    let unknown = |word: &Word| word.literal().is_none() && word.may_be_option();
    if plain == "make" && rest.iter().any(make_evaluates) {
        return Some(STARTS);
    }
    // `make -f -`, `make -f /dev/stdin`.
    let fed = plain == "make"
        && rest.windows(2).any(|pair| {
            let [option, file] = pair else { return false };
            let is_file = option.text.starts_with('-') && option.text.ends_with('f')
                || ["--fi", "--mak"].iter().any(|begin| option.text.starts_with(begin));
            is_file && (file.literal().is_none() || is_input(&file.text))
        });
    if plain == "npm" && runs_by_npm(rest) {
        return Some(STARTS);
    }
    (fed || rest.iter().any(|word| acts(word) || unknown(word))).then_some(STARTS)
}

/// Whether a shell or a program runs what a variable of this name holds.
pub fn holds_command(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "BASHOPTS",
        "BASH_ENV",
        "BROWSER",
        "EDITOR",
        "ENV",
        "IFS",
        "LESSCLOSE",
        "LD_AUDIT",
        "LD_PRELOAD",
        "LESSOPEN",
        "MANPAGER",
        "NODE_OPTIONS",
        "PAGER",
        "PERL5OPT",
        "PROMPT_COMMAND",
        "PS0",
        "PS1",
        "PS2",
        "PS4",
        "PYTHONINSPECT",
        "PYTHONSTARTUP",
        "RUBYOPT",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "SHELLOPTS",
        "SSH_ASKPASS",
        "TAR_OPTIONS",
        "VISUAL",
    ];
    const OF_GIT: &[&str] = &[
        "ALLOW_PROTOCOL",
        "ASKPASS",
        "CONFIG",
        "EDITOR",
        "EXTERNAL_DIFF",
        "PAGER",
        "PROXY",
        "SEQUENCE",
        "SSH",
    ];
    let of_git = name.strip_prefix("GIT_");
    NAMES.contains(&name)
        || of_git.is_some_and(|name| OF_GIT.iter().any(|begin| name.starts_with(begin)))
}

/// Why more may run than a simple command says, by the variables that it is given.
pub(super) fn assigned(assigns: &[(String, Word)]) -> Option<&'static str> {
    let plain = |value: &Word| {
        let known = ["", "cat", "less", "more", "true", "false", ":"];
        value.literal().is_some_and(|text| known.contains(&text))
    };
    let flags = |name: &str| matches!(name, "MAKEFLAGS" | "GNUMAKEFLAGS" | "MFLAGS");
    let hides = |(name, value): &(String, Word)| {
        (holds_command(name) && !plain(value)) || (flags(name) && flags_evaluate(value))
    };
    assigns.iter().any(hides).then_some(HELD)
}

/// `python3.12` is `python`.
pub(super) fn is_version_of(name: &str, known: &str) -> bool {
    name.strip_prefix(known)
        .is_some_and(|rest| rest.chars().all(|c| c == '.' || c == '-' || c.is_ascii_digit()))
}

/// Whether a word of `make` holds a piece of a makefile, which may start anything, or says that one comes
/// by its input: `-E '$(shell …)'`, `-sf-`, `CC=$(shell …)`.
fn make_evaluates(word: &Word) -> bool {
    /// Letters of its options that have a value.
    const VALUED: &str = "CIWfjloO";
    let text = word.text.as_str();
    if text.contains('$') {
        return true;
    }
    if let Some(long) = text.strip_prefix("--") {
        let file = |name: &str| name.starts_with("fi") || name.starts_with("mak");
        return long.split_once('=').is_some_and(|(name, value)| file(name) && is_input(value));
    }
    let Some(cluster) = text.strip_prefix('-') else { return false };
    for (at, letter) in cluster.char_indices() {
        let own = cluster.get(at + letter.len_utf8()..).unwrap_or_default();
        match letter {
            'E' => return true,
            'f' => return is_input(own),
            _ if VALUED.contains(letter) => return false,
            _ => {}
        }
    }
    false
}

/// Whether a value of `MAKEFLAGS` may hold a piece of a makefile.
fn flags_evaluate(value: &Word) -> bool {
    let text = value.text.as_str();
    let unknown = value.literal().is_none() && !text.starts_with("-j");
    let words = || text.split_whitespace();
    unknown
        || text.contains('$')
        || words().any(|flag| flag.starts_with("--ev"))
        || words().any(|flag| !flag.starts_with("--") && flag.contains('E'))
}

/// `gh alias set x '!command'`.
fn aliases(rest: &[Word]) -> bool {
    rest.first().is_some_and(|word| word.may_be("alias"))
        && rest.get(1).is_some_and(|word| word.may_be("set") || word.may_be("import"))
}

/// Modules of Python that run the code in their words, that they read, or that another option names.
fn of_module(module: &str, words: &[Word]) -> Option<&'static str> {
    match module {
        "code" | "asyncio" | "IPython" | "bpython" | "ptpython" => Some(READS),
        "timeit" | "pdb" => (!words.is_empty()).then_some(CODE),
        "cProfile" | "profile" | "runpy" | "trace" => {
            let gives = |word: &Word| match word.literal() {
                Some(text) => is_input(text) || matches!(text, "-c" | "-m" | "--module"),
                None => word.may_be_option(),
            };
            words.iter().any(gives).then_some(CODE)
        }
        _ => None,
    }
}

/// `npm exec`, `npm x`: the first word that is neither an option nor may be the value of one says so.
fn runs_by_npm(rest: &[Word]) -> bool {
    let mut after_option = false;
    for word in rest {
        if word.text.starts_with('-') {
            after_option = !word.text.contains('=');
            continue;
        }
        let names = |name: &str| word.may_be(name) || name.starts_with(&*word.text);
        if names("x") || (names("exec") && word.text.len() > 1) {
            return true;
        }
        if !after_option && word.is_one() {
            return false;
        }
        after_option = false;
    }
    false
}

/// An interpreter that reads its program is given this one.
pub(super) fn feed(run: &mut Run, program: &str) {
    let name = run.words.first().and_then(Word::literal).unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or(name);
    let interprets = INTERPRETERS.iter().any(|(known, _)| is_version_of(name, known));
    if interprets && run.hides == Some(READS) && !run.piped {
        run.hides = Some(CODE);
        run.fed = Some(Word::known(program));
    }
}

/// Files that are what a program is fed.
pub(super) fn is_input(text: &str) -> bool {
    text == "-" || text.starts_with("/dev/") || text.starts_with("/proc/")
}

/// Where a shell has its script from.
enum Source<'a> {
    /// What it is fed, or a word that is not known.
    Input,
    /// A word: `bash -c` is read elsewhere.
    Word,
    File(&'a Word),
}

impl<'a> Source<'a> {
    fn of_file(word: Option<&'a Word>) -> Self {
        word.filter(|word| !is_input(&word.text)).map_or(Self::Input, Self::File)
    }
}

/// The file in which a shell, which these words start, finds its script.
pub fn script_file(words: &[Word]) -> Option<&Word> {
    match source_of(words.get(1..).unwrap_or_default()) {
        Source::File(file) => Some(file),
        Source::Input | Source::Word => None,
    }
}

fn source_of(rest: &[Word]) -> Source<'_> {
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let Some(text) = word.literal() else { return Source::Input };
        match text.strip_prefix(['-', '+']) {
            Some("") => return Source::Input,
            Some("-") => return Source::of_file(words.next()),
            // The value of some, `--rcfile x`, is taken for the script: it runs too.
            Some(long) if long.starts_with('-') => {}
            Some(letters) if letters.contains('c') => return Source::Word,
            Some(letters) if letters.contains('s') => return Source::Input,
            // Each has a word of its own: `-eo pipefail`, `-oe pipefail`.
            Some(letters) => letters.matches(['o', 'O']).for_each(|_| {
                words.next();
            }),
            None => return Source::of_file(Some(word)),
        }
    }
    Source::Input
}

/// An interpreter with a program in its words, or with none: then it reads one.
fn interpreter(rest: &[Word], letters: &str) -> Option<&'static str> {
    let (mut after_option, mut file) = (false, false);
    for (at, word) in rest.iter().enumerate() {
        let Some(text) = word.literal() else { return Some(CODE) };
        match text.strip_prefix('-') {
            Some("") => return Some(READS),
            // `python -m module args`: as good as a file.
            Some(option)
                if letters == "c"
                    && !option.contains(['-', 'c', 'W', 'X'])
                    && option.contains('m') =>
            {
                let own = option.split_once('m').map(|(_, own)| own).filter(|own| !own.is_empty());
                let after = rest.get(at + 1..).unwrap_or_default();
                return match (own, after) {
                    (Some(module), words) => of_module(module, words),
                    (None, [module, words @ ..]) => {
                        module.literal().map_or(Some(CODE), |module| of_module(module, words))
                    }
                    (None, []) => None,
                };
            }
            Some(option) => {
                let long = option.strip_prefix('-');
                let code = match long {
                    Some(long) => CODE_OPTIONS.iter().any(|code| long.starts_with(code)),
                    None => option.contains(|c| letters.contains(c)),
                };
                if code {
                    return Some(CODE);
                }
                after_option = true;
                continue;
            }
            None if text == "eval" => return Some(CODE),
            None if is_input(text) => return Some(READS),
            // It may be that option's value.
            None if after_option => file = true,
            None => return None,
        }
        after_option = false;
    }
    (!file).then_some(READS)
}
