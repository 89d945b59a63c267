use std::path::Path;
use std::sync::mpsc;

use futures_util::poll;

use super::*;
use crate::agent::core::Settings;
use crate::agent::plan::PlanStart;
use crate::customize::hooks::{HookSet, Place};
use crate::permission::{Decision, Rule, Site};
use crate::platform::env::fixed;
use crate::protocol::Message;
use crate::store::StateFile;
use crate::tools::{PlanMode, Workspace};

/// A desk whose rules forbid to read `.env`, in a directory that has such a file.
fn desk(root: &Path) -> Arc<ApprovalDesk> {
    let env = fixed::env(root, &[]);
    let session = root.join("session");
    std::fs::create_dir_all(&session).unwrap();
    std::fs::create_dir_all(root.join("work/deep")).unwrap();
    std::fs::write(root.join("work/deep/.env"), "x").unwrap();
    let workspace = Arc::new(Workspace::new(root.join("work"), Vec::new()));
    let place = Place {
        env: env.clone(),
        session_id: "s".to_owned(),
        work_dir: workspace.work_dir.clone(),
    };
    let settings = Arc::new(Settings::new(StateFile::open(&session).0));
    let plan = PlanStart { dir: root.join("plans"), on: false };
    let mut rules = Rules::default();
    rules.add(Decision::Deny, Rule::parse("ReadFile(**/.env)").unwrap());
    Arc::new(ApprovalDesk::new(
        env.clone(),
        Arc::new(Hub::new(env.clone(), None)),
        Arc::new(Hooks::new(Arc::new(HookSet::default()), place, |_| {})),
        Plan::new(env.clone(), plan, settings),
        Modes::default(),
        Permissions::new(rules, Site::new(workspace, &env), []),
        |_| {},
    ))
}

fn command(desk: &ApprovalDesk, command: &str) -> Arc<Call> {
    let workspace = Workspace::new(desk.env.home.join("work"), Vec::new());
    let arguments = serde_json::json!({"command": command});
    Arc::new(Call::of("Shell", &arguments, &workspace, &desk.env.home))
}

/// A runtime whose only thread for what may take a while is taken until something is sent.
fn busy() -> (tokio::runtime::Runtime, mpsc::Sender<()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().max_blocking_threads(1).build().unwrap();
    let (free, taken) = mpsc::channel();
    runtime.spawn_blocking(move || taken.recv());
    (runtime, free)
}

#[test]
fn nobody_waits_while_the_files_of_a_command_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, free) = busy();
    runtime.block_on(async {
        let desk = desk(dir.path());
        let call = command(&desk, "grep -r x .");
        let mut judging = std::pin::pin!(desk.judge(&call));
        assert!(poll!(&mut judging).is_pending());
        // The desk and the thread are free for others.
        assert_eq!(desk.modes(), Modes::default());
        desk.cancel_all();
        assert!(poll!(&mut judging).is_pending());
        free.send(()).unwrap();
        assert!(matches!(judging.await, Judgment::Deny { .. }));
    });
}

#[test]
fn permissions_that_change_meanwhile_count() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, free) = busy();
    runtime.block_on(async {
        let desk = desk(dir.path());
        let call = command(&desk, "cargo test");
        let approve = |key: &str| {
            Arc::make_mut(&mut desk.lock().permissions).approve(key.to_owned());
        };
        approve("Shell(cargo test:*)");
        let mut judging = std::pin::pin!(desk.judge(&call));
        assert!(poll!(&mut judging).is_pending());
        desk.forget(&["Shell(cargo test:*)".to_owned()]);
        free.send(()).unwrap();
        assert!(matches!(judging.await, Judgment::Open { .. }));
        approve("Shell(cargo test:*)");
        assert_eq!(desk.judge(&call).await, Judgment::Allow);
    });
}

#[test]
fn what_a_client_switches_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(dir.path());
    let mut messages = desk.hub().subscribe();
    let mut told = || {
        let mut told = Vec::new();
        while let Ok(message) = messages.try_recv() {
            if let Message::Event(Event::StatusUpdate(status)) = &*message {
                told.extend(status.plan_mode);
            }
        }
        told
    };
    // A tool has switched it on, and a client off, before the tool's answer was told.
    PlanMode::switch(&*desk, true);
    desk.set_plan_mode(false);
    assert_eq!(told(), [false]);
    desk.tell_switched();
    assert_eq!(told(), [] as [bool; 0]);
    // As ever, a client hears of it also where nothing changes, and of a tool's switch by itself.
    desk.set_plan_mode(false);
    PlanMode::switch(&*desk, true);
    desk.tell_switched();
    desk.tell_switched();
    assert_eq!(told(), [false, true]);
}
