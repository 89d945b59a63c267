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

/// What the words say, with the blanks that were typed between them.
fn remainder(line: &str, first: Word, words: &mut impl Iterator<Item = Word>) -> String {
    let (mut text, mut end) = (first.text, first.end);
    for word in words {
        let between = line.get(end..word.start).unwrap_or(" ");
        // A `name=value` that stood between them is not theirs.
        text.push_str(if between.trim().is_empty() { between } else { " " });
        text.push_str(&word.text);
        end = word.end;
    }
    text
}

/// The words of a line as a shell reads them, as far as free text allows it: a quote opens where a word or
/// its value begins and closes where one ends. Others are characters: prose has apostrophes.
fn words(line: &str) -> Vec<Word> {
    let mut quotes = Quotes::default();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(skip) = line[at..].find(|c: char| !c.is_whitespace()) {
        let word = word(line, at + skip, &mut quotes);
        at = word.end;
        words.push(word);
    }
    words
}

fn word(line: &str, start: usize, quotes: &mut Quotes) -> Word {
    let mut word = Word { text: String::new(), start, end: line.len(), plain: usize::MAX };
    let (mut at, mut opens) = (start, true);
    while let Some(c) = line[at..].chars().next() {
        let next = at + c.len_utf8();
        let may_open = std::mem::replace(&mut opens, false);
        at = match c {
            c if c.is_whitespace() => {
                word.end = at;
                break;
            }
            '"' | '\'' if may_open && let Some(close) = quotes.close(line, next, c) => {
                word.plain = word.plain.min(word.text.len());
                word.text.push_str(&line[next..close]);
                close + 1
            }
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
                opens = c == '=' && !word.text.contains('=');
                word.text.push(c);
                next
            }
        };
    }
    word
}

/// Which quotes still close in a line. Where one does not, none of its kind does after it: nothing is
/// looked through twice in vain.
#[derive(Debug, Default)]
struct Quotes {
    unclosed: String,
}

impl Quotes {
    /// Where a quote of this kind closes that was opened before `from`.
    fn close(&mut self, line: &str, from: usize, quote: char) -> Option<usize> {
        if self.unclosed.contains(quote) {
            return None;
        }
        let ends = |at: &usize| line[at + 1..].chars().next().is_none_or(char::is_whitespace);
        let close = line[from..].match_indices(quote).map(|(at, _)| from + at).find(ends);
        if close.is_none() {
            self.unclosed.push(quote);
        }
        close
    }
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
        assert_eq!(given("a b c  d 'e'"), r#"{"repo":"a","style":"b","text":"c  d e"}"#);
        assert_eq!(given(r#"a b "c d" e"#), r#"{"repo":"a","style":"b","text":"c d e"}"#);
        assert_eq!(given(r#"a b c \"d\""#), r#"{"repo":"a","style":"b","text":"c \"d\""}"#);
        assert_eq!(given(r#"a b "c d""#), r#"{"repo":"a","style":"b","text":"c d"}"#);
        assert_eq!(given("a b don't do it"), r#"{"repo":"a","style":"b","text":"don't do it"}"#);
        let prose = "a b don't say it isn't so, 'cause it's \"so";
        assert!(given(prose).ends_with(r#""text":"don't say it isn't so, 'cause it's \"so"}"#));
        assert_eq!(given("'it isn't so' b"), r#"{"repo":"it isn't so","style":"b"}"#);
        assert_eq!(given(r"a\ b \"), r#"{"repo":"a b","style":"\\"}"#);
        assert_eq!(given("é 日本"), r#"{"repo":"é","style":"日本"}"#);
    }

    #[test]
    fn names_go_before_places() {
        assert_eq!(given("text=t a"), r#"{"text":"t","repo":"a"}"#);
        assert_eq!(given(r#"a text="x y" b"#), r#"{"text":"x y","repo":"a","style":"b"}"#);
        assert_eq!(
            given(r#""a b" style=c text='d e' "#),
            r#"{"style":"c","text":"d e","repo":"a b"}"#
        );
        let two = prompt(json!([{"name": "one"}, {"name": "two"}]));
        assert_eq!(
            Value::Object(two.arguments("on:greet", r#""a b" two=c rest"#).unwrap()),
            json!({"one": "a b rest", "two": "c"})
        );
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

    #[test]
    fn quotes_that_do_not_close_cost_nothing() {
        let long = "'a \"b ".repeat(200_000);
        assert_eq!(words(&long).len(), 400_000);
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in any::<String>()) {
            let all = prompt(json!([{"name": "a"}, {"name": "b"}]));
            prop_assert!(all.arguments("s:p", &line).is_ok());
        }
    }
}
