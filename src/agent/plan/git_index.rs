//! The submodules that the index of a repository lists: entries of mode 160000, which git goes into whatever
//! `.gitmodules` says.
//!
//! The format is that of git's `gitformat-index(5)`, versions 2 to 4 with SHA-1. An index that this reader and git might
//! read differently is illegible.

use std::path::{Component, Path, PathBuf};

use super::settings_file::{Illegible, bytes};

/// Bytes before the first entry.
const HEADER: usize = 12;
/// Bytes of a hash, and of the checksum at the end.
const HASH: usize = 20;
/// Of an entry: times, numbers, mode, owner and size.
const STAT: usize = 40;
const MODE: usize = 24;
const FIXED: usize = STAT + HASH + 2;
/// Flags of an entry: two more bytes follow; the length of its name, or that it is longer.
const EXTENDED: u32 = 0x4000;
const NAME_LENGTH: u32 = 0x0fff;
const KINDS: u32 = 0o170_000;
const GITLINK: u32 = 0o160_000;
/// A directory of which the index does not list what is in it.
const SPARSE: u32 = 0o040_000;
/// Longer paths no system opens.
const MAX_NAME: usize = 4096;
/// A signature and a size stand before each extension.
const EXTENSION: usize = 8;
/// The extension that says where the entries end stands at a fixed place, with a hash of its own.
const END_OF_ENTRIES: usize = EXTENSION + 4 + HASH;

/// What an index says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// The submodules, by their paths from the top of the work tree.
    pub submodules: Vec<PathBuf>,
    /// How long the file is, in bytes.
    pub bytes: u64,
}

/// Reads an index of at most `max_bytes` with at most `max_modules` submodules; one that is not there lists
/// none.
pub(super) fn read(file: &Path, max_bytes: u64, max_modules: usize) -> Result<Index, Illegible> {
    let Some(bytes) = bytes(file, max_bytes)? else { return Ok(Index::default()) };
    let submodules = submodules(&bytes, max_modules).ok_or(Illegible)?;
    Ok(Index { submodules, bytes: bytes.len() as u64 })
}

fn submodules(index: &[u8], max: usize) -> Option<Vec<PathBuf>> {
    let body = index.get(..index.len().checked_sub(HASH)?)?;
    let version = u32_at(body, 4)?;
    if !body.starts_with(b"DIRC") || !(2..=4).contains(&version) {
        return None;
    }
    let mut at = HEADER;
    let mut name = Vec::new();
    let mut found = Vec::new();
    for _ in 0..u32_at(body, 8)? {
        let mode = u32_at(body, at.checked_add(MODE)?)?;
        at = entry(body, at, version, &mut name)?;
        match mode & KINDS {
            GITLINK if found.len() < max => found.push(path(&name)?),
            GITLINK | SPARSE => return None,
            _ => {}
        }
    }
    extensions(body, at)?;
    Some(found)
}

/// Reads the name of the entry that begins at `at`, behind that of the one before; returns where it ends.
fn entry(body: &[u8], at: usize, version: u32, name: &mut Vec<u8>) -> Option<usize> {
    let flags = u32::from(u16_at(body, at.checked_add(STAT + HASH)?)?);
    let extended = if flags & EXTENDED == 0 { 0 } else { 2 };
    let mut begin = at + FIXED + extended;
    if version == 4 {
        let (cut, next) = varint(body, begin)?;
        name.truncate(name.len().checked_sub(cut)?);
        begin = next;
    } else {
        name.clear();
    }
    let rest = body.get(begin..)?;
    let own = rest.iter().take(MAX_NAME).position(|byte| *byte == 0)?;
    name.extend(rest.get(..own)?);
    let stated = (flags & NAME_LENGTH) as usize;
    // Git goes by the stated length, unless the name is too long for it.
    let is_stated = name.len() == stated || stated == NAME_LENGTH as usize && name.len() > stated;
    if name.is_empty() || name.len() > MAX_NAME || !is_stated {
        return None;
    }
    let end = begin + own;
    if version == 4 {
        return Some(end + 1);
    }
    // At least one zero, and as many as bring the entry to a multiple of eight.
    let end = at + ((end - at + 8) & !7);
    (end <= body.len()).then_some(end)
}

/// Looks at what follows the entries. `None`: entries are elsewhere, in another file or in blocks of which
/// only the extension says where they begin.
fn extensions(body: &[u8], entries_end: usize) -> Option<()> {
    let mut at = entries_end;
    while at < body.len() {
        let signature = body.get(at..at.checked_add(4)?)?;
        // Those that begin with a small letter have to be understood: `link`, `sdir`.
        if signature == b"IEOT" || !signature.first()?.is_ascii_uppercase() {
            return None;
        }
        let size = u32_at(body, at + 4)? as usize;
        at = at.checked_add(EXTENSION)?.checked_add(size)?;
    }
    // Git looks for this one from the end, and goes on from where it says.
    let marks_end = body.len().checked_sub(END_OF_ENTRIES);
    if let Some(mark) =
        marks_end.filter(|at| body.get(*at..).is_some_and(|it| it.starts_with(b"EOIE")))
    {
        let told = u32_at(body, mark + EXTENSION)? as usize;
        return (told == entries_end && at == body.len()).then_some(());
    }
    (at == body.len()).then_some(())
}

/// A path that stays in the work tree.
fn path(name: &[u8]) -> Option<PathBuf> {
    let path = PathBuf::from(std::str::from_utf8(name).ok()?);
    path.components().all(|part| matches!(part, Component::Normal(_))).then_some(path)
}

/// A number of git's own kind: seven bits in each byte, the highest first, one added at each step. Also where
/// it ends.
fn varint(body: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    loop {
        let byte = *body.get(at)?;
        at += 1;
        value |= usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
        value = value.checked_add(1).filter(|value| *value <= MAX_NAME)? << 7;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: u32 = 0o100_644;

    /// Entries as git writes them, behind a header that says how many they are.
    fn index(version: u32, entries: &[(u32, &[u8])], after: &[u8]) -> Vec<u8> {
        let mut all = b"DIRC".to_vec();
        all.extend(version.to_be_bytes());
        all.extend((entries.len() as u32).to_be_bytes());
        let mut before: &[u8] = b"";
        for (at, (mode, name)) in entries.iter().enumerate() {
            let begin = all.len();
            all.extend([0; MODE]);
            all.extend(mode.to_be_bytes());
            all.extend([0; STAT + HASH - MODE - 4]);
            let extended = version > 2 && at % 2 == 1;
            let flags = name.len().min(0xfff) as u16 | if extended { 0x4000 } else { 0 };
            all.extend(flags.to_be_bytes());
            if extended {
                all.extend([0; 2]);
            }
            if version == 4 {
                let same = before.iter().zip(*name).take_while(|(a, b)| a == b).count();
                let cut = before.len() - same;
                if cut > 127 {
                    all.push(0x80 | (((cut >> 7) - 1) as u8));
                }
                all.push((cut & 0x7f) as u8);
                all.extend(&name[same..]);
                all.push(0);
            } else {
                all.extend(*name);
                let length = all.len() - begin;
                all.resize(begin + ((length + 8) & !7), 0);
            }
            before = name;
        }
        all.extend(after);
        all.extend([0; HASH]);
        all
    }

    fn of(version: u32, entries: &[(u32, &[u8])], after: &[u8]) -> Option<Vec<PathBuf>> {
        submodules(&index(version, entries, after), 10)
    }

    #[test]
    fn submodules_are_found_in_every_version() {
        let long = "d/".repeat(100) + "f";
        let longest = "e/".repeat(2040) + "sub";
        let entries = [
            (FILE, &b"a"[..]),
            (GITLINK, b"a.b"),
            (FILE, long.as_bytes()),
            (GITLINK, b"dir/in"),
            (GITLINK, longest.as_bytes()),
            (0o120_000, b"x"),
        ];
        let expected = Some(vec!["a.b".into(), "dir/in".into(), PathBuf::from(&longest)]);
        for version in 2..=4 {
            assert_eq!(of(version, &entries, b""), expected, "{version}");
            assert_eq!(of(version, &entries, b"TREE\0\0\0\x02ab"), expected, "{version}");
            assert_eq!(of(version, &[], b""), Some(Vec::new()));
        }
    }

    #[test]
    fn what_git_may_read_otherwise_is_illegible() {
        let entries = [(FILE, &b"a"[..])];
        for after in [
            &b"link\0\0\0\0"[..],
            b"sdir\0\0\0\0",
            b"TREE\0\0\0\0IEOT\0\0\0\0",
            b"TREE\xff\xff\xff\xff",
            b"TREE\0\0\0\x09",
            b"TRE",
        ] {
            assert_eq!(of(2, &entries, after), None, "{after:?}");
        }
        assert_eq!(of(5, &entries, b""), None);
        assert_eq!(of(1, &entries, b""), None);
        for bad in [&b"../x"[..], b"/x", b"a/../../x", b"\xff", b""] {
            assert_eq!(of(2, &[(GITLINK, bad)], b""), None, "{bad:?}");
        }
        assert_eq!(of(2, &[(SPARSE, b"d/")], b""), None);
        let many: Vec<(u32, &[u8])> = vec![(GITLINK, b"m"); 11];
        assert_eq!(of(2, &many, b""), None);
        assert_eq!(of(2, &many[..10], b"").map(|found| found.len()), Some(10));
    }

    /// Git goes on where this extension says, wherever that is.
    #[test]
    fn the_end_of_the_entries_is_where_it_is_told() {
        let entries = [(FILE, &b"a"[..])];
        let end = (index(2, &entries, b"").len() - HASH) as u32;
        let told = |end: u32| [b"EOIE\0\0\0\x18", &end.to_be_bytes()[..], &[0; HASH]].concat();
        assert_eq!(of(2, &entries, &told(end)), Some(Vec::new()));
        assert_eq!(of(2, &entries, &told(end + 8)), None);
        // The same within another extension.
        let hidden = [b"XXXX\0\0\0\x20", &told(end + 8)[..]].concat();
        assert_eq!(of(2, &entries, &hidden), None);
    }

    #[test]
    fn a_broken_index_is_illegible_and_takes_no_time() {
        let whole = index(4, &[(FILE, b"a/b/c"), (GITLINK, b"a/b/d"), (FILE, b"e")], b"");
        for length in 0..whole.len() {
            assert_eq!(submodules(&whole[..length], 10), None, "{length}");
        }
        // Any change of a byte ends in an answer.
        for at in 0..whole.len() {
            for byte in [0, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                submodules(&changed, 10);
            }
        }
        let mut endless = index(4, &[(FILE, b"a")], b"");
        endless[8..12].copy_from_slice(&[0xff; 4]);
        assert_eq!(submodules(&endless, 10), None);
        // A name that says another length than it has.
        let mut other = index(2, &[(GITLINK, b"abc")], b"");
        other[HEADER + STAT + HASH + 1] = 2;
        assert_eq!(submodules(&other, 10), None);
    }

    #[test]
    fn a_file_is_read_within_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("index");
        assert_eq!(read(&file, 100, 1), Ok(Index::default()));
        let text = index(2, &[(GITLINK, b"m")], b"");
        std::fs::write(&file, &text).unwrap();
        let expected = Index { submodules: vec!["m".into()], bytes: text.len() as u64 };
        assert_eq!(read(&file, text.len() as u64, 1), Ok(expected));
        assert_eq!(read(&file, text.len() as u64 - 1, 1), Err(Illegible));
        std::fs::write(&file, "").unwrap();
        assert_eq!(read(&file, 100, 1), Err(Illegible));
    }
}
