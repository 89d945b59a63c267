use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::{Value, json};

use super::*;
use crate::tools::Tool;
use crate::tools::read_file::ReadFile;
use crate::tools::str_replace_file::StrReplaceFile;
use crate::tools::testing::{Bench, brief};
use crate::tools::write_file::WriteFile;

async fn write(bench: &Bench, arguments: Value) -> ToolReturnValue {
    bench.run(&WriteFile::new(Arc::default()), arguments).await
}

async fn edit(bench: &Bench, path: &str, edit: Value) -> ToolReturnValue {
    bench.run(&StrReplaceFile::new(Arc::default()), json!({"path": path, "edit": edit})).await
}

fn diff(value: &ToolReturnValue) -> (&str, &str) {
    match &value.display[..] {
        [DisplayBlock::Diff { old_text, new_text, .. }] => (old_text, new_text),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_written_and_told_as_kimi_tells_it() {
    let bench = Bench::new();
    let value = write(&bench, json!({"path": "hello.txt", "content": "hello\nworld\n"})).await;
    assert_eq!(value.message, "File successfully overwritten. Current size: 12 bytes.");
    assert!(value.output.is_empty());
    assert_eq!(diff(&value), ("", "hello\nworld"));
    assert_eq!(bench.desk.asks.lock().unwrap()[0].display, value.display);
    let more = json!({"path": "hello.txt", "content": "é\r\n", "mode": "append"});
    let value = write(&bench, more).await;
    assert_eq!(value.message, "File successfully appended to. Current size: 16 bytes.");
    assert_eq!(std::fs::read(bench.ws("hello.txt")).unwrap(), "hello\nworld\né\r\n".as_bytes());
    let asks = bench.desk.asks.lock().unwrap();
    assert_eq!(asks[0].action, "edit file");
    let path = bench.ws("hello.txt");
    assert_eq!(asks[0].description, format!("Write file `{}`", path.display()));
    assert_eq!(asks[0].sender, "WriteFile");
}

#[tokio::test]
async fn an_edit_is_told_as_kimi_tells_it() {
    let bench = Bench::new();
    bench.put("a.py", "def f(x):\n    return x\n");
    let value = edit(&bench, "a.py", json!({"old": "return x", "new": "return x + 1"})).await;
    assert_eq!(
        value.message,
        "File successfully edited. Applied 1 edit(s) with 1 total replacement(s)."
    );
    assert_eq!(diff(&value), ("def f(x):\n    return x", "def f(x):\n    return x + 1"));
    {
        // What was shown before is what is shown after.
        let asks = bench.desk.asks.lock().unwrap();
        let path = bench.ws("a.py");
        assert_eq!(asks[0].description, format!("Edit file `{}`", path.display()));
        assert_eq!(
            (asks[0].sender.as_str(), asks[0].action.as_str()),
            ("StrReplaceFile", "edit file")
        );
        assert_eq!(asks[0].display, value.display);
    }
    let many = json!([{"old": "x", "new": "y", "replace_all": true}, {"old": "f(", "new": "g("}]);
    let value = edit(&bench, "a.py", many).await;
    assert_eq!(
        value.message,
        "File successfully edited. Applied 2 edit(s) with 3 total replacement(s)."
    );
    assert_eq!(std::fs::read_to_string(bench.ws("a.py")).unwrap(), "def g(y):\n    return y + 1\n");
}

#[tokio::test]
async fn nothing_happens_without_approval() {
    let bench = Bench::new();
    bench.put("a", "old");
    *bench.desk.verdict.lock().unwrap() = ApprovalVerdict::Rejected { feedback: None };
    for value in [
        write(&bench, json!({"path": "a", "content": "new"})).await,
        edit(&bench, "a", json!({"old": "old", "new": "new"})).await,
    ] {
        assert!(value.is_error);
    }
    assert_eq!(std::fs::read(bench.ws("a")).unwrap(), b"old");
}

#[tokio::test]
async fn a_change_made_while_the_person_decides_is_not_lost() {
    let bench = Bench::new();
    let path = bench.put("a", "one two");
    let other = path.clone();
    *bench.desk.meanwhile.lock().unwrap() =
        Some(Box::new(move || std::fs::write(other, "one two three").unwrap()));
    let value = edit(&bench, "a", json!({"old": "one", "new": "1"})).await;
    assert_eq!(brief(&value), "Failed to edit file");
    assert!(value.message.contains("changed by someone else"), "{}", value.message);
    assert_eq!(std::fs::read(&path).unwrap(), b"one two three");
    let new = bench.ws("new");
    *bench.desk.meanwhile.lock().unwrap() =
        Some(Box::new(move || std::fs::write(new, "theirs").unwrap()));
    assert!(write(&bench, json!({"path": "new", "content": "ours"})).await.is_error);
    assert_eq!(std::fs::read(bench.ws("new")).unwrap(), b"theirs");
}

#[tokio::test]
async fn a_link_turned_while_the_person_decides_is_not_followed() {
    let bench = Bench::new();
    bench.put("dir/a", "old");
    let (dir, out) = (bench.ws("dir"), bench.root.join("out"));
    std::fs::write(out.join("a"), "old").unwrap();
    let aside = bench.ws("aside");
    *bench.desk.meanwhile.lock().unwrap() = Some(Box::new(move || {
        std::fs::rename(&dir, aside).unwrap();
        symlink(out, dir).unwrap();
    }));
    let value = edit(&bench, "dir/a", json!({"old": "old", "new": "new"})).await;
    assert!(value.message.contains("leads elsewhere"), "{}", value.message);
    assert_eq!(std::fs::read(bench.root.join("out/a")).unwrap(), b"old");
}

#[tokio::test]
async fn edits_at_the_same_time_do_not_undo_each_other() {
    let bench = Bench::new();
    let path = bench.put("a", "0 1 2 3 4 5 6 7");
    let tool = StrReplaceFile::new(Arc::default());
    let edits = (0..8).map(|n| {
        let arguments =
            json!({"path": "a", "edit": {"old": format!("{n}"), "new": format!("<{n}>")}});
        bench.run(&tool, arguments)
    });
    let results = futures_util::future::join_all(edits).await;
    let text = std::fs::read_to_string(path).unwrap();
    for (n, value) in results.iter().enumerate() {
        assert_eq!(!value.is_error, text.contains(&format!("<{n}>")), "{text}");
    }
    assert!(results.iter().any(|value| !value.is_error));
}

#[tokio::test]
async fn kimi_code_s_arguments_are_taken_too() {
    let bench = Bench::new();
    let path = bench.put("a", "one one two");
    let tool = StrReplaceFile::new(Arc::default());
    let run = async |arguments: Value| bench.run(&tool, arguments).await;
    let twice = run(json!({"path": "a", "old_string": "one", "new_string": "1"})).await;
    assert!(twice.is_error, "{twice:?}");
    for (fields, after) in [
        (json!({"old_string": "one", "new_string": "1", "replace_all": true}), "1 1 two"),
        (json!({"old_string": "two", "new_string": "", "replace_all": false}), "1 1 "),
    ] {
        let mut arguments = fields;
        arguments["path"] = json!("a");
        let value = run(arguments).await;
        assert!(!value.is_error, "{value:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
    }
    let half = tool.check(json!({"path": "a", "old_string": "1"})).unwrap_err();
    assert_eq!(half, "`new_string` is required");
}

#[tokio::test]
async fn a_file_that_changed_since_it_was_read_is_not_replaced() {
    let bench = Bench::new();
    let path = bench.put("a", "one");
    let files = Arc::new(FileAccess::default());
    let (read, write) = (ReadFile::new(files.clone()), WriteFile::new(files));
    bench.run(&read, json!({"path": "a"})).await;
    std::fs::write(&path, "changed").unwrap();
    let value = bench.run(&write, json!({"path": "a", "content": "new"})).await;
    assert!(value.is_error && value.message.contains("since it was last read"), "{value:?}");
    bench.run(&read, json!({"path": "a"})).await;
    for content in ["new", "newer"] {
        assert!(!bench.run(&write, json!({"path": "a", "content": content})).await.is_error);
    }
}

#[tokio::test]
async fn failed_edits_change_nothing() {
    let bench = Bench::new();
    let bytes = b"\xef\xbb\xbfa\r\nb\r\n\xff";
    let path = bench.put("a", bytes);
    let partly = json!([{"old": "a", "new": "x"}, {"old": "nope", "new": "y"}]);
    for faulty in [partly, json!({"old": "", "new": "y"}), json!([])] {
        let value = edit(&bench, "a", faulty).await;
        assert_eq!(brief(&value), "No replacements made");
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert!(bench.desk.asks.lock().unwrap().is_empty(), "nobody is asked for nothing");
    edit(&bench, "a", json!({"old": "a\nb", "new": "a\nc"})).await;
    assert_eq!(std::fs::read(&path).unwrap(), b"\xef\xbb\xbfa\r\nc\r\n\xff");
    for none in ["none", "a/none"] {
        let value = edit(&bench, none, json!({"old": "a", "new": "b"})).await;
        assert_eq!(brief(&value), "File not found", "{none}");
        assert!(value.message.contains("Create it with WriteFile"), "{}", value.message);
    }
}

#[tokio::test]
async fn mode_links_and_names_are_kept() {
    let bench = Bench::new();
    let script = bench.put("run.sh", "old\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o750)).unwrap();
    symlink("run.sh", bench.ws("link")).unwrap();
    edit(&bench, "link", json!({"old": "old", "new": "new"})).await;
    assert!(bench.ws("link").is_symlink());
    assert_eq!(std::fs::read(&script).unwrap(), b"new\n");
    assert_eq!(std::fs::metadata(&script).unwrap().mode() & 0o777, 0o750);
    std::fs::hard_link(&script, bench.ws("twin")).unwrap();
    edit(&bench, "twin", json!({"old": "new", "new": "newer"})).await;
    assert_eq!(std::fs::read(&script).unwrap(), b"newer\n");
    write(&bench, json!({"path": "fresh", "content": ""})).await;
    let plain = bench.put("plain", "");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode();
    assert_eq!(mode(&bench.ws("fresh")), mode(&plain), "the umask rules, not the temporary file");
    let left: Vec<_> =
        std::fs::read_dir(bench.ws("")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 5, "{left:?}");
}

#[tokio::test]
async fn parents_are_made_inside_only() {
    let bench = Bench::new();
    assert!(!write(&bench, json!({"path": "a/b/c.txt", "content": "x"})).await.is_error);
    assert_eq!(std::fs::read(bench.ws("a/b/c.txt")).unwrap(), b"x");
    let outside = bench.root.join("out/deep/x");
    let value = write(&bench, json!({"path": outside, "content": "x"})).await;
    assert_eq!(brief(&value), "Parent directory not found");
    assert_eq!(brief(&write(&bench, json!({"path": "a", "content": "x"})).await), "Invalid path");
    assert_eq!(brief(&edit(&bench, "a", json!({"old": "a", "new": "b"})).await), "Invalid path");
    assert_eq!(
        brief(&write(&bench, json!({"path": "../x", "content": "x"})).await),
        "Invalid path"
    );
}

#[tokio::test]
async fn outside_has_an_action_of_its_own_however_it_is_reached() {
    let bench = Bench::new();
    symlink("../out", bench.ws("link")).unwrap();
    symlink("../out/new", bench.ws("dangling")).unwrap();
    for path in [bench.root.join("out/x").display().to_string(), "link/y".into(), "dangling".into()]
    {
        assert!(!write(&bench, json!({"path": path, "content": "x"})).await.is_error, "{path}");
    }
    let asks = bench.desk.asks.lock().unwrap();
    for ask in asks.iter() {
        assert_eq!(ask.action, "edit file outside of working directory");
    }
    let real = bench.root.join("out/y");
    assert!(asks[1].description.ends_with(&format!(", a link to `{}`", real.display())));
}

#[tokio::test]
async fn secrets_are_neither_written_nor_edited() {
    let bench = Bench::new();
    bench.put(".env", "SECRET");
    symlink(".env", bench.ws("innocent")).unwrap();
    for path in [".env", "innocent", "new/id_rsa"] {
        let written = write(&bench, json!({"path": path, "content": "x"})).await;
        let edited = edit(&bench, path, json!({"old": "SECRET", "new": "x"})).await;
        assert_eq!((brief(&written), brief(&edited)), ("Sensitive file", "Sensitive file"));
    }
    assert_eq!(std::fs::read(bench.ws(".env")).unwrap(), b"SECRET");
}

#[tokio::test]
async fn a_huge_file_is_neither_replaced_nor_edited_and_nobody_is_asked() {
    let bench = Bench::new();
    let path = bench.put("huge", "");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(65 << 20).unwrap();
    for value in [
        edit(&bench, "huge", json!({"old": "a", "new": "b"})).await,
        write(&bench, json!({"path": "huge", "content": "x"})).await,
    ] {
        assert!(value.is_error && value.message.contains("larger than 64 MiB"), "{value:?}");
    }
    assert!(bench.desk.asks.lock().unwrap().is_empty());
}

#[tokio::test]
async fn adding_shows_the_end_only_and_is_not_done_over_a_change() {
    let bench = Bench::new();
    let path = bench.put("log", "line of text\n".repeat(1000));
    let more = json!({"path": "log", "content": "new\n", "mode": "append"});
    let value = write(&bench, more.clone()).await;
    assert_eq!(value.message, "File successfully appended to. Current size: 13004 bytes.");
    let DisplayBlock::Diff { old_start, new_text, .. } = &value.display[0] else { panic!() };
    assert_eq!(*old_start, 998);
    assert_eq!(new_text, "line of text\nline of text\nline of text\nnew");
    let other = path.clone();
    *bench.desk.meanwhile.lock().unwrap() =
        Some(Box::new(move || std::fs::write(other, "theirs").unwrap()));
    let value = write(&bench, more).await;
    assert!(value.message.contains("changed by someone else"), "{}", value.message);
    assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
}

#[tokio::test]
async fn an_empty_path_and_an_unknown_mode_are_refused() {
    let bench = Bench::new();
    assert_eq!(
        brief(&write(&bench, json!({"path": " ", "content": "x"})).await),
        "Empty file path"
    );
    assert_eq!(brief(&edit(&bench, "", json!({"old": "a", "new": "b"})).await), "Empty file path");
    let tool = WriteFile::new(Arc::default());
    assert!(tool.check(json!({"path": "x", "content": "x", "mode": "prepend"})).is_err());
    assert!(tool.check(json!({"path": "x"})).is_err());
}

#[tokio::test]
async fn appending_makes_a_file_and_leaves_foreign_bytes() {
    let bench = Bench::new();
    let more = |path: &str| json!({"path": path, "content": "b", "mode": "append"});
    assert!(!write(&bench, more("fresh")).await.is_error);
    bench.put("latin", b"caf\xe9");
    assert!(!write(&bench, more("latin")).await.is_error);
    assert_eq!(std::fs::read(bench.ws("fresh")).unwrap(), b"b");
    assert_eq!(std::fs::read(bench.ws("latin")).unwrap(), b"caf\xe9b");
}

#[tokio::test]
async fn a_read_only_file_stays_as_it_is() {
    let bench = Bench::new();
    let path = bench.put("fixed", "old");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let edited = edit(&bench, "fixed", json!({"old": "old", "new": "new"})).await;
    assert_eq!(brief(&edited), "Failed to edit file");
    let written = write(&bench, json!({"path": "fixed", "content": "new"})).await;
    assert_eq!(brief(&written), "Failed to write file");
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

#[tokio::test]
async fn edits_may_come_as_their_text_and_build_on_each_other() {
    let bench = Bench::new();
    let path = bench.put("a", "one two");
    let edits = json!([{"old": "one", "new": "1"}, {"old": "1 two", "new": "{\"old\": 1}"}]);
    let value = edit(&bench, "a", json!(edits.to_string())).await;
    assert!(!value.is_error, "{value:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"old\": 1}");
    let single = json!({"old": "{\"old\": 1}", "new": "three"}).to_string();
    assert!(!edit(&bench, "a", json!(single)).await.is_error);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "three");
    let tool = StrReplaceFile::new(Arc::default());
    for bad in [json!("three"), json!([1]), json!({"old": "three"}), json!(null)] {
        assert!(tool.check(json!({"path": "a", "edit": bad.clone()})).is_err(), "{bad}");
    }
}

/// The file is what it says, to the byte: nothing is added, nothing translated.
#[tokio::test]
async fn any_text_is_written_as_it_is() {
    let bench = Bench::new();
    for text in ["", "\n", "no end", "\u{feff}mark\r\n\r\n\ttab \n", "nul \0 and \u{1b}[1m"] {
        let value = write(&bench, json!({"path": "a", "content": text})).await;
        let size = text.len();
        assert_eq!(
            value.message,
            format!("File successfully overwritten. Current size: {size} bytes.")
        );
        assert_eq!(std::fs::read(bench.ws("a")).unwrap(), text.as_bytes());
    }
}
