//! What kind of file something is, by its name and its first bytes.

use std::path::Path;

/// Bytes of the beginning that are looked at.
pub const HEADER: usize = 512;

/// The kinds that ReadFile treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Image,
    Video,
    /// Something binary.
    Unknown,
}

/// The kind of a file with this name that begins with `header`.
pub fn sniff(path: &Path, header: &[u8]) -> Kind {
    let extension =
        path.extension().map(|ext| ext.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let by_name = by_extension(&extension);
    match (by_name, by_magic(header)) {
        (Some(named), Some(found)) if named == found => found,
        // A picture by name that is something else inside.
        (Some(Kind::Image | Kind::Video), Some(_)) => Kind::Unknown,
        (_, Some(found)) => found,
        (Some(Kind::Text), None) if header.contains(&0) => Kind::Unknown,
        (Some(named), None) => named,
        (None, None) if header.contains(&0) => Kind::Unknown,
        (None, None) => Kind::Text,
    }
}

fn by_extension(extension: &str) -> Option<Kind> {
    Some(match extension {
        "png" | "jpg" | "jpeg" | "gif" | "bmp" | "tif" | "tiff" | "webp" | "ico" | "heic"
        | "heif" | "avif" | "svgz" => Kind::Image,
        "mp4" | "mkv" | "avi" | "mov" | "wmv" | "webm" | "m4v" | "flv" | "3gp" | "3g2" => {
            Kind::Video
        }
        "svg" | "ts" | "tsx" | "mts" | "cts" => Kind::Text,
        "pdf" | "doc" | "docx" | "xls" | "xlsx" | "ppt" | "pptx" | "odt" | "ods" | "odp"
        | "zip" | "gz" | "tgz" | "bz2" | "xz" | "zst" | "7z" | "rar" | "tar" | "jar" | "war"
        | "mp3" | "wav" | "flac" | "ogg" | "m4a" | "aac" | "ttf" | "otf" | "woff" | "woff2"
        | "eot" | "exe" | "dll" | "so" | "dylib" | "a" | "o" | "lib" | "class" | "pyc" | "wasm"
        | "iso" | "dmg" | "img" | "sqlite" | "sqlite3" | "db" => Kind::Unknown,
        _ => return None,
    })
}

fn by_magic(header: &[u8]) -> Option<Kind> {
    const IMAGES: &[&[u8]] = &[
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF87a",
        b"GIF89a",
        b"II*\0",
        b"MM\0*",
        b"\0\0\x01\0",
    ];
    const VIDEOS: &[&[u8]] =
        &[b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x1a\x45\xdf\xa3"];
    const BINARIES: &[&[u8]] = &[
        b"%PDF-",
        b"PK\x03\x04",
        b"\x1f\x8b",
        b"\x7fELF",
        b"7z\xbc\xaf\x27\x1c",
        b"SQLite format 3\0",
    ];
    let starts = |list: &[&[u8]]| list.iter().any(|magic| header.starts_with(magic));
    if starts(IMAGES) || (header.starts_with(b"BM") && header.get(6..10) == Some(&[0; 4])) {
        return Some(Kind::Image);
    }
    if starts(VIDEOS) {
        return Some(Kind::Video);
    }
    if starts(BINARIES) {
        return Some(Kind::Unknown);
    }
    if header.starts_with(b"RIFF") {
        return match header.get(8..12) {
            Some(b"WEBP") => Some(Kind::Image),
            Some(b"AVI ") => Some(Kind::Video),
            _ => None,
        };
    }
    if header.get(4..8) == Some(b"ftyp") {
        return match header.get(8..12)? {
            b"avif" | b"avis" | b"heic" | b"heif" | b"heix" | b"hevc" | b"mif1" | b"msf1" => {
                Some(Kind::Image)
            }
            b"isom" | b"iso2" | b"iso5" | b"mp41" | b"mp42" | b"avc1" | b"mp4v" | b"m4v "
            | b"qt  " => Some(Kind::Video),
            brand if brand.starts_with(b"3gp") => Some(Kind::Video),
            _ => None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes_decide_together() {
        let kind = |name: &str, header: &[u8]| sniff(Path::new(name), header);
        assert_eq!(kind("a.rs", b"fn main() {}"), Kind::Text);
        assert_eq!(kind("a.ts", b"const x = 1"), Kind::Text);
        assert_eq!(kind("a.svg", b"<svg>"), Kind::Text);
        assert_eq!(kind("a.png", b"\x89PNG\r\n\x1a\n...."), Kind::Image);
        assert_eq!(kind("a.txt", b"\x89PNG\r\n\x1a\n...."), Kind::Image);
        assert_eq!(kind("a.png", b"GIF89a"), Kind::Image);
        assert_eq!(kind("a.png", b"%PDF-1.7"), Kind::Unknown);
        assert_eq!(kind("a", b"\0\0\0\x20ftypisom"), Kind::Video);
        assert_eq!(kind("a", b"\0\0\0\x20ftypheic"), Kind::Image);
        assert_eq!(kind("a.bin", b"ab\0c"), Kind::Unknown);
        assert_eq!(kind("a.ts", b"G\0@"), Kind::Unknown);
        assert_eq!(kind("a.pdf", b"plain"), Kind::Unknown);
        assert_eq!(kind("latin1", b"caf\xe9"), Kind::Text);
        assert_eq!(kind("empty", b""), Kind::Text);
    }
}
