//! The diff of a file change, as display blocks.

use std::path::Path;
use std::time::Duration;

use similar::group_diff_ops;

use super::changes;
use crate::protocol::DisplayBlock;

/// Lines of context around a change.
const CONTEXT: usize = 3;
/// A text of more lines is summed up instead of compared.
const MAX_LINES: usize = 10_000;
/// Bytes of the hunks of a change, both sides together, and of one line in them. Beyond these a
/// person sees nothing any more, and every record of the change would carry them.
const MAX_BYTES: usize = 256 << 10;
const MAX_LINE: usize = 20 << 10;
/// Comparing gives up precision after this long.
const PATIENCE: Duration = Duration::from_millis(500);

/// One block for each hunk; none for equal texts; one summary for huge ones and huge changes. The texts of a hunk
/// are its lines joined by `\n`, without a final one.
pub fn diff_blocks(path: &Path, old: &str, new: &str) -> Vec<DisplayBlock> {
    if old == new {
        return Vec::new();
    }
    let path = path.display().to_string();
    let old_lines: Vec<&str> = old.lines().collect();
    let new_lines: Vec<&str> = new.lines().collect();
    let summary = || {
        vec![DisplayBlock::Diff {
            path: path.clone(),
            old_text: format!("({} lines)", old_lines.len()),
            new_text: format!("({} lines)", new_lines.len()),
            old_start: 1,
            new_start: 1,
            is_summary: true,
        }]
    };
    if old_lines.len() > MAX_LINES || new_lines.len() > MAX_LINES {
        return summary();
    }
    let hunks = group_diff_ops(changes(&old_lines, &new_lines, PATIENCE), CONTEXT);
    let mut blocks = Vec::with_capacity(hunks.len());
    let mut bytes = 0;
    for hunk in &hunks {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let old_range = first.old_range().start..last.old_range().end;
        let new_range = first.new_range().start..last.new_range().end;
        let old_hunk = old_lines.get(old_range.clone()).unwrap_or_default();
        let new_hunk = new_lines.get(new_range.clone()).unwrap_or_default();
        for line in old_hunk.iter().chain(new_hunk) {
            bytes += line.len() + 1;
            if line.len() > MAX_LINE || bytes > MAX_BYTES {
                return summary();
            }
        }
        blocks.push(DisplayBlock::Diff {
            path: path.clone(),
            old_text: old_hunk.join("\n"),
            new_text: new_hunk.join("\n"),
            old_start: old_range.start as u64 + 1,
            new_start: new_range.start as u64 + 1,
            is_summary: false,
        });
    }
    if blocks.is_empty() {
        // Lines are compared without their ends.
        blocks.push(DisplayBlock::Diff {
            path,
            old_text: "(the same lines)".to_owned(),
            new_text: "(with other line ends)".to_owned(),
            old_start: 1,
            new_start: 1,
            is_summary: true,
        });
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(blocks: &[DisplayBlock]) -> Vec<(u64, u64, &str, &str)> {
        blocks
            .iter()
            .map(|block| match block {
                DisplayBlock::Diff { old_start, new_start, old_text, new_text, .. } => {
                    (*old_start, *new_start, old_text.as_str(), new_text.as_str())
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_new_file_is_one_block() {
        let blocks = diff_blocks(Path::new("/w/hello.txt"), "", "hello\nworld\n");
        assert_eq!(starts(&blocks), [(1, 1, "", "hello\nworld")]);
    }

    #[test]
    fn an_edit_carries_its_context() {
        let old = "def f(x):\n    return x\n\n\nprint(f(1))\n";
        let new = "def f(x):\n    return x + 1\n\n\nprint(f(1))\n";
        assert_eq!(
            starts(&diff_blocks(Path::new("/a.py"), old, new)),
            [(
                1,
                1,
                "def f(x):\n    return x\n\n\nprint(f(1))",
                "def f(x):\n    return x + 1\n\n\nprint(f(1))"
            )]
        );
    }

    #[test]
    fn far_changes_are_separate_hunks() {
        let old: String = (1..=30).map(|n| format!("{n}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("\n25\n", "\n");
        let blocks = diff_blocks(Path::new("/a"), &old, &new);
        let hunks = starts(&blocks);
        assert_eq!(hunks[0], (2, 2, "2\n3\n4\n5\n6\n7\n8", "2\n3\n4\nfive\n6\n7\n8"));
        assert_eq!((hunks[1].0, hunks[1].1, hunks.len()), (22, 22, 2));
    }

    #[test]
    fn equal_texts_have_none_and_huge_ones_a_summary() {
        assert!(diff_blocks(Path::new("/a"), "x\n", "x\n").is_empty());
        let blocks = diff_blocks(Path::new("/a"), "x\n", &"y\n".repeat(10_001));
        assert_eq!(
            blocks,
            [DisplayBlock::Diff {
                path: "/a".into(),
                old_text: "(1 lines)".into(),
                new_text: "(10001 lines)".into(),
                old_start: 1,
                new_start: 1,
                is_summary: true
            }]
        );
    }

    #[test]
    fn a_huge_line_or_change_is_summed_up_and_a_small_one_beside_it_is_not() {
        let long = "x".repeat(MAX_LINE + 1);
        let summed_up = |old: &str, new: &str| match &diff_blocks(Path::new("/a"), old, new)[..] {
            [DisplayBlock::Diff { is_summary, old_text, new_text, .. }] => {
                assert!(!is_summary || old_text.len() + new_text.len() < 100);
                *is_summary
            }
            other => panic!("{other:?}"),
        };
        assert!(summed_up(&long, &format!("{long}y")));
        assert!(summed_up("", &format!("{}\n", "x".repeat(1000)).repeat(300)));
        assert!(!summed_up("", &format!("{}\n", "x".repeat(1000)).repeat(200)));
        let far = format!("{long}\n1\n2\n3\n4\n5\nold\n");
        assert!(!summed_up(&far, &far.replace("old", "new")));
    }

    #[test]
    fn ten_thousand_lines_are_compared_and_one_more_on_either_side_is_not() {
        let lines = |count: usize| "x\n".repeat(count);
        let is_summary = |old: &str, new: &str| {
            matches!(
                &diff_blocks(Path::new("/a"), old, new)[..],
                [DisplayBlock::Diff { is_summary: true, .. }]
            )
        };
        let most = lines(MAX_LINES);
        assert!(!is_summary(&most, &format!("{}y\n", lines(MAX_LINES - 1))));
        assert!(is_summary(&format!("{most}y\n"), &most));
        assert!(is_summary(&most, &format!("{most}y\n")));
    }

    #[test]
    fn three_lines_of_context_stand_around_a_change_and_seven_apart_are_two() {
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let changed = |lines: [&str; 2]| {
            let new = lines.iter().fold(old.clone(), |text, line| {
                text.replace(&format!("\n{line}\n"), &format!("\n{line}!\n"))
            });
            let blocks = diff_blocks(Path::new("/a"), &old, &new);
            starts(&blocks).iter().map(|hunk| hunk.2.lines().count()).collect::<Vec<_>>()
        };
        assert_eq!(changed(["8", "8"]), [7]);
        assert_eq!(changed(["5", "12"]), [14], "their contexts touch");
        assert_eq!(changed(["5", "13"]), [7, 7]);
        let only_ends = diff_blocks(Path::new("/a"), "a\r\nb\r\n", "a\nb\n");
        assert!(matches!(&only_ends[..], [DisplayBlock::Diff { is_summary: true, .. }]));
    }
}
