//! A form where forms are shown: all of its fields at once, and once more those of them that do not fit.

use serde_json::{Map, Value};

use super::super::Answer;
use super::super::form::Form;
use super::{Asked, MOST_ROUNDS, in_order, options, said, warning};
use crate::mcp::elicit::field::Field;
use crate::protocol::{Question, QuestionField, QuestionForm};
use crate::tools::Desk;

/// A field with what was answered so far.
struct Line<'a> {
    field: &'a Field,
    answer: Option<String>,
    /// Why the answer was not taken.
    wrong: Option<String>,
}

impl Asked {
    /// Shows the form as one, until each answer fits or the person has had enough.
    pub(super) async fn put_sheet(&self, form: &Form, desk: &dyn Desk, call_id: &str) -> Answer {
        let begin = |field| Line { field, answer: Field::default_answer(field), wrong: None };
        let mut lines: Vec<Line> = form.fields.iter().map(begin).collect();
        for _ in 0..MOST_ROUNDS {
            let questions = self.questions(&lines);
            let texts: Vec<String> = questions.iter().map(|it| it.question.clone()).collect();
            let outcome = desk.pose(call_id, questions, Some(self.sheet(form, &lines))).await;
            let answers = match said(outcome).answers() {
                Ok(answers) => answers,
                Err(unanswered) => return unanswered,
            };
            let mut content = Map::new();
            for (line, text) in lines.iter_mut().zip(&texts) {
                let answer = answers.get(text).and_then(Value::as_str).unwrap_or_default();
                line.answer = (!answer.is_empty()).then(|| answer.to_owned());
                line.wrong = match &line.answer {
                    None if line.field.required => Some("an answer is needed".to_owned()),
                    None => None,
                    Some(answer) => match line.field.value(answer) {
                        Ok(value) => {
                            content.insert(line.field.name.clone(), value);
                            None
                        }
                        Err(why) => Some(why),
                    },
                };
            }
            if lines.iter().all(|line| line.wrong.is_none()) {
                return in_order(form, &content);
            }
        }
        Answer::Cancel
    }

    /// The same as questions, for the record and for whoever reads those.
    fn questions(&self, lines: &[Line]) -> Vec<Question> {
        let question = |(at, line): (usize, &Line)| {
            let text = self.text(line.field, at + 1, lines.len(), line.wrong.as_deref());
            let question = self.question(text, &line.field.title, options(line.field, false, true));
            Question { multi_select: line.field.takes_several(), ..question }
        };
        lines.iter().enumerate().map(question).collect()
    }

    fn sheet(&self, form: &Form, lines: &[Line]) -> QuestionForm {
        // All of the message, where there is more than fits into a question.
        let message = if self.body.is_empty() { &self.message } else { &self.body };
        let mut message = format!("{}{}: {message}", warning(&form.fields), self.asks);
        let fields = lines.iter().map(|line| {
            let note = line.wrong.as_deref().map(|why| format!("! Not taken: {why}. "));
            if let Some(note) = &note {
                message.push_str(&format!("\n{}: {}", line.field.title, note.trim_end()));
            }
            QuestionField {
                schema: line.field.schema(&note.unwrap_or_default(), line.answer.as_deref()),
                required: line.field.required,
            }
        });
        let fields = fields.collect();
        QuestionForm { message, fields }
    }
}
