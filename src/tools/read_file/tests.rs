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
