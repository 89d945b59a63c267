//! Short messages in the status bar.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The side of the status bar that a toast takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Left,
    Right,
}

/// A short message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// A newer toast of the same topic takes the place of an older one.
    pub topic: String,
    pub text: String,
    pub lane: Lane,
    /// How long it stands; at least [`SHORTEST`].
    pub lasts: Duration,
    /// Shown before those that wait.
    pub immediate: bool,
}

/// The usual time of a toast.
pub const USUAL: Duration = Duration::from_secs(5);
/// Shorter than this nothing can be read.
pub const SHORTEST: Duration = Duration::from_secs(1);

impl Toast {
    /// A toast on the left for the usual time.
    pub fn new(topic: impl Into<String>, text: impl Into<String>) -> Self {
        let (topic, text) = (topic.into(), text.into());
        Self { topic, text, lane: Lane::Left, lasts: USUAL, immediate: false }
    }
}

/// The toasts of both lanes: one of each is shown, the others wait.
#[derive(Debug, Default)]
pub struct Toasts {
    left: Queue,
    right: Queue,
}

#[derive(Debug, Default)]
struct Queue {
    /// The toast that is shown and when it goes.
    shown: Option<(Toast, Instant)>,
    waiting: VecDeque<Toast>,
}

/// Most toasts that wait; older ones go.
const WAITING: usize = 16;

impl Toasts {
    /// Adds a toast.
    pub fn push(&mut self, toast: Toast, now: Instant) {
        let queue = match toast.lane {
            Lane::Left => &mut self.left,
            Lane::Right => &mut self.right,
        };
        queue.push(toast, now);
    }

    /// Moves on to `now`; `true` when another toast is shown than before.
    pub fn expire(&mut self, now: Instant) -> bool {
        self.left.expire(now) | self.right.expire(now)
    }

    /// The text that a lane shows.
    pub fn text(&self, lane: Lane) -> Option<&str> {
        let queue = match lane {
            Lane::Left => &self.left,
            Lane::Right => &self.right,
        };
        queue.shown.as_ref().map(|(toast, _)| toast.text.as_str())
    }

    /// When [`Toasts::expire`] has something to do; `None` while nothing is shown.
    pub fn deadline(&self) -> Option<Instant> {
        [&self.left, &self.right]
            .into_iter()
            .filter_map(|queue| queue.shown.as_ref().map(|(_, until)| *until))
            .min()
    }
}

impl Queue {
    fn push(&mut self, toast: Toast, now: Instant) {
        self.expire(now);
        self.waiting.retain(|other| other.topic != toast.topic);
        let replaces = self.shown.as_ref().is_none_or(|(shown, _)| shown.topic == toast.topic);
        if replaces {
            self.show(toast, now);
        } else if toast.immediate {
            // What it pushes away has been read, or is not worth coming back.
            self.show(toast, now);
        } else {
            if self.waiting.len() == WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back(toast);
        }
    }

    fn show(&mut self, toast: Toast, now: Instant) {
        let until = now + toast.lasts.clamp(SHORTEST, Duration::from_secs(3600));
        self.shown = Some((toast, until));
    }

    fn expire(&mut self, now: Instant) -> bool {
        let mut changed = false;
        while let Some((_, until)) = &self.shown
            && now >= *until
        {
            let until = *until;
            self.shown = None;
            changed = true;
            if let Some(next) = self.waiting.pop_front() {
                // Its time begins where the one before it ended, also when nobody looked.
                self.show(next, until);
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_topic_replaces_and_others_wait() {
        let start = Instant::now();
        let mut toasts = Toasts::default();
        toasts.push(Toast::new("a", "one"), start);
        toasts.push(Toast::new("b", "two"), start);
        toasts.push(Toast::new("b", "two again"), start);
        toasts.push(Toast::new("a", "ONE"), start + seconds(2));
        assert_eq!(toasts.text(Lane::Left), Some("ONE"));
        assert_eq!(toasts.text(Lane::Right), None);
        assert_eq!(toasts.deadline(), Some(start + seconds(7)));
        assert!(!toasts.expire(start + seconds(6)));
        assert!(toasts.expire(start + seconds(7)));
        assert_eq!(toasts.text(Lane::Left), Some("two again"));
        assert!(toasts.expire(start + seconds(12)));
        assert_eq!((toasts.text(Lane::Left), toasts.deadline()), (None, None));
    }

    #[test]
    fn an_immediate_toast_does_not_wait_and_none_is_too_short() {
        let start = Instant::now();
        let mut toasts = Toasts::default();
        toasts.push(Toast::new("a", "one"), start);
        let now = Toast { immediate: true, lasts: Duration::ZERO, ..Toast::new("b", "now") };
        toasts.push(now, start);
        assert_eq!(toasts.text(Lane::Left), Some("now"));
        assert_eq!(toasts.deadline(), Some(start + SHORTEST));
    }

    #[test]
    fn nothing_piles_up() {
        let start = Instant::now();
        let mut toasts = Toasts::default();
        for number in 0..1_000 {
            toasts.push(Toast::new(number.to_string(), "x"), start);
        }
        assert_eq!(toasts.left.waiting.len(), WAITING);
    }
}
