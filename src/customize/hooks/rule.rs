//! The configured hooks, with their matchers ready.

use std::sync::Arc;

use regex_automata::meta::Regex;

use super::occasion::Subject;
use crate::config::Hook;
use crate::customize::agent_file::tool_names::code_names;

/// Steps back that the search for a matcher may take.
const MAX_RETRIES: u32 = 100_000;

/// The hooks of a configuration. One value serves every session of the process.
#[derive(Debug, Default)]
pub struct HookSet {
    pub(super) rules: Vec<Rule>,
    /// What is wrong with them, one line each.
    pub warnings: Vec<String>,
}

impl HookSet {
    /// Reads the matchers. One that cannot be read never matches, which a person is told; that of a
    /// hook that fails closed always does.
    pub fn new(hooks: &[Hook]) -> Self {
        let mut set = Self::default();
        for (at, hook) in hooks.iter().enumerate() {
            let matcher = Matcher::new(&hook.matcher);
            if let Matcher::Broken(reason) = &matcher {
                let effect = if hook.fail_closed { "runs for everything" } else { "never runs" };
                set.warnings.push(format!(
                    "hooks[{at}].matcher: {:?} is no regular expression ({reason}), so this {} hook \
                     {effect}",
                    hook.matcher,
                    hook.event.name()
                ));
            }
            set.rules.push(Rule {
                hook: hook.clone(),
                speaks_code: matcher.speaks_code(),
                matcher,
            });
        }
        set
    }

    /// The same hooks, told of every tool by its name in kimi-code: for runs in which the model and
    /// everybody else hear those, so that a hook without a matcher finds what it looks for too.
    #[must_use]
    pub fn in_code_names(mut self) -> Self {
        self.rules.iter_mut().for_each(|rule| rule.speaks_code = true);
        self
    }
}

/// A configured hook.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub hook: Hook,
    matcher: Matcher,
    /// It was written for kimi-code: see [`Matcher::speaks_code`].
    pub speaks_code: bool,
}

impl Rule {
    /// Whether the hook wants to hear of it.
    pub fn wants(&self, subject: &Subject) -> bool {
        match &self.matcher {
            Matcher::Broken(_) => self.hook.fail_closed,
            matcher => matcher.fits(subject),
        }
    }
}

/// What a hook wants to hear of.
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    All,
    Search(Box<Regex>),
    /// One that looks ahead or behind, as Python and JavaScript allow it.
    Backtrack(Arc<onig::Regex>),
    /// No regular expression, for this reason.
    Broken(String),
}

impl Matcher {
    /// Reads a regular expression; an empty one fits everything. So does a star, which is none, but
    /// what other programs write for it: a guard must not be off for that.
    pub fn new(pattern: &str) -> Self {
        if matches!(pattern.trim(), "" | "*") {
            return Self::All;
        }
        let error = match Regex::new(pattern) {
            Ok(regex) => return Self::Search(Box::new(regex)),
            Err(error) => error,
        };
        let options = onig::RegexOptions::REGEX_OPTION_NONE;
        if let Ok(regex) = onig::Regex::with_options(pattern, options, onig::Syntax::python()) {
            return Self::Backtrack(Arc::new(regex));
        }
        let reason = match error.syntax_error() {
            Some(error) => error.to_string(),
            None => error.to_string(),
        };
        // The last line says what is wrong; those before it draw the place.
        let reason = reason.lines().last().unwrap_or_default();
        Self::Broken(reason.trim_start_matches("error: ").to_owned())
    }

    /// Whether it is found in one of the subject's names: a tool has two, ours and kimi-code's. One
    /// that looks around says what it does not want, mostly, and not having the other name is no
    /// reason to want it.
    pub fn fits(&self, subject: &Subject) -> bool {
        match self {
            Self::Backtrack(_) => self.finds(&subject.target),
            _ => subject.names().any(|name| self.finds(name)),
        }
    }

    fn finds(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Search(regex) => regex.is_match(name),
            Self::Backtrack(regex) => {
                let mut bounds = onig::MatchParam::default();
                bounds.set_retry_limit_in_match(MAX_RETRIES);
                let none = onig::SearchOptions::SEARCH_OPTION_NONE;
                let found = regex.search_with_param(name, 0, name.len(), none, None, bounds);
                // What takes too long to find out is taken as found: a guard is asked once too often.
                found.map_or(true, |at| at.is_some())
            }
            Self::Broken(_) => false,
        }
    }

    /// Whether it names a tool as kimi-code does and not as we do, such as `Bash|Write`. The command
    /// behind it then looks for such names in what it is given: called by ours, it would take no tool
    /// for the one that it is there to stop.
    fn speaks_code(&self) -> bool {
        matches!(self, Self::Search(_))
            && code_names().any(|(code, ours)| self.finds(code) && !self.finds(ours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::HookEvent;

    fn hook(matcher: &str, fail_closed: bool) -> Hook {
        let (event, command) = (HookEvent::PreToolUse, "true".to_owned());
        Hook { event, command, matcher: matcher.to_owned(), timeout: 30, fail_closed }
    }

    fn wants(matcher: &str, tool: &str) -> bool {
        let set = HookSet::new(&[hook(matcher, false)]);
        assert!(set.warnings.is_empty(), "{:?}", set.warnings);
        set.rules[0].wants(&Subject::tool(tool))
    }

    #[test]
    fn matchers_are_searched_for() {
        for (matcher, tool, wanted) in [
            ("", "Shell", true),
            ("*", "Shell", true),
            (" ", "mcp__x__y", true),
            ("Shell|WriteFile", "WriteFile", true),
            ("File", "ReadFile", true),
            ("^File", "ReadFile", false),
            ("shell", "Shell", false),
            ("(?i)shell", "Shell", true),
            ("mcp__gh__.*", "mcp__gh__push", true),
            ("Shell", "mcp__x__y", false),
            ("^(?!ReadFile|Glob)", "WriteFile", true),
            ("^(?!ReadFile|Glob)", "ReadFile", false),
            (r"(.)\1", "Shell", true),
            // As kimi-code names them.
            ("^Bash$", "Shell", true),
            ("^(Bash|Write|Edit)$", "StrReplaceFile", true),
            ("^Read$", "ReadFile", true),
            ("^Read$", "ReadMediaFile", false),
            ("^Bash$", "Glob", false),
        ] {
            assert_eq!(wants(matcher, tool), wanted, "{matcher} {tool}");
        }
    }

    #[test]
    fn a_matcher_tells_whose_names_its_hook_knows() {
        let speaks = |matcher: &str| HookSet::new(&[hook(matcher, false)]).rules[0].speaks_code;
        for matcher in ["Bash", "Bash|Write|Edit", "^Read$", "TodoList$|Edit"] {
            assert!(speaks(matcher), "{matcher}");
        }
        for matcher in ["", "Shell", "Shell|Bash|Write", "Read", "WriteFile", "mcp__", "*"] {
            assert!(!speaks(matcher), "{matcher}");
        }
    }

    #[test]
    fn a_search_that_does_not_end_asks_the_hook() {
        let endless = format!("{}!", "a".repeat(200));
        assert!(wants(r"^(?=(a|a|aa)+$)b", &endless));
    }

    #[test]
    fn a_broken_matcher_is_told_and_fits_nothing_unless_it_fails_closed() {
        for broken in ["+", "(", "[a", "(?=x"] {
            let set = HookSet::new(&[hook(broken, false), hook(broken, true)]);
            let wants: Vec<bool> =
                set.rules.iter().map(|rule| rule.wants(&Subject::tool("Shell"))).collect();
            assert_eq!(wants, [false, true], "{broken}");
            let [first, second] = &set.warnings[..] else { panic!("{:?}", set.warnings) };
            assert!(first.starts_with("hooks[0].matcher: ") && first.ends_with("never runs"));
            assert!(second.ends_with("PreToolUse hook runs for everything"), "{second}");
            assert!(!first.contains('\n'), "{first}");
        }
    }
}
