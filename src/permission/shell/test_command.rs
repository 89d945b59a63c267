//! `[ … ]`, `test …` and `[[ … ]]`.

use std::ops::Range;

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
        let double = text.starts_with("[[");
        let mut words = Vec::new();
        self.expression(node, double, &mut words, depth);
        if !double && may_evaluate(&joined(words)) {
            self.unclear(node, EVALUATES);
        }
        let shown = clip(text);
        let words = vec![Word::known("["), Word::any()];
        self.reader.push(Part::Run(Run {
            words,
            assigns: Vec::new(),
            shown,
            piped: false,
            astray: false,
            needs_rule: false,
            hides: None,
            fed: None,
        }));
    }

    /// `words` gets the words of `[`, which a shell takes apart only when it runs.
    fn expression(&mut self, node: Node, double: bool, words: &mut Vec<Piece>, depth: usize) {
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
                    self.expression(child, double, words, depth + 1);
                }
                "regex" | "extglob_pattern" => {
                    if self.text(child).contains(['$', '`', '\'', '"', '\\', '<', '>', ';', '&']) {
                        self.unclear(child, "its pattern is not understood");
                    }
                    words.push((child.byte_range(), Word::any()));
                }
                "test_operator" => {
                    let operator = self.text(child);
                    let compares = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];
                    let evaluates = matches!(operator, "-v" | "-R")
                        || (compares.contains(&operator) && !self.is_numeric(node));
                    if double && evaluates {
                        self.unclear(node, EVALUATES);
                    }
                    words.push((child.byte_range(), Word::known(operator)));
                }
                _ if child.is_named() => {
                    let word = self.word(child, depth + 1);
                    words.push((child.byte_range(), word));
                }
                "[" | "]" | "[[" | "]]" => {}
                "=" | "==" | "!=" | "!" => {
                    words.push((child.byte_range(), Word::known(self.text(child))));
                }
                "&&" | "||" | "(" | ")" | "=~" if double => {}
                // `[ a && b ]` are two commands, `[ a > b ]` writes a file.
                _ => self.unclear(child, "in a test it is not what it looks like"),
            }
        }
    }

    /// Whether both sides of a comparison are numbers.
    fn is_numeric(&self, node: Node) -> bool {
        let sides = children(node).into_iter().filter(|child| child.kind() != "test_operator");
        let mut sides = sides.map(|side| self.text(side)).peekable();
        let number = |side: &str| {
            matches!(side, "$#" | "$?" | "$$") || side.bytes().all(|b| b.is_ascii_digit())
        };
        sides.peek().is_some() && sides.all(number)
    }
}

/// A word and where it is written.
type Piece = (Range<usize>, Word);

pub(super) const EVALUATES: &str = "it may evaluate what a variable holds";

/// The words of `[`: what the grammar took apart and no blank does is one word.
fn joined(pieces: Vec<Piece>) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut end = None;
    for (range, word) in pieces {
        match words.last_mut() {
            Some(last) if end == Some(range.start) => {
                last.text.push_str(&word.text);
                last.several |= !word.is_one() || !last.is_one();
                last.glob = None;
            }
            _ => words.push(word),
        }
        end = Some(range.end);
    }
    words
}

/// Whether `test` may be told `-v x[…]`, and so evaluates what stands in the brackets. Where the
/// operators stand is only known when it runs if one of its words may be several.
pub(super) fn may_evaluate(words: &[Word]) -> bool {
    let evaluates = |pair: &[Word]| {
        let [operator, operand] = pair else { return false };
        let operand_is_plain = operand.literal().is_some_and(|text| !text.contains('['));
        ["-v", "-R"].iter().any(|text| operator.may_be(text)) && !operand_is_plain
    };
    !words.iter().all(Word::is_one) || words.windows(2).any(evaluates)
}
