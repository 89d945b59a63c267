//! Print mode: one or more prompts in, answers on stdout, an exit status. No screen, no keyboard.
//!
//! # Where things go
//!
//! stdout gets the answer in the chosen form and nothing else. stderr gets everything about the
//! run: errors, tool calls (text form), the hint how to resume. An error is told once, on stderr,
//! in every form; in the `stream-json` form stdout gets an extra record `{"error":{...}}`, so that
//! every line there is JSON. The exit status is that of [`ExitCode`].
//!
//! # The forms
//!
//! * [`records`]: `stream-json`, one JSON object per message, written when the message is whole.
//!   What a failed attempt streamed is never written.
//! * [`last_message`]: only the last message of a turn, when the turn has ended well.
//! * [`text`]: for reading along. Text reaches stdout as it arrives, so it is there before we can
//!   know whether the attempt succeeds. When an attempt fails and the next one begins with the
//!   same words, only what is new follows. When it differs, stderr says
//!   `[retrying: the text above is withdrawn]` and the answer starts afresh on a new line.
//!
//! A bare `-p` follows kimi-code in all of this, see [`code`]; `--print` and `--quiet` are kimi-cli's.
//!
//! # Ends
//!
//! A goal (`/goal <objective>`) ends with status 0, 3 or 6 and a word of its own, see [`goal`].
//! SIGINT cancels the turn (status 1; 6 when that pauses a goal), SIGTERM too (143, within two seconds, whole lines only). A
//! reader of stdout that goes away cancels the turn and ends with status 0; a stdout that cannot be
//! written for another reason, such as a full disk, ends with status 1.

mod background;
pub mod code;
mod door;
mod failure;
mod goal;
mod input;
mod last_message;
mod output;
mod records;
mod text;
mod turns;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::sync::Arc;

use tokio::io::AsyncBufRead;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

pub use door::Door;
#[cfg(any(test, fuzzing))]
pub use input::check_line;

use crate::agent::BackgroundView;
use crate::front::ending::ExitCode;
pub use crate::front::signals::{Signal, listen};
use crate::protocol::{Event, Message, Op, Outcome};
use output::{Output, Pieces};

/// The form of input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    /// One JSON object per line.
    StreamJson,
}

/// Whose conventions the output follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// kimi-cli's.
    #[default]
    Cli,
    /// kimi-code's.
    Code {
        /// Whether the output begins with the version.
        tells_version: bool,
    },
}

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct PrintOptions {
    pub dialect: Dialect,
    /// The first prompt. With text input it is the only one, and stdin is not read.
    pub prompt: Option<String>,
    pub input_format: Format,
    pub output_format: Format,
    /// Only the last message of each turn.
    pub final_only: bool,
    /// A terminal as stdin holds no prompt and is not read for text.
    pub stdin_is_terminal: bool,
    /// On a terminal, text is freed of what the terminal would act on.
    pub stdout_is_terminal: bool,
    /// On a terminal, thinking is shown there, dim.
    pub stderr_is_terminal: bool,
    /// The width of the terminals, where they are some.
    pub columns: Option<usize>,
    /// Named by the hint at the end, which is given once a turn has begun.
    pub session_id: String,
}

/// The two ends of a session.
pub struct Link {
    pub ops: UnboundedSender<Op>,
    pub messages: UnboundedReceiver<Arc<Message>>,
    /// Background tasks are waited for, if there may be any.
    pub background: Option<BackgroundView>,
}

/// The standard streams.
pub struct Streams<I, O, E> {
    pub stdin: I,
    pub stdout: O,
    pub stderr: E,
}

/// Runs all prompts and shuts the session down, and then the side door.
///
/// stdout and stderr are written by a thread of their own, so that a reader who is slow or asleep
/// holds up neither signals nor the session. When this returns, everything is written, unless the
/// reader did not take it soon after a signal.
///
/// The runtime may still hold a read of stdin when this returns: shut it down in the background.
pub async fn run<I, O, E>(
    options: PrintOptions,
    link: Link,
    door: Option<Door>,
    streams: Streams<I, O, E>,
    signals: UnboundedReceiver<Signal>,
) -> ExitCode
where
    I: AsyncBufRead,
    O: Write + Send + 'static,
    E: Write + Send + 'static,
{
    let (output, mut writer) = Output::start(streams.stdout, streams.stderr);
    let mut turns = turns::Turns::new(&options, link, door, output, signals);
    let end = turns.run_all(&options, streams.stdin).await;
    turns.finish(&options, end);
    let door = turns.door.take();
    let (end, signals) = turns.shut_down(end).await;
    let shut = async {
        if let Some(door) = door {
            door.shut().await;
        }
    };
    let (end, ()) = tokio::join!(turns::last_write(end, &mut writer, signals), shut);
    let code = match options.dialect {
        Dialect::Cli => end.code(),
        Dialect::Code { .. } => code::status(end),
    };
    match code {
        ExitCode::Success if writer.has_failed() => ExitCode::Failure,
        code => code,
    }
}

/// [`run`] on the streams and signals of this process.
pub async fn run_on_process(
    options: PrintOptions,
    link: Link,
    door: Door,
) -> std::io::Result<ExitCode> {
    let signals = listen()?;
    let streams = Streams {
        stdin: tokio::io::BufReader::new(tokio::io::stdin()),
        stdout: std::io::stdout(),
        stderr: std::io::stderr(),
    };
    Ok(run(options, link, Some(door), streams, signals).await)
}

/// Makes records or text of what happens.
trait Printer: Send {
    /// An event of the running turn.
    fn event(&mut self, event: &Event, to: &mut Pieces);

    /// The turn is over. Told before the error line.
    fn ended(&mut self, outcome: &Outcome, to: &mut Pieces);
}

fn printer(options: &PrintOptions) -> Box<dyn Printer> {
    let clean = options.stdout_is_terminal;
    if let Dialect::Code { .. } = options.dialect {
        return match options.output_format {
            Format::StreamJson => Box::new(code::Records::default()),
            Format::Text => {
                let terminals = (options.stdout_is_terminal, options.stderr_is_terminal);
                Box::new(code::Blocks::new(terminals, options.columns))
            }
        };
    }
    match (options.output_format, options.final_only) {
        (format, true) => Box::new(last_message::LastMessage::new(format, clean)),
        (Format::StreamJson, false) => Box::new(records::Records::default()),
        (Format::Text, false) => {
            Box::new(text::Text::new(options.stdout_is_terminal, options.stderr_is_terminal))
        }
    }
}
