//! Files that an editor has open: what it shows counts, saved or not.

use std::io;
use std::path::Path;

use super::disk::read_if_exists;

/// An editor that a session works in. Both wait for it: for threads that may block.
pub trait Editor: Send + Sync {
    /// The text of a file as the editor has it; `None` when it has none of it, and the disk counts.
    fn read(&self, path: &Path) -> Option<String>;

    /// Writes a file's text, made anew if it is not there. `None` when the editor writes no files; the error
    /// is half a sentence.
    fn write(&self, path: &Path, text: &str) -> Option<Result<(), String>>;
}

/// A file's bytes as whoever has it has them; `None` when there is none. `path` is the editor's name for
/// it. What is no text is the disk's alone.
pub fn read_anywhere(
    editor: Option<&dyn Editor>,
    path: &Path,
    real: &Path,
) -> io::Result<Option<Vec<u8>>> {
    let bytes = read_if_exists(real)?;
    let theirs = match (editor, &bytes) {
        (Some(editor), Some(bytes)) if std::str::from_utf8(bytes).is_ok() => editor.read(path),
        _ => None,
    };
    Ok(theirs.map(String::into_bytes).or(bytes))
}

/// Writes a file through the editor. False when that is not its business, and the disk is to be written.
pub(super) fn write(
    editor: &dyn Editor,
    path: &Path,
    real: &Path,
    bytes: &[u8],
) -> io::Result<bool> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(false) };
    match editor.write(path, text) {
        Some(Ok(())) => Ok(true),
        // One that the editor has open is not changed behind its back.
        Some(Err(why)) if real.exists() && editor.read(path).is_some() => {
            Err(io::Error::other(why))
        }
        Some(Err(_)) | None => Ok(false),
    }
}
