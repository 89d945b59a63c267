//! Instances come, are told apart, and go.

use super::{ctl, listed};
use crate::support::model_server::Reply;
use crate::tui::world::World;

fn world() -> World {
    World::new(vec![Reply::new().text("Here I am.")])
}

#[test]
fn an_instance_is_listed_until_it_leaves() {
    let world = world();
    let ran = ctl(&world, &["list"]);
    assert_eq!((ran.well().out.as_str(), ran.err.as_str()), ("", "no running instance\n"));
    let kimi = world.start(&[]);
    let instance = &listed(&world, 1)[0];
    assert_eq!(instance["state"], "idle");
    assert_eq!(instance["model"], "mock");
    assert_eq!(instance["mode"], "tui");
    assert_eq!(instance["pid"], kimi.pid().unwrap());
    assert_eq!(instance["cwd"], world.work().display().to_string());
    let table = ctl(&world, &["list"]).well().out.clone();
    assert!(table.starts_with("PANE ") && table.lines().count() == 2, "{table}");
    assert!(ctl(&world, &["state"]).well().out.starts_with("idle turn=0 "));
    assert_eq!(ctl(&world, &["wait"]).well().out, "idle\n");

    kimi.exit();
    assert!(listed(&world, 0).is_empty());
    assert_eq!(ctl(&world, &["state"]).code, Some(1));
}

#[test]
fn what_was_killed_disappears() {
    let world = world();
    let mut kimi = world.start(&[]);
    listed(&world, 1);
    let waits = super::start(&world, &["wait", "--state", "busy"], "");
    kimi.kill();
    let waited = super::end(waits);
    assert!(waited.code == Some(12) || waited.code == Some(1), "{waited:?}");
    listed(&world, 0);
    let left: Vec<_> = std::fs::read_dir(world.share().join("run")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn two_instances_are_told_apart() {
    let world = world();
    let (first, second) = (world.start(&[]), world.start(&[]));
    let all = listed(&world, 2);
    let ran = ctl(&world, &["send", "hi"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("2 running instances. Choose one with --pane"), "{ran:?}");
    for instance in &all {
        assert!(ran.err.contains(&instance["pid"].to_string()), "{ran:?}");
        let session = instance["session"].as_str().unwrap();
        let same = ctl(&world, &["state", "--json", "--session", session]);
        assert!(same.well().out.contains(&format!("\"pid\":{}", instance["pid"])), "{same:?}");
    }
    let pid = second.pid().unwrap().to_string();
    let ran = ctl(&world, &["send", "--wait", "--pid", &pid, "hi"]);
    assert_eq!(ran.well().out, "Here I am.");
    second.wait_text("• Here I am.");
    assert!(!first.screen_text().contains("Here I am."));
}

#[test]
fn a_stopped_one_says_so_and_is_sent_nothing() {
    let world = world();
    let kimi = world.start(&[]);
    listed(&world, 1);
    let signal = |signal| {
        let pid = i32::try_from(kimi.pid().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
    };
    signal(rustix::process::Signal::STOP);
    let phase = || listed(&world, 1)[0]["phase"].clone();
    let deadline = std::time::Instant::now() + super::PATIENCE;
    while phase() != "stopped" {
        assert!(std::time::Instant::now() < deadline, "it never stopped");
    }
    let start = std::time::Instant::now();
    assert_eq!(listed(&world, 1)[0]["state"], "busy");
    let state = ctl(&world, &["state"]).well().out.clone();
    assert!(state.starts_with("busy turn=0 phase=stopped "), "{state}");
    for words in [&["send", "hi"][..], &["send", "--wait", "hi"], &["interrupt"], &["last"]] {
        let ran = ctl(&world, words);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.err.contains("is stopped"), "{ran:?}");
    }
    for words in [&["send", "--wait", "--timeout", "0.3", "hi"][..], &["wait", "--timeout", "0.3"]]
    {
        assert_eq!(ctl(&world, words).code, Some(124));
    }
    // The patience with one that does not answer is 5 s each.
    assert!(start.elapsed() < std::time::Duration::from_secs(15), "{:?}", start.elapsed());
    let waits = super::start(&world, &["send", "--wait", "--timeout", "60", "hi"], "");
    signal(rustix::process::Signal::CONT);
    assert_eq!(super::end(waits).well().out, "Here I am.");
    assert_eq!(world.server().requests().len(), 1, "what was refused was not kept");
}
