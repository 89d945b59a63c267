//! Programs that start what stands somewhere among their words: `uv run …`, `docker run image …`.
//!
//! Where the command begins depends on options that are not known here, so every place is one where it
//! may begin. That is enough to find what a rule forbids, and not to say what is allowed.

use std::collections::HashMap;

use super::launch::asks_for_version;
use super::simple::is_of_shell;
use super::{ANY, Part, Reader, Run, Unclear, Word, read};

/// A program that starts what stands among its words.
struct Carrier {
    name: &'static str,
    /// The words of which one has to come first; none: the program alone.
    verbs: &'static [&'static str],
    /// Words before the command that are no options: an image, a user.
    before: usize,
    /// Whether every word may be a command.
    anywhere: bool,
    /// Whether a shell reads its words.
    scripts: bool,
    /// Whether the command stands right behind `--`.
    ends_options: bool,
    /// Options without a value.
    flags: &'static [&'static str],
    /// Options of which the next word is the value.
    valued: &'static [&'static str],
    input: Input,
}

/// Whether what a carrier starts reads what the carrier is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Always,
    /// If it is told so, as containers are.
    Asked,
    /// The same, and not at all with a terminal: it refuses to go on.
    AskedNoTerminal,
}

const fn carrier(name: &'static str, verbs: &'static [&'static str]) -> Carrier {
    Carrier {
        name,
        verbs,
        before: 0,
        anywhere: false,
        scripts: false,
        ends_options: false,
        flags: &[],
        valued: &[],
        input: Input::Always,
    }
}

const DOCKER_FLAGS: &[&str] = &[
    "--detach",
    "--init",
    "--interactive",
    "--privileged",
    "--rm",
    "--tty",
    "-d",
    "-dit",
    "-i",
    "-it",
    "-t",
    "-ti",
];
/// Letters of [`DOCKER_FLAGS`], which may stand together.
const DOCKER_LETTERS: &str = "dit";
const DOCKER_VALUED: &[&str] = &[
    "--env",
    "--env-file",
    "--mount",
    "--name",
    "--network",
    "--platform",
    "--publish",
    "--user",
    "--volume",
    "--workdir",
    "-e",
    "-p",
    "-u",
    "-v",
    "-w",
];

/// A program that starts others in containers, as `docker` does.
const fn container(name: &'static str) -> Carrier {
    Carrier {
        before: 1,
        flags: DOCKER_FLAGS,
        valued: DOCKER_VALUED,
        ..carrier(name, &["exec", "run"])
    }
}

/// One that does so in pods.
const fn in_pod(name: &'static str) -> Carrier {
    Carrier {
        before: 1,
        ends_options: true,
        flags: DOCKER_FLAGS,
        valued: &["-c", "-f", "-n"],
        input: Input::Asked,
        ..carrier(name, &["debug", "exec", "run"])
    }
}

const NPX_FLAGS: &[&str] = &["--no", "--no-install", "--quiet", "--yes", "-q", "-y"];
const UV_FLAGS: &[&str] = &[
    "--all-extras",
    "--dev",
    "--frozen",
    "--isolated",
    "--locked",
    "--no-dev",
    "--no-sync",
    "--quiet",
    "-q",
];

const CARRIERS: &[Carrier] = &[
    Carrier { before: 1, ..carrier("asdf", &["exec"]) },
    Carrier { before: 1, ends_options: true, ..carrier("aws-vault", &["exec"]) },
    Carrier { scripts: true, ..carrier("adb", &["shell"]) },
    Carrier { before: 1, ends_options: true, ..carrier("buildah", &["run"]) },
    carrier("bun", &["exec", "x"]),
    carrier("bundle", &["exec"]),
    Carrier { flags: NPX_FLAGS, ..carrier("bunx", &[]) },
    Carrier { anywhere: true, scripts: true, ..carrier("capsh", &[]) },
    Carrier { scripts: true, ..carrier("cargo", &["watch"]) },
    Carrier { scripts: true, ..carrier("cargo-watch", &[]) },
    carrier("cgexec", &[]),
    carrier("cmake", &["-E"]),
    carrier("choom", &[]),
    Carrier { anywhere: true, scripts: true, ..carrier("concurrently", &[]) },
    carrier("conda", &["run"]),
    carrier("corepack", &[]),
    carrier("cross-env", &[]),
    Carrier { before: 1, ends_options: true, ..carrier("distrobox", &["enter"]) },
    Carrier { input: Input::AskedNoTerminal, ..container("docker") },
    // What stands in the place of `docker compose` hands its input on by itself.
    container("docker-compose"),
    Carrier { scripts: true, ..carrier("doppler", &["run"]) },
    carrier("dotenv", &[]),
    carrier("dotenvx", &["run"]),
    carrier("dumb-init", &[]),
    carrier("eatmydata", &[]),
    Carrier { before: 1, ..carrier("flatpak", &["run"]) },
    carrier("foreman", &["run"]),
    Carrier { before: 1, ..carrier("gdbserver", &[]) },
    Carrier { before: 1, ..carrier("gosu", &[]) },
    carrier("gpg-agent", &[]),
    Carrier { anywhere: true, ends_options: true, ..carrier("guix", &["environment", "shell"]) },
    carrier("hatch", &["run"]),
    carrier("heaptrack", &[]),
    carrier("honcho", &["run"]),
    Carrier { before: 1, ends_options: true, ..carrier("incus", &["exec"]) },
    in_pod("kubectl"),
    Carrier { before: 1, ends_options: true, ..carrier("lxc", &["exec"]) },
    Carrier { before: 1, ends_options: true, ..carrier("machinectl", &["shell"]) },
    carrier("mamba", &["run"]),
    carrier("micromamba", &["run"]),
    Carrier { anywhere: true, scripts: true, ..carrier("mise", &["exec", "x"]) },
    Carrier { before: 1, ends_options: true, ..carrier("mosh", &[]) },
    Carrier { before: 1, ends_options: true, ..carrier("multipass", &["exec"]) },
    Carrier { input: Input::AskedNoTerminal, ..container("nerdctl") },
    Carrier {
        before: 1,
        ends_options: true,
        scripts: true,
        ..carrier("nix", &["develop", "run", "shell"])
    },
    Carrier { scripts: true, ..carrier("nodemon", &[]) },
    Carrier { flags: NPX_FLAGS, valued: &["--package", "-p"], ..carrier("npx", &[]) },
    in_pod("oc"),
    carrier("op", &["run"]),
    carrier("pdm", &["run"]),
    Carrier { anywhere: true, scripts: true, ..carrier("pee", &[]) },
    carrier("pipenv", &["run"]),
    carrier("pipx", &["run"]),
    carrier("pnpm", &["dlx", "exec"]),
    Carrier { flags: NPX_FLAGS, ..carrier("pnpx", &[]) },
    Carrier { verbs: &["exec", "run", "unshare"], input: Input::Asked, ..container("podman") },
    container("podman-compose"),
    carrier("poetry", &["run"]),
    carrier("pyenv", &["exec"]),
    carrier("rbenv", &["exec"]),
    carrier("rr", &["record"]),
    Carrier { before: 1, ..carrier("rustup", &["run"]) },
    carrier("rye", &["run"]),
    carrier("ssh-agent", &[]),
    Carrier { before: 1, ..carrier("su-exec", &[]) },
    carrier("tini", &[]),
    Carrier { before: 1, ..carrier("toolbox", &["run"]) },
    Carrier { anywhere: true, ..carrier("tox", &["--", "exec"]) },
    Carrier {
        flags: UV_FLAGS,
        valued: &["--extra", "--group", "--package", "--python", "--with", "-p"],
        ..carrier("uv", &["run"])
    },
    carrier("uclampset", &[]),
    Carrier {
        flags: UV_FLAGS,
        valued: &["--from", "--python", "--with", "-p"],
        ..carrier("uvx", &[])
    },
    Carrier { before: 1, scripts: true, ..carrier("vagrant", &["ssh"]) },
    carrier("volta", &["run"]),
    Carrier { scripts: true, ..carrier("watchexec", &[]) },
    Carrier { scripts: true, ends_options: true, ..carrier("wsl", &[]) },
    carrier("yarn", &["dlx", "exec"]),
];
/// Options of them that name a program, or hold a script, behind a `=`.
const STARTING: &[&str] = &["--call=", "--cmd=", "--command=", "--entrypoint=", "--exec="];
/// More words than these are not tried.
const MAX_PLACES: usize = 100;

/// What may start behind a carrier.
#[derive(Debug)]
pub struct Carried {
    /// A command, or what of it is not known.
    pub part: Part,
    /// Whether the command may well begin there, and is not among its words.
    pub begins: bool,
    /// Whether it is also handed the carrier's input.
    pub fed: bool,
    /// Whether the words that it stands in give it an input.
    pub given: bool,
}

/// What a simple command may start in this way.
pub fn carried(run: &Run) -> Vec<Carried> {
    let words = &run.words;
    let Some((carrier, begin)) = Carrier::of(words) else { return Vec::new() };
    let mut all = carrier.unknown(words, begin, run);
    // Where a command may begin, and whether it is handed the input there.
    let fed = |carrier: &Carrier, words: &[Word], from: usize, begin: usize| {
        let input = carrier.hands_input(words, begin);
        carrier.places(words, begin).into_iter().map(move |at| (from + at, input))
    };
    let mut places: HashMap<usize, bool> = fed(carrier, words, 0, begin).collect();
    let mut scripts = carrier.scripts;
    for at in (begin..words.len()).take(MAX_PLACES) {
        let Some(rest) = words.get(at..) else { break };
        let Some(text) = rest.first().and_then(Word::literal) else { continue };
        let mut given = false;
        // Of what no shell reads, and of what is a word to shells alone, only the commands may count.
        let (parts, certain) = match text.contains(' ') {
            // A whole command in one word.
            true => {
                let script = read(text);
                given = script.feeds;
                (script.parts, scripts)
            }
            false if text.starts_with('-') => match started_by_option(text) {
                Some(program) => (read(program).parts, false),
                None => continue,
            },
            false => {
                let mut reader = Reader::default();
                reader.run(rest.to_vec(), Vec::new(), run.shown.clone(), true);
                reader.check_homes();
                (reader.parts, !is_of_shell(text))
            }
        };
        let counts = parts.into_iter().filter(|part| certain || part.run().is_some());
        let begins = places.get(&at).copied();
        let input = begins.unwrap_or_default();
        all.extend(counts.map(|part| Carried {
            given: given || part.run().is_some_and(|run| run.piped),
            begins: begins.is_some(),
            fed: input,
            part,
        }));
        // One that starts another: `npx concurrently …`.
        if let Some((inner, begin)) = Carrier::of(rest) {
            scripts |= inner.scripts;
            all.extend(inner.unknown(rest, begin, run));
            if begins.is_some() {
                for (place, handed) in fed(inner, rest, at, begin) {
                    *places.entry(place).or_default() |= input && handed;
                }
            }
        }
    }
    all
}

impl Carrier {
    /// The carrier that a command is, and the first word that may begin what it starts.
    fn of(words: &[Word]) -> Option<(&'static Self, usize)> {
        let program = words.first().and_then(Word::literal)?;
        let name = program.rsplit('/').next().unwrap_or(program);
        let carrier = CARRIERS.iter().find(|carrier| carrier.name == name)?;
        if asks_for_version(words) {
            return None;
        }
        let is_verb = |word: &Word| carrier.verbs.iter().any(|verb| word.may_be(verb));
        match carrier.verbs.is_empty() {
            true => Some((carrier, 1)),
            false => words.iter().skip(1).position(is_verb).map(|at| (carrier, at + 2)),
        }
    }

    /// Where its command may well begin.
    fn places(&self, words: &[Word], begin: usize) -> Vec<usize> {
        let mut places = Vec::new();
        // Words before the next that are no options, and no values of options, for certain.
        let mut operands = 0;
        let mut option = Option::None;
        for (at, word) in words.iter().enumerate().skip(begin).take(MAX_PLACES) {
            let text = word.text.as_str();
            let is_option = word.literal().is_some() && text.starts_with('-');
            let value_of = option.take();
            if text == "--" {
                operands = if self.ends_options { self.before } else { operands };
                continue;
            }
            if is_option {
                let alone = text.contains('=') || self.flags.contains(&text);
                option = (!alone).then_some(text);
                continue;
            }
            let is_value = value_of.is_some_and(|option| self.valued.contains(&option));
            let open = self.anywhere || operands <= self.before;
            if at == begin || (open && !(is_value && word.is_one())) {
                places.push(at);
            }
            if word.literal().is_some() && value_of.is_none() {
                operands += 1;
            }
        }
        places
    }

    /// Whether what it starts reads what the carrier is fed. `begin`: the word behind its verb.
    fn hands_input(&self, words: &[Word], begin: usize) -> bool {
        // `docker compose exec` hands its input on unasked, and without a terminal where it has none.
        let composes = || words.iter().take(begin).skip(1).any(|word| word.may_be("compose"));
        match self.input {
            Input::Always => true,
            Input::Asked => composes() || asks_for_input(words),
            Input::AskedNoTerminal => {
                composes() || (asks_for_input(words) && !self.needs_terminal(words, begin))
            }
        }
    }

    /// Whether a terminal is asked for, for certain: by its own options, each of which is known.
    fn needs_terminal(&self, words: &[Word], begin: usize) -> bool {
        let mut terminal = false;
        let mut words = words.iter().skip(begin);
        while let Some(word) = words.next() {
            let Some(text) = word.literal() else { return false };
            let letters = text.strip_prefix('-').unwrap_or_default();
            if self.valued.contains(&text) {
                if words.next().is_none_or(|value| !value.is_one()) {
                    return false;
                }
            } else if letters.is_empty() {
                break;
            } else if letters.chars().all(|letter| DOCKER_LETTERS.contains(letter)) {
                terminal |= letters.contains('t');
            } else if self.flags.contains(&text) {
                terminal |= text == "--tty";
            } else if !self.has_value(text) {
                // It may take the terminal back: `-t=false`.
                return false;
            }
        }
        terminal
    }

    /// Whether an option is one with a value that stands in the same word: `-uroot`, `--user=root`.
    fn has_value(&self, text: &str) -> bool {
        let is_long = text.starts_with("--");
        self.valued.iter().any(|option| match option.starts_with("--") {
            true => text.split_once('=').is_some_and(|(name, _)| name == *option),
            false => !is_long && text.starts_with(option),
        })
    }

    /// The words that are not known and stand where its command may begin.
    fn unknown(&self, words: &[Word], begin: usize, run: &Run) -> Vec<Carried> {
        let unknown = |at: usize| {
            let rest = words.get(at..).unwrap_or_default();
            let word = rest.first().filter(|word| word.literal().is_none())?;
            if at != begin && !may_be_program(word) {
                return None;
            }
            let own = started_by_option(&word.text).map(|text| vec![Word::known(text)]);
            let part = self.unknown_part(own.unwrap_or_else(|| rest.to_vec()), run);
            Some(Carried { part, begins: true, fed: self.hands_input(words, begin), given: false })
        };
        self.places(words, begin).into_iter().filter_map(unknown).collect()
    }

    /// A command whose first word is not known.
    fn unknown_part(&self, words: Vec<Word>, run: &Run) -> Part {
        if self.scripts {
            let (shown, why) = (run.shown.clone(), "part of it is only known when it runs");
            return Part::Unclear(Unclear { shown, why, hides: true });
        }
        Part::Run(Run { words, ..run.clone() })
    }
}

/// Whether an option may ask that the input is handed on.
fn asks_for_input(words: &[Word]) -> bool {
    let asks = |word: &Word| match word.text.strip_prefix('-') {
        Some(option) if option.starts_with('-') => {
            let name = option.split('=').next().unwrap_or_default();
            matches!(name, "-attach" | "-interactive" | "-stdin") || word.literal().is_none()
        }
        Some(letters) => letters.contains(['a', 'i', ANY]),
        None => word.literal().is_none() && word.may_be_option(),
    };
    words.iter().skip(1).any(asks)
}

/// `rm` of `--entrypoint=rm`.
fn started_by_option(text: &str) -> Option<&str> {
    STARTING.iter().find_map(|option| text.strip_prefix(option))
}

/// Whether a word that is not known may name a program: `$X:/w` and `name=$X` do not.
fn may_be_program(word: &Word) -> bool {
    started_by_option(&word.text).is_some()
        || (!word.text.starts_with('-') && !word.text.contains([':', '=']))
}
