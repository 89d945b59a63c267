//! The files that a pasted text names: what a terminal sends when files are dropped on it.
//!
//! Terminals write them as a shell would have them: in quotes, with backslashes, as `file:` addresses,
//! or as they are, one or several, separated by blanks. Only whole paths of what may be pictures
//! count: other text is text.

use std::path::{Path, PathBuf};

use crate::platform::Env;

/// Longer texts are no paths.
const MOST_BYTES: usize = 16 * 1024;
/// More files are not taken at once.
const MOST_FILES: usize = 20;
/// Ends of names of pictures, also of such as cannot be sent: that is worth a word.
const ENDS: [&str; 11] =
    ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "heic", "heif", "avif"];

/// The pictures that a pasted text names and nothing else; `None` when it is any other text.
pub fn pictures_in(pasted: &str, env: &Env) -> Option<Vec<PathBuf>> {
    let text = pasted.trim();
    if text.is_empty() || text.len() > MOST_BYTES {
        return None;
    }
    let read = |words: Vec<String>| -> Option<Vec<PathBuf>> {
        let some = (1..=MOST_FILES).contains(&words.len());
        some.then(|| words.iter().map(|word| picture(word, env)).collect()).flatten()
    };
    // A path may be pasted as it is, blanks and all.
    let whole = || (!text.contains('\n')).then(|| vec![text.to_owned()]).and_then(read);
    let words = words(text);
    let many = words.as_ref().is_some_and(|words| words.len() > MOST_FILES);
    windows(text, env).or_else(|| words.and_then(read)).or_else(|| whole().filter(|_| !many))
}

/// A single path of Windows, where its disks can be seen from here.
fn windows(text: &str, env: &Env) -> Option<Vec<PathBuf>> {
    env.var("WSL_DISTRO_NAME")?;
    let quoted = ['"', '\''].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q));
    let (disk, rest) = quoted.unwrap_or(text).split_once(":\\")?;
    let is_disk = disk.len() == 1 && disk.bytes().all(|c| c.is_ascii_alphabetic());
    let path = format!("/mnt/{}/{}", disk.to_ascii_lowercase(), rest.replace('\\', "/"));
    (is_disk && is_picture(&path)).then(|| vec![PathBuf::from(path)])
}

/// The path in a word, if it is one of a picture: absolute, in the home directory, or an address.
fn picture(word: &str, env: &Env) -> Option<PathBuf> {
    let path = if word.starts_with("file:") {
        url::Url::parse(word).ok()?.to_file_path().ok()?
    } else if let Some(rest) = word.strip_prefix("~/") {
        env.home.join(rest)
    } else {
        PathBuf::from(word)
    };
    let plain = path.to_str().is_some_and(|path| !path.chars().any(char::is_control));
    (plain && path.is_absolute() && is_picture(&path)).then_some(path)
}

fn is_picture(path: impl AsRef<Path>) -> bool {
    let end = path.as_ref().extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
    end.is_some_and(|end| ENDS.contains(&end.as_str()))
}

/// The words as a shell would read them; `None` when a quote is not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;
    use proptest::prelude::*;

    fn found(text: &str) -> Option<Vec<String>> {
        let env = fixed::env("/home/u", &[("WSL_DISTRO_NAME", "Ubuntu")]);
        let paths = pictures_in(text, &env)?;
        Some(paths.iter().map(|path| path.display().to_string()).collect())
    }

    #[test]
    fn dropped_files_are_known_however_a_terminal_writes_them() {
        for (text, paths) in [
            ("/a/b.png", &["/a/b.png"][..]),
            ("'/a/b c.png' ", &["/a/b c.png"]),
            ("\"/a/it's.JPG\"\n", &["/a/it's.JPG"]),
            ("/a/b\\ c\\(1\\).jpeg", &["/a/b c(1).jpeg"]),
            ("/a/b c.png", &["/a/b c.png"]),
            ("/a/it's one.png", &["/a/it's one.png"]),
            ("file:///a/b%20c.webp", &["/a/b c.webp"]),
            ("~/x.gif", &["/home/u/x.gif"]),
            ("/a.png /b.png", &["/a.png", "/b.png"]),
            ("'/a 1.png' '/b 2.png'", &["/a 1.png", "/b 2.png"]),
            ("/a.png\n/b.heic\n", &["/a.png", "/b.heic"]),
            ("\"C:\\Users\\me\\a b.png\"", &["/mnt/c/Users/me/a b.png"]),
        ] {
            let expected = paths.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(found(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_text_is_text() {
        for text in [
            "",
            "  ",
            "logo.png",
            "./logo.png",
            "look at /a/b.png",
            "/a/b.png please",
            "/a/b.txt",
            "/a/png",
            "https://h/a.png",
            "file://host/a.png",
            "/a\u{1b}[2J.png",
            "CC:\\a.png",
            "/a.png /b.txt",
        ] {
            assert_eq!(found(text), None, "{text:?}");
        }
        assert_eq!(found(&"/a.png ".repeat(21)), None);
        assert_eq!(found(&format!("/{}.png", "x".repeat(MOST_BYTES))), None);
        let elsewhere = fixed::env("/h", &[]);
        assert_eq!(pictures_in("C:\\a.png", &elsewhere), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,40}") {
            if let Some(paths) = found(&text) {
                prop_assert!(paths.iter().all(|path| path.starts_with('/')));
            }
        }
    }
}
