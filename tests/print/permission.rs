//! Permission rules through the real binary.

use serde_json::json;

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

/// Runs one command with these permissions. Returns the home and what the model is told of the call.
fn run(permission: &str, words: &[&str], command: &str) -> (Home, String) {
    let arguments = json!({"command": command}).to_string();
    let server = ModelServer::start(move |_: &Recorded, at: usize| match at {
        0 => Reply::new().tool_call("c1", "Shell", &arguments),
        _ => Reply::new().text("So be it."),
    });
    let home = Home::bare();
    home.write("share/config.toml", format!("{}{permission}", Home::config(&server.url())));
    home.write("project/victim", "here");
    let ran = home.run(words);
    assert_eq!(ran.well().out.trim(), "So be it.");
    let requests = server.requests();
    let messages = requests[1].body["messages"].as_array().unwrap();
    let told = messages.iter().rfind(|message| message["role"] == "tool").unwrap();
    (home, told["content"].to_string())
}

#[test]
fn a_denied_command_runs_in_no_mode() {
    let permission = "[permission]\nallow = [\"Shell\"]\ndeny = [\"Shell(rm:*)\"]\n";
    for command in
        ["rm victim", "echo a && bash -c 'ls | xargs rm'", "find . -name victim -exec rm {} +"]
    {
        for words in [&["--quiet", "-p", "x"][..], &["--quiet", "--yolo", "-p", "x"]] {
            let (home, told) = run(permission, words, command);
            assert!(home.path("project/victim").exists(), "{command}");
            assert!(told.contains("permission rule `Shell(rm:*)` forbids"), "{told}");
        }
    }
    let (home, told) = run(permission, &["--quiet", "-p", "x"], "r=rm; $r victim");
    assert!(home.path("project/victim").exists());
    assert!(told.contains("cannot be told from"), "{told}");
}

#[test]
fn nobody_is_there_to_be_asked() {
    let permission = "[[permission.rules]]\ndecision = \"ask\"\npattern = \"Bash(rm *)\"\n";
    let (home, told) = run(permission, &["--quiet", "-p", "x"], "rm victim");
    assert!(home.path("project/victim").exists());
    assert!(told.contains("wants a person to be asked"), "{told}");
    let (home, _) = run(permission, &["--quiet", "-p", "x"], "mv victim gone");
    assert!(!home.path("project/victim").exists());
}

#[test]
fn a_malformed_rule_stops_the_start() {
    let home = Home::bare();
    let config = Home::config("http://127.0.0.1:9/v1");
    home.write(
        "share/config.toml",
        format!("{config}[permission]\ndeny = [\"Shell(ls)\", \"rm -rf\"]\n"),
    );
    let ran = home.run(&["--quiet", "-p", "x"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:#?}");
    assert!(
        ran.err.contains("permission.deny[1]") && ran.err.contains("Shell(git status:*)"),
        "{}",
        ran.err
    );
}

/// The results of calls under these permissions, in order, in a project that holds a file to keep.
fn results(permission: &str, calls: &[(&str, serde_json::Value)]) -> Vec<String> {
    let reply = calls.iter().enumerate().fold(Reply::new(), |reply, (at, (tool, arguments))| {
        reply.tool_call(&format!("c{at}"), tool, &arguments.to_string())
    });
    let server = ModelServer::start(vec![reply, Reply::new().text("ok")]);
    let home = Home::bare();
    home.write("share/config.toml", format!("{}{permission}", Home::config(&server.url())));
    home.write("project/notes.txt", "the word is here");
    home.write("project/keep/plan.txt", "the word is secret");
    home.write("project/deep/own.note", "the word is secret");
    home.run(&["--quiet", "-p", "x"]).well();
    let requests = server.requests();
    let messages = requests[1].body["messages"].as_array().unwrap();
    let mut tools: Vec<_> = messages.iter().filter(|message| message["role"] == "tool").collect();
    // A search may be answered after what was called later.
    let place = |message: &serde_json::Value| -> usize {
        let id = message["tool_call_id"].as_str().unwrap();
        calls.iter().enumerate().position(|(at, _)| id == format!("c{at}")).unwrap()
    };
    tools.sort_by_key(|message| place(message));
    tools.into_iter().map(|message| message["content"].to_string()).collect()
}

#[test]
fn what_goes_round_a_rule_is_refused() {
    let shell = |command: &str| ("Shell", json!({ "command": command }));
    let calls = [
        shell("y='-v a[$(touch${IFS}made)]'; [ $y ]"),
        shell("bash -c '(( $0 ))' 'a[$(touch made)]'"),
        shell("nice -n {5,touch,made,--} set -e"),
        shell("env LANG=${x:-C touch made --} set -e"),
        shell("x=-exec; find . $x touch made \\;"),
        shell("git -C . -c alias.z='!touch made' z"),
        shell("bash -i -c 'touch made'"),
        shell("echo 'touch made' | bash"),
        shell("python3 -c \"open('made','w')\""),
        shell("touch -c a made"),
    ];
    let told = results("[permission]\ndeny = [\"Shell(touch:*)\"]\n", &calls);
    assert_eq!(told.len(), calls.len());
    for text in told {
        assert!(text.contains("forbids this") || text.contains("cannot be told from"), "{text}");
    }
}

#[test]
fn what_must_not_be_read_is_read_by_no_tool() {
    let permission = "[permission]\ndeny = [\"ReadFile(keep/)\", \"ReadFile(**/*.note)\"]\n";
    let shell = |command: &str| ("Shell", json!({ "command": command }));
    let calls = [
        ("ReadFile", json!({"path": "keep/plan.txt"})),
        ("ReadMediaFile", json!({"path": "deep/own.note"})),
        ("Grep", json!({"pattern": "word", "path": "keep"})),
        ("Grep", json!({"pattern": "word", "path": "deep/own.note"})),
        ("Glob", json!({"pattern": "*", "directory": "keep"})),
        shell("cat keep/plan.txt"),
        shell("grep -r word ."),
        shell("cat deep/*"),
        shell("X=keep/plan.txt; cat \"$X\""),
        shell("cp deep/own.note copy; cat copy"),
        ("Grep", json!({"pattern": "word", "output_mode": "content"})),
        ("Glob", json!({"pattern": "**/*.*"})),
        shell("cat notes.txt"),
    ];
    let told = results(permission, &calls);
    assert_eq!(told.len(), calls.len());
    for (at, text) in told.iter().enumerate() {
        assert!(!text.contains("secret"), "{:?}: {text}", calls[at]);
    }
    for at in 0..10 {
        let refused = told[at].contains("forbids this") || told[at].contains("cannot be told from");
        assert!(refused, "{:?}: {}", calls[at], told[at]);
    }
    assert!(told[10].contains("notes.txt:1:the word is here"), "{}", told[10]);
    assert!(told[10].contains("2 results left out by a permission rule."), "{}", told[10]);
    assert!(told[11].contains("notes.txt") && !told[11].contains("own.note"), "{}", told[11]);
    assert!(told[11].contains("2 results left out by a permission rule."), "{}", told[11]);
    assert!(told[12].contains("the word is here"), "{}", told[12]);
}
