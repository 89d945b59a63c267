//! The state as files, written by a thread of its own: no front end waits for a disk.
//!
//! A state that comes while another is written replaces those before it. The thread also opens the
//! socket, before it writes the first state, and takes socket and run file away at the end.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use crate::platform::Env;
use crate::platform::env::STATE_FILE_VARIABLE;
use crate::protocol::control::{Instance, State};
use crate::store::{RunDir, ShareDir, StoreError, write_state};

use super::portrait::Portrait;

/// The file in the session's directory.
const IN_SESSION: &str = "instance.json";

/// Where states are written.
pub(super) struct Publisher {
    run: RunDir,
    pid: u32,
    /// False when the run file belongs to another process.
    has_run_file: bool,
    /// `$KIMI_STATE_FILE`.
    own: Option<PathBuf>,
    /// The file in the directory of the open session.
    in_session: Option<PathBuf>,
    /// What could not be written is told of once.
    failed: Vec<PathBuf>,
}

impl Publisher {
    /// Nothing is touched yet.
    pub fn new(env: &Env, share: &ShareDir) -> Self {
        Self {
            run: RunDir::new(share, env),
            pid: std::process::id(),
            has_run_file: true,
            own: env.var(STATE_FILE_VARIABLE).map(|path| env.cwd.join(path)),
            in_session: None,
            failed: Vec::new(),
        }
    }

    /// Opens the socket. Without one the instance still shows its state.
    pub fn open_socket(&mut self) -> Option<(UnixListener, PathBuf)> {
        match self.bind() {
            Ok(socket) => Some(socket),
            Err(error) => {
                // The other one with this number has the file, too.
                self.has_run_file = !is_taken(&error);
                tracing::warn!(%error, "other programs cannot talk to this instance");
                None
            }
        }
    }

    fn bind(&self) -> Result<(UnixListener, PathBuf), StoreError> {
        self.run.make()?;
        let path = self.run.socket_room(self.pid)?;
        let bound = || -> io::Result<UnixListener> {
            let listener = UnixListener::bind(&path)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        match bound() {
            Ok(listener) => Ok((listener, path)),
            Err(source) => Err(StoreError::Io { action: "bind", path, source }),
        }
    }

    /// Writes every state until the last, and hands on what is written.
    pub fn run(
        mut self,
        runtime: &tokio::runtime::Handle,
        mut states: watch::Receiver<Portrait>,
        written: &watch::Sender<Option<Arc<Instance>>>,
    ) {
        let mut leaving = false;
        while !leaving && runtime.block_on(states.changed()).is_ok() {
            let instance = {
                let portrait = states.borrow_and_update();
                leaving = portrait.leaving;
                portrait.instance.clone()
            };
            if let Some(instance) = instance {
                self.write(&instance);
                written.send_replace(Some(instance));
            }
        }
        if self.has_run_file {
            self.run.remove(self.pid);
        }
    }

    fn write(&mut self, instance: &Instance) {
        if self.has_run_file && instance.state != State::Exited {
            let wrote = self.run.write(instance);
            self.note(self.run.state_file(self.pid), wrote);
        }
        if let Some(path) = self.own.clone() {
            let wrote = replace(&path, instance);
            self.note(path, wrote);
        }
        let in_session = Path::new(&instance.session_dir).join(IN_SESSION);
        if self.in_session.as_ref() != Some(&in_session) {
            // The session that was left is open here no more.
            if let Some(left) = self.in_session.replace(in_session.clone()) {
                let _ = std::fs::remove_file(left);
            }
        }
        // One without records is removed when it is left, and not made again.
        if in_session.is_absolute() && in_session.parent().is_some_and(Path::is_dir) {
            let wrote = replace(&in_session, instance);
            self.note(in_session, wrote);
        }
    }

    fn note<E: std::fmt::Display>(&mut self, path: PathBuf, wrote: Result<(), E>) {
        match wrote {
            Ok(()) => self.failed.retain(|failed| *failed != path),
            Err(error) if !self.failed.contains(&path) => {
                tracing::warn!(%error, path = %path.display(), "the state cannot be written");
                self.failed.push(path);
            }
            Err(_) => {}
        }
    }
}

/// Replaces a file, but nothing else: `KIMI_STATE_FILE=/dev/null` must not cost the device.
fn replace(path: &Path, instance: &Instance) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    write_state(path, instance)
}

fn is_taken(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests;
