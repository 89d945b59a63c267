use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::platform::env::fixed;
use crate::protocol::control::{CONTROL_VERSION, Mode, State};

fn run_dir(home: &Path) -> RunDir {
    let env = fixed::env(home, &[("TMPDIR", home.to_str().unwrap())]);
    RunDir::new(&ShareDir::from_env(&env), &env)
}

fn bench() -> (TempDir, RunDir) {
    let home = tempfile::tempdir().unwrap();
    let dir = run_dir(home.path());
    (home, dir)
}

fn instance(pid: u32, socket: Option<&Path>) -> Instance {
    Instance {
        v: CONTROL_VERSION,
        seq: 1,
        state: State::Idle,
        turn: 0,
        phase: None,
        since: 1.0,
        mode: Mode::Tui,
        version: "1".to_owned(),
        pid,
        started: f64::from(pid),
        tty: None,
        tmux_pane: None,
        tmux_socket: None,
        cao_terminal_id: None,
        session: "s".to_owned(),
        session_dir: "/s".to_owned(),
        cwd: "/".to_owned(),
        model: None,
        context: 0.0,
        queued: 0,
        input: None,
        ask: None,
        last: None,
        socket: socket.map(|path| path.to_str().unwrap().to_owned()),
    }
}

/// The number of a process that has ended.
fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn pids(dir: &RunDir) -> Vec<u32> {
    dir.read_all().unwrap().iter().map(|instance| instance.pid).collect()
}

#[test]
fn what_is_written_is_private_and_read_again() {
    let (_home, dir) = bench();
    assert_eq!(dir.read_all().unwrap(), []);
    let mut me = instance(std::process::id(), None);
    dir.write(&me).unwrap();
    me.seq = 2;
    dir.write(&me).unwrap();
    assert_eq!(dir.read_all().unwrap(), [me.clone()]);
    assert_eq!((mode(dir.path()), mode(&dir.state_file(me.pid))), (0o700, 0o600));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    dir.remove(me.pid);
    dir.remove(me.pid);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_open_directory_is_tightened() {
    let (_home, dir) = bench();
    fs::create_dir_all(dir.path()).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    dir.make().unwrap();
    assert_eq!(mode(dir.path()), 0o700);
}

#[test]
fn a_link_or_a_file_in_its_place_is_refused() {
    let (home, dir) = bench();
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::create_dir_all(dir.path().parent().unwrap()).unwrap();
    symlink(&elsewhere, dir.path()).unwrap();
    for refused in [
        dir.make().unwrap_err(),
        dir.write(&instance(1, None)).unwrap_err(),
        dir.read_all().unwrap_err(),
    ] {
        assert!(refused.to_string().contains("not a directory but a link"), "{refused}");
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    fs::remove_file(dir.path()).unwrap();
    fs::write(dir.path(), "x").unwrap();
    assert!(matches!(dir.make(), Err(StoreError::NotPrivate { .. })));
}

#[test]
fn a_directory_of_another_user_is_refused() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can give a directory away");
        return;
    }
    let (_home, dir) = bench();
    dir.make().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(12345), None).unwrap();
    for refused in [dir.make().unwrap_err(), dir.read_all().unwrap_err()] {
        assert!(refused.to_string().contains("belongs to another user"), "{refused}");
    }
}

#[test]
fn what_is_no_state_file_is_passed_over() {
    let (_home, dir) = bench();
    let me = instance(std::process::id(), None);
    dir.write(&me).unwrap();
    let at = |name: &str| dir.path().join(name);
    let whole = fs::read(dir.state_file(me.pid)).unwrap();
    fs::write(at("11.json"), &whole[..whole.len() / 2]).unwrap();
    fs::write(at("12.json"), b"\xff\xfe[[[[").unwrap();
    // It says it were another process.
    fs::write(at("13.json"), &whole).unwrap();
    fs::write(at("x.json"), &whole).unwrap();
    fs::write(at("-1.json"), &whole).unwrap();
    fs::write(at("99999999999.json"), &whole).unwrap();
    fs::write(at("notes.txt"), "mine").unwrap();
    fs::create_dir(at("14.json")).unwrap();
    symlink("/dev/zero", at("15.json")).unwrap();
    File::create(at("16.json")).unwrap().set_len(1 << 40).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("17.json"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    fs::write(at("18.json"), "[".repeat(1 << 20)).unwrap();
    assert_eq!(dir.read_all().unwrap(), [me]);
    assert!(at("notes.txt").exists() && at("16.json").exists());
}

#[test]
fn those_who_are_gone_are_taken_away() {
    let (_home, dir) = bench();
    dir.make().unwrap();
    let me = std::process::id();
    let dead = dead_pid();
    // Alive by its number; alive by its socket; dead by its number; the number went to another.
    dir.write(&instance(me, None)).unwrap();
    let answers = dir.socket_path(4_000_001).unwrap();
    let _listener = UnixListener::bind(&answers).unwrap();
    dir.write(&instance(4_000_001, Some(&answers))).unwrap();
    dir.write(&instance(dead, Some(Path::new("/nowhere/x.sock")))).unwrap();
    let refuses = dir.socket_path(1).unwrap();
    drop(UnixListener::bind(&refuses).unwrap());
    dir.write(&instance(1, Some(&refuses))).unwrap();
    assert_eq!(pids(&dir), [me, 4_000_001]);
    assert!(!dir.state_file(dead).exists() && !dir.state_file(1).exists());
    assert!(!refuses.exists() && answers.exists());
}

#[test]
fn a_dead_entry_names_no_file_of_others_for_removal() {
    let (home, dir) = bench();
    let precious = home.path().join("precious");
    fs::write(&precious, "x").unwrap();
    dir.write(&instance(dead_pid(), Some(&precious))).unwrap();
    assert!(pids(&dir).is_empty());
    assert!(precious.exists());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_stopped_process_with_a_full_queue_counts_and_stops_nobody() {
    let (_home, dir) = bench();
    dir.make().unwrap();
    let path = dir.socket_path(7).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    for _ in 0..8 {
        assert!(matches!(touch_socket(&path), Touched::Answers));
    }
    dir.write(&instance(7, Some(&path))).unwrap();
    assert_eq!(pids(&dir), [7]);
}

#[test]
fn a_stale_socket_makes_room_and_a_living_one_does_not() {
    let (_home, dir) = bench();
    let path = dir.socket_room(5).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let taken = dir.socket_room(5).unwrap_err();
    assert!(taken.to_string().contains("another process has it"), "{taken}");
    drop(listener);
    assert!(path.exists());
    assert_eq!(dir.socket_room(5).unwrap(), path);
    assert!(!path.exists());
}

#[test]
fn a_long_home_gets_its_socket_elsewhere() {
    let home = tempfile::tempdir().unwrap();
    let long = home.path().join("long".repeat(30));
    let short = home.path().join("rt");
    let of = |vars: &[(&str, &str)]| {
        let env = fixed::env(&long, vars);
        RunDir::new(&ShareDir::from_env(&env), &env)
    };
    let runtime = of(&[("XDG_RUNTIME_DIR", short.to_str().unwrap())]);
    assert_eq!(runtime.socket_room(5).unwrap(), short.join("kimi/5.sock"));
    assert_eq!(mode(&short.join("kimi")), 0o700);
    let name = format!("kimi-{}", geteuid().as_raw());
    let tmp = of(&[("XDG_RUNTIME_DIR", "relative"), ("TMPDIR", home.path().to_str().unwrap())]);
    assert_eq!(tmp.socket_path(5).unwrap(), home.path().join(&name).join("5.sock"));
    // Somebody was there first, with a link to where he can read.
    symlink(&short, home.path().join(&name)).unwrap();
    assert!(matches!(tmp.socket_room(5), Err(StoreError::NotPrivate { .. })));
    let longer = of(&[("TMPDIR", long.to_str().unwrap())]);
    assert_eq!(longer.socket_path(5).unwrap(), Path::new("/tmp").join(&name).join("5.sock"));
    let path = home.path().to_str().unwrap();
    assert!(
        run_dir(Path::new(path)).socket_path(5).unwrap().starts_with(home.path().join(".kimi"))
    );
}
