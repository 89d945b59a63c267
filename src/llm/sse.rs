//! Server-sent events from a byte stream (WHATWG HTML, section 9.2).
//!
//! Bytes may be split anywhere. Lines end with LF, CRLF or CR; invalid UTF-8 becomes U+FFFD.

/// One event. Events without data are not reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The `event:` field.
    pub name: Option<String>,
    /// The `data:` lines joined by newlines.
    pub data: String,
}

/// An event passed the size limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {limit} bytes")]
pub struct TooLarge {
    /// The limit in bytes.
    pub limit: usize,
}

/// The parser. It holds at most one line and one event.
#[derive(Debug)]
pub struct Parser {
    limit: usize,
    line: Vec<u8>,
    name: Option<String>,
    data: Option<String>,
    after_cr: bool,
    first_line: bool,
}

impl Parser {
    /// A parser that takes lines and events of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), name: None, data: None, after_cr: false, first_line: true }
    }

    /// Takes the next bytes and hands every finished event to `sink`.
    pub fn push(&mut self, mut bytes: &[u8], mut sink: impl FnMut(Event)) -> Result<(), TooLarge> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + piece.len() > self.limit {
                return Err(TooLarge { limit: self.limit });
            }
            self.line.extend_from_slice(piece);
            let Some((ending, rest)) = rest.split_first() else { break };
            self.after_cr = *ending == b'\r';
            bytes = rest;
            self.end_line(&mut sink)?;
        }
        Ok(())
    }

    /// The stream has ended: an event that only lacks its blank line still counts.
    pub fn finish(&mut self, mut sink: impl FnMut(Event)) -> Result<(), TooLarge> {
        if !self.line.is_empty() {
            self.end_line(&mut sink)?;
        }
        self.dispatch(&mut sink);
        Ok(())
    }

    fn end_line(&mut self, sink: &mut impl FnMut(Event)) -> Result<(), TooLarge> {
        let line = std::mem::take(&mut self.line);
        let mut text = String::from_utf8_lossy(&line);
        if std::mem::take(&mut self.first_line)
            && let Some(rest) = text.strip_prefix('\u{feff}')
        {
            text = rest.to_owned().into();
        }
        let result = self.take_line(&text, sink);
        // The buffer is kept for the next line, unless it was an unusually long one.
        if line.capacity() <= 64 * 1024 {
            self.line = line;
            self.line.clear();
        }
        result
    }

    fn take_line(&mut self, line: &str, sink: &mut impl FnMut(Event)) -> Result<(), TooLarge> {
        if line.is_empty() {
            self.dispatch(sink);
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    if data.len() + value.len() >= self.limit {
                        return Err(TooLarge { limit: self.limit });
                    }
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => self.name = Some(value.to_owned()),
            // Comments (an empty field name), ids, reconnection times and unknown fields.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, sink: &mut impl FnMut(Event)) {
        let name = self.name.take();
        if let Some(data) = self.data.take() {
            sink(Event { name, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(pieces: &[&[u8]]) -> Vec<Event> {
        let mut parser = Parser::new(1024);
        let mut events = Vec::new();
        for piece in pieces {
            parser.push(piece, |event| events.push(event)).unwrap();
        }
        parser.finish(|event| events.push(event)).unwrap();
        events
    }

    fn data(pieces: &[&[u8]]) -> Vec<String> {
        parse(pieces).into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn all_line_endings_comments_and_fields() {
        let stream = b"\xef\xbb\xbf: hi\r\ndata: a\r\n\r\ndata:b\rdata:  c\r\rid: 1\nevent: error\nretry\ndata\n\n\n\ndata: last";
        assert_eq!(data(&[stream]), ["a", "b\n c", "", "last"]);
        assert_eq!(parse(&[stream])[2].name.as_deref(), Some("error"));
    }

    #[test]
    fn an_event_name_does_not_outlive_its_event() {
        let events = parse(&[b"event: x\n\ndata: y\n\n"]);
        assert_eq!(events, [Event { name: None, data: "y".into() }]);
    }

    #[test]
    fn invalid_utf8_is_replaced_and_split_characters_are_whole() {
        assert_eq!(data(&[b"data: \xe6\x88", b"\x91\xff\n\n"]), ["我\u{fffd}"]);
    }

    #[test]
    fn size_limits_hold_for_lines_and_for_events() {
        let mut parser = Parser::new(8);
        assert_eq!(parser.push(b"data: 12345", |_| {}), Err(TooLarge { limit: 8 }));
        let mut parser = Parser::new(8);
        let mut result = Ok(());
        for _ in 0..8 {
            result = result.and_then(|()| parser.push(b"data: 1\n", |_| {}));
        }
        assert_eq!(result, Err(TooLarge { limit: 8 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_split_gives_the_same_events(
            text in "(data|event|id|x)?:? ?[a-z好\u{1F600}:\r\n]{0,60}",
            more in proptest::collection::vec("(data: [a-c你]{0,3}|:c|)(\n|\r|\r\n)", 0..20),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let whole = format!("{text}{}", more.concat()).into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&whole[from..cut]);
                from = cut;
            }
            pieces.push(&whole[from..]);
            prop_assert_eq!(parse(&pieces), parse(&[&whole]));
        }
    }
}
