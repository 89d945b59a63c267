//! `kimi mcp auth` and what it leaves, through the program itself.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::authority::{Authority, Held, browse, say_yes, talk};
use super::lifecycle::wait_until;
use super::server::{HttpServer, Script};
use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::{Home, Ran, Running};
use crate::support::pty::Pty;

/// A home with the server `s` in its `mcp.json`.
fn home(url: &str) -> Home {
    let home = Home::bare();
    home.write("share/mcp.json", entries(url));
    home
}

fn entries(url: &str) -> String {
    json!({"mcpServers": {"s": {"url": url, "auth": "oauth"}}}).to_string()
}

fn world(rules: Value) -> (Arc<Authority>, HttpServer, Home) {
    let authority = Authority::new(rules);
    let server = HttpServer::behind(&authority);
    let home = home(&server.url("/mcp"));
    (authority, server, home)
}

/// The login under way, and the address that it has told.
fn begin(home: &Home) -> (Running, String) {
    let running = home.start(&["mcp", "auth", "s"]);
    let out = running.out_with("code_challenge=");
    let address = out.lines().find_map(|line| line.strip_prefix("  http")).unwrap();
    (running, format!("http{address}"))
}

fn log_in(home: &Home) -> Ran {
    let (running, address) = begin(home);
    say_yes(&address);
    let ran = running.end();
    ran.well();
    ran
}

/// A login that never gets as far as the browser.
#[track_caller]
fn refused(home: &Home, why: &str) {
    let ran = home.run(&["mcp", "auth", "s"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains(why), "{why}: {ran:?}");
    assert!(!home.path("share/mcp-oauth").exists());
}

fn token_files(home: &Home) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.path("share/mcp-oauth")).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A field of a query.
fn field(address: &str, name: &str) -> String {
    let url = url::Url::parse(address).unwrap();
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

#[test]
fn a_login_from_its_start_to_its_end() {
    let (authority, server, home) = world(json!({}));
    let list = |home: &Home| home.run(&["mcp", "list"]).well().out.clone();
    let mark = "[authorization required - run: kimi mcp auth s]";
    assert!(list(&home).contains(mark));
    let before = home.run(&["mcp", "test", "s"]);
    assert!(before.code == Some(1) && before.err.contains("kimi mcp auth s"), "{before:?}");
    assert!(server.seen().is_empty(), "without a token there is nothing to say to it");
    let opened = home.path("opened");
    let script = format!("printf %s \"$1\" > {0}.new && mv {0}.new {0}\n", opened.display());
    let browser = home.write("browser", script);
    let home = home.var("BROWSER", format!("sh {}", browser.display()));
    let (running, address) = begin(&home);
    assert_eq!(field(&address, "scope"), "read write");
    assert_eq!(field(&address, "resource"), server.url("/mcp"));
    let back = field(&address, "redirect_uri");
    assert!(back.starts_with("http://localhost:") && back.ends_with("/callback"), "{back}");
    assert_eq!(authority.registered()[0]["redirect_uris"], json!([back]));
    assert_eq!(authority.registered()[0]["token_endpoint_auth_method"], "none");
    wait_until("the browser is opened", || opened.exists());
    say_yes(&address);
    let ran = running.end();
    assert!(ran.well().out.contains("Successfully authorized with 's'.\nAvailable tools: 8\n"));
    assert_eq!(std::fs::read_to_string(&opened).unwrap(), address);
    assert!(!list(&home).contains(mark));
    home.run(&["mcp", "test", "s"]).well();
    // Private, and nowhere else.
    assert_eq!(mode(&home.path("share/mcp-oauth")), 0o700);
    let files = token_files(&home);
    assert_eq!((files.len(), mode(&files[0])), (1, 0o600));
    assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"));
    let slash = home.write("share/mcp.json", entries(&server.url("/mcp/")));
    assert!(!list(&home).contains(mark), "{}", slash.display());
    let cleared = home.run(&["mcp", "reset-auth", "s"]);
    assert_eq!(cleared.well().out, "OAuth tokens cleared for 's'.\n");
    assert!(token_files(&home).is_empty());
    assert!(list(&home).contains(mark));
    home.run(&["mcp", "reset-auth", "s"]).well();
}

#[test]
fn a_test_that_is_given_up_keeps_what_it_has_renewed() {
    let (authority, _server, home) = world(json!({}));
    log_in(&home);
    let file = &token_files(&home)[0];
    let kept = || -> Value { serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap() };
    let mut due = kept();
    due["renew_at"] = json!(0);
    std::fs::write(file, due.to_string()).unwrap();
    let held = authority.hold(Held::Renewal);
    let running = home.start(&["mcp", "test", "s"]);
    wait_until("it is renewed", || authority.refreshes() == 1);
    running.signal(rustix::process::Signal::INT);
    running.wait_err("The test was cancelled.");
    drop(held);
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert_eq!(kept()["refresh_token"], "hunter2-r2");
}

#[test]
fn an_authority_that_repeats_what_it_was_sent_gives_nothing_away() {
    let (authority, _server, home) = world(json!({}));
    authority.rule("repeat", json!(true));
    let (running, address) = begin(&home);
    say_yes(&address);
    let ran = running.end();
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("invalid_grant") && ran.err.contains("code_verifier=***"), "{ran:?}");
}

#[test]
fn only_the_answer_to_this_login_counts() {
    let (_, _, home) = world(json!({}));
    let (running, address) = begin(&home);
    let back = field(&address, "redirect_uri");
    let port = url::Url::parse(&back).unwrap().port().unwrap();
    for (query, status) in [
        ("?code=x&state=wrong", 400),
        ("?code=x", 400),
        ("?error=access_denied&state=wrong", 400),
        ("", 400),
    ] {
        assert_eq!(browse(&format!("{back}{query}")).0, status, "{query}");
    }
    assert_eq!(browse(&format!("http://localhost:{port}/favicon.ico")).0, 404);
    for garbage in ["\r\n\r\n", "POST /callback HTTP/1.1\r\n\r\n", "GET /callback\r\n\r\n"] {
        assert!(talk(port, garbage).starts_with("HTTP/1.1 4"), "{garbage}");
    }
    assert_eq!(talk(port, &"x".repeat(100_000)), "");
    // Those who connect and say nothing hold up nobody.
    let silent: Vec<_> =
        (0..8).map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    say_yes(&address);
    running.end().well();
    drop(silent);
}

#[test]
fn a_no_is_told() {
    let (_, _, home) = world(json!({"deny": true}));
    let (running, address) = begin(&home);
    assert!(say_yes(&address).contains("not granted"));
    let ran = running.end();
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("access_denied, Not today"), "{ran:?}");
    assert!(token_files(&home).is_empty());
}

#[test]
fn an_authority_that_cannot_be_trusted_gets_nothing() {
    for (rules, why) in [
        (json!({"metadata": {"code_challenge_methods_supported": ["plain"]}}), "PKCE"),
        (json!({"metadata": {"x": "y".repeat(300 << 10)}}), "more than 256 KiB"),
        (json!({"metadata": {"issuer": "https://evil.example"}}), "evil.example"),
        (json!({"metadata": {"token_endpoint": "http://evil.example/t"}}), "token endpoint"),
        (
            json!({"metadata": {"authorization_endpoint": "file:///etc/passwd"}}),
            "authorization endpoint",
        ),
        (json!({"metadata": {"registration_endpoint": null}}), "bearerTokenEnvVar"),
        (json!({"resource": {"resource": "https://evil.example/mcp"}}), "evil.example"),
        (json!({"resource": {"authorization_servers": []}}), "no authorization server"),
        (
            json!({"resource": {"authorization_servers": ["http://evil.example"]}}),
            "not one of https",
        ),
        (
            json!({"challenge": "www-authenticate: Bearer resource_metadata=\"https://evil.example/\"\r\n"}),
            "another origin",
        ),
    ] {
        let (authority, _server, home) = world(rules);
        refused(&home, why);
        assert!(authority.registered().is_empty(), "{why}");
    }
}

#[test]
fn codes_and_tokens_do_not_move_to_another_origin() {
    let thief = HttpServer::start(Script::new());
    let (_, server, home) = world(json!({"moved": thief.url("/mcp")}));
    let (running, address) = begin(&home);
    say_yes(&address);
    let ran = running.end();
    assert!(ran.code == Some(1) && ran.err.contains("307"), "{ran:?}");
    assert!(thief.seen().is_empty());
    // Nor where they can be read on their way.
    let plain = self::home("http://server.example/mcp");
    refused(&plain, "not one of https");
    drop(server);
}

#[test]
fn servers_of_the_older_kinds_are_logged_in_to() {
    let (_, server, home) = world(json!({"old": true}));
    log_in(&home);
    home.run(&["mcp", "test", "s"]).well();
    home.run(&["mcp", "reset-auth", "s"]).well();
    drop(server);
    let authority = Authority::new(json!({}));
    let server = HttpServer::behind(&authority);
    let home = self::home(&server.url("/sse"));
    log_in(&home);
    authority.expire();
    home.run(&["mcp", "test", "s"]).well();
    assert_eq!(authority.refreshes(), 1);
}

#[test]
fn a_server_that_names_no_place_is_asked_at_the_usual_one() {
    let challenge = "www-authenticate: Bearer scope=\"only this\"\r\n";
    for (challenge, scope) in [("", "read write"), (challenge, "only this")] {
        let (_, _server, home) = world(json!({"challenge": challenge}));
        let (running, address) = begin(&home);
        assert_eq!(field(&address, "scope"), scope);
        say_yes(&address);
        running.end().well();
    }
}

#[test]
fn a_client_that_was_registered_by_hand_is_used() {
    let (authority, server, home) = world(json!({"metadata": {"registration_endpoint": null}}));
    let home = home.var("CLIENT", "by-hand");
    let oauth = json!({"clientId": "${CLIENT}", "clientSecret": "hunter2", "scopes": "mine"});
    let entry = json!({"url": server.url("/mcp"), "auth": "oauth", "oauth": oauth});
    home.write("share/mcp.json", json!({"mcpServers": {"s": entry}}).to_string());
    let (running, address) = begin(&home);
    assert_eq!(
        (field(&address, "client_id"), field(&address, "scope")),
        ("by-hand".into(), "mine".into())
    );
    assert!(!address.contains("hunter2"));
    say_yes(&address);
    running.end().well();
    let form =
        server.seen().into_iter().find(|(head, _)| head.starts_with("POST /as/token")).unwrap().1;
    assert!(form.contains("client_secret=hunter2"), "{form}");
    assert!(authority.registered().is_empty());
}

#[test]
fn the_address_of_a_browser_elsewhere_can_be_pasted() {
    let (_, _server, home) = world(json!({}));
    let share = home.path("share").display().to_string();
    let directory = home.path("home").display().to_string();
    let env = [("HOME", directory.as_str()), ("KIMI_SHARE_DIR", &share), ("PATH", "/usr/bin:/bin")];
    let program = Path::new(env!("CARGO_BIN_EXE_kimi"));
    let words = ["mcp", "auth", "s"];
    let mut kimi = Pty::spawn(program, &words, &env, &home.path("project"), (1000, 30));
    let rows = kimi.wait_for_rows("the address", |rows| {
        rows.iter().any(|row| row.contains("paste that address here"))
    });
    let address = rows.iter().find_map(|row| row.trim().strip_prefix("http")).unwrap();
    let (_, back, _) = browse(&format!("http{address}"));
    kimi.send("what?\n");
    kimi.send(format!("{}\n", back.unwrap()));
    kimi.wait_for_rows("the login", |rows| {
        rows.iter().any(|row| row.contains("Successfully authorized with 's'."))
    });
    assert_eq!(kimi.wait_exit(), 0);
}

#[test]
fn what_has_no_login_says_so() {
    let home = Home::bare();
    let servers = json!({"mcpServers": {"c": {"command": "x"}, "u": {"url": "https://h/mcp"}}});
    home.write("share/mcp.json", servers.to_string());
    for (name, why) in
        [("c", "is not a remote server"), ("u", "does not use OAuth"), ("x", "not found")]
    {
        let ran = home.run(&["mcp", "auth", name]);
        assert!(ran.code == Some(1) && ran.err.contains(why), "{ran:?}");
    }
    assert_eq!(home.run(&["mcp", "reset-auth", "c"]).code, Some(1));
    home.run(&["mcp", "reset-auth", "u"]).well();
}

#[test]
fn ctrl_c_ends_a_login() {
    let (_, _, home) = world(json!({}));
    let (running, _) = begin(&home);
    running.signal(rustix::process::Signal::INT);
    let ran = running.end();
    assert_eq!((ran.code, ran.err.as_str()), (Some(130), "\nThe login was cancelled.\n"));
    assert!(token_files(&home).is_empty());
}

#[test]
fn ctrl_c_after_a_login_ends_only_what_comes_after_it() {
    let (authority, _server, home) = world(json!({}));
    let (running, address) = begin(&home);
    let _held = authority.hold(Held::Entry);
    say_yes(&address);
    running.wait_out("Successfully authorized with 's'.");
    running.signal(rustix::process::Signal::INT);
    let ran = running.end();
    assert_eq!((ran.code, ran.err.as_str()), (Some(130), "\nThe test was cancelled.\n"));
    assert_eq!(token_files(&home).len(), 1);
}

/// Every token in the file is due.
fn make_due(home: &Home) {
    let path = &token_files(home)[0];
    let mut grant: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    grant["expires_at"] = json!(1.0);
    grant["renew_at"] = json!(1.0);
    std::fs::write(path, grant.to_string()).unwrap();
}

#[test]
fn processes_do_not_ruin_each_others_renewal() {
    let (authority, _server, home) = world(json!({"slow": true}));
    log_in(&home);
    for why in ["expired", "rejected"] {
        let before = authority.refreshes();
        authority.expire();
        if why == "expired" {
            make_due(&home);
        }
        let many: Vec<Running> = (0..4).map(|_| home.start(&["mcp", "test", "s"])).collect();
        for one in many {
            one.end().well();
        }
        assert_eq!(authority.refreshes(), before + 1, "{why}");
    }
}

#[test]
fn a_run_goes_on_without_the_server_and_the_model_can_tell_why() {
    let model = ModelServer::start(vec![
        Reply::new().tool_call("c1", "mcp_call", r#"{"name":"s.echo","arguments":{"text":"x"}}"#),
        Reply::new().text("it is not my day"),
    ]);
    let (_, server, other) = world(json!({}));
    let home = Home::new(&model.url());
    home.write("share/mcp.json", std::fs::read(other.path("share/mcp.json")).unwrap());
    let ran = home.run(&["--print", "--final-message-only", "-p", "hi"]);
    assert_eq!(ran.well().out.trim(), "it is not my day");
    let told = model.requests()[1].body["messages"].to_string();
    assert!(told.contains("kimi mcp auth s"), "{told}");
    assert!(server.seen().is_empty());
}

/// Every file below a directory, and what is in it.
fn files(dir: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => {
            vec![(path.clone(), String::from_utf8_lossy(&std::fs::read(path).unwrap()).into())]
        }
    };
    entries.flat_map(read).collect()
}

#[test]
fn a_token_is_in_its_file_and_nowhere_else() {
    let model = ModelServer::start(vec![
        Reply::new().tool_call("c1", "mcp_call", r#"{"name":"s.echo","arguments":{"text":"x"}}"#),
        Reply::new().text("done"),
    ]);
    let (authority, _server, mut home) = world(json!({}));
    log_in(&home);
    // It is renewed on the way, and the log tells everything that it can.
    authority.expire();
    home.write("share/config.toml", Home::config(&model.url()));
    home = home.var("RUST_LOG", "trace");
    let ran = home.run(&["--debug", "--print", "-p", "hi"]);
    assert!(ran.well().out.contains("done"), "{ran:?}");
    assert_eq!(authority.refreshes(), 1);
    let secret = "hunter2";
    assert!(!ran.out.contains(secret) && !ran.err.contains(secret));
    let (kept, others): (Vec<_>, Vec<_>) = files(&home.path("share"))
        .into_iter()
        .partition(|(path, _)| path.parent() == Some(&home.path("share/mcp-oauth")));
    assert!(kept.iter().any(|(_, text)| text.contains(secret)));
    assert!(others.iter().any(|(path, text)| {
        path.extension().is_some_and(|kind| kind == "log") && text.contains("renewed")
    }));
    for (path, text) in others {
        assert!(!text.contains(secret), "{}", path.display());
    }
}
