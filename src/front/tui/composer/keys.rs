//! What each key does to the composer, and which keys are for its owner.

use crossterm::event::KeyEvent;

use super::buffer::Motion;
use super::fragment::Fragment;
use super::history::{Browse, Search};
use super::menu::slash::{self, Invocation};
use super::{Composer, Mode, mode, paste, picture};
use crate::front::tui::keymap::{Action, Chord, Context};

/// The longest message, in bytes, that comes back from the history as text: a longer one would make
/// every key slow, and comes back as an atom.
const RECALLED_WHOLE: usize = 64 * 1024;

/// What the composer has to know of its surroundings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ComposerContext {
    /// A turn runs: messages are queued.
    pub running: bool,
    /// The messages in the queue.
    pub queued: usize,
    /// A `!` that is typed first begins a command for the shell.
    pub commands: bool,
}

/// What came of a key. No event takes the text out of the composer: [`Composer::take`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComposerEvent {
    /// The key has no meaning, or nothing to do; nothing changed.
    None,
    /// Text, cursor or menu changed: draw again.
    Edited,
    /// Send the message as a turn.
    Submit,
    /// Send the message after the running turn.
    Queue,
    /// Give the message to the running turn; with an empty composer, the oldest queued one.
    Steer,
    /// The text is a slash command; run it. When it cannot be run now, leave the text.
    RunCommand(Invocation),
    /// Put the newest queued message into the composer.
    RecallQueued,
    /// An action that is not the composer's: Esc, Ctrl-C, the external editor, scrolling and so on.
    App(Action),
}

impl Composer {
    /// Does what a key asks for. Never waits for anything.
    pub fn handle(&mut self, key: KeyEvent, cx: &ComposerContext) -> ComposerEvent {
        let Some(chord) = Chord::of(key) else { return ComposerEvent::None };
        self.menu.poll();
        if self.search.is_some()
            && let Some(event) = self.search_key(key, chord)
        {
            return event;
        }
        let pasted = std::mem::take(&mut self.just_pasted);
        let action = self.keymap.action(Context::Composer, key);
        let event = match action {
            Some(Action::ShowKeys) if !self.is_empty() || self.mode.is_shell() => {
                self.type_char(chord)
            }
            Some(action) => self.act(action, cx, pasted),
            None if self.begins_command(cx, chord) => {
                self.mode = Mode::Command;
                ComposerEvent::Edited
            }
            None => self.type_char(chord),
        };
        if !matches!(action, Some(Action::Up | Action::Down)) {
            self.goal = None;
        }
        event
    }

    /// Whether the key begins a command for the shell.
    fn begins_command(&self, cx: &ComposerContext, chord: Chord) -> bool {
        let first = cx.commands && self.is_empty() && self.mode == Mode::Message;
        first && chord.character() == Some(mode::MARK)
    }

    fn type_char(&mut self, chord: Chord) -> ComposerEvent {
        let Some(c) = chord.character() else { return ComposerEvent::None };
        self.edit(|composer| composer.buffer.type_text(c.encode_utf8(&mut [0; 4])))
    }

    /// Does an edit; the menu follows it.
    fn edit(&mut self, change: impl FnOnce(&mut Self)) -> ComposerEvent {
        let revision = self.buffer.revision();
        change(self);
        if self.buffer.revision() != revision {
            self.browse = None;
        }
        self.update_menu();
        ComposerEvent::Edited
    }

    pub(super) fn update_menu(&mut self) {
        if self.mode.is_shell() {
            self.menu.reset();
        } else {
            self.menu.update(self.buffer.content(), self.buffer.cursor());
        }
    }

    fn go(&mut self, motion: Motion) -> ComposerEvent {
        self.edit(|composer| composer.buffer.go(motion))
    }

    fn erase(&mut self, motion: Motion) -> ComposerEvent {
        self.edit(|composer| composer.buffer.erase(motion))
    }

    fn kill(&mut self, motion: Motion) -> ComposerEvent {
        self.edit(|composer| composer.buffer.kill(motion))
    }

    fn act(&mut self, action: Action, cx: &ComposerContext, pasted: bool) -> ComposerEvent {
        match action {
            Action::Submit => self.enter(cx, pasted),
            Action::Newline => self.edit(|composer| composer.buffer.type_text("\n")),
            Action::Complete => self.tab(cx),
            // With nothing that runs it is the key of old.
            Action::ToBackground if !cx.running => self.go(Motion::Left),
            Action::CharLeft => self.go(Motion::Left),
            Action::CharRight => self.go(Motion::Right),
            Action::WordLeft => self.go(Motion::WordLeft),
            Action::WordRight => self.go(Motion::WordRight),
            Action::LineStart => self.go(Motion::LineStart),
            Action::LineEnd => self.go(Motion::LineEnd),
            Action::Up => self.up(cx),
            Action::Down => self.down(),
            Action::DeleteLeft if self.is_empty() && self.mode.is_shell() => {
                self.leave_shell();
                ComposerEvent::Edited
            }
            Action::DeleteLeft => self.erase(Motion::Left),
            Action::ToggleShell => {
                self.toggle_shell();
                ComposerEvent::Edited
            }
            Action::DeleteRight => self.erase(Motion::Right),
            Action::ExitOrDelete if !self.is_empty() => self.erase(Motion::Right),
            Action::KillLineRight => self.kill(Motion::LineEnd),
            Action::KillLineLeft => self.kill(Motion::LineStart),
            Action::KillBlankLeft => self.kill(Motion::BlankLeft),
            Action::KillWordLeft => self.kill(Motion::WordLeft),
            Action::KillWordRight => self.kill(Motion::WordRight),
            Action::Yank => self.edit(|composer| composer.buffer.yank()),
            Action::YankOlder => self.edit(|composer| composer.buffer.yank_older()),
            Action::Undo => self.edit(|composer| {
                composer.buffer.undo();
            }),
            Action::Redo => self.edit(|composer| {
                composer.buffer.redo();
            }),
            Action::SearchHistory => {
                self.browse = None;
                self.menu.close();
                self.search = Some(Search::begin(self.marked()));
                ComposerEvent::Edited
            }
            Action::Escape if self.menu.is_open() => {
                self.menu.dismiss();
                ComposerEvent::Edited
            }
            Action::Escape if self.is_empty() && self.mode.is_shell() && !cx.running => {
                self.leave_shell();
                ComposerEvent::Edited
            }
            // A command is nothing to be given to the model.
            Action::Steer if self.mode.is_shell() => self.send(cx),
            Action::Steer => ComposerEvent::Steer,
            other => ComposerEvent::App(other),
        }
    }

    /// Enter: takes the selected row of the menu, makes a new line after a backslash, or sends.
    fn enter(&mut self, cx: &ComposerContext, pasted: bool) -> ComposerEvent {
        if let Some(command) = self.accept() {
            if command && slash::wants_words(&self.text(), &self.menu.commands) {
                return self.edit(|composer| composer.buffer.type_text(" "));
            }
            return if command { self.send(cx) } else { ComposerEvent::Edited };
        }
        let before = self.buffer.text_before_cursor();
        let escaped = before.ends_with('\\') && !before.ends_with("\\\\");
        if escaped && !pasted {
            let cursor = self.buffer.cursor();
            return self.edit(|composer| {
                composer.buffer.replace(cursor - 1..cursor, Fragment::plain("\n"));
            });
        }
        self.send(cx)
    }

    fn send(&mut self, cx: &ComposerContext) -> ComposerEvent {
        let text = self.text();
        if text.trim().is_empty() {
            // After a turn that was stopped the queue waits for this key.
            let next = cx.queued > 0 && !cx.running && self.is_empty();
            return if next { ComposerEvent::Submit } else { ComposerEvent::None };
        }
        self.menu.close();
        let command = Some(&text).filter(|_| !self.mode.is_shell());
        match command.and_then(|text| slash::invocation(text, &self.menu.commands)) {
            Some(invocation) => ComposerEvent::RunCommand(invocation),
            None if cx.running => ComposerEvent::Queue,
            None => ComposerEvent::Submit,
        }
    }

    /// Tab: completes; without a menu, queues while a turn runs.
    fn tab(&mut self, cx: &ComposerContext) -> ComposerEvent {
        if let Some(command) = self.accept() {
            return if command {
                self.edit(|composer| composer.buffer.type_text(" "))
            } else {
                ComposerEvent::Edited
            };
        }
        if cx.running && !self.menu.is_open() && !self.is_empty() {
            return self.send(cx);
        }
        ComposerEvent::None
    }

    /// Puts the selected row of the menu into the text: whether it is a command, or `None` when
    /// there is no row to take.
    fn accept(&mut self) -> Option<bool> {
        let completion = self.menu.completion(self.buffer.content(), self.buffer.cursor())?;
        self.buffer.replace(completion.range, Fragment::plain(completion.text));
        self.browse = None;
        self.update_menu();
        Some(completion.command)
    }

    fn up(&mut self, cx: &ComposerContext) -> ComposerEvent {
        if self.menu.is_open() {
            self.menu.select(false);
            return ComposerEvent::Edited;
        }
        if self.is_empty() && self.browse.is_none() && cx.queued > 0 {
            return ComposerEvent::RecallQueued;
        }
        if !self.walks_history() && self.vertical(false) {
            return ComposerEvent::Edited;
        }
        let entry = match &mut self.browse {
            Some(browse) => browse.older(&self.history),
            None => match Browse::begin(&self.history, self.marked()) {
                Ok((browse, entry)) => {
                    self.browse = Some(browse);
                    Some(entry)
                }
                Err(_) => None,
            },
        };
        self.recall(entry)
    }

    fn down(&mut self) -> ComposerEvent {
        if self.menu.is_open() {
            self.menu.select(true);
            return ComposerEvent::Edited;
        }
        if !self.walks_history() && self.vertical(true) {
            return ComposerEvent::Edited;
        }
        let Some(browse) = &mut self.browse else { return ComposerEvent::None };
        if let Some(entry) = browse.newer(&self.history) {
            return self.recall(Some(entry));
        }
        if let Some(browse) = self.browse.take() {
            self.put_marked(browse.into_draft());
        }
        ComposerEvent::Edited
    }

    /// Whether ↑ and ↓ go on through the history: the cursor is where recalling left it.
    fn walks_history(&self) -> bool {
        self.browse.is_some() && self.buffer.cursor() == self.buffer.content().len()
    }

    fn recall(&mut self, entry: Option<String>) -> ComposerEvent {
        let Some(entry) = entry else { return ComposerEvent::None };
        let entry = paste::normalised(&entry);
        let recalled = if entry.len() > RECALLED_WHOLE {
            self.atom(entry)
        } else {
            picture::with_pictures(entry)
        };
        self.put_marked(recalled);
        self.menu.close();
        ComposerEvent::Edited
    }

    /// Moves the cursor by a row of the screen; `false` at the first or last one.
    fn vertical(&mut self, down: bool) -> bool {
        let (cursor, goal) = (self.buffer.cursor(), self.goal);
        let (layout, content) = self.layout();
        let row = layout.row_of(cursor);
        let target =
            if down { Some(row + 1).filter(|row| *row < layout.len()) } else { row.checked_sub(1) };
        let Some(target) = target else { return false };
        let goal = goal.unwrap_or_else(|| layout.column_of(content, cursor));
        let place = layout.place(content, target, goal);
        // An atom that is wrapped is passed in the direction of the motion.
        let place = match content.atom_around(place) {
            Some(atom) if down => atom.range.end,
            Some(atom) => atom.range.start,
            None => place,
        };
        self.goal = Some(goal);
        self.buffer.set_cursor(place);
        self.menu.close();
        true
    }

    /// A key during the reverse search; `None` when it ends the search and has its usual meaning.
    fn search_key(&mut self, key: KeyEvent, chord: Chord) -> Option<ComposerEvent> {
        let search = self.search.as_mut()?;
        match self.keymap.action(Context::Search, key) {
            Some(Action::SearchOlder) => search.older(&self.history),
            Some(Action::SearchNewer) => search.newer(&self.history),
            Some(Action::SearchAccept) => self.end_modes(),
            Some(Action::SearchCancel) => self.leave_modes(),
            Some(Action::DeleteLeft) => {
                let query = Fragment::plain(std::mem::take(&mut search.query));
                let end = query.previous(query.len());
                search.query.push_str(&query.text[..end]);
                search.restart(&self.history);
            }
            _ => match chord.character() {
                Some(c) => {
                    search.query.push(c);
                    search.restart(&self.history);
                }
                None => {
                    self.end_modes();
                    return None;
                }
            },
        }
        Some(ComposerEvent::Edited)
    }
}
