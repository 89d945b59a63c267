//! The last answer as a file, for programs that would otherwise read it off the screen.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{StoreError, write_atomic};

/// Replaces `last_message.md` in the session's directory by this answer, ending in a newline.
pub fn write_last_answer(session_dir: &Path, answer: &str) -> Result<(), StoreError> {
    let path = session_dir.join("last_message.md");
    let mut text = answer.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    write_atomic(&path, text.as_bytes(), 0o600).map_err(StoreError::io("write", &path))
}

/// Keeps an answer in a file that no later answer takes over, `outputs/answer-<n>.md`.
pub fn keep_answer(session_dir: &Path, answer: &str) -> Result<PathBuf, StoreError> {
    let dir = session_dir.join("outputs");
    fs::create_dir_all(&dir).map_err(StoreError::io("create", &dir))?;
    let mut n = 1_u32;
    loop {
        let path = dir.join(format!("answer-{n}.md"));
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(answer.as_bytes()).map_err(StoreError::io("write", &path))?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
            Err(error) => return Err(StoreError::io("create", &path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_answer_stands_alone() {
        let dir = tempfile::tempdir().unwrap();
        write_last_answer(dir.path(), "a long first answer").unwrap();
        write_last_answer(dir.path(), "two\n").unwrap();
        assert_eq!(std::fs::read(dir.path().join("last_message.md")).unwrap(), b"two\n");
    }
}
