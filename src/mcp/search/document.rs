//! What the index keeps of one tool: its words, each with a weight.

use std::collections::BTreeMap;

use serde_json::Value;

use super::tokens;
use crate::mcp::tidy::prefix;

/// Bytes of a description that are read: what a tool is for stands at the beginning.
const MAX_DESCRIPTION: usize = 1_000;
/// Bytes of a name that are read.
const MAX_NAME: usize = 256;
/// Bytes of the first sentence: some authors do not end it.
const MAX_LEAD: usize = 200;
/// Names of arguments that are read, and the same of values.
const MAX_ARGUMENTS: usize = 32;
/// Different words of one tool.
const MAX_WORDS: usize = 160;

/// One text of a tool: what a word in it weighs, how many words it usually has, and how much a
/// longer one loses.
struct Field {
    weight: f32,
    usual_words: f32,
    length_matters: f32,
}

const NAME: Field = Field { weight: 3.5, usual_words: 3.0, length_matters: 0.6 };
const SERVER: Field = Field { weight: 0.6, usual_words: 1.0, length_matters: 0.0 };
const LEAD: Field = Field { weight: 1.8, usual_words: 10.0, length_matters: 0.7 };
const DETAILS: Field = Field { weight: 0.25, usual_words: 40.0, length_matters: 0.8 };
const ARGUMENTS: Field = Field { weight: 0.4, usual_words: 6.0, length_matters: 0.5 };
const VALUES: Field = Field { weight: 0.4, usual_words: 6.0, length_matters: 0.5 };

/// The words of a tool and what each weighs in it. In the order of the words, so that everything
/// made of it is the same every time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    words: Vec<(Box<str>, f32)>,
}

impl Document {
    /// Reads a tool. Only a bounded part of each text counts, however long it is.
    pub fn new(server: &str, name: &str, description: &str, schema: &Value) -> Self {
        let mut words = BTreeMap::new();
        add(&mut words, &NAME, [prefix(name, MAX_NAME)]);
        add(&mut words, &SERVER, [prefix(server, MAX_NAME)]);
        let (lead, details) = lead(prefix(description, MAX_DESCRIPTION));
        add(&mut words, &LEAD, [lead]);
        add(&mut words, &DETAILS, [details]);
        let properties = schema.get("properties").and_then(Value::as_object);
        let arguments = properties.into_iter().flatten().take(MAX_ARGUMENTS);
        add(&mut words, &ARGUMENTS, arguments.clone().map(|(name, _)| prefix(name, MAX_NAME)));
        // A tool with an argument for what to do ("undo", "restart") names its deeds there.
        let values = arguments.filter_map(|(_, schema)| schema.get("enum")?.as_array()).flatten();
        let values = values.take(MAX_ARGUMENTS).filter_map(Value::as_str);
        add(&mut words, &VALUES, values.map(|value| prefix(value, MAX_NAME)));
        Self { words: words.into_iter().collect() }
    }

    /// The words with their weights.
    pub fn words(&self) -> impl ExactSizeIterator<Item = (&str, f32)> {
        self.words.iter().map(|(word, weight)| (&**word, *weight))
    }
}

/// The first sentence of a description, which says what the tool does, and the rest, which is notes,
/// warnings and examples.
fn lead(description: &str) -> (&str, &str) {
    let start = prefix(description, MAX_LEAD);
    let end = [". ", ".\n", "\n\n", "。"].iter().filter_map(|mark| start.find(mark)).min();
    description.split_at(end.unwrap_or(start.len()))
}

fn add<'a>(
    words: &mut BTreeMap<Box<str>, f32>,
    field: &Field,
    texts: impl IntoIterator<Item = &'a str>,
) {
    let mut counts: BTreeMap<Box<str>, f32> = BTreeMap::new();
    let mut total = 0.0;
    for text in texts {
        tokens::each(text, |word| {
            total += 1.0;
            match counts.get_mut(word) {
                Some(count) => *count += 1.0,
                None => _ = counts.insert(word.into(), 1.0),
            }
            counts.len() < MAX_WORDS
        });
    }
    let length = 1.0 + field.length_matters * (total / field.usual_words - 1.0);
    for (word, count) in counts {
        if words.len() < MAX_WORDS || words.contains_key(&word) {
            *words.entry(word).or_default() += field.weight * count / length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn weight(document: &Document, word: &str) -> f32 {
        document.words().find(|(one, _)| *one == word).map_or(0.0, |(_, weight)| weight)
    }

    #[test]
    fn a_name_weighs_more_than_prose_and_prose_more_than_arguments() {
        let schema = json!({"properties": {"zebra": {}}});
        let document = Document::new("server", "lion_list", "Asks the tiger.", &schema);
        let [name, prose, argument] =
            ["lion", "tiger", "zebra"].map(|word| weight(&document, word));
        assert!(name > prose && prose > argument && argument > 0.0, "{document:?}");
        assert!(weight(&document, "server") > 0.0);
    }

    #[test]
    fn a_hostile_description_costs_little() {
        let words: String = (0..200_000).map(|n| format!("w{n} ")).collect();
        let document = Document::new("s", "t", &words, &Value::Null);
        assert!(document.words().len() <= MAX_WORDS);
        assert_eq!(document, Document::new("s", "t", &words[..2_000], &Value::Null));
    }

    proptest! {
        #[test]
        fn any_tool_can_be_read(server in any::<String>(), name in any::<String>(), text in any::<String>()) {
            let document = Document::new(&server, &name, &text, &json!({"properties": [text.clone()]}));
            prop_assert!(document.words().all(|(_, weight)| weight.is_finite() && weight > 0.0));
        }
    }
}
