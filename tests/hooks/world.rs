//! A project with hooks in its configuration, and what the hooks were given.

use serde_json::Value;

use crate::support::model_server::ModelServer;
use crate::support::program::{Home, json_lines};

/// A `[[hooks]]` entry with these lines.
pub fn hook(event: &str, command: &str, more: &str) -> String {
    // A literal TOML string: nothing in it is special but its end.
    assert!(!command.contains("'''"));
    format!("\n[[hooks]]\nevent = \"{event}\"\ncommand = '''{command}'''\n{more}\n")
}

/// A hook that keeps what it is given in `heard.jsonl` of the project, a line each time.
pub fn listener(event: &str, matcher: &str) -> String {
    let matcher = format!("matcher = '{matcher}'");
    // One write: hooks run at once.
    hook(event, "line=$(cat); printf '%s\\n' \"$line\" >> heard.jsonl", &matcher)
}

/// A home whose model is this server, with these hooks.
pub fn home(server: &ModelServer, hooks: &str) -> Home {
    let home = Home::new(&server.url());
    home.write("share/config.toml", Home::config(&server.url()) + hooks);
    home
}

/// What the listeners were given.
pub fn heard(home: &Home) -> Vec<Value> {
    json_lines(&home.path("project/heard.jsonl"))
}
