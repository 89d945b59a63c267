//! What happens, as hooks hear of it: the event, what matchers are held against, the fields.

use serde_json::{Map, Value, json};

use crate::customize::agent_file::tool_names::code_name;
use crate::protocol::{HookEvent, Notification};

/// Most characters of a tool's output that a hook is told.
const MAX_OUTPUT: usize = 2_000;
/// Most characters of a subagent's prompt and answer that a hook is told.
const MAX_SUBAGENT: usize = 500;

/// Something that hooks hear of.
#[derive(Debug, Clone)]
pub struct Occasion {
    pub(super) event: HookEvent,
    pub(super) subject: Subject,
    /// The fields beyond those that every event has.
    pub(super) fields: Map<String, Value>,
}

/// What matchers are held against.
#[derive(Debug, Clone, Default)]
pub(super) struct Subject {
    /// The value as the contract has it.
    pub target: String,
    /// The same tool's name in kimi-code.
    pub code: Option<&'static str>,
}

impl Subject {
    pub fn tool(name: &str) -> Self {
        Self { target: name.to_owned(), code: code_name(name) }
    }

    fn plain(target: &str) -> Self {
        Self { target: target.to_owned(), code: None }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.target.as_str()).chain(self.code)
    }
}

/// A tool call as hooks hear of it.
#[derive(Debug, Clone)]
pub struct ToolUse {
    /// The tool's own name; of a call through `mcp_call` that of the server's tool.
    pub name: String,
    /// The arguments as the model wrote them.
    pub input: Value,
    pub call_id: String,
}

/// Why a conversation is compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactTrigger {
    Auto,
    Manual,
    ManualWithPrompt,
}

impl CompactTrigger {
    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
            Self::ManualWithPrompt => "manual-with-prompt",
        }
    }
}

impl Occasion {
    fn new(event: HookEvent, subject: Subject, fields: Value) -> Self {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Self { event, subject, fields }
    }

    fn of_tool(event: HookEvent, call: &ToolUse, more: Value) -> Self {
        let mut fields = json!({
            "tool_name": call.name,
            // Arguments that are no object never reach a tool.
            "tool_input": if call.input.is_object() { call.input.clone() } else { json!({}) },
        });
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
            fields.insert("tool_call_id".to_owned(), json!(call.call_id));
        }
        Self::new(event, Subject::tool(&call.name), fields)
    }

    /// A tool is about to be called.
    pub fn pre_tool_use(call: &ToolUse) -> Self {
        Self::of_tool(HookEvent::PreToolUse, call, json!({}))
    }

    /// A tool has returned this.
    pub fn post_tool_use(call: &ToolUse, output: &str) -> Self {
        let output = cut(output, MAX_OUTPUT);
        Self::of_tool(HookEvent::PostToolUse, call, json!({"tool_output": output}))
    }

    /// A tool has failed.
    pub fn post_tool_use_failure(call: &ToolUse, error: &str) -> Self {
        let error = cut(error, MAX_OUTPUT);
        Self::of_tool(HookEvent::PostToolUseFailure, call, json!({"error": error}))
    }

    /// Somebody is about to be asked whether a call may go ahead.
    pub fn permission_request(tool: &str, call_id: &str, action: &str, description: &str) -> Self {
        let fields = json!({
            "tool_name": tool, "tool_call_id": call_id, "action": action, "description": description,
        });
        Self::new(HookEvent::PermissionRequest, Subject::tool(tool), fields)
    }

    /// The user has sent a message.
    pub fn user_prompt_submit(prompt: &str) -> Self {
        let fields = json!({"prompt": prompt});
        Self::new(HookEvent::UserPromptSubmit, Subject::plain(prompt), fields)
    }

    /// A turn is about to end; `active`: it is the turn that such a hook has asked for.
    pub fn stop(active: bool) -> Self {
        let fields = json!({"stop_hook_active": active});
        Self::new(HookEvent::Stop, Subject::default(), fields)
    }

    /// A turn has failed; `class` is the name of the error.
    pub fn stop_failure(class: &str, message: &str) -> Self {
        let fields = json!({"error_type": class, "error_message": message});
        Self::new(HookEvent::StopFailure, Subject::plain(class), fields)
    }

    /// A session was opened.
    pub fn session_start(resumed: bool) -> Self {
        let source = if resumed { "resume" } else { "startup" };
        let fields = json!({"source": source});
        Self::new(HookEvent::SessionStart, Subject::plain(source), fields)
    }

    /// A session ends.
    pub fn session_end() -> Self {
        Self::new(HookEvent::SessionEnd, Subject::plain("exit"), json!({"reason": "exit"}))
    }

    /// A subagent of this type begins with this prompt.
    pub fn subagent_start(agent: &str, prompt: &str) -> Self {
        let fields = json!({"agent_name": agent, "prompt": cut(prompt, MAX_SUBAGENT)});
        Self::new(HookEvent::SubagentStart, Subject::plain(agent), fields)
    }

    /// A subagent of this type has ended with this answer.
    pub fn subagent_stop(agent: &str, response: &str) -> Self {
        let fields = json!({"agent_name": agent, "response": cut(response, MAX_SUBAGENT)});
        Self::new(HookEvent::SubagentStop, Subject::plain(agent), fields)
    }

    /// The conversation of this many tokens is about to be compacted.
    pub fn pre_compact(trigger: CompactTrigger, tokens: u64) -> Self {
        let fields = json!({"trigger": trigger.word(), "token_count": tokens});
        Self::new(HookEvent::PreCompact, Subject::plain(trigger.word()), fields)
    }

    /// The conversation was compacted to about this many tokens.
    pub fn post_compact(trigger: CompactTrigger, tokens: u64) -> Self {
        let fields = json!({"trigger": trigger.word(), "estimated_token_count": tokens});
        Self::new(HookEvent::PostCompact, Subject::plain(trigger.word()), fields)
    }

    /// News go to `sink`, such as `llm`.
    pub fn notification(sink: &str, news: &Notification) -> Self {
        let fields = json!({
            "sink": sink,
            "notification_type": news.kind,
            "title": news.title,
            "body": news.body,
            "severity": news.severity,
        });
        Self::new(HookEvent::Notification, Subject::plain(&news.kind), fields)
    }

    /// What a hook gets on its standard input; `code`: with the tool's name in kimi-code.
    pub(super) fn input(&self, session_id: &str, cwd: &str, code: bool) -> Map<String, Value> {
        let mut input = Map::new();
        input.insert("hook_event_name".to_owned(), json!(self.event.name()));
        input.insert("session_id".to_owned(), json!(session_id));
        input.insert("cwd".to_owned(), json!(cwd));
        input.extend(self.fields.clone());
        if let (true, Some(name), Some(field)) =
            (code, self.subject.code, input.get_mut("tool_name"))
        {
            *field = json!(name);
        }
        input
    }
}

fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(occasion: &Occasion) -> String {
        serde_json::to_string(&occasion.input("s", "/w", false)).unwrap()
    }

    /// Each event to the letter (agents-skills-hooks.md section 5.2).
    #[test]
    fn every_event_has_its_fields() {
        let call = ToolUse {
            name: "Shell".into(),
            input: json!({"command": "make"}),
            call_id: "call_7".into(),
        };
        let news = Notification {
            id: "n1".into(),
            category: "task".into(),
            kind: "task.completed".into(),
            source_kind: "background_task".into(),
            source_id: "b1".into(),
            title: "Done".into(),
            body: "It is".into(),
            severity: "success".into(),
            created_at: 1.0,
            payload: Value::Null,
        };
        let tool = r#""tool_name":"Shell","tool_input":{"command":"make"}"#;
        let compact = CompactTrigger::ManualWithPrompt;
        for (occasion, target, fields) in [
            (Occasion::pre_tool_use(&call), "Shell", format!(r#"{tool},"tool_call_id":"call_7""#)),
            (
                Occasion::post_tool_use(&call, "out"),
                "Shell",
                format!(r#"{tool},"tool_output":"out","tool_call_id":"call_7""#),
            ),
            (
                Occasion::post_tool_use_failure(&call, "no"),
                "Shell",
                format!(r#"{tool},"error":"no","tool_call_id":"call_7""#),
            ),
            (Occasion::user_prompt_submit("hi"), "hi", r#""prompt":"hi""#.into()),
            (Occasion::stop(true), "", r#""stop_hook_active":true"#.into()),
            (
                Occasion::stop_failure("APIStatusError", "busy"),
                "APIStatusError",
                r#""error_type":"APIStatusError","error_message":"busy""#.into(),
            ),
            (Occasion::session_start(false), "startup", r#""source":"startup""#.into()),
            (Occasion::session_start(true), "resume", r#""source":"resume""#.into()),
            (Occasion::session_end(), "exit", r#""reason":"exit""#.into()),
            (
                Occasion::subagent_start("coder", "go"),
                "coder",
                r#""agent_name":"coder","prompt":"go""#.into(),
            ),
            (
                Occasion::subagent_stop("coder", "done"),
                "coder",
                r#""agent_name":"coder","response":"done""#.into(),
            ),
            (
                Occasion::pre_compact(compact, 7),
                "manual-with-prompt",
                r#""trigger":"manual-with-prompt","token_count":7"#.into(),
            ),
            (
                Occasion::post_compact(CompactTrigger::Auto, 3),
                "auto",
                r#""trigger":"auto","estimated_token_count":3"#.into(),
            ),
            (
                Occasion::notification("llm", &news),
                "task.completed",
                r#""sink":"llm","notification_type":"task.completed","title":"Done","body":"It is","severity":"success""#.into(),
            ),
        ] {
            let name = occasion.event.name();
            let expected =
                format!(r#"{{"hook_event_name":"{name}","session_id":"s","cwd":"/w",{fields}}}"#);
            assert_eq!(input(&occasion), expected);
            assert_eq!(occasion.subject.target, target);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let call = ToolUse { name: "X".into(), input: json!([1]), call_id: "c".into() };
        let post = Occasion::post_tool_use(&call, &"é".repeat(2_001));
        assert_eq!(post.fields["tool_output"].as_str().unwrap().chars().count(), 2_000);
        assert_eq!(post.fields["tool_input"], json!({}));
        let start = Occasion::subagent_start("a", &"é".repeat(501));
        assert_eq!(start.fields["prompt"].as_str().unwrap().chars().count(), 500);
    }

    #[test]
    fn a_hook_of_kimi_code_hears_its_own_names() {
        let call = ToolUse { name: "Shell".into(), input: json!({}), call_id: "c".into() };
        let pre = Occasion::pre_tool_use(&call);
        assert_eq!(pre.input("s", "/", true)["tool_name"], "Bash");
        assert_eq!(pre.input("s", "/", false)["tool_name"], "Shell");
        let glob = ToolUse { name: "Glob".into(), ..call };
        assert_eq!(Occasion::pre_tool_use(&glob).input("s", "/", true)["tool_name"], "Glob");
    }
}
