//! The virtual screen of V3 and V4: 400 columns, 200 rows, whatever size the pane has.
//!
//! A model of the terminal emulator those readers use, with its gaps: it knows no alternate screen
//! and no scrolling but line feeds in a region, it prints the tails of some sequences, `ESC[r`
//! leaves the cursor where it is, a region has at least two rows, and an invisible character makes
//! it drop the text up to the next control character. Bytes that it would garble are kept in
//! [`Composed::faults`]: no program that is read by it may send them.

use std::cell::RefCell;

use unicode_width::UnicodeWidthChar;

use super::capture::Pen;
use super::flat::is_whole;
use super::rows::Marks;

const COLUMNS: usize = 400;
const ROWS: usize = 200;

/// The screen.
#[derive(Clone)]
pub struct Composed {
    rows: Vec<Row>,
    row: usize,
    column: usize,
    margins: Option<(usize, usize)>,
    saved: Option<(usize, usize)>,
    pen: (Option<u8>, bool),
    sequence: Option<Vec<u8>>,
    partial: Vec<u8>,
    muted: bool,
    faults: Vec<String>,
}

/// A glyph, none for the second half of a wide one, and the index of its colour.
pub type Cell = (Option<char>, Option<u8>);

#[derive(Clone, Default)]
struct Row {
    cells: Vec<Cell>,
    marks: RefCell<Option<Marks>>,
}

impl Composed {
    /// An empty screen.
    pub fn new() -> Self {
        Self {
            rows: vec![Row::default(); ROWS],
            row: 0,
            column: 0,
            margins: None,
            saved: None,
            pen: (None, false),
            sequence: None,
            partial: Vec::new(),
            muted: false,
            faults: Vec::new(),
        }
    }

    /// The next bytes of the pane.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.take(byte);
        }
    }

    /// The sequences that this emulator garbles.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// What the rows that are not blank look like, from the bottom up.
    pub fn marks_from_below(&self) -> impl Iterator<Item = Marks> + '_ {
        self.rows.iter().rev().map(Row::marks).filter(|marks| !marks.blank)
    }

    /// The texts of all rows, without trailing blanks.
    pub fn texts(&self) -> Vec<String> {
        self.rows.iter().map(|row| text_of(&row.cells)).collect()
    }

    fn take(&mut self, byte: u8) {
        if let Some(sequence) = &mut self.sequence {
            sequence.push(byte);
            if is_whole(sequence) {
                let sequence = std::mem::take(sequence);
                self.sequence = None;
                self.escape(&sequence);
            }
            return;
        }
        if byte < 0x20 || byte == 0x7f {
            self.muted = false;
        }
        match byte {
            0x1b => self.sequence = Some(Vec::new()),
            b'\r' => self.column = 0,
            b'\n' | 0x0b | 0x0c => self.line_feed(),
            0x08 => self.column = self.column.saturating_sub(1),
            b'\t' => self.column = ((self.column / 8 + 1) * 8).min(COLUMNS - 1),
            0..0x20 | 0x7f => {}
            _ => {
                self.partial.push(byte);
                if let Ok(text) = std::str::from_utf8(&self.partial) {
                    let c = text.chars().next();
                    self.partial.clear();
                    c.into_iter().for_each(|c| self.draw(c));
                } else if self.partial.len() >= 4 {
                    self.partial.clear();
                }
            }
        }
    }

    fn draw(&mut self, c: char) {
        if self.muted {
            return;
        }
        let width = c.width().unwrap_or(0);
        if width == 0 {
            self.muted = is_invisible(c);
            return;
        }
        if self.column + width > COLUMNS {
            self.column = 0;
            self.line_feed();
        }
        let color = self.pen.0;
        let row = &mut self.rows[self.row];
        let end = self.column + width;
        if row.cells.len() < end {
            row.cells.resize(end, (Some(' '), None));
        }
        row.cells[self.column] = (Some(c), color);
        if width == 2 {
            row.cells[self.column + 1] = (None, color);
        }
        *row.marks.get_mut() = None;
        self.column = end;
    }

    fn line_feed(&mut self) {
        let (top, bottom) = self.margins.unwrap_or((0, ROWS - 1));
        if self.row == bottom {
            self.rows.remove(top);
            self.rows.insert(bottom, Row::default());
        } else {
            self.row = (self.row + 1).min(ROWS - 1);
        }
    }

    fn escape(&mut self, sequence: &[u8]) {
        let text = String::from_utf8_lossy(sequence).into_owned();
        match sequence {
            [b'[', body @ .., end] => {
                let body = String::from_utf8_lossy(body).into_owned();
                self.control(&text, &body, *end);
            }
            // A title, a mark of a shell, a notification: swallowed.
            [b']', ..] => {}
            [b'(' | b')', _] | [b'=' | b'>'] => {}
            [b'7'] => self.saved = Some((self.row, self.column)),
            [b'8'] => (self.row, self.column) = self.saved.take().unwrap_or((0, 0)),
            _ => self.fault(&text),
        }
    }

    fn control(&mut self, whole: &str, body: &str, end: u8) {
        if let Some(private) = body.strip_prefix('?') {
            let alternate = private.split(';').any(|mode| matches!(mode, "47" | "1047" | "1049"));
            if alternate || !matches!(end, b'h' | b'l') {
                self.fault(whole);
            }
            return;
        }
        if whole == "[>1u" {
            return;
        }
        if !body.chars().all(|c| c.is_ascii_digit() || c == ';') {
            return self.fault(whole);
        }
        let mut numbers = body.split(';').map(|n| n.parse::<usize>().unwrap_or(0));
        let (first, second) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        match end {
            b'H' | b'f' => {
                self.row = first.clamp(1, ROWS) - 1;
                self.column = second.clamp(1, COLUMNS) - 1;
            }
            b'A' => self.row = self.row.saturating_sub(first.max(1)),
            b'B' => self.row = (self.row + first.max(1)).min(ROWS - 1),
            b'C' => self.column = (self.column + first.max(1)).min(COLUMNS - 1),
            b'D' => self.column = self.column.saturating_sub(first.max(1)),
            b'G' => self.column = first.clamp(1, COLUMNS) - 1,
            b'K' if first == 0 => {
                let (row, column) = (self.row, self.column);
                self.rows[row].cells.truncate(column);
                *self.rows[row].marks.get_mut() = None;
            }
            b'K' => {
                let end = if first == 1 { self.column + 1 } else { COLUMNS };
                let row = &mut self.rows[self.row];
                row.cells.iter_mut().take(end).for_each(|cell| *cell = (Some(' '), None));
                *row.marks.get_mut() = None;
            }
            b'J' if first >= 2 => self.rows.fill(Row::default()),
            b'J' if first == 0 => {
                self.control("", "", b'K');
                self.rows[self.row + 1..].fill(Row::default());
            }
            b'm' => {
                let mut pen = Pen { color: self.pen.0, italic: self.pen.1 };
                pen.sgr(body);
                self.pen = (pen.color, pen.italic);
            }
            b'r' if first == 0 && second == 0 => self.margins = None,
            b'r' => {
                let (top, bottom) = (first.max(1) - 1, second.clamp(1, ROWS) - 1);
                if bottom > top {
                    self.margins = Some((top, bottom));
                    (self.row, self.column) = (0, 0);
                }
            }
            // A title put aside: unknown, and swallowed whole.
            b't' => {}
            _ => self.fault(whole),
        }
    }

    fn fault(&mut self, sequence: &str) {
        self.faults.push(format!("ESC{sequence}"));
    }
}

impl Row {
    fn marks(&self) -> Marks {
        *self
            .marks
            .borrow_mut()
            .get_or_insert_with(|| Marks::of(&self.cells, &text_of(&self.cells)))
    }
}

fn text_of(cells: &[Cell]) -> String {
    let mut text: String = cells.iter().filter_map(|cell| cell.0).collect();
    text.truncate(text.trim_end().len());
    text
}

/// Takes no column, and is no accent either.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}
