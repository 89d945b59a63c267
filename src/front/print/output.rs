//! The way to stdout and stderr: pieces in order, written by a thread.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::{Notify, mpsc, oneshot};

/// At most so many bytes are gathered for one write.
const MAX_WRITE: usize = 64 * 1024;

/// One of the two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Out,
    Err,
}

/// Text for stdout and stderr, in order.
#[derive(Debug, Default)]
pub(super) struct Pieces(Vec<(Target, String)>);

impl Pieces {
    /// Adds text for stdout.
    pub fn out(&mut self, text: &str) {
        self.push(Target::Out, text);
    }

    /// Adds text for stderr.
    pub fn err(&mut self, text: &str) {
        self.push(Target::Err, text);
    }

    /// Adds a JSON value as a line for stdout.
    pub fn record(&mut self, record: &impl serde::Serialize) {
        match serde_json::to_string(record) {
            Ok(mut line) => {
                line.push('\n');
                self.out(&line);
            }
            // Only a map with keys that are no strings could fail, and there is none.
            Err(error) => tracing::error!(%error, "a record could not be written"),
        }
    }

    /// Adds text for one of the two.
    pub fn push(&mut self, target: Target, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some((last, so_far)) if *last == target => so_far.push_str(text),
            _ => self.0.push((target, text.to_owned())),
        }
    }

    /// What was added, and nothing any more.
    pub fn take(&mut self) -> Vec<(Target, String)> {
        std::mem::take(&mut self.0)
    }
}

/// Hands pieces to the thread that writes them.
pub(super) struct Output {
    pieces: mpsc::UnboundedSender<(Target, String)>,
    closed: Arc<Closed>,
}

/// Whether stdout still takes text.
#[derive(Default)]
struct Closed {
    state: AtomicU8,
    notify: Notify,
}

const OPEN: u8 = 0;
/// The reader has gone away.
const UNREAD: u8 = 1;
/// Writing failed for another reason.
const FAILED: u8 = 2;

/// The writing thread's end.
pub(super) struct Writer {
    done: oneshot::Receiver<()>,
    closed: Arc<Closed>,
}

impl Output {
    /// Starts the thread.
    pub fn start<O, E>(stdout: O, stderr: E) -> (Self, Writer)
    where
        O: Write + Send + 'static,
        E: Write + Send + 'static,
    {
        let (pieces, queue) = mpsc::unbounded_channel();
        let (tell_done, done) = oneshot::channel();
        let closed = Arc::new(Closed::default());
        let for_thread = Arc::clone(&closed);
        let spawned = std::thread::Builder::new().name("print".to_owned()).spawn(move || {
            write_all(queue, stdout, stderr, &for_thread);
            // Nobody waits any more when the time was up.
            let _ = tell_done.send(());
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for the output");
            closed.set(FAILED);
        }
        (Self { pieces, closed: Arc::clone(&closed) }, Writer { done, closed })
    }

    /// Writes the pieces, soon. Never waits.
    pub fn send(&self, pieces: &mut Pieces) {
        for piece in pieces.take() {
            // Fails when the thread could not be started, which shows as a closed stdout.
            let _ = self.pieces.send(piece);
        }
    }

    /// Waits until stdout takes no more text.
    pub async fn closed(&self) {
        let notified = self.closed.notify.notified();
        if self.closed.state() == OPEN {
            notified.await;
        }
    }
}

impl Closed {
    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Release);
        self.notify.notify_one();
    }

    fn state(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }
}

impl Writer {
    /// Waits until everything is written. Only once every [`Output`] is dropped this can end.
    pub async fn written(&mut self) {
        // An error says that the thread is gone, and so is everything it could write.
        if !self.done.is_terminated() {
            drop((&mut self.done).await);
        }
    }

    /// Whether stdout could not be written although somebody may still read it.
    pub fn has_failed(&self) -> bool {
        self.closed.state() == FAILED
    }
}

/// Writes until the queue ends. Pieces that wait for the same stream go out together.
fn write_all(
    mut queue: mpsc::UnboundedReceiver<(Target, String)>,
    mut stdout: impl Write,
    mut stderr: impl Write,
    closed: &Closed,
) {
    let mut next = queue.blocking_recv();
    while let Some((target, mut text)) = next.take() {
        while text.len() < MAX_WRITE {
            match queue.try_recv() {
                Ok((same, more)) if same == target => text.push_str(&more),
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        match target {
            Target::Out if closed.state() != OPEN => {}
            Target::Out => match write(&mut stdout, &text) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => closed.set(UNREAD),
                Err(error) => {
                    let told = format!("Standard output cannot be written: {error}\n");
                    drop(write(&mut stderr, &told));
                    closed.set(FAILED);
                }
            },
            // Without stderr there is nobody to tell.
            Target::Err => drop(write(&mut stderr, &text)),
        }
        if next.is_none() {
            next = queue.blocking_recv();
        }
    }
}

fn write(stream: &mut impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}
