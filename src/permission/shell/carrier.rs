//! Programs that start what stands somewhere among their words: `uv run …`, `docker run image …`.
//!
//! Where the command begins depends on options that are not known here, so every place is one where it
//! may begin. That is enough to find what a rule forbids, and not to say what is allowed.

use super::launch::asks_for_version;
use super::{Part, Reader, Run, Word, read};

/// Programs, and the words of which one has to come first; none: the program alone.
const CARRIERS: &[(&str, &[&str])] = &[
    ("asdf", &["exec"]),
    ("aws-vault", &["exec"]),
    ("bun", &["exec", "x"]),
    ("bundle", &["exec"]),
    ("bunx", &[]),
    ("capsh", &[]),
    ("cargo", &["watch"]),
    ("cargo-watch", &[]),
    ("cgexec", &[]),
    ("cmake", &["-E"]),
    ("choom", &[]),
    ("concurrently", &[]),
    ("conda", &["run"]),
    ("corepack", &[]),
    ("cross-env", &[]),
    ("docker", &["exec", "run"]),
    ("doppler", &["run"]),
    ("dotenv", &[]),
    ("dotenvx", &["run"]),
    ("dumb-init", &[]),
    ("eatmydata", &[]),
    ("flatpak", &["run"]),
    ("foreman", &["run"]),
    ("gdbserver", &[]),
    ("gosu", &[]),
    ("gpg-agent", &[]),
    ("hatch", &["run"]),
    ("heaptrack", &[]),
    ("honcho", &["run"]),
    ("kubectl", &["exec", "run"]),
    ("mamba", &["run"]),
    ("micromamba", &["run"]),
    ("mise", &["exec", "x"]),
    ("mosh", &[]),
    ("nerdctl", &["exec", "run"]),
    ("nix", &["develop", "run", "shell"]),
    ("nodemon", &[]),
    ("npx", &[]),
    ("op", &["run"]),
    ("pdm", &["run"]),
    ("pee", &[]),
    ("pipenv", &["run"]),
    ("pipx", &["run"]),
    ("pnpm", &["dlx", "exec"]),
    ("pnpx", &[]),
    ("podman", &["exec", "run"]),
    ("poetry", &["run"]),
    ("pyenv", &["exec"]),
    ("rbenv", &["exec"]),
    ("rr", &["record"]),
    ("rustup", &["run"]),
    ("rye", &["run"]),
    ("ssh-agent", &[]),
    ("su-exec", &[]),
    ("tini", &[]),
    ("tox", &["--", "exec"]),
    ("uv", &["run"]),
    ("uclampset", &[]),
    ("uvx", &[]),
    ("vagrant", &["ssh"]),
    ("watchexec", &[]),
    ("yarn", &["dlx", "exec"]),
];
/// More words than these are not tried.
const MAX_PLACES: usize = 100;

/// The commands that a simple command may start in this way.
pub fn carried(run: &Run) -> Vec<Run> {
    let words = &run.words;
    let program = words.first().and_then(Word::literal).unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or(program);
    let Some((_, verbs)) = CARRIERS.iter().find(|(known, _)| *known == name) else {
        return Vec::new();
    };
    if asks_for_version(words) {
        return Vec::new();
    }
    let is_verb = |word: &Word| verbs.iter().any(|verb| word.may_be(verb));
    let begin = if verbs.is_empty() { Some(0) } else { words.iter().skip(1).position(is_verb) };
    let Some(begin) = begin else { return Vec::new() };
    let begin = begin + if verbs.is_empty() { 1 } else { 2 };
    let mut all = Vec::new();
    for at in (begin..words.len()).take(MAX_PLACES) {
        let Some(rest) = words.get(at..) else { break };
        let Some(text) = rest.first().and_then(Word::literal) else {
            if at == begin {
                // Any command.
                all.push(Run { words: rest.to_vec(), ..run.clone() });
            }
            continue;
        };
        let parts = match text.contains(' ') {
            // A whole command in one word.
            true => read(text).parts,
            false if text.starts_with('-') => continue,
            false => {
                let mut reader = Reader::default();
                reader.run(rest.to_vec(), Vec::new(), run.shown.clone(), true);
                reader.parts
            }
        };
        all.extend(parts.into_iter().filter_map(|part| match part {
            Part::Run(found) => Some(found),
            _ => None,
        }));
    }
    all
}
