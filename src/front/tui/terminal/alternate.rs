//! The alternate screen, for overlays that a person opens: pager, diff, pickers.
//!
//! The docked screen stays as it is underneath; the terminal itself brings it back.

use std::io::{self, Write};

use ratatui::text::Line;

use super::encode::encode;
use super::{Position, Size};

/// The writer of an overlay: whole changed rows, one write a frame.
#[derive(Debug)]
pub struct Alternate<W: Write> {
    out: W,
    size: Size,
    synchronized: bool,
    entered: bool,
    shown: Vec<Vec<u8>>,
    cursor: Option<Option<Position>>,
}

impl<W: Write> Alternate<W> {
    /// An overlay of `size`; nothing is written yet. `synchronized`: see
    /// [`Capability`](super::Capability).
    pub fn new(out: W, size: Size, synchronized: bool) -> Self {
        let size = Size::new(size.columns, size.rows);
        Self { out, size, synchronized, entered: false, shown: Vec::new(), cursor: None }
    }

    /// Switches to the alternate screen.
    pub fn enter(&mut self) -> io::Result<()> {
        self.entered = true;
        self.shown.clear();
        self.cursor = None;
        self.out.write_all(b"\x1b[?1049h\x1b[H\x1b[2J")?;
        self.out.flush()
    }

    /// Switches back to the main screen, cursor shown. A second call does nothing.
    pub fn leave(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.entered) {
            self.out.write_all(b"\x1b[0m\x1b[?25h\x1b[?1049l")?;
            self.out.flush()?;
        }
        Ok(())
    }

    /// The window has a new size: the next frame paints every row.
    pub fn resize(&mut self, size: Size) {
        self.size = Size::new(size.columns, size.rows);
        self.shown.clear();
        self.cursor = None;
    }

    /// Paints `rows` from the top (blank below, cut at the bottom) and returns the number of bytes
    /// written; 0 when nothing has changed. Without a `cursor` it is hidden.
    pub fn frame(&mut self, rows: &[Line<'_>], cursor: Option<Position>) -> io::Result<usize> {
        if !self.entered {
            return Ok(0);
        }
        let height = usize::from(self.size.rows);
        let mut out = Vec::new();
        let blank = Line::default();
        let padded = rows.iter().chain(std::iter::repeat(&blank)).take(height);
        for (row, line) in padded.enumerate() {
            let mut bytes = Vec::new();
            encode(line, self.size.columns, &mut bytes);
            if self.shown.get(row) != Some(&bytes) {
                out.extend_from_slice(format!("\x1b[{};1H", row + 1).as_bytes());
                out.extend_from_slice(&bytes);
                match self.shown.get_mut(row) {
                    Some(slot) => *slot = bytes,
                    None => self.shown.push(bytes),
                }
            }
        }
        if out.is_empty() && self.cursor == Some(cursor) {
            return Ok(0);
        }
        match cursor {
            Some(at) => {
                let row = at.row.min(self.size.rows - 1) + 1;
                let column = at.column.min(self.size.columns - 1) + 1;
                out.extend_from_slice(format!("\x1b[{row};{column}H\x1b[?25h").as_bytes());
            }
            None if self.cursor != Some(None) => out.extend_from_slice(b"\x1b[?25l"),
            None => {}
        }
        self.cursor = Some(cursor);
        let mut frame = Vec::with_capacity(out.len() + 16);
        if self.synchronized {
            frame.extend_from_slice(b"\x1b[?2026h");
        }
        frame.append(&mut out);
        if self.synchronized {
            frame.extend_from_slice(b"\x1b[?2026l");
        }
        self.out.write_all(&frame)?;
        self.out.flush()?;
        Ok(frame.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changed_rows_are_written_and_nothing_when_nothing_changed() {
        let mut bytes = Vec::new();
        let mut overlay = Alternate::new(&mut bytes, Size::new(20, 3), false);
        assert_eq!(overlay.frame(&["early".into()], None).expect("frame"), 0);
        overlay.enter().expect("enter");
        let rows = vec![Line::from("one"), "two".into(), "three".into(), "four".into()];
        assert!(overlay.frame(&rows, None).expect("frame") > 0);
        assert_eq!(overlay.frame(&rows, None).expect("frame"), 0);
        let changed = vec![Line::from("one"), "TWO".into()];
        overlay.frame(&changed, Some(Position { row: 9, column: 99 })).expect("frame");
        overlay.leave().expect("leave");
        overlay.leave().expect("leave");
        let text = String::from_utf8(bytes).expect("UTF-8").replace('\x1b', "^");
        assert_eq!(
            text,
            "^[?1049h^[H^[2J^[1;1Hone^[0m^[K^[2;1Htwo^[0m^[K^[3;1Hthree^[0m^[K^[?25l\
             ^[2;1HTWO^[0m^[K^[3;1H^[0m^[K^[3;20H^[?25h^[0m^[?25h^[?1049l"
        );
    }
}
