//! The picture on the clipboard, as helper programs print it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Clipboard, GLANCES, Limit};
use crate::platform::editor::find_program;

const PICTURE: Limit = Limit { bytes: 128 * 1024 * 1024, glances: GLANCES };
/// PowerShell alone takes seconds to begin.
const SLOW_PICTURE: Limit = Limit { glances: 5 * GLANCES, ..PICTURE };

/// A program that can read a picture from the clipboard.
struct PictureReader {
    program: &'static str,
    /// What lists the kinds that the clipboard has, a line each; nothing where there is no such list.
    list: &'static [&'static str],
    /// What reads it; [`KIND`] stands for the kind.
    read: &'static [&'static str],
    coded: Coded,
    limit: Limit,
}

/// How the bytes of a picture are printed.
enum Coded {
    Plain,
    Base64,
    /// `«data PNGf89504E47…»`
    AppleHex,
}

/// Kinds of pictures, the best first.
const KINDS: [&str; 6] =
    ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff"];
const KIND: &str = "<kind>";

const WL_PASTE: PictureReader = PictureReader {
    program: "wl-paste",
    list: &["--list-types"],
    read: &["--no-newline", "--type", KIND],
    coded: Coded::Plain,
    limit: PICTURE,
};
const XCLIP: PictureReader = PictureReader {
    program: "xclip",
    list: &["-selection", "clipboard", "-target", "TARGETS", "-out"],
    read: &["-selection", "clipboard", "-target", KIND, "-out"],
    coded: Coded::Plain,
    limit: PICTURE,
};
const PNGPASTE: PictureReader = PictureReader {
    program: "pngpaste",
    list: &[],
    read: &["-"],
    coded: Coded::Plain,
    limit: PICTURE,
};
const OSASCRIPT: PictureReader = PictureReader {
    program: "osascript",
    list: &[],
    read: &["-e", "the clipboard as «class PNGf»"],
    coded: Coded::AppleHex,
    limit: PICTURE,
};
const POWERSHELL: PictureReader = PictureReader {
    program: "powershell.exe",
    list: &[],
    read: &[
        "-NoProfile",
        "-Sta",
        "-Command",
        "Add-Type -AssemblyName System.Windows.Forms, System.Drawing; \
         $picture = [Windows.Forms.Clipboard]::GetImage(); \
         if ($picture) { $bytes = New-Object IO.MemoryStream; \
         $picture.Save($bytes, [Drawing.Imaging.ImageFormat]::Png); \
         [Convert]::ToBase64String($bytes.ToArray()) }",
    ],
    coded: Coded::Base64,
    limit: SLOW_PICTURE,
};

impl Clipboard {
    /// Reads the picture on the clipboard, as the bytes of a PNG or another usual kind. `None` when
    /// there is none, or nothing here that could read it.
    pub fn read_picture(&mut self) -> Option<Vec<u8>> {
        self.picture_readers().into_iter().find_map(|reader| self.picture_from(reader))
    }

    /// Where a picture may be read from. Unlike for text every program is tried that is there: over
    /// SSH it may be one that brings the person's own clipboard.
    fn picture_readers(&self) -> Vec<PictureReader> {
        let wsl = ["WSL_DISTRO_NAME", "WSL_INTEROP"].iter().any(|v| self.env.var(v).is_some());
        let mut readers = Vec::new();
        if cfg!(target_os = "macos") {
            readers.extend([PNGPASTE, OSASCRIPT]);
        }
        readers.extend([WL_PASTE, XCLIP]);
        if wsl {
            readers.push(POWERSHELL);
        }
        readers
    }

    fn picture_from(&self, reader: PictureReader) -> Option<Vec<u8>> {
        let program = find_program(reader.program, &self.env)?;
        let read = |arguments: &[&str]| self.output_within(&program, arguments, &reader.limit);
        let kind = match reader.list {
            [] => "",
            list => {
                let offered = String::from_utf8_lossy(&read(list)?).into_owned();
                KINDS.into_iter().find(|kind| offered.lines().any(|line| line.trim() == *kind))?
            }
        };
        let arguments: Vec<&str> = reader
            .read
            .iter()
            .map(|argument| if *argument == KIND { kind } else { argument })
            .collect();
        let bytes = read(&arguments)?;
        let bytes = match reader.coded {
            Coded::Plain => bytes,
            Coded::Base64 => STANDARD.decode(bytes.trim_ascii()).ok()?,
            Coded::AppleHex => apple_hex(&bytes)?,
        };
        (!bytes.is_empty()).then_some(bytes)
    }
}

/// The bytes in what AppleScript prints of data.
fn apple_hex(printed: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(printed).ok()?.trim();
    let hex = text.strip_prefix("«data ")?.strip_suffix('»')?.get(4..)?;
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::platform::editor::script::script;
    use crate::platform::env::fixed;

    #[test]
    fn a_picture_is_read_in_the_best_kind_there_is() {
        let bin = tempfile::tempdir().unwrap();
        script(
            &bin.path().join("xclip"),
            "case \"$*\" in *TARGETS*) printf 'TARGETS\\nimage/bmp\\nimage/jpeg\\n';; \
             *image/jpeg*) printf pixels;; *) exit 1;; esac",
        );
        let vars = [("PATH", bin.path().to_str().unwrap()), ("SSH_TTY", "/dev/pts/1")];
        let mut clipboard = Clipboard::new(fixed::env("/nowhere", &vars));
        assert_eq!(clipboard.read_picture().unwrap(), b"pixels");
        // A program that hangs or knows of none is not waited for, nor taken at its word.
        script(&bin.path().join("wl-paste"), "echo text/plain");
        assert_eq!(clipboard.read_picture().unwrap(), b"pixels");
        script(&bin.path().join("xclip"), "echo text/plain");
        assert_eq!(clipboard.read_picture(), None);
        std::fs::remove_file(bin.path().join("xclip")).unwrap();
        assert_eq!(clipboard.read_picture(), None);
    }

    #[test]
    fn a_picture_of_windows_comes_in_base64() {
        let bin = tempfile::tempdir().unwrap();
        script(&bin.path().join("powershell.exe"), "printf 'cGl4ZWxz\\r\\n'");
        let vars = [("PATH", bin.path().to_str().unwrap()), ("WSL_DISTRO_NAME", "Ubuntu")];
        let mut clipboard = Clipboard::new(fixed::env("/nowhere", &vars));
        assert_eq!(clipboard.read_picture().unwrap(), b"pixels");
        script(&bin.path().join("powershell.exe"), "printf ''");
        assert_eq!(clipboard.read_picture(), None);
    }

    #[test]
    fn what_applescript_prints_is_read() {
        assert_eq!(apple_hex("«data PNGf89504E47»\n".as_bytes()).unwrap(), b"\x89PNG");
        for other in ["", "text", "«data PNGf8»9", "«data PNGfXY»", "«data é»"] {
            assert_eq!(apple_hex(other.as_bytes()), None, "{other}");
        }
    }
}
