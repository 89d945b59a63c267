//! Plan mode where nobody is there, through the real binary.

use serde_json::json;

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

/// The file of the plan, as the model is told of it.
fn plan_file(request: &Recorded) -> String {
    let text = request.body.to_string();
    let end = text.find(".md`").expect("a plan file is named") + 3;
    let start = text[..end].rfind('`').expect("a name") + 1;
    text[start..end].to_owned()
}

fn last_result(request: &Recorded) -> String {
    let messages = request.body["messages"].as_array().expect("messages");
    let tool = messages.iter().rfind(|message| message["role"] == "tool").expect("a result");
    tool["content"].to_string()
}

#[test]
fn a_plan_is_made_approved_and_carried_out() {
    let server = ModelServer::start(|request: &Recorded, at: usize| match at {
        0 => Reply::new().tool_call("a", "Shell", r#"{"command":"rm victim"}"#),
        1 => {
            let write = json!({"path": plan_file(request), "content": "# Remove it"});
            Reply::new().tool_call("b", "WriteFile", &write.to_string())
        }
        2 => Reply::new().tool_call("c", "ExitPlanMode", "{}"),
        3 => Reply::new().tool_call("d", "Shell", r#"{"command":"rm victim && echo gone"}"#),
        _ => Reply::new().text("So be it."),
    });
    let home = Home::bare();
    home.write("share/config.toml", Home::config(&server.url()));
    home.write("project/victim", "here");
    let ran = home.run(&["--quiet", "--plan", "-p", "x"]);
    assert_eq!(ran.well().out.trim(), "So be it.");
    let requests = server.requests();
    assert!(last_result(&requests[1]).contains("`rm victim` changes"), "{}", requests[1].body);
    assert!(last_result(&requests[3]).contains("# Remove it"), "{}", requests[3].body);
    assert!(last_result(&requests[4]).contains("gone"), "{}", requests[4].body);
    assert!(!home.path("project/victim").exists());
    let plan = plan_file(&requests[0]);
    assert!(plan.starts_with(home.path("share/plans").to_str().unwrap()), "{plan}");
    assert_eq!(std::fs::read_to_string(plan).unwrap(), "# Remove it");
}

#[test]
fn the_configuration_is_for_new_sessions() {
    let server = ModelServer::start(vec![Reply::new().text("one"), Reply::new().text("two")]);
    let home = Home::bare();
    let config = format!("default_plan_mode = true\n{}", Home::config(&server.url()));
    home.write("share/config.toml", config);
    home.run(&["--quiet", "-p", "x"]).well();
    assert!(server.requests()[0].body.to_string().contains("Plan mode is on"));
    // The person who left plan mode is not sent back into it.
    home.run(&["--quiet", "-C", "-p", "/plan off"]).well();
    home.run(&["--quiet", "-C", "-p", "y"]).well();
    let again = server.requests()[1].body.to_string();
    assert!(again.contains("Plan mode is off"), "{again}");
}
