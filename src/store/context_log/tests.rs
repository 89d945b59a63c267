//! Recording, tearing and reading back.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::llm::Role;
use crate::protocol::{ContentPart, ToolCall, ToolReturnValue};

fn open(path: &Path) -> LoadedContext {
    ContextLog::open(path).unwrap().1
}

fn turn() -> Vec<ContextRecord> {
    vec![
        ContextRecord::SystemPrompt("Be kind — 你好".into()),
        ContextRecord::Checkpoint(0),
        ContextRecord::Message(Message::user_text("héllo")),
        ContextRecord::Checkpoint(1),
        ContextRecord::Usage(100),
        ContextRecord::Message(Message::assistant(
            vec![ContentPart::text("I'll look.")],
            vec![ToolCall::new("c1", "Shell", "{}"), ToolCall::new("c2", "Shell", "{}")],
        )),
        ContextRecord::Usage(120),
        ContextRecord::Message(Message::tool_result("c2", &ToolReturnValue::ok("two", ""))),
        ContextRecord::Message(Message::tool_result("c1", &ToolReturnValue::ok("one 漢", ""))),
        ContextRecord::Checkpoint(2),
        ContextRecord::Message(Message::assistant(vec![ContentPart::text("Done.")], vec![])),
    ]
}

#[test]
fn records_are_spelled_as_kimi_cli_spells_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s/context.jsonl");
    let (mut log, loaded) = ContextLog::open(&path).unwrap();
    assert_eq!((loaded.next_checkpoint, loaded.messages.len()), (0, 0));
    log.append(&turn()[..5]).unwrap();
    log.sync().unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\"role\": \"_system_prompt\", \"content\": \"Be kind \\u2014 \\u4f60\\u597d\"}\n\
         {\"role\": \"_checkpoint\", \"id\": 0}\n\
         {\"role\":\"user\",\"content\":\"héllo\"}\n\
         {\"role\": \"_checkpoint\", \"id\": 1}\n\
         {\"role\": \"_usage\", \"token_count\": 100}\n"
    );
}

#[test]
fn a_turn_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.jsonl");
    ContextLog::open(&path).unwrap().0.append(&turn()).unwrap();
    let before = fs::read(&path).unwrap();
    let loaded = open(&path);
    assert_eq!(loaded.system_prompt.as_deref(), Some("Be kind — 你好"));
    let said: Vec<_> = turn()
        .into_iter()
        .filter_map(|record| match record {
            ContextRecord::Message(message) => Some(message),
            _ => None,
        })
        .collect();
    assert_eq!(loaded.messages, said);
    assert_eq!((loaded.token_count, loaded.next_checkpoint), (120, 3));
    assert_eq!(loaded.pending_text_tokens, ("two".len() + 5 + "Done.".len()) as u64 / 4);
    assert!(loaded.warnings.is_empty());
    assert_eq!(fs::read(&path).unwrap(), before, "a sound log is not touched");
}

/// Killed at any byte: it opens, what was finished is there, calls are answered, and it can be
/// appended to and opened again with the same result.
#[test]
fn a_log_cut_at_any_byte_opens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.jsonl");
    let mut whole = Vec::new();
    encode(&mut whole, &turn()).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let finished = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let said = turn()[..finished]
            .iter()
            .filter(|record| matches!(record, ContextRecord::Message(_)))
            .count();
        let (mut log, first) = ContextLog::open(&path).unwrap();
        assert!(first.messages.len() >= said, "cut at {cut}");
        let calls: usize = first.messages.iter().map(|message| message.tool_calls.len()).sum();
        let results = first.messages.iter().filter(|message| message.role == Role::Tool).count();
        assert_eq!(calls, results, "cut at {cut}");
        log.append(&[ContextRecord::Message(Message::user_text("next"))]).unwrap();
        let second = open(&path);
        assert!(second.warnings.is_empty(), "cut at {cut}: {:?}", second.warnings);
        assert_eq!(second.messages.len(), first.messages.len() + 1, "cut at {cut}");
        assert_eq!(second.messages[..first.messages.len()], first.messages[..], "cut at {cut}");
    }
}

#[test]
fn bad_lines_are_skipped_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.jsonl");
    let mut bytes =
        b"not json\n[]\n{\"x\":1}\n{\"role\":\"robot\"}\n{\"role\": \"_usage\"}\n".to_vec();
    bytes.extend(b"{\"role\": \"_checkpoint\", \"id\": -1}\n\0\0\0\n\n");
    bytes.extend(b"{\"content\":\"ok\",\"role\":\"user\",\"unknown\":7}\r\n");
    bytes.extend(b"{\"role\":\"user\",\"content\":\"\xff\"}\n");
    fs::write(&path, &bytes).unwrap();
    let loaded = open(&path);
    assert_eq!(loaded.messages.iter().map(Message::text).collect::<Vec<_>>(), ["ok", "\u{fffd}"]);
    assert_eq!(
        loaded.warnings,
        ["7 lines, from line 1 on, cannot be read and are skipped".to_owned()]
    );
    assert_eq!(fs::read(&path).unwrap(), bytes, "nothing is rewritten");
}

#[test]
fn an_interrupted_call_is_answered_once_and_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.jsonl");
    ContextLog::open(&path).unwrap().0.append(&turn()[..8]).unwrap();
    let first = open(&path);
    assert_eq!(first.messages.last().unwrap().tool_call_id.as_deref(), Some("c1"));
    let told = first.messages.last().unwrap().text();
    assert!(told.contains("interrupted") && told.contains("may still be running"), "{told}");
    let bytes = fs::read(&path).unwrap();
    assert_eq!(open(&path).messages, first.messages);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn replacing_keeps_every_old_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.jsonl");
    let (mut log, _) = ContextLog::open(&path).unwrap();
    fs::write(dir.path().join("context_1.jsonl"), "taken").unwrap();
    log.append(&turn()).unwrap();
    log.replace(&turn()[..3]).unwrap();
    log.append(&[ContextRecord::Message(Message::user_text("after"))]).unwrap();
    assert_eq!(fs::read(dir.path().join("context_1.jsonl")).unwrap(), b"taken");
    assert_eq!(open(&dir.path().join("context_2.jsonl")).messages.len(), 5);
    assert_eq!(open(&path).messages.len(), 2);
    log.rotate().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert_eq!(open(&dir.path().join("context_3.jsonl")).messages.len(), 2);
}

#[test]
fn going_back_leaves_what_stood_before_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.jsonl");
    let (mut log, _) = ContextLog::open(&path).unwrap();
    log.append(&turn()).unwrap();
    let whole = fs::read(&path).unwrap();
    let loaded = log.revert(1).unwrap();
    let left = fs::read(&path).unwrap();
    assert!(whole.starts_with(&left) && left.ends_with("héllo\"}\n".as_bytes()));
    assert_eq!((loaded.messages.len(), loaded.next_checkpoint, loaded.token_count), (1, 1, 0));
    assert_eq!(fs::read(dir.path().join("context_1.jsonl")).unwrap(), whole);
    log.append(&turn()[3..5]).unwrap();
    assert_eq!(open(&path).next_checkpoint, 2);
    // A checkpoint that is not there changes nothing.
    let before = fs::read(&path).unwrap();
    let error = log.revert(7).unwrap_err().to_string();
    assert!(error.contains("has no checkpoint 7"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!dir.path().join("context_2.jsonl").exists());
    // What other programs write is understood, and of two the later one counts.
    let theirs = "{\"role\":\"user\",\"content\":\"b\"}\n{\"id\":1,\"role\":\"_checkpoint\"}\n";
    fs::write(&path, [before.as_slice(), theirs.as_bytes()].concat()).unwrap();
    assert_eq!(log.revert(1).unwrap().messages.len(), 2);
    assert_eq!(log.revert(0).unwrap().system_prompt.as_deref(), Some("Be kind — 你好"));
}

#[test]
fn a_directory_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let error = ContextLog::open(dir.path()).unwrap_err().to_string();
    assert!(error.starts_with("Cannot open ") && error.contains("not a regular file"), "{error}");
}

#[test]
fn a_file_where_a_directory_should_be_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("session"), "").unwrap();
    let error = ContextLog::open(&dir.path().join("session/context.jsonl")).unwrap_err();
    assert!(error.to_string().contains("session/context.jsonl"), "{error}");
}

/// Half a line that a full disk left behind must not take the next record with it.
#[test]
fn after_a_failed_write_the_next_record_has_its_own_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.jsonl");
    let record = |text: &str| [ContextRecord::Message(Message::user_text(text))];
    let (mut log, _) = ContextLog::open(&path).unwrap();
    log.append(&record("one")).unwrap();
    let writable = std::mem::replace(&mut log.file, File::open(&path).unwrap());
    assert!(log.append(&record("lost")).is_err());
    fs::write(&path, [&fs::read(&path).unwrap()[..], b"{\"role\":\"us"].concat()).unwrap();
    log.file = writable;
    log.append(&record("two")).unwrap();
    let texts: Vec<_> = open(&path).messages.iter().map(Message::text).collect();
    assert_eq!(texts, ["one", "two"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is in the file, it opens, every call has one result, and opening it again changes
    /// neither the history nor the file.
    #[test]
    fn any_mixture_of_lines_opens(
        picks in prop::collection::vec(0usize..14, 0..30),
        noise in prop::collection::vec(any::<u8>(), 0..40),
        cut in 0usize..60,
    ) {
        let mut bytes = Vec::new();
        for pick in picks {
            match turn().get(pick) {
                Some(record) => encode(&mut bytes, std::slice::from_ref(record)).unwrap(),
                None => bytes.extend(&noise),
            }
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("context.jsonl");
        fs::write(&path, bytes).unwrap();
        let first = open(&path);
        let calls: usize = first.messages.iter().map(|message| message.tool_calls.len()).sum();
        let results = first.messages.iter().filter(|message| message.role == Role::Tool).count();
        prop_assert_eq!(calls, results);
        let repaired = fs::read(&path).unwrap();
        prop_assert_eq!(open(&path).messages, first.messages);
        prop_assert_eq!(fs::read(&path).unwrap(), repaired);
    }
}
