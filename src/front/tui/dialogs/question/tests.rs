use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::QuestionDialog;
use crate::front::tui::cells::testing::{HOSTILE, text};
use crate::front::tui::dialogs::testing::{drawn, press};
use crate::front::tui::dialogs::{Dialog, DialogReply};
use crate::front::tui::theme::Theme;
use crate::protocol::{Question, QuestionOption, QuestionRequest, Response};

fn question(text: &str, header: &str, options: &[(&str, &str)], multi_select: bool) -> Question {
    Question {
        question: text.into(),
        header: header.into(),
        options: options
            .iter()
            .map(|(label, description)| QuestionOption {
                label: (*label).into(),
                description: (*description).into(),
            })
            .collect(),
        multi_select,
        body: String::new(),
        other_label: String::new(),
        other_description: String::new(),
        only_options: false,
    }
}

fn database() -> Question {
    let options =
        [("SQLite (Recommended)", "One file, nothing to run."), ("PostgreSQL", "Scales 世界 🚀.")];
    question("Which database?", "Database", &options, false)
}

fn features() -> Question {
    let options = [("Search", "Full-text"), ("Export", "CSV"), ("Sync", "")];
    question("Which features do you want?", "Features", &options, true)
}

fn dialog(questions: Vec<Question>) -> QuestionDialog {
    let request =
        QuestionRequest { id: "q1".into(), tool_call_id: "c1".into(), questions, form: None };
    QuestionDialog::new(request, Instant::now(), false)
}

fn answers(questions: Vec<Question>, pressed: &str) -> Option<Value> {
    match press(&mut dialog(questions), pressed, Instant::now()) {
        DialogReply::Answer(Response::Question(response)) => {
            assert_eq!(response.request_id, "q1");
            Some(Value::Object(response.answers))
        }
        _ => None,
    }
}

#[test]
fn one_question_at_three_widths() {
    let dialog = dialog(vec![database()]);
    insta::assert_snapshot!(drawn(&dialog, 40, 20).1, @r"
    ▶ Which database?
    ▶ 1. SQLite (Recommended)
         One file, nothing to run.
      2. PostgreSQL
         Scales 世界 🚀.
      3. Other
    ↑/↓ · ↵ · esc skip
    ");
    insta::assert_snapshot!(drawn(&dialog, 80, 20).1, @r"
    ▶ Which database?
    ▶ 1. SQLite (Recommended)
         One file, nothing to run.
      2. PostgreSQL
         Scales 世界 🚀.
      3. Other
    ↑/↓ select · 1-9 choose · ↵ confirm · esc skip
    ");
    insta::assert_snapshot!(drawn(&dialog, 120, 20).1, @r"
    ▶ Which database?
    ▶ 1. SQLite (Recommended)
         One file, nothing to run.
      2. PostgreSQL
         Scales 世界 🚀.
      3. Other
    ↑/↓ select · 1-9 choose · ↵ confirm · esc skip
    ");
}

#[test]
fn two_questions_have_tabs_and_a_review() {
    let mut dialog = dialog(vec![database(), features()]);
    press(&mut dialog, "2", Instant::now());
    press(&mut dialog, "↓ 3", Instant::now());
    insta::assert_snapshot!(drawn(&dialog, 80, 20).1, @r"
    (✓) Database  (●) Features  Send
    ▶ Which features do you want?
      [ ] 1. Search
         Full-text
      [✓] 2. Export
         CSV
    ▶ [✓] 3. Sync
      [ ] 4. Other
    space toggles · ↵ confirm · ←/→ switch question · esc skip all
    ");
    press(&mut dialog, "⇥", Instant::now());
    insta::assert_snapshot!(drawn(&dialog, 80, 20).1, @r"
    (✓) Database  (○) Features  Send
      Which database?
        → PostgreSQL
      Which features do you want?
        → Export, Sync
    ↵ send · ←/→ go back · esc skip all
    ");
    press(&mut dialog, "⇥", Instant::now());
    assert!(drawn(&dialog, 80, 20).1.contains("▶ 2. PostgreSQL ✓"), "going back keeps the choice");
}

#[test]
fn keys_answer() {
    let one = || vec![database()];
    let multi = || vec![features()];
    let which = |label: &str| Some(json!({"Which database?": label}));
    let wanted = |labels: &str| Some(json!({"Which features do you want?": labels}));
    assert_eq!(answers(one(), "⏎"), which("SQLite (Recommended)"));
    assert_eq!(answers(one(), " "), None, "a blank is typed too easily");
    assert_eq!(answers(one(), "↓ ⏎"), which("PostgreSQL"));
    assert_eq!(answers(one(), "2"), which("PostgreSQL"));
    assert_eq!(answers(one(), "↓⏎"), which("PostgreSQL"));
    assert_eq!(answers(one(), "jk↑My SQL 5⏎"), which("My SQL 5"));
    assert_eq!(answers(one(), "3x⏎"), which("x"));
    assert_eq!(answers(one(), "3⏎"), None);
    assert_eq!(answers(one(), "7"), None);
    assert_eq!(answers(multi(), "13⏎"), wanted("Search, Sync"));
    assert_eq!(answers(multi(), "1 ⏎"), None, "nothing is ticked");
    assert_eq!(answers(multi(), " ↓ ⏎"), wanted("Search, Export"));
    assert_eq!(answers(multi(), "14 and more⏎"), wanted("Search, and more"));
    assert_eq!(answers(multi(), "4x⌫⏎"), None);
    assert_eq!(answers(one(), "2⎋"), Some(json!({})));
    assert_eq!(answers(one(), "^c"), Some(json!({})));
    assert_eq!(answers(one(), "^d"), Some(json!({})));
}

fn open_review() -> QuestionDialog {
    let mut dialog = dialog(vec![database(), features()]);
    press(&mut dialog, "2⇥", Instant::now());
    dialog
}

#[test]
fn several_questions_are_answered_in_any_order() {
    let both = || vec![database(), features()];
    let all = json!({"Which database?": "PostgreSQL", "Which features do you want?": "Sync"});
    assert_eq!(answers(both(), "23⏎"), Some(all.clone()));
    assert_eq!(answers(both(), "→3⏎2"), Some(all));
    // From the review, what is open stays out.
    let text = drawn(&open_review(), 40, 20).1;
    assert!(
        text.contains("→ not answered") && text.contains("! 1 question is still open"),
        "{text}"
    );
    let part = json!({"Which database?": "PostgreSQL"});
    assert_eq!(answers(both(), "2⇥⏎"), Some(part));
    // A changed choice counts.
    let other =
        json!({"Which database?": "SQLite (Recommended)", "Which features do you want?": "Search"});
    assert_eq!(answers(both(), "2←11⏎"), Some(other));
}

#[test]
fn arrows_edit_a_text_and_else_turn_the_page() {
    let mut dialog = dialog(vec![database(), features()]);
    press(&mut dialog, "3ac←b", Instant::now());
    assert!(drawn(&dialog, 80, 20).1.contains("▶ 3. Other: abc"));
    let (frame, _) = drawn(&dialog, 80, 20);
    assert!(frame.caret.is_some());
    press(&mut dialog, "⇥", Instant::now());
    assert!(drawn(&dialog, 80, 20).1.contains("Which features"));
    press(&mut dialog, "←", Instant::now());
    assert!(drawn(&dialog, 80, 20).1.contains("Other: abc"), "the draft stays");
}

#[test]
fn the_marked_option_stays_in_sight() {
    let labels: Vec<_> = (1..=60).map(|n| format!("option {n}")).collect();
    let options: Vec<_> = labels.iter().map(|label| (label.as_str(), "about it")).collect();
    let mut dialog = dialog(vec![question("Which?", "", &options, false)]);
    for n in 1..=60 {
        for max_rows in [1, 3, 8] {
            let shown = drawn(&dialog, 40, max_rows).1;
            assert!(shown.contains(&format!("▶ {n}. option {n}")), "{max_rows}:\n{shown}");
        }
        press(&mut dialog, "↓", Instant::now());
    }
}

#[test]
fn long_questions_are_for_the_pager() {
    let mut asked = database();
    asked.body = "background ".repeat(1_000);
    let mut dialog = dialog(vec![asked]);
    assert!(drawn(&dialog, 80, 20).1.contains("ctrl-e"));
    assert_eq!(press(&mut dialog, "^e", Instant::now()), DialogReply::Expand);
    assert!(text(&dialog.full(80, &Theme::dark())).contains("background background"));
}

#[test]
fn early_keys_and_pastes_do_not_answer() {
    let start = Instant::now();
    let request = QuestionRequest {
        id: "q".into(),
        tool_call_id: "c".into(),
        questions: vec![database()],
        form: None,
    };
    let mut dialog = QuestionDialog::new(request, start, true);
    assert_eq!(press(&mut dialog, "1", start + Duration::from_millis(299)), DialogReply::Guarded);
    assert_eq!(press(&mut dialog, "⏎", start + Duration::from_millis(290)), DialogReply::Guarded);
    assert_eq!(press(&mut dialog, "2", start + Duration::from_millis(299)), DialogReply::Guarded);
    assert_eq!(dialog.paste("1\n"), DialogReply::Ignored);
    assert!(matches!(
        press(&mut dialog, "1", start + Duration::from_millis(299 + 700)),
        DialogReply::Answer(_)
    ));
}

#[test]
fn no_questions_is_an_answer_too() {
    assert_eq!(answers(Vec::new(), "⏎"), Some(json!({})));
    drawn(&dialog(Vec::new()), 40, 5);
}

#[test]
fn where_only_the_options_are_answers_there_is_no_other() {
    let closed = || Question { only_options: true, ..database() };
    insta::assert_snapshot!(drawn(&dialog(vec![closed()]), 40, 20).1, @r"
    ▶ Which database?
    ▶ 1. SQLite (Recommended)
         One file, nothing to run.
      2. PostgreSQL
         Scales 世界 🚀.
    ↑/↓ · ↵ · esc skip
    ");
    // There is no third row to go to, and from the last one goes on to the first.
    assert_eq!(answers(vec![closed()], "3"), None);
    assert_eq!(
        answers(vec![closed()], "↓↓⏎"),
        Some(json!({"Which database?": "SQLite (Recommended)"}))
    );
    // Without any option it could not be answered.
    let none = Question { options: Vec::new(), ..closed() };
    assert_eq!(answers(vec![none], "x⏎"), Some(json!({"Which database?": "x"})));
}

#[test]
fn hostile_questions_keep_the_law() {
    let hostile = || {
        let mut asked = question(HOSTILE, HOSTILE, &[(HOSTILE, HOSTILE), ("", "")], true);
        asked.body = HOSTILE.into();
        asked.other_label = HOSTILE.into();
        asked.other_description = HOSTILE.into();
        asked
    };
    let long = question(&"世x".repeat(5_000), "", &[(&"y".repeat(10_000), "")], false);
    let mut dialog = dialog(vec![hostile(), long, hostile(), hostile()]);
    for _ in 0..5 {
        for columns in [12, 20, 40, 80, 120] {
            for max_rows in [1, 5, 40] {
                drawn(&dialog, columns, max_rows);
            }
        }
        press(&mut dialog, "↑", Instant::now());
        dialog.paste(HOSTILE);
        press(&mut dialog, "⏎⇥", Instant::now());
    }
}

#[test]
fn the_question_is_in_sight_in_a_small_pane() {
    let mut asked = database();
    asked.question =
        "Which database do you want the new service to keep its data in, and why? Say so.".into();
    let mut dialog = dialog(vec![asked]);
    press(&mut dialog, "↓", Instant::now());
    insta::assert_snapshot!(drawn(&dialog, 40, 4).1, @r"
    ▶ Which database do you want the new
      service to keep its data in, and w…
      1. SQLite (Recommended)
    ▶ 2. PostgreSQL
    ");
    let shown = drawn(&dialog, 80, 7).1;
    assert!(
        shown.contains("One file") && !shown.contains("confirm"),
        "the hint goes first: {shown}"
    );
}
