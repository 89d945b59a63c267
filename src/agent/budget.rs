//! What a run may use up: tokens, money, time.
//!
//! Counted over every model request of the process that works for the session, also those of
//! summaries and subagents. Tokens and money are looked at before each request, so a run goes over by
//! one request at most; the time stops a turn where it is.
//!
//! Time that a person takes is nobody's: where one decides, the clock stands still while all that is left
//! of the turn is dialogs that wait for an answer. Time in which anything else works counts, a model
//! that writes or a call that runs, whoever's it is. The clock of a goal goes by the same rule.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::platform::env::Clock;
use crate::protocol::{Prices, Spent, TokenUsage};

/// What may be used up; `None` is without a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// Input and output tokens together.
    pub tokens: Option<u64>,
    /// US dollars, by the prices of the configuration.
    pub usd: Option<f64>,
    /// Time in turns.
    pub time: Option<Duration>,
    /// A person is there to decide: a message sent while a budget is spent brings another one of the
    /// same size, since somebody sent it knowing that, and the time that a dialog waits for an answer
    /// does not count.
    pub renewed_by_prompts: bool,
}

/// Counts what is used up.
#[derive(Debug, Default)]
pub(super) struct Meter {
    budget: Budget,
    used: Mutex<Used>,
    /// Whoever waits for the end of the time looks again.
    changed: Notify,
}

/// What was used up since the budget was last renewed, and in all.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    tokens: u64,
    usd: f64,
    time: Duration,
    /// A turn runs.
    in_turn: bool,
    /// Since when its time counts; `None` while it stands still.
    since: Option<Instant>,
    /// Dialogs that wait for a person.
    dialogs: usize,
    /// Requests and calls that are under way, also the calls that the dialogs are about.
    working: usize,
    /// How long there were only dialogs, in all.
    stood: Duration,
    /// Since when there are only dialogs.
    stands_since: Option<Instant>,
    all_tokens: u64,
    all_usd: f64,
}

/// What a session has used up in this process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    pub tokens: u64,
    /// `None` without prices.
    pub usd: Option<f64>,
}

impl Meter {
    /// Nothing is used up yet.
    pub fn new(budget: Budget) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Counts a model response. A model without prices costs nothing: with a budget in money such a
    /// model is refused before it is asked.
    pub fn count(&self, usage: &TokenUsage, prices: Option<&Prices>) {
        let mut used = self.lock();
        let cost = prices.map_or(0.0, |prices| prices.cost(usage));
        used.tokens = used.tokens.saturating_add(usage.total());
        used.all_tokens = used.all_tokens.saturating_add(usage.total());
        used.usd += cost;
        used.all_usd += cost;
    }

    /// Somebody has sent a message. Turns that begin by themselves renew nothing: they would go on
    /// for ever.
    pub fn renew(&self, now: Instant) {
        if self.budget.renewed_by_prompts && self.spent(now).is_some() {
            let mut used = self.lock();
            *used = Used {
                all_tokens: used.all_tokens,
                all_usd: used.all_usd,
                dialogs: used.dialogs,
                working: used.working,
                stood: used.stood,
                stands_since: used.stands_since,
                ..Used::default()
            };
        }
    }

    /// A turn begins, or a wait that counts like one.
    pub fn begin_turn(&self, now: Instant) {
        self.change(now, |used| {
            used.stand_still(now);
            used.in_turn = true;
        });
    }

    /// The turn has ended.
    pub fn end_turn(&self, now: Instant) {
        self.change(now, |used| used.in_turn = false);
    }

    /// A dialog waits for a person, until the guard is dropped.
    pub fn dialog(self: &Arc<Self>, clock: &Arc<dyn Clock>) -> Dialog {
        self.change(clock.instant(), |used| used.dialogs += 1);
        Dialog { meter: Arc::clone(self), clock: Arc::clone(clock) }
    }

    /// A request or a call of the running turn is under way, until the guard is dropped. A call that
    /// only waits for other agents is none: their requests and calls are.
    pub fn work(self: &Arc<Self>, clock: &Arc<dyn Clock>) -> Work {
        self.change(clock.instant(), |used| used.working += 1);
        Work { meter: Arc::clone(self), clock: Arc::clone(clock) }
    }

    /// Changes what goes on, and stops the clock or lets it go on.
    fn change(&self, now: Instant, change: impl FnOnce(&mut Used)) {
        let mut used = self.lock();
        let before = (used.since, used.stands_since);
        change(&mut used);
        used.settle(now, self.budget.renewed_by_prompts);
        let turned = before != (used.since, used.stands_since);
        drop(used);
        if turned {
            self.changed.notify_waiters();
        }
    }

    /// A clock that goes as the time does that counts: it stands still while there are only dialogs.
    pub fn counted(&self, now: Instant) -> Instant {
        let used = *self.lock();
        let stands =
            used.stands_since.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        now.checked_sub(used.stood.saturating_add(stands)).unwrap_or(now)
    }

    /// Whether there are only dialogs.
    pub fn stands(&self) -> bool {
        self.lock().stands_since.is_some()
    }

    /// The clock stops, or goes on.
    pub fn turned(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// The budget that is spent, if one is.
    pub fn spent(&self, now: Instant) -> Option<Spent> {
        let used = *self.lock();
        if let Some(limit) = self.budget.time
            && used.time_at(now) >= limit
        {
            return Some(Spent::Time { limit_s: limit.as_secs_f64() });
        }
        if let Some(limit) = self.budget.usd
            && used.usd >= limit
        {
            return Some(Spent::Money { limit_usd: limit, used_usd: used.usd });
        }
        match self.budget.tokens {
            Some(limit) if used.tokens >= limit => Some(Spent::Tokens { limit, used: used.tokens }),
            _ => None,
        }
    }

    /// The time that is left; `None` for any.
    pub fn time_left(&self, now: Instant) -> Option<Duration> {
        let limit = self.budget.time?;
        Some(limit.saturating_sub(self.lock().time_at(now)))
    }

    /// Waits until the time of the running turn is up.
    pub async fn out_of_time(&self, clock: &dyn Clock) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let counts = self.lock().since.is_some();
            match self.time_left(clock.instant()).filter(|_| counts) {
                None => changed.await,
                Some(left) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(left) => return,
                },
            }
        }
    }

    /// The time is up: the timer of a turn says so, whatever the clock thinks.
    pub fn expire(&self) -> Option<Spent> {
        let limit = self.budget.time?;
        let mut used = self.lock();
        used.time = used.time.max(limit);
        Some(Spent::Time { limit_s: limit.as_secs_f64() })
    }

    /// What was used up in all.
    pub fn usage(&self, has_prices: bool) -> Usage {
        let used = *self.lock();
        Usage { tokens: used.all_tokens, usd: has_prices.then_some(used.all_usd) }
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As long as this is there, a person is asked.
pub(super) struct Dialog {
    meter: Arc<Meter>,
    clock: Arc<dyn Clock>,
}

impl Drop for Dialog {
    fn drop(&mut self) {
        let answered = |used: &mut Used| used.dialogs = used.dialogs.saturating_sub(1);
        self.meter.change(self.clock.instant(), answered);
    }
}

/// As long as this is there, somebody works.
pub(super) struct Work {
    meter: Arc<Meter>,
    clock: Arc<dyn Clock>,
}

impl Drop for Work {
    fn drop(&mut self) {
        let done = |used: &mut Used| used.working = used.working.saturating_sub(1);
        self.meter.change(self.clock.instant(), done);
    }
}

impl Used {
    /// Makes the clocks agree with what goes on. Every dialog belongs to a call, which is at work itself
    /// only when nobody is asked.
    fn settle(&mut self, now: Instant, asks_people: bool) {
        let stands = asks_people && self.dialogs > 0 && self.working <= self.dialogs;
        match (self.in_turn && !stands, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(_)) => self.stand_still(now),
            _ => {}
        }
        match (stands, self.stands_since) {
            (true, None) => self.stands_since = Some(now),
            (false, Some(since)) => {
                self.stood = self.stood.saturating_add(now.saturating_duration_since(since));
                self.stands_since = None;
            }
            _ => {}
        }
    }

    fn stand_still(&mut self, now: Instant) {
        self.time = self.time_at(now);
        self.since = None;
    }

    fn time_at(&self, now: Instant) -> Duration {
        let running =
            self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.time.saturating_add(running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, output: u64) -> TokenUsage {
        TokenUsage { input_other: input, output, ..TokenUsage::default() }
    }

    #[test]
    fn tokens_add_up() {
        let meter = Meter::new(Budget { tokens: Some(100), ..Budget::default() });
        let now = Instant::now();
        meter.begin_turn(now);
        meter.count(&usage(60, 39), None);
        assert_eq!(meter.spent(now), None);
        meter.count(&usage(0, 1), None);
        assert_eq!(meter.spent(now), Some(Spent::Tokens { limit: 100, used: 100 }));
        assert_eq!(meter.usage(false), Usage { tokens: 100, usd: None });
    }

    #[test]
    fn money_goes_by_the_prices() {
        let meter = Meter::new(Budget { usd: Some(1.0), ..Budget::default() });
        let now = Instant::now();
        let prices = Prices { input: 2.0, output: 10.0, cache_read: Some(0.5), cache_write: None };
        let cached = TokenUsage { input_cache_read: 1_000_000, ..usage(100_000, 20_000) };
        meter.count(&cached, Some(&prices));
        assert_eq!(meter.usage(true).usd, Some(0.9));
        assert_eq!(meter.spent(now), None);
        meter.count(&usage(50_000, 0), Some(&prices));
        assert_eq!(meter.spent(now), Some(Spent::Money { limit_usd: 1.0, used_usd: 1.0 }));
    }

    #[test]
    fn time_is_that_of_turns() {
        let meter = Meter::new(Budget { time: Some(Duration::from_secs(10)), ..Budget::default() });
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        meter.begin_turn(start);
        meter.end_turn(at(4));
        assert_eq!(meter.time_left(at(100)), Some(Duration::from_secs(6)));
        meter.begin_turn(at(100));
        assert_eq!(meter.spent(at(105)), None);
        assert_eq!(meter.spent(at(106)), Some(Spent::Time { limit_s: 10.0 }));
        assert_eq!(meter.time_left(at(200)), Some(Duration::ZERO));
    }

    /// A clock that a test sets.
    #[derive(Debug)]
    struct Set(Instant, std::sync::atomic::AtomicU64);

    impl Set {
        fn to(&self, seconds: u64) {
            self.1.store(seconds, std::sync::atomic::Ordering::Relaxed);
        }
    }

    impl Clock for Set {
        fn now(&self) -> std::time::SystemTime {
            std::time::SystemTime::UNIX_EPOCH
        }

        fn instant(&self) -> Instant {
            self.0 + Duration::from_secs(self.1.load(std::sync::atomic::Ordering::Relaxed))
        }

        fn jitter(&self) -> f64 {
            0.0
        }
    }

    #[test]
    fn a_person_may_take_long_and_a_program_not() {
        for (asks_people, left) in [(true, 7), (false, 0)] {
            let budget = Budget {
                time: Some(Duration::from_secs(10)),
                renewed_by_prompts: asks_people,
                ..Budget::default()
            };
            let meter = Arc::new(Meter::new(budget));
            let set = Arc::new(Set(Instant::now(), Default::default()));
            let clock: Arc<dyn Clock> = set.clone();
            let now = || clock.instant();
            meter.begin_turn(now());
            set.to(1);
            let first = meter.dialog(&clock);
            set.to(50);
            let second = meter.dialog(&clock);
            drop(first);
            set.to(100);
            drop(second);
            set.to(102);
            assert_eq!(meter.time_left(now()), Some(Duration::from_secs(left)), "{asks_people}");
            meter.end_turn(now());
            // One that outlives its turn counts for none.
            let late = meter.dialog(&clock);
            set.to(200);
            drop(late);
            set.to(300);
            assert_eq!(meter.time_left(now()), Some(Duration::from_secs(left)), "{asks_people}");
        }
    }

    /// Two agents side by side: while one is at work, the dialog of the other stops no clock.
    #[test]
    fn time_in_which_others_work_counts() {
        let budget = Budget {
            time: Some(Duration::from_secs(100)),
            renewed_by_prompts: true,
            ..Budget::default()
        };
        let meter = Arc::new(Meter::new(budget));
        let start = Instant::now();
        let set = Arc::new(Set(start, Default::default()));
        let clock: Arc<dyn Clock> = set.clone();
        let left = || meter.time_left(clock.instant()).unwrap().as_secs();
        let counted = || (meter.counted(clock.instant()) - start).as_secs();
        meter.begin_turn(start);
        let (asking, writing) = (meter.work(&clock), meter.work(&clock));
        set.to(1);
        let dialog = meter.dialog(&clock);
        set.to(11);
        assert_eq!((left(), counted(), meter.stands()), (89, 11, false));
        drop(writing);
        assert!(meter.stands());
        set.to(21);
        assert_eq!((left(), counted()), (89, 11), "only the dialog is left");
        let calling = meter.work(&clock);
        set.to(31);
        assert_eq!((left(), counted()), (79, 21));
        let second = meter.dialog(&clock);
        set.to(41);
        assert_eq!((left(), counted()), (79, 21), "both are at a dialog");
        drop(dialog);
        set.to(51);
        assert_eq!((left(), counted()), (69, 31));
        drop((second, asking, calling));
        meter.end_turn(clock.instant());
        set.to(61);
        assert_eq!((left(), counted()), (69, 41));
    }

    #[test]
    fn a_person_who_sends_another_message_gives_as_much_again() {
        let budget = Budget { tokens: Some(10), renewed_by_prompts: true, ..Budget::default() };
        let (meter, now) = (Meter::new(budget), Instant::now());
        meter.begin_turn(now);
        meter.count(&usage(10, 5), None);
        meter.end_turn(now);
        assert!(meter.spent(now).is_some());
        meter.begin_turn(now);
        assert!(meter.spent(now).is_some(), "a turn that nobody has sent gets nothing");
        meter.end_turn(now);
        meter.renew(now);
        assert_eq!(meter.spent(now), None);
        assert_eq!(meter.usage(false).tokens, 15, "in all it stays counted");
        let fixed = Meter::new(Budget { renewed_by_prompts: false, ..budget });
        fixed.count(&usage(10, 0), None);
        fixed.renew(now);
        assert!(fixed.spent(now).is_some());
    }

    #[test]
    fn what_is_left_of_a_budget_is_not_made_up_by_a_message() {
        let budget = Budget { tokens: Some(10), renewed_by_prompts: true, ..Budget::default() };
        let (meter, now) = (Meter::new(budget), Instant::now());
        meter.count(&usage(9, 0), None);
        meter.renew(now);
        meter.count(&usage(1, 0), None);
        assert!(meter.spent(now).is_some());
    }
}
