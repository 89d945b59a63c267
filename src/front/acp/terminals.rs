//! Terminals of the client, for the commands of a session: the user sees them run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::clean::cleaned;
use super::peer::{GONE, Peer};
use crate::tools::{NoTerminal, Terminal, TerminalCommand, TerminalEnd, TerminalOutput, Terminals};

/// Bytes of what a command has printed that the client keeps at least to tell us: the end of it.
const MAX_OUTPUT: u64 = 1 << 20;

/// Which calls the client shows in a terminal: its id of that by the model's id of the call. Clones are the
/// same.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Arc<Mutex<HashMap<String, String>>>);

impl Shown {
    /// A terminal as the content of a call; `None` for one that has none.
    pub fn content(&self, call_id: &str) -> Option<Value> {
        self.lock().get(call_id).map(content)
    }

    /// The same, once: the call has ended, and the next one of that id has nothing to do with it.
    pub fn take(&self, call_id: &str) -> Option<Value> {
        self.lock().remove(call_id).as_ref().map(content)
    }

    pub(super) fn put(&self, call_id: &str, terminal_id: &str) {
        self.lock().insert(call_id.to_owned(), terminal_id.to_owned());
    }

    /// A panic elsewhere leaves the map whole, so a poisoned lock is taken as it is.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn content(terminal_id: &String) -> Value {
    json!({"type": "terminal", "terminalId": terminal_id})
}

/// The terminals of a client for a session.
pub(super) struct ClientTerminals {
    peer: Peer,
    session_id: String,
    shown: Shown,
}

impl ClientTerminals {
    /// Those of this client, if it has any.
    pub fn of(peer: &Peer, session_id: &str, shown: &Shown) -> Option<Arc<Self>> {
        peer.can().terminal.then(|| {
            let (peer, session_id) = (peer.clone(), session_id.to_owned());
            Arc::new(Self { peer, session_id, shown: shown.clone() })
        })
    }
}

#[async_trait]
impl Terminals for ClientTerminals {
    async fn open(
        &self,
        call_id: &str,
        command: TerminalCommand,
    ) -> Result<Box<dyn Terminal>, NoTerminal> {
        let environment = command.environment.iter();
        let environment: Vec<Value> =
            environment.map(|(name, value)| json!({"name": name, "value": value})).collect();
        let params = json!({
            "sessionId": self.session_id,
            "command": command.program,
            "args": command.arguments,
            "env": environment,
            "cwd": command.work_dir,
            "outputByteLimit": MAX_OUTPUT,
        });
        let opened = self.peer.call("terminal/create", &params).await.map_err(|why| {
            if why == GONE { NoTerminal::Lost(why) } else { NoTerminal::Refused(cleaned(&why)) }
        })?;
        let Some(id) = opened["terminalId"].as_str() else {
            return Err(NoTerminal::Lost("it did not name the one it has opened".to_owned()));
        };
        self.shown.put(call_id, id);
        let params = json!({"sessionId": self.session_id, "terminalId": id});
        Ok(Box::new(ClientTerminal { peer: self.peer.clone(), params }))
    }
}

/// A terminal of the client.
struct ClientTerminal {
    peer: Peer,
    /// Those of all calls about it.
    params: Value,
}

#[async_trait]
impl Terminal for ClientTerminal {
    async fn wait(&self) -> Result<TerminalEnd, String> {
        let end = self.ask("terminal/wait_for_exit").await?;
        let signal = end["signal"].as_str().filter(|signal| !signal.is_empty());
        Ok(TerminalEnd {
            exit_code: end["exitCode"].as_i64(),
            signal: signal.map(|signal| cleaned(signal).chars().take(40).collect()),
        })
    }

    async fn output(&self) -> Result<TerminalOutput, String> {
        let output = self.ask("terminal/output").await?;
        let Some(text) = output["output"].as_str() else {
            return Err("its answer names no output".to_owned());
        };
        Ok(TerminalOutput {
            text: cleaned(text),
            truncated: output["truncated"].as_bool().unwrap_or_default(),
        })
    }

    async fn kill(&self) {
        self.tell("terminal/kill").await;
    }

    async fn release(&self) {
        self.tell("terminal/release").await;
    }
}

impl ClientTerminal {
    async fn ask(&self, method: &str) -> Result<Value, String> {
        self.peer.call(method, &self.params).await.map_err(|why| cleaned(&why))
    }

    /// Calls a method of which the answer changes nothing. A client that is gone may still read: it hears of
    /// it, too.
    async fn tell(&self, method: &str) {
        match self.peer.call(method, &self.params).await {
            Ok(_) => {}
            Err(why) if why == GONE => self.peer.call_unanswered(method, &self.params),
            Err(why) => tracing::debug!(why, method, "the client did not do it"),
        }
    }
}
