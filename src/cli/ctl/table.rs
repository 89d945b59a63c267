//! A table for people: aligned, and no wider than the terminal.

use crate::front::text::{clean_line, truncate, truncate_middle, width};

/// What is between two columns.
const GAP: &str = "  ";

/// A column.
pub struct Column {
    pub title: &'static str,
    /// How narrow it may become, in columns of the screen; `None` when it must stay whole.
    pub least: Option<usize>,
    /// Numbers stand at the right.
    pub right: bool,
    /// Whether both ends tell more than the middle.
    pub keep_ends: bool,
}

impl Column {
    /// A column that stays whole.
    pub const fn new(title: &'static str) -> Self {
        Self { title, least: None, right: false, keep_ends: false }
    }
}

/// Draws rows of foreign text below their titles, each line with its end. No cell is empty, so that
/// they can be counted.
pub fn draw(columns: &[Column], rows: &[Vec<String>], limit: Option<usize>) -> String {
    let titles = columns.iter().map(|column| column.title.to_owned()).collect();
    let cleaned = rows.iter().map(|row| {
        let cells = row.iter().map(|cell| match clean_line(cell) {
            cell if cell.trim().is_empty() => "-".to_owned(),
            cell => cell,
        });
        cells.collect()
    });
    let rows: Vec<Vec<String>> = std::iter::once(titles).chain(cleaned).collect();
    let widths = widths(columns, &rows, limit);
    let mut text = String::new();
    for row in &rows {
        let cells = columns.iter().zip(row).zip(&widths).map(|((column, cell), columns)| {
            let cell = match (width(cell) <= *columns, column.keep_ends) {
                (true, _) => cell.clone(),
                (false, true) => truncate_middle(cell, *columns),
                (false, false) => truncate(cell, *columns),
            };
            let blanks = " ".repeat(columns.saturating_sub(width(&cell)));
            if column.right { format!("{blanks}{cell}") } else { format!("{cell}{blanks}") }
        });
        let line = cells.collect::<Vec<_>>().join(GAP);
        let line = limit.map_or_else(|| line.clone(), |limit| truncate(line.trim_end(), limit));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// As wide as the widest cell; where that is too much, what can be narrower gives way, the one with
/// the most to give first.
fn widths(columns: &[Column], rows: &[Vec<String>], limit: Option<usize>) -> Vec<usize> {
    let widest =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max();
    let mut widths: Vec<usize> = (0..columns.len()).map(|at| widest(at).unwrap_or(0)).collect();
    let Some(limit) = limit else { return widths };
    let gaps = GAP.len() * columns.len().saturating_sub(1);
    // A cell of more than a line has this much to give in any case.
    widths
        .iter_mut()
        .zip(columns)
        .filter(|(_, column)| column.least.is_some())
        .for_each(|(width, column)| *width = (*width).min(limit.max(column.title.len())));
    while widths.iter().sum::<usize>() + gaps > limit {
        let spare = |(width, column): (&usize, &Column)| {
            column.least.map_or(0, |least| width.saturating_sub(least))
        };
        let most = (0..columns.len()).max_by_key(|at| spare((&widths[*at], &columns[*at])));
        match most {
            Some(at) if spare((&widths[at], &columns[at])) > 0 => widths[at] -= 1,
            _ => break,
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::new("NAME"),
        Column { right: true, ..Column::new("N") },
        Column { least: Some(6), keep_ends: true, ..Column::new("WHERE") },
    ];

    fn row(cells: [&str; 3]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [row(["a", "10", "/short"]), row(["语言", "7", ""])];
        let text = "NAME   N  WHERE\na     10  /short\n语言   7  -\n";
        assert_eq!(draw(&COLUMNS, &rows, None), text);
    }

    #[test]
    fn what_is_too_wide_gives_way() {
        let long = format!("/{}/end", "x".repeat(500));
        let drawn = draw(&COLUMNS, &[row(["name", "1", &long])], Some(30));
        assert!(drawn.lines().all(|line| width(line) <= 30), "{drawn}");
        assert!(drawn.contains('…') && drawn.contains("/end"), "{drawn}");
        assert!(draw(&COLUMNS, &[row(["name", "1", &long])], None).contains(&long));
        // Nothing left to give.
        let drawn = draw(&COLUMNS, &[row(["a name of some length", "1", &long])], Some(20));
        assert!(drawn.lines().all(|line| width(line) <= 20), "{drawn}");
    }

    #[test]
    fn foreign_text_stays_in_its_cell() {
        let drawn = draw(&COLUMNS, &[row(["\x1b[31mred\nrow", "\r1", "\x1b]0;title\x07x"])], None);
        assert_eq!(drawn, "NAME     N  WHERE\nred row  1  x\n");
    }
}
