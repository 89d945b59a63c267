//! The readers of the raw bytes of a pane, side by side.

use super::composed::Composed;
use super::flat::Flat;
use super::{State, Version, rows};

/// Bytes that V2 looks at.
const V2_WINDOW: usize = 8 * 1024;
/// Bytes that V3 and V4 look at when they read as V2 does.
const LATER_WINDOW: usize = 32 * 1024;

/// V2, V3 and V4 over one stream of bytes.
#[derive(Clone)]
pub struct Stream {
    pub screen: Composed,
    pub flat: Flat,
    pub long: Flat,
}

impl Stream {
    /// Nothing was read yet.
    pub fn new() -> Self {
        Self { screen: Composed::new(), flat: Flat::new(V2_WINDOW), long: Flat::new(LATER_WINDOW) }
    }

    /// The next bytes of the pane.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.screen.feed(bytes);
        self.flat.feed(bytes);
        self.long.feed(bytes);
    }

    /// A message is about to be sent.
    pub fn sending(&mut self) {
        self.flat.clear();
        self.long.clear();
    }

    /// What each of them takes the pane for.
    pub fn states(&self) -> [(Version, State); 3] {
        let evidence = self.long.has_evidence();
        let third = rows::state(Version::V3, &self.screen, evidence);
        let fourth = rows::state(Version::V4, &self.screen, evidence);
        // V2 looks at the rendered pane as well: a spinner there is one, whatever the lines say.
        let second = match self.flat.state() {
            state if state.is_ready() && third == State::Busy => State::Busy,
            state => state,
        };
        [(Version::V2, second), (Version::V3, third), (Version::V4, fourth)]
    }

    /// V3 and V4 by the screen alone, for prefixes that end within a frame.
    pub fn screen_states(&self) -> [(Version, State); 2] {
        let [_, third, fourth] = self.states();
        [third, fourth]
    }

    /// What is there to read, for the message of a failed test.
    pub fn shown(&self) -> String {
        let rows = self.screen.texts();
        let end = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |at| at + 1);
        format!("{}\n── lines ──\n{}", rows[..end].join("\n"), self.flat.tail())
    }
}
