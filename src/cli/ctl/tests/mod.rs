//! The whole of `kimi ctl` against instances that are made up, honest and hostile ones.

mod driving;
mod finding;
mod hostile;
mod together;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::caller::Caller;
use super::link::PATIENCE;
use crate::cli::{Args, Command, UsageError};
use crate::platform::Env;
use crate::platform::env::{RandomIds, SystemClock};
use crate::protocol::control::{Answer, CONTROL_VERSION, Instance, LastTurn, Mode, Receipt, State};
use crate::store::{RunDir, ShareDir};

/// A home in which instances seem to run.
pub struct World {
    dir: tempfile::TempDir,
    pub env: Env,
    pub patience: Duration,
    /// The width of the terminal that stdout is.
    pub columns: Option<usize>,
}

/// How a call ended.
#[derive(Debug)]
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> Self {
        Self::with_vars(&[])
    }

    pub fn with_vars(vars: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vars: HashMap<String, String> =
            vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let home = dir.path().to_path_buf();
        let clock = Arc::new(SystemClock);
        let env = Env::new(vars, home.clone(), home, clock, Arc::new(RandomIds));
        Self { dir, env, patience: PATIENCE, columns: None }
    }

    pub fn run_dir(&self) -> RunDir {
        RunDir::new(&ShareDir::from_env(&self.env), &self.env)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What the state file of an idle instance says.
    pub fn instance(&self, pid: u32) -> Instance {
        Instance {
            v: CONTROL_VERSION,
            seq: 1,
            state: State::Idle,
            turn: 3,
            phase: None,
            since: self.env.unix_now(),
            mode: Mode::Tui,
            version: "1.60.0".to_owned(),
            pid,
            started: 1000.0 + f64::from(pid),
            tty: None,
            tmux_pane: Some(format!("%{pid}")),
            tmux_socket: Some("/tmp/tmux-0/default".to_owned()),
            cao_terminal_id: None,
            session: format!("{pid:08}-aaaa-4000-8000-000000000001"),
            session_dir: "/s".to_owned(),
            cwd: self.path("project").display().to_string(),
            model: Some("k2".to_owned()),
            context: 0.051,
            queued: 0,
            input: None,
            ask: None,
            last: None,
            socket: Some(self.run_dir().socket_path(pid).unwrap().display().to_string()),
        }
    }

    /// Lets an instance run that does with each line what `act` does; it hangs up when that says so.
    pub fn serve(
        &self,
        instance: &Instance,
        act: impl Fn(&Value, &mut UnixStream) -> bool + Send + Sync + 'static,
    ) {
        self.run_dir().write(instance).unwrap();
        let listener = UnixListener::bind(instance.socket.as_ref().unwrap()).unwrap();
        let act = Arc::new(act);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let act = Arc::clone(&act);
                std::thread::spawn(move || {
                    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    for line in lines.map_while(Result::ok) {
                        if !act(&serde_json::from_str(&line).unwrap(), &mut stream) {
                            return;
                        }
                    }
                });
            }
        });
    }

    /// An instance that answers each operation with these lines and keeps what it was told.
    pub fn script(&self, instance: &Instance, lines: &[(&str, Vec<Value>)]) -> Heard {
        let lines: HashMap<String, Vec<Value>> =
            lines.iter().map(|(op, lines)| ((*op).to_owned(), lines.clone())).collect();
        let heard = Heard::default();
        let theirs = heard.clone();
        self.serve(instance, move |command, stream| {
            theirs.0.lock().unwrap().push(command.clone());
            let lines = &lines[command["op"].as_str().unwrap()];
            // A null is silence, and the end of the lines is the end of the connection.
            for line in lines {
                if line.is_null() {
                    return true;
                }
                writeln!(stream, "{line}").unwrap();
            }
            command["op"] != "watch" && command["op"] != "wait"
        });
        heard
    }

    /// `kimi ctl` with these words.
    pub fn ctl(&self, words: &[&str]) -> Ran {
        self.ctl_with(words, None)
    }

    /// The same with this on stdin; without, it is a terminal.
    pub fn ctl_with(&self, words: &[&str], input: Option<&[u8]>) -> Ran {
        let words = ["kimi", "ctl"].iter().chain(words).map(OsString::from).collect();
        let args = match Args::read(words) {
            Ok(args) => args,
            Err(error) => {
                let err = UsageError::from_parser(&error).to_string();
                return Ran { code: 2, out: error.to_string(), err };
            }
        };
        let Some(Command::Ctl { command }) = args.command else { panic!("not ctl") };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut caller = Caller {
            env: &self.env,
            input_is_terminal: input.is_none(),
            input: &mut input.unwrap_or_default(),
            out: &mut out,
            err: &mut err,
            columns: self.columns,
            patience: self.patience,
        };
        let code = caller.run(command.as_ref()).status();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code, out: text(out), err: text(err) }
    }
}

/// What an instance was told.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<Value>>>);

impl Heard {
    /// The commands of this kind.
    pub fn of(&self, op: &str) -> Vec<Value> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|command| command["op"] == op).cloned().collect()
    }
}

/// A line with this state.
pub fn with_state(state: &Instance) -> Value {
    let state = Some(Box::new(state.clone()));
    serde_json::to_value(Answer { state, ..Answer::ok() }).unwrap()
}

/// A line that refuses.
pub fn refusal(code: &str, message: &str) -> Value {
    json!({"ok": false, "error": {"code": code, "message": message}})
}

/// The receipt for a text.
pub fn receipt(n: u64, text: &str, turn: Option<u64>) -> Receipt {
    use sha2::{Digest, Sha256};
    let sha256 = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    Receipt { n, sha256, bytes: text.len(), turn }
}

/// The end of a turn with this answer.
pub fn ended(turn: u64, text: &str) -> LastTurn {
    LastTurn {
        turn,
        finish: crate::protocol::control::Finish::Done,
        error: None,
        path: Some("/s/last_message.md".to_owned()),
        sha256: Some(receipt(1, text, None).sha256),
        bytes: text.len(),
    }
}
