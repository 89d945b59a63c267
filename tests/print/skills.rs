//! Skills, flows and going over a task again, through the real binary.

use serde_json::Value;

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};

const FLOW: &str = "---\nname: ship\ntype: flow\ndescription: Ships it\n---\n\n```mermaid\nflowchart TD\n\
                    a([BEGIN])-->b[Write it]-->c{Is it good?}\nc-->|yes|d((END))\nc-->|no|b\n```\n";

/// The texts of the user's messages, without what the program reminds the model of.
fn asked(request: &Recorded) -> Vec<String> {
    let messages = request.body["messages"].as_array().unwrap();
    let of_user = messages.iter().filter(|message| message["role"] == "user");
    of_user.map(|message| text(&message["content"])).collect()
}

fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        parts => {
            let parts = parts.as_array().into_iter().flatten();
            parts.filter_map(|part| part["text"].as_str()).collect()
        }
    }
}

/// How often the record has a turn's beginning and its end.
fn turns(home: &Home) -> (usize, usize) {
    let lines = json_lines(&home.session().join("wire.jsonl"));
    let count = |kind: &str| lines.iter().filter(|line| line["message"]["type"] == kind).count();
    (count("TurnBegin"), count("TurnEnd"))
}

/// A server that gives these answers in turn, and the last one from then on.
fn answers(answers: &'static [&'static str]) -> ModelServer {
    ModelServer::start(move |_: &Recorded, n: usize| {
        Reply::new().text(answers[n.min(answers.len() - 1)])
    })
}

#[test]
fn a_skill_is_told_sent_and_listed() {
    let server = answers(&["done"]);
    let home = Home::new(&server.url());
    let skill = "---\nname: tidy up\ndescription: Tidies\n---\nSweep the floor.\n";
    home.write("project/.kimi/skills/tidy/SKILL.md", skill);
    home.write("home/.kimi/skills/broken.md", "---\nname: [\n---\n");

    home.run(&["--quiet", "-p", "/skill:tidy-up the kitchen"]).well();
    let requests = server.requests();
    let system = requests[0].body["messages"][0]["content"].as_str().unwrap();
    assert!(
        system.contains("### Project\n- tidy up\n") && system.contains("### Built-in"),
        "{system}"
    );
    assert_eq!(
        asked(&requests[0]),
        [format!("{}\n\n## User request\n\nthe kitchen", skill.trim())]
    );

    // Its own name will do when no command has it.
    home.run(&["--quiet", "-p", "/tidy-up"]).well();
    assert_eq!(asked(&server.requests()[1]), [skill.trim()]);

    let listed = home.run(&["--quiet", "-p", "/skills"]);
    let out = &listed.well().out;
    assert!(out.contains("`/skill:tidy-up` Tidies") && out.contains("**Warnings**"), "{out}");
    let unknown = home.run(&["--quiet", "-p", "/skill:nope"]);
    assert!(unknown.well().out.contains("There is no skill \"nope\""), "{}", unknown.out);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn directories_of_the_command_line_replace_the_others() {
    let server = answers(&["done"]);
    let home = Home::new(&server.url());
    home.write("project/.kimi/skills/a.md", "mine");
    let given = home.write("given/b/SKILL.md", "theirs");
    let dir = given.parent().unwrap().parent().unwrap().to_str().unwrap().to_owned();
    home.run(&["--quiet", "--skills-dir", &dir, "-p", "/skill:b"]).well();
    let requests = server.requests();
    let system = requests[0].body["messages"][0]["content"].as_str().unwrap();
    assert!(system.contains("### Extra\n- b\n") && !system.contains("### Project"), "{system}");
    assert_eq!(asked(&requests[0]), ["theirs"]);
}

#[test]
fn a_flow_is_one_turn_with_a_choice_at_every_fork() {
    let server = answers(&[
        "written",
        "<choice>no</choice>",
        "better",
        "hm",
        "<choice>perhaps</choice>",
        "Good. <choice>yes</choice>",
    ]);
    let home = Home::new(&server.url());
    home.write("project/.kimi/skills/ship/SKILL.md", FLOW);
    home.run(&["--quiet", "-p", "/flow:ship the parser"]).well();
    let requests = server.requests();
    assert_eq!(requests.len(), 6);
    let last = asked(&requests[5]);
    assert_eq!(last[0], "Write it\n\n## User request\n\nthe parser");
    assert!(
        last[1].starts_with("Is it good?\n\n") && last[1].contains("- yes\n- no"),
        "{}",
        last[1]
    );
    assert_eq!(last[2], "Write it");
    assert!(last[4].starts_with("Your reply named none of the choices."), "{}", last[4]);
    assert_eq!(turns(&home), (1, 1));
}

#[test]
fn a_flow_without_a_choice_fails_and_one_without_a_chart_says_so() {
    let server = answers(&["I do not know"]);
    let home = Home::new(&server.url());
    home.write("project/.kimi/skills/ship/SKILL.md", FLOW);
    home.write("project/.kimi/skills/bad.md", "---\ntype: flow\n---\n```d2\na <- b\n```\n");
    let ran = home.run(&["--quiet", "-p", "/flow:ship"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("chose none of the ways on from c, asked 4 times"), "{}", ran.err);
    assert_eq!(server.requests().len(), 5);
    let bad = home.run(&["--quiet", "-p", "/flow:bad"]);
    let out = &bad.well().out;
    assert!(
        out.contains("\"bad\" is not a flow.") && out.contains("line 5: an arrow back"),
        "{out}"
    );
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_task_is_gone_over_again_until_it_is_done_or_the_limit_comes() {
    let server = answers(&["begun", "<choice>CONTINUE</choice>", "<choice>STOP</choice>"]);
    let home = Home::new(&server.url());
    let words = ["--quiet", "--max-ralph-iterations", "-1", "-p", "Build it"];
    let ran = home.run(&words);
    assert!(!ran.well().err.contains("no effect"), "{}", ran.err);
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(asked(&requests[0]), ["Build it"]);
    let again = &asked(&requests[1])[1];
    assert!(again.starts_with("Build it\n\n<system-reminder>"), "{again}");
    assert!(again.contains("- CONTINUE\n- STOP"), "{again}");
    assert_eq!(turns(&home), (1, 1));

    // The limit of the configuration, and it ends well.
    let server = answers(&["<choice>CONTINUE</choice>"]);
    let home = Home::new(&server.url());
    let config = Home::config(&server.url()) + "\n[loop_control]\nmax_ralph_iterations = 2\n";
    home.write("share/config.toml", config);
    home.run(&["--quiet", "-p", "Build it"]).well();
    assert_eq!(server.requests().len(), 3);

    // A model that never names a choice is not asked for ever, and what it did was no failure.
    let server = answers(&["All is built."]);
    let home = Home::new(&server.url());
    let ran = home.run(&words);
    assert_eq!(ran.well().out, "All is built.\n");
    assert_eq!(server.requests().len(), 5);
}
