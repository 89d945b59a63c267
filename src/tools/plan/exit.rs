//! `ExitPlanMode`: puts the plan before the person.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::protocol::{DisplayBlock, Question, QuestionOption, ToolReturnValue};
use crate::tools::{
    CallContext, Effect, QuestionOutcome, Rejected, Tool, ToolReturn, arguments, schema,
};

/// The question, which also is the key of its answer.
const QUESTION: &str = "Approve this plan";
const APPROVE: &str = "Approve";
const REJECT: &str = "Reject";
const REJECT_AND_EXIT: &str = "Reject and Exit";
const REVISE: &str = "Revise";
/// Labels that mean something by themselves.
const RESERVED: [&str; 4] = [APPROVE, REJECT, REJECT_AND_EXIT, REVISE];

/// Asks for approval of the plan and, once it is given, switches plan mode off.
pub struct ExitPlanMode;

#[derive(Deserialize)]
struct Arguments {
    options: Option<Vec<QuestionOption>>,
}

#[async_trait]
impl Tool for ExitPlanMode {
    fn name(&self) -> &'static str {
        "ExitPlanMode"
    }

    fn description(&self) -> &str {
        include_str!("../../../assets/tools/exit_plan_mode.md").trim_end()
    }

    fn parameters(&self) -> Value {
        let option = schema::object(
            &[
                (
                    "label",
                    json!({"type": "string", "minLength": 1, "description": "1 to 5 words."}),
                ),
                (
                    "description",
                    json!({"type": "string", "default": "", "description": "What it means."}),
                ),
            ],
            &["label"],
        );
        let options = json!({
            "type": "array",
            "items": option,
            "maxItems": 3,
            "description": "Approaches in the plan for the user to choose from, when there are 2 or 3.",
        });
        schema::object(&[("options", schema::optional(options))], &[])
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Interact
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let options = match arguments::typed::<Arguments>(arguments) {
            Ok(arguments) => arguments.options.unwrap_or_default(),
            Err(error) => return error.into(),
        };
        if let Err(wrong) = check(&options) {
            return arguments::invalid(&wrong).into();
        }
        if !cx.plan.is_on() {
            return ToolReturnValue::error(
                "Plan mode is not on, so there is no plan to approve. Do not call this tool now.",
                "Not in plan mode",
            )
            .into();
        }
        let plan = match written(cx) {
            Ok(plan) => plan,
            Err(error) => return error.into(),
        };
        if cx.plan.is_left_unasked() {
            return approved(cx, &plan, None, "Plan approved (auto)");
        }
        cx.plan.show(&plan.text);
        let outcome = tokio::select! {
            outcome = cx.desk.ask(&cx.call_id, vec![question(&options)]) => outcome,
            () = cx.cancel.cancelled() => return super::super::file_access::cancelled().into(),
        };
        match outcome {
            QuestionOutcome::Afk => approved(cx, &plan, None, "Plan approved (auto)"),
            QuestionOutcome::Unsupported => ToolReturnValue::error(
                "The connected client cannot show a plan. Do not call this tool again; give the plan in \
                 your answer.",
                "Plan mode not supported",
            )
            .into(),
            QuestionOutcome::Answered(response) => {
                let answer = response.answers.get(QUESTION).and_then(Value::as_str);
                decided(cx, &plan, &options, answer.map(str::trim))
            }
        }
    }
}

/// Why these approaches cannot be offered.
fn check(options: &[QuestionOption]) -> Result<(), String> {
    let label = |option: &QuestionOption| option.label.trim().to_lowercase();
    for (at, option) in options.iter().enumerate() {
        let own = label(option);
        if own.is_empty() {
            return Err("each label must have words".to_owned());
        }
        if RESERVED.iter().any(|reserved| reserved.to_lowercase() == own) {
            return Err(format!("`{}` is one of the choices already", option.label));
        }
        if options.iter().take(at).any(|earlier| label(earlier) == own) {
            return Err("each label must be there only once".to_owned());
        }
    }
    Ok(())
}

/// The plan as it is put before the person. What they approve is this text, whatever becomes of the
/// file meanwhile.
struct Plan {
    text: String,
    file: String,
}

/// The plan, if there is one.
fn written(cx: &CallContext) -> Result<Plan, ToolReturnValue> {
    let file = cx.plan.file().map(|file| file.display().to_string()).unwrap_or_default();
    match cx.plan.read() {
        Ok(Some(text)) if !text.trim().is_empty() => Ok(Plan { text, file }),
        Ok(_) => Err(ToolReturnValue::error(
            format!("There is no plan yet. Write it to `{file}` first, then call this tool again."),
            "No plan file",
        )),
        Err(why) => Err(ToolReturnValue::error(
            format!("The plan in `{file}` cannot be read: {why}."),
            "No plan file",
        )),
    }
}

fn question(approaches: &[QuestionOption]) -> Question {
    let option = |label: &str, description: &str| QuestionOption {
        label: label.to_owned(),
        description: description.to_owned(),
    };
    // A single approach is no choice.
    let mut options =
        if approaches.len() > 1 { approaches.to_vec() } else { vec![option(APPROVE, "")] };
    options.push(option(REJECT, "stop here, stay in plan mode"));
    options.push(option(REJECT_AND_EXIT, "stop here, leave plan mode"));
    Question {
        question: QUESTION.to_owned(),
        header: "Plan".to_owned(),
        options,
        multi_select: false,
        body: String::new(),
        other_label: REVISE.to_owned(),
        other_description: "say what should be different".to_owned(),
    }
}

fn decided(
    cx: &CallContext,
    plan: &Plan,
    approaches: &[QuestionOption],
    answer: Option<&str>,
) -> ToolReturn {
    let offered = approaches.len() > 1;
    match answer {
        Some(APPROVE) if !offered => approved(cx, plan, None, "Plan approved"),
        Some(REJECT) => rejected(
            "The user rejected the plan. Plan mode stays on. Stop here and wait for the user.",
            "Rejected by user",
        ),
        Some(REJECT_AND_EXIT) => {
            cx.plan.switch(false);
            rejected(
                "Plan mode is off: the user rejected the plan. Stop here and wait for the user.",
                "Rejected by user, plan mode off",
            )
        }
        None | Some("") => ok(
            "The user closed the plan without a decision. Plan mode stays on. End your turn, unless there \
             is something left to plan.",
            "Plan review dismissed.",
            "Dismissed",
        ),
        Some(chosen) => {
            let approach = approaches.iter().find(|option| option.label.trim() == chosen);
            match approach.filter(|_| offered) {
                Some(approach) => approved(cx, plan, Some(approach), "Plan approved"),
                None => ok(
                    &format!(
                        "The user wants the plan revised. Plan mode stays on. Change the plan, then call \
                         ExitPlanMode again. User feedback: {chosen}"
                    ),
                    "Plan to be revised.",
                    "To be revised",
                ),
            }
        }
    }
}

fn approved(
    cx: &CallContext,
    plan: &Plan,
    approach: Option<&QuestionOption>,
    brief: &str,
) -> ToolReturn {
    cx.plan.switch(false);
    let mut output = format!("Carry out the plan. It stays in `{}`.\n", plan.file);
    if let Some(approach) = approach {
        output.push_str(&format!(
            "The user chose the approach \"{}\": carry out this one and no other.\n",
            approach.label.trim()
        ));
    }
    output.push_str(&format!("\n{}", plan.text));
    // The reminders go by how this begins.
    ok(&output, "Plan mode is off: the plan is approved.", brief)
}

fn rejected(message: &str, brief: &str) -> ToolReturn {
    ToolReturn {
        value: ToolReturnValue::error(message, brief),
        rejected: Some(Rejected { with_feedback: false }),
    }
}

fn ok(output: &str, message: &str, brief: &str) -> ToolReturn {
    ToolReturnValue::ok(output, message)
        .with_display(DisplayBlock::Brief { text: brief.to_owned() })
        .into()
}
