//! The socket: lines in, lines out.
//!
//! Every connection has a task of its own that does one thing after the other: a reader that does not
//! read stops nobody but itself, and since only the newest state is kept, nothing piles up for it.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::Asked;
use super::commands::{States, Until, leaving};
use super::peer::Peer;
use crate::front::lines::{RawLine, read_line};
use crate::protocol::control::{Answer, Command, MAX_LINE, RefusalCode};

/// At most so many connections at once.
const MAX_CONNECTIONS: usize = 64;

/// How long a listener that cannot accept (no file descriptors left) stays away.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the last line may take when the process ends.
const LAST_LINE: Duration = Duration::from_millis(50);

/// The most characters of an error that are told: it may quote the whole line.
const MAX_ERROR: usize = 300;

/// Serves until the process leaves.
pub(super) async fn serve(listener: UnixListener, states: States, asked: UnboundedSender<Asked>) {
    let connections = TaskTracker::new();
    let mut end = states.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            () = end.leaving() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if connections.len() >= MAX_CONNECTIONS => turn_away(&stream),
            Ok((stream, _)) => {
                let link = BufReader::new(stream);
                let asked = asked.clone();
                connections.spawn(Connection { link, states: states.clone(), asked }.attend());
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken for a moment");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn turn_away(stream: &UnixStream) {
    let why = format!("{MAX_CONNECTIONS} connections are open already. Close one of them first.");
    // There is room for a line in a new connection.
    let _ = stream.try_write(&line(&Answer::refused(RefusalCode::NotAllowed, why)));
}

/// The caller has gone.
struct Gone;

struct Connection {
    link: BufReader<UnixStream>,
    states: States,
    asked: UnboundedSender<Asked>,
}

impl Connection {
    async fn attend(mut self) {
        let peer = match Peer::of(self.link.get_ref()) {
            Ok(Some(peer)) => peer,
            Ok(None) => {
                let why = "This instance belongs to another user.";
                let _ = self.say(&Answer::refused(RefusalCode::NotAllowed, why)).await;
                return;
            }
            Err(error) => return tracing::debug!(%error, "a caller that cannot be told"),
        };
        let mut end = self.states.clone();
        loop {
            let read = tokio::select! {
                biased;
                () = end.leaving() => return,
                read = read_line(&mut self.link, MAX_LINE) => read,
            };
            let command = match read {
                Ok(RawLine::Whole(line)) => parse(&line),
                Ok(RawLine::TooLong) => Err("The line is longer than 16 MiB.".to_owned()),
                Ok(RawLine::End) | Err(_) => return,
            };
            let done = match command {
                Ok(Command::Watch) => self.watch().await,
                Ok(command) => self.carry_out(command, peer).await,
                Err(why) => self.say(&Answer::refused(RefusalCode::BadCommand, why)).await,
            };
            if let Err(Gone) = done {
                return;
            }
        }
    }

    /// Carries out a command and answers it with the state after it.
    async fn carry_out(&mut self, command: Command, peer: Peer) -> Result<(), Gone> {
        let (mut states, asked) = (self.states.clone(), self.asked.clone());
        let work = async move {
            let mut answer = match command {
                Command::State | Command::Watch => Answer::ok(),
                Command::Wait { until, turn, after_seq, timeout_ms } => {
                    let until = Until { states: until, turn, after_seq };
                    states.wait(&until, timeout_ms.map(Duration::from_millis)).await
                }
                Command::Last => states.last().await,
                Command::Send { .. } | Command::Answer { .. } | Command::Interrupt => {
                    match peer.objection() {
                        Some(why) => Answer::refused(RefusalCode::NotAllowed, why),
                        None => ask(&asked, command, &mut states).await,
                    }
                }
            };
            if answer.state.is_none() {
                answer.state = states.now().await.map(|now| Box::new((*now).clone()));
            }
            if answer.ok && answer.state.is_none() { leaving() } else { answer }
        };
        let answer = tokio::select! {
            // One who calls and runs away has called.
            biased;
            answer = work => answer,
            () = hung_up(&mut self.link) => return Err(Gone),
        };
        self.say(&answer).await
    }

    /// Tells every state until the caller hangs up or the last is told.
    async fn watch(&mut self) -> Result<(), Gone> {
        let mut states = self.states.clone();
        let mut told = 0;
        loop {
            let news = states.0.wait_for(|portrait| {
                portrait.leaving || portrait.instance.as_ref().is_some_and(|now| now.seq > told)
            });
            let (now, last) = tokio::select! {
                news = news => match news {
                    Ok(portrait) => (portrait.instance.clone(), portrait.leaving),
                    Err(_) => return Err(Gone),
                },
                () = hung_up(&mut self.link) => return Err(Gone),
            };
            if let Some(now) = now.filter(|now| now.seq > told) {
                told = now.seq;
                let state = Some(Box::new((*now).clone()));
                self.say(&Answer { state, ..Answer::ok() }).await?;
            }
            if last {
                return Err(Gone);
            }
        }
    }

    /// Writes an answer, for as long as the caller takes to read it.
    async fn say(&mut self, answer: &Answer) -> Result<(), Gone> {
        let line = line(answer);
        let mut states = self.states.clone();
        tokio::select! {
            wrote = self.link.get_mut().write_all(&line) => wrote.map_err(|_| Gone),
            () = async {
                states.leaving().await;
                tokio::time::sleep(LAST_LINE).await;
            } => Err(Gone),
        }
    }
}

/// Hands a command to the front end.
async fn ask(asked: &UnboundedSender<Asked>, command: Command, states: &mut States) -> Answer {
    let (reply, answer) = oneshot::channel();
    if asked.send(Asked { command, reply }).is_err() {
        return leaving();
    }
    tokio::select! {
        biased;
        answer = answer => answer.unwrap_or_else(|_| leaving()),
        () = states.leaving() => leaving(),
    }
}

/// The command in a line, or what is wrong with it.
fn parse(line: &[u8]) -> Result<Command, String> {
    serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        format!("Not a command: {}.", clean.take(MAX_ERROR).collect::<String>())
    })
}

fn line(answer: &Answer) -> Vec<u8> {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Returns when the caller has gone. One that has only ended its side still listens; one that has
/// sent more is not gone, as far as can be told without reading it.
async fn hung_up(link: &mut BufReader<UnixStream>) {
    let still_there = match link.fill_buf().await {
        Ok([]) => {
            let mut ends = [PollFd::new(link.get_ref(), PollFlags::empty())];
            let looked = poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
            let [end] = ends;
            looked.is_ok() && !end.revents().contains(PollFlags::HUP)
        }
        Ok(_) => true,
        Err(_) => false,
    };
    if still_there {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
