//! Installing a plugin: fetched, looked at, staged beside the others, and swapped in at the end.

use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::inject::Secrets;
use super::manifest::{FILE, Manifest};
use super::source::Source;
use super::unpack::{self, BOUNDS};
use crate::platform::Env;
use crate::platform::process::{self, End, Leftovers};
use crate::platform::tls::install_tls;
use crate::store::write_atomic;

/// How long a download may take.
const DOWNLOAD: Duration = Duration::from_secs(60);
/// How long git may take.
const CLONE: Duration = Duration::from_secs(180);
/// Most bytes of a downloaded archive.
const MAX_ARCHIVE: u64 = 50 << 20;
/// Candidates that are named when there are several.
const MOST_NAMED: usize = 20;

/// Installs the plugin at this place, in place of the one of that name. The error is one line.
pub async fn install(
    place: &str,
    plugins: &Path,
    secrets: &Secrets,
    env: &Env,
) -> Result<Manifest, String> {
    let source = Source::read(place, env)?;
    fs::create_dir_all(plugins).map_err(|error| format!("{}: {error}", plugins.display()))?;
    // Beside its later place: the last step is a rename.
    let staging = tempfile::Builder::new()
        .prefix(".staging-")
        .tempdir_in(plugins)
        .map_err(|error| format!("{}: {error}", plugins.display()))?;
    let fetched = staging.path().join("fetched");
    let (root, sub) = match source {
        Source::Dir(dir) => (dir, None),
        Source::ZipFile(path) => {
            let file = fs::File::open(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            unpack::unzip(file, &fetched, BOUNDS).map_err(|error| error.to_string())?;
            (fetched, None)
        }
        Source::ZipUrl(url) => {
            let file = download(url, staging.path()).await?;
            unpack::unzip(file, &fetched, BOUNDS).map_err(|error| error.to_string())?;
            (fetched, None)
        }
        Source::Git { url, branch, sub } => {
            clone(&url, branch.as_deref(), &fetched, env).await?;
            (fetched, sub)
        }
    };
    let dir = match &sub {
        // The repository could have a link there.
        Some(sub) => inside(&root, sub)?,
        None => root,
    };
    let dir = find(&dir)?;
    let manifest = Manifest::read(&dir)?;
    let staged = staging.path().join("staged");
    unpack::copy_tree(&dir, &staged, BOUNDS).map_err(|error| error.to_string())?;
    note_runtime(&staged)?;
    secrets.write(&staged, &manifest)?;
    swap(&staged, &plugins.join(&manifest.name), staging.path())
        .map_err(|error| format!("{} could not be put in place: {error}", manifest.name))?;
    Ok(manifest)
}

/// The directory of a repository.
fn inside(root: &Path, sub: &str) -> Result<PathBuf, String> {
    let told = || format!("the repository has no directory {sub}");
    let root = root.canonicalize().map_err(|_| told())?;
    let dir = root.join(sub).canonicalize().map_err(|_| told())?;
    if dir.is_dir() && dir.starts_with(&root) { Ok(dir) } else { Err(told()) }
}

/// The plugin in this directory, or in the only one of its directories that has one.
fn find(dir: &Path) -> Result<PathBuf, String> {
    let has = |dir: &Path| dir.join(FILE).is_file();
    if has(dir) {
        return Ok(dir.to_path_buf());
    }
    let entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|path| has(path))
        .collect();
    found.sort();
    match found.as_slice() {
        [] => Err(format!("there is no {FILE}, neither there nor one level below")),
        [one] => Ok(one.clone()),
        several => {
            let names: Vec<String> = several
                .iter()
                .take(MOST_NAMED)
                .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
                .collect();
            Err(format!("there are several plugins, name one of them: {}", names.join(", ")))
        }
    }
}

/// Writes into the plugin's file who has installed it, as kimi-cli does.
fn note_runtime(dir: &Path) -> Result<(), String> {
    let path = dir.join(FILE);
    let told = |error: &dyn std::fmt::Display| format!("{FILE}: {error}");
    let text = fs::read_to_string(&path).map_err(|error| told(&error))?;
    let mut document: Value = serde_json::from_str(&text).map_err(|error| told(&error))?;
    document["runtime"] = json!({"host": "kimi-tui", "host_version": env!("CARGO_PKG_VERSION")});
    let text = serde_json::to_string_pretty(&document).map_err(|error| told(&error))?;
    write_atomic(&path, text.as_bytes(), 0o644).map_err(|error| told(&error))
}

/// Puts the staged directory into its place. What was there before goes to where everything is
/// removed; when the second step fails it comes back.
fn swap(staged: &Path, place: &Path, staging: &Path) -> std::io::Result<()> {
    let before = staging.join("before");
    let had = match fs::rename(place, &before) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    fs::rename(staged, place).inspect_err(|_| {
        if had {
            // There is nothing better to do than to try.
            let _ = fs::rename(&before, place);
        }
    })
}

async fn download(url: Url, dir: &Path) -> Result<fs::File, String> {
    let told = |error: reqwest::Error| format!("the download failed: {}", error.without_url());
    install_tls();
    let client = reqwest::Client::builder().timeout(DOWNLOAD).build().map_err(told)?;
    let answer = client.get(url).send().await.map_err(told)?;
    let mut answer = answer.error_for_status().map_err(told)?;
    let mut file = tempfile::tempfile_in(dir).map_err(|error| error.to_string())?;
    let mut left = MAX_ARCHIVE;
    while let Some(piece) = answer.chunk().await.map_err(told)? {
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or_else(|| format!("the archive is larger than {} MB", MAX_ARCHIVE >> 20))?;
        file.write_all(&piece).map_err(|error| error.to_string())?;
    }
    file.rewind().map_err(|error| error.to_string())?;
    Ok(file)
}

/// Clones the newest state of a repository. Git asks nobody for anything, runs nothing of the
/// repository and follows no helper protocol.
async fn clone(url: &str, branch: Option<&str>, to: &Path, env: &Env) -> Result<(), String> {
    let mut git = Command::new("git");
    git.args(["-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never"]);
    git.args(["clone", "--quiet", "--depth", "1", "--no-recurse-submodules"]);
    if let Some(branch) = branch {
        git.args(["--branch", branch]);
    }
    git.arg("--").arg(url).arg(to);
    git.env_clear().envs(env.child_vars());
    git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_LFS_SKIP_SMUDGE", "1");
    let ran = process::capture(git, Vec::new(), CLONE, 64 << 10, Leftovers::Killed).await;
    let ran = ran.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "git is not installed; install it, or download the plugin as a .zip file".to_owned()
        }
        _ => format!("git could not be started: {error}"),
    })?;
    match ran.end {
        End::Exited(status) if status.success() => Ok(()),
        End::Exited(_) => {
            let said = ran.stderr.text();
            let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            Err(format!("git clone failed: {}", last.trim()))
        }
        End::TimedOut | End::Cancelled | End::LetGo => {
            Err(format!("git clone took longer than {} s", CLONE.as_secs()))
        }
    }
}
