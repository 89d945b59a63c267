//! The ACP server: an editor drives sessions over JSON-RPC, one message a line, on stdin and stdout
//! (Agent Client Protocol, version 1).
//!
//! | file | subject |
//! |---|---|
//! | `rpc`, `params` | lines, error codes; what the methods take |
//! | `server` | the loop: methods, sessions by id, the end |
//! | `introduction` | what we say of ourselves |
//! | `opening`, `servers`, `list` | opening sessions, their MCP servers, which there are |
//! | `failures` | servers that are not there |
//! | `session` | one session: prompts, choices, its end |
//! | `choices` | modes and models |
//! | `content`, `clean` | content blocks, in and out; foreign text made harmless |
//! | `updates`, `calls` | what the session tells; its tool calls |
//! | `record` | what was told in a session before |
//! | `peer` | the client as sessions see it: told things, and called |
//! | `asking`, `files`, `terminals` | such calls: approvals and questions; files as the editor has them; commands in its terminals |
//! | `forms`, `filled` | questions as forms; forms of MCP servers |
//! | `deprecated` | the option in whose place this is |
//!
//! The protocol's own crate of types is not used: it is 48,000 lines and three more crates, of which this
//! side needs a few dozen fields.
//!
//! # Order
//!
//! Each session tells its news in the order in which they happen; the answer to a prompt comes after all of
//! the turn. The answer to `session/load` comes after everything that was said before. Sessions do not
//! wait for each other.
//!
//! # Ends
//!
//! The end of stdin, SIGINT, SIGTERM and a client that no longer reads all mean the same: turns are
//! cancelled, sessions closed with their servers, each within its time, with status 0.

mod asking;
mod calls;
#[cfg(any(test, fuzzing))]
mod checked;
mod choices;
mod clean;
mod content;
mod deprecated;
mod failures;
mod files;
mod filled;
mod forms;
mod introduction;
mod list;
mod opening;
mod params;
mod peer;
mod record;
mod rpc;
mod server;
mod servers;
mod session;
mod terminals;
mod updates;

use std::io::Write;
use std::path::PathBuf;

use tokio::io::AsyncBufRead;
use tokio::sync::mpsc::UnboundedReceiver;

#[cfg(any(test, fuzzing))]
pub use self::checked::check_line;
pub use self::opening::Hosts;
use self::server::Server;
use crate::front::lines::{MAX_CLIENT_LINE, lines, stdin};
use crate::front::outbox::Outbox;
use crate::front::signals::{Signal, listen};
use crate::store::SessionStore;

/// What the server works with.
pub struct Link {
    pub hosts: Hosts,
    pub store: SessionStore,
    /// Where the configuration is looked at without a session.
    pub cwd: PathBuf,
    /// The program's version, as clients are told.
    pub version: &'static str,
}

/// Serves the client until it is gone or somebody ends us.
///
/// The runtime may still hold a read of stdin when this returns: shut it down in the background.
pub async fn run<I, O>(
    link: Link,
    stdin: I,
    stdout: O,
    signals: UnboundedReceiver<Signal>,
) -> std::io::Result<()>
where
    I: AsyncBufRead + Send + Unpin + 'static,
    O: Write + Send + 'static,
{
    let (outbox, written) = Outbox::start(stdout)?;
    Server::new(link, outbox.clone(), lines(stdin, MAX_CLIENT_LINE), signals).run().await;
    outbox.finish(written).await;
    Ok(())
}

/// [`run`] on the streams and signals of this process.
pub async fn run_on_process(link: Link) -> std::io::Result<()> {
    let signals = listen()?;
    run(link, stdin(), std::io::stdout(), signals).await
}

/// Tells a client of `kimi --acp` what to start instead, to the end of stdin.
pub async fn refuse_on_process() -> std::io::Result<()> {
    let stdin = stdin();
    deprecated::refuse(stdin, std::io::stdout()).await
}
