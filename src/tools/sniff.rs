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
        // A picture by name that is something else inside, or a text that is a picture.
        (Some(Kind::Image | Kind::Video | Kind::Text), Some(_)) => Kind::Unknown,
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

    /// The table of tools.md section 2: what each name means where the bytes say nothing.
    #[test]
    fn every_extension_of_the_table_means_its_kind_in_either_letter_case() {
        let rows = [
            (Kind::Image, "png jpg jpeg gif bmp tif tiff webp ico heic heif avif svgz"),
            (Kind::Video, "mp4 mkv avi mov wmv webm m4v flv 3gp 3g2"),
            (Kind::Text, "svg ts tsx mts cts rs txt json md ipynb"),
            (
                Kind::Unknown,
                "pdf doc docx xls xlsx ppt pptx odt ods odp zip gz tgz bz2 xz zst 7z rar tar jar war \
                 mp3 wav flac ogg m4a aac ttf otf woff woff2 eot exe dll so dylib a o lib class pyc \
                 wasm iso dmg img sqlite sqlite3 db",
            ),
        ];
        for (kind, extensions) in rows {
            for extension in extensions.split_whitespace() {
                for name in [format!("a.{extension}"), format!("a.b.{}", extension.to_uppercase())]
                {
                    assert_eq!(sniff(Path::new(&name), b"no mark"), kind, "{name}");
                }
            }
        }
        // A name that is all extension has none.
        assert_eq!(sniff(Path::new(".png"), b"no mark"), Kind::Text);
    }

    /// The marks of the same table: what each beginning means where the name says nothing.
    #[test]
    fn every_mark_of_the_table_means_its_kind_under_a_name_that_says_nothing() {
        let ftyp = |brand: &[u8]| [b"\0\0\0\x18ftyp".as_slice(), brand].concat();
        let riff = |form: &[u8]| [b"RIFF\x10\0\0\0".as_slice(), form].concat();
        let mut images: Vec<Vec<u8>> = [
            b"\x89PNG\r\n\x1a\n".as_slice(),
            b"\xff\xd8\xff\xe0",
            b"GIF87a",
            b"GIF89a",
            b"BM\x46\0\0\0\0\0\0\0",
            b"II*\0",
            b"MM\0*",
            b"\0\0\x01\0",
        ]
        .map(<[u8]>::to_vec)
        .into();
        images.push(riff(b"WEBP"));
        for brand in ["avif", "avis", "heic", "heif", "heix", "hevc", "mif1", "msf1"] {
            images.push(ftyp(brand.as_bytes()));
        }
        let mut videos: Vec<Vec<u8>> =
            [b"FLV\x01".as_slice(), b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x1a\x45\xdf\xa3"]
                .map(<[u8]>::to_vec)
                .into();
        videos.push(riff(b"AVI "));
        for brand in
            ["isom", "iso2", "iso5", "mp41", "mp42", "avc1", "mp4v", "m4v ", "qt  ", "3gp4", "3gp5"]
        {
            videos.push(ftyp(brand.as_bytes()));
        }
        let binaries: Vec<Vec<u8>> = [
            b"%PDF-1.7".as_slice(),
            b"PK\x03\x04",
            b"\x1f\x8b",
            b"\x7fELF",
            b"7z\xbc\xaf\x27\x1c",
            b"SQLite format 3\0",
        ]
        .map(<[u8]>::to_vec)
        .into();
        for (kind, headers) in
            [(Kind::Image, &images), (Kind::Video, &videos), (Kind::Unknown, &binaries)]
        {
            for header in headers {
                for name in ["a", "a.txt", "a.dat"] {
                    let shown = String::from_utf8_lossy(header);
                    assert_eq!(sniff(Path::new(name), header), kind, "{name}: {shown:?}");
                    // Torn off, it is no such thing: a mark is whole or none.
                    let torn = header.get(..header.len() - 1).unwrap_or_default();
                    let media = matches!(sniff(Path::new(name), torn), Kind::Image | Kind::Video);
                    let still = torn == b"\xff\xd8\xff";
                    assert_eq!(media, still, "{name}: torn {shown:?}");
                }
            }
        }
        // A text may begin like a bitmap, or be of a form that nobody knows.
        assert_eq!(sniff(Path::new("a"), b"BMW builds cars."), Kind::Text);
        assert_eq!(sniff(Path::new("a"), &riff(b"WAVE")), Kind::Unknown, "it has a NUL");
        assert_eq!(sniff(Path::new("a"), &ftyp(b"zzzz")), Kind::Unknown, "it has a NUL");
    }

    #[test]
    fn a_name_and_a_mark_that_disagree_are_neither() {
        let (png, mp4) = (b"\x89PNG\r\n\x1a\n".as_slice(), b"\0\0\0\x18ftypisom".as_slice());
        for (name, header, kind) in [
            ("a.mp4", png, Kind::Unknown),
            ("a.png", mp4, Kind::Unknown),
            ("a.png", b"PK\x03\x04", Kind::Unknown),
            // Names that promise a text.
            ("a.svg", png, Kind::Unknown),
            ("a.ts", mp4, Kind::Unknown),
            ("a.ts", b"%PDF-1.7", Kind::Unknown),
            // Of one kind, if not of one format.
            ("a.jpg", png, Kind::Image),
            ("a.mkv", mp4, Kind::Video),
            // A binary name promises nothing that a picture would break.
            ("a.db", png, Kind::Image),
            // One NUL is enough.
            ("a.txt", &[b"text ".repeat(100).as_slice(), b"\0"].concat(), Kind::Unknown),
            ("a.svg", b"<svg>\0", Kind::Unknown),
        ] {
            assert_eq!(sniff(Path::new(name), header), kind, "{name}");
        }
    }
}
