//! MCP servers: real ones, over every transport, and what a model and a person have of them.

pub mod authority;
pub mod server;
pub mod world;

mod calls;
mod cli;
#[cfg(target_os = "linux")]
mod descendants;
mod dispatch;
pub mod elicit;
mod flat;
mod fleet;
mod hostile;
pub mod lifecycle;
mod login;
mod npm;
mod offer;
mod offerings;
mod planning;
mod prompts;
mod resources;
mod tokens;

use crate::support::model_server::Recorded;

/// The bytes of `tools` in a body, as they were sent.
fn tools_text(request: &Recorded) -> &str {
    let from = request.raw.find("\"tools\":[").expect("tools") + "\"tools\":".len();
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    for (at, byte) in request.raw[from..].bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return &request.raw[from..from + at + 1];
                }
            }
            _ => {}
        }
    }
    panic!("no end");
}
