//! Contents by their digest, in one append-only file.
//!
//! One file and not one per content: a first look at a tree copies thousands of small ones. A record
//! is `magic (4) | SHA-256 (32) | stored length (8, little endian) | raw length (8)` and the zlib
//! stream. A torn last record is cut off at the next opening.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use sha2::{Digest as _, Sha256};

use crate::store::lines::open_log;

const MAGIC: &[u8; 4] = b"KBL1";
const HEADER: u64 = 4 + 32 + 8 + 8;

type Id = [u8; 32];

#[derive(Debug, Clone, Copy)]
struct Place {
    /// Of the record.
    start: u64,
    stored: u64,
    raw: u64,
}

/// The store of contents.
#[derive(Debug)]
pub struct Blobs {
    path: PathBuf,
    file: File,
    end: u64,
    places: HashMap<Id, Place>,
}

impl Blobs {
    /// Opens the store below `dir`, creating it when missing.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join("blobs.pack");
        let file = open_log(&path)?;
        let (places, end) = read_places(&file)?;
        if file.metadata()?.len() > end {
            file.set_len(end)?;
        }
        Ok(Self { path, file, end, places })
    }

    /// The digest that names `bytes`, in hex.
    pub fn id(bytes: &[u8]) -> String {
        hex(&Sha256::digest(bytes).into())
    }

    /// Keeps `bytes`; returns the digest. What is there already is not written again.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<String> {
        let id: Id = Sha256::digest(bytes).into();
        if !self.places.contains_key(&id) {
            let mut record = MAGIC.to_vec();
            record.extend_from_slice(&id);
            record.extend_from_slice(&[0; 16]);
            let mut encoder = ZlibEncoder::new(record, Compression::fast());
            encoder.write_all(bytes)?;
            let mut record = encoder.finish()?;
            let (stored, raw) = (record.len() as u64 - HEADER, bytes.len() as u64);
            for (at, number) in [(36, stored), (44, raw)] {
                if let Some(field) = record.get_mut(at..at + 8) {
                    field.copy_from_slice(&number.to_le_bytes());
                }
            }
            if let Err(error) = self.file.write_all(&record) {
                // Half a record would hide those after it.
                let _ = self.file.set_len(self.end);
                return Err(error);
            }
            self.places.insert(id, Place { start: self.end, stored, raw });
            self.end += record.len() as u64;
        }
        Ok(hex(&id))
    }

    /// The bytes with this digest. What was damaged on the disk is an error, never other bytes.
    pub fn get(&self, id: &str) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "its copy is gone");
        let id = unhex(id).ok_or_else(missing)?;
        let place = *self.places.get(&id).ok_or_else(missing)?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place.start + HEADER))?;
        let mut bytes = Vec::new();
        // One byte more than promised is enough to see that it is not what was promised.
        ZlibDecoder::new(file.take(place.stored)).take(place.raw + 1).read_to_end(&mut bytes)?;
        if Id::from(Sha256::digest(&bytes)) != id {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its copy is damaged"));
        }
        Ok(bytes)
    }

    /// Whether there is a content with this digest.
    pub fn holds(&self, id: &str) -> bool {
        unhex(id).is_some_and(|id| self.places.contains_key(&id))
    }

    /// Bytes on the disk.
    pub fn size(&self) -> u64 {
        self.end
    }

    /// Bytes on the disk of this content.
    pub fn size_of(&self, id: &str) -> u64 {
        unhex(id).and_then(|id| self.places.get(&id)).map_or(0, |place| HEADER + place.stored)
    }

    /// Waits until everything is on the disk itself.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Forgets every content that is not in `live`. At every moment the store is the old or the new
    /// one.
    pub fn retain(&mut self, live: &HashSet<String>) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let mut fresh = tempfile::Builder::new().prefix("tmp").suffix(".tmp").tempfile_in(dir)?;
        let mut kept: Vec<_> =
            self.places.iter().filter(|(id, _)| live.contains(&hex(id))).map(|(_, p)| *p).collect();
        kept.sort_unstable_by_key(|place| place.start);
        for place in kept {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(place.start))?;
            io::copy(&mut file.take(HEADER + place.stored), fresh.as_file_mut())?;
        }
        fresh.as_file().sync_data()?;
        fresh.persist(&self.path).map_err(|error| error.error)?;
        *self = Self::open(dir)?;
        Ok(())
    }
}

/// Where every whole record is, and where the last of them ends.
fn read_places(file: &File) -> io::Result<(HashMap<Id, Place>, u64)> {
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(64 << 10, file);
    reader.seek(SeekFrom::Start(0))?;
    let (mut places, mut start) = (HashMap::new(), 0);
    let mut header = [0; HEADER as usize];
    while start + HEADER <= length {
        reader.read_exact(&mut header)?;
        let number = |at: usize| {
            let bytes = header.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u64::from_le_bytes)
        };
        let (stored, raw) = (number(36), number(44));
        let id = header.get(4..36).and_then(|bytes| Id::try_from(bytes).ok());
        let end = (start + HEADER).checked_add(stored).filter(|end| *end <= length);
        let (Some(end), Some(id), true) = (end, id, header.starts_with(MAGIC)) else { break };
        places.insert(id, Place { start, stored, raw });
        reader.seek_relative(stored as i64)?;
        start = end;
    }
    Ok((places, start))
}

fn hex(id: &Id) -> String {
    id.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &str) -> Option<Id> {
    let mut id = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (at, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn contents_survive_a_new_opening_and_are_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut blobs = Blobs::open(dir.path()).unwrap();
        let contents: Vec<Vec<u8>> = vec![vec![], vec![0, 255, 10], vec![b'x'; 1 << 20]];
        let ids: Vec<_> = contents.iter().map(|bytes| blobs.put(bytes).unwrap()).collect();
        let size = blobs.size();
        assert!(size < 10_000, "compressed: {size}");
        assert_eq!(blobs.put(&contents[2]).unwrap(), ids[2]);
        assert_eq!(blobs.size(), size);
        let blobs = Blobs::open(dir.path()).unwrap();
        for (id, bytes) in ids.iter().zip(&contents) {
            assert_eq!(&blobs.get(id).unwrap(), bytes);
        }
        assert!(blobs.get("nonsense").is_err());
    }

    #[test]
    fn a_torn_record_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let mut blobs = Blobs::open(dir.path()).unwrap();
        let first = blobs.put(b"first").unwrap();
        let end = blobs.size();
        let second = blobs.put(b"second").unwrap();
        for length in end..blobs.size() {
            blobs.file.set_len(length).unwrap();
            let mut again = Blobs::open(dir.path()).unwrap();
            assert_eq!(again.get(&first).unwrap(), b"first");
            assert!(again.get(&second).is_err());
            again.put(b"second").unwrap();
            assert_eq!(again.get(&second).unwrap(), b"second");
        }
    }

    #[test]
    fn a_damaged_content_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut blobs = Blobs::open(dir.path()).unwrap();
        let id = blobs.put(b"some text that is long enough").unwrap();
        let path = dir.path().join("blobs.pack");
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 6;
        bytes[last] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        assert!(Blobs::open(dir.path()).unwrap().get(&id).is_err());
    }

    #[test]
    fn what_nobody_needs_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut blobs = Blobs::open(dir.path()).unwrap();
        let noise: Vec<u8> =
            (0..100_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let (old, new) = (blobs.put(&noise).unwrap(), blobs.put(b"new").unwrap());
        blobs.retain(&HashSet::from([new.clone()])).unwrap();
        assert!(blobs.size() < 200 && !blobs.holds(&old));
        assert_eq!(blobs.get(&new).unwrap(), b"new");
    }
}
