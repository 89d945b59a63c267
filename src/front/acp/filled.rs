//! Forms of MCP servers as forms of the editor's: with the kinds, limits and suggestions of their fields, as
//! far as the protocol's schema has words for them.

use serde_json::{Map, Value, json};

use super::clean::written_out;
use super::forms::{METHOD, name};
use super::peer::Peer;
use crate::protocol::{Question, QuestionForm, QuestionResponse};

/// Shows the form and waits for what becomes of it. The answer has no id yet; it has no answers where the
/// person did not choose, or where nothing of it can be read.
pub(super) async fn put(
    peer: &Peer,
    session_id: &str,
    call_id: &Value,
    form: &QuestionForm,
    questions: &[Question],
) -> QuestionResponse {
    let params = json!({
        "mode": "form",
        "sessionId": session_id,
        "toolCallId": call_id,
        "message": written_out(&form.message),
        "requestedSchema": schema(form),
    });
    match peer.call(METHOD, &params).await {
        Ok(result) => read(questions, &result),
        Err(message) => {
            tracing::debug!(%message, "the client answers with an error");
            QuestionResponse::default()
        }
    }
}

fn schema(form: &QuestionForm) -> Value {
    let named = || form.fields.iter().enumerate().map(|(at, field)| (name(at), field));
    let fields: Map<String, Value> =
        named().map(|(name, field)| (name, field.schema.clone())).collect();
    let required: Vec<String> =
        named().filter(|(_, field)| field.required).map(|(name, _)| name).collect();
    json!({"type": "object", "properties": fields, "required": required})
}

/// The answers in a result, in the words in which questions are answered. Whether they fit their fields the
/// asker judges, who asks again.
fn read(questions: &[Question], result: &Value) -> QuestionResponse {
    match result["action"].as_str() {
        Some("accept") => QuestionResponse {
            answers: answers(questions, &result["content"]).unwrap_or_default(),
            ..QuestionResponse::default()
        },
        action => {
            QuestionResponse { declined: action == Some("decline"), ..QuestionResponse::default() }
        }
    }
}

/// The answer to each question, by its text, empty for a field that was left blank; `None` if one cannot be
/// read.
fn answers(questions: &[Question], content: &Value) -> Option<Map<String, Value>> {
    // Null: all of it was left blank.
    if !content.is_object() && !content.is_null() {
        return None;
    }
    let answer = |(at, question): (usize, &Question)| {
        Some((question.question.clone(), said(&content[name(at)])?.into()))
    };
    questions.iter().enumerate().map(answer).collect()
}

fn said(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some((if *flag { "Yes" } else { "No" }).to_owned()),
        Value::Array(chosen) => {
            let labels: Option<Vec<&str>> = chosen.iter().map(Value::as_str).collect();
            Some(labels?.join(", "))
        }
        Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::QuestionField;

    fn question(text: &str) -> Question {
        serde_json::from_value(json!({"question": text, "options": []})).unwrap()
    }

    #[test]
    fn a_form_has_its_fields_as_they_are_described() {
        let port = json!({"type": "integer", "title": "Port", "minimum": 1, "default": 80});
        let field = |schema: &Value, required| QuestionField { schema: schema.clone(), required };
        let note = json!({"type": "string", "title": "Note"});
        let fields = vec![field(&port, true), field(&note, false)];
        let schema = schema(&QuestionForm { message: "m".to_owned(), fields });
        assert_eq!(
            schema,
            json!({
                "type": "object",
                "properties": {"answer00": port, "answer01": note},
                "required": ["answer00"],
            })
        );
    }

    #[test]
    fn answers_of_every_kind_are_words() {
        let asked = [question("a?"), question("b?")];
        let got = |content: Value| read(&asked, &json!({"action": "accept", "content": content}));
        let both = |a: &str, b: &str| match json!({"a?": a, "b?": b}) {
            Value::Object(answers) => QuestionResponse { answers, ..QuestionResponse::default() },
            _ => QuestionResponse::default(),
        };
        assert_eq!(got(json!({"answer00": 7, "answer01": false})), both("7", "No"));
        assert_eq!(got(json!({"answer00": ["x", "y"], "answer01": -0.5})), both("x, y", "-0.5"));
        assert_eq!(got(json!({"answer01": "w", "other": {}})), both("", "w"));
        assert_eq!(got(json!({"answer00": [], "answer01": true})), both("", "Yes"));
        assert_eq!(got(json!(null)), both("", ""));
    }

    #[test]
    fn a_no_is_told_from_a_dismissal() {
        let asked = [question("a?")];
        let declined = QuestionResponse { declined: true, ..QuestionResponse::default() };
        assert_eq!(read(&asked, &json!({"action": "decline"})), declined);
        for result in [
            json!(null),
            json!(7),
            json!({}),
            json!({"action": "cancel", "content": {"answer00": "x"}}),
            json!({"action": "accept", "content": []}),
            json!({"action": "accept", "content": {"answer00": {}}}),
            json!({"action": "accept", "content": {"answer00": [1]}}),
        ] {
            assert_eq!(read(&asked, &result), QuestionResponse::default(), "{result}");
        }
    }
}
