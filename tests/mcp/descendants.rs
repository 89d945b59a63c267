//! What a server has started ends with it, wherever it has gone: into a session of its own, without
//! its environment, without its parent.

use std::path::Path;

use kimi_tui::config::McpMode;
use kimi_tui::mcp::limits::Limits;
use kimi_tui::mcp::server::{Order, Status};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::lifecycle::{is_gone, wait_until};
use super::server::Script;
use super::world::World;
use crate::support::model_server::{Gate, ModelServer, Reply};
use crate::support::program::{Home, Running};

/// Ways of a launcher to start a script, `$0`, that is hard to find then. None holds a stream of the
/// server, and none hears what a group is told.
const WAYS: [(&str, &str); 4] = [
    // In a session of its own.
    ("setsid /bin/sh \"$0\" \"$1\"", LISTENS),
    // Nor with the environment of the server.
    ("setsid env -i /bin/sh \"$0\" \"$1\"", LISTENS),
    // Nor with a parent that lives.
    (ORPHAN, LISTENS),
    // Nor does it listen.
    (ORPHAN, "trap '' TERM HUP INT; echo $$ >\"$1\"; while :; do sleep 1; done"),
];
const LISTENS: &str = "echo $$ >\"$1\"; exec sleep 600";
const ORPHAN: &str = "setsid env -i /bin/sh -c '/bin/sh \"$0\" \"$1\" & exit 0' \"$0\" \"$1\"";

/// The entry of a server that a launcher starts, which also starts one process in each of these ways;
/// their numbers are in the directory.
fn entry(script: &Script, dir: &Path) -> Value {
    let mut entry = script.entry();
    let mut launcher = String::new();
    for (n, (way, what)) in WAYS.iter().enumerate() {
        let script = dir.join(format!("script{n}"));
        std::fs::write(&script, what).unwrap();
        let start = dir.join(format!("start{n}"));
        std::fs::write(&start, way.replace("$0", script.to_str().unwrap())).unwrap();
        let (start, pid) = (start.display(), dir.join(format!("way{n}")));
        launcher +=
            &format!("/bin/sh '{start}' '{}' </dev/null >/dev/null 2>&1 &\n", pid.display());
    }
    launcher += "exec \"$0\" \"$@\"";
    let mut args = vec![json!("-c"), json!(launcher), entry["command"].take()];
    args.extend(entry["args"].as_array().cloned().unwrap_or_default());
    entry["command"] = json!("/bin/sh");
    entry["args"] = json!(args);
    entry
}

/// Their numbers, once all of them run.
fn started(dir: &Path) -> Vec<i32> {
    let read = |n| std::fs::read_to_string(dir.join(format!("way{n}"))).ok()?.trim().parse().ok();
    wait_until("all are started", || (0..WAYS.len()).all(|n| read(n).is_some()));
    let pids: Vec<i32> = (0..WAYS.len()).filter_map(read).collect();
    assert!(pids.iter().all(|pid| !is_gone(*pid)), "{pids:?}");
    for n in 0..WAYS.len() {
        std::fs::remove_file(dir.join(format!("way{n}"))).unwrap();
    }
    pids
}

fn all_gone(pids: &[i32]) {
    for (n, pid) in pids.iter().enumerate() {
        wait_until(&format!("way {n} is gone"), || is_gone(*pid));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_is_the_end_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(json!({"s": entry(&Script::new(), dir.path())})).settled().await;
    let pids = started(dir.path());
    world.servers.order(Some("s"), Order::Reconnect);
    let again = started(dir.path());
    all_gone(&pids);
    world.until("s", Status::Connected).await;
    assert!(again.iter().all(|pid| !is_gone(*pid)), "those of the new one stay");
    world.servers.order(Some("s"), Order::Disable);
    world.until("s", Status::Disabled).await;
    all_gone(&again);
    world.servers.order(Some("s"), Order::Enable);
    world.until("s", Status::Connected).await;
    let last = started(dir.path());
    world.servers.shutdown().await;
    assert!(last.iter().all(|pid| is_gone(*pid)), "they are gone before the end is told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crash_of_a_server_is_the_end_of_all() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let world = World::new(json!({
        "s": entry(&Script::new(), dirs[0].path()),
        "other": entry(&Script::new(), dirs[1].path()),
    }));
    let world = world.settled().await;
    let (pids, others) = (started(dirs[0].path()), started(dirs[1].path()));
    let said = world.mcp_call("s.die", json!({})).await;
    assert!(said.is_error, "{said:?}");
    all_gone(&pids);
    assert!(others.iter().all(|pid| !is_gone(*pid)), "those of another server stay");
    world.servers.shutdown().await;
    all_gone(&others);
}

/// Nor does one outlive a server that does not listen and is thrown away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_dropped_takes_all_along() {
    let dir = tempfile::tempdir().unwrap();
    let script = Script::new().start("stubborn");
    let world = World::new(json!({"s": entry(&script, dir.path())})).settled().await;
    let pids = started(dir.path());
    drop(world);
    all_gone(&pids);
}

#[test]
fn nobody_outlives_a_program_that_is_killed() {
    for signal in [Signal::KILL, Signal::TERM] {
        let gate = Gate::new();
        let server = ModelServer::start(vec![Reply::new().text("so").wait(&gate).text("on")]);
        let home = Home::new(&server.url());
        let log = home.path("log");
        let script = Script::new().start("stubborn").log(&log);
        let dir = tempfile::tempdir().unwrap();
        let entry = entry(&script, dir.path());
        home.write("share/mcp.json", json!({"mcpServers": {"s": entry}}).to_string());
        let mut running = home.start(&["--print", "-p", "hi"]);
        running.feed(b"");
        wait_until("the server is greeted", || {
            std::fs::read_to_string(&log).unwrap_or_default().contains("tools/list")
        });
        let pids = started(dir.path());
        running.signal(signal);
        all_gone(&pids);
        gate.open();
        drop(running);
    }
}

/// The entry of a server whose launcher does something first.
fn after(line: &str, script: &Script) -> Value {
    let mut entry = script.entry();
    let mut args = vec![json!("-c"), json!(format!("{line}\nexec \"$0\" \"$@\""))];
    args.push(entry["command"].take());
    args.extend(entry["args"].as_array().cloned().unwrap_or_default());
    entry["command"] = json!("/bin/sh");
    entry["args"] = json!(args);
    entry
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_of_a_server_is_none_of_its_guard() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("libgcc_s.so.1"), "no library").unwrap();
    let at = dir.path().display();
    let look = format!(
        "cat /proc/$PPID/environ >'{at}/environ'; cat /proc/$PPID/cmdline >'{at}/cmdline'
         printf %s \"$SECRET|$LD_LIBRARY_PATH\" >'{at}/own'; unset LD_LIBRARY_PATH"
    );
    let mut entry = after(&look, &Script::new());
    entry["env"]["LD_LIBRARY_PATH"] = json!(dir.path());
    entry["env"]["SECRET"] = json!("a=b\nc=\u{e9}");
    let world = World::new(json!({"s": entry})).settled().await;
    world.until("s", Status::Connected).await;
    let read = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(read("own"), format!("a=b\nc=\u{e9}|{at}"));
    assert_eq!(read("environ"), "");
    let cmdline = read("cmdline");
    assert!(cmdline.contains("__server-guard") && !cmdline.contains("a=b"), "{cmdline:?}");
    world.servers.shutdown().await;
}

fn guarded_by(guard: &Path, entries: Value) -> World {
    let dir = tempfile::tempdir().unwrap();
    World::guarded_by(guard.into(), dir, entries, McpMode::Deferred, Limits::default())
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_guard_complains_of_is_told_and_kept() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let guard = dir.path().join("guard");
    std::fs::write(&guard, "#!/bin/sh\necho first >&2; echo no such library >&2; exit 9\n")
        .unwrap();
    std::fs::set_permissions(&guard, PermissionsExt::from_mode(0o700)).unwrap();
    let world = guarded_by(&guard, json!({"s": Script::new().entry()})).settled().await;
    let why = world.until("s", Status::Failed).await.unwrap();
    assert!(why.contains("its guard has failed (exit status: 9)"), "{why}");
    assert!(why.contains("it said: no such library"), "{why}");
    let log = world.servers.log_if_any("s").unwrap();
    assert_eq!(log, world.servers.log_of("s"));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("first\nno such library\n"), "{log:?}");
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_runs_without_a_guard_where_there_can_be_none() {
    let entries = json!({"s": Script::new().entry(), "no": {"command": "/nonexistent/server"}});
    let world = guarded_by("/nonexistent/guard".as_ref(), entries).settled().await;
    world.until("s", Status::Connected).await;
    let why = world.until("no", Status::Failed).await.unwrap();
    assert!(why.contains("`/nonexistent/server` was not found"), "{why}");
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_before_the_start_is_told_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut entry = Script::new().entry();
    entry["cwd"] = json!(file);
    let mut zero = Script::new().entry();
    zero["env"]["A"] = json!("x\0LD_PRELOAD=y");
    let world = World::new(json!({"s": entry, "zero": zero})).settled().await;
    let why = world.until("s", Status::Failed).await.unwrap();
    assert!(why.contains("file is no directory"), "{why}");
    assert!(!world.servers.log_of("s").exists());
    assert_eq!(world.servers.log_if_any("s"), None);
    world.until("zero", Status::Failed).await;
    world.servers.shutdown().await;
}

/// The number of a guard, from a launcher with `echo $PPID`.
#[cfg(target_os = "linux")]
fn written_pid(file: &Path) -> rustix::process::Pid {
    let read = || std::fs::read_to_string(file).ok()?.trim().parse().ok();
    wait_until("a number is written", || read().is_some());
    rustix::process::Pid::from_raw(read().unwrap()).unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_is_stopped_does_its_work_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("guard");
    let mut entry = entry(&Script::new().start("stubborn"), dir.path());
    let launcher =
        format!("echo $PPID >'{}'\n{}", file.display(), entry["args"][1].as_str().unwrap());
    entry["args"][1] = json!(launcher);
    for dropped in [false, true] {
        let world = World::new(json!({"s": entry})).settled().await;
        let pids = started(dir.path());
        let guard = written_pid(&file);
        rustix::process::kill_process(guard, Signal::STOP).unwrap();
        if !dropped {
            world.servers.shutdown().await;
        }
        drop(world);
        all_gone(&pids);
        wait_until("the guard is gone", || is_gone(guard.as_raw_nonzero().get()));
        std::fs::remove_file(&file).unwrap();
    }
}

/// Nothing that it could hear wakes it, as when somebody debugs or freezes it.
#[cfg(target_os = "linux")]
#[test]
fn the_work_of_a_guard_that_hears_nothing_is_done_at_the_end() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let [guard, file] = ["guard", "pid"].map(|name| dir.path().join(name));
    let deaf = "env --block-signal=TERM --block-signal=CHLD";
    let script = format!("#!/bin/sh\nexec {deaf} '{}' \"$@\"\n", env!("CARGO_BIN_EXE_kimi"));
    std::fs::write(&guard, script).unwrap();
    std::fs::set_permissions(&guard, PermissionsExt::from_mode(0o700)).unwrap();
    let mut entry = entry(&Script::new().start("stubborn"), dir.path());
    let launcher =
        format!("echo $PPID >'{}'\n{}", file.display(), entry["args"][1].as_str().unwrap());
    entry["args"][1] = json!(launcher);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    let (world, pids) = runtime.block_on(async {
        let world = guarded_by(&guard, json!({"s": entry})).settled().await;
        world.until("s", Status::Connected).await;
        let pids = started(dir.path());
        world.servers.shutdown().await;
        (world, pids)
    });
    // What the end of the program does not wait for does not happen any more.
    runtime.shutdown_background();
    all_gone(&pids);
    let guard = written_pid(&file).as_raw_nonzero().get();
    wait_until("the guard is gone", || is_gone(guard));
    drop(world);
}

/// Its first thread has ended, and it looks like one that has ended itself.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_without_its_first_thread_does_not_stay() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let other = Script::new().start("leaderless").log(&file).entry();
    let start = dir.path().join("start");
    let words: Vec<String> = std::iter::once(&other["command"])
        .chain(other["args"].as_array().unwrap())
        .map(|word| format!("'{}'", word.as_str().unwrap()))
        .collect();
    let role: Vec<String> = other["env"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("'{name}={}'", value.as_str().unwrap()))
        .collect();
    std::fs::write(&start, format!("exec setsid env -i {} {}", role.join(" "), words.join(" ")))
        .unwrap();
    let line = format!("/bin/sh '{}' </dev/null >/dev/null 2>&1 &", start.display());
    let world = World::new(json!({"s": after(&line, &Script::new())})).settled().await;
    world.until("s", Status::Connected).await;
    let pid = written_pid(&file).as_raw_nonzero();
    let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    assert!(threads() > 1);
    world.servers.shutdown().await;
    wait_until("no thread of it runs", || threads() < 2);
}

/// What our starter has set for signals is not for those below.
#[cfg(target_os = "linux")]
#[test]
fn a_mask_at_our_start_saves_nobody() {
    use std::os::unix::process::CommandExt;
    let gate = Gate::new();
    let server = ModelServer::start(vec![Reply::new().text("so").wait(&gate).text("on")]);
    let home = Home::new(&server.url());
    let log = home.path("log");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("guard");
    let mut entry = entry(&Script::new().start("stubborn").log(&log), dir.path());
    let launcher =
        format!("echo $PPID >'{}'\n{}", file.display(), entry["args"][1].as_str().unwrap());
    entry["args"][1] = json!(launcher);
    home.write("share/mcp.json", json!({"mcpServers": {"s": entry}}).to_string());
    let mut command = home.command(&["--print", "-p", "hi"]);
    // SAFETY: async-signal-safe calls on a set of their own.
    unsafe {
        command.pre_exec(|| {
            let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
            libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
            Ok(())
        });
    }
    let mut running = Running::start(command);
    running.feed(b"");
    wait_until("the server is greeted", || {
        std::fs::read_to_string(&log).unwrap_or_default().contains("tools/list")
    });
    let pids = started(dir.path());
    let guard = written_pid(&file);
    let masked = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (libc::SIGTERM - 1)) != 0
    };
    assert!(masked(running.child.id().cast_signed()), "the test itself works");
    let guard = guard.as_raw_nonzero().get();
    for pid in pids.iter().take(3).chain([&guard]) {
        assert!(!masked(*pid), "{pid}, guard {guard}");
    }
    gate.open();
    running.end();
    all_gone(&pids);
    wait_until("the guard is gone", || is_gone(guard));
}
