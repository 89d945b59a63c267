use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use super::*;
use crate::front::control::portrait::{Facts, Portrait};
use crate::front::control::testing::{approval, status};
use crate::platform::env::fixed;
use crate::protocol::control::Mode;

/// A pane whose tmux is this script; it runs with `log` as a function that keeps its arguments.
fn pane(dir: &Path, script: &str) -> Pane {
    let (tmux, log) = (dir.join("tmux"), dir.join("log"));
    let head = format!("#!/bin/sh\nlog() {{ echo \"$*\" >> '{}'; }}\n", log.display());
    fs::write(&tmux, head + script).unwrap();
    fs::set_permissions(&tmux, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.display());
    let vars = [("TMUX", "/s,1,0"), ("TMUX_PANE", "%3"), ("PATH", path.as_str())];
    Pane::of(&fixed::env(dir, &vars)).unwrap()
}

fn log(dir: &Path) -> Vec<String> {
    let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

fn instance(state: State, turn: u64) -> Instance {
    let facts = Facts::new(Mode::Tui, &fixed::env("/h", &[]));
    let mut portrait = Portrait::default();
    portrait.update(&status(state, turn), &facts, 0.0);
    if state == State::Exited {
        portrait.leave(0.0);
    }
    (*portrait.instance.unwrap()).clone()
}

async fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "it never came to that");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[test]
fn there_is_no_pane_outside_tmux() {
    for vars in [&[("TMUX", "/s,1,0")][..], &[("TMUX_PANE", "%3")], &[]] {
        assert!(Pane::of(&fixed::env("/h", vars)).is_none());
    }
}

#[test]
fn states_are_words() {
    assert_eq!(words(&instance(State::Idle, 0)), "idle turn=0");
    assert_eq!(words(&instance(State::Busy, 4)), "busy turn=4");
    let ask = Instance { ask: Some(approval("a1")), ..instance(State::Ask, 4) };
    assert_eq!(words(&ask), "ask turn=4 kind=approval");
    assert_eq!(words(&instance(State::Exited, 4)), "exited");
}

#[tokio::test]
async fn states_that_pile_up_are_skipped_but_no_end_of_a_turn_is() {
    let dir = tempfile::tempdir().unwrap();
    let go = dir.path().join("go");
    // The first one takes until the others are there.
    let script = format!("while [ ! -e '{}' ]; do sleep 0.01; done; log \"$@\"", go.display());
    let (tell, states) = watch::channel(None);
    let pane = pane(dir.path(), &format!("touch '{0}.began'; {script}", go.display()));
    let following = tokio::spawn(pane.follow(states));
    tell.send_replace(Some(Arc::new(instance(State::Idle, 0))));
    until(|| dir.path().join("go.began").exists()).await;
    for turn in 1..=3 {
        tell.send_replace(Some(Arc::new(instance(State::Busy, turn))));
        tell.send_replace(Some(Arc::new(instance(State::Idle, turn))));
    }
    fs::write(&go, "").unwrap();
    until(|| log(dir.path()).len() == 2).await;
    // The same once more is nothing new.
    tell.send_replace(Some(Arc::new(instance(State::Idle, 3))));
    tell.send_replace(Some(Arc::new(instance(State::Busy, 4))));
    until(|| log(dir.path()).len() == 3).await;
    tell.send_replace(Some(Arc::new(Instance { turn: 4, ..instance(State::Exited, 4) })));
    following.await.unwrap();
    assert_eq!(
        log(dir.path()),
        [
            "set-option -p -t %3 @kimi_state idle turn=0",
            "set-option -p -t %3 @kimi_state idle turn=3 ; wait-for -S kimi-%3-1 ; \
             wait-for -S kimi-%3-2 ; wait-for -S kimi-%3-3",
            "set-option -p -t %3 @kimi_state busy turn=4",
            "set-option -p -t %3 @kimi_state exited ; wait-for -S kimi-%3-4",
        ]
    );
}

#[test]
fn a_flood_of_turns_comes_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let mut pane = pane(dir.path(), "");
    let flood = instance(State::Idle, 250);
    let mut signals = Vec::new();
    while let Some(arguments) = pane.news(&flood) {
        signals.push(arguments.iter().filter(|it| *it == "wait-for").count());
    }
    assert_eq!(signals, [100, 100, 50]);
}

#[tokio::test]
async fn after_a_failure_tmux_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let failing = pane(dir.path(), "log \"$@\"; exit 1");
    let (tell, states) = watch::channel(None);
    tell.send_replace(Some(Arc::new(instance(State::Idle, 0))));
    failing.follow(states).await;
    assert_eq!(log(dir.path()).len(), 1);
    assert!(tell.is_closed());

    let (tell, states) = watch::channel(None);
    let mut missing = pane(dir.path(), "");
    let nowhere = dir.path().to_str().unwrap().to_owned() + "/none";
    missing.env = fixed::env(dir.path(), &[("PATH", &nowhere)]);
    tell.send_replace(Some(Arc::new(instance(State::Idle, 0))));
    missing.follow(states).await;
}

#[tokio::test]
async fn one_that_hangs_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let pane = pane(dir.path(), "log $$; exec sleep 300");
    let (tell, states) = watch::channel(None);
    tell.send_replace(Some(Arc::new(instance(State::Idle, 0))));
    let start = Instant::now();
    pane.follow(states).await;
    assert!(start.elapsed() >= PATIENCE);
    let pid = log(dir.path())[0].parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
    until(|| rustix::process::test_kill_process(pid).is_err()).await;
}

/// A tmux server of its own, gone with this.
struct Server {
    socket: std::path::PathBuf,
}

impl Server {
    fn start(dir: &Path) -> Option<Self> {
        let server = Self { socket: dir.join("server") };
        let started = server.tmux(&["-f", "/dev/null", "new-session", "-d", "sleep 300"]);
        started.is_ok_and(|output| output.status.success()).then_some(server)
    }

    fn tmux(&self, arguments: &[&str]) -> std::io::Result<std::process::Output> {
        let mut command = std::process::Command::new("tmux");
        command.env_remove("TMUX").arg("-S").arg(&self.socket).args(arguments).output()
    }

    fn shows(&self) -> String {
        let output = self.tmux(&["list-panes", "-a", "-F", "#{pane_id} #{@kimi_state}"]).unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

// Waiting for tmux holds this thread; the pane is followed by another.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_real_tmux_shows_the_state_and_wakes_who_waits() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(dir.path()) else {
        eprintln!("skipped: there is no tmux");
        return;
    };
    let path = std::env::var("PATH").unwrap();
    let tmux = format!("{},1,0", server.socket.display());
    let vars = [("TMUX", tmux.as_str()), ("TMUX_PANE", "%0"), ("PATH", path.as_str())];
    let pane = Pane::of(&fixed::env(dir.path(), &vars)).unwrap();
    let (tell, states) = watch::channel(None);
    let following = tokio::spawn(pane.follow(states));
    tell.send_replace(Some(Arc::new(instance(State::Busy, 1))));
    until(|| server.shows() == "%0 busy turn=1").await;
    tell.send_replace(Some(Arc::new(instance(State::Idle, 1))));
    // Whether this comes before or after the signal, it returns.
    assert!(server.tmux(&["wait-for", "kimi-%0-1"]).unwrap().status.success());
    until(|| server.shows() == "%0 idle turn=1").await;
    tell.send_replace(Some(Arc::new(instance(State::Exited, 1))));
    following.await.unwrap();
    assert_eq!(server.shows(), "%0 exited");
}
