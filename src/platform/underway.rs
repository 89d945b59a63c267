//! Renewals of tokens under way, be they of an account or of a server, which the process waits for before
//! it ends.
//!
//! The authority forgets the old refresh token as soon as it has given a new one. A process that ends
//! between that and the file has signed the person out.

use std::time::Duration;

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tracing::warn;

/// How long the end of the process waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Those of this process, whatever they are for.
pub static UNDERWAY: Underway = Underway::new();

/// Renewals share a lock; the end of the process wants it alone, and then keeps it: who comes after the
/// end asks the authority for nothing.
pub struct Underway(RwLock<()>);

/// The end of the process: as long as it is kept, no renewal begins.
#[must_use]
pub struct Settled {
    _alone: Option<RwLockWriteGuard<'static, ()>>,
}

impl Underway {
    const fn new() -> Self {
        Self(RwLock::const_new(()))
    }

    /// A renewal begins, and ends with the guard. It waits for ever once the process is ending.
    pub async fn begin(&self) -> RwLockReadGuard<'_, ()> {
        self.0.read().await
    }

    /// Waits for those that have begun; `None` when `patience` was not enough.
    async fn settle(&self, patience: Duration) -> Option<RwLockWriteGuard<'_, ()>> {
        tokio::time::timeout(patience, self.0.write()).await.ok()
    }
}

/// Waits until no renewal is under way, though not longer than 10 s. To be awaited last of all on the runtime
/// that requests were made on, and kept until that is shut down.
pub async fn settle() -> Settled {
    let alone = UNDERWAY.settle(PATIENCE).await;
    if alone.is_none() {
        warn!("the process ends while a token is being renewed");
    }
    Settled { _alone: alone }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn the_end_waits_for_what_has_begun_and_lets_nothing_begin() {
        let underway = Underway::new();
        let (first, second) = (underway.begin().await, underway.begin().await);
        let mut end = Box::pin(underway.settle(PATIENCE));
        assert!(end.as_mut().now_or_never().is_none());
        assert!(underway.begin().now_or_never().is_none(), "the end goes first");
        drop(first);
        assert!(end.as_mut().now_or_never().is_none());
        drop(second);
        let alone = end.await;
        assert!(alone.is_some() && underway.begin().now_or_never().is_none());
    }

    #[tokio::test]
    async fn the_end_does_not_wait_for_ever() {
        let underway = Underway::new();
        let _hanging = underway.begin().await;
        assert!(underway.settle(Duration::from_millis(10)).await.is_none());
    }
}
