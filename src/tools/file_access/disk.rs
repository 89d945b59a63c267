//! Reading and writing whole files within limits, without losing what belongs to a file beside its
//! bytes.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::Stamp;

/// Larger files are not held in memory, once as they are and once changed.
const MAX_FILE: u64 = 64 << 20;
/// Bytes at the end of a file that are shown before what is added.
const TAIL: u64 = 4 << 10;

/// A file's bytes; `None` when there is none. A file that is too large is an error, found out
/// before it is read.
pub fn read_if_exists(real: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(real) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    if length <= MAX_FILE {
        // It may still grow, and files of the kernel tell no length at all.
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    }
    if length.max(bytes.len() as u64) > MAX_FILE {
        return Err(io::Error::other(format!(
            "it is larger than {} MiB; change it with a Shell command",
            MAX_FILE >> 20
        )));
    }
    Ok(Some(bytes))
}

/// The end of a file that something is to be added to.
pub struct End {
    stamp: Stamp,
    /// Its last bytes, from a line's beginning on where one is near.
    pub tail: Vec<u8>,
    /// Lines before the tail; not counted in a file that is larger than the limit.
    pub lines_before: u64,
}

impl End {
    /// The end of a file, `None` when there is none. The rest of the file is only counted through.
    pub fn of(real: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(real) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let stamp = Stamp::of(&file.metadata()?);
        let start = stamp.length.saturating_sub(TAIL);
        let mut lines_before =
            if stamp.length <= MAX_FILE { count_lines(&file, start)? } else { 0 };
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        if start > 0
            && let Some(line_end) = tail.iter().position(|&byte| byte == b'\n')
        {
            tail.drain(..=line_end);
            lines_before += 1;
        }
        Ok(Some(Self { stamp, tail, lines_before }))
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.stamp.length
    }

    /// Adds bytes where the file ended; an error when it ends elsewhere by now.
    pub fn append(&self, real: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::options().append(true).open(real)?;
        let metadata = file.metadata()?;
        refuse_read_only(&metadata)?;
        if Stamp::of(&metadata) != self.stamp {
            return Err(changed_meanwhile());
        }
        let written = file.write_all(bytes).and_then(|()| file.sync_data());
        if written.is_err() {
            // All or nothing; the disk may just be full.
            let _ = file.set_len(self.stamp.length);
        }
        written
    }
}

/// Line ends in the first bytes of a file.
fn count_lines(file: &File, bytes: u64) -> io::Result<u64> {
    let (mut rest, mut buffer, mut lines) = (file.take(bytes), vec![0; 64 << 10], 0);
    loop {
        match rest.read(&mut buffer)? {
            0 => return Ok(lines),
            read => {
                let read = buffer.get(..read).unwrap_or_default();
                lines += read.iter().filter(|&&byte| byte == b'\n').count() as u64;
            }
        }
    }
}

/// What to say when the file is another one than the person saw.
pub fn changed_meanwhile() -> io::Error {
    io::Error::other(
        "the file was changed by someone else meanwhile, so nothing was written. Read it again and repeat the change",
    )
}

/// Writes a file so that it is never seen half written, keeping its permissions, owner and group.
/// What cannot be kept that way is written in place. `real` has no links left. `make_parents`
/// creates missing directories.
pub fn write_atomically(real: &Path, bytes: &[u8], make_parents: bool) -> io::Result<()> {
    let parent = real.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
    if make_parents {
        std::fs::create_dir_all(parent)?;
    }
    let existing = std::fs::metadata(real).ok();
    if let Some(metadata) = &existing {
        refuse_read_only(metadata)?;
    }
    // Replacing one name of a file with several would tear them apart.
    if existing.as_ref().is_some_and(|metadata| keeps_its_place(real, metadata)) {
        return write_in_place(real, bytes);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kimi-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Narrowed by the umask, as for any new file.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = match builder.tempfile_in(parent) {
        Ok(temporary) => temporary,
        // A writable file in a directory that is not.
        Err(_) if existing.is_some() => return write_in_place(real, bytes),
        Err(error) => return Err(error),
    };
    if let Some(metadata) = &existing {
        if !give_to_owner(temporary.as_file(), metadata)? {
            return write_in_place(real, bytes);
        }
        // After the owner: changing that takes special permissions away.
        temporary.as_file().set_permissions(metadata.permissions())?;
    }
    temporary.write_all(bytes)?;
    temporary.as_file().sync_data()?;
    temporary.persist(real).map_err(|error| error.error)?;
    Ok(())
}

/// Root could write it all the same, but whoever made it read-only meant it.
fn refuse_read_only(metadata: &Metadata) -> io::Result<()> {
    if metadata.permissions().readonly() {
        return Err(io::Error::other("it is read-only"));
    }
    Ok(())
}

fn write_in_place(real: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).truncate(true).open(real)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// Whether a file has to be written where it is: a new one in its place would lose what belongs to it.
pub fn keeps_its_place(real: &Path, metadata: &Metadata) -> bool {
    has_more_names(metadata) || has_attributes(real)
}

/// Gives a file the owner and the group of another one; whether that could be done.
#[cfg(unix)]
pub fn give_to_owner(file: &File, like: &Metadata) -> io::Result<bool> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let now = file.metadata()?;
    let same = (now.uid(), now.gid()) == (like.uid(), like.gid());
    Ok(same || fchown(file, Some(like.uid()), Some(like.gid())).is_ok())
}

#[cfg(not(unix))]
pub fn give_to_owner(_: &File, _: &Metadata) -> io::Result<bool> {
    Ok(true)
}

#[cfg(unix)]
fn has_more_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_more_names(_: &Metadata) -> bool {
    false
}

/// Whether a file has extended attributes, such as an access control list, which a new file in its
/// place would not have. A security label comes with the place.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn has_attributes(real: &Path) -> bool {
    let mut names = [0_u8; 4096];
    match rustix::fs::listxattr(real, &mut names) {
        Ok(length) => names
            .get(..length)
            .unwrap_or(&names)
            .split(|&byte| byte == 0)
            .any(|name| !name.is_empty() && name != b"security.selinux"),
        // So many that they do not fit; other errors mean that there is no such thing here.
        Err(error) => error == rustix::io::Errno::RANGE,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn has_attributes(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn huge(path: &Path) -> File {
        let file = File::create(path).unwrap();
        file.set_len(MAX_FILE + 1).unwrap();
        file
    }

    #[test]
    fn a_huge_file_is_refused_unread_and_can_still_be_added_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("huge");
        huge(&path);
        let error = read_if_exists(&path).unwrap_err().to_string();
        assert_eq!(error, "it is larger than 64 MiB; change it with a Shell command");
        // As long as it was, and the end as it was.
        let end = End::of(&path).unwrap().unwrap();
        assert_eq!((end.length(), end.tail.len() as u64), (MAX_FILE + 1, TAIL));
        end.append(&path, b"more").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), MAX_FILE + 5);
        assert!(end.append(&path, b"more").is_err(), "it has another end by now");
    }

    #[test]
    fn the_end_begins_with_a_line_and_knows_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert!(End::of(&path).unwrap().is_none());
        let text: String = (1..=2000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&path, &text).unwrap();
        let end = End::of(&path).unwrap().unwrap();
        let tail = String::from_utf8(end.tail).unwrap();
        assert!(tail.starts_with(&format!("line {}\n", end.lines_before + 1)), "{tail}");
        assert!(tail.ends_with("line 2000\n") && tail.len() as u64 <= TAIL);
    }

    #[test]
    fn a_read_only_file_is_left_alone_however_it_would_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "old").unwrap();
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&path, permissions).unwrap();
        assert!(End::of(&path).unwrap().unwrap().append(&path, b"x").is_err());
        assert!(write_atomically(&path, b"new", false).is_err());
        std::fs::hard_link(&path, dir.path().join("twin")).unwrap();
        assert!(write_atomically(&path, b"new", false).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn extended_attributes_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "old").unwrap();
        assert!(!has_attributes(&path));
        let flags = rustix::fs::XattrFlags::empty();
        // Not every file system has them.
        if rustix::fs::setxattr(&path, "user.note", b"kept", flags).is_ok() {
            write_atomically(&path, b"new", false).unwrap();
            assert!(has_attributes(&path));
            assert_eq!(std::fs::read(&path).unwrap(), b"new");
        }
    }

    #[cfg(unix)]
    #[test]
    fn owner_and_group_are_kept() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "old").unwrap();
        // Only root may give files away; another group of one's own is enough for others.
        let groups = rustix::process::getgroups().unwrap_or_default();
        let other = groups.iter().map(|group| group.as_raw()).next_back();
        if chown(&path, Some(12345), Some(23456)).is_err() {
            chown(&path, None, other).unwrap();
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o6750)).unwrap();
        let before = std::fs::metadata(&path).unwrap();
        write_atomically(&path, b"new", false).unwrap();
        let after = std::fs::metadata(&path).unwrap();
        assert_eq!((before.uid(), before.gid()), (after.uid(), after.gid()));
        assert_eq!(before.mode(), after.mode());
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }
}
