//! `kimi --acp`, in whose place `kimi acp` is: every call is refused.

use std::io::Write;

use tokio::io::AsyncBufRead;

use super::rpc::{self, Incoming, Refusal, RpcError};
use crate::front::lines::{MAX_CLIENT_LINE, RawLine, lines};

/// What to do instead.
const INSTEAD: &str = "`kimi --acp` is deprecated. Start `kimi acp` instead.";

/// Refuses every call, to the end of stdin or of the client.
pub(super) async fn refuse(
    stdin: impl AsyncBufRead + Send + Unpin + 'static,
    mut stdout: impl Write,
) -> std::io::Result<()> {
    let mut lines = lines(stdin, MAX_CLIENT_LINE);
    while let Some(line) = lines.recv().await {
        let RawLine::Whole(line) = line else { continue };
        if let Ok(Incoming::Call { id, .. }) = rpc::read(&line)
            && let Some(line) = rpc::error(&Refusal { id, error: RpcError::params(INSTEAD) })
            && stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}
