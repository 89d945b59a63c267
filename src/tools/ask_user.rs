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
        let questions = arguments.questions.into_iter().map(posed).collect();
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

/// The question as it is put.
fn posed(mut question: Question) -> Question {
    // Whoever is asked may always say something else.
    question.only_options = false;
    if question.multi_select {
        // What was chosen comes back as one text, with ", " between the labels.
        for option in &mut question.options {
            option.label = option.label.replace(", ", "; ");
        }
    }
    question
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

    fn short(value: &ToolReturnValue) -> &str {
        crate::tools::testing::brief(value)
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
        assert_eq!(short(&value), "Auto-dismissed (afk)");
        let dismissed = ask(answered(json!({}))).await;
        assert_eq!(
            dismissed.output.text(),
            r#"{"answers": {}, "note": "The user dismissed the questions without answering."}"#
        );
        assert_eq!((dismissed.is_error, short(&dismissed)), (false, "User dismissed"));
        let mute = ask(QuestionOutcome::Unsupported).await;
        assert_eq!((mute.is_error, short(&mute)), (true, "Questions not supported"));
        assert!(mute.message.contains("Do NOT call this tool again") && mute.output.is_empty());
    }

    #[tokio::test]
    async fn answers_of_every_kind_stay_readable_json() {
        let given = json!({"Say \"hi\"?": "a \"b\"\n\\c é", "And\n?": "x, y"});
        let value = ask(answered(given.clone())).await;
        let read: Value = serde_json::from_str(&value.output.text()).unwrap();
        assert_eq!(read, json!({ "answers": given }));
    }

    #[tokio::test]
    async fn questions_are_put_as_they_were_asked_and_may_be_answered_in_words() {
        let bench = Bench::new();
        let header = "longer than the twelve that are advised";
        let asked = json!({"questions": [{
            "question": "Which?", "header": header, "multi_select": true, "only_options": true,
            "options": [{"label": "A", "description": "first"}, {"label": "B"}],
        }]});
        bench.run(&AskUserQuestion, asked).await;
        let posed = bench.desk.posed.lock().unwrap();
        let [question] = posed.as_slice() else { panic!("{posed:?}") };
        assert_eq!((question.question.as_str(), question.header.as_str()), ("Which?", header));
        assert!(question.multi_select && !question.only_options);
        let options: Vec<_> = question
            .options
            .iter()
            .map(|option| (option.label.as_str(), option.description.as_str()))
            .collect();
        assert_eq!(options, [("A", "first"), ("B", "")]);
    }

    /// The labels of several choices come back joined by commas.
    #[tokio::test]
    async fn labels_of_several_choices_have_no_commas_of_their_own() {
        let bench = Bench::new();
        let options = json!([{"label": "Red, green"}, {"label": "1,5"}, {"label": "Blue"}]);
        let question = |text: &str, multi: bool| json!({"question": text, "multi_select": multi, "options": options});
        let asked = json!({"questions": [question("Which?", true), question("And?", false)]});
        bench.run(&AskUserQuestion, asked).await;
        let posed = bench.desk.posed.lock().unwrap();
        let labels = |at: usize| {
            posed[at].options.iter().map(|option| option.label.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(labels(0), ["Red; green", "1,5", "Blue"]);
        assert_eq!(labels(1), ["Red, green", "1,5", "Blue"], "of one there is nothing to join");
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
        assert_eq!(filled["questions"][0]["options"][0]["description"], "");
        let without = |field: &str| {
            let mut asked = questions(&["Which?"]);
            asked["questions"][0].as_object_mut().unwrap().shift_remove(field);
            AskUserQuestion.check(asked)
        };
        assert_eq!(without("question").unwrap_err(), "`questions[0].question` is required");
        assert_eq!(without("options").unwrap_err(), "`questions[0].options` is required");
        let blank = json!({"questions": [{"question": "Q?", "options": [label("a"), label("")]}]});
        let error = AskUserQuestion.check(blank).unwrap_err();
        assert_eq!(error, "`questions[0].options[1].label` must not be empty");
    }
}
