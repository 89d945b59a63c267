//! Which resources of MCP servers fit what is typed behind an `@`.

use std::cmp::Reverse;

use nucleo_matcher::Matcher;
use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization};

use super::super::files::score;
use super::ResourceRow;

/// Rows behind those of the files.
const MOST_ROWS: usize = 20;

/// The resources that fit, best first, by their mention or, after that, their title; none when the
/// fragment is one of them, whole.
pub(super) fn matching(
    fragment: &str,
    resources: &[ResourceRow],
    matcher: &mut Matcher,
) -> Vec<ResourceRow> {
    if resources.iter().any(|resource| resource.mention == fragment) {
        return Vec::new();
    }
    let atom =
        Atom::new(fragment, CaseMatching::Smart, Normalization::Smart, AtomKind::Fuzzy, false);
    let mut hits: Vec<(Reverse<u32>, &ResourceRow)> = Vec::new();
    for resource in resources {
        // What is typed from the beginning is meant more than what is scattered in it.
        let begins = u32::from(resource.mention.starts_with(fragment)) << 17;
        let by_mention = score(&atom, &resource.mention, matcher)
            .map(|score| (u32::from(score) + (1 << 16)) | begins);
        let by_title = || score(&atom, &resource.title, matcher).map(u32::from);
        if let Some(score) = by_mention.or_else(by_title) {
            hits.push((Reverse(score), resource));
        }
    }
    hits.sort_by_key(|(score, _)| *score);
    hits.into_iter().take(MOST_ROWS).map(|(_, resource)| resource.clone()).collect()
}
