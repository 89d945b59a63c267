//! What the words of `kimi ctl answer` choose. Nothing is guessed: a word is a number of an option,
//! exactly its name or label, or words of one's own that are marked as such.

use super::trouble::Trouble;
use crate::cli::UsageError;
use crate::front::text::clean_line;
use crate::protocol::control::{AskKind, AskOption, Choice, OpenAsk};

/// The choices for an open question, one for each of its parts.
pub fn choices(
    ask: &OpenAsk,
    words: &[String],
    text: Option<&str>,
) -> Result<Vec<Choice>, Trouble> {
    match ask.kind {
        AskKind::Approval => approval(ask, words, text).map(|choice| vec![choice]),
        AskKind::Question => questions(ask, words, text),
    }
}

fn approval(ask: &OpenAsk, words: &[String], text: Option<&str>) -> Result<Choice, Trouble> {
    let [word] = words else {
        return Err(UsageError::invalid("CHOICE", "An approval takes one.").into());
    };
    let number = word.parse::<usize>().ok();
    let named = |option: &&AskOption| match number {
        Some(number) => option.n == number,
        None => option.name == *word || option.label == *word,
    };
    let mut named = ask.options.iter().filter(named).peekable();
    if named.peek().is_none() {
        return Err(no_option(word, &ask.options, ""));
    }
    if text.is_some() && !named.any(|option| option.takes_text) {
        let message = format!("no words go with '{word}'; leave --text out");
        return Err(Trouble::Choice(message));
    }
    let (numbers, names) = match number {
        Some(number) => (vec![number], Vec::new()),
        None => (Vec::new(), vec![word.clone()]),
    };
    Ok(Choice { numbers, names, text: text.map(str::to_owned) })
}

fn questions(ask: &OpenAsk, words: &[String], text: Option<&str>) -> Result<Vec<Choice>, Trouble> {
    if text.is_some() {
        let message = "It goes with an approval; here write an answer of your own as =WORDS.";
        return Err(UsageError::invalid("'--text'", message).into());
    }
    // The first question is there also when the list is not.
    let asked: Vec<(&[AskOption], bool)> = match ask.questions.as_slice() {
        [] => vec![(&ask.options, false)],
        asked => asked.iter().map(|asked| (asked.options.as_slice(), asked.multi_select)).collect(),
    };
    if asked.len() != words.len() {
        let message = format!(
            "There are {} questions and {} given; each takes one.",
            asked.len(),
            match words.len() {
                1 => "1 was".to_owned(),
                many => format!("{many} were"),
            }
        );
        return Err(UsageError::invalid("CHOICE", message).into());
    }
    let parts = asked.into_iter().zip(words);
    parts.map(|((options, multi_select), word)| part(word, options, multi_select)).collect()
}

fn part(word: &str, options: &[AskOption], multi_select: bool) -> Result<Choice, Trouble> {
    if let Some(own) = word.strip_prefix('=') {
        if own.trim().is_empty() {
            return Err(UsageError::invalid("CHOICE", "No words follow the '='.").into());
        }
        return Ok(Choice { text: Some(own.to_owned()), ..Choice::default() });
    }
    let numbers: Option<Vec<usize>> =
        word.split(',').map(|number| number.trim().parse().ok()).collect();
    let Some(mut numbers) = numbers else {
        if options.iter().any(|option| option.label == word || option.name == word) {
            return Ok(Choice { names: vec![word.to_owned()], ..Choice::default() });
        }
        return Err(no_option(word, options, "; an answer of your own is written =WORDS"));
    };
    if let Some(wrong) = numbers.iter().find(|n| options.iter().all(|option| option.n != **n)) {
        return Err(no_option(&wrong.to_string(), options, ""));
    }
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.len() > 1 && !multi_select {
        return Err(Trouble::Choice(format!("only one may be chosen, not '{word}'")));
    }
    Ok(Choice { numbers, ..Choice::default() })
}

fn no_option(word: &str, options: &[AskOption], more: &str) -> Trouble {
    let options =
        options.iter().map(|option| format!("{} {}", option.n, clean_line(&option.label)));
    let options = options.collect::<Vec<_>>().join(", ");
    Trouble::Choice(format!("'{word}' is none of: {options}{more}"))
}
