//! Asking a person, or not.

use kimi_tui::agent::Modes;
use kimi_tui::protocol::{Event, Message, Op, Outcome, Request, StopReason, Verdict};

use super::bench::{Bench, Heard, calls, text};

const ASK: &str = r#"{"ask":"edit file"}"#;

fn asks(heard: &Heard) -> usize {
    heard.0.iter().filter(|message| matches!(message, Message::Request(_))).count()
}

fn is_ask(message: &Message) -> bool {
    matches!(message, Message::Request(Request::ApprovalRequest(_)))
}

#[tokio::test]
async fn once_is_once() {
    let bench =
        Bench::with([calls(&[("a", "Change", ASK), ("b", "Change", ASK)]), vec![text("ok")]]);
    let mut live = bench.open();
    live.send("go");
    let (_, first) = live.asked().await;
    assert_eq!(
        (first.tool_call_id.as_str(), first.sender.as_str(), first.action.as_str()),
        ("a", "Change", "edit file")
    );
    assert_eq!(first.source_kind.as_deref(), Some("foreground_turn"));
    live.answer(&first.id, Verdict::Approve, "");
    let (_, second) = live.asked().await;
    // An answer to a request that is over, or to one that never was, is nothing.
    live.answer(&first.id, Verdict::Reject, "");
    live.answer("nobody", Verdict::Reject, "");
    live.answer(&second.id, Verdict::Approve, "");
    live.end().await.finished();
}

#[tokio::test]
async fn for_the_session_is_stored_and_kept_to_its_action() {
    let bench = Bench::with([
        calls(&[
            ("a", "Change", ASK),
            ("b", "Change", ASK),
            ("c", "Change", r#"{"ask":"run command"}"#),
        ]),
        vec![text("ok")],
        calls(&[("d", "Change", ASK)]),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    live.send("go");
    let (_, request) = live.asked().await;
    live.answer(&request.id, Verdict::ApproveForSession, "");
    let (_, request) = live.asked().await;
    assert_eq!(request.tool_call_id, "c");
    live.answer(&request.id, Verdict::Approve, "");
    live.end().await.finished();
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    let state = std::fs::read_to_string(session.dir.join("state.json")).unwrap();
    assert!(state.contains("edit file") && !state.contains("run command"), "{state}");
    let mut live = bench.reopen(session);
    let heard = live.prompt("go").await;
    heard.finished();
    assert_eq!(asks(&heard), 0);
}

#[tokio::test]
async fn for_the_session_resolves_what_waits_for_the_same() {
    let bench = Bench::with([
        calls(&[("a", "Look", ASK), ("b", "Look", ASK), ("c", "Look", r#"{"ask":"other"}"#)]),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    live.send("go");
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(live.asked().await.1);
    }
    let same = requests.iter().find(|request| request.action == "edit file").unwrap();
    live.answer(&same.id, Verdict::ApproveForSession, "");
    bench.log.wait(&["end a", "end b"]).await;
    assert!(!bench.log.lines().contains(&"end c".to_owned()));
    let other = requests.iter().find(|request| request.action == "other").unwrap();
    live.answer(&other.id, Verdict::Approve, "");
    let heard = live.end().await;
    heard.finished();
    let answers =
        heard.events().filter(|event| matches!(event, Event::ApprovalResponse(_))).count();
    assert_eq!(answers, 3, "{:#?}", heard.lines());
}

#[tokio::test]
async fn unattended_and_yolo_sessions_are_not_asked() {
    for modes in [
        Modes { yolo: true, ..Modes::default() },
        Modes { afk: true, ..Modes::default() },
        Modes { runtime_afk: true, ..Modes::default() },
    ] {
        let mut bench = Bench::with([calls(&[("a", "Change", ASK)]), vec![text("ok")]]);
        bench.modes = modes;
        let mut live = bench.open();
        let heard = live.prompt("go").await;
        heard.finished();
        assert_eq!(asks(&heard), 0, "{modes:?}");
    }
}

#[tokio::test]
async fn switching_while_a_person_is_asked() {
    for (yolo, afk) in [(Some(true), None), (None, Some(true))] {
        let bench = Bench::with([
            calls(&[("a", "Change", ASK), ("b", "Change", ASK)]),
            vec![text("ok")],
            calls(&[("c", "Change", ASK)]),
        ]);
        let mut live = bench.open();
        live.send("go");
        live.asked().await;
        live.handle.submit(Op::SetApproval { yolo, afk });
        let heard = live.end().await;
        heard.finished();
        assert_eq!(asks(&heard), 0);
        assert!(heard.lines().contains(&"Approve ".to_owned()), "{:#?}", heard.lines());
        let info = live.handle.info();
        assert_eq!((info.yolo, info.afk), (yolo.is_some(), afk.is_some()));
        // And back.
        live.handle.submit(Op::SetApproval { yolo: Some(false), afk: Some(false) });
        live.send("again");
        let (_, request) = live.asked().await;
        live.answer(&request.id, Verdict::Reject, "");
        let heard = live.end().await;
        assert_eq!(heard.outcome(), &Outcome::Finished { stop: StopReason::ToolRejected });
    }
}

#[tokio::test]
async fn modes_by_command_are_stored_with_the_session() {
    let bench = Bench::new();
    let mut live = bench.open();
    assert!(live.prompt("/yolo").await.text().contains("is on"));
    assert!(live.prompt("/afk on").await.text().contains("is on"));
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    let mut live = bench.reopen(session);
    let info = live.handle.info();
    assert!(info.yolo && info.afk);
    live.prompt("/yolo off").await;
    // Unattended still approves everything, and the answer says so.
    assert!(live.prompt("/yolo off").await.text().contains("still approves"));
    live.prompt("/afk").await;
    let info = live.handle.info();
    assert!(!info.yolo && !info.afk);
    assert!(live.prompt("/yolo maybe").await.text().contains("neither on nor off"));
}

#[tokio::test]
async fn questions_wait_for_a_person_and_an_absent_one_is_not_asked() {
    let question = r#"{"questions":[{"question":"Which?","header":"W","options":[
        {"label":"A","description":"a"},{"label":"B","description":"b"}],"multi_select":false}]}"#;
    let ask = || calls(&[("q", "AskUserQuestion", question)]);
    let mut bench =
        Bench::with([ask(), vec![text("ok")], ask(), vec![text("ok")], ask(), vec![text("ok")]]);
    bench.real_tools = true;
    let mut live = bench.open();
    let is_question =
        |message: &Message| matches!(message, Message::Request(Request::QuestionRequest(_)));
    live.send("go");
    let heard = live.until("a question", is_question).await;
    let Some(Message::Request(Request::QuestionRequest(request))) = heard.0.last() else {
        unreachable!()
    };
    let answers = serde_json::json!({"Which?": "B"}).as_object().unwrap().clone();
    live.handle.submit(Op::Answer {
        response: kimi_tui::protocol::Response::Question(kimi_tui::protocol::QuestionResponse {
            request_id: request.id.clone(),
            answers,
            declined: false,
        }),
    });
    let heard = live.end().await;
    heard.finished();
    assert!(heard.results()[0].1.output.text().contains('B'), "{:?}", heard.results());
    // The person leaves while asked.
    live.send("again");
    live.until("a question", is_question).await;
    live.handle.submit(Op::SetApproval { yolo: None, afk: Some(true) });
    live.end().await.finished();
    // And is not asked any more.
    let heard = live.prompt("once more").await;
    heard.finished();
    assert!(!heard.0.iter().any(is_question) && !heard.0.iter().any(is_ask));
    assert_eq!(heard.results().len(), 1);
}
