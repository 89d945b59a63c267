//! What is said of an instance, and what it is told.

use serde_json::{Value, json};

use super::{World, ended, receipt, refusal, with_state};
use crate::protocol::control::{
    Answer, AskKind, AskOption, AskQuestion, Finish, Instance, OpenAsk, State,
};

fn options(labels: &[&str]) -> Vec<AskOption> {
    let option = |(at, label): (usize, &&str)| AskOption {
        n: at + 1,
        name: (*label).to_owned(),
        label: (*label).to_owned(),
        description: String::new(),
        takes_text: false,
    };
    labels.iter().enumerate().map(option).collect()
}

fn approval() -> OpenAsk {
    let mut options = options(&["approve", "approve_for_session", "reject", "reject"]);
    options[0].label = "Approve once".to_owned();
    options[3].takes_text = true;
    OpenAsk {
        id: "a1".to_owned(),
        kind: AskKind::Approval,
        text: "Run this command?\n$ rm -rf build\x1b[31m".to_owned(),
        options,
        questions: Vec::new(),
        behind: 0,
    }
}

fn questions() -> OpenAsk {
    let question = |text: &str, labels: &[&str], multi_select| AskQuestion {
        text: text.to_owned(),
        header: "H".to_owned(),
        multi_select,
        options: options(labels),
    };
    OpenAsk {
        id: "q1".to_owned(),
        kind: AskKind::Question,
        text: "Which colour?".to_owned(),
        options: options(&["red", "blue"]),
        questions: vec![
            question("Which colour?", &["red", "blue"], false),
            question("Which sizes?", &["S", "M", "2"], true),
        ],
        behind: 0,
    }
}

fn asking(world: &World, ask: OpenAsk) -> Instance {
    let state = State::Ask;
    Instance { state, turn: 4, ask: Some(ask), ..world.instance(5) }
}

fn last(text: &str) -> Value {
    serde_json::to_value(Answer { text: Some(text.to_owned()), ..Answer::ok() }).unwrap()
}

fn taken(n: u64, text: &str, turn: Option<u64>) -> Value {
    let receipt = Some(receipt(n, text, turn));
    serde_json::to_value(Answer { receipt, ..Answer::ok() }).unwrap()
}

#[test]
fn a_state_is_one_line_and_its_question_below() {
    let world = World::new();
    let ask = asking(&world, approval());
    world.script(&ask, &[("state", vec![with_state(&ask)])]);
    let ran = world.ctl(&["state"]);
    assert_eq!(ran.code, 0);
    let (first, rest) = ran.out.split_once('\n').unwrap();
    assert!(first.starts_with("ask turn=4 ask=a1 for="), "{first}");
    assert_eq!(
        rest,
        "  Run this command?\n  $ rm -rf build\n    1. Approve once\n    2. approve_for_session\n\
         \x20   3. reject\n    4. reject [--text]\n"
    );
}

#[test]
fn json_keeps_what_this_version_does_not_know() {
    let world = World::new();
    let mut line = with_state(&Instance { since: 1000.5, ..world.instance(5) });
    line["state"]["moon"] = json!("full");
    world.script(
        &world.instance(5),
        &[("state", vec![line.clone()]), ("watch", vec![line.clone()])],
    );
    for command in ["state", "watch"] {
        let ran = world.ctl(&[command, "--json"]);
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), line["state"], "{ran:?}");
    }
}

#[test]
fn a_wait_ends_with_a_word_and_a_status() {
    let end = |finish| Some(crate::protocol::control::LastTurn { finish, ..ended(4, "x") });
    for (state, finish, words, code) in [
        (State::Idle, None, &[][..], 0),
        (State::Ask, None, &["--timeout", "3"], 10),
        (State::Error, None, &[], 11),
        (State::Exited, None, &[], 12),
        (State::Busy, None, &["--state", "busy"], 0),
        (State::Idle, Some(Finish::Done), &["--turn", "4"], 0),
        (State::Idle, Some(Finish::Error), &["--turn", "4"], 11),
        (State::Busy, Some(Finish::Cancelled), &["--turn", "4"], 11),
        (State::Idle, Some(Finish::Error), &["--turn", "3"], 0),
        (State::Idle, Some(Finish::Error), &[], 0),
    ] {
        let world = World::new();
        let last = finish.and_then(end);
        let instance = Instance { state, last, ..world.instance(5) };
        world.script(&world.instance(5), &[("wait", vec![with_state(&instance)])]);
        let ran = world.ctl(&[&["wait"], words].concat());
        assert_eq!((ran.code, ran.out), (code, format!("{}\n", state.word())), "{words:?}");
    }
}

#[test]
fn a_wait_asks_for_what_was_given() {
    let world = World::new();
    let instance = world.instance(5);
    let heard = world.script(&instance, &[("wait", vec![with_state(&instance)])]);
    world.ctl(&[
        "wait",
        "--turn",
        "7",
        "--after",
        "12",
        "--state",
        "idle, ask",
        "--timeout",
        "0.5",
    ]);
    world.ctl(&["wait"]);
    assert_eq!(
        heard.of("wait"),
        [
            json!({"op": "wait", "until": ["idle", "ask"], "turn": 7, "after_seq": 12, "timeout_ms": 500}),
            json!({"op": "wait", "until": [], "turn": null, "after_seq": null, "timeout_ms": null}),
        ]
    );
    for (words, message) in [
        (["--state", "asleep"], "'asleep' is not one of idle, busy, ask, error, exited."),
        (["--timeout", "-1"], "'-1' is not a number of seconds."),
        (["--timeout", "NaN"], "'NaN' is not a number of seconds."),
        (["--turn", "-1"], "-1 is not in the range x>=0."),
    ] {
        let option = format!("{}={}", words[0], words[1]);
        let ran = world.ctl(&["wait", &option]);
        assert!(ran.code == 2 && ran.err.trim_end().ends_with(message), "{words:?}: {ran:?}");
    }
}

#[test]
fn an_instance_that_ends_ends_the_wait() {
    let world = World::new();
    world.script(&world.instance(5), &[("wait", vec![]), ("watch", vec![])]);
    let ran = world.ctl(&["wait"]);
    assert_eq!((ran.code, &*ran.out), (12, "exited\n"));
    let ran = world.ctl(&["watch"]);
    assert_eq!((ran.code, &*ran.out), (0, "exited\n"));
}

#[test]
fn too_late_is_124() {
    let mut world = World::new();
    let refuses = refusal("timeout", "still busy");
    world.script(&world.instance(5), &[("wait", vec![refuses])]);
    let ran = world.ctl(&["wait", "--timeout", "9"]);
    assert_eq!((ran.code, &*ran.out), (124, ""), "{ran:?}");
    assert_eq!(ran.err, "kimi ctl: timed out after 9 s; pid 5 in pane %5 goes on\n");
    // Stuck: it does not keep the time itself.
    world.patience = std::time::Duration::from_millis(500);
    world.script(&world.instance(6), &[("wait", vec![Value::Null])]);
    let ran = world.ctl(&["wait", "--timeout", "0.05", "--pid", "6"]);
    assert_eq!((ran.code, &*ran.out), (124, ""), "{ran:?}");
    assert!(ran.err.contains("timed out after 0.1 s"), "{ran:?}");
}

#[test]
fn the_last_answer_comes_byte_for_byte() {
    let text = "fn main() {\n\n    \tdo_it();  \n}\n\u{1b}[31m no line end";
    let mut world = World::new();
    world.script(&world.instance(5), &[("last", vec![last(text)])]);
    let ran = world.ctl(&["last"]);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, text, ""));
    let line: Value = serde_json::from_str(&world.ctl(&["last", "--json"]).out).unwrap();
    assert_eq!(line["text"], text);
    world.columns = Some(80);
    let shown = world.ctl(&["last"]).out;
    assert!(!shown.contains('\u{1b}') && shown.ends_with("no line end\n"), "{shown:?}");

    let none = World::new();
    none.script(&none.instance(5), &[("last", vec![refusal("no_answer", "no turn has ended")])]);
    let ran = none.ctl(&["last"]);
    assert_eq!((ran.code, &*ran.out), (1, ""));
    assert_eq!(ran.err, "kimi ctl: pid 5 in pane %5 refuses: no turn has ended\n");
}

#[test]
fn a_message_is_sent_whole_and_acknowledged() {
    let world = World::new();
    let text = "do it\n\n  with care ✨";
    let heard = world.script(&world.instance(5), &[("send", vec![taken(4, text, Some(7))])]);
    let ran = world.ctl(&["send", text]);
    assert_eq!((ran.code, &*ran.out), (0, "sent: message 4, 22 bytes, turn 7\n"));
    for words in [&["send", "-"][..], &["send"], &["send", "--steer"]] {
        let ran = world.ctl_with(words, Some(format!("{text}\n").as_bytes()));
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let sent = heard.of("send");
    assert!(sent.iter().all(|send| send["text"] == text), "{sent:?}");
    assert_eq!(
        sent.iter().map(|send| send["steer"] == true).collect::<Vec<_>>(),
        [false, false, false, true]
    );
    let line = world.ctl(&["send", "--json", text]).out;
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["receipt"]["n"], 4);

    let other = world.ctl(&["send", "do it"]);
    assert_eq!((other.code, &*other.out), (1, ""));
    assert!(other.err.contains("what arrived is not what was sent: 22 bytes"), "{other:?}");
    let before = heard.of("send").len();
    for (words, input, code) in [
        (&["send"][..], None, 2),
        (&["send", " \n"], None, 2),
        (&["send"], Some(&b"\n"[..]), 2),
        (&["send"], Some(b"\xff\xfe"), 1),
        (&["send", "--timeout", "1", "x"], None, 2),
        (&["send", "--stear", "x"], None, 2),
        (&["send", "two", "words"], None, 2),
    ] {
        let ran = world.ctl_with(words, input);
        assert_eq!((ran.code, ran.out.is_empty() || code == 2), (code, true), "{ran:?}");
    }
    assert_eq!(heard.of("send").len(), before);
}

/// `send --wait` of `hi`, with what the watch tells and the last answer. The first state is the one
/// before the message.
fn waited(turn: Option<u64>, states: &[Instance], answer: &str) -> super::Ran {
    waited_for("30", turn, states, answer)
}

/// The same, and how many seconds it may take.
fn waited_for(seconds: &str, turn: Option<u64>, states: &[Instance], answer: &str) -> super::Ran {
    let world = World::new();
    let mut lines = vec![with_state(&world.instance(5))];
    lines.extend(states.iter().map(with_state));
    lines.push(Value::Null);
    world.script(
        &world.instance(5),
        &[("watch", lines), ("send", vec![taken(2, "hi", turn)]), ("last", vec![last(answer)])],
    );
    world.ctl(&["send", "--wait", "--timeout", seconds, "hi"])
}

#[test]
fn send_and_wait_follows_its_own_turn() {
    let world = World::new();
    let at = |state, input_turn, last| Instance {
        state,
        input: Some(receipt(2, "hi", input_turn)),
        last,
        queued: usize::from(input_turn.is_none()),
        ..world.instance(5)
    };
    let done = |turn| Some(ended(turn, "  the answer"));
    let queued = [
        at(State::Busy, None, None),
        at(State::Busy, None, done(7)),
        at(State::Busy, Some(8), done(7)),
        at(State::Idle, Some(8), done(8)),
    ];
    let ran = waited(None, &queued, "  the answer");
    assert_eq!((ran.code, &*ran.out), (0, "  the answer"), "{ran:?}");
    assert_eq!(ran.err, "queued: message 2, 2 bytes\n");

    let short = [at(State::Busy, Some(7), None), at(State::Idle, Some(7), done(7))];
    assert_eq!(waited(Some(7), &short, "  the answer").out, "  the answer");

    // The end of the turn before is not the end of this one.
    let ran = waited_for("0.5", None, &queued[..3], "  the answer");
    assert_eq!((ran.code, &*ran.out), (124, ""), "{ran:?}");

    let mut failed = at(State::Idle, Some(7), done(7));
    let turn = failed.last.as_mut().unwrap();
    (turn.finish, turn.error, turn.sha256) = (Finish::Error, Some("401".to_owned()), None);
    let ran = waited(Some(7), &[failed], "old");
    assert_eq!((ran.code, &*ran.out), (11, ""));
    assert!(ran.err.ends_with("turn 7 failed: 401\n"), "{ran:?}");

    let mut asks = at(State::Ask, Some(7), None);
    asks.ask = Some(approval());
    let ran = waited(Some(7), &[asks], "old");
    assert_eq!((ran.code, &*ran.out), (10, ""));
    assert!(ran.err.contains("Run this command?") && ran.err.contains("1. Approve once"));

    assert_eq!(waited(Some(7), &[at(State::Exited, Some(7), None)], "old").code, 12);
}

#[test]
fn send_and_wait_never_gives_another_turns_answer() {
    let world = World::new();
    let at = |state, n, input_turn, last| Instance {
        state,
        input: Some(receipt(n, "hi", input_turn)),
        last,
        ..world.instance(5)
    };
    let told = |ran: super::Ran, words: &str| {
        assert_eq!((ran.code, &*ran.out), (1, ""), "{ran:?}");
        assert!(ran.err.contains(words), "{ran:?}");
    };
    let later = [at(State::Busy, 3, None, Some(ended(6, "x")))];
    told(waited(None, &later, "x"), "its turn cannot be told any more");
    let overtaken = [at(State::Idle, 3, Some(8), Some(ended(8, "x")))];
    told(waited(Some(7), &overtaken, "x"), "a later one has replaced its answer");
    let replaced = [at(State::Idle, 2, Some(7), Some(ended(7, "x")))];
    told(waited(Some(7), &replaced, "y"), "a later one has replaced its answer");
    let gone = [at(State::Idle, 2, None, None)];
    told(waited(None, &gone, "x"), "somebody took it back");
    // A moment without a queue and without a turn is none.
    let moment = [gone[0].clone(), at(State::Idle, 2, Some(7), Some(ended(7, "x")))];
    assert_eq!(waited(None, &moment, "x").out, "x");
}

#[test]
fn an_answer_goes_to_the_question_that_was_looked_at() {
    let world = World::new();
    let ask = asking(&world, approval());
    let heard = world
        .script(&ask, &[("state", vec![with_state(&ask)]), ("answer", vec![json!({"ok": true})])]);
    let ran = world.ctl(&["answer", "approve"]);
    assert_eq!((ran.code, &*ran.out), (0, "answered: Run this command?\n"));
    assert_eq!(world.ctl(&["answer", "--id", "a1", "4", "--text", "use make clean"]).code, 0);
    assert_eq!(world.ctl(&["answer", "reject", "--text", "- no"]).code, 0);
    let choice = |answer: &Value| {
        assert_eq!(answer["id"], "a1");
        answer["choices"].clone()
    };
    let heard_all = heard.of("answer");
    assert_eq!(
        heard_all.iter().map(choice).collect::<Vec<_>>(),
        [
            json!([{"numbers": [], "names": ["approve"]}]),
            json!([{"numbers": [4], "names": [], "text": "use make clean"}]),
            json!([{"numbers": [], "names": ["reject"], "text": "- no"}]),
        ]
    );
    for (words, code, message) in [
        (&["answer"][..], 2, "Missing a CHOICE"),
        (&["answer", "yes"], 1, "'yes' is none of: 1 Approve once, 2 approve_for_session"),
        (&["answer", "5"], 1, "'5' is none of"),
        (&["answer", "1", "1"], 2, "An approval takes one."),
        (&["answer", "1", "--text", "x"], 1, "no words go with '1'"),
        (&["answer", "--id", "a0", "1"], 1, "question a0 is not open, but a1"),
    ] {
        let ran = world.ctl(words);
        assert_eq!((ran.code, &*ran.out), (code, ""), "{words:?}");
        assert!(ran.err.contains(message), "{words:?}: {ran:?}");
    }
    assert_eq!(heard.of("answer").len(), 3);

    let idle = World::new();
    idle.script(&idle.instance(5), &[("state", vec![with_state(&idle.instance(5))])]);
    let ran = idle.ctl(&["answer", "1"]);
    assert!(ran.code == 1 && ran.err.contains("it asks nothing"), "{ran:?}");
}

#[test]
fn questions_take_one_choice_each() {
    let world = World::new();
    let ask = asking(&world, questions());
    let heard = world
        .script(&ask, &[("state", vec![with_state(&ask)]), ("answer", vec![json!({"ok": true})])]);
    for (words, choices) in [
        (["2", "1,3"], json!([{"numbers": [2], "names": []}, {"numbers": [1, 3], "names": []}])),
        (["blue", "2"], json!([{"numbers": [], "names": ["blue"]}, {"numbers": [2], "names": []}])),
        (
            ["=my own, 1", "M"],
            json!([{"numbers": [], "names": [], "text": "my own, 1"}, {"numbers": [], "names": ["M"]}]),
        ),
    ] {
        assert_eq!(world.ctl(&["answer", words[0], words[1]]).code, 0, "{words:?}");
        assert_eq!(heard.of("answer").last().unwrap()["choices"], choices);
    }
    for (words, code, message) in [
        (&["1"][..], 2, "There are 2 questions and 1 was given"),
        (&["1,2", "1"], 1, "only one may be chosen"),
        (&["Blue", "1"], 1, "'Blue' is none of: 1 red, 2 blue; an answer of your own"),
        (&["1", "4"], 1, "'4' is none of: 1 S, 2 M, 3 2"),
        (&["1", "1,x"], 1, "'1,x' is none of"),
        (&["=", "1"], 2, "No words follow the '='."),
        (&["1", "1", "--text", "x"], 2, "=WORDS"),
    ] {
        let ran = world.ctl(&[&["answer"], words].concat());
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
        assert!(ran.err.contains(message), "{words:?}: {ran:?}");
    }
    assert_eq!(heard.of("answer").len(), 3);
}

#[test]
fn a_turn_is_interrupted_or_there_is_none() {
    let world = World::new();
    world.script(&world.instance(5), &[("interrupt", vec![with_state(&world.instance(5))])]);
    assert_eq!(world.ctl(&["interrupt"]).out, "interrupted turn 3\n");
    let idle = World::new();
    idle.script(&idle.instance(5), &[("interrupt", vec![refusal("wrong_state", "no turn runs")])]);
    let ran = idle.ctl(&["interrupt"]);
    assert!(ran.code == 1 && ran.err.contains("refuses: no turn runs"), "{ran:?}");
}
