//! The approval as other programs see and answer it.

use super::{ApprovalDialog, Choice, draw};
use crate::front::tui::dialogs::{Field, Unfit, choose};
use crate::protocol::control::{self, AskKind, AskOption, OpenAsk};
use crate::protocol::{Response, Verdict};

/// What a choice is called in the vocabulary of control.
fn name(choice: Choice) -> &'static str {
    match choice {
        Choice::Once => Verdict::Approve,
        Choice::Session => Verdict::ApproveForSession,
        Choice::Reject | Choice::Redirect => Verdict::Reject,
    }
    .word()
}

fn options(dialog: &ApprovalDialog) -> Vec<AskOption> {
    let options = (1..).zip(Choice::ALL).zip(draw::labels(dialog));
    let option = |((n, choice), label)| AskOption {
        n,
        name: name(choice).to_owned(),
        label,
        description: String::new(),
        takes_text: choice == Choice::Redirect,
    };
    options.map(option).collect()
}

pub(super) fn ask(dialog: &ApprovalDialog) -> OpenAsk {
    OpenAsk {
        id: dialog.request.id.clone(),
        kind: AskKind::Approval,
        text: format!("{}\n{}", draw::question(dialog), dialog.text),
        options: options(dialog),
        questions: Vec::new(),
        behind: 0,
    }
}

/// Decides as the keys would. Words go with a rejection only, and the last choice needs some.
pub(super) fn answer(
    dialog: &ApprovalDialog,
    choices: &[control::Choice],
) -> Result<Response, Unfit> {
    let options = options(dialog);
    let [wanted] = choices else {
        return Err(Unfit::new("An approval takes one choice", &options));
    };
    let [at] = choose(wanted, &options)?[..] else {
        return Err(Unfit::new("An approval takes exactly one option", &options));
    };
    let mut feedback = Field::default();
    if let Some(words) = wanted.text.as_deref().filter(|words| !words.trim().is_empty()) {
        feedback.insert(words);
        if feedback.is_blank() {
            return Err(Unfit::new("The words are too long, or nothing is in them", &options));
        }
    }
    let chosen = match Choice::ALL.get(at) {
        Some(Choice::Reject | Choice::Redirect) if !feedback.is_blank() => Choice::Redirect,
        Some(Choice::Redirect) => {
            return Err(Unfit::new("Option 4 needs words for the model", &options));
        }
        Some(_) if !feedback.is_blank() => {
            return Err(Unfit::new("Words go only with a rejection", &options));
        }
        Some(choice) => *choice,
        None => return Err(Unfit::new("There is no such option", &options)),
    };
    Ok(Response::Approval(dialog.response(chosen, &feedback)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;
    use crate::front::tui::dialogs::Dialog as _;
    use crate::protocol::ApprovalRequest;
    use serde_json::json;

    fn dialog() -> ApprovalDialog {
        let request: ApprovalRequest = serde_json::from_value(json!({
            "id": "a1", "tool_call_id": "c1", "sender": "Shell", "action": "run command",
            "description": "Run command `ls`",
            "display": [{"type": "shell", "language": "bash", "command": "ls"}],
        }))
        .expect("a request");
        ApprovalDialog::new(request, Path::new("/w"), Instant::now(), true)
    }

    /// The verdict with the feedback, or why not.
    fn judged(choices: serde_json::Value) -> String {
        let choices: Vec<control::Choice> = serde_json::from_value(choices).expect("choices");
        match dialog().answer(&choices) {
            Ok(Response::Approval(response)) => {
                format!("{} {}", response.response.word(), response.feedback).trim().to_owned()
            }
            Ok(other) => panic!("{other:?}"),
            Err(unfit) => format!("no: {unfit}"),
        }
    }

    #[test]
    fn the_question_is_told_as_it_is_shown() {
        let ask = dialog().open_ask();
        assert_eq!((ask.id.as_str(), ask.text.as_str()), ("a1", "Run this command?\n$ ls"));
        let told: Vec<_> = ask
            .options
            .iter()
            .map(|option| {
                (option.n, option.name.as_str(), option.label.as_str(), option.takes_text)
            })
            .collect();
        assert_eq!(
            told,
            [
                (1, "approve", "Approve once", false),
                (2, "approve_for_session", "Approve for this session (run command)", false),
                (3, "reject", "Reject", false),
                (4, "reject", "Reject, tell the model what to do instead", true),
            ]
        );
    }

    #[test]
    fn each_choice_is_understood() {
        assert_eq!(judged(json!([{"numbers": [1]}])), "approve");
        assert_eq!(judged(json!([{"names": ["approve_for_session"]}])), "approve_for_session");
        assert_eq!(judged(json!([{"names": ["Approve once"]}])), "approve");
        assert_eq!(judged(json!([{"names": ["reject"]}])), "reject");
        assert_eq!(judged(json!([{"names": ["reject"], "text": " use y\n1 "}])), "reject use y 1");
        assert_eq!(judged(json!([{"numbers": [4], "text": "no"}])), "reject no");
        assert_eq!(judged(json!([{"numbers": [1], "names": ["approve"]}])), "approve");
        assert_eq!(judged(json!([{"numbers": [3], "text": "  "}])), "reject");
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_would() {
        for wrong in [
            json!([]),
            json!([{}]),
            json!([{"numbers": [1]}, {"numbers": [1]}]),
            json!([{"numbers": [0]}]),
            json!([{"numbers": [5]}]),
            json!([{"numbers": [1, 3]}]),
            json!([{"names": ["yes please"]}]),
            json!([{"numbers": [4]}]),
            json!([{"numbers": [1], "text": "go"}]),
            json!([{"text": "go"}]),
            json!([{"numbers": [3], "text": "x".repeat(20_000)}]),
        ] {
            let told = judged(wrong.clone());
            assert!(told.starts_with("no: "), "{wrong} {told}");
            assert!(
                told.contains("1 approve, 2 approve_for_session, 3 reject, 4 reject (with words)")
            );
        }
    }
}
