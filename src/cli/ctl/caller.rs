//! Who calls `kimi ctl`: the streams, and how things are said on them.

use std::io::{Read, Write};
use std::time::Duration;

use super::args::{CtlCommand, Target};
use super::link::{Deadline, Link};
use super::stopped::{is_stopped, mark_stopped};
use super::target::choose;
use super::trouble::Trouble;
use super::words::who;
use super::{answer, interrupt, last, list, send, state, wait, watch};
use crate::cli::{ExitCode, UsageError};
use crate::front::text::clean;
use crate::platform::Env;
use crate::protocol::control::Instance;
use crate::store::{RunDir, ShareDir};

/// The pause between two looks at an instance that is stopped.
const LOOK: Duration = Duration::from_millis(50);

/// The streams of a call and what surrounds them.
pub(super) struct Caller<'a> {
    pub env: &'a Env,
    pub input: &'a mut dyn Read,
    pub input_is_terminal: bool,
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
    /// The width of the terminal that stdout is; `None` in a pipe.
    pub columns: Option<usize>,
    /// How long an instance may take for what needs no waiting.
    pub patience: Duration,
}

impl<'a> Caller<'a> {
    /// Carries out the command and says what went wrong.
    pub fn run(&mut self, command: Option<&CtlCommand>) -> ExitCode {
        let done = match command {
            None => Err(UsageError::missing(
                "a command: list, state, wait, watch, last, send, answer or interrupt",
            )
            .into()),
            Some(CtlCommand::List { json }) => list::run(self, *json),
            Some(CtlCommand::State { target, json }) => state::run(self, target, *json),
            Some(CtlCommand::Wait { target, bounds }) => wait::run(self, target, bounds),
            Some(CtlCommand::Watch { target, json }) => watch::run(self, target, *json),
            Some(CtlCommand::Last { target, json }) => last::run(self, target, *json),
            Some(CtlCommand::Send { target, options }) => send::run(self, target, options),
            Some(CtlCommand::Answer { target, options }) => answer::run(self, target, options),
            Some(CtlCommand::Interrupt { target, json }) => interrupt::run(self, target, *json),
        };
        done.unwrap_or_else(|trouble| {
            match &trouble {
                Trouble::Usage(error) => {
                    let error = clean(&error.to_string());
                    let usage = "Usage: kimi ctl <COMMAND> [OPTIONS] [ARGS]...";
                    self.remark(&format!("{usage}\nTry 'kimi ctl -h' for help.\nError: {error}"));
                }
                trouble if trouble.code() == ExitCode::Success => {}
                trouble => self.remark(&format!("kimi ctl: {trouble}")),
            }
            trouble.code()
        })
    }

    /// The instances that run, the oldest first, those of kimi-code's data directory among them. What a
    /// stopped one has said last is no longer true.
    pub fn instances(&self) -> Result<Vec<Instance>, Trouble> {
        let (own, code) = (ShareDir::from_env(self.env), ShareDir::of_code(self.env));
        let mut all = RunDir::new(&own, self.env).read_all()?;
        // A data directory that was moved stands alone, as long as the other was not moved too.
        let alone =
            self.env.var("KIMI_SHARE_DIR").is_some() && ShareDir::told_code(self.env).is_none();
        if !alone && code != own {
            match RunDir::new(&code, self.env).read_all() {
                Ok(more) => {
                    // The file of one process in both: the same one, seen through a link.
                    let known: Vec<u32> = all.iter().map(|instance| instance.pid).collect();
                    all.extend(more.into_iter().filter(|one| !known.contains(&one.pid)));
                    all.sort_by(|a, b| a.started.total_cmp(&b.started).then(a.pid.cmp(&b.pid)));
                }
                // Not where this program lives: it keeps nobody from its own.
                Err(error) => tracing::warn!(%error, "instances of kimi-code are not looked for"),
            }
        }
        all.iter_mut().filter(|instance| is_stopped(instance)).for_each(mark_stopped);
        Ok(all)
    }

    /// Waits until the instance can take something, at the latest until the deadline. Without one, a
    /// stopped instance is an error: what it is sent would be done whenever it goes on.
    pub fn awake(&self, instance: &Instance, deadline: Option<Deadline>) -> Result<(), Trouble> {
        while is_stopped(instance) {
            let who = who(instance);
            match deadline {
                None => return Err(Trouble::Stopped { who }),
                Some(deadline) if deadline.has_passed(self.env) => {
                    return Err(deadline.trouble(who));
                }
                Some(_) => std::thread::sleep(LOOK),
            }
        }
        Ok(())
    }

    /// The instance that is meant.
    pub fn choose(&self, target: &Target) -> Result<Instance, Trouble> {
        choose(self.instances()?, target, self.env)
    }

    /// A connection to the instance that is meant, to look on.
    pub fn connect(&self, target: &Target) -> Result<Link<'a>, Trouble> {
        Link::open(&self.choose(target)?, self.env, self.patience)
    }

    /// A connection to the instance that is meant, to tell it something now.
    pub fn connect_awake(&self, target: &Target) -> Result<Link<'a>, Trouble> {
        let instance = self.choose(target)?;
        self.awake(&instance, None)?;
        Link::open(&instance, self.env, self.patience)
    }

    /// Writes text for people and a line end to stdout.
    pub fn say(&mut self, text: &str) -> Result<(), Trouble> {
        self.write(format!("{}\n", clean(text)).as_bytes())
    }

    /// Writes to stdout as it is.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.out.write_all(bytes).and_then(|()| self.out.flush()).map_err(Trouble::Output)
    }

    /// Writes a line to stdout as it is.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Trouble> {
        self.write(&[line, b"\n"].concat())
    }

    /// Writes text for people and a line end to stderr. When that fails there is nobody to tell.
    pub fn remark(&mut self, text: &str) {
        let _ = self.err.write_all(format!("{}\n", clean(text)).as_bytes());
    }
}
