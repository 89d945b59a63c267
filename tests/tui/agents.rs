//! Subagents on the screen.

use serde_json::{Value, json};

use super::interrupt::wait_until;
use super::world::{World, count};
use crate::support::model_server::{Gate, Recorded, Reply};
use crate::support::screen::{is_busy, is_idle};

/// A call of `Agent`.
fn agent(reply: Reply, id: &str, prompt: &str) -> Reply {
    let arguments = json!({"description": format!("look at {prompt}"), "prompt": prompt});
    reply.tool_call(id, "Agent", &arguments.to_string())
}

fn shell(command: &str) -> Reply {
    Reply::new().tool_call("s1", "Shell", &json!({"command": command}).to_string())
}

fn report(of: &str) -> Reply {
    Reply::new().text(format!("Report of {of}. {}", "It is all there. ".repeat(15)))
}

/// The first message of a conversation.
fn first(request: &Recorded) -> String {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    let first = messages.iter().find(|message| message["role"] == "user");
    first.map(|message| message["content"].to_string()).unwrap_or_default()
}

fn results(request: &Recorded) -> Vec<Value> {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    messages.into_iter().filter(|message| message["role"] == "tool").collect()
}

#[test]
fn two_work_side_by_side_and_leave_a_row_each() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::new(move |request: &Recorded, _: usize| {
        let first = first(request);
        match (first.as_str(), results(request).len()) {
            (text, 0) if text.contains("ALPHA") => shell("echo alpha"),
            (text, _) if text.contains("ALPHA") => {
                Reply::new().wait(&held).text(format!("Report of ALPHA. {}", "x ".repeat(200)))
            }
            (text, _) if text.contains("BETA") => Reply::new().wait(&held).text("BETA ".repeat(60)),
            (_, 0) => agent(agent(Reply::new(), "c1", "ALPHA"), "c2", "BETA"),
            _ => Reply::new().text("Both have reported."),
        }
    });
    let mut kimi = world.start(&["--yolo"]);
    kimi.ask("send them");
    let rows = kimi.wait_text("coder (a");
    assert!(is_busy(&rows), "{rows:#?}");
    let rows = kimi.wait_text("1 call");
    assert!(is_busy(&rows) && count(&rows, "Using Agent (look at") == 2, "{rows:#?}");
    gate.open();
    let rows = kimi.wait_closed(1);
    assert!(is_idle(&rows), "{rows:#?}");
    assert_eq!(count(&rows, "Used Agent (look at ALPHA) · 1 call"), 1, "{rows:#?}");
    assert_eq!(count(&rows, "Used Agent (look at BETA) · 0 calls"), 1, "{rows:#?}");
    assert_eq!(count(&rows, "Report of ALPHA."), 1, "{rows:#?}");
    assert_eq!(count(&rows, "agent_id"), 0, "{rows:#?}");
    assert_eq!(count(&rows, "Both have reported."), 1, "{rows:#?}");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn an_approval_says_which_agent_asks_and_a_refusal_does_not_end_it() {
    let world = World::new(|request: &Recorded, _: usize| {
        let first = first(request);
        match (first.contains("ALPHA"), results(request).len()) {
            (true, 0) => shell("touch made"),
            (true, _) => report("what could not be done"),
            (false, 0) => agent(Reply::new(), "c1", "ALPHA"),
            _ => Reply::new().text("That is how it is."),
        }
    });
    let mut kimi = world.start(&[]);
    kimi.ask("send it");
    let rows = kimi.wait_text("asked by agent coder");
    assert!(is_busy(&rows), "{rows:#?}");
    assert!(count(&rows, "touch made") > 0, "{rows:#?}");
    assert_eq!(count(&rows, "asked by agent coder"), 1, "{rows:#?}");
    assert_eq!(count(&rows, "look at ALPHA"), 1, "{rows:#?}");
    kimi.send("3");
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "That is how it is."), 1, "{rows:#?}");
    assert!(!world.work().join("made").exists());
    let told = world.server().requests().iter().map(|it| it.raw.clone()).collect::<String>();
    assert!(told.contains("Go on with what can be done"), "{told}");
}

#[test]
fn escape_stops_it_with_what_it_runs() {
    let world = World::new(|request: &Recorded, _: usize| {
        let first = first(request);
        match (first.contains("ALPHA"), results(request).len()) {
            (true, 0) => shell("echo $$ > pid; sleep 100"),
            (false, 0) => agent(Reply::new(), "c1", "ALPHA"),
            _ => Reply::new().text("Going on."),
        }
    });
    let mut kimi = world.start(&["--yolo"]);
    kimi.ask("send it");
    kimi.wait_text("uses Shell");
    let pid = loop {
        let text = std::fs::read_to_string(world.work().join("pid")).unwrap_or_default();
        if let Ok(pid) = text.trim().parse::<i32>() {
            break pid;
        }
        std::thread::yield_now();
    };
    kimi.send("\x1b");
    let rows = kimi.wait_closed(1);
    assert!(is_idle(&rows), "{rows:#?}");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    kimi.ask("go on");
    let rows = kimi.wait_closed(2);
    assert_eq!(count(&rows, "Going on."), 1, "{rows:#?}");
}

#[test]
fn ctrl_b_sends_it_to_the_background_and_the_end_is_news() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::new(move |request: &Recorded, _: usize| {
        let first = first(request);
        match (first.contains("ALPHA"), results(request).len()) {
            (true, 0) => shell("echo alpha"),
            (true, _) => Reply::new().wait(&held).text("ALPHA is fine. ".repeat(20)),
            (false, 0) => agent(Reply::new(), "c1", "ALPHA"),
            _ if request.raw.contains("<notification") => Reply::new().text("It has reported."),
            _ => Reply::new().text("It works by itself."),
        }
    });
    let mut kimi = world.start(&["--yolo"]);
    kimi.ask("send it");
    kimi.wait_text("1 call");
    kimi.send("\x02");
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "It works by itself."), 1, "{rows:#?}");
    kimi.wait_text("agent: 1");
    gate.open();
    let rows = kimi.wait_closed(2);
    assert_eq!(count(&rows, "It has reported."), 1, "{rows:#?}");
    // Nobody has said that a task has ended: it is not in the box of what the user says.
    let row = rows.iter().find(|row| row.contains("a background task has ended")).unwrap();
    assert_eq!(row.trim(), "[a background task has ended]", "{rows:#?}");
    let at = rows.iter().position(|other| other == row).unwrap();
    assert!(!rows[at - 1].contains('╭') && !rows[at + 1].contains('╰'), "{rows:#?}");
    // Nor is it among the words that one can go back to and send again.
    kimi.send("/undo\r");
    kimi.wait_text("· [a background task has ended]");
    kimi.send("\r");
    kimi.wait_text("Rewind to before: [a background task has ended]");
    kimi.send("\r");
    kimi.wait_text("ewound to before: [a background task has ended]");
    let rows = kimi.wait_for_rows("the prompt", is_idle);
    assert!(!rows.iter().any(|row| row.contains("system-reminder")), "{rows:#?}");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn what_it_did_to_files_goes_back_with_undo() {
    let world = World::new(|request: &Recorded, _: usize| {
        match (first(request).contains("ALPHA"), results(request).len()) {
            (true, 0) => {
                let write = r#"{"path":"kept.txt","content":"after\n"}"#;
                Reply::new().tool_call("s1", "WriteFile", write)
            }
            (true, 1) => shell("echo made > made.txt"),
            (true, _) => report("ALPHA"),
            _ if request.last_user_text().contains("hello") => Reply::new().text("Hello."),
            (false, 0) => agent(Reply::new(), "c1", "ALPHA"),
            _ => Reply::new().text("It is done."),
        }
    });
    let kept = world.file("kept.txt", "before\n");
    let made = world.work().join("made.txt");
    let mut kimi = world.start_sized(&["--yolo"], (100, 30));
    kimi.turn("hello");
    kimi.turn("send it");
    assert!(made.exists());
    kimi.send("/undo");
    kimi.wait_text("/undo");
    kimi.send("\r");
    kimi.wait_text("Rewind to before which message?");
    let rows = kimi.wait_for_rows("the look at the files", |rows| {
        rows.iter().any(|row| row.contains("2 files +2 -1 · send it"))
    });
    assert_eq!(count(&rows, "no files · hello"), 1, "{rows:#?}");
    kimi.send("\r");
    kimi.wait_text("1 Conversation and files");
    kimi.send("1");
    // What a command has done is asked about by itself.
    kimi.wait_text("1 file changed while a command ran");
    kimi.send("1");
    kimi.wait_for_history("the row", |rows| count(rows, "Rewound to before: send it") == 1);
    wait_until("the files", || {
        let old = std::fs::read_to_string(&kept).unwrap_or_default() == "before\n";
        (old && !made.exists()).then_some(())
    });
    kimi.send("\x15");
    assert_eq!(kimi.exit(), 0);
}

/// At 80 columns each row says which item it is about and what it has used, and no row is cut there.
#[test]
fn a_swarm_tells_what_each_of_its_agents_works_on() {
    let gate = Gate::new();
    let held = gate.clone();
    let items: Vec<String> =
        ["ALPHA", "BETA", "GAMMA"].iter().map(|it| format!("src/{it}.rs")).collect();
    let world = World::new(move |request: &Recorded, _: usize| {
        let first = first(request);
        let working = first.contains("Look at");
        match (working, results(request).len()) {
            (true, 0) if first.contains("ALPHA") => shell(&format!("true {}", "long ".repeat(40))),
            (true, _) => Reply::new().wait(&held).text("It is all there. ".repeat(20)),
            (false, 0) => {
                let arguments = json!({"description": "look at all", "items": items,
                    "prompt_template": "Look at {{item}}.", "concurrency": 2});
                Reply::new().tool_call("c1", "AgentSwarm", &arguments.to_string())
            }
            _ => Reply::new().text("All have reported."),
        }
    });
    let mut kimi = world.start_sized(&["--yolo"], (80, 24));
    kimi.ask("send them");
    let rows = kimi.wait_for_rows("two at work, the first after its call", |rows| {
        let row = |item: &str| rows.iter().any(|row| row.contains(item) && !row.contains('…'));
        row("1/3 src/ALPHA.rs: works · 1 call · ") && row("2/3 src/BETA.rs: works · 0 calls · ")
    });
    assert_eq!(count(&rows, "… 1 more to come"), 1, "{rows:#?}");
    kimi.send("\x02");
    kimi.wait_text("AgentSwarm cannot go to the background");
    gate.open();
    let rows = kimi.wait_closed(1);
    assert_eq!(count(&rows, "Used AgentSwarm (look at all) · 1 call"), 1, "{rows:#?}");
    assert_eq!(kimi.exit(), 0);
}
