//! A pane that is busy in every way there is, read as often as can be: no reader may ever find it
//! ready before its turn is over.
//!
//! `KIMI_SAMPLES` says how many looks there have to be (default 1,500); a look is one judgement by
//! one reader.

use std::cell::Cell;
use std::time::Duration;

use serde_json::json;

use super::readers::State;
use super::watched::{Replay, Watched};
use crate::support::model_server::{Recorded, Reply};
use crate::support::tmux::available;
use crate::tui::world::World;

/// Every fifth message is of the same kind.
const KINDS: [&str; 5] = ["stream", "tools", "retry", "question", "wait"];

fn wanted() -> usize {
    std::env::var("KIMI_SAMPLES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_500)
}

fn script(request: &Recorded, index: usize) -> Reply {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    let user = messages.iter().rposition(|message| message["role"] == "user").unwrap_or(0);
    let ran = messages[user..].iter().filter(|message| message["role"] == "tool").count();
    let asked = request.last_user_text();
    let reply = Reply::new().pace(Duration::from_millis(4));
    let long: String =
        (1..=30).map(|n| format!("Paragraph {n} of a `story` ✨ to tell.\n\n")).collect();
    match asked.split(' ').next().unwrap_or_default() {
        "stream" => reply.think(&long[..400]).pieces_of(40).text(&long),
        "tools" if ran < 3 => {
            let command =
                ["seq 1 40", "sleep 0.3; seq 5", "printf '\\360\\237\\222\\253 a\\n╭─\\n'"][ran];
            let arguments = json!({"command": command}).to_string();
            let reply = if ran == 0 { reply.think("Tools.").text("First this.") } else { reply };
            reply.tool_call(&format!("c{index}"), "Shell", &arguments)
        }
        "question" if ran == 0 => {
            let question = json!({"questions": [{"question": "Which?", "header": "Which",
                "options": [{"label": "This", "description": "one"},
                    {"label": "That", "description": "one"}], "multi_select": false}]});
            reply.tool_call(&format!("q{index}"), "AskUserQuestion", &question.to_string())
        }
        "retry" if !index.is_multiple_of(3) => {
            reply.think("Hm.").text("Half an\n\nanswer").drop_here()
        }
        "wait" => reply.late(Duration::from_millis(300)).text("At last."),
        _ => reply.text("A short answer."),
    }
}

#[test]
fn a_busy_pane_is_never_taken_for_a_ready_one() {
    if !available() {
        return;
    }
    let wanted = wanted();
    let world = World::new(script);
    let (mut samples, mut looks, mut panes) = (0, 0, 0);
    while samples < wanted {
        let size = [(80, 24), (220, 50), (120, 46)][panes % 3];
        let (replay, looked) = round(&world, size, wanted);
        looks += looked;
        panes += 1;
        samples += 2 * looked + 2 * replay.prefixes + 3 * replay.reads;
        eprintln!("{panes} panes: {samples} samples, {looks} captures; here {replay:?}");
    }
}

/// One pane, one message of each kind, then `/compact`.
fn round(world: &World, size: (u16, u16), wanted: usize) -> (Replay, usize) {
    let watched = Watched::start(world, "--yolo", size);
    for kind in KINDS {
        let pressed = Cell::new(0);
        watched.send(&format!("{kind} please"));
        watched.watch(|capture| {
            let dialog = capture.rows.iter().any(|row| row.text.contains("▶ Which?"));
            pressed.set(pressed.get() + usize::from(dialog));
            if dialog && pressed.get() == 10 {
                watched.send_keys(&["1"]);
            }
        });
        watched.wait_state(State::Completed);
    }
    watched.turn("/compact");
    watched.wait_state(State::Completed);
    // As many prefixes as are needed, and no more than there are bytes.
    let step = (watched.written() * 2 / wanted).clamp(1, 97);
    (watched.replay(step), watched.looks.get())
}
