use std::time::Instant;

use crossterm::event::KeyCode;
use serde_json::{Value, json};

use super::{PlanDialog, ShownPlan};
use crate::front::tui::cells::testing::HOSTILE;
use crate::front::tui::dialogs::testing::{drawn, press};
use crate::front::tui::dialogs::{Dialog, DialogReply, QuestionDialog};
use crate::front::tui::markdown::MarkdownStyle;
use crate::front::tui::theme::Theme;
use crate::protocol::{QuestionRequest, Response};

fn dialog(content: &str, labels: &[&str]) -> PlanDialog {
    let options: Vec<Value> =
        labels.iter().map(|label| json!({"label": label, "description": "so"})).collect();
    let request: QuestionRequest = serde_json::from_value(json!({
        "id": "q1", "tool_call_id": "c1", "questions": [{
            "question": "Approve this plan", "header": "Plan", "options": options,
            "other_label": "Revise", "other_description": "say what should be different",
        }],
    }))
    .unwrap();
    let question = QuestionDialog::new(request, Instant::now(), false);
    let plan =
        ShownPlan { content: content.to_owned(), file: "~/.kimi/plans/oak-fern-owl.md".to_owned() };
    PlanDialog::new(plan, MarkdownStyle::Rendered, question)
}

const LABELS: [&str; 3] = ["Approve", "Reject", "Reject and Exit"];

fn long() -> String {
    (1..=40).map(|n| format!("{n}. Step number {n}\n")).collect()
}

fn answered(pressed: &str) -> Option<Value> {
    match press(&mut dialog("# Dig", &LABELS), pressed, Instant::now()) {
        DialogReply::Answer(Response::Question(response)) => Some(Value::Object(response.answers)),
        _ => None,
    }
}

#[test]
fn a_short_plan_is_there_whole() {
    let text = drawn(&dialog("# Dig\n\n- a *hole*\n- `deep`\n", &LABELS), 60, 20).1;
    insta::assert_snapshot!(text);
}

#[test]
fn a_long_plan_is_scrolled_and_the_choices_stay() {
    let mut dialog = dialog(&long(), &LABELS);
    let visible = |dialog: &PlanDialog, wanted: &str| {
        let (frame, text) = drawn(dialog, 80, 20);
        assert_eq!(frame.rows.len(), 20);
        for label in LABELS.iter().chain(&["Revise"]) {
            assert!(text.contains(label), "{label}\n{text}");
        }
        text.contains(wanted)
    };
    assert!(visible(&dialog, "Step number 1\n") && !visible(&dialog, "Step number 40"));
    let first = drawn(&dialog, 80, 20).1;
    assert!(first.lines().next().unwrap().contains("1-9 of 40"), "{first}");
    let now = Instant::now();
    for _ in 0..9 {
        assert_eq!(dialog.key(KeyCode::PageDown.into(), now), DialogReply::Redraw);
        drawn(&dialog, 80, 20);
    }
    assert!(visible(&dialog, "Step number 40") && !visible(&dialog, "Step number 1\n"));
    for _ in 0..9 {
        dialog.key(KeyCode::PageUp.into(), now);
        drawn(&dialog, 80, 20);
    }
    assert!(visible(&dialog, "Step number 1\n"));
    let full = dialog.full(80, &Theme::dark());
    assert_eq!(full.len(), 41);
}

#[test]
fn keys_decide() {
    let chosen = |label: &str| Some(json!({"Approve this plan": label}));
    assert_eq!(answered("⏎"), chosen("Approve"));
    assert_eq!(answered("1"), chosen("Approve"));
    assert_eq!(answered("2"), chosen("Reject"));
    assert_eq!(answered("↓↓⏎"), chosen("Reject and Exit"));
    assert_eq!(answered("4use a spade⏎"), chosen("use a spade"));
    assert_eq!(answered("⎋"), Some(json!({})));
    assert_eq!(answered("4⏎"), None, "no words, no answer");
}

#[test]
fn it_fits_wherever_it_is_drawn() {
    let labels = ["One way", "Another way", "A third way", "Reject", "Reject and Exit"];
    for content in [long(), HOSTILE.to_owned(), "x".repeat(5_000), String::new()] {
        for (columns, rows) in [(20, 1), (20, 5), (24, 8), (40, 14), (80, 21), (200, 60)] {
            let mut dialog = dialog(&content, &labels);
            drawn(&dialog, columns, rows);
            dialog.key(KeyCode::PageDown.into(), Instant::now());
            press(&mut dialog, "↓↓↓↓↓", Instant::now());
            let (_, text) = drawn(&dialog, columns, rows);
            assert!(text.contains('▶'), "{columns}x{rows}\n{text}");
        }
    }
}
