//! The two moments of a turn that readers of the screen latch on: its first frame and its last.
//!
//! A terminal takes what is written to it in pieces of two to four kilobytes, and a reader may look
//! between any two. So whatever is long is written while the spinner stands, and the change from
//! spinner to prompt is short and at one end of the frame: there it can be a write of its own.

use super::Docked;
use std::io::{self, Write};

/// Largest piece handed to the sink at once, in bytes.
const PIECE: usize = 60 * 1024;
/// A frame of at most this many bytes passes a pseudo-terminal whole (tty_io.c writes in pieces of
/// this size), and so is written whole.
const WHOLE: usize = 2048;

/// What a frame means to a program that reads the byte stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flip {
    /// Neither a beginning nor an end of a turn.
    #[default]
    None,
    /// The prompt row gives way to the spinner row before the committed rows (the echo) are written.
    TurnStart,
    /// All committed rows but the last are written above the spinner; then the last one takes its
    /// place, sixteen carriage returns follow, then the prompt row: readers that count the last
    /// fifteen lines of the stream have then left the last spinner frame behind.
    TurnEnd,
}

impl<W: Write> Docked<W> {
    /// Writes what comes before the live region in the last frame of a turn, for one of `height`
    /// rows. Returns where in `out` the change from busy to idle begins.
    pub(super) fn end_turn(&mut self, height: u16, out: &mut Vec<u8>) -> usize {
        let anew = self.returned || self.geometry.has_moved();
        let lower = anew || self.geometry.live > height;
        let room = self.geometry.size.rows.saturating_sub(height) > 2;
        // One row more than needed: the spinner's.
        let held = self.head.take().filter(|_| lower && room);
        let extra = u16::from(held.is_some());
        self.arrange(height + extra, held.as_slice(), out);
        let last = if held.is_some() && self.open.is_empty() { self.queue.pop() } else { None };
        self.write_commits(out);
        self.paint_open(out);
        let seam = out.len();
        if held.is_some() {
            self.geometry.live = height;
            self.queue.extend(last);
            self.write_commits(out);
            let spinner = self.geometry.region();
            if self.geometry.filled < spinner {
                self.erase(spinner, out);
            }
        }
        out.extend_from_slice(&[b'\r'; 16]);
        seam
    }

    /// Hands a frame to the sink, in one write unless it is long; then what is before the byte `seam`
    /// and what is after it are apart, and no piece ends inside a sequence or a character.
    pub(super) fn send(&mut self, body: &[u8], seam: usize) -> io::Result<usize> {
        let (begin, end): (&[u8], &[u8]) = if self.capability.synchronized {
            (b"\x1b[?2026h", b"\x1b[?2026l")
        } else {
            (b"", b"")
        };
        let frame = [begin, body, end].concat();
        let seam = if frame.len() > WHOLE && seam > 0 { begin.len() + seam } else { 0 };
        let (first, second) = frame.split_at(seam);
        for mut rest in [first, second] {
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cut(rest));
                self.out.write_all(piece)?;
                rest = after;
            }
        }
        self.out.flush()?;
        Ok(frame.len())
    }
}

/// Where the first piece of `rest` ends.
fn cut(rest: &[u8]) -> usize {
    if rest.len() <= PIECE {
        return rest.len();
    }
    // An escape with a backslash ends a sequence.
    let escape = rest[..PIECE].windows(2).rposition(|pair| pair[0] == 0x1b && pair[1] != b'\\');
    escape.filter(|&at| at > 0).unwrap_or(PIECE)
}
