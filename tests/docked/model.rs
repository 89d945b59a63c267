//! A strict model of tmux: no other sequences than the contract allows.

/// The main screen of tmux 3.3a as far as the docked screen may use it.
pub struct Model {
    pub columns: usize,
    pub history: Vec<String>,
    pub rows: Vec<String>,
    /// Rows that a higher window takes back.
    scrolled: usize,
    pub row: usize,
    pub column: usize,
    saved: (usize, usize),
    bottom: usize,
    /// Semantic marks and the rows they belong to, counted from the oldest of the history.
    pub marks: Vec<(usize, String)>,
}

impl Model {
    pub fn new(columns: u16, rows: u16) -> Self {
        let rows = usize::from(rows);
        Self {
            columns: columns.into(),
            history: Vec::new(),
            rows: vec![String::new(); rows],
            scrolled: 0,
            row: 0,
            column: 0,
            saved: (0, 0),
            bottom: rows,
            marks: Vec::new(),
        }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("frames are UTF-8");
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => self.line_feed(),
                '\x1b' => match chars.next().expect("a whole sequence") {
                    '7' => self.saved = (self.row, self.column),
                    '8' => (self.row, self.column) = self.saved,
                    '[' => {
                        let mut args = String::new();
                        let last = loop {
                            match chars.next().expect("a whole sequence") {
                                c @ '@'..='~' => break c,
                                c => args.push(c),
                            }
                        };
                        self.sequence(&args, last);
                    }
                    ']' => {
                        let mut text = String::new();
                        loop {
                            match chars.next().expect("a whole sequence") {
                                '\x1b' => break assert_eq!(chars.next(), Some('\\')),
                                c => text.push(c),
                            }
                        }
                        let mark = text.strip_prefix("133;").expect("a semantic mark");
                        assert_eq!(self.column, 0, "{mark} in the middle of a row");
                        self.marks.push((self.history.len() + self.row, mark.to_owned()));
                    }
                    other => panic!("not in the contract: ESC {other:?}"),
                },
                c => {
                    assert!(!c.is_control(), "control character {c:?}");
                    assert!(self.column < self.columns, "a row wraps");
                    let row = &mut self.rows[self.row];
                    while row.chars().count() <= self.column {
                        row.push(' ');
                    }
                    *row = row
                        .chars()
                        .enumerate()
                        .map(|(at, old)| if at == self.column { c } else { old })
                        .collect();
                    self.column += 1;
                }
            }
        }
    }

    fn sequence(&mut self, args: &str, last: char) {
        let numbers: Vec<usize> =
            args.split(';').filter_map(|number| number.parse().ok()).collect();
        match (last, numbers.as_slice()) {
            ('H', []) => (self.row, self.column) = (0, 0),
            ('H', [row, column]) => {
                assert!(*row >= 1 && *row <= self.rows.len(), "row {row} of {}", self.rows.len());
                (self.row, self.column) = (row - 1, column - 1);
            }
            ('K', []) => {
                let kept = self.column;
                let row = &mut self.rows[self.row];
                *row = row.chars().take(kept).collect();
            }
            ('A', []) => self.row = self.row.saturating_sub(1),
            ('B', []) => self.row = (self.row + 1).min(self.rows.len() - 1),
            ('r', region) => {
                self.bottom = match region {
                    [] => self.rows.len(),
                    [1, bottom] => {
                        assert!(*bottom >= 2 && *bottom <= self.rows.len());
                        *bottom
                    }
                    other => panic!("region {other:?}"),
                };
                (self.row, self.column) = (0, 0);
            }
            ('J', [2]) => {
                let used = self.rows.iter().rposition(|row| !row.is_empty()).map_or(0, |at| at + 1);
                self.history.extend(self.rows.drain(..used));
                self.rows.resize(self.rows.len() + used, String::new());
                self.scrolled = 0;
            }
            ('m', _) => {}
            ('h' | 'l', _) if matches!(args, "?2026" | "?2004" | "?25") => {}
            _ => panic!("not in the contract: CSI {args}{last}"),
        }
    }

    fn line_feed(&mut self) {
        if self.row + 1 == self.bottom {
            self.history.push(self.rows.remove(0));
            self.rows.insert(self.bottom - 1, String::new());
            self.scrolled += 1;
        } else if self.row + 1 < self.rows.len() {
            self.row += 1;
        }
    }

    /// Another height, as tmux 3.3a does it.
    pub fn resize(&mut self, height: usize) {
        let old = self.rows.len();
        if height < old {
            let below = (old - 1 - self.row).min(old - height);
            self.rows.truncate(old - below);
            let pushed = self.rows.len() - height;
            self.history.extend(self.rows.drain(..pushed));
            self.scrolled += pushed;
            self.row -= pushed;
        } else {
            let pulled = self.scrolled.min(height - old);
            let back = self.history.split_off(self.history.len() - pulled);
            self.rows.splice(0..0, back);
            self.scrolled -= pulled;
            self.row += pulled;
            self.rows.resize(height, String::new());
        }
        self.bottom = height;
    }

    pub fn screen(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.trim_end().to_owned()).collect()
    }

    /// History and screen without blank rows.
    pub fn written(&self) -> Vec<String> {
        let all = self.history.iter().chain(&self.rows);
        all.map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
    }
}
