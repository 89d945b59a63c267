//! A bare `-p`: kimi-code's dialect through the real binary.

mod ends;
mod forms;
mod guard;
mod homes;
mod lines;

use crate::support::model_server::ModelServer;
use crate::support::program::{Home, Ran};

/// kimi-code's home with a model of this server and nothing else, as programs around it set it up.
fn code_home(server: &ModelServer) -> Home {
    code_home_with(&Home::config(&server.url()))
}

fn code_home_with(config: &str) -> Home {
    let home = Home::bare();
    home.write("code/config.toml", config);
    let dir = home.path("code").to_str().unwrap().to_owned();
    home.var("KIMI_CODE_HOME", dir)
}

/// Asks as kimi-plugin-cc does.
fn ask(home: &Home, words: &[&str], prompt: &str) -> Ran {
    home.run(&[&["--output-format", "stream-json"], words, &["-p", prompt]].concat())
}

/// The session that a run has named at its end.
#[track_caller]
fn named(ran: &Ran) -> String {
    let last = ran.records().last().cloned().unwrap_or_default();
    assert_eq!(last["type"], "session.resume_hint", "{ran:#?}");
    last["session_id"].as_str().unwrap().to_owned()
}
