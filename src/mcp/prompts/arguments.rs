//! The arguments of a prompt, as they are written after its command.

use serde_json::{Map, Value};

use super::Prompt;

/// A word of the line: what it says, and where it stands there.
#[derive(Debug)]
struct Word {
    text: String,
    start: usize,
    end: usize,
    /// Bytes before the first quote or escape.
    plain: usize,
}

impl Prompt {
    /// The arguments that `line` gives, by name: words as in a shell, in the order in which the
    /// arguments are declared, the last one taking what is left; `name=value` gives one by its name.
    /// `command` is what the prompt was called by. The error is a sentence for a person.
    pub fn arguments(&self, command: &str, line: &str) -> Result<Map<String, Value>, String> {
        let mut given = Map::new();
        let mut rest = Vec::new();
        for word in words(line) {
            let named = word.text.split_once('=').filter(|(name, _)| name.len() <= word.plain);
            match named {
                Some((name, value))
                    if self.arguments.iter().any(|argument| argument.name == name)
                        && !given.contains_key(name) =>
                {
                    given.insert(name.to_owned(), value.into());
                }
                _ => rest.push(word),
            }
        }
        let open = self.arguments.iter().filter(|argument| !given.contains_key(&argument.name));
        let open: Vec<String> = open.map(|argument| argument.name.clone()).collect();
        let usage = || format!("Usage: /{command} {}", self.usage());
        if let (Some(word), true) = (rest.first(), open.is_empty()) {
            let why = match self.arguments.is_empty() {
                true => format!("/{command} takes no arguments."),
                false => format!("There is no argument left for \"{}\". {}", word.text, usage()),
            };
            return Err(why);
        }
        let mut words = rest.into_iter();
        for (at, name) in open.iter().enumerate() {
            let Some(first) = words.next() else { break };
            let value = match at + 1 == open.len() {
                true => remainder(line, first, &mut words),
                false => first.text,
            };
            given.insert(name.clone(), value.into());
        }
        let missing = self
            .arguments
            .iter()
            .find(|argument| argument.required && !given.contains_key(&argument.name));
        match missing {
            Some(argument) if argument.description.is_empty() => {
                Err(format!("/{command} needs <{}>. {}", argument.name, usage()))
            }
            Some(argument) => Err(format!(
                "/{command} needs <{}>: {}. {}",
                argument.name,
                argument.description.trim_end_matches('.'),
                usage()
            )),
            None => Ok(given),
        }
    }
}

/// One word alone is what it says; of several the line is kept as it was typed, where they stand
/// together.
fn remainder(line: &str, first: Word, words: &mut impl Iterator<Item = Word>) -> String {
    let (mut text, mut end) = (first.text, first.end);
    let mut alone = true;
    for word in words {
        let between = line.get(end..word.start).unwrap_or(" ");
        if alone {
            text = line.get(first.start..end).unwrap_or_default().to_owned();
            alone = false;
        }
        // A `name=value` that stood between them is not theirs.
        text.push_str(if between.trim().is_empty() { between } else { " " });
        text.push_str(line.get(word.start..word.end).unwrap_or_default());
        end = word.end;
    }
    text
}

/// The words of a line as a shell reads them. A quote that is not closed is a character like others:
/// free text has apostrophes.
fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(skip) = line[at..].find(|c: char| !c.is_whitespace()) {
        let word = word(line, at + skip);
        at = word.end;
        words.push(word);
    }
    words
}

fn word(line: &str, start: usize) -> Word {
    let mut word = Word { text: String::new(), start, end: line.len(), plain: usize::MAX };
    let mut at = start;
    while let Some(c) = line[at..].chars().next() {
        let next = at + c.len_utf8();
        at = match c {
            c if c.is_whitespace() => {
                word.end = at;
                break;
            }
            '"' | '\'' => match line[next..].find(c) {
                Some(length) => {
                    word.plain = word.plain.min(word.text.len());
                    word.text.push_str(&line[next..next + length]);
                    next + length + 1
                }
                None => {
                    word.text.push(c);
                    next
                }
            },
            '\\' => match line[next..].chars().next().filter(|c| "\\\"' ".contains(*c)) {
                Some(escaped) => {
                    word.plain = word.plain.min(word.text.len());
                    word.text.push(escaped);
                    next + escaped.len_utf8()
                }
                None => {
                    word.text.push(c);
                    next
                }
            },
            c => {
                word.text.push(c);
                next
            }
        };
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn prompt(arguments: Value) -> Prompt {
        Prompt::listed("s", &[json!({"name": "p", "arguments": arguments})]).remove(0)
    }

    fn given(line: &str) -> String {
        let prompt = prompt(json!([
            {"name": "repo", "required": true, "description": "Which one."},
            {"name": "style"},
            {"name": "text"},
        ]));
        match prompt.arguments("s:p", line) {
            Ok(given) => Value::Object(given).to_string(),
            Err(why) => why,
        }
    }

    #[test]
    fn words_come_in_order_and_the_last_takes_the_rest() {
        assert_eq!(given("a"), r#"{"repo":"a"}"#);
        assert_eq!(given(r#" "a b"  'c d' e "#), r#"{"repo":"a b","style":"c d","text":"e"}"#);
        assert_eq!(given("a b c  d 'e'"), r#"{"repo":"a","style":"b","text":"c  d 'e'"}"#);
        assert_eq!(given(r#"a b "c d""#), r#"{"repo":"a","style":"b","text":"c d"}"#);
        assert_eq!(given("a b don't do it"), r#"{"repo":"a","style":"b","text":"don't do it"}"#);
        assert_eq!(given(r"a\ b \"), r#"{"repo":"a b","style":"\\"}"#);
        assert_eq!(given("é 日本"), r#"{"repo":"é","style":"日本"}"#);
    }

    #[test]
    fn names_go_before_places() {
        assert_eq!(given("text=t a"), r#"{"text":"t","repo":"a"}"#);
        assert_eq!(given(r#"a text="x y" b"#), r#"{"text":"x y","repo":"a","style":"b"}"#);
        assert_eq!(given("a b=c"), r#"{"repo":"a","style":"b=c"}"#);
        assert_eq!(given("'repo=x' b"), r#"{"repo":"repo=x","style":"b"}"#);
        assert_eq!(given("a b c style=q d"), r#"{"style":"q","repo":"a","text":"b c d"}"#);
    }

    #[test]
    fn what_is_missing_or_too_much_is_told() {
        let told = "/s:p needs <repo>: Which one. Usage: /s:p <repo> [style] [text]";
        assert_eq!(given(""), told);
        assert_eq!(given("style=x text=y"), told);
        let none = prompt(json!([]));
        assert_eq!(none.arguments("s:p", "x").unwrap_err(), "/s:p takes no arguments.");
        assert!(none.arguments("s:p", " ").unwrap().is_empty());
        let full = given("repo=a style=b text=c \"d e\"");
        assert!(full.starts_with("There is no argument left for \"d e\". Usage:"), "{full}");
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in any::<String>()) {
            let all = prompt(json!([{"name": "a"}, {"name": "b"}]));
            prop_assert!(all.arguments("s:p", &line).is_ok());
        }
    }
}
