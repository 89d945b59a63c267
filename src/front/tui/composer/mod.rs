//! The composer: where a message is written.
//!
//! It owns the text with its cursor, atoms, undo and kill ring, the way back through earlier
//! messages, and the completion menu. Keys come in through [`Composer::handle`], which does what is
//! the composer's own and names the rest for its owner; rows come out of [`Composer::rows`] and
//! [`Composer::menu_rows`]. It does no I/O: files are looked for by a [`FileIndex`] on other
//! threads.
//!
//! The cursor never stands inside a grapheme cluster or an atom, and no control character
//! but newline and tab gets into the text.

mod buffer;
mod files;
mod fragment;
mod history;
mod keys;
mod layout;
mod menu;
mod mode;
mod paste;
mod picture;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ratatui::text::{Line, Span};

use crate::front::text;
use crate::front::tui::keymap::Keymap;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::UserInput;
use buffer::Buffer;
use fragment::{Fragment, Payload};
use history::{Browse, Search};
use layout::Layout;
use menu::Menu;

pub use files::FileIndex;
pub use history::History;
pub use keys::{ComposerContext, ComposerEvent};
pub use menu::ResourceRow;
pub use menu::slash::{Invocation, SlashArgs, SlashCommand};
pub use mode::Mode;
pub use paste::{PasteThresholds, normalised};
pub use picture::{Loaded, Picture};

/// A message that was taken out of the composer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The words: atoms of pasted text replaced by the text, pictures as their labels.
    pub text: String,
    /// What was on the screen.
    pub shown: String,
    /// What the model gets, or the shell.
    pub input: UserInput,
    /// It is a command for the shell.
    pub is_command: bool,
    /// The message as it was written, to go on with it.
    pub draft: Draft,
}

impl Submission {
    /// A message of text alone.
    pub fn plain(text: &str) -> Self {
        Self::of(Fragment::plain(text), Mode::Message)
    }

    fn of(content: Fragment, mode: Mode) -> Self {
        let mark = if mode.is_shell() { "!" } else { "" };
        Self {
            text: content.expanded(),
            shown: format!("{mark}{}", content.text),
            input: content.input(),
            is_command: mode.is_shell(),
            draft: Draft(content, mode),
        }
    }
}

/// A message with its atoms, as [`Composer::set_draft`] takes it back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft(Fragment, Mode);

/// The composer's rows on the screen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComposerView {
    /// The visible rows of text; none when there is no text.
    pub lines: Vec<Line<'static>>,
    /// The caret's cell: index into `lines`, column on the screen. `None` without text: then the
    /// caret belongs behind the header.
    pub cursor: Option<(usize, usize)>,
}

/// The text being written and all that belongs to it.
#[derive(Debug, Default)]
pub struct Composer {
    buffer: Buffer,
    keymap: Keymap,
    history: History,
    browse: Option<Browse>,
    search: Option<Search>,
    menu: Menu,
    thresholds: PasteThresholds,
    /// Pastes so far; the atoms are numbered by it.
    pastes: usize,
    /// Whether the last thing that happened was a paste.
    just_pasted: bool,
    mode: Mode,
    /// Columns of the last drawing, for ↑ and ↓.
    columns: usize,
    /// The column that ↑ and ↓ keep to.
    goal: Option<usize>,
    /// The first row shown when the text is taller than its place.
    top: usize,
    layout: Option<(u64, usize, Layout)>,
}

impl Composer {
    /// An empty composer.
    pub fn new(
        history: History,
        commands: Vec<SlashCommand>,
        files: Option<FileIndex>,
        thresholds: PasteThresholds,
    ) -> Self {
        let menu = Menu::new(commands, files);
        Self { history, menu, thresholds, columns: 80, ..Self::default() }
    }

    /// The message with the atoms of pasted text replaced by the text.
    pub fn text(&self) -> String {
        self.buffer.content().expanded()
    }

    /// The message as it is on the screen.
    pub fn display_text(&self) -> &str {
        &self.buffer.content().text
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.buffer.content().is_empty()
    }

    /// The key table in use.
    pub fn keymap(&self) -> &Keymap {
        &self.keymap
    }

    /// Another history, once it has been read.
    pub fn set_history(&mut self, history: History) {
        self.browse = None;
        self.history = history;
        // A search may have begun before there was anything to find.
        if let Some(search) = &mut self.search {
            search.restart(&self.history);
        }
    }

    /// Other commands for the menu, also for one that is open: what is selected stays selected.
    pub fn set_commands(&mut self, commands: Vec<SlashCommand>) {
        if self.menu.commands == commands {
            return;
        }
        self.menu.commands = commands;
        let selected = self.menu.selected_command();
        self.update_menu();
        if let Some(name) = selected {
            self.menu.select_command(&name);
        }
    }

    /// Other resources for the menu of mentions, also for one that is open.
    pub fn set_resources(&mut self, resources: Vec<ResourceRow>) {
        self.menu.set_resources(resources);
    }

    /// Replaces the text by a message, as one step that can be undone; the cursor goes to its end.
    pub fn set_text(&mut self, text: &str) {
        self.leave_modes();
        self.mode = Mode::Message;
        self.buffer.replace_all(picture::with_pictures(paste::normalised(text)));
        self.menu.reset();
    }

    /// Inserts text at the cursor, as one step that can be undone.
    pub fn insert(&mut self, text: &str) {
        self.end_modes();
        self.buffer.insert(Fragment::plain(paste::normalised(text)));
        self.menu.close();
    }

    /// Empties the composer, as one step that can be undone.
    pub fn clear(&mut self) {
        self.set_text("");
    }

    /// Takes the message out and leaves the composer empty, without a past.
    pub fn take(&mut self) -> Submission {
        self.end_modes();
        self.menu.reset();
        self.top = 0;
        let mode = self.mode;
        if mode == Mode::Command {
            self.mode = Mode::Message;
        }
        Submission::of(self.buffer.reset(), mode)
    }

    /// Puts a message back as it was written, as one step that can be undone.
    pub fn set_draft(&mut self, draft: Draft) {
        self.leave_modes();
        self.buffer.replace_all(draft.0);
        self.mode = draft.1;
        self.menu.reset();
    }

    /// Adds a message or command to the history. What was added, as it is to be kept on disk; `None`
    /// when it is blank or the same as the last one.
    pub fn record(&mut self, submission: &Submission) -> Option<String> {
        let Submission { text, draft, .. } = submission;
        let text = Some(text).filter(|text| !text.trim().is_empty())?;
        let text = mode::recorded(draft.1, text);
        self.history.record(&text).then_some(text)
    }

    /// Inserts pasted text at the cursor. A long one is shown as an atom; pasting the same
    /// text again right behind its atom shows it in full.
    pub fn paste(&mut self, pasted: &str) {
        self.just_pasted = true;
        if let Some(search) = &mut self.search {
            search.query.extend(paste::normalised(pasted).chars().filter(|c| !c.is_control()));
            search.restart(&self.history);
            return;
        }
        self.end_modes();
        self.menu.close();
        let pasted = paste::normalised(pasted);
        if pasted.is_empty() {
            return;
        }
        let cursor = self.buffer.cursor();
        let content = self.buffer.content();
        if let Some(atom) = content.atom_before(cursor)
            && matches!(&atom.payload, Payload::Pasted(held) if **held == *pasted)
        {
            let range = atom.range.clone();
            self.buffer.replace(range, Fragment::plain(pasted));
        } else if !self.mode.is_shell() && self.thresholds.reached(&pasted) {
            let atom = self.atom(pasted);
            self.buffer.insert(atom);
        } else {
            self.buffer.insert(Fragment::plain(pasted));
        }
    }

    /// The next atom.
    fn atom(&mut self, content: String) -> Fragment {
        self.pastes += 1;
        paste::atom(self.pastes, Arc::from(content))
    }

    /// Inserts a picture at the cursor.
    pub fn attach(&mut self, picture: Picture) {
        self.end_modes();
        self.menu.close();
        self.buffer.insert(picture::atom(picture));
    }

    /// Puts pictures in place of pasted text that turned out to name them. False when the text is not
    /// there any more.
    pub fn attach_for(&mut self, pasted: &str, pictures: Vec<Picture>) -> bool {
        let pasted = paste::normalised(pasted);
        let content = self.buffer.content();
        let outside = |at: usize| content.is_boundary(at) && content.is_boundary(at + pasted.len());
        let mut places = content.text.rmatch_indices(&pasted).map(|(at, _)| at);
        let Some(at) = places.find(|at| outside(*at)) else { return false };
        if pasted.is_empty() || self.search.is_some() {
            return false;
        }
        let (range, cursor) = (at..at + pasted.len(), self.buffer.cursor());
        let mut new = Fragment::default();
        for picture in pictures {
            new.append(&picture::atom(picture));
            new.append(&Fragment::plain(" "));
        }
        let cursor = match cursor {
            before if before <= at => before,
            behind if behind >= range.end => behind - range.len() + new.len(),
            _ => at + new.len(),
        };
        self.browse = None;
        self.buffer.replace(range, new);
        self.buffer.set_cursor(cursor);
        true
    }

    /// The pictures of the message that have to be loaded before it can be sent.
    pub fn unloaded(&self) -> Vec<Arc<Picture>> {
        let pictures = self.buffer.content().pictures();
        pictures.filter(|picture| !picture.is_settled()).cloned().collect()
    }

    /// Whether there is a picture in the message.
    pub fn has_pictures(&self) -> bool {
        self.buffer.content().pictures().next().is_some()
    }

    /// Takes the text back from an external editor that was given [`Self::text`]. Pasted text and
    /// media labels that are still in it become atoms again.
    pub fn set_edited(&mut self, edited: &str) {
        self.leave_modes();
        self.menu.close();
        let edited = paste::normalised(edited);
        let old = self.buffer.content();
        let mut new = Fragment::default();
        let mut rest = edited.as_str();
        for atom in &old.atoms {
            let label = &old.text[atom.range.clone()];
            let held = match &atom.payload {
                Payload::Pasted(held) => held,
                Payload::Picture(_) => label,
            };
            if let Some((before, after)) = rest.split_once(held) {
                new.append(&Fragment::plain(before));
                new.append(&Fragment::atom(label.to_owned(), atom.payload.clone()));
                rest = after;
            }
        }
        new.append(&Fragment::plain(rest));
        self.buffer.replace_all(new);
    }

    /// The visible rows of text for a screen of `columns`, at most `max_rows` of them, and the
    /// caret among them.
    pub fn rows(&mut self, columns: usize, max_rows: usize, theme: &Theme) -> ComposerView {
        self.columns = columns;
        if let Some(search) = &self.search {
            return search_row(search, &self.history, columns, theme);
        }
        if self.is_empty() || max_rows == 0 {
            return ComposerView::default();
        }
        let (caret_row, caret_column) = {
            let cursor = self.buffer.cursor();
            let (layout, content) = self.layout();
            layout.caret(content, cursor, columns)
        };
        let count = self.layout().0.len();
        let lowest = caret_row.min(count.saturating_sub(max_rows));
        self.top = self.top.clamp((caret_row + 1).saturating_sub(max_rows), caret_row).min(lowest);
        let top = self.top;
        let (layout, content) = self.layout();
        let lines = layout.lines(content, top..(top + max_rows).min(count), theme);
        ComposerView { lines, cursor: Some((caret_row - top, caret_column)) }
    }

    /// The rows of the completion menu, at most `max_rows` with the rule above them; none when it
    /// is closed.
    pub fn menu_rows(
        &mut self,
        columns: usize,
        max_rows: usize,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        self.menu.poll();
        self.menu.rows(columns, max_rows, theme)
    }

    /// Whether the completion menu is on the screen.
    pub fn menu_open(&self) -> bool {
        self.menu.is_open()
    }

    /// Whether the reverse search is on the screen.
    pub fn searching(&self) -> bool {
        self.search.is_some()
    }

    /// The layout of the text as it is now.
    fn layout(&mut self) -> (&Layout, &Fragment) {
        let key = (self.buffer.revision(), self.columns);
        let content = self.buffer.content();
        let known =
            self.layout.take().filter(|(revision, columns, _)| (*revision, *columns) == key);
        let known = known.unwrap_or_else(|| (key.0, key.1, Layout::of(content, key.1)));
        (&self.layout.insert(known).2, content)
    }

    /// Ends browsing and searching; what is on the screen becomes the text.
    fn end_modes(&mut self) {
        self.browse = None;
        self.goal = None;
        if let Some(search) = self.search.take() {
            let hit = search.hit(&self.history).map(paste::normalised);
            let text = hit.map(picture::with_pictures);
            self.put_marked(text.unwrap_or_else(|| search.into_draft()));
        }
    }

    /// Ends browsing and searching; the text stays what it was before a search.
    fn leave_modes(&mut self) {
        self.browse = None;
        self.goal = None;
        self.search = None;
    }
}

/// The row of the reverse search: the query and the hit.
fn search_row(search: &Search, history: &History, columns: usize, theme: &Theme) -> ComposerView {
    let name = if search.failed { "  (failed reverse-search) " } else { "  (reverse-search) " };
    let name = text::truncate(name, columns.saturating_sub(1));
    let room = columns.saturating_sub(text::width(&name) + 1);
    let query = text::truncate(&text::clean_line(&search.query), room);
    let caret = text::width(&name) + text::width(&query);
    let hit = format!(": {}", text::clean_line(search.hit(history).unwrap_or_default()));
    let hit = text::truncate(&hit, columns.saturating_sub(caret));
    let line = Line::from(vec![
        Span::styled(name, theme.style(Tone::Dim)),
        Span::styled(query, theme.style(Tone::Accent)),
        Span::styled(hit, theme.style(Tone::Text)),
    ]);
    ComposerView { lines: vec![line], cursor: Some((0, caret.min(columns.saturating_sub(1)))) }
}
