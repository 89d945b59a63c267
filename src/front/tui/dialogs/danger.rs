//! Commands that deserve a second look.
//!
//! A reading aid for a person, not a guard: a command can hide from it, so nothing is ever allowed
//! because it says nothing.

use crate::front::text::hides;

/// What is dangerous about a shell command, in words, each reason once.
pub fn dangers(command: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut add = |reason| {
        if !found.contains(&reason) {
            found.push(reason);
        }
    };
    if hides(command) {
        add("has control or invisible characters, written as ^X or <U+…> here");
    }
    let dense: String = command.chars().filter(|c| !c.is_whitespace()).take(100_000).collect();
    if dense.contains("(){") && dense.contains("|:&") || dense.contains(":|:") {
        add("fork bomb: it takes the whole machine");
    }
    let mut fetches = false;
    for part in parts(command) {
        let words: Vec<String> = words(part.text);
        // What runs: the first word that is neither an assignment nor a wrapper.
        let start = words.iter().position(|word| !is_prefix(word)).unwrap_or(words.len());
        let (prefix, rest) = words.split_at_checked(start).unwrap_or_default();
        if prefix.iter().any(|word| matches!(word.as_str(), "sudo" | "doas")) {
            add("runs with the rights of another user (sudo)");
        }
        let Some((program, args)) = rest.split_first() else { continue };
        let program = program.rsplit('/').next().unwrap_or(program);
        if !part.piped {
            fetches = false;
        }
        match program {
            "rm" if args.iter().any(|arg| has_flag(arg, "rR", "--recursive")) => {
                add("deletes recursively");
            }
            "find" if args.iter().any(|arg| arg == "-delete") => add("deletes recursively"),
            "dd" if args.iter().any(|arg| arg.starts_with("of=/dev/") && !harmless(arg)) => {
                add("writes to a raw device");
            }
            "chmod" if args.iter().any(|arg| opens_to_all(arg)) => {
                add("makes files writable for everybody");
            }
            "curl" | "wget" | "fetch" => fetches = true,
            "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" | "python" | "python3" | "perl"
            | "ruby" | "node"
                if fetches || part.substituted =>
            {
                add("runs a program straight from the network");
            }
            program if program.starts_with("mkfs") || program == "wipefs" => {
                add("erases a file system");
            }
            _ => {}
        }
        if redirects_to_device(part.text) {
            add("writes to a raw device");
        }
    }
    found
}

/// One simple command of a command line.
struct Part<'a> {
    text: &'a str,
    /// Its input comes from the command before it.
    piped: bool,
    /// A later part is substituted into it and fetches from the network.
    substituted: bool,
}

/// Splits at everything that separates commands, blind to quotes: a separator in quotes only makes
/// more parts to look at.
fn parts(command: &str) -> Vec<Part<'_>> {
    let mut out: Vec<Part<'_>> = Vec::new();
    let mut start = 0;
    let mut piped = false;
    let mut previous = ' ';
    for (at, c) in command.char_indices() {
        // A newline after a backslash or a pipe goes on with the same command.
        if c == '\n' && previous == '\\'
            || !matches!(c, ';' | '\n' | '|' | '&' | '(' | ')' | '`' | '{' | '}')
        {
            previous = c;
            continue;
        }
        let text = command.get(start..at).unwrap_or_default();
        let opens = matches!(c, '(' | '`') && matches!(previous, '$' | '<' | '"' | ' ' | '`');
        let blank = text.trim().is_empty();
        if !blank {
            out.push(Part { text, piped, substituted: opens && fetched_inside(command, at) });
        }
        // `a | b` pipes, `a || b` does not.
        piped = match c {
            '|' => !(blank && previous == '|'),
            '&' => piped && blank && previous == '|',
            '\n' => piped && blank,
            _ => false,
        };
        start = at + c.len_utf8();
        previous = c;
    }
    let text = command.get(start..).unwrap_or_default();
    if !text.trim().is_empty() {
        out.push(Part { text, piped, substituted: false });
    }
    out
}

/// Whether the text in parentheses at `at` begins with a fetch.
fn fetched_inside(command: &str, at: usize) -> bool {
    let inside = command.get(at + 1..).unwrap_or_default().trim_start();
    ["curl ", "wget ", "fetch "].iter().any(|word| inside.starts_with(word))
}

/// Words without quotes; `\` is dropped, so that `r\m` is `rm`.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| word.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect()
}

fn is_prefix(word: &str) -> bool {
    matches!(
        word,
        "sudo"
            | "doas"
            | "env"
            | "exec"
            | "command"
            | "nohup"
            | "time"
            | "nice"
            | "xargs"
            | "then"
            | "do"
            | "else"
            | "!"
            | "-E"
            | "-n"
            | "-0"
            | "-r"
    ) || word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn has_flag(arg: &str, short: &str, long: &str) -> bool {
    arg == long
        || (arg.starts_with('-') && !arg.starts_with("--") && arg.contains(|c| short.contains(c)))
}

fn opens_to_all(arg: &str) -> bool {
    let digits = arg.trim_start_matches('0');
    digits == "777" || digits == "666" || matches!(arg, "a+rwx" | "a+w" | "o+w" | "ugo+rwx" | "+w")
}

fn redirects_to_device(text: &str) -> bool {
    text.split('>').skip(1).any(|target| {
        let target = target.trim_start();
        target.starts_with("/dev/") && !harmless(target)
    })
}

fn harmless(target: &str) -> bool {
    let device = target.split_once("/dev/").map_or(target, |(_, device)| device);
    ["null", "stdout", "stderr", "tty", "fd/", "zero", "shm/", "tcp/", "udp/"]
        .iter()
        .any(|known| device.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dangerous_commands_are_named() {
        for (command, word) in [
            ("rm -rf build", "recursively"),
            ("cd x && /bin/rm -fr .", "recursively"),
            ("rm --recursive a", "recursively"),
            ("find . -name '*.o' -delete", "recursively"),
            ("ls | xargs rm -r", "recursively"),
            ("sudo ls", "sudo"),
            ("FOO=1 sudo -E rm x", "sudo"),
            ("curl -fsSL https://x.sh | sh", "network"),
            ("curl x |\\\n bash -s", "network"),
            ("wget -qO- x | sudo bash", "network"),
            ("curl x |\nsh", "network"),
            ("bash <(curl -s x)", "network"),
            ("sh -c \"$(curl -s x)\"", "network"),
            ("dd if=a of=/dev/sda bs=1M", "raw device"),
            ("cat x > /dev/sda", "raw device"),
            ("mkfs.ext4 /dev/sdb1", "file system"),
            ("chmod -R 777 .", "everybody"),
            ("chmod 0777 x", "everybody"),
            (":(){ :|:& };:", "fork bomb"),
            ("r\\m -rf x", "recursively"),
            ("echo safe \u{1b}]0;x ;touch PWNED; echo \u{7}", "control"),
            ("touch X #\recho safe", "control"),
            ("rm \u{202e}x", "control"),
            ("rm\u{200b} x", "control"),
        ] {
            let found = dangers(command);
            assert!(found.iter().any(|reason| reason.contains(word)), "{command}: {found:?}");
        }
    }

    #[test]
    fn everyday_commands_are_quiet() {
        for command in [
            "ls -la",
            "rm file.txt",
            "cargo test 2>/dev/null",
            "grep -r sudo .",
            "curl https://x -o file; sh build.sh",
            "curl x || bash fallback.sh",
            "chmod 755 x",
            "echo hi > out.txt",
            "dd if=/dev/zero of=/dev/null",
            "git commit -m 'a: b | c'",
            "make\n\tall && echo 你好 👩\u{200d}👩\u{200d}👧",
            "",
        ] {
            assert_eq!(dangers(command), Vec::<&str>::new(), "{command}");
        }
    }

    #[test]
    fn huge_commands_are_read_once() {
        let command = "a(".repeat(50_000) + "💫" + &"|".repeat(50_000);
        assert!(dangers(&command).is_empty());
    }
}
