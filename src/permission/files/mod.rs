//! Which files a simple command opens, as far as its words tell.
//!
//! Programs that are known to open what they are given, or never to, are in `readers` and `writers`; how
//! a command line is read for that is in `line` and `programs`; where a word leads on the disk is in
//! `ground`. What a program opens by itself (an import, a configuration) is not seen.

mod ground;
mod line;
mod programs;
mod readers;
mod walk;
mod writers;

pub(super) use ground::{Ground, Leads};
pub(super) use programs::{touches, writes_of};
pub(super) use walk::{Seen, look};
pub(super) use writers::COPIERS;

use super::shell::Word;

/// What a command does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    /// It is given the file's name, and nobody knows what for.
    MayRead,
    Write,
    MayWrite,
}

/// One file, or several, that a command opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Touch {
    pub path: Word,
    pub access: Access,
    pub reach: Reach,
}

/// How far beyond the path itself an access goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The path, and no other.
    Itself,
    /// Everything that is below it now.
    Below,
    /// The same, and what is behind the links there.
    Linked,
    /// Anything that may come to be below it.
    Anything,
}

impl Touch {
    fn new(path: Word, access: Access) -> Self {
        Self { path, access, reach: Reach::Itself }
    }

    fn below(self, below: bool) -> Self {
        if below { Self { reach: Reach::Below, ..self } } else { self }
    }

    fn linked(self, linked: bool) -> Self {
        match self.reach {
            Reach::Below if linked => Self { reach: Reach::Linked, ..self },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests;
