//! Here-documents.

use tree_sitter::Node;

use super::tree::Walk;
use super::word::children;

impl<'s> Walk<'s, '_> {
    /// `<<END … END`. The text is data; without quotes around the delimiter its substitutions run.
    pub(super) fn heredoc(&mut self, node: Node, depth: usize) {
        let all = children(node);
        if !self.is_well_read(node, &all) {
            self.unclear(node, "its here-document is not understood");
        }
        for (at, child) in all.iter().enumerate() {
            let field = node.field_name_for_child(at as u32);
            match child.kind() {
                "heredoc_start" | "heredoc_end" | "file_descriptor" => {}
                "heredoc_body" => self.body(*child, depth),
                "file_redirect" | "herestring_redirect" | "heredoc_redirect" => {
                    self.redirect(*child, depth + 1);
                }
                "pipeline" => self.statements(*child, depth + 1),
                _ if field == Some("right") => self.statement(*child, depth + 1),
                _ if !child.is_named() => {}
                _ => {
                    self.unclear(*child, "words follow its here-document");
                    self.substitutions(*child, depth + 1);
                }
            }
        }
    }

    /// The text of a document in which nothing is expanded.
    pub(super) fn quoted_document(&self, node: Node) -> Option<&'s str> {
        let all = children(node);
        let part = |kind: &str| all.iter().find(|child| child.kind() == kind);
        let plain = node.kind() == "heredoc_redirect"
            && all.iter().all(|child| child.kind().starts_with("heredoc_") || !child.is_named())
            && self.text(*part("heredoc_start")?).starts_with(['\'', '"'])
            && self.is_well_read(node, &all);
        part("heredoc_body").filter(|_| plain).map(|body| self.text(*body))
    }

    fn body(&mut self, body: Node, depth: usize) {
        for child in children(body).into_iter().filter(Node::is_named) {
            if child.kind() != "heredoc_content" {
                self.word(child, depth + 1);
            }
        }
    }

    /// Reads the end of the document as a shell does, and holds it against the tree.
    fn is_well_read(&self, node: Node, all: &[Node]) -> bool {
        let part = |kind: &str| all.iter().find(|child| child.kind() == kind);
        let (Some(start), Some(end)) = (part("heredoc_start"), part("heredoc_end")) else {
            return false;
        };
        let written = self.text(*start);
        let bare = |quote: char| written.strip_prefix(quote)?.strip_suffix(quote);
        let (delimiter, quoted) = match bare('\'').or_else(|| bare('"')) {
            Some(inside) => (inside, true),
            None => (written, false),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if delimiter.is_empty() || !delimiter.chars().all(plain) {
            return false;
        }
        // One document a line: the text begins after the line that opens it.
        let Some(text) = self
            .source
            .get(start.end_byte()..)
            .and_then(|rest| rest.find('\n'))
            .map(|at| start.end_byte() + at + 1)
        else {
            return false;
        };
        let opening = self.source.get(node.start_byte()..text).unwrap_or_default();
        if opening.matches("<<").count() != 1 {
            return false;
        }
        let tabs = all.iter().any(|child| child.kind() == "<<-");
        let mut at = text;
        for line in self.source.get(text..).unwrap_or_default().split_inclusive('\n') {
            let bare = line.strip_suffix('\n').unwrap_or(line);
            let bare = if tabs { bare.trim_start_matches('\t') } else { bare };
            if bare == delimiter {
                let body = self.source.get(text..at).unwrap_or_default();
                let here = at + line.len();
                return (at..=here).contains(&end.start_byte())
                    && self.text(*end).trim() == delimiter
                    && (quoted || self.substitutions_seen(body, part("heredoc_body")));
            }
            at += line.len();
        }
        false
    }

    /// Whether the tree has as many substitutions as the text of the document shows.
    fn substitutions_seen(&self, text: &str, body: Option<&Node>) -> bool {
        if !text.contains(['$', '`']) {
            return true;
        }
        let Some(body) = body else { return false };
        // Arithmetic evaluates what variables hold.
        let counts = text.contains("$((") || text.contains("$[");
        if counts || text.contains('`') || text.contains('\\') {
            return false;
        }
        let seen: Vec<Node> = children(*body)
            .into_iter()
            .filter(|child| child.is_named() && child.kind() != "heredoc_content")
            .collect();
        let covered = |at: usize| seen.iter().any(|child| child.byte_range().contains(&at));
        let begin = body.start_byte();
        self.text(*body).char_indices().all(|(at, c)| c != '$' || covered(begin + at))
    }
}
