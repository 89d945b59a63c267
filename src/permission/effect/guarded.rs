//! Programs that read as long as every option they are given is known to.

use super::Effect;
use super::programs::{MAY_WRITE, Verdict, WRITES};
use crate::permission::shell::Word;

/// The options with which a program only reads. An option that is not here may write.
pub(super) struct Guarded {
    pub name: &'static str,
    /// Letters without a value, also within a cluster.
    pub flags: &'static str,
    /// Letters with a value: the rest of the word, or the next one.
    pub valued: &'static str,
    /// Letters whose value, if any, is the rest of the word.
    pub attached: &'static str,
    /// Long options; those that end in `=` have a value, in the same word or the next.
    pub long: &'static [&'static str],
    /// Options that are known to write, by their first letters.
    pub writes: &'static [&'static str],
    /// How many operands it may have; the next one names what is written.
    pub operands: usize,
    /// Whether operands that begin with `+` are none.
    pub plus: bool,
}

const UNKNOWN_OPTION: Verdict =
    Err((Effect::Unknown, "has an option that is not known to only read"));

const fn guarded(name: &'static str, flags: &'static str, valued: &'static str) -> Guarded {
    Guarded {
        name,
        flags,
        valued,
        attached: "",
        long: &[],
        writes: &[],
        operands: usize::MAX,
        plus: false,
    }
}

const GUARDED: &[Guarded] = &[
    Guarded {
        long: &[
            "batch-size=",
            "check",
            "debug",
            "dictionary-order",
            "field-separator=",
            "general-numeric-sort",
            "human-numeric-sort",
            "ignore-case",
            "ignore-leading-blanks",
            "key=",
            "merge",
            "month-sort",
            "numeric-sort",
            "parallel=",
            "random-sort",
            "reverse",
            "stable",
            "unique",
            "version-sort",
            "zero-terminated",
        ],
        writes: &["-o", "--output"],
        ..guarded("sort", "bcCdfghiMmnRrsuVz", "kt")
    },
    Guarded {
        operands: 1,
        long: &[
            "check-chars=",
            "count",
            "ignore-case",
            "repeated",
            "skip-chars=",
            "skip-fields=",
            "unique",
        ],
        ..guarded("uniq", "cdDiuz", "fsw")
    },
    Guarded {
        long: &[
            "after-context=",
            "before-context=",
            "case-sensitive",
            "color=",
            "colors=",
            "column",
            "context=",
            "count",
            "count-matches",
            "crlf",
            "encoding=",
            "engine=",
            "file=",
            "files",
            "files-with-matches",
            "files-without-match",
            "fixed-strings",
            "follow",
            "glob=",
            "heading",
            "hidden",
            "iglob=",
            "ignore-case",
            "ignore-file=",
            "include-zero",
            "invert-match",
            "json",
            "line-number",
            "line-regexp",
            "max-columns=",
            "max-count=",
            "max-depth=",
            "max-filesize=",
            "multiline",
            "multiline-dotall",
            "no-config",
            "no-filename",
            "no-heading",
            "no-ignore",
            "no-ignore-dot",
            "no-ignore-global",
            "no-ignore-parent",
            "no-ignore-vcs",
            "no-line-number",
            "no-messages",
            "null",
            "one-file-system",
            "only-matching",
            "passthru",
            "pcre2",
            "pretty",
            "quiet",
            "regexp=",
            "replace=",
            "smart-case",
            "sort=",
            "sortr=",
            "stats",
            "text",
            "threads=",
            "trim",
            "type=",
            "type-add=",
            "type-list",
            "type-not=",
            "unrestricted",
            "vimgrep",
            "with-filename",
            "word-regexp",
        ],
        ..guarded("rg", "abcFhHiIlLnNopPqsSuUvVwx0", "ABCdefgjmMrtTE")
    },
    Guarded {
        long: &[
            "charset=",
            "device",
            "dirsfirst",
            "du",
            "filelimit=",
            "filesfirst",
            "fromfile",
            "gitignore",
            "ignore-case",
            "inodes",
            "matchdirs",
            "noreport",
            "prune",
            "si",
            "sort=",
            "timefmt=",
        ],
        ..guarded("tree", "aAcCdDfFghiJlnNpqQrsStuUvxX", "LPI")
    },
    Guarded {
        long: &[
            "brief",
            "dereference",
            "keep-going",
            "mime",
            "mime-encoding",
            "mime-type",
            "no-dereference",
            "raw",
        ],
        ..guarded("file", "bEhiIkLnNr0", "Ff")
    },
    Guarded {
        attached: "I",
        operands: 0,
        plus: true,
        long: &[
            "date=",
            "iso-8601",
            "iso-8601=",
            "reference=",
            "rfc-3339=",
            "rfc-email",
            "universal",
            "utc",
        ],
        writes: &["-s", "--set"],
        ..guarded("date", "juR", "dr")
    },
    Guarded {
        operands: 0,
        long: &[
            "alias",
            "all-fqdns",
            "all-ip-addresses",
            "domain",
            "fqdn",
            "ip-address",
            "long",
            "short",
        ],
        ..guarded("hostname", "aAdfiIsy", "")
    },
    Guarded { long: &["decode", "ignore-garbage", "wrap="], ..guarded("base64", "diD", "w") },
    Guarded { operands: 1, ..guarded("xxd", "abCeEipu", "cglns") },
    Guarded {
        long: &[
            "colors",
            "compact-output",
            "exit-status",
            "indent=",
            "input-format=",
            "no-colors",
            "no-doc",
            "null-input",
            "output-format=",
            "prettyPrint",
            "raw-output",
            "slurp",
            "unwrapScalar",
            "yaml-output",
        ],
        writes: &["-i", "--in-place", "--inplace"],
        ..guarded("yq", "cCejMNnPrvVyY", "poI")
    },
    FD,
    Guarded { name: "fdfind", ..FD },
    Guarded {
        long: &[
            "color=",
            "highlight-line=",
            "language=",
            "line-range=",
            "list-languages",
            "list-themes",
            "number",
            "plain",
            "show-all",
            "style=",
            "tabs=",
            "theme=",
            "wrap=",
        ],
        ..guarded("bat", "AnPpSu", "Hlmr")
    },
    Guarded {
        long: &[
            "check-sourced",
            "color",
            "color=",
            "exclude=",
            "external-sources",
            "format=",
            "include=",
            "norc",
            "severity=",
            "shell=",
            "source-path=",
        ],
        ..guarded("shellcheck", "aVx", "efiSsPo")
    },
    Guarded { attached: "cdFgipsu", ..guarded("lsof", "abhlnNoOPRtUVwX", "") },
    Guarded { plus: true, ..guarded("dig", "46muv", "bcfkpqtxy") },
];

const FD: Guarded = Guarded {
    long: &[
        "absolute-path",
        "base-directory=",
        "case-sensitive",
        "changed-before=",
        "changed-within=",
        "color=",
        "exact-depth=",
        "exclude=",
        "extension=",
        "fixed-strings",
        "follow",
        "full-path",
        "glob",
        "hidden",
        "ignore-case",
        "max-depth=",
        "max-results=",
        "min-depth=",
        "no-ignore",
        "no-ignore-parent",
        "no-ignore-vcs",
        "one-file-system",
        "owner=",
        "print0",
        "prune",
        "quiet",
        "regex",
        "relative-path",
        "search-path=",
        "size=",
        "threads=",
        "type=",
        "unrestricted",
    ],
    ..guarded("fd", "01aFgHILpqsu", "cdeEjoSt")
};

/// What a program does that is judged by its options; `None` for any other.
pub(super) fn judge(name: &str, arguments: &[Word]) -> Option<Verdict> {
    GUARDED.iter().find(|guarded| guarded.name == name).map(|guarded| guarded.judge(arguments))
}

impl Guarded {
    pub fn judge(&self, arguments: &[Word]) -> Verdict {
        let mut operands = 0_usize;
        let mut options = true;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if options && word.text == "--" {
                options = false;
                continue;
            }
            if options && word.literal().is_none() && word.may_be_option() {
                // What a glob finds may begin with `-` too.
                return MAY_WRITE;
            }
            if word.text.len() > 1 && word.text.starts_with('-') {
                // Behind a `--` that may be the value of an option, an option may still be one.
                if !options {
                    return UNKNOWN_OPTION;
                }
                if self.option(word)? {
                    value(words.next())?;
                }
                continue;
            }
            if self.plus && word.text.starts_with('+') {
                continue;
            }
            operands += if word.is_one() { 1 } else { self.operands.saturating_add(1) };
        }
        if operands > self.operands { WRITES } else { Ok(()) }
    }

    /// An option that is not among the known ones. Programs take the begin of a long one for all of it.
    fn not_known(&self, word: &Word) -> Verdict {
        let name = word.text.split('=').next().unwrap_or_default();
        let long = name.len() > 2 && name.starts_with("--");
        let writes =
            |option: &&str| word.text.starts_with(option) || (long && option.starts_with(name));
        if self.writes.iter().any(writes) { WRITES } else { UNKNOWN_OPTION }
    }

    /// Whether an option takes the next word.
    fn option(&self, word: &Word) -> Result<bool, (Effect, &'static str)> {
        let Some(long) = word.text.strip_prefix("--") else {
            let mut letters = word.text.chars().skip(1);
            while let Some(letter) = letters.next() {
                if self.valued.contains(letter) {
                    return Ok(letters.next().is_none());
                }
                if self.attached.contains(letter) {
                    return Ok(false);
                }
                if !self.flags.contains(letter) {
                    return self.not_known(word).map(|()| false);
                }
            }
            return Ok(false);
        };
        let (name, own) = match long.split_once('=') {
            Some((name, _)) => (name, true),
            None => (long, false),
        };
        let with = format!("{name}=");
        match (self.long.contains(&name), self.long.contains(&&*with)) {
            (_, true) if own => Ok(false),
            (true, _) if !own => Ok(false),
            (_, true) => Ok(true),
            _ if matches!(long, "help" | "version") => Ok(false),
            _ => self.not_known(word).map(|()| false),
        }
    }
}

/// The value of an option that stands in the next word: one word, and none that looks like an option,
/// for which another program may take it.
fn value(word: Option<&Word>) -> Verdict {
    match word {
        Some(word) if !word.is_one() => MAY_WRITE,
        Some(word) if word.text.starts_with('-') && word.text != "-" => UNKNOWN_OPTION,
        _ => Ok(()),
    }
}
