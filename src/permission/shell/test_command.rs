//! `[ … ]` and `[[ … ]]`.

use tree_sitter::Node;

use super::tree::Walk;
use super::word::children;
use super::{Part, Run, Word, clip};

impl Walk<'_, '_> {
    /// A test looks and changes nothing, unless it does arithmetic on what a variable holds.
    pub(super) fn test(&mut self, node: Node, depth: usize) {
        let text = self.text(node);
        if text.starts_with("((") {
            return self.arithmetic(node, depth);
        }
        if text.contains('\n') {
            // To a shell a line ends there.
            self.unclear(node, "it goes over several lines");
        }
        self.expression(node, text.starts_with("[["), depth);
        let shown = clip(text);
        let words = vec![Word::known("["), Word::any()];
        self.reader.push(Part::Run(Run { words, assigns: Vec::new(), shown, needs_rule: false }));
    }

    fn expression(&mut self, node: Node, double: bool, depth: usize) {
        if self.too_deep(node, depth) {
            return;
        }
        for child in children(node) {
            match child.kind() {
                "parenthesized_expression" if !double => {
                    self.unclear(child, "in `[` it is not part of the test");
                    self.substitutions(child, depth + 1);
                }
                "binary_expression" | "unary_expression" | "parenthesized_expression" => {
                    self.expression(child, double, depth + 1);
                }
                "regex" | "extglob_pattern" => {
                    if self.text(child).contains(['$', '`', '\'', '"', '\\', '<', '>', ';', '&']) {
                        self.unclear(child, "its pattern is not understood");
                    }
                }
                "test_operator" => {
                    let operator = self.text(child);
                    let compares = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];
                    let evaluates = matches!(operator, "-v" | "-R")
                        || (double && compares.contains(&operator) && !self.is_numeric(node));
                    if evaluates {
                        self.unclear(node, "it may evaluate what a variable holds");
                    }
                }
                _ if child.is_named() => {
                    self.word(child, depth + 1);
                }
                "[" | "]" | "[[" | "]]" | "=" | "==" | "!=" | "!" => {}
                "&&" | "||" | "(" | ")" | "=~" if double => {}
                // `[ a && b ]` are two commands, `[ a > b ]` writes a file.
                _ => self.unclear(child, "in a test it is not what it looks like"),
            }
        }
    }

    /// Whether both sides of a comparison are digits.
    fn is_numeric(&self, node: Node) -> bool {
        let sides = children(node).into_iter().filter(|child| child.kind() != "test_operator");
        let mut sides = sides.map(|side| self.text(side)).peekable();
        sides.peek().is_some() && sides.all(|side| side.bytes().all(|b| b.is_ascii_digit()))
    }
}
