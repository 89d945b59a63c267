//! The way to stdout: whole lines in order, written by a thread of its own.
//!
//! Whoever sends never waits: the session must not be held up by a client that does not read. What such
//! a client leaves lying is kept in memory up to a limit and then in a file without a name, so that
//! nothing is lost and memory is bounded. Who can wait asks for [`room`](Outbox::room) first.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

/// Bytes that wait in memory.
const MAX_MEMORY: usize = 8 * 1024 * 1024;
/// Bytes that wait in the file. A client that lets more come together will never read it.
const MAX_FILE: u64 = 2 * 1024 * 1024 * 1024;
/// How long the last lines may take to be written.
const LAST_WRITE: Duration = Duration::from_millis(300);
/// Bytes of one write, about.
const WRITE: usize = 64 * 1024;

/// The sending end. Clones send to the same stream.
#[derive(Clone)]
pub(in crate::front) struct Outbox(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There is something to write, or nothing comes any more.
    filled: Condvar,
    /// Something was written, or nothing can be any more.
    drained: Notify,
}

#[derive(Default)]
struct State {
    queue: VecDeque<String>,
    in_memory: usize,
    spill: Option<Spill>,
    end: End,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// Nothing comes any more.
    Closed,
    /// The reader has gone away.
    Unread,
    /// It cannot be written for another reason.
    Failed,
}

/// What waits on disk.
struct Spill {
    file: File,
    read: u64,
    written: u64,
}

/// The end of the writing thread.
pub(in crate::front) struct Written(oneshot::Receiver<()>);

impl Written {
    /// Waits until all is written that will be. Ends only once the outbox is closed.
    pub async fn wait(&mut self) {
        // An error says that the thread is gone, and so is everything it could write.
        let _ = (&mut self.0).await;
    }
}

impl Outbox {
    /// Starts the thread.
    pub fn start(stdout: impl Write + Send + 'static) -> io::Result<(Self, Written)> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            filled: Condvar::new(),
            drained: Notify::new(),
        });
        let (done, written) = oneshot::channel();
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            theirs.write_all(stdout);
            // Nobody waits any more when the time was up.
            let _ = done.send(());
        })?;
        Ok((Self(shared), Written(written)))
    }

    /// Writes a line, soon. Never waits.
    pub fn send(&self, line: String) {
        let mut state = self.0.lock();
        if state.end != End::Open {
            return;
        }
        if let Err(error) = state.take(line) {
            tracing::error!(%error, "the client does not read, and what waits cannot be kept");
            state.end = End::Failed;
        }
        drop(state);
        self.0.filled.notify_one();
    }

    /// Waits until less than so many bytes wait, or nothing can be written.
    pub async fn room(&self, limit: usize) {
        loop {
            let drained = self.0.drained.notified();
            {
                let state = self.0.lock();
                if state.end != End::Open || state.waiting() < limit as u64 {
                    return;
                }
            }
            drained.await;
        }
    }

    /// Waits until nothing can be written any more. True when somebody may still want it.
    pub async fn broken(&self) -> bool {
        loop {
            let drained = self.0.drained.notified();
            match self.0.lock().end {
                End::Unread => return false,
                End::Failed => return true,
                End::Open | End::Closed => {}
            }
            drained.await;
        }
    }

    /// Nothing comes any more.
    pub fn close(&self) {
        let mut state = self.0.lock();
        if state.end == End::Open {
            state.end = End::Closed;
        }
        drop(state);
        self.0.filled.notify_one();
    }

    /// Closes it and gives the last lines a moment to be written: a client that does not read holds no
    /// end up.
    pub async fn finish(self, mut written: Written) {
        self.close();
        if tokio::time::timeout(LAST_WRITE, written.wait()).await.is_err() {
            tracing::warn!("the client did not read everything in time");
        }
    }
}

impl State {
    fn waiting(&self) -> u64 {
        let spilled = self.spill.as_ref().map_or(0, |spill| spill.written - spill.read);
        self.in_memory as u64 + spilled
    }

    fn take(&mut self, line: String) -> io::Result<()> {
        // What comes after what is in the file goes there too.
        if self.spill.is_none() && self.in_memory + line.len() <= MAX_MEMORY.max(line.len()) {
            self.in_memory += line.len();
            self.queue.push_back(line);
            return Ok(());
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill { file: tempfile::tempfile()?, read: 0, written: 0 }),
        };
        if spill.written + line.len() as u64 > MAX_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        spill.file.seek(SeekFrom::Start(spill.written))?;
        spill.file.write_all(line.as_bytes())?;
        spill.written += line.len() as u64;
        Ok(())
    }

    /// The next bytes to write; empty when none wait.
    fn next(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < WRITE
            && let Some(line) = self.queue.pop_front()
        {
            self.in_memory -= line.len();
            if bytes.is_empty() {
                bytes = line.into_bytes();
            } else {
                bytes.extend_from_slice(line.as_bytes());
            }
        }
        if !bytes.is_empty() {
            return Ok(bytes);
        }
        if let Some(spill) = &mut self.spill {
            spill.file.seek(SeekFrom::Start(spill.read))?;
            (&spill.file)
                .take((spill.written - spill.read).min(WRITE as u64))
                .read_to_end(&mut bytes)?;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            spill.read += bytes.len() as u64;
            if spill.read == spill.written {
                self.spill = None;
            }
        }
        Ok(bytes)
    }
}

impl Shared {
    fn write_all(&self, mut stdout: impl Write) {
        while let Some(bytes) = self.next() {
            let written = stdout.write_all(&bytes).and_then(|()| stdout.flush());
            if let Err(error) = written {
                let unread = error.kind() == io::ErrorKind::BrokenPipe;
                self.fail(if unread { End::Unread } else { End::Failed }, &error);
                return;
            }
            self.drained.notify_waiters();
        }
        self.drained.notify_waiters();
    }

    /// Waits for bytes to write; `None` at the end.
    fn next(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        loop {
            match state.next() {
                Ok(bytes) if !bytes.is_empty() => return Some(bytes),
                Ok(_) if state.end == End::Open => {}
                Ok(_) => return None,
                Err(error) => {
                    drop(state);
                    self.fail(End::Failed, &error);
                    return None;
                }
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn fail(&self, end: End, error: &io::Error) {
        tracing::debug!(%error, "stdout takes nothing any more");
        let mut state = self.lock();
        *state = State { end, ..State::default() };
        drop(state);
        self.drained.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Writes one piece for each permission, and tells what it wrote.
    struct Slow {
        permissions: mpsc::Receiver<()>,
        wrote: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permissions.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.wrote.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Outbox, Written, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let (permit, permissions) = mpsc::channel();
        let (wrote, seen) = mpsc::channel();
        let (outbox, written) = Outbox::start(Slow { permissions, wrote }).unwrap();
        (outbox, written, permit, seen)
    }

    #[tokio::test]
    async fn a_reader_that_sleeps_costs_no_memory_and_loses_nothing() {
        let (outbox, mut written, permit, seen) = slow();
        let line = |n: usize| format!("{n}:{}\n", "x".repeat(100_000));
        let mut expected = 0;
        for n in 0..300 {
            expected += line(n).len();
            outbox.send(line(n));
            let state = outbox.0.lock();
            assert!(state.in_memory <= MAX_MEMORY, "{}", state.in_memory);
        }
        assert!(outbox.0.lock().spill.is_some());
        outbox.close();
        outbox.send("too late\n".to_owned());
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            while permit.send(()).is_ok()
                && let Ok(bytes) = seen.recv()
            {
                all.extend(bytes);
            }
            all
        });
        written.wait().await;
        let all = reader.join().unwrap();
        assert_eq!(all.len(), expected);
        let text = String::from_utf8(all).unwrap();
        for (n, got) in text.lines().enumerate() {
            assert!(got.starts_with(&format!("{n}:")), "line {n}");
        }
        assert!(outbox.0.lock().spill.is_none());
    }

    #[tokio::test]
    async fn after_the_file_memory_serves_again() {
        let (outbox, _written, permit, seen) = slow();
        let big = "y".repeat(MAX_MEMORY);
        outbox.send(big.clone());
        outbox.send("small\n".to_owned());
        let mut got = 0;
        while got < big.len() + 6 {
            permit.send(()).unwrap();
            got += seen.recv().unwrap().len();
        }
        outbox.room(1).await;
        outbox.send("again\n".to_owned());
        permit.send(()).unwrap();
        assert_eq!(seen.recv().unwrap(), b"again\n");
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_is_told_of() {
        let (outbox, mut written, permit, _seen) = slow();
        drop(permit);
        outbox.send("x\n".to_owned());
        assert!(!outbox.broken().await);
        // Nobody waits for room that will never be.
        outbox.room(0).await;
        outbox.send("y\n".to_owned());
        assert_eq!(outbox.0.lock().waiting(), 0);
        written.wait().await;
    }
}
