//! A goal without a person: `-p "/goal ..."`.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::model_server::{Gate, ModelServer, Recorded, Reply};
use crate::support::program::{Home, Ran};

fn ended(status: &str) -> Reply {
    Reply::new().tool_call("u", "UpdateGoal", &format!(r#"{{"status":"{status}"}}"#))
}

fn write(id: &str, path: &str) -> Reply {
    let arguments = json!({"path": path, "content": "x\n"});
    Reply::new().text("Working.").tool_call(id, "WriteFile", &arguments.to_string())
}

const JSON: [&str; 3] = ["--print", "--output-format", "stream-json"];

fn json_run(home: &Home, prompt: &str) -> Ran {
    home.run(&[&JSON[..], &["-p", prompt]].concat())
}

/// The only summary, which is the last record and has no role.
#[track_caller]
fn summary(ran: &Ran) -> Value {
    let records = ran.records();
    let is_summary = |record: &&Value| record["type"] == "goal.summary";
    assert_eq!(records.iter().filter(is_summary).count(), 1, "{ran:#?}");
    let last = records.last().expect("records").clone();
    let keys: Vec<_> = last.as_object().expect("an object").keys().cloned().collect();
    let wanted = ["type", "goalId", "status", "reason", "turnsUsed", "tokensUsed", "wallClockMs"];
    assert_eq!(keys.len(), wanted.len(), "{last}");
    assert!(wanted.iter().all(|key| keys.iter().any(|k| k == key)), "{last}");
    last
}

#[test]
fn a_complete_goal() {
    let script = || {
        vec![
            write("a", "goal.txt").usage(100, 10, 0),
            Reply::new().text("First part.").usage(100, 10, 0),
            ended("complete").usage(100, 10, 0),
            Reply::new().text("The goal is complete.").usage(100, 10, 0),
        ]
    };
    let server = ModelServer::start(script());
    let home = Home::new(&server.url());
    let ran = json_run(&home, "/goal make goal.txt");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let told = summary(&ran);
    assert_eq!((&told["status"], &told["turnsUsed"]), (&json!("complete"), &json!(2)));
    assert_eq!((&told["tokensUsed"], &told["reason"]), (&json!(40), &Value::Null));
    assert!(ran.out.ends_with('\n') && ran.err.contains("kimi -r"));
    assert!(home.path("project/goal.txt").exists());
    let asked = server.requests();
    assert!(
        asked[2].last_user_text().contains("Goal mode, turn 2."),
        "{}",
        asked[2].last_user_text()
    );

    let server = ModelServer::start(script());
    let home = Home::new(&server.url());
    let ran = home.run(&["--print", "-p", "/goal make goal.txt"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.out, "Working.\nFirst part.\nThe goal is complete.\n");
    assert_eq!(ran.err.matches("Goal [complete] (turns: 2, tokens: 40)\n").count(), 1, "{ran:#?}");
}

#[test]
fn a_blocked_goal() {
    let server = ModelServer::start(vec![ended("blocked"), Reply::new().text("I need a key.")]);
    let home = Home::new(&server.url());
    let ran = json_run(&home, "/goal win");
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert_eq!(summary(&ran)["status"], "blocked");
}

#[test]
fn a_goal_that_fails_is_paused_and_a_later_run_takes_it_up() {
    let server = ModelServer::start(vec![
        Reply::new().text("One."),
        Reply::status(400, json!({"error": {"message": "no"}})),
        Reply::new().text("Again."),
        ended("complete"),
        Reply::new().text("Done."),
    ]);
    let home = Home::new(&server.url());
    let ran = json_run(&home, "/goal win");
    assert_eq!(ran.code, Some(6), "{ran:#?}");
    let told = summary(&ran);
    assert_eq!((&told["status"], &told["turnsUsed"]), (&json!("paused"), &json!(2)));
    assert!(told["reason"].as_str().is_some_and(|reason| reason.contains("no")), "{told}");
    // There is one already, and nothing is asked.
    let ran = home.run(&["--print", "-C", "-p", "/goal another"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.contains("/goal replace"), "{ran:#?}");
    assert_eq!(server.requests().len(), 2);
    let ran = home.run(&["--print", "-C", "-p", "/goal replace -- another"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    // In the first turn it is a failed run.
    let server = ModelServer::start(vec![Reply::status(400, json!({"error": {"message": "no"}}))]);
    let home = Home::new(&server.url());
    let ran = json_run(&home, "/goal win");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_eq!(summary(&ran)["status"], "paused");
}

#[test]
fn signals_pause_it() {
    for (signal, code) in [(Signal::INT, 6), (Signal::TERM, 143)] {
        let server = ModelServer::start(vec![
            Reply::new().text("One."),
            Reply::new().text("Half of two").wait(&Gate::new()),
        ]);
        let home = Home::new(&server.url());
        let running = home.start(&[&JSON[..], &["-p", "/goal win"]].concat());
        server.wait_for(2);
        running.signal(signal);
        let ran = running.end();
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        let told = summary(&ran);
        assert_eq!((&told["status"], &told["reason"]), (&json!("paused"), &json!("interrupted")));
        let log = std::fs::read_to_string(home.session().join("goal.jsonl")).unwrap();
        assert!(log.lines().last().unwrap().contains("\"turnsUsed\":2"), "{log}");
    }
}

#[test]
fn what_makes_no_sense_asks_no_model() {
    let server = ModelServer::start(|_: &Recorded, _: usize| Reply::new().text("Hello."));
    let home = Home::new(&server.url());
    let long = format!("/goal {}", "x".repeat(4_001));
    for prompt in ["/goal", "/goal --", "/goal replace", long.as_str()] {
        let ran = home.run(&["--print", "-p", prompt]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.err.contains("objective") && !ran.err.contains("Goal ["), "{ran:#?}");
        assert!(!ran.err.contains("resume"), "nothing was begun: {ran:#?}");
    }
    let ran = json_run(&home, "/goal --");
    assert_eq!(ran.records()[0]["error"]["type"], "goal_not_started", "{ran:#?}");
    assert!(server.requests().is_empty());
    // Everything else that `/goal` can do is a prompt like any other here.
    let ran = home.run(&["--print", "-p", "/goal status"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "Hello.\n"), "{ran:#?}");
    assert_eq!(server.requests()[0].last_user_text(), "/goal status");
    let bare = Home::bare();
    let ran = bare.run(&["--print", "-p", "/goal win"]);
    assert!(ran.code == Some(1) && ran.err.contains("LLM not set"), "{ran:#?}");
}

#[test]
fn the_budget_of_the_run_holds_over_all_turns() {
    let server = ModelServer::start(|_: &Recorded, n: usize| {
        Reply::new().text(format!("Turn {n}. ")).usage(90, 10, 0)
    });
    let home = Home::new(&server.url());
    let words = ["-p", "/goal never ends", "--max-tokens-total", "450"];
    let ran = home.run(&[&JSON[..], &words].concat());
    assert_eq!(ran.code, Some(6), "{ran:#?}");
    assert_eq!(summary(&ran)["turnsUsed"], 5);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_goal_that_a_hook_forbids_is_blocked() {
    let server = ModelServer::start(|_: &Recorded, _: usize| Reply::new().text("never"));
    let home = Home::new(&server.url());
    let hook = "\n[[hooks]]\nevent = \"UserPromptSubmit\"\ncommand = \"echo no >&2; exit 2\"\n";
    home.write("share/config.toml", Home::config(&server.url()) + hook);
    let ran = json_run(&home, "/goal win");
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    summary(&ran);
    let ran = home.run(&["--print", "-p", "/goal win"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert_eq!(ran.err.matches("Goal [blocked]").count(), 1, "{ran:#?}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_goal_that_the_model_begins_and_does_nothing_for_ends() {
    let begins = |_: &Recorded, n: usize| match n {
        0 => Reply::new().tool_call("c", "CreateGoal", r#"{"objective":"win"}"#),
        _ => Reply::new().text("Done."),
    };
    let server = ModelServer::start(begins);
    let home = Home::new(&server.url());
    let ran = json_run(&home, "please win");
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let told = summary(&ran);
    assert_eq!((&told["status"], &told["turnsUsed"]), (&json!("blocked"), &json!(5)));
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn a_plan_is_not_a_goal() {
    let begins = |_: &Recorded, n: usize| match n {
        0 => Reply::new().tool_call("c", "CreateGoal", r#"{"objective":"win"}"#),
        _ => Reply::new().text("Done."),
    };
    let server = ModelServer::start(begins);
    let home = Home::new(&server.url());
    let ran = home.run(&["--print", "--plan", "-p", "please win"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(server.requests().len(), 2);
    let told = server.requests()[1].body["messages"].to_string();
    assert!(told.contains("begins work of many turns"), "{told}");
}
