//! `kimi login` and `kimi logout`.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::authority::{Authority, credentials, device, kept};
use crate::support::model_server::Reply;
use crate::support::program::{Home, Ran, Running};

fn pending() -> (u16, Value) {
    (400, json!({"error": "authorization_pending", "error_description": "Not yet"}))
}

/// A sign-in that fails without leaving anything; what it says last.
#[track_caller]
fn fails(home: &Home) -> String {
    let before = std::fs::read_to_string(home.path("share/config.toml")).ok();
    let ran = home.run(&["login", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""), "{ran:?}");
    let last = ran.records().pop().unwrap();
    assert_eq!(last["type"], "error", "{ran:?}");
    assert_eq!(kept(home), None);
    assert_eq!(std::fs::read_to_string(home.path("share/config.toml")).ok(), before);
    last["message"].as_str().unwrap().to_owned()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_person_agrees_and_the_models_are_there() {
    let authority = Authority::new(&[pending(), pending()]);
    let home = authority.home();
    let ran = home.run(&["login", "--json"]);
    ran.well();
    let page = "https://kimi.example/device?code=ABCD-0001";
    let expected = [
        r#"{"type": "info", "message": "Please visit the following URL to finish authorization."}"#.to_owned(),
        format!(
            r#"{{"type": "verification_url", "message": "Verification URL: {page}", "data": {{"verification_url": "{page}", "user_code": "ABCD-0001"}}}}"#
        ),
        r#"{"type": "waiting", "message": "Waiting for user authorization...: Not yet", "data": {"error": "authorization_pending", "error_description": "Not yet"}}"#.to_owned(),
        r#"{"type": "success", "message": "Logged in successfully."}"#.to_owned(),
    ];
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), expected);

    let begun = &authority.server.requests_to("/device_authorization")[0];
    assert_eq!(begun.raw, "client_id=17e5f671-d194-4dfb-9706-5516cb48c098");
    assert_eq!(begun.header("x-msh-platform"), Some("kimi_cli"));
    assert_eq!(begun.header("x-msh-device-id").map(str::len), Some(32));
    assert_eq!(
        authority.asked()[2],
        "client_id=17e5f671-d194-4dfb-9706-5516cb48c098&device_code=device-1&\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
    );
    assert_eq!(kept(&home).as_deref(), Some("access-1"));
    assert_eq!((mode(&credentials(&home)), mode(&home.path("share/config.toml"))), (0o600, 0o600));

    let ran = home.run(&["--quiet", "-p", "x"]);
    assert_eq!(ran.well().out, "Yes.\n");
    let asked = authority.server.requests_to("/chat/completions");
    assert_eq!(asked[0].body["model"], "kimi-for-coding");

    let ran = home.run(&["logout", "--json"]);
    assert_eq!(
        ran.well().out,
        "{\"type\": \"success\", \"message\": \"Logged out successfully.\"}\n"
    );
    assert_eq!(kept(&home), None);
    let config = std::fs::read_to_string(home.path("share/config.toml")).unwrap();
    assert!(!config.contains("kimi-code"), "{config}");
    assert!(config.contains("default_model = \"\""), "{config}");
}

#[test]
fn a_sign_out_without_a_sign_in_is_right_and_leaves_nothing() {
    let home = Home::bare();
    let ran = home.run(&["logout"]);
    assert_eq!(ran.well().out, "Logged out successfully.\n");
    assert!(!home.path("share").exists());
}

#[test]
fn a_person_reads_what_to_do() {
    let authority = Authority::new(&[]);
    let ran = authority.home().run(&["login"]);
    assert_eq!(
        ran.well().out,
        "Please visit the following URL to finish authorization.\n\
         Verification URL: https://kimi.example/device?code=ABCD-0001\n\
         The page shows this code: ABCD-0001\n\
         Waiting for you to agree there... (Ctrl-C gives up)\n\
         Logged in successfully.\n"
    );
}

#[test]
fn an_expired_code_is_replaced() {
    let authority = Authority::new(&[(400, json!({"error": "expired_token"}))]);
    let home = authority.home();
    let ran = home.run(&["login", "--json"]);
    let told: Vec<_> = ran.well().records().iter().map(|it| it["type"].clone()).collect();
    assert_eq!(told, ["info", "verification_url", "info", "info", "verification_url", "success"]);
    assert!(authority.asked()[1].contains("device_code=device-2"));
}

#[test]
fn a_code_that_has_outlived_itself_is_replaced() {
    let authority = Authority::new(&vec![pending(); 2]);
    let mut asked = 0;
    authority.server.also_by("/device_authorization", move |_| {
        asked += 1;
        let mut begun = device(asked);
        if asked == 1 {
            begun["expires_in"] = json!(0.2);
        }
        Reply::status(200, begun)
    });
    let ran = authority.home().run(&["login", "--json"]);
    assert!(ran.well().out.contains("Device code expired, restarting login..."), "{ran:?}");
    assert!(ran.out.contains("ABCD-0002"), "{ran:?}");
}

#[test]
fn an_authority_is_asked_as_often_as_it_likes() {
    let authority = Authority::new(&[(400, json!({"error": "slow_down"})), pending()]);
    authority.home().run(&["login", "--json"]).well();
    let at = authority.asked_at();
    for pair in at.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(6), "{at:?}");
    }
}

#[test]
fn a_no_is_a_no() {
    for (status, error, why) in [
        (400, json!({"error": "access_denied"}), "it was denied in the browser"),
        (401, json!({"error": "invalid_client", "error_description": "You\u{1b}[2J?"}), "You?"),
    ] {
        let authority = Authority::new(&[(status, error)]);
        let said = fails(&authority.home());
        assert!(said.starts_with("Login failed: ") && said.contains(why), "{said}");
        assert_eq!(authority.asked().len(), 1);
    }
}

#[test]
fn an_authority_that_is_not_there_is_named() {
    let home = Home::bare().var("KIMI_OAUTH_HOST", "http://127.0.0.1:9");
    let said = fails(&home);
    assert!(said.starts_with("Login failed: 127.0.0.1 does not answer: "), "{said}");
    let ran = home.run(&["login"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    for host in ["http://kimi.example", "x", "https://me@kimi.example"] {
        let said = fails(&Home::bare().var("KIMI_CODE_OAUTH_HOST", host));
        assert!(said.starts_with("Login failed: KIMI_CODE_OAUTH_HOST "), "{said}");
    }
}

#[test]
fn an_authority_that_talks_nonsense_is_left() {
    let authority = Authority::new(&vec![(200, json!({"hello": 1})); 9]);
    let said = fails(&authority.home());
    assert!(said.contains("the authority's answer is strange: it has no access_token"), "{said}");
    assert_eq!(authority.asked().len(), 4);
    for reply in [
        Reply::body(200, "text/html", "<html>log in to the hotel"),
        Reply::body(200, "application/json", vec![b'['; 1 << 20]),
        Reply::status(200, json!([])),
        Reply::status(500, json!({"error": "oops"})),
        Reply::new().cut().drop_here(),
    ] {
        let authority = Authority::new(&[]);
        authority.server.also("/device_authorization", reply);
        fails(&authority.home());
    }
}

#[test]
fn a_hiccup_is_survived() {
    let authority = Authority::new(&[(502, json!({})), pending(), (500, json!({}))]);
    authority.home().run(&["login", "--json"]).well();
}

#[test]
fn without_models_the_token_stays_and_the_configuration_is_not_touched() {
    for reply in [
        Reply::status(500, json!({})),
        Reply::status(200, json!({"data": []})),
        Reply::status(200, json!({"data": 5})),
    ] {
        let authority = Authority::new(&[]);
        authority.server.also("/v1/models", reply);
        let home = authority.home();
        let ran = home.run(&["login", "--json"]);
        assert_eq!(ran.code, Some(1));
        assert!(ran.out.contains("the models cannot be listed"), "{ran:?}");
        assert_eq!(kept(&home).as_deref(), Some("access-1"));
        assert!(!home.path("share/config.toml").exists());
    }
}

#[test]
fn a_broken_configuration_is_told_before_anybody_is_bothered() {
    let authority = Authority::new(&[]);
    let home = authority.home();
    home.write("share/config.toml", "default_model = ");
    fails(&home);
    assert!(authority.server.requests().is_empty());
}

#[test]
fn a_broken_configuration_keeps_no_token() {
    let home = Authority::new(&[]).signed_in(800.0, "");
    home.write("share/config.toml", "default_model = ");
    let ran = home.run(&["logout"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("the token is forgotten, but the account stays in the"), "{ran:?}");
    assert_eq!(kept(&home), None);
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_anybody_is_bothered() {
    let authority = Authority::new(&[]);
    let home = authority.home();
    home.write("share/credentials", "");
    let said = fails(&home);
    assert!(said.contains("kimi-code.json: "), "{said}");
    assert!(authority.server.requests().is_empty());
}

#[test]
fn ctrl_c_gives_up() {
    let authority = Authority::new(&vec![pending(); 1000]);
    let home = authority.home();
    let running = home.start(&["login"]);
    running.wait_out("ABCD-0001");
    running.signal(rustix::process::Signal::INT);
    let Ran { code, err, .. } = running.end();
    assert_eq!((code, err.as_str()), (Some(130), "Login failed: it was cancelled.\n"));
    assert_eq!(kept(&home), None);
}

#[test]
fn a_reader_that_is_gone_ends_it() {
    let authority = Authority::new(&[]);
    let (gone, is_gone) = std::sync::mpsc::channel();
    // The code expires when nobody reads any more, and not before.
    authority.server.also_by("/api/oauth/token", move |_| {
        let _ = is_gone.recv();
        Reply::status(400, json!({"error": "expired_token"}))
    });
    let home = authority.home();
    let (reader, stdout) = std::io::pipe().unwrap();
    let mut command = home.command(&["login", "--json"]);
    command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(stdout);
    let running = command.spawn().unwrap();
    // It has a copy of the end that is written to.
    drop(command);
    let told: Vec<_> = BufReader::new(&reader).lines().take(2).map(Result::unwrap).collect();
    assert!(told[1].contains("ABCD-0001"), "{told:?}");
    drop(reader);
    gone.send(()).unwrap();
    let ran = running.wait_with_output().unwrap();
    assert_eq!((ran.status.code(), kept(&home)), (Some(1), None), "{ran:?}");
    assert_eq!(authority.server.requests_to("/device_authorization").len(), 1);
}

#[test]
fn a_reader_that_is_gone_is_noticed_while_it_waits() {
    let authority = Authority::new(&vec![pending(); 1000]);
    let home = authority.home();
    let ran = Running::start(home.shell("\"$0\" login --json | head -3")).end();
    assert_eq!(ran.well().out.lines().count(), 3);
    assert!(authority.asked().len() < 10, "{}", authority.asked().len());
    assert_eq!(authority.server.requests_to("/device_authorization").len(), 1);
}
