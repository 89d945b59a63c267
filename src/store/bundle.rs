//! A session as one ZIP file, for a report or for another machine (cli.md section 7, `kimi export`).
//!
//! All regular files below the session's directory by their relative names, `manifest.json`, and the
//! log files of the time under `logs/`. Copies that `/undo` goes back with stay out: they are the
//! user's files, not the session.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::lines::{LineReader, open_regular};
use super::{Session, SessionStore};

/// Log files this far from the session, or from now, are taken along.
const LOGS_AROUND: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// Log files take no more than this, in bytes.
const MAX_LOGS: u64 = 100 << 20;
/// Directories within directories that are looked into.
const MAX_DEPTH: usize = 16;
/// What `/undo` needs.
const OWN: &str = "snapshots";

/// A bundle that was written.
#[derive(Debug)]
pub struct Bundle {
    pub path: PathBuf,
    /// How many log files are in it.
    pub logs: usize,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("session '{0}' has no files.")]
    Empty(String),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// What `manifest.json` says; times in ISO 8601, UTC.
#[derive(Serialize)]
struct Manifest<'a> {
    session_id: &'a str,
    exported_at: Option<String>,
    kimi_cli_version: &'a str,
    python_version: &'a str,
    os: String,
    platform: String,
    session_first_activity: Option<String>,
    session_last_activity: Option<String>,
}

impl SessionStore {
    /// The session of this id in this work directory, else in another: also one whose conversation is
    /// missing, which nothing else would open.
    pub fn find_files(&self, work_dir: &Path, id: &str) -> Option<Session> {
        super::check_session_id(id).ok()?;
        let others = self.index().work_dirs();
        std::iter::once(work_dir.to_path_buf()).chain(others).find_map(|work_dir| {
            // A very old session becomes a directory.
            let _ = self.find(&work_dir, id);
            let dir = self.share().sessions_of(&work_dir).join(id);
            dir.is_dir().then(|| Session { id: id.to_owned(), dir, work_dir })
        })
    }

    /// Writes the bundle of a session to `output`, in place of what is there. `version` is this
    /// program's.
    pub fn bundle(
        &self,
        session: &Session,
        output: &Path,
        version: &str,
        now: SystemTime,
    ) -> Result<Bundle, BundleError> {
        let write = |source: io::Error| BundleError::Write { path: output.to_path_buf(), source };
        let mut files = Vec::new();
        collect(&session.dir, "", 0, &mut files)
            .map_err(|source| BundleError::Read { path: session.dir.clone(), source })?;
        if files.is_empty() {
            return Err(BundleError::Empty(session.id.clone()));
        }
        files.sort();
        let (first, last) = activity(session);
        let logs = logs(&self.share().logs_dir(), first, last, now);
        let manifest = Manifest {
            session_id: &session.id,
            exported_at: iso(now),
            kimi_cli_version: version,
            python_version: "none (native binary)",
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            platform: std::env::consts::OS.to_owned(),
            session_first_activity: first.and_then(iso),
            session_last_activity: last.and_then(iso),
        };
        let dir = output.parent().filter(|dir| !dir.as_os_str().is_empty());
        let draft = tempfile::Builder::new()
            .prefix("tmp")
            .suffix(".tmp")
            .tempfile_in(dir.unwrap_or(Path::new(".")))
            .map_err(write)?;
        let mut zip = ZipWriter::new(draft);
        let manifest = serde_json::to_vec_pretty(&manifest).map_err(|error| write(error.into()))?;
        zip.start_file("manifest.json", options())
            .map_err(io::Error::from)
            .and_then(|()| zip.write_all(&manifest))
            .map_err(write)?;
        for (name, path) in &files {
            add(&mut zip, name, path, write)?;
        }
        for path in &logs {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            add(&mut zip, &format!("logs/{name}"), path, write)?;
        }
        let draft = zip.finish().map_err(|error| write(error.into()))?;
        draft.as_file().sync_all().map_err(write)?;
        draft.persist(output).map_err(|error| write(error.error))?;
        Ok(Bundle { path: output.to_path_buf(), logs: logs.len() })
    }
}

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0o600)
        .large_file(true)
}

/// Adds a file. One that is gone by now, or that has become something else, is passed over.
fn add<W: Write + io::Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    path: &Path,
    write: impl Fn(io::Error) -> BundleError,
) -> Result<(), BundleError> {
    let read = |source| BundleError::Read { path: path.to_path_buf(), source };
    let Ok(Some(mut file)) = open_regular(path) else { return Ok(()) };
    zip.start_file(name, options()).map_err(|error| write(error.into()))?;
    let mut buffer = vec![0; 64 * 1024];
    // It may grow while it is read, but not for ever.
    let mut left = file.metadata().map_err(read)?.len();
    while left > 0 {
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = file.read(&mut buffer[..room]).map_err(read)?;
        if got == 0 {
            break;
        }
        zip.write_all(&buffer[..got]).map_err(&write)?;
        left -= got as u64;
    }
    Ok(())
}

/// The regular files below a directory with their names in the bundle. Links are not followed, and
/// what is half written is left out.
fn collect(
    dir: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, PathBuf)>,
) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() && depth < MAX_DEPTH && !(depth == 0 && name == OWN) {
            collect(&entry.path(), &format!("{prefix}{name}/"), depth + 1, files)?;
        } else if kind.is_file() && !name.ends_with(".tmp") {
            files.push((format!("{prefix}{name}"), entry.path()));
        }
    }
    Ok(())
}

/// When the first and the last record were written.
fn activity(session: &Session) -> (Option<SystemTime>, Option<SystemTime>) {
    #[derive(Deserialize)]
    struct Line {
        timestamp: f64,
    }
    let (mut first, mut last) = (None, None);
    if let Ok(Some(file)) = open_regular(&session.wire_path()) {
        let mut lines = LineReader::new(file);
        while let Ok(Some(line)) = lines.next_line() {
            let Ok(Line { timestamp }) = serde_json::from_slice(line.bytes) else { continue };
            let since = Duration::try_from_secs_f64(timestamp).ok();
            let Some(at) = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)) else {
                continue;
            };
            first.get_or_insert(at);
            last = Some(at);
        }
    }
    let changed = super::summary::last_change(&session.dir);
    (first.or(changed), last.or(changed))
}

/// The log files of the session's time and of now, the newest first, within the bound.
fn logs(
    dir: &Path,
    first: Option<SystemTime>,
    last: Option<SystemTime>,
    now: SystemTime,
) -> Vec<PathBuf> {
    let near = |time: SystemTime, from: SystemTime, to: SystemTime| {
        time + LOGS_AROUND >= from && to + LOGS_AROUND >= time
    };
    let mut found: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_log(&entry.file_name().to_string_lossy()))
        .filter_map(|entry| {
            let meta = entry.path().symlink_metadata().ok().filter(fs::Metadata::is_file)?;
            Some((meta.modified().ok()?, meta.len(), entry.path()))
        })
        .filter(|(time, ..)| {
            near(*time, now, now)
                || first.zip(last).is_some_and(|(first, last)| near(*time, first, last))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    let mut room = MAX_LOGS;
    let fits = |(_, size, _): &(SystemTime, u64, PathBuf)| match room.checked_sub(*size) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    found.into_iter().filter(fits).map(|(.., path)| path).collect()
}

/// `kimi.log`, `kimi.log.1`, and kimi-cli's `kimi.<time>.log`.
fn is_log(name: &str) -> bool {
    name == "kimi.log"
        || name == "kimi.log.1"
        || name.starts_with("kimi.") && name.ends_with(".log")
}

fn iso(time: SystemTime) -> Option<String> {
    let time = jiff::Timestamp::try_from(time).ok()?;
    Some(time.strftime("%FT%T%.6f+00:00").to_string())
}

/// Where a bundle goes that was asked for without a name, or in a directory.
pub fn bundle_name(id: &str) -> String {
    format!("session-{id}.zip")
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::platform::env::fixed;
    use crate::store::ShareDir;

    /// The names in a ZIP file, and the manifest.
    fn opened(path: &Path) -> (Vec<String>, serde_json::Value) {
        let mut zip = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
        let mut names: Vec<_> = zip.file_names().map(str::to_owned).collect();
        names.sort();
        let manifest = serde_json::from_reader(zip.by_name("manifest.json").unwrap()).unwrap();
        (names, manifest)
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn everything_of_the_session_is_in_it_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = SessionStore::new(ShareDir::new(dir.path().join("share")));
        let env = fixed::env(dir.path(), &[]);
        let (session, _) = store.create(Path::new("/w"), Some("s1"), &env).unwrap();
        fs::write(
            session.wire_path(),
            "{\"type\": \"metadata\"}\n{\"timestamp\": 1000000.5, \"message\": {}}\n{\"timestamp\": 1e300}\nbroken\n{\"timestamp\": 1000100, \"mess\": 1}\n",
        )
        .unwrap();
        for name in
            ["subagents/a1/meta.json", "tasks/t/output.log", "snapshots/blobs.pack", "x.tmp"]
        {
            let path = session.dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", session.dir.join("link")).unwrap();
        std::os::unix::fs::symlink("/etc", session.dir.join("dir-link")).unwrap();
        let logs = store.share().logs_dir();
        fs::create_dir_all(&logs).unwrap();
        let day = 86_400;
        for (name, time) in [
            ("kimi.log", 1_000_000 + 100 * day),
            ("kimi.2020.log", 1_000_000 - day),
            ("kimi.old.log", 1_000_000 - 5 * day),
            ("other.log", 1_000_000),
        ] {
            let file = File::create(logs.join(name)).unwrap();
            file.set_modified(at(time)).unwrap();
        }
        let output = dir.path().join("out.zip");
        fs::write(&output, "older").unwrap();
        let bundle = store.bundle(&session, &output, "1.2.3", at(1_000_000 + 101 * day)).unwrap();
        assert_eq!((bundle.path.as_path(), bundle.logs), (output.as_path(), 2));
        let (names, manifest) = opened(&output);
        assert_eq!(
            names,
            [
                "context.jsonl",
                "logs/kimi.2020.log",
                "logs/kimi.log",
                "manifest.json",
                "subagents/a1/meta.json",
                "tasks/t/output.log",
                "wire.jsonl"
            ]
        );
        assert_eq!(manifest["session_id"], "s1");
        assert_eq!(manifest["kimi_cli_version"], "1.2.3");
        assert_eq!(manifest["session_first_activity"], "1970-01-12T13:46:40.500000+00:00");
        assert_eq!(manifest["session_last_activity"], "1970-01-12T13:48:20.000000+00:00");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "share and the bundle");
    }

    #[test]
    fn sessions_without_a_conversation_are_found_and_hostile_names_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = SessionStore::new(ShareDir::new(dir.path().join("share")));
        let broken = store.share().sessions_of(Path::new("/w")).join("broken");
        fs::create_dir_all(&broken).unwrap();
        let found = store.find_files(Path::new("/w"), "broken").unwrap();
        let output = dir.path().join("out.zip");
        let error = store.bundle(&found, &output, "1", at(0)).unwrap_err();
        assert_eq!(error.to_string(), "session 'broken' has no files.");
        assert!(!output.exists());
        fs::write(broken.join("wire.jsonl"), "").unwrap();
        store.bundle(&found, &output, "1", at(0)).unwrap();
        for id in ["..", "../..", "", "a/b", "none"] {
            assert!(store.find_files(Path::new("/w"), id).is_none(), "{id}");
        }
        assert!(store.find_files(Path::new("/elsewhere"), "broken").is_none());
        store.index().register(Path::new("/w")).unwrap();
        assert!(store.find_files(Path::new("/elsewhere"), "broken").is_some());
    }

    #[test]
    fn an_output_that_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = SessionStore::new(ShareDir::new(dir.path().join("share")));
        let env = fixed::env(dir.path(), &[]);
        let (session, _) = store.create(Path::new("/w"), Some("s1"), &env).unwrap();
        let output = dir.path().join("no/such/out.zip");
        let error = store.bundle(&session, &output, "1", at(0)).unwrap_err().to_string();
        assert!(error.starts_with("cannot write "), "{error}");
        let error = store.bundle(&session, dir.path(), "1", at(0)).unwrap_err().to_string();
        assert!(error.starts_with("cannot write "), "{error}");
    }
}
