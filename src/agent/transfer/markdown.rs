//! A conversation as Markdown, for people and for other programs (sessions.md section 11).

use std::collections::HashMap;
use std::fmt::Write as _;

use super::said::Said;
use crate::llm::Message;
use crate::protocol::{ContentPart, ToolCall};

/// Characters of an argument in the headline of a call.
const HINT: usize = 60;

/// Arguments that say most of a call, the first one found goes into its headline.
const TELLING: &[&str] =
    &["command", "path", "file_path", "pattern", "url", "query", "description", "title"];

/// What the head of the file says.
pub(super) struct Facts {
    pub session_id: String,
    /// With its offset from UTC.
    pub exported_at: String,
    pub work_dir: String,
    pub title: String,
    /// As the conversation is believed to have now.
    pub tokens: u64,
}

/// The whole file.
pub(super) fn document(facts: &Facts, messages: &[Message]) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut out = format!(
        "{}exported_at: {}\nwork_dir: {}\nmessage_count: {}\ntoken_count: {}\n---\n\n\
         # Kimi Session Export\n\n## Overview\n\n",
        head(&facts.session_id),
        facts.exported_at,
        text(&facts.work_dir),
        messages.len(),
        facts.tokens
    );
    let turns = turns(messages);
    let calls: usize = messages.iter().map(|message| message.tool_calls.len()).sum();
    let _ = write!(
        out,
        "- **Topic**: {}\n- **Conversation**: {turns} turns | {calls} tool calls | about {} tokens\n\n",
        clean(&facts.title).replace('\n', " "),
        facts.tokens
    );
    out.push_str(&body(messages, true));
    out
}

/// How a file begins that has this session in it.
pub(super) fn head(session_id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match session_id.chars().all(plain) {
        true => format!("---\nsession_id: {session_id}\n"),
        false => format!("---\nsession_id: {}\n", serde_json::Value::from(session_id)),
    }
}

/// The turns alone; the model's thinking only where it is `wanted`.
pub(super) fn body(messages: &[Message], thinking: bool) -> String {
    let mut writer =
        Writer { out: String::new(), turn: 0, speaker: None, calls: HashMap::new(), thinking };
    for message in messages {
        writer.message(message);
    }
    let mut out = writer.out;
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// How many messages of the user there are.
pub(super) fn turns(messages: &[Message]) -> usize {
    messages.iter().filter(|message| matches!(Said::of(message), Said::User(_))).count()
}

#[derive(PartialEq)]
enum Speaker {
    User,
    Assistant,
}

struct Writer<'a> {
    out: String,
    /// From 1; 0 before the first.
    turn: usize,
    speaker: Option<Speaker>,
    /// How the calls so far are called, by id.
    calls: HashMap<&'a str, String>,
    thinking: bool,
}

impl<'a> Writer<'a> {
    fn message(&mut self, message: &'a Message) {
        match Said::of(message) {
            Said::Nothing => {}
            Said::User(parts) => {
                self.turn += 1;
                let _ = write!(self.out, "## Turn {}\n\n### User\n\n", self.turn);
                self.speaker = Some(Speaker::User);
                parts.into_iter().for_each(|part| self.part(part));
            }
            Said::Note(what, parts) => {
                let text: Vec<_> = parts.into_iter().filter_map(ContentPart::as_text).collect();
                self.folded(what, None, &text.join("\n"));
            }
            Said::Assistant(message) => {
                if self.speaker.replace(Speaker::Assistant) != Some(Speaker::Assistant) {
                    self.out.push_str("### Assistant\n\n");
                }
                message.content.iter().for_each(|part| self.part(part));
                message.tool_calls.iter().for_each(|call| self.call(call));
            }
            Said::Tool(message) => {
                let id = message.tool_call_id.as_deref().unwrap_or_default();
                let of = self.calls.get(id).cloned().unwrap_or_default();
                let text: Vec<_> = message.content.iter().map(shown).collect();
                self.folded(&format!("Tool Result: {of}"), Some(id), &text.join("\n"));
            }
        }
    }

    fn part(&mut self, part: &ContentPart) {
        match part {
            ContentPart::Think { think, .. } if self.thinking && !think.trim().is_empty() => {
                let think = clean(think);
                let _ = write!(
                    self.out,
                    "<details><summary>Thinking</summary>\n\n{}\n\n</details>\n\n",
                    think.trim().replace("</details", "&lt;/details")
                );
            }
            ContentPart::Think { .. } => {}
            part => {
                let text = shown(part);
                if !text.trim().is_empty() {
                    let _ = write!(self.out, "{}\n\n", text.trim_end());
                }
            }
        }
    }

    fn call(&mut self, call: &'a ToolCall) {
        self.calls.insert(&call.id, named(call));
        let arguments = serde_json::from_str::<serde_json::Value>(call.arguments())
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or_else(|_| call.arguments().to_owned());
        let _ = write!(
            self.out,
            "#### Tool Call: {}\n<!-- call_id: {} -->\n{}\n\n",
            named(call),
            identifier(&call.id),
            fenced("json", &clean(&arguments))
        );
    }

    fn folded(&mut self, what: &str, call: Option<&str>, text: &str) {
        let _ = write!(self.out, "<details><summary>{}</summary>\n\n", escaped(what));
        if let Some(id) = call {
            let _ = write!(self.out, "<!-- call_id: {} -->\n\n", identifier(id));
        }
        let _ = write!(self.out, "{}\n\n</details>\n\n", fenced("", clean(text).trim_end()));
    }
}

/// A part in words. Pictures and the like are only named: their bytes are of no use in a text.
fn shown(part: &ContentPart) -> String {
    let medium = |what: &str, url: &str| match url.starts_with("http") {
        true => format!("[{what}: {}]", clean(url)),
        false => format!("[{what}]"),
    };
    match part {
        ContentPart::Text { text } => clean(text),
        ContentPart::Think { .. } => String::new(),
        ContentPart::ImageUrl { image_url } => medium("image", &image_url.url),
        ContentPart::AudioUrl { audio_url } => medium("audio", &audio_url.url),
        ContentPart::VideoUrl { video_url } => medium("video", &video_url.url),
    }
}

/// A call by its tool and the argument that says most.
fn named(call: &ToolCall) -> String {
    let name = clean(&call.function.name).replace('\n', " ");
    let arguments = serde_json::from_str::<serde_json::Value>(call.arguments()).unwrap_or_default();
    let hint = TELLING.iter().find_map(|key| arguments.get(key)?.as_str()).unwrap_or_default();
    let hint: Vec<_> = hint.split_whitespace().collect();
    let hint = clean(&hint.join(" ")).replace('`', "'");
    match hint.chars().count() {
        0 => name,
        1..=HINT => format!("{name} (`{hint}`)"),
        _ => format!("{name} (`{}…`)", hint.chars().take(HINT - 1).collect::<String>()),
    }
}

/// A block of code that nothing in its text can end.
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What may stand in a comment.
fn identifier(id: &str) -> String {
    id.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_-.:".contains(*c))
        .collect::<String>()
        .replace("--", "-")
}

/// Text that a terminal can show: whoever wrote it, the file is read with `cat`, too.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToolReturnValue;

    fn facts() -> Facts {
        Facts {
            session_id: "s1".into(),
            exported_at: "2026-01-02T03:04:05+00:00".into(),
            work_dir: "/w \"x\"".into(),
            title: "the\ntask".into(),
            tokens: 42,
        }
    }

    #[test]
    fn a_conversation_reads_well() {
        let call = ToolCall::new("c1", "Shell", r#"{"command":"ls  -la"}"#);
        let messages = [
            Message::user_text("list it"),
            Message::user_text("<system-reminder>plan mode</system-reminder>"),
            Message::assistant(
                vec![ContentPart::think("hm </details>"), ContentPart::text("Looking.")],
                vec![call],
            ),
            Message::tool_result("c1", &ToolReturnValue::ok("a\n```\nb\n", "Done.")),
            Message::assistant(vec![ContentPart::text("Two files.")], vec![]),
            Message::user_text("thanks"),
        ];
        insta::assert_snapshot!(document(&facts(), &messages));
        let body = body(&messages, false);
        assert!(body.starts_with("## Turn 1") && !body.contains("Thinking"), "{body}");
        assert!(body.ends_with("thanks\n"));
    }

    #[test]
    fn nothing_in_a_conversation_breaks_the_file() {
        let call = ToolCall::new("x-->\n<b>", "Sh`ell\u{1b}[31m", "{broken");
        let messages = [
            Message::assistant(vec![], vec![call]),
            Message::tool_result("x-->\n<b>", &ToolReturnValue::ok("````\n</details>\u{7}", "")),
            Message::tool_result("unknown", &ToolReturnValue::ok("", "")),
        ];
        let text = document(&facts(), &messages);
        assert!(!text.contains(['\u{1b}', '\u{7}']) && !text.contains("x-->"), "{text}");
        // The fence is longer than any in the text.
        assert!(text.contains("\n`````\n````\n</details>\n`````\n"), "{text}");
        assert_eq!(turns(&messages), 0);
    }

    #[test]
    fn pictures_are_named() {
        let picture = |url: &str| {
            let image_url = crate::protocol::MediaUrl { url: url.to_owned(), id: None };
            shown(&ContentPart::ImageUrl { image_url })
        };
        assert_eq!(picture("data:image/png;base64,AAAA"), "[image]");
        assert_eq!(picture("https://x/y.png"), "[image: https://x/y.png]");
    }
}
