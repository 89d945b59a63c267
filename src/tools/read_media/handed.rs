//! Pictures that a person hands over: dropped files, the clipboard.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::format::Format;
use super::picture::{Picture, Unfit, fit};
use super::{MAX_FILE, sniff};

/// Reads a file as a picture that is fit to be sent. The error is one line for a person; `None` when
/// there is no such file. For a thread that may block: a large picture takes seconds.
pub fn picture_of_file(path: &Path) -> Result<Option<Picture>, String> {
    let shown = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let failed = |error: io::Error| format!("{shown} cannot be read: {error}.");
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits();
    // A pipe would be waited for; it may also have taken the place of a file that was there.
    let flags = i32::try_from(nonblocking).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(format!("{shown} is a directory, not a picture."));
    }
    if !metadata.is_file() {
        return Err(format!("{shown} is not a regular file."));
    }
    let too_large = || format!("{shown} is larger than {} MiB.", MAX_FILE >> 20);
    if metadata.len() > MAX_FILE {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut file = file.take(MAX_FILE + 1);
    // What is no picture is known by its beginning.
    file.by_ref().take(sniff::HEADER as u64).read_to_end(&mut bytes).map_err(failed)?;
    if Format::of(&bytes).is_none() {
        return Err(format!("{shown} is not a picture."));
    }
    file.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(too_large());
    }
    picture_of(bytes).map(Some).map_err(|why| format!("{shown} {why}"))
}

/// Makes bytes a picture that is fit to be sent. The error is the rest of a sentence that begins with
/// what they are.
pub fn picture_of(bytes: Vec<u8>) -> Result<Picture, String> {
    let format = Format::of(&bytes);
    if let Some(Format::Video(_)) = format {
        return Err("is a film, not a picture.".to_owned());
    }
    fit(bytes, format).map_err(|unfit| match unfit {
        Unfit::Foreign(what) => format!("is {what}, which cannot be sent: make it a PNG or JPEG."),
        Unfit::Huge(width, height) => {
            format!("has {width}x{height} pixels, which is too many to be sent.")
        }
        Unfit::Damaged(why) => format!("cannot be read as a picture: {why}."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(width, height).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// The beginning of a PNG that claims this size.
    fn bomb(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = png(1, 1);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
            })
        })
    }

    #[test]
    fn a_picture_is_taken_and_everything_else_is_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let read = |path: &Path| picture_of_file(path).map(|picture| picture.map(|it| it.sent));
        assert_eq!(read(&file("a.png", &png(3, 2))), Ok(Some((3, 2))));
        assert_eq!(read(&dir.path().join("none.png")), Ok(None));
        let huge = dir.path().join("huge.png");
        std::fs::File::create(&huge).unwrap().set_len(MAX_FILE + 1).unwrap();
        let pipe = dir.path().join("pipe.png");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let folder = dir.path().join("dir.png");
        std::fs::create_dir(&folder).unwrap();
        for (path, why) in [
            (file("text.png", b"just text"), "text.png is not a picture."),
            (file("empty.png", b""), "empty.png is not a picture."),
            (huge, "huge.png is larger than 100 MiB."),
            (pipe, "pipe.png is not a regular file."),
            (folder, "dir.png is a directory, not a picture."),
            (
                file("bomb.png", &bomb(30_000, 30_000)),
                "bomb.png has 30000x30000 pixels, which is too many to be sent.",
            ),
            (file("film.png", b"\0\0\0\x20ftypisom"), "film.png is a film, not a picture."),
            (
                file("photo.heic", b"\0\0\0\x20ftypheic"),
                "photo.heic is a HEIC picture, which cannot be sent: make it a PNG or JPEG.",
            ),
        ] {
            assert_eq!(read(&path), Err(why.to_owned()));
        }
        let torn = file("torn.png", &png(9, 9)[..40]);
        let why = read(&torn).unwrap_err();
        assert!(why.starts_with("torn.png cannot be read as a picture: "), "{why}");
        assert!(!why.contains('\n'), "{why}");
    }
}
