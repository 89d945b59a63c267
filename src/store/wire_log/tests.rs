//! Recording, reading forwards and from the end.

use std::fs;

use super::*;
use crate::protocol::{ContentPart, SessionInfo, ToolReturnValue};

fn begin(text: &str) -> Event {
    Event::TurnBegin { user_input: text.into() }
}

fn log_of(path: &Path, turns: usize, padding: usize) {
    let mut log = WireLog::open(path).unwrap();
    for n in 0..turns {
        log.append_event(n as f64, &begin(&format!("t{n}"))).unwrap();
        let text = format!("\"TurnBegin\" {}", "x".repeat(padding));
        log.append_event(n as f64, &Event::ContentPart(ContentPart::text(text))).unwrap();
        log.append_event(n as f64, &Event::TurnEnd {}).unwrap();
    }
}

fn prompts(tail: &TurnTail) -> Vec<String> {
    tail.records
        .iter()
        .filter_map(|(_, record)| match record {
            WireRecord::Event(Event::TurnBegin { user_input }) => Some(user_input.text()),
            _ => None,
        })
        .collect()
}

#[test]
fn records_are_spelled_as_kimi_cli_spells_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s/wire.jsonl");
    let mut log = WireLog::open(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"", "no record, no header");
    log.append_event(1795233862.05, &begin("héllo")).unwrap();
    log.append_event(1.0, &Event::SessionInfo(SessionInfo::default())).unwrap();
    let return_value = ToolReturnValue::error("no", "No");
    log.append_event(2.5, &Event::ToolResult { tool_call_id: "c".into(), return_value }).unwrap();
    drop(log);
    WireLog::open(&path).unwrap().append_event(3.0, &Event::TurnEnd {}).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        r#"{"type": "metadata", "protocol_version": "1.10"}
{"timestamp": 1795233862.05, "message": {"type": "TurnBegin", "payload": {"user_input": "héllo"}}}
{"timestamp": 2.5, "message": {"type": "ToolResult", "payload": {"tool_call_id": "c", "return_value": {"is_error": true, "output": "", "message": "no", "display": [{"type": "brief", "text": "No"}], "extras": null}}}}
{"timestamp": 3.0, "message": {"type": "TurnEnd", "payload": {}}}
"#
    );
}

#[test]
fn reading_steps_over_what_it_does_not_know() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wire.jsonl");
    let request = Request::QuestionRequest(crate::protocol::QuestionRequest {
        id: "q".into(),
        tool_call_id: "c".into(),
        questions: vec![],
        form: None,
    });
    log_of(&path, 1, 0);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend(b"\n\xff\xff\n{}\n[1]\n");
    bytes.extend(
        b"{\"timestamp\": 1.0, \"message\": {\"type\": \"Dream\", \"payload\": {}}}\n{\"timest",
    );
    fs::write(&path, bytes).unwrap();
    WireLog::open(&path).unwrap().append_request(9.0, &request).unwrap();
    let records: Vec<_> = WireLog::read(&path).unwrap().collect();
    assert_eq!(records.len(), 4);
    assert_eq!(records[3], (9.0, WireRecord::Request(request)));
    assert_eq!(WireLog::read(&dir.path().join("none")).unwrap().count(), 0);
    assert!(WireLog::read(dir.path()).is_err());
}

#[test]
fn the_last_turns_are_found_from_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wire.jsonl");
    log_of(&path, 40, 20_000);
    let tail = WireLog::tail_turns(&path, 2).unwrap();
    assert_eq!(prompts(&tail), ["t38", "t39"]);
    assert_eq!(tail.records.len(), 6);
    assert!(tail.more_before);
    let tail = WireLog::tail_turns(&path, 30).unwrap();
    assert_eq!((prompts(&tail).len(), tail.more_before), (30, true));
    let tail = WireLog::tail_turns(&path, 40).unwrap();
    assert_eq!((prompts(&tail).len(), tail.more_before), (40, false));
    let tail = WireLog::tail_turns(&path, 99).unwrap();
    assert_eq!((prompts(&tail).len(), tail.more_before), (40, false));
    let tail = WireLog::tail_turns(&path, 0).unwrap();
    assert_eq!((tail.records.len(), tail.more_before), (0, true));
}

#[test]
fn a_tail_cut_at_any_byte_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wire.jsonl");
    log_of(&path, 2, 10);
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let finished = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let tail = WireLog::tail_turns(&path, 5).unwrap();
        assert!(tail.records.len() >= finished.saturating_sub(1), "cut at {cut}");
        let before = WireLog::read(&path).unwrap().count();
        WireLog::open(&path).unwrap().append_event(7.0, &Event::TurnEnd {}).unwrap();
        let records: Vec<_> = WireLog::read(&path).unwrap().collect();
        assert_eq!(records.len(), before + 1, "cut at {cut}");
    }
}

/// A real record of kimi-cli, if its shapes change we want to know.
#[test]
fn a_record_of_kimi_cli_reads_and_writes_back_the_same() {
    let lines = [
        r#"{"timestamp": 1795234865.0457563, "message": {"type": "TurnBegin", "payload": {"user_input": "do plan"}}}"#,
        r#"{"timestamp": 1795234865.1774848, "message": {"type": "ToolCall", "payload": {"type": "function", "id": "EnterPlanMode:0-b0df5e", "function": {"name": "EnterPlanMode", "arguments": "{}"}, "extras": null}}}"#,
        r#"{"timestamp": 1795234865.180216, "message": {"type": "StatusUpdate", "payload": {"context_usage": 0.048839569091796875, "context_tokens": 12803, "max_context_tokens": 262144, "token_usage": {"input_other": 6403, "output": 12, "input_cache_read": 6400, "input_cache_creation": 0}, "message_id": "chatcmpl-b0df5e9d55604c759ac4", "plan_mode": true, "mcp_status": null}}}"#,
    ];
    for text in lines {
        let Some((timestamp, WireRecord::Event(event))) = parse(text.as_bytes()) else {
            panic!("{text}");
        };
        let mut out = Vec::new();
        write_spaced(&mut out, &Line { timestamp, message: event }).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

/// Half a line that a full disk left behind must not take the next record with it.
#[test]
fn after_a_failed_write_the_next_record_has_its_own_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wire.jsonl");
    let mut log = WireLog::open(&path).unwrap();
    let writable = std::mem::replace(&mut log.file, File::open(&path).unwrap());
    assert!(log.append_event(1.0, &begin("lost")).is_err());
    fs::write(&path, "{\"type\": \"meta").unwrap();
    log.file = writable;
    log.append_event(2.0, &begin("kept")).unwrap();
    let records: Vec<_> = WireLog::read(&path).unwrap().collect();
    assert_eq!(records, [(2.0, WireRecord::Event(begin("kept")))]);
    assert!(fs::read_to_string(&path).unwrap().contains("\n{\"type\": \"metadata\""));
}
