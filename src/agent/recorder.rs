//! Writes the event stream to `wire.jsonl`, merged as its readers expect it.

use tracing::warn;

use crate::protocol::{ContentPart, Event, Message, Request, ToolCall};
use crate::store::{StoreError, WireLog};

/// Seconds after which text that still streams is written all the same, so that a killed process
/// loses no more than this of what was on the screen.
const FLUSH_AFTER_S: f64 = 1.0;

/// Merges streamed pieces into whole parts and appends them to the session's wire log
/// (wire.md section 8: one `ContentPart` per contiguous text, complete `ToolCall` arguments).
pub struct Recorder {
    log: WireLog,
    taps: Vec<Tap>,
    pending: Option<Pending>,
    /// Turns that run, one inside the other.
    turns: usize,
    /// Set after the first failed write, so that a full disk is told once.
    failed: bool,
}

/// Hears every event that is recorded, merged as it is recorded.
pub type Tap = Box<dyn FnMut(&Event) + Send>;

struct Pending {
    since: f64,
    piece: Piece,
}

enum Piece {
    Text(String),
    Think(String),
    Call(ToolCall),
}

impl Recorder {
    /// A recorder that appends to `log`.
    pub fn new(log: WireLog) -> Self {
        Self { log, taps: Vec::new(), pending: None, turns: 0, failed: false }
    }

    /// The same, with somebody who hears what is recorded.
    #[must_use]
    pub fn with_tap(mut self, tap: impl FnMut(&Event) + Send + 'static) -> Self {
        self.taps.push(Box::new(tap));
        self
    }

    /// Records one message at `now` (Unix seconds).
    pub fn record(&mut self, now: f64, message: &Message) {
        match message {
            Message::Event(event) => self.event(now, event),
            Message::Request(
                request @ (Request::QuestionRequest(_) | Request::ToolCallRequest(_)),
            ) => {
                self.flush();
                let result = self.log.append_request(now, request);
                self.check(result);
            }
            // Approvals are not part of this record, nor is what hooks are asked (wire.md section 8).
            Message::Request(Request::ApprovalRequest(_)) => self.flush(),
            Message::Request(Request::HookRequest(_)) => {}
            Message::Outcome { .. } => self.flush(),
        }
    }

    fn event(&mut self, now: f64, event: &Event) {
        match event {
            Event::TurnBegin { .. } => self.turns += 1,
            Event::TurnEnd {} => self.turns = self.turns.saturating_sub(1),
            _ => {}
        }
        match event {
            // A session in which nothing was said has no record, whoever hears of its start and end.
            Event::HookTriggered { .. } | Event::HookResolved { .. } if self.turns == 0 => {}
            Event::ContentPart(ContentPart::Text { text }) => self.text(now, text),
            Event::ContentPart(ContentPart::Think { think, encrypted: None }) => {
                self.think(now, think);
            }
            Event::ToolCall(call) => {
                self.flush();
                self.pending = Some(Pending { since: now, piece: Piece::Call(call.clone()) });
            }
            Event::ToolCallPart { arguments_part } => {
                if let Some(Pending { piece: Piece::Call(call), .. }) = &mut self.pending {
                    call.function
                        .arguments
                        .get_or_insert_default()
                        .push_str(arguments_part.as_deref().unwrap_or_default());
                }
            }
            // The attempt failed: what it streamed is withdrawn.
            Event::StepRetry { .. } => {
                self.pending = None;
                self.append(now, event);
            }
            // They come in the middle of what streams, which must stay whole.
            Event::BtwBegin { .. } | Event::BtwEnd { .. } => self.append(now, event),
            Event::ApprovalResponse(_) => self.flush(),
            event if event.is_wire() => {
                self.flush();
                self.append(now, event);
            }
            _ => {}
        }
    }

    fn text(&mut self, now: f64, text: &str) {
        if let Some(Pending { piece: Piece::Text(pending), .. }) = &mut self.pending {
            pending.push_str(text);
        } else {
            self.flush();
            self.pending = Some(Pending { since: now, piece: Piece::Text(text.to_owned()) });
        }
        self.flush_when_old(now);
    }

    fn think(&mut self, now: f64, think: &str) {
        if let Some(Pending { piece: Piece::Think(pending), .. }) = &mut self.pending {
            pending.push_str(think);
        } else {
            self.flush();
            self.pending = Some(Pending { since: now, piece: Piece::Think(think.to_owned()) });
        }
        self.flush_when_old(now);
    }

    /// Writes text that has streamed for long enough; called now and then, because a stream that
    /// stalls brings nothing that would do it.
    pub fn flush_when_old(&mut self, now: f64) {
        let old = self.pending.as_ref().is_some_and(|pending| {
            // A call is written whole: its arguments may still come.
            !matches!(pending.piece, Piece::Call(_)) && now - pending.since >= FLUSH_AFTER_S
        });
        if old {
            self.flush();
        }
    }

    /// Writes what is pending.
    pub fn flush(&mut self) {
        let Some(Pending { since, piece }) = self.pending.take() else { return };
        let event = match piece {
            Piece::Text(text) => Event::ContentPart(ContentPart::Text { text }),
            Piece::Think(think) => Event::ContentPart(ContentPart::think(think)),
            Piece::Call(call) => Event::ToolCall(call),
        };
        self.append(since, &event);
    }

    fn append(&mut self, now: f64, event: &Event) {
        let result = self.log.append_event(now, event);
        self.check(result);
        self.taps.iter_mut().for_each(|tap| tap(event));
    }

    fn check(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result
            && !self.failed
        {
            self.failed = true;
            warn!(%error, "the session's wire record cannot be written");
        }
    }
}
