//! Tool calls of a turn as clients see them: announced once, brought up to date, ended once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::clean::{cleaned, written_out};
use super::content::{block, fenced, text};
use super::terminals::Shown;
use crate::protocol::{ContentPart, DisplayBlock, ToolCall, ToolOutput, ToolReturnValue};
use crate::tools::key_argument;

/// Bytes of the end of what a running tool has printed that are shown.
const LIVE_TAIL: usize = 4 * 1024;
/// The time between two looks at what a running tool prints.
const LIVE_PAUSE: Duration = Duration::from_millis(250);

/// The calls of the turn that runs.
pub(super) struct Calls {
    /// Absolute; paths in arguments are relative to it.
    work_dir: PathBuf,
    /// Sets the ids of this turn apart from those of others: servers of models count anew.
    turn: String,
    /// How many calls were announced under an id of the model.
    announced: HashMap<String, u32>,
    /// Those without a result, by the id of the model.
    open: HashMap<String, Call>,
    /// The one whose arguments are still coming.
    streaming: Option<String>,
    /// Those that the client shows in terminals of its own.
    shown: Shown,
}

struct Call {
    /// As the client knows it.
    id: String,
    name: String,
    arguments: String,
    /// The end of what it has printed so far, and when that was told.
    live: String,
    told: Option<Instant>,
}

impl Calls {
    /// A turn without calls.
    pub fn new(work_dir: PathBuf, turn: String, shown: Shown) -> Self {
        let (announced, open) = (HashMap::new(), HashMap::new());
        Self { work_dir, turn, announced, open, streaming: None, shown }
    }

    /// Announces a call; its arguments may still be coming.
    pub fn begin(&mut self, call: &ToolCall) -> Value {
        let count = self.announced.entry(call.id.clone()).or_default();
        *count += 1;
        let again = if *count > 1 { format!("#{count}") } else { String::new() };
        let id = format!("{}/{}{again}", self.turn, call.id);
        let name = call.function.name.clone();
        let begun = json!({
            "sessionUpdate": "tool_call",
            "toolCallId": id,
            "title": written_out(&name),
            "kind": kind(&name),
            "status": "pending",
        });
        let arguments = call.arguments().to_owned();
        let call_id = call.id.clone();
        // What an earlier call of that id was shown in is not its own.
        self.shown.take(&call_id);
        self.open
            .insert(call_id.clone(), Call { id, name, arguments, live: String::new(), told: None });
        self.streaming = Some(call_id);
        begun
    }

    /// Announces a call of which all is known, beside one whose arguments may be coming.
    pub fn announce(&mut self, call: &ToolCall) -> Vec<Value> {
        let streaming = self.streaming.take();
        let mut told = vec![self.begin(call)];
        told.extend(self.settle());
        self.streaming = streaming;
        told
    }

    /// More of the arguments of the newest call.
    pub fn arguments(&mut self, part: &str) {
        if let Some(call) = self.streaming.as_ref().and_then(|id| self.open.get_mut(id)) {
            call.arguments.push_str(part);
        }
    }

    /// No more arguments are coming: what the call is about.
    pub fn settle(&mut self) -> Option<Value> {
        let call = self.open.get(&self.streaming.take()?)?;
        let mut update = self.described(call);
        update["sessionUpdate"] = json!("tool_call_update");
        update["status"] = json!("in_progress");
        let arguments: Option<Map<String, Value>> = serde_json::from_str(&call.arguments).ok();
        match (kind(&call.name), arguments) {
            // The diff shows it.
            ("edit", _) | (_, None) => {}
            (_, Some(arguments)) => update["rawInput"] = Value::Object(arguments),
        }
        Some(update)
    }

    /// What a call is about, for a request that is put because of it: id, title, kind, locations; before
    /// it, what there is to tell of it. `None` when it was not announced.
    pub fn describe(&mut self, call_id: &str) -> Option<(Option<Value>, Value)> {
        let settled = match &self.streaming {
            Some(streaming) if streaming == call_id => self.settle(),
            _ => None,
        };
        self.open.get(call_id).map(|call| (settled, self.described(call)))
    }

    fn described(&self, call: &Call) -> Value {
        let title = match key_argument(&call.name, &call.arguments, &self.work_dir) {
            Some(argument) => format!("{}: {argument}", call.name),
            None => call.name.clone(),
        };
        let title = written_out(&title);
        let mut described =
            json!({"toolCallId": call.id, "title": title, "kind": kind(&call.name)});
        if let Some(location) = location(&call.name, &call.arguments, &self.work_dir) {
            described["locations"] = json!([location]);
        }
        described
    }

    /// A running tool has printed something. Told from time to time, and never more than the end of it. What
    /// runs in a terminal of the client's is seen there: only which one is told.
    pub fn printed(&mut self, call_id: &str, text: &str, now: Instant) -> Option<Value> {
        let call = self.open.get_mut(call_id)?;
        if let Some(terminal) = self.shown.content(call_id) {
            return Some(json!({
                "sessionUpdate": "tool_call_update",
                "toolCallId": call.id,
                "content": [terminal],
            }));
        }
        call.live.push_str(text);
        if call.live.len() > 2 * LIVE_TAIL {
            let from = call.live.len() - LIVE_TAIL;
            let from = (from..call.live.len()).find(|at| call.live.is_char_boundary(*at));
            call.live.drain(..from.unwrap_or_default());
            // Half a line may begin in the middle of an escape sequence.
            if let Some(line) = call.live.find('\n').filter(|at| *at < LIVE_TAIL / 4) {
                call.live.drain(..=line);
            }
        }
        if call.told.is_some_and(|told| now.saturating_duration_since(told) < LIVE_PAUSE) {
            return None;
        }
        call.told = Some(now);
        Some(json!({
            "sessionUpdate": "tool_call_update",
            "toolCallId": call.id,
            "content": [content(self::text(&fenced("", &cleaned(&call.live))))],
        }))
    }

    /// A call has its result. `None` when it was not announced.
    pub fn end(&mut self, call_id: &str, result: &ToolReturnValue) -> Option<Value> {
        let call = self.open.remove(call_id)?;
        let content = match self.shown.take(call_id) {
            Some(terminal) => in_terminal(terminal, result),
            None => result_content(&call.name, result),
        };
        Some(json!({
            "sessionUpdate": "tool_call_update",
            "toolCallId": call.id,
            "status": if result.is_error { "failed" } else { "completed" },
            "content": content,
        }))
    }

    /// Whatever is open has no result any more.
    pub fn abandon(&mut self) -> Vec<Value> {
        self.streaming = None;
        self.open.keys().for_each(|id| drop(self.shown.take(id)));
        let mut open: Vec<Call> = self.open.drain().map(|(_, call)| call).collect();
        open.sort_by(|a, b| a.id.cmp(&b.id));
        let failed = |call: Call| json!({"sessionUpdate": "tool_call_update", "toolCallId": call.id, "status": "failed"});
        open.into_iter().map(failed).collect()
    }
}

/// The kind of a tool, of the protocol's list.
fn kind(name: &str) -> &'static str {
    match name {
        "ReadFile" | "ReadMediaFile" => "read",
        "WriteFile" | "StrReplaceFile" => "edit",
        "Glob" | "Grep" | "SearchWeb" | "mcp_search" => "search",
        "Shell" => "execute",
        "FetchURL" => "fetch",
        "Think" | "SetTodoList" => "think",
        "EnterPlanMode" | "ExitPlanMode" => "switch_mode",
        _ => "other",
    }
}

/// The place that a call is about, if it is about a file.
fn location(name: &str, arguments: &str, work_dir: &Path) -> Option<Value> {
    if !matches!(kind(name), "read" | "edit") {
        return None;
    }
    let arguments: Value = serde_json::from_str(arguments).ok()?;
    let path = work_dir.join(arguments["path"].as_str()?);
    let mut location = json!({"path": path.to_string_lossy()});
    if let Some(line) = arguments["line_offset"].as_u64().filter(|line| *line > 0) {
        location["line"] = json!(line);
    }
    Some(location)
}

/// What the result of a command looks like that has run before the user's eyes.
fn in_terminal(terminal: Value, result: &ToolReturnValue) -> Vec<Value> {
    let remark = result.is_error.then(|| content(text(&cleaned(&result.message))));
    std::iter::once(terminal).chain(remark).collect()
}

/// What a result looks like: changes as diffs, what was printed as it is, else the remark about it.
fn result_content(name: &str, result: &ToolReturnValue) -> Vec<Value> {
    let mut all = changes(&result.display);
    let as_it_is = matches!(kind(name), "read" | "search" | "execute");
    let shown = |words: &str| match cleaned(words) {
        words if as_it_is => fenced("", &words),
        words => words,
    };
    match &result.output {
        ToolOutput::Text(words) if words.is_empty() => {}
        ToolOutput::Text(words) => all.push(content(text(&shown(words)))),
        ToolOutput::Parts(parts) => all.extend(parts.iter().map(|part| {
            content(match part {
                ContentPart::Text { text: words } => text(&shown(words)),
                part => block(part),
            })
        })),
    }
    if !result.message.is_empty() && (all.is_empty() || result.is_error) {
        all.push(content(text(&cleaned(&result.message))));
    }
    all
}

/// The diffs among these blocks.
pub(super) fn changes(display: &[DisplayBlock]) -> Vec<Value> {
    let diff = |block: &DisplayBlock| match block {
        DisplayBlock::Diff { path, old_text, new_text, is_summary: true, .. } => {
            let told = format!("{path}: {old_text} → {new_text}");
            Some(content(text(&written_out(&told))))
        }
        DisplayBlock::Diff { path, old_text, new_text, .. } => {
            // Nothing stands for a file that is new.
            let old = (!old_text.is_empty()).then_some(old_text);
            Some(json!({"type": "diff", "path": path, "oldText": old, "newText": new_text}))
        }
        _ => None,
    };
    display.iter().filter_map(diff).collect()
}

/// A block as the content of a call.
pub(super) fn content(block: Value) -> Value {
    json!({"type": "content", "content": block})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls() -> Calls {
        Calls::new("/w".into(), "t".into(), Shown::default())
    }

    #[test]
    fn a_call_is_announced_described_and_ended() {
        let mut calls = calls();
        let begun = calls.begin(&ToolCall::new("c", "ReadFile", ""));
        assert_eq!(
            begun,
            json!({"sessionUpdate": "tool_call", "toolCallId": "t/c", "title": "ReadFile",
                "kind": "read", "status": "pending"})
        );
        calls.arguments("{\"path\": \"a.rs\", ");
        calls.arguments("\"line_offset\": 7}");
        let settled = calls.settle().unwrap();
        assert_eq!(settled["title"], "ReadFile: a.rs");
        assert_eq!(settled["locations"], json!([{"path": "/w/a.rs", "line": 7}]));
        assert_eq!(settled["rawInput"], json!({"path": "a.rs", "line_offset": 7}));
        assert_eq!(calls.settle(), None, "once");
        let ended = calls.end("c", &ToolReturnValue::ok("1\tx", "1 line read")).unwrap();
        assert_eq!(ended["status"], "completed");
        assert_eq!(ended["content"], json!([content(text("```\n1\tx\n```"))]));
        assert_eq!(calls.end("c", &ToolReturnValue::ok("", "")), None);
        // Some servers of models count from 0 in each message.
        assert_eq!(calls.begin(&ToolCall::new("c", "Glob", "{}"))["toolCallId"], "t/c#2");
        let left = calls.abandon();
        assert_eq!((left.len(), &left[0]["status"]), (1, &json!("failed")));
        assert!(calls.abandon().is_empty());
    }

    #[test]
    fn a_terminal_is_that_of_one_call() {
        let shown = Shown::default();
        let mut calls = Calls::new("/w".into(), "t".into(), shown.clone());
        let terminal = json!({"type": "terminal", "terminalId": "t1"});
        let call = ToolCall::new("c", "Shell", "{}");
        calls.begin(&call);
        shown.put("c", "t1");
        let told = calls.printed("c", "x", Instant::now()).unwrap();
        assert_eq!(told["content"], json!([terminal]));
        let ended = calls.end("c", &ToolReturnValue::ok("out", "")).unwrap();
        assert_eq!(ended["content"], json!([terminal]));
        // The next ones of that id have nothing to do with it, however it has ended.
        calls.begin(&call);
        shown.put("c", "t2");
        calls.abandon();
        calls.begin(&call);
        let ended = calls.end("c", &ToolReturnValue::ok("out", "")).unwrap();
        assert_eq!(ended["content"], json!([content(text("```\nout\n```"))]));
    }

    #[test]
    fn results_show_changes_and_say_what_failed() {
        let diff = |old: &str, is_summary| DisplayBlock::Diff {
            path: "/w/a".into(),
            old_text: old.into(),
            new_text: "n".into(),
            old_start: 1,
            new_start: 1,
            is_summary,
        };
        let mut result = ToolReturnValue::ok("", "written").with_display(diff("", false));
        let shown = result_content("WriteFile", &result);
        assert_eq!(
            shown,
            [json!({"type": "diff", "path": "/w/a", "oldText": null, "newText": "n"})]
        );
        result.display.push(diff("o", false));
        assert_eq!(result_content("WriteFile", &result)[1]["oldText"], "o");
        assert_eq!(changes(&[diff("(9 lines)", true)])[0]["type"], "content");
        let failed = ToolReturnValue::error("exit code 1", "failed").with_output("boom\n");
        let words: Vec<_> = result_content("Shell", &failed)
            .iter()
            .map(|it| it["content"]["text"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(words, ["```\nboom\n```", "exit code 1"]);
    }

    #[test]
    fn what_is_printed_is_told_from_time_to_time_and_never_whole() {
        let mut calls = calls();
        calls.begin(&ToolCall::new("c", "Shell", "{}"));
        let start = Instant::now();
        let told = |update: Option<Value>| {
            update.map(|it| it["content"][0]["content"]["text"].as_str().unwrap().to_owned())
        };
        assert_eq!(told(calls.printed("c", "one\n", start)).unwrap(), "```\none\n```");
        assert_eq!(calls.printed("c", &"é".repeat(100_000), start), None);
        let later = told(calls.printed("c", "end", start + LIVE_PAUSE)).unwrap();
        assert!(later.len() < 3 * LIVE_TAIL && later.ends_with("éend\n```"));
        assert_eq!(calls.printed("unknown", "x", start + LIVE_PAUSE * 2), None);
        // A line that is cut is not begun in the middle of an escape sequence.
        let much =
            format!("{}\u{1b}[31mred\u{1b}[0m 1%\r\u{1b}[K2%\n", "\u{1b}[32mgreen\n".repeat(5_000));
        let clean = told(calls.printed("c", &much, start + LIVE_PAUSE * 3)).unwrap();
        assert!(clean.starts_with("```\ngreen\ngreen\n") && clean.ends_with("green\n2%\n```"));
    }
}
