//! Many subagents for one task.

use std::time::Duration;

use kimi_tui::protocol::{Op, Outcome};
use serde_json::json;

use super::bench::{Bench, Gate, PATIENCE, Say, calls, status, text};
use super::subagents::{bench, folders, meta, report, result};

fn swarm(items: &[&str], concurrency: usize) -> Vec<Say> {
    let arguments = json!({"description": "look at all", "subagent_type": "plan",
        "prompt_template": "Look at <{{item}}> and only at {{item}}.", "items": items,
        "concurrency": concurrency});
    calls(&[("c1", "AgentSwarm", &arguments.to_string())])
}

/// Waits until so many subagents have sent a request.
async fn asking(bench: &Bench, many: usize) {
    let asked = async {
        while bench.model.asked().len() < many + 1 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("requests");
}

#[tokio::test]
async fn reports_come_in_the_order_of_the_items_and_a_failure_is_one() {
    let bench = bench();
    bench.model.reply(swarm(&["ALPHA", "BETA", "GAMMA"], 3));
    bench.model.reply([text("ok")]);
    let gate = Gate::new();
    // The first ends last.
    bench.model.reply_to("<ALPHA>", [vec![Say::Wait(gate.clone()), text(&report("ALPHA"))]]);
    bench.model.reply_to("<BETA>", [vec![status(400, "no")]]);
    bench.model.reply_to("<GAMMA>", [vec![text(&report("GAMMA"))]]);
    let mut live = bench.open();
    live.send("go");
    asking(&bench, 3).await;
    gate.open();
    let heard = live.end().await;
    heard.finished();
    let value = result(&heard, "c1");
    let text = value.output.text();
    assert!(
        !value.is_error && text.starts_with("completed: 2/3\n\n[1/3] ALPHA\nagent_id: a"),
        "{text}"
    );
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
    assert!(at("Report of ALPHA.") < at("[2/3] BETA") && at("[2/3] BETA") < at("HTTP 400"));
    assert!(at("HTTP 400") < at("[3/3] GAMMA") && at("[3/3] GAMMA") < at("Report of GAMMA."));
    assert_eq!(text.matches("agent_id: a").count(), 3, "{text}");
    let asked = &bench.model.asked_by("<ALPHA>")[0].messages[0];
    assert_eq!(asked.text(), "Look at <ALPHA> and only at ALPHA.");
    assert_eq!(folders(&live).len(), 3);
}

#[tokio::test]
async fn no_more_work_at_once_than_was_said() {
    let bench = bench();
    bench.model.reply(swarm(&["ALPHA", "BETA", "GAMMA"], 1));
    bench.model.reply([text("ok")]);
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    for (word, gate) in ["<ALPHA>", "<BETA>", "<GAMMA>"].iter().zip(&gates) {
        bench.model.reply_to(word, [vec![Say::Wait(gate.clone()), text(&report(word))]]);
    }
    let mut live = bench.open();
    live.send("go");
    for (n, gate) in gates.iter().enumerate() {
        asking(&bench, n + 1).await;
        assert_eq!(bench.model.asked().len(), n + 2);
        assert_eq!(folders(&live).len(), n + 1);
        gate.open();
    }
    live.end().await.finished();
}

#[tokio::test]
async fn a_cancel_stops_all_and_starts_no_more() {
    let bench = bench();
    bench.model.reply(swarm(&["ALPHA", "BETA", "GAMMA"], 2));
    for word in ["<ALPHA>", "<BETA>", "<GAMMA>"] {
        bench.model.reply_to(word, [vec![Say::Wait(Gate::new())]]);
    }
    let mut live = bench.open();
    live.send("go");
    asking(&bench, 2).await;
    live.handle.submit(Op::Cancel);
    assert_eq!(live.end().await.outcome(), &Outcome::Cancelled);
    live.stored().await;
    let folders = folders(&live);
    assert_eq!(folders.len(), 2);
    assert!(folders.iter().all(|folder| meta(folder)["status"] == "killed"));
    assert_eq!(bench.model.asked().len(), 3);
}

#[tokio::test]
async fn all_that_fail_are_a_failure() {
    let bench = bench();
    bench.model.reply(swarm(&["ALPHA", "BETA"], 2));
    bench.model.reply([text("ok")]);
    for word in ["<ALPHA>", "<BETA>"] {
        bench.model.reply_to(word, [vec![status(401, "no")]]);
    }
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    assert!(result(&heard, "c1").is_error);
}

#[tokio::test]
async fn a_type_left_blank_is_the_usual_one() {
    let bench = bench();
    for (n, written) in ["  ", " plan "].into_iter().enumerate() {
        let arguments = json!({"description": "look", "subagent_type": written,
            "prompt_template": "Look at <{{item}}>.", "items": [format!("W{n}"), format!("V{n}")]});
        bench.model.reply(calls(&[(&format!("c{n}"), "AgentSwarm", &arguments.to_string())]));
        bench.model.reply([text("ok")]);
        for item in ["W", "V"] {
            bench.model.reply_to(&format!("<{item}{n}>"), [vec![text(&report(item))]]);
        }
    }
    let mut live = bench.open();
    for n in 0..2 {
        live.send("go");
        let heard = live.end().await;
        heard.finished();
        let value = result(&heard, &format!("c{n}"));
        assert!(value.output.text().starts_with("completed: 2/2"), "{value:?}");
    }
}
