//! What programs around us see of a sign-in that is missing or not taken, and `/login` on the screen.

use serde_json::{Value, json};

use super::authority::{Authority, credentials};
use crate::acp::editor::Editor;
use crate::support::model_server::Reply;
use crate::tui::world::World;
use crate::wire::client::Client;

#[test]
fn a_client_of_the_wire_is_told_to_sign_in() {
    for left in [None, Some(-10.0)] {
        let authority = Authority::new(&vec![(401, json!({"error": "invalid_grant"})); 3]);
        let home = authority.signed_in(left.unwrap_or(1.0), "");
        if left.is_none() {
            std::fs::remove_file(credentials(&home)).unwrap();
        }
        let mut client = Client::ready(&home, &[]);
        let id = client.prompt("x");
        let words = "Authentication failed. Your login session may have expired. Please run \
                     \"/login\" to sign in again.";
        let answer = client.answer(&id);
        assert_eq!(answer["error"], json!({"code": -32004, "message": words, "data": null}));
        // Somebody signs in meanwhile: the same session goes on.
        authority.take("access-9");
        let token = json!({"access_token": "access-9", "refresh_token": "refresh-9"});
        let until = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let mut token = token;
        token["expires_at"] = json!(until.as_secs_f64() + 900.0);
        token["expires_in"] = json!(900.0);
        home.write("share/credentials/kimi-code.json", token.to_string());
        let id = client.prompt("y");
        assert_eq!(client.result(&id), json!({"status": "finished"}));
        client.finish();
    }
}

#[test]
fn an_editor_is_told_how_to_sign_in() {
    let authority = Authority::new(&[]);
    let home = authority.signed_in(800.0, "");
    let file = std::fs::read(credentials(&home)).unwrap();
    std::fs::remove_file(credentials(&home)).unwrap();
    let mut editor = Editor::ready(&home, &[]);
    let new = json!({"cwd": home.path("project"), "mcpServers": []});
    let error = editor.refused("session/new", new.clone());
    assert_eq!(error["code"], -32000);
    let method = &error["data"]["authMethods"][0];
    assert_eq!((&method["type"], &method["args"]), (&json!("terminal"), &json!(["login"])));
    let program = method["_meta"]["terminal-auth"]["command"].as_str().unwrap();
    assert!(std::path::Path::new(program).is_file(), "{program}");
    std::fs::write(credentials(&home), file).unwrap();
    assert_eq!(editor.ask("authenticate", json!({"methodId": "login"})), json!({}));
    assert!(editor.ask("session/new", new)["sessionId"].is_string());
    editor.finish();
}

#[test]
fn a_caller_in_kimi_codes_way_finds_the_word_it_looks_for() {
    for file in [true, false] {
        let authority = Authority::new(&vec![(401, json!({"error": "invalid_grant"})); 3]);
        let home = authority.signed_in(-10.0, "");
        if !file {
            std::fs::remove_file(credentials(&home)).unwrap();
        }
        let ran = home.run(&["--output-format", "stream-json", "-p", "x"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("error: failed to run prompt: auth.login_required: "), "{ran:?}");
    }
}

#[test]
fn a_person_signs_in_and_out_on_the_screen() {
    let pending: (u16, Value) = (400, json!({"error": "authorization_pending"}));
    let authority = Authority::new(&[pending]);
    let world = World::without_model();
    let url = authority.server.url();
    let vars =
        [("KIMI_CODE_OAUTH_HOST", url.trim_end_matches("/v1")), ("KIMI_CODE_BASE_URL", &*url)];
    let mut kimi = world.start_with(&[], &vars, (100, 30));
    kimi.send("/login\r");
    kimi.wait_text("the page shows ABCD-0001");
    kimi.wait_text("https://kimi.example/device?code=ABCD-0001");
    kimi.wait_text("You are signed in.");
    kimi.wait_text("Read anew");
    kimi.send("are you there?\r");
    kimi.wait_text("Yes.");
    kimi.send("/logout\r");
    kimi.wait_text("You are signed out.");
    assert!(!world.share().join("credentials/kimi-code.json").exists());
}

#[test]
fn a_failed_sign_in_is_told_on_the_screen() {
    let authority = Authority::new(&[(400, json!({"error": "access_denied"}))]);
    let world = World::new(vec![Reply::new().text("still here")]);
    let url = authority.server.url();
    let vars = [("KIMI_CODE_OAUTH_HOST", url.trim_end_matches("/v1"))];
    let mut kimi = world.start_with(&[], &vars, (100, 30));
    kimi.send("/login\r");
    kimi.wait_text("Signing in failed: it was denied in the browser.");
    kimi.send("are you there?\r");
    kimi.wait_text("still here");
    // The command line's own configuration has no place for an account.
    let config = world.share().join("other.toml");
    std::fs::copy(world.share().join("config.toml"), &config).unwrap();
    let mut kimi = world.start(&["--config-file", config.to_str().unwrap()]);
    kimi.send("/login\r");
    kimi.wait_text("Accounts belong to the default configuration file.");
}

#[test]
fn the_doctor_asks_with_the_token() {
    let authority = Authority::new(&[]);
    let home = authority.signed_in(800.0, "");
    let ran = home.run(&["doctor", "--online"]);
    assert!(ran.out.contains("answers and takes the key"), "{ran:?}");
    let asked = authority.server.requests_to("/v1/models");
    assert_eq!(asked[0].header("authorization"), Some("Bearer access-0"));
    std::fs::remove_file(credentials(&home)).unwrap();
    let ran = home.run(&["doctor", "--online"]);
    assert!(ran.out.contains("wants a sign-in: nobody is signed in"), "{ran:?}");
}

#[test]
fn the_doctor_tells_a_bad_line_from_a_bad_sign_in() {
    let authority = Authority::new(&vec![(503, json!({})); 9]);
    let ran = authority.signed_in(-10.0, "").run(&["doctor", "--online"]);
    assert!(ran.out.contains("is not asked: the sign-in cannot be renewed"), "{ran:?}");
    assert!(ran.out.contains("check the network") && !ran.out.contains("kimi login"), "{ran:?}");
    for (token, told, advice) in [
        (true, "refuses the sign-in (status 401)", "kimi login"),
        (false, "refuses the key (status 401)", "set another key"),
    ] {
        let authority = Authority::new(&[]);
        authority.server.also("/v1/models", Reply::status(401, json!({})));
        let home = authority.signed_in(800.0, "sk-own");
        if !token {
            std::fs::remove_file(credentials(&home)).unwrap();
        }
        let ran = home.run(&["doctor", "--online"]);
        assert!(ran.out.contains(told) && ran.out.contains(advice), "{ran:?}");
    }
}
