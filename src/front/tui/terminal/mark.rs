//! Marks in the transcript by which a terminal finds the turns again: "jump to the previous prompt",
//! "select the last output". They take no room and belong to the row they are written with.

/// A semantic mark (OSC 133).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The message of the user begins.
    Prompt,
    /// It ends here, and what comes of it begins.
    Output,
    /// The turn ends.
    End {
        /// Whether it did not end well.
        failed: bool,
    },
}

impl Mark {
    /// The bytes, written at the first column of the row. `redraw=0` tells kitty that rows of a
    /// prompt are not drawn anew after a resize, so it must not erase them.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Prompt => b"\x1b]133;A;redraw=0\x1b\\",
            Self::Output => b"\x1b]133;B\x1b\\\x1b]133;C\x1b\\",
            Self::End { failed: false } => b"\x1b]133;D;0\x1b\\",
            Self::End { failed: true } => b"\x1b]133;D;1\x1b\\",
        }
    }
}
