//! Splits foreign text into printable runs, control characters and escape sequences (ECMA-48).

/// A piece of foreign text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Characters without C0 and C1 controls.
    Text(&'a str),
    /// A control character that is no part of an escape sequence.
    Control(char),
    /// A control sequence: parameter and intermediate bytes, and the final byte.
    Csi { params: &'a str, last: char },
}

/// The tokens of a text. Escape sequences other than control sequences vanish whole.
///
/// A string sequence (OSC, DCS, APC, PM, SOS) ends at its terminator, or at the end of the line
/// when that comes first, so that a torn one never swallows the rest of the text.
pub(super) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Takes the first `bytes` bytes off the rest.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Takes the front whose characters all satisfy `belongs`.
    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn csi(&mut self) -> Option<Token<'a>> {
        let params = self.take_while(|c| ('\u{20}'..='\u{3f}').contains(&c));
        let last = self.rest.chars().next().filter(|c| ('\u{40}'..='\u{7e}').contains(c))?;
        self.take(1);
        Some(Token::Csi { params, last })
    }

    fn string(&mut self) {
        self.take_while(|c| {
            !matches!(
                c,
                '\n' | '\r' | '\u{7}' | '\u{18}' | '\u{1a}' | '\u{1b}' | '\u{9c}' | '\u{2028}'
            )
        });
        if self.rest.starts_with("\u{1b}\\") || self.rest.starts_with('\u{9c}') {
            self.take(2);
        } else if self.rest.starts_with(['\u{7}', '\u{18}', '\u{1a}']) {
            self.take(1);
        }
    }

    /// What follows an ESC.
    fn escape(&mut self) -> Option<Token<'a>> {
        match self.rest.chars().next() {
            Some('[') => {
                self.take(1);
                self.csi()
            }
            Some(']' | 'P' | 'X' | '^' | '_') => {
                self.take(1);
                self.string();
                None
            }
            Some('\u{20}'..='\u{2f}') => {
                self.take_while(|c| ('\u{20}'..='\u{2f}').contains(&c));
                if self.rest.starts_with(|c| ('\u{30}'..='\u{7e}').contains(&c)) {
                    self.take(1);
                }
                None
            }
            Some('\u{30}'..='\u{7e}') => {
                self.take(1);
                None
            }
            _ => None,
        }
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let text = self.take_while(|c| !c.is_control());
            if !text.is_empty() {
                return Some(Token::Text(text));
            }
            let control = self.rest.chars().next()?;
            self.take(control.len_utf8());
            let token = match control {
                '\u{1b}' => self.escape(),
                '\u{9b}' => self.csi(),
                '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => {
                    self.string();
                    None
                }
                '\r' if self.rest.starts_with('\n') => None,
                other => Some(Token::Control(other)),
            };
            if token.is_some() {
                return token;
            }
        }
    }
}
