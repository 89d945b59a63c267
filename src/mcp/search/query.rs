//! What a person or a model asks for, as concepts: each a word with the others that mean the same.

use super::stem::stem;
use super::{synonyms, tokens};
use crate::mcp::tidy::prefix;

/// Bytes of a query that are read.
const MAX_QUERY: usize = 2_000;
/// Concepts of a query that count.
const MAX_CONCEPTS: usize = 48;
/// What a word counts that was not said but means the same.
const SYNONYM: f32 = 0.65;
/// What a word for looking counts when somebody asks.
const ASKED: f32 = 0.7;

/// A query, ready for the index.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    pub(super) concepts: Vec<Concept>,
    /// What neighbouring words make as one; an extra that no tool has to have.
    pub(super) joined: Vec<Concept>,
}

/// Words that stand for one another, each with what it counts; the one that was said is first.
#[derive(Debug, Clone, PartialEq)]
pub struct Concept {
    pub(super) words: Vec<(String, f32)>,
}

impl Query {
    /// Reads a query in any language; a bounded part of it.
    pub fn new(text: &str) -> Self {
        let mut concepts: Vec<Concept> = Vec::new();
        let mut add = |word: &str| {
            if !concepts.iter().any(|concept| concept.words[0].0 == word) {
                concepts.push(Concept::new(word));
            }
            concepts.len() < MAX_CONCEPTS
        };
        tokens::each(prefix(text, MAX_QUERY), |word| {
            let spelled_out = synonyms::spelled_out(word);
            let go_on = spelled_out.iter().all(|part| add(&stem(part)));
            add(word) && go_on
        });
        let mut joined: Vec<Concept> = Vec::new();
        tokens::each_joined(prefix(text, MAX_QUERY), |word| {
            if !concepts.iter().chain(&joined).any(|concept| concept.words[0].0 == word) {
                joined.push(Concept::new(word));
            }
            joined.len() < 2 * MAX_CONCEPTS
        });
        joined.extend(looking(text).filter(|_| !concepts.is_empty()));
        Self { concepts, joined }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.concepts.is_empty()
    }
}

/// A question names no deed: what answers it looks and changes nothing.
fn looking(text: &str) -> Option<Concept> {
    let first = text.split(|ch: char| !ch.is_alphanumeric()).find(|word| !word.is_empty())?;
    synonyms::is_question_word(&first.to_ascii_lowercase()).then(|| Concept {
        words: synonyms::LOOKING.iter().map(|word| (stem(word), ASKED)).collect(),
    })
}

impl Concept {
    fn new(word: &str) -> Self {
        let mut words = vec![(word.to_owned(), 1.0)];
        for other in synonyms::of(word) {
            if !words.iter().any(|(one, _)| one == other) {
                words.push((other.to_owned(), SYNONYM));
            }
        }
        Self { words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_brings_those_that_mean_the_same() {
        let query = Query::new("make a board");
        assert_eq!(query.concepts.len(), 2);
        assert!(query.concepts[0].words.iter().any(|(word, _)| *word == stem("create")));
        assert_eq!(query.concepts[1].words[0].0, "board");
    }

    #[test]
    fn abbreviations_are_spelled_out() {
        let query = Query::new("open PR");
        let said: Vec<&str> =
            query.concepts.iter().map(|concept| concept.words[0].0.as_str()).collect();
        assert!(said.contains(&"pull") && said.contains(&"request") && said.contains(&"pr"));
    }

    #[test]
    fn a_query_without_words_is_empty() {
        assert!(Query::new(" …the ").is_empty());
        let long = "word1 ".repeat(10_000);
        assert!(Query::new(&long).concepts.len() <= MAX_CONCEPTS);
        let different: String = (0..10_000).map(|n| format!("x{n} ")).collect();
        assert!(Query::new(&different).concepts.len() <= MAX_CONCEPTS);
    }
}
