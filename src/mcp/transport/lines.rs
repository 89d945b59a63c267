//! Messages from a byte stream, one to a line, in bounded memory.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest line that is taken, in bytes.
pub(super) const MAX_LINE: usize = 16 << 20;
/// Bytes kept of each end of a line that is too long, to find out what it answers.
const ENDS: usize = 512;
const CHUNK: usize = 64 << 10;
/// A line that goes on for so many times the limit never ends.
const ENDLESS: usize = 32;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Without its line break; never empty.
    Whole(Vec<u8>),
    /// Longer than allowed: its first and its last bytes.
    TooLong { head: Vec<u8>, tail: Vec<u8> },
}

/// Reads lines. A read that is dropped half way loses nothing.
pub(super) struct Lines<R> {
    source: R,
    limit: usize,
    chunk: Box<[u8]>,
    /// The part of `chunk` that is not looked at yet.
    unread: std::ops::Range<usize>,
    line: Vec<u8>,
    /// The last bytes of a line that has become too long.
    tail: Option<Vec<u8>>,
    /// Bytes of the line so far, thrown away or not.
    length: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of up to `limit` bytes.
    pub fn new(source: R, limit: usize) -> Self {
        let chunk = vec![0; CHUNK].into_boxed_slice();
        Self { source, limit, chunk, unread: 0..0, line: Vec::new(), tail: None, length: 0 }
    }

    /// The next line that is not empty; `None` at the end. A last line without a break counts. A line
    /// without an end is an error.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take_buffered() {
                return Ok(Some(line));
            }
            if self.length > self.limit.saturating_mul(ENDLESS) {
                return Err(io::Error::other("a line that does not end"));
            }
            let length = self.source.read(&mut self.chunk).await?;
            self.unread = 0..length;
            if length == 0 {
                return Ok(self.finish());
            }
        }
    }

    /// Looks at what was read until a line ends.
    fn take_buffered(&mut self) -> Option<Line> {
        while !self.unread.is_empty() {
            let bytes = self.chunk.get(self.unread.clone()).unwrap_or_default();
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let piece = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default().to_vec();
            self.unread.start += piece.len() + usize::from(end.is_some());
            self.push(&piece);
            if end.is_some()
                && let Some(line) = self.finish()
            {
                return Some(line);
            }
        }
        None
    }

    fn push(&mut self, piece: &[u8]) {
        self.length += piece.len();
        if self.tail.is_none() && self.length > self.limit {
            self.tail = Some(last(&self.line, ENDS).to_vec());
            self.line.truncate(ENDS);
            self.line.shrink_to_fit();
        }
        let Some(tail) = &mut self.tail else {
            self.line.extend_from_slice(piece);
            return;
        };
        let missing = ENDS.saturating_sub(self.line.len()).min(piece.len());
        self.line.extend_from_slice(piece.get(..missing).unwrap_or_default());
        tail.extend_from_slice(last(piece, ENDS));
        let surplus = tail.len().saturating_sub(ENDS);
        tail.drain(..surplus);
    }

    /// Ends the line; `None` when it is empty.
    fn finish(&mut self) -> Option<Line> {
        self.length = 0;
        let mut line = std::mem::take(&mut self.line);
        if let Some(tail) = self.tail.take() {
            return Some(Line::TooLong { head: line, tail });
        }
        line.truncate(line.trim_ascii_end().len());
        (!line.is_empty()).then_some(Line::Whole(line))
    }
}

fn last(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(count)..).unwrap_or_default()
}

/// The request that a line answers whose middle is missing or broken, read off its ends: an `"id"`
/// with a number before the result or after it. Our own ids are numbers.
pub(super) fn answered(head: &[u8], tail: &[u8]) -> Option<u64> {
    let before = match find(head, b"\"result\"").or_else(|| find(head, b"\"error\"")) {
        Some(at) => head.get(..at)?,
        None => head,
    };
    if find(before, b"\"method\"").is_some() {
        return None;
    }
    let id = |text: &[u8], at: usize| {
        let rest = text.get(at + 4..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
    };
    let at_front = find(before, b"\"id\"").and_then(|at| id(before, at));
    at_front.or_else(|| {
        let at = tail.windows(4).rposition(|window| window == b"\"id\"")?;
        // Behind the id nothing but the end of the message: else it belongs to the result.
        let rest = tail.get(at..)?.trim_ascii_end().strip_suffix(b"}")?;
        (!rest.contains(&b'}')).then(|| id(tail, at)).flatten()
    })
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::io::ReadBuf;

    /// A source that hands out these pieces.
    struct Pieces(std::vec::IntoIter<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            buffer.put_slice(&self.0.next().unwrap_or_default());
            Poll::Ready(Ok(()))
        }
    }

    async fn all(source: Vec<Vec<u8>>, limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(Pieces(source.into_iter()), limit);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn lines_are_whole_and_empty_ones_are_left_out() {
        let found = all(vec![b"a\r\n\n  \nb".to_vec(), b"c\nlast".to_vec()], 100).await;
        assert_eq!(found, [whole("a"), whole("bc"), whole("last")]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_leaves_its_ends_and_the_next_one_whole() {
        let long: Vec<u8> = (0..5000u32).map(|n| b'0' + (n % 10) as u8).collect();
        for cut in [1, 7, 4096] {
            let mut source: Vec<Vec<u8>> = long.chunks(cut).map(<[u8]>::to_vec).collect();
            source.push(b"\nnext\n".to_vec());
            let found = all(source, 1000).await;
            let [Line::TooLong { head, tail }, next] = &found[..] else { panic!("{found:?}") };
            assert_eq!((&head[..], &tail[..]), (&long[..ENDS], &long[5000 - ENDS..]), "{cut}");
            assert_eq!(*next, whole("next"));
        }
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_not_read_for_ever() {
        let mut lines = Lines::new(tokio::io::repeat(b'x'), 1 << 20);
        assert!(lines.next().await.is_err());
    }

    #[test]
    fn the_request_of_an_answer_is_found_at_either_end() {
        let id = |head: &str, tail: &str| answered(head.as_bytes(), tail.as_bytes());
        assert_eq!(id(r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"id":9,"#, "x"), Some(7));
        assert_eq!(id(r#"{"jsonrpc": "2.0", "result": {"a": ["#, r#"]}, "id" : 12 }"#), Some(12));
        assert_eq!(id(r#"{"result": {"id": 3, "a": ["#, r#""id":4}]}}"#), None);
        assert_eq!(id(r#"{"method":"x","id":3,"params":["#, "]}"), None);
        assert_eq!(id(r#"{"id":"seven","result":{"#, "}"), None);
        assert_eq!(id("", ""), None);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            text in "[ab\r\n]{0,80}",
            cuts in proptest::collection::vec(1usize..9, 1..40),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut rest = text.as_bytes();
            let mut source = Vec::new();
            for cut in cuts {
                let (piece, left) = rest.split_at(cut.min(rest.len()));
                source.push(piece.to_vec());
                rest = left;
            }
            source.push(rest.to_vec());
            source.retain(|piece| !piece.is_empty());
            let split = runtime.block_on(all(source, 10));
            prop_assert_eq!(split, runtime.block_on(all(vec![text.into_bytes()], 10)));
        }
    }
}
