//! Finding tools by words: BM25 over names, descriptions and argument names, offline and
//! deterministic.
//!
//! [`tokens`] makes words of identifiers and prose, [`stem`] and [`synonyms`] let the words of a
//! person meet those of a tool's author, [`index`] ranks, [`answer`] and [`index_text`] are what the
//! model reads.

pub mod answer;
mod chinese;
pub mod document;
pub mod index;
pub mod index_text;
pub mod query;
mod stem;
mod synonyms;
mod tokens;

#[cfg(test)]
mod quality;
