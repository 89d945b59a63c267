//! Messages of the session as clients get them: the encoding of `wire.jsonl`, apart from what would make
//! a client in the field lose the whole message.

use std::borrow::Cow;

use super::rpc;
use crate::front::fit;
use crate::protocol::{DisplayBlock, Event, Request};

/// The line of an event; `None` when clients do not get it.
pub(super) fn event(event: &Event) -> Option<String> {
    if !event.is_wire() {
        return None;
    }
    fit::fitted(rpc::event(&told(event))?)
}

/// The line of a request; `None` when it cannot be put. The note of an approval is a field of ours: only
/// for clients that have said they show `notes`.
pub(super) fn request(request: &Request, notes: bool) -> Option<String> {
    let told = match request {
        Request::ApprovalRequest(approval) => {
            let mut approval = approval.clone().with_note_apart();
            approval.note = approval.note.filter(|_| notes);
            approval.display.iter_mut().for_each(tell_task);
            Cow::Owned(Request::ApprovalRequest(approval))
        }
        request => Cow::Borrowed(request),
    };
    let line = rpc::request(&told)?;
    match request {
        // With cut arguments it would do something else.
        Request::ToolCallRequest(_) => Some(line).filter(|line| fit::fits(line)),
        _ => fit::fitted(line),
    }
}

/// The event without blocks that make some clients lose a whole result: the list of those that kimi-wire
/// knows is closed, and has no background tasks (clients.md section 1).
fn told(event: &Event) -> Cow<'_, Event> {
    match event {
        Event::ToolResult { tool_call_id, return_value }
            if return_value.display.iter().any(is_task) =>
        {
            let mut return_value = return_value.clone();
            return_value.display.iter_mut().for_each(tell_task);
            Cow::Owned(Event::ToolResult { tool_call_id: tool_call_id.clone(), return_value })
        }
        Event::SubagentEvent { parent_tool_call_id, agent_id, subagent_type, event: inner } => {
            match told(inner) {
                Cow::Borrowed(_) => Cow::Borrowed(event),
                Cow::Owned(inner) => Cow::Owned(Event::SubagentEvent {
                    parent_tool_call_id: parent_tool_call_id.clone(),
                    agent_id: agent_id.clone(),
                    subagent_type: subagent_type.clone(),
                    event: Box::new(inner),
                }),
            }
        }
        event => Cow::Borrowed(event),
    }
}

fn is_task(block: &DisplayBlock) -> bool {
    matches!(block, DisplayBlock::BackgroundTask { .. })
}

/// Says the same in a sentence.
fn tell_task(block: &mut DisplayBlock) {
    if let DisplayBlock::BackgroundTask { task_id, status, description, .. } = block {
        let text = format!("Background task {task_id} ({status}): {description}");
        *block = DisplayBlock::Brief { text };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ApprovalRequest, ToolCallRequest, ToolReturnValue};
    use serde_json::{Value, json};

    fn result() -> Event {
        let task = DisplayBlock::BackgroundTask {
            task_id: "bash-1".into(),
            kind: "bash".into(),
            status: "running".into(),
            description: "build".into(),
        };
        let return_value = ToolReturnValue::ok("out", "").with_display(task);
        Event::ToolResult { tool_call_id: "c".into(), return_value }
    }

    #[test]
    fn background_tasks_are_told_in_a_sentence() {
        let inner = Event::SubagentEvent {
            parent_tool_call_id: Some("p".into()),
            agent_id: None,
            subagent_type: None,
            event: Box::new(result()),
        };
        for told in [result(), inner] {
            let line = event(&told).unwrap();
            let brief =
                r#""display":[{"type":"brief","text":"Background task bash-1 (running): build"}]"#;
            assert!(line.contains(brief) && !line.contains("background_task"), "{line}");
        }
    }

    #[test]
    fn a_request_has_the_blocks_of_kimi_cli_and_its_note_beside_them_where_that_is_shown() {
        let asked = |display: Value, notes: bool| {
            let payload = json!({"id": "r", "tool_call_id": "c", "sender": "Shell",
                "action": "run command", "description": "d", "display": display});
            let asks = Request::ApprovalRequest(serde_json::from_value(payload).unwrap());
            let line = request(&asks, notes);
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            line["params"]["payload"].clone()
        };
        let shell = json!({"type": "shell", "language": "bash", "command": "ls"});
        let note = ApprovalRequest::note(Some("why"), "ls");
        let both = json!([shell.clone(), note]);
        let told = asked(both.clone(), false);
        assert_eq!((&told["display"], told.get("note")), (&json!([shell.clone()]), None));
        let told = asked(both, true);
        assert_eq!(told["display"], json!([shell.clone()]));
        assert_eq!(told["note"], "why\nFor this session: ls");
        // What a server says is no note.
        let brief = json!({"type": "brief", "text": "For this session: all"});
        for display in [json!([brief]), json!([shell, {"type": "brief", "text": "else"}])] {
            let told = asked(display.clone(), true);
            assert_eq!((&told["display"], told.get("note")), (&display, None));
        }
    }

    #[test]
    fn what_is_ours_stays_here_and_calls_are_whole_or_not_at_all() {
        assert_eq!(event(&Event::RequestWithdrawn { request_id: "r".into() }), None);
        let call = |arguments: String| {
            let call =
                ToolCallRequest { id: "c".into(), name: "t".into(), arguments: Some(arguments) };
            request(&Request::ToolCallRequest(call), false)
        };
        assert_eq!(
            call("{}".into()).unwrap(),
            "{\"jsonrpc\":\"2.0\",\"method\":\"request\",\"id\":\"c\",\"params\":{\"type\":\"ToolCallRequest\",\"payload\":{\"id\":\"c\",\"name\":\"t\",\"arguments\":\"{}\"}}}\n"
        );
        assert_eq!(call("x".repeat(17 << 20)), None);
    }
}
