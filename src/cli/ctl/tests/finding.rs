//! Which instances there are, and which one is meant.

use std::os::unix::net::UnixListener;

use super::{World, with_state};
use crate::front::text::width;
use crate::protocol::control::{Instance, Mode, State};
use crate::store::{RunDir, ShareDir};

fn running(world: &World, instance: &Instance) {
    world.script(instance, &[("state", vec![with_state(instance)])]);
}

/// An instance with this pid is chosen by these words.
fn chosen(world: &World, words: &[&str]) -> u64 {
    let ran = world.ctl(&[&["state", "--json"], words].concat());
    assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    let state: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    state["pid"].as_u64().unwrap()
}

#[test]
fn nothing_runs() {
    let world = World::new();
    let ran = world.ctl(&["list"]);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", "no running instance\n"));
    let ran = world.ctl(&["list", "--json"]);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "[]\n", ""));
    for words in [&["state"][..], &["wait"], &["last"], &["send", "x"], &["answer", "1"]] {
        let ran = world.ctl(words);
        assert_eq!((ran.code, &*ran.out), (1, ""), "{words:?}");
        assert!(ran.err.contains("no running instance"), "{ran:?}");
    }
}

#[test]
fn the_list_has_a_line_for_each() {
    let mut world = World::new();
    let mut busy = world.instance(7);
    (busy.state, busy.phase) = (State::Busy, Some("tool:Shell".to_owned()));
    running(&world, &busy);
    running(&world, &world.instance(12));
    let ran = world.ctl(&["list"]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    let lines: Vec<Vec<&str>> =
        ran.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 3, "{}", ran.out);
    assert_eq!(lines[0].join(" "), "PANE PID STATE TURN PHASE FOR MODEL CTX SESSION CWD");
    let session = "00000007-aaaa-4000-8000-000000000001";
    let expected = ["%7", "7", "busy", "3", "tool:Shell", "0s", "k2", "5%", session, "~/project"];
    // The age may be a second by now.
    assert_eq!(lines[1][..5], expected[..5]);
    assert_eq!(lines[1][6..], expected[6..]);
    assert_eq!(lines[2][2..5], ["idle", "3", "-"]);

    let all: Vec<Instance> = serde_json::from_str(&world.ctl(&["list", "--json"]).out).unwrap();
    assert_eq!(all.iter().map(|instance| instance.pid).collect::<Vec<_>>(), [7, 12]);

    let mut far = world.instance(4_194_304);
    far.cwd = world.path(&"very/".repeat(40)).display().to_string();
    (far.phase, far.model) = (Some("tool:SomeLongToolName".to_owned()), Some("m".repeat(60)));
    running(&world, &far);
    world.columns = Some(80);
    let ran = world.ctl(&["list"]);
    assert_eq!(ran.out.lines().count(), 4);
    assert!(ran.out.lines().all(|line| width(line) <= 80), "{}", ran.out);
    assert!(ran.out.lines().last().unwrap().contains("04194304"), "{}", ran.out);
}

#[test]
fn the_dead_are_not_listed_and_do_not_stay() {
    let world = World::new();
    let dead = world.instance(9);
    world.run_dir().write(&dead).unwrap();
    drop(UnixListener::bind(dead.socket.as_ref().unwrap()).unwrap());
    assert_eq!(world.ctl(&["list"]).err, "no running instance\n");
    assert!(!world.run_dir().state_file(9).exists());
}

#[test]
fn instances_of_kimi_codes_directory_are_listed_too() {
    let moved = ("KIMI_SHARE_DIR", "share");
    for (vars, listed) in [
        (&[][..], &[7, 8][..]),
        (&[("KIMI_CODE_HOME", "code")], &[7, 8]),
        (&[moved, ("KIMI_CODE_HOME", "code")], &[7, 8]),
        (&[moved, ("KIMI_CODE_HOME", "share")], &[7]),
        (&[moved], &[7]),
    ] {
        let world = World::with_vars(vars);
        running(&world, &world.instance(7));
        let code = RunDir::new(&ShareDir::of_code(&world.env), &world.env);
        let mut theirs = world.instance(8);
        theirs.socket = code.socket_path(8).map(|path| path.display().to_string());
        let mut listeners = Vec::new();
        if code.path() != world.run_dir().path() {
            code.write(&theirs).unwrap();
            listeners.push(UnixListener::bind(theirs.socket.as_ref().unwrap()).unwrap());
            // The same process through a link.
            code.write(&world.instance(7)).unwrap();
        }
        let ran = world.ctl(&["list", "--json"]);
        let all: Vec<Instance> = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(all.iter().map(|one| one.pid).collect::<Vec<_>>(), listed, "{vars:?}");
        // One that cannot be trusted keeps nobody from the own ones.
        if listeners.pop().is_some() {
            std::fs::remove_dir_all(code.path()).unwrap();
            std::os::unix::fs::symlink("/", code.path()).unwrap();
            let all: Vec<Instance> =
                serde_json::from_str(&world.ctl(&["list", "--json"]).out).unwrap();
            assert_eq!(all.iter().map(|one| one.pid).collect::<Vec<_>>(), [7], "{vars:?}");
        }
    }
}

#[test]
fn an_instance_is_named_in_several_ways() {
    let world = World::new();
    let mut elsewhere = world.instance(5);
    elsewhere.cwd = world.path("other").display().to_string();
    std::fs::create_dir(world.path("other")).unwrap();
    running(&world, &elsewhere);
    assert_eq!(chosen(&world, &[]), 5);
    running(&world, &world.instance(6));
    assert_eq!(chosen(&world, &["--pane", "%6"]), 6);
    assert_eq!(chosen(&world, &["--pane", "5"]), 5);
    assert_eq!(chosen(&world, &["--pid", "6"]), 6);
    assert_eq!(chosen(&world, &["--session", "00000005"]), 5);
    assert_eq!(chosen(&world, &["--cwd", "project"]), 6);
    assert_eq!(chosen(&world, &["--cwd", "./x/../other/"]), 5);
    assert_eq!(chosen(&world, &["--session", "0000000", "--pid", "6"]), 6);

    for words in [&[][..], &["--session", "0000000"]] {
        let ran = world.ctl(&[&["state"], words].concat());
        assert_eq!((ran.code, &*ran.out), (1, ""));
        assert!(ran.err.contains("2 running instances"), "{ran:?}");
        assert!(ran.err.contains("%5 ") && ran.err.contains("%6 "), "{ran:?}");
    }
    let ran = world.ctl(&["state", "--pane", "%7"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no running instance in pane %7. There is:"), "{ran:?}");
    let ran = world.ctl(&["state", "--pid", "x"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.ends_with("'--pid': 'x' is not a valid integer range.\n"), "{ran:?}");
}

#[test]
fn a_whole_session_id_is_not_the_beginning_of_another() {
    let world = World::new();
    for (pid, session) in [(5, "abc"), (6, "abcd")] {
        running(&world, &Instance { session: session.to_owned(), ..world.instance(pid) });
    }
    assert_eq!(chosen(&world, &["--session", "abc"]), 5);
    assert_eq!(chosen(&world, &["--session", "abcd"]), 6);
    assert_eq!(world.ctl(&["state", "--session", "ab"]).code, 1);
}

#[test]
fn a_pane_of_our_own_tmux_server_goes_first() {
    let both = |world: &World| {
        for (pid, server) in [(5, "/tmp/tmux-0/a"), (6, "/tmp/tmux-0/b")] {
            let mut instance = world.instance(pid);
            instance.tmux_pane = Some("%1".to_owned());
            instance.tmux_socket = Some(server.to_owned());
            running(world, &instance);
        }
    };
    let outside = World::new();
    both(&outside);
    let ran = outside.ctl(&["state", "--pane", "%1"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("2 running instances in pane %1."), "{ran:?}");
    assert_eq!(chosen(&outside, &["--pane", "%1", "--pid", "5"]), 5);

    let inside = World::with_vars(&[("TMUX", "/tmp/tmux-0/b,12,0")]);
    both(&inside);
    assert_eq!(chosen(&inside, &["--pane", "%1"]), 6);

    let third = World::with_vars(&[("TMUX", "/tmp/tmux-0/c,12,0")]);
    both(&third);
    assert_eq!(third.ctl(&["state", "--pane", "%1"]).code, 1);
}

#[test]
fn a_pane_is_that_of_the_screen_in_it() {
    let world = World::new();
    for (pid, mode) in [(5, Mode::Print), (6, Mode::Tui), (7, Mode::Tui), (8, Mode::Print)] {
        let tmux_pane = Some("%1".to_owned());
        running(&world, &Instance { mode, tmux_pane, ..world.instance(pid) });
    }
    // The screen that was started last lies over the other.
    assert_eq!(chosen(&world, &["--pane", "%1"]), 7);
    assert_eq!(chosen(&world, &["--pane", "%1", "--pid", "8"]), 8);
    // Without a pane nothing is preferred.
    assert!(world.ctl(&["state"]).err.contains("4 running instances"));

    let scripts = World::new();
    for pid in [5, 6] {
        let tmux_pane = Some("%1".to_owned());
        running(&scripts, &Instance { mode: Mode::Print, tmux_pane, ..scripts.instance(pid) });
    }
    assert_eq!(scripts.ctl(&["state", "--pane", "%1"]).code, 1);
}

#[test]
fn the_help_fits_80_columns() {
    let world = World::new();
    for command in ["list", "state", "wait", "watch", "last", "send", "answer", "interrupt"] {
        let help = world.ctl(&[command, "--help"]).out;
        assert!(help.contains(&format!("Usage: kimi ctl {command} [OPTIONS]")), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        assert!(!help.contains("--auto"), "{help}");
        let listed = world.ctl(&["--help"]).out;
        assert!(listed.lines().any(|line| line.trim_start().starts_with(command)), "{listed}");
    }
    assert!(world.ctl(&["--help"]).out.contains("Exit status:"));
    let ran = world.ctl(&[]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("Missing a command: list, state"), "{ran:?}");
    assert_eq!(world.ctl(&["dance"]).err, "No such command 'dance'.");
}
