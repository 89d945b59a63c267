//! Runs that are bounded.

use std::time::{Duration, Instant};

use crate::support::model_server::{Gate, ModelServer, Recorded, Reply};
use crate::support::program::Home;

/// A model that never stops calling a tool; each answer takes 100 tokens.
fn busy() -> (ModelServer, Home) {
    let server = ModelServer::start(|_: &Recorded, n: usize| {
        let command = format!(r#"{{"command":"echo {n}"}}"#);
        Reply::new().text("On it.").tool_call(&format!("c{n}"), "Shell", &command).usage(90, 10, 0)
    });
    let home = Home::new(&server.url());
    (server, home)
}

/// The most memory that the program has used so far, in KB, as its commands see it.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_steps() {
    const STEPS: usize = 300;
    let server = ModelServer::start(|request: &Recorded, n: usize| {
        let tokens = request.raw.len() as u64 / 4;
        if request.body["tools"].as_array().is_none_or(Vec::is_empty) {
            return Reply::new().text("A summary.").usage(tokens, 10, 0);
        }
        let command =
            format!(r#"{{"command":"seq {n} {}; grep VmHWM /proc/$PPID/status"}}"#, n + 300);
        match n {
            ..STEPS => {
                Reply::new().tool_call(&format!("c{n}"), "Shell", &command).usage(tokens, 10, 0)
            }
            _ => Reply::new().text("Done.").usage(tokens, 10, 0),
        }
    });
    let home = Home::new(&server.url());
    let config = std::fs::read_to_string(home.path("share/config.toml")).unwrap();
    let small = config.replace("max_context_size = 262144", "max_context_size = 30000")
        + "[loop_control]\nreserved_context_size = 1000\n";
    assert!(small.contains("= 30000"), "{config}");
    home.write("share/config.toml", small);
    let mut running = home.start(&["--quiet", "-p", "go"]);
    running.feed(b"");
    // A slow machine may take long over all of them, as long as it goes on.
    for n in (25..=STEPS).step_by(25) {
        server.wait_for(n);
    }
    running.end().well();
    let peaks: Vec<u64> = server
        .requests()
        .iter()
        .filter_map(|request| {
            let (_, after) = request.raw.rsplit_once("VmHWM:")?;
            after.trim_start_matches(|c: char| !c.is_ascii_digit()).split(' ').next()?.parse().ok()
        })
        .collect();
    let (early, late) = (peaks[peaks.len() / 4], peaks[peaks.len() - 1]);
    assert!(late < early + 8 * 1024, "{early} KB at a quarter, {late} KB at the end");
}

#[test]
fn tokens() {
    let (server, home) = busy();
    let ran = home.run(&["--print", "-p", "go", "--max-tokens-total", "250"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert_eq!(
        ran.err.matches("The budget of 250 tokens is spent (300 used).").count(),
        1,
        "{ran:#?}"
    );
    assert_eq!(server.requests().len(), 3);
    let json =
        ["--print", "--output-format", "stream-json", "-p", "go", "--max-tokens-total", "0.1k"];
    assert_eq!(home.run(&json).code, Some(2), "a number that is none");
    let json =
        ["--print", "--output-format", "stream-json", "-p", "go", "--max-tokens-total", "1k"];
    let ran = home.run(&json);
    let last = ran.records().pop().expect("records");
    assert_eq!(last["error"]["type"], "max_tokens_total_reached", "{last}");
    assert_eq!(ran.code, Some(4));
}

#[test]
fn money() {
    let (server, home) = busy();
    let ran = home.run(&["--quiet", "-p", "go", "--max-budget-usd", "0.01"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.err.contains("needs the prices of model") && ran.err.contains("prices = {"),
        "{ran:#?}"
    );
    assert_eq!(server.requests().len(), 0, "nothing is asked without knowing what it costs");
    let config = std::fs::read_to_string(home.path("share/config.toml")).unwrap();
    let priced = config
        .replace("max_context_size", "prices = { input = 100.0, output = 0 }\nmax_context_size");
    assert_ne!(priced, config);
    home.write("share/config.toml", priced);
    let ran = home.run(&["--quiet", "-p", "go", "--max-budget-usd", "0.02"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.err.contains("The budget of $0.02 is spent ($0.027 used)."), "{ran:#?}");
    assert_eq!(server.requests().len(), 3);
    for wrong in ["0", "-1", "NaN", "x"] {
        assert_eq!(home.run(&["--quiet", "-p", "go", "--max-budget-usd", wrong]).code, Some(2));
    }
}

#[test]
fn time() {
    let never = Gate::new();
    let held = never.clone();
    let server = ModelServer::start(move |_: &Recorded, _: usize| {
        Reply::new().text("Half an answer").wait(&held)
    });
    let home = Home::new(&server.url());
    let begun = Instant::now();
    let ran = home.run(&["--print", "-p", "go", "--timeout", "0.5s"]);
    assert_eq!(ran.code, Some(124), "{ran:#?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(ran.out.contains("Half an answer"), "{ran:#?}");
    assert!(ran.err.contains("The time limit of 0.5 s is reached."), "{ran:#?}");
    for wrong in ["0", "-5s", "1d", "1e30", ""] {
        assert_eq!(home.run(&["--quiet", "-p", "go", "--timeout", wrong]).code, Some(2), "{wrong}");
    }
    never.open();
}

/// Many agents at once share the budget: each is stopped before its next request, nobody new begins.
#[test]
fn agents_side_by_side_spend_out_of_one_budget() {
    let server = ModelServer::start(|request: &Recorded, n: usize| {
        if request.raw.contains("Look at") && !request.raw.contains("prompt_template\\\"") {
            let command = format!(r#"{{"command":"echo {n}"}}"#);
            return Reply::new().tool_call(&format!("s{n}"), "Shell", &command).usage(90, 10, 0);
        }
        let arguments = r#"{"description":"look","prompt_template":"Look at {{item}}.",
            "items":["a","b","c","d","e","f"],"concurrency":3}"#;
        Reply::new().tool_call("c1", "AgentSwarm", arguments).usage(90, 10, 0)
    });
    let home = Home::new(&server.url());
    let ran = home.run(&["--print", "-p", "go", "--max-tokens-total", "500"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    // 500 are spent after five; three may be waiting for an answer then.
    assert!((5..=8).contains(&server.requests().len()), "{ran:#?}");
    let begun = std::fs::read_dir(home.session().join("subagents")).unwrap().count();
    assert_eq!(begun, 3, "the others are not even made");
}
