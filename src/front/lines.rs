//! Lines from somebody who may send anything.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader, Stdin};
use tokio::sync::mpsc::{Receiver, channel};

/// The longest line of a client that is read, in bytes (wire.md section 1): pictures come within lines.
pub(in crate::front) const MAX_CLIENT_LINE: usize = 100 * 1024 * 1024;

/// The standard input of this process. The runtime may hold a read of it when all else has ended: shut
/// it down in the background.
pub(in crate::front) fn stdin() -> BufReader<Stdin> {
    BufReader::with_capacity(64 * 1024, tokio::io::stdin())
}

/// A line, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::front) enum RawLine {
    /// Without its end, which the last line need not have.
    Whole(Vec<u8>),
    /// It was passed over.
    TooLong,
    /// Nothing comes any more.
    End,
}

/// The lines of a stream, each of at most `max` bytes. One is read ahead, so that nobody can fill memory.
/// Needs a running runtime.
pub(in crate::front) fn lines(
    mut from: impl AsyncBufRead + Send + Unpin + 'static,
    max: usize,
) -> Receiver<RawLine> {
    let (lines, receiver) = channel(1);
    tokio::spawn(async move {
        loop {
            let line = match read_line(&mut from, max).await {
                Ok(RawLine::End) => return,
                Ok(line) => line,
                Err(error) => {
                    tracing::warn!(%error, "stdin cannot be read");
                    return;
                }
            };
            if lines.send(line).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// The next line of at most `max` bytes; never more than that is held.
pub(in crate::front) async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin),
    max: usize,
) -> io::Result<RawLine> {
    let mut line = Vec::new();
    let mut fits = true;
    let mut any = false;
    loop {
        let chunk = from.fill_buf().await?;
        if chunk.is_empty() && !any {
            return Ok(RawLine::End);
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let ended = end.is_some() || chunk.is_empty();
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        fits = fits && line.len() + part.len() <= max;
        if fits {
            line.extend_from_slice(part);
        } else {
            line = Vec::new();
        }
        let taken = end.map_or(chunk.len(), |end| end + 1);
        from.consume(taken);
        any = true;
        if ended {
            return Ok(if fits { RawLine::Whole(line) } else { RawLine::TooLong });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(bytes: &[u8], piece: usize) -> Vec<RawLine> {
        let mut reader = tokio::io::BufReader::with_capacity(piece, bytes);
        let mut lines = Vec::new();
        loop {
            match read_line(&mut reader, 4).await.unwrap() {
                RawLine::End => return lines,
                line => lines.push(line),
            }
        }
    }

    #[tokio::test]
    async fn lines_are_whole_however_they_come() {
        for piece in [1, 2, 3, 100] {
            let whole = |text: &str| RawLine::Whole(text.as_bytes().to_vec());
            assert_eq!(
                all(b"ab\n\n1234\n12345\nx\n\xff", piece).await,
                [
                    whole("ab"),
                    whole(""),
                    whole("1234"),
                    RawLine::TooLong,
                    whole("x"),
                    RawLine::Whole(vec![0xff])
                ]
            );
            assert_eq!(all(b"", piece).await, []);
            assert_eq!(all(b"123456", piece).await, [RawLine::TooLong]);
        }
    }
}
