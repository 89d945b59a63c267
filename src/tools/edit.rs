//! Replacing text inside a file without touching any other byte.
//!
//! The file is bytes: line ends, a byte order mark and bytes that are no text stay as they are. The
//! text to find is written by a model, which writes `\n` for every line end, so a `\n` also matches
//! `\r\n` and the replacement takes over the line ends of the place it goes to.

use serde::Deserialize;

/// One replacement.
#[derive(Debug, Clone, Deserialize)]
pub struct Edit {
    pub old: String,
    pub new: String,
    #[serde(default)]
    pub replace_all: bool,
}

/// Applies edits in order, each to the result of the one before. Returns the new bytes and the
/// number of replacements; on any error nothing is changed. The error is a sentence for the model.
pub fn apply_edits(bytes: &[u8], edits: &[Edit]) -> Result<(Vec<u8>, usize), String> {
    let mut current = bytes.to_vec();
    let mut total = 0;
    for (index, edit) in edits.iter().enumerate() {
        let (next, count) = apply_edit(&current, edit).map_err(|error| match edits.len() {
            1 => error,
            many => format!("Edit {} of {many}: {error} No edit was applied.", index + 1),
        })?;
        current = next;
        total += count;
    }
    Ok((current, total))
}

fn apply_edit(bytes: &[u8], edit: &Edit) -> Result<(Vec<u8>, usize), String> {
    if edit.old.is_empty() {
        return Err("`old` is empty; it must be the text to replace.".to_owned());
    }
    if edit.old == edit.new {
        return Err("`old` and `new` are the same.".to_owned());
    }
    let spans = find(bytes, &edit.old);
    match spans.len() {
        0 => return Err(no_match(bytes, &edit.old)),
        1 => {}
        _ if edit.replace_all => {}
        many => {
            let lines: Vec<String> = spans
                .iter()
                .take(5)
                .map(|&(start, _)| line_number(bytes, start).to_string())
                .collect();
            let more = if many > 5 { ", ..." } else { "" };
            return Err(format!(
                "`old` matches {many} places (lines {}{more}). Add surrounding lines so that it matches exactly one, or set replace_all.",
                lines.join(", ")
            ));
        }
    }
    let mut out = Vec::with_capacity(bytes.len() + edit.new.len());
    let adapt = edit.new.contains('\n') && !edit.new.contains('\r') && !edit.old.contains('\r');
    let mut line_ends = LineEnds::of(bytes);
    let mut done = 0;
    for &(start, end) in &spans {
        out.extend_from_slice(bytes.get(done..start).unwrap_or_default());
        if adapt && line_ends.is_crlf_at(start, end) {
            out.extend_from_slice(edit.new.replace('\n', "\r\n").as_bytes());
        } else {
            out.extend_from_slice(edit.new.as_bytes());
        }
        done = end;
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
    Ok((out, spans.len()))
}

/// All places of `old`, as byte ranges, without overlaps.
fn find(bytes: &[u8], old: &str) -> Vec<(usize, usize)> {
    let literal = old.contains('\r');
    let mut spans = Vec::new();
    let mut base = 0;
    // UTF-8 synchronises itself: valid text never spans a byte that is not part of a character.
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        if literal || !text.contains("\r\n") {
            spans.extend(
                text.match_indices(old)
                    .map(|(start, found)| (base + start, base + start + found.len())),
            );
        } else {
            let (plain, breaks) = without_returns(text);
            let original = |at: usize| base + at + breaks.partition_point(|&place| place < at);
            spans.extend(
                plain
                    .match_indices(old)
                    .map(|(start, found)| (original(start), original(start + found.len()))),
            );
        }
        base += text.len() + chunk.invalid().len();
    }
    spans
}

/// The text with `\r\n` turned into `\n`, and where in the result those are.
fn without_returns(text: &str) -> (String, Vec<usize>) {
    let mut plain = String::with_capacity(text.len());
    let mut breaks = Vec::new();
    let mut pieces = text.split("\r\n").peekable();
    while let Some(piece) = pieces.next() {
        plain.push_str(piece);
        if pieces.peek().is_some() {
            breaks.push(plain.len());
            plain.push('\n');
        }
    }
    (plain, breaks)
}

/// Finds out which line ends rule at places that are asked for in ascending order; linear in all.
struct LineEnds<'a> {
    bytes: &'a [u8],
    /// The first `\n` from the last place on, once it is known; the length when there is none.
    next: Option<usize>,
    /// The last `\n` of all, looked for once.
    last: Option<Option<usize>>,
}

impl<'a> LineEnds<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, next: None, last: None }
    }

    fn is_crlf(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|at| self.bytes.get(at)) == Some(&b'\r')
    }

    /// The line ends inside the place rule, else the next after it, else the last before it.
    fn is_crlf_at(&mut self, start: usize, end: usize) -> bool {
        let inside = self.bytes.get(start..end).unwrap_or_default();
        if inside.contains(&b'\n') {
            return inside.windows(2).any(|pair| pair == b"\r\n");
        }
        let length = self.bytes.len();
        let next = match self.next {
            Some(next) if next >= end => next,
            _ => {
                let rest = self.bytes.get(end..).unwrap_or_default();
                rest.iter().position(|&byte| byte == b'\n').map_or(length, |at| end + at)
            }
        };
        self.next = Some(next);
        if next < length {
            return self.is_crlf(next);
        }
        let bytes = self.bytes;
        let last = *self.last.get_or_insert_with(|| bytes.iter().rposition(|&byte| byte == b'\n'));
        last.is_some_and(|at| self.is_crlf(at))
    }
}

fn line_number(bytes: &[u8], at: usize) -> usize {
    bytes.get(..at).unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count() + 1
}

fn no_match(bytes: &[u8], old: &str) -> String {
    let text = String::from_utf8_lossy(bytes);
    let wanted = old.split_whitespace().collect::<Vec<_>>().join(" ");
    let (squeezed, lines) = squeeze(&text);
    let hint = match squeezed.find(&wanted).filter(|_| !wanted.is_empty()) {
        Some(at) => {
            let line = lines.partition_point(|&start| start <= at).max(1);
            format!(
                "A text that differs only in white space is at line {line}: copy it exactly from there."
            )
        }
        None => match wanted_line(&text, old) {
            Some(line) => format!("Its first line is at line {line}, but what follows differs."),
            None => "Read the file again and copy the text exactly.".to_owned(),
        },
    };
    format!("`old` was not found in the file. {hint}")
}

/// The text with all white space runs as one space, and where in it each line starts.
fn squeeze(text: &str) -> (String, Vec<usize>) {
    let mut out = String::with_capacity(text.len());
    let mut starts = Vec::new();
    for line in text.lines() {
        // A match begins at the line's first word, behind the space that parts it from the last.
        starts.push(if out.is_empty() { 0 } else { out.len() + 1 });
        for word in line.split_whitespace() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    (out, starts)
}

fn wanted_line(text: &str, old: &str) -> Option<usize> {
    let mut wanted = old.lines().map(str::trim).filter(|line| line.len() > 2);
    let first = wanted.next()?;
    wanted.next()?;
    text.lines().position(|line| line.trim() == first).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(old: &str, new: &str) -> Edit {
        Edit { old: old.into(), new: new.into(), replace_all: false }
    }

    fn apply(bytes: &[u8], old: &str, new: &str) -> Result<Vec<u8>, String> {
        apply_edits(bytes, &[edit(old, new)]).map(|(bytes, _)| bytes)
    }

    #[test]
    fn crlf_stays_crlf() {
        assert_eq!(apply(b"a\r\nb\r\nc\r\n", "b", "x\ny").unwrap(), b"a\r\nx\r\ny\r\nc\r\n");
        assert_eq!(apply(b"a\r\nb\r\nc", "a\nb", "x\ny").unwrap(), b"x\r\ny\r\nc");
        assert_eq!(apply(b"a\r\nb\r\nc", "\nb\n", "\n").unwrap(), b"a\r\nc");
        assert_eq!(apply(b"a\r\nb", "b", "x\ny").unwrap(), b"a\r\nx\r\ny");
    }

    #[test]
    fn mixed_line_ends_follow_the_place() {
        let bytes = b"a\nb\nc\r\nd\r\n";
        assert_eq!(apply(bytes, "b", "x\ny").unwrap(), b"a\nx\ny\nc\r\nd\r\n");
        assert_eq!(apply(bytes, "d", "x\ny").unwrap(), b"a\nb\nc\r\nx\r\ny\r\n");
        assert_eq!(apply(bytes, "c\r\nd", "c\nd").unwrap(), b"a\nb\nc\nd\r\n");
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let bytes = b"\xef\xbb\xbfa \xff\xfe b\r\n\xe2\x82 c\n";
        assert_eq!(apply(bytes, "b", "B").unwrap(), b"\xef\xbb\xbfa \xff\xfe B\r\n\xe2\x82 c\n");
        assert_eq!(apply(bytes, " c", " C").unwrap(), b"\xef\xbb\xbfa \xff\xfe b\r\n\xe2\x82 C\n");
    }

    #[test]
    fn an_ambiguous_text_is_refused_with_its_places() {
        let error = apply(b"x\ny\nx\n", "x", "z").unwrap_err();
        assert!(error.contains("matches 2 places (lines 1, 3)"), "{error}");
        let all = Edit { replace_all: true, ..edit("x", "z") };
        assert_eq!(apply_edits(b"x\ny\nx\n", &[all]).unwrap(), (b"z\ny\nz\n".to_vec(), 2));
    }

    #[test]
    fn all_or_nothing() {
        let error = apply_edits(b"a b", &[edit("a", "x"), edit("nope", "y")]).unwrap_err();
        assert!(error.starts_with("Edit 2 of 2: ") && error.ends_with("No edit was applied."));
        let (bytes, count) = apply_edits(b"a b", &[edit("a", "b c"), edit("c b", "d")]).unwrap();
        assert_eq!((bytes, count), (b"b d".to_vec(), 2));
    }

    #[test]
    fn near_misses_are_pointed_out() {
        let error = apply(b"one\n\tif  x {\n\t\ty\n", "  if x {\n    y", "z").unwrap_err();
        assert!(error.contains("differs only in white space is at line 2"), "{error}");
        let error = apply(b"one\nfirst line\nsecond\n", "first line\nother", "z").unwrap_err();
        assert!(error.contains("first line is at line 2"), "{error}");
        assert!(apply(b"abc", "zzz", "y").unwrap_err().contains("Read the file again"));
    }

    #[test]
    fn empty_and_equal_texts_are_refused() {
        assert!(apply(b"abc", "", "x").unwrap_err().contains("empty"));
        assert!(apply(b"abc", "a", "a").unwrap_err().contains("same"));
    }

    #[test]
    fn many_matches_on_one_giant_line_are_linear() {
        let bytes = [b"a\r\n".to_vec(), b"xy".repeat(200_000)].concat();
        let all = Edit { replace_all: true, ..edit("x", "\n") };
        let (after, count) = apply_edits(&bytes, &[all]).unwrap();
        assert_eq!((count, &after[..8]), (200_000, &b"a\r\n\r\ny\r\n"[..]));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
        #[test]
        fn a_replacement_and_its_inverse_restore_every_byte(
            before in proptest::collection::vec(proptest::sample::select(b"a\r\n\xff\xe2\x82\xac".to_vec()), 0..20),
            after in proptest::collection::vec(proptest::sample::select(b"a\r\n\xff\xe2\x82\xac".to_vec()), 0..20),
        ) {
            let whole = [&before[..], b"<old\ntext>", &after[..]].concat();
            let there = apply(&whole, "<old\ntext>", "<new>").unwrap();
            proptest::prop_assert_eq!(&there, &[&before[..], b"<new>", &after[..]].concat());
            let back = apply(&there, "<new>", "<old\rtext>").unwrap();
            proptest::prop_assert_eq!(&back, &[&before[..], b"<old\rtext>", &after[..]].concat());
        }
    }
}
