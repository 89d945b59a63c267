//! What other programs are told of the screen, and when.
//!
//! It is looked at after every step of the event loop: a look allocates nothing as long as there is
//! nothing to tell.

use std::time::{Duration, Instant};

use crate::front::control::Status;
use crate::front::tui::transcript::Activity;
use crate::protocol::StatusUpdate;
use crate::protocol::control::{LastTurn, OpenAsk, Receipt, State};

/// The shortest time between two looks at what a running turn is doing. Changes of state are told at
/// once.
const PHASE: Duration = Duration::from_millis(250);

/// The screen at a glance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glance<'a> {
    pub state: State,
    pub turn: u64,
    /// What the turn is doing, while one runs.
    pub activity: Option<Activity<'a>>,
    pub session: &'a str,
    pub session_dir: &'a str,
    pub cwd: &'a str,
    pub model: Option<&'a str>,
    /// Tokens in the context and the size of the window.
    pub context: (u64, u64),
    pub queued: usize,
    pub input: Option<&'a Receipt>,
    /// The id of the open question and how many wait behind it.
    pub ask: Option<(&'a str, usize)>,
    pub last: Option<&'a LastTurn>,
}

impl Glance<'_> {
    /// Everything but what the turn is doing and how full the context is.
    fn is_as(&self, told: &Status) -> bool {
        self.state == told.state
            && self.turn == told.turn
            && self.queued == told.queued
            && self.ask == told.ask.as_ref().map(|ask| (ask.id.as_str(), ask.behind))
            && self.input == told.input.as_ref()
            && self.last == told.last.as_ref()
            && self.model == told.model.as_deref()
            && self.session == told.session
            && self.session_dir == told.session_dir
            && self.cwd == told.cwd
    }

    fn fill(&self) -> f64 {
        let (used, size) = self.context;
        StatusUpdate::share(used, size).min(1.0)
    }

    fn status(&self, phase: Option<String>, ask: Option<OpenAsk>) -> Status {
        let ask = self.ask.zip(ask).map(|((_, behind), ask)| OpenAsk { behind, ..ask });
        Status {
            state: self.state,
            turn: self.turn,
            phase,
            session: self.session.to_owned(),
            session_dir: self.session_dir.to_owned(),
            cwd: self.cwd.to_owned(),
            model: self.model.map(str::to_owned),
            context: self.fill(),
            queued: self.queued,
            input: self.input.cloned(),
            ask,
            last: self.last.cloned(),
        }
    }
}

/// Remembers what was told.
#[derive(Debug, Default)]
pub(super) struct Herald {
    told: Option<Status>,
    /// When it was last looked what the turn is doing.
    looked: Option<Instant>,
}

impl Herald {
    /// What is to be told now, if anything. `visible`: whether the screen shows that it is idle, or
    /// cannot show anything; before that nobody is told. `ask` describes the open question.
    pub fn news(
        &mut self,
        glance: &Glance<'_>,
        visible: bool,
        now: Instant,
        ask: impl FnOnce() -> Option<OpenAsk>,
    ) -> Option<&Status> {
        if glance.state == State::Idle && !visible {
            return None;
        }
        let same = self.told.as_ref().filter(|told| glance.is_as(told));
        let recent = self.looked.is_some_and(|at| now.saturating_duration_since(at) < PHASE);
        if same.is_some() && glance.activity.is_some() && recent {
            return None;
        }
        let phase = glance.activity.map(|activity| activity.to_string());
        self.looked = Some(now);
        if same.is_some_and(|told| told.phase == phase && told.context == glance.fill()) {
            return None;
        }
        Some(self.told.insert(glance.status(phase, ask())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::control::{AskKind, Finish};

    const IDLE: Glance<'static> = Glance {
        state: State::Idle,
        turn: 0,
        activity: None,
        session: "s",
        session_dir: "/s",
        cwd: "/w",
        model: Some("k2"),
        context: (0, 1_000),
        queued: 0,
        input: None,
        ask: None,
        last: None,
    };

    fn busy(turn: u64, activity: Activity<'static>) -> Glance<'static> {
        Glance { state: State::Busy, turn, activity: Some(activity), ..IDLE }
    }

    fn question() -> OpenAsk {
        OpenAsk {
            id: "a".to_owned(),
            kind: AskKind::Approval,
            text: String::new(),
            options: Vec::new(),
            questions: Vec::new(),
            behind: 0,
        }
    }

    /// Hears what is told, in words.
    struct Listener {
        herald: Herald,
        now: Instant,
        heard: Vec<String>,
    }

    impl Listener {
        fn new() -> Self {
            Self { herald: Herald::default(), now: Instant::now(), heard: Vec::new() }
        }

        fn look(&mut self, glance: Glance<'_>, visible: bool) {
            if let Some(status) = self.herald.news(&glance, visible, self.now, || Some(question()))
            {
                let phase = status.phase.as_deref().unwrap_or("-");
                let behind =
                    status.ask.as_ref().map_or(String::new(), |ask| format!(" +{}", ask.behind));
                self.heard.push(format!("{} {} {phase}{behind}", status.state.word(), status.turn));
            }
        }

        fn after(&mut self, millis: u64) -> &mut Self {
            self.now += Duration::from_millis(millis);
            self
        }
    }

    #[test]
    fn idle_is_told_when_it_shows_and_once() {
        let mut listener = Listener::new();
        listener.look(IDLE, false);
        assert!(listener.heard.is_empty());
        for _ in 0..3 {
            listener.look(IDLE, true);
        }
        listener.look(busy(1, Activity::Work), false);
        listener.look(Glance { turn: 1, ..IDLE }, false);
        assert_eq!(listener.heard, ["idle 0 -", "busy 1 work"]);
        listener.look(Glance { turn: 1, ..IDLE }, true);
        assert_eq!(listener.heard.last().map(String::as_str), Some("idle 1 -"));
    }

    #[test]
    fn a_turn_that_follows_at_once_shows_no_idle_moment() {
        let mut listener = Listener::new();
        listener.look(busy(1, Activity::Write), false);
        // The turn has ended, its last frame is not drawn: the next begins.
        let last = LastTurn {
            turn: 1,
            finish: Finish::Done,
            error: None,
            path: None,
            sha256: None,
            bytes: 0,
        };
        listener.look(Glance { turn: 1, last: Some(&last), ..IDLE }, false);
        let next = busy(2, Activity::Work);
        listener.look(Glance { last: Some(&last), ..next }, false);
        assert_eq!(listener.heard, ["busy 1 write", "busy 2 work"]);
    }

    #[test]
    fn what_a_turn_does_is_told_a_few_times_a_second_and_its_state_at_once() {
        let mut listener = Listener::new();
        listener.look(busy(1, Activity::Work), false);
        listener.after(100).look(busy(1, Activity::Think), false);
        listener.after(100).look(busy(1, Activity::Write), false);
        listener.after(100).look(busy(1, Activity::Write), false);
        listener.after(100).look(busy(1, Activity::Tool("Shell")), false);
        let asking =
            Glance { state: State::Ask, ask: Some(("a", 1)), ..busy(1, Activity::Tool("Shell")) };
        listener.after(1).look(asking, false);
        listener.after(1).look(Glance { ask: Some(("a", 0)), ..asking }, false);
        listener.after(1).look(busy(1, Activity::Tools(2)), false);
        assert_eq!(
            listener.heard,
            [
                "busy 1 work",
                "busy 1 write",
                "ask 1 tool:Shell +1",
                "ask 1 tool:Shell +0",
                "busy 1 tools:2"
            ]
        );
    }

    #[test]
    fn the_context_is_told_and_stays_a_share() {
        let mut herald = Herald::default();
        let now = Instant::now();
        let mut told = |context| {
            let glance = Glance { context, ..IDLE };
            herald.news(&glance, true, now, || None).map(|status| status.context)
        };
        assert_eq!(told((250, 1_000)), Some(0.25));
        assert_eq!(told((250, 1_000)), None);
        assert_eq!(told((9, 0)), Some(0.0));
        assert_eq!(told((9_000, 1_000)), Some(1.0));
    }
}
