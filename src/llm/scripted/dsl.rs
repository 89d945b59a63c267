//! The script language: one `kind: payload` per line (providers.md section 10).

use serde_json::{Map, Value};

use crate::llm::oneline::one_line;
use crate::llm::{Delta, FinishReason, LlmError};
use crate::protocol::{ContentPart, MediaUrl, TokenUsage};

const KINDS: [&str; 10] = [
    "text",
    "think",
    "id",
    "usage",
    "image_url",
    "audio_url",
    "video_url",
    "tool_call",
    "tool_call_part",
    "error",
];

/// Whether a line is a directive of the language.
pub(super) fn is_directive(line: &str) -> bool {
    line.split_once(':').is_some_and(|(kind, _)| KINDS.contains(&kind.trim()))
}

/// The deltas of a script, or the error it asks for.
pub(super) fn parse(script: &str) -> Result<Vec<Delta>, LlmError> {
    let mut reader = Reader::default();
    for (number, line) in script.lines().enumerate() {
        reader.line(line.trim()).map_err(|fault| match fault {
            Fault::Asked(error) => error,
            Fault::Bad(why) => LlmError::Other(format!("script line {}: {why}", number + 1)),
        })?;
    }
    if !reader.has_parts {
        return Err(LlmError::Other(
            "the script says nothing: no text, thought or call".to_owned(),
        ));
    }
    let reason = if reader.calls > 0 { FinishReason::ToolCalls } else { FinishReason::Stop };
    reader.deltas.push(Delta::Finish(reason));
    Ok(reader.deltas)
}

enum Fault {
    /// The script asks for this error.
    Asked(LlmError),
    /// The script is wrong.
    Bad(String),
}

fn bad<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Bad(why.into()))
}

#[derive(Default)]
struct Reader {
    deltas: Vec<Delta>,
    calls: usize,
    /// Whether the last part was a call or a piece of one, so that another piece may follow.
    in_call: bool,
    has_parts: bool,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), Fault> {
        if line.is_empty() || line.starts_with('#') || line.starts_with("```") || line == "echo" {
            return Ok(());
        }
        let Some((kind, payload)) = line.split_once(':') else {
            return bad(format!("`{}` is not of the form `kind: payload`", one_line(line, 60)));
        };
        let payload = payload.strip_prefix(' ').unwrap_or(payload);
        match kind.trim() {
            "text" => self.part(Delta::Text(unquoted(payload).to_owned())),
            "think" => self.part(Delta::Think(unquoted(payload).to_owned())),
            "id" => self.deltas.push(Delta::MessageId(unquoted(payload).to_owned())),
            "usage" => self.deltas.push(Delta::Usage(usage(payload)?)),
            "image_url" => {
                let image_url = media(payload)?;
                self.part(Delta::Part(ContentPart::ImageUrl { image_url }));
            }
            "audio_url" => {
                let audio_url = media(payload)?;
                self.part(Delta::Part(ContentPart::AudioUrl { audio_url }));
            }
            "video_url" => {
                let video_url = media(payload)?;
                self.part(Delta::Part(ContentPart::VideoUrl { video_url }));
            }
            "tool_call" => self.tool_call(payload)?,
            "tool_call_part" => self.tool_call_part(payload),
            "error" => return Err(Fault::Asked(asked_error(payload))),
            kind => return bad(format!("unknown directive `{}`", one_line(kind, 60))),
        }
        Ok(())
    }

    fn part(&mut self, delta: Delta) {
        self.deltas.push(delta);
        self.in_call = false;
        self.has_parts = true;
    }

    fn tool_call(&mut self, payload: &str) -> Result<(), Fault> {
        let fields = fields(payload)?;
        let function = fields.get("function").and_then(Value::as_object);
        let get = |key: &str| fields.get(key).or_else(|| function?.get(key));
        let text = |key: &str| get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let Some(name) = text("name") else { return bad("a tool call needs a name") };
        let Some(id) = text("id") else { return bad("a tool call needs an id") };
        self.part(Delta::ToolCall {
            index: self.calls,
            id: Some(id.to_owned()),
            name: Some(name.to_owned()),
            arguments: get("arguments").map(argument_text).unwrap_or_default(),
        });
        self.calls += 1;
        self.in_call = true;
        Ok(())
    }

    fn tool_call_part(&mut self, payload: &str) {
        let piece = match serde_json::from_str::<Value>(payload) {
            Ok(Value::Object(fields)) if fields.contains_key("arguments_part") => {
                fields.get("arguments_part").map(argument_text).unwrap_or_default()
            }
            Ok(value) => argument_text(&value),
            Err(_) => payload.to_owned(),
        };
        // A piece that follows no call belongs to none.
        if self.in_call && !piece.is_empty() {
            self.deltas.push(Delta::ToolCall {
                index: self.calls.saturating_sub(1),
                id: None,
                name: None,
                arguments: piece,
            });
        }
    }
}

/// A string as it is, null as nothing, anything else as compact JSON.
fn argument_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

/// A JSON object, or `key=value` words with optional quotes around the values.
fn fields(payload: &str) -> Result<Map<String, Value>, Fault> {
    let payload = payload.trim();
    if payload.starts_with('{') {
        return match serde_json::from_str(payload) {
            Ok(fields) => Ok(fields),
            Err(error) => bad(format!("the JSON object is broken at column {}", error.column())),
        };
    }
    let mut fields = Map::new();
    let mut rest = payload;
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=') else {
            return bad(format!("`{}` is not of the form `key=value`", one_line(rest, 60)));
        };
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => {
                let inner = after.get(1..).unwrap_or_default();
                match inner.split_once(quote) {
                    Some(parts) => parts,
                    None => {
                        return bad(format!(
                            "the value of `{}` has no closing quote",
                            one_line(key, 60)
                        ));
                    }
                }
            }
            None => after.split_at(after.find([' ', '\t', ',']).unwrap_or(after.len())),
        };
        fields.insert(key.trim().to_owned(), Value::from(value));
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Ok(fields)
}

fn usage(payload: &str) -> Result<TokenUsage, Fault> {
    let mut usage = TokenUsage::default();
    for (key, value) in fields(payload)? {
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let Some(number) = number else {
            return bad(format!("`{}` is not a whole number", one_line(&key, 60)));
        };
        match key.as_str() {
            "input_other" => usage.input_other = number,
            "output" => usage.output = number,
            "input_cache_read" => usage.input_cache_read = number,
            "input_cache_creation" => usage.input_cache_creation = number,
            key => return bad(format!("`{}` is no kind of tokens", one_line(key, 60))),
        }
    }
    Ok(usage)
}

fn media(payload: &str) -> Result<MediaUrl, Fault> {
    let payload = payload.trim();
    if payload.starts_with('{') {
        return match serde_json::from_str(payload) {
            Ok(media) => Ok(media),
            Err(_) => bad("a medium is a URL or an object with `url` and maybe `id`"),
        };
    }
    let url = unquoted(payload);
    if url.is_empty() {
        return bad("a medium needs a URL");
    }
    Ok(MediaUrl { url: url.to_owned(), id: None })
}

fn asked_error(payload: &str) -> LlmError {
    let (kind, message) = payload.trim().split_once(' ').unwrap_or((payload.trim(), ""));
    let message = unquoted(message.trim());
    let message = one_line(if message.is_empty() { "scripted error" } else { message }, 500);
    match kind {
        "connection" => LlmError::Connection(message),
        "timeout" => LlmError::Timeout(message),
        "empty" => LlmError::Empty(message),
        "malformed" => LlmError::Malformed(message),
        kind => match kind.parse() {
            Ok(code) => LlmError::Status { code, message, request_id: None, retry_after: None },
            Err(_) => LlmError::Other(one_line(payload, 500)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(script: &str) -> String {
        parse(script).unwrap_err().to_string()
    }

    #[test]
    fn the_whole_language() {
        let script = r#"
            # a comment
            ```
            echo
            id: m1
            usage: input_other=12 output=3
            usage: {"input_other": 1, "output": 2, "input_cache_read": 3}
            think:  two blanks
            text: "quoted "
            text: 'a: b'
            image_url: {"url": "ms://1", "id": "1"}
            video_url: http://x/y
            tool_call: {"id":"t1","name":"ReadFile","arguments":"{\"path\":"}
            tool_call_part: {"arguments_part":"\"a.txt\"}"}
            tool_call_part: null
            tool_call: id=t2 function="x" name='Glob' arguments='{"pattern": "*"}'
            tool_call: {"id":"t3","function":{"name":"Glob","arguments":{"pattern":"*"}}}
            text: end
            tool_call_part: orphan
        "#;
        let call = |index, id: Option<&str>, name: Option<&str>, arguments: &str| Delta::ToolCall {
            index,
            id: id.map(Into::into),
            name: name.map(Into::into),
            arguments: arguments.into(),
        };
        let usage = |input_other, output, input_cache_read| {
            Delta::Usage(TokenUsage {
                input_other,
                output,
                input_cache_read,
                input_cache_creation: 0,
            })
        };
        let url =
            |url: &str, id: Option<&str>| MediaUrl { url: url.into(), id: id.map(Into::into) };
        assert_eq!(
            parse(script).unwrap(),
            [
                Delta::MessageId("m1".into()),
                usage(12, 3, 0),
                usage(1, 2, 3),
                Delta::Think(" two blanks".into()),
                Delta::Text("quoted ".into()),
                Delta::Text("a: b".into()),
                Delta::Part(ContentPart::ImageUrl { image_url: url("ms://1", Some("1")) }),
                Delta::Part(ContentPart::VideoUrl { video_url: url("http://x/y", None) }),
                call(0, Some("t1"), Some("ReadFile"), "{\"path\":"),
                call(0, None, None, "\"a.txt\"}"),
                call(1, Some("t2"), Some("Glob"), r#"{"pattern": "*"}"#),
                call(2, Some("t3"), Some("Glob"), r#"{"pattern":"*"}"#),
                Delta::Text("end".into()),
                Delta::Finish(FinishReason::ToolCalls),
            ]
        );
    }

    #[test]
    fn asked_errors_come_before_any_part() {
        let error = parse("text: a\nerror: 429 slow down").unwrap_err();
        assert_eq!(error.status(), Some(429));
        assert_eq!(error.to_string(), "slow down (HTTP 429)");
        assert_eq!(fault("error: connection reset"), "reset");
        assert!(matches!(parse("error: timeout x"), Err(LlmError::Timeout(_))));
        assert_eq!(parse("error: what ever"), Err(LlmError::Other("what ever".into())));
    }

    #[test]
    fn faults_name_their_line() {
        for (script, told) in [
            ("", "the script says nothing: no text, thought or call"),
            ("id: x", "the script says nothing: no text, thought or call"),
            ("text: a\nhello", "script line 2: `hello` is not of the form `kind: payload`"),
            ("\n\nfoo: x", "script line 3: unknown directive `foo`"),
            ("tool_call: {\"id\":", "script line 1: the JSON object is broken at column 6"),
            ("tool_call: id=1", "script line 1: a tool call needs a name"),
            ("tool_call: name='x", "script line 1: the value of `name` has no closing quote"),
            ("usage: output=-1", "script line 1: `output` is not a whole number"),
            ("usage: x=1", "script line 1: `x` is no kind of tokens"),
            ("image_url:", "script line 1: a medium needs a URL"),
        ] {
            assert_eq!(fault(script), told);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_is_a_script_or_an_error(
            kind in "(text|usage|tool_call|tool_call_part|image_url|error|id)",
            payload in "[ =\"'{}a-c1我:\\\\,]{0,20}",
        ) {
            let _ = parse(&format!("{kind}:{payload}"));
        }
    }
}
