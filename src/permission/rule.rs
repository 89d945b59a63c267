//! One rule: `Shell(git status:*)`, `WriteFile(src/**)`, `mcp__gh__*`, `FetchURL(domain:docs.rs)`.

use std::fmt;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::pattern::{Pattern, line};
use super::shell::{ANY, Run};
use super::spelling::{self, Fits};
use crate::tools::path_guard;

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allow,
    Ask,
    Deny,
}

impl Decision {
    /// As it is written in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// A rule without its decision.
#[derive(Debug, Clone)]
pub struct Rule {
    /// As it was written.
    text: String,
    tools: Pattern,
    subject: Subject,
}

#[derive(Debug, Clone)]
enum Subject {
    Everything,
    Command(Pattern),
    /// Relative to the work directory.
    Path(String),
    /// A host; also those below it.
    Domain(Pattern),
    Text(Pattern),
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The files that a rule is about.
#[derive(Debug, Clone)]
pub struct Files {
    /// `None`: all of them.
    globs: Option<Vec<GlobMatcher>>,
    /// The directories above all of them, or some of them.
    fixed: Vec<PathBuf>,
}

impl Files {
    /// Whether a path, links resolved, is one of them.
    pub fn hold(&self, real: &Path) -> bool {
        self.globs.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.is_match(real)))
    }

    /// Whether everything below a directory is one of them.
    pub fn hold_all_below(&self, dir: &Path) -> bool {
        // No glob names this; one that takes it takes everything.
        self.hold(&dir.join("\u{2}/\u{2}"))
    }

    /// Whether something below a directory may be one of them.
    pub fn may_be_below(&self, dir: &Path) -> bool {
        self.fixed.iter().any(|fixed| fixed.starts_with(dir) || dir.starts_with(fixed))
    }

    /// Whether they are named by a path, and not simply all.
    pub fn are_named(&self) -> bool {
        self.globs.is_some()
    }
}

/// Where paths of rules begin.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Links resolved.
    pub work_dir: &'a Path,
    pub home: &'a Path,
}

impl Rule {
    /// Reads a rule. The error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (tool, subject) = match text.split_once('(') {
            None if text.contains(')') => return Err(wrong(text, "`(` is missing")),
            None => (text, None),
            Some((tool, rest)) => match rest.strip_suffix(')') {
                Some(subject) => (tool, Some(subject)),
                None => return Err(wrong(text, "`)` is missing at its end")),
            },
        };
        let named = |c: char| c.is_ascii_alphanumeric() || "_-*:.".contains(c);
        if tool.is_empty() || !tool.chars().all(named) {
            return Err(wrong(text, "it must begin with the name of a tool"));
        }
        let tool = canonical_tool(tool);
        let subject = match subject.map(str::trim) {
            None | Some("*" | "**") => Subject::Everything,
            Some("") => return Err(wrong(text, "nothing is between `(` and `)`")),
            Some(subject) => match tool {
                "Shell" => {
                    if subject.chars().any(char::is_control) {
                        return Err(wrong(text, "it has a control character"));
                    }
                    if subject.contains(['\'', '"', '`', '\\', '|', ';', '&', '<', '>', '$']) {
                        return Err(wrong(
                            text,
                            "it names one simple command, words without quotes, `*` for what varies",
                        ));
                    }
                    if let Some(word) = subject.split_whitespace().find(|word| is_other_glob(word))
                    {
                        return Err(wrong(
                            text,
                            &format!(
                                "in `{word}` only `*` stands for other text; `?`, `[...]` and `{{...}}` \
                                 do not, so write `*`, or one rule for each"
                            ),
                        ));
                    }
                    Subject::Command(Pattern::of_command(subject))
                }
                "ReadFile" | "ReadMediaFile" | "WriteFile" | "StrReplaceFile" | "Glob" | "Grep" => {
                    let sample = subject.trim_start_matches('!');
                    if sample != subject || glob(Path::new("/"), sample).is_none() {
                        return Err(wrong(text, "what is between `(` and `)` is no path pattern"));
                    }
                    Subject::Path(subject.to_owned())
                }
                "FetchURL" => match subject.strip_prefix("domain:") {
                    Some(domain) => Subject::Domain(Pattern::of_name(&domain.to_ascii_lowercase())),
                    None => Subject::Text(Pattern::of_name(subject)),
                },
                name if name.starts_with("mcp__") => {
                    return Err(wrong(text, "rules for MCP tools name the tool only"));
                }
                _ => Subject::Text(Pattern::of_name(subject)),
            },
        };
        Ok(Self { text: text.to_owned(), tools: Pattern::of_name(tool), subject })
    }

    /// Whether it is about commands, so that what cannot be read may concern it.
    pub fn is_about_commands(&self) -> bool {
        self.tools.covers("Shell")
    }

    /// Whether it is about all of a tool.
    pub fn is_about(&self, tool: &str) -> bool {
        self.tools.covers(tool) && matches!(self.subject, Subject::Everything)
    }

    /// Whether it covers a simple command, whatever its unknown words turn out to be.
    pub fn covers_run(&self, run: &Run) -> bool {
        if !self.tools.covers("Shell") {
            return false;
        }
        match &self.subject {
            Subject::Everything => run.assigns.iter().all(|(name, _)| is_harmless(name)),
            Subject::Command(pattern) => {
                let named = run.assigns.iter().filter(|(name, _)| !is_harmless(name));
                let mut words: Vec<_> = named
                    .map(|(name, value)| {
                        super::shell::Word::known(&format!("{name}={}", value.text))
                    })
                    .collect();
                // `*` at the begin of a rule must not stand for `LD_PRELOAD=…`.
                if !words.is_empty() && self.text.contains("(*") {
                    return false;
                }
                words.extend(run.words.iter().cloned());
                pattern.covers(&line(&words))
            }
            _ => false,
        }
    }

    /// The program of the commands it is about, with `*` for any text.
    pub fn program(&self) -> Option<&str> {
        match &self.subject {
            Subject::Command(pattern) if self.tools.covers("Shell") => {
                pattern.words().first().map(String::as_str)
            }
            _ => None,
        }
    }

    /// Whether a simple command may turn out to be one it is about, however it is spelled.
    pub fn fits_run(&self, run: &Run) -> Fits {
        match &self.subject {
            _ if !self.tools.covers("Shell") => Fits::No,
            Subject::Everything => Fits::Yes,
            Subject::Command(pattern) => spelling::fits(pattern, run),
            _ => Fits::No,
        }
    }

    /// Whether it covers a path. `real` is absolute, links resolved.
    pub fn covers_path(&self, tool: &str, real: &Path, place: Place) -> bool {
        let tools = self.tools.covers(tool) || self.stands_for(tool);
        match &self.subject {
            Subject::Everything => tools,
            Subject::Path(pattern) => {
                tools && path_glob(pattern, place).is_some_and(|glob| glob.is_match(real))
            }
            _ => false,
        }
    }

    /// The files that it keeps a tool from, or asks about: those of its path, and those that the path
    /// leads to by links.
    pub fn files(&self, tool: &str, place: Place) -> Option<Files> {
        if !(self.tools.covers(tool) || self.stands_for(tool)) {
            return None;
        }
        match &self.subject {
            Subject::Everything => Some(Files { globs: None, fixed: vec![PathBuf::from("/")] }),
            Subject::Path(pattern) => {
                let (base, rest) = path_base(pattern, place);
                let plain = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
                let parts: Vec<&str> = rest.split('/').collect();
                let (start, end) =
                    parts.split_at(parts.iter().take_while(|part| plain(part)).count());
                let named = base.join(start.iter().collect::<PathBuf>());
                let mut files =
                    Files { globs: Some(vec![path_glob(pattern, place)?]), fixed: vec![named] };
                let led = files.fixed.first().and_then(|named| path_guard::real_path(named));
                if let Some(led) = led.filter(|led| !files.fixed.contains(led)) {
                    // The empty part behind a slash at the end was plain too.
                    let all = end.is_empty() && rest.ends_with('/');
                    let rest = if all { "**".to_owned() } else { end.join("/") };
                    files.globs.as_mut()?.push(glob_below(&led, &rest)?);
                    files.fixed.push(led);
                }
                Some(files)
            }
            _ => None,
        }
    }

    /// Whether it names files by a path.
    pub fn names_files(&self) -> bool {
        matches!(self.subject, Subject::Path(_))
    }

    /// Whether it names pages of the web that `FetchURL` reads, and not simply all.
    pub fn names_pages(&self) -> bool {
        self.tools.covers("FetchURL")
            && matches!(self.subject, Subject::Text(_) | Subject::Domain(_))
    }

    /// Whether it is about files that a tool reads or writes.
    pub fn is_about_paths_of(&self, tool: &str) -> bool {
        (self.tools.covers(tool) || self.stands_for(tool))
            && matches!(self.subject, Subject::Path(_) | Subject::Everything)
    }

    /// A rule about writing files is about both tools that do, and one about reading them about all
    /// that look into them or list them.
    fn stands_for(&self, tool: &str) -> bool {
        let names: &[&str] = match tool {
            "WriteFile" | "StrReplaceFile" => &["WriteFile", "StrReplaceFile"],
            "ReadFile" | "ReadMediaFile" | "Grep" | "Glob" => &["ReadFile", "ReadMediaFile"],
            _ => return false,
        };
        names.iter().any(|name| self.tools.covers(name))
    }

    /// Whether it covers a call that is told by the tool and one text (a URL, a query).
    pub fn covers_text(&self, tool: &str, text: &str) -> bool {
        // Many agents are agents too.
        let named = self.tools.covers(tool) || (tool == "AgentSwarm" && self.tools.covers("Agent"));
        named
            && match &self.subject {
                Subject::Everything => true,
                Subject::Text(pattern) => pattern.covers(text),
                Subject::Domain(domain) => host(text).is_some_and(|host| {
                    let below = host.match_indices('.').map(|(at, _)| &host[at + 1..]);
                    domain.covers(&host) || below.into_iter().any(|host| domain.covers(host))
                }),
                Subject::Command(_) | Subject::Path(_) => false,
            }
    }
}

fn wrong(text: &str, why: &str) -> String {
    let text: String = text.chars().take(80).filter(|c| !c.is_control()).collect();
    format!(
        "{text:?} is no rule: {why}. Write a tool and, in parentheses, what of it: Shell(git status:*), \
         WriteFile(src/**), FetchURL(domain:docs.rs), mcp__gh__*"
    )
}

/// Whether a word of a command pattern is a glob beyond `*`, which would never match. `[`, `[[` and
/// `{}` are words that commands have.
fn is_other_glob(word: &str) -> bool {
    word.contains(['?', '[', ']', '{', '}']) && !matches!(word, "[" | "]" | "[[" | "]]" | "{}")
}

/// kimi-code's names of the tools that kimi-cli calls otherwise.
fn canonical_tool(name: &str) -> &str {
    match name {
        "Bash" => "Shell",
        "Read" => "ReadFile",
        "Write" => "WriteFile",
        "Edit" => "StrReplaceFile",
        "WebSearch" => "SearchWeb",
        "ReadMedia" => "ReadMediaFile",
        other => other,
    }
}

fn host(url: &str) -> Option<String> {
    let host = url::Url::parse(url).ok()?.host_str()?.to_ascii_lowercase();
    Some(host.trim_end_matches('.').to_owned())
}

fn glob(base: &Path, pattern: &str) -> Option<GlobMatcher> {
    let base = globset::escape(&base.to_string_lossy());
    let whole =
        if pattern.is_empty() { base } else { format!("{}/{pattern}", base.trim_end_matches('/')) };
    GlobBuilder::new(&whole).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}

/// Where a path pattern begins, and the rest of it.
fn path_base<'a>(pattern: &'a str, place: Place) -> (PathBuf, &'a str) {
    let real = |path: &Path| {
        crate::tools::path_guard::real_path(path).unwrap_or_else(|| PathBuf::from(path))
    };
    if let Some(rest) = pattern.strip_prefix("~/") {
        return (real(place.home), rest);
    }
    if let Some(rest) = pattern.strip_prefix('/') {
        return (PathBuf::from("/"), rest.trim_start_matches('/'));
    }
    (place.work_dir.to_path_buf(), pattern.trim_start_matches("./"))
}

fn path_glob(pattern: &str, place: Place) -> Option<GlobMatcher> {
    let (base, rest) = path_base(pattern, place);
    glob_below(&base, rest)
}

fn glob_below(base: &Path, rest: &str) -> Option<GlobMatcher> {
    // A directory is meant with all that is in it.
    match rest.strip_suffix('/') {
        Some(dir) => glob(base, &format!("{dir}/**")),
        None => glob(base, rest),
    }
}

/// Variables that change how a program talks and not what it does.
pub fn is_harmless(name: &str) -> bool {
    const KNOWN: &[&str] = &[
        "CARGO_TERM_COLOR",
        "CI",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "FORCE_COLOR",
        "LANG",
        "LANGUAGE",
        "LINES",
        "NO_COLOR",
        "RUST_BACKTRACE",
        "RUST_LOG",
        "TERM",
        "TZ",
    ];
    KNOWN.contains(&name) || (name.starts_with("LC_") && !name.contains(ANY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_rules_say_what_to_write() {
        for (text, why) in [
            ("", "name of a tool"),
            ("Shell(", "`)` is missing"),
            ("Shell)", "`(` is missing"),
            ("Shell()", "nothing is between"),
            ("git status", "name of a tool"),
            ("WriteFile(a[)", "no path pattern"),
            ("WriteFile(!src/**)", "no path pattern"),
            ("mcp__gh__push(x)", "name the tool only"),
            ("Shell(git commit -m \"x\")", "without quotes"),
            ("Shell(a && b)", "one simple command"),
            ("Shell(rm -r?:*)", "only `*` stands for other text"),
            ("Shell(rm -[rf]*)", "in `-[rf]*`"),
            ("Shell(git {push,fetch}:*)", "one rule for each"),
        ] {
            let error = Rule::parse(text).unwrap_err();
            assert!(error.contains(why) && error.contains("Shell(git status:*)"), "{text} {error}");
        }
        for text in [
            "Shell",
            "Bash(git *)",
            "Read",
            "mcp__gh__*",
            "*",
            "Write(src/**)",
            "Shell(*)",
            "Shell([ -f *)",
            "Shell(find * -exec rm {} *)",
        ] {
            assert_eq!(Rule::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn paths_are_held_against_the_real_place() {
        let place = Place { work_dir: Path::new("/w"), home: Path::new("/h") };
        let covers = |rule: &str, path: &str| {
            Rule::parse(rule).unwrap().covers_path("WriteFile", Path::new(path), place)
        };
        assert!(covers("WriteFile(src/**)", "/w/src/a/b.rs"));
        assert!(covers("Edit(src/*.rs)", "/w/src/a.rs"));
        assert!(!covers("WriteFile(src/*.rs)", "/w/src/a/b.rs"));
        assert!(!covers("WriteFile(src/**)", "/w/srcs/b.rs"));
        assert!(!covers("WriteFile(src/**)", "/other/src/b.rs"));
        assert!(covers("WriteFile(/tmp/**)", "/tmp/x"));
        assert!(covers("WriteFile(~/notes/*)", "/h/notes/x"));
        assert!(covers("WriteFile", "/etc/passwd"));
        assert!(!covers("ReadFile(src/**)", "/w/src/a.rs"));
        assert!(covers("WriteFile(**/*.md)", "/w/a/b.md"));
    }

    #[test]
    fn domains_are_hosts() {
        let rule = Rule::parse("FetchURL(domain:docs.rs)").unwrap();
        for url in ["https://docs.rs/x", "http://a.docs.rs:8080/", "https://u@DOCS.rs./"] {
            assert!(rule.covers_text("FetchURL", url), "{url}");
        }
        for url in [
            "https://docs.rs.evil.net/",
            "https://evil/docs.rs",
            "https://docs.rs@evil/",
            "docs.rs",
        ] {
            assert!(!rule.covers_text("FetchURL", url), "{url}");
        }
    }
}
