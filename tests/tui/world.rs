//! A home, a project directory, a model server, and the program started between them.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::model_server::{ModelServer, Reply, Script};
use crate::support::pty::Pty;
use crate::support::screen::is_idle;

/// The idle prompt row of a [`World`].
pub const PROMPT: &str = "── input ── tester@project💫";

/// Everything around the program.
pub struct World {
    directory: tempfile::TempDir,
    /// None when no model is configured.
    server: Option<ModelServer>,
}

impl World {
    /// A configured model that follows this script.
    pub fn new(script: impl Script) -> Self {
        Self::with_config(script, "")
    }

    /// The same with these lines on top of the configuration.
    pub fn with_config(script: impl Script, lines: &str) -> Self {
        let server = ModelServer::start(script);
        let world = Self::empty(Some(server));
        std::fs::create_dir_all(world.share()).expect("a directory");
        let config = format!(
            "default_model = \"mock\"\ndefault_thinking = true\n{lines}\n[providers.mock]\n\
             type = \"kimi\"\nbase_url = \"{url}\"\napi_key = \"sk-test\"\n[models.mock]\n\
             provider = \"mock\"\nmodel = \"mock-model\"\nmax_context_size = 262144\n\
             capabilities = [\"thinking\"]\n[models.other]\nprovider = \"mock\"\n\
             model = \"other-model\"\nmax_context_size = 100000\n",
            url = world.server().url()
        );
        std::fs::write(world.share().join("config.toml"), config).expect("a configuration");
        world
    }

    /// Nothing is configured.
    pub fn without_model() -> Self {
        Self::empty(None)
    }

    fn empty(server: Option<ModelServer>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(directory.path().join("project")).expect("a directory");
        std::fs::create_dir_all(directory.path().join("home")).expect("a directory");
        Self { directory, server }
    }

    /// The model server.
    pub fn server(&self) -> &ModelServer {
        self.server.as_ref().expect("a world with a model")
    }

    /// The directory that the program works in.
    pub fn work(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    /// `KIMI_SHARE_DIR`.
    pub fn share(&self) -> PathBuf {
        self.directory.path().join("share")
    }

    /// The home directory.
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// Writes a file into the project.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// The whole environment of the program.
    pub fn env(&self) -> Vec<(String, String)> {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        [
            ("HOME", self.home().display().to_string()),
            ("KIMI_SHARE_DIR", self.share().display().to_string()),
            ("USER", "tester".to_owned()),
            ("TERM", "xterm-256color".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("PATH", path),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Starts the program with these arguments in 100 columns and 30 rows and waits for its prompt.
    pub fn start(&self, args: &[&str]) -> Kimi {
        self.start_sized(args, (100, 30))
    }

    /// The same with this many columns and rows.
    pub fn start_sized(&self, args: &[&str], size: (u16, u16)) -> Kimi {
        self.start_with(args, &[], size)
    }

    /// The same with more environment variables.
    pub fn start_with(&self, args: &[&str], more: &[(&str, &str)], size: (u16, u16)) -> Kimi {
        let kimi = self.spawn(Path::new(env!("CARGO_BIN_EXE_kimi")), args, more, size);
        kimi.wait_for_rows("the first prompt", is_idle);
        kimi
    }

    /// Starts a shell line in which `kimi` is the program, and waits for its prompt.
    pub fn start_in_shell(&self, line: &str) -> Kimi {
        let bin = self.directory.path().join("bin");
        std::fs::create_dir_all(&bin).expect("a directory");
        let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kimi"), bin.join("kimi"));
        let line = format!("PATH={}:$PATH; {line}", bin.display());
        let kimi = self.spawn(Path::new("/bin/sh"), &["-c", &line], &[], (100, 30));
        kimi.wait_for_rows("the first prompt", is_idle);
        kimi
    }

    /// Starts any program without waiting for anything.
    pub fn spawn(
        &self,
        program: &Path,
        args: &[&str],
        more: &[(&str, &str)],
        size: (u16, u16),
    ) -> Kimi {
        let env = self.env();
        let mut env: Vec<(&str, &str)> =
            env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        env.extend(more);
        Kimi { pty: Pty::spawn(program, args, &env, &self.work(), size) }
    }

    /// The directory of the only session of the project.
    pub fn session_dir(&self) -> PathBuf {
        let mut found = Vec::new();
        for hash in read_dir(&self.share().join("sessions")) {
            found.extend(read_dir(&hash).into_iter().filter(|path| path.is_dir()));
        }
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }
}

fn read_dir(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// The running program.
pub struct Kimi {
    pty: Pty,
}

impl Deref for Kimi {
    type Target = Pty;

    fn deref(&self) -> &Pty {
        &self.pty
    }
}

impl DerefMut for Kimi {
    fn deref_mut(&mut self) -> &mut Pty {
        &mut self.pty
    }
}

impl Kimi {
    /// Types a message at the idle prompt, sends it and waits for its echo.
    pub fn ask(&mut self, text: &str) {
        let before = echoes(&self.history());
        self.type_line(text);
        self.wait_for_history("the echo", |rows| echoes(rows) > before);
    }

    /// Types a line, waits until it is in the composer, and presses Enter.
    pub fn type_line(&mut self, text: &str) {
        self.send(text);
        let typed = text.to_owned();
        self.wait_for_rows("the typed text", |rows| composed(rows).contains(&typed));
        self.send("\r");
    }

    /// A message and its whole turn; the history and the screen after it.
    pub fn turn(&mut self, text: &str) -> Vec<String> {
        let before = closings(&self.history());
        self.ask(text);
        self.wait_closed(before + 1)
    }

    /// Waits until so many turns have ended and the prompt is back.
    pub fn wait_closed(&self, count: usize) -> Vec<String> {
        let what = format!("the end of turn {count}");
        self.wait_for_history(&what, |rows| closings(rows) >= count);
        self.wait_for_rows("the prompt", is_idle);
        self.history()
    }

    /// Waits until the text is on the screen.
    pub fn wait_text(&self, text: &str) -> Vec<String> {
        self.wait_for_rows(text, |rows| rows.iter().any(|row| row.contains(text)))
    }

    /// Waits until the text is nowhere on the screen.
    pub fn wait_gone(&self, text: &str) -> Vec<String> {
        let what = format!("the end of {text}");
        self.wait_for_rows(&what, |rows| !rows.iter().any(|row| row.contains(text)))
    }

    /// Leaves with `/exit` and returns the status.
    pub fn exit(mut self) -> u32 {
        self.send("/exit");
        self.wait_text("/exit");
        self.send("\r");
        self.wait_exit()
    }
}

/// The echoes of messages among the rows.
pub fn echoes(rows: &[String]) -> usize {
    rows.iter().filter(|row| row.starts_with(" ╭─ you ")).count()
}

/// The closing rows among the rows.
pub fn closings(rows: &[String]) -> usize {
    let starts = [" • Done", " • Interrupted after ", " • Failed after "];
    rows.iter().filter(|row| starts.iter().any(|start| row.starts_with(start))).count()
}

/// What stands below the prompt row, as one text.
pub fn composed(rows: &[String]) -> String {
    let at = rows.iter().rposition(|row| row.starts_with("── input ──")).unwrap_or(rows.len());
    rows.iter().skip(at + 1).map(|row| row.trim_start()).collect::<Vec<_>>().join("\n")
}

/// How many rows contain the text.
pub fn count(rows: &[String], text: &str) -> usize {
    rows.iter().filter(|row| row.contains(text)).count()
}

/// A reply that comes long enough after the last key that a dialog takes keys at once.
pub fn unhurried() -> Reply {
    Reply::new().late(Duration::from_millis(800))
}
