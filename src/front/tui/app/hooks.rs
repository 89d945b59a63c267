//! `/hooks`: which hooks there are, and how they ended last.

use std::fmt::Write as _;

use ratatui::text::{Line, Span};

use super::panes::Pane;
use super::{App, TuiError};
use crate::customize::hooks::HookView;
use crate::front::text::wrap_line;
use crate::front::tui::cells::{Severity, row};
use crate::front::tui::overlays::Pager;
use crate::front::tui::theme::Tone;

impl App {
    /// Lists the hooks by event.
    pub(super) fn open_hooks(&mut self) -> Result<(), TuiError> {
        let view = self.session.hooks().view();
        if view.is_empty() {
            let help =
                "A hook is a [[hooks]] table in config.toml: event, matcher, command, timeout.";
            self.say(Severity::Info, "No hooks are configured.", help);
            return Ok(());
        }
        let columns = usize::from(self.columns());
        let mut lines = Vec::new();
        for (event, hooks) in by_event(&view) {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            let count = hooks.len();
            let heading = format!("{event} · {count} hook{}", if count == 1 { "" } else { "s" });
            lines.push(Line::from(Span::styled(heading, self.theme.style(Tone::Heading))));
            for hook in hooks {
                let dim = self.theme.style(Tone::Dim);
                let command = Span::raw(format!("  {}", row::foreign_line(&hook.source)));
                let detail = Span::styled(format!("    {}", detail(hook)), dim);
                for part in [command, detail] {
                    lines.extend(wrap_line(&Line::from(part), columns, 4.min(columns / 2)));
                }
            }
        }
        self.open_pane(Pane::other(Pager::new("Hooks", lines)))
    }
}

/// The hooks of each event, in the order in which the events first come.
fn by_event(view: &[HookView]) -> Vec<(&'static str, Vec<&HookView>)> {
    let mut groups: Vec<(&'static str, Vec<&HookView>)> = Vec::new();
    for hook in view {
        let name = hook.event.name();
        match groups.iter_mut().find(|(event, _)| *event == name) {
            Some((_, hooks)) => hooks.push(hook),
            None => groups.push((name, vec![hook])),
        }
    }
    groups
}

fn detail(hook: &HookView) -> String {
    let mut detail = row::foreign_line(hook.last.as_deref().unwrap_or("not run yet"));
    if !hook.matcher.is_empty() {
        let _ = write!(detail, " · for {}", row::foreign_line(&hook.matcher));
    }
    if hook.from_client {
        detail.push_str(" · a client's");
    }
    if hook.fail_closed {
        detail.push_str(" · fails closed");
    }
    detail
}
