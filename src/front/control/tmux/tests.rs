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
    let asked = "display-message -p -t %3 #{@kimi_turns}";
    log.lines().filter(|line| *line != asked).map(str::to_owned).collect()
}

/// Whatever has become of it before: the channel is woken once.
fn signal(turn: u64) -> String {
    let channel = format!("kimi-%3-{turn}");
    format!("wait-for -L {channel} ; wait-for -U {channel} ; wait-for -S {channel}")
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
    let following = tokio::spawn(pane.follow(states, watch::channel(0).0));
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
            &format!(
                "set-option -p -t %3 @kimi_state idle turn=3 ; \
                 set-option -p -t %3 @kimi_turns 3 ; {} ; {} ; {}",
                signal(1),
                signal(2),
                signal(3)
            ),
            "set-option -p -t %3 @kimi_state busy turn=4",
            &format!(
                "set-option -p -t %3 @kimi_state exited ; \
                 set-option -p -t %3 @kimi_turns 4 ; {}",
                signal(4)
            ),
        ]
    );
}

#[test]
fn a_flood_of_turns_comes_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let mut pane = pane(dir.path(), "");
    let flood = instance(State::Idle, 250);
    let mut signals = Vec::new();
    while let Some(news) = pane.news(&flood) {
        signals.push(news.arguments.iter().filter(|it| *it == "-S").count());
        // tmux takes no more than 16 KB.
        assert!(news.arguments.iter().map(|it| it.len() + 1).sum::<usize>() < 12 << 10);
        pane.signalled = news.signalled;
        pane.words = news.words;
    }
    assert_eq!(signals, [100, 100, 50]);

    (pane.stale, pane.signalled) = (Some(250), 0);
    let mut cleared = 0;
    while let Some(news) = pane.news(&flood).filter(|_| pane.stale != Some(0)) {
        cleared += news.arguments.iter().filter(|it| *it == "-U").count();
        assert!(!news.arguments.iter().any(|it| it == "-S"));
        pane.stale = Some(news.stale);
    }
    assert_eq!(cleared, 250);
}

#[tokio::test]
async fn after_a_failure_tmux_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let failing = pane(dir.path(), "log \"$@\"; exit 1");
    let (tell, states) = watch::channel(None);
    tell.send_replace(Some(Arc::new(instance(State::Idle, 0))));
    failing.follow(states, watch::channel(0).0).await;
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap().lines().count(), 1);
    assert!(tell.is_closed());

    let (tell, states) = watch::channel(None);
    let mut missing = pane(dir.path(), "");
    let nowhere = dir.path().to_str().unwrap().to_owned() + "/none";
    missing.env = fixed::env(dir.path(), &[("PATH", &nowhere)]);
    tell.send_replace(Some(Arc::new(instance(State::Idle, 0))));
    missing.follow(states, watch::channel(0).0).await;
}

#[tokio::test]
async fn one_that_hangs_is_killed_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let go = dir.path().join("go");
    let script = format!("[ -e '{}' ] || {{ log $$; exec sleep 300; }}; log \"$@\"", go.display());
    let pane = pane(dir.path(), &script);
    let (tell, states) = watch::channel(None);
    let (told, mut shown) = watch::channel(0);
    let start = Instant::now();
    let following = tokio::spawn(pane.follow(states, told));
    let pid = |line: usize| {
        log(dir.path())[line].parse().ok().and_then(rustix::process::Pid::from_raw).unwrap()
    };
    let gone = |pid| rustix::process::test_kill_process(pid).is_err();
    tell.send_replace(Some(Arc::new(instance(State::Busy, 1))));
    until(|| log(dir.path()).len() == 1).await;
    // What comes while it hangs is not lost, and no second one runs beside it.
    tell.send_replace(Some(Arc::new(instance(State::Idle, 1))));
    until(|| log(dir.path()).len() == 2).await;
    assert!(start.elapsed() >= PATIENCE);
    until(|| gone(pid(0))).await;
    // Nothing changes any more: it is tried by itself.
    until(|| gone(pid(1))).await;
    fs::write(&go, "").unwrap();
    until(|| log(dir.path()).len() > 2).await;
    shown.wait_for(|seq| *seq > 0).await.unwrap();
    let said = "set-option -p -t %3 @kimi_state idle turn=1 ; \
                set-option -p -t %3 @kimi_turns 1";
    assert_eq!(log(dir.path())[2..], [format!("{said} ; {}", signal(1))]);
    // One that hangs at the end is not waited for.
    fs::remove_file(&go).unwrap();
    tell.send_replace(Some(Arc::new(instance(State::Exited, 1))));
    following.await.unwrap();
    until(|| gone(pid(3))).await;
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

/// The first pane of the server.
fn real(dir: &Path, server: &Server) -> Pane {
    let path = std::env::var("PATH").unwrap();
    let tmux = format!("{},1,0", server.socket.display());
    let vars = [("TMUX", tmux.as_str()), ("TMUX_PANE", "%0"), ("PATH", path.as_str())];
    Pane::of(&fixed::env(dir, &vars)).unwrap()
}

// Waiting for tmux holds this thread; the pane is followed by another.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_real_tmux_shows_the_state_and_wakes_who_waits() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(dir.path()) else {
        eprintln!("skipped: there is no tmux");
        return;
    };
    let pane = real(dir.path(), &server);
    let (tell, states) = watch::channel(None);
    let following = tokio::spawn(pane.follow(states, watch::channel(0).0));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_real_tmux_that_stood_still_catches_up() {
    use rustix::process::{Pid, Signal, kill_process};
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(dir.path()) else {
        eprintln!("skipped: there is no tmux");
        return;
    };
    let pid = server.tmux(&["display-message", "-p", "#{pid}"]).unwrap().stdout;
    let pid = String::from_utf8(pid).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
    let (tell, states) = watch::channel(None);
    let following = tokio::spawn(real(dir.path(), &server).follow(states, watch::channel(0).0));
    tell.send_replace(Some(Arc::new(instance(State::Busy, 1))));
    until(|| server.shows() == "%0 busy turn=1").await;
    kill_process(pid, Signal::STOP).unwrap();
    tell.send_replace(Some(Arc::new(instance(State::Idle, 1))));
    // Long enough for one attempt to have been given up and the next to hang.
    tokio::time::sleep(PATIENCE + PAUSE + PAUSE / 2).await;
    kill_process(pid, Signal::CONT).unwrap();
    until(|| server.shows() == "%0 idle turn=1").await;
    // It may have been told twice; the wake is there all the same.
    assert!(server.tmux(&["wait-for", "kimi-%0-1"]).unwrap().status.success());
    tell.send_replace(Some(Arc::new(instance(State::Exited, 1))));
    following.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_instance_in_the_pane_is_not_taken_for_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(dir.path()) else {
        eprintln!("skipped: there is no tmux");
        return;
    };
    let wait = |turn: u64| {
        let mut command = std::process::Command::new("tmux");
        command.env_remove("TMUX").arg("-S").arg(&server.socket);
        command.args(["wait-for", &format!("kimi-%0-{turn}")]).spawn().unwrap()
    };
    // The first one has 120 turns whose signals nobody reads.
    let (tell, states) = watch::channel(None);
    let first = tokio::spawn(real(dir.path(), &server).follow(states, watch::channel(0).0));
    tell.send_replace(Some(Arc::new(instance(State::Exited, 120))));
    first.await.unwrap();
    let (tell, states) = watch::channel(None);
    let mut early = wait(2);
    let second = tokio::spawn(real(dir.path(), &server).follow(states, watch::channel(0).0));
    assert!(early.wait().unwrap().success(), "the first one's signal of turn 2");
    tell.send_replace(Some(Arc::new(instance(State::Busy, 1))));
    until(|| server.shows() == "%0 busy turn=1").await;
    let (mut one, mut last) = (wait(1), wait(120));
    // The server has seen both by the time it has answered this.
    assert_eq!(server.shows(), "%0 busy turn=1");
    tell.send_replace(Some(Arc::new(instance(State::Idle, 1))));
    assert!(one.wait().unwrap().success());
    until(|| server.shows() == "%0 idle turn=1").await;
    assert!(last.try_wait().unwrap().is_none(), "turn 120 has not ended");
    tell.send_replace(Some(Arc::new(instance(State::Idle, 2))));
    until(|| server.shows() == "%0 idle turn=2").await;
    assert!(wait(2).wait().unwrap().success(), "woken before anybody waited");
    last.kill().unwrap();
    let _ = last.wait();
    tell.send_replace(Some(Arc::new(instance(State::Exited, 2))));
    second.await.unwrap();
}
