//! Files through the client, which may have changes of its user that are not saved yet.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::params::FileSystem;
use super::peer::{Answer, Peer};
use crate::tools::Editor;

/// How long the client may take for a file.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files of a client.
pub(super) struct ClientFiles {
    peer: Peer,
    session_id: String,
    can: FileSystem,
    runtime: Handle,
}

impl ClientFiles {
    /// The files of this client for a session, if it reads or writes any. Needs a running runtime.
    pub fn of(peer: &Peer, session_id: &str) -> Option<Arc<Self>> {
        let can = peer.can().fs;
        (can.read_text_file || can.write_text_file).then(|| {
            let (peer, session_id) = (peer.clone(), session_id.to_owned());
            Arc::new(Self { peer, session_id, can, runtime: Handle::current() })
        })
    }

    fn call(&self, method: &str, params: &Value) -> Answer {
        let late = || Err(format!("the editor did not answer within {} s", PATIENCE.as_secs()));
        self.runtime.block_on(async {
            let call = tokio::time::timeout(PATIENCE, self.peer.call(method, params));
            call.await.unwrap_or_else(|_| late())
        })
    }
}

impl Editor for ClientFiles {
    fn read(&self, path: &Path) -> Option<String> {
        if !self.can.read_text_file {
            return None;
        }
        let params = json!({"sessionId": self.session_id, "path": path.to_string_lossy()});
        match self.call("fs/read_text_file", &params) {
            Ok(result) => result["content"].as_str().map(str::to_owned),
            // It has its reasons, such as a file outside of the project.
            Err(why) => {
                tracing::debug!(why, "the client does not read a file");
                None
            }
        }
    }

    fn write(&self, path: &Path, text: &str) -> Option<Result<(), String>> {
        let params = json!({
            "sessionId": self.session_id,
            "path": path.to_string_lossy(),
            "content": text,
        });
        let written = || self.call("fs/write_text_file", &params).map(drop);
        self.can.write_text_file.then(written)
    }
}
