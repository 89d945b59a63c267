//! Questions as a form of the editor's: `elicitation/create` of the protocol, for clients that say in
//! `clientCapabilities.elicitation` that they show forms.

use serde_json::{Map, Value, json};

use super::clean::written_out;
use super::peer::Peer;
use crate::protocol::{Question, QuestionOption};

/// The method.
pub(super) const METHOD: &str = "elicitation/create";
/// Ends the name of the field that takes another answer than the options.
const OTHER: &str = "_other";

/// Whether buttons do not say everything that may be answered.
pub(super) fn wants(question: &Question) -> bool {
    question.multi_select || question.options.is_empty() || !question.only_options
}

/// Puts the questions and waits for the answers: all of them or none.
pub(super) async fn put(
    peer: &Peer,
    session_id: &str,
    call_id: &Value,
    questions: &[Question],
) -> Map<String, Value> {
    let params = json!({
        "mode": "form",
        "sessionId": session_id,
        "toolCallId": call_id,
        "message": message(questions),
        "requestedSchema": schema(questions),
    });
    match peer.call(METHOD, &params).await {
        Ok(result) => answers(questions, &result),
        Err(message) => {
            tracing::debug!(%message, "the client answers with an error");
            Map::new()
        }
    }
}

/// What is said above the fields.
fn message(questions: &[Question]) -> String {
    let said = |question: &Question| match question.body.as_str() {
        "" => question.question.clone(),
        body => format!("{}\n\n{body}", question.question),
    };
    let said = questions.iter().map(said).collect::<Vec<_>>().join("\n\n");
    written_out(&said)
}

/// The name of a field; their order is that of the questions wherever they are sorted.
pub(super) fn name(at: usize) -> String {
    format!("answer{at:02}")
}

fn schema(questions: &[Question]) -> Value {
    let mut fields = Map::new();
    let mut required = Vec::new();
    for (at, question) in questions.iter().enumerate() {
        let name = name(at);
        let title = match question.header.as_str() {
            "" => &question.question,
            header => header,
        };
        let mut field = json!({"title": written_out(title)});
        // Of a single question it is said above.
        if questions.len() > 1 {
            field["description"] = json!(written_out(&question.question));
        }
        let choices: Vec<Value> = question.options.iter().map(choice).collect();
        match (question.options.is_empty(), question.multi_select) {
            (true, _) => field["type"] = json!("string"),
            (false, false) => {
                field["type"] = json!("string");
                field["oneOf"] = json!(choices);
            }
            (false, true) => {
                field["type"] = json!("array");
                field["items"] = json!({"anyOf": choices});
            }
        }
        fields.insert(name.clone(), field);
        if takes_other(question) {
            fields.insert(format!("{name}{OTHER}"), other(question));
        } else {
            required.push(name);
        }
    }
    json!({"type": "object", "properties": fields, "required": required})
}

fn choice(option: &QuestionOption) -> Value {
    let label = written_out(&option.label);
    let mut choice = json!({"const": label, "title": label});
    if !option.description.is_empty() {
        choice["description"] = json!(written_out(&option.description));
    }
    choice
}

/// Whether there are options, and something else may be the answer.
fn takes_other(question: &Question) -> bool {
    !question.options.is_empty() && !question.only_options
}

fn other(question: &Question) -> Value {
    let or = |words: &str, ours: &str| written_out(if words.is_empty() { ours } else { words });
    json!({
        "type": "string",
        "title": or(&question.other_label, "Other"),
        "description": or(&question.other_description, "An answer of your own instead"),
    })
}

/// The answers in a result, empty ones for fields that were left blank; none at all if one of them does
/// not fit its field.
fn answers(questions: &[Question], result: &Value) -> Map<String, Value> {
    let content = &result["content"];
    if result["action"] != "accept" || !content.is_object() {
        return Map::new();
    }
    let answer = |(at, question): (usize, &Question)| {
        let name = name(at);
        let typed = content[format!("{name}{OTHER}")].as_str().map(str::trim);
        let typed = typed.filter(|typed| takes_other(question) && !typed.is_empty());
        let label = |answer: &Value| {
            let answer = answer.as_str()?;
            let mut options = question.options.iter();
            options.find(|option| written_out(&option.label) == answer).map(|it| it.label.as_str())
        };
        let answer = match &content[&name] {
            Value::Array(chosen) if question.multi_select => {
                let chosen = chosen.iter().map(label).collect::<Option<Vec<_>>>()?;
                chosen.into_iter().chain(typed).collect::<Vec<_>>().join(", ")
            }
            _ if let Some(typed) = typed => typed.to_owned(),
            Value::Null => String::new(),
            Value::String(answer) if question.options.is_empty() => answer.clone(),
            Value::String(answer) if answer.is_empty() => String::new(),
            chosen => label(chosen)?.to_owned(),
        };
        Some((question.question.clone(), json!(answer)))
    };
    questions.iter().enumerate().map(answer).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str, labels: &[&str]) -> Question {
        let option =
            |label: &&str| QuestionOption { label: (*label).into(), description: "so".into() };
        Question {
            question: text.into(),
            header: String::new(),
            options: labels.iter().map(option).collect(),
            multi_select: false,
            body: String::new(),
            other_label: String::new(),
            other_description: String::new(),
            only_options: false,
        }
    }

    #[test]
    fn buttons_are_enough_for_one_choice_of_few() {
        let open = question("a?", &["x", "y"]);
        assert!(wants(&open) && wants(&Question { only_options: true, ..question("b?", &[]) }));
        assert!(!wants(&Question { only_options: true, ..open.clone() }));
        assert!(wants(&Question { only_options: true, multi_select: true, ..open }));
    }

    #[test]
    fn a_form_has_a_field_for_each_question_and_one_for_other_words() {
        let several = Question { multi_select: true, only_options: true, ..question("b?", &["z"]) };
        let asked = [question("a?", &["x"]), several, question("c?", &[])];
        let schema = schema(&asked);
        let choice = |label: &str| json!([{"const": label, "title": label, "description": "so"}]);
        let fields = &schema["properties"];
        assert_eq!(
            (&fields["answer00"]["oneOf"], &fields["answer00"]["type"]),
            (&choice("x"), &json!("string"))
        );
        assert_eq!(fields["answer00_other"]["title"], "Other");
        assert_eq!(fields["answer01"]["items"], json!({"anyOf": choice("z")}));
        assert_eq!(
            fields["answer02"],
            json!({"title": "c?", "description": "c?", "type": "string"})
        );
        assert_eq!(schema["required"], json!(["answer01", "answer02"]));
        assert_eq!(message(&asked), "a?\n\nb?\n\nc?");
    }

    #[test]
    fn nothing_hostile_reaches_the_form_and_the_answer_is_the_option_itself() {
        let asked = [question("a\u{1b}[2J\u{202e}?", &["x\u{1b}[31m"])];
        let shown = format!("{}{}", schema(&asked), message(&asked));
        assert!(!shown.contains('\u{202e}') && !shown.contains("\\u001b"), "{shown}");
        let chosen = schema(&asked)["properties"]["answer00"]["oneOf"][0]["const"].clone();
        let result = json!({"action": "accept", "content": {"answer00": chosen}});
        assert_eq!(answers(&asked, &result)[&asked[0].question], "x\u{1b}[31m");
    }

    #[test]
    fn only_whole_answers_that_fit_are_taken() {
        let several = Question { multi_select: true, ..question("b?", &["y", "z"]) };
        let asked = [question("a?", &["x"]), several];
        let got = |content: Value| {
            Value::Object(answers(&asked, &json!({"action": "accept", "content": content})))
        };
        assert_eq!(
            got(json!({"answer00": "x", "answer01": ["y", "z"]})),
            json!({"a?": "x", "b?": "y, z"})
        );
        assert_eq!(
            got(json!({"answer00": "x", "answer00_other": " mine ", "answer01_other": "w"})),
            json!({"a?": "mine", "b?": "w"})
        );
        assert_eq!(
            got(json!({"answer00": "x", "answer01": ["y"], "answer01_other": "w"})),
            json!({"a?": "x", "b?": "y, w"})
        );
        // What is left blank is an answer too: a server may not need it.
        for blank in [json!({"answer00": "x"}), json!({"answer00": "x", "answer01": []})] {
            assert_eq!(got(blank), json!({"a?": "x", "b?": ""}));
        }
        assert_eq!(got(json!({})), json!({"a?": "", "b?": ""}));
        for content in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"answer00": "w", "answer01": ["y"]}),
            json!({"answer00": "x", "answer01": [1]}),
            json!({"answer00": "x", "answer01": ["w"]}),
            json!({"answer00": "x", "answer01": "y, z"}),
            json!({"answer00": 1, "answer01": ["y"]}),
        ] {
            assert_eq!(got(content.clone()), json!({}), "{content}");
        }
        for result in [
            json!(null),
            json!({"action": "decline"}),
            json!({"content": {"answer00": "x", "answer01": ["y"]}}),
            json!({"action": "cancel", "content": {"answer00": "x", "answer01": ["y"]}}),
        ] {
            assert!(answers(&asked, &result).is_empty(), "{result}");
        }
    }
}
