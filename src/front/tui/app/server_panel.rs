//! `/mcp`: the list of servers, and all there is to know of one.

use ratatui::text::{Line, Span};

use super::panes::Pane;
use super::servers::plural;
use super::{App, TuiError};
use crate::front::tui::cells::{Severity, row};
use crate::front::tui::overlays::{ServerItem, ServerPicker, ServerSheet};
use crate::front::tui::theme::Tone;
use crate::mcp::project;
use crate::mcp::server::{ASKS_FOR_LOGIN, Order, Server, Status};
use crate::mcp::servers::{CORRECT_ENTRY, ServerView};

impl App {
    /// `/mcp`, `/mcp reconnect|enable|disable [name]`, `/mcp login name`, `/mcp trust`.
    pub(super) fn mcp_command(&mut self, arguments: &str) -> Result<(), TuiError> {
        let (verb, name) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
        let view = self.servers_view();
        // Where all servers there are wait for a word, there is nothing else to show.
        if (verb == "trust" || view.is_empty()) && self.ask_for_trust() {
            return Ok(());
        }
        if view.is_empty() {
            self.say(
                Severity::Info,
                "No MCP servers are configured.",
                "Add one with `kimi mcp add`, then start kimi again.",
            );
            return Ok(());
        }
        let order = match verb {
            "" => return self.open_servers(),
            "login" => {
                self.log_in(name.trim());
                return Ok(());
            }
            "trust" => {
                self.say(Severity::Info, "No MCP servers of this project wait for a word.", "");
                return Ok(());
            }
            "reconnect" => Order::Reconnect,
            "enable" => Order::Enable,
            "disable" => Order::Disable,
            other => {
                let title =
                    format!("\"{other}\" is none of reconnect, enable, disable, login, trust.");
                self.say(Severity::Warning, &title, "");
                return Ok(());
            }
        };
        self.order_servers(Some(name.trim()).filter(|name| !name.is_empty()), order);
        Ok(())
    }

    pub(super) fn open_servers(&mut self) -> Result<(), TuiError> {
        let view = self.servers_view();
        let picker = ServerPicker::new(items(&view), &self.servers_title(&view));
        self.open_pane(Pane::Servers(picker))
    }

    pub(super) fn reconnect_server(&mut self, name: &str) {
        if let Some(servers) = &self.host.options.mcp {
            servers.order(Some(name), Order::Reconnect);
        }
    }

    pub(super) fn toggle_server(&mut self, name: &str) {
        let off = self.is_off(name);
        if let Some(servers) = &self.host.options.mcp {
            servers.order(Some(name), if off { Order::Enable } else { Order::Disable });
        }
    }

    /// Keeps a server on or off as it is.
    pub(super) fn keep_server(&mut self, name: String) {
        let enabled = !self.is_off(&name);
        if let Some(servers) = self.host.options.mcp.clone() {
            self.jobs.keep_enabled(servers, name, enabled);
        }
    }

    fn is_off(&self, name: &str) -> bool {
        let view = self.servers_view();
        view.iter().any(|it| it.name == name && it.status == Status::Disabled)
    }

    /// Everything about one server.
    pub(super) fn open_server(&mut self, name: &str) -> Result<(), TuiError> {
        let lines = self.server_lines(name);
        self.open_pane(Pane::Server(ServerSheet::new(name, lines)))
    }

    /// Shows what is open of the servers as they are now.
    pub(super) fn refresh_servers(&mut self, view: &[ServerView]) -> Result<(), TuiError> {
        let title = self.servers_title(view);
        match &mut self.pane {
            Some(Pane::Servers(picker)) => picker.set_items(items(view), &title),
            Some(Pane::Server(sheet)) => {
                let name = sheet.name().to_owned();
                let lines = self.server_lines(&name);
                if let Some(Pane::Server(sheet)) = &mut self.pane {
                    sheet.set_lines(lines);
                }
            }
            _ => return Ok(()),
        }
        self.redraw_pane()
    }

    fn servers_title(&self, view: &[ServerView]) -> String {
        let unasked = self.host.options.mcp.as_ref().map(|servers| servers.unasked());
        let waiting = unasked.iter().flatten().map(|file| file.source.servers.len()).sum();
        title(view, waiting)
    }

    fn server_lines(&self, name: &str) -> Vec<Line<'static>> {
        let servers = self.host.options.mcp.as_ref();
        match servers.and_then(|servers| Some((servers, servers.get(name)?))) {
            Some((servers, server)) => {
                let log = servers.log_if_any(name);
                let log = log.map(|log| self.tilde(&log.display().to_string()));
                self.lines_of(&server, log.as_deref())
            }
            // An entry that cannot be used.
            None => {
                let view = self.servers_view();
                let known = view.iter().find(|server| server.name == name);
                let reason = known.and_then(|server| server.reason.clone()).unwrap_or_default();
                let style = self.theme.style(Tone::Error);
                vec![
                    Span::styled(format!("● failed: {}", row::foreign_line(&reason)), style).into(),
                    Line::raw(CORRECT_ENTRY),
                ]
            }
        }
    }

    fn lines_of(&self, server: &Server, log: Option<&str>) -> Vec<Line<'static>> {
        let state = server.state();
        let listing = state.listing.as_deref();
        let count = listing.map_or(0, |listing| listing.len());
        let dim = self.theme.style(Tone::Dim);
        let status = told(state.status, state.reason.as_deref(), count);
        let style = self.theme.style(tone(state.status));
        let mut lines: Vec<Line<'static>> =
            vec![Span::styled(format!("● {}", row::foreign_line(&status)), style).into()];
        if let Some(advice) = advice(state.status, log) {
            lines.push(Line::raw(row::foreign_line(&advice)));
        }
        let keys = "ctrl-r retry · ctrl-t on/off · ctrl-s keep it · ctrl-l log in · esc list";
        lines.push(Span::styled(keys, dim).into());
        lines.push(Line::default());
        let what = project::told(&server.config).into_iter();
        lines.extend(what.map(|line| Line::raw(row::shown_line(&line))));
        if !state.said.is_empty() {
            lines.push(Line::default());
            lines.push(self.heading("What it said last"));
            let said = state.said.iter().map(|line| format!("  {}", row::foreign_line(line)));
            lines.extend(said.map(|line| Line::from(Span::styled(line, dim))));
        }
        let Some(listing) = listing else { return lines };
        if !listing.about().is_empty() {
            lines.push(Line::default());
            lines.push(self.heading("About"));
            lines.push(Line::raw(format!("  {}", row::foreign_line(listing.about()))));
        }
        lines.push(Line::default());
        lines.push(self.heading(&format!("{count} tool{}", plural(count))));
        for (tool, description) in listing.tools() {
            lines.push(Line::from(vec![
                Span::raw("  "),
                Span::styled(row::foreign_line(tool), self.theme.style(Tone::Accent)),
                Span::raw(format!("  {}", row::foreign_line(description))),
            ]));
        }
        let skipped = listing.skipped().iter();
        lines.extend(skipped.map(|tool| {
            let line = format!("  left out: {}", row::foreign_line(tool));
            Line::from(Span::styled(line, self.theme.style(Tone::Warning)))
        }));
        lines
    }
}

fn items(view: &[ServerView]) -> Vec<ServerItem> {
    let item = |server: &ServerView| ServerItem {
        name: server.name.clone(),
        detail: told(server.status, server.reason.as_deref(), server.tools.len()),
        tone: tone(server.status),
    };
    view.iter().map(item).collect()
}

/// What there is, and how many servers of the project wait for a word.
fn title(view: &[ServerView], waiting: usize) -> String {
    let connected = view.iter().filter(|server| server.status == Status::Connected);
    let tools: usize = connected.clone().map(|server| server.tools.len()).sum();
    let (connected, all, s) = (connected.count(), view.len(), plural(tools));
    let mut title = format!("MCP servers: {connected}/{all} connected, {tools} tool{s}");
    for (status, word) in [(Status::Failed, "failed"), (Status::Unauthorized, "to authorize")] {
        match view.iter().filter(|server| server.status == status).count() {
            0 => {}
            count => title.push_str(&format!(" · {count} {word}")),
        }
    }
    if waiting > 0 {
        title.push_str(&format!(" · {waiting} of the project: /mcp trust"));
    }
    title
}

fn tone(status: Status) -> Tone {
    match status {
        Status::Disabled => Tone::Dim,
        Status::Pending => Tone::Warning,
        Status::Connecting => Tone::Info,
        Status::Connected => Tone::Success,
        Status::Failed | Status::Unauthorized => Tone::Error,
    }
}

/// The state in words.
fn told(status: Status, reason: Option<&str>, tools: usize) -> String {
    let word = match status {
        Status::Connected => return format!("connected · {tools} tool{}", plural(tools)),
        status => status.shown(),
    };
    match reason {
        Some(reason) => {
            let said = reason.strip_prefix(ASKS_FOR_LOGIN).unwrap_or(reason);
            format!("{word} · {}", said.trim_start_matches([';', ' ']))
        }
        None => word.to_owned(),
    }
}

/// What can be done about a state.
fn advice(status: Status, log: Option<&str>) -> Option<String> {
    match status {
        Status::Failed => {
            let log = log.map(|log| format!(" Its error output is in {log}.")).unwrap_or_default();
            Some(format!(
                "Correct what is wrong and press ctrl-r, or switch it off with ctrl-t.{log}"
            ))
        }
        Status::Unauthorized => {
            Some("ctrl-l logs in to it with the browser; over ssh use `kimi mcp auth`.".to_owned())
        }
        Status::Disabled => Some("ctrl-t switches it on.".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_named_where_there_is_one() {
        let with = advice(Status::Failed, Some("~/.kimi/s.log")).unwrap();
        assert!(with.ends_with("with ctrl-t. Its error output is in ~/.kimi/s.log."), "{with}");
        let without = advice(Status::Failed, None).unwrap();
        assert!(without.ends_with("switch it off with ctrl-t."), "{without}");
    }
}
