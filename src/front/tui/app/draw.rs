//! The live region: what is in it, in which order, and when it is drawn.
//!
//! From top to bottom: the unfinished end of the answer (drawn right below the transcript), the
//! spinner row, what goes on below it, a dialog, the todo list, the queue, the composer with its
//! header, its menu, the status bar.

use std::time::{Duration, Instant};

use ratatui::text::{Line, Span};

use super::{App, TuiError};
use crate::front::text::{clean_line, line_width, truncate};
use crate::front::tui::status::bar::{self, Context, Status};
use crate::front::tui::status::prompt::{self, Prompt};
use crate::front::tui::status::spinner::{self, Motion};
use crate::front::tui::status::title::State;
use crate::front::tui::status::toast::Lane;
use crate::front::tui::terminal::{Flip, Position, Size};
use crate::front::tui::theme::Tone;
use crate::front::tui::todo_panel::todo_rows;

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// The same when a key waits to be seen: a stream that fills every frame must not hold it up.
const KEY_FRAME: Duration = Duration::from_millis(4);
/// How long nothing is written after a resize where the next one may be under way untold. What is
/// drawn for an old size then lands on rows of the transcript.
const RESIZED: Duration = Duration::from_millis(300);
/// How often a screen that must not fall silent is painted again.
const STIR: Duration = Duration::from_millis(100);
/// Smaller terminals get one row: what the program is doing, or the prompt.
const MIN_COLUMNS: u16 = 20;
const MIN_ROWS: usize = 5;
/// Rows of the queue that are listed.
const QUEUE_ROWS: usize = 3;
/// Rows of thinking or output below the spinner.
const PHASE_ROWS: usize = 6;

/// Rows of a dialog for a program that drives us: it looks for the spinner, which is above the dialog,
/// in the last eighteen rows (tmux-contract.md section 4).
const READABLE_DIALOG: usize = 14;

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
        let due = self.last_frame.is_none_or(|at| self.now().duration_since(at) >= self.pace());
        if self.dirty && due { self.draw() } else { Ok(()) }
    }

    fn pace(&self) -> Duration {
        if self.key_waits { KEY_FRAME } else { FRAME }
    }

    /// When the loop has to wake although nothing comes in. Never while idle and unchanged.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let now = self.now();
        let frame = self.dirty.then(|| self.last_frame.map_or(now, |at| at + self.pace()));
        let frame = frame.map(|at| self.quiet_until.map_or(at, |until| at.max(until)));
        let spinner = self
            .spinning_since()
            .map(|since| now + spinner::until_next(now.duration_since(since), self.motion()));
        let stir = self.stir_until.map(|_| now + STIR);
        let toast = self.toasts.deadline();
        [frame, spinner, stir, toast, self.exit_armed, self.tasks_wake()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Draws a frame, unless the terminal has to be left alone for a while after a resize.
    pub(super) fn draw(&mut self) -> Result<(), TuiError> {
        self.screen.check_size();
        let size = self.screen.docked().size();
        if self.must_wait(size) {
            self.dirty = true;
            return Ok(());
        }
        let (columns, height) = (size.columns, usize::from(size.rows));
        // What does not fit would be cut off at the top, where the spinner is.
        let max_live = usize::from(self.screen.docked().max_live());
        let live = self.live(columns, max_live);
        let open_room = height.saturating_sub(live.rows.len() + 1).max(1);
        let mut open = self.transcript.open_rows(columns, open_room, &self.theme);
        if !open.is_empty() {
            open.push(Line::default());
        }
        let flip = std::mem::replace(&mut self.flip, Flip::None);
        let docked = self.screen.docked();
        docked.set_open(open);
        docked.frame(&live.rows, live.caret, flip)?;
        let title = self.info.title.clone().unwrap_or_default();
        let directory =
            self.host.options.work_dir.file_name().unwrap_or_default().to_string_lossy();
        self.screen.set_state(self.title_state(), &title, &directory)?;
        self.idle_drawn = self.spinning_since().is_none();
        self.dirty = false;
        self.key_waits = false;
        self.last_frame = Some(self.now());
        Ok(())
    }

    /// Whether this is no time for a frame; notes the size of the frame that is drawn if it is.
    fn must_wait(&mut self, size: Size) -> bool {
        let now = self.now();
        let resized = self.drawn_size.is_some_and(|drawn| drawn != size);
        if !resized && self.quiet_until.is_some_and(|until| now < until) {
            return true;
        }
        self.drawn_size = Some(size);
        self.quiet_until = (resized && self.screen.tells_sizes_late()).then(|| now + RESIZED);
        false
    }

    fn live(&mut self, columns: u16, height: usize) -> Live {
        let mut live = Live { rows: Vec::new(), caret: None };
        if columns < MIN_COLUMNS || height < MIN_ROWS {
            self.busy_rows(&mut live, columns, 0);
            if live.rows.is_empty() {
                self.composer_rows(&mut live, columns, height);
            }
            live.rows.truncate(1);
            live.caret = None;
            return live;
        }
        // The composer and the status bar always have their place; the rest shares what is left.
        let bar = usize::from(self.host.config().tui.status_bar);
        let room = height.saturating_sub(1 + bar);
        self.busy_rows(&mut live, columns, room);
        if self.dialogs.is_empty() {
            let left = room.saturating_sub(live.rows.len());
            let side = self.side_rows(columns, left);
            if self.orchestrated() {
                // Who takes the answer from the screen takes everything down to the prompt row.
                let height = height.saturating_sub(bar + side.len());
                self.writing_rows(&mut live, columns, height);
                live.rows.extend(side);
            } else {
                live.rows.extend(side);
                self.writing_rows(&mut live, columns, height.saturating_sub(bar));
            }
        } else {
            let mut left = room.saturating_sub(live.rows.len());
            if self.orchestrated() {
                left = left.min(READABLE_DIALOG);
            }
            self.dialog_rows(&mut live, columns, left);
            live.rows.push(prompt::line(&Prompt::Dialog, columns, &self.theme));
        }
        if bar > 0 {
            live.rows.push(self.status(columns));
        }
        live
    }

    /// Whether a program reads the screen.
    pub(super) fn orchestrated(&self) -> bool {
        self.env.var("CAO_TERMINAL_ID").is_some()
    }

    /// The spinner row, exactly while busy, and what goes on.
    fn busy_rows(&mut self, live: &mut Live, columns: u16, room: usize) {
        let Some(since) = self.spinning_since() else { return };
        let cancelled = self.turn.as_ref().is_some_and(|turn| turn.cancelled);
        let now = self.now();
        if self.turn.is_none() && self.dialogs.is_empty() {
            let elapsed = now.duration_since(since);
            let words = "Answering…";
            live.rows.push(spinner::line(words, "", elapsed, self.motion(), columns, &self.theme));
            return;
        }
        let phase_rows = if self.dialogs.is_empty() { PHASE_ROWS.min(room / 3) } else { 0 };
        let phase = self.transcript.phase(now, columns, phase_rows, &self.theme);
        let words = match self.dialogs.front() {
            Some(dialog) => format!("{}…", dialog.title()),
            None if cancelled => "Stopping…".to_owned(),
            None => self.rewinding().unwrap_or(phase.words),
        };
        let elapsed = now.duration_since(since);
        let stoppable = !cancelled && self.dialogs.is_empty();
        let hint = if stoppable { "esc to interrupt" } else { "" };
        live.rows.push(spinner::line(&words, hint, elapsed, self.motion(), columns, &self.theme));
        if phase_rows > 0
            && let Some(flow) = &self.flow
        {
            let text = truncate(flow, usize::from(columns).saturating_sub(4));
            live.rows.push(Line::from(vec![
                Span::raw("   "),
                Span::styled(text, self.theme.style(Tone::Dim)),
            ]));
        }
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
    fn side_rows(&mut self, columns: u16, room: usize) -> Vec<Line<'static>> {
        let mut rows = Vec::from_iter(self.goal_row(columns));
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
        rows
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

    /// The composer; in its place the question beside the conversation, unless a message is being
    /// written, which then stands below.
    fn writing_rows(&mut self, live: &mut Live, columns: u16, height: usize) {
        if self.side.is_none() {
            return self.composer_rows(live, columns, height);
        }
        let writing = !self.composer.is_empty();
        let room = height.saturating_sub(live.rows.len());
        let room = if writing { room.saturating_sub(room / 3 + 1) } else { room };
        let rows = self.side_panel_rows(columns, room);
        live.rows.extend(rows);
        if writing {
            self.composer_rows(live, columns, height);
        }
    }

    fn composer_rows(&mut self, live: &mut Live, columns: u16, height: usize) {
        let room = height.saturating_sub(live.rows.len() + 1).min(height.div_ceil(2));
        let view = self.composer.rows(columns.into(), room.max(1), &self.theme);
        let header = match (self.busy(), view.lines.is_empty()) {
            (busy, _) if self.composer.mode().is_shell() => Prompt::Shell { busy },
            (true, _) => Prompt::Busy,
            (false, true) => Prompt::Idle(self.transcript.prompt_mark.clone()),
            (false, false) => Prompt::Writing,
        };
        let row = prompt::line(&header, columns, &self.theme);
        let header_width = line_width(&row);
        live.rows.push(row);
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
        let room = height.saturating_sub(live.rows.len());
        live.rows.extend(self.composer.menu_rows(columns.into(), room, &self.theme));
    }

    fn motion(&self) -> Motion {
        if self.host.config().tui.reduced_motion { Motion::Reduced } else { Motion::Full }
    }

    fn status(&self, columns: u16) -> Line<'static> {
        let work_dir = self.tilde(&self.info.work_dir);
        let (tokens, max) = self.context;
        let counts = self.session.tasks().counts();
        let status = Status {
            clock: self.clock_text.clone(),
            yolo: self.info.yolo,
            afk: self.info.afk,
            plan: self.info.plan_mode,
            mode: if self.composer.mode().is_shell() { "shell" } else { "agent" }.to_owned(),
            model: self.info.model_display.clone().unwrap_or_else(|| "no model".to_owned()),
            thinking: self.info.thinking,
            directory: work_dir,
            branch: self.branch.clone(),
            commands: counts.commands,
            agents: counts.agents,
            goal: self.goal.badge(),
            context: Context { used: tokens, limit: max },
            toast_left: self.toasts.text(Lane::Left).map(str::to_owned),
            toast_right: self
                .toasts
                .text(Lane::Right)
                .or(self.news.starting.as_deref())
                .map(str::to_owned),
        };
        bar::line(&status, columns, &self.theme)
    }

    fn title_state(&self) -> State {
        match (self.busy() || self.answering_beside(), self.dialogs.front()) {
            (_, Some(dialog)) if dialog.title().contains("approval") => State::NeedsApproval,
            (_, Some(_)) => State::NeedsAnswer,
            (true, None) => State::Working,
            // A person looks at the titles of many: one that was let down is not one that is done.
            (false, None) if self.books.failed() => State::Error,
            (false, None) => State::Idle,
        }
    }
}
