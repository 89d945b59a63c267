//! After the answer: background tasks are waited for, and the model sees to their results.

use std::time::Duration;

use super::failure::Trouble;
use super::turns::{End, Turns};
use crate::agent::BackgroundView;
use crate::front::ending::ExitCode;
use crate::protocol::Outcome;

/// Beyond the grace of the tasks that are killed because they took too long.
const KILL_TIME: Duration = Duration::from_secs(2);

impl Turns {
    /// Waits until no task runs and the model has seen the results of all. How the first turn ended
    /// is how the run ends, unless the tasks take too long.
    pub(super) async fn see_off(&mut self) -> End {
        let done = End::Done(ExitCode::Success);
        let Some(background) = self.background.clone() else { return done };
        if background.tasks().settings().keep_alive_on_exit {
            return done;
        }
        let mut patience = None;
        loop {
            background.settle().await;
            let waiting = background.pending_notifications();
            if waiting > 0 {
                match self.see_to_tasks().await {
                    // No budget, no more turns: the run ends as one that came to that sooner.
                    End::Done(code @ (ExitCode::BudgetSpent | ExitCode::TimedOut)) => {
                        return End::Done(code);
                    }
                    // How it went is told, and changes nothing.
                    End::Done(_) if background.pending_notifications() < waiting => continue,
                    End::Done(_) => return done,
                    end => return end,
                }
            }
            if background.tasks().active().is_empty() {
                return done;
            }
            let limit = *patience.get_or_insert_with(|| longest_wait(&background));
            let time_left = background.time_left().unwrap_or(Duration::MAX);
            match self.await_news(&background, limit.min(time_left)).await {
                Ok(Some(waited)) => patience = Some(limit.saturating_sub(waited)),
                Ok(None) if time_left <= limit => return self.out_of_time(&background),
                Ok(None) => return self.give_up(&background, longest_wait(&background)).await,
                Err(end) => return end,
            }
        }
    }

    /// Waits for a change of a task; returns how long that took, `None` when the time is up.
    async fn await_news(
        &mut self,
        background: &BackgroundView,
        limit: Duration,
    ) -> Result<Option<Duration>, End> {
        let mut changes = background.tasks().changes();
        // What has changed in between is seen at once.
        if background.pending_notifications() > 0 || background.tasks().active().is_empty() {
            return Ok(Some(Duration::ZERO));
        }
        let news = async {
            let begun = tokio::time::Instant::now();
            let changed = tokio::time::timeout(limit, changes.changed()).await;
            changed.is_ok().then(|| begun.elapsed())
        };
        background.timed(self.attend(news)).await
    }

    /// The time of the run is up while tasks still run: they end with it, and no model is asked.
    fn out_of_time(&mut self, background: &BackgroundView) -> End {
        let Some(spent) = background.out_of_time() else { return End::Done(ExitCode::Success) };
        let outcome = Outcome::BudgetSpent(spent);
        if let Some(trouble) = Trouble::of(&outcome) {
            self.tell(&trouble);
        }
        End::Done(ExitCode::from(&outcome))
    }

    /// The tasks have taken too long: they are killed, and the model gets a last word.
    async fn give_up(&mut self, background: &BackgroundView, limit: Duration) -> End {
        let tasks = background.tasks().clone();
        let grace = Duration::from_millis(tasks.settings().kill_grace_period_ms) + KILL_TIME;
        let killed = match self.attend(tasks.stop_all("Took too long", grace)).await {
            Ok(killed) => killed.len(),
            Err(end) => return end,
        };
        let seconds = limit.as_secs();
        self.say(|to| {
            to.err(&format!(
                "timed out waiting for background tasks ({seconds}s), killed {killed} tasks\n"
            ));
        });
        background.settle().await;
        match self.see_to_tasks().await {
            End::Done(_) => End::Done(ExitCode::Failure),
            end => end,
        }
    }
}

/// As long as the slowest task may take, but not longer than is configured.
fn longest_wait(background: &BackgroundView) -> Duration {
    let settings = background.tasks().settings();
    let ceiling = settings.print_wait_ceiling_s;
    let of = |timeout: Option<u64>| timeout.unwrap_or(ceiling);
    let longest = background.tasks().active().iter().map(|view| of(view.spec.timeout_s)).max();
    Duration::from_secs(longest.unwrap_or(ceiling).min(ceiling))
}
