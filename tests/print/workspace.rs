//! What belongs to the workspace and what tools may do beyond it, through the real binary.

use serde_json::{Value, json};

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

/// The results of the calls of the last step, by their ids.
fn results(request: &Recorded) -> Vec<(String, String)> {
    let messages = request.body["messages"].as_array().unwrap();
    let last = messages.iter().rposition(|message| message["role"] == "assistant").unwrap();
    let of = |message: &Value| {
        let content = match &message["content"] {
            Value::String(text) => text.clone(),
            parts => parts.to_string(),
        };
        (message["tool_call_id"].as_str().unwrap().to_owned(), content)
    };
    messages[last + 1..].iter().filter(|message| message["role"] == "tool").map(of).collect()
}

/// A model that lists each of these directories at the beginning of every turn.
fn listing(dirs: &[&str]) -> ModelServer {
    let dirs: Vec<String> = dirs.iter().map(|dir| (*dir).to_owned()).collect();
    ModelServer::start(move |request: &Recorded, _: usize| {
        let messages = request.body["messages"].as_array().unwrap();
        if messages.last().unwrap()["role"] == "tool" {
            return Reply::new().text("Seen.");
        }
        dirs.iter().fold(Reply::new(), |reply, dir| {
            reply.tool_call(dir, "Glob", &json!({"pattern": "*", "directory": dir}).to_string())
        })
    })
}

/// Whether each directory was listed in the last turn.
fn listed(server: &ModelServer) -> Vec<bool> {
    let results = results(server.requests().last().unwrap());
    results
        .iter()
        .map(|(dir, result)| {
            let refused = result.contains("is outside the workspace");
            assert!(refused != result.contains("Found 1 matches"), "{dir}: {result}");
            !refused
        })
        .collect()
}

fn kept(home: &Home) -> Value {
    let state = std::fs::read(home.session().join("state.json")).unwrap();
    serde_json::from_slice::<Value>(&state).unwrap()["additional_dirs"].clone()
}

#[test]
fn directories_that_are_added_stay_with_the_session_until_they_are_gone() {
    let home = Home::bare();
    for dir in ["one", "two", "project/inner"] {
        home.write(&format!("{dir}/file"), "");
    }
    let [one, two] =
        ["one", "two"].map(|dir| home.path(dir).canonicalize().unwrap().display().to_string());
    let server = listing(&[&one, &two]);
    home.write("share/config.toml", Home::config(&server.url()));
    let run = |words: &[&str]| home.run(words).well().out.clone();
    // What is in the work directory anyway is not kept.
    run(&["--quiet", "--add-dir", "../one", "--add-dir", "inner", "-p", "look"]);
    assert_eq!((listed(&server), kept(&home)), (vec![true, false], json!([one])));
    // The next start knows it by itself.
    run(&["--quiet", "-C", "-p", "look"]);
    assert_eq!(listed(&server), [true, false]);
    let told = run(&["--quiet", "-C", "-p", "/add-dir ../two"]);
    assert!(told.contains(&format!("Added {two} to the workspace.")), "{told}");
    assert_eq!(kept(&home), json!([one, two]));
    for (words, answer) in [
        ("/add-dir ../two", "is part of the workspace already"),
        ("/add-dir inner", "is part of the workspace already"),
        ("/add-dir ../nowhere", "../nowhere cannot be added: "),
        ("/add-dir ../one/file", "is not a directory"),
        ("/add-dir", &format!("Added directories:\n- {one}\n- {two}")),
    ] {
        let told = run(&["--quiet", "-C", "-p", words]);
        assert!(told.contains(answer), "{words}: {told}");
    }
    run(&["--quiet", "-C", "--add-dir", "../two", "-p", "look"]);
    assert_eq!(listed(&server), [true, true]);
    assert_eq!(kept(&home), json!([one, two]), "each is there once");
    std::fs::remove_dir_all(home.path("one")).unwrap();
    run(&["--quiet", "-C", "-p", "/add-dir"]);
    assert_eq!(kept(&home), json!([two]));
}

#[test]
fn the_directories_of_skills_are_listed_and_nothing_beside_them() {
    let home = Home::bare();
    home.write("home/.kimi/skills/tidy/SKILL.md", "Sweep.");
    home.write("given/more/SKILL.md", "More.");
    home.write("home/.kimi/notes/file", "");
    let dirs = ["home/.kimi/skills/tidy", "given/more", "home/.kimi/notes"]
        .map(|dir| home.path(dir).canonicalize().unwrap().display().to_string());
    let server = listing(&dirs.each_ref().map(String::as_str));
    let config = format!("extra_skill_dirs = [\"../given\"]\n{}", Home::config(&server.url()));
    home.write("share/config.toml", config);
    home.run(&["--quiet", "-p", "look"]).well();
    assert_eq!(listed(&server), [true, true, false]);
}
