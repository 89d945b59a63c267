//! Turns the event stream into transcript rows.
//!
//! Finished things become rows at once and never change. What is still growing — an unfinished
//! paragraph, a running call — is drawn anew each frame. The rows of an attempt that failed are
//! taken back as far as they are still on the screen.

mod goal;
mod hooks;
mod news;
mod past;
mod phase;
mod plan;
mod readable;
mod replay;
mod running;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::text::Line;

pub use past::Past;
pub use phase::{Activity, Phase};
pub use replay::replay;

use super::cells::{
    AnswerCell, Closing, ThinkingCell, ToolCard, UserCell, closing_row, compaction_row, steer_echo,
    todo_change_row,
};
use super::markdown::MarkdownStyle;
use super::terminal::Mark;
use super::theme::Theme;
use crate::agent::{ANNOUNCED, TASKS_HAVE_ENDED};
use crate::mcp::servers::Servers;
use crate::protocol::{
    ContentPart, DisplayBlock, Event, Notification, Outcome, TodoItem, ToolCall, ToolReturnValue,
    UserInput, labelled_goal_turn,
};
use crate::tools::key_argument;

/// Rows of answer that a reader of the screen gets back for sure: beyond them a row names the file
/// that holds the whole answer (tmux-contract.md section 5, conflict 1).
const READABLE_ROWS: usize = 200;

/// What a person sees of the conversation, built from events.
pub struct Transcript {
    style: MarkdownStyle,
    work_dir: std::path::PathBuf,
    /// The servers, whose tools are shown with the server's name.
    servers: Option<Arc<Servers>>,
    /// Thinking is shown while it comes, not only that there is some.
    shows_thinking: bool,
    /// `user@dir💫`, put before the echo of what the user says.
    pub prompt_mark: String,
    past: Past,
    /// There was a turn.
    begun: bool,
    turn_started: Option<Instant>,
    thinking: Option<Thinking>,
    answer: Option<AnswerCell>,
    calls: Vec<Call>,
    hooks: hooks::RunningHooks,
    /// Tool rows came since the last answer: its bullet is drawn in another colour then.
    after_tools: bool,
    retry: Option<Retry>,
    /// How the next echo of the user's words looks, when it is not what the model gets.
    echo: Option<String>,
    /// Comes when the running attempt has ended.
    held_news: Vec<Notification>,
    /// The turn is `/compact` itself, which tells its result in words.
    compact_command: bool,
    compacting: Option<Option<u64>>,
    context_tokens: Option<u64>,
    /// A step of the turn has begun: until then a message is still on its way to the model.
    in_step: bool,
    /// Rows committed since the attempt began, which a retry takes back.
    attempt_rows: usize,
    /// Rows of answer in this turn.
    answer_rows: usize,
    /// A plan that is being decided on: it becomes rows when that is done.
    plan: Option<(String, String)>,
    /// The newest todo list.
    pub todos: Vec<TodoItem>,
}

struct Thinking {
    cell: ThinkingCell,
    since: Instant,
}

struct Call {
    id: String,
    name: String,
    arguments: String,
    card: ToolCard,
    since: Instant,
}

struct Retry {
    error_type: String,
    status: Option<u16>,
    attempt: u32,
    max_attempts: u32,
    until: Instant,
}

/// What an event changed on the screen.
#[derive(Debug, Default)]
pub struct Update {
    /// Rows of the failed attempt to take back, counted from the end of what was committed.
    pub retract: usize,
    /// New final rows.
    pub rows: Vec<Line<'static>>,
    /// Which of them are marked for the terminal, in order.
    pub marks: Vec<(usize, Mark)>,
}

impl Update {
    fn of(rows: Vec<Line<'static>>) -> Self {
        Self { rows, ..Self::default() }
    }

    /// Puts `later` behind it.
    fn append(&mut self, later: Self) {
        self.truncate(self.rows.len().saturating_sub(later.retract));
        let before = self.rows.len();
        self.marks.extend(later.marks.into_iter().map(|(at, mark)| (before + at, mark)));
        self.rows.extend(later.rows);
    }

    fn truncate(&mut self, rows: usize) {
        self.rows.truncate(rows);
        self.marks.retain(|(at, _)| *at < rows);
    }
}

impl Transcript {
    /// Knows the tools of these servers.
    pub fn with_servers(self, servers: Option<Arc<Servers>>) -> Self {
        Self { servers, ..self }
    }

    /// Shows thinking while it comes, or only for how long it goes on: `show_thinking_stream`.
    pub fn with_thinking(self, shown: bool) -> Self {
        Self { shows_thinking: shown, ..self }
    }

    /// From now on, the same.
    pub fn show_thinking(&mut self, shown: bool) {
        self.shows_thinking = shown;
    }

    /// An empty transcript. `work_dir` is left off from the paths in headlines.
    pub fn new(style: MarkdownStyle, work_dir: std::path::PathBuf, prompt_mark: String) -> Self {
        Self {
            style,
            work_dir,
            servers: None,
            shows_thinking: true,
            prompt_mark,
            past: Past::default(),
            begun: false,
            turn_started: None,
            thinking: None,
            answer: None,
            calls: Vec::new(),
            hooks: hooks::RunningHooks::default(),
            after_tools: false,
            retry: None,
            echo: None,
            held_news: Vec::new(),
            compact_command: false,
            compacting: None,
            context_tokens: None,
            in_step: false,
            attempt_rows: 0,
            answer_rows: 0,
            plan: None,
            todos: Vec::new(),
        }
    }

    /// How Markdown is shown.
    pub fn style(&self) -> MarkdownStyle {
        self.style
    }

    /// Everything that has been said, for the pager.
    pub fn past(&self) -> &Past {
        &self.past
    }

    /// Takes an event. `time` is the wall clock as `12:01`.
    pub fn event(
        &mut self,
        event: &Event,
        now: Instant,
        time: &str,
        columns: u16,
        theme: &Theme,
    ) -> Update {
        let look = Look { columns, theme };
        match event {
            Event::TurnBegin { user_input } => self.turn_begin(user_input, now, time, look),
            Event::SteerInput { user_input } => {
                let mut rows = self.close_open(now, look);
                let text = user_input.text();
                rows.extend(steer_echo(&text, columns, theme));
                rows.push(Line::default());
                self.past.user(&text);
                Update::of(rows)
            }
            Event::StepBegin { .. } => {
                // What is said after it is another answer, also when no tool ran, as in a flow.
                let mut rows = self.close_open(now, look);
                self.in_step = true;
                self.attempt_rows = 0;
                rows.extend(self.tell_news(look));
                Update::of(rows)
            }
            Event::ContentPart(part) => self.content(part, now, look),
            Event::ToolCall(call) => self.tool_call(call, now, look),
            Event::ToolCallPart { arguments_part } => {
                self.tool_call_part(arguments_part.as_deref().unwrap_or_default());
                Update::default()
            }
            Event::ToolOutput { tool_call_id, text } => {
                if let Some(call) = self.calls.iter_mut().find(|call| call.id == *tool_call_id) {
                    call.card.push_output(text);
                }
                Update::default()
            }
            Event::ToolResult { tool_call_id, return_value } => {
                let mut update = Update::of(self.close_plan(look));
                update.append(self.tool_result(tool_call_id, return_value, now, look));
                update.append(Update::of(self.tell_news(look)));
                update
            }
            Event::StepRetry {
                next_attempt,
                max_attempts,
                wait_s,
                error_type,
                status_code,
                ..
            } => {
                let wait = Duration::try_from_secs_f64(*wait_s).unwrap_or_default();
                self.thinking = None;
                self.answer = None;
                self.calls.clear();
                self.retry = Some(Retry {
                    error_type: error_type.clone(),
                    status: *status_code,
                    attempt: *next_attempt,
                    max_attempts: *max_attempts,
                    until: now + wait,
                });
                self.answer_rows = 0;
                Update { retract: std::mem::take(&mut self.attempt_rows), ..Update::default() }
            }
            Event::CompactionBegin {} => {
                let rows = self.close_open(now, look);
                self.compacting = Some(self.context_tokens);
                Update::of(rows)
            }
            Event::CompactionEnd {} => {
                let before = self.compacting.take().flatten();
                if self.compact_command {
                    return Update::default();
                }
                let after = self.context_tokens;
                let mut rows = self
                    .aside(columns, theme, |columns| compaction_row(before, after, columns, theme));
                rows.push(Line::default());
                self.past.note("Compacted the conversation");
                Update::of(rows)
            }
            Event::StatusUpdate(status) => {
                if let Some((tokens, _)) = status.counted {
                    self.context_tokens = Some(tokens);
                }
                Update::default()
            }
            Event::ApprovalResponse(response) => {
                // The time a person took is not the tool's.
                self.restart_clocks(now);
                if response.feedback.is_empty() {
                    return Update::default();
                }
                let mut rows = steer_echo(&response.feedback, columns, theme);
                rows.push(Line::default());
                self.past.user(&response.feedback);
                Update::of(rows)
            }
            Event::SubagentEvent { parent_tool_call_id, agent_id, subagent_type, event } => {
                let call = parent_tool_call_id.as_deref().unwrap_or_default();
                let agent = (agent_id.as_deref(), subagent_type.as_deref());
                self.subagent_event(call, agent, event, now);
                Update::default()
            }
            Event::HookTriggered { .. } | Event::HookResolved { .. } => self.hook(event, now, look),
            Event::PlanDisplay { content, file_path } => {
                self.plan = Some((content.clone(), file_path.clone()));
                Update::of(self.close_open(now, look))
            }
            Event::Notification(news) => self.notification(news, now, look),
            Event::GoalUpdated(update) => self.goal_updated(update, now, look),
            _ => Update::default(),
        }
    }

    /// The end of the turn: what was open is closed and a closing row is added. `answer_path` names
    /// the file with the whole last answer.
    pub fn outcome(
        &mut self,
        outcome: &Outcome,
        answer_path: Option<&str>,
        now: Instant,
        columns: u16,
        theme: &Theme,
    ) -> Update {
        let look = Look { columns, theme };
        let mut rows = self.close_open(now, look);
        rows.extend(self.close_plan(look));
        for mut call in std::mem::take(&mut self.calls) {
            call.card.interrupt();
            rows.extend(call.card.rows(columns, theme));
            rows.push(Line::default());
            self.past.tool(&call.card);
        }
        if let Some(path) = answer_path {
            rows.extend(super::cells::pointer_row(path, self.answer_rows, columns));
            rows.push(Line::default());
        }
        self.in_step = false;
        let took = self.turn_started.take().map_or(Duration::ZERO, |since| now - since);
        let failed = !matches!(outcome, Outcome::Finished { .. });
        let marks = vec![(rows.len(), Mark::End { failed })];
        rows.extend(closing_row(&Closing::from(outcome), took, columns, theme));
        rows.push(Line::default());
        rows.extend(self.tell_news(look));
        self.retry = None;
        self.compacting = None;
        self.after_tools = false;
        self.answer_rows = 0;
        Update { rows, marks, ..Update::default() }
    }

    fn turn_begin(
        &mut self,
        input: &UserInput,
        now: Instant,
        time: &str,
        look: Look<'_>,
    ) -> Update {
        self.begun = true;
        self.in_step = false;
        self.attempt_rows = 0;
        // Turns of a goal follow one another without an end between them.
        let mut rows = self.close_open(now, look);
        let echo = self.echo.take();
        let follows = echo.is_none() && labelled_goal_turn(&input.text()).is_some();
        let text = echo.unwrap_or_else(|| shown_input(input));
        if follows {
            rows.extend(self.goal_turn(&text, look));
            return Update::of(rows);
        }
        self.turn_started = Some(now);
        self.compact_command = text.starts_with("/compact");
        let start = rows.len();
        if matches!(input, UserInput::Text(text) if text == TASKS_HAVE_ENDED) {
            rows.push(self.announced(look));
        } else {
            let cell = UserCell { prompt: self.prompt_mark.clone(), text, time: time.to_owned() };
            rows.extend(cell.rows(look.columns, look.theme));
            self.past.user(&cell.text);
        }
        let marks = vec![(start, Mark::Prompt), (rows.len(), Mark::Output)];
        rows.push(Line::default());
        Update { rows, marks, ..Update::default() }
    }

    fn content(&mut self, part: &ContentPart, now: Instant, look: Look<'_>) -> Update {
        self.retry = None;
        let mut rows = Vec::new();
        match part {
            ContentPart::Text { text } => {
                rows.extend(self.close_thinking(now, look));
                let answer = self
                    .answer
                    .get_or_insert_with(|| AnswerCell::new(self.style, self.after_tools));
                answer.push(text);
                let new = answer.commit(look.columns, look.theme);
                self.answer_rows += new.len();
                rows.extend(new);
            }
            ContentPart::Think { think, .. } => {
                rows.extend(self.close_answer(look));
                let thinking = self
                    .thinking
                    .get_or_insert_with(|| Thinking { cell: ThinkingCell::default(), since: now });
                thinking.cell.push(think);
            }
            ContentPart::ImageUrl { .. }
            | ContentPart::AudioUrl { .. }
            | ContentPart::VideoUrl { .. } => {}
        }
        self.attempt_rows += rows.len();
        Update::of(rows)
    }

    fn tool_call(&mut self, call: &ToolCall, now: Instant, look: Look<'_>) -> Update {
        self.retry = None;
        let rows = self.close_open(now, look);
        self.attempt_rows += rows.len();
        let key = self.key(&call.function.name, call.arguments());
        self.calls.push(Call {
            id: call.id.clone(),
            name: call.function.name.clone(),
            arguments: call.arguments().to_owned(),
            card: ToolCard::new(&call.function.name, key.as_deref()).in_dir(&self.work_dir),
            since: now,
        });
        Update::of(rows)
    }

    fn tool_call_part(&mut self, part: &str) {
        let Some(mut call) = self.calls.pop() else { return };
        call.arguments.push_str(part);
        // A headline shows fifty columns: what comes later cannot change it.
        if call.arguments.len() <= 4096 {
            call.card.set_key(self.key(&call.name, &call.arguments).as_deref());
        }
        self.calls.push(call);
    }

    /// What a call is about; a tool of a server with the name of its server.
    fn key(&self, tool: &str, arguments: &str) -> Option<String> {
        let key = key_argument(tool, arguments, &self.work_dir)?;
        let full = match &self.servers {
            Some(servers) if tool == "mcp_call" => servers.full_name(&key),
            _ => None,
        };
        full.or(Some(key))
    }

    fn tool_result(
        &mut self,
        id: &str,
        value: &ToolReturnValue,
        now: Instant,
        look: Look<'_>,
    ) -> Update {
        let Some(at) = self.calls.iter().position(|call| call.id == id) else {
            return Update::default();
        };
        let mut call = self.calls.remove(at);
        for block in &value.display {
            if let DisplayBlock::Todo { items } = block {
                self.todos.clone_from(items);
                self.after_tools = true;
                let row = todo_change_row(items, look.columns, look.theme);
                call.card.finish(value.clone(), false, None);
                self.past.tool(&call.card);
                // A program knows a tool call by its headline.
                let rows = match self.read_by_program() {
                    true => self.closed(call.card.rows(look.columns, look.theme), look.theme),
                    false => vec![row],
                };
                return Update::of(rows.into_iter().chain([Line::default()]).collect());
            }
        }
        let rejected = value.is_error
            && value.display.iter().any(|block| {
                matches!(block, DisplayBlock::Brief { text } if text.starts_with("Rejected"))
            });
        call.card.finish(value.clone(), rejected, Some(now - call.since));
        let mut rows = self.closed(call.card.rows(look.columns, look.theme), look.theme);
        rows.push(Line::default());
        self.after_tools = true;
        self.past.tool(&call.card);
        self.restart_clocks(now);
        Update::of(rows)
    }

    /// The calls that are open begin to run now, or so it looks: what came before was waiting.
    fn restart_clocks(&mut self, now: Instant) {
        for call in &mut self.calls {
            call.since = now;
        }
    }

    /// The answer that is open, or the last one: as the model wrote it.
    pub fn open_answer(&self) -> Option<&str> {
        self.answer.as_ref().map(AnswerCell::source).or_else(|| self.past.last_answer())
    }

    /// Shows the next message of the user like this instead of with everything that was pasted.
    pub fn echo_as(&mut self, shown: String) {
        self.echo = Some(shown);
    }

    /// Rows of answer so far in this turn, beyond what a reader of the screen gets back for sure.
    pub fn is_long(&self) -> bool {
        self.answer_rows > READABLE_ROWS
    }

    /// Ends the answer or the thinking that is open, because something else begins.
    fn close_open(&mut self, now: Instant, look: Look<'_>) -> Vec<Line<'static>> {
        let mut rows = self.close_thinking(now, look);
        rows.extend(self.close_answer(look));
        rows
    }

    fn close_thinking(&mut self, now: Instant, look: Look<'_>) -> Vec<Line<'static>> {
        let Some(Thinking { cell, since }) = self.thinking.take() else { return Vec::new() };
        if cell.is_blank() {
            return Vec::new();
        }
        let row = ThinkingCell::summary(now - since, None, look.columns, look.theme);
        self.past.thinking(cell.plain());
        vec![row, Line::default()]
    }

    fn close_answer(&mut self, look: Look<'_>) -> Vec<Line<'static>> {
        let Some(mut answer) = self.answer.take() else { return Vec::new() };
        let blank = answer.is_blank();
        let mut rows = answer.finish(look.columns, look.theme);
        self.answer_rows += rows.len();
        if !blank {
            rows.push(Line::default());
            self.after_tools = false;
            self.past.answer(answer.plain());
        }
        rows
    }

    /// The part of the answer that is not final yet, drawn right below the final rows.
    pub fn open_rows(
        &mut self,
        columns: u16,
        max_rows: usize,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        self.answer.as_mut().map_or_else(Vec::new, |answer| answer.tail(columns, theme, max_rows))
    }
}

/// How things are drawn.
#[derive(Clone, Copy)]
struct Look<'a> {
    columns: u16,
    theme: &'a Theme,
}

/// The words of the user, media told by name.
fn shown_input(input: &UserInput) -> String {
    match input {
        UserInput::Text(text) if text == TASKS_HAVE_ENDED => ANNOUNCED.to_owned(),
        UserInput::Text(text) => text.clone(),
        UserInput::Parts(parts) => parts
            .iter()
            .map(|part| match part {
                ContentPart::Text { text } => text.clone(),
                ContentPart::Think { .. } => String::new(),
                ContentPart::ImageUrl { .. } => "[image]".to_owned(),
                ContentPart::AudioUrl { .. } => "[audio]".to_owned(),
                ContentPart::VideoUrl { .. } => "[video]".to_owned(),
            })
            .collect::<Vec<_>>()
            .join("\n"),
    }
}
