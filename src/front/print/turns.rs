//! Runs prompts one after the other and listens to everything meanwhile.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use tokio::io::AsyncBufRead;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::failure::Trouble;
use super::input::{self, Line, Lines};
use super::output::{Output, Pieces};
use super::{Format, Link, PrintOptions, Printer, Signal, printer};
use crate::cli::{ExitCode, resume_hint};
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
            Self::Terminated => ExitCode::Terminated,
            Self::Unread => ExitCode::Success,
        }
    }

    /// How long the last output may take; `None` for as long as it takes.
    pub fn patience(self) -> Option<Duration> {
        match self {
            Self::Done(_) => None,
            Self::Interrupted | Self::Terminated | Self::Unread => Some(LAST_WRITE),
        }
    }
}

/// The running session and where its output goes.
pub(super) struct Turns {
    ops: UnboundedSender<Op>,
    messages: UnboundedReceiver<Arc<Message>>,
    signals: UnboundedReceiver<Signal>,
    output: Output,
    printer: Box<dyn Printer>,
    json: bool,
    prompts: u64,
}

/// What happened next.
enum Next {
    Message(Arc<Message>),
    /// The session ended its stream.
    Gone,
    Signal(Signal),
    Unread,
    Late,
}

impl Turns {
    /// Nothing runs yet.
    pub fn new(
        options: &PrintOptions,
        link: Link,
        output: Output,
        signals: UnboundedReceiver<Signal>,
    ) -> Self {
        Self {
            ops: link.ops,
            messages: link.messages,
            signals,
            output,
            printer: printer(options),
            json: options.output_format == Format::StreamJson,
            prompts: 0,
        }
    }

    /// Runs the prompt that is given and those on stdin.
    pub async fn run_all(&mut self, options: &PrintOptions, stdin: impl AsyncBufRead) -> End {
        tokio::pin!(stdin);
        if let Some(prompt) = &options.prompt {
            let end = self.turn(prompt).await;
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
                Ok(Ok(prompt)) => self.turn(&prompt).await,
                Ok(Err(error)) => self.refuse("input", error.to_string()),
                Err(end) => end,
            };
        }
        let mut lines = Lines::default();
        loop {
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
    async fn attend<T>(&mut self, input: impl Future<Output = T>) -> Result<T, End> {
        tokio::pin!(input);
        loop {
            let next = tokio::select! {
                biased;
                next = next(&mut self.messages, &mut self.signals, &self.output, None) => next,
                given = &mut input => return Ok(given),
            };
            match next {
                Next::Message(message) => drop(self.hear(&message)),
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
    async fn turn(&mut self, prompt: &str) -> End {
        self.prompts += 1;
        let id = format!("print-{}", self.prompts);
        let op = Op::Prompt { id: id.clone(), input: prompt.into() };
        if self.ops.send(op).is_err() {
            return self.lost();
        }
        let mut ending = None;
        let mut deadline = None;
        loop {
            match next(&mut self.messages, &mut self.signals, &self.output, deadline).await {
                Next::Message(message) => {
                    if let Some(outcome) = self.hear_outcome(&message, &id) {
                        return self.turn_ended(&outcome, ending);
                    }
                }
                // The second signal does not wait for the turn.
                Next::Signal(_) if ending == Some(End::Interrupted) => return End::Interrupted,
                Next::Signal(signal) => {
                    ending = Some(match signal {
                        Signal::Interrupt => End::Interrupted,
                        Signal::Terminate => End::Terminated,
                    });
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

    fn cancel(&self) -> Instant {
        // A session that is gone needs no cancelling.
        let _ = self.ops.send(Op::Cancel);
        Instant::now() + CANCEL_TIME
    }

    fn turn_ended(&mut self, outcome: &Outcome, ending: Option<End>) -> End {
        let mut pieces = Pieces::default();
        self.printer.ended(outcome, &mut pieces);
        let told = !matches!(ending, Some(End::Terminated | End::Unread));
        if let Some(trouble) = Trouble::of(outcome).filter(|_| told) {
            trouble.tell(self.json, &mut pieces);
        }
        self.output.send(&mut pieces);
        match ending {
            // The turn was over before the cancel came to it.
            Some(End::Interrupted) if *outcome != Outcome::Cancelled => {
                self.tell(&Trouble::new("cancelled", "Interrupted by user"));
                End::Interrupted
            }
            Some(end) => end,
            None => End::Done(ExitCode::from(outcome)),
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
        match message {
            Message::Event(event) => self.print(event),
            Message::Request(request) => {
                // A session that is gone waits for no answer.
                let _ = self.ops.send(Op::Answer { response: answer(request) });
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

    fn say(&self, words: impl FnOnce(&mut Pieces)) {
        let mut pieces = Pieces::default();
        words(&mut pieces);
        self.output.send(&mut pieces);
    }

    fn tell(&self, trouble: &Trouble) {
        self.say(|to| trouble.tell(self.json, to));
    }

    fn refuse(&self, kind: &'static str, message: String) -> End {
        self.tell(&Trouble::new(kind, message));
        End::Done(ExitCode::Failure)
    }

    fn lost(&self) -> End {
        self.refuse("internal", "The session ended before the answer was complete.".to_owned())
    }

    /// The hint at the very end.
    pub fn finish(&self, options: &PrintOptions) {
        if self.prompts > 0 && !options.session_id.is_empty() {
            self.say(|to| to.err(&resume_hint(&options.session_id)));
        }
    }

    /// Lets the session write what is pending. It ends its stream when that is done.
    pub async fn shut_down(&mut self, end: End) {
        let limit = match end {
            End::Done(_) | End::Unread => CALM_CLOSE_TIME,
            End::Interrupted | End::Terminated => CLOSE_TIME,
        };
        if self.ops.send(Op::Shutdown).is_ok() {
            let drained = async { while self.messages.recv().await.is_some() {} };
            if tokio::time::timeout(limit, drained).await.is_err() {
                tracing::warn!("the session did not end in time");
            }
        }
    }
}

/// The next thing that happens. Signals come first, so that no flood of events hides them.
async fn next(
    messages: &mut UnboundedReceiver<Arc<Message>>,
    signals: &mut UnboundedReceiver<Signal>,
    output: &Output,
    deadline: Option<Instant>,
) -> Next {
    let late = async {
        match deadline {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        Some(signal) = signals.recv() => Next::Signal(signal),
        () = output.closed(), if deadline.is_none() => Next::Unread,
        () = late => Next::Late,
        message = messages.recv() => message.map_or(Next::Gone, Next::Message),
    }
}

/// The answer of somebody who is not there: go ahead, and decide for yourself.
fn answer(request: &Request) -> Response {
    match request {
        Request::ApprovalRequest(request) => Response::Approval(ApprovalResponse {
            request_id: request.id.clone(),
            response: Verdict::Approve,
            feedback: String::new(),
        }),
        Request::QuestionRequest(request) => Response::Question(QuestionResponse {
            request_id: request.id.clone(),
            answers: Map::new(),
        }),
    }
}
