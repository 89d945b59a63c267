//! Many at once.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::client::Client;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files(&path),
            path => vec![path],
        })
        .collect()
}

/// The processes that have this data directory in their environment.
fn processes(share: &str) -> Vec<String> {
    let has = |pid: &str| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let wanted = format!("KIMI_SHARE_DIR={share}");
        environment.split(|byte| *byte == 0).any(|word| word == wanted.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && has(name))
        .collect()
}

#[test]
fn a_hundred_at_once_leave_nothing_behind() {
    const COUNT: usize = 100;
    let server =
        ModelServer::start(|request: &Recorded, _| Reply::new().text(request.last_user_text()));
    let home = Home::new(&server.url());
    std::thread::scope(|scope| {
        for n in 0..COUNT {
            let home = &home;
            scope.spawn(move || {
                let mut client = Client::start(home, &[]);
                client.initialize(json!({}));
                let prompt = client.prompt(&format!("I am {n}"));
                let part = client.event("ContentPart");
                assert!(part["text"].as_str().unwrap().starts_with("I am "), "{part}");
                assert_eq!(client.result(&prompt), json!({"status": "finished"}));
                client.finish();
            });
        }
    });
    let share = home.path("share");
    assert_eq!(processes(share.to_str().unwrap()), Vec::<String>::new());
    assert_eq!(files(&share.join("run")), Vec::<PathBuf>::new());
    let strange = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.contains(".tmp") || name.contains("corrupt") || name.ends_with(".sock")
    };
    let left: Vec<PathBuf> = files(&share).into_iter().filter(strange).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    // Locks are let go, whatever file carries them.
    for lock in files(&share).iter().filter(|path| path.extension().is_some_and(|it| it == "lock"))
    {
        std::fs::File::open(lock).unwrap().try_lock().expect("a lock that somebody holds");
    }
    let sessions = home.sessions();
    assert_eq!(sessions.len(), COUNT);
    for session in sessions {
        let record = json_lines(&session.join("wire.jsonl"));
        assert_eq!(record.last().unwrap()["message"]["type"], "TurnEnd");
    }
}
