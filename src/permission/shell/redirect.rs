//! Redirections.

use tree_sitter::Node;

use super::tree::Walk;
use super::word::children;
use super::{Part, Target, Word, clip, hidden};

/// Where writing changes nothing.
pub const NOWHERE: &[&str] = &["/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"];

impl Walk<'_, '_> {
    pub(super) fn redirected(&mut self, node: Node, depth: usize) {
        let all = children(node);
        let before = self.reader.parts.len();
        let mut command = before;
        for (at, child) in all.iter().enumerate() {
            self.statement(*child, depth + 1);
            if at == 0 {
                command = self.reader.parts.len();
            }
        }
        // A program and its here-document, and nothing else.
        if let [_, document] = all.as_slice()
            && command == before + 1
            && self.reader.parts.len() == command
            && let Some(text) = self.quoted_document(*document)
            && let Some(Part::Run(run)) = self.reader.parts.last_mut()
        {
            hidden::feed(run, text);
        }
    }

    pub(super) fn redirect(&mut self, node: Node, depth: usize) {
        if self.too_deep(node, depth) {
            return;
        }
        match node.kind() {
            "herestring_redirect" => {
                self.reader.feeds = true;
                for child in children(node).into_iter().filter(Node::is_named) {
                    if child.kind() != "file_descriptor" {
                        self.word(child, depth + 1);
                    }
                }
            }
            "heredoc_redirect" => {
                self.reader.feeds = true;
                self.heredoc(node, depth);
            }
            _ => self.file(node, depth),
        }
    }

    fn file(&mut self, node: Node, depth: usize) {
        let all = children(node);
        let operator = all.iter().find(|child| !child.is_named()).map(|child| self.text(*child));
        self.reader.feeds |= operator.is_some_and(|operator| operator.starts_with('<'));
        let mut targets =
            all.iter().filter(|child| child.is_named() && child.kind() != "file_descriptor");
        let (target, more) = (targets.next(), targets.next());
        if more.is_some() {
            // The grammar takes words after the file for files; a shell gives them to the program.
            self.unclear(node, "words follow its redirection");
            self.substitutions(node, depth + 1);
        }
        if all.iter().any(|child| {
            child.kind() == "file_descriptor"
                && !self.text(*child).bytes().all(|b| b.is_ascii_digit())
        }) {
            return self.unclear(node, "where it redirects is not understood");
        }
        let path = match target {
            Some(target) => self.word(*target, depth + 1),
            None if matches!(operator, Some("<&-" | ">&-")) => return,
            None => return self.unclear(node, "where it redirects is not understood"),
        };
        let known = path.literal().unwrap_or_default();
        if known.starts_with("/dev/tcp/") || known.starts_with("/dev/udp/") {
            return self.unclear(node, "it opens a network connection");
        }
        let descriptor =
            known == "-" || (!known.is_empty() && known.bytes().all(|b| b.is_ascii_digit()));
        let target = |path: Word| Target { path, moved: false, shown: clip(self.text(node)) };
        let part = match operator {
            Some(">&" | "<&") if descriptor => return,
            Some("<") => Part::Read(target(path)),
            Some(">" | ">>" | "&>" | "&>>" | ">|" | ">&") => {
                if NOWHERE.contains(&known) {
                    return;
                }
                Part::Write(target(path))
            }
            _ => return self.unclear(node, "where it redirects is not understood"),
        };
        self.reader.push(part);
    }
}
