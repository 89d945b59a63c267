//! How an instance looks from outside: what the front end says, and what never changes.

use std::os::fd::AsFd;
use std::sync::Arc;

use super::Status;
use crate::platform::Env;
use crate::protocol::control::{CONTROL_VERSION, Instance, Mode, STOPPED, State};

/// What is the same from start to end.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    mode: Mode,
    pid: u32,
    started: f64,
    tty: Option<String>,
    tmux_pane: Option<String>,
    tmux_socket: Option<String>,
    cao_terminal_id: Option<String>,
}

impl Facts {
    /// Those of this process.
    pub fn new(mode: Mode, env: &Env) -> Self {
        let owned = |name| env.var(name).map(str::to_owned);
        // "<socket>,<pid of the server>,<session>"; the socket may have commas itself.
        let tmux_socket = env.var("TMUX").and_then(|tmux| tmux.rsplitn(3, ',').nth(2));
        let tty = terminal();
        // What a tool has started has the pane of the instance it works for only by inheritance.
        let own_pane = mode == Mode::Tui || tty.is_some();
        Self {
            mode,
            pid: std::process::id(),
            started: env.unix_now(),
            tty,
            tmux_pane: owned("TMUX_PANE").filter(|_| own_pane),
            tmux_socket: tmux_socket.filter(|_| own_pane).map(str::to_owned),
            cao_terminal_id: owned("CAO_TERMINAL_ID"),
        }
    }
}

/// The device of the terminal that one of the standard streams is.
fn terminal() -> Option<String> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]
        .into_iter()
        .find_map(|stream| rustix::termios::ttyname(stream, Vec::new()).ok())
        .and_then(|name| name.into_string().ok())
}

/// The newest word of the instance on itself.
#[derive(Debug, Default)]
pub(super) struct Portrait {
    /// None before the first [`Status`].
    pub instance: Option<Arc<Instance>>,
    /// Where the socket is, once it is there.
    pub socket: Option<String>,
    /// What was true before the process was stopped.
    paused: Option<Arc<Instance>>,
    /// The process ends; nothing changes any more.
    pub leaving: bool,
}

impl Portrait {
    /// Takes a status in. False when it says nothing new.
    pub fn update(&mut self, status: &Status, facts: &Facts, now: f64) -> bool {
        if self.leaving {
            return false;
        }
        let mut next = compose(status, facts, now);
        next.socket.clone_from(&self.socket);
        if let Some(before) = &self.instance {
            next.seq = before.seq;
            if before.state == next.state {
                next.since = before.since;
            }
            if **before == next {
                return false;
            }
            next.seq += 1;
        }
        self.instance = Some(Arc::new(next));
        self.paused = None;
        true
    }

    /// The process is about to be stopped: it is busy with that until it [goes on](Self::resume).
    pub fn pause(&mut self, now: f64) -> bool {
        let Some(instance) = self.instance.as_mut().filter(|_| !self.leaving) else { return false };
        if self.paused.is_none() {
            self.paused = Some(Arc::clone(instance));
            let instance = Arc::make_mut(instance);
            (instance.seq, instance.state, instance.since) = (instance.seq + 1, State::Busy, now);
            (instance.phase, instance.ask) = (Some(STOPPED.to_owned()), None);
        }
        true
    }

    /// The process goes on with what it did. False when it was not stopped.
    pub fn resume(&mut self, now: f64) -> bool {
        let Some(before) = self.paused.take().filter(|_| !self.leaving) else { return false };
        let Some(instance) = &mut self.instance else { return false };
        let instance = Arc::make_mut(instance);
        (instance.seq, instance.state, instance.since) = (instance.seq + 1, before.state, now);
        (instance.phase, instance.ask) = (before.phase.clone(), before.ask.clone());
        true
    }

    /// The socket can be told of. What was said before was heard by nobody.
    pub fn opened(&mut self, socket: String) {
        if let Some(instance) = &mut self.instance {
            Arc::make_mut(instance).socket = Some(socket.clone());
        }
        self.socket = Some(socket);
    }

    /// The last word. False when it was spoken already.
    pub fn leave(&mut self, now: f64) -> bool {
        if std::mem::replace(&mut self.leaving, true) {
            return false;
        }
        if let Some(instance) = &mut self.instance {
            let instance = Arc::make_mut(instance);
            (instance.seq, instance.state, instance.since) = (instance.seq + 1, State::Exited, now);
            (instance.phase, instance.ask, instance.socket) = (None, None, None);
        }
        true
    }
}

fn compose(status: &Status, facts: &Facts, now: f64) -> Instance {
    let (status, facts) = (status.clone(), facts.clone());
    // What is no number cannot be written as one.
    let context = if status.context.is_finite() { status.context.clamp(0.0, 1.0) } else { 0.0 };
    Instance {
        v: CONTROL_VERSION,
        seq: 1,
        state: status.state,
        turn: status.turn,
        phase: status.phase,
        since: now,
        mode: facts.mode,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: facts.pid,
        started: facts.started,
        tty: facts.tty,
        tmux_pane: facts.tmux_pane,
        tmux_socket: facts.tmux_socket,
        cao_terminal_id: facts.cao_terminal_id,
        session: status.session,
        session_dir: status.session_dir,
        cwd: status.cwd,
        model: status.model,
        context,
        queued: status.queued,
        input: status.input,
        ask: status.ask,
        last: status.last,
        socket: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::control::testing::{approval, status};
    use crate::platform::env::fixed;

    fn facts(vars: &[(&str, &str)]) -> Facts {
        Facts::new(Mode::Tui, &fixed::env("/h", vars))
    }

    #[test]
    fn seq_counts_changes_and_since_those_of_the_state() {
        let (facts, mut portrait) = (facts(&[]), Portrait::default());
        let mut say = |status: &Status, now: f64| {
            let changed = portrait.update(status, &facts, now);
            let instance = portrait.instance.as_ref().unwrap();
            (changed, instance.seq, instance.since)
        };
        let idle = status(State::Idle, 0);
        assert_eq!(say(&idle, 1.0), (true, 1, 1.0));
        assert_eq!(say(&idle, 2.0), (false, 1, 1.0));
        let busy = status(State::Busy, 1);
        assert_eq!(say(&busy, 3.0), (true, 2, 3.0));
        let thinking = Status { phase: Some("think".to_owned()), ..busy };
        assert_eq!(say(&thinking, 4.0), (true, 3, 3.0));
        let broken = Status { context: f64::NAN, ..thinking };
        assert_eq!(say(&broken, 5.0), (true, 4, 3.0));
        assert_eq!(say(&broken, 5.0), (false, 4, 3.0));
        assert!(portrait.leave(6.0) && !portrait.leave(7.0));
        assert!(!portrait.update(&idle, &facts, 8.0));
        let left = portrait.instance.as_ref().unwrap();
        assert_eq!((left.state, left.seq, left.since), (State::Exited, 5, 6.0));
        assert_eq!((left.phase.as_deref(), left.turn), (None, 1));
    }

    #[test]
    fn the_socket_stands_in_everything_said_after_it_is_open() {
        let (facts, mut portrait) = (facts(&[]), Portrait::default());
        portrait.update(&status(State::Idle, 0), &facts, 1.0);
        portrait.opened("/s".to_owned());
        let first = portrait.instance.clone().unwrap();
        assert_eq!((first.seq, first.socket.as_deref()), (1, Some("/s")));
        assert!(!portrait.update(&status(State::Idle, 0), &facts, 1.0));
        assert!(portrait.update(&status(State::Busy, 1), &facts, 1.0));
        assert_eq!(portrait.instance.as_ref().unwrap().socket.as_deref(), Some("/s"));
    }

    #[test]
    fn stopped_is_busy_and_afterwards_it_is_as_before() {
        let (facts, mut portrait) = (facts(&[]), Portrait::default());
        assert!(!portrait.pause(0.0) && !portrait.resume(0.0));
        let asks = Status { ask: Some(approval("a1")), ..status(State::Ask, 2) };
        portrait.update(&asks, &facts, 1.0);
        assert!(portrait.pause(2.0) && portrait.pause(3.0));
        let stopped = portrait.instance.clone().unwrap();
        assert_eq!((stopped.state, stopped.seq, stopped.since), (State::Busy, 2, 2.0));
        assert_eq!((stopped.phase.as_deref(), &stopped.ask), (Some("stopped"), &None));
        assert!(portrait.resume(4.0) && !portrait.resume(5.0));
        let back = portrait.instance.clone().unwrap();
        assert_eq!((back.state, back.seq, back.since), (State::Ask, 3, 4.0));
        assert_eq!((back.phase.as_deref(), back.ask.is_some(), back.turn), (None, true, 2));
        assert!(!portrait.update(&asks, &facts, 6.0));
        // What comes first after it takes its place.
        portrait.pause(7.0);
        assert!(portrait.update(&asks, &facts, 8.0) && !portrait.resume(9.0));
        portrait.pause(10.0);
        portrait.leave(11.0);
        assert!(!portrait.resume(12.0) && !portrait.pause(12.0));
        assert_eq!(portrait.instance.unwrap().state, State::Exited);
    }

    #[test]
    fn the_pane_is_named_with_its_server() {
        let facts = facts(&[("TMUX", "/tmp/a,b/default,123,0"), ("TMUX_PANE", "%3")]);
        assert_eq!(facts.tmux_socket.as_deref(), Some("/tmp/a,b/default"));
        assert_eq!(facts.tmux_pane.as_deref(), Some("%3"));
        let vars = fixed::env("/h", &[("TMUX", "/s,1,0"), ("TMUX_PANE", "%3")]);
        let script = Facts::new(Mode::Print, &vars);
        let at_a_terminal = script.tty.is_some();
        assert_eq!(script.tmux_pane.is_some(), at_a_terminal, "inherited by a tool is not owned");
        assert_eq!(script.tmux_socket.is_some(), at_a_terminal);
    }
}
