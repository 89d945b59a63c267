//! Files of settings that may name programs, read within bounds.

use std::io::ErrorKind;
use std::path::Path;

use crate::store::read_regular;

/// Longer files are not read: what they say is not known.
const MAX_BYTES: u64 = 1 << 20;
/// Stands in what was read for bytes that are no text.
pub(super) const NO_TEXT: char = '\u{fffd}';

/// It cannot be told what a file says, now or when a program reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Illegible;

/// The text of a file, if there is one. A link that leads nowhere is there: nobody knows what it will say.
pub(super) fn read(file: &Path) -> Result<Option<String>, Illegible> {
    let bytes = bytes(file, MAX_BYTES)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// What is in a file of at most so many bytes, if there is one.
pub(super) fn bytes(file: &Path, max: u64) -> Result<Option<Vec<u8>>, Illegible> {
    match read_regular(file, max) {
        Ok(Some(bytes)) => Ok(Some(bytes)),
        Ok(None) if file.symlink_metadata().is_ok() => Err(Illegible),
        Ok(None) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(None),
        Err(_) => Err(Illegible),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_taken_for_absent() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        assert_eq!(read(&file), Ok(None));
        fs::write(&file, b"a\xff").unwrap();
        assert_eq!(read(&file), Ok(Some(format!("a{NO_TEXT}"))));
        assert_eq!(read(&file.join("below")), Ok(None));
        assert_eq!(read(dir.path()), Err(Illegible));
        fs::write(&file, "x".repeat(MAX_BYTES as usize + 1)).unwrap();
        assert_eq!(read(&file), Err(Illegible));
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink("nowhere", &link).unwrap();
            assert_eq!(read(&link), Err(Illegible));
        }
    }
}
