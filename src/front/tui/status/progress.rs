//! The progress mark of a tab or a window (OSC 9;4), set only when it changes.

use super::title::State;

/// What the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Shown {
    #[default]
    Nothing,
    /// Something goes on, nobody knows how long.
    Moving,
    /// It waits for a person.
    Paused,
}

/// The progress mark that the terminal has now.
#[derive(Debug, Default)]
pub struct Progress {
    shown: Shown,
}

impl Progress {
    /// The bytes that show this state; empty when it is shown already.
    pub fn set(&mut self, state: State) -> &'static [u8] {
        let wanted = match state {
            State::Idle | State::Error => Shown::Nothing,
            State::Working => Shown::Moving,
            State::NeedsApproval | State::NeedsAnswer => Shown::Paused,
        };
        if std::mem::replace(&mut self.shown, wanted) == wanted {
            return b"";
        }
        match wanted {
            Shown::Nothing => b"\x1b]9;4;0\x1b\\",
            Shown::Moving => b"\x1b]9;4;3\x1b\\",
            // A bar as long as it gets: one of no length cannot be seen everywhere.
            Shown::Paused => b"\x1b]9;4;4;100\x1b\\",
        }
    }

    /// The terminal was given back without a mark.
    pub fn cleared(&mut self) {
        self.shown = Shown::Nothing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_written() {
        let mut progress = Progress::default();
        assert_eq!(progress.set(State::Idle), b"");
        assert_eq!(progress.set(State::Working), b"\x1b]9;4;3\x1b\\");
        assert_eq!(progress.set(State::Working), b"");
        assert_eq!(progress.set(State::NeedsApproval), b"\x1b]9;4;4;100\x1b\\");
        assert_eq!(progress.set(State::NeedsAnswer), b"");
        assert_eq!(progress.set(State::Idle), b"\x1b]9;4;0\x1b\\");
        progress.set(State::Working);
        progress.cleared();
        assert_eq!(progress.set(State::Idle), b"");
    }
}
