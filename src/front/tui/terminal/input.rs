//! What the terminal sends, as events.
//!
//! Not everybody who types is a person: a program that drives the terminal may send a message
//! without paste marks, so that every line end in it looks like Enter. [`Burst`] tells the two apart
//! by time alone.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt as _;

use super::Size;
use super::tty::Tty;
use crate::platform::env::Clock;

/// An event from the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed or repeats.
    Key(KeyEvent),
    /// Pasted text, lines separated by LF. A lone `"\n"` is a line end inside a burst of typed text.
    Paste(String),
    Resize(Size),
    FocusGained,
    FocusLost,
}

impl Input {
    /// The event as ours; `None` for what the program has no use for (mouse, released keys).
    pub fn of(event: Event) -> Option<Self> {
        match event {
            Event::Key(key) if key.kind == KeyEventKind::Release => None,
            Event::Key(key) => Some(Self::Key(key)),
            Event::Paste(text) => Some(Self::Paste(unix_lines(&text))),
            Event::Resize(columns, rows) => Some(Self::Resize(Size::new(columns, rows))),
            Event::FocusGained => Some(Self::FocusGained),
            Event::FocusLost => Some(Self::FocusLost),
            Event::Mouse(_) => None,
        }
    }
}

/// CR LF and CR as LF.
fn unix_lines(text: &str) -> String {
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text.to_owned()
    }
}

/// How close an Enter has to follow typed text to be in doubt, and how long it is held then. No
/// person types that fast.
pub const BURST: Duration = Duration::from_millis(30);

/// Holds back an Enter that follows typed text at once: when more text comes within [`BURST`] it
/// was a line end of a message, else it submits.
#[derive(Debug, Default)]
pub struct Burst {
    last_text: Option<Instant>,
    held: Vec<KeyEvent>,
    deadline: Option<Instant>,
}

impl Burst {
    /// Takes one event and appends what is certain by now to `out`.
    pub fn push(&mut self, input: Input, now: Instant, out: &mut Vec<Input>) {
        self.expire(now, out);
        match &input {
            Input::Key(key) if is_text(key) => {
                let lines = self.held.drain(..).map(|_| Input::Paste("\n".to_owned()));
                out.extend(lines);
                self.deadline = None;
                self.last_text = Some(now);
                out.push(input);
            }
            Input::Key(key) if is_enter(key) && self.in_doubt(now) => {
                self.held.push(*key);
                self.deadline = Some(now + BURST);
            }
            Input::Key(_) | Input::Paste(_) => {
                self.release(out);
                self.last_text = None;
                out.push(input);
            }
            Input::Resize(_) | Input::FocusGained | Input::FocusLost => out.push(input),
        }
    }

    /// When [`Burst::expire`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Lets a held Enter go as Enter when its time is over.
    pub fn expire(&mut self, now: Instant, out: &mut Vec<Input>) {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.release(out);
        }
    }

    /// The next event was already there when it was asked for: the program was slow, not the typist.
    pub fn touch(&mut self, now: Instant) {
        if self.last_text.is_some() {
            self.last_text = Some(now);
        }
        if self.deadline.is_some() {
            self.deadline = Some(now + BURST);
        }
    }

    fn in_doubt(&self, now: Instant) -> bool {
        !self.held.is_empty()
            || self.last_text.is_some_and(|text| now.saturating_duration_since(text) < BURST)
    }

    fn release(&mut self, out: &mut Vec<Input>) {
        out.extend(self.held.drain(..).map(Input::Key));
        self.deadline = None;
    }
}

fn is_text(key: &KeyEvent) -> bool {
    let plain = !key.modifiers.intersects(
        KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META,
    );
    plain && matches!(key.code, KeyCode::Char(_) | KeyCode::Tab)
}

fn is_enter(key: &KeyEvent) -> bool {
    key.code == KeyCode::Enter && key.modifiers.is_empty()
}

/// The events of the real terminal.
pub struct Events {
    stream: EventStream,
    burst: Burst,
    clock: Arc<dyn Clock>,
    tty: Option<Tty>,
}

impl Events {
    /// Starts to read the terminal. Needs a tokio runtime.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { stream: EventStream::new(), burst: Burst::default(), clock, tty: Tty::open().ok() }
    }

    /// All events that are there, at least one; `None` when the terminal is gone.
    ///
    /// Safe to drop and call again in the same task: nothing is lost.
    pub async fn next(&mut self) -> Option<Vec<Input>> {
        let mut out = Vec::new();
        loop {
            let waiting = self.at_once().await;
            let event = if let Some(event) = waiting {
                self.burst.touch(self.clock.instant());
                event
            } else if let Some(deadline) = self.burst.deadline() {
                let left = deadline.saturating_duration_since(self.clock.instant());
                match tokio::time::timeout(left, self.event()).await {
                    Ok(event) => event,
                    Err(_) => {
                        // The timer may be a little ahead of the clock.
                        let now = self.clock.instant().max(deadline);
                        self.burst.expire(now, &mut out);
                        return Some(out);
                    }
                }
            } else {
                self.event().await
            };
            self.take(event, &mut out)?;
            while let Some(event) = self.at_once().await {
                if self.take(event, &mut out).is_none() {
                    return (!out.is_empty()).then_some(out);
                }
            }
            if let Some(tty) = &self.tty {
                tty.tell_again();
            }
            if !out.is_empty() {
                return Some(out);
            }
        }
    }

    /// The next event if it is there. Polled with the waker of the task: the stream keeps the first
    /// waker it is given until an event comes.
    async fn at_once(&mut self) -> Option<Option<std::io::Result<Event>>> {
        poll_fn(|context| {
            if self.is_gone() {
                return Poll::Ready(Some(None));
            }
            Poll::Ready(match self.stream.poll_next_unpin(context) {
                Poll::Ready(event) => Some(event),
                Poll::Pending => None,
            })
        })
        .await
    }

    /// The next event, however long it takes.
    async fn event(&mut self) -> Option<std::io::Result<Event>> {
        poll_fn(|context| {
            if self.is_gone() {
                return Poll::Ready(None);
            }
            self.stream.poll_next_unpin(context)
        })
        .await
    }

    fn is_gone(&self) -> bool {
        self.tty.as_ref().is_some_and(Tty::is_gone)
    }

    /// `None` when there is nothing more to come.
    fn take(&mut self, event: Option<std::io::Result<Event>>, out: &mut Vec<Input>) -> Option<()> {
        let event = event?.ok()?;
        if let Some(input) = Input::of(event) {
            self.burst.push(input, self.clock.instant(), out);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENTER: &str = "\r";

    fn key(text: &str) -> Input {
        let code = if text == ENTER {
            KeyCode::Enter
        } else {
            KeyCode::Char(text.chars().next().expect("a character"))
        };
        Input::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    /// Plays keys with the milliseconds before each, lets the last hold run out, and writes what
    /// came: `⏎` for Enter, `\n` for a line end.
    fn play(keys: &[(u64, &str)]) -> String {
        let mut now = Instant::now();
        let mut burst = Burst::default();
        let mut out = Vec::new();
        for (wait, text) in keys {
            now += Duration::from_millis(*wait);
            burst.push(key(text), now, &mut out);
        }
        if let Some(deadline) = burst.deadline() {
            burst.expire(deadline, &mut out);
        }
        assert!(burst.deadline().is_none());
        out.into_iter()
            .map(|input| match input {
                Input::Key(KeyEvent { code: KeyCode::Char(c), .. }) => c.to_string(),
                Input::Key(_) => "⏎".to_owned(),
                Input::Paste(text) => text,
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn an_enter_by_hand_submits_at_once() {
        let mut burst = Burst::default();
        let mut out = Vec::new();
        let now = Instant::now();
        burst.push(key("a"), now, &mut out);
        burst.push(key(ENTER), now + Duration::from_millis(31), &mut out);
        assert_eq!(out, [key("a"), key(ENTER)]);
        assert_eq!(burst.deadline(), None);
    }

    #[test]
    fn an_enter_inside_a_burst_is_a_line_end() {
        assert_eq!(
            play(&[(0, "a"), (0, ENTER), (0, "b"), (0, ENTER), (0, ENTER), (1, "c")]),
            "a\nb\n\nc"
        );
    }

    #[test]
    fn the_last_enter_of_a_burst_submits() {
        assert_eq!(play(&[(0, "a"), (0, ENTER)]), "a⏎");
        assert_eq!(play(&[(0, "a"), (1, ENTER), (30, "b")]), "a⏎b");
        assert_eq!(play(&[(0, "a"), (1, ENTER), (29, "b")]), "a\nb");
        assert_eq!(play(&[(0, ENTER), (0, "a")]), "⏎a");
    }

    #[test]
    fn an_enter_right_after_a_paste_submits() {
        let mut burst = Burst::default();
        let mut out = Vec::new();
        let now = Instant::now();
        burst.push(key("x"), now, &mut out);
        burst.push(Input::Paste("hello".into()), now, &mut out);
        burst.push(key(ENTER), now, &mut out);
        assert_eq!(out, [key("x"), Input::Paste("hello".into()), key(ENTER)]);
    }

    #[test]
    fn a_command_key_lets_a_held_enter_go() {
        let mut burst = Burst::default();
        let mut out = Vec::new();
        let now = Instant::now();
        let interrupt = Input::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        burst.push(key("x"), now, &mut out);
        burst.push(key(ENTER), now, &mut out);
        burst.push(Input::FocusLost, now, &mut out);
        burst.push(interrupt.clone(), now, &mut out);
        assert_eq!(out, [key("x"), Input::FocusLost, key(ENTER), interrupt]);
    }

    #[test]
    fn a_slow_program_does_not_turn_line_ends_into_enters() {
        let mut burst = Burst::default();
        let mut out = Vec::new();
        let now = Instant::now();
        burst.push(key("x"), now, &mut out);
        let later = now + Duration::from_millis(500);
        burst.touch(later);
        burst.push(key(ENTER), later, &mut out);
        assert_eq!(burst.deadline(), Some(later + BURST));
    }

    #[test]
    fn events_are_translated() {
        let mut released = KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE);
        released.kind = KeyEventKind::Release;
        assert_eq!(Input::of(Event::Key(released)), None);
        assert_eq!(
            Input::of(Event::Paste("a\r\nb\rc\n".into())),
            Some(Input::Paste("a\nb\nc\n".into()))
        );
        assert_eq!(Input::of(Event::Resize(0, 5)), Some(Input::Resize(Size::new(1, 5))));
    }

    proptest! {
        #[test]
        fn no_key_is_lost_or_reordered(keys in prop::collection::vec((0u64..60, prop::bool::ANY), 0..40)) {
            let keys: Vec<_> =
                keys.iter().map(|(wait, enter)| (*wait, if *enter { ENTER } else { "a" })).collect();
            let plain: String = keys.iter().map(|(_, text)| *text).collect();
            prop_assert_eq!(play(&keys).replace(['⏎', '\n'], ENTER), plain);
        }
    }
}
