//! BM25 over the words of documents.
//!
//! Each concept of a query is one term to the formula: its words share one rarity, and the best of
//! them counts in a document. So "make" does not outweigh "create" because it is the rarer word.

use std::collections::HashMap;

use super::document::Document;
use super::query::{Concept, Query};

/// How soon more of the same word stops counting.
const SATURATION: f32 = 2.5;
/// What a document keeps that has none of the query's other concepts.
const ALONE: f32 = 0.6;
/// What a document with a word that was not said takes from the rarity of a concept.
const UNSAID: f32 = 0.2;

/// Words of a query that are guessed at.
const MAX_GUESSES: usize = 4;
/// Words that one may be meant as.
const MAX_ALIKE: usize = 3;
/// How alike a guess has to be, of 1.
const ALIKE: f64 = 0.75;
/// What a guess counts.
const GUESSED: f32 = 0.6;

/// The words of a set of documents, and where they are.
#[derive(Debug, Clone, Default)]
pub struct Index {
    documents: usize,
    places: HashMap<Box<str>, Vec<Place>>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    document: u32,
    weight: f32,
}

impl Index {
    /// An index of these documents, numbered from zero in their order.
    pub fn new<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Self {
        let mut index = Self::default();
        for (number, document) in (0..).zip(documents) {
            index.documents += 1;
            for (word, weight) in document.words() {
                let place = Place { document: number, weight };
                match index.places.get_mut(word) {
                    Some(places) => places.push(place),
                    None => _ = index.places.insert(word.into(), vec![place]),
                }
            }
        }
        index
    }

    /// The numbers of the best documents that `wanted` admits, best first, at most `limit`. Of equal
    /// ones the first comes first. Documents with no word of the query are not among them.
    pub fn search(&self, query: &Query, limit: usize, wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut scores = vec![0.0_f32; self.documents];
        let mut covered = vec![0.0_f32; self.documents];
        let mut best = vec![0.0_f32; self.documents];
        let mut touched: Vec<u32> = Vec::new();
        let mut whole = 0.0;
        let said = query.concepts.iter().map(|concept| (concept, true));
        let mut guesses = MAX_GUESSES;
        for (concept, counts_as_said) in said.chain(query.joined.iter().map(|one| (one, false))) {
            let guessed;
            let mut concept = concept;
            if counts_as_said && guesses > 0 && self.is_unknown(concept) {
                guesses -= 1;
                guessed = self.guessed(concept);
                concept = &guessed;
            }
            let rarity = self.rarity(concept);
            if rarity <= 0.0 {
                continue;
            }
            if counts_as_said {
                whole += rarity;
            }
            for (word, counts) in &concept.words {
                for place in self.places.get(word.as_str()).into_iter().flatten() {
                    let score = counts * place.weight / (place.weight + SATURATION);
                    let Some(best) = best.get_mut(place.document as usize) else { continue };
                    if *best == 0.0 {
                        touched.push(place.document);
                    }
                    *best = best.max(score);
                }
            }
            for document in touched.drain(..) {
                let at = document as usize;
                scores[at] += rarity * best[at];
                covered[at] += rarity;
                best[at] = 0.0;
            }
        }
        let part = |at: usize| if covered[at] < whole { covered[at] / whole } else { 1.0 };
        let score = |at: usize| scores[at] * (ALONE + (1.0 - ALONE) * part(at));
        let mut found: Vec<(u32, f32)> = (0..)
            .zip(&covered)
            .filter(|&(number, covered)| *covered > 0.0 && wanted(number))
            .map(|(number, _)| (number, score(number as usize)))
            .collect();
        found.sort_unstable_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        found.truncate(limit);
        found.into_iter().map(|(number, _)| number).collect()
    }

    /// The share of a query's concepts that a document has, from 0 to 1.
    pub fn covered(&self, query: &Query, document: u32) -> f32 {
        let has = |concept: &Concept| {
            concept.words.iter().any(|(word, _)| {
                let places = self.places.get(word.as_str());
                places.is_some_and(|places| places.iter().any(|place| place.document == document))
            })
        };
        let concepts = query.concepts.iter().filter(|concept| {
            if self.is_unknown(concept) { has(&self.guessed(concept)) } else { has(concept) }
        });
        concepts.count() as f32 / query.concepts.len().max(1) as f32
    }

    fn is_unknown(&self, concept: &Concept) -> bool {
        !concept.words.iter().any(|(word, _)| self.places.contains_key(word.as_str()))
    }

    /// The words that may be meant by one that no document has: a slip of the keyboard, or another
    /// form that stemming does not know.
    fn guessed(&self, concept: &Concept) -> Concept {
        let Some((said, _)) = concept.words.first() else { return concept.clone() };
        let mut alike: Vec<(f64, &str)> = self
            .places
            .keys()
            .map(|word| (likeness(said, word), &**word))
            .filter(|(alike, _)| *alike >= ALIKE)
            .collect();
        alike.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
        let words = alike.into_iter().take(MAX_ALIKE).map(|(_, word)| (word.to_owned(), GUESSED));
        Concept { words: words.collect() }
    }

    /// The inverse document frequency of a concept; zero when no document has any word of it. Words
    /// that were not said count less towards it.
    fn rarity(&self, concept: &Concept) -> f32 {
        let count = |(word, counts): &(String, f32)| {
            let places = self.places.get(word.as_str()).map_or(0, Vec::len) as f32;
            if *counts < 1.0 { UNSAID * places } else { places }
        };
        let with: f32 = concept.words.iter().map(count).sum();
        if with == 0.0 {
            return 0.0;
        }
        let all = self.documents as f32;
        (1.0 + (all - with.min(all) + 0.5) / (with.min(all) + 0.5)).ln()
    }
}

/// How alike two words are, of 1; words of less than four letters are not guessed at.
fn likeness(one: &str, other: &str) -> f64 {
    let (short, long) = (one.len().min(other.len()), one.len().max(other.len()));
    if short < 4 || long - short > 4 || one.as_bytes().first() != other.as_bytes().first() {
        return 0.0;
    }
    let common = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let start = if common == short && short >= 5 { ALIKE } else { 0.0 };
    start.max(strsim::normalized_damerau_levenshtein(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn index(tools: &[(&str, &str)]) -> Index {
        let documents: Vec<Document> = tools
            .iter()
            .map(|(name, text)| Document::new("server", name, text, &Value::Null))
            .collect();
        Index::new(&documents)
    }

    fn search(index: &Index, query: &str) -> Vec<u32> {
        index.search(&Query::new(query), 5, |_| true)
    }

    #[test]
    fn words_that_mean_the_same_find_the_tool() {
        let index = index(&[
            ("board_create", "Boards."),
            ("board_delete", "Boards."),
            ("services_list", "Services."),
            ("file_delete", "Files."),
            ("file_create", "Files."),
        ]);
        assert_eq!(search(&index, "make a board")[0], 0);
        assert_eq!(search(&index, "rm file")[0], 3);
        assert_eq!(search(&index, "enumerate services")[0], 2);
    }

    #[test]
    fn a_word_in_the_name_beats_one_in_the_description() {
        let index = index(&[("alpha", "This merges."), ("merge", "This alphas.")]);
        assert_eq!(search(&index, "merge"), [1, 0]);
    }

    #[test]
    fn a_slip_of_the_keyboard_is_forgiven() {
        let index = index(&[("send_message", "x"), ("list_repositories", "x")]);
        assert_eq!(search(&index, "mesage"), [0]);
        assert_eq!(search(&index, "repositorys"), [1]);
        assert_eq!(search(&index, "zebra"), [0; 0]);
    }

    #[test]
    fn equal_ones_come_in_their_order_and_only_wanted_ones() {
        let index = index(&[("get_a", "x"), ("get_b", "x"), ("get_c", "x")]);
        assert_eq!(search(&index, "get"), [0, 1, 2]);
        assert_eq!(index.search(&Query::new("get"), 5, |number| number != 1), [0, 2]);
        assert_eq!(index.search(&Query::new("get"), 1, |_| true), [0]);
        assert_eq!(search(&index, "zebra"), [0; 0]);
        assert_eq!(search(&Index::default(), "get"), [0; 0]);
    }
}
