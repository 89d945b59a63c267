//! What other programs see of a print run, and the one thing they may ask of it: to stop.

use std::path::Path;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::front::control::{Asked, Control, Status, hex_sha256};
use crate::platform::Env;
use crate::protocol::control::{
    Answer, Command, Finish, LastTurn, Mode, Receipt, RefusalCode, State,
};
use crate::protocol::{ContentPart, Event, Message, Outcome, SessionInfo, StatusUpdate};
use crate::store::{Session, ShareDir};

/// The side door of this run.
#[derive(Debug)]
pub struct Door {
    control: Control,
    asked: UnboundedReceiver<Asked>,
    status: Status,
    answer_path: String,
    answer: AnswerText,
    /// Calls that run.
    calls: usize,
}

/// The answer of the running turn: the text of the newest step that had some.
#[derive(Debug, Default)]
struct AnswerText {
    of_step: String,
    before: String,
}

impl AnswerText {
    fn step_ended(&mut self) {
        let text = std::mem::take(&mut self.of_step);
        if !text.trim().is_empty() {
            self.before = text;
        }
    }

    fn take(&mut self) -> String {
        self.step_ended();
        std::mem::take(&mut self.before)
    }
}

impl Door {
    /// Opens it, inside the runtime. The run counts as busy from here on.
    pub fn open(env: &Env, share: &ShareDir, session: &Session, info: &SessionInfo) -> Self {
        let (control, asked) = Control::start(Mode::Print, env, share);
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let status = Status {
            state: State::Busy,
            turn: 0,
            phase: None,
            session: session.id.clone(),
            session_dir: path(&session.dir),
            cwd: path(&session.work_dir),
            model: info.model.clone(),
            context: 0.0,
            queued: 0,
            input: None,
            ask: None,
            last: None,
        };
        control.publish(&status);
        let answer_path = path(&session.last_answer_path());
        Self { control, asked, status, answer_path, answer: AnswerText::default(), calls: 0 }
    }

    /// The next command from outside.
    pub(super) async fn asked(&mut self) -> Asked {
        match self.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }

    /// The next prompt is waited for.
    pub(super) fn waits(&mut self) {
        self.status.state = State::Idle;
        self.control.publish(&self.status);
    }

    /// A turn begins with this prompt.
    pub(super) fn begins(&mut self, prompt: &str) {
        let turn = self.status.turn + 1;
        let receipt = Receipt {
            n: turn,
            sha256: hex_sha256(prompt.as_bytes()),
            bytes: prompt.len(),
            turn: Some(turn),
        };
        (self.status.state, self.status.turn, self.status.input) =
            (State::Busy, turn, Some(receipt));
        (self.answer, self.calls) = (AnswerText::default(), 0);
        self.control.publish(&self.status);
    }

    /// Takes a message of the session. Only what changes the phase is told.
    pub(super) fn hears(&mut self, message: &Message) {
        let Message::Event(event) = message else { return };
        match event {
            Event::StepBegin { .. } => {
                self.answer.step_ended();
                self.phase("work");
            }
            Event::StepInterrupted {} => self.answer.of_step.clear(),
            Event::StepRetry { .. } => {
                self.answer.of_step.clear();
                self.phase("retry");
            }
            Event::CompactionBegin {} => self.phase("compact"),
            Event::CompactionEnd {} => self.phase("work"),
            Event::ContentPart(ContentPart::Think { .. }) => self.phase("think"),
            Event::ContentPart(ContentPart::Text { text }) => {
                self.answer.of_step.push_str(text);
                self.phase("write");
            }
            Event::ToolCall(call) => {
                self.calls += 1;
                match self.calls {
                    1 => self.phase(&format!("tool:{}", call.function.name)),
                    calls => self.phase(&format!("tools:{calls}")),
                }
            }
            Event::ToolResult { .. } => {
                self.calls = self.calls.saturating_sub(1);
                if self.calls == 0 {
                    self.phase("work");
                }
            }
            // It goes out with the next change.
            Event::StatusUpdate(update) => {
                if let Some((tokens, max)) = update.counted {
                    self.status.context = StatusUpdate::share(tokens, max).min(1.0);
                }
            }
            _ => {}
        }
    }

    fn phase(&mut self, phase: &str) {
        if self.status.phase.as_deref() != Some(phase) {
            self.status.phase = Some(phase.to_owned());
            self.control.publish(&self.status);
        }
    }

    /// The turn has ended.
    pub(super) fn ended(&mut self, outcome: &Outcome) {
        let (finish, error) = match outcome {
            Outcome::Finished { .. } => match outcome.given_up() {
                Some(why) => (Finish::Error, Some(format!("{why}."))),
                None => (Finish::Done, None),
            },
            Outcome::Cancelled => (Finish::Cancelled, None),
            Outcome::MaxStepsReached { steps } => {
                (Finish::Error, Some(format!("The limit of {steps} steps was reached.")))
            }
            Outcome::BudgetSpent(spent) => (Finish::Error, Some(format!("{spent}."))),
            Outcome::Failed(failure) => (Finish::Error, Some(failure.message.clone())),
        };
        let answer = self.answer.take();
        let has_answer = !answer.is_empty();
        self.status.last = Some(LastTurn {
            turn: self.status.turn,
            finish,
            error,
            path: has_answer.then(|| self.answer_path.clone()),
            sha256: has_answer.then(|| hex_sha256(answer.as_bytes())),
            bytes: answer.len(),
        });
        self.status.phase = None;
        self.control.publish(&self.status);
    }

    /// Says that the run is over, and shuts.
    pub(super) async fn shut(self) {
        self.control.stop().await;
    }
}

/// Replies to a command. True when the running turn shall be stopped.
pub(super) fn reply(asked: Asked, running: bool) -> bool {
    let stop = running && asked.command == Command::Interrupt;
    let answer = match asked.command {
        _ if stop => Answer::ok(),
        Command::Interrupt => Answer::refused(RefusalCode::WrongState, "No turn runs."),
        _ => Answer::refused(
            RefusalCode::NotHere,
            "A print run takes its prompts from its command line and standard input alone.",
        ),
    };
    // The caller may have gone.
    let _ = asked.reply.send(answer);
    stop
}
