//! The token of requests: renewed in time, once, whoever needs it.

use std::sync::Arc;
use std::time::Duration;

use kimi_tui::auth::{Bearer, Credentials};
use kimi_tui::llm::{Secret, TokenSource};
use kimi_tui::platform::Env;
use kimi_tui::platform::env::{RandomIds, SystemClock};
use serde_json::{Value, json};

use super::authority::{Authority, credentials, kept};
use crate::support::model_server::Reply;
use crate::support::program::Home;

/// Seconds that are left of a token's 900.
const FRESH: f64 = 800.0;
const DUE: f64 = 100.0;
const OVER: f64 = -10.0;

fn no() -> (u16, Value) {
    (401, json!({"error": "invalid_grant", "error_description": "It was used."}))
}

#[test]
fn a_fresh_token_is_used_as_it_is() {
    let authority = Authority::new(&[]);
    authority.take("access-0");
    let home = authority.signed_in(FRESH, "");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
    assert!(authority.asked().is_empty());
}

#[test]
fn a_token_that_is_due_is_renewed_first() {
    for left in [DUE, OVER] {
        let authority = Authority::new(&[]);
        let home = authority.signed_in(left, "");
        assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
        assert_eq!(
            authority.asked(),
            ["client_id=17e5f671-d194-4dfb-9706-5516cb48c098&grant_type=refresh_token&\
              refresh_token=refresh-0"]
        );
        assert_eq!(kept(&home).as_deref(), Some("access-1"));
        let text = std::fs::read_to_string(credentials(&home)).unwrap();
        assert!(text.contains("\"refresh-1\"") && text.contains("\"theirs\":1"), "{text}");
        assert_eq!(authority.server.requests_to("/chat/completions").len(), 1);
    }
}

#[test]
fn a_token_that_a_server_refuses_is_renewed_once() {
    let authority = Authority::new(&[]);
    let home = authority.signed_in(FRESH, "");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
    assert_eq!(authority.asked().len(), 1);
    assert_eq!(authority.server.requests_to("/chat/completions").len(), 2);
}

#[test]
fn of_many_processes_one_renews() {
    let authority = Authority::new(&[]);
    let home = authority.signed_in(OVER, "");
    let runs: Vec<_> = (0..6).map(|_| home.start(&["--quiet", "-p", "x"])).collect();
    for mut run in runs {
        run.feed(b"");
        assert_eq!(run.end().well().out, "Yes.\n");
    }
    assert_eq!(authority.asked().len(), 1);
}

#[test]
fn an_authority_in_trouble_is_no_trouble_while_the_token_lives() {
    let authority = Authority::new(&vec![(503, json!({})); 9]);
    authority.take("access-0");
    let home = authority.signed_in(DUE, "");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
    assert_eq!(kept(&home).as_deref(), Some("access-0"));
    assert_eq!(authority.asked().len(), 3);
}

#[test]
fn a_hiccup_of_the_authority_is_tried_again() {
    let authority = Authority::new(&[(503, json!({}))]);
    let home = authority.signed_in(OVER, "");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
}

#[test]
fn without_its_authority_a_dead_token_is_a_failure_for_now() {
    let authority = Authority::new(&vec![(503, json!({})); 99]);
    let home = authority.signed_in(OVER, "");
    let ran = home.run(&["--quiet", "--max-retries-per-step", "1", "-p", "x"]);
    assert_eq!(ran.code, Some(75), "{ran:?}");
    assert!(ran.err.contains("the sign-in cannot be renewed"), "{ran:?}");
    assert!(authority.server.requests_to("/chat/completions").is_empty());
}

#[test]
fn a_refused_renewal_ends_the_turn_and_keeps_the_file() {
    let authority = Authority::new(&[no(), no(), no()]);
    let home = authority.signed_in(OVER, "");
    let ran = home.run(&["--quiet", "-p", "x"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("expired or was withdrawn"), "{ran:?}");
    assert!(ran.err.contains("kimi login"), "{ran:?}");
    assert_eq!(authority.asked().len(), 1, "it is not asked again for a while");
    assert_eq!(kept(&home).as_deref(), Some("access-0"));
}

#[tokio::test]
async fn a_refusal_holds_for_every_connection_of_the_process() {
    let authority = Authority::new(&[no(), no(), no()]);
    let home = authority.signed_in(OVER, "");
    let url = authority.server.url();
    let share = home.path("share").to_str().unwrap().to_owned();
    let vars = [("KIMI_SHARE_DIR", &*share), ("KIMI_OAUTH_HOST", url.trim_end_matches("/v1"))];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
    let env = Env::new(vars, home.path(""), home.path(""), clock, ids);
    let connection = || {
        let file = Credentials::of("oauth/kimi-code", &env).unwrap();
        Bearer::new(&url, file, Secret::default(), &env).unwrap()
    };
    for bearer in [connection(), connection(), connection()] {
        let error = bearer.token().await.unwrap_err().to_string();
        assert!(error.contains("It was used"), "{error}");
    }
    assert_eq!(authority.asked().len(), 1, "what one has heard holds for all");
}

#[test]
fn a_token_is_not_sent_over_an_open_line() {
    let authority = Authority::new(&[]);
    authority.take("access-0");
    let home = authority.signed_in(FRESH, "").var("KIMI_BASE_URL", "http://kimi.example/v1");
    let ran = home.run(&["--quiet", "-p", "x"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("is not one of https: tokens are not sent there"), "{ran:?}");
    assert_eq!(ran.err.trim_end().lines().count(), 1, "{ran:?}");
    let ran = home.run(&["doctor", "--online"]);
    assert!(ran.out.contains("kimi.example is not asked: its base_url is not one"), "{ran:?}");
    // A key of one's own is one's own affair.
    let home = home.var("KIMI_BASE_URL", authority.server.url()).var("KIMI_API_KEY", "access-0");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
}

#[test]
fn a_key_stands_in_for_a_token_that_is_of_no_use() {
    let authority = Authority::new(&[no(), no()]);
    authority.take("sk-own");
    let home = authority.signed_in(OVER, "sk-own");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
    std::fs::remove_file(credentials(&home)).unwrap();
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
    authority.take("sk-env");
    let home = home.var("KIMI_API_KEY", "sk-env");
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
}

#[test]
fn a_file_that_holds_nonsense_is_no_sign_in() {
    let authority = Authority::new(&[]);
    let home = authority.signed_in(FRESH, "");
    for text in ["", "{", "[1]", "{\"access_token\": \"a\\nb\", \"refresh_token\": \"r\"}"] {
        std::fs::write(credentials(&home), text).unwrap();
        let ran = home.run(&["--quiet", "-p", "x"]);
        assert_eq!(ran.code, Some(1), "{text}: {ran:?}");
        assert!(ran.err.contains("Run: kimi login"), "{ran:?}");
    }
    assert!(authority.server.requests().is_empty());
}

/// An authority that answers a renewal late, and a home whose token is due and alive.
fn slow() -> (Authority, Home) {
    let authority = Authority::new(&[]);
    authority.take("access-0");
    let rotated = json!({"access_token": "access-9", "refresh_token": "refresh-9",
        "expires_in": 900, "scope": "kimi-code", "token_type": "Bearer"});
    authority.server.also_by("/api/oauth/token", move |_| {
        Reply::status(200, rotated.clone()).late(Duration::from_secs(7))
    });
    let home = authority.signed_in(DUE, "");
    (authority, home)
}

#[test]
fn a_run_does_not_end_before_the_renewal_that_it_has_begun() {
    // The request waits for 5 s, and goes on with the old token.
    let (authority, home) = slow();
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "Yes.\n");
    assert_eq!(authority.asked().len(), 1);
    assert_eq!(kept(&home).as_deref(), Some("access-9"));
}

#[test]
fn an_interrupted_run_keeps_what_it_has_renewed() {
    use rustix::process::Signal;
    let runs = [
        (Some(Signal::INT), &["--quiet", "-p", "x"][..]),
        (Some(Signal::TERM), &["--quiet", "-p", "x"]),
        (None, &["--quiet", "--timeout", "2", "-p", "x"]),
        (None, &["doctor", "--online"]),
    ];
    let runs = runs.map(|(signal, words)| {
        let (authority, home) = slow();
        let mut running = home.start(words);
        running.feed(b"");
        authority.server.wait_for(1);
        if let Some(signal) = signal {
            running.signal(signal);
        }
        (authority, home, running)
    });
    for (_authority, home, running) in runs {
        let ran = running.end();
        assert_eq!(kept(&home).as_deref(), Some("access-9"), "{ran:?}");
    }
}
