//! Which paths fit a fragment, and in which order.

use std::cmp::Reverse;

use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization};
use nucleo_matcher::{Matcher, Utf32Str};

use super::{Entry, Found};

/// How many paths are kept of all that fit.
const KEPT: usize = 50;
/// Fragments shorter than this look at the top of the tree only.
const SHORT: usize = 3;
/// Longer paths are not scored: none is typed, and scoring has its limits.
const LONGEST: usize = 4_096;

/// The fuzzy score of `text`, or `None` when it does not fit.
pub(in super::super) fn score(atom: &Atom, text: &str, matcher: &mut Matcher) -> Option<u16> {
    if text.len() > LONGEST {
        return None;
    }
    let mut wide = Vec::new();
    atom.score(Utf32Str::new(text, &mut wide), matcher)
}

/// What fits `fragment`: among `top`, the entries of the root, when it is short; otherwise among
/// all `entries`. A fragment with a `/` is limited to that directory, if there is one. Nothing fits
/// a fragment that leads out of the root.
pub(super) fn search(
    fragment: &str,
    top: &[Entry],
    entries: &[Entry],
    matcher: &mut Matcher,
) -> Found {
    let mut found = Found { fragment: fragment.to_owned(), ..Found::default() };
    let typed = fragment.strip_prefix("./").unwrap_or(fragment);
    if typed.starts_with(['/', '~']) || typed.split('/').any(|part| part == "..") {
        return found;
    }
    let entries = if !typed.contains('/') && typed.chars().count() < SHORT { top } else { entries };
    let directory = typed.rfind('/').map_or("", |slash| &typed[..=slash]);
    let inside = |entry: &&Entry| entry.path.starts_with(directory) && entry.path != directory;
    // A directory that is not there may still fit as a fuzzy match of the whole path.
    let (directory, rest) = if entries.iter().any(|entry| inside(&entry)) {
        (directory, &typed[directory.len()..])
    } else {
        ("", typed)
    };
    let hidden = typed.starts_with('.') || typed.contains("/.");
    let visible = entries
        .iter()
        .filter(|entry| entry.path.starts_with(directory) && entry.path != directory)
        .filter(|entry| hidden || !entry.is_hidden());
    let atom = Atom::new(rest, CaseMatching::Smart, Normalization::Smart, AtomKind::Fuzzy, false);
    let mut hits: Vec<(Reverse<u32>, usize, &str)> = Vec::new();
    for entry in visible {
        let path = &entry.path[directory.len()..];
        found.complete |= entry.path == typed && !entry.is_dir();
        if rest.is_empty() {
            // The children of the directory; its directories come first.
            if !path.trim_end_matches('/').contains('/') {
                hits.push((Reverse(u32::from(entry.is_dir())), 0, &entry.path));
            }
        } else if let Some(score) = score(&atom, path, matcher) {
            let score = u32::from(score) + basename_bonus(path, rest);
            hits.push((Reverse(score), entry.path.len(), &entry.path));
        }
    }
    if hits.len() > KEPT {
        hits.select_nth_unstable(KEPT);
        hits.truncate(KEPT);
    }
    hits.sort_unstable();
    found.paths = hits.into_iter().map(|(_, _, path)| path.to_owned()).collect();
    found
}

/// What is added to the score when the last part of the path fits by itself.
fn basename_bonus(path: &str, typed: &str) -> u32 {
    let path = path.trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let typed = typed.to_lowercase();
    if name == typed {
        400
    } else if name.starts_with(&typed) {
        200
    } else if name.contains(&typed) {
        100
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use nucleo_matcher::Config;

    use super::*;

    fn found(fragment: &str, paths: &[&str]) -> Found {
        let entries: Vec<Entry> =
            paths.iter().map(|path| Entry { path: (*path).to_owned() }).collect();
        let top: Vec<Entry> = entries
            .iter()
            .filter(|entry| !entry.path.trim_end_matches('/').contains('/'))
            .cloned()
            .collect();
        search(fragment, &top, &entries, &mut Matcher::new(Config::DEFAULT.match_paths()))
    }

    const TREE: &[&str] = &[
        ".env",
        ".github/",
        ".github/ci.yml",
        "README.md",
        "main/",
        "main/deep/other.rs",
        "src/",
        "src/app/",
        "src/app/main.rs",
        "src/main.rs",
        "src/my_attic_inn.rs",
    ];

    #[test]
    fn a_short_fragment_looks_at_the_top_only() {
        assert_eq!(found("", TREE).paths, ["main/", "src/", "README.md"]);
        assert_eq!(found("ma", TREE).paths, ["main/"]);
        assert_eq!(found(".e", TREE).paths, [".env"]);
    }

    #[test]
    fn the_last_part_of_a_path_counts_most() {
        let paths = found("main", TREE).paths;
        assert_eq!(paths[0], "main/");
        assert_eq!(paths[1], "src/main.rs");
        assert_eq!(paths[2], "src/app/main.rs");
        assert!(paths.contains(&"src/my_attic_inn.rs".to_owned()));
    }

    #[test]
    fn a_directory_limits_the_list_to_itself() {
        assert_eq!(found("src/", TREE).paths, ["src/app/", "src/main.rs", "src/my_attic_inn.rs"]);
        assert_eq!(found("src/app/m", TREE).paths, ["src/app/main.rs"]);
        assert_eq!(found("./src/app/", TREE).paths, ["src/app/main.rs"]);
        assert_eq!(found("sr/main", TREE).paths[0], "src/main.rs");
    }

    #[test]
    fn nothing_outside_and_nothing_hidden_unasked() {
        for fragment in ["../", "src/../../etc", "/etc/passwd", "~/x", ".."] {
            assert!(found(fragment, TREE).paths.is_empty(), "{fragment}");
        }
        assert!(found("ci.yml", TREE).paths.is_empty());
        assert_eq!(found(".github/", TREE).paths, [".github/ci.yml"]);
    }

    #[test]
    fn the_path_of_a_file_is_complete() {
        assert!(found("src/main.rs", TREE).complete);
        assert!(!found("src/main.r", TREE).complete);
        assert!(!found("src/app/", TREE).complete);
    }

    #[test]
    fn no_more_than_fifty_are_kept_and_they_are_the_best() {
        let mut paths: Vec<String> = (0..500).map(|n| format!("dir{n}/x_target_{n}.txt")).collect();
        paths.push("deep/er/target".to_owned());
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let found = found("target", &paths);
        assert_eq!(found.paths.len(), 50);
        assert_eq!(found.paths[0], "deep/er/target");
    }
}
