//! `kill -9` at each moment of a turn: the session is found again with everything that was
//! finished, and the next request is one that every provider takes.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::agent::bench::strict;
use crate::support::model_server::{Gate, ModelServer, Reply};
use crate::support::program::{Home, Running, json_lines};

/// Waits until a file of the session has this in it.
#[track_caller]
fn wait_for_record(home: &Home, file: &str, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let found = home.sessions().iter().any(|session| {
            std::fs::read_to_string(session.join(file)).unwrap_or_default().contains(text)
        });
        if found {
            return;
        }
        assert!(Instant::now() < deadline, "{file} never has {text:?}");
        std::thread::yield_now();
    }
}

#[track_caller]
fn wait_for_file(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} never comes", path.display());
        std::thread::yield_now();
    }
}

/// A command that says that it runs and then waits until it is let go.
fn held(name: &str) -> String {
    let wait = format!("touch {name}.running; while [ ! -e {name}.go ]; do sleep 0.05; done");
    serde_json::json!({"command": format!("{wait}; echo {name} done")}).to_string()
}

fn quick(name: &str) -> String {
    serde_json::json!({"command": format!("echo {name} done")}).to_string()
}

/// Starts a turn with this script, lets the test bring it to a moment, kills it there, continues it
/// and returns the messages of the next request, without the system prompt.
fn killed(
    mut script: Vec<Reply>,
    moment: impl FnOnce(&Home, &mut Running, &ModelServer),
) -> (Home, Vec<Value>) {
    // The script's requests all come before the kill, or are never made.
    let before = script.len();
    script.push(Reply::new().text("Going on."));
    let requests = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let resumed = std::sync::Arc::clone(&requests);
    let server = ModelServer::start(move |_: &_, n: usize| {
        let again = resumed.load(std::sync::atomic::Ordering::Acquire);
        script[if again { before } else { n }].clone()
    });
    let home = Home::new(&server.url());
    let words = ["--print", "--output-format", "stream-json", "-p", "the task"];
    let mut running = home.start(&words);
    drop(running.stdin.take());
    moment(&home, &mut running, &server);
    running.kill();
    // Whatever the killed program had started may end now.
    for name in ["one", "two"] {
        home.write(&format!("project/{name}.go"), "");
    }
    requests.store(true, std::sync::atomic::Ordering::Release);
    let ran = home.run(&["--quiet", "-C", "-p", "go on"]);
    assert_eq!(ran.well().out, "Going on.\n");
    home.session();
    let sent = server.requests().pop().unwrap().body["messages"].clone();
    strict(&sent);
    let sent: Vec<Value> = sent.as_array().unwrap()[1..].to_vec();
    let first = sent[0]["content"].to_string();
    assert!(first.contains("the task"), "{sent:#?}");
    assert!(sent.last().unwrap()["content"].to_string().contains("go on"), "{sent:#?}");
    (home, sent)
}

/// The results of the calls, by id.
fn result(sent: &[Value], id: &str) -> String {
    let of = |message: &&Value| message["tool_call_id"] == id;
    sent.iter().find(of).unwrap_or_else(|| panic!("no {id}: {sent:#?}"))["content"].to_string()
}

fn interrupted(text: &str) -> bool {
    text.contains("interrupted")
}

#[test]
fn before_the_first_byte() {
    let gate = Gate::new();
    let (_home, sent) =
        killed(vec![Reply::new().wait(&gate)], |_, _, server| drop(server.wait_for(1)));
    assert_eq!(sent.len(), 1);
}

#[test]
fn in_mid_thinking() {
    let gate = Gate::new();
    let (home, sent) = killed(
        vec![Reply::new().think("a thought").wait(&gate)],
        // The stream has stalled: what has come is on disk all the same.
        |home, _, _| wait_for_record(home, "wire.jsonl", "a thought"),
    );
    assert_eq!(sent.len(), 1);
    assert!(!json_lines(&home.session().join("wire.jsonl")).is_empty());
}

#[test]
fn in_mid_text() {
    let gate = Gate::new();
    let (_home, sent) =
        killed(vec![Reply::new().text("half a sentence").wait(&gate)], |home, _, _| {
            wait_for_record(home, "wire.jsonl", "half a sentence")
        });
    assert_eq!(sent.len(), 1);
}

#[test]
fn in_mid_call() {
    let gate = Gate::new();
    let (home, sent) = killed(
        vec![Reply::new().text("I do.").tool_call("c1", "Shell", &quick("one")).wait(&gate)],
        |home, _, _| wait_for_record(home, "wire.jsonl", "I do."),
    );
    assert_eq!(sent.len(), 1);
    assert!(!home.session().join("context.jsonl.tmp").exists());
}

fn two_steps(gate: &Gate) -> Vec<Reply> {
    vec![
        Reply::new().text("I do both.").tool_call("c1", "Shell", &held("one")).tool_call(
            "c2",
            "Shell",
            &held("two"),
        ),
        Reply::new().text("Both are").wait(gate).text(" done."),
    ]
}

#[test]
fn during_the_first_call() {
    let (_home, sent) = killed(two_steps(&Gate::new()), |home, _, _| {
        wait_for_file(&home.path("project/one.running"));
    });
    assert_eq!(sent[1]["content"], "I do both.");
    assert!(interrupted(&result(&sent, "c1")) && interrupted(&result(&sent, "c2")), "{sent:#?}");
    assert_eq!(sent.len(), 5);
}

#[test]
fn between_two_calls() {
    let (_home, sent) = killed(two_steps(&Gate::new()), |home, _, _| {
        wait_for_file(&home.path("project/one.running"));
        home.write("project/one.go", "");
        wait_for_file(&home.path("project/two.running"));
    });
    assert!(result(&sent, "c1").contains("one done"), "{sent:#?}");
    assert!(interrupted(&result(&sent, "c2")), "{sent:#?}");
}

#[test]
fn during_the_next_request() {
    let gate = Gate::new();
    let (home, sent) = killed(two_steps(&gate), |home, _, server| {
        for name in ["one", "two"] {
            home.write(&format!("project/{name}.go"), "");
        }
        server.wait_for(2);
    });
    assert!(result(&sent, "c1").contains("one done") && result(&sent, "c2").contains("two done"));
    assert!(!sent.iter().any(|message| interrupted(&message.to_string())), "{sent:#?}");
    drop(home);
}

#[test]
fn right_after_the_last_byte_was_printed() {
    let (home, sent) = killed(vec![Reply::new().text("The answer.")], |_, running, _| {
        running.wait_out("The answer.\"}\n");
    });
    assert_eq!(sent[1]["content"], "The answer.");
    let wire = json_lines(&home.session().join("wire.jsonl"));
    let ends = wire.iter().filter(|line| line["message"]["type"] == "TurnEnd").count();
    assert_eq!(ends, 2, "{wire:#?}");
}

/// Whatever was on stdout when the program was killed is in the record, at every moment.
#[test]
fn what_was_printed_is_recorded() {
    let steps = 6;
    for kill_after in 1..=steps {
        let mut script: Vec<Reply> = (1..=steps)
            .map(|n| {
                let id = format!("c{n}");
                Reply::new().text(format!("Step {n}.")).tool_call(&id, "Shell", &quick(&id))
            })
            .collect();
        script.push(Reply::new().text("The end."));
        let wanted = format!("\"tool_call_id\":\"c{kill_after}\"");
        let (_home, sent) = killed(script, |_, running, _| running.wait_out(&wanted));
        for n in 1..=kill_after {
            let text = result(&sent, &format!("c{n}"));
            assert!(text.contains(&format!("c{n} done")), "{kill_after}: {text}");
        }
    }
}

/// A record that ends in the middle of a line, as after a power cut.
#[test]
fn a_torn_last_line() {
    let server = ModelServer::start(vec![Reply::new().text("one"), Reply::new().text("two")]);
    let home = Home::new(&server.url());
    home.run(&["--quiet", "-p", "first"]).well();
    for file in ["context.jsonl", "wire.jsonl"] {
        let path = home.session().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"role\":\"assistant\",\"content\":\"to");
        std::fs::write(&path, bytes).unwrap();
    }
    let ran = home.run(&["--quiet", "-C", "-p", "second"]);
    assert_eq!(ran.well().out, "two\n");
    let sent = server.requests().pop().unwrap().body["messages"].clone();
    strict(&sent);
    assert_eq!(sent.as_array().unwrap().len(), 4);
    // Every line that was added afterwards can be read.
    let wire = std::fs::read_to_string(home.session().join("wire.jsonl")).unwrap();
    let bad = wire.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
    assert_eq!(bad, 1, "{wire}");
}

/// The summary is what takes the place of the conversation: until it is there, nothing changes.
#[test]
fn while_the_conversation_is_summarised() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![
        Reply::new().text("one"),
        Reply::new().text("two"),
        Reply::new().text("half a summ").wait(&gate),
        Reply::new().text("Going on."),
    ]);
    let home = Home::new(&server.url());
    home.run(&["--quiet", "-p", "first"]).well();
    home.run(&["--quiet", "-C", "-p", "second"]).well();
    let mut running = home.start(&["--quiet", "-C", "-p", "/compact"]);
    server.wait_for(3);
    running.kill();
    assert_eq!(home.run(&["--quiet", "-C", "-p", "go on"]).well().out, "Going on.\n");
    let sent = server.requests().pop().unwrap().body["messages"].clone();
    strict(&sent);
    let said: Vec<&str> =
        sent.as_array().unwrap()[1..].iter().filter_map(|m| m["content"].as_str()).collect();
    assert_eq!(said, ["first", "one", "second", "two", "go on"]);
}
