//! Looks that end long after what they are about.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn neither_commands_nor_edits_wait_for_the_first_look() {
    let bench = Bench::new();
    for name in ["tool", "command", "still"] {
        fs::write(bench.ws(name), "old\n").unwrap();
    }
    // Time stamps have the grain of the kernel's clock, and a call's time some slack.
    std::thread::sleep(std::time::Duration::from_millis(60));
    let release = bench.slow_disk();
    let mark = ContextMark::default();
    bench.rewinder.begin_turn("turn".to_owned(), mark, vec![], None).await;
    let call = bench.rewinder.before_call(false).await;
    bench.tool("tool", b"new\n");
    bench.tool("made/by/tool", b"new\n");
    fs::write(bench.ws("command"), "new\n").unwrap();
    drop(call);
    bench.rewinder.end_turn();
    release();
    bench.rewinder.settle().await;
    let plan = bench.rewinder.plan(Target::Point(1)).unwrap();
    assert!(plan.partial, "what the command removed or made is not known");
    let told: Vec<_> = plan
        .files
        .iter()
        .map(|file| (file.shown.as_str(), file.hand, file.problem.is_some()))
        .collect();
    assert_eq!(
        told,
        [
            ("command", Hand::Command, true),
            ("made", Hand::Agent, false),
            ("made/by", Hand::Agent, false),
            ("made/by/tool", Hand::Agent, false),
            ("tool", Hand::Agent, false),
        ]
    );
    assert_eq!(bench.apply(&plan, &[]), []);
    assert_eq!(fs::read_to_string(bench.ws("tool")).unwrap(), "old\n");
    assert!(!bench.ws("made").exists());

    // The next turn is known whole.
    let next = bench.begin("next").await;
    bench.command(|root| fs::write(root.join("still"), "new\n").unwrap()).await;
    let plan = bench.rewinder.plan(Target::Point(next)).unwrap();
    assert!(!plan.partial);
    assert_eq!(plan.files.len(), 1);
    assert_eq!(plan.files[0].problem, None);
    assert!(bench.rewinder.points().unwrap().points[1].partial);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_comes_late_takes_nothing_from_the_turn_before() {
    let bench = Bench::new();
    fs::write(bench.ws("a"), "old\n").unwrap();
    let first = bench.begin("first").await;
    bench.end().await;
    let pause = || std::thread::sleep(std::time::Duration::from_millis(60));
    pause();
    // Between the turns, by the user.
    fs::write(bench.ws("a"), "mine\n").unwrap();
    fs::create_dir(bench.ws("d")).unwrap();
    fs::write(bench.ws("d/x"), "mine\n").unwrap();
    pause();
    let release = bench.slow_disk();
    bench.rewinder.begin_turn("turn".to_owned(), ContextMark::default(), vec![], None).await;
    bench.tool("a", b"tool\n");
    bench.tool("d/x", b"tool\n");
    let call = bench.rewinder.before_call(false).await;
    fs::write(bench.ws("c"), "command\n").unwrap();
    drop(call);
    release();
    bench.rewinder.settle().await;
    bench.end().await;
    let plan = bench.rewinder.plan(Target::Point(first + 1)).unwrap();
    let told: Vec<_> = plan.files.iter().map(|file| (file.shown.as_str(), file.hand)).collect();
    assert_eq!(told, [("a", Hand::Agent), ("c", Hand::Command), ("d/x", Hand::Agent)]);
    assert!(!plan.partial);
    assert_eq!(bench.apply(&plan, &[]), []);
    let read = |name: &str| fs::read_to_string(bench.ws(name)).unwrap();
    assert_eq!(["a", "d/x"].map(read), ["mine\n", "mine\n"]);
    assert!(!bench.ws("c").exists());
}
