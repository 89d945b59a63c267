//! Requests of the session as `session/request_permission`, and what the answers mean.
//!
//! Questions are put in the same way, one after the other, where a client shows no forms or where buttons
//! say everything.

use serde_json::{Map, Value, json};

use super::calls::{changes, content};
use super::clean::written_out;
use super::content::{fenced, text};
use super::filled;
use super::forms;
use super::peer::{Answer, Peer};
use crate::mcp::tidy::one_line;
use crate::protocol::{
    ApprovalRequest, ApprovalResponse, DisplayBlock, Question, QuestionOption, QuestionRequest,
    QuestionResponse, Response, Verdict,
};

/// The method.
const METHOD: &str = "session/request_permission";
/// Characters of what an approval for the session covers.
const MAX_SCOPE: usize = 200;
/// The choice that answers nothing.
const SKIP: &str = "skip";

/// Puts a request and waits for the answer. Every answer means something, also one that cannot be read:
/// no to an act.
pub(super) async fn approval(
    peer: &Peer,
    session_id: &str,
    call: Value,
    request: &ApprovalRequest,
) -> Response {
    let params = json!({
        "sessionId": session_id,
        "toolCall": with_content(call, asked(request)),
        "options": verdicts(request),
    });
    let chosen = chosen(peer.call(METHOD, &params).await);
    let verdicts = [Verdict::Approve, Verdict::ApproveForSession];
    let verdict = verdicts.into_iter().find(|verdict| chosen.as_deref() == Some(verdict.word()));
    Response::Approval(ApprovalResponse {
        request_id: request.id.clone(),
        response: verdict.unwrap_or(Verdict::Reject),
        feedback: String::new(),
    })
}

/// Puts questions: in a form where the client has forms and buttons are too little, else each by itself,
/// until one is not answered.
pub(super) async fn question(
    peer: &Peer,
    session_id: &str,
    call: Value,
    request: &QuestionRequest,
) -> Response {
    let request_id = request.id.clone();
    if peer.can().elicitation.form {
        if let Some(form) = &request.form {
            let filled =
                filled::put(peer, session_id, &call["toolCallId"], form, &request.questions).await;
            return Response::Question(QuestionResponse { request_id, ..filled });
        }
        if request.questions.iter().any(forms::wants) {
            let call_id = &call["toolCallId"];
            let answers = forms::put(peer, session_id, call_id, &request.questions).await;
            return Response::Question(QuestionResponse { request_id, answers, declined: false });
        }
    }
    let mut answers = Map::new();
    for question in &request.questions {
        let params = json!({
            "sessionId": session_id,
            "toolCall": with_content(call.clone(), posed(question)),
            "options": labels(question),
        });
        let chosen = chosen(peer.call(METHOD, &params).await);
        let at = chosen.and_then(|id| id.strip_prefix("option-")?.parse::<usize>().ok());
        match at.and_then(|at| question.options.get(at)) {
            Some(option) => {
                answers.insert(question.question.clone(), json!(option.label));
            }
            None => break,
        }
    }
    // Some of the answers are no answer.
    if answers.len() < request.questions.len() {
        answers.clear();
    }
    Response::Question(QuestionResponse { request_id, answers, declined: false })
}

/// The id of the option that was selected.
fn chosen(answer: Answer) -> Option<String> {
    let result = match answer {
        Ok(result) => result,
        Err(message) => {
            tracing::debug!(%message, "the client answers with an error");
            return None;
        }
    };
    let outcome = &result["outcome"];
    let selected = outcome["outcome"] == "selected";
    outcome["optionId"].as_str().filter(|_| selected).map(str::to_owned)
}

fn with_content(mut call: Value, blocks: Vec<Value>) -> Value {
    call["content"] = Value::Array(blocks);
    call
}

/// What is to be approved.
fn asked(request: &ApprovalRequest) -> Vec<Value> {
    let mut blocks = changes(&request.display);
    if blocks.is_empty() {
        let words = format!("Requesting approval to perform: {}", request.description);
        blocks.push(content(text(&written_out(&words))));
    }
    blocks.extend(request.display.iter().filter_map(|block| match block {
        DisplayBlock::Shell { language, command } => {
            Some(content(text(&fenced(language, &written_out(command)))))
        }
        // Of a command it is told below why it asks; elsewhere these are the arguments.
        DisplayBlock::Brief { text: arguments } if request.why().is_none() => {
            Some(content(text(&fenced("", &written_out(arguments)))))
        }
        _ => None,
    }));
    let more = [request.why(), request.source_description.as_deref()].into_iter().flatten();
    blocks.extend(
        more.filter(|words| !words.is_empty()).map(|words| content(text(&written_out(words)))),
    );
    blocks
}

fn verdicts(request: &ApprovalRequest) -> Value {
    // Of a command the part that may be repeated, of a tool of a server which tool of which server.
    let scope = request.session_scope().unwrap_or(&request.action);
    let session = match one_line(scope, MAX_SCOPE) {
        scope if scope.is_empty() => "Approve for this session".to_owned(),
        scope => format!("Approve for this session: {scope}"),
    };
    json!([
        {"optionId": Verdict::Approve.word(), "name": "Approve once", "kind": "allow_once"},
        {"optionId": Verdict::ApproveForSession.word(), "name": session, "kind": "allow_always"},
        {"optionId": Verdict::Reject.word(), "name": "Reject", "kind": "reject_once"},
    ])
}

/// The question, with what its choices mean.
fn posed(question: &Question) -> Vec<Value> {
    let mut words = format!("{}\n", question.question);
    if !question.body.is_empty() {
        words.push_str(&format!("\n{}\n", question.body));
    }
    for option in question.options.iter().filter(|option| !option.description.is_empty()) {
        words.push_str(&format!("\n- {}: {}", option.label, option.description));
    }
    vec![content(text(&written_out(words.trim_end())))]
}

fn labels(question: &Question) -> Value {
    let label = |(at, option): (usize, &QuestionOption)| {
        let no = option.label == "No" || option.label.starts_with("Reject");
        let kind = if no { "reject_once" } else { "allow_once" };
        json!({"optionId": format!("option-{at}"), "name": written_out(&option.label), "kind": kind})
    };
    let mut all: Vec<Value> = question.options.iter().enumerate().map(label).collect();
    all.push(json!({"optionId": SKIP, "name": "Skip", "kind": "reject_once"}));
    Value::Array(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_selected_is_chosen() {
        let selected = json!({"outcome": {"outcome": "selected", "optionId": "approve"}});
        assert_eq!(chosen(Ok(selected)).as_deref(), Some("approve"));
        for answer in [
            Ok(json!(null)),
            Ok(json!([])),
            Ok(json!({"outcome": "selected", "optionId": "approve"})),
            Ok(json!({"outcome": {"outcome": "cancelled", "optionId": "approve"}})),
            Ok(json!({"outcome": {"optionId": "approve"}})),
            Ok(json!({"outcome": {"outcome": "selected", "optionId": 1}})),
            Err("no".to_owned()),
        ] {
            assert_eq!(chosen(answer.clone()), None, "{answer:?}");
        }
    }
}
