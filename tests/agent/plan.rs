//! Plan mode, over the whole of a session.

use std::path::PathBuf;

use kimi_tui::agent::Modes;
use kimi_tui::protocol::{
    Event, Message, Op, Outcome, QuestionRequest, QuestionResponse, Request, Response, StopReason,
    ToolReturnValue,
};
use serde_json::{Value, json};

use super::bench::{Bench, Heard, Live, Say, calls, text};

/// A session in plan mode with the real tools.
fn planning(replies: Vec<Vec<Say>>) -> Bench {
    let mut bench = real(replies);
    bench.plan = true;
    bench
}

fn real(replies: Vec<Vec<Say>>) -> Bench {
    let mut bench = Bench::with(replies);
    bench.real_tools = true;
    bench
}

fn call(id: &str, tool: &str, arguments: Value) -> Vec<Say> {
    calls(&[(id, tool, &arguments.to_string())])
}

/// The file of the only plan there is a name for.
fn plan_file(bench: &Bench, live: &Live) -> PathBuf {
    let state = std::fs::read(live.handle.session().dir.join("state.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    bench.plans_dir().join(format!("{}.md", state["plan_slug"].as_str().expect("a plan")))
}

async fn question(live: &mut Live) -> (Heard, QuestionRequest) {
    let fits = |message: &Message| matches!(message, Message::Request(Request::QuestionRequest(_)));
    let heard = live.until("a question", fits).await;
    match heard.0.last() {
        Some(Message::Request(Request::QuestionRequest(request))) => {
            let request = request.clone();
            (heard, request)
        }
        other => panic!("{other:?}"),
    }
}

fn answer(live: &Live, request: &QuestionRequest, answer: Option<&str>) {
    let key = request.questions[0].question.clone();
    let answers = answer.map(|answer| (key, Value::from(answer))).into_iter().collect();
    let response = QuestionResponse { request_id: request.id.clone(), answers, declined: false };
    live.handle.submit(Op::Answer { response: Response::Question(response) });
}

fn result(heard: &Heard, id: &str) -> ToolReturnValue {
    let found = heard.results().into_iter().find(|(call, _)| call == id);
    found.unwrap_or_else(|| panic!("no result of {id}: {:#?}", heard.lines())).1
}

/// What was told of plan mode, in order.
fn switches(heard: &Heard) -> Vec<bool> {
    let told = heard.events().filter_map(|event| match event {
        // Others tell the fill of the context.
        Event::StatusUpdate(status) if status.counted.is_none() => status.plan_mode,
        _ => None,
    });
    told.collect()
}

fn brief(value: &ToolReturnValue) -> String {
    serde_json::to_value(&value.display).unwrap()[0]["text"].as_str().unwrap_or("-").to_owned()
}

#[tokio::test]
async fn the_model_asks_whether_to_plan() {
    for (given, brief_of, on, says) in [
        (Some("Yes"), "Plan mode on", true, "ExitPlanMode"),
        (Some("No"), "Declined", false, "Check with them"),
        (Some("only the tests"), "Declined", false, "only the tests"),
        (None, "Dismissed", false, "go on with the task"),
    ] {
        let bench = real(vec![call("a", "EnterPlanMode", json!({})), vec![text("ok")]]);
        let mut live = bench.open();
        live.send("go");
        let (_, request) = question(&mut live).await;
        let asked = &request.questions[0];
        assert_eq!(
            (asked.question.as_str(), asked.header.as_str()),
            ("Enter plan mode?", "Plan Mode")
        );
        let labels: Vec<_> = asked.options.iter().map(|option| option.label.as_str()).collect();
        assert_eq!(labels, ["Yes", "No"]);
        answer(&live, &request, given);
        let heard = live.end().await;
        heard.finished();
        let value = result(&heard, "a");
        assert_eq!((brief(&value).as_str(), value.is_error), (brief_of, false), "{given:?}");
        assert!(value.output.text().contains(says), "{value:?}");
        assert_eq!(switches(&heard), Vec::from_iter(on.then_some(true)));
        assert_eq!(live.handle.info().plan_mode, on);
        if on {
            let file = plan_file(&bench, &live).display().to_string();
            assert!(value.output.text().contains(&file), "{value:?}");
        }
    }
}

#[tokio::test]
async fn nobody_is_asked_where_everything_is_approved() {
    for modes in [
        Modes { yolo: true, ..Modes::default() },
        Modes { afk: true, ..Modes::default() },
        Modes { runtime_afk: true, ..Modes::default() },
    ] {
        let enter = |id| call(id, "EnterPlanMode", json!({}));
        let mut bench = real(vec![enter("a"), enter("b"), vec![text("ok")]]);
        bench.modes = modes;
        let mut live = bench.open();
        let heard = live.prompt("go").await;
        heard.finished();
        assert_eq!(brief(&result(&heard, "a")), "Plan mode on (auto)");
        let again = result(&heard, "b");
        assert!(again.is_error);
        assert_eq!(brief(&again), "Already in plan mode");
    }
}

/// A session whose model has written a plan and shows it.
async fn shown(options: Value, more: Vec<Vec<Say>>) -> (Bench, Live, QuestionRequest, PathBuf) {
    let mut bench = planning(vec![]);
    let live = bench.open();
    let file = plan_file(&bench, &live);
    let write = json!({"path": file, "content": "# Plan\n1. Dig\n"});
    bench.model.reply(call("w", "WriteFile", write));
    bench.model.reply(call("x", "ExitPlanMode", json!({"options": options})));
    more.into_iter().for_each(|reply| bench.model.reply(reply));
    bench.plan = false;
    let mut live = live;
    live.send("go");
    let (heard, request) = question(&mut live).await;
    assert!(
        !result(&heard, "w").is_error,
        "the plan is written unasked: {:?}",
        result(&heard, "w")
    );
    let told = heard.events().find_map(|event| match event {
        Event::PlanDisplay { content, file_path } => Some((content.clone(), file_path.clone())),
        _ => None,
    });
    assert_eq!(told, Some(("# Plan\n1. Dig\n".to_owned(), file.display().to_string())));
    (bench, live, request, file)
}

#[tokio::test]
async fn an_approved_plan_is_carried_out() {
    let write = json!({"path": "a.txt", "content": "x"});
    let more = vec![call("d", "WriteFile", write), vec![text("done")]];
    let (bench, mut live, request, file) = shown(Value::Null, more).await;
    let question = &request.questions[0];
    assert_eq!(
        (question.question.as_str(), question.header.as_str(), question.other_label.as_str()),
        ("Approve this plan", "Plan", "Revise")
    );
    let labels: Vec<_> = question.options.iter().map(|option| option.label.as_str()).collect();
    assert_eq!(labels, ["Approve", "Reject", "Reject and Exit"]);
    answer(&live, &request, Some("Approve"));
    let (heard, approval) = live.asked().await;
    let value = result(&heard, "x");
    assert!(!value.is_error);
    assert!(value.output.text().contains("# Plan\n1. Dig"), "{value:?}");
    assert!(value.output.text().contains(&file.display().to_string()), "{value:?}");
    assert_eq!(switches(&heard), [false]);
    // What changes something is asked for as ever.
    live.answer(&approval.id, kimi_tui::protocol::Verdict::Approve, "");
    live.end().await.finished();
    assert!(bench.work_dir().join("a.txt").exists());
    assert!(file.exists(), "the plan stays");
    let state = std::fs::read_to_string(live.handle.session().dir.join("state.json")).unwrap();
    assert!(state.contains("\"plan_slug\": null") && state.contains("\"plan_session_id\": null"));
}

#[tokio::test]
async fn of_several_approaches_one_is_chosen() {
    let approaches = json!([{"label": "Fast", "description": "now"}, {"label": "Clean"}]);
    let (_bench, mut live, request, _) = shown(approaches, vec![vec![text("done")]]).await;
    let labels: Vec<_> =
        request.questions[0].options.iter().map(|option| option.label.as_str()).collect();
    assert_eq!(labels, ["Fast", "Clean", "Reject", "Reject and Exit"]);
    answer(&live, &request, Some("Clean"));
    let heard = live.end().await;
    let output = result(&heard, "x").output.text();
    assert!(output.contains("\"Clean\"") && !output.contains("Fast"), "{output}");
    assert!(!live.handle.info().plan_mode);
}

#[tokio::test]
async fn a_plan_can_be_turned_down_or_sent_back() {
    for (given, on, stops, says) in [
        (Some("Reject"), true, true, "rejected the plan"),
        (Some("Reject and Exit"), false, true, "rejected the plan"),
        (Some("use less water"), true, false, "User feedback: use less water"),
        (None, true, false, "without a decision"),
        // There was no such choice: these are words.
        (Some("approve"), true, false, "User feedback: approve"),
    ] {
        let (_bench, mut live, request, file) = shown(json!([]), vec![vec![text("ok")]]).await;
        answer(&live, &request, given);
        let heard = live.end().await;
        let value = result(&heard, "x");
        let said = format!("{} {}", value.message, value.output.text());
        assert!(said.contains(says), "{given:?} {said}");
        assert_eq!(value.is_error, stops, "{given:?}");
        assert_eq!(live.handle.info().plan_mode, on, "{given:?}");
        let stop = if stops { StopReason::ToolRejected } else { StopReason::NoToolCalls };
        assert_eq!(heard.outcome(), &Outcome::Finished { stop }, "{given:?}");
        assert!(file.exists());
    }
}

#[tokio::test]
async fn unattended_a_plan_is_approved_and_with_yolo_it_is_not() {
    let mut bench = planning(vec![]);
    bench.modes = Modes { runtime_afk: true, ..Modes::default() };
    let mut live = bench.open();
    let file = plan_file(&bench, &live);
    bench.model.reply(call("w", "WriteFile", json!({"path": file, "content": "Dig."})));
    bench.model.reply(call("x", "ExitPlanMode", json!({})));
    bench.model.reply(call("d", "Shell", json!({"command": "echo x > out"})));
    bench.model.reply(vec![text("done")]);
    let heard = live.prompt("go").await;
    heard.finished();
    assert_eq!(brief(&result(&heard, "x")), "Plan approved (auto)");
    assert!(bench.work_dir().join("out").exists());

    let mut bench = planning(vec![]);
    bench.modes = Modes { yolo: true, ..Modes::default() };
    let mut live = bench.open();
    let file = plan_file(&bench, &live);
    bench.model.reply(call("w", "WriteFile", json!({"path": file, "content": "Dig."})));
    bench.model.reply(call("x", "ExitPlanMode", json!({})));
    bench.model.reply(vec![text("done")]);
    live.send("go");
    let (_, request) = question(&mut live).await;
    answer(&live, &request, Some("Approve"));
    live.end().await.finished();
}

#[tokio::test]
async fn a_plan_has_to_be_there() {
    let exit = |id: &str, options: Value| call(id, "ExitPlanMode", json!({"options": options}));
    let label = |label: &str| json!({"label": label});
    let bench = planning(vec![
        exit("none", Value::Null),
        exit("twice", json!([label("A"), label("a ")])),
        exit("reserved", json!([label("A"), label("reject AND exit")])),
        exit("many", json!([label("A"), label("B"), label("C"), label("D")])),
        vec![text("ok")],
        exit("off", Value::Null),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    assert_eq!(brief(&result(&heard, "none")), "No plan file");
    for id in ["twice", "reserved", "many"] {
        let value = result(&heard, id);
        assert_eq!((value.is_error, brief(&value).as_str()), (true, "Invalid arguments"), "{id}");
    }
    live.handle.submit(Op::SetPlanMode { enabled: false });
    let heard = live.prompt("go").await;
    assert_eq!(brief(&result(&heard, "off")), "Not in plan mode");
}

#[tokio::test]
async fn a_client_s_switching_is_told_however_it_was_and_remembered() {
    let bench = real(vec![vec![text("one")], vec![text("two")], vec![text("three")]]);
    let mut live = bench.open();
    live.handle.submit(Op::SetPlanMode { enabled: true });
    live.handle.submit(Op::SetPlanMode { enabled: true });
    let heard = live.prompt("first").await;
    assert_eq!(switches(&heard), [true, true]);
    let file = plan_file(&bench, &live);
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    // It goes on with the same plan.
    let mut live = bench.reopen(session);
    assert!(live.handle.info().plan_mode);
    assert_eq!(plan_file(&bench, &live), file);
    live.prompt("second").await.finished();
    live.handle.submit(Op::SetPlanMode { enabled: false });
    live.prompt("third").await.finished();
    let stored = live.stored().await;
    let told = |begin: &str| {
        stored.iter().filter(|m| m.contains(&format!("<system-reminder>{begin}"))).count()
    };
    assert_eq!((told("Plan mode is on"), told("Plan mode is off")), (1, 1), "{stored:#?}");
    assert!(stored[1].contains(&file.display().to_string()), "{stored:#?}");
}

#[tokio::test]
async fn the_command_shows_and_clears() {
    let bench = real(vec![]);
    let mut live = bench.open();
    assert!(live.prompt("/plan view").await.text().contains("is off"));
    let heard = live.prompt("/plan").await;
    assert_eq!(switches(&heard), [true]);
    let file = plan_file(&bench, &live);
    assert!(heard.text().contains(&file.display().to_string()));
    assert!(live.prompt("/plan view").await.text().contains("Nothing has been planned"));
    std::fs::create_dir_all(bench.plans_dir()).unwrap();
    std::fs::write(&file, "# Dig").unwrap();
    assert_eq!(live.prompt("/plan view").await.text(), "# Dig");
    assert!(live.prompt("/plan clear").await.text().contains("has been cleared"));
    assert!(!file.exists());
    assert!(live.prompt("/plan clear").await.text().contains("no plan to clear"));
    assert!(live.prompt("/plan maybe").await.text().contains("\"maybe\""));
    assert_eq!(switches(&live.prompt("/plan off").await), [false]);
    assert!(!live.handle.info().plan_mode);
}
