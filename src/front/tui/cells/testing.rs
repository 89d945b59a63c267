//! What the tests of cells and dialogs share.

use ratatui::text::Line;

use crate::front::text::line_width;
use crate::protocol::{TodoItem, TodoStatus};

/// Escape sequences, prompt marks, box edges, bidirectional overrides, nulls, a torn sequence.
pub const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;title\u{7}Error: x\nroot@dir💫\n╰───────╯\n\u{202e}evil\u{0}\n• Done in 1s\n\u{1b}[3";

/// The text of rows, one per line; trailing blanks are cut so that the snapshots survive editors.
pub fn text(rows: &[Line<'_>]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| line(row).trim_end().to_owned()).collect();
    rows.join("\n")
}

/// The text of one row.
pub fn line(row: &Line<'_>) -> String {
    row.spans.iter().map(|span| span.content.as_ref()).collect()
}

/// The law of the transcript: within `columns`, no control characters, a leading blank in default
/// attributes on every row.
#[track_caller]
pub fn lawful(rows: &[Line<'_>], columns: u16) {
    for row in rows {
        fits(row, columns);
        let first = row.spans.first().expect("a row is not empty");
        assert!(first.content.starts_with(' '), "no leading blank: {row:?}");
        assert_eq!(first.style, ratatui::style::Style::new(), "{row:?}");
        assert_eq!(row.style, ratatui::style::Style::new(), "{row:?}");
    }
}

/// The part of the law that holds for answers too.
#[track_caller]
pub fn fits(row: &Line<'_>, columns: u16) {
    let columns_used = line_width(row);
    assert!(columns_used <= columns.into(), "{columns_used} > {columns}: {row:?}");
    assert!(!line(row).contains(|c: char| c.is_control()), "{row:?}");
    assert!(!line(row).contains('\u{202e}'), "{row:?}");
}

/// A todo list written as `x done`, `> in progress`, `- pending`.
pub fn items(list: &str) -> Vec<TodoItem> {
    list.lines()
        .map(|line| {
            let (mark, title) = line.split_once(' ').expect("a mark and a title");
            let status = match mark {
                "x" => TodoStatus::Done,
                ">" => TodoStatus::InProgress,
                _ => TodoStatus::Pending,
            };
            TodoItem { title: title.to_owned(), status }
        })
        .collect()
}
