//! Streams of events that bring none: comments keep a connection alive, a flood of them keeps us
//! busy.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{FutureExt, Stream};
use tokio::time::Sleep;

/// Bytes of comments between two messages within a while; more is a flood.
const MOST_COMMENTS: usize = 1 << 20;
const WHILE: Duration = Duration::from_secs(60);
/// Looks in vain at a stream that are free, those until the next pause after that, and the pause.
const FREE_LOOKS: u32 = 200;
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Counts the bytes of comments in a stream of events.
#[derive(Default)]
pub(super) struct Comments {
    in_line: bool,
    in_comment: bool,
    count: usize,
    while_ends: Option<Pin<Box<Sleep>>>,
}

impl Comments {
    /// The next bytes of the stream; returns whether it is flooded. Call it inside the runtime.
    pub fn are_too_many(&mut self, bytes: &[u8]) -> bool {
        if self.while_ends.as_mut().is_none_or(|end| end.now_or_never().is_some()) {
            self.while_ends = Some(Box::pin(tokio::time::sleep(WHILE)));
            self.count = 0;
        }
        for &byte in bytes {
            if matches!(byte, b'\n' | b'\r') {
                self.in_line = false;
                self.in_comment = false;
            } else if !std::mem::replace(&mut self.in_line, true) {
                self.in_comment = byte == b':';
            }
            self.count += usize::from(self.in_comment);
        }
        self.count > MOST_COMMENTS
    }

    /// A message came: the stream is of use.
    pub fn end(&mut self) {
        self.count = 0;
    }
}

/// A stream that is looked at less often the longer it wakes us for nothing; what it sends then
/// waits at the server.
pub(super) struct Paced<S> {
    inner: S,
    in_vain: u32,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, in_vain: 0, pause: None }
    }
}

impl<S: Stream + Unpin> Stream for Paced<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        match Pin::new(&mut self.inner).poll_next(cx) {
            Poll::Ready(item) => {
                self.in_vain = 0;
                Poll::Ready(item)
            }
            Poll::Pending => {
                self.in_vain += 1;
                if self.in_vain > FREE_LOOKS {
                    self.in_vain -= LOOKS;
                    let mut pause = Box::pin(tokio::time::sleep(PAUSE));
                    // It wakes us when it is over.
                    let _ = pause.as_mut().poll(cx);
                    self.pause = Some(pause);
                }
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use futures_util::stream::poll_fn;

    #[tokio::test]
    async fn comments_are_counted_wherever_the_bytes_are_torn_and_messages_are_not() {
        let mut comments = Comments::default();
        let data = format!("data: {}:\n\n", "x:".repeat(MOST_COMMENTS));
        assert!(!comments.are_too_many(data.as_bytes()));
        assert!(!comments.are_too_many(b":"));
        assert!(!comments.are_too_many(&vec![b'x'; MOST_COMMENTS - 1]));
        assert!(comments.are_too_many(b"x"));
        comments.end();
        assert!(!comments.are_too_many(b"\n: x\n"));
    }

    #[tokio::test]
    async fn a_stream_that_wakes_for_nothing_is_looked_at_less_often() {
        let mut looks = 0;
        let busy = poll_fn(|cx| {
            looks += 1;
            cx.waker().wake_by_ref();
            Poll::<Option<()>>::Pending
        });
        let patience = PAUSE * 6;
        assert!(tokio::time::timeout(patience, Paced::new(busy).next()).await.is_err());
        // On a slow machine more time passes, and more pauses with it.
        assert!((FREE_LOOKS..FREE_LOOKS + LOOKS * 200).contains(&looks), "{looks}");
    }
}
