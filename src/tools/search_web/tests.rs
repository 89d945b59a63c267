use serde_json::json;

use super::*;
use crate::tools::testing::{Bench, WebServer, brief};

fn hits(hits: Value) -> String {
    json!({ "search_results": hits }).to_string()
}

#[tokio::test]
async fn hits_are_told_one_after_the_other() {
    let server = WebServer::start(|_| {
        let answer = hits(json!([
            {"site_name": "A", "title": "One", "url": "https://a.example/1", "snippet": "first",
             "content": "whole page", "date": "2026-01-02", "icon": "x", "mime": "text/html"},
            {"site_name": "B", "title": "Two", "url": "https://b.example/", "snippet": "second"},
        ]));
        (200, answer)
    })
    .await;
    let tool = SearchWeb::new(server.service());
    let bench = Bench::new();
    let value = bench.run(&tool, json!({"query": " rust tui ", "include_content": true})).await;
    assert_eq!(
        value.output.text(),
        "Title: One\nSite: A\nDate: 2026-01-02\nURL: https://a.example/1\nSummary: first\n\n\
         whole page\n\n---\n\nTitle: Two\nSite: B\nURL: https://b.example/\nSummary: second\n\n"
    );
    assert!(value.message.starts_with("2 hits: information from strangers."), "{}", value.message);
    let seen = server.seen();
    let (head, body) = seen[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap(),
        json!({"text_query": "rust tui", "limit": 5, "enable_page_crawling": true, "timeout_seconds": 30})
    );
    let head = head.to_lowercase();
    for line in [
        "post /service http/1.1",
        "authorization: bearer sk-web",
        "user-agent: kimicli/",
        "x-msh-tool-call-id: call-1",
        "x-msh-platform: kimi_cli",
        "x-msh-device-id: dddd",
        "x-mine: 1",
    ] {
        assert!(head.contains(line), "{line} is not in\n{head}");
    }
}

#[tokio::test]
async fn nothing_found_is_said() {
    let server = WebServer::start(|_| (200, hits(json!([])))).await;
    let value = Bench::new().run(&SearchWeb::new(server.service()), json!({"query": "x\"y"})).await;
    assert!(!value.is_error);
    assert_eq!(value.message, "Nothing was found for \"x\"y\". Try other or fewer words.");
    assert_eq!(brief(&value), "No results");
}

#[tokio::test]
async fn faults_of_the_service_are_told() {
    for (status, body, said, short) in [
        (
            401,
            r#"{"error": {"message": "bad key"}}"#,
            "bad key (HTTP 401). The key",
            "Failed to search",
        ),
        (500, "oops", "oops (HTTP 500)", "Failed to search"),
        (200, "<html>", "cannot be read", "Failed to parse search results"),
        (200, "{}", "search_results", "Failed to parse search results"),
        (
            200,
            r#"{"search_results": [{"title": 7}]}"#,
            "cannot be read",
            "Failed to parse search results",
        ),
    ] {
        let server = WebServer::start(move |_| (status, body.to_owned())).await;
        let tool = SearchWeb::new(server.service());
        let value = Bench::new().run(&tool, json!({"query": "x"})).await;
        assert!(value.is_error && value.message.contains(said), "{body}: {}", value.message);
        assert_eq!(brief(&value), short, "{body}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_network_error() {
    let gone = WebServer::start(|_| (200, String::new())).await;
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let clock = Bench::new().cx.env.clock;
    drop(gone);
    let service = Service::new(&url, &"k".into(), &[], None, clock).unwrap();
    let value = Bench::new().run(&SearchWeb::new(Arc::new(service)), json!({"query": "x"})).await;
    assert_eq!(brief(&value), "Network error");
    assert!(!value.message.contains("sk-"), "{}", value.message);
}

#[tokio::test]
async fn huge_answers_are_cut_to_what_fits() {
    let page = "word ".repeat(40_000);
    let server = WebServer::start(move |_| {
        (200, hits(json!([{"site_name": "A", "title": "One", "url": "u", "snippet": "s", "content": page}])))
    })
    .await;
    let value = Bench::new().run(&SearchWeb::new(server.service()), json!({"query": "x"})).await;
    assert!(value.output.text().len() < 60_000);
    assert!(value.message.contains("truncated"), "{}", value.message);
}

#[tokio::test]
async fn arguments_have_bounds() {
    let server = WebServer::start(|_| (200, hits(json!([])))).await;
    let tool = SearchWeb::new(server.service());
    for bad in [json!({}), json!({"query": "x", "limit": 0}), json!({"query": "x", "limit": 21})] {
        assert!(tool.check(bad.clone()).is_err(), "{bad}");
    }
    let value = Bench::new().run(&tool, json!({"query": "  "})).await;
    assert_eq!(brief(&value), "Invalid arguments");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_cancel_does_not_wait_for_the_service() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let bench = Bench::new();
    let clock = std::sync::Arc::clone(&bench.cx.env.clock);
    let tool = SearchWeb::new(Arc::new(Service::new(&url, &"k".into(), &[], None, clock).unwrap()));
    let cancel = bench.cx.cancel.clone();
    let came = async {
        let _socket = listener.accept().await.unwrap();
        cancel.cancel();
        std::future::pending::<()>().await
    };
    let value = tokio::select! {
        value = bench.run(&tool, json!({"query": "x"})) => value,
        () = came => unreachable!(),
    };
    assert_eq!(value, cancelled());
}

#[test]
fn each_failure_says_what_to_do_and_is_told_apart() {
    let status = |code| LlmError::Status {
        code,
        message: "no".to_owned(),
        request_id: None,
        retry_after: None,
    };
    let used_up = LlmError::Quota {
        code: 429,
        message: "empty".to_owned(),
        request_id: Some("r".to_owned()),
    };
    let key = " The key of services.moonshot_search is not accepted; tell the user.";
    for (error, short, advice) in [
        (
            LlmError::Timeout("it took too long".to_owned()),
            "Search timed out",
            " Try fewer hits, without include_content.",
        ),
        (LlmError::Connection("it broke".to_owned()), "Network error", ""),
        (status(401), "Failed to search", key),
        (status(403), "Failed to search", key),
        (status(429), "Failed to search", ""),
        (status(503), "Failed to search", ""),
        (used_up, "Failed to search", " Tell the user."),
        (LlmError::SignIn("sign in first".to_owned()), "Failed to search", ""),
    ] {
        let value = failed(&error);
        assert_eq!((value.is_error, brief(&value)), (true, short), "{error:?}");
        assert_eq!(value.message, format!("The web was not searched: {error}.{advice}"));
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let server = WebServer::start(|_| {
        let content = "x".repeat(MAX_ANSWER);
        (200, hits(json!([{"site_name": "A", "title": "T", "url": "u", "content": content}])))
    })
    .await;
    let value = Bench::new().run(&SearchWeb::new(server.service()), json!({"query": "x"})).await;
    assert_eq!(brief(&value), "Failed to parse search results");
    assert!(value.message.contains("it is too long. Try fewer hits."), "{}", value.message);
}

#[tokio::test]
async fn what_a_hit_lacks_is_left_out_and_what_it_has_too_much_too() {
    let server = WebServer::start(|_| {
        let answer = hits(json!([
            {"title": " Bare ", "url": null, "snippet": "", "icon": 7, "rank": [1]},
            {"site_name": "S", "title": "T", "url": "u", "snippet": "s", "content": "  ", "date": null},
        ]));
        (200, answer)
    })
    .await;
    let value = Bench::new()
        .run(&SearchWeb::new(server.service()), json!({"query": "x", "limit": 20}))
        .await;
    assert_eq!(
        value.output.text(),
        "Title: Bare\n\n---\n\nTitle: T\nSite: S\nURL: u\nSummary: s\n\n"
    );
    assert!(
        server.seen()[0]
            .ends_with(r#""limit":20,"enable_page_crawling":false,"timeout_seconds":30}"#)
    );
}
