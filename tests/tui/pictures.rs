//! Pictures in messages: dropped files, the clipboard, the history; and files that only look like one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::world::{Kimi, World, composed};
use crate::support::model_server::{Gate, Recorded, Reply};

fn world() -> World {
    let world = World::new(|_: &Recorded, _| Reply::new().text("Seen."));
    let config = world.share().join("config.toml");
    let seeing = "[models.seeing]\nprovider = \"mock\"\nmodel = \"seeing-model\"\n\
                  max_context_size = 262144\ncapabilities = [\"thinking\", \"image_in\"]\n";
    let config_text = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, config_text + seeing).expect("a configuration");
    world
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(width, height, image::Rgb([9, 99, 199]));
    image.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture");
    bytes.into_inner()
}

fn paste(kimi: &mut Kimi, text: &str) {
    kimi.send(format!("\x1b[200~{text}\x1b[201~"));
}

/// The label in the composer.
fn label(rows: &[String]) -> Option<String> {
    let text = composed(rows);
    let from = text.find("[image:")?;
    let to = text[from..].find(']')?;
    Some(text[from..=from + to].to_owned())
}

/// The parts of the last message of the user.
fn last_parts(request: &Recorded) -> Vec<Value> {
    let messages = request.body["messages"].as_array().expect("messages");
    let user = messages.iter().rev().find(|message| message["role"] == "user").expect("a message");
    user["content"].as_array().cloned().unwrap_or_else(|| panic!("{user}"))
}

#[test]
fn a_dropped_picture_goes_out_in_its_place_and_comes_back_from_the_history() {
    let world = world();
    let file = world.file("my shot.png", png(64, 48));
    let mut kimi = world.start(&["--model", "seeing"]);
    kimi.send("what is ");
    kimi.wait_text("what is");
    paste(&mut kimi, &format!("'{}' ", file.display()));
    let rows = kimi.wait_text("[image:my-shot-");
    let shown = label(&rows).expect("a label");
    assert!(shown.ends_with(".png,64x48]"), "{shown}");
    kimi.send("here?");
    kimi.wait_text("here?");
    kimi.send("\r");
    kimi.wait_closed(1);
    let parts = last_parts(&world.server().requests()[0]);
    let at = parts.iter().position(|part| part["type"] == "image_url").expect("a picture");
    let text = |at: usize| parts[at]["text"].as_str().unwrap_or_default().to_owned();
    assert!(text(at - 2).ends_with("what is "), "{parts:?}");
    assert!(text(at - 1).starts_with("<image path="), "{parts:?}");
    assert!(text(at - 1).contains(&format!("source=\"{}\"", file.display())), "{parts:?}");
    assert_eq!((text(at + 1).as_str(), text(at + 2).as_str()), ("</image>", " here?"));
    let url = parts[at]["image_url"]["url"].as_str().expect("a URL");
    assert!(url.starts_with("data:image/png;base64,"));
    // The record has the same parts.
    let wire = std::fs::read_to_string(world.session_dir().join("wire.jsonl")).expect("a record");
    let begun: Value = wire
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|record| record["message"]["type"] == "TurnBegin")
        .expect("a turn");
    let input = &begun["message"]["payload"]["user_input"];
    assert_eq!(input[0], json!({"type": "text", "text": "what is "}), "{input}");
    assert_eq!(input[2]["image_url"], json!({"url": url, "id": null}));

    // Again, in another process, when the file itself is long gone.
    assert_eq!(kimi.exit(), 0);
    std::fs::remove_file(&file).expect("removed");
    let mut kimi = world.start(&["--model", "seeing"]);
    kimi.send("\x12what is");
    kimi.wait_text(&shown);
    kimi.send("\x1b[C");
    kimi.wait_for_rows("the message", |rows| composed(rows).starts_with("what is"));
    kimi.send("\r");
    kimi.wait_closed(1);
    let again = last_parts(&world.server().requests()[1]);
    assert!(again.iter().any(|part| part["image_url"]["url"] == url), "{again:?}");
}

#[test]
fn a_picture_is_one_key_to_delete_and_waits_in_the_queue() {
    let gate = Gate::new();
    let held = gate.clone();
    let slow = World::new(move |_: &Recorded, n: usize| match n {
        0 => Reply::new().text("First ").wait(&held).text("done."),
        _ => Reply::new().text("Seen."),
    });
    let config = slow.share().join("config.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, text.replace("[\"thinking\"]", "[\"thinking\", \"image_in\"]"))
        .expect("a configuration");
    let file = slow.file("a.png", png(5, 4));
    let mut kimi = slow.start(&[]);
    kimi.ask("first");
    paste(&mut kimi, &file.display().to_string());
    kimi.wait_text("[image:a-");
    kimi.send("\x7f\x7f");
    kimi.wait_gone("[image:a-");
    paste(&mut kimi, &file.display().to_string());
    kimi.wait_text("[image:a-");
    kimi.send("look\r");
    kimi.wait_text("❯ [image:a-");
    // Out of the queue and back into it.
    kimi.send("\x1b[A");
    kimi.wait_gone("❯ [image:a-");
    kimi.send("\r");
    kimi.wait_text("❯ [image:a-");
    gate.open();
    kimi.wait_closed(2);
    let parts = last_parts(&slow.server().requests()[1]);
    assert_eq!(parts.iter().filter(|part| part["type"] == "image_url").count(), 1, "{parts:?}");
}

#[test]
fn what_is_no_picture_stays_text_and_says_why() {
    let world = world();
    let file = |name: &str, bytes: &[u8]| world.file(name, bytes);
    let pipe = world.work().join("pipe.png");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a pipe");
    let folder = world.work().join("dir.png");
    std::fs::create_dir(&folder).expect("a directory");
    let huge = world.work().join("huge.png");
    let sparse = std::fs::File::create(&huge).expect("a file");
    sparse.set_len((100 << 20) + 1).expect("a length");
    let cases: Vec<(PathBuf, &str)> = vec![
        (file("text.png", b"no pixels"), "text.png is not a picture"),
        (folder, "dir.png is a directory"),
        (pipe, "pipe.png is not a regular file"),
        (huge, "huge.png is larger than 100 MiB"),
        (file("torn.png", &png(9, 9)[..50]), "torn.png cannot be read as a picture"),
    ];
    let mut kimi = world.start_sized(&["--model", "seeing"], (160, 30));
    for (path, why) in cases {
        paste(&mut kimi, &path.display().to_string());
        let rows = kimi.wait_text(why);
        assert!(composed(&rows).contains(path.to_str().expect("text")), "{rows:?}");
        // Ctrl-C clears the line; what was said goes by itself or is replaced by the next.
        kimi.send("\x03");
        kimi.wait_for_rows("an empty line", crate::support::screen::is_idle);
    }
    assert!(world.server().requests().is_empty());
}

#[test]
fn a_model_that_cannot_see_gets_the_path() {
    let world = world();
    let file = world.file("a.png", png(5, 4));
    let mut kimi = world.start_sized(&[], (160, 30));
    paste(&mut kimi, &file.display().to_string());
    kimi.wait_text("takes no pictures: the path is sent as text");
    kimi.send("\r");
    kimi.wait_closed(1);
    let sent = world.server().requests()[0].last_user_text();
    assert_eq!(sent, file.display().to_string());
}

#[test]
fn an_enter_in_the_same_breath_sends_what_was_pasted() {
    let world = world();
    let file = world.file("a.png", png(5, 4));
    let mut kimi = world.start(&["--model", "seeing"]);
    kimi.send(format!("\x1b[200~{}\x1b[201~\r", file.display()));
    kimi.wait_closed(1);
    assert_eq!(world.server().requests().len(), 1);
    kimi.wait_for_rows("nothing is left in the composer", |rows| {
        composed(rows).trim().is_empty() || !composed(rows).contains("[image:")
    });
}

#[test]
fn the_clipboard_is_asked_for_a_picture_first() {
    let world = world();
    let bin = world.home().join("bin");
    std::fs::create_dir_all(&bin).expect("a directory");
    std::fs::write(world.home().join("clip.png"), png(7, 3)).expect("a file");
    let script = "#!/bin/sh\ncase \"$*\" in\n*TARGETS*) echo image/png;;\n\
                  *image/png*) cat \"$HOME/clip.png\";;\n*) echo some text;;\nesac\n";
    let xclip = bin.join("xclip");
    std::fs::write(&xclip, script).expect("a script");
    std::fs::set_permissions(&xclip, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let vars = [("PATH", path.as_str()), ("DISPLAY", ":77")];
    let mut kimi = world.start_with(&["--model", "seeing"], &vars, (100, 30));
    kimi.send("\x16");
    let rows = kimi.wait_text("[image:clipboard-");
    assert!(label(&rows).expect("a label").ends_with(".png,7x3]"));
    kimi.send("\r");
    kimi.wait_closed(1);
    let parts = last_parts(&world.server().requests()[0]);
    assert!(parts.iter().any(|part| part["type"] == "image_url"), "{parts:?}");
    assert_eq!(kimi.exit(), 0);
    // To a model that cannot see, the text.
    let mut kimi = world.start_with(&[], &vars, (100, 30));
    kimi.send("\x16");
    kimi.wait_text("some text");
}
