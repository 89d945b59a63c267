//! Pictures of messages, `prompt-cache/images/<stem>-<hash>.<kind>`: a message that comes back from the
//! history, or from before a rewind, finds them here by their name.

use std::fs;
use std::io;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::lines::read_regular;
use super::make_room::make_room;
use super::{StoreError, write_volatile};

/// How many are kept; the oldest go first.
const KEPT: usize = 500;
/// Larger files were not written here.
const MAX_FILE: u64 = 16 << 20;
/// Characters of a name that tell where a picture is from.
const MAX_STEM: usize = 24;
/// Hexadecimal digits of the hash in a name.
const HASH: usize = 12;
/// Kinds of files with their media types.
const KINDS: [(&str, &str); 4] =
    [("png", "image/png"), ("jpg", "image/jpeg"), ("gif", "image/gif"), ("webp", "image/webp")];

/// The kept pictures of a user.
#[derive(Debug, Clone)]
pub struct PictureStore {
    dir: PathBuf,
}

impl PictureStore {
    /// The pictures in this directory, which need not be there yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Keeps a picture and returns its name, which is the same for the same picture and `stem`.
    pub fn keep(&self, stem: &str, bytes: &[u8], mime: &str) -> Result<String, StoreError> {
        let kind = KINDS.iter().find(|(_, known)| *known == mime).map_or("png", |(kind, _)| kind);
        let hash = format!("{:x}", Sha256::digest(bytes));
        let name = format!("{}-{}.{kind}", plain(stem), hash.get(..HASH).unwrap_or(&hash));
        let path = self.path(&name);
        if fs::metadata(&path).is_ok_and(|known| known.len() == bytes.len() as u64) {
            return Ok(name);
        }
        make_room(&self.dir, KEPT, Self::is_name);
        write_volatile(&path, bytes, 0o600).map_err(StoreError::io("write", &path))?;
        Ok(name)
    }

    /// Where the picture of this name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A kept picture and its media type. An error when there is none of this name, also when it is no
    /// name of a picture at all.
    pub fn load(&self, name: &str) -> io::Result<(Vec<u8>, &'static str)> {
        let kind = kind_of(name).ok_or(io::ErrorKind::InvalidInput)?;
        let bytes = read_regular(&self.path(name), MAX_FILE)?.ok_or(io::ErrorKind::NotFound)?;
        Ok((bytes, kind))
    }

    /// Whether a picture may have this name: nothing else is looked for.
    pub fn is_name(name: &str) -> bool {
        kind_of(name).is_some()
    }
}

/// The media type that a name tells.
fn kind_of(name: &str) -> Option<&'static str> {
    let (rest, kind) = name.rsplit_once('.')?;
    let (stem, hash) = rest.rsplit_once('-')?;
    let hashed = hash.len() == HASH && hash.bytes().all(|c| c.is_ascii_hexdigit());
    let (_, mime) = KINDS.iter().find(|(known, _)| *known == kind)?;
    (hashed && stem == plain(stem)).then_some(mime)
}

/// A stem that is safe in a file name and in a row of the screen.
fn plain(stem: &str) -> String {
    let known = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let plain: String = stem.chars().take(MAX_STEM).map(known).collect();
    match plain.trim_matches('-') {
        "" => "image".to_owned(),
        plain => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, PictureStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = PictureStore::new(dir.path().join("prompt-cache/images"));
        (dir, store)
    }

    #[test]
    fn a_picture_comes_back_by_its_name() {
        let (_dir, store) = store();
        let name = store.keep("My shot (1)", b"pixels", "image/png").unwrap();
        assert!(name.starts_with("My-shot--1-") && name.ends_with(".png"), "{name}");
        assert_eq!(store.load(&name).unwrap(), (b"pixels".to_vec(), "image/png"));
        assert_eq!(store.keep("My shot (1)", b"pixels", "image/png").unwrap(), name);
        assert_ne!(store.keep("My shot (1)", b"others", "image/png").unwrap(), name);
        assert!(store.keep("../../x", b"p", "image/jpeg").unwrap().starts_with("x-"));
        assert!(store.keep("", b"p", "image/gif").unwrap().starts_with("image-"));
        assert!(PictureStore::is_name(&name));
    }

    #[test]
    fn nothing_else_is_read() {
        let (dir, store) = store();
        store.keep("a", b"p", "image/png").unwrap();
        fs::write(dir.path().join("prompt-cache/secret.png"), b"x").unwrap();
        for name in [
            "",
            "a.png",
            "../secret.png",
            "../secret-0123456789ab.png",
            "/etc/passwd-0123456789ab.png",
            "a-0123456789ab.txt",
            "a b-0123456789ab.png",
            "a-0123456789xy.png",
        ] {
            assert!(!PictureStore::is_name(name), "{name}");
            assert!(store.load(name).is_err(), "{name}");
        }
        assert!(store.load("gone-0123456789ab.png").is_err());
    }

    #[test]
    fn the_oldest_go() {
        let (_dir, store) = store();
        let first = store.keep("first", b"0", "image/png").unwrap();
        let file = fs::File::open(store.path(&first)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        for n in 1..=KEPT {
            store.keep("more", n.to_string().as_bytes(), "image/png").unwrap();
        }
        assert!(store.load(&first).is_err());
        assert_eq!(fs::read_dir(&store.dir).unwrap().count(), KEPT);
    }
}
