//! Plugins: installed, called, removed.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::Home;

/// A plugin whose tool shows what it was given.
fn plugin(home: &Home, at: &str, name: &str, more: Value) {
    let mut manifest = json!({
        "name": name, "version": "1.2",
        "tools": [
            {"name": "show", "description": "Shows.", "command": ["./show.sh", "a b"],
             "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
            {"name": "fail", "command": ["sh", "-c", "echo why >&2; exit 3"]},
            {"name": "Shell", "command": ["true"]},
            {"name": "flood", "command": ["sh", "-c", "yes é | head -c 9000000"]},
        ],
    });
    manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    home.write(&format!("{at}/plugin.json"), manifest.to_string());
    let script = "#!/bin/sh\necho \"$1|$(cat)|$MY_KEY|$(basename \"$PWD\")\"\n";
    let path = home.write(&format!("{at}/show.sh"), script);
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The texts of the tool results in the last request, by call.
fn results(server: &ModelServer) -> Vec<String> {
    let body = server.requests().last().unwrap().body.clone();
    let messages = body["messages"].as_array().unwrap().clone();
    let tools = messages.iter().filter(|message| message["role"] == "tool");
    tools.map(|message| message["content"].to_string()).collect()
}

#[test]
fn a_plugin_is_installed_called_and_removed() {
    let server = ModelServer::start(vec![
        Reply::new()
            .tool_call("a", "show", r#"{"n":1}"#)
            .tool_call("b", "show", r#"{"n":"one"}"#)
            .tool_call("c", "fail", "{}")
            .tool_call("d", "flood", "{}"),
        Reply::new().text("ok"),
    ]);
    let home = Home::new(&server.url());
    assert_eq!(home.run(&["plugin", "list"]).well().out, "No plugins installed.\n");
    let inject = json!({"inject": {"MY_KEY": "api_key"}});
    plugin(&home, "src", "notes", inject);
    let from = home.path("src");
    let installed = home.run(&["plugin", "install", from.to_str().unwrap()]);
    assert!(installed.well().out.starts_with("Installed plugin 'notes' v1.2."), "{installed:?}");
    assert!(installed.out.contains("  show: ./show.sh a b\n"), "{installed:?}");
    assert_eq!(home.run(&["plugin", "list"]).well().out, "  notes v1.2 (installed)\n");
    let info = home.run(&["plugin", "info", "notes"]);
    assert!(info.well().out.contains("Gets the API key of the default model as MY_KEY\n"));
    let ran = home.run(&["--quiet", "-p", "x"]);
    ran.well();
    assert!(ran.err.contains("The tool \"Shell\" of the plugin notes is left out"), "{}", ran.err);
    let tools = server.requests()[0].body["tools"].as_array().unwrap().clone();
    let count = |name: &str| tools.iter().filter(|tool| tool["function"]["name"] == name).count();
    assert_eq!((count("show"), count("Shell")), (1, 1));
    let results = results(&server);
    assert!(results[0].contains(r#"a b|{\"n\":1}|sk-test|notes"#), "{}", results[0]);
    assert!(results[1].contains("must be"), "{}", results[1]);
    assert!(results[2].contains("why"), "{}", results[2]);
    assert!(results[3].contains("The output is cut."), "{:.200}", results[3]);
    assert!(results[3].chars().count() < 110_000, "{}", results[3].len());
    // The key is nowhere on the disk.
    for entry in std::fs::read_dir(home.path("share/plugins/notes")).unwrap().flatten() {
        assert!(!std::fs::read_to_string(entry.path()).unwrap().contains("sk-test"));
    }
    assert_eq!(home.run(&["plugin", "remove", "notes"]).well().out, "Removed plugin 'notes'.\n");
    for words in [["remove", "notes"], ["info", "notes"], ["remove", "../sessions"]] {
        let ran = home.run(&["plugin", words[0], words[1]]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("not found."), "{ran:?}");
    }
    assert!(home.path("share/sessions").exists());
}

/// What is left of the plugins' directory: a failed installation leaves nothing.
fn left(home: &Home) -> Vec<String> {
    let entries = std::fs::read_dir(home.path("share/plugins")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn shell(dir: &Path, line: &str) {
    let ran = Command::new("sh").arg("-c").arg(line).current_dir(dir).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

#[test]
fn archives_and_repositories_are_installed() {
    let home = Home::bare();
    plugin(&home, "many/one", "one", json!({}));
    plugin(&home, "many/two", "two", json!({}));
    // One level deep, and several of them.
    let several = home.run(&["plugin", "install", home.path("many").to_str().unwrap()]);
    assert_eq!(several.code, Some(1));
    assert!(several.err.contains("name one of them: one, two"), "{several:?}");
    // A repository, as a whole and a directory of it.
    shell(
        &home.path("many"),
        "git init -q . && git add . && git -c user.name=t -c user.email=t@t commit -qm x \
         && git clone -q --bare . ../many.git",
    );
    let url = format!("file://{}", home.path("many.git").display());
    let ran = home.run(&["plugin", "install", &format!("{url}/two")]);
    assert!(ran.well().out.contains("'two'"), "{ran:?}");
    assert_eq!(left(&home), ["two"]);
    for (sub, why) in [("/three", "no directory three"), ("", "name one of them")] {
        let ran = home.run(&["plugin", "install", &format!("{url}{sub}")]);
        assert!(ran.code == Some(1) && ran.err.contains(why), "{ran:?}");
    }
    let gone = home.run(&["plugin", "install", "file:///no/such/place.git"]);
    assert!(gone.code == Some(1) && gone.err.contains("git clone failed"), "{gone:?}");
    let nowhere = Home::bare().var("PATH", "/nowhere");
    let ran = nowhere.run(&["plugin", "install", &url]);
    assert!(ran.code == Some(1) && ran.err.contains("git is not installed"), "{ran:?}");
    // An archive, one level deep, in place of what is there.
    plugin(&home, "new/inner", "two", json!({"version": "2"}));
    let zip = home.path("p.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    for name in ["plugin.json", "show.sh"] {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
        writer.start_file(format!("inner/{name}"), options).unwrap();
        let bytes = std::fs::read(home.path(&format!("new/inner/{name}"))).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap();
    home.run(&["plugin", "install", zip.to_str().unwrap()]).well();
    assert_eq!(home.run(&["plugin", "list"]).well().out, "  two v2 (installed)\n");
    // The same over HTTP.
    home.run(&["plugin", "remove", "two"]).well();
    let url = serve(std::fs::read(&zip).unwrap());
    home.run(&["plugin", "install", &format!("{url}/p.zip")]).well();
    assert_eq!(left(&home), ["two"]);
}

/// Answers one request with these bytes.
fn serve(bytes: Vec<u8>) -> String {
    use std::io::Read as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        drop(stream.read(&mut head));
        let length = bytes.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&bytes).unwrap();
    });
    url
}

#[test]
fn a_hostile_archive_leaves_nothing() {
    let home = Home::bare();
    let zip = home.path("bad.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    writer.start_file("plugin.json", options).unwrap();
    writer.write_all(br#"{"name":"bad","version":"1"}"#).unwrap();
    writer.start_file("../../escaped", options).unwrap();
    writer.finish().unwrap();
    let ran = home.run(&["plugin", "install", zip.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("outside of the plugin"), "{ran:?}");
    assert!(left(&home).is_empty(), "{:?}", left(&home));
    assert!(!home.path("share/escaped").exists() && !home.path("escaped").exists());
}
