//! The state as a pane option of tmux, and a signal at every turn's end.
//!
//! `tmux list-panes -a -F '#{pane_id} #{@kimi_state}'` then tells of a whole fleet in one call, and
//! `tmux wait-for kimi-%3-4` returns when turn 4 of pane %3 has ended. Kept apart from everything
//! else: a tmux that hangs holds up nothing but this.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::watch;

use crate::platform::Env;
use crate::protocol::control::{AskKind, Instance, State};

/// How long tmux may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// At most so many turns are signalled at once; a command line has its limits.
const MAX_SIGNALS: u64 = 100;

/// The pane of this process.
pub(super) struct Pane {
    env: Env,
    pane: String,
    /// What the option says now.
    words: String,
    /// The newest turn whose end was signalled.
    signalled: u64,
}

impl Pane {
    /// The pane, inside tmux.
    pub fn of(env: &Env) -> Option<Self> {
        env.var("TMUX")?;
        let pane = env.var("TMUX_PANE")?.to_owned();
        Some(Self { env: env.clone(), pane, words: String::new(), signalled: 0 })
    }

    /// Tells tmux of every state until the instance has exited. States that come while tmux runs
    /// are passed over, the ends of turns among them are not. After the first failure tmux is left
    /// alone.
    pub async fn follow(mut self, mut states: watch::Receiver<Option<Arc<Instance>>>) {
        while states.changed().await.is_ok() {
            let Some(instance) = states.borrow_and_update().clone() else { continue };
            while let Some(arguments) = self.news(&instance) {
                if let Err(why) = run(&self.env, &arguments).await {
                    tracing::info!(why, "tmux is not told of the state any more");
                    return;
                }
            }
            if instance.state == State::Exited {
                return;
            }
        }
    }

    /// The arguments for tmux that bring it up to date; none when it is.
    fn news(&mut self, instance: &Instance) -> Option<Vec<String>> {
        let ended = match instance.state {
            // Whoever waits for a turn that will never end is let go.
            State::Exited => instance.turn,
            _ => instance.last.as_ref().map_or(0, |last| last.turn),
        };
        let ended = ended.min(self.signalled.saturating_add(MAX_SIGNALS));
        let words = words(instance);
        let signals = self.signalled + 1..=ended;
        if words == self.words && signals.is_empty() {
            return None;
        }
        let mut arguments = Vec::from(["set-option", "-p", "-t"].map(str::to_owned));
        arguments.extend([self.pane.clone(), "@kimi_state".to_owned(), words.clone()]);
        for turn in signals {
            let channel = format!("kimi-{}-{turn}", self.pane);
            arguments.extend([";", "wait-for", "-S"].map(str::to_owned));
            arguments.push(channel);
        }
        self.words = words;
        self.signalled = self.signalled.max(ended);
        Some(arguments)
    }
}

/// The state in words: `busy turn=4`, `ask turn=4 kind=approval`, `exited`.
fn words(instance: &Instance) -> String {
    let Instance { state, turn, ask, .. } = instance;
    match (state, ask.as_ref().map(|ask| ask.kind)) {
        (State::Exited, _) => state.word().to_owned(),
        (State::Ask, Some(AskKind::Approval)) => format!("ask turn={turn} kind=approval"),
        (State::Ask, Some(AskKind::Question)) => format!("ask turn={turn} kind=question"),
        (state, _) => format!("{} turn={turn}", state.word()),
    }
}

/// Runs tmux. When this is dropped or takes too long, tmux is killed.
async fn run(env: &Env, arguments: &[String]) -> Result<(), String> {
    let mut command = std::process::Command::new("tmux");
    command.args(arguments).env_clear().envs(env.child_vars());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut command = Command::from(command);
    match tokio::time::timeout(PATIENCE, command.kill_on_drop(true).status()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(status.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

#[cfg(test)]
mod tests;
