//! `AskUserQuestion`: puts questions with choices to the person.

use std::collections::HashSet;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CallContext, Effect, QuestionOutcome, Tool, ToolReturn, arguments, schema};
use crate::protocol::{DisplayBlock, Question, ToolReturnValue};

/// Asks the person.
pub struct AskUserQuestion;

#[derive(Deserialize)]
struct Arguments {
    questions: Vec<Question>,
}

#[async_trait]
impl Tool for AskUserQuestion {
    fn name(&self) -> &'static str {
        "AskUserQuestion"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/ask_user_question.md").trim_end()
    }

    fn parameters(&self) -> Value {
        let text = |description: &str| json!({"type": "string", "default": "", "description": description});
        let filled = |description: &str| json!({"type": "string", "minLength": 1, "description": description});
        let option = schema::object(
            &[("label", filled("1 to 5 words.")), ("description", text("What choosing it means."))],
            &["label"],
        );
        let question = schema::object(
            &[
                ("question", filled("One question, ending with a question mark.")),
                ("header", text("Label of up to 12 characters.")),
                (
                    "options",
                    json!({"type": "array", "items": option, "minItems": 2, "maxItems": 4}),
                ),
                ("multi_select", schema::boolean("Several may be chosen.", false)),
            ],
            &["question", "options"],
        );
        schema::object(
            &[(
                "questions",
                json!({"type": "array", "items": question, "minItems": 1, "maxItems": 4}),
            )],
            &["questions"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Interact
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let arguments: Arguments = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        // Answers are keyed by the question, so that one would hide the other.
        let mut texts = HashSet::new();
        if !arguments.questions.iter().all(|question| texts.insert(question.question.as_str())) {
            return arguments::invalid("each question must have its own text").into();
        }
        // Whoever is asked may always say something else.
        let questions = arguments
            .questions
            .into_iter()
            .map(|question| Question { only_options: false, ..question })
            .collect();
        let outcome = tokio::select! {
            outcome = cx.desk.ask(&cx.call_id, questions) => outcome,
            () = cx.cancel.cancelled() => return super::file_access::cancelled().into(),
        };
        match outcome {
            QuestionOutcome::Answered(response) if response.answers.is_empty() => {
                let note = "The user dismissed the questions without answering.";
                brief(result(&response.answers, Some(note)), "User dismissed the questions.", "User dismissed")
            }
            QuestionOutcome::Answered(response) => {
                brief(result(&response.answers, None), "User has answered.", "User answered")
            }
            QuestionOutcome::Afk => {
                let note = "Running in afk mode. No user is present. Make your own decision.";
                brief(result(&Map::new(), Some(note)), "Afk mode, auto-dismissed.", "Auto-dismissed (afk)")
            }
            QuestionOutcome::Unsupported => ToolReturnValue::error(
                "The connected client does not support interactive questions. Do NOT call this tool again; ask in your answer instead.",
                "Questions not supported",
            )
            .into(),
        }
    }
}

fn brief(output: String, message: &str, brief: &str) -> ToolReturn {
    ToolReturnValue::ok(output, message)
        .with_display(DisplayBlock::Brief { text: brief.to_owned() })
        .into()
}

/// The answers as JSON, spaced as the clients of kimi-cli know it.
fn result(answers: &Map<String, Value>, note: Option<&str>) -> String {
    let text = |text: &str| Value::from(text).to_string();
    let pairs: Vec<String> =
        answers.iter().map(|(question, answer)| format!("{}: {answer}", text(question))).collect();
    let mut out = format!("{{\"answers\": {{{}}}", pairs.join(", "));
    if let Some(note) = note {
        out.push_str(&format!(", \"note\": {}", text(note)));
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::QuestionResponse;
    use crate::tools::testing::Bench;

    fn questions(texts: &[&str]) -> Value {
        let one =
            |text: &&str| json!({"question": text, "options": [{"label": "A"}, {"label": "B"}]});
        json!({"questions": texts.iter().map(one).collect::<Vec<_>>()})
    }

    async fn ask(outcome: QuestionOutcome) -> ToolReturnValue {
        let bench = Bench::new();
        *bench.desk.outcome.lock().unwrap() = outcome;
        bench.run(&AskUserQuestion, questions(&["Which?", "What?"])).await
    }

    fn answered(answers: Value) -> QuestionOutcome {
        QuestionOutcome::Answered(QuestionResponse {
            request_id: "r".into(),
            answers: answers.as_object().unwrap().clone(),
            declined: false,
        })
    }

    #[tokio::test]
    async fn answers_come_back_as_json() {
        let value = ask(answered(json!({"Which?": "A", "What?": "A, B"}))).await;
        assert_eq!(value.output.text(), r#"{"answers": {"Which?": "A", "What?": "A, B"}}"#);
        assert_eq!(value.message, "User has answered.");
        assert_eq!(value.display, [DisplayBlock::Brief { text: "User answered".into() }]);
    }

    #[tokio::test]
    async fn nobody_there() {
        let value = ask(QuestionOutcome::Afk).await;
        assert_eq!(
            value.output.text(),
            r#"{"answers": {}, "note": "Running in afk mode. No user is present. Make your own decision."}"#
        );
        assert_eq!(value.message, "Afk mode, auto-dismissed.");
        assert!(!value.is_error);
        let dismissed = ask(answered(json!({}))).await;
        assert!(dismissed.output.text().starts_with(r#"{"answers": {}, "note": "#));
        assert!(ask(QuestionOutcome::Unsupported).await.is_error);
    }

    #[tokio::test]
    async fn equal_questions_are_refused() {
        let value = Bench::new().run(&AskUserQuestion, questions(&["Which?", "Which?"])).await;
        assert!(value.is_error && value.message.contains("its own text"));
    }

    #[test]
    fn the_counts_are_limited() {
        let one = json!({"questions": [{"question": "Q?", "options": [{"label": "A"}]}]});
        let error = schema::check(&AskUserQuestion.parameters(), one).unwrap_err();
        assert_eq!(error, "`questions[0].options` must be a list with at least 2");
        assert!(AskUserQuestion.check(json!({"questions": []})).is_err());
        assert!(AskUserQuestion.check(questions(&["1", "2", "3", "4"])).is_ok());
        assert!(AskUserQuestion.check(questions(&["1", "2", "3", "4", "5"])).is_err());
        assert!(AskUserQuestion.check(questions(&[""])).is_err());
        let label = |label: &str| json!({ "label": label });
        let labels = ["a", "b", "c", "d", "e"].map(label);
        let five = json!({"questions": [{"question": "Q?", "options": labels}]});
        assert!(AskUserQuestion.check(five).is_err());
        let filled = AskUserQuestion.check(questions(&["Which?"])).unwrap();
        assert_eq!(filled["questions"][0]["header"], "");
        assert_eq!(filled["questions"][0]["multi_select"], false);
    }
}
