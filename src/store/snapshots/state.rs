//! What is at a path, and where its content is kept.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What is, or was, at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum PathState {
    Absent,
    File {
        /// Permission bits.
        mode: u32,
        /// Bytes.
        size: u64,
        content: Content,
    },
    Link {
        /// As [`encode_path`] writes it.
        target: String,
    },
    Directory {
        /// Permission bits.
        mode: u32,
    },
    /// A socket, a pipe, a device.
    Other,
}

/// Where the bytes of a file can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// In the session's own store, by SHA-256 in hex.
    Blob(String),
    /// In the object store of the repository that the file belongs to, by object id in hex.
    Git(String),
    /// Nowhere.
    Lost(Lost),
}

/// Why there is no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    /// Larger than what is kept of one file.
    TooLarge,
    /// Files with secrets are not copied.
    Secret,
    /// It was changed before it could be copied, or the room for copies was used up.
    Unseen,
    /// It could not be read.
    Unreadable,
}

impl Lost {
    /// What to tell a person.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "too large for a copy",
            Self::Secret => "files with secrets are not copied",
            Self::Unseen => "no copy was made before it changed",
            Self::Unreadable => "it could not be read",
        }
    }
}

/// A path as text, without loss: what is no UTF-8 is written in hex behind a null character, which
/// no path can hold.
pub fn encode_path(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => {
            let bytes = bytes_of(path);
            bytes.iter().fold("\0".to_owned(), |text, byte| text + &format!("{byte:02x}"))
        }
    }
}

/// The path that [`encode_path`] wrote. Broken hex gives a path that cannot exist.
pub fn decode_path(text: &str) -> PathBuf {
    let Some(hex) = text.strip_prefix('\0') else { return PathBuf::from(text) };
    let bytes: Option<Vec<u8>> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect();
    bytes.map_or_else(|| PathBuf::from(text), |bytes| PathBuf::from(os_string(bytes)))
}

#[cfg(unix)]
fn bytes_of(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn bytes_of(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn every_path_survives_as_text() {
        for bytes in [&b"/a/b"[..], b"/a/\xff\xfe b", "/ä".as_bytes(), b"/new\nline"] {
            let path = PathBuf::from(os_string(bytes.to_vec()));
            assert_eq!(decode_path(&encode_path(&path)), path);
        }
        assert_eq!(decode_path("\0zz"), PathBuf::from("\0zz"));
    }
}
