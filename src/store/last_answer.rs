//! The last answer as a file, for programs that would otherwise read it off the screen.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::make_room::make_room;
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

/// How many kept answers there are at most; the oldest go first.
const KEPT: usize = 200;

/// Keeps an answer in a file of its own in `answers`, `<first 8 of the session's id>-<n>.md`, and
/// returns the path. The name is short: it is shown in one row of a narrow screen.
pub fn keep_answer(answers: &Path, session_id: &str, answer: &str) -> Result<PathBuf, StoreError> {
    if !answers.is_dir() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(answers);
        made.map_err(StoreError::io("create", answers))?;
    }
    make_room(answers, KEPT, |name| name.ends_with(".md"));
    let known = |c: &char| c.is_ascii_alphanumeric();
    let session: String = session_id.chars().filter(known).take(8).collect();
    let mut n = 1_u32;
    loop {
        let path = answers.join(format!("{session}-{n}.md"));
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
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

    #[test]
    fn long_answers_have_short_names_of_their_own_and_the_oldest_go() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("answers");
        let id = "316bd634-6fd0-4a52-8a3c-ffbde6e21a12";
        let first = keep_answer(&dir, id, "one").unwrap();
        assert_eq!(first, dir.join("316bd634-1.md"));
        assert_eq!(keep_answer(&dir, id, "two").unwrap(), dir.join("316bd634-2.md"));
        assert_eq!(fs::read(&first).unwrap(), b"one");
        fs::File::open(&first).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        for n in 3..=KEPT + 1 {
            keep_answer(&dir, &format!("{n:08}"), "more").unwrap();
        }
        assert!(!first.exists() && dir.join("316bd634-2.md").exists());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), KEPT);
        // Not a way out of the directory.
        assert_eq!(keep_answer(&dir, "../x", "x").unwrap(), dir.join("x-1.md"));
    }
}
