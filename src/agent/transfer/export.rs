//! `/export`: the conversation as a Markdown file.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::markdown::{self, Facts};
use super::{path_of, told};
use crate::agent::core::Core;
use crate::llm::Message;
use crate::store::{UNTITLED, write_atomic, write_new};

/// How often another name is tried when the one of this second is taken.
const NAMES: u32 = 100;

/// Runs the command; what it says.
pub(in crate::agent) async fn run(core: &Arc<Core>, argument: &str) -> String {
    let (messages, tokens) = {
        let context = core.context.lock().await;
        (context.messages().to_vec(), context.tokens())
    };
    if messages.is_empty() {
        return "There is nothing to export yet.".to_owned();
    }
    let now = jiff::Timestamp::try_from(core.env.clock.now())
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::system());
    let id = core.session.id.clone();
    let short: String = id.chars().take(8).collect();
    let default = format!("kimi-export-{short}-{}", now.strftime("%Y%m%d-%H%M%S"));
    let facts = Facts {
        session_id: id,
        exported_at: now.strftime("%FT%T%:z").to_string(),
        work_dir: core.workspace.work_dir.display().to_string(),
        title: core
            .settings
            .read(|state| state.custom_title.clone())
            .unwrap_or(UNTITLED.to_owned()),
        tokens,
    };
    let (path, named) = match argument {
        "" => (core.workspace.work_dir.clone(), false),
        argument => {
            let path = path_of(core, argument);
            let directory = argument.ends_with('/') || path.is_dir();
            (path, !directory)
        }
    };
    let done = tokio::task::spawn_blocking(move || {
        let text = markdown::document(&facts, &messages);
        let written = match named {
            true => write_named(&path, &facts.session_id, &text),
            false => write_in(&path, &default, &text),
        };
        written.map(|path| success(&path, &messages)).unwrap_or_else(|error| {
            format!("The conversation was not exported to {}: {error}.", told(&path))
        })
    });
    done.await.unwrap_or_else(|error| format!("The conversation was not exported: {error}."))
}

fn success(path: &Path, messages: &[Message]) -> String {
    format!(
        "Exported {} messages to {}\n\nIt has everything that was read and printed in it: look for secrets \
         before you share it.",
        messages.len(),
        told(path)
    )
}

/// Writes a file that the user has named. Only an earlier export of the same session is replaced.
fn write_named(path: &Path, session: &str, text: &str) -> io::Result<PathBuf> {
    let written = match is_export_of(path, session)? {
        true => write_atomic(path, text.as_bytes(), 0o600).map(|()| true),
        false => write_new(path, text.as_bytes(), 0o600),
    };
    match written? {
        true => Ok(path.to_path_buf()),
        false => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something else is there already; give another name",
        )),
    }
}

/// Writes a file under its usual name.
fn write_in(dir: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    for n in 1..=NAMES {
        let suffix = if n == 1 { String::new() } else { format!("-{n}") };
        let path = dir.join(format!("{name}{suffix}.md"));
        if write_new(&path, text.as_bytes(), 0o600)? {
            return Ok(path);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "every name is taken"))
}

/// Whether a file begins as an export of this session does.
fn is_export_of(path: &Path, session: &str) -> io::Result<bool> {
    // Not opened unless it is a file: a pipe would wait for ever.
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let head = markdown::head(session);
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(head.len() as u64).read_to_end(&mut bytes)?;
    Ok(bytes == head.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_earlier_export_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/out.md");
        let text = "---\nsession_id: s1\n---\none";
        assert_eq!(write_named(&path, "s1", text).unwrap(), path);
        write_named(&path, "s1", "---\nsession_id: s1\n---\ntwo").unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("two"));
        assert!(write_named(&path, "s2", "x").is_err());
        assert!(write_named(&path, "s", "x").is_err());
        let notes = dir.path().join("notes.md");
        std::fs::write(&notes, "mine").unwrap();
        assert!(write_named(&notes, "s1", text).is_err());
        assert_eq!(std::fs::read_to_string(&notes).unwrap(), "mine");
    }

    #[test]
    fn two_exports_in_a_second_are_two_files() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(write_in(dir.path(), "x", "1").unwrap(), dir.path().join("x.md"));
        assert_eq!(write_in(dir.path(), "x", "2").unwrap(), dir.path().join("x-2.md"));
        assert_eq!(std::fs::read_to_string(dir.path().join("x.md")).unwrap(), "1");
    }
}
