//! Runs prompts one after the other and listens to everything meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncBufRead;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::door::{self, Door};
use super::failure::Trouble;
use super::goal::GoalRun;
use super::input::{self, Line, Lines};
use super::output::{Output, Pieces, Writer};
use super::{Dialect, Format, Link, PrintOptions, Printer, Signal, code, printer};
use crate::agent::{BackgroundView, TASKS_HAVE_ENDED};
use crate::front::control::Asked;
use crate::front::ending::{ExitCode, resume_hint};
use crate::protocol::{
    ApprovalResponse, Event, Message, Op, Outcome, QuestionResponse, Request, Response, Verdict,
};

/// How long a cancelled turn may take to end. With [`LAST_WRITE`] below the second and a half
/// after which callers kill us.
const CANCEL_TIME: Duration = Duration::from_millis(800);

/// How long the session may take to end after a signal.
const CLOSE_TIME: Duration = Duration::from_millis(300);

/// How long the session may take to end by itself.
const CALM_CLOSE_TIME: Duration = Duration::from_secs(5);

/// How long the last output may take after a signal.
const LAST_WRITE: Duration = Duration::from_millis(300);

/// How the run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All prompts ran, or one of them failed.
    Done(ExitCode),
    /// SIGINT.
    Interrupted,
    /// The same, where it has paused a goal.
    Paused,
    /// SIGTERM.
    Terminated,
    /// Nobody reads stdout any more.
    Unread,
}

impl End {
    /// The exit status.
    pub fn code(self) -> ExitCode {
        match self {
            Self::Done(code) => code,
            Self::Interrupted => ExitCode::Failure,
            Self::Paused => ExitCode::GoalPaused,
            Self::Terminated => ExitCode::Terminated,
            Self::Unread => ExitCode::Success,
        }
    }

    /// How long the session may take to end.
    fn closing_time(self) -> Duration {
        match self {
            Self::Done(_) | Self::Unread => CALM_CLOSE_TIME,
            Self::Interrupted | Self::Paused | Self::Terminated => CLOSE_TIME,
        }
    }

    /// How long the last output may take; `None` for as long as it takes.
    fn patience(self) -> Option<Duration> {
        match self {
            Self::Done(_) => None,
            Self::Interrupted | Self::Paused | Self::Terminated | Self::Unread => Some(LAST_WRITE),
        }
    }
}

impl From<Signal> for End {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate => Self::Terminated,
        }
    }
}

/// The running session and where its output goes.
pub(super) struct Turns {
    ops: UnboundedSender<Op>,
    messages: UnboundedReceiver<Arc<Message>>,
    signals: UnboundedReceiver<Signal>,
    /// Who may ask from outside, and what they see.
    pub(super) door: Option<Door>,
    output: Output,
    printer: Box<dyn Printer>,
    dialect: Dialect,
    json: bool,
    /// Something went wrong, and was told.
    troubled: bool,
    /// A hook has not let the running prompt go to the model, which is no answer in kimi-code.
    forbidden: bool,
    prompts: u64,
    /// Of these, how many asked for a goal that is none, and so began nothing.
    refused: u64,
    pub(super) background: Option<BackgroundView>,
    /// The goal of the running prompt, if it comes to one.
    goal: GoalRun,
}

/// What happened next.
enum Next {
    Message(Arc<Message>),
    /// The session ended its stream.
    Gone,
    Signal(Signal),
    Asked(Asked),
    Unread,
    Late,
}

impl Turns {
    /// Nothing runs yet.
    pub fn new(
        options: &PrintOptions,
        link: Link,
        door: Option<Door>,
        output: Output,
        signals: UnboundedReceiver<Signal>,
    ) -> Self {
        Self {
            ops: link.ops,
            messages: link.messages,
            signals,
            door,
            output,
            printer: printer(options),
            dialect: options.dialect,
            troubled: false,
            forbidden: false,
            json: options.output_format == Format::StreamJson,
            prompts: 0,
            refused: 0,
            background: link.background,
            goal: GoalRun::default(),
        }
    }

    /// Runs the prompt that is given and those on stdin.
    pub async fn run_all(&mut self, options: &PrintOptions, stdin: impl AsyncBufRead) -> End {
        tokio::pin!(stdin);
        if self.dialect == (Dialect::Code { tells_version: true }) {
            self.say(|to| code::opening(self.json, to));
        }
        if let Some(prompt) = &options.prompt {
            let end = self.turn(prompt).await;
            if options.input_format == Format::Text && end == End::Done(ExitCode::Success) {
                return self.see_off().await;
            }
            if options.input_format == Format::Text || end != End::Done(ExitCode::Success) {
                return end;
            }
        }
        if options.input_format == Format::Text {
            if options.stdin_is_terminal {
                return End::Done(ExitCode::Success);
            }
            return match self.attend(input::whole(stdin)).await {
                Ok(Ok(prompt)) if prompt.is_empty() => End::Done(ExitCode::Success),
                Ok(Ok(prompt)) => match self.turn(&prompt).await {
                    End::Done(ExitCode::Success) => self.see_off().await,
                    end => end,
                },
                Ok(Err(error)) => self.refuse("input", error.to_string()),
                Err(end) => end,
            };
        }
        let mut lines = Lines::default();
        loop {
            if let Some(door) = &mut self.door {
                door.waits();
            }
            let end = match self.attend(lines.next(&mut stdin)).await {
                Ok(Ok(Some(Line::Prompt(prompt)))) => self.turn(&prompt).await,
                Ok(Ok(Some(Line::Bad(complaint)))) => {
                    self.say(|to| to.err(complaint.as_deref().unwrap_or_default()));
                    continue;
                }
                Ok(Ok(None)) => return End::Done(ExitCode::Success),
                Ok(Err(error)) => return self.refuse("input", error.to_string()),
                Err(end) => return end,
            };
            if end != End::Done(ExitCode::Success) {
                return end;
            }
        }
    }

    /// Waits for input while the session may have something to say.
    pub(super) async fn attend<T>(&mut self, input: impl Future<Output = T>) -> Result<T, End> {
        tokio::pin!(input);
        loop {
            let next = tokio::select! {
                biased;
                next = self.next(None) => next,
                given = &mut input => return Ok(given),
            };
            match next {
                Next::Message(message) => drop(self.hear(&message)),
                Next::Asked(asked) => drop(door::reply(asked, false)),
                Next::Gone | Next::Late => return Err(self.lost()),
                Next::Signal(Signal::Interrupt) => {
                    self.tell(&Trouble::new("cancelled", "Interrupted by user"));
                    return Err(End::Interrupted);
                }
                Next::Signal(Signal::Terminate) => return Err(End::Terminated),
                Next::Unread => return Err(End::Unread),
            }
        }
    }

    /// Runs one prompt to its end.
    pub(super) async fn turn(&mut self, prompt: &str) -> End {
        self.run_turn(prompt, |id| Op::Prompt { id, input: prompt.into() }).await
    }

    /// Lets the model see to background tasks that have ended.
    pub(super) async fn see_to_tasks(&mut self) -> End {
        self.run_turn(TASKS_HAVE_ENDED, |id| Op::SeeToTasks { id }).await
    }

    /// Runs the turn of an op, which begins with these words.
    async fn run_turn(&mut self, prompt: &str, op: impl FnOnce(String) -> Op) -> End {
        self.prompts += 1;
        self.goal = GoalRun::of(prompt);
        self.forbidden = false;
        let id = format!("print-{}", self.prompts);
        let op = op(id.clone());
        if let Some(door) = &mut self.door {
            door.begins(prompt);
        }
        if self.ops.send(op).is_err() {
            return self.lost();
        }
        let mut ending = None;
        let mut deadline = None;
        loop {
            match self.next(deadline).await {
                Next::Message(message) => {
                    if let Some(outcome) = self.hear_outcome(&message, &id) {
                        return self.turn_ended(&outcome, ending);
                    }
                }
                Next::Asked(asked) => {
                    if door::reply(asked, true) {
                        self.cancel();
                    }
                }
                // The second signal does not wait for the turn.
                Next::Signal(_) if ending == Some(End::Interrupted) => return End::Interrupted,
                Next::Signal(signal) => {
                    ending = Some(End::from(signal));
                    deadline = Some(self.cancel());
                }
                Next::Unread if ending.is_none() => {
                    ending = Some(End::Unread);
                    deadline = Some(self.cancel());
                }
                Next::Unread => return ending.unwrap_or(End::Unread),
                Next::Gone if ending.is_none() => return self.lost(),
                Next::Gone | Next::Late => {
                    return self.turn_ended(&Outcome::Cancelled, ending);
                }
            }
        }
    }

    /// The next thing that happens. Signals come first, so that no flood of events hides them.
    async fn next(&mut self, deadline: Option<Instant>) -> Next {
        let late = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let asked = async {
            match &mut self.door {
                Some(door) => door.asked().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = heard(&mut self.signals) => Next::Signal(signal),
            () = self.output.closed(), if deadline.is_none() => Next::Unread,
            () = late => Next::Late,
            asked = asked => Next::Asked(asked),
            message = self.messages.recv() => message.map_or(Next::Gone, Next::Message),
        }
    }

    /// Stops the turn, and says until when that may take if somebody wants us to end.
    fn cancel(&self) -> Instant {
        // A session that is gone needs no cancelling.
        let _ = self.ops.send(Op::Cancel);
        Instant::now() + CANCEL_TIME
    }

    fn turn_ended(&mut self, outcome: &Outcome, ending: Option<End>) -> End {
        if let Some(door) = &mut self.door {
            door.ended(outcome);
        }
        let mut pieces = Pieces::default();
        self.printer.ended(outcome, &mut pieces);
        let told = !matches!(ending, Some(End::Terminated | End::Unread));
        if let Some(trouble) = Trouble::of(outcome).filter(|_| told) {
            let trouble = match self.goal.is_refused(outcome) {
                true => {
                    self.refused += 1;
                    trouble.of_kind("goal_not_started")
                }
                false => trouble,
            };
            self.write(&trouble, &mut pieces);
            self.troubled = true;
        }
        let goal = std::mem::take(&mut self.goal);
        if ending != Some(End::Unread) {
            goal.tell(outcome, self.json, &mut pieces);
        }
        self.output.send(&mut pieces);
        match ending {
            // The turn was over before the cancel came to it.
            Some(End::Interrupted) if *outcome != Outcome::Cancelled => {
                self.tell(&Trouble::new("cancelled", "Interrupted by user"));
                End::Interrupted
            }
            Some(End::Interrupted) => match goal.code(outcome) {
                ExitCode::GoalPaused => End::Paused,
                _ => End::Interrupted,
            },
            Some(end) => end,
            None => match goal.code(outcome) {
                ExitCode::Success if self.forbidden => {
                    self.refuse("forbidden", "Prompt hook blocked the request.".to_owned())
                }
                code => End::Done(code),
            },
        }
    }

    /// Takes a message; the outcome if it is that of the prompt.
    fn hear_outcome(&mut self, message: &Message, id: &str) -> Option<Outcome> {
        match self.hear(message) {
            Some((op_id, outcome)) if op_id == id => Some(outcome.clone()),
            _ => None,
        }
    }

    /// Takes a message: prints events, answers requests.
    fn hear<'a>(&mut self, message: &'a Message) -> Option<(&'a str, &'a Outcome)> {
        if let Some(door) = &mut self.door {
            door.hears(message);
        }
        match message {
            Message::Event(event) => {
                if let Event::GoalUpdated(update) = event {
                    self.goal.hears(update);
                }
                self.forbidden |= self.dialect != Dialect::Cli && code::forbidden(event).is_some();
                self.print(event);
            }
            Message::Request(request) => {
                // A session that is gone waits for no answer.
                if let Some(response) = answer(request) {
                    let _ = self.ops.send(Op::Answer { response });
                }
            }
            Message::Outcome { op_id, outcome } => return Some((op_id, outcome)),
        }
        None
    }

    fn print(&mut self, event: &Event) {
        let mut pieces = Pieces::default();
        self.printer.event(event, &mut pieces);
        self.output.send(&mut pieces);
    }

    pub(super) fn say(&self, words: impl FnOnce(&mut Pieces)) {
        let mut pieces = Pieces::default();
        words(&mut pieces);
        self.output.send(&mut pieces);
    }

    pub(super) fn tell(&mut self, trouble: &Trouble) {
        self.troubled = true;
        self.say(|to| self.write(trouble, to));
    }

    fn write(&self, trouble: &Trouble, to: &mut Pieces) {
        match self.dialect {
            Dialect::Cli => trouble.tell(self.json, to),
            Dialect::Code { .. } => code::tell(trouble, to),
        }
    }

    fn refuse(&mut self, kind: &'static str, message: String) -> End {
        self.tell(&Trouble::new(kind, message));
        End::Done(ExitCode::Failure)
    }

    fn lost(&mut self) -> End {
        self.refuse("internal", "The session ended before the answer was complete.".to_owned())
    }

    /// The hint at the very end. In kimi-code only a run that went well has one.
    pub fn finish(&self, options: &PrintOptions, end: End) {
        if self.prompts == self.refused || options.session_id.is_empty() {
            return;
        }
        match self.dialect {
            Dialect::Cli => self.say(|to| to.err(&resume_hint(&options.session_id))),
            Dialect::Code { .. } if matches!(end, End::Done(_)) && !self.troubled => {
                self.say(|to| code::resume_hint(&options.session_id, self.json, to));
            }
            Dialect::Code { .. } => {}
        }
    }

    /// Lets the session write what is pending, which it tells by ending its stream. No output
    /// comes any more. Returns how the run ends after all, and the signals.
    pub async fn shut_down(mut self, mut end: End) -> (End, UnboundedReceiver<Signal>) {
        if self.ops.send(Op::Shutdown).is_ok() {
            let mut deadline = Instant::now() + end.closing_time();
            loop {
                tokio::select! {
                    biased;
                    signal = heard(&mut self.signals) => {
                        end = End::from(signal);
                        deadline = deadline.min(Instant::now() + end.closing_time());
                    }
                    () = tokio::time::sleep_until(deadline) => {
                        tracing::warn!("the session did not end in time");
                        break;
                    }
                    message = self.messages.recv() => if message.is_none() { break },
                }
            }
        }
        (end, self.signals)
    }
}

/// Waits until the last output is written: for as long as the reader takes, but not long once
/// somebody wants us to end.
pub(super) async fn last_write(
    mut end: End,
    writer: &mut Writer,
    mut signals: UnboundedReceiver<Signal>,
) -> End {
    if end.patience().is_none() {
        tokio::select! {
            () = writer.written() => return end,
            signal = heard(&mut signals) => end = End::from(signal),
        }
    }
    let limit = end.patience().unwrap_or(LAST_WRITE);
    if tokio::time::timeout(limit, writer.written()).await.is_err() {
        tracing::warn!("the reader of the output did not take all of it in time");
    }
    end
}

/// The next signal. Waits for ever when none can come.
async fn heard(signals: &mut UnboundedReceiver<Signal>) -> Signal {
    match signals.recv().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

/// The answer of somebody who is not there: go ahead, and decide for yourself. Print mode has brought no
/// tools and subscribed to nothing, so that nobody else is asked.
fn answer(request: &Request) -> Option<Response> {
    match request {
        Request::ApprovalRequest(request) => Some(Response::Approval(ApprovalResponse {
            request_id: request.id.clone(),
            response: Verdict::Approve,
            feedback: String::new(),
        })),
        Request::QuestionRequest(request) => Some(Response::Question(QuestionResponse {
            request_id: request.id.clone(),
            ..QuestionResponse::default()
        })),
        Request::ToolCallRequest(_) | Request::HookRequest(_) => None,
    }
}
