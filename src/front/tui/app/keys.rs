//! Where a key goes: overlay, dialog, composer, app.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::panes::Pane;
use super::{App, TuiError};
use crate::front::text::clean_line;
use crate::front::tui::cells::Severity;
use crate::front::tui::commands;
use crate::front::tui::composer::{ComposerContext, ComposerEvent, Invocation};
use crate::front::tui::dialogs::DialogReply;
use crate::front::tui::keymap::Action;
use crate::front::tui::overlays::Pager;
use crate::front::tui::status::toast::Toast;
use crate::platform::editor::Editor;

/// How long a second Ctrl-C counts as the second.
const EXIT_WINDOW: Duration = Duration::from_millis(1_500);
/// How long a reader of the bytes may take from a paste to its Enter.
const STIR: Duration = Duration::from_millis(800);

impl App {
    pub(super) fn on_key(&mut self, key: KeyEvent) -> Result<(), TuiError> {
        if key.kind == KeyEventKind::Release {
            return Ok(());
        }
        if self.pane.is_some() {
            return self.pane_key(key);
        }
        let now = self.now();
        if !self.dialogs.is_empty() {
            return self.dialog_key(key);
        }
        self.last_key = Some(now);
        if key.code != KeyCode::Esc {
            self.escaped = None;
        }
        if self.side_key(key) { Ok(()) } else { self.composer_key(key) }
    }

    pub(super) fn on_paste(&mut self, text: &str) -> Result<(), TuiError> {
        if self.pane.is_some() {
            return self.pane_paste(text);
        }
        if let Some(dialog) = self.dialogs.front_mut() {
            dialog.paste(text);
            return Ok(());
        }
        self.composer.paste(text);
        if !self.composer.mode().is_shell() {
            self.look_for_dropped(text);
        }
        if self.env.var("TMUX").is_some() && !self.busy() {
            self.stir_until = Some(self.now() + STIR);
        }
        Ok(())
    }

    fn dialog_key(&mut self, key: KeyEvent) -> Result<(), TuiError> {
        let now = self.now();
        let columns = self.columns();
        let Some(dialog) = self.dialogs.front_mut() else { return Ok(()) };
        match dialog.key(key, now) {
            DialogReply::Ignored | DialogReply::Redraw => {}
            DialogReply::Guarded => {
                self.last_key = Some(now);
                return self.guarded_key(key);
            }
            DialogReply::Expand => {
                let lines = dialog.full(columns, &self.theme);
                let title = dialog.title();
                return self.open_pane(Pane::other(Pager::new(title, lines)));
            }
            DialogReply::Answer(response) => {
                let id = dialog.request_id().to_owned();
                self.close_dialog(&id);
                self.answered(response);
            }
        }
        Ok(())
    }

    /// A key that was typed before the dialog could be read goes into the draft, if it is text.
    fn guarded_key(&mut self, key: KeyEvent) -> Result<(), TuiError> {
        let text = matches!(key.code, KeyCode::Char(_) | KeyCode::Backspace)
            && !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        if text { self.composer_key(key) } else { Ok(()) }
    }

    fn composer_key(&mut self, key: KeyEvent) -> Result<(), TuiError> {
        let context = ComposerContext {
            running: self.busy(),
            queued: self.queue.len(),
            // What a program types is meant for the model, whatever it begins with.
            commands: !self.orchestrated(),
        };
        match self.composer.handle(key, &context) {
            ComposerEvent::None => {}
            ComposerEvent::Edited => {
                self.exit_armed = None;
                self.sending = None;
                // The menu opens: skills may have been written since it did last.
                if key.code == KeyCode::Char('/') && self.composer.text() == "/" {
                    self.look_for_skills();
                }
            }
            ComposerEvent::Submit | ComposerEvent::Queue => return self.submit(),
            ComposerEvent::Steer => return self.steer(),
            ComposerEvent::RunCommand(invocation) => return self.run_invocation(&invocation),
            ComposerEvent::RecallQueued => self.recall_queued(),
            ComposerEvent::App(action) => return self.act(action),
        }
        Ok(())
    }

    fn run_invocation(&mut self, invocation: &Invocation) -> Result<(), TuiError> {
        let line = format!("/{} {}", invocation.name, invocation.args);
        let line = line.trim_end();
        // What cannot run now stays in the composer.
        if self.busy()
            && let Some(entry) = commands::find(&invocation.name)
            && !entry.anytime
        {
            let text = format!("/{} is not available during streaming", entry.name);
            self.toast("command", &text);
            return Ok(());
        }
        // Nor does what a command would lose.
        if self.composer.has_pictures() {
            self.toast("command", &format!("/{} takes no pictures", invocation.name));
            return Ok(());
        }
        let submission = self.composer.take();
        self.remember(&submission);
        self.run_command_line(line)
    }

    fn act(&mut self, action: Action) -> Result<(), TuiError> {
        match action {
            Action::Escape => return self.escape(),
            Action::Interrupt => self.ctrl_c(),
            Action::ExitOrDelete => {
                if self.busy() || !self.session.tasks().active().is_empty() {
                    self.arm_exit();
                } else {
                    self.leaving = true;
                }
            }
            Action::OpenEditor => return self.edit_outside(),
            Action::PasteClipboard => self.paste_clipboard(),
            Action::ToBackground if !self.send_to_background() => {
                return self.composer_key(KeyEvent::from(KeyCode::Left));
            }
            Action::TogglePlanMode => self.set_plan_mode(!self.info.plan_mode),
            Action::ToggleTodos => self.todos_open = !self.todos_open,
            Action::ToggleOutput => return self.run_command_line("/transcript"),
            Action::ShowKeys => return self.run_command_line("/help"),
            Action::Redraw => self.screen.docked().refresh(),
            Action::Suspend => {
                // Whoever reads must not take it for idle while a shell has the terminal.
                self.door.pause();
                self.screen.stop()?;
                self.dirty = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn ctrl_c(&mut self) {
        if self.busy() {
            self.interrupt();
        } else if !self.composer.is_empty() {
            let cleared = self.composer.take();
            self.composer.record(&cleared);
        } else if self.composer.mode().is_shell() {
            self.composer.leave_shell();
        } else {
            self.arm_exit();
        }
    }

    /// Leaves at the second press within the window.
    fn arm_exit(&mut self) {
        let now = self.now();
        if self.exit_armed.is_some_and(|until| now < until) {
            self.leaving = true;
            return;
        }
        self.exit_armed = Some(now + EXIT_WINDOW);
        let toast = Toast { lasts: EXIT_WINDOW, ..Toast::new("exit", "press again to leave") };
        self.toasts.push(toast, now);
    }

    /// Hands the draft to an editor. Nothing is lost when there is none or it fails.
    fn edit_outside(&mut self) -> Result<(), TuiError> {
        let configured = self.host.config().default_editor.as_str();
        let configured = Some(configured).filter(|command| !command.is_empty());
        let editor = match Editor::choose(configured, &self.env) {
            Ok(editor) => editor,
            Err(error) => {
                self.say(Severity::Warning, &error.to_string(), "");
                return Ok(());
            }
        };
        let text = self.composer.text();
        self.screen.give_away()?;
        let edited = editor.edit(&text, &self.env);
        self.screen.take_back()?;
        match edited {
            Ok(Some(edited)) => self.composer.set_edited(&edited),
            Ok(None) => {}
            Err(error) => self.say(Severity::Warning, &clean_line(&error.to_string()), ""),
        }
        self.dirty = true;
        Ok(())
    }

    /// A short remark in the status bar.
    pub(super) fn toast(&mut self, topic: &'static str, text: &str) {
        let now = self.now();
        self.toasts.push(Toast::new(topic, text), now);
        self.dirty = true;
    }
}
