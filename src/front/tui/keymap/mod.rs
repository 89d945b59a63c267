//! Keys as data: named actions, the contexts they belong to, and one table of bindings from which
//! both the keys and the help sheet are made.

mod action;
mod chord;
mod table;

use std::collections::HashMap;

use crossterm::event::KeyEvent;

pub use action::{Action, Context};
pub use chord::Chord;
pub use table::Binding;

/// Which key does what.
#[derive(Debug, Clone)]
pub struct Keymap {
    bindings: Vec<Binding>,
    index: HashMap<(Context, Chord), Action>,
}

/// A row of the help sheet: an action and all of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRow {
    pub context: Context,
    /// The keys, separated by blanks, such as `Ctrl-J Alt-Enter Shift-Enter`.
    pub keys: String,
    pub description: &'static str,
}

impl Default for Keymap {
    fn default() -> Self {
        let bindings: Vec<Binding> = table::defaults().collect();
        let index = bindings.iter().map(|b| ((b.context, b.chord), b.action)).collect();
        Self { bindings, index }
    }
}

impl Keymap {
    /// What this key does in this context.
    pub fn action(&self, context: Context, event: KeyEvent) -> Option<Action> {
        self.index.get(&(context, Chord::of(event)?)).copied()
    }

    /// The help sheet: one row for each action of each context, in the order of the table.
    pub fn sheet(&self) -> Vec<SheetRow> {
        let mut rows: Vec<SheetRow> = Vec::new();
        for binding in &self.bindings {
            let description = binding.action.description();
            let known = rows
                .iter_mut()
                .find(|row| row.context == binding.context && row.description == description);
            match known {
                Some(row) => {
                    row.keys.push(' ');
                    row.keys.push_str(&binding.chord.to_string());
                }
                None => rows.push(SheetRow {
                    context: binding.context,
                    keys: binding.chord.to_string(),
                    description,
                }),
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEventKind, KeyEventState, KeyModifiers};

    use super::*;

    fn action(code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
        Keymap::default().action(Context::Composer, KeyEvent::new(code, modifiers))
    }

    #[test]
    fn every_chord_has_one_meaning_in_its_context() {
        let keymap = Keymap::default();
        assert_eq!(keymap.bindings.len(), keymap.index.len());
    }

    #[test]
    fn every_bound_chord_can_be_typed() {
        for binding in table::defaults() {
            let event = KeyEvent::new(binding.chord.code, binding.chord.modifiers);
            assert_eq!(Chord::of(event), Some(binding.chord), "{}", binding.chord);
        }
    }

    #[test]
    fn terminals_spell_the_same_key_in_several_ways() {
        let ctrl = KeyModifiers::CONTROL;
        for code in ['7', '_', '-', '/'] {
            assert_eq!(action(KeyCode::Char(code), ctrl), Some(Action::Undo), "{code}");
        }
        for code in ['_', '-'] {
            let chord = action(KeyCode::Char(code), ctrl | KeyModifiers::SHIFT);
            assert_eq!(chord, Some(Action::Redo), "{code}");
        }
        assert_eq!(action(KeyCode::Char('A'), ctrl), Some(Action::LineStart));
        assert_eq!(action(KeyCode::Char('m'), ctrl), Some(Action::Submit));
        assert_eq!(action(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Action::ShowKeys));
    }

    #[test]
    fn caps_lock_does_not_break_control_keys() {
        let event = KeyEvent::new_with_kind_and_state(
            KeyCode::Char('C'),
            KeyModifiers::CONTROL,
            KeyEventKind::Press,
            KeyEventState::CAPS_LOCK,
        );
        let found = Keymap::default().action(Context::Composer, event);
        assert_eq!(found, Some(Action::Interrupt));
    }

    #[test]
    fn releases_do_nothing_and_alt_gr_types() {
        let mut event = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        event.kind = KeyEventKind::Release;
        assert_eq!(Keymap::default().action(Context::Composer, event), None);

        let typed = |c, modifiers| {
            Chord::of(KeyEvent::new(KeyCode::Char(c), modifiers)).and_then(Chord::character)
        };
        let alt_gr = KeyModifiers::CONTROL | KeyModifiers::ALT;
        assert_eq!(typed('@', alt_gr), Some('@'));
        assert_eq!(typed('x', alt_gr), None);
        assert_eq!(typed('x', KeyModifiers::SUPER), None);
        assert_eq!(typed('X', KeyModifiers::SHIFT), Some('X'));
    }

    #[test]
    fn the_sheet_joins_the_keys_of_an_action() {
        let sheet = Keymap::default().sheet();
        let newline = sheet.iter().find(|row| row.description == "new line").unwrap();
        assert_eq!(newline.keys, "Ctrl-J Alt-Enter Shift-Enter");
        let choose = sheet
            .iter()
            .find(|row| row.context == Context::Approval && row.description == "choose by number")
            .unwrap();
        assert_eq!(choose.keys, "1 2 3 4 y a n");
    }
}
