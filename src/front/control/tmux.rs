//! The state as a pane option of tmux, and a signal at every turn's end.
//!
//! `tmux list-panes -a -F '#{pane_id} #{@kimi_state}'` then tells of a whole fleet in one call, and
//! `tmux wait-for kimi-%3-4` returns when turn 4 of pane %3 has ended. Kept apart from everything
//! else: a tmux that hangs holds up nothing but this.
//!
//! A signal that nobody waited for stays in tmux until it is read (`woken` in its `cmd-wait-for.c`),
//! and a second one takes it away again. Locking and unlocking a channel drops an unread signal and
//! leaves those who wait alone. So every signal comes after a lock and an unlock and may be repeated,
//! and a new instance drops what an earlier one in the same pane has left unread; how many turns
//! that had is in the pane option `@kimi_turns`.

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

/// Turns of an earlier instance beyond this are not cleared: the option may say anything.
const MAX_STALE: u64 = 10_000;

/// The pause before a tmux that did not answer is tried again by itself, doubled each time.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest such pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The pane of this process.
pub(super) struct Pane {
    env: Env,
    pane: String,
    /// What the option says now.
    words: String,
    /// The newest turn whose end was signalled.
    signalled: u64,
    /// Turns of an earlier instance whose signals may still be unread; not known before tmux was
    /// asked.
    stale: Option<u64>,
}

/// Why tmux was not told.
enum Failure {
    /// It did not answer in time; it may later.
    Silent,
    /// It is not there, or the pane is not.
    Refused(String),
}

/// A call of tmux, and what is true once it has succeeded.
struct News {
    arguments: Vec<String>,
    words: String,
    signalled: u64,
    stale: u64,
}

impl Pane {
    /// The pane, inside tmux.
    pub fn of(env: &Env) -> Option<Self> {
        env.var("TMUX")?;
        let pane = env.var("TMUX_PANE")?.to_owned();
        Some(Self { env: env.clone(), pane, words: String::new(), signalled: 0, stale: None })
    }

    /// Tells tmux of every state until the instance has exited. States that come while tmux runs
    /// are passed over, the ends of turns among them are not. A tmux that does not answer is tried
    /// again at the next change, and after a pause while it is out of date; one that refuses is left
    /// alone. `told` is the `seq` of the newest state that it shows.
    pub async fn follow(
        mut self,
        mut states: watch::Receiver<Option<Arc<Instance>>>,
        told: watch::Sender<u64>,
    ) {
        let mut pause = PAUSE;
        while states.changed().await.is_ok() {
            loop {
                let Some(instance) = states.borrow_and_update().clone() else { break };
                let exited = instance.state == State::Exited;
                match self.catch_up(&instance).await {
                    Ok(()) => {
                        told.send_replace(instance.seq);
                        pause = PAUSE;
                    }
                    Err(Failure::Refused(why)) => {
                        tracing::info!(why, "tmux is not told of the state any more");
                        return;
                    }
                    Err(Failure::Silent) if !exited => {
                        tracing::info!("tmux does not answer; it is told of the state later");
                        match tokio::time::timeout(pause, states.changed()).await {
                            Ok(Err(_)) => return,
                            Ok(Ok(())) => {}
                            Err(_) => pause = (pause * 2).min(MAX_PAUSE),
                        }
                        continue;
                    }
                    Err(Failure::Silent) => {}
                }
                if exited {
                    return;
                }
                break;
            }
        }
    }

    /// Calls tmux until it shows this.
    async fn catch_up(&mut self, instance: &Instance) -> Result<(), Failure> {
        if self.stale.is_none() {
            let ask = ["display-message", "-p", "-t", &self.pane, "#{@kimi_turns}"];
            let turns = run(&self.env, &ask.map(str::to_owned)).await?;
            let turns = turns.trim().parse::<u64>().unwrap_or(0);
            self.stale = Some(turns.min(MAX_STALE));
        }
        while let Some(news) = self.news(instance) {
            run(&self.env, &news.arguments).await?;
            (self.words, self.signalled, self.stale) =
                (news.words, news.signalled, Some(news.stale));
        }
        Ok(())
    }

    /// What brings tmux up to date; none when it is.
    fn news(&self, instance: &Instance) -> Option<News> {
        let (words, signalled) = (self.words.clone(), self.signalled);
        let mut arguments = Vec::new();
        let mut call = |words: &[&str]| {
            if !arguments.is_empty() {
                arguments.push(";".to_owned());
            }
            arguments.extend(words.iter().map(|word| (*word).to_owned()));
        };
        let channel = |turn: u64| format!("kimi-{}-{turn}", self.pane);
        if let Some(last @ 1..) = self.stale {
            let stale = last.saturating_sub(MAX_SIGNALS);
            for turn in stale + 1..=last {
                call(&["wait-for", "-L", &channel(turn)]);
                call(&["wait-for", "-U", &channel(turn)]);
            }
            return Some(News { arguments, words, signalled, stale });
        }
        let ended = match instance.state {
            // Whoever waits for a turn that will never end is let go.
            State::Exited => instance.turn,
            _ => instance.last.as_ref().map_or(0, |last| last.turn),
        };
        let ended = ended.min(signalled.saturating_add(MAX_SIGNALS));
        let words = self::words(instance);
        if words == self.words && ended <= signalled {
            return None;
        }
        call(&["set-option", "-p", "-t", &self.pane, "@kimi_state", &words]);
        if ended > signalled {
            call(&["set-option", "-p", "-t", &self.pane, "@kimi_turns", &ended.to_string()]);
        }
        for turn in signalled + 1..=ended {
            for how in ["-L", "-U", "-S"] {
                call(&["wait-for", how, &channel(turn)]);
            }
        }
        Some(News { arguments, words, signalled: signalled.max(ended), stale: 0 })
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

/// Runs tmux and returns what it prints. When this is dropped or takes too long, tmux is killed.
async fn run(env: &Env, arguments: &[String]) -> Result<String, Failure> {
    let mut command = std::process::Command::new("tmux");
    command.args(arguments).env_clear().envs(env.child_vars());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut command = Command::from(command);
    match tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await {
        Ok(Ok(output)) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(Ok(output)) => Err(Failure::Refused(output.status.to_string())),
        Ok(Err(error)) => Err(Failure::Refused(error.to_string())),
        Err(_) => Err(Failure::Silent),
    }
}

#[cfg(test)]
mod tests;
