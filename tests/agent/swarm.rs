//! Many subagents for one task.

use std::time::Duration;

use kimi_tui::agent::Budget;
use kimi_tui::protocol::{Op, Outcome, Spent};
use serde_json::json;

use super::bench::{Bench, Gate, PATIENCE, Say, calls, status, text, usage};
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
    let kinds = folders(&live).into_iter().map(|folder| meta(&folder)["subagent_type"].clone());
    let mut kinds: Vec<String> =
        kinds.map(|kind| kind.as_str().unwrap_or_default().to_owned()).collect();
    kinds.sort();
    assert_eq!(kinds, ["coder", "coder", "plan", "plan"]);
}

/// A look at the files, for 100 tokens.
fn looks(id: &str) -> Vec<Say> {
    let mut says = calls(&[(id, "Glob", r#"{"pattern":"*.rs"}"#)]);
    says.push(usage(90, 10));
    says
}

/// Two at work, two that wait for their turn, the second request of each held by the gate.
fn four(bench: &Bench, order: Vec<Say>, gate: &Gate) {
    bench.model.reply(order);
    for word in ["<ALPHA>", "<BETA>", "<GAMMA>", "<DELTA>"] {
        let mut second = vec![Say::Wait(gate.clone())];
        second.extend(looks("g2"));
        bench.model.reply_to(word, [looks("g1"), second, looks("g3"), looks("g4")]);
    }
}

const FOUR: [&str; 4] = ["ALPHA", "BETA", "GAMMA", "DELTA"];

#[tokio::test]
async fn a_budget_binds_those_at_work_and_lets_no_other_begin() {
    let mut bench = bench();
    bench.limits.budget = Budget { tokens: Some(350), ..Budget::default() };
    let gate = Gate::new();
    let mut order = swarm(&FOUR, 2);
    order.push(usage(90, 10));
    four(&bench, order, &gate);
    let mut live = bench.open();
    live.send("go");
    // 300 tokens are spent when both ask for the second time.
    asking(&bench, 4).await;
    gate.open();
    let heard = live.end().await;
    let spent = Spent::Tokens { limit: 350, used: 500 };
    assert_eq!(heard.outcome(), &Outcome::BudgetSpent(spent));
    assert_eq!(bench.model.asked().len(), 5, "each goes over by one request at most");
    assert_eq!(folders(&live).len(), 2, "no other one is made");
    let value = result(&heard, "c1");
    let text = value.output.text();
    assert!(value.is_error && text.starts_with("completed: 0/4"), "{text}");
    assert_eq!(text.matches("status: failed").count(), 2, "{text}");
    let not = "status: not started\nreason: The budget of 350 tokens is spent (500 used)";
    assert_eq!(text.matches(not).count(), 2, "{text}");
}

#[tokio::test]
async fn a_goals_budget_binds_them_too_and_its_status_tells_what_they_spent() {
    let bench = bench();
    let gate = Gate::new();
    let mut limit = calls(&[("b", "SetGoalBudget", r#"{"value":25,"unit":"tokens"}"#)]);
    limit.push(usage(90, 1));
    bench.model.reply(limit);
    let mut order = swarm(&FOUR, 2);
    order.push(usage(90, 3));
    four(&bench, order, &gate);
    bench.model.reply([text("That was all."), usage(90, 2)]);
    let mut live = bench.open();
    live.send("/goal do it");
    asking(&bench, 5).await;
    gate.open();
    let heard = live.end().await;
    let value = result(&heard, "c1");
    let text = value.output.text();
    let reason = "reason: The budget of the goal is reached: 25 output tokens";
    assert_eq!(text.matches(reason).count(), 2, "{text}");
    assert_eq!(folders(&live).len(), 2);
    assert_eq!(bench.model.asked().len(), 7, "two, four of the agents, and a last word");
    let goal = live.handle.goal().snapshot.expect("a goal");
    assert_eq!(goal.used.subagent_tokens_used, 40);
    let told = live.prompt("/goal").await.text();
    assert!(told.contains(" of 25 output tokens (40 by subagents)"), "{told}");
}
