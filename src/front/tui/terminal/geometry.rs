//! Where things are on the docked screen, also after the terminal has moved them.
//!
//! Facts about tmux 3.3a, measured: a lower window first loses the rows below the cursor, then rows
//! go into the history at the top; a higher one takes back what has scrolled since the last `ESC[2J`,
//! then gets blank rows at the bottom. Narrowing wraps every row by the columns that were *ever*
//! used in it since it was last erased from its first column, and the bottom row stays at the bottom.
//! Several sizes can pass before the program hears of one. So nothing is ever addressed absolutely on
//! the way: the live region is erased relative to the cursor, and line feeds make room below the
//! last transcript row, which scrolls exactly as far as needed. Only [`Geometry::filled`] is
//! reckoned, and in doubt too high, which costs a blank row and never text.

use super::{Capability, Position, Size};

/// The reckoned state of the main screen.
#[derive(Debug)]
pub(super) struct Geometry {
    pub size: Size,
    /// Rows of the live region.
    pub live: u16,
    /// Rows of the transcript region that hold transcript, from the top.
    pub filled: u16,
    /// Rows that a higher window can take back from the history.
    scrolled: u32,
    /// Rows of a live region that a lower window has pushed into the history, where nothing reaches
    /// them. They are its newest, and a higher window brings them back to be erased.
    buried: Vec<Row>,
    rows: Vec<Row>,
    moved: Option<Moved>,
    reflow: bool,
}

/// What decides into how many lines a screen row is wrapped when the window gets narrower.
#[derive(Debug, Clone, Default)]
struct Row {
    /// Columns used since it was last erased whole.
    used: u16,
    /// Columns where characters of two columns begin: they are never broken.
    wide: Vec<u16>,
}

impl Row {
    fn lines(&self, columns: u16) -> u16 {
        if self.wide.is_empty() {
            return self.used.div_ceil(columns).max(1);
        }
        let (mut lines, mut start) = (1, 0);
        while self.used > columns && start < self.used - columns {
            start += columns;
            if columns > 1 && self.wide.binary_search(&(start - 1)).is_ok() {
                start -= 1;
            }
            lines += 1;
        }
        lines
    }
}

/// What has to be erased after the terminal has moved the rows.
#[derive(Debug)]
struct Moved {
    /// The width that the live region was painted for.
    columns: u16,
    /// Rows that are now below the cursor's.
    below: u16,
    /// Rows that were below it when the last frame was painted.
    deletable: u16,
    /// Rows between the transcript and the live region.
    free: u16,
}

impl Geometry {
    pub fn new(size: Size, capability: Capability) -> Self {
        // Elsewhere than in tmux the shell's old rows come back as well.
        let scrolled = if capability.tmux { 0 } else { u32::MAX };
        Self {
            size,
            live: 0,
            filled: 0,
            scrolled,
            buried: Vec::new(),
            rows: vec![Row::default(); usize::from(size.rows)],
            moved: None,
            reflow: capability.reflow,
        }
    }

    /// Rows of the transcript region.
    pub fn region(&self) -> u16 {
        self.size.rows.saturating_sub(self.live)
    }

    /// A region of less than two rows cannot be scrolled: rows then go straight into the history.
    pub fn tight(&self) -> bool {
        self.region() < 2
    }

    /// The most rows the live region may have.
    pub fn max_live(&self) -> u16 {
        self.size.rows.saturating_sub(2).max(1)
    }

    pub fn has_moved(&self) -> bool {
        self.moved.is_some()
    }

    /// Notes that the 1-based `row` now shows `width` columns, with characters of two columns where
    /// `wide` says, in order.
    pub fn wrote(&mut self, row: u16, width: u16, wide: Vec<u16>) {
        if let Some(row) = self.rows.get_mut(usize::from(row).saturating_sub(1)) {
            row.used = row.used.max(width);
            row.wide = wide;
        }
    }

    /// Notes that the 1-based `row` was erased from its first column.
    pub fn erased(&mut self, row: u16) {
        if let Some(row) = self.rows.get_mut(usize::from(row).saturating_sub(1)) {
            *row = Row::default();
        }
    }

    /// Notes that the rows `1..=bottom` went up by `count`.
    pub fn scrolled_up(&mut self, bottom: u16, count: u32) {
        self.scrolled = self.scrolled.saturating_add(count);
        let bottom = usize::from(bottom).min(self.rows.len());
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(bottom);
        if let Some(rows) = self.rows.get_mut(..bottom) {
            rows.rotate_left(count);
            rows[bottom - count..].fill(Row::default());
        }
    }

    /// Reckons with a new window size; `cursor` is where the last frame left it.
    pub fn resize(&mut self, new: Size, cursor: Position) {
        let free = self.region().saturating_sub(self.filled);
        let below = self.live.saturating_sub(1).saturating_sub(cursor.row);
        let columns = self.size.columns;
        let moved = self.moved.get_or_insert(Moved { columns, below, deletable: below, free });
        if new.rows < self.size.rows {
            let fewer = self.size.rows - new.rows;
            let deleted = fewer.min(moved.below);
            let pushed = fewer - deleted;
            moved.below -= deleted;
            self.filled = self.filled.saturating_sub(pushed);
            self.scrolled = self.scrolled.saturating_add(u32::from(pushed));
        } else {
            let more = new.rows - self.size.rows;
            let pulled = more.min(u16::try_from(self.scrolled).unwrap_or(u16::MAX));
            self.filled = self.filled.saturating_add(pulled);
            if self.scrolled != u32::MAX {
                self.scrolled -= u32::from(pulled);
            }
            moved.below = moved.below.saturating_add(more - pulled);
        }
        self.size = new;
    }

    /// Everything on the screen is where it should be no longer: only the cursor's row is known, and
    /// above it the screen is full.
    pub fn lost(&mut self, size: Size) {
        self.size = size;
        self.filled = size.rows;
        self.moved = None;
    }

    /// Erases the old live region relative to the cursor, wherever the terminal has put both, and
    /// makes room for `live` rows below the transcript.
    pub fn settle(&mut self, live: u16, cursor: Position, out: &mut Vec<u8>) {
        if let Some(moved) = self.moved.take() {
            let columns = self.size.columns;
            let narrower = self.reflow && columns < moved.columns;
            let lines = |row: &Row| if narrower { row.lines(columns) } else { 1 };
            let total = self.rows.len();
            let top = total.saturating_sub(usize::from(self.live));
            let free = top.saturating_sub(usize::from(moved.free));
            let on_cursor = top + usize::from(cursor.row);
            let sum = |from: usize, to: usize| -> u16 {
                self.rows
                    .get(from..to.min(total))
                    .map_or(0, |rows| rows.iter().map(lines).fold(0, u16::saturating_add))
            };
            let rows = sum(free, on_cursor);
            let within = if narrower { cursor.column / columns } else { 0 };
            let above = rows.saturating_add(within);
            // Each further line that the rows down to the cursor now take has sent one into the
            // history. Rows below it may have been deleted before they could wrap.
            let unwrapped = u16::try_from(on_cursor - free).unwrap_or(u16::MAX);
            self.filled = self.filled.saturating_sub(above.saturating_sub(unwrapped));
            // Below the old rows are blank ones.
            let last = on_cursor + 1 + usize::from(moved.below);
            let blank = u16::try_from(last.saturating_sub(total)).unwrap_or(u16::MAX);
            let needed = sum(free, last).saturating_add(blank);
            let above = above.saturating_add(self.dig_up(needed, free..last.min(total)));
            // A lower size may have passed unseen: it cost rows below the cursor, and the way back
            // has brought as many from the history.
            let unseen = moved.below.min(moved.deletable);
            let have = u16::try_from(self.scrolled).unwrap_or(u16::MAX);
            self.filled = self.filled.saturating_add(unseen.min(have));
            out.extend_from_slice(b"\r\x1b[K\x1b7");
            for _ in 1..self.size.rows {
                out.extend_from_slice(b"\x1b[B\x1b[K");
            }
            out.extend_from_slice(b"\x1b8");
            for _ in 0..above.min(self.size.rows) {
                out.extend_from_slice(b"\x1b[A\x1b[K");
            }
        }
        self.make_room(live, out);
    }

    /// Finds out which of the `rows` below the old transcript are in the history now, out of reach,
    /// as they need `needed` lines of the new screen. Returns how many earlier ones have come back.
    fn dig_up(&mut self, needed: u16, rows: std::ops::Range<usize>) -> u16 {
        let columns = self.size.columns;
        let lines =
            |rows: &[Row]| rows.iter().map(|row| row.lines(columns)).fold(0, u16::saturating_add);
        let back = self.size.rows.saturating_sub(needed).min(lines(&self.buried));
        self.filled = self.filled.saturating_sub(back);
        let over = needed.saturating_sub(self.size.rows);
        let mut kept = lines(&self.buried).saturating_sub(back).saturating_add(over);
        let old = std::mem::take(&mut self.buried);
        for mut row in
            old.into_iter().chain(self.rows.get(rows).unwrap_or_default().iter().cloned())
        {
            if kept == 0 {
                break;
            }
            let lines = row.lines(columns);
            if lines > kept {
                row = Row { used: kept.saturating_mul(columns), wide: Vec::new() };
            }
            kept = kept.saturating_sub(lines);
            self.buried.push(row);
        }
        back
    }

    /// Notes that transcript rows are written: what is in the history above them stays there.
    pub fn covered(&mut self) {
        self.buried.clear();
    }

    /// From the first free row, where the cursor is: line feeds until `live` rows are below the
    /// transcript. They scroll only when the bottom is reached.
    pub fn make_room(&mut self, live: u16, out: &mut Vec<u8>) {
        out.push(b'\r');
        out.extend(std::iter::repeat_n(b'\n', usize::from(live.saturating_sub(1))));
        self.live = live;
        let region = self.region();
        if self.filled > region {
            self.scrolled = self.scrolled.saturating_add(u32::from(self.filled - region));
            self.filled = region;
        }
        self.rows = vec![Row::default(); usize::from(self.size.rows)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_wrapped_as_tmux_wraps_it() {
        let narrow = |used| Row { used, wide: Vec::new() };
        assert_eq!([0, 1, 39, 40, 78, 79].map(|used| narrow(used).lines(39)), [1, 1, 1, 2, 2, 3]);
        // Characters of two columns do not fit into the last one of 39.
        let wide = Row { used: 78, wide: (0..39).map(|n| n * 2).collect() };
        assert_eq!((wide.lines(38), wide.lines(39), wide.lines(78)), (3, 3, 1));
        // One column in front of them makes them fit.
        let shifted = Row { used: 77, wide: (0..38).map(|n| n * 2 + 1).collect() };
        assert_eq!(shifted.lines(39), 2);
        assert_eq!(wide.lines(1), 78);
    }
}
