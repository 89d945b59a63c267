//! What the agent reports, in the order it happens.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ApprovalResponse, ContentPart, GoalUpdate, TokenUsage, ToolCall, ToolReturnValue, UserInput,
};

/// Something that happened. Names and fields are those of wire protocol 1.10, except for the last
/// ones, which stay inside the process (see [`Event::is_wire`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload")]
pub enum Event {
    TurnBegin {
        user_input: UserInput,
    },
    /// A message given to the running turn.
    SteerInput {
        user_input: UserInput,
    },
    /// Always follows a `TurnBegin`, also after an error or a cancel.
    TurnEnd {},
    /// A model request begins; `n` counts from 1 in each agent loop.
    StepBegin {
        n: u32,
    },
    /// The step failed with an error.
    StepInterrupted {},
    /// An attempt failed and will be repeated: whatever it streamed is withdrawn.
    StepRetry {
        n: u32,
        next_attempt: u32,
        max_attempts: u32,
        /// Seconds until the next attempt. Written as whole ones: a client in the field reads an
        /// integer here and loses the event otherwise (clients.md section 1).
        #[serde(serialize_with = "whole_seconds")]
        wait_s: f64,
        error_type: String,
        #[serde(default)]
        status_code: Option<u16>,
    },
    CompactionBegin {},
    CompactionEnd {},
    HookTriggered {
        event: String,
        #[serde(default)]
        target: String,
        #[serde(default = "one_hook")]
        hook_count: u32,
    },
    HookResolved {
        event: String,
        #[serde(default)]
        target: String,
        action: String,
        #[serde(default)]
        reason: String,
        #[serde(default)]
        duration_ms: u64,
    },
    #[serde(rename = "MCPLoadingBegin")]
    McpLoadingBegin {},
    #[serde(rename = "MCPLoadingEnd")]
    McpLoadingEnd {},
    /// Fields that are `None` have not changed.
    StatusUpdate(StatusUpdate),
    Notification(Notification),
    /// A piece of the answer or of the thinking, as it streams.
    ContentPart(ContentPart),
    /// A call begins; its arguments may be completed by the following `ToolCallPart`s.
    ToolCall(ToolCall),
    /// More argument text for the most recent `ToolCall`.
    ToolCallPart {
        arguments_part: Option<String>,
    },
    ToolResult {
        tool_call_id: String,
        return_value: ToolReturnValue,
    },
    #[serde(alias = "ApprovalRequestResolved")]
    ApprovalResponse(ApprovalResponse),
    SubagentEvent {
        #[serde(alias = "task_tool_call_id")]
        parent_tool_call_id: Option<String>,
        #[serde(default)]
        agent_id: Option<String>,
        #[serde(default)]
        subagent_type: Option<String>,
        event: Box<Event>,
    },
    PlanDisplay {
        content: String,
        file_path: String,
    },
    BtwBegin {
        id: String,
        question: String,
    },
    BtwEnd {
        id: String,
        response: Option<String>,
        error: Option<String>,
    },

    /// In-process only: a piece of the answer to a question beside the conversation. A fresh one begins
    /// the answer anew.
    BtwText {
        id: String,
        text: String,
        fresh: bool,
    },
    /// In-process only: a flow goes on with another node; the words say which, on one line.
    FlowStep {
        words: String,
    },
    /// In-process only: text that a running tool has produced so far, piece by piece.
    ToolOutput {
        tool_call_id: String,
        text: String,
    },
    /// In-process only: whoever asked does not want to know any more; the question is not open now.
    RequestWithdrawn {
        request_id: String,
    },
    /// In-process only: the session's settings, sent whenever one of them changed.
    SessionInfo(SessionInfo),
    /// In-process only: the goal or the queue behind it has changed.
    GoalUpdated(Box<GoalUpdate>),
}

fn one_hook() -> u32 {
    1
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Rounded up: a countdown that ends early looks stuck.
fn whole_seconds<S: serde::Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    // Casts of floats saturate; NaN becomes 0.
    serializer.serialize_u64(seconds.ceil() as u64)
}

impl Event {
    /// Whether clients outside this process and the record on disk may see it. Clients stop at
    /// event types they do not know, so the protocol's list is closed.
    pub fn is_wire(&self) -> bool {
        !matches!(
            self,
            Self::BtwText { .. }
                | Self::GoalUpdated(_)
                | Self::FlowStep { .. }
                | Self::RequestWithdrawn { .. }
                | Self::ToolOutput { .. }
                | Self::SessionInfo(_)
        )
    }
}

/// What the status line shows of the model and the context.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusUpdate {
    /// Used share of the context window, 0 to 1.
    pub context_usage: Option<f64>,
    pub context_tokens: Option<u64>,
    pub max_context_tokens: Option<u64>,
    pub token_usage: Option<TokenUsage>,
    pub message_id: Option<String>,
    pub plan_mode: Option<bool>,
    pub mcp_status: Option<Value>,
    /// What fills the context window by our own count, in tokens, and what it takes: with the answer, and
    /// estimated where the provider tells nothing. For our own screen; the protocol has what was told.
    #[serde(skip)]
    pub counted: Option<(u64, u64)>,
}

impl StatusUpdate {
    /// The share of a context window of `max` tokens that is used, 0 to 1; 0 where nobody knows how many
    /// it takes.
    pub fn share(tokens: u64, max: u64) -> f64 {
        if max == 0 { 0.0 } else { tokens as f64 / max as f64 }
    }
}

/// News from outside the turn, such as a finished background task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    pub id: String,
    pub category: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub source_kind: String,
    pub source_id: String,
    pub title: String,
    pub body: String,
    /// `info`, `success`, `warning` or `error`.
    pub severity: String,
    /// Unix seconds.
    pub created_at: f64,
    /// An object: clients take nothing else.
    #[serde(default = "empty_object")]
    pub payload: Value,
}

/// The settings of a session that a person may want to see.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionInfo {
    pub session_id: String,
    pub session_dir: String,
    pub work_dir: String,
    pub title: Option<String>,
    /// The configured name of the model; `None` when no model is set.
    pub model: Option<String>,
    /// What to call the model on the screen.
    pub model_display: Option<String>,
    pub thinking: bool,
    /// The model takes pictures.
    #[serde(default)]
    pub image_in: bool,
    pub yolo: bool,
    pub afk: bool,
    pub plan_mode: bool,
    pub max_context_tokens: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_unknown_size_is_not_full() {
        assert_eq!(StatusUpdate::share(50, 200), 0.25);
        assert_eq!(StatusUpdate::share(1_200, 0), 0.0);
    }

    fn wire(event: &Event) -> String {
        serde_json::to_string(event).unwrap()
    }

    #[test]
    fn empty_payloads_are_objects() {
        assert_eq!(wire(&Event::TurnEnd {}), r#"{"type":"TurnEnd","payload":{}}"#);
        assert_eq!(wire(&Event::McpLoadingBegin {}), r#"{"type":"MCPLoadingBegin","payload":{}}"#);
    }

    #[test]
    fn content_parts_are_the_payload() {
        assert_eq!(
            wire(&Event::ContentPart(ContentPart::think("hm"))),
            r#"{"type":"ContentPart","payload":{"type":"think","think":"hm","encrypted":null}}"#
        );
    }

    #[test]
    fn tool_calls_keep_null_extras() {
        assert_eq!(
            wire(&Event::ToolCall(ToolCall::new("c1", "Shell", "{}"))),
            r#"{"type":"ToolCall","payload":{"type":"function","id":"c1","function":{"name":"Shell","arguments":"{}"},"extras":null}}"#
        );
    }

    #[test]
    fn absent_status_fields_are_null() {
        assert_eq!(
            wire(&Event::StatusUpdate(StatusUpdate {
                plan_mode: Some(true),
                ..Default::default()
            })),
            r#"{"type":"StatusUpdate","payload":{"context_usage":null,"context_tokens":null,"max_context_tokens":null,"token_usage":null,"message_id":null,"plan_mode":true,"mcp_status":null}}"#
        );
    }

    #[test]
    fn waits_are_whole_seconds() {
        let retry = |wait_s| Event::StepRetry {
            n: 1,
            next_attempt: 2,
            max_attempts: 3,
            wait_s,
            error_type: "APIStatusError".into(),
            status_code: None,
        };
        for (wait, written) in [(0.3, 1), (2.0, 2), (-1.0, 0), (f64::NAN, 0)] {
            let text = wire(&retry(wait));
            assert!(text.contains(&format!(r#""wait_s":{written},"#)), "{text}");
        }
        // As kimi-cli writes it.
        let read = r#"{"type":"StepRetry","payload":{"n":1,"next_attempt":2,"max_attempts":3,"wait_s":0.5,"error_type":"APIStatusError"}}"#;
        let read: Event = serde_json::from_str(read).unwrap();
        assert!(matches!(read, Event::StepRetry { wait_s, .. } if wait_s == 0.5));
    }

    #[test]
    fn old_names_are_read() {
        let event: Event = serde_json::from_str(
            r#"{"type":"ApprovalRequestResolved","payload":{"request_id":"r","response":"approve"}}"#,
        )
        .unwrap();
        assert!(matches!(event, Event::ApprovalResponse(_)));
    }
}
