//! The subagents of a running call: what each does now, what it has done, what it has used.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::items::Items;
use crate::front::text::{truncate, width};
use crate::front::tui::cells::format::{count, elapsed_whole};
use crate::front::tui::cells::row;
use crate::protocol::{ContentPart, Event, ToolReturnValue};
use crate::tools::key_argument;

/// Finished calls that a single agent shows.
const SHOWN_CALLS: usize = 4;
/// Columns that the doings of one among several have at least.
const LEAST_DOING: usize = 20;
/// Bytes of one agent's doings that are kept for the pager; the whole is in its own records.
const MAX_LOG: usize = 256 << 10;

/// The agents that one call has started, in the order in which they began.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    list: Vec<Agent>,
    /// What they are started for, where that is many things.
    items: Items,
}

#[derive(Debug, Clone)]
struct Agent {
    id: String,
    kind: String,
    /// The item it works on.
    item: Option<String>,
    since: Instant,
    /// Calls without a result: their ids and what they are.
    open: Vec<(String, String)>,
    done: VecDeque<String>,
    calls: usize,
    tokens: u64,
    state: State,
    log: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Working,
    Writing,
    Retrying,
    Ended,
}

impl Agents {
    /// Those of a call that starts one for each of the items in its arguments.
    pub fn for_items(arguments: &str) -> Self {
        Self { list: Vec::new(), items: Items::of(arguments) }
    }

    /// Takes what an agent has told of itself.
    pub fn event(&mut self, id: &str, kind: &str, event: &Event, work_dir: &Path, now: Instant) {
        let at = match self.list.iter().position(|agent| agent.id == id) {
            Some(at) => at,
            None => {
                self.list.push(Agent::new(id, kind, now));
                self.list.len() - 1
            }
        };
        if let Some(agent) = self.list.get_mut(at) {
            if let (Event::TurnBegin { user_input }, None) = (event, &agent.item) {
                agent.item = self.items.told(&user_input.text()).map(str::to_owned);
            }
            agent.event(event, work_dir);
        }
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// `5 calls · 3.2k tokens`, of all together; `None` without agents.
    pub fn total(&self) -> Option<String> {
        if self.list.is_empty() {
            return None;
        }
        let calls: usize = self.list.iter().map(|agent| agent.calls).sum();
        let tokens = self.list.iter().map(|agent| agent.tokens).sum();
        Some(used(calls, tokens))
    }

    /// What they do now, in one row for each agent, or in more for a single one; none is wider than
    /// `columns`.
    pub fn rows(
        &self,
        now: Instant,
        columns: usize,
        max_rows: usize,
        style: Style,
    ) -> Vec<Line<'static>> {
        let lines = match self.list.as_slice() {
            [agent] if self.items.len() == 0 => agent.lines(now, max_rows),
            several => self.group(several, now, columns, max_rows),
        };
        let line = |text: String| Span::styled(truncate(&text, columns), style).into();
        lines.into_iter().take(max_rows).map(line).collect()
    }

    /// What one of them does now, for a row among others.
    pub fn one_line(&self, now: Instant) -> Option<String> {
        match self.list.as_slice() {
            [] => None,
            [agent] if self.items.len() == 0 => Some(agent.one_line(now, usize::MAX)),
            several => {
                let ended = several.iter().filter(|agent| agent.state == State::Ended).count();
                Some(format!("{ended} of {} agents have ended", self.all()))
            }
        }
    }

    /// How many there are or will be.
    fn all(&self) -> usize {
        self.list.len().max(self.items.len())
    }

    /// Several agents: those at work first, as many as there is room for, then how many more.
    fn group(
        &self,
        agents: &[Agent],
        now: Instant,
        columns: usize,
        max_rows: usize,
    ) -> Vec<String> {
        let (ended, working): (Vec<&Agent>, Vec<&Agent>) =
            agents.iter().partition(|agent| agent.state == State::Ended);
        let room = match self.all() > max_rows || self.all() > agents.len() {
            true => max_rows.saturating_sub(1),
            false => max_rows,
        };
        let shown = working.iter().chain(&ended).take(room);
        let mut lines: Vec<String> = shown.map(|agent| agent.one_line(now, columns)).collect();
        let hidden = [
            (working.len().saturating_sub(lines.len()), "at work"),
            (agents.len() - lines.len().max(working.len()), "ended"),
            (self.all() - agents.len(), "to come"),
        ];
        let hidden = hidden.iter().filter(|(many, _)| *many > 0);
        let hidden: Vec<String> = hidden.map(|(many, how)| format!("{many} more {how}")).collect();
        if !hidden.is_empty() {
            lines.push(format!("… {}", hidden.join(", ")));
        }
        lines
    }

    /// Everything they have done, as text.
    pub fn plain(&self) -> String {
        let mut out = String::new();
        for agent in &self.list {
            out.push_str(&format!("subagent {} ({})\n{}", agent.kind, agent.id, agent.log));
        }
        out
    }
}

impl Agent {
    fn new(id: &str, kind: &str, since: Instant) -> Self {
        Self {
            id: row::shown_line(id),
            kind: row::shown_line(kind),
            item: None,
            since,
            open: Vec::new(),
            done: VecDeque::new(),
            calls: 0,
            tokens: 0,
            state: State::Working,
            log: String::new(),
        }
    }

    fn event(&mut self, event: &Event, work_dir: &Path) {
        match event {
            Event::TurnBegin { .. } | Event::StepBegin { .. } => self.state = State::Working,
            Event::TurnEnd {} => {
                self.state = State::Ended;
                self.open.clear();
            }
            Event::StepRetry { .. } => self.state = State::Retrying,
            Event::ContentPart(ContentPart::Text { text }) => {
                self.state = State::Writing;
                self.note(&row::said(text));
            }
            Event::ToolCall(call) => {
                let name = row::shown_line(&call.function.name);
                let key = key_argument(&call.function.name, call.arguments(), work_dir);
                let line = match key {
                    Some(key) => format!("{name} ({})", row::shown_line(&key)),
                    None => name,
                };
                self.open.push((call.id.clone(), line));
                self.state = State::Working;
            }
            Event::ToolResult { tool_call_id, return_value } => {
                self.result(tool_call_id, return_value);
            }
            Event::StatusUpdate(status) => {
                let usage = status.token_usage.as_ref();
                self.tokens = self.tokens.saturating_add(usage.map_or(0, |usage| usage.total()));
            }
            _ => {}
        }
    }

    fn result(&mut self, id: &str, value: &ToolReturnValue) {
        let Some(at) = self.open.iter().position(|(open, _)| open == id) else { return };
        let (_, line) = self.open.remove(at);
        self.calls += 1;
        let line = if value.is_error { format!("{line} · failed") } else { line };
        let line = format!("Used {line}");
        self.note(&line);
        self.done.push_back(line);
        if self.done.len() > SHOWN_CALLS {
            self.done.pop_front();
        }
    }

    fn note(&mut self, text: &str) {
        if self.log.len() + text.len() <= MAX_LOG {
            for line in text.lines() {
                self.log.push_str("  ");
                self.log.push_str(line);
                self.log.push('\n');
            }
        }
    }

    fn lines(&self, now: Instant, max_rows: usize) -> Vec<String> {
        let mut lines = vec![format!("subagent {} ({}) · {}", self.kind, self.id, self.facts(now))];
        let room = max_rows.saturating_sub(2).min(SHOWN_CALLS);
        let hidden = self.calls.saturating_sub(self.done.len().min(room));
        if hidden > 0 && room > 1 {
            let shown = room - 1;
            let hidden = self.calls.saturating_sub(self.done.len().min(shown));
            lines.push(format!("{hidden} more tool calls …"));
            lines.extend(self.done.iter().rev().take(shown).rev().cloned());
        } else {
            lines.extend(self.done.iter().rev().take(room).rev().cloned());
        }
        lines.push(self.now());
        lines
    }

    /// What it does gives way to what it has used, which is what one compares.
    fn one_line(&self, now: Instant, columns: usize) -> String {
        let who = self.item.clone().unwrap_or_else(|| format!("{} ({})", self.kind, self.id));
        let facts = format!(" · {}", self.facts(now));
        let left = columns.saturating_sub(width(&facts)).max(LEAST_DOING);
        format!("{}{facts}", truncate(&format!("{who}: {}", self.now()), left))
    }

    fn facts(&self, now: Instant) -> String {
        let took = elapsed_whole(now.saturating_duration_since(self.since));
        format!("{} · {took}", used(self.calls, self.tokens))
    }

    fn now(&self) -> String {
        match (self.state, self.open.as_slice()) {
            (State::Ended, _) => "ended".to_owned(),
            (State::Retrying, _) => "asks its model again".to_owned(),
            (_, [(_, line)]) => format!("uses {line}"),
            (_, [(_, line), more @ ..]) => format!("uses {line} and {} more", more.len()),
            (State::Writing, []) => "writes".to_owned(),
            (State::Working, []) => "works".to_owned(),
        }
    }
}

fn used(calls: usize, tokens: u64) -> String {
    let calls = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
    if tokens == 0 { calls } else { format!("{calls} · {} tokens", count(tokens)) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocol::{StatusUpdate, TokenUsage, ToolCall};

    fn rows(agents: &Agents, now: Instant, max_rows: usize) -> Vec<String> {
        agents.rows(now, 60, max_rows, Style::new()).iter().map(Line::to_string).collect()
    }

    fn called(agents: &mut Agents, id: &str, call: usize, now: Instant) {
        let arguments = format!(r#"{{"command":"make {call}"}}"#);
        let event = Event::ToolCall(ToolCall::new(format!("c{call}"), "Shell", arguments));
        agents.event(id, "coder", &event, Path::new("/w"), now);
    }

    fn returned(agents: &mut Agents, id: &str, call: usize, now: Instant) {
        let return_value = ToolReturnValue::ok("", "");
        let event = Event::ToolResult { tool_call_id: format!("c{call}"), return_value };
        agents.event(id, "coder", &event, Path::new("/w"), now);
    }

    #[test]
    fn one_agent_shows_its_last_calls_and_what_it_does_now() {
        let begun = Instant::now();
        let mut agents = Agents::default();
        let usage = TokenUsage { input_other: 1_200, output: 34, ..TokenUsage::default() };
        let status = StatusUpdate { token_usage: Some(usage), ..StatusUpdate::default() };
        agents.event("a1", "coder", &Event::StatusUpdate(status), Path::new("/w"), begun);
        for call in 0..6 {
            called(&mut agents, "a1", call, begun);
            returned(&mut agents, "a1", call, begun);
        }
        called(&mut agents, "a1", 9, begun);
        let now = begun + Duration::from_secs(12);
        assert_eq!(
            rows(&agents, now, 6),
            [
                "subagent coder (a1) · 6 calls · 1.2k tokens · 12s",
                "3 more tool calls …",
                "Used Shell (make 3)",
                "Used Shell (make 4)",
                "Used Shell (make 5)",
                "uses Shell (make 9)"
            ]
        );
        assert_eq!(rows(&agents, now, 2).len(), 2);
        assert_eq!(agents.total().as_deref(), Some("6 calls · 1.2k tokens"));
        assert!(agents.plain().contains("  Used Shell (make 0)\n"));
        agents.event("a1", "coder", &Event::TurnEnd {}, Path::new("/w"), now);
        assert_eq!(rows(&agents, now, 6).last().map(String::as_str), Some("ended"));
    }

    #[test]
    fn several_have_a_row_each_and_those_at_work_come_first() {
        let now = Instant::now();
        let mut agents = Agents::default();
        for n in 0..5 {
            called(&mut agents, &format!("a{n}"), n, now);
        }
        agents.event("a0", "coder", &Event::TurnEnd {}, Path::new("/w"), now);
        let shown = rows(&agents, now, 3);
        assert_eq!(shown[0], "coder (a1): uses Shell (make 1) · 0 calls · 0s");
        assert_eq!(shown[2], "… 2 more at work, 1 more ended");
        assert_eq!(rows(&agents, now, 9).len(), 5);
        assert!(rows(&agents, now, 9)[4].starts_with("coder (a0): ended"));
    }

    #[test]
    fn those_of_a_swarm_are_told_by_their_items_and_what_they_used_is_never_cut() {
        let now = Instant::now();
        let items = ["src/front/tui/cells/tool/agents.rs", "b", "c", "d", "e", "f"];
        let arguments = serde_json::json!({"prompt_template": "read {{item}}", "items": items});
        let mut agents = Agents::for_items(&arguments.to_string());
        for (n, item) in items.iter().take(4).enumerate() {
            let told = Event::TurnBegin { user_input: format!("read {item}").as_str().into() };
            agents.event(&format!("a{n}"), "explore", &told, Path::new("/w"), now);
            if n == 0 {
                assert_eq!(rows(&agents, now, 6).len(), 2, "one of many is one of many");
            }
        }
        let arguments = format!(r#"{{"command":"{}"}}"#, "make ".repeat(40));
        let call = Event::ToolCall(ToolCall::new("c", "Shell", arguments));
        agents.event("a0", "explore", &call, Path::new("/w"), now);
        agents.event("a1", "explore", &Event::TurnEnd {}, Path::new("/w"), now);
        let shown = rows(&agents, now, 6);
        assert_eq!(shown.len(), 5, "{shown:#?}");
        assert!(shown[0].starts_with("1/6 src/front/tui/cells/too…: uses Shell"), "{shown:#?}");
        assert!(shown[0].ends_with("… · 0 calls · 0s") && width(&shown[0]) <= 60, "{shown:#?}");
        assert_eq!(shown[1], "3/6 c: works · 0 calls · 0s");
        assert_eq!(shown[3], "2/6 b: ended · 0 calls · 0s");
        assert_eq!(shown[4], "… 2 more to come");
        assert_eq!(rows(&agents, now, 3)[2], "… 1 more at work, 1 more ended, 2 more to come");
        assert_eq!(agents.one_line(now).as_deref(), Some("1 of 6 agents have ended"));
    }

    #[test]
    fn hostile_names_and_floods_stay_text() {
        let now = Instant::now();
        let mut agents = Agents::default();
        let call = ToolCall::new("c", "\u{1b}[2J⠋ x\n", "{\"a\":\"\u{1b}]0;t\u{7}\"}");
        agents.event("a\u{1b}c", "co\rder", &Event::ToolCall(call), Path::new("/w"), now);
        let flood = Event::ContentPart(ContentPart::text("x\u{1b}[1m\n".repeat(100_000)));
        for _ in 0..3 {
            agents.event("a\u{1b}c", "co\rder", &flood, Path::new("/w"), now);
        }
        for text in rows(&agents, now, 8) {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
        assert!(!agents.plain().contains('\u{1b}') && agents.plain().len() < MAX_LOG * 2);
    }
}
