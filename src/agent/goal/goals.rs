//! The goal of a session and the queue behind it, shared by the loop, the turn and the tools. Every
//! change is on disk before anybody hears of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tracing::warn;

use super::stall::{Trace, Work};
use super::state::{Goal, checked};
use crate::agent::budget::Meter;
use crate::agent::hub::Hub;
use crate::platform::Env;
use crate::protocol::{
    Event, GoalAct, GoalActor, GoalChange, GoalLimits, GoalSnapshot, GoalStatus, GoalUpdate,
    ToolReturnValue, UpcomingGoal,
};
use crate::store::{GoalLog, GoalRecord, Session};

/// The most goals that may wait.
const MAX_UPCOMING: usize = 100;

/// Why the next step of a turn is its last: its calls do not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastStep {
    /// The goal has ended: the model tells the user.
    Summary,
    /// A budget is reached: the model says where things stand.
    Grace,
}

/// What a turn was that has ended.
pub struct EndedTurn {
    /// It worked on a goal.
    pub of_goal: bool,
    /// The goal is reached, and gone.
    pub complete: bool,
    /// What it did.
    pub work: Work,
}

/// The goal of a session.
pub struct Goals {
    env: Env,
    hub: Arc<Hub>,
    /// Has the clock that goals go by.
    meter: Arc<Meter>,
    /// Held while a change goes to disk.
    inner: Mutex<Inner>,
    /// What was told last, for whoever must not wait for the disk.
    told: Mutex<Told>,
    /// Whoever waits for the end of the time looks again.
    changed: Notify,
}

/// The goal and the queue as everybody has heard of them.
#[derive(Clone)]
struct Told {
    goal: Option<Goal>,
    upcoming: Vec<UpcomingGoal>,
}

struct Inner {
    log: GoalLog,
    goal: Option<Goal>,
    upcoming: Vec<UpcomingGoal>,
    /// The session has had a goal: reminders of one may be in its history.
    ever: bool,
    turn: TurnState,
    /// What the turn of the goal before did.
    before: Trace,
}

/// What holds for the running turn.
#[derive(Default)]
struct TurnState {
    /// The goal it works on, or that was begun in it.
    goal: Option<String>,
    /// The model has ended the goal, and the step after that has not begun.
    ended: bool,
    /// The status that the model has given it. It is told when the turn is over, after the model's
    /// own words.
    given: Option<GoalStatus>,
    /// The last step has been announced.
    last: Option<LastStep>,
    /// What it did so far.
    trace: Trace,
}

impl Goals {
    /// The goals of a session as they were left. One that was active is paused.
    pub fn open(env: &Env, hub: &Arc<Hub>, session: &Session, meter: &Arc<Meter>) -> Self {
        let log = GoalLog::new(&session.dir);
        let records = match log.records() {
            Ok((records, broken)) => {
                if broken > 0 {
                    warn!(broken, "lines of the record of goals are not understood");
                }
                records
            }
            Err(error) => {
                warn!(%error, "the record of goals cannot be read");
                Vec::new()
            }
        };
        let upcoming = log.upcoming().unwrap_or_else(|error| {
            warn!(%error, "the queue of goals cannot be read");
            Vec::new()
        });
        let goal = Goal::replayed(&records, meter.counted(env.clock.instant()));
        let told = Told { goal: goal.clone(), upcoming: upcoming.clone() };
        let inner = Inner {
            goal,
            log,
            upcoming,
            ever: !records.is_empty(),
            turn: TurnState::default(),
            before: Trace::default(),
        };
        let goals = Self {
            env: env.clone(),
            hub: Arc::clone(hub),
            meter: Arc::clone(meter),
            inner: Mutex::new(inner),
            told: Mutex::new(told),
            changed: Notify::new(),
        };
        if goals.is_active() {
            goals.stop(GoalStatus::Paused, "after resume", GoalActor::System);
        }
        goals
    }

    /// The goal and the queue as they were told last. Never waits for a change that is being written.
    pub fn update(&self) -> GoalUpdate {
        self.lock_told().update(self.now(), None)
    }

    pub fn snapshot(&self) -> Option<GoalSnapshot> {
        self.lock().goal.as_ref().map(|goal| goal.snapshot(self.now()))
    }

    pub fn is_active(&self) -> bool {
        self.status() == Some(GoalStatus::Active)
    }

    fn status(&self) -> Option<GoalStatus> {
        self.lock().goal.as_ref().map(Goal::status)
    }

    /// Whether the session has had a goal, in this process or before.
    pub fn ever(&self) -> bool {
        self.lock().ever
    }

    /// Why the model may not begin a goal now, if so. A goal that is there binds it: one that could be
    /// replaced by whom it binds would have no limits. `consent` tells whether a person is asked.
    pub fn refuses_model(&self, replace: bool, consent: bool) -> Option<String> {
        let inner = self.lock();
        let status = inner.goal.as_ref().map(|goal| goal.status().word())?;
        match replace {
            false => Some(format!("There is a goal already, and it is {status}.")),
            true if inner.turn.goal.is_some() || !consent => Some(format!(
                "There is a goal already, and it is {status}. Only the user can replace it, with \
                 /goal replace."
            )),
            true => None,
        }
    }

    /// Begins a goal. The running turn is its first one. The error is a sentence.
    pub fn create(
        &self,
        objective: &str,
        criterion: Option<&str>,
        replace: bool,
        actor: GoalActor,
    ) -> Result<GoalSnapshot, String> {
        let objective = checked(objective)?;
        let mut inner = self.lock();
        if let Some(goal) = &inner.goal {
            if !replace {
                return Err(format!(
                    "There is a goal already, and it is {}.",
                    goal.status().word()
                ));
            }
            self.record(&mut inner, &GoalRecord::Clear {});
        }
        let now = self.now();
        let mut goal = Goal::new(self.env.ids.uuid(), objective, criterion, now);
        let known = goal.snapshot(now);
        self.record(
            &mut inner,
            &GoalRecord::Create {
                goal_id: known.goal_id,
                objective: known.objective,
                completion_criterion: known.completion_criterion,
            },
        );
        goal.begin_turn();
        // What the turn has done before that was not for this goal.
        inner.turn = TurnState { goal: Some(goal.id().to_owned()), ..TurnState::default() };
        inner.before = Trace::default();
        inner.ever = true;
        inner.goal = Some(goal);
        self.write(&mut inner, None, actor);
        self.tell(&inner, Some(GoalStatus::Active), None, actor);
        inner.goal.as_ref().map(|goal| goal.snapshot(now)).ok_or_else(|| "no goal".to_owned())
    }

    /// Begins another turn of the active goal; returns its number.
    pub fn begin_turn(&self) -> u64 {
        let mut inner = self.lock();
        let Some(goal) = &mut inner.goal else { return 0 };
        goal.begin_turn();
        let (id, turns) = (goal.id().to_owned(), goal.used(self.now()).turns_used);
        inner.turn = TurnState { goal: Some(id), ..TurnState::default() };
        self.write(&mut inner, None, GoalActor::Runtime);
        self.tell(&inner, None, None, GoalActor::Runtime);
        turns
    }

    /// The turn is over: its numbers are stored, and a goal that is complete is gone.
    pub fn end_turn(&self) -> EndedTurn {
        let mut inner = self.lock();
        let TurnState { goal, given, trace, .. } = std::mem::take(&mut inner.turn);
        let of_goal = goal.is_some();
        let work = trace.compared_with(&inner.before);
        inner.before = trace;
        let Some(goal) = inner.goal.as_ref().filter(|_| of_goal) else {
            return EndedTurn { of_goal, complete: false, work };
        };
        let complete = goal.status() == GoalStatus::Complete;
        let given = given.filter(|given| *given == goal.status());
        let reason = goal.snapshot(self.now()).terminal_reason.filter(|_| given.is_some());
        self.write(&mut inner, None, GoalActor::Runtime);
        self.tell(&inner, given, reason.as_deref(), GoalActor::Model);
        if complete {
            self.clear(&mut inner, GoalActor::Runtime);
        }
        EndedTurn { of_goal, complete, work }
    }

    /// Notes a call of the running turn and its result.
    pub fn called(&self, tool: &str, arguments: Option<&str>, result: &ToolReturnValue) {
        self.lock().turn.trace.add(tool, arguments, result);
    }

    /// The id of the goal that the running turn works on.
    pub fn of_turn(&self) -> Option<String> {
        self.lock().turn.goal.clone()
    }

    /// Counts a request of the running turn. It is on disk at once: a process that is killed has spent
    /// it all the same.
    pub fn count(&self, output_tokens: u64, usd: f64) {
        let mut inner = self.lock();
        if inner.turn.goal.is_some() {
            self.change(&mut inner, |goal| goal.count(output_tokens, usd));
        }
    }

    /// Counts a request of a subagent that works for the goal of that id, if it is still there.
    pub fn count_for(&self, id: &str, output_tokens: u64, usd: f64) {
        let mut inner = self.lock();
        if inner.goal.as_ref().is_some_and(|goal| goal.id() == id) {
            self.change(&mut inner, |goal| goal.count_subagent(output_tokens, usd));
        }
    }

    fn change(&self, inner: &mut Inner, change: impl FnOnce(&mut Goal)) {
        let Some(goal) = &mut inner.goal else { return };
        change(goal);
        self.write(inner, None, GoalActor::Runtime);
        self.tell(inner, None, None, GoalActor::Runtime);
    }

    /// What the next step of the turn is, if it is the last. Asked once for each step.
    pub fn last_step(&self) -> Option<LastStep> {
        let mut inner = self.lock();
        if std::mem::take(&mut inner.turn.ended) {
            inner.turn.last = Some(LastStep::Summary);
            return inner.turn.last;
        }
        let spent = inner.turn.last.is_none()
            && inner.goal.as_ref().is_some_and(|goal| {
                goal.status() == GoalStatus::Active && goal.reached(self.now(), false).is_some()
            });
        // A grace step was given before: a message of the user keeps the turn going.
        inner.turn.last = spent.then_some(LastStep::Grace).or(inner.turn.last);
        spent.then_some(LastStep::Grace)
    }

    /// Whether the model has just ended the goal: what else it called in that message does not run.
    pub fn just_ended(&self) -> bool {
        self.lock().turn.ended
    }

    /// The last step of the turn, once it was announced.
    pub fn announced(&self) -> Option<LastStep> {
        self.lock().turn.last
    }

    /// The budget that keeps another turn from beginning.
    pub fn reached(&self) -> Option<String> {
        self.lock().goal.as_ref()?.reached(self.now(), true)
    }

    /// The budget that keeps whoever works for the goal of that id from another request.
    pub fn reached_by(&self, id: &str) -> Option<String> {
        let inner = self.lock();
        let goal = inner.goal.as_ref().filter(|goal| goal.id() == id)?;
        match goal.status() {
            GoalStatus::Complete => None,
            _ => goal.reached(self.now(), false),
        }
    }

    /// Whether the time of the active goal is up.
    pub fn time_is_up(&self) -> bool {
        let left = self.lock().goal.as_ref().and_then(|goal| goal.time_left(self.now()));
        left.is_some_and(|left| left.is_zero())
    }

    pub fn nearly_spent(&self) -> bool {
        self.lock().goal.as_ref().is_some_and(|goal| goal.nearly_spent(self.now()))
    }

    /// Pauses or blocks the goal if it is active. Returns whether it was.
    pub fn stop(&self, status: GoalStatus, reason: &str, actor: GoalActor) -> bool {
        let mut inner = self.lock();
        let Some(goal) = inner.goal.as_mut().filter(|goal| goal.status() == GoalStatus::Active)
        else {
            return false;
        };
        goal.set_status(status, Some(reason.to_owned()), self.now());
        self.write(&mut inner, Some(status), actor);
        self.tell(&inner, Some(status), Some(reason), actor);
        true
    }

    /// Makes a paused or blocked goal active again. With `renewed`, budgets that are reached are given
    /// once more.
    pub fn resume(&self, renewed: bool, actor: GoalActor) -> Result<(), String> {
        let mut inner = self.lock();
        let Some(goal) = &mut inner.goal else { return Err("There is no goal.".to_owned()) };
        if goal.status() == GoalStatus::Active {
            return Err("The goal is active already.".to_owned());
        }
        if renewed {
            goal.renew(self.now());
        }
        goal.set_status(GoalStatus::Active, None, self.now());
        let id = goal.id().to_owned();
        // A turn of the user in which the model takes the goal up is one of the goal from here on.
        if inner.turn.goal.is_none() {
            inner.turn.goal = Some(id);
        }
        self.write(&mut inner, Some(GoalStatus::Active), actor);
        self.tell(&inner, Some(GoalStatus::Active), None, actor);
        Ok(())
    }

    /// The model says that the goal is reached, or cannot be.
    pub fn end_by_model(&self, status: GoalStatus) -> Result<(), String> {
        let mut inner = self.lock();
        let of_turn = inner.turn.goal.clone();
        let Some(goal) = &mut inner.goal else { return Err("There is no goal.".to_owned()) };
        if of_turn.is_some_and(|id| id != goal.id()) {
            return Err("Ignored: the goal has changed since this turn began.".to_owned());
        }
        if goal.status() == GoalStatus::Complete {
            return Err("The goal is complete already.".to_owned());
        }
        let reason = (status == GoalStatus::Blocked).then_some("the model cannot go on");
        goal.set_status(status, reason.map(str::to_owned), self.now());
        inner.turn.goal = Some(goal.id().to_owned());
        inner.turn.ended = true;
        inner.turn.given = Some(status);
        self.write(&mut inner, Some(status), GoalActor::Model);
        self.tell(&inner, None, None, GoalActor::Model);
        Ok(())
    }

    /// Sets limits; others stay. The model may lower a limit and never raise one: it holds for the model.
    pub fn limit(&self, limits: GoalLimits, actor: GoalActor) -> Result<GoalSnapshot, String> {
        let mut inner = self.lock();
        let now = self.now();
        let Some(goal) = &mut inner.goal else { return Err("There is no goal.".to_owned()) };
        if actor == GoalActor::Model && goal.snapshot(now).budget_limits.raised_by(limits) {
            return Err(
                "A limit can be lowered and not raised. Only the user can give the goal more: \
                        /goal resume gives as much again once it is reached."
                    .to_owned(),
            );
        }
        goal.limit(limits);
        let snapshot = goal.snapshot(now);
        self.write(&mut inner, None, actor);
        self.tell(&inner, None, None, actor);
        Ok(snapshot)
    }

    /// Gives the goal up. Returns the status it had.
    pub fn cancel(&self) -> Option<GoalStatus> {
        let mut inner = self.lock();
        let status = inner.goal.as_ref().map(Goal::status)?;
        self.clear(&mut inner, GoalActor::User);
        Some(status)
    }

    /// Carries out what a front end asks for. True when the running turn has to stop.
    pub fn act(&self, act: GoalAct) -> bool {
        match act {
            GoalAct::Pause => {
                self.stop(GoalStatus::Paused, "paused by the user", GoalActor::User);
            }
            GoalAct::Cancel => return self.cancel() == Some(GoalStatus::Active),
            GoalAct::Queue { objective } => {
                if let Err(error) = self.queue(&objective) {
                    warn!(%error, "the goal was not queued");
                }
            }
            GoalAct::Unqueue { id } => {
                self.change_queue(|upcoming| upcoming.retain(|goal| goal.id != id));
            }
            GoalAct::First { id } => self.change_queue(|upcoming| {
                if let Some(at) = upcoming.iter().position(|goal| goal.id == id) {
                    upcoming[..=at].rotate_right(1);
                }
            }),
        }
        false
    }

    /// Puts an objective behind those that wait; returns how many wait then.
    pub fn queue(&self, objective: &str) -> Result<usize, String> {
        let objective = checked(objective)?.to_owned();
        let now = jiff::Timestamp::try_from(self.env.clock.now())
            .map_or_else(|_| String::new(), |now| now.to_string());
        let id = self.env.ids.uuid();
        let mut full = false;
        let mut waiting = 0;
        self.change_queue(|upcoming| {
            full = upcoming.len() >= MAX_UPCOMING;
            if !full {
                let created_at = now.clone();
                upcoming.push(UpcomingGoal { id, objective, created_at, updated_at: now });
            }
            waiting = upcoming.len();
        });
        if full { Err(format!("{MAX_UPCOMING} goals wait already.")) } else { Ok(waiting) }
    }

    /// Takes the first goal out of the queue.
    pub fn next_upcoming(&self) -> Option<UpcomingGoal> {
        let mut next = None;
        self.change_queue(|upcoming| {
            if !upcoming.is_empty() {
                next = Some(upcoming.remove(0));
            }
        });
        next
    }

    fn change_queue(&self, change: impl FnOnce(&mut Vec<UpcomingGoal>)) {
        let mut inner = self.lock();
        let before = inner.upcoming.clone();
        change(&mut inner.upcoming);
        if inner.upcoming == before {
            return;
        }
        if let Err(error) = inner.log.set_upcoming(&inner.upcoming) {
            warn!(%error, "the queue of goals cannot be written");
        }
        self.tell(&inner, None, None, GoalActor::User);
    }

    /// Waits until the time of the active goal is up.
    pub async fn out_of_time(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let turned = self.meter.turned();
            tokio::pin!(turned);
            turned.as_mut().enable();
            let left = self.lock().goal.as_ref().and_then(|goal| goal.time_left(self.now()));
            let left = left.filter(|_| !self.meter.stands());
            tokio::select! {
                () = changed => {}
                () = turned => {}
                () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() => {
                    let now = self.now();
                    if let Some(goal) = &mut self.lock().goal {
                        goal.expire(now);
                    }
                    return;
                }
            }
        }
    }

    fn clear(&self, inner: &mut Inner, actor: GoalActor) {
        inner.goal = None;
        self.record(inner, &GoalRecord::Clear {});
        self.tell(inner, None, None, actor);
    }

    /// Records the goal as it is.
    fn write(&self, inner: &mut Inner, status: Option<GoalStatus>, actor: GoalActor) {
        let Some(goal) = &inner.goal else { return };
        let GoalSnapshot { used, budget_limits, terminal_reason, .. } = goal.snapshot(self.now());
        let reason = terminal_reason.filter(|_| status.is_some());
        let budget_limits = (budget_limits != GoalLimits::default()).then_some(budget_limits);
        self.record(inner, &GoalRecord::Update { status, reason, used, budget_limits, actor });
    }

    fn record(&self, inner: &mut Inner, record: &GoalRecord) {
        if let Err(error) = inner.log.append(record) {
            warn!(%error, "the record of goals cannot be written");
        }
    }

    fn tell(
        &self,
        inner: &Inner,
        status: Option<GoalStatus>,
        reason: Option<&str>,
        actor: GoalActor,
    ) {
        let change =
            status.map(|status| GoalChange { status, reason: reason.map(str::to_owned), actor });
        let told = Told { goal: inner.goal.clone(), upcoming: inner.upcoming.clone() };
        let update = told.update(self.now(), change);
        *self.lock_told() = told;
        self.hub.event(Event::GoalUpdated(Box::new(update)));
        self.changed.notify_waiters();
    }

    /// Time that a person takes to answer a dialog is not the goal's.
    fn now(&self) -> Instant {
        self.meter.counted(self.env.clock.instant())
    }

    /// A panic elsewhere leaves these values whole, so a poisoned lock is taken as it is.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn update(&self, now: Instant, change: Option<GoalChange>) -> GoalUpdate {
        GoalUpdate {
            snapshot: self.goal.as_ref().map(|goal| goal.snapshot(now)),
            change,
            upcoming: self.upcoming.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn who_looks_at_the_goal_does_not_wait_for_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let env = fixed::env(dir.path(), &[]);
        let hub = Arc::new(Hub::new(env.clone(), None));
        let session = Session {
            id: "s".to_owned(),
            dir: dir.path().to_path_buf(),
            work_dir: dir.path().to_path_buf(),
        };
        let goals = Arc::new(Goals::open(&env, &hub, &session, &Arc::default()));
        goals.create("old", None, false, GoalActor::User).unwrap();
        goals.queue("later").unwrap();
        // A change that is being written.
        let writing = goals.lock();
        let (looked, seen) = std::sync::mpsc::channel();
        let shared = Arc::clone(&goals);
        std::thread::spawn(move || looked.send(shared.update()).unwrap());
        let seen = seen.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert_eq!(seen.snapshot.unwrap().objective, "old");
        assert_eq!(seen.upcoming.len(), 1);
        drop(writing);
        goals.cancel();
        assert_eq!(goals.update().snapshot, None);
    }
}
