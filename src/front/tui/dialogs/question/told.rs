//! Questions as other programs see and answer them.

use super::{QuestionDialog, Sheet, draw};
use crate::front::tui::cells::row;
use crate::front::tui::dialogs::{DialogReply, Unfit, choose};
use crate::protocol::control::{AskKind, AskOption, AskQuestion, Choice, OpenAsk};
use crate::protocol::{Question, Response};

/// The choices with the numbers that choose them; the last is the answer in one's own words, where
/// that is one.
fn options(question: &Question) -> Vec<AskOption> {
    let options = (1..).zip(&question.options).map(|(n, option)| AskOption {
        n,
        name: option.label.clone(),
        label: row::shown_line(option.label.trim()),
        description: option.description.clone(),
        takes_text: false,
    });
    let other = draw::other_label(question);
    let other = AskOption {
        n: question.options.len() + 1,
        name: other.clone(),
        label: other,
        description: question.other_description.clone(),
        takes_text: true,
    };
    options.chain(Sheet::new(question).takes_words.then_some(other)).collect()
}

pub(super) fn ask(dialog: &QuestionDialog) -> OpenAsk {
    let questions: Vec<AskQuestion> = dialog
        .request
        .questions
        .iter()
        .map(|question| AskQuestion {
            text: question.question.clone(),
            header: question.header.clone(),
            multi_select: question.multi_select,
            options: options(question),
        })
        .collect();
    let first = questions.first();
    OpenAsk {
        id: dialog.request.id.clone(),
        kind: AskKind::Question,
        text: first.map(|first| first.text.clone()).unwrap_or_default(),
        options: first.map(|first| first.options.clone()).unwrap_or_default(),
        questions,
        behind: 0,
    }
}

/// Answers every question as the keys would.
pub(super) fn answer(dialog: &QuestionDialog, choices: &[Choice]) -> Result<Response, Unfit> {
    let questions = &dialog.request.questions;
    if choices.len() != questions.len() {
        let first = questions.first().map(options).unwrap_or_default();
        let problem = match questions.len() {
            1 => "One choice is needed".to_owned(),
            n => format!("{n} choices are needed, one for each question"),
        };
        return Err(Unfit::new(problem, &first));
    }
    let sheets = (1..).zip(questions.iter().zip(choices)).map(|(n, (question, choice))| {
        let sheet = answered(question, choice);
        if questions.len() > 1 { sheet.map_err(|unfit| unfit.of_question(n)) } else { sheet }
    });
    let sheets = sheets.collect::<Result<_, _>>()?;
    let answered = QuestionDialog { sheets, ..dialog.clone() };
    match answered.send() {
        DialogReply::Answer(response) => Ok(response),
        _ => Err(Unfit::new("The question cannot be answered", &[])),
    }
}

/// The sheet with this choice made.
fn answered(question: &Question, choice: &Choice) -> Result<Sheet, Unfit> {
    let options = options(question);
    let unfit = |problem: &str| Err(Unfit::new(problem, &options));
    let chosen = choose(choice, &options)?;
    let mut sheet = Sheet::new(question);
    let named_other = chosen.contains(&question.options.len());
    if let Some(text) = choice.text.as_deref().filter(|text| !text.trim().is_empty()) {
        if !sheet.takes_words {
            return unfit("Only one of the options is an answer");
        }
        sheet.other.insert(text);
        if sheet.other.is_blank() {
            return unfit("The words are too long, or nothing is in them");
        }
    }
    sheet.other_ticked = !sheet.other.is_blank();
    if named_other && !sheet.other_ticked {
        return unfit("That option needs words");
    }
    for at in chosen {
        if let Some(ticked) = sheet.ticked.get_mut(at) {
            *ticked = true;
        }
    }
    let count =
        sheet.ticked.iter().filter(|ticked| **ticked).count() + usize::from(sheet.other_ticked);
    match count {
        0 => unfit("Nothing is chosen"),
        2.. if !question.multi_select => unfit("Only one option can be chosen"),
        _ => {
            sheet.answered = true;
            Ok(sheet)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::front::tui::dialogs::Dialog as _;
    use crate::protocol::QuestionRequest;
    use serde_json::{Value, json};

    fn question(text: &str, multi: bool) -> Value {
        json!({"question": text, "header": "H", "multi_select": multi, "options": [
            {"label": "Red", "description": "warm"}, {"label": "Blue", "description": ""},
        ]})
    }

    fn dialog(questions: Value) -> QuestionDialog {
        let request: QuestionRequest = serde_json::from_value(
            json!({"id": "q1", "tool_call_id": "c1", "questions": questions}),
        )
        .expect("a request");
        QuestionDialog::new(request, Instant::now(), false)
    }

    /// The answers as JSON, or why not.
    fn judged(questions: Value, choices: Value) -> String {
        let choices: Vec<Choice> = serde_json::from_value(choices).expect("choices");
        match dialog(questions).answer(&choices) {
            Ok(Response::Question(response)) => Value::Object(response.answers).to_string(),
            Ok(other) => panic!("{other:?}"),
            Err(unfit) => format!("no: {unfit}"),
        }
    }

    #[test]
    fn the_question_is_told_with_the_numbers_of_its_keys() {
        let ask = dialog(json!([question("Which?", false), question("And?", true)])).open_ask();
        assert_eq!((ask.text.as_str(), ask.questions.len()), ("Which?", 2));
        let told: Vec<_> = ask
            .options
            .iter()
            .map(|option| (option.n, option.label.as_str(), option.takes_text))
            .collect();
        assert_eq!(told, [(1, "Red", false), (2, "Blue", false), (3, "Other", true)]);
        assert!(ask.questions[1].multi_select && ask.options == ask.questions[0].options);
    }

    #[test]
    fn choices_become_the_answers_that_keys_would_give() {
        let one = || json!([question("Which?", false)]);
        assert_eq!(judged(one(), json!([{"numbers": [2]}])), r#"{"Which?":"Blue"}"#);
        assert_eq!(judged(one(), json!([{"names": ["red"]}])), r#"{"Which?":"Red"}"#);
        assert_eq!(judged(one(), json!([{"text": "Mauve"}])), r#"{"Which?":"Mauve"}"#);
        assert_eq!(
            judged(one(), json!([{"numbers": [3], "text": "Mauve"}])),
            r#"{"Which?":"Mauve"}"#
        );
        let many = json!([question("Which?", true), question("And?", false)]);
        assert_eq!(
            judged(many, json!([{"numbers": [2, 1, 2], "text": "Mauve"}, {"names": ["Blue"]}])),
            r#"{"Which?":"Red, Blue, Mauve","And?":"Blue"}"#
        );
    }

    #[test]
    fn where_only_options_are_answers_words_are_none() {
        let mut closed = question("Which?", false);
        closed["only_options"] = true.into();
        let asked = || json!([closed.clone()]);
        assert_eq!(dialog(asked()).open_ask().options.len(), 2);
        assert_eq!(judged(asked(), json!([{"numbers": [2]}])), r#"{"Which?":"Blue"}"#);
        let told = judged(asked(), json!([{"text": "Mauve"}]));
        assert!(told.contains("Only one of the options is an answer"), "{told}");
        assert!(told.contains("1 Red, 2 Blue") && !told.contains("Other"), "{told}");
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_would() {
        let one = || json!([question("Which?", false)]);
        for wrong in [
            json!([]),
            json!([{}]),
            json!([{"numbers": [1]}, {"numbers": [1]}]),
            json!([{"numbers": [4]}]),
            json!([{"numbers": [3]}]),
            json!([{"numbers": [1, 2]}]),
            json!([{"numbers": [1], "text": "Mauve"}]),
            json!([{"names": ["Green\u{1b}[2J"]}]),
            json!([{"text": "x".repeat(20_000)}]),
        ] {
            let told = judged(one(), wrong.clone());
            assert!(told.starts_with("no: "), "{wrong} {told}");
            assert!(told.contains("1 Red, 2 Blue, 3 Other (with words)"), "{told}");
            assert!(!told.contains('\u{1b}'));
        }
        let two = json!([question("Which?", false), question("And?", false)]);
        let told = judged(two, json!([{"numbers": [1]}, {"numbers": [9]}]));
        assert!(told.starts_with("no: Question 2: There is no option 9."), "{told}");
    }
}
