//! The services of the web, through the real binary.

use serde_json::json;

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

fn tools(request: &Recorded) -> Vec<String> {
    let tools = request.body["tools"].as_array().into_iter().flatten();
    tools.map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect()
}

fn with_services(server: &ModelServer) -> Home {
    let home = Home::bare();
    let url = server.url();
    let services = format!(
        "[services.moonshot_search]\nbase_url = \"{url}/search\"\napi_key = \"sk-search\"\n\
         [services.moonshot_fetch]\nbase_url = \"{url}/fetch\"\napi_key = \"sk-fetch\"\n"
    );
    home.write("share/config.toml", Home::config(&url) + &services);
    home
}

#[test]
fn a_search_and_a_page_come_from_the_services() {
    let server =
        ModelServer::start(|_: &Recorded, n: usize| match n {
            0 => Reply::new()
                .tool_call("c1", "SearchWeb", r#"{"query":"rust","limit":2}"#)
                .tool_call("c2", "FetchURL", r#"{"url":"https://93.184.215.14/page"}"#),
            _ => Reply::new().text("Found."),
        });
    let hit =
        json!({"site_name": "S", "title": "Hit", "url": "https://s.example/", "snippet": "sum"});
    server.also("/search", Reply::status(200, json!({"search_results": [hit]})));
    server.also("/fetch", Reply::body(200, "text/markdown", "# The page"));
    let home = with_services(&server);
    let ran = home.run(&["--quiet", "-p", "look"]);
    assert!(!ran.well().err.contains("no effect"), "{}", ran.err);
    let chat = server.requests_to("/chat/completions");
    assert!(tools(&chat[0]).contains(&"SearchWeb".to_owned()));
    let told = chat[1].body["messages"].to_string();
    for words in ["Title: Hit", "URL: https://s.example/", "# The page", "fetched-page"] {
        assert!(told.contains(words), "{words} is not in {told}");
    }
    let search = &server.requests_to("/search")[0];
    assert_eq!(search.header("authorization"), Some("Bearer sk-search"));
    assert_eq!(search.header("x-msh-tool-call-id"), Some("c1"));
    assert_eq!(search.header("x-msh-device-id").map(str::len), Some(32));
    assert_eq!((&search.body["text_query"], &search.body["limit"]), (&json!("rust"), &json!(2)));
    let fetch = &server.requests_to("/fetch")[0];
    assert_eq!(fetch.header("authorization"), Some("Bearer sk-fetch"));
    assert_eq!(fetch.body, json!({"url": "https://93.184.215.14/page"}));
}

#[test]
fn a_search_that_fails_is_a_result_like_any_other() {
    let server = ModelServer::start(|_: &Recorded, n: usize| match n {
        0 => Reply::new().tool_call("c1", "SearchWeb", r#"{"query":"rust"}"#),
        _ => Reply::new().text("Pity."),
    });
    server.also("/search", Reply::status(401, json!({"error": {"message": "who are you?"}})));
    let home = with_services(&server);
    home.run(&["--quiet", "-p", "look"]).well();
    let chat = server.requests_to("/chat/completions");
    let told = chat[1].body["messages"].to_string();
    assert!(told.contains("ERROR: The web was not searched: who are you? (HTTP 401)"), "{told}");
}

#[test]
fn a_service_that_wants_a_sign_in_is_passed_over_until_there_is_one() {
    let server = ModelServer::start(vec![Reply::new().text("Hm."), Reply::new().text("Hm.")]);
    let home = Home::bare();
    let service = "[services.moonshot_search]\nbase_url = \"http://127.0.0.1:9\"\napi_key = \"\"\n\
                   oauth = { storage = \"file\", key = \"oauth/kimi-code\" }\n";
    home.write("share/config.toml", Home::config(&server.url()) + service);
    let ran = home.run(&["--print", "-p", "look"]);
    assert!(!ran.well().err.contains("services"), "{}", ran.err);
    home.write("share/credentials/kimi-code.json", r#"{"access_token": "a"}"#);
    home.run(&["--print", "-p", "look"]).well();
    let has = server
        .requests()
        .iter()
        .map(|it| tools(it).contains(&"SearchWeb".to_owned()))
        .collect::<Vec<_>>();
    assert_eq!(has, [false, true]);
}
