//! The expressions of a system prompt: `NAME`, `NAME == "x"`, `A and not B`, `A is defined`.

use std::borrow::Cow;

/// An expression. A value is true when it is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Name(String),
    Text(String),
    Defined(String),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Equal(Box<Expression>, Box<Expression>),
}

/// Nesting that is followed.
const MAX_DEPTH: usize = 32;

impl Expression {
    /// Reads a condition. The error is half a sentence.
    pub fn condition(text: &str) -> Result<Self, String> {
        let mut parser = Parser { words: words(text)?, at: 0, depth: 0 };
        let expression = parser.or()?;
        match parser.peek() {
            None => Ok(expression),
            Some(word) => Err(format!("`{}` is not understood in `{}`", word.shown(), text.trim())),
        }
    }

    /// Reads what may stand in `${...}`: a name or a text.
    pub fn value(text: &str) -> Result<Self, String> {
        match words(text)?.as_slice() {
            [Word::Name(name)] => Ok(Self::Name(name.clone())),
            [Word::Text(text)] => Ok(Self::Text(text.clone())),
            _ => Err(format!("`${{{text}}}` is not the name of a variable")),
        }
    }

    /// The first name that has no value, left out those that are only asked for by `is defined`.
    pub fn undefined(&self, defined: &dyn Fn(&str) -> bool) -> Option<&str> {
        match self {
            Self::Name(name) => (!defined(name)).then_some(name),
            Self::Text(_) | Self::Defined(_) => None,
            Self::Not(inner) => inner.undefined(defined),
            // What decides by being defined or not guards what follows.
            Self::And(left, _) if left.settled(defined) == Some(false) => None,
            Self::Or(left, _) if left.settled(defined) == Some(true) => None,
            Self::And(left, right) | Self::Or(left, right) | Self::Equal(left, right) => {
                left.undefined(defined).or_else(|| right.undefined(defined))
            }
        }
    }

    /// The outcome, where it depends on nothing but what is defined.
    pub fn settled(&self, defined: &dyn Fn(&str) -> bool) -> Option<bool> {
        match self {
            Self::Defined(name) => Some(defined(name)),
            Self::Text(text) => Some(!text.is_empty()),
            Self::Not(inner) => inner.settled(defined).map(|outcome| !outcome),
            Self::And(left, right) => match (left.settled(defined), right.settled(defined)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.settled(defined), right.settled(defined)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Name(_) | Self::Equal(..) => None,
        }
    }

    /// The text of a value; nothing for what is not defined.
    pub fn text<'x, 'v: 'x>(&'x self, value: &dyn Fn(&str) -> Option<&'v str>) -> Cow<'x, str> {
        match self {
            Self::Name(name) => Cow::Borrowed(value(name).unwrap_or_default()),
            Self::Text(text) => Cow::Borrowed(text),
            other => Cow::Borrowed(if other.holds(value) { "True" } else { "False" }),
        }
    }

    /// Whether it is true.
    pub fn holds<'v>(&self, value: &dyn Fn(&str) -> Option<&'v str>) -> bool {
        match self {
            Self::Name(_) | Self::Text(_) => !self.text(value).is_empty(),
            Self::Defined(name) => value(name).is_some(),
            Self::Not(inner) => !inner.holds(value),
            Self::And(left, right) => left.holds(value) && right.holds(value),
            Self::Or(left, right) => left.holds(value) || right.holds(value),
            Self::Equal(left, right) => left.text(value) == right.text(value),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Name(String),
    Text(String),
    /// `(`, `)`, `==`, `!=`.
    Sign(&'static str),
}

impl Word {
    fn shown(&self) -> &str {
        match self {
            Self::Name(text) | Self::Text(text) => text,
            Self::Sign(sign) => sign,
        }
    }
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = ["==", "!=", "(", ")"].into_iter().find(|sign| rest.starts_with(sign)) {
            words.push(Word::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '"' || first == '\'' {
            let inside = &rest[1..];
            let end =
                inside.find(first).ok_or_else(|| format!("a quote in `{text}` never ends"))?;
            words.push(Word::Text(inside[..end].to_owned()));
            rest = &inside[end + 1..];
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            if end == 0 || first.is_numeric() {
                return Err(format!("`{first}` is not understood in `{}`", text.trim()));
            }
            words.push(Word::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(words)
}

struct Parser {
    words: Vec<Word>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.at)
    }

    fn eat(&mut self, wanted: &Word) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn eat_name(&mut self, name: &str) -> bool {
        self.eat(&Word::Name(name.to_owned()))
    }

    fn or(&mut self) -> Result<Expression, String> {
        let mut left = self.and()?;
        while self.eat_name("or") {
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut left = self.not()?;
        while self.eat_name("and") {
            left = Expression::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("a condition is nested too deeply".to_owned());
        }
        let read = if self.eat_name("not") {
            self.not().map(|inner| Expression::Not(Box::new(inner)))
        } else {
            self.comparison()
        };
        self.depth -= 1;
        read
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        let left = self.operand()?;
        if self.eat_name("is") {
            let negated = self.eat_name("not");
            let (Expression::Name(name), true) = (left, self.eat_name("defined")) else {
                return Err("after `is` only `defined` and `not defined` are understood".to_owned());
            };
            let defined = Expression::Defined(name);
            return Ok(if negated { Expression::Not(Box::new(defined)) } else { defined });
        }
        if self.eat(&Word::Sign("==")) {
            return Ok(Expression::Equal(Box::new(left), Box::new(self.operand()?)));
        }
        if self.eat(&Word::Sign("!=")) {
            let equal = Expression::Equal(Box::new(left), Box::new(self.operand()?));
            return Ok(Expression::Not(Box::new(equal)));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, String> {
        if self.eat(&Word::Sign("(")) {
            let inner = self.or()?;
            if !self.eat(&Word::Sign(")")) {
                return Err("a `)` is missing in a condition".to_owned());
            }
            return Ok(inner);
        }
        let word = self.peek().cloned();
        self.at += 1;
        match word {
            Some(Word::Text(text)) => Ok(Expression::Text(text)),
            Some(Word::Name(name))
                if !["and", "or", "not", "is", "in"].contains(&name.as_str()) =>
            {
                Ok(Expression::Name(name))
            }
            Some(word) => Err(format!("a value is missing in front of `{}`", word.shown())),
            None => Err("a condition is not complete".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> bool {
        let value = |name: &str| match name {
            "A" => Some("x"),
            "EMPTY" => Some(""),
            _ => None,
        };
        Expression::condition(text).unwrap().holds(&value)
    }

    #[test]
    fn conditions_hold_or_not() {
        for yes in [
            "A",
            "not EMPTY",
            "A == 'x'",
            "A != \"y\"",
            "EMPTY or A",
            "A and (EMPTY or not EMPTY)",
            "A is defined and NONE is not defined",
            "not not A",
            "EMPTY and A or A",
        ] {
            assert!(holds(yes), "{yes}");
            assert!(!holds(&format!("not ({yes})")), "{yes}");
        }
    }

    #[test]
    fn undefined_names_are_found_unless_guarded() {
        let defined = |name: &str| name == "A";
        let undefined = |text: &str| {
            Expression::condition(text).unwrap().undefined(&defined).map(str::to_owned)
        };
        assert_eq!(undefined("A and NONE").as_deref(), Some("NONE"));
        assert_eq!(undefined("NONE == 'x'").as_deref(), Some("NONE"));
        assert_eq!(undefined("NONE is defined and NONE == 'x'"), None);
        assert_eq!(undefined("NONE is not defined or NONE"), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "A B", "A ==", "(A", "A | upper", "A is even", "'x", "1", "and", "A.b"] {
            assert!(Expression::condition(text).is_err(), "{text}");
        }
        assert!(Expression::condition(&"not ".repeat(10_000)).is_err());
        assert!(Expression::condition(&"(".repeat(10_000)).is_err());
        for text in ["", "A B", "A == 'x'", "VAR:-x", "#A"] {
            assert!(Expression::value(text).is_err(), "{text}");
        }
        assert_eq!(Expression::value(" A "), Ok(Expression::Name("A".into())));
    }
}
