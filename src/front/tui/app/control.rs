//! What other programs ask of the screen: messages, answers, an interrupt.
//!
//! They come in between the keys of a person: who comes first wins, and the other is told.

use tokio::sync::mpsc::UnboundedReceiver;

use super::goal::opens_goal_queue;
use super::herald::{Glance, Herald};
use super::turns::Queued;
use super::{App, TuiError};
use crate::front::control::{Asked, Control};
use crate::front::text::clean_line;
use crate::front::tui::cells::Severity;
use crate::front::tui::commands::{Command as Slash, Resolved};
use crate::front::tui::composer::{Submission, normalised};
use crate::front::tui::transcript::Activity;
use crate::protocol::control::{Answer, Choice, Command, Mode, RefusalCode, State};

/// The side door of the screen, shut until there is a first frame.
#[derive(Default)]
pub(super) struct Door {
    control: Option<Control>,
    asked: Option<UnboundedReceiver<Asked>>,
    herald: Herald,
    /// The first complaint since a command of another program began.
    complaint: Option<String>,
}

impl Door {
    /// The next command. Waits for ever when none can come. Safe to drop and call again.
    pub async fn next(&mut self) -> Asked {
        if let Some(asked) = &mut self.asked {
            match asked.recv().await {
                Some(asked) => return asked,
                None => self.asked = None,
            }
        }
        std::future::pending().await
    }

    /// Takes note of what a person is told: a program does not see it.
    pub fn heard(&mut self, severity: Severity, title: &str, body: &str) {
        if matches!(severity, Severity::Warning | Severity::Error) && self.complaint.is_none() {
            self.complaint = Some(clean_line(format!("{title} {body}").trim()));
        }
    }

    /// Lets nothing in any more and tells those who wait.
    pub fn refuse_all(&mut self) {
        let Some(mut asked) = self.asked.take() else { return };
        asked.close();
        while let Ok(Asked { reply, .. }) = asked.try_recv() {
            // Who has hung up does not want to know.
            let _ = reply.send(leaving());
        }
    }

    /// Says that the process is about to be stopped; what is told next takes that back.
    pub fn pause(&self) {
        if let Some(control) = &self.control {
            control.pause();
        }
    }

    /// Says that the process ends.
    pub async fn shut(&mut self) {
        self.refuse_all();
        if let Some(control) = self.control.take() {
            control.stop().await;
        }
    }
}

impl App {
    /// Lets other programs in. Nothing is told yet.
    pub(super) fn open_door(&mut self) {
        let (control, asked) = Control::start(Mode::Tui, &self.env, self.host.store.share());
        self.door.control = Some(control);
        self.door.asked = Some(asked);
    }

    /// Tells other programs what has changed. Idle is told only when it can be seen: who reads of it
    /// may look at the screen or type at once.
    pub(super) fn tell(&mut self) {
        let now = self.now();
        let visible = self.idle_drawn || self.pane.is_some();
        let front = self.dialogs.front();
        let glance = Glance {
            state: match (&self.turn, front) {
                (_, Some(_)) => State::Ask,
                (Some(_), None) => State::Busy,
                (None, None) if self.answering_beside() => State::Busy,
                (None, None) => State::Idle,
            },
            turn: self.books.turn(),
            activity: match &self.turn {
                Some(_) => Some(self.transcript.activity()),
                None => self.answering_beside().then_some(Activity::Write),
            },
            session: &self.info.session_id,
            session_dir: &self.info.session_dir,
            cwd: &self.info.work_dir,
            model: self.info.model.as_deref(),
            context: self.context,
            queued: self.queue.len() + self.steering.len(),
            input: self.books.input(),
            ask: front.map(|dialog| (dialog.request_id(), self.dialogs.len() - 1)),
            last: self.books.last(),
        };
        let drawn = !self.dirty;
        let Door { control: Some(control), herald, .. } = &mut self.door else { return };
        if drawn {
            control.resume();
        }
        let ask = || front.map(|dialog| dialog.open_ask());
        if let Some(status) = herald.news(&glance, visible, now, ask) {
            control.publish(status);
        }
    }

    /// Carries out a command and replies when it has been, whatever becomes of the screen.
    pub(super) async fn on_asked(&mut self, asked: Asked) -> Result<(), TuiError> {
        let Asked { command, reply } = asked;
        self.dirty = true;
        let answered = match command {
            Command::Send { text, steer } => self.asked_to_send(&text, steer).await,
            Command::Answer { id, choices } => Ok(self.asked_to_answer(id.as_deref(), &choices)),
            Command::Interrupt => Ok(self.asked_to_interrupt()),
            Command::State | Command::Wait { .. } | Command::Watch | Command::Last => {
                Ok(refused(RefusalCode::BadCommand, "This is no command for the screen."))
            }
        };
        self.tell();
        let (answer, result) = match answered {
            Ok(answer) => (answer, Ok(())),
            Err(error) => (leaving(), Err(error)),
        };
        // Who has hung up does not want to know.
        let _ = reply.send(answer);
        result
    }

    async fn asked_to_send(&mut self, text: &str, steer: bool) -> Result<Answer, TuiError> {
        let text = normalised(text);
        if self.leaving {
            return Ok(leaving());
        }
        if text.trim().is_empty() {
            return Ok(refused(RefusalCode::BadCommand, "The message is empty."));
        }
        if self.picker_at_start {
            let why = "A session is being chosen at the terminal.";
            return Ok(refused(RefusalCode::NotHere, why));
        }
        let line = if matches!(text.trim(), "exit" | "quit") { "/exit" } else { text.as_str() };
        match self.resolve(line) {
            Some((Resolved::Screen(entry), arguments)) => {
                if self.busy() && !entry.anytime {
                    let why = format!("/{} does not work while a turn runs.", entry.name);
                    return Ok(refused(RefusalCode::WrongState, why));
                }
                if opens_overlay(entry.command, arguments) {
                    let why = format!("/{} needs a person at the terminal.", entry.name);
                    return Ok(refused(RefusalCode::NotHere, why));
                }
                self.remember(&Submission::plain(&text));
                self.door.complaint = None;
                self.run_command(entry.command, arguments)?;
                self.settle_switch().await?;
                let complaint = self.door.complaint.take();
                return Ok(complaint.map_or_else(Answer::ok, |complaint| {
                    refused(RefusalCode::BadCommand, complaint)
                }));
            }
            Some((Resolved::Unknown { name, nearest }, _)) => {
                let near = nearest.map(|near| format!(" Did you mean /{near}?"));
                let why = format!(
                    "Unknown slash command \"/{}\".{}",
                    clean_line(name),
                    near.unwrap_or_default()
                );
                return Ok(refused(RefusalCode::BadCommand, why));
            }
            Some((Resolved::Agent, _)) if opens_goal_queue(&text) => {
                let why = "The queue of goals needs a person at the terminal.";
                return Ok(refused(RefusalCode::NotHere, why));
            }
            Some((Resolved::Agent, _)) => {
                self.remember(&Submission::plain(&text));
                self.door.complaint = None;
                if self.goal_command(&text)? {
                    let complaint = self.door.complaint.take();
                    return Ok(complaint.map_or_else(Answer::ok, |complaint| {
                        refused(RefusalCode::BadCommand, complaint)
                    }));
                }
                let queued = Queued { by_program: true, ..self.take_in_text(text.trim()) };
                self.enqueue(queued)?;
            }
            None => {
                self.remember(&Submission::plain(&text));
                let queued = Queued { by_program: true, ..self.take_in_text(&text) };
                if steer && self.busy() {
                    self.steer_with(queued);
                } else {
                    self.enqueue(queued)?;
                }
            }
        }
        Ok(Answer { receipt: self.books.input().cloned(), ..Answer::ok() })
    }

    /// Does what a command has left to do, so that the reply comes after it.
    async fn settle_switch(&mut self) -> Result<(), TuiError> {
        while let Ok(done) = self.finished_jobs.try_recv() {
            self.on_job(done)?;
        }
        if let Some(which) = self.pending_switch.take() {
            self.switch_session(&which).await?;
        }
        if std::mem::take(&mut self.pending_reload) {
            self.carry_out_reload().await?;
        }
        Ok(())
    }

    fn asked_to_answer(&mut self, id: Option<&str>, choices: &[Choice]) -> Answer {
        let Some(dialog) = self.dialogs.front() else {
            return refused(RefusalCode::NoSuchAsk, "There is no open question.");
        };
        let open = dialog.request_id().to_owned();
        if id.is_some_and(|id| id != open) {
            let why = format!("That question is not open. The open one is {}.", clean_line(&open));
            return refused(RefusalCode::NoSuchAsk, why);
        }
        match dialog.answer(choices) {
            Ok(response) => {
                self.close_dialog(&open);
                self.answered(response);
                Answer::ok()
            }
            Err(unfit) => refused(RefusalCode::BadChoice, unfit.to_string()),
        }
    }

    fn asked_to_interrupt(&mut self) -> Answer {
        if !self.busy() {
            return refused(RefusalCode::WrongState, "Nothing runs.");
        }
        self.interrupt();
        Answer::ok()
    }
}

/// Commands that a person has to go on with.
fn opens_overlay(command: Slash, arguments: &str) -> bool {
    match command {
        Slash::Help | Slash::Transcript | Slash::Debug => true,
        Slash::Task => !arguments.starts_with("stop"),
        Slash::Sessions | Slash::Model | Slash::Theme => arguments.is_empty(),
        _ => false,
    }
}

fn refused(code: RefusalCode, why: impl Into<String>) -> Answer {
    Answer::refused(code, why)
}

fn leaving() -> Answer {
    refused(RefusalCode::Leaving, "The instance is leaving.")
}
