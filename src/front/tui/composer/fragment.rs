//! A stretch of composer text with its atoms, and where the cursor may stand in it.
//!
//! The cursor moves by *units*: a grapheme cluster, or a whole atom. No operation of the
//! composer ever ends inside one.

use std::ops::Range;
use std::sync::Arc;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::picture::Picture;
use crate::protocol::{ContentPart, UserInput};

/// What an atom stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    /// A long pasted text.
    Pasted(Arc<str>),
    /// A picture that is sent in its place.
    Picture(Arc<Picture>),
}

/// An atom: a label in the text, treated as one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Atom {
    /// Byte range of the label in the text.
    pub range: Range<usize>,
    pub payload: Payload,
}

/// Text with atoms, in order and without overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fragment {
    pub text: String,
    pub atoms: Vec<Atom>,
}

impl Fragment {
    /// Text without atoms.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), atoms: Vec::new() }
    }

    /// One atom.
    pub fn atom(label: String, payload: Payload) -> Self {
        let range = 0..label.len();
        Self { text: label, atoms: vec![Atom { range, payload }] }
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text with every pasted atom replaced by what it stands for.
    pub fn expanded(&self) -> String {
        let mut out = String::with_capacity(self.text.len());
        let mut at = 0;
        for atom in &self.atoms {
            if let Payload::Pasted(content) = &atom.payload {
                out.push_str(&self.text[at..atom.range.start]);
                out.push_str(content);
                at = atom.range.end;
            }
        }
        out.push_str(&self.text[at..]);
        out
    }

    /// The text as a message, with the pictures in their places.
    pub fn input(&self) -> UserInput {
        if self.pictures().next().is_none() {
            return UserInput::Text(self.expanded());
        }
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        for atom in &self.atoms {
            text.push_str(&self.text[at..atom.range.start]);
            at = atom.range.end;
            match &atom.payload {
                Payload::Pasted(content) => text.push_str(content),
                Payload::Picture(picture) => {
                    if !text.is_empty() {
                        parts.push(ContentPart::text(std::mem::take(&mut text)));
                    }
                    parts.extend(picture.parts());
                }
            }
        }
        text.push_str(&self.text[at..]);
        if !text.trim().is_empty() {
            parts.push(ContentPart::text(text));
        }
        UserInput::Parts(parts)
    }

    /// The pictures in it.
    pub fn pictures(&self) -> impl Iterator<Item = &Arc<Picture>> {
        self.atoms.iter().filter_map(|atom| match &atom.payload {
            Payload::Picture(picture) => Some(picture),
            Payload::Pasted(_) => None,
        })
    }

    /// Puts `new` in place of `range`; answers what was there. Both ends of `range` must lie on
    /// unit boundaries.
    pub fn splice(&mut self, range: Range<usize>, new: &Fragment) -> Fragment {
        let first = self.atoms.partition_point(|atom| atom.range.end <= range.start);
        let last = self.atoms.partition_point(|atom| atom.range.start < range.end).max(first);
        let inserted = new.atoms.iter().map(|atom| shifted(atom, range.start, 0));
        let mut removed: Vec<Atom> = self.atoms.splice(first..last, inserted).collect();
        for atom in &mut removed {
            *atom = shifted(atom, 0, range.start);
        }
        for atom in self.atoms.iter_mut().skip(first + new.atoms.len()) {
            *atom = shifted(atom, new.text.len(), range.len());
        }
        let text = self.text[range.clone()].to_owned();
        self.text.replace_range(range, &new.text);
        Fragment { text, atoms: removed }
    }

    /// Adds `other` at the end.
    pub fn append(&mut self, other: &Fragment) {
        let end = self.len();
        self.splice(end..end, other);
    }

    /// Adds `other` at the beginning.
    pub fn prepend(&mut self, other: &Fragment) {
        self.splice(0..0, other);
    }

    /// The atom that begins at `at`.
    pub fn atom_at(&self, at: usize) -> Option<&Atom> {
        let index = self.atoms.partition_point(|atom| atom.range.start < at);
        self.atoms.get(index).filter(|atom| atom.range.start == at)
    }

    /// The atom that ends at `at`.
    pub fn atom_before(&self, at: usize) -> Option<&Atom> {
        let index = self.atoms.partition_point(|atom| atom.range.end < at);
        self.atoms.get(index).filter(|atom| atom.range.end == at)
    }

    /// The atom that `at` lies strictly inside of.
    pub fn atom_around(&self, at: usize) -> Option<&Atom> {
        let index = self.atoms.partition_point(|atom| atom.range.end <= at);
        self.atoms.get(index).filter(|atom| atom.range.start < at)
    }

    /// The end of the unit that begins at `at`.
    pub fn next(&self, at: usize) -> usize {
        if let Some(atom) = self.atom_at(at) {
            return atom.range.end;
        }
        let run = self.run(at);
        let mut cursor = GraphemeCursor::new(at - run.start, run.len(), true);
        match cursor.next_boundary(&self.text[run.clone()], 0) {
            Ok(Some(next)) => run.start + next,
            _ => run.end,
        }
    }

    /// The start of the unit that ends at `at`.
    pub fn previous(&self, at: usize) -> usize {
        if let Some(atom) = self.atom_before(at) {
            return atom.range.start;
        }
        let run = self.run(at);
        let mut cursor = GraphemeCursor::new(at - run.start, run.len(), true);
        match cursor.prev_boundary(&self.text[run.clone()], 0) {
            Ok(Some(previous)) => run.start + previous,
            _ => run.start,
        }
    }

    /// Whether `at` lies between two units.
    pub fn is_boundary(&self, at: usize) -> bool {
        if at > self.len() || !self.text.is_char_boundary(at) || self.atom_around(at).is_some() {
            return false;
        }
        let run = self.run(at);
        GraphemeCursor::new(at - run.start, run.len(), true)
            .is_boundary(&self.text[run], 0)
            .unwrap_or(false)
    }

    /// The first unit boundary at or after `at`.
    pub fn snap(&self, at: usize) -> usize {
        let mut at = at.min(self.len());
        while !self.text.is_char_boundary(at) {
            at += 1;
        }
        if let Some(atom) = self.atom_around(at) {
            return atom.range.end;
        }
        if self.is_boundary(at) { at } else { self.next(at) }
    }

    /// The start of the line of text that `at` is on.
    pub fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The end of the line of text that `at` is on, before its newline.
    pub fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.len(), |newline| at + newline)
    }

    /// The start of the word before `at`. A word is a run of units for which `inside` holds; a
    /// atom is a word of its own.
    pub fn word_before(&self, at: usize, inside: fn(char) -> bool) -> usize {
        let start = self.run(at).start;
        let mut place = at;
        let mut found = false;
        for cluster in self.text[start..at].graphemes(true).rev() {
            let is_inside = cluster.starts_with(inside);
            if found && !is_inside {
                return place;
            }
            found |= is_inside;
            place -= cluster.len();
        }
        match self.atom_before(start).filter(|_| !found) {
            Some(atom) => atom.range.start,
            None => place,
        }
    }

    /// The end of the word after `at`; see [`Self::word_before`].
    pub fn word_after(&self, at: usize, inside: fn(char) -> bool) -> usize {
        let end = self.run(at).end;
        let mut place = at;
        let mut found = false;
        for cluster in self.text[at..end].graphemes(true) {
            let is_inside = cluster.starts_with(inside);
            if found && !is_inside {
                return place;
            }
            found |= is_inside;
            place += cluster.len();
        }
        match self.atom_at(end).filter(|_| !found) {
            Some(atom) => atom.range.end,
            None => place,
        }
    }

    /// The stretch without atoms around `at`.
    fn run(&self, at: usize) -> Range<usize> {
        let after = self.atoms.partition_point(|atom| atom.range.end <= at);
        let start =
            after.checked_sub(1).and_then(|i| self.atoms.get(i)).map_or(0, |atom| atom.range.end);
        let end = self.atoms.get(after).map_or(self.len(), |atom| atom.range.start);
        start..end.max(start)
    }
}

fn shifted(atom: &Atom, forward: usize, back: usize) -> Atom {
    let range = atom.range.start + forward - back..atom.range.end + forward - back;
    Atom { range, payload: atom.payload.clone() }
}

/// Letters, digits and `_`: what readline's word motions stop at.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Anything but blanks: what Ctrl-W takes.
pub(super) fn is_not_blank(c: char) -> bool {
    !c.is_whitespace()
}
