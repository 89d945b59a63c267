//! The docked screen: the main screen of the terminal, transcript above, live region at the bottom.
//!
//! The transcript is append-only. It fills the screen from the top; after that a scroll region and a
//! line feed send its oldest row into the terminal's own history, once and final. The live region
//! (spinner, dialog, composer, status bar) is compared row by row, and only changed rows are
//! written, each whole and from its first column: a program that reads the byte stream sees rows,
//! never fragments. A frame is one write, unless it is long and begins or ends a turn.

mod flip;

use std::collections::VecDeque;
use std::io::{self, Write};

use ratatui::text::Line;

use super::encode::{encode, wide_starts};
use super::geometry::Geometry;
use super::mark::Mark;
use super::{Capability, Position, Size};

pub use flip::Flip;

/// In what state another program has given the terminal back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// As it was: a program on the alternate screen.
    Untouched,
    /// With rows of its own below ours: a shell.
    Written,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Not entered, or left for good.
    Outside,
    Showing,
    /// An overlay is on the alternate screen.
    Covered,
    /// Another program has the terminal.
    Suspended,
}

/// The writer of the docked screen.
#[derive(Debug)]
pub struct Docked<W: Write> {
    out: W,
    capability: Capability,
    geometry: Geometry,
    mode: Mode,
    queue: Vec<Line<'static>>,
    /// Marks of waiting rows, by their places in the queue, in order.
    marks: VecDeque<(usize, Mark)>,
    /// Rows below the transcript that are not final: the answer's unfinished end.
    open: Vec<Line<'static>>,
    /// The 1-based last screen row that holds open rows, or retracted ones; 0 for none.
    open_end: u16,
    /// Transcript rows written since the terminal last moved things by itself: where those are is
    /// known for sure.
    sure: usize,
    /// The bytes of each screen row of the live region and of the open rows; `None` where they are
    /// not known.
    shown: Vec<Option<Vec<u8>>>,
    /// The first live row of the last frame: while busy the spinner.
    head: Option<Line<'static>>,
    /// Where the last frame left the cursor.
    cursor: Position,
    /// The 1-based screen row of it while a frame is made; `None` when the terminal has moved it.
    cursor_row: Option<u16>,
    /// Whether the cursor is visible; `None` when not known.
    visible: Option<bool>,
    /// The size that was reported while the screen was not ours.
    later: Option<Size>,
    /// The terminal was given back, and the cursor is on the first free row.
    returned: bool,
}

impl<W: Write> Docked<W> {
    /// A writer for a terminal as tmux is one; see [`Docked::with_capability`].
    pub fn new(out: W, size: Size) -> Self {
        Self::with_capability(out, size, Capability::default())
    }

    /// A writer for a terminal of `size` with these properties. Nothing is written yet.
    pub fn with_capability(out: W, size: Size, capability: Capability) -> Self {
        let size = Size::new(size.columns, size.rows);
        Self {
            out,
            capability,
            geometry: Geometry::new(size, capability),
            mode: Mode::Outside,
            queue: Vec::new(),
            marks: VecDeque::new(),
            open: Vec::new(),
            open_end: 0,
            sure: 0,
            shown: vec![None; usize::from(size.rows)],
            head: None,
            cursor: Position { row: 0, column: 0 },
            cursor_row: None,
            visible: None,
            later: None,
            returned: false,
        }
    }

    /// The size that the next frame is painted for.
    pub fn size(&self) -> Size {
        self.later.unwrap_or(self.geometry.size)
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut W {
        &mut self.out
    }

    /// Takes the screen: paste marks on, cleared once (tmux moves what was there into its history).
    pub fn enter(&mut self) -> io::Result<()> {
        self.geometry = Geometry::new(self.size(), self.capability);
        self.later = None;
        self.forget();
        self.mode = Mode::Showing;
        self.out.write_all(b"\x1b[?2004h\x1b[2J\x1b[H")?;
        self.out.flush()
    }

    /// Gives the screen back: everything committed is written, the live region erased, the cursor on
    /// a fresh line below the last transcript row. A second call does nothing.
    pub fn leave(&mut self) -> io::Result<()> {
        let was = std::mem::replace(&mut self.mode, Mode::Outside);
        if matches!(was, Mode::Outside | Mode::Suspended) {
            return Ok(());
        }
        self.take_later();
        self.give_back()
    }

    /// The most live rows that a frame shows.
    pub fn max_live(&self) -> u16 {
        self.geometry.max_live()
    }

    /// Appends rows to the transcript; the next frame writes them. A row wider than the terminal is
    /// cut: wrapping is the caller's.
    pub fn commit(&mut self, rows: Vec<Line<'static>>) {
        if self.queue.is_empty() {
            self.queue = rows;
        } else {
            self.queue.extend(rows);
        }
    }

    /// The same for rows of which some are marked: each mark comes with the place of its row, in
    /// order.
    pub fn commit_marked(&mut self, rows: Vec<Line<'static>>, marks: &[(usize, Mark)]) {
        if self.capability.marks {
            let before = self.queue.len();
            self.marks.extend(marks.iter().map(|(at, mark)| (before + at, *mark)));
        }
        self.commit(rows);
    }

    /// Sets the rows right below the transcript that are not final yet. They are drawn from the next
    /// frame on, until they are set again, and never reach the history.
    pub fn set_open(&mut self, rows: Vec<Line<'static>>) {
        self.open = rows;
    }

    /// Takes back the last `count` committed rows as far as they are still on the screen, and returns
    /// how many had left it for good.
    pub fn retract(&mut self, count: usize) -> usize {
        let waiting = count.min(self.queue.len());
        self.queue.truncate(self.queue.len() - waiting);
        while self.marks.back().is_some_and(|(at, _)| *at >= self.queue.len()) {
            self.marks.pop_back();
        }
        let count = count - waiting;
        if self.mode != Mode::Showing || self.geometry.has_moved() {
            return count;
        }
        let on_screen = count.min(usize::from(self.geometry.filled)).min(self.sure);
        if on_screen > 0 {
            self.sure -= on_screen;
            self.open_end = self.open_end.max(self.geometry.filled);
            self.geometry.filled -= u16::try_from(on_screen).unwrap_or(u16::MAX);
        }
        count - on_screen
    }

    /// Writes what has changed and returns the number of bytes; 0 when nothing has.
    ///
    /// `live` is the live region from top to bottom; when it is too high its lowest rows are shown.
    /// `cursor` is relative to it; without one the cursor is hidden. While the screen is covered or
    /// suspended nothing is written and commits are kept.
    pub fn frame(
        &mut self,
        live: &[Line<'static>],
        cursor: Option<Position>,
        flip: Flip,
    ) -> io::Result<usize> {
        if self.mode != Mode::Showing {
            return Ok(0);
        }
        let blank = [Line::default()];
        let live = if live.is_empty() { &blank } else { live };
        let hidden = live.len().saturating_sub(usize::from(self.geometry.max_live()));
        let live = live.get(hidden..).unwrap_or_default();
        let height = u16::try_from(live.len()).unwrap_or(u16::MAX);

        let known = !self.returned && !self.geometry.has_moved();
        self.cursor_row = known.then(|| self.geometry.region() + 1 + self.cursor.row);
        let cursor_column = self.cursor.column;

        let mut out = Vec::new();
        let mut seam = 0;
        if flip == Flip::TurnEnd {
            seam = self.end_turn(height, &mut out);
        } else {
            self.arrange(height, live, &mut out);
            let committed = !self.queue.is_empty();
            if flip == Flip::TurnStart && !self.geometry.tight() {
                self.paint(live, &mut out);
                seam = out.len();
            }
            self.write_commits(&mut out);
            let before_open = out.len();
            self.paint_open(&mut out);
            if committed || out.len() > before_open {
                // A reader of the stream looks for the spinner after the last row above it.
                self.forget_row(self.geometry.region() + 1);
            }
        }
        self.head = live.first().cloned();
        self.paint(live, &mut out);
        if !out.is_empty() {
            // The last row ends here, also for a reader that overlooks positions.
            out.push(b'\r');
        }

        let columns = self.geometry.size.columns;
        let hidden = u16::try_from(hidden).unwrap_or(u16::MAX);
        let place = match cursor {
            Some(at) => Position {
                row: at.row.saturating_sub(hidden).min(height - 1),
                column: at.column.min(columns - 1),
            },
            // A window that gets lower loses the rows below the cursor, and none of a dialog reaches
            // the history.
            None => Position::default(),
        };
        let seen = self.visible.replace(cursor.is_some());
        if out.is_empty() && place == self.cursor && seen == self.visible {
            return Ok(0);
        }
        self.cursor = place;
        let row = self.geometry.region() + 1 + place.row;
        if self.cursor_row == Some(row) && place.column == cursor_column && !out.is_empty() {
            // The window may have changed while the frame was on its way: then this is another row
            // than it was painted for, but the one that the terminal has taken the cursor to. What is
            // erased after a change of size is found from there.
            out.splice(..0, *b"\x1b7");
            out.extend_from_slice(b"\x1b8");
            seam += if seam > 0 { 2 } else { 0 };
        } else {
            position(row, place.column + 1, &mut out);
        }
        if seen != self.visible {
            out.extend_from_slice(if cursor.is_some() { b"\x1b[?25h" } else { b"\x1b[?25l" });
        }
        self.send(&out, seam)
    }

    /// The next frame writes every live row again. For readers that take silence for the end of
    /// something: after a paste and before the Enter that follows it.
    pub fn refresh(&mut self) {
        self.shown.fill(None);
    }

    /// The window has a new size, or may have had one in between. Nothing is written before the next
    /// frame, which has to be laid out for the new size.
    pub fn resize(&mut self, size: Size) {
        let size = Size::new(size.columns, size.rows);
        if self.mode == Mode::Showing {
            self.geometry.resize(size, self.cursor);
        } else {
            self.later = Some(size);
        }
    }

    /// An overlay takes the alternate screen: frames write nothing until [`Docked::uncover`].
    pub fn cover(&mut self) {
        if self.mode == Mode::Showing {
            self.mode = Mode::Covered;
        }
    }

    /// The overlay has left the alternate screen.
    pub fn uncover(&mut self) {
        if self.mode == Mode::Covered {
            self.mode = Mode::Showing;
            self.visible = None;
            self.take_later();
        }
    }

    /// Gives the terminal to another program (an editor, the shell after Ctrl-Z) in the state that
    /// [`Docked::leave`] leaves it in.
    pub fn suspend(&mut self) -> io::Result<()> {
        if !matches!(self.mode, Mode::Showing | Mode::Covered) {
            return Ok(());
        }
        self.take_later();
        self.mode = Mode::Suspended;
        self.give_back()
    }

    /// Takes the terminal back; the next frame paints the live region below what is there.
    pub fn resume(&mut self, how: Return) -> io::Result<()> {
        if self.mode != Mode::Suspended {
            return Ok(());
        }
        self.mode = Mode::Showing;
        let size = self.size();
        let resized = self.later.take().is_some_and(|size| size != self.geometry.size);
        if how == Return::Written || resized {
            self.geometry.lost(size);
        }
        self.forget();
        self.returned = true;
        self.out.write_all(b"\x1b[?2004h")?;
        self.out.flush()
    }

    fn take_later(&mut self) {
        if let Some(size) = self.later.take()
            && size != self.geometry.size
        {
            self.geometry.resize(size, self.cursor);
        }
    }

    fn forget(&mut self) {
        self.sure = 0;
        self.open_end = 0;
        self.shown.clear();
        self.shown.resize(usize::from(self.geometry.size.rows), None);
        self.visible = None;
    }

    fn give_back(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        self.arrange(0, &[], &mut out);
        self.write_commits(&mut out);
        self.erase_open(self.geometry.filled, &mut out);
        out.extend_from_slice(b"\x1b[r");
        position(self.geometry.filled.max(1), 1, &mut out);
        if self.geometry.filled > 0 {
            out.extend_from_slice(b"\r\n");
        }
        if self.geometry.filled == self.geometry.size.rows {
            self.geometry.filled -= 1;
            self.geometry.scrolled_up(self.geometry.size.rows, 1);
        }
        self.forget();
        self.send(&out, 0)?;
        self.out.write_all(b"\x1b[?2004l\x1b[?25h")?;
        self.out.flush()
    }

    /// Makes the live region `height` rows high, after a resize also at its new place. When it gets
    /// lower, the `staying` rows are painted before the freed ones are erased: a reader of half a
    /// frame sees two spinners then, and never none. At a new place they are painted at once.
    fn arrange(&mut self, height: u16, staying: &[Line<'static>], out: &mut Vec<u8>) {
        if std::mem::take(&mut self.returned) {
            if self.geometry.has_moved() {
                self.geometry.lost(self.geometry.size);
            }
            self.geometry.make_room(height, out);
            self.forget();
            self.paint_staying(staying, out);
        } else if self.geometry.has_moved() {
            self.geometry.settle(height, self.cursor, out);
            self.forget();
            self.paint_staying(staying, out);
        } else if height > self.geometry.live {
            let region = self.geometry.size.rows.saturating_sub(height);
            let over = self.geometry.filled.saturating_sub(region);
            if over > 0 && region >= 2 {
                self.scroll_filled(over, out);
            }
            self.geometry.live = height;
        } else if height < self.geometry.live {
            let old = self.geometry.region();
            self.geometry.live = height;
            self.paint_staying(staying, out);
            for row in old + 1..=self.geometry.region() {
                self.erase(row, out);
            }
        }
        if self.geometry.tight() && self.geometry.filled > 0 {
            self.push_all(out);
        }
    }

    fn paint_staying(&mut self, rows: &[Line<'static>], out: &mut Vec<u8>) {
        if !self.geometry.tight() {
            self.paint(rows, out);
        }
    }

    /// Sends the `count` oldest rows on the screen into the history.
    fn scroll_filled(&mut self, count: u16, out: &mut Vec<u8>) {
        // A region has at least two rows.
        let bottom = self.geometry.filled.max(2);
        region(bottom, out);
        position(bottom, 1, out);
        out.extend(std::iter::repeat_n(b'\n', usize::from(count)));
        out.extend_from_slice(b"\x1b[r");
        self.geometry.scrolled_up(bottom, u32::from(count));
        self.geometry.filled -= count;
        for row in 1..=bottom {
            self.forget_row(row);
        }
    }

    /// Sends all transcript rows on the screen into the history, by scrolling the whole screen.
    fn push_all(&mut self, out: &mut Vec<u8>) {
        let rows = self.geometry.size.rows;
        for row in self.geometry.filled + 1..=rows {
            self.erase(row, out);
        }
        position(rows, 1, out);
        let count = self.geometry.filled;
        out.extend(std::iter::repeat_n(b'\n', usize::from(count)));
        self.geometry.scrolled_up(rows, u32::from(count));
        self.geometry.filled = 0;
    }

    /// Writes the rows that wait, and those marks that belong to them.
    fn write_commits(&mut self, out: &mut Vec<u8>) {
        let rows = std::mem::take(&mut self.queue);
        if rows.is_empty() {
            return;
        }
        self.sure += rows.len();
        self.geometry.covered();
        let mut marks = std::mem::take(&mut self.marks);
        self.write_rows(&rows, &mut marks, out);
        marks.iter_mut().for_each(|(at, _)| *at = at.saturating_sub(rows.len()));
        self.marks = marks;
    }

    fn write_rows(
        &mut self,
        rows: &[Line<'static>],
        marks: &mut VecDeque<(usize, Mark)>,
        out: &mut Vec<u8>,
    ) {
        let mut mark = |at: usize, out: &mut Vec<u8>| {
            while marks.front().is_some_and(|(marked, _)| *marked <= at) {
                out.extend(marks.pop_front().iter().flat_map(|(_, mark)| mark.bytes()));
            }
        };
        let columns = self.geometry.size.columns;
        if self.geometry.tight() {
            for (at, row) in rows.iter().enumerate() {
                position(1, 1, out);
                mark(at, out);
                encode(row, columns, out);
                self.geometry.filled = 1;
                self.push_all(out);
            }
            return;
        }
        let region_rows = self.geometry.region();
        let room = usize::from(region_rows.saturating_sub(self.geometry.filled));
        let (fill, scroll) = rows.split_at(room.min(rows.len()));
        for (at, row) in fill.iter().enumerate() {
            self.geometry.filled += 1;
            position(self.geometry.filled, 1, out);
            mark(at, out);
            encode(row, columns, out);
            self.forget_row(self.geometry.filled);
        }
        if scroll.is_empty() {
            return;
        }
        for row in 1..=region_rows {
            self.forget_row(row);
        }
        region(region_rows, out);
        position(region_rows, 1, out);
        for (at, row) in (fill.len()..).zip(scroll) {
            out.extend_from_slice(b"\r\n");
            mark(at, out);
            encode(row, columns, out);
        }
        out.extend_from_slice(b"\x1b[r");
        self.geometry.scrolled_up(region_rows, u32::try_from(scroll.len()).unwrap_or(u32::MAX));
    }

    /// Draws the open rows below the transcript. When they need more room than there is, transcript
    /// rows make it by going into the history; of what is still too long the end is shown.
    fn paint_open(&mut self, out: &mut Vec<u8>) {
        let region = self.geometry.region();
        if self.geometry.tight() {
            self.open_end = 0;
            return;
        }
        let open = std::mem::take(&mut self.open);
        let height = u16::try_from(open.len()).unwrap_or(u16::MAX).min(region);
        let over = (self.geometry.filled + height).saturating_sub(region);
        if over > 0 {
            self.scroll_filled(over, out);
        }
        let first = self.geometry.filled + 1;
        let rows = open.get(open.len() - usize::from(height)..).unwrap_or_default();
        self.paint_rows(first, rows, out);
        self.open = open;
        self.erase_open(self.geometry.filled + height, out);
        self.open_end = if height > 0 { self.geometry.filled + height } else { 0 };
    }

    /// Erases what open or retracted rows have left below screen row `last`.
    fn erase_open(&mut self, last: u16, out: &mut Vec<u8>) {
        let end = self.open_end.min(self.geometry.region());
        for row in last + 1..=end {
            self.erase(row, out);
        }
        self.open_end = 0;
    }

    fn paint(&mut self, live: &[Line<'static>], out: &mut Vec<u8>) {
        self.paint_rows(self.geometry.region() + 1, live, out);
    }

    /// Writes the rows that differ from what the screen has, from the 1-based row `first` on.
    fn paint_rows(&mut self, first: u16, rows: &[Line<'static>], out: &mut Vec<u8>) {
        for (row, line) in (first..).zip(rows) {
            let mut bytes = Vec::new();
            let width = encode(line, self.geometry.size.columns, &mut bytes);
            let Some(slot) = self.shown.get_mut(usize::from(row) - 1) else { continue };
            if slot.as_ref() != Some(&bytes) {
                if out.is_empty() && self.cursor_row == Some(row) {
                    // The spinner that turns: right also in a window that has just changed.
                    out.push(b'\r');
                } else {
                    position(row, 1, out);
                }
                out.extend_from_slice(&bytes);
                self.geometry.wrote(row, width, wide_starts(line));
                *slot = Some(bytes);
            }
        }
    }

    fn erase(&mut self, row: u16, out: &mut Vec<u8>) {
        position(row, 1, out);
        out.extend_from_slice(b"\x1b[K");
        self.geometry.erased(row);
        self.forget_row(row);
    }

    fn forget_row(&mut self, row: u16) {
        if let Some(slot) = self.shown.get_mut(usize::from(row).saturating_sub(1)) {
            *slot = None;
        }
    }
}

fn position(row: u16, column: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\x1b[{row};{column}H").as_bytes());
}

fn region(bottom: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\x1b[1;{bottom}r").as_bytes());
}
