//! Where in the arguments something is.

use std::fmt;

use crate::mcp::tidy::one_line;

/// Characters of a name in a path.
const MAX_KEY: usize = 64;

/// A place in the arguments, linked to the place it is in; written only when there is an error.
pub enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => f.write_str(&one_line(key, MAX_KEY)),
            Self::Key(parent, key) => write!(f, "{parent}.{}", one_line(key, MAX_KEY)),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
