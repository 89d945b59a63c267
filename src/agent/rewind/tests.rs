//! Files go back exactly, whoever changed them.

mod first;
mod late;
mod stopped;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::journal::Journal;
use super::restore::Failed;
use super::*;
use crate::protocol::RewindScope;
use crate::store::ContextMark;
use crate::store::snapshots::Rewound;
use crate::tools::ChangeLog;

struct Bench {
    _dir: tempfile::TempDir,
    root: PathBuf,
    rewinder: Arc<Rewinder>,
}

impl Bench {
    fn new() -> Self {
        Self::bounded(MAX_STORE)
    }

    fn bounded(max_store: u64) -> Self {
        Self::below("", max_store)
    }

    /// With everything in this directory of a directory of its own.
    fn below(place: &str, max_store: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join(place);
        fs::create_dir_all(root.join("ws")).unwrap();
        let share = root.join("share").into_os_string();
        let env = Env::of_process().with_vars([("KIMI_SHARE_DIR".into(), share)]);
        let workspace = Arc::new(Workspace::new(root.join("ws"), vec![]));
        let session = root.join("share/session");
        let rewinder = Rewinder::bounded(env, &session, workspace, max_store);
        Self { _dir: dir, root, rewinder }
    }

    /// The same session in another process.
    fn reopen(&mut self) {
        let old = &self.rewinder;
        let session = self.root.join("share/session");
        let workspace = Arc::clone(&old.workspace);
        self.rewinder = Rewinder::bounded(old.env.clone(), &session, workspace, old.max_store);
    }

    fn ws(&self, name: &str) -> PathBuf {
        self.root.join("ws").join(name)
    }

    async fn begin(&self, prompt: &str) -> u64 {
        let mark = ContextMark::default();
        self.rewinder.begin_turn(prompt.to_owned(), mark, vec![], None).await;
        self.rewinder.settle().await;
        self.rewinder.with_log(|log| Ok(log.newest())).unwrap()
    }

    async fn end(&self) {
        self.rewinder.end_turn();
        self.rewinder.settle().await;
    }

    fn tool(&self, name: &str, content: &[u8]) {
        let path = self.ws(name);
        self.rewinder.before(&path);
        let parent = path.parent().unwrap();
        if fs::create_dir_all(parent).is_ok() && !path.is_dir() {
            let _ = fs::write(&path, content);
        }
        self.rewinder.after(&path);
    }

    async fn command(&self, work: impl FnOnce(&Path)) {
        let call = self.rewinder.before_call(false).await;
        work(&self.root.join("ws"));
        drop(call);
        self.rewinder.settle().await;
    }

    /// No look begins before what is returned is called.
    fn slow_disk(&self) -> impl FnOnce() {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (holds, held) = std::sync::mpsc::channel();
        let rewinder = Arc::clone(&self.rewinder);
        let slow = std::thread::spawn(move || {
            let _looking = lock(&rewinder.looking);
            holds.send(()).unwrap();
            let _ = gone.recv();
        });
        held.recv().unwrap();
        move || {
            drop(go);
            slow.join().unwrap();
        }
    }

    /// Carries a plan out without a conversation.
    fn apply(&self, plan: &Plan, keep: &[Hand]) -> Vec<Failed> {
        let puts = plan
            .files
            .iter()
            .filter(|file| file.problem.is_none() && !keep.contains(&file.hand))
            .map(|file| file.put.clone())
            .collect();
        let (puts, mut failed) = self.rewinder.before_putting(puts, &|| false).unwrap().unwrap();
        let redo = plan.target == Target::Redo;
        let rewound = match plan.target {
            Target::Redo => self.rewinder.with_log(|log| Ok(log.redo().cloned())).unwrap().unwrap(),
            Target::Point(to) => Rewound {
                at: 0.0,
                to,
                scope: RewindScope::Files,
                hidden: vec![],
                prompt: String::new(),
                files: puts.clone(),
                context: ContextMark::default(),
                todos: vec![],
                title: None,
            },
        };
        let journal = Journal { redo, rewound, puts, context: None, todos: vec![], title: None };
        journal.write(&self.rewinder.dir).unwrap();
        failed.extend(self.rewinder.carry_out(&journal, &|| false).unwrap().failed);
        self.rewinder.with_log(|log| Ok(journal.note(log)?)).unwrap();
        Journal::remove(&self.rewinder.dir).unwrap();
        failed
    }

    fn rewind(&self, to: u64) -> Vec<Failed> {
        let plan = self.rewinder.plan(Target::Point(to)).unwrap();
        self.apply(&plan, &[])
    }

    fn redo(&self) -> Vec<Failed> {
        let plan = self.rewinder.plan(Target::Redo).unwrap();
        self.apply(&plan, &[])
    }

    /// Everything below the workspace: kind, mode, content.
    fn picture(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut picture = BTreeMap::new();
        let mut open = vec![self.root.join("ws")];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).unwrap().flatten() {
                let path = entry.path();
                let metadata = fs::symlink_metadata(&path).unwrap();
                let content = if metadata.is_dir() {
                    open.push(path.clone());
                    b"dir".to_vec()
                } else if metadata.is_symlink() {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                } else {
                    fs::read(&path).unwrap()
                };
                picture.insert(path, (metadata.permissions().mode(), content));
            }
        }
        picture
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[derive(Debug, Clone)]
enum Deed {
    Write(usize, Vec<u8>),
    Remove(usize),
    Mode(usize, u32),
    Link(usize, usize),
    Directory(usize),
    Rename(usize, usize),
}

/// Names that get in each other's way: a file here, a directory there.
const NAMES: [&str; 8] = ["a", "b", "d/a", "d/b", "d/e/a", "d/e", "b/c", "t.bin"];

fn do_it(root: &Path, deed: &Deed) {
    let at = |n: &usize| root.join(NAMES[*n]);
    let clear = |path: &Path| {
        let _ = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
        let _ = fs::create_dir_all(path.parent().unwrap());
    };
    match deed {
        Deed::Write(n, bytes) => {
            let _ = fs::create_dir_all(at(n).parent().unwrap());
            let _ = fs::write(at(n), bytes);
        }
        Deed::Remove(n) => {
            let _ = fs::remove_dir_all(at(n)).or_else(|_| fs::remove_file(at(n)));
        }
        Deed::Mode(n, mode) => {
            let mode = if at(n).is_dir() { mode | 0o700 } else { *mode };
            if fs::symlink_metadata(at(n)).is_ok_and(|metadata| !metadata.is_symlink()) {
                let _ = fs::set_permissions(at(n), fs::Permissions::from_mode(mode));
            }
        }
        Deed::Link(n, to) => {
            clear(&at(n));
            let _ = symlink(NAMES[*to], at(n));
        }
        Deed::Directory(n) => {
            clear(&at(n));
            let _ = fs::create_dir_all(at(n));
        }
        Deed::Rename(n, to) => {
            let _ = fs::rename(at(n), at(to));
        }
    }
}

fn deeds() -> impl Strategy<Value = Deed> {
    let name = || 0..NAMES.len();
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..4),
        Just(b"text\n".to_vec()),
        Just(b"TEXT\n".to_vec()),
        Just(vec![7; 5_000]),
    ];
    prop_oneof![
        4 => (name(), bytes).prop_map(|(n, bytes)| Deed::Write(n, bytes)),
        1 => name().prop_map(Deed::Remove),
        1 => (name(), prop_oneof![Just(0o600), Just(0o755), Just(0o640)]).prop_map(|(n, m)| Deed::Mode(n, m)),
        1 => (name(), name()).prop_map(|(n, to)| Deed::Link(n, to)),
        1 => name().prop_map(Deed::Directory),
        1 => (name(), name()).prop_map(|(n, to)| Deed::Rename(n, to)),
    ]
}

#[derive(Debug, Clone)]
enum Act {
    Turn,
    Tool(usize, Vec<u8>),
    Command(Vec<Deed>),
    User(Deed),
    /// To one of the points, counted from the newest.
    Rewind(usize),
    Redo,
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => Just(Act::Turn),
        3 => (0..NAMES.len(), proptest::collection::vec(any::<u8>(), 0..9)).prop_map(|(n, b)| Act::Tool(n, b)),
        3 => proptest::collection::vec(deeds(), 1..4).prop_map(Act::Command),
        2 => deeds().prop_map(Act::User),
        2 => (0..4usize).prop_map(Act::Rewind),
        1 => Just(Act::Redo),
        1 => Just(Act::Reopen),
    ];
    proptest::collection::vec(act, 1..24)
}

async fn play(acts: Vec<Act>) {
    let mut bench = Bench::new();
    fs::write(bench.ws("a"), "there from the start\n").unwrap();
    let mut points = vec![(bench.begin("first").await, bench.picture())];
    let mut redo = Vec::new();
    for act in acts {
        match act {
            Act::Turn => {
                bench.end().await;
                points.push((bench.begin("turn").await, bench.picture()));
                redo.clear();
            }
            // The file tools resolve links before they write.
            Act::Tool(n, bytes) => {
                let target = real_path(&bench.ws(NAMES[n]));
                if let Some(target) = target
                    && let Ok(name) = target.strip_prefix(bench.root.join("ws"))
                {
                    bench.tool(name.to_str().unwrap(), &bytes);
                    redo.clear();
                }
            }
            Act::Command(deeds) => {
                bench.command(|root| deeds.iter().for_each(|deed| do_it(root, deed))).await;
                redo.clear();
            }
            Act::User(deed) => {
                do_it(&bench.root.join("ws"), &deed);
                redo.clear();
            }
            Act::Rewind(back) => {
                let (to, wanted) = points[points.len() - 1 - back.min(points.len() - 1)].clone();
                let before = bench.picture();
                assert_eq!(bench.rewind(to), [], "to {to}");
                assert_eq!(bench.picture(), wanted, "to {to}");
                redo.push(before);
            }
            Act::Redo => {
                if let Some(wanted) = redo.pop() {
                    assert_eq!(bench.redo(), []);
                    assert_eq!(bench.picture(), wanted, "redo");
                }
            }
            Act::Reopen => {
                bench.end().await;
                bench.reopen();
            }
        }
    }
}

/// What a turn is called that nobody has written may also be what somebody writes.
#[tokio::test]
async fn what_nobody_has_written_is_not_there_to_be_sent_again() {
    let mut bench = Bench::new();
    let words = "goal: turn 2";
    let own = Words::of_nobody(words.to_owned());
    bench.rewinder.begin_turn(own, ContextMark::default(), vec![], None).await;
    bench.end().await;
    bench.begin(words).await;
    bench.end().await;
    bench.reopen();
    for (id, written) in [(1, None), (2, Some(words.to_owned()))] {
        let plan = bench.rewinder.plan(Target::Point(id)).unwrap();
        assert_eq!((plan.prompt.as_str(), plan.by_itself), (words, written.is_none()));
        assert_eq!(bench.rewinder.planned(plan.id), Some((Target::Point(id), written)));
    }
    bench.rewind(2);
    let redo = bench.rewinder.plan(Target::Redo).unwrap();
    assert_eq!(bench.rewinder.planned(redo.id), Some((Target::Redo, None)));
}

/// As `PROPTEST_CASES` says, else few: each plays on the disk.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_edits_by_anybody_go_back_and_forth_to_the_byte(acts in acts()) {
        runtime().block_on(play(acts));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_somebody_made_high_above_an_edit_goes_as_well() {
    let bench = Bench::new();
    let point = bench.begin("turn").await;
    let before = bench.picture();
    fs::create_dir(bench.ws("d")).unwrap();
    bench.tool("d/e/a", b"new");
    assert_eq!(bench.rewind(point), []);
    assert_eq!(bench.picture(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_behind_a_link_that_came_meanwhile_is_not_what_was_there() {
    let bench = Bench::new();
    let point = bench.begin("turn").await;
    let before = bench.picture();
    bench.tool("d/e/a", b"");
    fs::remove_dir_all(bench.ws("d/e")).unwrap();
    symlink("a", bench.ws("d/e")).unwrap();
    bench.tool("d/a/a", b"");
    assert_eq!(bench.rewind(point), []);
    assert_eq!(bench.picture(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changed_a_file_is_told_apart() {
    let bench = Bench::new();
    for name in ["tool", "command", "user", "both"] {
        fs::write(bench.ws(name), "old\n").unwrap();
    }
    let point = bench.begin("turn").await;
    bench.tool("tool", b"new\nand more\n");
    bench.tool("both", b"new\n");
    bench.command(|root| fs::write(root.join("command"), "new\n").unwrap()).await;
    bench.end().await;
    // Time stamps have the grain of the kernel's clock.
    std::thread::sleep(std::time::Duration::from_millis(30));
    fs::write(bench.ws("user"), "mine\n").unwrap();
    fs::write(bench.ws("both"), "mine\n").unwrap();
    let plan = bench.rewinder.plan(Target::Point(point)).unwrap();
    let hands: Vec<_> =
        plan.files.iter().map(|file| (file.shown.as_str(), file.hand, file.lines)).collect();
    assert_eq!(
        hands,
        [
            ("both", Hand::User, Some((1, 1))),
            ("command", Hand::Command, Some((1, 1))),
            ("tool", Hand::Agent, Some((1, 2))),
            ("user", Hand::User, Some((1, 1))),
        ]
    );
    assert_eq!(bench.apply(&plan, &[Hand::User]), []);
    let read = |name: &str| fs::read_to_string(bench.ws(name)).unwrap();
    assert_eq!(
        ["both", "command", "tool", "user"].map(read),
        ["mine\n", "old\n", "old\n", "mine\n"]
    );
    let points = bench.rewinder.points().unwrap();
    let did = points.points[0].did;
    assert_eq!((did.files, did.added, did.removed), (3, 4, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_way_leads_nowhere() {
    let bench = Bench::new();
    let outside = bench.root.join("outside");
    fs::create_dir_all(outside.join("d")).unwrap();
    fs::write(outside.join("d/victim"), "untouched").unwrap();
    fs::write(outside.join("target"), "untouched").unwrap();
    fs::create_dir(bench.ws("d")).unwrap();
    fs::write(bench.ws("d/victim"), "old").unwrap();
    fs::write(bench.ws("file"), "old").unwrap();
    let point = bench.begin("turn").await;
    bench
        .command(|root| {
            fs::write(root.join("d/victim"), "new").unwrap();
            fs::write(root.join("file"), "new").unwrap();
        })
        .await;
    let plan = bench.rewinder.plan(Target::Point(point)).unwrap();
    // After the plan was shown.
    fs::rename(bench.ws("d"), bench.root.join("moved")).unwrap();
    symlink(outside.join("d"), bench.ws("d")).unwrap();
    fs::remove_file(bench.ws("file")).unwrap();
    symlink(outside.join("target"), bench.ws("file")).unwrap();
    let failed = bench.apply(&plan, &[]);
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert_eq!(fs::read_to_string(outside.join("d/victim")).unwrap(), "untouched");
    assert_eq!(fs::read_to_string(outside.join("target")).unwrap(), "untouched");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_in_the_way_does_not_stop_the_others() {
    let bench = Bench::new();
    fs::write(bench.ws("a"), "old").unwrap();
    fs::write(bench.ws("z"), "old").unwrap();
    let point = bench.begin("turn").await;
    bench.tool("a", b"new");
    bench.tool("z", b"new");
    fs::remove_file(bench.ws("a")).unwrap();
    fs::create_dir(bench.ws("a")).unwrap();
    let ignored = bench.ws(".gitignore");
    fs::write(&ignored, "precious\n").unwrap();
    fs::write(bench.ws("a/precious"), "not watched").unwrap();
    let failed = bench.rewind(point);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].why.contains("directory"), "{failed:?}");
    assert_eq!(fs::read_to_string(bench.ws("z")).unwrap(), "old");
    assert_eq!(fs::read_to_string(bench.ws("a/precious")).unwrap(), "not watched");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_ignored_files_and_huge_ones_are_left_alone_and_told() {
    let bench = Bench::new();
    fs::write(bench.ws(".env"), "KEY=1").unwrap();
    fs::write(bench.ws(".gitignore"), "out/\n").unwrap();
    fs::create_dir(bench.ws("out")).unwrap();
    fs::File::create(bench.ws("huge")).unwrap().set_len(2 << 20).unwrap();
    let point = bench.begin("turn").await;
    bench
        .command(|root| {
            fs::write(root.join(".env"), "KEY=2").unwrap();
            fs::write(root.join("out/made"), "x").unwrap();
            fs::write(root.join("huge"), "small").unwrap();
        })
        .await;
    let plan = bench.rewinder.plan(Target::Point(point)).unwrap();
    let told: Vec<_> =
        plan.files.iter().map(|file| (file.shown.as_str(), file.problem.is_some())).collect();
    assert_eq!(told, [(".env", true), ("huge", true)]);
    let pack = fs::read(bench.rewinder.dir.join("blobs.pack")).unwrap();
    assert!(
        !crate::store::snapshots::Blobs::open(&bench.rewinder.dir)
            .unwrap()
            .holds(&crate::store::snapshots::Blobs::id(b"KEY=1"))
    );
    assert!(pack.len() < 10_000);
    let points = bench.rewinder.points().unwrap();
    assert!(points.limits[0].contains("no copy"), "{:?}", points.limits);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_copies_go_when_there_are_too_many() {
    let bench = Bench::bounded(600_000);
    let noise = |seed: u32| -> Vec<u8> {
        let mut state = seed.wrapping_mul(747_796_405) | 1;
        (0..100_000)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state as u8
            })
            .collect()
    };
    let mut points = Vec::new();
    for n in 0..12 {
        points.push(bench.begin("turn").await);
        bench.tool("a", &noise(n));
        bench.end().await;
    }
    let size = fs::metadata(bench.rewinder.dir.join("blobs.pack")).unwrap().len();
    assert!(size <= 600_000, "{size}");
    let shown = bench.rewinder.points().unwrap();
    assert_eq!(shown.points.len(), 12);
    assert!(shown.points[0].has_files && !shown.points[11].has_files);
    assert_eq!(shown.limits.len(), 1, "{:?}", shown.limits);
    assert!(bench.rewinder.plan(Target::Point(points[0])).unwrap().files.is_empty());
    assert_eq!(bench.rewind(points[11]), []);
    assert_eq!(fs::read(bench.ws("a")).unwrap(), noise(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_is_finished() {
    let mut bench = Bench::new();
    for n in 0..20 {
        fs::write(bench.ws(&format!("f{n}")), "old").unwrap();
    }
    let point = bench.begin("turn").await;
    bench
        .command(|root| (0..20).for_each(|n| fs::write(root.join(format!("f{n}")), "new").unwrap()))
        .await;
    let plan = bench.rewinder.plan(Target::Point(point)).unwrap();
    let puts: Vec<_> = plan.files.iter().map(|file| file.put.clone()).collect();
    let (puts, _) = bench.rewinder.before_putting(puts, &|| false).unwrap().unwrap();
    let rewound = Rewound {
        at: 0.0,
        to: point,
        scope: RewindScope::Files,
        hidden: vec![],
        prompt: String::new(),
        files: puts.clone(),
        context: ContextMark::default(),
        todos: vec![],
        title: None,
    };
    let journal = Journal { redo: false, rewound, puts, context: None, todos: vec![], title: None };
    journal.write(&bench.rewinder.dir).unwrap();
    for n in 0..7 {
        fs::write(bench.ws(&format!("f{n}")), "old").unwrap();
    }
    fs::write(bench.ws(".kimi-rewind-Xy1.tmp"), "written and not placed").unwrap();
    // Somebody was quicker than the next start.
    fs::write(bench.ws("f19"), "mine").unwrap();
    bench.reopen();
    let log_path = bench.root.join("share/session/context.jsonl");
    let (mut log, _) = crate::store::ContextLog::open(&log_path).unwrap();
    for said in [2, 0] {
        let mut warnings = Vec::new();
        finish_interrupted(&bench.rewinder, &mut log, |_| {}, &mut warnings).unwrap();
        assert_eq!(warnings.len(), said, "{warnings:?}");
    }
    for n in 0..19 {
        assert_eq!(fs::read_to_string(bench.ws(&format!("f{n}"))).unwrap(), "old");
    }
    assert_eq!(fs::read_to_string(bench.ws("f19")).unwrap(), "mine");
    assert!(!bench.ws(".kimi-rewind-Xy1.tmp").exists());
    let failed = bench.redo();
    assert_eq!(failed, []);
    assert_eq!(fs::read_to_string(bench.ws("f3")).unwrap(), "new");
}
