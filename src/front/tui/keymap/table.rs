//! The default bindings: the one table that keys and the help sheet are made from.

use crossterm::event::KeyCode::{
    Backspace, Char, Delete, Down, End, Enter, Esc, Home, Insert, Left, PageDown, PageUp, Right,
    Tab, Up,
};
use crossterm::event::{KeyCode, KeyModifiers};

use super::action::{Action, Context};
use super::chord::Chord;

/// A key and what it does in a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    pub context: Context,
    pub chord: Chord,
    pub action: Action,
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;
const ALT: KeyModifiers = KeyModifiers::ALT;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const CTRL_ALT: KeyModifiers = CTRL.union(ALT);
const CTRL_SHIFT: KeyModifiers = CTRL.union(SHIFT);

/// The rows of one context.
struct Section(Context, &'static [(KeyModifiers, KeyCode, Action)]);

const SECTIONS: &[Section] = &[
    Section(
        Context::Composer,
        &[
            (NONE, Enter, Action::Submit),
            (CTRL, Char('j'), Action::Newline),
            (ALT, Enter, Action::Newline),
            (SHIFT, Enter, Action::Newline),
            (NONE, Tab, Action::Complete),
            (SHIFT, Tab, Action::TogglePlanMode),
            (CTRL, Char('s'), Action::Steer),
            (NONE, Esc, Action::Escape),
            (CTRL, Char('c'), Action::Interrupt),
            (CTRL, Char('d'), Action::ExitOrDelete),
            (CTRL, Char('o'), Action::OpenEditor),
            (CTRL, Char('g'), Action::OpenEditor),
            (CTRL, Char('v'), Action::PasteClipboard),
            (ALT, Char('v'), Action::PasteClipboard),
            (CTRL, Char('b'), Action::ToBackground),
            (CTRL, Char('t'), Action::ToggleTodos),
            (ALT, Char('o'), Action::ToggleOutput),
            (CTRL, Char('r'), Action::SearchHistory),
            (NONE, Up, Action::Up),
            (CTRL, Char('p'), Action::Up),
            (NONE, Down, Action::Down),
            (CTRL, Char('n'), Action::Down),
            (NONE, Left, Action::CharLeft),
            (NONE, Right, Action::CharRight),
            (CTRL, Char('f'), Action::CharRight),
            (CTRL, Left, Action::WordLeft),
            (ALT, Left, Action::WordLeft),
            (ALT, Char('b'), Action::WordLeft),
            (CTRL, Right, Action::WordRight),
            (ALT, Right, Action::WordRight),
            (ALT, Char('f'), Action::WordRight),
            (NONE, Home, Action::LineStart),
            (CTRL, Char('a'), Action::LineStart),
            (NONE, End, Action::LineEnd),
            (CTRL, Char('e'), Action::LineEnd),
            (NONE, Backspace, Action::DeleteLeft),
            (CTRL, Char('h'), Action::DeleteLeft),
            (SHIFT, Backspace, Action::DeleteLeft),
            (NONE, Delete, Action::DeleteRight),
            (CTRL, Char('k'), Action::KillLineRight),
            (CTRL, Char('u'), Action::KillLineLeft),
            (CTRL, Char('w'), Action::KillBlankLeft),
            (ALT, Backspace, Action::KillWordLeft),
            (CTRL, Backspace, Action::KillWordLeft),
            (CTRL_ALT, Char('h'), Action::KillWordLeft),
            (ALT, Char('d'), Action::KillWordRight),
            (ALT, Delete, Action::KillWordRight),
            (CTRL, Delete, Action::KillWordRight),
            (CTRL, Char('y'), Action::Yank),
            (SHIFT, Insert, Action::PasteClipboard),
            (ALT, Char('y'), Action::YankOlder),
            (CTRL, Char('_'), Action::Undo),
            (CTRL_SHIFT, Char('_'), Action::Redo),
            (CTRL_SHIFT, Char('z'), Action::Redo),
            (CTRL, Char('l'), Action::Redraw),
            (CTRL, Char('z'), Action::Suspend),
            (NONE, Char('?'), Action::ShowKeys),
            (NONE, PageUp, Action::ToggleOutput),
        ],
    ),
    Section(
        Context::Search,
        &[
            (CTRL, Char('r'), Action::SearchOlder),
            (NONE, Up, Action::SearchOlder),
            (CTRL, Char('p'), Action::SearchOlder),
            (CTRL, Char('s'), Action::SearchNewer),
            (NONE, Down, Action::SearchNewer),
            (CTRL, Char('n'), Action::SearchNewer),
            (NONE, Enter, Action::SearchAccept),
            (NONE, Tab, Action::SearchAccept),
            (NONE, Esc, Action::SearchCancel),
            (CTRL, Char('c'), Action::SearchCancel),
            (CTRL, Char('g'), Action::SearchCancel),
            (NONE, Backspace, Action::DeleteLeft),
            (CTRL, Char('h'), Action::DeleteLeft),
        ],
    ),
    Section(
        Context::Approval,
        &[
            (NONE, Up, Action::Previous),
            (NONE, Char('k'), Action::Previous),
            (CTRL, Char('p'), Action::Previous),
            (NONE, Down, Action::Next),
            (NONE, Char('j'), Action::Next),
            (CTRL, Char('n'), Action::Next),
            (NONE, Char('1'), Action::Choose(1)),
            (NONE, Char('2'), Action::Choose(2)),
            (NONE, Char('3'), Action::Choose(3)),
            (NONE, Char('4'), Action::Choose(4)),
            (NONE, Char('y'), Action::Choose(1)),
            (NONE, Char('a'), Action::Choose(2)),
            (NONE, Char('n'), Action::Choose(3)),
            (NONE, Enter, Action::Confirm),
            (NONE, Esc, Action::Reject),
            (CTRL, Char('c'), Action::Reject),
            (CTRL, Char('d'), Action::Reject),
            (CTRL, Char('e'), Action::Expand),
        ],
    ),
    Section(
        Context::Question,
        &[
            (NONE, Up, Action::Previous),
            (NONE, Down, Action::Next),
            (NONE, Left, Action::PreviousTab),
            (SHIFT, Tab, Action::PreviousTab),
            (NONE, Right, Action::NextTab),
            (NONE, Tab, Action::NextTab),
            (NONE, Char('1'), Action::Choose(1)),
            (NONE, Char('2'), Action::Choose(2)),
            (NONE, Char('3'), Action::Choose(3)),
            (NONE, Char('4'), Action::Choose(4)),
            (NONE, Char('5'), Action::Choose(5)),
            (NONE, Char('6'), Action::Choose(6)),
            (NONE, Char(' '), Action::Toggle),
            (NONE, Enter, Action::Confirm),
            (NONE, Esc, Action::Reject),
            (CTRL, Char('c'), Action::Reject),
            (CTRL, Char('d'), Action::Reject),
            (CTRL, Char('e'), Action::Expand),
        ],
    ),
    Section(
        Context::Pager,
        &[
            (NONE, Up, Action::Previous),
            (NONE, Char('k'), Action::Previous),
            (CTRL, Char('p'), Action::Previous),
            (NONE, Down, Action::Next),
            (NONE, Char('j'), Action::Next),
            (CTRL, Char('n'), Action::Next),
            (NONE, PageUp, Action::PageUp),
            (NONE, Char('b'), Action::PageUp),
            (CTRL, Char('b'), Action::PageUp),
            (CTRL, Char('u'), Action::PageUp),
            (NONE, PageDown, Action::PageDown),
            (NONE, Char(' '), Action::PageDown),
            (CTRL, Char('f'), Action::PageDown),
            (CTRL, Char('d'), Action::PageDown),
            (NONE, Home, Action::Top),
            (NONE, Char('g'), Action::Top),
            (NONE, End, Action::Bottom),
            (NONE, Char('G'), Action::Bottom),
            (NONE, Char('/'), Action::Find),
            (NONE, Char('n'), Action::FindNext),
            (NONE, Char('N'), Action::FindPrevious),
            (NONE, Enter, Action::Confirm),
            (NONE, Esc, Action::Close),
            (NONE, Char('q'), Action::Close),
            (CTRL, Char('c'), Action::Close),
        ],
    ),
];

/// Every default binding, in the order of the help sheet.
pub(super) fn defaults() -> impl Iterator<Item = Binding> {
    SECTIONS.iter().flat_map(|Section(context, rows)| {
        rows.iter().map(|&(modifiers, code, action)| Binding {
            context: *context,
            chord: Chord::new(code, modifiers),
            action,
        })
    })
}
