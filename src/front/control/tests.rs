//! The whole door: what other programs find while it is open, and after.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::testing::status;
use super::*;
use crate::platform::env::fixed;
use crate::store::RunDir;

struct Bench {
    home: tempfile::TempDir,
    env: Env,
    share: ShareDir,
    run: RunDir,
}

impl Bench {
    fn new(vars: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let env = fixed::env(home.path(), vars);
        let share = ShareDir::from_env(&env);
        let run = RunDir::new(&share, &env);
        Self { home, env, share, run }
    }

    fn start(&self) -> (Control, UnboundedReceiver<Asked>) {
        Control::start(Mode::Tui, &self.env, &self.share)
    }

    /// The state file, as soon as there is one that says this.
    async fn said(&self, state: State) -> Instance {
        let start = Instant::now();
        loop {
            if let Some(instance) = self.run.read(std::process::id())
                && instance.state == state
            {
                return instance;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{state:?} was never written");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn ask(socket: &str, line: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn from_start_to_stop() {
    let bench = Bench::new(&[("KIMI_STATE_FILE", "state.json")]);
    let (control, mut asked) = bench.start();
    control.publish(&status(State::Idle, 0));
    let idle = bench.said(State::Idle).await;
    let socket = idle.socket.clone().unwrap();
    assert_eq!((idle.seq, idle.pid), (1, std::process::id()));
    assert_eq!(bench.run.read_all().unwrap(), [idle]);

    let name = socket.clone();
    let asking =
        tokio::task::spawn_blocking(move || ask(&name, "{\"op\":\"send\",\"text\":\"x\"}\n"));
    let asked = asked.recv().await.unwrap();
    control.publish(&status(State::Busy, 1));
    asked.reply.send(Answer::ok()).unwrap();
    let answer = asking.await.unwrap();
    assert!(answer.contains("\"state\":\"busy\"") && answer.contains("\"seq\":2"), "{answer}");
    bench.said(State::Busy).await;

    let (line, mut lines) = unbounded_channel();
    std::thread::spawn(move || {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.write_all(b"{\"op\":\"watch\"}\n").unwrap();
        BufReader::new(stream).lines().for_each(|read| line.send(read.unwrap()).unwrap());
    });
    assert!(lines.recv().await.unwrap().contains("\"state\":\"busy\""));
    control.stop().await;
    assert!(lines.recv().await.unwrap().contains("\"state\":\"exited\""));
    assert!(lines.recv().await.is_none());
    assert_eq!(fs::read_dir(bench.run.path()).unwrap().count(), 0);
    let kept = fs::read(bench.home.path().join("state.json")).unwrap();
    let kept: Instance = serde_json::from_slice(&kept).unwrap();
    assert_eq!((kept.state, kept.seq, kept.socket), (State::Exited, 3, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn before_the_process_is_stopped_everybody_knows() {
    let bin = tempfile::tempdir().unwrap();
    let (tmux, log) = (bin.path().join("tmux"), bin.path().join("log"));
    fs::write(&tmux, format!("#!/bin/sh\nsleep 0.05\necho \"$*\" >> '{}'\n", log.display()))
        .unwrap();
    fs::set_permissions(&tmux, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.path().display());
    let bench = Bench::new(&[("TMUX", "/s,1,0"), ("TMUX_PANE", "%3"), ("PATH", &path)]);
    let (control, _asked) = bench.start();
    control.publish(&status(State::Idle, 1));
    bench.said(State::Idle).await;
    control.pause();
    let stopped = bench.run.read(std::process::id()).unwrap();
    assert_eq!((stopped.state, stopped.phase.as_deref()), (State::Busy, Some("stopped")));
    let told = fs::read_to_string(&log).unwrap();
    assert!(told.lines().any(|line| line.contains("@kimi_state busy turn=1")), "{told}");
    control.resume();
    let back = bench.said(State::Idle).await;
    assert_eq!((back.seq, back.phase), (stopped.seq + 1, None));
    // The same as before is told again without being new.
    control.publish(&status(State::Idle, 1));
    control.stop().await;
}

#[tokio::test]
async fn a_door_that_is_dropped_says_so_too() {
    let bench = Bench::new(&[("KIMI_STATE_FILE", "state.json")]);
    let (control, _asked) = bench.start();
    control.publish(&status(State::Idle, 0));
    bench.said(State::Idle).await;
    let parts = control.parts.clone();
    drop(control);
    parts.close();
    tokio::time::timeout(Duration::from_secs(30), parts.wait()).await.unwrap();
    assert_eq!(fs::read_dir(bench.run.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_start_without_a_word_leaves_nothing() {
    let bench = Bench::new(&[]);
    let (control, mut asked) = bench.start();
    control.stop().await;
    assert_eq!(fs::read_dir(bench.run.path()).map_or(0, Iterator::count), 0);
    assert!(asked.recv().await.is_none());
}

#[test]
fn outside_a_runtime_nothing_happens() {
    let bench = Bench::new(&[]);
    let (control, mut asked) = bench.start();
    control.publish(&status(State::Idle, 0));
    assert!(asked.try_recv().is_err() && !asked.is_closed());
    drop(control);
    assert!(!bench.share.root().exists());
}

#[tokio::test]
async fn what_cannot_be_had_is_left_out() {
    let bench = Bench::new(&[("KIMI_STATE_FILE", "state.json")]);
    fs::write(bench.share.root(), "a file where the directory belongs").unwrap();
    let (control, asked) = bench.start();
    control.publish(&status(State::Idle, 0));
    assert!(!asked.is_closed());
    control.stop().await;
    assert!(bench.home.path().join("state.json").exists());
}

#[tokio::test]
async fn a_tmux_that_hangs_does_not_hold_up_the_end() {
    let bin = tempfile::tempdir().unwrap();
    let (tmux, pid) = (bin.path().join("tmux"), bin.path().join("pid"));
    fs::write(&tmux, format!("#!/bin/sh\necho $$ > '{}'\nexec sleep 300\n", pid.display()))
        .unwrap();
    fs::set_permissions(&tmux, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.path().display());
    let bench = Bench::new(&[("TMUX", "/s,1,0"), ("TMUX_PANE", "%3"), ("PATH", &path)]);
    let (control, _asked) = bench.start();
    control.publish(&status(State::Idle, 0));
    let pid = number_in(&pid).await;
    let start = Instant::now();
    control.stop().await;
    // It sleeps for five minutes.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(fs::read_dir(bench.run.path()).unwrap().count(), 0);
    while rustix::process::test_kill_process(pid).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(30), "it still hangs");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn number_in(path: &Path) -> rustix::process::Pid {
    let path = PathBuf::from(path);
    let start = Instant::now();
    loop {
        let number = fs::read_to_string(&path).unwrap_or_default();
        if let Some(pid) = number.trim().parse().ok().and_then(rustix::process::Pid::from_raw) {
            return pid;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "tmux was never started");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
