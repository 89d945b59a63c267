//! What is said about a command line that makes no sense. Always exit status 2, stdout empty.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Args;

/// A command line that makes no sense, in one sentence. Never wrapped: scripts look for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{said}")]
pub struct UsageError {
    said: String,
    /// How the command is used, when it is known which one was meant.
    usage: Option<String>,
}

impl UsageError {
    /// `Invalid value for <hint>: <message>`; the hint is the option at fault.
    pub fn invalid(hint: &str, message: impl AsRef<str>) -> Self {
        Self::of(format!("Invalid value for {hint}: {}", message.as_ref()))
    }

    /// Something that has to be there is not.
    pub fn missing(what: &str) -> Self {
        Self::of(format!("Missing {what}."))
    }

    /// A word where a subcommand stands.
    pub fn no_such_command(word: &str) -> Self {
        Self::of(format!("No such command '{word}'."))
    }

    /// What the argument parser found, in the words that kimi-cli uses for it.
    pub fn from_parser(error: &clap::Error) -> Self {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
            _ => None,
        };
        if error.kind() == ErrorKind::MissingRequiredArgument {
            return Self::missing_arguments(error);
        }
        let option = option_name(text(ContextKind::InvalidArg).unwrap_or_default());
        let given = text(ContextKind::InvalidValue).unwrap_or_default();
        let choices = match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(all)) => {
                all.iter().map(|one| format!("'{one}'")).collect::<Vec<_>>().join(", ")
            }
            _ => "its choices".to_owned(),
        };
        Self::of(match error.kind() {
            ErrorKind::UnknownArgument if !option.starts_with('-') => {
                format!("Got unexpected extra argument ({option})")
            }
            ErrorKind::UnknownArgument => match text(ContextKind::SuggestedArg) {
                // A hidden option stays unsaid.
                Some(known) if !Args::lists(known) => format!("No such option '{option}'."),
                Some(known) => format!("No such option '{option}'. Did you mean '{known}'?"),
                None => format!("No such option '{option}'."),
            },
            ErrorKind::InvalidSubcommand => {
                let word = text(ContextKind::InvalidSubcommand).unwrap_or_default();
                format!("No such command '{word}'.")
            }
            ErrorKind::InvalidValue if !given.is_empty() => {
                format!("Invalid value for '{option}': '{given}' is not one of {choices}.")
            }
            ErrorKind::InvalidValue => format!("Option '{option}' requires an argument."),
            ErrorKind::TooManyValues => format!("Option '{option}' does not take a value."),
            ErrorKind::InvalidUtf8 => {
                "An argument is not valid UTF-8; only file names may be.".to_owned()
            }
            _ => {
                let whole = error.to_string();
                let first = whole.lines().next().unwrap_or_default();
                first.strip_prefix("error: ").unwrap_or(first).to_owned()
            }
        })
    }

    /// Names what is missing, and the usage of the command that misses it.
    fn missing_arguments(error: &clap::Error) -> Self {
        let names: Vec<String> = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(names)) => names.iter().map(|name| bare(name)).collect(),
            Some(ContextValue::String(name)) => vec![bare(name)],
            _ => Vec::new(),
        };
        let s = if names.len() == 1 { "" } else { "s" };
        let said = format!("Missing argument{s} {}.", names.join(", "));
        let usage = match error.get(ContextKind::Usage) {
            Some(ContextValue::StyledStr(usage)) => Some(usage.to_string()),
            _ => None,
        };
        let usage = usage.as_deref().and_then(|usage| usage.trim().strip_prefix("Usage: "));
        Self { usage: usage.map(one_line), ..Self::of(said) }
    }

    pub(super) fn of(said: impl AsRef<str>) -> Self {
        Self { said: one_line(said.as_ref()), usage: None }
    }

    /// The whole text for stderr.
    pub fn report(&self) -> String {
        let usage = self.usage.as_deref().unwrap_or("kimi [OPTIONS] [COMMAND] [ARGS]...");
        // The words before the first argument are the command.
        let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let command = usage.split(' ').take_while(is_word).collect::<Vec<_>>().join(" ");
        format!("Usage: {usage}\nTry '{command} -h' for help.\nError: {self}\n")
    }
}

/// `'NAME'` of `<NAME>`, `'TARGET'` of `<TARGET>...`.
fn bare(shown: &str) -> String {
    format!("'{}'", shown.replace(['<', '>'], "").trim_end_matches("..."))
}

/// `--session` of `--session [<ID>]`; `--model` of `--model=x`.
fn option_name(shown: &str) -> &str {
    shown.split([' ', '=']).next().unwrap_or_default()
}

/// The text on one line and without anything that a terminal would act on.
fn one_line(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
