//! The request body.
//!
//! What stays the same comes first, then the messages, then what changes from request to request.
//! So the body of a longer history begins with the body of a shorter one up to its last message,
//! and the provider's prefix cache hits (design law, section 4).

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

use super::{Dialect, Settings, schema};
use crate::llm::{ChatRequest, LlmError, Message, Role, ToolSpec, estimate};
use crate::platform::Env;
use crate::protocol::{ContentPart, MediaUrl, ToolCall};

/// Tokens kept free between the estimated input and the completion cap.
const MARGIN: u64 = 1024;
/// The completion cap when the context window is unknown.
const CAP_OF_UNKNOWN: u64 = 50_000;

/// What the environment sets for each request of the Kimi dialect (config.md section 4).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Knobs {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    /// Zero or less turns the cap off.
    pub max_completion_tokens: Option<i64>,
    pub thinking_keep: Option<String>,
}

impl Knobs {
    /// Reads the `KIMI_MODEL_*` variables; what is no number is ignored.
    pub fn from_env(env: &Env) -> Self {
        let float = |name| {
            env.var(name).and_then(|text| text.trim().parse().ok()).filter(|x: &f64| x.is_finite())
        };
        let cap = ["KIMI_MODEL_MAX_COMPLETION_TOKENS", "KIMI_MODEL_MAX_TOKENS"]
            .iter()
            .find_map(|name| env.var(name)?.trim().parse().ok());
        Self {
            temperature: float("KIMI_MODEL_TEMPERATURE"),
            top_p: float("KIMI_MODEL_TOP_P"),
            max_completion_tokens: cap,
            thinking_keep: env.var("KIMI_MODEL_THINKING_KEEP").map(str::to_owned),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    stream_options: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
}

/// The body of a request as JSON text.
pub(super) fn serialize(
    settings: &Settings,
    request: &ChatRequest<'_>,
) -> Result<Vec<u8>, LlmError> {
    let kimi = settings.dialect == Dialect::Kimi;
    let knobs = &settings.knobs;
    let body = Body {
        model: &settings.model,
        stream: true,
        stream_options: json!({"include_usage": true}),
        prompt_cache_key: Some(settings.session_id.as_str()).filter(|id| kimi && !id.is_empty()),
        thinking: kimi.then(|| thinking(settings)),
        reasoning_effort: (!kimi && settings.thinking).then_some("high"),
        temperature: knobs.temperature.filter(|_| kimi),
        top_p: knobs.top_p.filter(|_| kimi),
        tools: request.tools.iter().map(|tool| tool_definition(settings.dialect, tool)).collect(),
        messages: messages(settings, request),
        max_completion_tokens: if kimi { completion_cap(settings, request) } else { None },
    };
    serde_json::to_vec(&body)
        .map_err(|error| LlmError::Other(format!("the request could not be written: {error}")))
}

fn thinking(settings: &Settings) -> Value {
    match (settings.thinking, &settings.knobs.thinking_keep) {
        (false, _) => json!({"type": "disabled"}),
        (true, None) => json!({"type": "enabled"}),
        (true, Some(keep)) => json!({"type": "enabled", "keep": keep}),
    }
}

/// How many tokens the answer may have (providers.md section 4).
fn completion_cap(settings: &Settings, request: &ChatRequest<'_>) -> Option<u64> {
    let hard = match settings.knobs.max_completion_tokens {
        Some(off) if off <= 0 => return None,
        hard => hard.map(i64::unsigned_abs),
    };
    let window = settings.max_context;
    if window == 0 {
        return Some(hard.unwrap_or(CAP_OF_UNKNOWN));
    }
    let input = request.context_tokens.max(estimate::request_tokens(request)) + MARGIN;
    Some(hard.unwrap_or(window).min(window.saturating_sub(input)).max(1))
}

fn tool_definition(dialect: Dialect, tool: &ToolSpec) -> Value {
    if dialect == Dialect::Kimi && tool.name.starts_with('$') {
        return json!({"type": "builtin_function", "function": {"name": tool.name}});
    }
    json!({"type": "function", "function": {
        "name": tool.name,
        "description": tool.description,
        "parameters": schema::with_types(&tool.parameters),
    }})
}

/// A message as the API has it, borrowed from ours.
struct WireMessage<'a> {
    role: &'static str,
    name: Option<&'a str>,
    tool_call_id: Option<&'a str>,
    /// Field name and text.
    reasoning: Option<(&'a str, String)>,
    /// None leaves the field out.
    content: Option<Content<'a>>,
    tool_calls: Vec<WireCall<'a>>,
}

enum Content<'a> {
    Null,
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: Media<'a> },
    AudioUrl { audio_url: Media<'a> },
    VideoUrl { video_url: Media<'a> },
}

#[derive(Serialize)]
struct Media<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    arguments: std::borrow::Cow<'a, str>,
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Parts(parts) => parts.serialize(serializer),
        }
    }
}

impl Serialize for WireMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("role", self.role)?;
        if let Some(name) = self.name {
            map.serialize_entry("name", name)?;
        }
        if let Some(id) = self.tool_call_id {
            map.serialize_entry("tool_call_id", id)?;
        }
        if let Some((field, text)) = &self.reasoning {
            map.serialize_entry(field, text)?;
        }
        if let Some(content) = &self.content {
            map.serialize_entry("content", content)?;
        }
        if !self.tool_calls.is_empty() {
            map.serialize_entry("tool_calls", &self.tool_calls)?;
        }
        map.end()
    }
}

fn messages<'a>(settings: &'a Settings, request: &ChatRequest<'a>) -> Vec<WireMessage<'a>> {
    let mut wire = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        wire.push(plain("system", Content::Text(request.system)));
    }
    // Media of a run of tool messages, which the common API takes from users only.
    let mut held = Vec::new();
    for message in request.messages {
        if message.role != Role::Tool && !held.is_empty() {
            wire.push(plain("user", Content::Parts(std::mem::take(&mut held))));
        }
        match message.role {
            Role::System => wire.push(spoken("system", message)),
            Role::User => wire.push(spoken("user", message)),
            Role::Assistant => wire.extend(assistant(settings, message)),
            Role::Tool => wire.push(tool_result(settings.dialect, message, &mut held)),
        }
    }
    if !held.is_empty() {
        wire.push(plain("user", Content::Parts(held)));
    }
    wire
}

fn plain<'a>(role: &'static str, content: Content<'a>) -> WireMessage<'a> {
    WireMessage {
        role,
        name: None,
        tool_call_id: None,
        reasoning: None,
        content: Some(content),
        tool_calls: Vec::new(),
    }
}

fn spoken<'a>(role: &'static str, message: &'a Message) -> WireMessage<'a> {
    let name = message.name.as_deref();
    WireMessage { name, ..plain(role, content(message.content.iter())) }
}

/// None for a message that says nothing, which servers reject.
fn assistant<'a>(settings: &'a Settings, message: &'a Message) -> Option<WireMessage<'a>> {
    let blank = message.content.iter().all(|part| match part {
        ContentPart::Text { text } => text.trim().is_empty(),
        ContentPart::Think { .. } => true,
        _ => false,
    });
    let calls: Vec<_> = message.tool_calls.iter().map(tool_call).collect();
    let content = match (blank, calls.is_empty()) {
        (false, _) => Some(content(message.content.iter())),
        (true, true) => return None,
        (true, false) if settings.dialect == Dialect::Kimi => None,
        (true, false) => Some(Content::Null),
    };
    let mut thoughts = message.content.iter().filter_map(|part| match part {
        ContentPart::Think { think, .. } => Some(think.as_str()),
        _ => None,
    });
    let thought = thoughts.next().map(|first| first.to_owned() + &thoughts.collect::<String>());
    // Kimi tells "thought nothing" from "did not think".
    let kept = |text: &String| settings.dialect == Dialect::Kimi || !text.is_empty();
    let reasoning = settings.reasoning_field().zip(thought.filter(kept));
    let name = message.name.as_deref();
    Some(WireMessage {
        role: "assistant",
        name,
        tool_call_id: None,
        reasoning,
        content,
        tool_calls: calls,
    })
}

fn tool_call(call: &ToolCall) -> WireCall<'_> {
    let raw = call.arguments();
    // A call that the model botched would make strict servers refuse the whole history for ever.
    let arguments = if raw.trim().is_empty() {
        "{}".into()
    } else if serde_json::from_str::<serde::de::IgnoredAny>(raw).is_ok() {
        raw.into()
    } else {
        json!({ "invalid_json": raw }).to_string().into()
    };
    let function = WireFunction { name: &call.function.name, arguments };
    WireCall { kind: "function", id: &call.id, function }
}

fn tool_result<'a>(
    dialect: Dialect,
    message: &'a Message,
    held: &mut Vec<Part<'a>>,
) -> WireMessage<'a> {
    let media = |part: &&ContentPart| part.as_text().is_none();
    let content = if dialect == Dialect::Legacy && message.content.iter().any(|p| media(&p)) {
        // With the text before each, which names the file it came from.
        for (n, it) in message.content.iter().enumerate().filter(|(_, part)| media(part)) {
            let before = n.checked_sub(1).and_then(|before| message.content.get(before));
            held.extend(before.filter(|before| names_a_file(before)).and_then(part));
            held.extend(part(it));
        }
        content(message.content.iter().filter(|part| !media(part)))
    } else {
        content(message.content.iter())
    };
    let tool_call_id = message.tool_call_id.as_deref();
    WireMessage { tool_call_id, ..plain("tool", content) }
}

/// `<image path="...">`, as `ReadMediaFile` writes it before a medium.
fn names_a_file(part: &ContentPart) -> bool {
    let text = part.as_text().unwrap_or_default();
    text.starts_with("<image path=") || text.starts_with("<video path=")
}

/// One text is a string, anything else a list; thinking and empty texts stay out of lists.
fn content<'a>(parts: impl Iterator<Item = &'a ContentPart>) -> Content<'a> {
    let mut parts: Vec<_> = parts.filter_map(part).collect();
    if parts.len() > 1 {
        parts.retain(|part| !matches!(part, Part::Text { text: "" }));
    }
    match parts.as_slice() {
        [] => Content::Text(""),
        [Part::Text { text }] => Content::Text(text),
        _ => Content::Parts(parts),
    }
}

fn part(part: &ContentPart) -> Option<Part<'_>> {
    fn media(media: &MediaUrl) -> Media<'_> {
        Media { url: &media.url, id: media.id.as_deref() }
    }
    match part {
        ContentPart::Text { text } => Some(Part::Text { text }),
        ContentPart::Think { .. } => None,
        ContentPart::ImageUrl { image_url } => Some(Part::ImageUrl { image_url: media(image_url) }),
        ContentPart::AudioUrl { audio_url } => Some(Part::AudioUrl { audio_url: media(audio_url) }),
        ContentPart::VideoUrl { video_url } => Some(Part::VideoUrl { video_url: media(video_url) }),
    }
}
