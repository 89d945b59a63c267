//! The last answer as a file, for programs that would otherwise read it off the screen.

use std::path::Path;

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
