//! The wire server: a program drives the session over JSON-RPC, one message a line, on stdin and stdout
//! (protocol 1.10).
//!
//! | file | subject |
//! |---|---|
//! | `rpc` | lines: what comes in, what goes out, error codes |
//! | `params` | what the methods take and return |
//! | `server` | the loop: methods, messages of the session, the end |
//! | `answers` | requests that wait for the client |
//! | `relay` | messages of the session as clients get them |
//! | `replay` | the session's record as messages |
//!
//! # Order
//!
//! Nothing is sent before the client's first message, and the first line is the answer to it. Within a
//! prompt everything goes out in the order in which the session told it, and the answer to the prompt
//! comes last. Between prompts there is nothing but answers, the news that plan mode was switched, and
//! requests of hooks that come late. A notification from between two prompts waits for the next one's
//! `TurnBegin`.
//!
//! # Ends
//!
//! The end of stdin, SIGINT, SIGTERM and a client that no longer reads all mean the same: what waits for
//! the client is answered in its place, a running turn is cancelled, the session is closed, all within the
//! three seconds after which clients kill us, with status 0.

mod answers;
#[cfg(any(test, fuzzing))]
mod checked;
mod params;
mod relay;
mod replay;
mod rpc;
mod server;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::AsyncBufRead;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

#[cfg(any(test, fuzzing))]
pub use self::checked::check_line;
use self::server::Server;
use crate::agent::ClientView;
use crate::front::ending::ExitCode;
use crate::front::lines::{MAX_CLIENT_LINE, lines, stdin};
use crate::front::outbox::Outbox;
use crate::front::signals::{Signal, listen};
use crate::mcp::servers::Servers;
use crate::protocol::{Message, Op};

/// The two ends of a session, and what else a client may want of it.
pub struct Link {
    pub ops: UnboundedSender<Op>,
    pub messages: UnboundedReceiver<Arc<Message>>,
    pub client: ClientView,
    /// Not started yet: they are told what the client can show.
    pub servers: Option<Arc<Servers>>,
    /// The session's `wire.jsonl`.
    pub record: PathBuf,
    /// The program's version, as clients are told.
    pub version: &'static str,
}

/// Serves the client until it is gone or somebody ends us. The session is told to shut down.
///
/// The runtime may still hold a read of stdin when this returns: shut it down in the background.
pub async fn run<I, O>(
    link: Link,
    stdin: I,
    stdout: O,
    signals: UnboundedReceiver<Signal>,
) -> std::io::Result<ExitCode>
where
    I: AsyncBufRead + Send + Unpin + 'static,
    O: Write + Send + 'static,
{
    let (outbox, written) = Outbox::start(stdout)?;
    let code =
        Server::new(link, outbox.clone(), lines(stdin, MAX_CLIENT_LINE), signals).run().await;
    outbox.finish(written).await;
    Ok(code)
}

/// [`run`] on the streams and signals of this process.
pub async fn run_on_process(link: Link) -> std::io::Result<ExitCode> {
    let signals = listen()?;
    run(link, stdin(), std::io::stdout(), signals).await
}
