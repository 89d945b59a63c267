//! The log file, `<data directory>/logs/kimi.log`.
//!
//! Nothing is opened and no thread is started before the first line is written, so that a healthy
//! run pays nothing. Lines are written by a thread of their own; the screen is never written to.
//! `KIMI_LOG` takes the usual filter (`debug`, `kimi_tui::llm=trace,warn`).
//!
//! What looks like a secret is masked: values of environment variables that are named like one,
//! and words with the usual marks of a key.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::Env;

/// What is logged when `KIMI_LOG` is not set: everything of note from this program, warnings from
/// the libraries.
const DEFAULT_FILTER: &str = "warn,kimi_tui=info";

/// What is logged with `--debug`.
const DEBUG_FILTER: &str = "info,kimi_tui=trace";

/// A log file longer than this many bytes is put aside as `kimi.log.1` when a run begins to log.
const MAX_LENGTH: u64 = 8 * 1024 * 1024;

/// Values shorter than this many bytes are too common to be masked as secrets.
const MIN_SECRET: usize = 8;

/// A running log. Dropping it writes what is pending.
pub struct Logging {
    sink: Arc<Sink>,
}

impl Logging {
    /// Where the log is, or would be.
    pub fn file(&self) -> &Path {
        &self.sink.file
    }

    /// Whether a line was written in this run.
    pub fn has_written(&self) -> bool {
        matches!(self.sink.open.get(), Some(Some(_)))
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        if let Some(Some(open)) = self.sink.open.get()
            && let Ok(mut guard) = open.guard.lock()
        {
            guard.take();
        }
    }
}

/// Starts logging for the whole process. Only the first start counts.
pub fn start(env: &Env, debug: bool) -> Logging {
    let sink =
        Arc::new(Sink { file: log_file(env), secrets: secrets_of(env), open: OnceLock::new() });
    // A second start in the same process, as in tests, keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber(env, debug, &sink));
    Logging { sink }
}

fn subscriber(env: &Env, debug: bool, sink: &Arc<Sink>) -> impl tracing::Subscriber + use<> {
    let default = if debug { DEBUG_FILTER } else { DEFAULT_FILTER };
    let filter = env
        .var("KIMI_LOG")
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(LogWriter(Arc::clone(sink)))
        .finish()
}

/// The log file of these surroundings.
fn log_file(env: &Env) -> PathBuf {
    let data = env.var("KIMI_SHARE_DIR").map_or_else(|| env.home.join(".kimi"), PathBuf::from);
    env.cwd.join(data).join("logs").join("kimi.log")
}

struct Sink {
    file: PathBuf,
    secrets: Vec<String>,
    /// `None` inside when the file could not be opened: then nothing is logged.
    open: OnceLock<Option<Open>>,
}

struct Open {
    writer: NonBlocking,
    guard: std::sync::Mutex<Option<WorkerGuard>>,
}

impl Sink {
    fn writer(&self) -> Option<NonBlocking> {
        let open = self.open.get_or_init(|| {
            let file = open_file(&self.file).ok()?;
            let (writer, guard) = tracing_appender::non_blocking(file);
            Some(Open { writer, guard: std::sync::Mutex::new(Some(guard)) })
        });
        open.as_ref().map(|open| open.writer.clone())
    }
}

/// Opens the log for appending, readable for its owner alone; a symlink in its place is refused.
fn open_file(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.len() > MAX_LENGTH) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(path)
}

#[derive(Clone)]
struct LogWriter(Arc<Sink>);

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

impl Write for LogWriter {
    /// Takes one whole line, as the subscriber's formatter hands it over.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(mut writer) = self.0.writer() {
            let text = String::from_utf8_lossy(line);
            writer.write_all(masked(&text, &self.0.secrets).as_bytes())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The values of variables that are named like secrets, the longest first.
fn secrets_of(env: &Env) -> Vec<String> {
    let mut secrets: Vec<String> = env
        .vars()
        .iter()
        .filter(|(name, value)| {
            let name = name.to_ascii_uppercase();
            value.len() >= MIN_SECRET
                && ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|mark| name.ends_with(mark))
        })
        .map(|(_, value)| value.clone())
        .collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// The line with secrets masked: known values, what follows `Bearer `, and words like `sk-...`.
fn masked<'a>(line: &'a str, secrets: &[String]) -> Cow<'a, str> {
    const MASK: &str = "[secret]";
    let mut line = Cow::Borrowed(line);
    for secret in secrets {
        if line.contains(secret.as_str()) {
            line = Cow::Owned(line.replace(secret.as_str(), MASK));
        }
    }
    let ends_word = |c: char| !(c.is_ascii_alphanumeric() || "-_.~+/=".contains(c));
    for mark in ["Bearer ", "sk-"] {
        if !line.contains(mark) {
            continue;
        }
        let mut clean = String::with_capacity(line.len());
        let mut rest = line.as_ref();
        while let Some((before, after)) = rest.split_once(mark) {
            let word = after.find(ends_word).unwrap_or(after.len());
            clean.push_str(before);
            clean.push_str(mark);
            // A short word is prose ("task-list"), not a key.
            clean.push_str(if word >= MIN_SECRET { MASK } else { &after[..word] });
            rest = &after[word..];
        }
        clean.push_str(rest);
        line = Cow::Owned(clean);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn secrets_are_masked() {
        let env = fixed::env("/h", &[("MY_API_KEY", "hunter2hunter2"), ("SHORT_TOKEN", "abc")]);
        let secrets = secrets_of(&env);
        assert_eq!(
            masked("a hunter2hunter2 b Bearer eyJhbGciOi.x c sk-abcdefghij, abc", &secrets),
            "a [secret] b Bearer [secret] c sk-[secret], abc"
        );
        assert_eq!(masked("task-list Bearer", &secrets), "task-list Bearer");
    }

    /// What a run with these variables logs when it has something small, then something bad to say.
    fn logged(vars: &[(&str, &str)], debug: bool) -> String {
        let dir = tempfile::tempdir().unwrap();
        let env = fixed::env(dir.path(), vars);
        let sink = Arc::new(Sink {
            file: log_file(&env),
            secrets: secrets_of(&env),
            open: OnceLock::new(),
        });
        let logging = Logging { sink: Arc::clone(&sink) };
        tracing::subscriber::with_default(subscriber(&env, debug, &sink), || {
            tracing::debug!("small");
            assert!(debug || !logging.has_written());
            assert!(debug || !dir.path().join(".kimi").exists());
            tracing::warn!(key = "hunter2hunter2", "bad \u{1b}[2J");
        });
        let written = logging.has_written();
        let file = logging.file().to_owned();
        drop(logging);
        let text = std::fs::read_to_string(file).unwrap_or_default();
        assert_eq!(written, !text.is_empty());
        text
    }

    #[test]
    fn the_file_appears_with_the_first_line() {
        let text = logged(&[("X_API_KEY", "hunter2hunter2")], false);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(" WARN ") && text.contains("bad"), "{text}");
        assert!(text.contains("[secret]") && !text.contains("hunter2"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn filters_are_taken_from_the_flag_and_the_environment() {
        assert_eq!(logged(&[], true).lines().count(), 2);
        assert_eq!(logged(&[("KIMI_LOG", "off")], false), "");
    }

    #[test]
    fn the_data_directory_can_be_elsewhere() {
        let env = fixed::env("/h", &[("KIMI_SHARE_DIR", "/data")]);
        assert_eq!(log_file(&env), Path::new("/data/logs/kimi.log"));
    }

    #[test]
    fn a_long_log_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kimi.log");
        File::create(&path).unwrap().set_len(MAX_LENGTH + 1).unwrap();
        open_file(&path).unwrap();
        assert_eq!(path.metadata().unwrap().len(), 0);
        assert_eq!(dir.path().join("kimi.log.1").metadata().unwrap().len(), MAX_LENGTH + 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_is_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, "").unwrap();
        let link = dir.path().join("kimi.log");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(open_file(&link).is_err());
    }
}
