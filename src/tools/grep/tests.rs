use super::*;
use crate::tools::testing::{Bench, brief};
use std::time::{Duration, SystemTime};

async fn grep(bench: &Bench, arguments: Value) -> ToolReturnValue {
    bench.run(&Grep, arguments).await
}

async fn text(bench: &Bench, arguments: Value) -> String {
    let value = grep(bench, arguments).await;
    assert!(!value.is_error, "{value:?}");
    value.output.text()
}

/// Makes a file so many seconds old.
fn age(bench: &Bench, name: &str, seconds: u64) {
    let file = std::fs::File::options().append(true).open(bench.ws(name)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.put("f0.txt", "line one\nother\nline two line\n");
    bench.put("f5.txt", "line\n");
    bench.put("src/a.rs", "fn main() {}\n");
    bench.put(".hidden", "line hidden\n");
    bench.put(".git/config", "line\n");
    for (name, seconds) in [("f0.txt", 100), ("f5.txt", 50), (".hidden", 200)] {
        age(&bench, name, seconds);
    }
    bench
}

#[tokio::test]
async fn files_come_newest_first_behind_the_given_path() {
    let bench = bench();
    let value = grep(&bench, json!({"pattern": "line", "path": "."})).await;
    assert_eq!(value, ToolReturnValue::ok("./f5.txt\n./f0.txt\n./.hidden", ""));
    assert_eq!(text(&bench, json!({"pattern": "main", "path": "src"})).await, "src/a.rs");
    assert_eq!(text(&bench, json!({"pattern": "main", "path": bench.ws("src")})).await, "a.rs");
    assert_eq!(text(&bench, json!({"pattern": "LINE TWO", "-i": true})).await, "./f0.txt");
    let none = grep(&bench, json!({"pattern": "nowhere"})).await;
    assert_eq!((none.message.as_str(), none.is_error), ("No matches found.", false));
}

#[tokio::test]
async fn content_with_numbers_and_context() {
    let bench = bench();
    let content = |more: Value| {
        let mut arguments = json!({"pattern": "two", "path": "f0.txt", "output_mode": "content"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    assert_eq!(text(&bench, content(json!({}))).await, "f0.txt:3:line two line");
    assert_eq!(text(&bench, content(json!({"-n": false}))).await, "f0.txt:line two line");
    assert_eq!(
        text(&bench, content(json!({"-B": "1"}))).await,
        "f0.txt-2-other\nf0.txt:3:line two line"
    );
    assert_eq!(
        text(&bench, content(json!({"-C": 1, "pattern": "one"}))).await,
        "f0.txt:1:line one\nf0.txt-2-other"
    );
    let both =
        json!({"pattern": "line", "output_mode": "content", "glob": "*.txt", "-A": 1, "path": "."});
    assert_eq!(
        text(&bench, both).await,
        "./f0.txt:1:line one\n./f0.txt-2-other\n./f0.txt:3:line two line\n--\n./f5.txt:1:line"
    );
}

#[tokio::test]
async fn counts_are_of_matches_also_in_one_file() {
    let bench = bench();
    let value =
        grep(&bench, json!({"pattern": "line", "glob": "*.txt", "output_mode": "count_matches"}))
            .await;
    assert_eq!(value.output.text(), "./f0.txt:3\n./f5.txt:1");
    assert_eq!(value.message, "Found 4 total occurrences across 2 files.");
    let one = json!({"pattern": "line", "path": "f0.txt", "output_mode": "count_matches"});
    assert_eq!(grep(&bench, one).await.message, "Found 3 total occurrences across 1 files.");
}

#[tokio::test]
async fn secrets_leak_in_no_mode() {
    let bench = bench();
    bench.put(".env", "SECRET=1\n");
    bench.put("deploy/server.pem", "SECRET\n");
    std::os::unix::fs::symlink(".env", bench.ws("notes.txt")).unwrap();
    for mode in ["files_with_matches", "content", "count_matches"] {
        for numbers in [true, false] {
            for path in [".", ".env", "notes.txt", "deploy", "deploy/server.pem"] {
                let arguments = json!({
                    "pattern": "SECRET", "path": path, "output_mode": mode, "-n": numbers,
                    "include_ignored": true, "multiline": !numbers
                });
                let value = grep(&bench, arguments).await;
                assert!(value.output.is_empty(), "{mode} {path}: {value:?}");
            }
        }
    }
    let value = grep(&bench, json!({"pattern": "SECRET"})).await;
    assert_eq!(
        value.message,
        "No matches found. Not searched, as they may hold secrets: ./.env, ./deploy/server.pem."
    );
    assert_eq!(
        brief(&grep(&bench, json!({"pattern": "S", "path": ".env"})).await),
        "Sensitive file"
    );
}

#[tokio::test]
async fn a_directory_may_be_called_like_a_secret() {
    let bench = Bench::new();
    bench.put("credentials/mod.rs", "fn login() {}\n");
    let arguments = json!({"pattern": "login", "path": "credentials"});
    assert_eq!(text(&bench, arguments).await, "credentials/mod.rs");
}

#[tokio::test]
async fn odd_names_do_not_confuse_it() {
    let bench = Bench::new();
    bench.put("a-12-b:3:c.txt", "x needle\n--\n");
    let arguments = json!({"pattern": "needle", "output_mode": "content", "-A": 1});
    assert_eq!(text(&bench, arguments).await, "./a-12-b:3:c.txt:1:x needle\n./a-12-b:3:c.txt-2---");
}

#[tokio::test]
async fn results_come_in_pages() {
    let bench = Bench::new();
    bench.put("f", "m1\nx\nx\nm2\nx\nx\nm3\n");
    let page = |offset: usize| {
        json!({"pattern": "m", "output_mode": "content", "-A": 1, "path": "f",
               "head_limit": 2, "offset": offset})
    };
    let value = grep(&bench, page(0)).await;
    assert_eq!(value.output.text(), "f:1:m1\nf-2-x");
    assert_eq!(value.message, "Results truncated to 2 (total: 5). Use offset=2 to see more.");
    assert_eq!(grep(&bench, page(2)).await.output.text(), "f:4:m2\nf-5-x");
    let last = grep(&bench, page(4)).await;
    assert_eq!((last.output.text().as_str(), last.message.as_str()), ("f:7:m3", ""));
    assert!(grep(&bench, page(9)).await.message.contains("only 5 results"));
    let all = json!({"pattern": "m", "output_mode": "content", "path": "f", "head_limit": 0});
    assert_eq!(text(&bench, all).await.lines().count(), 3);
    let null = json!({"pattern": "m", "output_mode": "content", "path": "f", "head_limit": null});
    assert_eq!(text(&bench, null).await.lines().count(), 3);
}

#[tokio::test]
async fn ignore_rules_types_and_multiline() {
    let bench = bench();
    bench.put(".gitignore", "*.log\n");
    bench.put("x.log", "needle\nhay\n");
    assert_eq!(text(&bench, json!({"pattern": "needle"})).await, "");
    let all = json!({"pattern": "needle", "include_ignored": true});
    assert_eq!(text(&bench, all).await, "./x.log");
    assert_eq!(text(&bench, json!({"pattern": "needle", "path": "x.log"})).await, "x.log");
    assert_eq!(text(&bench, json!({"pattern": "main|line", "type": "rust"})).await, "./src/a.rs");
    assert_eq!(
        text(&bench, json!({"pattern": "main|line", "glob": "src/*.{rs,ts}"})).await,
        "./src/a.rs"
    );
    let across = json!({"pattern": "needle.hay", "path": "x.log", "multiline": true, "output_mode": "content"});
    assert_eq!(text(&bench, across).await, "x.log:1:needle\nx.log:2:hay");
}

#[tokio::test]
async fn what_cannot_be_searched_is_explained() {
    let bench = bench();
    for arguments in [
        json!({"pattern": "("}),
        json!({"pattern": "a\\nb"}),
        json!({"pattern": "x", "path": "nowhere"}),
        json!({"pattern": "x", "type": "nonsense"}),
        json!({"pattern": "x", "glob": "a["}),
    ] {
        let value = grep(&bench, arguments).await;
        assert_eq!(brief(&value), "Failed to grep", "{value:?}");
    }
    bench.put("data.bin", b"line\0line\n");
    assert_eq!(text(&bench, json!({"pattern": "line", "path": "data.bin"})).await, "");
}

#[tokio::test]
async fn a_stopped_search_returns_at_once() {
    let bench = bench();
    let (stop, guard) = walk::Stop::new();
    drop(guard);
    let query = Query {
        withheld: Default::default(),
        pattern: "line".into(),
        root: bench.ws(""),
        shown: PathBuf::from("."),
        globs_from: bench.ws(""),
        glob: None,
        file_type: None,
        before: 0,
        after: 0,
        ignore_case: false,
        multiline: false,
        include_ignored: false,
        keep_lines: false,
        secrets: Secrets::default(),
    };
    let found = Mutex::default();
    search::search(&query, &stop, &found).unwrap();
    assert!(found.lock().unwrap().files.is_empty());
}

#[tokio::test]
async fn too_much_is_spilled() {
    let bench = Bench::new();
    bench.put("big", "needle and some more text on the line\n".repeat(20_000));
    let arguments = json!({"pattern": "needle", "output_mode": "content", "head_limit": 0});
    let value = grep(&bench, arguments).await;
    assert!(value.output.text().len() < 60_000);
    assert!(value.output.text().ends_with(":20000:needle and some more text on the line"));
    assert!(value.message.contains("spill/call-1.txt"), "{}", value.message);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_s_files_are_searched_only_by_name() {
    let bench = Bench::new();
    for path in ["/proc", "/proc/self", "/sys"] {
        let value = grep(&bench, json!({"pattern": "x", "path": path})).await;
        assert_eq!(brief(&value), "Failed to grep");
        assert!(value.message.contains("belongs to the kernel"), "{}", value.message);
    }
    let named = json!({"pattern": "^Name:", "path": "/proc/self/status"});
    assert!(!text(&bench, named).await.is_empty());
}

#[test]
fn what_a_stuck_search_had_found_counts() {
    let stuck = || Err(Unfinished::Stuck(Duration::from_secs(22)));
    let file = |path: &str| FileMatches {
        path: path.into(),
        modified: None,
        count: 1,
        lines: vec![Line { number: 1, text: "needle".into(), is_match: true }],
    };
    let arguments = json!({"pattern": "needle", "output_mode": "content"});
    let arguments = crate::tools::schema::check(&Grep.parameters(), arguments).unwrap();
    let arguments: Arguments = arguments::typed(arguments).unwrap();
    let bench = Bench::new();
    let found = Mutex::new(Found { files: vec![file("b"), file("a")], ..Found::default() });
    let value = render(&arguments, settle(stuck(), &found).unwrap(), &bench.cx);
    assert_eq!(value.output.text(), "a:1:needle\nb:1:needle");
    assert!(value.message.contains("took too long"), "{}", value.message);
    // The thread that was left behind took nothing with it.
    let value = render(&arguments, settle(stuck(), &found).unwrap(), &bench.cx);
    assert_eq!(brief(&value), "Grep timed out");
    assert!(settle(Err(Unfinished::Cancelled), &found).is_err());
}

#[tokio::test]
async fn repositories_of_every_kind_are_left_out_and_other_hidden_files_are_not() {
    let bench = Bench::new();
    for dir in [".git", ".svn", ".hg", ".bzr", ".jj", ".sl", ".config"] {
        bench.put(&format!("{dir}/f"), "needle\n");
    }
    assert_eq!(text(&bench, json!({"pattern": "needle"})).await, "./.config/f");
    let all = json!({"pattern": "needle", "include_ignored": true});
    assert_eq!(text(&bench, all).await, "./.config/f");
}

#[test]
fn arguments_have_bounds() {
    for bad in [
        json!({}),
        json!({"pattern": "x", "output_mode": "lines"}),
        json!({"pattern": "x", "head_limit": -1}),
        json!({"pattern": "x", "offset": -1}),
        json!({"pattern": "x", "-A": "two"}),
    ] {
        assert!(Grep.check(bad.clone()).is_err(), "{bad}");
    }
    let filled = Grep.check(json!({"pattern": "x", "-A": null})).unwrap();
    assert_eq!((&filled["head_limit"], &filled["-n"]), (&json!(250), &json!(true)));
}

/// Some lines are enough to fill the model's context many times over; the search ends there.
#[tokio::test]
async fn twenty_mebibytes_of_matches_end_the_search() {
    let bench = Bench::new();
    // Of a line 16 KiB are kept: fourteen hundred of them are more than that.
    let line = format!("needle {}\n", "x".repeat(17 << 10));
    bench.put("big", line.repeat(1400));
    let arguments = json!({"pattern": "needle", "output_mode": "content", "-n": false});
    let value = grep(&bench, arguments.clone()).await;
    assert!(
        value.message.starts_with("There is too much to show; narrow the search."),
        "{}",
        value.message
    );
    assert!(value.message.contains("Results truncated to 250 (total: 12"), "{}", value.message);
    assert!(value.output.text().chars().count() < 51_000);
    // Counting and naming keep no lines.
    for (mode, found) in [("files_with_matches", "./big"), ("count_matches", "./big:1400")] {
        let mut arguments = arguments.clone();
        arguments["output_mode"] = json!(mode);
        let value = grep(&bench, arguments).await;
        assert_eq!(value.output.text(), found);
        assert!(!value.message.contains("too much"), "{}", value.message);
    }
}

#[tokio::test]
async fn files_and_counts_come_in_pages_too() {
    let bench = Bench::new();
    for n in 0..300_u64 {
        let name = format!("f{n:03}");
        bench.put(&name, "m m\nm\n");
        age(&bench, &name, 1000 + n);
    }
    let page = |mode: &str, more: Value| {
        let mut arguments = json!({"pattern": "m", "output_mode": mode});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    // Without a limit of its own there is one.
    let value = grep(&bench, page("files_with_matches", json!({}))).await;
    let text = value.output.text();
    assert_eq!((text.lines().count(), text.lines().next()), (250, Some("./f000")));
    assert_eq!(value.message, "Results truncated to 250 (total: 300). Use offset=250 to see more.");
    let value = grep(&bench, page("files_with_matches", json!({"offset": 250}))).await;
    let text = value.output.text();
    assert_eq!((text.lines().count(), text.lines().last()), (50, Some("./f299")));
    assert_eq!(value.message, "");
    // The totals are of all of it, whatever the page shows.
    let totals = "Found 900 total occurrences across 300 files.";
    let value = grep(&bench, page("count_matches", json!({"head_limit": 2, "offset": 10}))).await;
    assert_eq!(value.output.text(), "./f010:3\n./f011:3");
    assert_eq!(
        value.message,
        format!("{totals} Results truncated to 2 (total: 300). Use offset=12 to see more.")
    );
    let value = grep(&bench, page("count_matches", json!({"head_limit": 0}))).await;
    assert_eq!((value.output.text().lines().count(), value.message.as_str()), (300, totals));
    let value = grep(&bench, page("count_matches", json!({"offset": 300}))).await;
    assert!(value.output.is_empty(), "{value:?}");
    assert_eq!(
        value.message,
        format!("{totals} There are only 300 results; nothing is left at offset 300.")
    );
}

#[tokio::test]
async fn a_page_neither_begins_nor_ends_with_a_separator() {
    let bench = Bench::new();
    bench.put("f", "m1\nx\nx\nm2\nx\nx\nm3\n");
    let page = |offset: usize, limit: usize| {
        json!({"pattern": "m", "output_mode": "content", "-A": 1, "path": "f", "-n": false,
               "head_limit": limit, "offset": offset})
    };
    for (offset, limit, found) in [
        (0, 0, "f:m1\nf-x\n--\nf:m2\nf-x\n--\nf:m3"),
        (0, 3, "f:m1\nf-x\n--\nf:m2"),
        (1, 2, "f-x\n--\nf:m2"),
        (1, 1, "f-x"),
        (2, 2, "f:m2\nf-x"),
        (3, 9, "f-x\n--\nf:m3"),
    ] {
        assert_eq!(text(&bench, page(offset, limit)).await, found, "{offset} {limit}");
    }
}

#[tokio::test]
async fn lines_before_and_behind_overrule_those_around() {
    let bench = Bench::new();
    bench.put("f", "1\n2\nm\n4\n5\n");
    for (more, found) in [
        (json!({"-C": 2}), "1 2 m 4 5"),
        (json!({"-C": 2, "-A": 0}), "1 2 m"),
        (json!({"-C": 1, "-B": 2}), "1 2 m 4"),
        (json!({"-A": 1, "-B": 1}), "2 m 4"),
    ] {
        let mut arguments =
            json!({"pattern": "m", "output_mode": "content", "path": "f", "-n": false});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let lines = text(&bench, arguments).await;
        let lines: Vec<&str> = lines.lines().map(|line| &line[2..]).collect();
        assert_eq!(lines.join(" "), found, "{more}");
    }
}

#[tokio::test]
async fn five_files_with_secrets_are_named_and_more_are_hinted_at() {
    let bench = Bench::new();
    for n in 0..7 {
        bench.put(&format!("{n}.pem"), "needle\n");
    }
    bench.put("open", "needle\n");
    let value = grep(&bench, json!({"pattern": "needle"})).await;
    assert_eq!(value.output.text(), "./open");
    assert_eq!(
        value.message,
        "Not searched, as they may hold secrets: ./0.pem, ./1.pem, ./2.pem, ./3.pem, ./4.pem, ...."
    );
}

#[tokio::test]
async fn what_is_outside_is_searched_by_its_absolute_path_and_nobody_is_asked() {
    let bench = Bench::new();
    std::fs::write(bench.root.join("out/x.rs"), "needle\n").unwrap();
    let arguments = json!({"pattern": "needle", "path": bench.root.join("out")});
    assert_eq!(text(&bench, arguments).await, "x.rs");
    assert!(bench.desk.asks.lock().unwrap().is_empty());
    let value = grep(&bench, json!({"pattern": "needle", "path": "../out"})).await;
    assert_eq!(brief(&value), "Invalid path");
}

#[tokio::test]
async fn a_long_line_is_cut_where_it_is_shown_and_counted_whole() {
    let bench = Bench::new();
    bench.put("f", format!("{}needle{}\nneedle\n", "a".repeat(3000), "b".repeat(3000)));
    let arguments = json!({"pattern": "needle", "output_mode": "content", "path": "f"});
    let value = grep(&bench, arguments).await;
    let text = value.output.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].chars().count(), 2000);
    assert!(lines[0].starts_with("f:1:aaa") && lines[0].ends_with("a[...truncated]"));
    assert_eq!(lines[1..], ["f:2:needle"]);
    assert!(value.message.contains("Output is truncated to fit"), "{}", value.message);
    let count = json!({"pattern": "needle", "output_mode": "count_matches", "path": "f"});
    assert_eq!(grep(&bench, count).await.output.text(), "f:2");
}
