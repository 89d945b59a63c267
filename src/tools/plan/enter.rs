//! `EnterPlanMode`: asks whether to plan before anything is changed.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::workflow;
use crate::protocol::{DisplayBlock, Question, QuestionOption, ToolReturnValue};
use crate::tools::{CallContext, Effect, QuestionOutcome, Tool, ToolReturn};

/// The question, which also is the key of its answer.
const QUESTION: &str = "Enter plan mode?";

/// Switches plan mode on.
pub struct EnterPlanMode;

#[async_trait]
impl Tool for EnterPlanMode {
    fn name(&self) -> &'static str {
        "EnterPlanMode"
    }

    fn description(&self) -> &str {
        include_str!("../../../assets/tools/enter_plan_mode.md").trim_end()
    }

    fn parameters(&self) -> Value {
        json!({"type": "object", "properties": {}})
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Interact
    }

    async fn call(&self, _: Value, cx: &CallContext) -> ToolReturn {
        if cx.plan.is_on() {
            return ToolReturnValue::error(
                "Plan mode is on already. Write the plan, then call ExitPlanMode.",
                "Already in plan mode",
            )
            .into();
        }
        if cx.plan.is_entered_unasked() {
            return entered(cx, "Plan mode on (auto)");
        }
        let outcome = tokio::select! {
            outcome = cx.desk.ask(&cx.call_id, vec![question()]) => outcome,
            () = cx.cancel.cancelled() => return super::super::file_access::cancelled().into(),
        };
        match outcome {
            QuestionOutcome::Afk => entered(cx, "Plan mode on (auto)"),
            QuestionOutcome::Unsupported => ToolReturnValue::error(
                "The connected client cannot ask about plan mode. Do not call this tool again; go on \
                 without it.",
                "Plan mode not supported",
            )
            .into(),
            QuestionOutcome::Answered(response) => {
                match response.answers.get(QUESTION).and_then(Value::as_str) {
                    Some("Yes") => entered(cx, "Plan mode on"),
                    Some("No") => told(
                        "The user does not want plan mode. Check with them how to go on.",
                        "Declined",
                    ),
                    Some(words) => told(
                        &format!("The user did not enter plan mode and says: {words}"),
                        "Declined",
                    ),
                    None => told(
                        "The user dismissed the question. Plan mode stays off; go on with the task.",
                        "Dismissed",
                    ),
                }
            }
        }
    }
}

fn question() -> Question {
    let option = |label: &str, description: &str| QuestionOption {
        label: label.to_owned(),
        description: description.to_owned(),
    };
    Question {
        question: QUESTION.to_owned(),
        header: "Plan Mode".to_owned(),
        options: vec![
            option(
                "Yes",
                "Look around and propose a plan; nothing is changed before you approve it",
            ),
            option("No", "Go on without a plan"),
        ],
        multi_select: false,
        body: String::new(),
        other_label: String::new(),
        other_description: String::new(),
    }
}

fn entered(cx: &CallContext, brief: &str) -> ToolReturn {
    cx.plan.switch(true);
    let message =
        format!("Plan mode is on{}.", if brief.ends_with("(auto)") { " (auto)" } else { "" });
    // The reminders go by how this begins.
    ToolReturnValue::ok(workflow(cx.plan.file()), message)
        .with_display(DisplayBlock::Brief { text: brief.to_owned() })
        .into()
}

fn told(text: &str, brief: &str) -> ToolReturn {
    ToolReturnValue::ok(text, "")
        .with_display(DisplayBlock::Brief { text: brief.to_owned() })
        .into()
}
