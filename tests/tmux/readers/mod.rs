//! Five readers of one pane, each a generation of how orchestrators tell what a `kimi` pane does and
//! cut the last answer out of it. They know nothing of the program but what reaches a terminal.
//!
//! | reader | state from | file |
//! |---|---|---|
//! | seed, V1 | the rendered capture | [`rendered`] |
//! | V2 | the raw bytes, flattened into lines | [`flat`] |
//! | V3, V4 | the raw bytes on a virtual screen of 400x200 | [`composed`], [`rows`] |
//!
//! All of them cut answers out of the rendered capture: [`extract`].

pub mod capture;
pub mod composed;
pub mod extract;
pub mod flat;
pub mod rendered;
pub mod rows;
pub mod stream;
pub mod words;

mod tests;

pub use capture::Capture;
pub use stream::Stream;

/// What a reader takes the pane for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Ready, and nothing was asked yet.
    Idle,
    /// Ready after a turn.
    Completed,
    Busy,
    Error,
    /// Nothing to judge by.
    Unknown,
}

impl State {
    /// Whether a message would be sent now.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Idle | Self::Completed)
    }
}

/// A generation of readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Seed,
    V1,
    V2,
    V3,
    V4,
}

/// All of them.
pub const VERSIONS: [Version; 5] =
    [Version::Seed, Version::V1, Version::V2, Version::V3, Version::V4];
