//! Prints foreign text line by line as a terminal would: carriage returns and backspaces overwrite,
//! tabs go to the next stop; what hides or reorders text is dropped or shown.

use unicode_segmentation::UnicodeSegmentation;

use super::scan::{Scanner, Token};
use super::visible::without_hidden;
use super::width::{cluster_width, width};

/// Columns between two tab stops.
const TAB: usize = 4;

/// Columns of a line that can be overwritten; what comes after them is only added. A cell costs many
/// times the byte it shows.
const MAX_GRID: usize = 16 * 1024;

/// What becomes of tabs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::front) enum Tabs {
    /// Blanks up to the next stop, for a screen of ours.
    Blanks,
    /// They stay, but on a line that is overwritten, where the columns count.
    Kept,
}

/// What happens on a line that is overwritten.
enum Step<S> {
    Put(String, S),
    Return,
    Back,
    /// `CSI K` with its parameter: 0 to the end of the line, 1 to its begin, 2 all of it.
    Erase(u8),
}

/// The state of printing: `S` is the style that printed text carries.
struct Printer<S> {
    tabs: Tabs,
    steps: Vec<Step<S>>,
    overwrites: bool,
}

/// Prints `text` and hands each finished line, as runs of one style, to `line`. A control sequence
/// that does not move or erase changes the style through `restyle`.
pub(in crate::front) fn print<S: Copy + PartialEq>(
    text: &str,
    tabs: Tabs,
    mut style: S,
    mut restyle: impl FnMut(S, &str, char) -> S,
    mut line: impl FnMut(Vec<(String, S)>),
) {
    let mut printer = Printer { tabs, steps: Vec::new(), overwrites: false };
    for token in Scanner::new(text) {
        match token {
            Token::Text(run) => {
                let mut parts = run.split(['\u{2028}', '\u{2029}']);
                if let Some(first) = parts.next() {
                    printer.put(first, style);
                }
                for part in parts {
                    line(printer.finish(style));
                    printer.put(part, style);
                }
            }
            Token::Control('\n') => line(printer.finish(style)),
            Token::Control('\t') => printer.append("\t", style),
            Token::Control('\r') => printer.step(Step::Return),
            Token::Control('\u{8}') => printer.step(Step::Back),
            Token::Control(_) => {}
            Token::Csi { params, last: 'K' } => {
                let how = params.bytes().next().map_or(0, |byte| byte.wrapping_sub(b'0'));
                printer.steps.push(Step::Erase(how));
            }
            Token::Csi { params, last } => style = restyle(style, params, last),
        }
    }
    line(printer.finish(style));
}

impl<S: Copy + PartialEq> Printer<S> {
    fn step(&mut self, step: Step<S>) {
        self.overwrites = true;
        self.steps.push(step);
    }

    fn append(&mut self, text: &str, style: S) {
        match self.steps.last_mut() {
            Some(Step::Put(last, of)) if *of == style => last.push_str(text),
            _ => self.steps.push(Step::Put(text.to_owned(), style)),
        }
    }

    fn put(&mut self, text: &str, style: S) {
        if text.is_ascii() {
            if !text.is_empty() {
                self.append(text, style);
            }
        } else {
            self.append(&without_hidden(text), style);
        }
    }

    /// The line as it stands, and a fresh one.
    fn finish(&mut self, style: S) -> Vec<(String, S)> {
        let steps = std::mem::take(&mut self.steps);
        if !std::mem::take(&mut self.overwrites) {
            let mut column = 0;
            let mut put = |text: String| match self.tabs {
                Tabs::Blanks => expand_tabs(text, &mut column),
                Tabs::Kept => text,
            };
            return steps
                .into_iter()
                .filter_map(|step| match step {
                    Step::Put(text, style) => Some((put(text), style)),
                    _ => None,
                })
                .collect();
        }
        let mut grid = Grid { cells: Vec::new(), rest: String::new(), cursor: 0, blank: style };
        for step in steps {
            grid.apply(step);
        }
        grid.runs()
    }
}

/// `text` with its tabs as blanks; `column` is where it begins, and then where it ends.
fn expand_tabs(text: String, column: &mut usize) -> String {
    if !text.contains('\t') {
        *column += width(&text);
        return text;
    }
    let mut out = String::with_capacity(text.len() + TAB);
    for (index, part) in text.split('\t').enumerate() {
        if index > 0 {
            let blanks = TAB - *column % TAB;
            out.extend(std::iter::repeat_n(' ', blanks));
            *column += blanks;
        }
        out.push_str(part);
        *column += width(part);
    }
    out
}

/// The cells of a line that is overwritten. The second cell of a wide cluster is empty text.
struct Grid<S> {
    cells: Vec<(String, S)>,
    /// What stands behind [`MAX_GRID`] columns.
    rest: String,
    cursor: usize,
    blank: S,
}

impl<S: Copy + PartialEq> Grid<S> {
    fn apply(&mut self, step: Step<S>) {
        match step {
            Step::Return => self.cursor = 0,
            Step::Back => self.cursor = self.cursor.saturating_sub(1),
            Step::Erase(0) => {
                let from = self.cursor;
                self.clear_wide(from);
                self.cells.truncate(from);
                self.rest.clear();
            }
            Step::Erase(1) => {
                let blank = self.blank;
                for cell in self.cells.iter_mut().take(self.cursor + 1) {
                    *cell = (" ".to_owned(), blank);
                }
            }
            Step::Erase(_) => {
                self.cells.clear();
                self.rest.clear();
            }
            Step::Put(text, style) => {
                for cluster in text.graphemes(true) {
                    if self.cursor >= MAX_GRID {
                        self.rest.push_str(if cluster == "\t" { " " } else { cluster });
                    } else if cluster == "\t" {
                        self.cursor += TAB - self.cursor % TAB;
                    } else {
                        self.put(cluster, style);
                    }
                }
            }
        }
    }

    fn put(&mut self, cluster: &str, style: S) {
        let columns = cluster_width(cluster);
        if columns == 0 {
            if let Some((text, _)) =
                self.cursor.checked_sub(1).and_then(|before| self.cells.get_mut(before))
            {
                text.push_str(cluster);
            }
            return;
        }
        let blank = self.blank;
        let end = self.cursor + columns;
        self.clear_wide(self.cursor);
        self.clear_wide(end);
        if self.cells.len() < end {
            self.cells.resize(end, (" ".to_owned(), blank));
        }
        for (offset, cell) in self.cells.iter_mut().take(end).skip(self.cursor).enumerate() {
            *cell = (if offset == 0 { cluster.to_owned() } else { String::new() }, style);
        }
        self.cursor = end;
    }

    /// Makes blanks of a wide cluster that begins before `column` and reaches over it.
    fn clear_wide(&mut self, column: usize) {
        if self.cells.get(column).is_none_or(|(text, _)| !text.is_empty()) {
            return;
        }
        let head = self.cells.iter().take(column).rposition(|(text, _)| !text.is_empty());
        for (offset, (text, _)) in self.cells.iter_mut().skip(head.unwrap_or(0)).enumerate() {
            if offset > 0 && !text.is_empty() {
                break;
            }
            " ".clone_into(text);
        }
    }

    fn runs(self) -> Vec<(String, S)> {
        let mut runs: Vec<(String, S)> = Vec::new();
        for (text, style) in self.cells {
            match runs.last_mut() {
                Some((run, of)) if *of == style => run.push_str(&text),
                _ => runs.push((text, style)),
            }
        }
        if !self.rest.is_empty() {
            runs.push((self.rest, self.blank));
        }
        runs
    }
}
