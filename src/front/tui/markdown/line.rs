//! What a line of Markdown begins (CommonMark 0.31, section 4 and 5).

/// A code fence: its character, its length, its indent and its info string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fence {
    mark: char,
    length: usize,
    pub indent: usize,
    pub info: String,
}

impl Fence {
    /// The fence that a line opens; `line` may be indented.
    pub(super) fn open(line: &str) -> Option<Self> {
        let indent = indent(line);
        let text = line.trim_start_matches(' ');
        let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        let valid = length >= 3 && !(mark == '`' && info.contains('`'));
        valid.then(|| Self { mark, length, indent, info: info.trim().to_owned() })
    }

    /// Whether `line` closes this fence.
    pub(super) fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim();
        text.len() >= self.length && text.chars().all(|c| c == self.mark)
    }

    /// A line that opens the same fence again.
    pub(super) fn opener(&self) -> String {
        let marks: String = std::iter::repeat_n(self.mark, self.length).collect();
        format!("{}{marks}{}", " ".repeat(self.indent), self.info)
    }
}

/// Blanks in front.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// `# Heading` to `###### Heading`.
pub(super) fn is_heading(text: &str) -> bool {
    let rest = text.trim_start_matches('#');
    (1..=6).contains(&(text.len() - rest.len())) && (rest.is_empty() || rest.starts_with(' '))
}

/// `---`, `* * *`, `___`.
pub(super) fn is_rule(text: &str) -> bool {
    let Some(mark) = text.chars().next().filter(|c| matches!(c, '-' | '*' | '_')) else {
        return false;
    };
    text.chars().all(|c| c == mark || c == ' ') && text.chars().filter(|c| *c == mark).count() >= 3
}

/// The line under a heading: `===` or `---`.
pub(super) fn is_underline(text: &str) -> bool {
    let text = text.trim_end();
    !text.is_empty() && (text.chars().all(|c| c == '=') || text.chars().all(|c| c == '-'))
}

/// Bytes of a list marker with the blanks after it: where the text of the item begins.
pub(super) fn marker(text: &str) -> Option<usize> {
    let mark = match text.chars().next()? {
        '-' | '*' | '+' => 1,
        '0'..='9' => {
            let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
            let digits = text.len() - rest.len();
            (digits <= 9 && rest.starts_with(['.', ')'])).then_some(digits + 1)?
        }
        _ => return None,
    };
    let rest = text.get(mark..)?;
    let blanks = indent(rest);
    match blanks {
        _ if rest.trim().is_empty() => Some(mark + 1),
        0 => None,
        1..=4 => Some(mark + blanks),
        _ => Some(mark + 1),
    }
}

/// The row under the header of a table: `|---|:-:|`.
pub(super) fn is_delimiter(text: &str) -> bool {
    let text = text.trim();
    text.contains('-')
        && text.contains('|')
        && text.chars().all(|c| matches!(c, '-' | '|' | ':' | ' '))
        && text.trim_matches('|').split('|').all(|cell| cell.contains('-'))
}

/// Whether a line ends the paragraph before it. `text` is without its indent.
pub(super) fn interrupts(text: &str) -> bool {
    let item = marker(text).is_some_and(|at| {
        text.get(at..).is_some_and(|rest| !rest.trim().is_empty())
            && (!text.starts_with(|c: char| c.is_ascii_digit())
                || text.starts_with("1.")
                || text.starts_with("1)"))
    });
    text.starts_with('>')
        || is_heading(text)
        || is_rule(text)
        || item
        || Fence::open(text).is_some()
}
