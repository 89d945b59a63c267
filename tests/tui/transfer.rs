//! `/fork`, `/export`, `/import` and sessions that are put away, on the screen.

use std::fs;
use std::path::PathBuf;

use super::interrupt::wait_until;
use super::world::{Kimi, World, closings, count};
use crate::store::past::{FOREIGN, damage, foreign};
use crate::support::model_server::{Recorded, Reply};
use crate::support::screen::is_idle;

fn world() -> World {
    World::new(|request: &Recorded, _| {
        Reply::new().text(format!("You said {}.", request.last_user_text()))
    })
}

/// The directories of all sessions of the project, in no order.
fn sessions(world: &World) -> Vec<PathBuf> {
    let below = |dir: PathBuf| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    below(world.share().join("sessions")).into_iter().flat_map(below).collect()
}

fn command(kimi: &mut Kimi, line: &str, answer: &str) -> Vec<String> {
    kimi.type_line(line);
    let rows = kimi.wait_text(answer);
    kimi.wait_for_rows("the prompt", is_idle);
    rows
}

fn title(session: &std::path::Path) -> String {
    let state = fs::read_to_string(session.join("state.json")).unwrap_or_default();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap_or_default();
    state["custom_title"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_fork_goes_on_and_the_session_stays_as_it_was() {
    let world = world();
    let mut kimi = world.start(&[]);
    command(&mut kimi, "/fork", "There is nothing to fork yet.");
    kimi.turn("apples");
    let old = world.session_dir();
    let bytes = fs::read(old.join("context.jsonl")).expect("a context");
    let id = old.file_name().expect("a name").to_string_lossy().into_owned();
    let rows = command(&mut kimi, "/fork the pear way", &format!("kimi -r {id}"));
    assert!(
        count(&rows, "↺ Resumed session ") == 1
            || kimi.history().iter().any(|row| row.contains("↺ Resumed session "))
    );
    kimi.turn("pears");
    let told = world.server().requests().pop().expect("a request").body["messages"].to_string();
    assert!(told.contains("apples") && told.contains("You said apples."), "{told}");
    assert_eq!(fs::read(old.join("context.jsonl")).expect("a context"), bytes);
    let fork = sessions(&world).into_iter().find(|dir| *dir != old).expect("a fork");
    assert!(fs::read(fork.join("context.jsonl")).expect("a context").starts_with(&bytes));
    assert_eq!((title(&old).as_str(), title(&fork).as_str()), ("apples", "the pear way"));
    // A fork can go back to before it was one.
    kimi.send("/undo 2\r");
    kimi.wait_for("the list", |screen| {
        screen.alternate_screen() && screen.contents().contains("apples")
    });
    kimi.send("\x1b");
    kimi.wait_for("the screen", |screen| !screen.alternate_screen());
    assert_eq!(kimi.exit(), 0);
    let mut kimi = world.start(&["-S", &id]);
    kimi.turn("plums");
    let told = world.server().requests().pop().expect("a request").body["messages"].to_string();
    assert!(told.contains("apples") && !told.contains("pears"), "{told}");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn forks_are_named_after_their_session_and_not_made_during_a_turn() {
    let gate = crate::support::model_server::Gate::new();
    let held = gate.clone();
    let world = World::new(move |request: &Recorded, _| match request.last_user_text().as_str() {
        "wait" => Reply::new().text("Hm").wait(&held).text("."),
        _ => Reply::new().text("ok"),
    });
    let mut kimi = world.start(&[]);
    kimi.turn("apples");
    kimi.ask("wait");
    kimi.type_line("/fork");
    kimi.wait_text("/fork is not available");
    assert_eq!(sessions(&world).len(), 1);
    let before = closings(&kimi.history());
    gate.open();
    kimi.wait_for_history("the end of the turn", |rows| closings(rows) > before);
    // It is still in the composer.
    kimi.send("\r");
    kimi.wait_text("To resume the session before");
    kimi.wait_for_rows("the prompt", is_idle);
    let mut titles: Vec<_> = sessions(&world).iter().map(|dir| title(dir)).collect();
    titles.sort();
    assert_eq!(titles, ["Fork: apples", "apples"]);
}

#[test]
fn what_is_exported_can_be_imported() {
    let world = world();
    let mut kimi = world.start_sized(&[], (80, 24));
    kimi.turn("apples");
    command(&mut kimi, "/export talk.md", "Exported 2 messages to");
    let text = fs::read_to_string(world.work().join("talk.md")).expect("an export");
    assert!(text.contains("### User\n\napples\n") && text.contains("You said apples."), "{text}");
    command(&mut kimi, "/import talk.md", "Imported file 'talk.md'");
    kimi.turn("and?");
    let told = world.server().requests().pop().expect("a request").body["messages"].to_string();
    assert!(
        told.contains("imported_context source=\\\"file 'talk.md'\\\"") && told.contains("and?"),
        "{told}"
    );
    command(&mut kimi, "/import nothing.md", "is neither a file nor a session");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn a_damaged_session_of_kimi_cli_is_shown_and_forked() {
    let world = world();
    let dir = foreign(&world.share(), &world.work());
    damage(&dir.join("context.jsonl"));
    damage(&dir.join("wire.jsonl"));
    let mut kimi = world.start(&["-r", FOREIGN]);
    let history = kimi.history();
    assert!(
        history.iter().any(|row| row.contains("I wrote hello.txt with two lines.")),
        "{history:?}"
    );
    assert!(history.iter().any(|row| row.contains("skipped")), "{history:?}");
    let before = fs::read(dir.join("wire.jsonl")).expect("a record");
    command(&mut kimi, "/fork", "Fork: write a file");
    kimi.turn("more");
    assert_eq!(fs::read(dir.join("wire.jsonl")).expect("a record"), before);
    assert_eq!(sessions(&world).len(), 2);
    let told = world.server().requests().pop().expect("a request").body["messages"].to_string();
    assert!(told.contains("I will write the file.") && told.contains("more"), "{told}");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn sessions_are_put_away_and_come_back() {
    let world = world();
    let away = foreign(&world.share(), &world.work());
    let archived = || {
        let state = fs::read_to_string(away.join("state.json")).expect("a state");
        serde_json::from_str::<serde_json::Value>(&state).expect("JSON")
    };
    let mut kimi = world.start(&[]);
    kimi.turn("apples");
    kimi.type_line("/sessions");
    kimi.wait_for("the list", |screen| {
        screen.alternate_screen() && screen.contents().contains("write a file")
    });
    // The open one has the mark.
    kimi.send("\x18");
    kimi.wait_text("The open session cannot be put away.");
    kimi.send("write");
    kimi.wait_text("1/1");
    kimi.send("\x18");
    kimi.wait_text("archived · write a file");
    wait_until("the state", || (archived()["archived"] == true).then_some(()));
    assert!(archived()["archived_at"].is_f64());
    kimi.send("\x18");
    kimi.wait_gone("archived · write a file");
    wait_until("the state", || (archived()["auto_archive_exempt"] == true).then_some(()));
    assert_eq!(archived()["archived"], false);
    // The first one is for the filter.
    kimi.send("\x1b");
    kimi.wait_text("type to filter");
    kimi.send("\x1b");
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn the_context_is_shown_as_it_is_stored() {
    let world = world();
    let dir = foreign(&world.share(), &world.work());
    damage(&dir.join("context.jsonl"));
    let mut kimi = world.start(&["-C"]);
    kimi.type_line("/debug");
    kimi.wait_for("the dump", |screen| {
        let text = screen.contents();
        screen.alternate_screen() && text.contains("4 messages") && text.contains("cannot be read")
    });
    kimi.wait_text("2 assistant");
    kimi.wait_text("(call WriteFile:0-6a8441) WriteFile");
    kimi.send("q");
    kimi.wait_for_rows("the prompt", is_idle);
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn the_doctor_comes_to_the_screen() {
    let world = world();
    let mut kimi = world.start_sized(&[], (80, 24));
    command(&mut kimi, "/doctor", "Grep and Glob are built in");
    let rows = kimi.history();
    assert!(rows.iter().any(|row| row.starts_with(" config ") && row.contains("✓")), "{rows:?}");
    assert!(!rows.iter().any(|row| row.contains("sk-test")), "{rows:?}");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn the_doctor_goes_by_the_configuration_of_the_command_line() {
    let world = world();
    let file = world.share().join("config.toml");
    let good = fs::read_to_string(&file).expect("a configuration");
    fs::write(&file, "default_model = [\n").expect("a broken file");
    let mut kimi = world.start_sized(&["--config", &good, "-m", "other"], (100, 30));
    command(&mut kimi, "/doctor", "Grep and Glob are built in");
    let rows = kimi.history();
    let told = |word: &str| rows.iter().find(|row| row.starts_with(&format!(" {word} "))).cloned();
    let config = told("config").unwrap_or_default();
    assert!(config.contains("✓ given on the command line"), "{rows:?}");
    assert!(told("model").unwrap_or_default().contains("✓ other ("), "{rows:?}");
    assert_eq!(kimi.exit(), 0);
}

#[test]
fn the_configuration_is_read_anew_and_the_session_goes_on() {
    let world = world();
    let config = world.share().join("config.toml");
    let mut kimi = world.start(&[]);
    kimi.turn("apples");
    let text = fs::read_to_string(&config).expect("a configuration");
    // One that is broken changes nothing.
    fs::write(&config, "default_model = ").expect("a file");
    command(&mut kimi, "/reload", "The configuration stays as it was.");
    kimi.turn("pears");
    let other = text.replace("default_model = \"mock\"", "default_model = \"other\"");
    fs::write(&config, other).expect("a file");
    command(&mut kimi, "/reload", "Read anew: ");
    kimi.wait_text("agent (other");
    kimi.turn("plums");
    let request = world.server().requests().pop().expect("a request");
    assert_eq!(request.body["model"], "other-model");
    assert!(request.raw.contains("apples") && request.raw.contains("pears"), "{}", request.raw);
    // The session is still ours alone: its turns can be undone.
    kimi.type_line("/undo");
    kimi.wait_for("the list", |screen| {
        screen.alternate_screen() && screen.contents().contains("apples")
    });
    kimi.send("\x1b");
    kimi.wait_for("the screen", |screen| !screen.alternate_screen());
    assert_eq!(sessions(&world).len(), 1);
    assert_eq!(kimi.exit(), 0);
}
