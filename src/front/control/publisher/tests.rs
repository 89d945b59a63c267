use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::front::control::Status;
use crate::front::control::portrait::Facts;
use crate::front::control::testing::status;
use crate::platform::env::fixed;
use crate::protocol::control::Mode;

struct Bench {
    home: tempfile::TempDir,
    env: Env,
    share: ShareDir,
    portrait: Portrait,
}

impl Bench {
    fn new(vars: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let env = fixed::env(home.path(), vars);
        let share = ShareDir::from_env(&env);
        Self { home, env, share, portrait: Portrait::default() }
    }

    fn publisher(&self) -> Publisher {
        Publisher::new(&self.env, &self.share)
    }

    fn session(&self, name: &str) -> PathBuf {
        let dir = self.home.path().join(name);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn instance(&mut self, state: State, session_dir: &Path) -> Instance {
        let session_dir = session_dir.to_str().unwrap().to_owned();
        let status = Status { session_dir, ..status(state, 1) };
        self.portrait.update(&status, &Facts::new(Mode::Tui, &self.env), 0.0);
        (**self.portrait.instance.as_ref().unwrap()).clone()
    }
}

fn read(path: &Path) -> Instance {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_place_gets_every_state_and_keeps_the_last_where_it_shall() {
    let mut bench = Bench::new(&[("KIMI_STATE_FILE", "mine/state.json")]);
    let session = bench.session("s");
    let (pid, run) = (std::process::id(), RunDir::new(&bench.share, &bench.env));
    let own = bench.home.path().join("mine/state.json");
    let places = [run.state_file(pid), own.clone(), session.join(IN_SESSION)];
    let mut publisher = bench.publisher();
    for state in [State::Idle, State::Busy, State::Error] {
        let instance = bench.instance(state, &session);
        publisher.write(&instance);
        assert_eq!(places.each_ref().map(|path| read(path)), [(); 3].map(|()| instance.clone()));
    }
    bench.portrait.leave(1.0);
    let exited = bench.portrait.instance.clone().unwrap();
    publisher.write(&exited);
    assert_eq!(read(&places[0]).state, State::Error);
    assert_eq!([read(&own), read(&session.join(IN_SESSION))], [(); 2].map(|()| (*exited).clone()));
}

#[test]
fn a_session_that_is_left_is_open_no_more() {
    let mut bench = Bench::new(&[]);
    let (first, second) = (bench.session("1"), bench.session("2"));
    let mut publisher = bench.publisher();
    publisher.write(&bench.instance(State::Idle, &first));
    publisher.write(&bench.instance(State::Idle, &second));
    assert!(!first.join(IN_SESSION).exists() && second.join(IN_SESSION).exists());
    // An empty one is removed when it is left.
    fs::remove_dir_all(&second).unwrap();
    publisher.write(&bench.instance(State::Busy, &second));
    assert!(!second.exists());
    for nowhere in ["", "relative"] {
        publisher.write(&bench.instance(State::Idle, Path::new(nowhere)));
    }
    assert!(publisher.failed.is_empty());
}

#[test]
fn only_files_are_replaced() {
    let mut bench = Bench::new(&[("KIMI_STATE_FILE", "pipe")]);
    let own = bench.home.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &own, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let link = bench.home.path().join("run-elsewhere");
    symlink(&link, bench.home.path().join(".kimi")).unwrap();
    let mut publisher = bench.publisher();
    let session = bench.session("s");
    publisher.write(&bench.instance(State::Idle, &session));
    publisher.write(&bench.instance(State::Busy, &session));
    assert!(!fs::metadata(&own).unwrap().is_file());
    assert_eq!(read(&session.join(IN_SESSION)).state, State::Busy);
    // Each is complained of once.
    assert!(publisher.failed.contains(&own) && publisher.failed.len() <= 2);
}

#[test]
fn the_place_of_a_living_process_is_left_alone() {
    let mut bench = Bench::new(&[]);
    let mut first = bench.publisher();
    let (_listener, path) = first.open_socket().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // As from another container: the same number, another process.
    let mut second = bench.publisher();
    assert!(second.open_socket().is_none());
    assert!(!second.has_run_file);
    let session = bench.session("s");
    second.write(&bench.instance(State::Idle, &session));
    assert!(!second.run.state_file(second.pid).exists());
    assert!(session.join(IN_SESSION).exists());
}

#[test]
fn a_directory_that_is_not_ours_costs_the_socket_alone() {
    let bench = Bench::new(&[]);
    fs::create_dir_all(bench.share.root()).unwrap();
    fs::write(bench.share.run_dir(), "").unwrap();
    let mut publisher = bench.publisher();
    assert!(publisher.open_socket().is_none());
    assert!(publisher.has_run_file);
}
