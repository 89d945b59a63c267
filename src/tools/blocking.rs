//! Work on the disk that may never come back: a mount that is gone, a file of the kernel that waits
//! for news. It runs on a thread of its own, which is left behind when it does not end.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::CallContext;
use super::file_access::cancelled;
use super::path_guard::{self, GuardedPath};
use crate::protocol::ToolReturnValue;

/// How long the work on one file may take before a call gives up.
const FILE_LIMIT: Duration = Duration::from_secs(20);

/// Why work has no result.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfinished {
    Cancelled,
    /// It did not come back in this time.
    Stuck(Duration),
    /// Its thread broke down.
    Broken,
}

impl From<Unfinished> for ToolReturnValue {
    fn from(why: Unfinished) -> Self {
        match why {
            Unfinished::Cancelled => cancelled(),
            Unfinished::Stuck(limit) => Self::error(
                format!(
                    "Reading did not end within {} seconds: the file may wait for data that never comes, or its file system may not answer. Try a Shell command with a timeout.",
                    limit.as_secs()
                ),
                "Timed out",
            ),
            Unfinished::Broken => Self::error("The tool broke down.", "Tool runtime error"),
        }
    }
}

/// Runs work until it ends, the time is up or the call is cancelled; then its thread is left alone.
pub async fn bounded<T: Send + 'static>(
    limit: Duration,
    cancel: &CancellationToken,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unfinished> {
    let task = tokio::task::spawn_blocking(work);
    tokio::select! {
        biased;
        done = task => done.map_err(|_| Unfinished::Broken),
        () = cancel.cancelled() => Err(Unfinished::Cancelled),
        () = tokio::time::sleep(limit) => Err(Unfinished::Stuck(limit)),
    }
}

/// Guards the path that a model wrote and does the work on where it leads. `verb` says what is to
/// be done, for the refusal.
pub async fn on_file<T: Send + 'static>(
    cx: &CallContext,
    input: String,
    verb: &'static str,
    work: impl FnOnce(GuardedPath) -> Result<T, ToolReturnValue> + Send + 'static,
) -> Result<T, ToolReturnValue> {
    let (workspace, env) = (Arc::clone(&cx.workspace), cx.env.clone());
    bounded(FILE_LIMIT, &cx.cancel, move || {
        work(path_guard::resolve_public(&input, &workspace, &env, verb)?)
    })
    .await?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::Bench;
    use std::sync::mpsc;

    #[tokio::test]
    async fn what_never_comes_back_is_left_behind() {
        let (_never, wait) = mpsc::channel::<()>();
        let cancel = CancellationToken::new();
        let limit = Duration::from_millis(20);
        let ended = bounded(limit, &cancel, move || wait.recv()).await;
        assert_eq!(ended, Err(Unfinished::Stuck(limit)));
        let error = ToolReturnValue::from(Unfinished::Stuck(limit));
        assert!(error.is_error && error.message.contains("did not end"));
    }

    #[tokio::test]
    async fn a_cancel_does_not_wait_for_a_file_that_blocks() {
        let bench = Bench::new();
        let (release, wait) = mpsc::channel::<()>();
        let cancel = bench.cx.cancel.clone();
        let ended = on_file(&bench.cx, "a".into(), "read", move |_| {
            cancel.cancel();
            Ok(wait.recv())
        })
        .await;
        assert_eq!(ended.unwrap_err(), cancelled());
        drop(release);
    }
}
