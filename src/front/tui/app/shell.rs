//! Shell mode: the commands that a person runs by themselves.

use super::{App, TuiError};
use crate::front::tui::commands::{Command, Resolved, resolve_line};
use crate::front::tui::composer::Submission;
use crate::protocol::Op;

/// A command for the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShellCommand {
    line: String,
    /// The model is told of it.
    told: bool,
}

impl ShellCommand {
    /// The command in what stands behind the `!`. With another one in front the model is not told.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (line, told) = match text.strip_prefix('!') {
            Some(line) => (line.trim_start(), false),
            None => (text, true),
        };
        (!line.is_empty()).then(|| Self { line: line.to_owned(), told })
    }

    /// What runs it, as the turn of this id.
    pub fn op(self, id: String) -> Op {
        Op::Shell { id, command: self.line, told: self.told }
    }
}

impl App {
    /// Runs what was written in shell mode, or lets it wait for the end of the turn that runs.
    pub(super) fn run_in_shell(&mut self, submission: Submission) -> Result<(), TuiError> {
        let text = submission.text.trim();
        if matches!(text, "exit" | "quit") {
            self.composer.leave_shell();
            return Ok(());
        }
        match resolve_line(text) {
            Some((Resolved::Screen(entry), arguments)) if works_in_shell(entry.command) => {
                return self.run_command(entry.command, arguments);
            }
            Some((Resolved::Screen(_) | Resolved::Agent, _)) => {
                self.toast("command", "not available in shell mode: ctrl-x leaves it");
                self.composer.set_draft(submission.draft);
                return Ok(());
            }
            // A file at the root of the disk, or nothing that we know of.
            Some((Resolved::Unknown { .. }, _)) | None => {}
        }
        let Some(command) = ShellCommand::read(text) else { return Ok(()) };
        let mut queued = self.take_in(submission);
        queued.command = Some(command);
        self.enqueue(queued)
    }
}

/// Whether a slash command means the same in shell mode (tui.md section 6).
fn works_in_shell(command: Command) -> bool {
    matches!(
        command,
        Command::Help
            | Command::Exit
            | Command::Version
            | Command::Theme
            | Command::Hooks
            | Command::Task
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_mark_keeps_it_from_the_model() {
        let read = |text| ShellCommand::read(text).map(|command| (command.line, command.told));
        assert_eq!(read("ls -l "), Some(("ls -l".to_owned(), true)));
        assert_eq!(read("! ls"), Some(("ls".to_owned(), false)));
        assert_eq!(read(" ! "), None);
        assert_eq!(read(""), None);
    }
}
