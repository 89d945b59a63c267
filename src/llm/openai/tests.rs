//! Chunks of many servers.

use serde_json::{Value, json};

use super::chunk::{ChunkReader, stream_error};
use crate::llm::{Assembler, Delta, FinishReason, LlmError, Message};
use crate::protocol::{ContentPart, TokenUsage, ToolCall};

fn read(kimi: bool, chunks: &[Value]) -> Assembler {
    let mut reader = ChunkReader::new(Some(("reasoning_content".into(), !kimi)), kimi);
    let mut deltas: Vec<Delta> = Vec::new();
    for chunk in chunks {
        reader.read(chunk, &mut deltas).unwrap();
    }
    let mut assembler = Assembler::default();
    deltas.iter().for_each(|delta| assembler.push(delta));
    assembler
}

fn message(chunks: &[Value]) -> Message {
    read(true, chunks).message(|| "fresh".into())
}

fn delta(delta: Value) -> Value {
    json!({"choices": [{"delta": delta}]})
}

fn calls(entries: &[Value]) -> Vec<ToolCall> {
    let chunks: Vec<_> =
        entries.iter().map(|entry| delta(json!({"tool_calls": [entry]}))).collect();
    message(&chunks).tool_calls
}

#[test]
fn calls_interleave_by_index() {
    let calls = calls(&[
        json!({"index": 1, "id": "b", "function": {"name": "B", "arguments": ""}}),
        json!({"index": 0, "id": "a", "function": {"name": "A"}}),
        json!({"index": 1, "function": {"arguments": "{\"x\""}}),
        json!({"index": 0, "function": {"arguments": "{}"}}),
        json!({"index": 1, "function": {"arguments": ":1}"}}),
    ]);
    let expected = [ToolCall::new("b", "B", "{\"x\":1}"), ToolCall::new("a", "A", "{}")];
    assert_eq!(calls, expected);
}

#[test]
fn calls_without_an_index_begin_with_a_name() {
    let calls = calls(&[
        json!({"function": {"arguments": "orphan"}}),
        json!({"function": {"name": "A", "arguments": "{"}}),
        json!({"function": {"arguments": "}"}}),
        json!({"id": "b", "function": {"name": "B", "arguments": {"k": [1]}}}),
        json!({"id": "c", "function": {"name": "B", "arguments": null}}),
        json!({"id": "b", "function": {"arguments": " "}}),
    ]);
    assert_eq!(
        calls,
        [
            ToolCall::new("fresh", "A", "{}"),
            ToolCall::new("b", "B", "{\"k\":[1]} "),
            ToolCall::new("c", "B", ""),
        ]
    );
}

#[test]
fn servers_that_count_wrongly_or_repeat_themselves() {
    let calls = calls(&[
        json!({"index": 0, "id": "a", "function": {"name": "A", "arguments": "{"}}),
        json!({"index": 0, "id": "a", "function": {"name": "A", "arguments": "}"}}),
        json!({"index": 0, "id": "b", "function": {"name": "A", "arguments": "{}"}}),
        json!({"index": 0, "id": "", "function": {"name": "", "arguments": " "}}),
    ]);
    assert_eq!(calls, [ToolCall::new("a", "A", "{}"), ToolCall::new("b", "A", "{} ")]);
}

#[test]
fn too_many_calls_are_an_error() {
    let mut reader = ChunkReader::new(None, false);
    let many: Vec<_> = (0..600).map(|n| json!({"index": n, "function": {"name": "A"}})).collect();
    let mut deltas: Vec<Delta> = Vec::new();
    let result = reader.read(&delta(json!({"tool_calls": many})), &mut deltas);
    assert!(matches!(result, Err(LlmError::Other(_))));
}

#[test]
fn an_empty_thought_counts_once_and_only_at_the_start() {
    let chunks = [
        delta(json!({"role": "assistant", "content": "", "reasoning_content": ""})),
        delta(json!({"content": "a", "reasoning_content": ""})),
        delta(json!({"content": "b", "reasoning_content": ""})),
    ];
    let expected = [ContentPart::think(""), ContentPart::text("ab")];
    assert_eq!(message(&chunks).content, expected);
    let other = read(false, &chunks).message(String::new);
    assert_eq!(other.content, [ContentPart::text("ab")]);
}

#[test]
fn other_names_of_thinking_and_lists_of_text() {
    let chunks = [
        delta(json!({"reasoning": "t", "content": null})),
        delta(json!({"content": [{"type": "text", "text": "a"}, {"type": "x"}]})),
    ];
    let other = read(false, &chunks).message(String::new);
    assert_eq!(other.content, [ContentPart::think("t"), ContentPart::text("a")]);
    assert_eq!(message(&chunks).content, [ContentPart::text("a")]);
}

#[test]
fn usage_in_all_its_places() {
    let usage = |chunk: Value| read(true, &[chunk]).usage;
    let expected = |input_other, output, input_cache_read| {
        Some(TokenUsage { input_other, output, input_cache_read, input_cache_creation: 0 })
    };
    let plain = json!({"prompt_tokens": 10, "completion_tokens": 2});
    assert_eq!(usage(json!({"choices": [], "usage": plain})), expected(10, 2, 0));
    let cached = json!({"prompt_tokens": 10, "completion_tokens": 2, "cached_tokens": 4});
    assert_eq!(usage(json!({"choices": [{"usage": cached}]})), expected(6, 2, 4));
    let details = json!({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 99}});
    assert_eq!(usage(json!({"usage": details})), expected(0, 0, 10));
    for odd in [json!(null), json!([]), json!({"prompt_tokens": -1}), json!({"prompt_tokens": "x"})]
    {
        assert_eq!(usage(json!({ "usage": odd })), None);
    }
}

#[test]
fn finish_reasons() {
    for (text, reason) in [
        ("stop", FinishReason::Stop),
        ("function_call", FinishReason::ToolCalls),
        ("length", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
        ("e\u{1b}os", FinishReason::Other("e os".into())),
    ] {
        let chunk = json!({"choices": [{"delta": null, "finish_reason": text}]});
        assert_eq!(read(true, &[chunk]).finish, Some(reason));
    }
}

/// Whatever stands where something else belongs is passed over.
#[test]
fn odd_values_do_no_harm() {
    let delta = ["", "/content", "/reasoning_content"].map(|at| format!("/choices/0/delta{at}"));
    let calls = ["", "/0", "/0/index", "/0/id", "/0/function", "/0/function/name"]
        .map(|at| format!("/choices/0/delta/tool_calls{at}"));
    let others = ["/id", "/choices/0/delta/refusal", "/choices/0/finish_reason", "/usage"]
        .map(str::to_owned);
    let odd = json!([null, true, -1, 1e300, u64::MAX, "", "x", [], [null], [[]], {}, {"0": 1}]);
    for place in delta.iter().chain(&calls).chain(&others) {
        for value in odd.as_array().unwrap() {
            let mut chunk = json!({"id": "m", "choices": [{"delta": {
                "content": "a", "reasoning_content": "b", "refusal": null,
                "tool_calls": [{"index": 0, "id": "c", "function": {"name": "A", "arguments": ""}}],
            }, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}});
            *chunk.pointer_mut(place).unwrap() = value.clone();
            let message = message(&[chunk]);
            if !delta.contains(place) {
                assert!(message.text().starts_with('a'), "{place} {value}");
                assert_eq!(message.content[0], ContentPart::think("b"), "{place} {value}");
            }
            if !calls.contains(place) && !delta[0].eq(place) {
                assert_eq!(message.tool_calls, [ToolCall::new("c", "A", "")], "{place} {value}");
            }
        }
    }
}

#[test]
fn error_objects() {
    for (error, code) in [
        (json!({"message": "m", "code": 429}), Some(429)),
        (json!({"message": "m", "status": "500"}), Some(500)),
        (json!({"message": "m", "type": "overloaded_error"}), Some(529)),
        (json!({"message": "m", "code": "context_length_exceeded"}), Some(400)),
        (json!({"message": "m", "code": 7}), None),
        (json!("m"), None),
    ] {
        let told = stream_error(&error);
        assert_eq!(told.status(), code, "{error}");
        assert!(told.to_string().starts_with('m'));
    }
}
