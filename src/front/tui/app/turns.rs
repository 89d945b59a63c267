//! Sending, queueing, steering, interrupting, and what the session reports back.

use std::time::Instant;

use super::opening::prompt_mark;
use super::pictures::Sending;
use super::shell::ShellCommand;
use super::{App, TuiError};
use crate::front::text::clean_line;
use crate::front::tui::cells::Severity;
use crate::front::tui::commands::Resolved;
use crate::front::tui::composer::{Draft, Submission};
use crate::front::tui::dialogs::{ApprovalDialog, Dialog, PlanDialog, QuestionDialog, ShownPlan};
use crate::front::tui::terminal::Flip;
use crate::protocol::{Event, Message, Op, Outcome, Request, StatusUpdate, UserInput};
use crate::store::keep_answer;

/// Typing this shortly before a dialog appears means that the next key was not meant for it.
const TYPING: std::time::Duration = std::time::Duration::from_millis(700);
/// A turn at least this long is worth a notification when nobody looks.
const LONG_TURN: std::time::Duration = std::time::Duration::from_secs(10);

/// The turn that runs.
pub(super) struct RunningTurn {
    pub op_id: String,
    pub since: Instant,
    pub cancelled: bool,
    /// Another program has begun it.
    pub by_program: bool,
    /// It began because a background task has ended.
    pub by_itself: bool,
}

/// A message that waits for the running turn to end, or to take it in.
pub(super) struct Queued {
    /// Which message of this process it is.
    pub n: u64,
    pub input: UserInput,
    pub shown: String,
    /// As it was written.
    pub draft: Draft,
    /// It is a command for the shell.
    pub command: Option<ShellCommand>,
    /// Nobody sits there to send it again: it goes out also when the turn before it did not end well.
    pub by_program: bool,
}

impl App {
    /// Takes a message in, from whoever it comes.
    pub(super) fn take_in(&mut self, submission: Submission) -> Queued {
        let n = self.books.take(&submission.text);
        let Submission { input, shown, draft, .. } = submission;
        Queued { n, input, shown, draft, command: None, by_program: false }
    }

    /// The same for plain text.
    pub(super) fn take_in_text(&mut self, text: &str) -> Queued {
        self.take_in(Submission::plain(text))
    }

    /// Takes text as if it had been typed and sent.
    pub(super) fn enter_text(&mut self, text: &str) -> Result<(), TuiError> {
        match self.resolve(text) {
            Some((resolved, arguments)) => self.run_resolved(resolved, arguments, text),
            None => {
                let queued = self.take_in_text(text);
                self.start_turn(queued)
            }
        }
    }

    /// Sends what is in the composer.
    pub(super) fn submit(&mut self) -> Result<(), TuiError> {
        if self.waits_for_pictures(Sending::Submit) {
            return Ok(());
        }
        let submission = self.composer.take();
        if submission.text.trim().is_empty() {
            return match self.queue.pop_front() {
                Some(queued) if !self.busy() => self.start_turn(queued),
                Some(queued) => {
                    self.queue.push_front(queued);
                    Ok(())
                }
                None => Ok(()),
            };
        }
        self.remember(&submission);
        // Who writes on has read it.
        if !self.answering_beside() {
            self.close_side();
        }
        if submission.is_command {
            return self.run_in_shell(submission);
        }
        if matches!(submission.text.trim(), "exit" | "quit") {
            return self.run_command_line("/exit");
        }
        let queued = self.take_in(submission);
        self.enqueue(queued)
    }

    /// Begins a turn with the message, or lets it wait for the end of the one that runs.
    pub(super) fn enqueue(&mut self, queued: Queued) -> Result<(), TuiError> {
        self.queue.push_back(queued);
        match self.queue.pop_front() {
            // What has waited longest goes first, also after an interrupt.
            Some(queued) if !self.busy() => self.start_turn(queued),
            Some(queued) => {
                self.queue.push_front(queued);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Keeps a message in the history of this directory.
    pub(super) fn remember(&mut self, submission: &Submission) {
        if let Some(text) = self.composer.record(submission) {
            self.jobs.append_history(
                self.host.store.share().user_history(&self.host.options.work_dir),
                text,
            );
        }
    }

    /// Begins a turn. The prompt leaves the screen in the very next frame.
    pub(super) fn start_turn(&mut self, queued: Queued) -> Result<(), TuiError> {
        match queued.command.clone() {
            Some(command) => self.start_with(queued, |id, _| command.op(id)),
            None => self.start_with(queued, |id, input| Op::Prompt { id, input }),
        }
    }

    /// The same with the op that `op` makes of the turn's id and the message.
    pub(super) fn start_with(
        &mut self,
        queued: Queued,
        op: impl FnOnce(String, UserInput) -> Op,
    ) -> Result<(), TuiError> {
        let Queued { n, input, shown, by_program, .. } = queued;
        self.make_way(by_program)?;
        self.clear_side(by_program);
        self.transcript.echo_as(shown);
        self.books.begin_turn(n);
        let op_id = self.env.ids.uuid();
        self.turn = Some(RunningTurn {
            op_id: op_id.clone(),
            since: self.now(),
            cancelled: false,
            by_program,
            by_itself: false,
        });
        self.stir_until = None;
        self.tick_clock();
        // Whoever hears of an idle instance must be able to believe it: busy is told before it shows.
        self.tell();
        self.draw()?;
        self.flip = Flip::TurnStart;
        self.session.submit(op(op_id, input));
        Ok(())
    }

    /// Gives the draft, or the oldest queued message, to the running turn.
    pub(super) fn steer(&mut self) -> Result<(), TuiError> {
        if !self.busy() {
            return self.submit();
        }
        if self.waits_for_pictures(Sending::Steer) {
            return Ok(());
        }
        let submission = self.composer.take();
        let queued = if submission.text.trim().is_empty() {
            // A command waits for its own turn.
            match self.queue.front() {
                Some(queued) if queued.command.is_none() => self.queue.pop_front(),
                _ => None,
            }
        } else {
            self.remember(&submission);
            Some(self.take_in(submission))
        };
        if let Some(queued) = queued {
            self.steer_with(queued);
        }
        Ok(())
    }

    /// Gives a message to the running turn. It is kept until the turn has taken it in.
    pub(super) fn steer_with(&mut self, queued: Queued) {
        self.session.submit(Op::Steer { input: queued.input.clone() });
        self.steering.push_back(queued);
        self.toast("steer", "sent into the running turn");
    }

    /// What came too late for the turn is the first in the queue.
    fn requeue_steers(&mut self) {
        for queued in self.steering.drain(..).rev() {
            self.queue.push_front(queued);
        }
    }

    /// Stops the running turn.
    pub(super) fn interrupt(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.cancelled = true;
            self.session.submit(Op::Cancel);
        }
    }

    /// Puts the newest queued message back into the composer.
    pub(super) fn recall_queued(&mut self) {
        if let Some(queued) = self.queue.pop_back() {
            self.composer.set_draft(queued.draft);
        }
    }

    /// Takes a message of the session.
    pub(super) fn on_message(&mut self, message: &Message) -> Result<(), TuiError> {
        self.dirty = true;
        match message {
            Message::Event(event) => self.on_event(event),
            Message::Request(request) => self.on_request(request),
            Message::Outcome { op_id, outcome } => {
                if self.turn.as_ref().is_some_and(|turn| turn.op_id == *op_id) {
                    self.end_turn(outcome)?;
                }
            }
        }
        Ok(())
    }

    fn on_event(&mut self, event: &Event) {
        match event {
            Event::SessionInfo(info) => {
                self.info.clone_from(info);
                self.context.1 = info.max_context_tokens;
                self.transcript.prompt_mark =
                    prompt_mark(&self.env, &self.host.options.work_dir, info.thinking);
            }
            Event::StatusUpdate(status) => self.on_status(status),
            Event::GoalUpdated(update) => self.goal_updated(update),
            Event::TurnEnd {} => self.feed_goal(),
            Event::SteerInput { .. } => {
                if let Some(queued) = self.steering.pop_front() {
                    self.books.place(queued.n);
                }
            }
            Event::PlanDisplay { content, file_path } => {
                let file = self.tilde(file_path);
                self.shown_plan = Some(ShownPlan { content: content.clone(), file });
            }
            Event::ApprovalResponse(response) => self.close_dialog(&response.request_id),
            Event::RequestWithdrawn { request_id } => self.close_dialog(request_id),
            Event::BtwText { .. } | Event::BtwEnd { .. } => self.on_side_event(event),
            Event::FlowStep { words } => self.flow = Some(clean_line(words)),
            _ => {}
        }
        let (now, columns) = (self.now(), self.columns());
        let update = self.transcript.event(event, now, &self.clock_text, columns, &self.theme);
        self.show(update);
    }

    fn on_status(&mut self, status: &StatusUpdate) {
        self.context = status.counted.unwrap_or(self.context);
        if let Some(on) = status.plan_mode {
            self.plan_mode_is(on);
        }
        if let Some(usage) = &status.token_usage {
            self.usage.add(usage);
        }
    }

    fn on_request(&mut self, request: &Request) {
        let now = self.now();
        // Who has just sent a message is not in the middle of one: a program that drives us answers
        // as soon as it sees the dialog.
        let drafting = !self.composer.is_empty();
        let typing = drafting && self.last_key.is_some_and(|at| now.duration_since(at) < TYPING);
        let dialog: Box<dyn Dialog> = match request.clone() {
            Request::ApprovalRequest(request) => {
                let work_dir = &self.host.options.work_dir;
                Box::new(ApprovalDialog::new(request, work_dir, now, typing))
            }
            Request::QuestionRequest(request) => {
                let question = QuestionDialog::new(request, now, typing);
                match self.shown_plan.take() {
                    Some(plan) => {
                        Box::new(PlanDialog::new(plan, self.transcript.style(), question))
                    }
                    None => Box::new(question),
                }
            }
            // For programs alone that have brought tools or subscribed to hooks.
            Request::ToolCallRequest(_) | Request::HookRequest(_) => return,
        };
        if self.host.config().tui.notifications {
            self.screen.attract(dialog.title());
        }
        self.dialogs.push_back(dialog);
    }

    /// The request was answered, here or elsewhere.
    pub(super) fn close_dialog(&mut self, request_id: &str) {
        self.dialogs.retain(|dialog| dialog.request_id() != request_id);
    }

    fn end_turn(&mut self, outcome: &Outcome) -> Result<(), TuiError> {
        let Some(turn) = self.turn.take() else { return Ok(()) };
        self.make_way(turn.by_program)?;
        self.clear_side(turn.by_program);
        self.flow = None;
        let (now, columns) = (self.now(), self.columns());
        self.clear_dialogs();
        self.shown_plan = None;
        self.requeue_steers();
        self.books.end_turn(outcome, self.session.kept_answer());
        let well = matches!(outcome, Outcome::Finished { .. }) && outcome.given_up().is_none();
        match well {
            true => self.task_news.failures = 0,
            false => self.task_news.failures += u32::from(turn.by_itself),
        }
        let path = self.keep_long_answer(outcome);
        let update = self.transcript.outcome(outcome, path.as_deref(), now, columns, &self.theme);
        self.show(update);
        self.put_prompt_back(outcome);
        self.tick_clock();
        self.flip = Flip::TurnEnd;
        self.jobs.find_branch(self.host.options.work_dir.clone());
        if self.host.config().tui.notifications && now.duration_since(turn.since) >= LONG_TURN {
            let words = match outcome {
                Outcome::Finished { .. } if well => "Done",
                Outcome::Finished { .. } => "Paused",
                Outcome::Cancelled => "Interrupted",
                Outcome::BudgetSpent(_) => "Paused",
                Outcome::MaxStepsReached { .. } | Outcome::Failed(_) => "Failed",
            };
            self.screen.attract(words);
        }
        let by_program = self.queue.front().is_some_and(|queued| queued.by_program);
        if (by_program || well)
            && let Some(queued) = self.queue.pop_front()
        {
            return self.start_turn(queued);
        }
        if !self.queue.is_empty() {
            self.toast("queue", "the queue waits: enter sends the next message, ↑ edits it");
        }
        self.draw()
    }

    /// Puts an answer longer than a reader can capture into a file of its own, which stays. A short
    /// write, and only for such answers.
    fn keep_long_answer(&self, outcome: &Outcome) -> Option<String> {
        if !self.transcript.is_long() || !matches!(outcome, Outcome::Finished { .. }) {
            return None;
        }
        let answer = self.transcript.open_answer()?;
        let answers = self.host.store.share().answers();
        match keep_answer(&answers, &self.info.session_id, answer) {
            Ok(path) => Some(path.display().to_string()),
            Err(error) => {
                tracing::warn!(%error, "a long answer has no file");
                None
            }
        }
    }

    /// Runs a resolved command line, or says why not. `line` is what was typed.
    pub(super) fn run_resolved(
        &mut self,
        resolved: Resolved<'_>,
        arguments: &str,
        line: &str,
    ) -> Result<(), TuiError> {
        match resolved {
            Resolved::Screen(entry) => {
                if self.busy() && !entry.anytime {
                    let text = format!("/{} is not available during streaming", entry.name);
                    self.toast("command", &text);
                    self.composer.set_text(line);
                    return Ok(());
                }
                self.run_command(entry.command, arguments)
            }
            Resolved::Agent if self.goal_command(line)? => Ok(()),
            Resolved::Agent => {
                let queued = self.take_in_text(line.trim());
                if self.busy() {
                    self.queue.push_back(queued);
                    return Ok(());
                }
                self.start_turn(queued)
            }
            Resolved::Unknown { name, nearest } => {
                let title = format!("Unknown slash command \"/{}\".", clean_line(name));
                let body = nearest.map(|near| format!("Did you mean /{near}?")).unwrap_or_default();
                self.say(Severity::Warning, &title, &body);
                Ok(())
            }
        }
    }

    pub(super) fn run_command_line(&mut self, line: &str) -> Result<(), TuiError> {
        match self.resolve(line) {
            Some((resolved, arguments)) => self.run_resolved(resolved, arguments, line),
            None => Ok(()),
        }
    }
}
