//! What the session tells, as `session/update`s. The kinds are those that every client knows: older ones
//! drop others with an error.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};

use super::calls::Calls;
use super::clean::cleaned;
use super::content::{block, text};
use super::terminals::Shown;
use crate::agent::OfferedCommand;
use crate::protocol::{
    ContentPart, DisplayBlock, Event, TodoItem, TodoStatus, ToolCall, UserInput,
};

/// A call of a subagent: the agent's id and the model's of the call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Inner {
    agent: String,
    call: String,
}

impl Inner {
    /// What stands for the model's id of the call where calls of all agents are.
    fn key(&self) -> String {
        format!("{}/{}", self.agent, self.call)
    }
}

/// The news of a session, live or from its record.
pub(super) struct Updates {
    work_dir: PathBuf,
    calls: Calls,
    shown: Shown,
    /// Calls of subagents that run: announced only when something is asked because of them. The models of
    /// several agents may give their calls the same ids.
    inner: HashMap<Inner, ToolCall>,
    /// Messages of the user are told, too.
    replays: bool,
}

impl Updates {
    /// Live news: the client knows what its user has said, and has `shown` some calls in terminals.
    pub fn live(work_dir: PathBuf, shown: Shown) -> Self {
        Self {
            calls: Calls::new(work_dir.clone(), String::new(), shown.clone()),
            work_dir,
            shown,
            inner: HashMap::new(),
            replays: false,
        }
    }

    /// The record.
    pub fn of_record(work_dir: PathBuf) -> Self {
        Self { replays: true, ..Self::live(work_dir, Shown::default()) }
    }

    /// What the client hears of an event. `turn` makes the name of a turn that begins, `now` is the time.
    pub fn event(
        &mut self,
        event: &Event,
        turn: impl FnOnce() -> String,
        now: Instant,
    ) -> Vec<Value> {
        let mut updates = Vec::new();
        if ends_arguments(event) {
            updates.extend(self.calls.settle());
        }
        match event {
            Event::TurnBegin { user_input } => {
                updates.extend(self.abandon());
                self.calls = Calls::new(self.work_dir.clone(), turn(), self.shown.clone());
                updates.extend(self.said(user_input));
            }
            Event::SteerInput { user_input } => updates.extend(self.said(user_input)),
            Event::ContentPart(part) => updates.extend(message(part)),
            Event::ToolCall(call) => updates.push(self.calls.begin(call)),
            Event::ToolCallPart { arguments_part } => {
                self.calls.arguments(arguments_part.as_deref().unwrap_or_default());
            }
            Event::ToolOutput { tool_call_id, text } => {
                updates.extend(self.calls.printed(tool_call_id, text, now));
            }
            Event::ToolResult { tool_call_id, return_value } => {
                updates.extend(self.calls.end(tool_call_id, return_value));
                updates.extend(return_value.display.iter().filter_map(|block| match block {
                    DisplayBlock::Todo { items } => Some(plan(items)),
                    _ => None,
                }));
            }
            Event::SubagentEvent { agent_id, event, .. } => {
                updates.extend(self.of_subagent(agent_id.as_deref().unwrap_or_default(), event));
            }
            Event::PlanDisplay { content, .. } => updates.push(said_by_agent(content)),
            Event::Notification(news) => {
                updates.push(notification(&format!("{}\n{}", news.title, news.body)));
            }
            Event::StepRetry { .. } | Event::StepInterrupted {} | Event::TurnEnd {} => {
                updates.extend(self.abandon());
            }
            _ => {}
        }
        updates
    }

    /// What has no end has none coming.
    pub fn abandon(&mut self) -> Vec<Value> {
        self.inner.clear();
        self.calls.abandon()
    }

    /// The call that something is asked about, as a request describes it; before it, what announces a call
    /// that the client has not heard of. `agent` is the id of the subagent that asks, where that is known.
    pub fn asked_about(
        &mut self,
        agent: Option<&str>,
        call_id: &str,
        sender: &str,
    ) -> (Vec<Value>, Value) {
        if agent.is_none()
            && let Some((settled, described)) = self.calls.describe(call_id)
        {
            return (Vec::from_iter(settled), described);
        }
        let inner = match agent {
            Some(agent) => Inner { agent: agent.to_owned(), call: call_id.to_owned() },
            None => {
                let known = self.inner.keys().find(|inner| inner.call == call_id).cloned();
                known.unwrap_or_else(|| Inner { call: call_id.to_owned(), ..Inner::default() })
            }
        };
        let key = inner.key();
        if let Some((settled, described)) = self.calls.describe(&key) {
            return (Vec::from_iter(settled), described);
        }
        let call = self.inner.remove(&inner).map(|call| ToolCall { id: key.clone(), ..call });
        let call = call.unwrap_or_else(|| ToolCall::new(key.clone(), sender, ""));
        let announced = self.calls.announce(&call);
        let described = self.calls.describe(&key).map(|(_, described)| described);
        (announced, described.unwrap_or_default())
    }

    fn said(&self, input: &UserInput) -> Vec<Value> {
        if !self.replays {
            return Vec::new();
        }
        let chunk = |block| json!({"sessionUpdate": "user_message_chunk", "content": block});
        match input {
            UserInput::Text(words) => vec![chunk(text(words))],
            UserInput::Parts(parts) => parts.iter().map(|part| chunk(block(part))).collect(),
        }
    }

    /// The work of subagents is their own, up to what was asked of the user.
    fn of_subagent(&mut self, agent: &str, event: &Event) -> Option<Value> {
        let inner = |call: &str| Inner { agent: agent.to_owned(), call: call.to_owned() };
        match event {
            Event::ToolCall(call) => {
                self.inner.insert(inner(&call.id), call.clone());
                None
            }
            Event::ToolResult { tool_call_id, return_value } => {
                let inner = inner(tool_call_id);
                self.inner.remove(&inner);
                self.calls.end(&inner.key(), return_value)
            }
            Event::SubagentEvent { agent_id, event, .. } => {
                self.of_subagent(agent_id.as_deref().unwrap_or_default(), event)
            }
            _ => None,
        }
    }
}

/// Whether no more arguments of the newest call are coming after this. What is told beside the turn says
/// nothing about it.
fn ends_arguments(event: &Event) -> bool {
    match event {
        Event::StatusUpdate(status) => status.token_usage.is_some(),
        Event::TurnBegin { .. }
        | Event::TurnEnd {}
        | Event::StepBegin { .. }
        | Event::StepInterrupted {}
        | Event::StepRetry { .. }
        | Event::ContentPart(_)
        | Event::ToolCall(_)
        | Event::ToolOutput { .. }
        | Event::ToolResult { .. }
        | Event::PlanDisplay { .. } => true,
        _ => false,
    }
}

fn message(part: &ContentPart) -> Option<Value> {
    let kind = match part {
        ContentPart::Text { text } | ContentPart::Think { think: text, .. } if text.is_empty() => {
            return None;
        }
        ContentPart::Think { .. } => "agent_thought_chunk",
        _ => "agent_message_chunk",
    };
    Some(json!({"sessionUpdate": kind, "content": block(part)}))
}

/// Text of the agent that is no answer of the model.
pub(super) fn said_by_agent(words: &str) -> Value {
    json!({"sessionUpdate": "agent_message_chunk", "content": text(words)})
}

/// Something that neither the model nor the user has said.
pub(super) fn notification(words: &str) -> Value {
    // On lines of its own, whatever was said before.
    said_by_agent(&format!("\n\n[Notification] {}\n\n", cleaned(words)))
}

/// The todo list.
fn plan(items: &[TodoItem]) -> Value {
    let entries: Vec<Value> = items
        .iter()
        .map(|item| {
            let status = match item.status {
                TodoStatus::Pending => "pending",
                TodoStatus::InProgress => "in_progress",
                TodoStatus::Done => "completed",
            };
            json!({"content": item.title, "priority": "medium", "status": status})
        })
        .collect();
    json!({"sessionUpdate": "plan", "entries": entries})
}

/// The commands that a prompt may begin with.
pub(super) fn commands(offered: &[OfferedCommand]) -> Value {
    let commands: Vec<Value> = offered
        .iter()
        .map(|command| {
            let OfferedCommand { name, description, arguments, .. } = command;
            let input = (!arguments.is_empty()).then(|| json!({"hint": arguments}));
            json!({"name": name, "description": description, "input": input})
        })
        .collect();
    json!({"sessionUpdate": "available_commands_update", "availableCommands": commands})
}

/// Another mode holds.
pub(super) fn mode(id: &str) -> Value {
    json!({"sessionUpdate": "current_mode_update", "currentModeId": id})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{StatusUpdate, ToolReturnValue};

    fn all(updates: &mut Updates, events: &[Event]) -> Vec<String> {
        let now = Instant::now();
        let told = events.iter().flat_map(|event| updates.event(event, || "t".into(), now));
        let told: Vec<Value> = told.collect();
        let word = |update: &Value| {
            let more = update["status"].as_str().or(update["content"]["text"].as_str());
            let kind = update["sessionUpdate"].as_str().unwrap_or_default();
            format!("{kind} {}", more.unwrap_or_default()).trim().to_owned()
        };
        told.iter().map(word).collect()
    }

    fn turn() -> Vec<Event> {
        let part = |text: &str| Event::ToolCallPart { arguments_part: Some(text.into()) };
        let todo = DisplayBlock::Todo {
            items: vec![TodoItem { title: "x".into(), status: TodoStatus::Done }],
        };
        vec![
            Event::TurnBegin { user_input: UserInput::Text("hi".into()) },
            Event::StepBegin { n: 1 },
            Event::ContentPart(ContentPart::think("hm")),
            Event::ContentPart(ContentPart::text("ho")),
            Event::ContentPart(ContentPart::text("")),
            Event::ToolCall(ToolCall::new("c", "SetTodoList", "")),
            part("{"),
            part("}"),
            Event::ToolResult {
                tool_call_id: "c".into(),
                return_value: ToolReturnValue::ok("", "set").with_display(todo),
            },
            Event::ToolCall(ToolCall::new("d", "Shell", "{}")),
            Event::TurnEnd {},
        ]
    }

    #[test]
    fn a_turn_is_told_in_its_order() {
        let live = [
            "agent_thought_chunk hm",
            "agent_message_chunk ho",
            "tool_call pending",
            "tool_call_update in_progress",
            "tool_call_update completed",
            "plan",
            "tool_call pending",
            "tool_call_update in_progress",
            "tool_call_update failed",
        ];
        assert_eq!(all(&mut Updates::live("/".into(), Shown::default()), &turn()), live);
        let replayed = all(&mut Updates::of_record("/".into()), &turn());
        assert_eq!(replayed[0], "user_message_chunk hi");
        assert_eq!(replayed[1..], live);
    }

    #[test]
    fn what_is_told_beside_the_turn_does_not_tear_arguments() {
        let mut updates = Updates::live("/".into(), Shown::default());
        let part = |text: &str| Event::ToolCallPart { arguments_part: Some(text.into()) };
        let inner = ToolCall::new("in", "Shell", "{}");
        let told = all(
            &mut updates,
            &[
                Event::ToolCall(ToolCall::new("c", "Shell", "{\"command\":")),
                Event::StatusUpdate(StatusUpdate::default()),
                Event::McpLoadingEnd {},
                Event::SubagentEvent {
                    parent_tool_call_id: None,
                    agent_id: None,
                    subagent_type: None,
                    event: Box::new(Event::ToolCall(inner)),
                },
            ],
        );
        assert_eq!(told, ["tool_call pending"]);
        let (announced, _) = updates.asked_about(None, "in", "Shell");
        assert_eq!(announced.len(), 2);
        assert!(all(&mut updates, &[part("\"ls -l\"}")]).is_empty());
        let (settled, described) = updates.asked_about(None, "c", "Shell");
        assert_eq!(settled[0]["rawInput"], json!({"command": "ls -l"}));
        assert_eq!(described["title"], "Shell: ls -l");
    }

    #[test]
    fn calls_of_subagents_are_announced_when_they_ask() {
        let mut updates = Updates::live("/".into(), Shown::default());
        let inner = |event: Event| Event::SubagentEvent {
            parent_tool_call_id: Some("p".into()),
            agent_id: None,
            subagent_type: None,
            event: Box::new(event),
        };
        let call =
            |id: &str| inner(Event::ToolCall(ToolCall::new(id, "Shell", "{\"command\":\"ls\"}")));
        let result = |id: &str| {
            inner(Event::ToolResult {
                tool_call_id: id.into(),
                return_value: ToolReturnValue::ok("out", ""),
            })
        };
        assert!(all(&mut updates, &[call("a"), call("b"), result("a")]).is_empty());
        let (announced, described) = updates.asked_about(None, "b", "Shell");
        assert_eq!((announced.len(), &described["title"]), (2, &json!("Shell: ls")));
        assert_eq!(announced[0]["toolCallId"], described["toolCallId"]);
        assert_eq!(all(&mut updates, &[result("b")]), ["tool_call_update completed"]);
        // The models of agent and subagent may give their calls one id.
        let outer = Event::ToolCall(ToolCall::new("s", "Agent", "{\"description\":\"look\"}"));
        assert_eq!(all(&mut updates, &[outer, call("s")]).len(), 1);
        let (_, described) = updates.asked_about(Some(""), "s", "Shell");
        assert_eq!(described["title"], "Shell: ls");
        let inner_id = described["toolCallId"].clone();
        let (_, described) = updates.asked_about(None, "s", "Agent");
        assert_eq!(described["title"], "Agent: look");
        assert_ne!(described["toolCallId"], inner_id);
        assert_eq!(all(&mut updates, &[result("s")]), ["tool_call_update completed"]);
        let (_, described) = updates.asked_about(None, "s", "Agent");
        assert_eq!(described["title"], "Agent: look", "it works on");
        // Nobody has told of it, and still the client knows what is asked.
        let (announced, described) = updates.asked_about(None, "unknown", "Server");
        assert_eq!((announced.len(), &described["title"]), (2, &json!("Server")));
    }
}
