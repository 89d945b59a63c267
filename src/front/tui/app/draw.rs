//! The live region: what is in it, in which order, and when it is drawn.
//!
//! From top to bottom: the unfinished end of the answer (drawn right below the transcript), the
//! spinner row, what goes on below it, a dialog, the todo list, the queue, the composer with its
//! header, its menu, the status bar.

use std::time::{Duration, Instant};

use ratatui::text::{Line, Span};

use super::{App, TuiError};
use crate::front::tui::status::{Bar, Header, header_row, spinner_row, status_row};
use crate::front::tui::terminal::{Flip, Position, TitleState};
use crate::front::tui::text::{clean_line, truncate};
use crate::front::tui::theme::Tone;
use crate::front::tui::todo_panel::todo_rows;

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// Frames of the spinner per turn of it are that far apart.
const SPINNER: Duration = Duration::from_millis(100);
/// Rows of the queue that are listed.
const QUEUE_ROWS: usize = 3;
/// Rows of thinking or output below the spinner.
const PHASE_ROWS: usize = 6;

/// The rows of the live region and the place of the caret among them.
struct Live {
    rows: Vec<Line<'static>>,
    caret: Option<Position>,
}

impl Live {
    /// Puts the caret at a row and column counted from where the next row goes.
    fn caret_at(&mut self, row: usize, column: usize) {
        let row = u16::try_from(self.rows.len() + row).unwrap_or(u16::MAX);
        self.caret = Some(Position { row, column: u16::try_from(column).unwrap_or(u16::MAX) });
    }
}

impl App {
    /// Draws if something changed and the last frame is long enough ago.
    pub(super) fn draw_when_due(&mut self) -> Result<(), TuiError> {
        let due = self.last_frame.is_none_or(|at| self.now().duration_since(at) >= FRAME);
        if self.dirty && due { self.draw() } else { Ok(()) }
    }

    /// When the loop has to wake although nothing comes in. Never while idle and unchanged.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let now = self.now();
        let frame = self.dirty.then(|| self.last_frame.map_or(now, |at| at + FRAME));
        let spinner = self.busy().then(|| now + SPINNER);
        let stir = self.stir_until.map(|_| now + SPINNER);
        let toast = self.toasts.next_expiry();
        [frame, spinner, stir, toast, self.exit_armed].into_iter().flatten().min()
    }

    /// Draws a frame.
    pub(super) fn draw(&mut self) -> Result<(), TuiError> {
        let size = self.screen.docked().size();
        let (columns, height) = (size.columns, usize::from(size.rows));
        let live = self.live(columns, height);
        let open_room = height.saturating_sub(live.rows.len() + 1).max(1);
        let mut open = self.transcript.open_rows(columns, open_room, &self.theme);
        if !open.is_empty() {
            open.push(Line::default());
        }
        let flip = std::mem::replace(&mut self.flip, Flip::None);
        let docked = self.screen.docked();
        docked.set_open(open);
        docked.frame(&live.rows, live.caret, flip)?;
        self.screen.set_title(self.title_state(), &self.title_text())?;
        self.dirty = false;
        self.last_frame = Some(self.now());
        Ok(())
    }

    fn live(&mut self, columns: u16, height: usize) -> Live {
        let mut live = Live { rows: Vec::new(), caret: None };
        // The composer and the status bar always have their place; the rest shares what is left.
        let bar = usize::from(self.host.config().tui.status_bar);
        let room = height.saturating_sub(2 + bar);
        self.busy_rows(&mut live, columns, room);
        if self.dialogs.is_empty() {
            let left = room.saturating_sub(live.rows.len());
            self.side_rows(&mut live, columns, left);
            self.composer_rows(&mut live, columns, height);
        } else {
            let left = room.saturating_sub(live.rows.len());
            self.dialog_rows(&mut live, columns, left);
            live.rows.push(self.header(Header::Dialog, columns));
        }
        if bar > 0 {
            live.rows.push(self.status(columns));
        }
        live
    }

    /// The spinner row, exactly while busy, and what goes on.
    fn busy_rows(&mut self, live: &mut Live, columns: u16, room: usize) {
        let Some(turn) = &self.turn else { return };
        let now = self.now();
        let phase_rows = if self.dialogs.is_empty() { PHASE_ROWS.min(room / 3) } else { 0 };
        let phase = self.transcript.phase(now, columns, phase_rows, &self.theme);
        let words = match self.dialogs.front() {
            Some(dialog) => Line::from(format!("{}…", dialog.title())),
            None if turn.cancelled => Line::from("Stopping…"),
            None => phase.words,
        };
        let elapsed = now.duration_since(turn.since);
        let motion = !self.host.config().tui.reduced_motion;
        live.rows.push(spinner_row(words, elapsed, motion, columns, &self.theme));
        live.rows.extend(phase.rows.into_iter().take(phase_rows));
    }

    fn dialog_rows(&mut self, live: &mut Live, columns: u16, room: usize) {
        let Some(dialog) = self.dialogs.front() else { return };
        let room = u16::try_from(room.max(1)).unwrap_or(u16::MAX);
        let frame = dialog.frame(columns, room, &self.theme);
        if let Some((row, column)) = frame.caret {
            live.caret_at(row.into(), column.into());
        }
        live.rows.extend(frame.rows);
    }

    /// Todo list and queue.
    fn side_rows(&mut self, live: &mut Live, columns: u16, room: usize) {
        let mut rows = Vec::new();
        // A finished list has nothing more to say once the turn is over.
        let unfinished = self
            .transcript
            .todos
            .iter()
            .any(|item| item.status != crate::protocol::TodoStatus::Done);
        if self.busy() || unfinished {
            rows.extend(todo_rows(&self.transcript.todos, self.todos_open, columns, &self.theme));
        }
        rows.extend(self.queue_rows(columns));
        rows.truncate(room.saturating_sub(4));
        live.rows.extend(rows);
    }

    fn queue_rows(&self, columns: u16) -> Vec<Line<'static>> {
        if self.queue.is_empty() {
            return Vec::new();
        }
        let dim = self.theme.style(Tone::Dim);
        let room = usize::from(columns).saturating_sub(4);
        let mut rows: Vec<Line<'static>> = self
            .queue
            .iter()
            .take(QUEUE_ROWS)
            .map(|queued| {
                Line::from(vec![
                    Span::raw(" "),
                    Span::styled("❯ ", self.theme.style(Tone::Accent)),
                    Span::styled(truncate(&clean_line(&queued.shown), room), dim),
                ])
            })
            .collect();
        let more = self.queue.len().saturating_sub(QUEUE_ROWS);
        let hint = match (more, self.busy()) {
            (0, true) => "↑ to edit · ctrl-s to send now".to_owned(),
            (more, true) => format!("… {more} more · ↑ to edit · ctrl-s to send now"),
            (_, false) => "↑ to edit · enter to send".to_owned(),
        };
        let hint = truncate(&hint, room);
        rows.push(Line::from(vec![Span::raw("   "), Span::styled(hint, dim)]));
        rows
    }

    fn composer_rows(&mut self, live: &mut Live, columns: u16, height: usize) {
        let header = match (self.busy(), self.composer.is_empty()) {
            (true, _) => Header::Busy { queued: self.queue.len() },
            (false, true) => Header::Idle,
            (false, false) => Header::Writing,
        };
        let row = self.header(header, columns);
        let header_width = row.width();
        live.rows.push(row);
        let view = self.composer.rows(columns.into(), (height / 2).max(1), &self.theme);
        match view.cursor {
            Some((row, column)) => live.caret_at(row, column),
            None => {
                let row = live.rows.len() - 1;
                live.caret = Some(Position {
                    row: u16::try_from(row).unwrap_or(u16::MAX),
                    column: u16::try_from(header_width).unwrap_or(u16::MAX),
                });
            }
        }
        live.rows.extend(view.lines);
        live.rows.extend(self.composer.menu_rows(columns.into(), &self.theme));
    }

    fn header(&self, header: Header, columns: u16) -> Line<'static> {
        header_row(header, &self.transcript.prompt_mark, columns, &self.theme)
    }

    fn status(&self, columns: u16) -> Line<'static> {
        let work_dir = self.tilde(&self.info.work_dir);
        let (tokens, max) = self.context;
        let bar = Bar {
            time: &self.clock_text,
            yolo: self.info.yolo,
            afk: self.info.afk,
            plan: self.info.plan_mode,
            model: self.info.model_display.as_deref().unwrap_or("no model"),
            thinking: self.info.thinking,
            directory: &work_dir,
            branch: self.branch.as_deref(),
            toast: self.toasts.current(),
            context_tokens: tokens,
            context_max: max,
        };
        status_row(&bar, columns, &self.theme)
    }

    fn title_state(&self) -> TitleState {
        match (self.busy(), self.dialogs.front()) {
            (_, Some(dialog)) if dialog.title().contains("approval") => TitleState::NeedsApproval,
            (_, Some(_)) => TitleState::NeedsAnswer,
            (true, None) => TitleState::Working,
            (false, None) => TitleState::Idle,
        }
    }

    fn title_text(&self) -> String {
        let dir = self.host.options.work_dir.file_name().unwrap_or_default().to_string_lossy();
        match &self.info.title {
            Some(title) => format!("{} — {dir}", clean_line(title)),
            None => dir.into_owned(),
        }
    }
}
