//! The first fenced block of a Markdown text that holds a chart.

/// The notation of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Mermaid,
    D2,
}

/// A fenced block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub language: Language,
    pub text: &'a str,
    /// The line of the opening fence: what is added to a line of `text` for its line in the whole.
    pub line: usize,
}

/// Finds the block. Blocks in other languages are passed over whole, also when they show a chart's
/// fence. A block that is not closed goes on to the end of the text, as in CommonMark.
pub(super) fn first(text: &str) -> Option<Block<'_>> {
    let mut open: Option<(Fence, Option<Language>, usize, usize)> = None;
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = start + line.len();
        match (&open, Fence::of(line)) {
            (None, Some((fence, info))) if fence.may_open(info) => {
                open = Some((fence, language(info), end, index + 1));
            }
            (Some((opened, language, from, number)), Some((fence, info)))
                if fence.closes(*opened) && info.is_empty() =>
            {
                if let Some(language) = *language {
                    return Some(Block { language, text: &text[*from..start], line: *number });
                }
                open = None;
            }
            _ => {}
        }
        start = end;
    }
    let (_, language, from, line) = open?;
    Some(Block { language: language?, text: &text[from..], line })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fence {
    mark: char,
    length: usize,
}

impl Fence {
    /// The fence on a line, and what follows it.
    fn of(line: &str) -> Option<(Self, &str)> {
        let line = line.trim();
        let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let rest = line.trim_start_matches(mark);
        let length = line.len() - rest.len();
        (length >= 3).then(|| (Self { mark, length }, rest.trim()))
    }

    /// Code in backticks within a line is no fence.
    fn may_open(self, info: &str) -> bool {
        self.mark == '~' || !info.contains('`')
    }

    fn closes(self, opened: Self) -> bool {
        self.mark == opened.mark && self.length >= opened.length
    }
}

fn language(info: &str) -> Option<Language> {
    let inner = info.trim_start_matches('{').trim_start();
    let word = inner.split(|c: char| c.is_whitespace() || c == '}' || c == ',').next()?;
    match word.trim_start_matches('.').to_ascii_lowercase().as_str() {
        "mermaid" => Some(Language::Mermaid),
        "d2" => Some(Language::D2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(Language, &str, usize)> {
        first(text).map(|block| (block.language, block.text, block.line))
    }

    #[test]
    fn the_first_chart_is_found() {
        use Language::{D2, Mermaid};
        for (text, block) in [
            ("a\n```mermaid\nx\n```\ny", Some((Mermaid, "x\n", 2))),
            ("~~~~ {d2}\nx\n~~~\ny\n~~~~~\n", Some((D2, "x\n~~~\ny\n", 1))),
            ("```{.mermaid}\nx\n", Some((Mermaid, "x\n", 1))),
            ("```Mermaid title\r\nx\r\n```\r\n", Some((Mermaid, "x\r\n", 1))),
            ("````md\n```mermaid\nno\n```\n````\n```d2\nyes\n```", Some((D2, "yes\n", 6))),
            ("``mermaid\nx\n``", None),
            ("``` mermaid ``` is code\nx\n```d2\ny\n```", Some((D2, "y\n", 3))),
            ("```mermaids\nx\n```", None),
            ("", None),
            ("```", None),
        ] {
            assert_eq!(found(text), block, "{text:?}");
        }
    }
}
