//! `sed`: whether its scripts only print, substitute and delete lines.

use super::Word;

/// Letters of options without a value that change nothing but how lines are read and printed.
const FLAGS: &str = "nErsuz";

/// Whether a command line of `sed`, without the program, has nothing but plain scripts: no command that
/// runs something or opens a file. With `-i` it still changes the files it is given.
pub fn is_plain(arguments: &[Word]) -> bool {
    read(arguments).is_some_and(|line| line.scripts.iter().all(|script| is_plain_script(script)))
}

/// A command line of `sed`.
pub struct Sed {
    pub scripts: Vec<String>,
    /// Whether it changes the files.
    pub in_place: bool,
}

/// Reads the words behind `sed`. `None`: an option is not known, or a script only when it runs.
pub fn read(arguments: &[Word]) -> Option<Sed> {
    let mut line = Sed { scripts: Vec::new(), in_place: false };
    let mut given = false;
    let mut rest = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word.text == "--" {
            rest.extend(words.by_ref());
            if rest.iter().any(|word| word.text.starts_with('-') && word.text != "-") {
                return None;
            }
            break;
        }
        if !word.may_be_option() || word.text == "-" {
            rest.push(word);
            continue;
        }
        let text = word.literal()?;
        let Some(letters) = text.strip_prefix('-').filter(|text| !text.starts_with('-')) else {
            match text {
                "--quiet" | "--silent" | "--regexp-extended" | "--sandbox" | "--separate"
                | "--unbuffered" | "--null-data" | "--posix" | "--debug" | "--version"
                | "--help" => {}
                _ => match text.split_once('=') {
                    Some(("--expression", script)) => {
                        given = true;
                        line.scripts.push(script.to_owned());
                    }
                    Some(("--in-place", _)) => line.in_place = true,
                    None if text == "--in-place" => line.in_place = true,
                    _ => return None,
                },
            }
            continue;
        };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            match letter {
                'e' => {
                    given = true;
                    let own = letters.as_str();
                    let script = match own.is_empty() {
                        true => words.next()?.literal()?.to_owned(),
                        false => own.to_owned(),
                    };
                    line.scripts.push(script);
                    break;
                }
                // The rest is a suffix for the copy.
                'i' => {
                    line.in_place = true;
                    break;
                }
                _ if FLAGS.contains(letter) => {}
                _ => return None,
            }
        }
    }
    let mut rest = rest.into_iter();
    if !given && let Some(script) = rest.next() {
        line.scripts.push(script.literal()?.to_owned());
    }
    Some(line)
}

/// Whether a script has none but these commands: `p P d D q Q = n N h H g G x l F`, `s` without its flags
/// `w` and `e`, `y`, labels, branches and groups.
fn is_plain_script(script: &str) -> bool {
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', ';', '{', '}']);
        if rest.is_empty() {
            return true;
        }
        match command(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
}

/// What follows the command at the begin of a text.
fn command(text: &str) -> Option<&str> {
    let mut text = address(text)?;
    if let Some(after) = text.trim_start().strip_prefix(',') {
        text = address(after.trim_start_matches([' ', '+', '~']))?;
    }
    let text = text.trim_start_matches([' ', '\t', '!']);
    let mut chars = text.chars();
    let name = chars.next()?;
    let after = chars.as_str();
    let ended = match name {
        'p' | 'P' | 'd' | 'D' | '=' | 'n' | 'N' | 'h' | 'H' | 'g' | 'G' | 'x' | 'F' => after,
        'q' | 'Q' | 'l' => after.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()),
        's' => {
            let mark = after.chars().next().filter(|c| c.is_ascii_punctuation() && *c != '\\')?;
            let pattern = past(after.strip_prefix(mark)?, mark)?;
            let flags = past(pattern, mark)?;
            flags.trim_start_matches(|c: char| c.is_ascii_digit() || "gpiIM".contains(c))
        }
        'y' => {
            let mark = after.chars().next().filter(|c| c.is_ascii_punctuation() && *c != '\\')?;
            past(past(after.strip_prefix(mark)?, mark)?, mark)?
        }
        'b' | 't' | 'T' | ':' => {
            let after = after.trim_start_matches(' ');
            after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_')
        }
        '{' => return Some(after),
        _ => return None,
    };
    let ended = ended.trim_start_matches([' ', '\t']);
    (ended.is_empty() || ended.starts_with([';', '\n', '}'])).then_some(ended)
}

/// What follows the address at the begin of a text, if there is one.
fn address(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('/') {
        return Some(past(rest, '/')?.trim_start_matches(['I', 'M']));
    }
    Some(text.trim_start_matches(|c: char| c.is_ascii_digit() || "$~".contains(c)))
}

/// What follows the mark that ends a text. None of it is on another line.
fn past(text: &str, mark: char) -> Option<&str> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next().filter(|c| *c != '\n')?),
            '\n' => return None,
            c if c == mark => return Some(chars.as_str()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts() {
        for plain in [
            "p",
            "1,20p",
            "$p",
            "/re/p",
            "/a\\/b/,/c/p",
            "/a/,+3d",
            "s/a/b/",
            "s/a/b/gI",
            "s|a|b|;s,c,d,",
            "1!G;h;$!d",
            "2q",
            "/x/{p;q}",
            "/x/{s/a/b/;p}",
            "s/a\\/b/c/2p",
            ":a;N;$!ba;s/\\n/ /g",
            "y/ab/cd/",
            "1~2p",
            "/x/Ip",
            "",
            "s/a&/&&/",
        ] {
            assert!(is_plain_script(plain), "{plain}");
        }
        for acting in [
            "1e touch x",
            "e",
            "w x",
            "s/a/b/w x",
            "s/a/b/e",
            "s/a/b/ge",
            "r x",
            "/x/w y",
            "1,2w z",
            "R x",
            "W x",
            "p;w x",
            "s/a/b/;e x",
            "a text",
            "i text",
            "c text",
            "/a/e x",
            "s/[/]/w x/",
            "\\xaxe x",
            "s/a/b/\nw x",
            "1{e x\n}",
            "sxaxbxe",
            "q1e",
            "s/a\nb/c/",
            "}e x",
            "!w x",
            "# \nw x",
            "F;e",
            "s\na\nb\ne",
            "y/a/b/e",
            "ba;e x",
            "b a e",
            "1,/x/e y",
        ] {
            assert!(!is_plain_script(acting), "{acting}");
        }
    }
}
