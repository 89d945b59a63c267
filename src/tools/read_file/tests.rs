use super::*;
use crate::tools::testing::{Bench, brief};

async fn read(bench: &Bench, arguments: Value) -> ToolReturnValue {
    bench.run(&ReadFile::new(Arc::default()), arguments).await
}

#[tokio::test]
async fn lines_are_numbered_and_told_as_kimi_tells_them() {
    let bench = Bench::new();
    bench.put("f0.txt", "line one of file 0\nline two\n");
    assert_eq!(
        read(&bench, json!({"path": "f0.txt"})).await,
        ToolReturnValue::ok(
            "     1\tline one of file 0\n     2\tline two\n",
            "2 lines read from file starting from line 1. Total lines in file: 2. End of file reached."
        )
    );
    let value =
        read(&bench, json!({"path": bench.ws("f0.txt"), "line_offset": 2, "n_lines": 1})).await;
    assert_eq!(value.output.text(), "     2\tline two\n");
    assert_eq!(
        value.message,
        "1 lines read from file starting from line 2. Total lines in file: 2."
    );
    let value = read(&bench, json!({"path": "f0.txt", "line_offset": 9})).await;
    assert_eq!(
        value.message,
        "No lines read from file. Total lines in file: 2. End of file reached."
    );
    bench.put("empty", "");
    let value = read(&bench, json!({"path": "empty"})).await;
    assert_eq!(
        value.message,
        "No lines read from file. Total lines in file: 0. End of file reached."
    );
}

#[tokio::test]
async fn every_line_end_and_no_line_end() {
    let bench = Bench::new();
    bench.put("ends", b"a\r\nb\rc\n\xff\n\nlast");
    let value = read(&bench, json!({"path": "ends"})).await;
    assert_eq!(
        value.output.text(),
        "     1\ta\n     2\tb\n     3\tc\n     4\t\u{fffd}\n     5\t\n     6\tlast"
    );
}

#[test]
fn a_line_end_split_between_two_reads_is_one() {
    let cancel = CancellationToken::new();
    let bytes = b"aa\r\nbb\r\r\ncc\n";
    for capacity in 1..8 {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, &bytes[..]), &cancel);
        let mut texts = Vec::new();
        while let Some(line) = lines.next(true).unwrap() {
            texts.push(line.text);
        }
        assert_eq!(texts, ["aa\n", "bb\n", "\n", "cc\n"], "{capacity}");
        let mut lines = Lines::new(BufReader::with_capacity(capacity, &bytes[..]), &cancel);
        lines.next(true).unwrap();
        assert!(matches!(lines.count_rest().unwrap(), Total::Exact(4)), "{capacity}");
    }
}

#[tokio::test]
async fn the_end_of_a_file() {
    let bench = Bench::new();
    let text: String = (1..=2500).map(|n| format!("{n}\n")).collect();
    bench.put("long", text);
    let value = read(&bench, json!({"path": "long", "line_offset": -3})).await;
    assert_eq!(value.output.text(), "  2498\t2498\n  2499\t2499\n  2500\t2500\n");
    assert_eq!(
        value.message,
        "3 lines read from file starting from line 2498. Total lines in file: 2500. End of file reached."
    );
    let value = read(&bench, json!({"path": "long", "line_offset": -5, "n_lines": 2})).await;
    assert_eq!(value.output.text(), "  2496\t2496\n  2497\t2497\n");
    let value = read(&bench, json!({"path": "long", "n_lines": 5000})).await;
    assert_eq!(
        value.message,
        "1000 lines read from file starting from line 1. Total lines in file: 2500. Max 1000 lines reached."
    );
}

#[tokio::test]
async fn long_lines_and_many_bytes_are_cut() {
    let bench = Bench::new();
    bench.put("wide", format!("short\n{}\n{}\n", "é".repeat(70_000), "x".repeat(1999)));
    let value = read(&bench, json!({"path": "wide"})).await;
    let text = value.output.text();
    let line = text.lines().nth(1).unwrap().trim_start_matches("     2\t");
    assert_eq!(line.chars().count(), 1999);
    assert!(line.ends_with("é..."));
    assert!(
        value.message.ends_with("End of file reached. Lines [2] were truncated."),
        "{}",
        value.message
    );
    bench.put("heavy", format!("{}\n", "y".repeat(1000)).repeat(500));
    let value = read(&bench, json!({"path": "heavy"})).await;
    assert_eq!(
        value.message,
        "103 lines read from file starting from line 1. Total lines in file: 500. Max 102400 bytes reached."
    );
    let value = read(&bench, json!({"path": "heavy", "line_offset": -300})).await;
    assert!(value.output.text().starts_with("   399\ty"), "{}", value.message);
    assert!(value.message.contains("Max 102400 bytes reached."));
}

#[tokio::test]
async fn what_is_no_text_file_is_explained() {
    let bench = Bench::new();
    bench.put("dir/inner/x", "");
    bench.put("dir/a.rs", "");
    let value = read(&bench, json!({"path": "dir"})).await;
    assert_eq!((brief(&value), value.output.text().as_str()), ("Invalid path", "a.rs\ninner/"));
    assert_eq!(brief(&read(&bench, json!({"path": "nowhere"})).await), "File not found");
    assert_eq!(brief(&read(&bench, json!({"path": ""})).await), "Empty file path");
    assert_eq!(brief(&read(&bench, json!({"path": "/dev/null"})).await), "Invalid path");
    bench.put("pic.png", b"\x89PNG\r\n\x1a\n");
    assert_eq!(brief(&read(&bench, json!({"path": "pic.png"})).await), "Unsupported file type");
    bench.put("data", b"a\0b");
    assert_eq!(brief(&read(&bench, json!({"path": "data"})).await), "File not readable");
    let zero = read(&bench, json!({"path": "data", "line_offset": 0})).await;
    assert_eq!(brief(&zero), "Invalid arguments");
}

#[tokio::test]
async fn secrets_are_not_read_by_any_name() {
    let bench = Bench::new();
    bench.put(".env", "SECRET");
    std::os::unix::fs::symlink(".env", bench.ws("notes.txt")).unwrap();
    for path in [".env", "./x/../.env", "notes.txt"] {
        let value = read(&bench, json!({"path": path})).await;
        assert_eq!(brief(&value), "Sensitive file", "{path}");
        assert!(value.output.is_empty());
    }
    assert_eq!(brief(&read(&bench, json!({"path": "../out/x"})).await), "Invalid path");
    std::fs::write(bench.root.join("out/x"), "outside\n").unwrap();
    assert!(!read(&bench, json!({"path": bench.root.join("out/x")})).await.is_error);
}

#[tokio::test]
async fn a_cancelled_read_returns() {
    let bench = Bench::new();
    bench.put("f", "x\n");
    bench.cx.cancel.cancel();
    assert_eq!(brief(&read(&bench, json!({"path": "f"})).await), "Cancelled");
}

#[tokio::test]
async fn films_are_not_text_and_secrets_are_not_looked_for() {
    let bench = Bench::new();
    bench.put("film.mp4", b"\0\0\0\x20ftypisom");
    assert_eq!(brief(&read(&bench, json!({"path": "film.mp4"})).await), "Unsupported file type");
    // Whether there is such a file is nobody's business either.
    assert_eq!(brief(&read(&bench, json!({"path": ".env"})).await), "Sensitive file");
}

#[test]
fn ranges_have_bounds() {
    let tool = ReadFile::new(Arc::default());
    for range in [json!({"line_offset": -1001}), json!({"n_lines": 0}), json!({"n_lines": "many"})]
    {
        let mut arguments = json!({"path": "x"});
        arguments.as_object_mut().unwrap().extend(range.as_object().unwrap().clone());
        assert!(tool.check(arguments).is_err(), "{range}");
    }
    assert!(tool.check(json!({"path": "x", "line_offset": -1000, "n_lines": 1})).is_ok());
}

/// The remark about a file of so many lines, read so.
async fn told(bench: &Bench, lines: usize, range: Value) -> (usize, String) {
    bench.put("f", (1..=lines).map(|n| format!("{n}\n")).collect::<String>());
    let mut arguments = json!({"path": "f"});
    arguments.as_object_mut().unwrap().extend(range.as_object().unwrap().clone());
    let value = read(bench, arguments).await;
    (value.output.text().lines().count(), value.message)
}

#[tokio::test]
async fn where_a_read_ended_is_said_only_where_the_model_could_not_know() {
    let bench = Bench::new();
    let message = |count: usize, first: usize, total: usize, end: &str| {
        let message = format!(
            "{count} lines read from file starting from line {first}. Total lines in file: {total}.{end}"
        );
        (count, message)
    };
    let (max, end) = (" Max 1000 lines reached.", " End of file reached.");
    for (lines, range, wanted) in [
        // All that it asked for came: there is nothing to explain.
        (1500, json!({}), message(1000, 1, 1500, "")),
        (1500, json!({"n_lines": 1000}), message(1000, 1, 1500, "")),
        (1000, json!({}), message(1000, 1, 1000, "")),
        (5, json!({"n_lines": 5}), message(5, 1, 5, "")),
        // It asked for more than there is, or than one call gives.
        (999, json!({}), message(999, 1, 999, end)),
        (5, json!({"line_offset": 4}), message(2, 4, 5, end)),
        (1001, json!({"n_lines": 1001}), message(1000, 1, 1001, max)),
        (1001, json!({"n_lines": 1001, "line_offset": 2}), message(1000, 2, 1001, end)),
        (1000, json!({"n_lines": 1001}), message(1000, 1, 1000, end)),
        // From the end: the first of the last lines.
        (2500, json!({"line_offset": -1000}), message(1000, 1501, 2500, "")),
        (2500, json!({"line_offset": -5, "n_lines": 2}), message(2, 2496, 2500, "")),
        (3, json!({"line_offset": -1000}), message(3, 1, 3, end)),
        (3, json!({"line_offset": -1, "n_lines": 1}), message(1, 3, 3, "")),
    ] {
        assert_eq!(told(&bench, lines, range.clone()).await, wanted, "{lines} lines, {range}");
    }
}

#[tokio::test]
async fn a_hundred_kibibytes_are_counted_as_they_are_shown() {
    let bench = Bench::new();
    // 1024 bytes a line: a hundred of them are the limit, to the byte.
    let line = format!("{}\n", "x".repeat(1023));
    bench.put("fits", line.repeat(100));
    let value = read(&bench, json!({"path": "fits"})).await;
    assert!(value.message.ends_with("Total lines in file: 100. End of file reached."), "{value:?}");
    bench.put("over", line.repeat(101));
    let value = read(&bench, json!({"path": "over"})).await;
    assert_eq!(
        value.message,
        "100 lines read from file starting from line 1. Total lines in file: 101. Max 102400 bytes reached."
    );
    let value = read(&bench, json!({"path": "over", "line_offset": -101})).await;
    assert_eq!(
        value.message,
        "100 lines read from file starting from line 2. Total lines in file: 101. Max 102400 bytes reached."
    );
    // Long lines count as what is left of them.
    bench.put("long", format!("{}\n", "x".repeat(50_000)).repeat(40));
    let value = read(&bench, json!({"path": "long", "n_lines": 40})).await;
    assert!(value.message.starts_with("40 lines read from file"), "{}", value.message);
    let numbers: Vec<String> = (1..=40).map(|n| n.to_string()).collect();
    let cut = format!("Lines [{}] were truncated.", numbers.join(", "));
    assert!(value.message.ends_with(&cut), "{}", value.message);
}

#[test]
fn a_file_that_is_too_long_to_count_is_said_to_be_longer() {
    let found = |total| Found {
        lines: vec![Line { number: 7, text: "x\n".into(), cut: false }],
        first: 7,
        total,
        max_lines: false,
        max_bytes: false,
    };
    let told = found(Total::AtLeast(9)).into_result(1);
    assert_eq!(told.output.text(), "     7\tx\n");
    assert_eq!(
        told.message,
        "1 lines read from file starting from line 7. Total lines in file: more than 9."
    );
    assert!(found(Total::Exact(9)).into_result(1).message.ends_with("in file: 9."));
}

#[tokio::test]
async fn a_long_directory_is_named_in_part_with_its_directories_marked() {
    let bench = Bench::new();
    for n in 0..60 {
        bench.put(&format!("dir/{n:02}"), "");
    }
    bench.put("dir/.hidden/x", "");
    std::os::unix::fs::symlink("..", bench.ws("dir/.link")).unwrap();
    let value = read(&bench, json!({"path": "dir"})).await;
    assert!(value.is_error && value.message.contains("is a directory"), "{}", value.message);
    let text = value.output.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..4], [".hidden/", ".link", "00", "01"]);
    assert_eq!(lines[49..], ["47", "... and 12 more"]);
    std::fs::create_dir(bench.ws("void")).unwrap();
    assert!(read(&bench, json!({"path": "void"})).await.output.is_empty());
}

#[tokio::test]
async fn the_first_thing_that_is_wrong_with_a_path_is_told() {
    let bench = Bench::new();
    bench.put("f", "x\n");
    std::fs::create_dir(bench.ws("pictures.png")).unwrap();
    for (path, short) in [
        ("", "Empty file path"),
        // Outside and a secret, a secret and missing, missing and a picture, a directory and a picture.
        ("../.env", "Invalid path"),
        ("none/.env", "Sensitive file"),
        ("none.png", "File not found"),
        ("pictures.png", "Invalid path"),
        // Where a file stands no directory is.
        ("f/x", "File not found"),
    ] {
        let value = read(&bench, json!({"path": path})).await;
        assert_eq!(brief(&value), short, "{path}: {}", value.message);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_cannot_be_read_says_why() {
    let bench = Bench::new();
    // A regular file that opens, and of which nothing can be read.
    let value = read(&bench, json!({"path": "/proc/self/mem"})).await;
    assert_eq!(brief(&value), "Failed to read file", "{}", value.message);
    assert!(value.message.starts_with("Failed to read file `/proc/self/mem`: "), "{value:?}");
    let long = format!("{}.txt", "x".repeat(300));
    let value = read(&bench, json!({"path": long})).await;
    assert_eq!(brief(&value), "Failed to read file");
    assert!(value.message.contains("too long"), "{}", value.message);
}

#[tokio::test]
async fn reading_outside_asks_nobody() {
    let bench = Bench::new();
    std::fs::write(bench.root.join("out/x"), "outside\n").unwrap();
    let value = read(&bench, json!({"path": bench.root.join("out/x")})).await;
    assert_eq!(value.output.text(), "     1\toutside\n");
    assert!(bench.desk.asks.lock().unwrap().is_empty());
}
