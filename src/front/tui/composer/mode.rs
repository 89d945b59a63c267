//! Whether a message or a command for the shell is being written.
//!
//! A command is kept in the history with a `!` in front and comes back as a command. A message that
//! itself begins with one is kept with a blank before it.

use super::Composer;
use super::fragment::Fragment;

/// What begins a command in the history.
pub(super) const MARK: char = '!';

/// What is being written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// A message for the model.
    #[default]
    Message,
    /// One command for the shell, and then messages again.
    Command,
    /// Commands for the shell, until that is left.
    Shell,
}

impl Mode {
    /// Whether it is a command.
    pub fn is_shell(self) -> bool {
        self != Self::Message
    }
}

/// The text as the history has it.
pub(super) fn recorded(mode: Mode, text: &str) -> String {
    match mode.is_shell() {
        true => format!("{MARK}{text}"),
        false if text.starts_with(MARK) => format!(" {text}"),
        false => text.to_owned(),
    }
}

impl Composer {
    /// What is being written.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Goes on with a message; the text stays.
    pub fn leave_shell(&mut self) {
        self.mode = Mode::Message;
        self.update_menu();
    }

    /// Into shell mode, and out of it again.
    pub(super) fn toggle_shell(&mut self) {
        self.mode = if self.mode.is_shell() { Mode::Message } else { Mode::Shell };
        self.update_menu();
    }

    /// What is being written, with the mark of its mode: for who puts it back with
    /// [`Self::put_marked`].
    pub(super) fn marked(&self) -> Fragment {
        let mut content = self.buffer.content().clone();
        if self.mode.is_shell() {
            content.prepend(&Fragment::plain(MARK));
        } else if content.text.starts_with(MARK) {
            content.prepend(&Fragment::plain(" "));
        }
        content
    }

    /// Puts text in place of what is written, in the mode that its mark says.
    pub(super) fn put_marked(&mut self, mut content: Fragment) {
        if content.text.starts_with(MARK) {
            content.splice(0..MARK.len_utf8(), &Fragment::default());
            self.mode = if self.mode == Mode::Shell { Mode::Shell } else { Mode::Command };
        } else {
            self.mode = Mode::Message;
        }
        self.buffer.replace_all(content);
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
    use crate::front::tui::composer::{
        ComposerContext, ComposerEvent, History, PasteThresholds, Submission,
    };

    const IDLE: ComposerContext = ComposerContext { running: false, queued: 0, commands: true };

    fn composer(history: &[&str]) -> Composer {
        let history = History::new(history.iter().map(|entry| (*entry).to_owned()).collect());
        Composer::new(history, Vec::new(), None, PasteThresholds::default())
    }

    fn press(composer: &mut Composer, codes: impl IntoIterator<Item = KeyCode>) -> ComposerEvent {
        let event = codes.into_iter().map(|code| composer.handle(KeyEvent::from(code), &IDLE));
        event.last().unwrap_or(ComposerEvent::None)
    }

    fn write(composer: &mut Composer, text: &str) {
        press(composer, text.chars().map(KeyCode::Char));
    }

    fn ctrl(composer: &mut Composer, c: char) -> ComposerEvent {
        composer.handle(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL), &IDLE)
    }

    fn state(composer: &Composer) -> (Mode, String) {
        (composer.mode(), composer.text())
    }

    #[test]
    fn a_mark_that_is_typed_first_begins_one_command() {
        let mut composer = composer(&[]);
        write(&mut composer, "!ls !x");
        assert_eq!(state(&composer), (Mode::Command, "ls !x".to_owned()));
        let command = composer.take();
        assert!(command.is_command);
        assert_eq!((command.text.as_str(), command.shown.as_str()), ("ls !x", "!ls !x"));
        assert_eq!(composer.mode(), Mode::Message);
        composer.set_draft(command.draft);
        assert_eq!(state(&composer), (Mode::Command, "ls !x".to_owned()));
        composer.clear();
        // Neither later in a message, nor where it is not asked for, nor pasted.
        write(&mut composer, "no!");
        assert_eq!(state(&composer), (Mode::Message, "no!".to_owned()));
        composer.clear();
        composer.paste("!rm -r /");
        assert_eq!(state(&composer), (Mode::Message, "!rm -r /".to_owned()));
        composer.clear();
        let driven = ComposerContext { commands: false, ..IDLE };
        composer.handle(KeyEvent::from(KeyCode::Char('!')), &driven);
        assert_eq!(state(&composer), (Mode::Message, "!".to_owned()));
    }

    #[test]
    fn an_empty_command_is_left_with_backspace_esc_or_the_key() {
        let mut composer = composer(&[]);
        for code in [KeyCode::Backspace, KeyCode::Esc] {
            write(&mut composer, "!a");
            press(&mut composer, [KeyCode::Backspace]);
            assert_eq!(composer.mode(), Mode::Command);
            press(&mut composer, [code]);
            assert_eq!(composer.mode(), Mode::Message);
        }
        ctrl(&mut composer, 'x');
        write(&mut composer, "ls");
        assert!(composer.take().is_command);
        assert_eq!(composer.mode(), Mode::Shell, "it stays until it is left");
        write(&mut composer, "?");
        ctrl(&mut composer, 'x');
        assert_eq!(state(&composer), (Mode::Message, "?".to_owned()));
    }

    #[test]
    fn commands_come_back_from_the_history_as_commands() {
        let mut composer = composer(&["hello", "!make test"]);
        write(&mut composer, "draft");
        press(&mut composer, [KeyCode::Up]);
        assert_eq!(state(&composer), (Mode::Command, "make test".to_owned()));
        press(&mut composer, [KeyCode::Up]);
        assert_eq!(state(&composer), (Mode::Message, "hello".to_owned()));
        press(&mut composer, [KeyCode::Down, KeyCode::Down]);
        assert_eq!(state(&composer), (Mode::Message, "draft".to_owned()));
        // In shell mode there are only commands.
        composer.clear();
        ctrl(&mut composer, 'x');
        press(&mut composer, [KeyCode::Up, KeyCode::Up]);
        assert_eq!(state(&composer), (Mode::Shell, "make test".to_owned()));
        press(&mut composer, [KeyCode::Down]);
        assert_eq!(state(&composer), (Mode::Shell, String::new()));
        // Found again, too.
        ctrl(&mut composer, 'r');
        write(&mut composer, "hell");
        press(&mut composer, [KeyCode::Right]);
        assert_eq!(state(&composer), (Mode::Message, "hello".to_owned()));
    }

    #[test]
    fn a_message_that_looks_like_a_command_is_kept_as_a_message() {
        let mut composer = composer(&[]);
        composer.paste("!important: read this");
        let message = composer.take();
        assert_eq!(composer.record(&message).as_deref(), Some(" !important: read this"));
        assert_eq!(composer.record(&Submission::plain(" ")), None);
        press(&mut composer, [KeyCode::Up]);
        assert_eq!(state(&composer), (Mode::Message, " !important: read this".to_owned()));
        composer.clear();
        write(&mut composer, "!ls");
        let command = composer.take();
        assert_eq!(composer.record(&command).as_deref(), Some("!ls"));
    }
}
