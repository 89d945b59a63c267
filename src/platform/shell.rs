//! The shell that commands are given to.

use std::path::Path;

/// The shell to run commands with: bash where it is, else the system's `sh`.
pub fn detect() -> &'static Path {
    first(Path::is_file)
}

fn first(is_there: impl Fn(&Path) -> bool) -> &'static Path {
    const PLACES: [&str; 3] = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"];
    PLACES.into_iter().map(Path::new).find(|path| is_there(path)).unwrap_or(Path::new("/bin/sh"))
}

/// A word of a command line, so that no two command lines look the same.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().any(char::is_control) {
        return escaped(word);
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A text as it is, unless it would not stand on one line.
pub fn in_a_line(text: &str) -> String {
    if text.chars().any(char::is_control) { escaped(text) } else { text.to_owned() }
}

/// A word as bash writes one with control characters: behind a line break a comment has ended.
fn escaped(word: &str) -> String {
    let mut out = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\'' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_one() {
        assert!(super::detect().is_file());
    }

    #[test]
    fn bash_is_taken_from_the_first_place_that_has_it_and_sh_where_none_has() {
        for (there, taken) in [
            (&["/usr/local/bin/bash", "/usr/bin/bash", "/bin/bash"][..], "/bin/bash"),
            (&["/usr/local/bin/bash", "/usr/bin/bash"], "/usr/bin/bash"),
            (&["/usr/local/bin/bash"], "/usr/local/bin/bash"),
            (&["/bin/zsh"], "/bin/sh"),
        ] {
            let is_there = |path: &std::path::Path| there.iter().any(|it| path.as_os_str() == *it);
            assert_eq!(super::first(is_there), std::path::Path::new(taken));
        }
    }

    #[test]
    fn words_are_shown_so_that_no_two_look_the_same() {
        for (word, shown) in [
            ("a-b_c./x:1=@%+,~", "a-b_c./x:1=@%+,~"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("true # x\ntouch y", "$'true # x\\ntouch y'"),
            ("a\t\r\u{1b}'\\", "$'a\\t\\r\\u001b\\'\\\\'"),
        ] {
            assert_eq!(super::quoted(word), shown);
        }
        assert_eq!(super::in_a_line("/a b"), "/a b");
        assert_eq!(super::in_a_line("/a\nb"), "$'/a\\nb'");
    }
}
