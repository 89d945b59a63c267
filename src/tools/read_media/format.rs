//! What a picture or a film is, by its first bytes. Names lie more often.

/// A format that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Png,
    Jpeg,
    Gif,
    WebP,
    Bmp,
    Tiff,
    /// What cannot be decoded here, with the name that people know it by.
    Foreign(&'static str, &'static str),
    Video(&'static str),
}

impl Format {
    /// The format of a file that begins so.
    pub fn of(header: &[u8]) -> Option<Self> {
        let starts = |magic: &[u8]| header.starts_with(magic);
        let at = |place: usize, magic: &[u8]| {
            header.get(place..).is_some_and(|rest| rest.starts_with(magic))
        };
        Some(if starts(b"\x89PNG\r\n\x1a\n") {
            Self::Png
        } else if starts(b"\xff\xd8\xff") {
            Self::Jpeg
        } else if starts(b"GIF87a") || starts(b"GIF89a") {
            Self::Gif
        } else if starts(b"RIFF") && at(8, b"WEBP") {
            Self::WebP
        } else if starts(b"BM") {
            Self::Bmp
        } else if starts(b"II*\0") || starts(b"MM\0*") {
            Self::Tiff
        } else if starts(b"\0\0\x01\0") {
            Self::Foreign("image/x-icon", "an icon")
        } else if starts(b"RIFF") && at(8, b"AVI ") {
            Self::Video("video/x-msvideo")
        } else if starts(b"FLV\x01") {
            Self::Video("video/x-flv")
        } else if starts(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11") {
            Self::Video("video/x-ms-wmv")
        } else if starts(b"\x1a\x45\xdf\xa3") {
            let webm = header.windows(4).any(|bytes| bytes == b"webm");
            Self::Video(if webm { "video/webm" } else { "video/x-matroska" })
        } else if at(4, b"ftyp") {
            match header.get(8..12)? {
                b"avif" | b"avis" => Self::Foreign("image/avif", "an AVIF picture"),
                b"heic" | b"heif" | b"heix" | b"hevc" | b"mif1" | b"msf1" => {
                    Self::Foreign("image/heic", "a HEIC picture")
                }
                b"qt  " => Self::Video("video/quicktime"),
                brand if brand.starts_with(b"3g") => Self::Video("video/3gpp"),
                _ => Self::Video("video/mp4"),
            }
        } else {
            return None;
        })
    }

    /// The media type.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
            Self::Foreign(mime, _) | Self::Video(mime) => mime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_bytes() {
        for (header, mime) in [
            (&b"\x89PNG\r\n\x1a\n"[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\0\0\0\0WEBP", "image/webp"),
            (b"RIFF\0\0\0\0AVI ", "video/x-msvideo"),
            (b"BM", "image/bmp"),
            (b"GIF87a", "image/gif"),
            (b"MM\0*", "image/tiff"),
            (b"II*\0", "image/tiff"),
            (b"\0\0\x01\0", "image/x-icon"),
            (b"FLV\x01", "video/x-flv"),
            (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-wmv"),
            (b"\0\0\0\x20ftypmif1", "image/heic"),
            (b"\0\0\0\x20ftypavis", "image/avif"),
            (b"\0\0\0\x20ftyp3gp5", "video/3gpp"),
            (b"\0\0\0\x20ftyp3g2a", "video/3gpp"),
            (b"\0\0\0\x20ftypM4V ", "video/mp4"),
            (b"\0\0\0\x20ftypheic", "image/heic"),
            (b"\0\0\0\x20ftypavif", "image/avif"),
            (b"\0\0\0\x20ftypisom", "video/mp4"),
            (b"\0\0\0\x20ftypqt  ", "video/quicktime"),
            (b"\x1a\x45\xdf\xa3\x01\x42\x82webm", "video/webm"),
            (b"\x1a\x45\xdf\xa3", "video/x-matroska"),
        ] {
            assert_eq!(Format::of(header).map(Format::mime), Some(mime));
        }
        for header in [&b""[..], b"<svg>", b"RIFF", b"\0\0\0\x20ftyp"] {
            assert_eq!(Format::of(header), None);
        }
    }
}
