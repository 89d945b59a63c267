//! The first call of a session, and files that only a command knows of.

use std::time::Duration;

use futures_util::poll;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_call_that_changes_anything_comes_after_the_first_look_and_its_copies() {
    let bench = Bench::new();
    for n in 0..60 {
        fs::write(bench.ws(&format!("f{n}")), "old\n").unwrap();
    }
    std::thread::sleep(Duration::from_millis(60));
    let release = bench.slow_disk();
    let mark = ContextMark::default();
    bench.rewinder.begin_turn("turn".to_owned(), mark, vec![], None).await;
    let mut first = Box::pin(bench.rewinder.before_first_change());
    assert!(poll!(&mut first).is_pending());
    release();
    first.await;
    let call = bench.rewinder.before_call(false).await;
    for n in 0..60 {
        fs::write(bench.ws(&format!("f{n}")), "new\n").unwrap();
    }
    drop(call);
    bench.end().await;
    let plan = bench.rewinder.plan(Target::Point(1)).unwrap();
    assert!(!plan.partial);
    assert_eq!(plan.files.len(), 60);
    assert_eq!(bench.apply(&plan, &[]), []);
    assert!((0..60).all(|n| fs::read(bench.ws(&format!("f{n}"))).unwrap() == b"old\n"));
    // It is done once: nobody waits again.
    let slow = bench.slow_disk();
    bench.rewinder.begin_turn("next".to_owned(), ContextMark::default(), vec![], None).await;
    assert!(poll!(Box::pin(bench.rewinder.before_first_change())).is_ready());
    slow();
    bench.rewinder.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_file_that_a_command_or_a_tool_changes_comes_back() {
    let bench = Bench::new();
    fs::write(bench.ws(".gitignore"), "*.local\nout/\n").unwrap();
    fs::create_dir(bench.ws("out")).unwrap();
    for name in ["a.local", "out/b", "c.local", "out/d"] {
        fs::write(bench.ws(name), "old\n").unwrap();
    }
    let point = bench.begin("turn").await;
    let named = vec![bench.ws("a.local"), bench.ws("out/b")];
    bench.rewinder.before_named(|| named).await;
    bench
        .command(|root| {
            fs::write(root.join("a.local"), "by the command\n").unwrap();
            fs::remove_file(root.join("out/b")).unwrap();
        })
        .await;
    bench.tool("c.local", b"by the tool\n");
    bench.end().await;
    let plan = bench.rewinder.plan(Target::Point(point)).unwrap();
    let told: Vec<_> = plan.files.iter().map(|file| (file.shown.as_str(), file.hand)).collect();
    assert_eq!(
        told,
        [("a.local", Hand::Command), ("c.local", Hand::Agent), ("out/b", Hand::Command)]
    );
    assert_eq!(bench.apply(&plan, &[]), []);
    for name in ["a.local", "out/b", "c.local", "out/d"] {
        assert_eq!(fs::read_to_string(bench.ws(name)).unwrap(), "old\n", "{name}");
    }
    bench.redo();
    assert_eq!(fs::read_to_string(bench.ws("a.local")).unwrap(), "by the command\n");
    assert!(!bench.ws("out/b").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_keeps_and_what_is_elsewhere_is_not_copied() {
    // The workspace may be a worktree that lies in such a directory itself.
    let bench = Bench::below("repo/.git/trees", MAX_STORE);
    fs::create_dir(bench.ws(".git")).unwrap();
    fs::write(bench.ws(".git/index"), "x").unwrap();
    fs::write(bench.root.join("outside"), "x").unwrap();
    bench.begin("turn").await;
    let named = vec![bench.ws(".git/index"), bench.root.join("outside"), bench.ws("absent")];
    let known = || bench.rewinder.with_tree(|tree| Ok(tree.tracked.paths.len())).unwrap();
    bench.rewinder.before_named(|| named).await;
    assert_eq!(known(), 0);
    fs::write(bench.ws("file"), "x").unwrap();
    let file = bench.ws("file");
    bench.rewinder.before_named(|| vec![file]).await;
    assert_eq!(known(), 1);
}
