//! Questions: seen, answered, and never the wrong one.

use serde_json::{Value, json};

use super::{ctl, listed, state};
use crate::support::model_server::Reply;
use crate::tui::world::{World, unhurried};

fn approval_world() -> World {
    let write = r#"{"path":"greet.txt","content":"hello\n"}"#;
    World::new(vec![
        unhurried().tool_call("c1", "WriteFile", write),
        Reply::new().text("So be it."),
    ])
}

#[test]
fn an_approval_is_asked_seen_and_given() {
    let world = approval_world();
    let kimi = world.start(&[]);
    listed(&world, 1);
    let ran = ctl(&world, &["answer", "1"]);
    assert!(ran.code == Some(1) && ran.err.contains("it asks nothing"), "{ran:?}");

    let ran = ctl(&world, &["send", "--wait", "greet"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(10), ""), "{ran:?}");
    assert!(ran.err.contains("1. Approve once"), "{ran:?}");
    kimi.wait_text("1. Approve once");
    assert_eq!(ctl(&world, &["wait"]).code, Some(10));
    let shown = ctl(&world, &["state"]).well().out.clone();
    assert!(shown.starts_with("ask turn=1 ") && shown.contains("3. Reject"), "{shown}");

    for words in [&["answer", "9"][..], &["answer", "--id", "nope", "1"], &["answer", "maybe"]] {
        assert_eq!(ctl(&world, words).code, Some(1), "{words:?}");
    }
    assert!(!world.work().join("greet.txt").exists());
    let id = state(&world)["ask"]["id"].as_str().unwrap().to_owned();
    ctl(&world, &["answer", "--id", &id, "approve"]).well();
    assert_eq!(ctl(&world, &["wait", "--turn", "1"]).well().out, "idle\n");
    assert_eq!(ctl(&world, &["last"]).well().out, "So be it.");
    assert!(world.work().join("greet.txt").exists());
    let again = ctl(&world, &["answer", "--id", &id, "approve"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    kimi.wait_closed(1);
    kimi.wait_gone("Approve once");
}

#[test]
fn a_rejection_goes_with_words() {
    let world = approval_world();
    let kimi = world.start(&[]);
    listed(&world, 1);
    assert_eq!(ctl(&world, &["send", "--wait", "greet"]).code, Some(10));
    ctl(&world, &["answer", "reject", "--text", "not today, say it instead"]).well();
    assert_eq!(ctl(&world, &["wait", "--turn", "1"]).well().out, "idle\n");
    kimi.wait_closed(1);
    assert!(!world.work().join("greet.txt").exists());
    let told = world.server().wait_for(2)[1].raw.clone();
    assert!(told.contains("not today, say it instead"), "{told}");
}

#[test]
fn questions_are_answered_by_number_label_and_own_words() {
    let option = |label: &str| json!({"label": label, "description": "d"});
    let asked = json!({"questions": [
        {"question": "Which colour?", "header": "Colour", "multi_select": false,
         "options": [option("red"), option("blue")]},
        {"question": "Which sizes?", "header": "Sizes", "multi_select": true,
         "options": [option("small"), option("medium"), option("large")]},
        {"question": "Which name?", "header": "Name", "multi_select": false,
         "options": [option("Ann"), option("Bob")]},
    ]});
    let world = World::new(vec![
        unhurried().tool_call("c1", "AskUserQuestion", &asked.to_string()),
        Reply::new().text("Noted."),
    ]);
    let kimi = world.start(&[]);
    listed(&world, 1);
    assert_eq!(ctl(&world, &["send", "--wait", "ask me"]).code, Some(10));
    let open: Value = state(&world)["ask"].clone();
    assert_eq!(open["kind"], "question");
    assert_eq!(open["questions"].as_array().unwrap().len(), 3);
    assert_eq!(ctl(&world, &["answer", "1"]).code, Some(2));
    assert_eq!(ctl(&world, &["answer", "1,2", "1", "1"]).code, Some(1));
    ctl(&world, &["answer", "blue", "1,3", "=Zoë, of course"]).well();
    assert_eq!(ctl(&world, &["wait", "--turn", "1"]).well().out, "idle\n");
    kimi.wait_closed(1);
    let told = world.server().wait_for(2)[1].raw.clone();
    for part in ["blue", "small", "large", "Zoë, of course"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}
