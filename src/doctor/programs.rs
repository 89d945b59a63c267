//! Terminal, tmux and the programs that tools start.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::Finding;
use crate::platform::{Env, shell};

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(3);
/// A version is no longer, in bytes.
const MAX_LINE: u64 = 80;

/// What the terminal says of itself.
pub(super) fn terminal(env: &Env, colours: &str) -> Finding {
    let term = env.var("TERM").unwrap_or_default();
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| env.var(name)).unwrap_or("C");
    let told = format!("TERM={term}, {colours}, locale {locale}");
    let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
    if term.is_empty() || term == "dumb" {
        let advice =
            "the screen needs a terminal that can move its cursor; kimi -p TEXT works anywhere";
        return Finding::warning("terminal", told, advice);
    }
    if !utf8 {
        let advice = "set LANG to a UTF-8 locale, such as C.UTF-8, if characters look wrong";
        return Finding::warning("terminal", told, advice);
    }
    Finding::ok("terminal", told)
}

/// Which tmux there is, and whether this runs in it.
pub(super) fn tmux(env: &Env) -> Finding {
    let inside = env.var("TMUX").is_some();
    match answer(env, "tmux", "-V") {
        Some(version) if inside => Finding::ok("tmux", format!("{version}, and this runs in it")),
        Some(version) => Finding::ok("tmux", version),
        None if inside => Finding::warning(
            "tmux",
            "this runs in tmux, but the program tmux is not on PATH",
            "put it on PATH: window titles, pane options and wait-for channels need it",
        ),
        None => Finding::ok("tmux", "not found, not needed"),
    }
}

/// What runs the commands of the model.
pub(super) fn shell() -> Finding {
    let path = shell::detect();
    match path.is_file() {
        true => Finding::ok("shell", path.display().to_string()),
        false => Finding::fault(
            "shell",
            format!("{} is not there", path.display()),
            "install bash: the tool Shell needs it",
        ),
    }
}

/// Git is not needed, but missed.
pub(super) fn git(env: &Env) -> Finding {
    match answer(env, "git", "--version") {
        Some(version) => Finding::ok("git", version),
        None => Finding::warning(
            "git",
            "not found",
            "install it: the branch in the status row, and most projects, need it",
        ),
    }
}

/// Searches are built in.
pub(super) fn ripgrep(env: &Env) -> Finding {
    let found = answer(env, "rg", "--version");
    let version = found.unwrap_or_else(|| "not found, not needed".to_owned());
    Finding::ok("rg", format!("{version}; Grep and Glob are built in"))
}

/// The first line of what a program says to an option, if it does so in time.
fn answer(env: &Env, program: &str, option: &str) -> Option<String> {
    let mut child = Command::new(on_path(env, program)?)
        .arg(option)
        .env_clear()
        .envs(env.child_vars())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take()?;
    // It may hold its output open for ever: the thread ends with the program, or with ours.
    std::thread::spawn(move || {
        let mut line = Vec::new();
        let read = BufReader::new(stdout.take(MAX_LINE)).read_until(b'\n', &mut line);
        let _ = sender.send(read.map(|_| line));
    });
    let line = receiver.recv_timeout(PATIENCE);
    let _ = child.kill();
    let _ = child.wait();
    let line = String::from_utf8_lossy(&line.ok()?.ok()?).trim().to_owned();
    (!line.is_empty()).then_some(line)
}

fn on_path(env: &Env, program: &str) -> Option<PathBuf> {
    let path = env.var("PATH")?;
    std::env::split_paths(path).map(|dir| dir.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;
    use crate::platform::env::fixed;

    #[test]
    fn programs_are_looked_for_on_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let env = fixed::env(dir.path(), &[("PATH", "/nowhere:/also/nowhere")]);
        assert_eq!(git(&env).health, Health::Warning);
        assert_eq!(ripgrep(&env).health, Health::Ok);
        assert_eq!(tmux(&env).told, "not found, not needed");
        let inside = fixed::env(dir.path(), &[("TMUX", "/tmp/x,1,0")]);
        assert_eq!(tmux(&inside).health, Health::Warning);
        std::fs::write(dir.path().join("git"), "not a program").unwrap();
        let path = dir.path().display().to_string();
        assert_eq!(git(&fixed::env(dir.path(), &[("PATH", &path)])).health, Health::Warning);
    }

    #[test]
    fn terminals_that_show_less_are_told() {
        let health = |vars: &[(&str, &str)]| terminal(&fixed::env("/h", vars), "").health;
        assert_eq!(health(&[("TERM", "xterm"), ("LANG", "en_US.UTF-8")]), Health::Ok);
        assert_eq!(health(&[("TERM", "xterm"), ("LANG", "en_US.utf8")]), Health::Ok);
        assert_eq!(health(&[("TERM", "xterm")]), Health::Warning);
        assert_eq!(
            health(&[("TERM", "xterm"), ("LANG", "C.UTF-8"), ("LC_ALL", "C")]),
            Health::Warning
        );
        assert_eq!(health(&[("TERM", "dumb"), ("LANG", "C.UTF-8")]), Health::Warning);
    }
}
