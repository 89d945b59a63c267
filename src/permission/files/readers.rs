//! Programs that read files, that only name them, and that run code.

/// A program that reads the files it is given.
pub(super) struct Reader {
    pub names: &'static [&'static str],
    /// Letters of options with a value.
    pub valued: &'static str,
    /// Long options that take the next word.
    pub long: &'static [&'static str],
    /// How many operands come before the files: the pattern of `grep`.
    pub patterns: usize,
    /// An option by which these are given, so that all operands are files: letters, long names.
    pub given: (&'static str, &'static [&'static str]),
    pub deep: Deep,
}

/// Whether a program reads what is below a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deep {
    Never,
    /// With one of these options.
    With(&'static str, &'static str),
    Always,
}

const fn reader(names: &'static [&'static str], valued: &'static str) -> Reader {
    Reader { names, valued, long: &[], patterns: 0, given: ("", &[]), deep: Deep::Never }
}

const PATTERN: (&str, &[&str]) = ("ef", &["regexp", "expression", "file"]);
const OF_GREP: &[&str] = &["regexp", "file", "max-count", "include", "exclude", "exclude-dir"];

pub(super) const READERS: &[Reader] = &[
    reader(
        &[
            ".",
            "source",
            "base32",
            "base64",
            "b2sum",
            "bat",
            "batcat",
            "bzcat",
            "bzless",
            "cat",
            "cksum",
            "cmp",
            "col",
            "column",
            "comm",
            "csplit",
            "expand",
            "fmt",
            "fold",
            "hexdump",
            "iconv",
            "join",
            "less",
            "look",
            "md5sum",
            "mapfile",
            "more",
            "nl",
            "od",
            "open",
            "paste",
            "pr",
            "readarray",
            "rev",
            "sha1sum",
            "sha224sum",
            "sha256sum",
            "sha384sum",
            "sha512sum",
            "shuf",
            "split",
            "strings",
            "sum",
            "tac",
            "tsort",
            "unexpand",
            "uniq",
            "uuencode",
            "view",
            "wc",
            "xxd",
            "xzcat",
            "xzless",
            "zcat",
            "zless",
            "zmore",
            "zstdcat",
            "hd",
            "diffstat",
            "delta",
            "glow",
            "mdcat",
            "xdg-open",
            "msgcat",
        ],
        "",
    ),
    reader(&["head", "tail"], "ncs"),
    reader(&["cut"], "bcdf"),
    reader(&["sort"], "kSTto"),
    Reader {
        deep: Deep::With("r", "recursive"),
        ..reader(&["diff", "sdiff", "vimdiff", "colordiff"], "UCWIFx")
    },
    Reader {
        long: OF_GREP,
        patterns: 1,
        given: PATTERN,
        deep: Deep::With("rR", "recursive"),
        ..reader(&["grep", "egrep", "fgrep", "zgrep", "bzgrep", "xzgrep"], "ABCmefdD")
    },
    Reader { patterns: 1, given: PATTERN, deep: Deep::Always, ..reader(&["rgrep"], "ABCmefdD") },
    Reader {
        long: OF_GREP,
        patterns: 1,
        given: PATTERN,
        deep: Deep::Always,
        ..reader(&["rg", "ag", "ack", "ugrep", "pt"], "ABCmefgtTrjdME")
    },
    Reader { patterns: 1, given: PATTERN, ..reader(&["sed", "gsed"], "efl") },
    Reader {
        patterns: 1,
        given: ("f", &["file"]),
        ..reader(&["awk", "gawk", "mawk", "nawk"], "Fvf")
    },
    Reader {
        patterns: 1,
        given: ("f", &["from-file"]),
        ..reader(&["jq", "yq", "xmllint", "xq"], "fL")
    },
    Reader {
        deep: Deep::Always,
        ..reader(&["tar", "bsdtar", "zip", "7z", "7za", "cpio", "pax", "ar", "ln", "link"], "f")
    },
    reader(&["gzip", "bzip2", "xz", "zstd", "pigz", "gunzip"], ""),
    reader(&["ed", "ex", "vi", "vim", "nvim", "nano", "emacs", "pico", "micro"], "c"),
    reader(&["curl", "wget", "openssl", "gpg", "http", "xh"], "HXAuod"),
];

/// Programs that do not open what they are given: they print it, or look at names and dates.
pub(super) const NAMERS: &[&str] = &[
    ":", "[", "[[", "alias", "basename", "cd", "chgrp", "chmod", "chown", "command", "declare",
    "df", "dir", "dirname", "du", "echo", "exit", "export", "false", "fd", "fdfind", "file",
    "find", "hash", "kill", "locate", "ls", "mkdir", "mkfifo", "mknod", "mktemp", "popd", "printf",
    "pushd", "pwd", "readlink", "realpath", "return", "rm", "rmdir", "set", "shred", "sleep",
    "stat", "tee", "test", "touch", "tree", "true", "truncate", "type", "umask", "unlink", "unset",
    "which",
];

/// Interpreters; what of their programs looks like a path is taken for one.
pub(super) const INTERPRETERS: &[&str] = &[
    "bun",
    "deno",
    "lua",
    "luajit",
    "node",
    "osascript",
    "perl",
    "php",
    "python",
    "python2",
    "python3",
    "Rscript",
    "ruby",
    "tclsh",
];
