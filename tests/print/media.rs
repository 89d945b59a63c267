//! Pictures and films, through the real binary.

use serde_json::{Value, json};

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(width, height).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn looking(path: &'static str) -> ModelServer {
    ModelServer::start(move |_: &Recorded, n: usize| match n {
        0 => Reply::new().tool_call("c1", "ReadMediaFile", &json!({"path": path}).to_string()),
        _ => Reply::new().text("Seen."),
    })
}

/// A home whose model takes these.
fn home(server: &ModelServer, capabilities: &str) -> Home {
    let home = Home::bare();
    let config = Home::config(&server.url());
    let config =
        config.replace("[providers.p]", &format!("capabilities = [{capabilities}]\n[providers.p]"));
    home.write("share/config.toml", config);
    home
}

fn offered(request: &Recorded) -> Option<&Value> {
    let tools = request.body["tools"].as_array()?;
    tools.iter().map(|tool| &tool["function"]).find(|tool| tool["name"] == "ReadMediaFile")
}

fn messages(request: &Recorded) -> &Vec<Value> {
    request.body["messages"].as_array().unwrap()
}

#[test]
fn a_picture_reaches_the_model_and_the_record() {
    let server = looking("shot.png");
    let home = home(&server, "\"image_in\"");
    home.write("project/shot.png", png(4096, 64));
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "look"]);
    ran.well();
    let requests = server.requests();
    let told = offered(&requests[0]).unwrap()["description"].as_str().unwrap();
    assert!(told.ends_with("You can take pictures, but no films."), "{told}");
    let result = messages(&requests[1]).last().unwrap();
    let parts = result["content"].as_array().unwrap();
    assert!(parts[0]["text"].as_str().unwrap().contains("4096x64"), "{result}");
    assert!(parts[1]["text"].as_str().unwrap().starts_with("<image path=\"/"));
    let url = parts[2]["image_url"]["url"].as_str().unwrap();
    assert!(url.starts_with("data:image/png;base64,") && url.len() < 20_000);
    assert_eq!(parts[3]["text"], "</image>");
    let record = std::fs::read_to_string(home.session().join("context.jsonl")).unwrap();
    assert!(record.contains(url));
    // A resumed session sends the same bytes again.
    home.run(&["--quiet", "-C", "-p", "again"]).well();
    assert_eq!(messages(&server.requests()[2])[..4], messages(&requests[1])[..4]);
}

#[test]
fn a_model_that_takes_none_is_not_offered_the_tool() {
    let server = looking("shot.png");
    let home = home(&server, "\"thinking\"");
    home.write("project/shot.png", png(4, 4));
    home.run(&["--quiet", "-p", "look"]).well();
    let requests = server.requests();
    assert_eq!(offered(&requests[0]), None);
    let result = messages(&requests[1]).last().unwrap().to_string();
    assert!(result.contains("the model in use takes no pictures"), "{result}");
}

#[test]
fn a_film_is_uploaded() {
    let server = looking("film.mp4");
    server.also("/files", Reply::status(200, json!({"id": "file-7"})));
    let home = home(&server, "\"video_in\"");
    home.write("project/film.mp4", b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2");
    home.run(&["--quiet", "-p", "look"]).well();
    let upload = &server.requests_to("/files")[0];
    assert_eq!(
        (upload.path.as_str(), upload.header("authorization")),
        ("/v1/files", Some("Bearer sk-test"))
    );
    assert!(upload.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    for words in [
        "name=\"purpose\"\r\n\r\nvideo\r\n",
        "filename=\"film.mp4\"",
        "Content-Type: video/mp4",
        "ftypisom",
    ] {
        assert!(upload.raw.contains(words), "{words}");
    }
    let chat = server.requests_to("/chat/completions");
    let result = messages(&chat[1]).last().unwrap();
    assert_eq!(
        result["content"][2],
        json!({"type": "video_url", "video_url": {"url": "ms://file-7"}})
    );
}

#[test]
fn other_servers_get_pictures_in_a_message_of_the_user() {
    let server = looking("shot.png");
    let home = home(&server, "\"image_in\"");
    let config = std::fs::read_to_string(home.path("share/config.toml")).unwrap();
    home.write("share/config.toml", config.replace("type = \"kimi\"", "type = \"openai_legacy\""));
    home.write("project/shot.png", png(4, 4));
    home.run(&["--quiet", "-p", "look"]).well();
    let requests = server.requests();
    let [.., tool, user] = messages(&requests[1]).as_slice() else { panic!() };
    assert_eq!((&tool["role"], &user["role"]), (&json!("tool"), &json!("user")));
    assert!(!tool["content"].to_string().contains("image_url"));
    assert!(user["content"][0]["text"].as_str().unwrap().ends_with("shot.png\">"), "{user}");
    assert_eq!(user["content"][1]["type"], "image_url");
}
