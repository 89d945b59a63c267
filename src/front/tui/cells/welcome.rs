//! What stands on the screen before the first turn.

use ratatui::text::{Line, Span};

use super::row;
use crate::front::text::truncate_middle;
use crate::front::tui::theme::{Theme, Tone};

/// The opening rows. No box and no bullet: readers take a box edge or a bullet for a finished turn.
#[derive(Debug, Clone, Default)]
pub struct Welcome {
    pub directory: String,
    pub session: String,
    /// What to call the model; `None` when none is configured.
    pub model: Option<String>,
    /// The built-in scripted tour stands in for a model.
    pub tour: bool,
    /// One thing worth knowing.
    pub tip: Option<String>,
}

impl Welcome {
    /// The rows for a width.
    pub fn rows(&self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        let columns = usize::from(columns);
        let mut rows =
            vec![row::row([Span::styled("Welcome to Kimi Code CLI!", theme.style(Tone::Strong))])];
        let mut fact = |name: &'static str, value: &str| {
            let room = columns.saturating_sub(name.len() + 3).max(8);
            rows.push(row::row([
                Span::styled(format!("{name}: "), row::trace(theme)),
                Span::raw(truncate_middle(&row::foreign_line(value), room)),
            ]));
        };
        fact("Directory", &self.directory);
        fact("Model", self.model.as_deref().unwrap_or(self.no_model()));
        fact("Session", &self.session);
        if self.tour {
            rows.extend(row::paragraph(
                "No model is configured, so a built-in scripted tour answers: it is not an AI and \
                 nothing leaves this machine. Set KIMI_API_KEY to connect a real model (the README says more).",
                theme.style(Tone::Warning),
                columns,
                0,
            ));
        }
        if let Some(tip) = &self.tip {
            rows.extend(row::paragraph(
                &format!("Tip: {}", row::foreign_line(tip)),
                row::trace(theme),
                columns,
                5,
            ));
        }
        rows
    }

    fn no_model(&self) -> &'static str {
        if self.tour { "scripted tour (no model)" } else { "not set" }
    }
}
