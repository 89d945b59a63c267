//! The moments at which hooks are heard, and what passes between the agent and a client that
//! subscribed to some of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A moment at which hooks are heard: the thirteen of wire protocol 1.10, and one of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    PreToolUse,
    PostToolUse,
    PostToolUseFailure,
    UserPromptSubmit,
    Stop,
    StopFailure,
    SessionStart,
    SessionEnd,
    SubagentStart,
    SubagentStop,
    PreCompact,
    PostCompact,
    Notification,
    /// Ours: somebody is about to be asked for an approval. It is not among the events that clients
    /// are told of.
    PermissionRequest,
}

impl HookEvent {
    /// Every event that clients are told of (wire.md section 3), in the order in which they are.
    pub const WIRE: [Self; 13] = [
        Self::PreToolUse,
        Self::PostToolUse,
        Self::PostToolUseFailure,
        Self::UserPromptSubmit,
        Self::Stop,
        Self::StopFailure,
        Self::SessionStart,
        Self::SessionEnd,
        Self::SubagentStart,
        Self::SubagentStop,
        Self::PreCompact,
        Self::PostCompact,
        Self::Notification,
    ];

    /// The event's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreToolUse => "PreToolUse",
            Self::PostToolUse => "PostToolUse",
            Self::PostToolUseFailure => "PostToolUseFailure",
            Self::UserPromptSubmit => "UserPromptSubmit",
            Self::Stop => "Stop",
            Self::StopFailure => "StopFailure",
            Self::SessionStart => "SessionStart",
            Self::SessionEnd => "SessionEnd",
            Self::SubagentStart => "SubagentStart",
            Self::SubagentStop => "SubagentStop",
            Self::PreCompact => "PreCompact",
            Self::PostCompact => "PostCompact",
            Self::Notification => "Notification",
            Self::PermissionRequest => "PermissionRequest",
        }
    }

    /// The event of this name, also in small letters or as words joined by `_` or `-`.
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = |text: &str| -> String {
            let letters = text.chars().filter(|c| !matches!(c, '_' | '-'));
            letters.map(|c| c.to_ascii_lowercase()).collect()
        };
        let wanted = plain(name);
        let mut all = Self::WIRE.into_iter().chain([Self::PermissionRequest]);
        all.find(|event| plain(event.name()) == wanted)
    }

    /// Whether a hook can forbid what the event announces.
    pub fn can_block(self) -> bool {
        matches!(
            self,
            Self::PreToolUse | Self::UserPromptSubmit | Self::Stop | Self::PermissionRequest
        )
    }

    /// Whether the agent waits for the hooks.
    pub fn is_awaited(self) -> bool {
        self.can_block()
            || matches!(
                self,
                Self::SessionStart | Self::SessionEnd | Self::SubagentStart | Self::PreCompact
            )
    }
}

/// Asks a client that subscribed to an event what it has to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HookRequest {
    /// Twelve hexadecimal digits.
    pub id: String,
    /// Which of the client's subscriptions is meant.
    pub subscription_id: String,
    pub event: String,
    /// What the matcher was held against.
    #[serde(default)]
    pub target: String,
    /// The same that a command gets on its standard input.
    pub input_data: Map<String, Value>,
}

/// A client's word on a [`HookRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookResponse {
    pub request_id: String,
    pub action: HookAction,
    #[serde(default)]
    pub reason: String,
}

/// Whether what an event announces may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookAction {
    Allow,
    Block,
}

impl HookAction {
    /// The word as it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_to_the_event() {
        for event in HookEvent::WIRE.into_iter().chain([HookEvent::PermissionRequest]) {
            assert_eq!(HookEvent::from_name(event.name()), Some(event));
            assert!(!event.can_block() || event.is_awaited());
        }
        for name in ["PreToolUse", "pre_tool_use", "pre-tool-use", "preToolUse"] {
            assert_eq!(HookEvent::from_name(name), Some(HookEvent::PreToolUse), "{name}");
        }
        for name in ["", "PreTool", "Pre Tool Use", "PreToolUse "] {
            assert_eq!(HookEvent::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn requests_and_answers_have_the_wire_s_shape() {
        let request = HookRequest {
            id: "0123456789ab".into(),
            subscription_id: "h1".into(),
            event: "Stop".into(),
            target: String::new(),
            input_data: Map::new(),
        };
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"id":"0123456789ab","subscription_id":"h1","event":"Stop","target":"","input_data":{}}"#
        );
        let answer: HookResponse =
            serde_json::from_str(r#"{"request_id":"r","action":"block"}"#).unwrap();
        assert_eq!((answer.action, answer.reason.as_str()), (HookAction::Block, ""));
    }
}
