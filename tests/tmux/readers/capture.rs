//! What `capture-pane -e -p` returns: rows with SGR sequences, whose state goes on from row to row.

/// A row of a capture.
#[derive(Debug, Clone, Default)]
pub struct Styled {
    /// The bytes as they came.
    pub raw: String,
    /// Without sequences and trailing blanks.
    pub text: String,
    /// The first glyph that is no blank.
    pub first: Glyph,
    /// The glyph behind the first prompt mark of the row, blanks skipped.
    pub after_mark: Option<Glyph>,
    /// The first prompt mark.
    pub mark: Option<Glyph>,
}

/// A glyph and how it is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Glyph {
    pub glyph: char,
    /// The index of the foreground colour; none for the default and for direct colours.
    pub color: Option<u8>,
    pub italic: bool,
}

/// A captured pane.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    pub rows: Vec<Styled>,
}

impl Capture {
    /// Reads a styled capture.
    pub fn new(text: &str) -> Self {
        let mut pen = Pen::default();
        Self { rows: text.trim_end_matches('\n').split('\n').map(|row| pen.row(row)).collect() }
    }

    /// The texts of the rows.
    pub fn texts(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row.text.as_str()).collect()
    }

    /// As if captured with so many rows of history at most, in a pane of `height` rows.
    pub fn last(&self, history: usize, height: usize) -> &[Styled] {
        let from = self.rows.len().saturating_sub(history + height);
        &self.rows[from..]
    }
}

/// The attributes that the next glyph is drawn with.
#[derive(Default)]
pub struct Pen {
    pub color: Option<u8>,
    pub italic: bool,
}

impl Pen {
    fn row(&mut self, raw: &str) -> Styled {
        let mut row = Styled { raw: raw.to_owned(), ..Styled::default() };
        let mut chars = raw.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\x1b' {
                let mut sequence = String::new();
                for c in chars.by_ref() {
                    sequence.push(c);
                    if c.is_ascii_alphabetic() || c == '\\' {
                        break;
                    }
                }
                if let Some(body) = sequence.strip_prefix('[').and_then(|s| s.strip_suffix('m')) {
                    self.sgr(body);
                }
                continue;
            }
            row.text.push(c);
            if c.is_whitespace() || c == '\u{2060}' {
                continue;
            }
            let glyph = Glyph { glyph: c, color: self.color, italic: self.italic };
            if row.first == Glyph::default() {
                row.first = glyph;
            }
            if row.mark.is_some() && row.after_mark.is_none() {
                row.after_mark = Some(glyph);
            }
            if super::words::is_mark(c) && row.mark.is_none() {
                row.mark = Some(glyph);
            }
        }
        row.text.truncate(row.text.trim_end().len());
        row
    }

    /// Follows the parameters of an SGR sequence, as far as colour and slant go.
    pub fn sgr(&mut self, body: &str) {
        let mut numbers = body.split(';').map(|n| n.parse::<u16>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                3 => self.italic = true,
                23 => self.italic = false,
                38 | 48 => {
                    let color = match numbers.next() {
                        Some(5) => numbers.next().and_then(|n| u8::try_from(n).ok()),
                        Some(2) => {
                            numbers.by_ref().take(3).for_each(drop);
                            None
                        }
                        _ => None,
                    };
                    if number == 38 {
                        self.color = color;
                    }
                }
                30..=37 => self.color = u8::try_from(number - 30).ok(),
                39 => self.color = None,
                90..=97 => self.color = u8::try_from(number - 82).ok(),
                _ => {}
            }
        }
    }
}
