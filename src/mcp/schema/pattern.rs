//! Regular expressions of schemas, which may be hostile.

use std::collections::HashMap;

use regex_automata::meta::Regex;

/// The longest pattern that is compiled, in bytes.
const MAX_PATTERN: usize = 1_000;
/// The longest text that is matched, in bytes.
const MAX_TEXT: usize = 64 << 10;
/// Patterns of one check.
const MAX_PATTERNS: usize = 64;
/// Memory of a compiled pattern.
const MAX_COMPILED: usize = 512 << 10;

/// The patterns of one check, compiled once. Matching takes time linear in the text.
#[derive(Default)]
pub struct Patterns {
    compiled: HashMap<String, Option<Regex>>,
}

impl Patterns {
    /// Whether the pattern is found in the text. Nothing when that cannot be told: schemas are
    /// written for ECMAScript, whose look-around and back references are not known here.
    pub fn is_match(&mut self, pattern: &str, text: &str) -> Option<bool> {
        if text.len() > MAX_TEXT || pattern.len() > MAX_PATTERN {
            return None;
        }
        if !self.compiled.contains_key(pattern) {
            if self.compiled.len() == MAX_PATTERNS {
                return None;
            }
            let config = Regex::config()
                .nfa_size_limit(Some(MAX_COMPILED))
                .hybrid_cache_capacity(MAX_COMPILED);
            let regex = Regex::builder().configure(config).build(pattern).ok();
            self.compiled.insert(pattern.to_owned(), regex);
        }
        let regex = self.compiled.get(pattern)?.as_ref()?;
        Some(regex.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_is_not_told() {
        let mut patterns = Patterns::default();
        assert_eq!(patterns.is_match("^[a-z]+$", "abc"), Some(true));
        assert_eq!(patterns.is_match("^[a-z]+$", "aBc"), Some(false));
        assert_eq!(patterns.is_match("^\\d{4}-\\d{2}$", "2026-01"), Some(true));
        assert_eq!(patterns.is_match("^https?:\\/\\/", "https://x"), Some(true));
        assert_eq!(patterns.is_match("(?=x)y", "y"), None);
        assert_eq!(patterns.is_match("(((a{100}){100}){100}){100}", "a"), None);
        assert_eq!(patterns.is_match("(", "a"), None);
        assert_eq!(patterns.is_match("(a+)+$", &"a".repeat(60_000)), Some(true));
        assert_eq!(patterns.is_match("a", &"a".repeat(MAX_TEXT + 1)), None);
        for n in 0..MAX_PATTERNS {
            patterns.is_match(&format!("x{n}"), "y");
        }
        assert_eq!(patterns.is_match("one more", "one more"), None);
    }
}
