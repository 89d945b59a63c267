//! What the methods take and what they return (wire.md section 3).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::rpc::{ErrorData, Method, RpcError};
use crate::agent::{BroughtTool, Introduced, Introduction, OfferedCommand, Shows, WantedHook};
use crate::front::json_rpc::code;
use crate::protocol::{Failure, FailureKind, HookEvent, Outcome, UserInput, WIRE_PROTOCOL_VERSION};

/// Seconds that a client may take for a hook unless it says otherwise.
const HOOK_TIMEOUT: u64 = 30;

/// The parameters of `initialize`. Only the version is required; it decides nothing.
#[derive(Debug, Deserialize)]
pub(super) struct Initialize {
    #[serde(rename = "protocol_version")]
    _protocol_version: String,
    client: Option<ClientInfo>,
    capabilities: Option<Capabilities>,
    external_tools: Option<Vec<ExternalTool>>,
    hooks: Option<Vec<Hook>>,
}

#[derive(Debug, Deserialize)]
struct ClientInfo {
    name: String,
    version: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Capabilities {
    #[serde(default)]
    supports_question: bool,
    #[serde(default)]
    supports_plan_mode: bool,
    /// One of ours: what an approval for the session covers, in a field that kimi-cli's requests lack.
    #[serde(default)]
    supports_approval_note: bool,
}

#[derive(Debug, Deserialize)]
struct ExternalTool {
    name: String,
    description: String,
    parameters: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Hook {
    id: String,
    event: String,
    #[serde(default)]
    matcher: Option<String>,
    #[serde(default)]
    timeout: Option<u64>,
}

impl Initialize {
    /// Whether the client shows the note of an approval request.
    pub fn shows_notes(&self) -> bool {
        self.capabilities.as_ref().is_some_and(|it| it.supports_approval_note)
    }
}

impl From<Initialize> for Introduction {
    fn from(params: Initialize) -> Self {
        let name = params.client.map(|client| match client.version {
            Some(version) if !version.is_empty() => format!("{} {version}", client.name),
            _ => client.name,
        });
        let tools = params.external_tools.into_iter().flatten().map(|tool| BroughtTool {
            name: tool.name,
            description: tool.description,
            parameters: Value::Object(tool.parameters),
        });
        let hooks = params.hooks.into_iter().flatten().map(|hook| WantedHook {
            id: hook.id,
            event: hook.event,
            matcher: hook.matcher.unwrap_or_default(),
            timeout: hook.timeout.unwrap_or(HOOK_TIMEOUT),
        });
        Self {
            name,
            shows: params.capabilities.map(|capabilities| Shows {
                questions: capabilities.supports_question,
                // A question has always room for another answer there.
                words: true,
                forms: false,
                plans: capabilities.supports_plan_mode,
            }),
            tools: tools.collect(),
            hooks: hooks.collect(),
        }
    }
}

/// The parameters of `prompt` and `steer`.
#[derive(Debug, Deserialize)]
pub(super) struct Input {
    pub user_input: UserInput,
}

/// The parameters of `set_plan_mode`.
#[derive(Debug, Deserialize)]
pub(super) struct SetPlanMode {
    pub enabled: bool,
}

/// Reads the parameters of a method.
pub(super) fn parse<T: serde::de::DeserializeOwned>(
    method: Method,
    params: Value,
) -> Result<T, RpcError> {
    // A sequence would be taken for the fields in their order.
    if !params.is_object() {
        return Err(RpcError::params(method));
    }
    serde_json::from_value(params).map_err(|_| RpcError::params(method))
}

/// The result of `initialize`.
pub(super) fn initialized(
    version: &str,
    commands: &[OfferedCommand],
    introduced: &Introduced,
    hooks: &[(HookEvent, usize)],
) -> Value {
    let commands: Vec<Value> = commands
        .iter()
        .map(|command| {
            let OfferedCommand { name, description, aliases, .. } = command;
            json!({"name": name, "description": description, "aliases": aliases})
        })
        .collect();
    let mut result = json!({
        "protocol_version": WIRE_PROTOCOL_VERSION,
        "server": {"name": "Kimi Code CLI", "version": version},
        "slash_commands": commands,
    });
    let Introduced { accepted, rejected } = introduced;
    if !accepted.is_empty() || !rejected.is_empty() {
        let rejected: Vec<Value> =
            rejected.iter().map(|(name, reason)| json!({"name": name, "reason": reason})).collect();
        result["external_tools"] = json!({"accepted": accepted, "rejected": rejected});
    }
    let configured: Map<String, Value> =
        hooks.iter().map(|(event, count)| (event.name().to_owned(), json!(count))).collect();
    result["hooks"] = json!({
        "supported_events": HookEvent::WIRE.map(HookEvent::name),
        "configured": configured,
    });
    result["capabilities"] = json!({"supports_question": true});
    result
}

/// The result of `prompt`. What the protocol has no word for is an error.
pub(super) fn outcome(outcome: &Outcome) -> Result<Value, RpcError> {
    match outcome {
        Outcome::Finished { .. } => Ok(json!({"status": "finished"})),
        Outcome::Cancelled => Ok(json!({"status": "cancelled"})),
        Outcome::MaxStepsReached { steps } => {
            Ok(json!({"status": "max_steps_reached", "steps": steps}))
        }
        Outcome::BudgetSpent(spent) => Err(RpcError::new(code::INTERNAL, format!("{spent}."))),
        Outcome::Failed(failure) => Err(failed(failure)),
    }
}

/// What kimi-cli says when a sign-in is not taken (wire.md section 2).
const SIGN_IN: &str = "Authentication failed. Your login session may have expired. \
                       Please run \"/login\" to sign in again.";

/// Clients can only learn the HTTP status from how the message begins.
fn failed(failure: &Failure) -> RpcError {
    let message = failure.message.as_str();
    match failure.kind {
        FailureKind::LlmNotSet => RpcError::new(RpcError::LLM_NOT_SET, "LLM is not set"),
        FailureKind::LlmNotSupported => RpcError::new(RpcError::LLM_NOT_SUPPORTED, message),
        FailureKind::SignIn => RpcError::new(RpcError::SIGN_IN, SIGN_IN),
        FailureKind::Provider { status: Some(status), .. } => RpcError {
            data: Some(ErrorData { status_code: status }),
            ..RpcError::new(RpcError::PROVIDER, format!("Error code: {status} - {message}"))
        },
        FailureKind::Provider { status: None, .. } => RpcError::new(RpcError::PROVIDER, message),
        FailureKind::Command | FailureKind::Internal => RpcError::new(code::INTERNAL, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Spent, StopReason};

    fn introduction(params: Value) -> Result<Introduction, RpcError> {
        parse::<Initialize>(Method::Initialize, params).map(Introduction::from)
    }

    #[test]
    fn absent_and_null_are_the_same() {
        for params in [
            json!({"protocol_version": "1.1"}),
            json!({"protocol_version": "x", "client": null, "capabilities": null,
                "external_tools": null, "hooks": null, "unknown": 1}),
        ] {
            let introduction = introduction(params).unwrap();
            assert_eq!((introduction.name, introduction.shows), (None, None));
            assert!(introduction.tools.is_empty() && introduction.hooks.is_empty());
        }
        let whole = introduction(json!({
            "protocol_version": "1.10",
            "client": {"name": "ui", "version": "2"},
            "capabilities": {"supports_question": true},
            "external_tools": [{"name": "t", "description": "d", "parameters": {}}],
            "hooks": [{"id": "h", "event": "Stop"}, {"id": "i", "event": "?", "matcher": "a", "timeout": 3}],
        }))
        .unwrap();
        assert_eq!(whole.name.as_deref(), Some("ui 2"));
        assert_eq!(
            whole.shows,
            Some(Shows { questions: true, words: true, forms: false, plans: false })
        );
        assert_eq!(whole.tools[0].name, "t");
        let hooks: Vec<_> =
            whole.hooks.iter().map(|hook| (hook.matcher.as_str(), hook.timeout)).collect();
        assert_eq!(hooks, [("", 30), ("a", 3)]);
    }

    #[test]
    fn wrong_parameters_are_told() {
        for params in [
            json!({}),
            json!(null),
            json!(["1.10"]),
            json!({"protocol_version": 1}),
            json!({"protocol_version": "1", "client": {}}),
            json!({"protocol_version": "1", "capabilities": {"supports_question": "yes"}}),
            json!({"protocol_version": "1", "external_tools": {}}),
            json!({"protocol_version": "1", "external_tools": [{"name": "a"}]}),
            json!({"protocol_version": "1", "hooks": [{"id": 1, "event": "Stop"}]}),
            json!({"protocol_version": "1", "hooks": [{"id": "1", "event": "Stop", "timeout": -1}]}),
        ] {
            let error = introduction(params.clone()).unwrap_err();
            assert_eq!(error.code, -32602, "{params}");
            assert_eq!(error.message, "Invalid parameters for method `initialize`");
        }
        for params in [
            json!({}),
            json!({"user_input": 1}),
            json!({"user_input": null}),
            json!({"user_input": [1]}),
            json!({"user_input": ["a"]}),
            json!({"user_input": [{"type": "mystery"}]}),
            json!({"user_input": [{"type": "text"}]}),
            json!({"user_input": {"type": "text", "text": "a"}}),
        ] {
            assert!(parse::<Input>(Method::Prompt, params.clone()).is_err(), "{params}");
        }
    }

    #[test]
    fn every_outcome_has_its_answer() {
        let finished = Outcome::Finished { stop: StopReason::ToolRejected };
        assert_eq!(outcome(&finished), Ok(json!({"status": "finished"})));
        assert_eq!(outcome(&Outcome::Cancelled), Ok(json!({"status": "cancelled"})));
        assert_eq!(
            outcome(&Outcome::MaxStepsReached { steps: 3 }),
            Ok(json!({"status": "max_steps_reached", "steps": 3}))
        );
        let code = |it: Outcome| outcome(&it).unwrap_err();
        let failed =
            |kind| code(Outcome::Failed(Failure { kind, message: "why".into(), hint: None }));
        assert_eq!(failed(FailureKind::LlmNotSet), RpcError::new(-32001, "LLM is not set"));
        assert_eq!(failed(FailureKind::LlmNotSupported), RpcError::new(-32002, "why"));
        assert_eq!(failed(FailureKind::Internal), RpcError::new(-32603, "why"));
        assert_eq!(failed(FailureKind::SignIn), RpcError::new(-32004, SIGN_IN));
        let provider = |status| failed(FailureKind::Provider { status, retryable: true });
        assert_eq!(provider(None), RpcError::new(-32003, "why"));
        let with_status = provider(Some(429));
        assert_eq!(with_status.message, "Error code: 429 - why");
        assert_eq!(
            (with_status.code, with_status.data),
            (-32003, Some(ErrorData { status_code: 429 }))
        );
        let spent = Spent::Tokens { limit: 1, used: 2 };
        assert_eq!(code(Outcome::BudgetSpent(spent)).code, -32603);
    }
}
