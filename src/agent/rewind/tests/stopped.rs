//! Rewinds that are stopped, or met by somebody else, between two files.

use std::cell::Cell;

use super::*;
use crate::agent::rewind::restore::CHANGED;
use crate::store::snapshots::Put;

const FILES: usize = 150;

/// A turn in which a command changed many files, and a directory that it removed.
async fn bench() -> (Bench, u64, BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    let bench = Bench::new();
    fs::create_dir(bench.ws("d")).unwrap();
    for n in 0..FILES {
        fs::write(bench.ws(&format!("d/f{n:03}")), format!("old {n}")).unwrap();
    }
    let point = bench.begin("turn").await;
    let before = bench.picture();
    bench
        .command(|root| {
            for n in 0..FILES {
                fs::write(root.join(format!("d/f{n:03}")), "new").unwrap();
            }
            fs::write(root.join("made"), "new").unwrap();
        })
        .await;
    bench.end().await;
    (bench, point, before)
}

fn journal(bench: &Bench, point: u64) -> Journal {
    let plan = bench.rewinder.plan(Target::Point(point)).unwrap();
    let puts: Vec<Put> = plan.files.iter().map(|file| file.put.clone()).collect();
    let (puts, failed) = bench.rewinder.before_putting(puts, &|| false).unwrap().unwrap();
    assert_eq!(failed, []);
    let rewound = Rewound {
        at: 0.0,
        to: point,
        scope: RewindScope::Both,
        hidden: vec![point],
        prompt: String::new(),
        files: puts.clone(),
        context: ContextMark::default(),
        todos: vec![],
        title: None,
    };
    let context = Some(ContextMark::default());
    Journal { redo: false, rewound, puts, context, todos: vec![], title: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_back_by_then_can_be_taken_back_and_the_rest_goes_on() {
    let (bench, point, before) = bench().await;
    let after = bench.picture();
    let journal = journal(&bench, point);
    let asked = Cell::new(0);
    let (most, of) = (Cell::new(0), journal.puts.len());
    let stopped = || {
        let (through, all) = bench.rewinder.progress().unwrap();
        assert_eq!(all, of);
        most.set(through);
        asked.replace(asked.get() + 1) > 100
    };
    let done = bench.rewinder.carry_out(&journal, &stopped).unwrap();
    assert_eq!(done.failed, []);
    assert!(!done.left.is_empty() && done.left.len() < of, "{}", done.left.len());
    assert_eq!(most.get(), of - done.left.len());
    assert_eq!(bench.rewinder.progress(), None);
    // Nothing is half done, and nothing is left lying about.
    let (picture, left) = (bench.picture(), done.left.len());
    let unchanged = picture.values().filter(|(_, content)| content == b"new").count();
    assert_eq!((picture.len(), unchanged), (before.len(), left));

    let journal = journal.cut_off(&done.left);
    assert_eq!(journal.rewound.scope, RewindScope::Files);
    assert!(journal.context.is_none() && journal.rewound.hidden.is_empty());
    bench.rewinder.with_log(|log| Ok(journal.note(log)?)).unwrap();
    let shown = bench.rewinder.points().unwrap();
    assert!(shown.redo);
    assert_eq!(shown.points.len(), 1, "the turn is still there");
    assert_eq!(bench.redo(), []);
    assert_eq!(bench.picture(), after);
    assert_eq!(bench.rewind(point), []);
    assert_eq!(bench.picture(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_before_its_first_file_notes_nothing() {
    let (bench, point, _) = bench().await;
    let after = bench.picture();
    let plan = bench.rewinder.plan(Target::Point(point)).unwrap();
    let puts = plan.files.iter().map(|file| file.put.clone()).collect();
    let asked = Cell::new(0);
    let stopped = || asked.replace(asked.get() + 1) > 5;
    assert!(bench.rewinder.before_putting(puts, &stopped).unwrap().is_none());
    assert_eq!(bench.picture(), after);
    assert!(!bench.rewinder.points().unwrap().redo);
    let again = bench.rewinder.plan(Target::Point(point)).unwrap();
    assert_eq!(again.files, plan.files);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_writes_while_many_files_are_written_is_theirs() {
    let (bench, point, _) = bench().await;
    let journal = journal(&bench, point);
    let asked = Cell::new(0);
    // The first files are written by then and not in their places.
    let meanwhile = || {
        if asked.replace(asked.get() + 1) == 20 {
            fs::write(bench.ws("d/f000"), "my").unwrap();
            fs::remove_file(bench.ws("d/f001")).unwrap();
            fs::create_dir(bench.ws("d/f001")).unwrap();
            fs::write(bench.ws("d/f001/precious"), "my").unwrap();
        }
        false
    };
    let done = bench.rewinder.carry_out(&journal, &meanwhile).unwrap();
    let failed: Vec<_> =
        done.failed.iter().map(|failed| (failed.path.clone(), failed.why.as_str())).collect();
    assert_eq!(failed, [(bench.ws("d/f000"), CHANGED), (bench.ws("d/f001"), CHANGED)]);
    let read = |name: &str| fs::read_to_string(bench.ws(name)).unwrap();
    let names = ["d/f000", "d/f001/precious", "d/f002", "d/f149"];
    assert_eq!(names.map(read), ["my", "my", "old 2", "old 149"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_becomes_a_link_meanwhile_leads_nowhere() {
    let (bench, point, _) = bench().await;
    let journal = journal(&bench, point);
    let outside = bench.root.join("outside");
    fs::create_dir(&outside).unwrap();
    for n in 0..FILES {
        fs::write(outside.join(format!("f{n:03}")), "untouched").unwrap();
    }
    let asked = Cell::new(0);
    let meanwhile = || {
        if asked.replace(asked.get() + 1) == 20 {
            fs::rename(bench.ws("d"), bench.root.join("moved")).unwrap();
            symlink(&outside, bench.ws("d")).unwrap();
        }
        false
    };
    let done = bench.rewinder.carry_out(&journal, &meanwhile).unwrap();
    assert_eq!(done.failed.len(), FILES);
    for entry in fs::read_dir(&outside).unwrap().flatten() {
        assert_eq!(fs::read_to_string(entry.path()).unwrap(), "untouched", "{entry:?}");
    }
}
