//! A print run, seen and stopped from outside.

use serde_json::Value;

use super::{ctl, end, listed, start};
use crate::support::model_server::{Gate, Reply};
use crate::tui::world::World;

/// `kimi --print` in the world.
fn print(world: &World, words: &[&str]) -> std::process::Child {
    std::process::Command::new(env!("CARGO_BIN_EXE_kimi"))
        .args(words)
        .current_dir(world.work())
        .env_clear()
        .envs(world.env())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_print_run_is_listed_waited_for_and_gone() {
    let gate = Gate::new();
    let world = World::new(vec![Reply::new().text("Half").wait(&gate).text(" and half.")]);
    let run = print(&world, &["--print", "-p", "hi"]);
    let instance = &listed(&world, 1)[0];
    assert_eq!((&instance["mode"], &instance["pid"]), (&"print".into(), &run.id().into()));
    assert_eq!(ctl(&world, &["wait", "--state", "busy"]).well().out, "busy\n");
    let watch = start(&world, &["watch", "--json"], "");
    let waits = start(&world, &["wait", "--state", "exited"], "");
    let ran = ctl(&world, &["send", "--wait", "more"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    gate.open();
    assert_eq!(end(run).well().out, "Half and half.\n");
    let waited = end(waits);
    assert!(waited.code == Some(12) || waited.code == Some(1), "{waited:?}");
    let watched = end(watch);
    for line in watched.out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["mode"], "print");
    }
    listed(&world, 0);
}

#[test]
fn a_print_run_is_interrupted() {
    let world = World::new(vec![Reply::new().text("A long st").stall()]);
    let run = print(&world, &["--print", "-p", "hi"]);
    listed(&world, 1);
    assert_eq!(ctl(&world, &["wait", "--state", "busy"]).well().out, "busy\n");
    world.server().wait_for(1);
    assert_eq!(ctl(&world, &["interrupt"]).well().out, "interrupted turn 1\n");
    assert_eq!(end(run).code, Some(1));
    listed(&world, 0);
}
