//! The text being written: cursor, edits, undo, kill ring.

use std::collections::VecDeque;
use std::ops::Range;

use super::fragment::{Fragment, is_not_blank, is_word};

/// How many edits can be taken back.
const UNDO_LIMIT: usize = 1_000;
/// How many killed stretches Alt-Y can reach.
const KILL_LIMIT: usize = 32;
/// Bytes after which a run of typed characters begins a new undo step.
const JOIN_LIMIT: usize = 256;

/// One edit, with all that is needed to take it back and to do it again.
#[derive(Debug, Clone)]
struct Step {
    at: usize,
    removed: Fragment,
    inserted: Fragment,
    before: usize,
    after: usize,
}

/// What the last operation was, for the operations that go on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Other,
    Typed,
    Erased,
    Killed,
    /// A yank: where it begins, its length, and which entry of the kill ring it was.
    Yanked {
        at: usize,
        len: usize,
        entry: usize,
    },
}

/// A place to move the cursor to or to delete up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Motion {
    Left,
    Right,
    WordLeft,
    WordRight,
    /// To the blank before, as Ctrl-W goes.
    BlankLeft,
    LineStart,
    LineEnd,
}

/// The text with its cursor and its past.
#[derive(Debug)]
pub(super) struct Buffer {
    content: Fragment,
    cursor: usize,
    undo: VecDeque<Step>,
    redo: Vec<Step>,
    kills: VecDeque<Fragment>,
    last: Last,
    revision: u64,
}

impl Default for Buffer {
    fn default() -> Self {
        Self {
            content: Fragment::default(),
            cursor: 0,
            undo: VecDeque::new(),
            redo: Vec::new(),
            kills: VecDeque::new(),
            last: Last::Other,
            revision: 0,
        }
    }
}

impl Buffer {
    pub fn content(&self) -> &Fragment {
        &self.content
    }

    /// Byte offset of the cursor; always on a unit boundary.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Changes with every change of the text.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn text_before_cursor(&self) -> &str {
        &self.content.text[..self.cursor]
    }

    /// Puts the cursor at the first unit boundary at or after `at`.
    pub fn set_cursor(&mut self, at: usize) {
        self.cursor = self.content.snap(at);
        self.last = Last::Other;
    }

    /// Types `text`: joined with what was typed just before into one undo step per word.
    pub fn type_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let new_word = text.starts_with(is_not_blank)
            && self.text_before_cursor().ends_with(char::is_whitespace);
        let join = self.last == Last::Typed && !new_word;
        self.edit(self.cursor..self.cursor, Fragment::plain(text), join);
        self.last = Last::Typed;
    }

    /// Inserts `fragment` at the cursor as one undo step.
    pub fn insert(&mut self, fragment: Fragment) {
        self.replace(self.cursor..self.cursor, fragment);
    }

    /// Replaces a range by `fragment` as one undo step; the cursor ends behind it.
    pub fn replace(&mut self, range: Range<usize>, fragment: Fragment) {
        let range = self.content.snap(range.start)..self.content.snap(range.end);
        if !(range.is_empty() && fragment.is_empty()) {
            self.edit(range, fragment, false);
        }
        self.last = Last::Other;
    }

    /// Replaces everything; the cursor ends at the end.
    pub fn replace_all(&mut self, fragment: Fragment) {
        if self.content != fragment {
            self.edit(0..self.content.len(), fragment, false);
        }
        self.cursor = self.content.len();
        self.last = Last::Other;
    }

    /// Empties the buffer and forgets its past; the kill ring stays.
    pub fn reset(&mut self) -> Fragment {
        self.undo.clear();
        self.redo.clear();
        self.last = Last::Other;
        self.cursor = 0;
        self.revision += 1;
        std::mem::take(&mut self.content)
    }

    pub fn go(&mut self, motion: Motion) {
        self.cursor = self.target(motion);
        self.last = Last::Other;
    }

    /// Deletes up to where `motion` leads.
    pub fn erase(&mut self, motion: Motion) {
        let range = self.span(motion);
        if !range.is_empty() {
            let join = self.last == Last::Erased;
            self.edit(range, Fragment::default(), join);
            self.last = Last::Erased;
        }
    }

    /// Deletes up to where `motion` leads and keeps what was deleted for [`Self::yank`]. At the
    /// edge of a line the newline goes.
    pub fn kill(&mut self, motion: Motion) {
        let mut range = self.span(motion);
        if range.is_empty() {
            range = match motion {
                Motion::LineStart => self.span(Motion::Left),
                Motion::LineEnd => self.span(Motion::Right),
                _ => return,
            };
        }
        if range.is_empty() {
            return;
        }
        let backward = range.start < self.cursor;
        let go_on = self.last == Last::Killed;
        let removed = self.edit(range, Fragment::default(), false);
        match self.kills.front_mut().filter(|_| go_on) {
            Some(entry) if backward => entry.prepend(&removed),
            Some(entry) => entry.append(&removed),
            None => {
                self.kills.push_front(removed);
                self.kills.truncate(KILL_LIMIT);
            }
        }
        self.last = Last::Killed;
    }

    /// Inserts what was killed last.
    pub fn yank(&mut self) {
        self.yank_entry(self.cursor..self.cursor, 0);
    }

    /// Directly after a yank: puts the kill before that one in its place.
    pub fn yank_older(&mut self) {
        if let Last::Yanked { at, len, entry } = self.last {
            self.yank_entry(at..at + len, (entry + 1) % self.kills.len().max(1));
        }
    }

    fn yank_entry(&mut self, range: Range<usize>, entry: usize) {
        if let Some(fragment) = self.kills.get(entry).cloned() {
            let (at, len) = (range.start, fragment.len());
            self.edit(range, fragment, false);
            // A yank that fused with its surroundings into one cluster cannot be exchanged.
            let apart = self.content.is_boundary(at) && self.content.is_boundary(at + len);
            self.last = if apart { Last::Yanked { at, len, entry } } else { Last::Other };
        }
    }

    /// Takes the last edit back; `false` when there is none.
    pub fn undo(&mut self) -> bool {
        let Some(step) = self.undo.pop_back() else { return false };
        self.content.splice(step.at..step.at + step.inserted.len(), &step.removed);
        self.cursor = step.before;
        self.redo.push(step);
        self.changed()
    }

    /// Does the last edit that was taken back again; `false` when there is none.
    pub fn redo(&mut self) -> bool {
        let Some(step) = self.redo.pop() else { return false };
        self.content.splice(step.at..step.at + step.removed.len(), &step.inserted);
        self.cursor = step.after;
        self.undo.push_back(step);
        self.changed()
    }

    fn changed(&mut self) -> bool {
        self.last = Last::Other;
        self.revision += 1;
        true
    }

    /// The one way the text changes. Answers what was removed.
    fn edit(&mut self, range: Range<usize>, inserted: Fragment, join: bool) -> Fragment {
        let (at, before) = (range.start, self.cursor);
        let removed = self.content.splice(range, &inserted);
        self.cursor = self.content.snap(at + inserted.len());
        self.revision += 1;
        self.redo.clear();
        let step = Step { at, removed: removed.clone(), inserted, before, after: self.cursor };
        if !(join && self.undo.back_mut().is_some_and(|last| last.takes(&step))) {
            self.undo.push_back(step);
            if self.undo.len() > UNDO_LIMIT {
                self.undo.pop_front();
            }
        }
        removed
    }

    fn span(&self, motion: Motion) -> Range<usize> {
        let target = self.target(motion);
        target.min(self.cursor)..target.max(self.cursor)
    }

    fn target(&self, motion: Motion) -> usize {
        let (content, at) = (&self.content, self.cursor);
        match motion {
            Motion::Left => content.previous(at),
            Motion::Right => content.next(at),
            Motion::WordLeft => content.word_before(at, is_word),
            Motion::WordRight => content.word_after(at, is_word),
            Motion::BlankLeft => content.word_before(at, is_not_blank),
            Motion::LineStart => content.line_start(at),
            Motion::LineEnd => content.line_end(at),
        }
    }
}

impl Step {
    /// Takes `next` in when it goes on where this step ended; `false` leaves both as they are.
    fn takes(&mut self, next: &Step) -> bool {
        let typed = next.removed.is_empty()
            && self.removed.is_empty()
            && next.at == self.at + self.inserted.len()
            && self.inserted.len() < JOIN_LIMIT;
        let erased =
            next.inserted.is_empty() && self.inserted.is_empty() && self.removed.len() < JOIN_LIMIT;
        if typed {
            self.inserted.append(&next.inserted);
        } else if erased && next.at + next.removed.len() == self.at {
            self.removed.prepend(&next.removed);
            self.at = next.at;
        } else if erased && next.at == self.at {
            self.removed.append(&next.removed);
        } else {
            return false;
        }
        self.after = next.after;
        true
    }
}
