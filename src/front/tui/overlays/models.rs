//! Choosing a model, and whether it thinks.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::{ListItem, ListPicker, Overlay, OverlayReply};
use crate::front::text::truncate;
use crate::front::tui::cells::row;
use crate::front::tui::theme::{Theme, Tone};

/// Whether a model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thinking {
    /// The user decides.
    #[default]
    Optional,
    Always,
    Never,
}

/// A model in the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelItem {
    /// The configured name.
    pub name: String,
    /// What to call it on the screen; empty for its name.
    pub display: String,
    /// Provider, context size and what else is worth knowing.
    pub detail: String,
    pub thinking: Thinking,
    pub current: bool,
}

/// The configured models.
#[derive(Debug, Clone)]
pub struct ModelPicker {
    list: ListPicker,
    models: Vec<(String, Thinking)>,
    /// What the user wants of a model that can do both.
    wanted: bool,
}

impl ModelPicker {
    /// `thinking` is what is set now.
    pub fn new(items: Vec<ModelItem>, thinking: bool) -> Self {
        let models = items.iter().map(|item| (item.name.clone(), item.thinking)).collect();
        let rows = items
            .into_iter()
            .map(|item| ListItem {
                dot: None,
                label: if item.display.is_empty() { item.name.clone() } else { item.display },
                detail: item.detail,
                keywords: item.name.clone(),
                current: item.current,
                id: item.name,
            })
            .collect();
        Self { list: ListPicker::new("Models", "", rows), models, wanted: thinking }
    }

    fn selected(&self) -> Thinking {
        let id = self.list.selected_id();
        self.models
            .iter()
            .find(|(name, _)| Some(name.as_str()) == id)
            .map_or(Thinking::Never, |(_, thinking)| *thinking)
    }

    fn thinking(&self) -> bool {
        match self.selected() {
            Thinking::Optional => self.wanted,
            Thinking::Always => true,
            Thinking::Never => false,
        }
    }
}

impl Overlay for ModelPicker {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        if matches!(key.code, KeyCode::Left | KeyCode::Right) && key.kind != KeyEventKind::Release {
            if self.selected() != Thinking::Optional {
                return OverlayReply::Ignored;
            }
            self.wanted = !self.wanted;
            return OverlayReply::Redraw;
        }
        match self.list.key(key, size) {
            OverlayReply::Picked(name) => OverlayReply::Model { name, thinking: self.thinking() },
            reply => reply,
        }
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        self.list.paste(text)
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        let text = match self.selected() {
            Thinking::Optional if self.wanted => "thinking: ‹ on › · ←/→ change",
            Thinking::Optional => "thinking: ‹ off › · ←/→ change",
            Thinking::Always => "thinking: always on",
            Thinking::Never => "thinking: not supported",
        };
        let text = format!("{text} · type to filter · ↵ choose · esc close");
        let text = truncate(&text, usize::from(size.width).saturating_sub(1));
        let footer = row::row([Span::styled(text, theme.style(Tone::Status))]);
        self.list.draw(size, Some(footer), theme)
    }
}
