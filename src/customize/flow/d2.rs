//! A subset of D2: nodes with labels, chains of arrows, labels of several lines. Containers, styles and
//! all else that concerns the looks is passed over.

use super::FlowError;
use super::graph::{Flow, Graph};

/// Keywords that stand where a node's name could.
const KEYWORDS: &[&str] =
    &["direction", "vars", "classes", "layers", "scenarios", "steps", "style"];
/// Parts of a dotted name that make it a property of what is before them.
const PROPERTIES: &[&str] = &[
    "style",
    "shape",
    "label",
    "class",
    "icon",
    "tooltip",
    "link",
    "near",
    "width",
    "height",
    "top",
    "left",
    "source-arrowhead",
    "target-arrowhead",
    "constraint",
    "direction",
];

/// Reads a chart. Lines are counted from 1.
pub(super) fn read(text: &str) -> Result<Flow, FlowError> {
    let mut reader = Reader { rest: text, line: 1 };
    let mut graph = Graph::default();
    while reader.skip_between()? {
        let statement = reader.statement()?;
        statement.commit(&mut graph)?;
    }
    graph.finish(reader.line)
}

/// Names joined by arrows, and what stands after the colon.
#[derive(Debug)]
struct Statement {
    names: Vec<Name>,
    label: String,
    line: usize,
}

#[derive(Debug)]
struct Name {
    text: String,
    /// Dots in quotes are part of the name.
    quoted: bool,
}

impl Name {
    fn is_property(&self) -> bool {
        !self.quoted && self.text.split('.').skip(1).any(|part| PROPERTIES.contains(&part.trim()))
    }
}

impl Statement {
    fn commit(self, graph: &mut Graph) -> Result<(), FlowError> {
        if let [name] = self.names.as_slice() {
            let keyword = !name.quoted && KEYWORDS.contains(&name.text.as_str());
            if keyword || name.is_property() {
                return Ok(());
            }
            let label = Some(self.label.as_str()).filter(|label| !label.is_empty());
            return graph.node(&name.text, label, self.line).map(drop);
        }
        let mut before = None;
        for (place, name) in self.names.iter().enumerate() {
            let node = graph.node(&name.text, None, self.line)?;
            if let Some(from) = before {
                let last = place + 1 == self.names.len();
                graph.edge(from, node, if last { &self.label } else { "" }, self.line)?;
            }
            before = Some(node);
        }
        Ok(())
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.advance(c.len_utf8());
        Some(c)
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        let (read, rest) = self.rest.split_at(bytes);
        self.line += read.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        read
    }

    /// Passes over blanks, and over a line feed that a backslash takes back.
    fn blanks(&mut self) {
        loop {
            if self.rest.starts_with("\\\n") {
                self.advance(2);
            } else if self.rest.starts_with("\\\r\n") {
                self.advance(3);
            } else if self.peek().is_some_and(|c| c != '\n' && c.is_whitespace()) {
                self.next();
            } else {
                return;
            }
        }
    }

    fn comment(&mut self) {
        self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
    }

    /// Goes to the next statement; false at the end of the text.
    fn skip_between(&mut self) -> Result<bool, FlowError> {
        loop {
            self.blanks();
            match self.peek() {
                None => return Ok(false),
                Some('#') => self.comment(),
                Some(';' | '\n') => {
                    self.next();
                }
                Some('{') => self.body()?,
                Some('}') => return Err(FlowError::new(self.line, "a } closes nothing")),
                Some(_) => return Ok(true),
            }
        }
    }

    /// A statement from its first name to what ends it, with its body if it has one.
    fn statement(&mut self) -> Result<Statement, FlowError> {
        let line = self.line;
        let mut names = vec![self.name()?];
        let mut label = String::new();
        loop {
            self.blanks();
            match self.peek() {
                Some('-') => {
                    self.arrow()?;
                    self.blanks();
                    names.push(self.name()?);
                }
                Some('<') => {
                    let message = "an arrow back is not possible here: write it as a -> b";
                    return Err(FlowError::new(self.line, message));
                }
                Some(':') => {
                    self.next();
                    label = self.label()?;
                }
                Some('{') => self.body()?,
                None | Some('\n' | ';' | '#' | '}') => {
                    return Ok(Statement { names, label, line });
                }
                Some(c) => {
                    let message = format!("\"{c}\" is not expected here");
                    return Err(FlowError::new(self.line, message));
                }
            }
        }
    }

    /// `->`, with any number of dashes.
    fn arrow(&mut self) -> Result<(), FlowError> {
        while self.peek() == Some('-') {
            self.next();
        }
        if self.peek() == Some('>') {
            self.next();
            return Ok(());
        }
        Err(FlowError::new(self.line, "a line without a direction is not possible here: use ->"))
    }

    fn name(&mut self) -> Result<Name, FlowError> {
        let line = self.line;
        if let Some(text) = self.quoted()? {
            return Ok(Name { text, quoted: true });
        }
        let mut end = 0;
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let ends = match c {
                ':' | ';' | '\n' | '{' | '}' | '<' | '"' | '\'' | '|' | '\\' => true,
                '-' => chars.peek().is_some_and(|(_, next)| matches!(next, '-' | '>')),
                _ => false,
            };
            if ends {
                break;
            }
            end = at + c.len_utf8();
        }
        let text = self.advance(end).trim().to_owned();
        if text.is_empty() {
            return Err(FlowError::new(line, "a name is missing"));
        }
        Ok(Name { text, quoted: false })
    }

    /// What follows a colon: quoted, a block between bars, or the rest of the line.
    fn label(&mut self) -> Result<String, FlowError> {
        self.blanks();
        if let Some(text) = self.quoted()? {
            return Ok(text.trim().to_owned());
        }
        if self.peek() == Some('|') {
            return self.block();
        }
        let mut text = String::new();
        loop {
            match self.peek() {
                None | Some('\n' | ';' | '{' | '}') => break,
                Some('#') if text.is_empty() || text.ends_with(char::is_whitespace) => break,
                Some('\\') => {
                    self.next();
                    match self.next() {
                        // The line goes on.
                        Some('\n') | None => self.blanks(),
                        Some('n') => text.push('\n'),
                        Some(c) => text.push(c),
                    }
                }
                Some(c) => {
                    text.push(c);
                    self.next();
                }
            }
        }
        Ok(text.trim().to_owned())
    }

    /// A text in single or double quotes. In double ones a backslash takes what follows as it is; in
    /// single ones two quotes are one.
    fn quoted(&mut self) -> Result<Option<String>, FlowError> {
        let Some(quote) = self.peek().filter(|c| matches!(c, '"' | '\'')) else { return Ok(None) };
        let line = self.line;
        self.next();
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                '\'' if quote == '\'' && self.peek() == Some('\'') => {
                    self.next();
                    text.push('\'');
                }
                c if c == quote => return Ok(Some(text)),
                '\\' => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('\n') | None => {}
                    Some(c) => text.push(c),
                },
                c => text.push(c),
            }
        }
        Err(FlowError::new(line, "a quote is not closed"))
    }

    /// `|md` … `|`, with as many bars at the end as at the beginning.
    fn block(&mut self) -> Result<String, FlowError> {
        let line = self.line;
        let bars = self.rest.len() - self.rest.trim_start_matches('|').len();
        let bars = self.advance(bars);
        let end = self.rest.find(bars);
        let Some(end) = end else {
            return Err(FlowError::new(line, "a block that begins with | is not closed"));
        };
        let inner = self.advance(end);
        self.advance(bars.len());
        // The language is the rest of the first line, or the first word when there is only one line.
        let text = match inner.split_once('\n') {
            Some((_, text)) => text,
            None => inner.split_once(char::is_whitespace).map_or("", |(_, text)| text),
        };
        Ok(dedented(text))
    }

    /// Passes over a body in braces, nested ones with it.
    fn body(&mut self) -> Result<(), FlowError> {
        let line = self.line;
        let mut depth = 0_usize;
        let mut fresh = true;
        while let Some(c) = self.peek() {
            match c {
                '"' | '\'' if fresh => {
                    self.quoted()?;
                    fresh = false;
                    continue;
                }
                '|' if fresh => {
                    self.block()?;
                    continue;
                }
                '#' if fresh => {
                    self.comment();
                    continue;
                }
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            // An apostrophe within a word begins no quote.
            fresh = c.is_whitespace() || matches!(c, '{' | '}' | ':' | ';');
            self.next();
            if depth == 0 {
                return Ok(());
            }
        }
        Err(FlowError::new(line, "a body that begins with { is not closed"))
    }
}

/// The text without the blanks that all its lines begin with.
fn dedented(text: &str) -> String {
    let filled = || text.lines().filter(|line| !line.trim().is_empty());
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let common = filled().map(indent).min().unwrap_or(0);
    let lines: Vec<&str> =
        text.lines().map(|line| line.get(common..).unwrap_or_default().trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outline(text: &str) -> String {
        let flow = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        flow.outline()
    }

    #[test]
    fn nodes_chains_and_labels() {
        let text = "# a comment\ndirection: right\nb: BEGIN\nb -> plan-it -> \"is it -> good\": go\n\
                    plan-it: |md\n    # Plan\n\n      all of it\n  |\n\
                    \"is it -> good\" -> e: 'it''s fine' { style.stroke: red }\n\
                    \"is it -> good\" -> plan-it: not \\\n  yet # later\n\
                    e: END {\n  shape: oval\n  tip: \"}\"\n  inner: { a -> b }\n}\n\
                    e.style.fill: red; plan-it.shape: diamond\nempty:\n";
        assert_eq!(
            outline(text),
            "b Begin \"BEGIN\" -> plan-it\n\
             e End \"END\" -> \n\
             empty Task \"empty\" -> \n\
             is it -> good Decision \"is it -> good\" -> e(it's fine) plan-it(not yet)\n\
             plan-it Task \"# Plan\\n\\n  all of it\" -> is it -> good(go)"
        );
    }

    #[test]
    fn arrows_need_no_blanks() {
        assert_eq!(
            outline("BEGIN->a-b->c.d/e-->END: x"),
            "BEGIN Begin \"BEGIN\" -> a-b\nEND End \"END\" -> \na-b Task \"a-b\" -> c.d/e\n\
             c.d/e Task \"c.d/e\" -> END(x)"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, told) in [
            ("a <- b", "line 1: an arrow back"),
            ("a\nb <-> c", "line 2: an arrow back"),
            ("a -- b", "line 1: a line without a direction"),
            ("a -> b: \"x\n\n", "line 1: a quote is not closed"),
            ("a\nb: { c\n\n", "line 2: a body that begins with { is not closed"),
            ("a: |md\nx", "line 1: a block that begins with | is not closed"),
            ("a }", "line 1: a } closes nothing"),
            ("a -> ", "line 1: a name is missing"),
            ("a: x\na: y", "line 2: the node a is \"y\" here and \"x\" before"),
            ("a -> b", "line 1: there is no BEGIN node"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(told), "{text:?}: {error}");
        }
    }

    #[test]
    fn time_is_linear() {
        for piece in
            ["a -> ", "a: |", "{", "\"", "a-", "#", "\\\n", "a: b\n", "||x", "'", "a: |md x "]
        {
            let text = piece.repeat(400_000 / piece.len());
            let start = std::time::Instant::now();
            let _ = read(&text);
            let took = start.elapsed();
            assert!(took.as_secs() < 3, "{piece:?} took {took:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "b", "BEGIN", "END", "->", "-", "--", "<-", ":", ";", "\n", " ", "{", "}", "|",
                    "||", "|md", "\"", "'", "\\", "#", ".style", "é", "\u{0}", "\r\n", "👩\u{200d}🔧",
                ]),
                0..60,
            )
        ) {
            let text = pieces.concat();
            if let Err(error) = read(&text) {
                prop_assert!(error.line >= 1 && error.line <= text.lines().count() + 1);
                prop_assert!(!error.message.contains('\n'));
            }
        }
    }
}
